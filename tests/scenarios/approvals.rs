//! Sensitive actions: asked for, approved by a button, done once, proven afterwards.

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::domain::action::Kind;
use sekoia_chatops::domain::approval::{Policy, Rule};
use sekoia_chatops::sandbox::Sandbox;

use crate::harness::{Platform, Setting, everywhere, nameless, run, usual};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

fn ruled(rule: Rule) -> Setting {
    Setting { approval: Policy { usual: rule, ..Policy::default() }, ..Setting::default() }
}

/// How many memberships and pending invitations this address has.
fn invited(sekoia: &Sandbox, address: &str) -> usize {
    sekoia.edit(|world| {
        let is = |user: &sekoia_chatops::sandbox::world::User| {
            user.email.as_deref() == Some(address) || user.invited_email.as_deref() == Some(address)
        };
        world.members.iter().filter(|m| is(&m.user)).count()
    })
}

/// Keys of this name: all, and those that work.
fn keys(sekoia: &Sandbox, name: &str) -> (usize, usize) {
    sekoia.edit(|world| {
        let named: Vec<_> = world.keys.iter().filter(|k| k.name == name).collect();
        (named.len(), named.iter().filter(|k| k.revoked_at.is_none()).count())
    })
}

everywhere!(three_invitations_and_a_key_from_the_question_to_the_proof);
fn three_invitations_and_a_key_from_the_question_to_the_proof(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let asked = s.ask("alice", "invite ana@nimbus.example Bob.Roy@nimbus.example, cy@elsewhere.example as Analyst because \"night shift\"").await;
        assert_snapshot!(nameless(&asked), @"
        to alice alone in #soc-setup
        Asked: *Invite 3 people as Analyst*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (posted)
        Approval needed
        *Invite 3 people as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        • bob.roy@nimbus.example
        • cy@elsewhere.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice: night shift
        • ⚠️ external domain: no member has an address at elsewhere.example
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        s.checklist("⏳").await;

        // Neither who asked nor somebody without the right.
        assert_snapshot!(s.click("alice", &card, "Approve").await.text(), @"You asked for this yourself, so you cannot decide it. These people can: @bob or @carol.");
        assert_snapshot!(s.click("dan", &card, "Approve").await.text(), @"You cannot decide this. These people can: @bob or @carol.");
        assert_eq!(s.writes(), Vec::<String>::new());

        assert_snapshot!(nameless(s.click("bob", &card, "Approve").await.text()), @"You approved: *Invite 3 people as Analyst*. It is carried out now.");
        let card = s.card("cy@elsewhere.example* · not accepted yet").await;
        assert_snapshot!(nameless(&card), @"
        #soc-setup (updated)
        Done
        *Invite 3 people as Analyst*
        In *Nimbus Payments* as *Analyst*
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice: night shift
        • ⚠️ external domain: no member has an address at elsewhere.example
        3 of 3 done · 0 accepted so far
        • ✅ Approved by @bob · <date> <time> UTC
        • ✅ *ana@nimbus.example* · not accepted yet · <date> <time> UTC
        • ✅ *bob.roy@nimbus.example* · not accepted yet · <date> <time> UTC
        • ✅ *cy@elsewhere.example* · not accepted yet · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        [Send again]
        ");
        assert_snapshot!(nameless(s.direct().await), @"
        direct message to alice (posted)
        Done: *Invite 3 people as Analyst*
        In #soc-setup · request <id> · Open the card <message>
        ");
        s.checklist_at_rest().await;
        for address in ["ana@nimbus.example", "bob.roy@nimbus.example", "cy@elsewhere.example"] {
            assert_eq!(invited(&s.sekoia, address), 1, "{address}");
        }
        assert_eq!(s.writes(), ["POST 204", "POST 204", "POST 204"]);

        s.request_for("alice", "key create forwarder for intake-forwarder expires 30d").await;
        let card = s.card("Approval needed").await;
        s.click("carol", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        let direct = s.direct().await;
        assert_snapshot!(nameless(&direct), @"
        direct message to alice (posted)
        Approved: *Create the API key forwarder*. It is created when you press the button, and shown to you once, until <date> <time> UTC
        • ✅ Approved by @carol · <date> <time> UTC
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        assert_eq!(keys(&s.sekoia, "forwarder"), (0, 0));
        // The button is for who asked, wherever it stands.
        let told = s.outcome("bob", &card, "Create and show").await;
        assert!(told.text().contains("Only who asked for it can do that."));

        let shown = s.opens("alice", &direct, "Create and show").await;
        let secret = s.sekoia.secrets()[0].clone();
        assert_snapshot!(nameless(shown.text().replace(&secret, "<secret>")), @r#"
        Your new API key
        *forwarder* · expires on <date>. It is shown here once, and nowhere else. Save it now:
        ```
        <secret>
        ```
        Unless you say by <date> <time> UTC that it is saved, it is revoked. If you lose it before, press "I lost it: revoke now" on the request's card, or type `/sekoia lost <id>`.
        [Close] [I saved it]!
        "#);
        s.card("shown; revoked unless").await;
        let first = s.submit("alice", &shown, &[]).await.text();
        s.card("created, shown once and saved").await;
        // Where an answer to a form is a direct message too, either may come first.
        let second = s.direct().await.text();
        let noted = if first.starts_with("Noted") { first } else { second };
        assert_snapshot!(noted, @"Noted: *forwarder* is saved.");
        s.checklist_at_rest().await;
        assert_eq!(keys(&s.sekoia, "forwarder"), (1, 1));

        assert_snapshot!(nameless(s.ask("alice", "audit 10").await.text()), @"
        History
        *Nimbus Payments* · the last 9 entries, newest first; the channel's last record is number 7
        • 7 · <date> <time> UTC · the bot · request `<id>` succeeded: Create the API key forwarder, asked by @alice, approved by @carol, SHA-256 <hash>…
        • <date> <time> UTC · @carol · approved request `<id>`: Create the API key forwarder
        • 6 · <date> <time> UTC · the bot · keys waits for request <id>: Create the API key forwarder
        • 5 · <date> <time> UTC · the bot · request `<id>` succeeded: Invite 3 people as Analyst, asked by @alice, approved by @bob, SHA-256 <hash>…
        • <date> <time> UTC · @bob · approved request `<id>`: Invite 3 people as Analyst
        • 4 · <date> <time> UTC · the bot · users waits for request <id>: Invite 3 people as Analyst
        • 3 · <date> <time> UTC · the bot · progress message posted
        • 2 · <date> <time> UTC · @alice · communities not applicable
        • 1 · <date> <time> UTC · @alice · opened for Nimbus Payments
        Your bot administrator can prove the whole history with `sekoia-chatops audit verify`.
        ");
        let report = s.whole_report("alice").await;
        assert!(report.contains("## Exceptions accepted"), "{report}");
        s.stop().await;
        s.verify_audit();
    });
}

everywhere!(a_rejection_has_a_reason_and_reaches_who_asked);
fn a_rejection_has_a_reason_and_reaches_who_asked(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        let form = s.opens("bob", &card, "Reject…").await;
        assert_snapshot!(form.text(), @"
        Reject a request
        *Invite ana@nimbus.example as Analyst*
        Why not?: [____]
          For who asked; stays on record, with your name.
        [Cancel] [Reject it]!
        ");
        assert_snapshot!(s.submit("bob", &form, &[("Why not?", "She left <!channel>")]).await.text(), @"You rejected: *Invite ana@nimbus.example as Analyst*. The requester will see your reason.");
        assert_snapshot!(nameless(s.card("Rejected").await), @"
        #soc-setup (updated)
        Rejected
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        ❌ Rejected by @bob · <date> <time> UTC: She left <!channel>
        Request <id> · SHA-256 <hash>…
        ");
        assert_snapshot!(nameless(s.direct().await.text()), @"
        Rejected by @bob: *Invite ana@nimbus.example as Analyst*. Reason: She left <!channel>
        In #soc-setup · request <id> · Open the card <message>
        ");
        s.checklist_at_rest().await;
        // Whoever comes later is told who was first.
        assert_snapshot!(nameless(s.click("carol", &card, "Approve").await.text()), @"Already rejected by @bob · <date> <time> UTC. Reason: She left <!channel>");
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(who_asked_may_withdraw_and_nobody_else);
fn who_asked_may_withdraw_and_nobody_else(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "key create x for read-alerts").await;
        let card = s.card("Approval needed").await;
        assert_snapshot!(s.click("bob", &card, "Withdraw").await.text(), @"Only who asked for it can do that.");
        assert_snapshot!(s.ask("alice", &format!("cancel {}", &id[..5])).await.text(), @"Withdrawn: *Create the API key x*. Nothing of it was done.");
        assert_snapshot!(nameless(s.card("Withdrawn by").await), @"
        #soc-setup (updated)
        Withdrawn
        *Create the API key x*
        In *Nimbus Payments* · expires on <date>
        Read alerts, set up from chat
        May: View alerts
        Asked by @alice
        Withdrawn by @alice · <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        ");
        s.checklist_at_rest().await;
        assert_snapshot!(nameless(s.click("bob", &card, "Approve").await.text()), @"Already withdrawn by @alice · <date> <time> UTC.");
        assert_snapshot!(nameless(s.ask("bob", "approvals").await.text()), @"
        Requests
        *Nimbus Payments* · 0 requests not settled
        Nothing waits. `/sekoia audit` shows what was decided.
        ");
    });
}

everywhere!(a_request_runs_out_by_a_clock_that_survives_a_restart);
fn a_request_runs_out_by_a_clock_that_survives_a_restart(on: Platform) {
    let rule = Rule { ttl: Duration::from_millis(600), ..Rule::default() };
    run(on, Setting { durable: true, ..ruled(rule) }, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.crash().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        s.start().await;
        assert_snapshot!(nameless(s.card("Expired").await), @"
        #soc-setup (updated)
        Expired
        *Invite ana@nimbus.example as Analyst*
        In *Nimbus Payments* as *Analyst*
        • ana@nimbus.example
        They log in at https://app.sekoia.io <https://app.sekoia.io>
        Asked by @alice
        Nobody decided until <date> <time> UTC
        Request <id> · SHA-256 <hash>…
        ");
        assert_snapshot!(nameless(s.direct().await.text()), @"
        Expired: *Invite ana@nimbus.example as Analyst*. Ask again if it is still wanted.
        In #soc-setup · request <id> · Open the card <message>
        ");
        s.checklist_at_rest().await;
        assert_snapshot!(nameless(s.click("bob", &card, "Approve").await.text()), @"Its time ran out on <date> <time> UTC. Ask again.");
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(a_risky_request_needs_two_different_people);
fn a_risky_request_needs_two_different_people(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        let card = s.card("Approval needed").await;
        assert!(card.text().contains("Needs 2 approvals") && card.text().contains("⚠️ Admin"), "{card}");
        assert_snapshot!(s.click("bob", &card, "Approve").await.text(), @"You approved: *Invite ana@nimbus.example as Admin*. 1 approval is still needed.");
        let card = s.card("(1 so far)").await;
        assert_snapshot!(s.click("bob", &card, "Approve").await.text(), @"You already approved this; 1 approval still needed from others.");
        s.click("carol", &card, "Approve").await;
        let done = s.card("not accepted yet").await;
        assert!(done.text().contains("by @bob") && done.text().contains("by @carol"), "{done}");
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(invited(&s.sekoia, "ana@nimbus.example"), 1);
    });
}

everywhere!(what_could_never_be_approved_is_refused_at_once);
fn what_could_never_be_approved_is_refused_at_once(on: Platform) {
    let alone = Setting { approvers: "bob", ..Setting::default() };
    run(on, alone, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "invite ana@nimbus.example as Admin").await.text(), @"This could never be approved: it needs 2 approvals (required_sensitive in [approval.invite]), and only 1 person may approve it (CHATOPS_APPROVERS). Nothing was asked. Ask your bot administrator to change one of the two.");
        assert_snapshot!(s.ask("bob", "invite ana@nimbus.example").await.text(), @"This could never be approved: it needs 1 approval (CHATOPS_APPROVALS_REQUIRED), and nobody but you may approve it, and not your own request (CHATOPS_APPROVERS). Nothing was asked. Ask your bot administrator to change one of the two, or to set CHATOPS_SELF_APPROVAL=true.");
    });
    run(on, Setting { approvers: "", ..Setting::default() }, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "invite ana@nimbus.example").await.text(), @"This could never be approved: it needs 1 approval (CHATOPS_APPROVALS_REQUIRED), and nobody may approve it (CHATOPS_APPROVERS). Nothing was asked. Ask your bot administrator to change one of the two.");
    });
    let mut approval = Policy::default();
    approval.per.insert(Kind::Invite, Rule { required: 3, ..Rule::default() });
    run(on, Setting { approval, ..Setting::default() }, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "invite ana@nimbus.example").await.text(), @"This could never be approved: it needs 3 approvals (required in [approval.invite]), and only 2 people may approve it (CHATOPS_APPROVERS). Nothing was asked. Ask your bot administrator to change one of the two.");
    });
}

everywhere!(who_asked_may_approve_only_where_that_is_configured);
fn who_asked_may_approve_only_where_that_is_configured(on: Platform) {
    run(on, ruled(Rule { self_approval: true, ..Rule::default() }), async |s| {
        s.set_up().await;
        s.request_for("bob", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
    });
}

everywhere!(an_approver_who_left_the_group_before_the_click_approves_nothing);
fn an_approver_who_left_the_group_before_the_click_approves_nothing(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.chat.leaves_the_approvers("bob");
        // Membership is remembered for a minute at most; a new process remembers nothing.
        s.stop().await;
        s.start().await;
        assert_snapshot!(s.click("bob", &card, "Approve").await.text(), @"You cannot decide this. These people can: @carol.");
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(forged_ids_lead_nowhere);
fn forged_ids_lead_nowhere(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for said in ["approve deadbeef", "reject deadbeef no", "cancel deadbeef", "show deadbeef", "retire deadbeef"] {
            let told = s.ask("bob", said).await.text();
            assert!(told.starts_with("There is no request with that id."), "{said}: {told}");
        }
        assert_snapshot!(s.ask("bob", "approve ../../x").await.text(), @r#"
        "../../x" is not the id of a request: `/sekoia approvals` lists them.
        Usage: `/sekoia approve <id>`
        Try: `/sekoia approve 7f3a`
        "#);
        // A request of another channel is not decided here.
        s.chat.bot_joins("private");
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        assert_snapshot!(s.ask_in("private", "bob", &format!("approve {id}")).await.text(), @"That request belongs to #soc-setup. Decide it there.");
    });
}

everywhere!(a_freeze_stops_everything_until_it_is_lifted);
fn a_freeze_stops_everything_until_it_is_lifted(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        assert_snapshot!(s.ask("alice", "freeze \"incident 42\"").await.text(), @"That is for approvers. Ask your bot administrator to add `chat:alice` to CHATOPS_APPROVERS. `/sekoia whoami` shows your rights.");
        assert_snapshot!(s.ask("carol", "freeze \"incident 42\"").await.text(), @"Frozen: nothing sensitive is carried out in any channel until an approver types `/sekoia unfreeze`. Every open channel reads it, with your name and your reason. 1 request is not settled. Keys whose secret was lost are still revoked.");
        s.announced("This holds in every channel").await;
        s.card("Nothing is carried out").await;
        assert_snapshot!(nameless(s.ask("bob", "freeze again").await.text()), @"🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42");
        assert_snapshot!(nameless(s.click("bob", &card, "Approve").await.text()), @"
        You approved: *Invite ana@nimbus.example as Analyst*. It has to wait until the freeze is lifted.
        🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42
        ");
        s.card("Approved\n").await;
        s.rounds(3).await;
        assert_eq!(s.writes(), Vec::<String>::new());
        assert_snapshot!(s.ask("carol", "unfreeze").await.text(), @"Unfrozen: what was approved is carried out again. Every open channel reads it, with your name.");
        s.announced("The freeze was lifted").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(s.writes(), ["POST 204"]);
        assert_snapshot!(s.ask("carol", "unfreeze").await.text(), @"Nothing is frozen.");
    });
}

everywhere!(a_dry_run_shows_the_request_and_asks_nobody);
fn a_dry_run_shows_the_request_and_asks_nobody(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let dry = s.ask("alice", "key create siem with \"View alerts\", SIC_READ_INTAKES expires never —dry-run").await;
        assert_snapshot!(nameless(dry.text()), @r#"
        Dry run: nothing was asked, nothing is sent
        *Create the API key siem*
        In *Nimbus Payments* · never expires
        siem, set up from chat
        May: View alerts, View intakes
        • ⚠️ never expires
        ```
        POST http://127.0.0.1:<port>/v1/communities/<id>-517c-4ba2-8a01-<hash>/api-keys
        {
          "description": "siem, set up from chat",
          "name": "siem",
          "permissions": [
            "<id>-593f-4bab-92f5-<hash>",
            "<id>-2cf1-4a00-8f4c-<hash>"
          ]
        }
        ```
        Would need 2 approvals by @bob or @carol
        Header: Authorization: Bearer, with the bot's own key, which is never shown.
        "#);
        assert!(s.ask("alice", "approvals").await.text().contains("0 requests not settled"));
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(communities_roles_and_rotations);
fn communities_roles_and_rotations(on: Platform) {
    let multi = Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..Setting::default() };
    run(on, multi, async |s| {
        s.ask("alice", "setup \"Banque Rivoli\"").await;
        s.checklist("").await;
        let mut cards = Vec::new();
        for (ask, done) in [
            ("community create \"Rivoli Cards\", Rivoli Loans about \"New units\"", "Rivoli Loans"),
            (
                "role create \"SOC lead\" with Analyst, COMMUNITY_LIST_MEMBER about \"Leads the night shift\"",
                "SOC lead",
            ),
            ("key revoke log-forwarder", "log-forwarder"),
        ] {
            s.request_for("alice", ask).await;
            let card = s.card("Approval needed").await;
            cards.push(nameless(card.text()));
            s.click("bob", &card, "Approve").await;
            s.card(&format!("✅ *{done}*")).await;
            s.direct().await;
            s.checklist_at_rest().await;
        }
        assert_snapshot!(cards.join("\n\n"), @"
        Approval needed
        *Create 2 communities*
        Under *Banque Rivoli*
        • *Rivoli Cards* · New units
        • *Rivoli Loans* · New units
        Asked by @alice
        • ⚠️ 2 communities under Banque Rivoli that the API cannot delete again
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]

        Approval needed
        *Create the role SOC lead*
        In *Banque Rivoli*
        Leads the night shift
        May: exactly the permissions of Analyst
        Asked by @alice
        • ⚠️ can change things, as Analyst can
        • ⚠️ has exactly the permissions of Analyst: perhaps that role is enough
        • ⚠️ A custom role replaces a person's built-in role (Guest, Analyst, Admin); several custom roles add up.
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        All 72, one by one: `/sekoia approvals <id>`
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]

        Approval needed
        *Revoke the API key log-forwarder*
        In *Banque Rivoli*
        Asked by @alice
        • ⚠️ whatever uses it stops working at once, and it cannot be made valid again
        Needs 1 approval until <date> <time> UTC
        For @bob and @carol to decide
        Request <id> · SHA-256 <hash>…
        [Approve?]! [Reject…]✗ [Withdraw]
        ");
        let made = s.sekoia.edit(|world| {
            (
                world.community("Rivoli Cards").is_some(),
                world.community("Rivoli Loans").is_some(),
                world.role("SOC lead").is_some(),
            )
        });
        assert_eq!(made, (true, true, true));
    });
}

everywhere!(a_hundred_clicks_are_one_approval_and_one_invitation);
fn a_hundred_clicks_are_one_approval_and_one_invitation(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        // Each is six calls to Mattermost, which are made one after the other.
        let count = if s.chat.platform() == Platform::Slack { 100 } else { 15 };
        let clicks = (0..count).map(|i| s.press(["bob", "carol"][i % 2], &card, "Approve"));
        futures_util::future::join_all(clicks).await;
        let mut won = 0;
        for _ in 0..count {
            let told = s.reply().await.text();
            match told.split('.').next() {
                Some("You approved: *Invite ana@nimbus") => won += 1,
                _ => assert!(told.starts_with("Already approved by @"), "{told}"),
            }
        }
        assert_eq!(won, 1);
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!((invited(&s.sekoia, "ana@nimbus.example"), s.writes()), (1, vec!["POST 204".to_owned()]));
    });
}

