//! Sekoia and the chat refuse, limit, fail, hang.

use insta::assert_snapshot;
use sekoia_chatops::sandbox::{Fault, FaultKind};

use crate::harness::{Call, ChatFault, Platform, Setting, on_both, on_slack, run, steady, usual};

/// Without the reference, which differs.
fn told(text: &str) -> String {
    let line = |l: &str| {
        if l.starts_with("Reference for") {
            "Reference for your bot administrator: <reference>".into()
        } else {
            l.to_owned()
        }
    };
    steady(text.lines().map(line).collect::<Vec<_>>().join("\n"))
}

on_both!(a_missing_permission_is_named);
fn a_missing_permission_is_named(on: Platform) {
    run(on, Setting { token: "limited", ..Setting::default() }, async |s| {
        s.set_up().await;
        assert_snapshot!(told(&s.ask("alice", "done subscription").await.text()), @r#"
        Sekoia refuses this to the bot's API key (403): it lacks the permission "Read community licenses".
        A key's permissions cannot be changed: create one that also has "Read community licenses", set SEKOIA_API_KEY and restart the bot.
        Nothing was changed.
        Reference for your bot administrator: <reference>
        [Try again] [Mark as done on my word?]
        "#);
        // Remembered: Sekoia is not asked again.
        let calls = s.sekoia.calls().len();
        s.ask("alice", "subscription").await;
        assert_eq!(s.sekoia.calls().len(), calls);
        assert!(s.ask("alice", "status").await.text().contains("☐ *1 Verify your subscription*"));
    });
}

on_both!(a_dead_key_is_explained);
fn a_dead_key_is_explained(on: Platform) {
    for (token, says) in [("expired", "has expired"), ("revoked", "was revoked")] {
        run(on, Setting { token, ..Setting::default() }, async |s| {
            let told = s.ask("alice", "setup").await.text();
            assert!(told.contains("401") && told.contains(says) && told.contains("Nothing was changed."), "{told}");
            assert!(s.ask("alice", "status").await.text().contains("not set up yet"));
        });
    }
}

on_both!(one_failure_of_sekoia_goes_unnoticed);
fn one_failure_of_sekoia_goes_unnoticed(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).on("/licenses").times(1));
        assert!(s.ask("alice", "subscription").await.text().contains("Defend"));
    });
}

on_both!(sekoia_failing_changes_nothing);
fn sekoia_failing_changes_nothing(on: Platform) {
    let kinds = [
        ("500", FaultKind::Status { code: 500, retry_after: None, body: None }),
        ("503", FaultKind::Status { code: 503, retry_after: None, body: None }),
        ("429", FaultKind::Status { code: 429, retry_after: Some(120), body: None }),
        ("malformed", FaultKind::Malformed),
        ("reset", FaultKind::Reset),
        ("lost reply", FaultKind::LoseReply),
    ];
    let mut all = Vec::new();
    for (name, kind) in kinds {
        let mut said = String::new();
        usual(on, async |s| {
            s.set_up().await;
            s.sekoia.faults().add(Fault::new(kind.clone()).on("/licenses"));
            let failed = s.ask("alice", "done subscription").await;
            said = told(&failed.text());
            assert!(s.ask("dan", "status").await.text().contains("☐ *1 Verify your subscription*"));
            s.sekoia.faults().clear();
        });
        all.push(format!("{name}: {said}"));
    }
    assert_snapshot!(all.join("\n\n"), @"
    500: Sekoia failed (500).
    Try again in a minute; https://status.sekoia.io shows known incidents.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]

    503: Sekoia failed (503).
    Try again in a minute; https://status.sekoia.io shows known incidents.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]

    429: Sekoia asks to slow down (429).
    Try again in 120 seconds. Sekoia's firewall blocks an address that goes on, so the bot waits too.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]

    malformed: Sekoia's answer could not be read (Eof at line 1, column 1750).
    This looks like a change at Sekoia's side: please report it with the reference below.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]

    reset: Sekoia could not be reached.
    Try again in a minute; https://status.sekoia.io shows known incidents.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]

    lost reply: Sekoia could not be reached.
    Try again in a minute; https://status.sekoia.io shows known incidents.
    Nothing was changed.
    Reference for your bot administrator: <reference>
    [Try again] [Mark as done on my word?]
    ");
}

on_both!(sekoia_hanging_holds_nobody_up);
fn sekoia_hanging_holds_nobody_up(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 60_000 }));
        s.say("alice", "done subscription").await;
        // Meanwhile the channel is served from memory.
        assert!(s.ask("dan", "status").await.text().contains("0 of 7 done"));
        s.sekoia.faults().clear();
        let told = s.next_within(std::time::Duration::from_secs(30)).await.text();
        assert!(told.contains("Sekoia did not answer within 9 s") && told.contains("Nothing was changed."), "{told}");
    });
}

