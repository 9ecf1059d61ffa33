//! What Sekoia holds, as it is read in the channel.

use insta::assert_snapshot;
use sekoia_chatops::sandbox::Tenant;

use crate::harness::{Choice, Platform, Setting, Stage, everywhere, run, steady, usual};

fn bank(on: Platform, mut scenario: impl AsyncFnMut(&mut Stage)) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.progress().await;
        scenario(s).await;
    });
}

everywhere!(the_bank_reads_its_workspace);
fn the_bank_reads_its_workspace(on: Platform) {
    bank(on, async |s| {
        assert_snapshot!(steady(s.ask("dan", "subscription").await.text()), @"
        Subscription
        *Banque Rivoli* · 4 licences
        • *Defend Prime* · module Defend · <date> to <date>, 200 days left · assets: 5000, hot storage days: 90
        • *Intelligence* · <date> to <date>, 200 days left · hot storage days: 90
        • *Reveal* · <date> to <date>, 200 days left · hot storage days: 90
        • ⚠️ *Defend Core* · module Defend · <date> to <date> · assets: 3000, hot storage days: 90 · Defend Core has expired
        See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        [Open step 1 (subscription)]
        ");
        assert_snapshot!(steady(s.ask("dan", "region").await.text()), @"
        Region FRA1 · France
        The bot's key is accepted there. Share the first address before you invite people.
        • App: https://app.sekoia.io <https://app.sekoia.io>
        • API: `http://127.0.0.1:<port>`
        • HTTP intake: `https://intake.sekoia.io`
        • Syslog: `intake.sekoia.io:10514`
        • RELP: `intake.sekoia.io:11514`
        See: Regions <https://docs.sekoia.com/getting_started/regions/>
        [Open step 2 (region)]
        ");
        assert_snapshot!(steady(s.ask("dan", "communities").await.text()), @"
        Communities
        *Banque Rivoli* · multi-tenant, 3 communities · this channel's
        • *Rivoli Markets* · Trading floor and treasury · since <date>
        • *Rivoli Payments (Nimbus)* · Card and instant payments, formerly Nimbus · ⚠️ MFA not enforced · since <date>
        • *Rivoli Retail* · Branches and online banking · since <date>
        See: Create a community <https://docs.sekoia.com/getting_started/create_community/>
        [Open step 3 (communities)]
        ");
        let roles = steady(s.ask("dan", "roles").await.text());
        if s.chat.platform() == Platform::Slack {
            assert_snapshot!(roles, @"
            Roles
            *Banque Rivoli* · 5 roles
            • *Admin* · built in · 85 permissions · 3 members · Full access, management included
            • *Analyst* · built in · 72 permissions · 1 member · 1 open invitation · Read and write access
            • *Guest* · built in · 38 permissions · 0 members · 1 open invitation · 1 switched off · Read-only access
            • *Compliance Auditor* · custom · 4 permissions · 1 member · Looks at who has access to what, for the yearly review
            • *SOC Level 1* · custom · 7 permissions · 2 members · Triage of alerts: reads everything about them, comments, changes their status
            A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
            See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
            [Show a role ▾] [Open step 4 (roles)]
            ");
        }
        let users = steady(s.ask("alice", "users").await.text());
        if s.chat.platform() == Platform::Slack {
            assert_snapshot!(users, @"
            Users
            *Banque Rivoli* · 6 members · 2 pending invitations · 1 switched off · 2 without MFA
            • *Claire Dubreuil* · claire.dubreuil@banque-rivoli.example · Admin · active <date>
            • *Hugo Petit* · hugo.petit@banque-rivoli.example · SOC Level 1, Compliance Auditor · no MFA · active <date>
            • *Inès Carpentier* · ines.carpentier@banque-rivoli.example · SOC Level 1 · active <date>
            • *Marc Lavigne* · marc.lavigne@banque-rivoli.example · Admin · ⚠️ Admin without MFA · active <date>
            • *Sofia Benali* · sofia.benali@banque-rivoli.example · Admin · active <date>
            • *Thomas O'Brien* · thomas.obrien@banque-rivoli.example · Analyst · active <date>
            • *j.weber@audit-partner.example* · Guest · ⏳ invited, not accepted yet
            • *nadia.osman@banque-rivoli.example* · Analyst · ⏳ invited, not accepted yet
            • *Élodie Marchand* · elodie.marchand@banque-rivoli.example · Guest · switched off
            See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
            [Done]! [Open step 5 (users)] [Send an invitation again ▾]
            ");
        }
        let keys = steady(s.ask("alice", "keys").await.text());
        if s.chat.platform() == Platform::Slack {
            assert_snapshot!(keys, @"
            API keys
            *Banque Rivoli* · 10 keys, 6 active
            • *cti-enrichment* · active · 170 days left, until <date> · 2 permissions
            • *jira-tickets* · active · ⚠️ 12 days left, until <date> · 2 permissions
            • *log-forwarder* · active · ⚠️ no expiry · 3 permissions
            • *sandbox-admin* · the bot's own · active · 300 days left, until <date> · 85 permissions
            • *sandbox-limited* · active · 300 days left, until <date> · 37 permissions
            • *sandbox-reader* · active · 300 days left, until <date> · 40 permissions
            • *old-siem-export* · expired on <date>
            • *sandbox-expired* · expired on <date>
            • *former-mssp* · revoked
            • *sandbox-revoked* · revoked
            See: Manage API keys <https://docs.sekoia.com/getting_started/manage_api_keys/>
            [Done]! [Open step 6 (keys)]
            ");
        }
    });
}

everywhere!(every_step_is_checked_without_being_changed);
fn every_step_is_checked_without_being_changed(on: Platform) {
    bank(on, async |s| {
        for step in ["prerequisites", "1", "2", "3", "4", "5", "6", "7", "quickstart"] {
            let card = s.ask("alice", &format!("step {step} check")).await;
            assert!(card.text().contains("☐ open"), "{card}");
        }
        assert_snapshot!(steady(s.ask("alice", "step 0 check").await.text()), @r#"
        Sekoia shows: the key is valid and has 85 permissions.
        Missing: your account at Sekoia, as the chat does not tell your e-mail address: "/sekoia done prerequisites as you@company.example" says it once
        Before you start
        *Banque Rivoli*
        ☐ open
        The person who sets up the workspace needs administrator access and a secured account of their own.
        The bot checks that its API key is valid and has the permissions that the plan needs, and that who ticks this step is an Admin with MFA.
        In Sekoia: your own account, Security · See: Secure your account <https://docs.sekoia.com/getting_started/secure_your_account/>, Workspace setup overview <https://docs.sekoia.com/getting_started/>
        [Done]! [Check with Sekoia] [Skip…] [Assign to ▾] [Due date 📅]
        "#);
        assert_snapshot!(steady(s.ask("alice", "step 1 check").await.text()), @"
        Sekoia shows: Defend Prime until <date>, Intelligence until <date>, Reveal until <date>. Nobody said yet whether this is all that is needed.
        Step 1 of 7 · Verify your subscription
        *Banque Rivoli*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan products`
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        As a plan, that is 3 products: Defend Prime, Intelligence, Reveal.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Skip…] [Assign to ▾] [Due date 📅] [These 3 products are enough]! [More is needed…]
        ");
        assert_snapshot!(steady(s.ask("alice", "step 4 check").await.text()), @"
        Sekoia shows: 3 built-in roles, 2 custom roles. Nobody said yet whether this is all that is needed.
        ⚠️ built-in roles do not count for members of Compliance Auditor, SOC Level 1
        Step 4 of 7 · Define roles
        *Banque Rivoli*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan roles`
        Roles reviewed before inviting give people the right permissions from their first day.
        The bot lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap.
        In Sekoia: Settings > Workspace > Roles · See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
        As a plan, that is 5 roles: Admin, Analyst, Compliance Auditor, Guest, SOC Level 1.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Create a role…] [Skip…] [Assign to ▾] [Due date 📅] [These 5 roles are enough]! [More is needed…]
        ");
        assert_snapshot!(steady(s.ask("alice", "step 5 check").await.text()), @"
        Sekoia shows: 6 active members, 2 pending invitations. Nobody said yet whether this is all that is needed.
        ⚠️ 1 Admin without MFA
        ⚠️ 1 other member without MFA
        ⚠️ 2 invitations still to be accepted: the link is good for 24 hours
        Step 5 of 7 · Invite users
        *Banque Rivoli*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan people`
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        As a plan, that is 8 people: claire.dubreuil@banque-rivoli.example, hugo.petit@banque-rivoli.example, ines.carpentier@banque-rivoli.example, j.weber@audit-partner.example, marc.lavigne@banque-rivoli.example, nadia.osman@banque-rivoli.example, sofia.benali@banque-rivoli.example, thomas.obrien@banque-rivoli.example.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅] [These 8 people are enough]! [More is needed…] [Send an invitation again ▾]
        ");
        assert_snapshot!(steady(s.ask("alice", "step 6 check").await.text()), @"
        Sekoia shows: 6 active keys, 5 of them for integrations. Nobody said yet whether this is all that is needed.
        ⚠️ 1 key without expiry
        ⚠️ 1 key expiring within 30 days
        Step 6 of 7 · Create API keys
        *Banque Rivoli*
        ☐ open
        No plan: it can be seen or attested, not verified. `/sekoia plan keys`
        One key per integration, with the least permissions, keeps a leak small.
        The bot creates, rotates and revokes keys after an approval, shows a new one once, and flags those without expiry or about to expire.
        In Sekoia: Settings > Workspace > API Keys · See: Manage API keys <https://docs.sekoia.com/getting_started/manage_api_keys/>
        As a plan, that is 5 keys: cti-enrichment, jira-tickets, log-forwarder, sandbox-limited, sandbox-reader.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Create a key…] [Skip…] [Assign to ▾] [Due date 📅] [These 5 keys are enough]! [More is needed…]
        ");
    });
}

everywhere!(a_unit_near_the_end_of_its_trial_is_warned);
fn a_unit_near_the_end_of_its_trial_is_warned(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup rivoli payments").await;
        s.progress().await;
        assert_snapshot!(steady(s.ask("alice", "done subscription").await.text()), @"
        Sekoia shows: Defend Prime until <date>. Nobody said yet whether this is all that is needed.
        Step 1 of 7 · Verify your subscription
        *Rivoli Payments (Nimbus)*
        👁️ seen, not verified: Defend Prime until <date>; nobody said whether this is all · @alice · <date> <time> UTC
        No plan: it can be seen or attested, not verified. `/sekoia plan products`
        • ⚠️ Defend Prime ends in 4 days: Sekoia is warning community admins
        Which products and modules are active, until when and for how many assets decides what the team can use.
        The bot reads the licences, warns by Sekoia's own expiry thresholds and keeps the evidence.
        In Sekoia: Settings > Workspace > Subscriptions · See: Understand your subscription <https://docs.sekoia.com/getting_started/subscriptions/>
        As a plan, that is 1 product: Defend Prime.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Skip…] [Assign to ▾] [Due date 📅] [This product is enough]! [More is needed…]
        ");
        assert_snapshot!(steady(s.progress().await.text()), @"
        Sekoia workspace setup
        *Rivoli Payments (Nimbus)* · multi-tenant
        ░░░░░░░  0 of 7 done · 1 seen
        ☐ *Before you start*
        👁️ *1 Verify your subscription* · seen: Defend Prime until <date>
        ☐ *2 Confirm your region*
        ☐ *3 Create communities*
        ☐ *4 Define roles*
        ☐ *5 Invite users*
        ☐ *6 Create API keys*
        ☐ *7 Configure notifications*
        [Open a step ▾] [Next]! [Refresh]
        ");
    });
}

everywhere!(a_role_is_shown_with_its_permissions);
fn a_role_is_shown_with_its_permissions(on: Platform) {
    bank(on, async |s| {
        let roles = s.ask("dan", "roles").await;
        let guest = s.choose("dan", &roles, "Show a role", Choice::Option("Guest")).await;
        assert_snapshot!(guest.text(), @"
        Guest
        built in · 38 permissions · 0 members · 1 open invitation · 1 switched off
        Read-only access
        • *Alerts*: View alert statistics, View alerts, View generation mode
        • *Archives*: View archives, View archives
        • *Assets*: View asset attribute names, View asset attributes, View asset categories, View asset types, View assets
        • *Cases*: View cases
        • *Community*: Read community licenses, View members, View roles
        • *Countermeasures*: Read countermeasure templates
        • *Custom fields*: View custom fields
        • *Dashboards*: View dashboards
        • *Entities*: View entities
        • *Events*: View event stats in asset listing, View events
        • *IOC collections*: View IOC collections, View IOC collections telemetry
        • *Intakes*: View intakes
        • *Intelligence*: View feeds, View intelligence, View intelligence notes, View intelligence with limited access, View labels, View observables
        • *Playbooks*: View integrations, View playbook runs, View playbook runs statistics, View playbooks
        • *Queries*: View notebook queries, View query builder data sources
        • *Rules catalog*: Read runbooks, View Rules Catalog
        • *Telemetry*: View global platform telemetry
        ");
        assert_snapshot!(s.ask("dan", "role show Nobody").await.text(), @r#"There is no role called "Nobody". There are: Admin, Analyst, Compliance Auditor, Guest, SOC Level 1."#);
    });
}

everywhere!(two_hundred_and_fifty_members_are_paged);
fn two_hundred_and_fifty_members_are_paged(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let had = s.sekoia.edit(|world| {
            let had = world.members.len();
            let root = world.root;
            world.add_members(root, 250);
            had
        });
        let mut page = s.ask("alice", "users").await;
        let mut members = 0;
        loop {
            members += page.text().lines().filter(|line| line.contains('@')).count();
            if !page.text().contains("[Next page]") {
                break;
            }
            page = s.click("alice", &page, "Next page").await;
        }
        assert_eq!(members, had + 250);
        let last = page.text();
        assert!(last.contains(&format!("of {}", had + 250)), "{last}");
        // Beyond the end: the end.
        assert_eq!(s.ask("alice", "users 999").await.text(), last);
    });
}

everywhere!(three_hundred_permissions_are_paged);
fn three_hundred_permissions_are_paged(on: Platform) {
    bank(on, async |s| {
        let total = s.sekoia.edit(|world| {
            world.add_permissions(300);
            let all: Vec<_> = world.permissions.iter().map(|p| p.uuid).collect();
            let count = all.len();
            for role in &mut world.roles {
                role.permissions.clone_from(&all);
            }
            count
        });
        let mut page = s.ask("alice", "role show Admin").await;
        let mut seen = 0;
        loop {
            let listed = page
                .text()
                .lines()
                .filter_map(|l| l.strip_prefix("• ")?.split_once(": "))
                .map(|(_, p)| p.split(", ").count())
                .sum::<usize>();
            seen += listed;
            if !page.text().contains("[Next page]") {
                break;
            }
            page = s.click("alice", &page, "Next page").await;
        }
        assert_eq!(seen, total);
    });
}

everywhere!(the_overview_shows_every_channel_and_what_waits_for_whom);
fn the_overview_shows_every_channel_and_what_waits_for_whom(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask_in("nimbus-payments", "alice", "setup").await;
        s.progress().await;
        s.ask_in("nimbus-payments", "bob", "assign users @bob").await;
        s.progress().await;
        s.ask_in("nimbus-payments", "alice", "due 1 2099-01-31").await;
        s.progress().await;
        assert_snapshot!(s.ask("bob", "overview").await.text(), @"
        All channels
        #nimbus-payments · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *1 Verify your subscription* · due 2099-01-31
        • *5 Invite users* · @bob
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        Channels 1 to 2
        ");
    });
}

everywhere!(help_tells_every_command);
fn help_tells_every_command(on: Platform) {
    usual(on, async |s| {
        let help = s.ask("gina", "help all").await.text();
        let (first, commands) = help.split_once('\n').unwrap();
        assert!(first.contains("Type it after `/sekoia`"), "{help}");
        assert_snapshot!(commands, @"
        *Work through the checklist*
        • `setup [community] [from <template> <parameters>]` Opens the checklist in this channel for one Sekoia community, or binds it to another one; with the plan of a template. (operator)
        • `status` The checklist as it stands.
        • `next` The first step that is still open; the prerequisites come first.
        • `step <1-7 or name> [check]` A step's card; with `check`, what Sekoia says about it now.
        • `done <step> [as <your e-mail>] [anyway]` Ticks a step that Sekoia confirms, against the plan; with `anyway`, on your word alone. `as`: your account at Sekoia, if the chat does not tell it. (operator)
        • `skip <step> <reason>` Leaves a step out, for a reason that stays on record. (operator)
        • `reopen <step>` Makes a done or skipped step open again. (operator)
        • `assign <step> <@user or nobody>` Says who does a step. (operator)
        • `due <step> <date or none>` Says by when: 2026-12-01, tomorrow, friday, +7d. (operator)
        • `refresh` Brings the channel's progress message up to date, or posts it again.
        • `reset` Starts the checklist over, after a confirmation. The history stays. (operator)
        • `quickstart [defend, intelligence, reveal or elevate]` What comes next: the quick start of each licensed product, and what of it is there.
        • `quickstart send` Sends the quick start to the analysts: posts it here and writes to the members who are in this chat, after a confirmation. (operator)
        *Say what the workspace should be*
        • `plan [step]` What this workspace should be; of one step, beside what Sekoia has.
        • `plan products [names, current, complete or edit]` The products and modules that are needed. `current`: those that Sekoia shows; `edit`: a form. (operator)
        • `plan region [code or current]` The region that the workspace should be in. (operator)
        • `plan communities [names, current, complete or edit]` The communities that are needed, and no others. (operator)
        • `plan community <name> [about <description>]` One community more. Without arguments, opens a form. (operator)
        • `plan roles [names, current, complete or edit]` The roles that are needed: Sekoia's own by their names. (operator)
        • `plan role <name> [with <permissions>] [about <description>]` One role more. Without arguments, opens a form. (operator)
        • `plan people [e-mails as <role>, current, complete or edit]` The people who should be members. (operator)
        • `plan person <e-mail> [as <role>] [to <communities>]` One person more. Without arguments, opens a form. (operator)
        • `plan keys [current, complete or edit]` The API keys that are needed, one for each use. (operator)
        • `plan key <name> [for <preset>] [with <permissions>] [expires <30d, date or never>] [owner <@user>]` One key more. Without arguments, opens a form. (operator)
        • `plan notifications [triggers, current, complete or edit]` The triggers that rules should wait for, in the place of the three that Sekoia names. (operator)
        • `plan hardening [settings, current or edit]` The security settings that the community should have: mfa, session-timeout, inactive-accounts, sso. (operator)
        • `plan drop <part> [name]` Takes something out of the plan; without a name, the whole part. Nothing changes at Sekoia. (operator)
        • `plan export` The plan as a file in TOML. (operator)
        • `plan import [file name, or template <name> <parameters>]` Reads a plan, and shows what differs. Without arguments, opens a form. (operator)
        • `plan verify` Checks every step against the plan, and ticks those that match. (operator)
        • `plan request [because <reason>] [--dry-run]` Asks for everything that the channel's plan names and Sekoia lacks, as one request with one approval. (operator)
        *Look at the workspace*
        • `subscription [page]` Licences: products, modules, limits, expiry.
        • `region` The region and its addresses.
        • `region share` Posts the address of Sekoia's app in the channel, and pins it where that is allowed. (operator)
        • `region probe` Tries the key in the other regions, one host a second, after a confirmation. (operator)
        • `communities [page]` Single- or multi-tenant, and the communities.
        • `roles [page]` Roles with their permissions and members.
        • `role show <name> [page]` One role, with all its permissions.
        • `users [page]` Members, pending invitations, MFA. (operator)
        • `resend <e-mail… or request id> [because <reason>] [--dry-run]` Sends invitations again that were not accepted, after an approval: each is replaced by a new one. (operator)
        • `keys [page]` API keys: status, expiry, days left. (operator)
        *Change the workspace, after an approval*
        • `community create <name, …> [about <description>] [because <reason>] [--dry-run]` Creates one community or several, after an approval. Without arguments, opens a form. (operator)
        • `role create <name> [with <preset, role or permissions>] [about <description>] [because <reason>] [--dry-run]` Creates a custom role, after an approval. Without arguments, opens a form. (operator)
        • `invite <e-mail…, from <file>> [as <role>] [to <community, …>] [because <reason>] [--leave-out] [--dry-run]` Invites one person or hundreds, after an approval. Without arguments, opens a form, which takes a file too. (operator)
        • `key create <name> [for <preset>] [with <permissions>] [about <description>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]` Creates an API key, after an approval, and shows it once, to who asked. Without arguments, opens a form. (operator)
        • `key revoke <name> [because <reason>] [--dry-run]` Revokes an API key, after an approval. (operator)
        • `key rotate <name> [as <new name>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]` Replaces an API key, after an approval: the new one is shown, both work until you retire the old one. (operator)
        *Decide requests and follow them*
        • `approvals [mine or id] [page]` Requests that are not settled, with buttons; those that you can decide or asked for; or one of them in full. Approvers may see them too. (operator)
        • `cancel <id>` Withdraws your own request. (operator)
        • `approve <id>` Approves a request, exactly as its card says. (approver)
        • `reject <id> <reason>` Rejects a request. (approver)
        • `show <id>` Creates an approved key and shows it, to who asked for it or keeps it alone. (operator)
        • `saved <id>` Says that a shown key is saved. (operator)
        • `lost <id>` Revokes the key that you were shown and did not save; then you may create it again. (operator)
        • `retire <id>` Revokes the key that a new one replaces. (operator)
        • `retry <id>` Tries again what Sekoia refused. (operator)
        • `by hand <id>` Turns what Sekoia refused into a task for a person. (operator)
        • `check <id>` Looks in Sekoia whether it is done, by hand or otherwise. (operator)
        • `freeze <reason>` Stops all sensitive execution. (approver)
        • `unfreeze` Allows it again. (approver)
        *Be notified of alerts, silent intakes and playbooks*
        • `notify [page]` The channel's notification rules: what they watch, how often, when they last fired, what fails.
        • `notify summary [24h or 7d]` What the rules did: how often, how urgent, what was noisy, how soon it was acknowledged; with a chart.
        • `notify add <trigger> [conditions]` Adds a rule. Without arguments, opens a form. (operator)
        • `notify remove <n>` Removes a rule. (operator)
        • `notify pause <n>` Stops a rule until it is resumed. (operator)
        • `notify resume <n>` Ends a pause or a mute. (operator)
        • `notify mute <n> <1h, 1d>` Keeps a rule quiet for a time. (operator)
        • `notify test <n>` Sends a sample through a rule, the whole way into the channel. (operator)
        • `notify seen <n>` Says that a rule's sample arrived. (operator)
        • `notify recommended` Adds the three rules that Sekoia recommends, after a confirmation. (operator)
        • `notify digest <daily or weekly [day]> <HH:MM or off> [zone]` Posts a summary at a local time, or no more. (operator)
        • `notify webhook [rotate or revoke]` The address for Sekoia's own rules, shown once; how to use it; another one, or none. (operator)
        • `acknowledge <alert>` Acknowledges an alert at Sekoia. (operator)
        *See who did what, and what waits*
        • `help [all, task, command or step]` What you can do here now; with `all`, every command; or help on a task, a command or a step.
        • `whoami` Your id and your rights here.
        • `report [markdown or json] [page]` The readiness report, as a file to you alone: every step, evidence, who and when, exceptions, in Markdown or JSON. With a page, as text here.
        • `inbox [page]` What waits for you, in all channels: requests that you can decide, keys to collect, steps that are yours. Also in direct messages.
        • `overview [page]` All channels, and what waits for whom. (operator)
        • `doctor` Whether the bot works: store, Sekoia, chat, public address, people; what fails, and how to correct it. (operator)
        • `audit [n]` The last records of this channel's history. (operator)
        `/sekoia help` and a command or a step tells more. Everything that a button does can be typed.
        ");
        assert_snapshot!(s.ask("gina", "help skip").await.text(), @r#"
        `/sekoia skip <step> <reason>`
        Leaves a step out, for a reason that stays on record.
        For example: `/sekoia skip notifications "we use our own alerting"`
        • For operators (CHATOPS_OPERATORS).
        "#);
        assert_snapshot!(s.ask("gina", "help step 4").await.text(), @"
        Define roles
        Roles reviewed before inviting give people the right permissions from their first day.
        The bot lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap.
        In Sekoia: Settings > Workspace > Roles.
        • `plan roles [names, current, complete or edit]` The roles that are needed: Sekoia's own by their names. (operator)
        • `plan role <name> [with <permissions>] [about <description>]` One role more. Without arguments, opens a form. (operator)
        • `roles [page]` Roles with their permissions and members.
        • `role show <name> [page]` One role, with all its permissions.
        • `role create <name> [with <preset, role or permissions>] [about <description>] [because <reason>] [--dry-run]` Creates a custom role, after an approval. Without arguments, opens a form. (operator)
        See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
        [Open the step]
        ");
        assert_snapshot!(s.ask("alice", "invite <mailto:ana@example.com|ana@example.com> as Analyst").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        You can set it up: press the button, or type `/sekoia setup`.
        [Set up this channel]!
        ");
        assert_snapshot!(s.ask("alice", "stauts").await.text(), @r#"
        Unknown command "stauts". Did you mean `status`?
        Try: `/sekoia status`
        "#);
        assert_snapshot!(s.ask("alice", "key crate x").await.text(), @r#"
        Unknown command "key crate". Did you mean `key create x`?
        Try: `/sekoia key create x`
        "#);
        assert_snapshot!(s.ask("alice", "done region tomorrow").await.text(), @r#"
        `done` does not take "tomorrow".
        Usage: `/sekoia done <step> [as <your e-mail>] [anyway]`
        Try: `/sekoia done region`
        "#);
        assert_snapshot!(s.ask("alice", "status").await.text(), @"
        *This channel is not set up yet.*
        I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.
        You can set it up: press the button, or type `/sekoia setup`.
        [Set up this channel]!
        ");
    });
}

everywhere!(the_other_regions_are_probed_after_a_confirmation);
fn the_other_regions_are_probed_after_a_confirmation(on: Platform) {
    usual(on, async |s| {
        let question = s.ask("alice", "region probe").await;
        assert_snapshot!(question, @"
        to alice alone in #soc-setup
        This sends the bot's API key to Sekoia's hosts of the 5 regions other than FRA1, one host a second, until one takes it.
        [Probe the regions?]!
        ");
        s.press("alice", &question, "Probe the regions").await;
        assert_snapshot!(steady(s.reply().await.text()), @"
        Region probe
        • ✅ *FRA1* (configured): the key is accepted
        • ➖ *FRA2*: Sekoia could not be reached
        • ✅ *USA1*: the key is accepted at `http://127.0.0.1:<port>/`
        ");
    });
}

everywhere!(open_invitations_are_not_counted_as_members);
fn open_invitations_are_not_counted_as_members(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let before = s.ask("alice", "role show Analyst").await.text();
        let after = s.sekoia.edit(|world| {
            let (root, role) = (world.root, world.role("Analyst").expect("a role").uuid);
            for n in 0..3 {
                world.add_pending(root, &format!("new{n}@nimbus.example"), role);
            }
            let of = world.members.iter().filter(|m| m.community_uuid == root && m.roles.contains(&role));
            let (open, rest): (Vec<_>, Vec<_>) = of.partition(|m| !m.user.confirmed);
            let members = rest.iter().filter(|m| m.enabled).count();
            let word = if members == 1 { "member" } else { "members" };
            format!("{members} {word} · {} open invitations", open.len())
        });
        assert!(!before.contains(&after), "{before}");
        for typed in ["role show Analyst", "roles"] {
            let told = s.ask("alice", typed).await.text();
            // A table has commas between them.
            assert!(told.replace(", ", " · ").contains(&after), "{typed}: {after}\n{told}");
        }
    });
}