everywhere!(approve_and_reject_at_once_have_one_winner);
fn approve_and_reject_at_once_have_one_winner(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for round in 0..10 {
            let address = format!("ana{round}@nimbus.example");
            let id = s.request_for("alice", &format!("invite {address}")).await;
            let card = s.card("Approval needed").await;
            s.checklist("⏳").await;
            let reject = format!("reject {id} no");
            let (one, two) = tokio::join!(s.click("bob", &card, "Approve"), s.ask("carol", &reject));
            let told = [one.text(), two.text()];
            let winners: Vec<bool> = told.iter().map(|t| t.starts_with("You ")).collect();
            assert!(winners.iter().filter(|won| **won).count() == 1, "{told:?}");
            let approved = told.iter().any(|t| t.starts_with("You approved"));
            s.card(if approved { "not accepted yet" } else { "Rejected" }).await;
            s.direct().await;
            s.checklist_at_rest().await;
            assert_eq!(invited(&s.sekoia, &address), usize::from(approved));
        }
    });
}

everywhere!(bad_requests_are_refused_before_anybody_is_asked);
/// What is wrong is said before anybody is asked to approve.
fn bad_requests_are_refused_before_anybody_is_asked(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let many: Vec<String> = (0..2_000).map(|i| format!("p{i}@nimbus.example")).collect();
        let cases = [
            "invite ana@ bob carol@nimbus.example".to_owned(),
            format!("invite {}", many.join(" ")),
            "invite ana@nimbus.example as Analist".into(),
            "invite ana@nimbus.example to Nowhere".into(),
            "invite ana@nimbus.example as".into(),
            "community create Rivoli".into(),
            "role create Analyst with read-alerts".into(),
            "role create Lead with \"View alarts\"".into(),
            "role create Lead".into(),
            "role create Lead with \"View archives\"".into(),
            "role create Lead with read-alerts about short".into(),
            "key create log-forwarder for read-alerts".into(),
            "key create x for read-alert".into(),
            "key create x for read-alerts about short".into(),
            "key create x for read-alerts expires 2020-01-01".into(),
            "key create x for read-alerts expires 400d".into(),
            "key create x for read-alerts expires soon".into(),
            "key create x".into(),
            "key revoke log-forwarde".into(),
            "key rotate nothing".into(),
        ];
        let mut told = Vec::new();
        for case in cases {
            let answer = s.ask("alice", &case).await.text();
            told.push(format!(
                "{}\n  {}",
                sekoia_chatops::chat::text::first(&case, 70),
                answer.lines().next().unwrap_or_default()
            ));
        }
        assert_snapshot!(nameless(told.join("\n")), @r#"
        invite ana@ bob carol@nimbus.example
          1 of 3 entries; 2 left out: "ana@" is no e-mail address; "bob" has no address. Correct the list, or add `--leave-out` to ask for the others.
        invite p0@nimbus.example p1@nimbus.example p2@nimbus.example p3@nimbus
          These are 2000 people; one request takes at most 500. Ask in parts.
        invite ana@nimbus.example as Analist
          There is no role called "Analist". Did you mean "Analyst"?
        invite ana@nimbus.example to Nowhere
          There is no community called "Nowhere". There are: Nimbus Payments.
        invite ana@nimbus.example as
          "as" is not complete: something has to follow `as`.
        community create Rivoli
          This workspace is single-tenant and cannot hold communities. Your Sekoia contact can switch the mode.
        role create Analyst with read-alerts
          Analyst is a built-in role. Choose another name.
        role create Lead with "View alarts"
          There is no permission or preset called "View alarts". Did you mean "View alerts" or "View assets"?
        role create Lead
          Say which permissions it has: a preset such as `read-alerts`, a role to copy such as `Analyst`, or permissions.
        role create Lead with "View archives"
          Several permissions are called "View archives". Say which: ARCHIVE_READ_ARCHIVES, ARCHIVE_READ_ARCHIVE_VIEWS.
        role create Lead with read-alerts about short
          The description is too short: Sekoia takes 10 to 1000 characters, this one has 5.
        key create log-forwarder for read-alerts
          There is already a key called "log-forwarder". Sekoia wants names to be unique.
        key create x for read-alert
          There is no preset called "read-alert". Did you mean "read-alerts"?
        key create x for read-alerts about short
          The description is too short: Sekoia takes 10 to 100 characters, this one has 5.
        key create x for read-alerts expires <date>
          <date> is in the past. Give a later day, or 30d, 180d, 365d, never.
        key create x for read-alerts expires 400d
          <date> is more than a year ahead, which Sekoia does not take.
        key create x for read-alerts expires soon
          "soon" is not an expiry: write 30d, 180d, 365d, a date such as <date>, or never.
        key create x
          Say what it may do: a preset with `for`, such as `for read-alerts`, or permissions with `with`.
        key revoke log-forwarde
          There is no active key called "log-forwarde". Did you mean "log-forwarder"?
        key rotate nothing
          There is no active key called "nothing". There are: cti-enrichment, jira-tickets, log-forwarder, sandbox-admin, sandbox-limited, sandbox-reader.
        "#);
        assert!(s.ask("alice", "approvals").await.text().contains("0 requests not settled"));
    });
    run(on, Setting { token: "reader", ..Setting::default() }, async |s| {
        s.set_up().await;
        assert_snapshot!(s.ask("alice", "key create x for ioc-collection-writer").await.text(), @"
        The bot's own key does not have this, so it gives it to no other: Manage IOC collections.
        Usage: `/sekoia key create <name> [for <preset>] [with <permissions>] [about <description>] [expires <30d,180d,365d,date,never>] [because <reason>] [--dry-run]`
        Nothing was asked.
        ");
    });
}

