//! The process ends, well or badly, and begins again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::Actor;
use sekoia_chatops::domain::approval::{Approval, ApprovalId, Command, decide};
use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::state::approvals::Approvals;

use crate::harness::{Call, ChatFault, Platform, QUICK, Setting, everywhere, run};

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

everywhere!(a_restart_forgets_nothing);
fn a_restart_forgets_nothing(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.ask("alice", "plan products current").await;
        s.progress().await;
        let before = s.ask("dan", "status").await.text();
        s.stop().await;
        s.start().await;
        assert_eq!(s.ask("dan", "status").await.text(), before);
    });
}

everywhere!(a_stop_finishes_what_was_acknowledged);
fn a_stop_finishes_what_was_acknowledged(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 700 }).on("/licenses"));
        s.say("alice", "plan products current").await;
        s.stop().await;
        assert!(s.reply().await.text().contains("Sekoia confirms it"));
        assert!(s.progress().await.text().contains("✅ *1 Verify your subscription*"));
    });
}

everywhere!(after_a_crash_between_ack_and_edit_the_message_shows_the_truth);
fn after_a_crash_between_ack_and_edit_the_message_shows_the_truth(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        // The edit never gets through before the crash.
        for _ in 0..20 {
            s.chat.fault(Call::Edit, ChatFault::Hangs);
        }
        s.ask("alice", "skip 7 \"not now\"").await;
        s.chat.wait_for_calls(Call::Edit, 1).await;
        s.crash().await;
        s.chat.mend();
        s.start().await;
        assert!(s.progress().await.text().contains("⏭️ *7 Configure notifications* · skipped: not now"));
    });
}

everywhere!(after_a_crash_before_the_decision_the_request_is_taken_up);
fn after_a_crash_before_the_decision_the_request_is_taken_up(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 60_000 }).on("/licenses"));
        s.say("alice", "plan products current").await;
        s.crash().await;
        s.sekoia.faults().clear();
        s.start().await;
        let told = s.reply().await;
        assert!(told.to_string().starts_with("to alice alone in #soc-setup\nSekoia confirms it"), "{told}");
        s.checklist("✅ *1 Verify your subscription*").await;
        let history = s.ask("alice", "audit").await.text();
        assert_eq!(history.matches("subscription verified").count(), 1, "{history}");
    });
}

everywhere!(a_checklist_follows_a_decision_whose_process_ended_at_once);
fn a_checklist_follows_a_decision_whose_process_ended_at_once(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.stop().await;
        // What a process leaves that ends with the commit of a rejection.
        let (store, now, bob) = (s.store().await, Timestamp::now(), s.person("bob"));
        let reject = |state: Option<&Approval>| {
            decide(state, Command::Reject { by: bob.clone(), reason: "not now".into() }, now)
        };
        let approvals = Approvals::new(Arc::clone(&store), QUICK);
        approvals.change(&ApprovalId::from(&*id), &Actor::Person(bob.clone()), now, None, reject).await.unwrap();
        // Another process sends cards and notices: the checklist does not wait for it.
        let until = now + SignedDuration::from_secs(50);
        assert!(store.lease("duty", "another", now, until).await.unwrap());
        s.start().await;
        s.checklist_at_rest().await;
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("rejected by @bob").count(), 1, "{history}");
        assert!(store.lease("duty", "another", now, now).await.unwrap());
        store.close().await;
        s.card("Rejected").await;
        s.direct().await;
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("rejected by @bob").count(), 1, "{history}");
        s.stop().await;
        s.verify_audit();
    });
}

everywhere!(killed_between_ack_and_edit_it_shows_the_truth_and_logged_no_secret);
fn killed_between_ack_and_edit_it_shows_the_truth_and_logged_no_secret(on: Platform) {
    run(on, durable(), async |s| {
        s.stop().await;
        s.start_program().await;
        s.set_up().await;
        for _ in 0..20 {
            s.chat.fault(Call::Edit, ChatFault::Hangs);
        }
        s.ask("alice", "skip 7 \"the canary reason\"").await;
        s.chat.wait_for_calls(Call::Edit, 1).await;
        s.kill_program();
        s.chat.mend();
        s.start_program().await;
        assert!(s.progress().await.text().contains("skipped: the canary reason"));
        assert!(s.ask("dan", "status").await.text().contains("skipped: the canary reason"));
        s.kill_program();
        let log = std::fs::read_to_string(s.log()).unwrap();
        assert!(log.contains("step.skipped"), "{log}");
        let unwanted = [s.sekoia.token("admin"), "response_url=", "the canary reason"].map(str::to_owned);
        for secret in s.chat.secrets().into_iter().chain(unwanted) {
            let at = log.lines().find(|line| line.contains(&secret));
            assert!(at.is_none(), "{secret} is in the log: {at:?}");
        }
    });
}
