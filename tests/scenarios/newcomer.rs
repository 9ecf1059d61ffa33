//! The first minute: what the bot says it is, what one can do, and where one stands.

use insta::assert_snapshot;

use crate::harness::{Platform, Setting, nameless, on_slack, usual};

#[test]
fn requests_are_decided_from_their_list_by_those_who_can() {
    usual(async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.request_for("bob", "key create forwarder for intake-forwarder expires 30d").await;
        s.card("Approval needed").await;
        s.checklist("6 Create API keys* · waiting").await;
        assert_snapshot!(nameless(s.ask("alice", "approvals").await.text()), @"
        Requests
        *Nimbus Payments* · 2 requests not settled
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 2 approvals by @bob or @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Details]
        [Only mine]
        ");
        let mine = s.ask("bob", "approvals mine").await;
        assert_snapshot!(nameless(mine.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 2 of them for you
        *Waiting for your decision*
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 2 approvals by @bob or @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        *Asked for by you*
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        [All requests]
        ");
        assert_snapshot!(s.ask("dan", "approvals").await.text(), @"That is for operators. Ask your bot administrator to add `chat:dan` to CHATOPS_OPERATORS. `whoami` shows your rights.");
        assert!(s.click("bob", &mine, "Approve").await.text().starts_with("You approved"));
        s.card("(1 so far)").await;
        // Carol approves and is no operator: what she can decide is listed for her too.
        let mine = s.ask("carol", "approvals mine").await;
        assert_snapshot!(nameless(mine.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 2 of them for you
        *Waiting for your decision*
        *Invite ana@nimbus.example as Admin* · `<id>` · asked by @alice · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Approve?]! [Reject…]✗ [Details]
        [All requests]
        ");
        assert_snapshot!(nameless(s.ask("bob", "approvals mine").await.text()), @"
        Your requests
        *Nimbus Payments* · 2 requests not settled, 1 of them for you
        *Asked for by you*
        *Create the API key forwarder* · `<id>` · asked by @bob · needs 1 approval by @carol until <date> <time> UTC (in 23 h)
        [Withdraw] [Details]
        [All requests]
        ");
    });
}

#[test]
fn one_request_offers_its_reader_what_is_theirs_and_the_card_offers_all() {
    usual(async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        let buttons = async |who: &str| {
            let text = s.ask(who, &format!("approvals {id}")).await.text();
            text.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(buttons("alice").await, "[Withdraw]");
        assert_eq!(buttons("bob").await, "[Approve?]! [Reject…]✗");
        s.ask("bob", &format!("approve {id}")).await;
        let card = (card, s.card("(1 so far)").await);
        assert_eq!(buttons("bob").await, "[Reject…]✗");
        for card in [card.0, card.1] {
            assert!(card.text().ends_with("[Approve?]! [Reject…]✗ [Withdraw]"), "{card}");
        }
    });
}

#[test]
fn the_overview_says_what_waits_for_whom() {
    usual(async |s| {
        s.set_up().await;
        s.ask_in("nimbus-payments", "alice", "setup").await;
        s.progress().await;
        s.ask("alice", "assign users @bob").await;
        s.checklist("@bob").await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        let id = s.request_for("alice", "key create forwarder for intake-forwarder expires 30d").await;
        s.card("Approval needed").await;
        s.ask("bob", &format!("approve {id}")).await;
        s.card("ready to be created").await;
        s.direct().await;
        s.checklist("6 Create API keys* · waiting").await;
        s.ask_in("nimbus-payments", "alice", "due region 2099-01-31").await;
        s.progress().await;
        assert_snapshot!(nameless(s.ask("alice", "overview").await.text()), @"
        All channels
        #nimbus-payments · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *2 Confirm your region* · due 2099-01-31
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *Invite ana@nimbus.example as Analyst* · `<id>` · asked by @alice · needs 1 approval by @bob or @carol until <date> <time> UTC (in 23 h)
        • *Create the API key forwarder* · `<id>` · asked by @alice · approved: @alice collects the key until <date> <time> UTC (in 23 h)
        • *5 Invite users* · @bob
        Channels 1 to 2
        ");
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("incident 42").await;
        s.announced("incident 42").await;
        let told = s.ask("alice", "overview").await.text();
        assert!(told.contains("frozen by @carol"), "{told}");
        // Both cards say so, in whichever order.
        let (mut asked, mut approved) = (false, false);
        while !(asked && approved) {
            let card = s.card("frozen by").await.text();
            asked |= card.starts_with("Approval needed");
            approved |= card.starts_with("Approved");
        }
    });
}

#[test]
fn who_is_on_another_platform_is_shown_by_name() {
    let both = Setting { beside: Some(Platform::Mattermost), ..Setting::default() };
    on_slack(both, async |s| {
        s.set_up().await;
        s.go_to_the_other();
        s.set_up().await;
        s.ask("alice", "assign users @bob").await;
        s.progress().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        let here = s.announced("incident 42").await.text();
        assert!(here.contains("frozen by @carol"), "{here}");
        s.go_to_the_other();
        let there = s.announced("incident 42").await.text();
        assert!(there.contains("frozen by *@carol*"), "{there}");
        let told = s.ask("alice", "overview").await.text();
        assert_snapshot!(nameless(told), @"
        All channels
        🧊 Nothing is carried out: frozen by *@carol* · <date> <time> UTC: incident 42
        *#soc-setup* · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        • *5 Invite users* · *@bob*
        #soc-setup · *Nimbus Payments* · 1 of 7 settled · next: prerequisites
        Channels 1 to 2
        ");
        assert!(s.ask("alice", "audit").await.text().contains("*@carol* · 🧊 froze"));
    });
}

#[test]
fn a_report_names_people_and_a_program_is_given_their_ids() {
    usual(async |s| {
        s.set_up().await;
        s.ask("alice", "done region").await;
        s.progress().await;
        s.ask("alice", "assign users @bob").await;
        s.progress().await;
        let report = s.ask("alice", "report").await.text();
        let said: Vec<&str> = report
            .lines()
            .filter(|line| ["- Channel", "- Opened", "- By", "- Assigned"].iter().any(|w| line.starts_with(w)))
            .collect();
        assert_snapshot!(nameless(said.join("\n")), @r"
        - Channel: \#soc-setup
        - Opened: <date> <time> UTC by alice
        - By: alice on <date> <time> UTC
        - By: alice on <date> <time> UTC
        - Assigned to: bob
        ");
        assert!(!report.contains("chat:"), "{report}");
        let json = s.ask("alice", "report json").await.text() + &s.ask("alice", "report json 2").await.text();
        assert!(json.contains("\"assignee\": \"chat:bob\"") && json.contains("\"chat:bob\": \"bob\""), "{json}");
    });
}