on_both!(a_chat_that_limits_or_fails_is_tried_again);
fn a_chat_that_limits_or_fails_is_tried_again(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        for fault in [ChatFault::LimitedFor(1), ChatFault::Fails] {
            s.chat.fault(Call::Edit, fault);
            s.ask("alice", "plan products current").await;
            assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
            s.chat.fault(Call::Answer, ChatFault::Fails);
            s.ask("alice", "reopen subscription").await;
            s.progress().await;
        }
    });
}

#[test]
fn a_rejected_message_is_said_in_plain_text() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        s.chat.fault(Call::Edit, ChatFault::Refuses);
        s.ask("alice", "plan products current").await;
        assert_snapshot!(steady(s.progress().await), @"
        #soc-setup (updated)
        Sekoia workspace setup
        Nimbus Payments · single-tenant
        ▓▓░░░░░  1 of 7 done · 1 not applicable
        ☐ Before you start
        ✅ 1 Verify your subscription · 3 products as planned; Defend Prime until <date>, Intelligence until <date>, Reveal until <date>
        ☐ 2 Confirm your region
        ➖ 3 Create communities · not applicable
        ☐ 4 Define roles
        ☐ 5 Invite users
        ☐ 6 Create API keys
        ☐ 7 Configure notifications
        ");
    });
}

#[test]
fn a_revoked_token_loses_no_session() {
    on_slack(Setting::default(), async |s| {
        s.set_up().await;
        for _ in 0..3 {
            s.chat.fault(Call::Edit, ChatFault::TokenDead);
        }
        s.ask("alice", "plan products current").await;
        s.chat.wait_for_calls(Call::Edit, 1).await;
        assert!(s.ask("alice", "status").await.text().contains("✅ *1 Verify your subscription*"));
        let told = s.ask("alice", "refresh").await.text();
        for says in [
            "no longer accepts the",
            "Nothing is lost, and I will try again by myself. Ask your bot administrator to install the app in Slack",
        ] {
            assert!(told.contains(says), "{told}");
        }
        s.chat.mend();
        s.ask("alice", "refresh").await;
        assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
    });
}

#[test]
fn rights_that_cannot_be_checked_are_no_rights() {
    on_slack(Setting::default(), async |s| {
        s.chat.fault(Call::ReadPerson, ChatFault::TokenDead);
        let told = s.ask("alice", "setup").await.text();
        for says in
            ["I could not check your rights", "no longer accepts the", "so I did nothing. Ask your bot administrator"]
        {
            assert!(told.contains(says), "{told}");
        }
    });
}

#[test]
fn a_post_that_slack_did_not_confirm_is_not_made_twice() {
    on_slack(Setting::default(), async |s| {
        s.chat.fault(Call::Post, ChatFault::LosesReply);
        assert_snapshot!(s.ask("alice", "setup").await.text(), @"
        This channel now works on *Nimbus Payments*, a single-tenant workspace. Step 3 does not apply to it.
        I could not update the channel's message (the chat platform did not answer: 500 Internal Server Error). Nothing is lost, and I will try again by myself. Please try again in a minute.
        [Before you start]! [Open step 1 (subscription)]
        ");
        s.progress().await;
        // It is looked for by its mark, found, and edited from then on.
        s.progress().await;
        assert_eq!(s.chat.calls(Call::Post), 1);
        // Where there may be other processes, it was looked for before it was posted, too.
        assert!((1..=2).contains(&s.chat.calls(Call::History)));
        s.ask("alice", "skip 7 \"not now\"").await;
        s.checklist("skipped: not now").await;
        assert_eq!(s.chat.calls(Call::Post), 1);
    });
}

on_both!(a_form_that_cannot_be_filled_says_what_to_type);
fn a_form_that_cannot_be_filled_says_what_to_type(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        // The group is not remembered yet: the placeholder is opened while the rights are checked.
        let card = s.ask("carol", "step 7").await;
        assert!(!card.text().contains("Skip"), "carol is no operator: {card}");
        s.chat.fault(Call::OpenForm, ChatFault::Refuses);
        let card = s.ask("alice", "step 7").await;
        assert_snapshot!(s.click("alice", &card, "Skip…").await.text(), @r#"I could not open the form (the form's trigger expired). Type it instead: `/sekoia skip notifications "your reason"`"#);
    });
}
