//! The setup watch: what was verified is asked again.

use std::time::Duration;

use sekoia_chatops::approvals::Timing;
use sekoia_chatops::sandbox::{Fault, FaultKind};

use crate::harness::{QUICK, Setting, Stage, run};

/// Longer than a look and the worker's tick.
const LONG: Duration = Duration::from_secs(15);

fn watchful() -> Setting {
    Setting { timing: Timing { drift: Duration::from_millis(300), ..QUICK }, durable: true, ..Setting::default() }
}

/// The next message to somebody alone, which takes a look and a tick.
async fn told_alone(s: &Stage) -> String {
    let began = std::time::Instant::now();
    loop {
        let seen = s.next_within(LONG).await;
        if seen.is_direct() {
            return seen.text();
        }
        assert!(began.elapsed() < LONG, "{}", s.chat.dump());
    }
}

/// Looks go on and nothing is said.
async fn several_looks(s: &Stage) {
    let asked = s.sekoia.calls().len();
    tokio::time::timeout(LONG, async {
        while s.sekoia.calls().len() < asked + 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the watch asks");
}

fn drop_custom_role(s: &Stage) {
    s.sekoia.edit(|world| {
        let custom = world.roles.iter().position(|role| role.community_uuid.is_some()).expect("a custom role");
        world.roles.remove(custom);
    });
}

#[test]
fn a_role_that_is_gone_opens_its_step_and_the_owner_is_told_once() {
    run(watchful(), async |s| {
        s.set_up().await;
        assert!(s.ask("alice", "done roles").await.text().contains("Sekoia confirms it"));
        s.checklist("✅ *4 Define roles*").await;
        several_looks(s).await;
        drop_custom_role(s);
        let told = told_alone(s).await;
        assert!(told.starts_with("Step 4, \"Define roles\", of Nimbus Payments is open again: was "), "{told}");
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("☐ *4 Define roles* · ⚠️ open again: was "), "{status}");
        assert!(s.ask("alice", "audit").await.text().contains("roles open again: was "));
        // A restart in between says nothing again.
        s.stop().await;
        s.start().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
        // Accepted as it is, it stays.
        assert!(s.ask("alice", "done roles").await.text().contains("Sekoia confirms it"));
        several_looks(s).await;
        assert!(s.ask("dan", "status").await.text().contains("✅ *4 Define roles*"));
        s.checklist("✅ *4 Define roles*").await;
        assert_eq!(s.chat.standing_alone("alice").len(), 1);
    });
}

#[test]
fn the_assignee_is_told_rather_than_who_ticked_it() {
    run(watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "assign roles @bob").await;
        s.ask("alice", "done roles").await;
        drop_custom_role(s);
        told_alone(s).await;
        assert_eq!(s.chat.standing_alone("bob").len(), 1, "{}", s.chat.dump());
        assert_eq!(s.chat.standing_alone("alice").len(), 0);
        s.ask("alice", "skip roles \"later\"").await;
        s.checklist("skipped: later").await;
    });
}

#[test]
fn what_people_attested_or_skipped_is_left_alone() {
    run(watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "done roles anyway").await;
        s.ask("alice", "skip users \"not now\"").await;
        s.ask("alice", "done region").await;
        drop_custom_role(s);
        several_looks(s).await;
        let status = s.ask("dan", "status").await.text();
        assert!(status.contains("attested") && status.contains("skipped: not now"), "{status}");
        assert!(status.contains("✅ *2 Confirm your region*"), "{status}");
        s.checklist("✅ *2 Confirm your region*").await;
        assert!(!s.sekoia.calls().iter().any(|call| call.path.ends_with("/roles")), "nobody asked for roles");
    });
}

#[test]
fn a_sekoia_that_fails_changes_nothing() {
    run(watchful(), async |s| {
        s.set_up().await;
        s.ask("alice", "done roles").await;
        s.checklist("✅ *4 Define roles*").await;
        drop_custom_role(s);
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).on("/roles"));
        let asked = s.sekoia.calls().len();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(s.sekoia.calls().len() > asked, "it was asked");
        assert!(s.ask("dan", "status").await.text().contains("✅ *4 Define roles*"));
        assert_eq!(s.chat.standing_alone("alice").len(), 0);
    });
}
