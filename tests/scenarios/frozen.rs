//! A freeze is known to everybody whom it concerns, and so is its end; the history says who and why.

use insta::assert_snapshot;

use crate::harness::{Call, ChatFault, Platform, SOC, Setting, everywhere, nameless, run, usual};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

everywhere!(every_open_channel_is_told_once_of_a_freeze_and_of_its_end);
fn every_open_channel_is_told_once_of_a_freeze_and_of_its_end(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.ask_in("nimbus-payments", "alice", "setup").await;
        s.progress().await;
        s.ask("carol", "freeze \"incident 42 <!channel>\"").await;
        let told = [s.announced("Nothing is").await, s.announced("Nothing is").await];
        let mut told = told.map(|seen| nameless(&seen));
        told.sort();
        assert_snapshot!(told.join("\n\n"), @"
        #nimbus-payments (posted)
        🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42 <!channel>
        This holds in every channel until an approver types `/sekoia unfreeze`. You can still ask for requests and decide them. Keys whose secret was lost are still revoked.

        #soc-setup (posted)
        🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42 <!channel>
        This holds in every channel until an approver types `/sekoia unfreeze`. You can still ask for requests and decide them. Keys whose secret was lost are still revoked.
        ");
        // Said again, it is no news; nor is it after a restart.
        s.ask("bob", "freeze again").await;
        s.stop().await;
        s.start().await;
        s.ask("bob", "unfreeze").await;
        let told = [s.announced("lifted").await, s.announced("lifted").await];
        let mut told = told.map(|seen| nameless(&seen));
        told.sort();
        assert_snapshot!(told.join("\n\n"), @"
        #nimbus-payments (posted)
        The freeze was lifted by @bob · <date> <time> UTC. Approved requests are carried out again.
        It was frozen by @carol · <date> <time> UTC: incident 42 <!channel>

        #soc-setup (posted)
        The freeze was lifted by @bob · <date> <time> UTC. Approved requests are carried out again.
        It was frozen by @carol · <date> <time> UTC: incident 42 <!channel>
        ");
        assert_eq!(s.chat.standing(SOC).len(), 3, "the checklist, the freeze and its end");
    });
}

everywhere!(what_a_channel_is_told_survives_a_crash_and_a_lost_answer);
fn what_a_channel_is_told_survives_a_crash_and_a_lost_answer(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.chat.fault(Call::Post, ChatFault::Fails);
        s.chat.fault(Call::Post, ChatFault::Fails);
        s.chat.fault(Call::Post, ChatFault::Fails);
        s.ask("carol", "freeze \"incident 42\"").await;
        s.chat.wait_for_calls(Call::Post, 2).await;
        s.crash().await;
        s.chat.mend();
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        s.start().await;
        s.announced("incident 42").await;
        let said = || s.chat.standing(SOC).iter().filter(|seen| seen.text().contains("incident 42")).count();
        assert_eq!(said(), 1);
        s.ask("carol", "unfreeze").await;
        s.announced("lifted").await;
        assert_eq!(said(), 2, "the end names what ended");
    });
}

