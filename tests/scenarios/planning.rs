//! The plan: what this workspace should be, said step by step or in a file, and what "verified" means
//! against it.

use insta::assert_snapshot;
use sekoia_chatops::sandbox::Tenant;
use sekoia_chatops::sandbox::world::World;

use crate::harness::{Platform, SOC, Setting, Stage, on_both, run, steady, usual};

/// A sample takes the way of everything that happens at Sekoia.
const SAMPLE: std::time::Duration = std::time::Duration::from_secs(20);

/// Everybody who was invited accepts.
fn everybody_comes(world: &mut World) {
    world.members.iter_mut().for_each(|member| member.user.confirmed = true);
}

on_both!(what_nobody_planned_is_seen_and_one_press_makes_it_the_plan);
fn what_nobody_planned_is_seen_and_one_press_makes_it_the_plan(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let seen = s.ask("alice", "done roles").await;
        assert_snapshot!(steady(seen.text()), @"
        Sekoia shows: 3 built-in roles, 2 custom roles. Nobody said yet whether this is all that is needed.
        Step 4 of 7 · Define roles
        *Nimbus Payments*
        👁️ seen, not verified: 3 built-in roles, 2 custom roles; nobody said whether this is all · @alice · <date> <time> UTC
        No plan: it can be seen or attested, not verified. `/sekoia plan roles`
        • ⚠️ built-in roles do not count for members of Nimbus Fraud Desk, SOC Level 1
        Roles reviewed before inviting give people the right permissions from their first day.
        The bot lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap.
        In Sekoia: Settings > Workspace > Roles · See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
        As a plan, that is 5 roles: Admin, Analyst, Guest, Nimbus Fraud Desk, SOC Level 1.
        [Done]! [Check with Sekoia] [Show details] [Plan] [Create a role…] [Skip…] [Assign to ▾] [Due date 📅] [These 5 roles are enough]! [More is needed…]
        ");
        assert!(s.progress().await.text().contains("👁️ *4 Define roles* · seen: 3 built-in roles"));
        // Seen twice is seen.
        assert!(s.ask("alice", "done roles").await.text().contains("Nobody said yet whether this is all"));
        // A viewer is offered nothing.
        let looked = s.ask("dan", "step roles check").await;
        assert!(!looked.text().contains("are enough"), "{looked}");
        let done = s.click("alice", &seen, "These 5 roles are enough").await;
        assert_snapshot!(steady(done.text()), @"
        Sekoia confirms it: 5 roles as planned; 3 built-in roles, 2 custom roles.
        Step 4 of 7 · Define roles
        *Nimbus Payments*
        ✅ verified with Sekoia: 5 roles as planned; 3 built-in roles, 2 custom roles · @alice · <date> <time> UTC
        Plan: 5 roles, said to be all by @alice · <date> <time> UTC
        • ⚠️ built-in roles do not count for members of Nimbus Fraud Desk, SOC Level 1
        Roles reviewed before inviting give people the right permissions from their first day.
        The bot lists the roles with their permissions and members, creates custom ones after an approval, and warns of the built-in-role trap.
        In Sekoia: Settings > Workspace > Roles · See: Roles <https://docs.sekoia.com/getting_started/roles/>, Custom roles <https://docs.sekoia.com/getting_started/custom_roles/>
        [Next step]! [Check with Sekoia] [Show details] [Plan] [Reopen]
        ");
        assert!(s.progress().await.text().contains("✅ *4 Define roles* · 5 roles as planned"));
        assert_snapshot!(steady(s.ask("dan", "plan roles").await.text()), @"
        The plan · Roles
        *Nimbus Payments*
        Plan: 5 roles, said to be all by @alice · <date> <time> UTC
        • 🟰 *Admin*
        • 🟰 *Analyst*
        • 🟰 *Guest*
        • 🟰 *Nimbus Fraud Desk*
        • 🟰 *SOC Level 1*
        ");
        s.ask("alice", "audit 3").await;
    });
}

on_both!(what_changed_since_somebody_looked_is_not_planned);
fn what_changed_since_somebody_looked_is_not_planned(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let seen = s.ask("alice", "done keys").await;
        s.progress().await;
        s.sekoia.edit(|world| {
            let mut another = world.keys.iter().find(|key| key.name == "cti-enrichment").expect("a key").clone();
            (another.uuid, another.name) = (uuid::Uuid::new_v4(), "nobody knows".into());
            world.keys.push(another);
        });
        let refused = s.click("alice", &seen, "These 5 keys are enough").await;
        assert_snapshot!(refused.text(), @"Sekoia shows something else now than what you looked at, so nothing was planned. Look again: `/sekoia plan keys`");
        assert!(s.ask("alice", "plan keys").await.text().contains("No plan"));
    });
}