everywhere!(forms_ask_for_everything_and_show_what_is_wrong_at_its_field);
fn forms_ask_for_everything_and_show_what_is_wrong_at_its_field(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let form = s.form_for("alice", "invite").await;
        // Where forms take no files, what is in one is pasted, and the field says how much.
        let paste = "Paste at most 3,000 characters of it. For more, attach it to a message here and type /sekoia invite from its-name.csv";
        let usual = "CSV or text. Columns headed Role and Community are followed.";
        assert!(form.text().contains(if s.chat.platform() == Platform::Mattermost { paste } else { usual }), "{form}");
        assert_snapshot!(form.text().replace("[Add a file: csv, txt, tsv]", "[____]").replace(paste, usual), @"
        Invite people
        In *Nimbus Payments*. A colleague approves it first.
        E-mail addresses (optional): [____]
          Pasted from anywhere, with names or without. At most 3,000 characters.
        Or a file (optional): [____]
          CSV or text. Columns headed Role and Community are followed.
        Role: [Analyst ▾]
          ▾ Admin | Analyst | Guest | Nimbus Fraud Desk | SOC Level 1
          What they may do.
        Communities: [Nimbus Payments ▾…]
          ▾ Nimbus Payments
          Where they get this role.
        Why (optional): [____]
          The approvers see it; it stays on record.
        Rows that are unclear: [Ask for nothing and show me ▾]
          ▾ Ask for nothing and show me | Leave them out
          Those without an address, say. The card names them.
        [Cancel] [Ask for approval]!
        ");
        let bad = s.refused("alice", &form, &[("E-mail addresses", "ana@nimbus.example nobody")]).await;
        assert_snapshot!(bad, @r#"{"addresses":"1 of 2 entries; 1 left out: \"nobody\" has no address. Correct the list, or choose \"Leave them out\" below."}"#);
        let csv = "name,e-mail\nAna,ana@nimbus.example\nBob,bob@nimbus.example\n";
        let asked = s
            .submit(
                "alice",
                &form,
                &[("E-mail addresses", ""), ("Or a file", csv), ("Role", "Guest"), ("Why", "new shift")],
            )
            .await;
        assert_snapshot!(nameless(asked.text()), @"
        Asked: *Invite 2 people as Guest*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        • ⚠️ Steps 1, 2 and 4 are still open: in Sekoia's order they are settled before people are invited.
        2 of 2 rows.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("Approval needed").await;
        assert!(card.text().contains("• bob@nimbus.example") && card.text().contains("as *Guest*"), "{card}");

        let form = s.form_for("alice", "key create").await;
        let text = form.text();
        let (choices, text): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("  ▾ "));
        assert_snapshot!(text.join("\n"), @"
        Create an API key
        In *Nimbus Payments*. A colleague approves it first.
        Name: [____]
          Unique in the community.
        Description: [____]
          10 to 100 characters.
        For (optional): [Select an option ▾]
          What an integration of this kind needs, and no more.
        Permissions (optional): [Select options ▾…]
          Type to search.
        Expires: [180d]
          30d, 180d, 365d, a date such as 2027-06-30, or never.
        Why (optional): [____]
          The approvers see it; it stays on record.
        [Cancel] [Ask for approval]!
        ");
        // Slack has groups of choices; elsewhere a choice says what it belongs to.
        let two = match s.chat.platform() {
            Platform::Slack => {
                assert_snapshot!(choices.join("\n"), @"
                ▾ Read alerts | Triage alerts from chat | Alert notifier (playbook or bot) | Intake forwarder (provisioning) | Intake health watcher | CTI feed consumer | CTI search client | IOC collection writer | Blocklist reader (firewall) | SOAR / playbook account | … 5 more
                ▾ Alerts: Comment on alerts | Manage alert generation modes | Manage alerts | Update alert status | View alert statistics | View alerts | View generation mode
                ▾ Archives: Manage archives | Manage views from archive | View archives (ARCHIVE_READ_ARCHIVES) | View archives (ARCHIVE_READ_ARCHIVE_VIEWS)
                ▾ Assets: Create and edit asset-connectors data | View assets | View asset attributes | View asset categories | View asset types | View asset attribute names
                ▾ Cases: Comment on cases | Manage AI cases settings | Manage cases | View cases
                ▾ Community: Manage all communities as an global administrator | Invite members | Assign roles | Edit community | View members | Manage sub-communities | View API keys | View delegations | View roles | Remove members | … 6 more
                ▾ Countermeasures: Create and edit countermeasure templates | Delete countermeasure templates | Read countermeasure templates
                ▾ Custom fields: Manage custom fields | View custom fields
                ▾ Dashboards: Manage dashboards | Manage user's dashboards | View dashboards
                ▾ Entities: Delete entities | Manage entities | View entities
                ▾ Events: Massive export of events | View event stats in asset listing | View events
                ▾ … 7 more groups
                ");
                "View cases, View entities"
            }
            Platform::Mattermost => {
                assert_eq!(choices.len(), 2);
                assert!(choices[1].starts_with("  ▾ Comment on alerts (Alerts) | "), "{choices:?}");
                "View cases (Cases), View entities (Entities)"
            }
        };
        let values = [("Name", "siem"), ("Description", "too short"), ("For", "Read alerts"), ("Expires", "180d")];
        assert_snapshot!(s.refused("alice", &form, &values).await, @r#"{"about":"The description is too short: Sekoia takes 10 to 100 characters, this one has 9."}"#);
        let values =
            [("Name", "siem"), ("Description", "Reads the alerts"), ("Permissions", two), ("Expires", "never")];
        assert_snapshot!(nameless(s.submit("alice", &form, &values).await.text()), @"
        Asked: *Create the API key siem*. It needs 2 approvals by @bob or @carol until <date> <time> UTC.
        Request <id>. Its card is in this channel.
        ");
        let card = s.card("never expires").await;
        assert!(
            card.text().contains("May: View alerts, View cases, View entities")
                && card.text().contains("Needs 2 approvals"),
            "{card}"
        );
        s.checklist("6 Create API keys* · waiting").await;

        for ask in ["role create", "key rotate", "key revoke"] {
            let form = s.form_for("alice", ask).await;
            assert!(form.text().contains("Ask for approval") || form.text().contains('['), "{form}");
        }
    });
}

everywhere!(who_decides_can_read_every_address_before);
fn who_decides_can_read_every_address_before(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let people: Vec<String> = (1..=40).map(|i| format!("p{i:02}@nimbus.example")).collect();
        let id = s.request_for("alice", &format!("invite {} mallory@evil.example", people.join(" "))).await;
        let card = s.card("Approval needed").await;
        assert!(card.text().contains(&format!("All 41, one by one: `/sekoia approvals {id}`")), "{card}");
        assert!(!card.text().contains("mallory@evil.example"), "{card}");
        let first = s.ask("bob", &format!("approvals {id}")).await.text();
        let second = s.ask("bob", &format!("approvals {id} 2")).await.text();
        for address in people.iter().map(String::as_str).chain(["mallory@evil.example"]) {
            assert!(first.contains(address) || second.contains(address), "{address}");
        }
        s.checklist("⏳").await;
    });
}

everywhere!(what_was_frozen_beyond_its_time_runs_out);
fn what_was_frozen_beyond_its_time_runs_out(on: Platform) {
    let rule = Rule { ttl: Duration::from_millis(1_500), ..Rule::default() };
    run(on, ruled(rule), async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("This holds in every channel").await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.click("bob", &card, "Approve").await;
        let card = s.card("Expired").await;
        assert!(card.text().contains("Approved, but it was frozen until"), "{card}");
        s.direct().await;
        s.checklist_at_rest().await;
        s.ask("carol", "unfreeze").await;
        s.announced("The freeze was lifted").await;
        s.rounds(3).await;
        assert_eq!(s.writes(), Vec::<String>::new());
    });
}

everywhere!(a_form_for_another_community_asks_for_nothing);
fn a_form_for_another_community_asks_for_nothing(on: Platform) {
    let multi = Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..Setting::default() };
    run(on, multi, async |s| {
        s.ask("alice", "setup \"Rivoli Retail\"").await;
        s.checklist("").await;
        let form = s.form_for("alice", "invite").await;
        s.ask("bob", "setup \"Rivoli Markets\"").await;
        s.checklist("Rivoli Markets").await;
        let told = s.submit("alice", &form, &[("E-mail addresses", "ana@nimbus.example")]).await;
        assert_snapshot!(told.text(), @"Meanwhile this channel was bound to another community, so nothing was asked. Open the form again.");
    });
}
