//! Several processes on one PostgreSQL: what a load balancer, `kill -9`, a halt, a rolling restart and a
//! restarted database do to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use sekoia_chatops::sandbox::{self, Fault, FaultKind, Sandbox};
use sqlx::{Connection, Executor};

use super::converted::converted;
use crate::harness::{Platform, Setting, Stage, nameless};

/// Runs a scenario in which so many processes serve one stage.
fn on_replicas(on: Platform, replicas: usize, scenario: impl AsyncFnOnce(&mut Stage)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut stage = Stage::begin(on, Setting { server: true, ..Setting::default() }).await;
        for _ in 0..replicas {
            stage.start_replica().await;
        }
        scenario(&mut stage).await;
        stage.verify_audit();
        stage.finish().await;
    });
}

macro_rules! on_both_platforms {
    ($scenario:ident, $replicas:expr) => {
        mod $scenario {
            use super::*;

            #[test]
            #[ignore = "needs PostgreSQL"]
            fn slack() {
                insta::allow_duplicates! { on_replicas(Platform::Slack, $replicas, super::$scenario) }
            }

            #[test]
            #[ignore = "needs PostgreSQL"]
            fn mattermost() {
                insta::allow_duplicates! { on_replicas(Platform::Mattermost, $replicas, super::$scenario) }
            }
        }
    };
}

/// How many memberships and pending invitations an address has.
fn invited(sekoia: &Sandbox, address: &str) -> usize {
    sekoia.edit(|world| {
        let is = |user: &sandbox::world::User| {
            user.email.as_deref() == Some(address) || user.invited_email.as_deref() == Some(address)
        };
        world.members.iter().filter(|m| is(&m.user)).count()
    })
}

/// How many invitations Sekoia took.
fn done(s: &Stage) -> usize {
    s.writes().iter().filter(|write| *write == "POST 204").count()
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

on_both_platforms!(what_one_changes_the_other_shows_at_once, 2);
async fn what_one_changes_the_other_shows_at_once(s: &mut Stage) {
    s.set_up().await;
    s.through(1);
    s.ask("alice", "skip 7 \"not now\"").await;
    s.through(0);
    assert!(s.ask("dan", "status").await.text().contains("⏭️ *7 Configure notifications* · skipped: not now"));
    s.ask("alice", "reopen 7").await;
    s.through(1);
    assert!(s.ask("dan", "status").await.text().contains("☐ *7 Configure notifications*"));
    s.checklist("☐ *7 Configure notifications*").await;
    // Rules are in force on the other one at once, too.
    s.ask("alice", "notify add alert urgency >= 80").await;
    s.through(0);
    assert!(s.ask("alice", "notify").await.text().contains("urgency"));
    s.ask("bob", "freeze \"a drill\"").await;
    s.announced("frozen").await;
    s.through(1);
    assert_snapshot!(nameless(s.ask("bob", "freeze again").await.text()), @"🧊 Nothing is carried out: frozen by @bob · <date> <time> UTC: a drill");
    s.ask("bob", "unfreeze").await;
    s.announced("again").await;
}

on_both_platforms!(a_click_that_reaches_both_is_decided_once, 2);
async fn a_click_that_reaches_both_is_decided_once(s: &mut Stage) {
    s.set_up().await;
    s.request_for("alice", "invite ana@nimbus.example as Analyst").await;
    let card = s.card("Approval needed").await;
    let press = s.chat.click("bob", &card, "Approve");
    s.taken(&press).await;
    let last = match s.chat.question(&press) {
        Some(question) => {
            let agreed = s.chat.submit("bob", &question, &[]);
            s.taken(&agreed).await;
            agreed
        }
        None => press,
    };
    // The same delivery to the other one, and once more to the first.
    for through in [1, 0] {
        s.through(through);
        s.taken(&last).await;
    }
    assert_snapshot!(nameless(s.reply().await.text()), @"You approved: *Invite ana@nimbus.example as Analyst*. It is carried out now.");
    s.card("ana@nimbus.example* · not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    assert_eq!(invited(&s.sekoia, "ana@nimbus.example"), 1);
    assert_eq!(s.writes(), ["POST 204"]);
}

on_both_platforms!(two_approvers_on_two_replicas_count_once_each, 2);
async fn two_approvers_on_two_replicas_count_once_each(s: &mut Stage) {
    s.set_up().await;
    s.request_for("alice", "invite ana@nimbus.example as Admin").await;
    let card = s.card("Needs 2 approvals").await;
    s.press("bob", &card, "Approve").await;
    s.through(1);
    s.press("carol", &card, "Approve").await;
    let told = [s.reply().await.text(), s.reply().await.text()];
    assert_eq!(told.iter().filter(|told| told.contains("It is carried out now")).count(), 1, "{told:?}");
    s.card("ana@nimbus.example* · not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    assert_eq!((invited(&s.sekoia, "ana@nimbus.example"), s.writes().len()), (1, 1));
}

on_both_platforms!(a_process_that_is_killed_in_the_middle_of_a_list_loses_and_doubles_nothing, 2);
async fn a_process_that_is_killed_in_the_middle_of_a_list_loses_and_doubles_nothing(s: &mut Stage) {
    s.set_up().await;
    let people: Vec<String> = (0..6).map(|i| format!("p{i}@nimbus.example")).collect();
    s.request_for("alice", &format!("invite {} as Analyst", people.join(" "))).await;
    let card = s.card("Approval needed").await;
    // Each call takes a while, so that the kill comes in the middle of one.
    s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 150 }).on("/invitations"));
    s.press("bob", &card, "Approve").await;
    s.reply().await;
    let leader = s.leader().await;
    until("two of them are invited", || people.iter().filter(|p| invited(&s.sekoia, p) > 0).count() >= 2).await;
    s.replace_replica(leader).await;
    s.through(1 - leader);
    s.card("p5@nimbus.example* · not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    for person in &people {
        assert_eq!(invited(&s.sekoia, person), 1, "{person}");
    }
    assert_eq!(done(s), people.len());
}

