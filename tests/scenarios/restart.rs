//! The process ends, well or badly, and begins again.

use sekoia_chatops::sandbox::{Fault, FaultKind};

use crate::harness::slack::Fault as SlackFault;
use crate::harness::{SOC, Setting, run};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    run(durable(), async |s| {
        s.set_up().await;
        s.ask("alice", "done region").await;
        s.progress().await;
        let before = s.ask("dan", "status").await.text();
        s.stop().await;
        s.start().await;
        assert_eq!(s.ask("dan", "status").await.text(), before);
    })
    .await;
}

#[tokio::test]
async fn a_stop_finishes_what_was_acknowledged() {
    run(durable(), async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 700 }).on("/licenses"));
        s.acknowledged(&s.slack.slash("alice", SOC, "done subscription")).await;
        s.stop().await;
        assert!(s.reply().await.text().contains("Sekoia confirms it"));
        assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
    })
    .await;
}

#[tokio::test]
async fn after_a_crash_between_ack_and_edit_the_message_shows_the_truth() {
    run(durable(), async |s| {
        s.set_up().await;
        // The edit never gets through before the crash.
        for _ in 0..20 {
            s.slack.fault("chat.update", SlackFault::Hang);
        }
        s.ask("alice", "skip 7 \"not now\"").await;
        s.slack.wait_for_calls("chat.update", 1).await;
        s.crash().await;
        s.slack.edit(|world| world.faults.clear());
        s.start().await;
        assert!(s.progress().await.text().contains("⏭️ *7 Configure notifications* · skipped: not now"));
    })
    .await;
}

#[tokio::test]
async fn after_a_crash_before_the_decision_the_request_is_taken_up() {
    run(durable(), async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 60_000 }).on("/licenses"));
        s.acknowledged(&s.slack.slash("alice", SOC, "done subscription")).await;
        s.crash().await;
        s.sekoia.faults().clear();
        s.start().await;
        let told = s.reply().await;
        assert!(told.to_string().starts_with("ephemeral to alice in #soc-setup\nSekoia confirms it"), "{told}");
        assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
        let history = s.ask("alice", "audit").await.text();
        assert_eq!(history.matches("subscription verified").count(), 1, "{history}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_ack_and_edit_it_shows_the_truth_and_logged_no_secret() {
    run(durable(), async |s| {
        s.stop().await;
        s.start_program().await;
        s.set_up().await;
        for _ in 0..20 {
            s.slack.fault("chat.update", SlackFault::Hang);
        }
        s.ask("alice", "skip 7 \"the canary reason\"").await;
        s.slack.wait_for_calls("chat.update", 1).await;
        s.kill_program();
        s.slack.edit(|world| world.faults.clear());
        s.start_program().await;
        assert!(s.progress().await.text().contains("skipped: the canary reason"));
        assert!(s.ask("dan", "status").await.text().contains("skipped: the canary reason"));
        s.kill_program();
        let log = std::fs::read_to_string(s.log()).unwrap();
        assert!(log.contains("step.skipped"), "{log}");
        let secrets = [
            s.sekoia.token("admin"),
            s.slack.bot_token(),
            s.slack.signing_secret(),
            "response_url=",
            "/commands/T0SOC",
        ];
        for secret in secrets.into_iter().chain(["the canary reason"]) {
            let at = log.lines().find(|line| line.contains(secret));
            assert!(at.is_none(), "{secret} is in the log: {at:?}");
        }
    })
    .await;
}