everywhere!(as_long_as_it_lasts_every_answer_about_a_request_says_so);
fn as_long_as_it_lasts_every_answer_about_a_request_says_so(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("incident 42").await;
        let asked = s.ask("alice", "key create forwarder for intake-forwarder expires 30d").await;
        assert_snapshot!(nameless(&asked), @"
        to alice alone in #soc-setup
        Asked: *Create the API key forwarder*. It needs 1 approval by @bob or @carol until <date> <time> UTC.
        🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42
        • Sending logs needs no API key at all: forwarders authenticate with the intake key.
        Request <id>. Its card is in this channel.
        ");
        let id = crate::harness::id_in(&asked);
        let card = s.card("Nothing is carried out").await;
        for (who, said) in [
            ("alice", "approvals".to_owned()),
            ("alice", format!("approvals {id}")),
            ("alice", format!("approve {id}")),
            ("dan", format!("approve {id}")),
            ("bob", format!("approve {id}")),
            ("carol", format!("approve {id}")),
            ("alice", format!("retry {id}")),
            ("alice", "key revoke log-forwarder --dry-run".to_owned()),
        ] {
            let told = s.ask(who, &said).await.text();
            assert_eq!(told.matches("frozen by @carol").count(), 1, "{who}: {said}: {told}");
        }
        // Its message to who asked, too: the button on it leads nowhere yet.
        assert_snapshot!(nameless(s.direct().await.text()), @"
        Approved: *Create the API key forwarder*. It is created when you press the button, and shown to you once, until <date> <time> UTC
        🧊 Nothing is carried out: frozen by @carol · <date> <time> UTC: incident 42
        • ✅ Approved by @bob · <date> <time> UTC
        In #soc-setup · request <id> · Open the card <message>
        [Create and show]!
        ");
        assert!(!s.ask("alice", "status").await.text().contains("frozen"));
        s.ask("carol", "unfreeze").await;
        s.announced("lifted").await;
        while s.card("ready to be created").await.text().contains("frozen") {}
        assert!(!s.ask("alice", "approvals").await.text().contains("frozen"));
        assert!(card.text().contains("frozen by @carol"), "{card}");
        s.checklist("⏳").await;
    });
}

everywhere!(the_history_says_who_froze_rejected_withdrew_and_voted_and_why);
fn the_history_says_who_froze_rejected_withdrew_and_voted_and_why(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("incident 42").await;
        s.ask("carol", "unfreeze").await;
        s.announced("lifted").await;
        let id = s.request_for("alice", "invite ana@nimbus.example as Admin").await;
        s.card("Approval needed").await;
        s.ask("bob", &format!("approve {id}")).await;
        s.ask("carol", &format!("reject {id} \"She left.\"")).await;
        s.card("Rejected").await;
        s.direct().await;
        let id = s.request_for("alice", "invite bo@nimbus.example").await;
        s.card("Approval needed").await;
        s.ask("alice", &format!("cancel {id}")).await;
        s.card("Withdrawn").await;
        s.ask("alice", "assign users @bob").await;
        s.direct().await;
        s.checklist("@bob").await;
        assert_snapshot!(nameless(s.ask("alice", "audit 20").await.text()), @r#"
        History
        *Nimbus Payments* · the last 11 entries, newest first; the channel's last record is number 8
        • 8 · <date> <time> UTC · @alice · users assigned to @bob
        • 7 · <date> <time> UTC · the bot · request `<id>` cancelled by @alice: Invite bo@nimbus.example as Analyst, asked by @alice, SHA-256 <hash>…
        • 6 · <date> <time> UTC · the bot · users waits for request <id>: Invite bo@nimbus.example as Analyst
        • 5 · <date> <time> UTC · the bot · request `<id>` rejected by @carol ("She left."): Invite ana@nimbus.example as Admin, asked by @alice, approved by @bob, SHA-256 <hash>…
        • <date> <time> UTC · @bob · approved request `<id>`: Invite ana@nimbus.example as Admin
        • 4 · <date> <time> UTC · the bot · users waits for request <id>: Invite ana@nimbus.example as Admin
        • <date> <time> UTC · @carol · lifted the freeze
        • <date> <time> UTC · @carol · 🧊 froze all execution: incident 42
        • 3 · <date> <time> UTC · the bot · progress message posted
        • 2 · <date> <time> UTC · @alice · communities not applicable
        • 1 · <date> <time> UTC · @alice · opened for Nimbus Payments
        Your bot administrator can prove the whole history with `sekoia-chatops audit verify`.
        "#);
        let report = s.whole_report("alice").await;
        assert_snapshot!(nameless(report.lines().filter(|line| line.contains("request ") || line.starts_with("- Invite")).collect::<Vec<_>>().join("\n")), @"
        - Invite ana@nimbus.example as Admin (<id>): rejected by carol (chat:carol), asked by alice (chat:alice), approved by bob (chat:bob), <date> <time> UTC, SHA-256 <hash>. Reason: She left.
        - Invite bo@nimbus.example as Analyst (<id>): cancelled by alice (chat:alice), asked by alice (chat:alice), approved by nobody, <date> <time> UTC, SHA-256 <hash>
        ");
    });
}
