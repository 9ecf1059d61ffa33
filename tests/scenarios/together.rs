//! Several people at the same time.

use insta::assert_snapshot;
use sekoia_chatops::sandbox::{Fault, FaultKind, Tenant};

use crate::harness::{SOC, Setting, run, usual};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_people_press_done_at_the_same_time() {
    usual(async |s| {
        s.set_up().await;
        let cards = [s.ask("alice", "step region").await, s.ask("bob", "step region").await];
        let clicks = [s.slack.click("alice", &cards[0], "Done"), s.slack.click("bob", &cards[1], "Done")];
        tokio::join!(s.acknowledged(&clicks[0]), s.acknowledged(&clicks[1]));
        let told = [s.reply().await.text(), s.reply().await.text()];
        assert_eq!(told.iter().filter(|t| t.contains("Sekoia confirms it")).count(), 1, "{told:?}");
        assert_eq!(told.iter().filter(|t| t.contains("Already verified")).count(), 1, "{told:?}");
        assert!(s.progress().await.text().contains("✅ *2 Confirm your region*"));
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("region verified").count(), 1, "{history}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_at_the_same_time_none_is_lost() {
    usual(async |s| {
        s.set_up().await;
        let steps = ["1", "2", "4", "5", "6", "7"];
        let words: Vec<String> =
            steps.iter().flat_map(|n| [format!("assign {n} <@U0BOB>"), format!("due {n} 2099-01-0{n}")]).collect();
        let requests: Vec<_> = words.iter().map(|w| s.slack.slash("alice", SOC, w)).collect();
        let answers = futures_util::future::join_all(requests.iter().map(|r| s.send(r))).await;
        for answer in answers {
            assert_eq!(answer.status(), 200);
            if answer.text().await.unwrap().is_empty() {
                s.reply().await;
            }
        }
        // Edits are merged: the last one shows everything.
        loop {
            let shown = s.progress().await.text();
            if shown.matches("@bob · due 2099-01-0").count() == steps.len() {
                break;
            }
        }
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("assigned to slack:U0BOB").count(), 6, "{history}");
        assert_eq!(history.matches(" due 2099-01-0").count(), 6, "{history}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_community_proved_ticks_no_step_of_another() {
    run(Setting { tenant: Tenant::Multi, ..Setting::default() }, async |s| {
        s.ask("alice", "setup rivoli retail").await;
        s.progress().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 1_500 }).on("/avatars/").times(1));
        s.acknowledged(&s.slack.slash("alice", SOC, "done users")).await;
        let bound = s.ask("bob", "setup rivoli markets").await;
        assert!(bound.text().contains("*Rivoli Markets*"), "{bound}");
        s.progress().await;
        assert_snapshot!(s.reply().await.text(), @"Meanwhile somebody changed step 5 (users) or the channel's community. Look at it again: `step users`.");
        assert!(s.ask("dan", "status").await.text().contains("☐ *5 Invite users*"));
    })
    .await;
}