on_both!(a_plan_in_words_says_what_is_missing);
fn a_plan_in_words_says_what_is_missing(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let missing = s.ask("alice", "plan products Defend, Intelligence, Elevate").await;
        assert_snapshot!(steady(missing.text()), @"
        The plan is changed.
        The plan · Products and modules
        *Nimbus Payments*
        Plan: 3 products, said to be all by @alice · <date> <time> UTC
        • 🟰 *Defend* · Defend Prime until <date>
        • 🟰 *Intelligence* · Intelligence until <date>
        • ➕ *Elevate* · no active licence; your Sekoia contact can tell what was ordered
        • ➖ *Reveal* · not in the plan
        [Edit…]
        ");
        let not_yet = s.ask("alice", "done subscription").await;
        assert_snapshot!(steady(not_yet.text()), @r#"
        Sekoia does not confirm step 1 (subscription) yet: 2 of 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>.
        • Missing: Elevate is not there: no active licence; your Sekoia contact can tell what was ordered
        • ➕ *Elevate* · no active licence; your Sekoia contact can tell what was ordered
        • ➖ *Reveal* · not in the plan
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
        let done = s.ask("alice", "plan drop products Elevate").await;
        assert!(done.text().contains("Sekoia confirms it: 2 products as planned"), "{done}");
        s.progress().await;
        // Changed, it is verified anew; what is planned already changes nothing.
        assert!(s.ask("alice", "plan products Defend").await.text().contains("1 product as planned"));
        s.progress().await;
        assert_snapshot!(s.ask("alice", "plan drop products Elevate").await.text(), @r#"There is no product called "Elevate" in the plan. There are: Defend."#);
        assert_snapshot!(s.ask("alice", "plan drop keys forwarder").await.text(), @"The plan says nothing of keys yet.");
        assert_snapshot!(s.ask("alice", "plan weather").await.text(), @r#"
        "weather" is not a part of the plan: write products, region, communities, roles, people, keys, notifications, hardening.
        Usage: `/sekoia plan [step]`
        Try: `/sekoia plan 4`
        "#);
        assert_snapshot!(s.ask("alice", "plan region ATLANTIS").await.text(), @r#"
        "ATLANTIS" is not a region of Sekoia: write one of FRA1, FRA2, MCO1, UAE1, USA1, SGP1.
        Usage: `/sekoia plan region [code or current]`
        Try: `/sekoia plan region FRA1`
        "#);
        assert_snapshot!(s.ask("alice", "plan key x for nothing").await.text(), @r#"
        "nothing" is not a preset of permissions: write one of read-alerts, alert-triage, alert-notifier, intake-forwarder, intake-health, cti-feed-consumer, cti-analyst-client, ioc-collection-writer, blocklist-reader, soar-playbook, soar-external, playbook-health, event-export, chatops-watcher, mcp-readonly.
        Usage: `/sekoia plan key <name> [for <preset>] [with <permissions>] [expires <30d, date or never>] [owner <@user>]`
        Try: `/sekoia plan key forwarder for intake-forwarder expires 180d`
        "#);
        assert_snapshot!(s.ask("alice", "plan person ana@ as Analyst").await.text(), @r#"
        "ana@" is not an e-mail address: write one such as `ana@bank.example`.
        Usage: `/sekoia plan person <e-mail> [as <role>] [to <communities>]`
        Try: `/sekoia plan person ana@bank.example as Analyst to Retail, Cards`
        "#);
        assert_snapshot!(s.ask("alice", "plan hardening mfa maybe").await.text(), @r#"
        "mfa maybe" is not a setting: write `mfa on` or `mfa off`.
        Usage: `/sekoia plan hardening [settings, current or edit]`
        Try: `/sekoia plan hardening mfa on, session-timeout 8h, inactive-accounts on`
        "#);
    });
}

on_both!(an_invitation_that_is_not_accepted_keeps_its_step_waiting);
fn an_invitation_that_is_not_accepted_keeps_its_step_waiting(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let waits = s.ask("alice", "plan people current").await;
        assert_snapshot!(steady(waits.text()), @"
        Sekoia shows: 5 of 7 people as planned; 5 active members, 2 pending invitations.
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ⏳ waiting for 2 people to accept their invitations · @alice · <date> <time> UTC
        Plan: 7 people, said to be all by @alice · <date> <time> UTC
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        • ⏳ Waiting for 2 people to accept their invitations
        • ⏳ *j.weber@audit-partner.example* · as Guest in Nimbus Payments: invited, not accepted yet; the link is good for 24 hours
        • ⏳ *nadia.osman@nimbus.example* · as Analyst in Nimbus Payments: invited, not accepted yet; the link is good for 24 hours
        • ➖ *piotr.zielinski@nimbus.example* · disabled, as Guest in Nimbus Payments
        [Done]! [Check with Sekoia] [Show details] [Plan] [Invite people…] [Skip…] [Assign to ▾] [Due date 📅] [Send an invitation again ▾]
        ");
        assert!(
            s.progress()
                .await
                .text()
                .contains("⏳ *5 Invite users* · waiting for 2 people to accept their invitations")
        );
        // People's names are for operators.
        assert_snapshot!(steady(s.ask("dan", "step users check").await.text()), @"
        Sekoia shows: 5 of 7 people as planned; 5 active members, 2 pending invitations.
        ⏳ Waiting for 2 people to accept their invitations
        Step 5 of 7 · Invite users
        *Nimbus Payments*
        ⏳ waiting for 2 people to accept their invitations · @alice · <date> <time> UTC
        Plan: 7 people, said to be all by @alice · <date> <time> UTC
        The team needs accounts; the link in an invitation is good for 24 hours only.
        The bot invites one person or hundreds after an approval, tracks who came, and shows who has no MFA.
        In Sekoia: Settings > Workspace > Users, Add new users · See: Invite users <https://docs.sekoia.com/getting_started/invite_users/>
        [Check with Sekoia] [Show details] [Plan]
        ");
        assert!(s.ask("dan", "plan people").await.text().contains("That is for operators"));
        s.sekoia.edit(everybody_comes);
        let done = s.ask("alice", "done users").await;
        assert!(done.text().contains("Sekoia confirms it: "), "{done}");
        assert!(s.progress().await.text().contains("✅ *5 Invite users*"));
    });
}

on_both!(what_is_asked_for_through_the_bot_joins_the_plan);
fn what_is_asked_for_through_the_bot_joins_the_plan(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan keys current").await;
        assert!(s.progress().await.text().contains("✅ *6 Create API keys*"));
        s.request_for("alice", "key create forwarder for intake-forwarder expires 180d").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        s.card("ready to be created").await;
        s.direct().await;
        let checklist = s.checklist("⏳ *6 Create API keys*").await;
        assert!(checklist.text().contains("waiting for request"), "{checklist}");
        let planned = s.ask("alice", "plan keys").await.text();
        assert!(planned.contains("⏳ *forwarder* · its owner to create it"), "{planned}");
        assert!(planned.contains("Plan: 6 keys, said to be all by @alice"), "{planned}");
        // What somebody takes out stays out.
        s.ask("alice", "plan drop keys forwarder").await;
        s.rounds(2).await;
        assert!(!s.ask("alice", "plan keys").await.text().contains("⏳ *forwarder*"));
        s.checklist("✅ *6 Create API keys*").await;
    });
}

on_both!(a_part_of_the_plan_is_edited_in_a_form);
fn a_part_of_the_plan_is_edited_in_a_form(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "plan roles edit").await;
        assert_snapshot!(form.text(), @"
        The plan
        *Define roles* · Nimbus Payments
        The roles needed (optional): [Admin
        Analyst
        Guest
        Nimbus Fraud Desk with View alerts, View events, View intakes
        SOC Level 1 with Comment on alerts, Update alert status, View alerts, View cases, View events, View intakes, View members]
          One a line. For example: Night shift with View alerts, View events
        [Cancel] [This is all]!
        ");
        let field = "The roles needed";
        let errors = s.refused("alice", &form, &[(field, "Analyst\nNight shift with")]).await;
        assert!(errors.contains("something has to follow"), "{errors}");
        let missing =
            s.submit("alice", &form, &[(field, "Analyst\nGuest\nNight shift with View alerts, View events")]).await;
        assert_snapshot!(steady(missing.text()), @"
        The plan is changed.
        The plan · Roles
        *Nimbus Payments*
        Plan: 3 roles, said to be all by @alice · <date> <time> UTC
        • 🟰 *Analyst*
        • 🟰 *Guest*
        • ➕ *Night shift* · Sekoia does not have it
        • ➖ *Nimbus Fraud Desk* · not in the plan
        • ➖ *SOC Level 1* · not in the plan
        [Ask for what is missing]! [Edit…]
        ");
        // Typed, the same.
        let typed = s.ask("alice", "plan role \"Night shift\" with View alerts").await;
        assert!(typed.text().contains("➕ *Night shift*"), "{typed}");
    });
}

on_both!(the_region_is_verified_when_the_team_has_its_address);
fn the_region_is_verified_when_the_team_has_its_address(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "done region").await.text(), @r#"
        Sekoia does not confirm step 2 (region) yet: FRA1 (France): the key is accepted; people log in at https://app.sekoia.io.
        • Missing: the app's address in this channel: "/sekoia region share" posts it, before anybody is invited
        Nothing was changed. You can mark it as done on your word; it will say "attested".
        [Check again] [Mark as done on my word?]
        "#);
        let shared = s.ask("alice", "region share").await;
        assert_snapshot!(steady(shared.text()), @"
        Sekoia confirms it: 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io.
        Step 2 of 7 · Confirm your region
        *Nimbus Payments*
        ✅ verified with Sekoia: 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · @alice · <date> <time> UTC
        Plan: 1 region, said to be all by @alice · <date> <time> UTC
        • ⚠️ the API is called at http://127.0.0.1:<port> by SEKOIA_API_URL, which is not a documented address of FRA1
        App, API and intake addresses all depend on the region; people with the wrong address cannot get in.
        The bot confirms that its key works in the configured region and posts the right addresses.
        In Sekoia: the address of the console itself · See: Regions <https://docs.sekoia.com/getting_started/regions/>
        [Next step]! [Check with Sekoia] [Show details] [Plan] [Reopen]
        ");
        let posted = s.next_post("Log in to Sekoia at").await;
        assert_snapshot!(steady(posted), @"
        #soc-setup (posted)
        Log in to Sekoia at https://app.sekoia.io <https://app.sekoia.io>. Bookmark this address before you accept an invitation: with another region's, you cannot get in.
        Shared by @alice · region FRA1, France
        ");
        s.checklist("✅ *2 Confirm your region*").await;
        s.rounds(1).await;
        // Slack's bot was not given the scope; nobody waits for it.
        assert_eq!(s.chat.pinned("Log in to Sekoia at"), on == Platform::Mattermost);
    });
}

on_both!(who_says_that_the_prerequisites_are_met_is_an_administrator_with_mfa);
fn who_says_that_the_prerequisites_are_met_is_an_administrator_with_mfa(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let unknown = s.ask("alice", "done prerequisites").await;
        assert!(unknown.text().contains("done prerequisites as you@company.example"), "{unknown}");
        let bruno = s.ask("alice", "done prerequisites as bruno.keller@nimbus.example").await;
        assert!(bruno.text().contains("MFA on your own account"), "{bruno}");
        assert!(bruno.text().contains("Mark as done on my word"), "{bruno}");
        let luis = s.ask("alice", "done prerequisites as luis.ferreira@nimbus.example").await;
        assert!(luis.text().contains("does not have the role Admin"), "{luis}");
        assert_snapshot!(s.ask("alice", "done prerequisites as nobody@").await.text(), @r#"
        "nobody@" is not an e-mail address: write yours, as Sekoia has it.
        Usage: `/sekoia done <step> [as <your e-mail>] [anyway]`
        Try: `/sekoia done region`
        "#);
        let ada = s.ask("alice", "done prerequisites as ada.nwosu@nimbus.example").await;
        assert_snapshot!(steady(ada.text()), @"
        Sekoia confirms it: the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on.
        Before you start
        *Nimbus Payments*
        ✅ verified with Sekoia: the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on · @alice · <date> <time> UTC
        • ⚠️ the e-mail address was typed; the chat does not confirm whose it is
        The person who sets up the workspace needs administrator access and a secured account of their own.
        The bot checks that its API key is valid and has the permissions that the plan needs, and that who ticks this step is an Admin with MFA.
        In Sekoia: your own account, Security · See: Secure your account <https://docs.sekoia.com/getting_started/secure_your_account/>, Workspace setup overview <https://docs.sekoia.com/getting_started/>
        [Next step]! [Check with Sekoia] [Reopen]
        ");
        s.checklist("✅ *Before you start*").await;
        // It is said once.
        s.ask("alice", "reopen prerequisites").await;
        s.checklist("☐ *Before you start*").await;
        assert!(s.ask("alice", "done prerequisites").await.text().contains("Sekoia confirms it"));
        s.checklist("✅ *Before you start*").await;
    });
}

const BANK: &str = include_str!("../../manifests/plans/bank.toml");

fn provider() -> Setting {
    Setting { tenant: Tenant::Multi, templates: &[("bank", BANK)], ..Setting::default() }
}

on_both!(a_file_with_faults_changes_nothing_and_all_of_them_are_told);
fn a_file_with_faults_changes_nothing_and_all_of_them_are_told(on: Platform) {
    run(on, provider(), async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.progress().await;
        let form = s.form_for("alice", "plan import").await;
        let bad = "products = [\"Defend\"]\nregion = \"FRA9\"\n[[people]]\nemail = \"ana@\"\n[[keys]]\nname = \"x\"\nfor = \"nothing\"\n";
        let refused = s.submit("alice", &form, &[("Or the text of one", bad)]).await;
        assert_snapshot!(refused.text(), @r#"
        The plan has 3 faults, so nothing was planned.
        • *Line 2, column 10*: "FRA9" is no region of Sekoia. Did you mean "FRA1" or "FRA2"?
        • *Line 4, column 9*: "ana@" is no e-mail address. Write it like ana@example.com.
        • *Line 7, column 7*: "nothing" is no preset. There are: read-alerts, alert-triage, alert-notifier, intake-forwarder, intake-health, cti-feed-consumer, cti-analyst-client, ioc-collection-writer, blocklist-reader, soar-playbook, soar-external, playbook-health, ….
        [Import…]
        "#);
        let form = s.form_for("alice", "plan import").await;
        let unknown = "[[roles]]\nname = \"Night shift\"\npermissions = [\"View alert\"]\n";
        let refused = s.submit("alice", &form, &[("Or the text of one", unknown)]).await;
        assert_snapshot!(refused.text(), @r#"
        The plan has 1 fault, so nothing was planned.
        • *Line 3, column 16*: Sekoia has no permission called "View alert". Did you mean "View alerts" or "View alert statistics"?
        [Import…]
        "#);
        assert!(s.ask("alice", "plan").await.text().contains("☐ *Products and modules* · open"));
    });
}

on_both!(a_template_needs_its_parameters_and_shows_when_it_changed);
fn a_template_needs_its_parameters_and_shows_when_it_changed(on: Platform) {
    run(on, provider(), async |s| {
        assert_snapshot!(s.ask("alice", "setup \"Banque Rivoli\" from bank client=\"Rivoli\"").await.text(), @r#"
        The template bank has 1 fault, so nothing was planned.
        • *Line 37, column 15*: The template needs domain. Give it, like domain="Acme".
        [Import…]
        "#);
        assert!(s.ask("alice", "status").await.text().contains("This channel is not set up yet"));
        assert_snapshot!(s.ask("alice", "setup \"Banque Rivoli\" from bonk client=\"Rivoli\"").await.text(), @r#"There is no template called "bonk". Did you mean "bank"?"#);
        let opened =
            s.ask("alice", "setup \"Banque Rivoli\" from bank client=\"Rivoli\" domain=\"rivoli.example\"").await;
        assert_snapshot!(steady(opened.text()), @"
        This channel now works on *Banque Rivoli*, in a multi-tenant workspace.
        I keep the checklist up to date in one message in this channel.
        The plan is imported.
        *Banque Rivoli*
        *Products and modules* · 2 as planned, 1 not in the plan
        *Region* · 1 as planned
        *Communities* · 2 missing, 1 as planned, 2 not in the plan
        *Roles* · 1 missing, 3 as planned, 2 not in the plan
        *People* · 4 missing, 9 not in the plan
        *API keys* · 2 missing, 5 not in the plan
        *Notifications* · 3 missing
        • ➕ *Rivoli Cards* · Sekoia does not have it
        • ➕ *Rivoli Treasury* · Sekoia does not have it
        • ➕ *Night shift* · Sekoia does not have it
        • ➕ *lead@rivoli.example* · as Analyst in Banque Rivoli
        • ➕ *ana@rivoli.example* · as Analyst in Banque Rivoli
        • ➕ *nour@rivoli.example* · as Night shift in Banque Rivoli
        • ➕ *cards@rivoli.example* · as Analyst in Rivoli Cards
        • ➕ *Rivoli forwarder* · Sekoia does not have it
        • ➕ *Rivoli tickets* · Sekoia does not have it
        • ➕ *alert* · no rule waits for it
        • ➕ *silent* · no rule waits for it
        • ➕ *playbook* · no rule waits for it
        [Ask for what is missing (9)]! [Check everything] [Open the plan]
        ");
        s.progress().await;
        assert!(s.ask("alice", "plan").await.text().contains("As the template bank says."));
        assert!(s.ask("alice", "overview").await.text().contains("As the template bank says."));
        s.ask("alice", "plan drop communities \"Rivoli Cards\"").await;
        let differs = s.ask("alice", "plan").await.text();
        assert!(differs.contains("⚠️ Differs from the template bank in: communities."), "{differs}");
        // A template that is gone is said, and changes nothing.
        s.template_changes("bank", "products = [\"Defend\"]\n");
        let differs = s.ask("alice", "plan").await.text();
        assert!(differs.contains("parameters") || differs.contains("cannot be read any more"), "{differs}");
        assert!(s.ask("alice", "plan communities").await.text().contains("Rivoli Retail"));
    });
}

on_both!(a_plan_goes_out_as_a_file_and_comes_back_as_it_was);
fn a_plan_goes_out_as_a_file_and_comes_back_as_it_was(on: Platform) {
    run(on, provider(), async |s| {
        s.ask("alice", "setup \"Banque Rivoli\" from bank client=\"Rivoli\" domain=\"rivoli.example\"").await;
        s.progress().await;
        let exported = s.ask("alice", "plan export").await.text();
        assert!(exported.contains("`plan-banque-rivoli-2"), "{exported}");
        s.direct().await;
        let file = s.chat.pictures().pop().expect("a file");
        let file = String::from_utf8(file.content).expect("text");
        assert!(file.contains("name = \"Rivoli Cards\"") && file.contains("email = \"ana@rivoli.example\""), "{file}");
        let form = s.form_for("alice", "plan import").await;
        let again = s.submit("alice", &form, &[("Or the text of one", &file)]).await;
        assert!(
            again.text().contains("The plan says so already.") || again.text().contains("The plan is imported."),
            "{again}"
        );
        assert!(s.ask("dan", "plan export").await.text().contains("That is for operators"));
    });
}

on_both!(another_community_begins_with_no_plan);
fn another_community_begins_with_no_plan(on: Platform) {
    run(on, provider(), async |s: &mut Stage| {
        s.ask("alice", "setup \"Rivoli Retail\"").await;
        s.progress().await;
        s.ask("alice", "plan roles current").await;
        s.progress().await;
        let sure = s.ask("alice", "setup \"Rivoli Markets\" from bank client=\"R\" domain=\"r.example\"").await;
        let opened = s.click("alice", &sure, "Change the community").await;
        assert!(opened.text().contains("The plan is imported."), "{opened}");
        s.progress().await;
        assert!(s.ask("alice", "plan roles").await.text().contains("Night shift"));
    });
}

on_both!(an_address_that_the_chat_tells_need_not_be_typed);
fn an_address_that_the_chat_tells_need_not_be_typed(on: Platform) {
    usual(on, async |s| {
        s.chat.tells_addresses();
        s.sekoia.edit(|world| {
            let ada = world.members.iter_mut().find(|m| m.user.firstname.as_deref() == Some("Ada")).expect("an Admin");
            ada.user.email = Some("Alice@Nimbus.example".into());
        });
        s.set_up().await;
        let done = s.ask("alice", "done prerequisites").await;
        assert!(done.text().contains("Sekoia confirms it: "), "{done}");
        assert!(!done.text().contains("was typed"), "{done}");
        s.checklist("✅ *Before you start*").await;
    });
}

/// Reads whatever the channel and people alone are told.
async fn read_on(s: &Stage) {
    s.rounds(3).await;
    while !s.chat.unread().is_empty() {
        s.next_within(std::time::Duration::from_secs(5)).await;
    }
}

on_both!(a_bank_is_set_up_from_a_template_and_one_step_waits_for_somebody);
fn a_bank_is_set_up_from_a_template_and_one_step_waits_for_somebody(on: Platform) {
    run(on, provider(), async |s| {
        s.ask("alice", "setup \"Banque Rivoli\" from bank client=\"Rivoli\" domain=\"rivoli.example\"").await;
        s.progress().await;
        // Everything that is missing: one card, one approval, two keys that Alice keeps.
        s.request_for("alice", "plan request because \"day one\"").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        s.card("Keys to be created").await;
        read_on(s).await;
        for key in ["Rivoli forwarder", "Rivoli tickets"] {
            let card =
                s.chat.standing(SOC).into_iter().rfind(|seen| seen.text().contains("SHA-256")).expect("the card");
            let form = s.opens("alice", &card, &format!("Create and show {key}")).await;
            s.submit("alice", &form, &[]).await;
            read_on(s).await;
        }
        for name in ["Rivoli Retail", "Rivoli Cards", "Rivoli Treasury"] {
            let made = s.sekoia.edit(|world| world.communities.iter().filter(|c| c.name == name).count());
            assert_eq!(made, 1, "{name}");
        }
        // Everybody accepts but Nour.
        s.sekoia.edit(|world| {
            let nour = |m: &sekoia_chatops::sandbox::world::Member| {
                m.user.invited_email.as_deref() == Some("nour@rivoli.example")
            };
            world.members.iter_mut().filter(|m| !nour(m)).for_each(|member| member.user.confirmed = true);
        });
        s.ask("alice", "region share").await;
        s.ask("alice", "done prerequisites as claire.dubreuil@banque-rivoli.example").await;
        s.ask("alice", "notify recommended confirm").await;
        for rule in 1..=3 {
            s.ask("alice", &format!("notify test {rule}")).await;
            let sample = s.chat.next_where(SAMPLE, "the sample", |seen| seen.text().contains("[It arrived]")).await;
            s.click("alice", &sample, "It arrived").await;
        }
        let verified = s.ask("alice", "plan verify").await;
        assert_snapshot!(steady(verified.text()), @"
        6 of 7 done, checked against the plan
        • ✅ *Before you start* · the key is valid and has 85 permissions; who says so is an Admin with MFA or single sign-on · ⚠️ 1
        • ✅ *1 Verify your subscription* · 2 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date> · ⚠️ 1
        • ✅ *2 Confirm your region* · 1 region as planned; FRA1 (France): the key is accepted; people log in at https://app.sekoia.io · ⚠️ 1
        • ✅ *3 Create communities* · 3 communities as planned; 5 communities under Banque Rivoli: Rivoli Retail, Rivoli Markets, Rivoli Payments (… · ⚠️ 3
        • ✅ *4 Define roles* · 4 roles as planned; 3 built-in roles, 3 custom roles · ⚠️ 3
        • ⏳ *5 Invite users* · waiting for 1 person to accept the invitation
        • ✅ *6 Create API keys* · 2 keys as planned; 8 active keys, 7 of them for integrations · ⚠️ 3
        • ✅ *7 Configure notifications* · 3 triggers as planned; 3 rules; rule 1 tested on <date>; rule 2 tested on <date>; rule 3 tested on 20…
        • ✅ *What comes next* · Defend: 1 intake, events arrive and are parsed, all 420 Elementary and Intermediate rules are on, alerts are …
        • 👁️ *Harden the workspace* · seen: sessions end after 12 hours, inactive accounts are disabled after 90 days, 8 of 10 members without single sig…
        ");
        read_on(s).await;
    });
}

on_both!(a_second_client_takes_three_messages);
fn a_second_client_takes_three_messages(on: Platform) {
    run(on, provider(), async |s| {
        let unit = "setup \"Rivoli Payments (Nimbus)\" from bank client=\"Nimbus\" domain=\"nimbus.example\"";
        let opened = s.ask("alice", unit).await;
        s.progress().await;
        let asked = s.click("alice", &opened, "Ask for what is missing (10)").await;
        assert!(asked.text().contains("Asked: *Set up 3 communities, 1 role, 4 people and 2 API keys*"), "{asked}");
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        s.card("Keys to be created").await;
        read_on(s).await;
        let made = s.sekoia.edit(|world| world.communities.iter().filter(|c| c.name.starts_with("Nimbus ")).count());
        assert_eq!(made, 3);
        assert!(s.ask("alice", "plan communities").await.text().contains("🟰 *Nimbus Cards*"));
    });
}

on_both!(somebody_with_several_roles_is_as_planned);
fn somebody_with_several_roles_is_as_planned(on: Platform) {
    run(on, provider(), async |s| {
        s.sekoia.edit(everybody_comes);
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.progress().await;
        let done = s.ask("alice", "plan people current").await;
        assert!(done.text().contains("Sekoia confirms it: "), "{done}");
        s.checklist("✅ *5 Invite users*").await;
        // Said again as it is shown, it is the same; without one of the two it is another.
        let hugo = "plan person hugo.petit@banque-rivoli.example as";
        assert!(
            s.ask("alice", &format!("{hugo} \"SOC Level 1, Compliance Auditor\"")).await.text().contains("verified")
        );
        let other = s.ask("alice", &format!("{hugo} \"SOC Level 1\"")).await;
        assert!(other.text().contains("is SOC Level 1 and also Compliance Auditor in Banque Rivoli"), "{other}");
        s.checklist("☐ *5 Invite users* · ⚠️ open again: the plan was changed").await;
    });
}