on_both_platforms!(a_process_that_is_halted_and_wakes_after_its_lease_does_nothing_more, 3);
async fn a_process_that_is_halted_and_wakes_after_its_lease_does_nothing_more(s: &mut Stage) {
    s.set_up().await;
    let people: Vec<String> = (0..5).map(|i| format!("p{i}@nimbus.example")).collect();
    s.request_for("alice", &format!("invite {} as Analyst", people.join(" "))).await;
    let card = s.card("Approval needed").await;
    s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 100 }).on("/invitations"));
    let leader = s.leader().await;
    s.through((leader + 1) % 3);
    s.press("bob", &card, "Approve").await;
    s.reply().await;
    until("one of them is invited", || people.iter().any(|p| invited(&s.sekoia, p) > 0)).await;
    s.signal(leader, "STOP");
    s.card("p4@nimbus.example* · not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    s.signal(leader, "CONT");
    // What it was about to do it does now, or not at all.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for person in &people {
        assert_eq!(invited(&s.sekoia, person), 1, "{person}");
    }
    assert_eq!(done(s), people.len());
    // It serves as before.
    s.through(leader);
    assert!(s.ask("dan", "status").await.text().contains("Sekoia workspace setup"));
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_channel_that_is_converted_is_known_by_its_new_id_to_the_other_one_too() {
    on_replicas(Platform::Slack, 2, async |s: &mut Stage| {
        s.set_up().await;
        for through in [1, 0] {
            s.through(through);
            s.ask("dan", "status").await;
        }
        converted(s, "C0SOC", "G0SOC").await;
        s.through(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        s.ask("alice", "skip 7 \"not now\"").await;
        s.through(0);
        assert!(s.ask("dan", "status").await.text().contains("skipped: not now"));
        s.checklist("skipped: not now").await;
    });
}

#[test]
#[ignore = "needs PostgreSQL"]
fn a_process_that_is_halted_in_the_middle_of_a_transaction_holds_nobody_up_for_long() {
    on_replicas(Platform::Slack, 2, async |s: &mut Stage| {
        s.set_up().await;
        let (leader, url) = (s.leader().await, s.server().url("postgres"));
        let waiting = async || -> i64 {
            let mut connection = sqlx::PgConnection::connect(&url).await.expect("the database answers");
            let count = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
            count.fetch_one(&mut connection).await.expect("SQL")
        };
        // The renewal of its lease waits in its transaction, goes on while it is halted, and does not end.
        let mut held = sqlx::PgConnection::connect(&url).await.expect("the database answers");
        let hold = "BEGIN; SELECT * FROM lease WHERE name = 'duty' FOR UPDATE";
        held.execute(hold).await.expect("SQL");
        let began = Instant::now();
        while waiting().await == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "the lease is renewed");
        }
        s.signal(leader, "STOP");
        held.execute("ROLLBACK").await.expect("SQL");
        let began = Instant::now();
        while s.leader().await == leader {
            assert!(began.elapsed() < Duration::from_secs(40), "another process takes over");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        s.through(1 - leader);
        s.ask("alice", "skip 7 \"not now\"").await;
        s.checklist("skipped: not now").await;
        s.signal(leader, "CONT");
        s.through(leader);
        assert!(s.ask("dan", "status").await.text().contains("skipped: not now"));
    });
}

