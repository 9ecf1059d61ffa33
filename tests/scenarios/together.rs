//! Several people at the same time.

use std::sync::Arc;

use insta::assert_snapshot;
use sekoia_chatops::sandbox::{Fault, FaultKind, Tenant};
use tokio::sync::Notify;

use crate::harness::{Platform, Setting, everywhere, run, usual};

everywhere!(two_people_press_done_at_the_same_time);
fn two_people_press_done_at_the_same_time(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        s.ask("alice", "plan roles current").await;
        s.ask("alice", "reopen roles").await;
        s.checklist("☐ *4 Define roles*").await;
        let cards = [s.ask("alice", "step roles").await, s.ask("bob", "step roles").await];
        tokio::join!(s.press("alice", &cards[0], "Done"), s.press("bob", &cards[1], "Done"));
        let told = [s.reply().await.text(), s.reply().await.text()];
        assert_eq!(told.iter().filter(|t| t.contains("Sekoia confirms it")).count(), 1, "{told:?}");
        assert_eq!(told.iter().filter(|t| t.contains("Already verified")).count(), 1, "{told:?}");
        assert!(s.progress().await.text().contains("✅ *4 Define roles*"));
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("roles verified").count(), 2, "{history}");
    });
}

everywhere!(of_many_changes_at_the_same_time_none_is_lost);
fn of_many_changes_at_the_same_time_none_is_lost(on: Platform) {
    usual(on, async |s| {
        s.set_up().await;
        let steps = ["1", "2", "4", "5", "6", "7"];
        let words: Vec<String> =
            steps.iter().flat_map(|n| [format!("assign {n} @bob"), format!("due {n} 2099-01-0{n}")]).collect();
        futures_util::future::join_all(words.iter().map(|w| s.say("bob", w))).await;
        for _ in &words {
            s.reply().await;
        }
        // Edits are merged: the last one shows everything.
        loop {
            let shown = s.progress().await.text();
            if shown.matches("@bob · due 2099-01-0").count() == steps.len() {
                break;
            }
        }
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("assigned to @bob").count(), 6, "{history}");
        assert_eq!(history.matches(" due 2099-01-0").count(), 6, "{history}");
    });
}

everywhere!(what_one_community_proved_ticks_no_step_of_another);
fn what_one_community_proved_ticks_no_step_of_another(on: Platform) {
    run(on, Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup rivoli retail").await;
        s.progress().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 1_500 }).on("/avatars/").times(1));
        let asked = Arc::new(Notify::new());
        let begun = Arc::clone(&asked);
        s.sekoia.on_call(move |_, _| begun.notify_one());
        let meanwhile = async {
            asked.notified().await;
            let bound = s.ask("bob", "setup rivoli markets").await;
            assert!(bound.text().contains("*Rivoli Markets*"), "{bound}");
        };
        tokio::join!(s.say("alice", "done users"), meanwhile);
        s.progress().await;
        assert_snapshot!(s.reply().await.text(), @"Meanwhile someone changed step 5 (users) or the channel's community. Look at it again: `/sekoia step users`.");
        assert!(s.ask("dan", "status").await.text().contains("☐ *5 Invite users*"));
    });
}