on_both_platforms!(a_database_that_is_restarted_in_the_middle_loses_and_doubles_nothing, 2);
async fn a_database_that_is_restarted_in_the_middle_loses_and_doubles_nothing(s: &mut Stage) {
    s.set_up().await;
    let people: Vec<String> = (0..5).map(|i| format!("p{i}@nimbus.example")).collect();
    s.request_for("alice", &format!("invite {} as Analyst", people.join(" "))).await;
    let card = s.card("Approval needed").await;
    s.sekoia.faults().add(Fault::new(FaultKind::Latency { ms: 100 }).on("/invitations"));
    s.press("bob", &card, "Approve").await;
    s.reply().await;
    until("one of them is invited", || people.iter().any(|p| invited(&s.sekoia, p) > 0)).await;
    s.server().kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    s.server().start_again().await;
    s.card("p4@nimbus.example* · not accepted yet").await;
    s.direct().await;
    s.checklist_at_rest().await;
    for person in &people {
        assert_eq!(invited(&s.sekoia, person), 1, "{person}");
    }
    assert_eq!(done(s), people.len());
}

on_both_platforms!(while_the_database_is_away_reads_are_answered_from_memory_and_say_so, 2);
async fn while_the_database_is_away_reads_are_answered_from_memory_and_say_so(s: &mut Stage) {
    s.set_up().await;
    s.ask("dan", "status").await;
    s.server().kill();
    let told = s.ask("dan", "status").await.text();
    assert!(told.contains("☐ *7 Configure notifications*"), "{told}");
    assert!(told.contains("My storage does not answer. This is what I knew at"), "{told}");
    // Nothing that changes anything is acknowledged as done.
    assert_snapshot!(nameless(s.ask("alice", "skip 7 \"not now\"").await.text()), @"
    I could not record this, so nothing was done. Please try again in a minute.
    Reference for your bot administrator: <id>
    ");
    s.server().start_again().await;
    // What reads no checklist says nothing of it, whatever the last look at one met with.
    let told = s.ask("dan", "whoami").await.text();
    assert!(!told.contains("My storage"), "{told}");
    let began = Instant::now();
    loop {
        let told = s.ask("dan", "status").await.text();
        assert!(told.contains("☐ *7 Configure notifications*"), "{told}");
        if !told.contains("My storage") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it recovers without a restart");
    }
    s.ask("alice", "skip 7 \"not now\"").await;
    s.checklist("skipped: not now").await;
}

on_both_platforms!(a_rolling_restart_under_load_loses_nothing_that_was_acknowledged, 2);
async fn a_rolling_restart_under_load_loses_nothing_that_was_acknowledged(s: &mut Stage) {
    s.set_up().await;
    let mut acknowledged = BTreeMap::<String, String>::new();
    for round in 0..8 {
        if round % 2 == 1 {
            // SIGTERM to one, while the other takes the requests; then another one in its place.
            let stopping = round / 2 % 2;
            s.signal(stopping, "TERM");
            s.through(1 - stopping);
        }
        for step in ["1", "2", "4", "5", "6", "7"] {
            let date = format!("2099-0{}-1{step}", round + 1);
            let told = s.ask("bob", &format!("due {step} {date}")).await.text();
            assert!(told.contains(&date), "{told}");
            acknowledged.insert(step.to_owned(), date);
        }
        if round % 2 == 1 {
            let stopped = round / 2 % 2;
            assert!(s.ended(stopped).await, "{}", s.log_of(stopped));
            s.replace_replica(stopped).await;
        }
    }
    let shown = s.ask("dan", "status").await.text();
    for (step, date) in &acknowledged {
        assert!(shown.contains(date.as_str()), "step {step}: {shown}");
    }
    let history = s.ask("alice", "audit 50").await.text();
    assert_eq!(history.matches(" due 2099-").count(), 48, "{history}");
    s.checklist(&acknowledged["7"]).await;
}

#[test]
#[ignore = "needs PostgreSQL"]
fn all_replicas_together_keep_sekoias_limit() {
    on_replicas(Platform::Slack, 3, async |s: &mut Stage| {
        s.set_up().await;
        // As long as a second lasts for Sekoia; the rehearsal's is shorter.
        let window = Duration::from_millis(50);
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let counted = std::sync::Arc::clone(&seen);
        s.sekoia.on_call(move |_, at| {
            if at == sandbox::Stage::Arrived {
                counted.lock().expect("sound").push(Instant::now());
            }
        });
        for round in 0..6 {
            for through in 0..3 {
                s.through(through);
                s.say("alice", if round % 2 == 0 { "users" } else { "roles" }).await;
            }
            for _ in 0..3 {
                s.reply().await;
            }
            if round == 2 {
                // One goes without a word, and another one comes.
                s.replace_replica(1).await;
            }
            if round == 4 {
                // One is halted until the others use its part too, and wakes with what it knew.
                s.signal(2, "STOP");
                tokio::time::sleep(Duration::from_secs(8)).await;
                s.signal(2, "CONT");
            }
        }
        let mut seen = seen.lock().expect("sound").clone();
        seen.sort();
        let most = (0..seen.len()).map(|i| seen[i..].iter().take_while(|at| **at - seen[i] < window).count()).max();
        assert!(most.is_some_and(|most| most <= 5), "{most:?} of {}", seen.len());
    });
}
