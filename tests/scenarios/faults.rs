//! The store fails, or somebody else writes in it, while people go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::Actor;
use sekoia_chatops::domain::approval::{Approval, ApprovalId, Command, Outcome, decide};
use sekoia_chatops::state::approvals::Approvals;
use sekoia_chatops::timing::Timing;
use serde_json::Value;
use sqlx::Connection;

use crate::harness::{Platform, QUICK, SOC, Seen, Setting, Stage, everywhere, nameless, run};

fn durable() -> Setting {
    Setting { durable: true, file: true, ..Setting::default() }
}

/// As SQLite does it when the disk is full: it rolls back by itself.
const FULL: &str =
    "CREATE TRIGGER full BEFORE INSERT ON work BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END";
const ROOM: &str = "DROP TRIGGER full";
const LONG: Duration = Duration::from_secs(30);

async fn ready(s: &Stage) -> Value {
    s.http.get(format!("http://{}/readyz", s.address())).send().await.expect("an answer").json().await.expect("JSON")
}

/// `/readyz`, once it says so.
async fn until_ready_says(s: &Stage, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let body = ready(s).await;
        if wanted(&body) {
            return body;
        }
        assert!(began.elapsed() < LONG, "{what}: {body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn invited(s: &Stage, address: &str) -> usize {
    s.sekoia.edit(|world| world.members.iter().filter(|m| m.user.invited_email.as_deref() == Some(address)).count())
}

everywhere!(a_full_disk_is_said_and_everything_goes_on_when_there_is_room_again);
fn a_full_disk_is_said_and_everything_goes_on_when_there_is_room_again(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.sql(FULL).await;
        for _ in 0..2 {
            s.press("bob", &card, "Approve").await;
            // Where a form asks first, it stays open and says it.
            let says = "I could not record this, so nothing was done. Please try again";
            s.chat.next_where(LONG, "that it is not recorded", |seen| seen.text().contains(says)).await;
        }
        assert_eq!(invited(s, "ana@nimbus.example"), 0);
        s.sql(ROOM).await;
        s.click("bob", &card, "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(invited(s, "ana@nimbus.example"), 1);
        s.stop().await;
        s.verify_audit();
    });
}

everywhere!(an_approval_that_was_recorded_before_the_disk_was_full_is_carried_out_when_there_is_room);
fn an_approval_that_was_recorded_before_the_disk_was_full_is_carried_out_when_there_is_room(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        let card = s.card("Approval needed").await;
        s.checklist("⏳").await;
        // The announcement of the call does not get through.
        s.sql("CREATE TRIGGER full BEFORE INSERT ON record WHEN NEW.kind = 'call.started' BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END").await;
        s.click("bob", &card, "Approve").await;
        s.card("✅ Approved by").await;
        // It is tried more than once meanwhile.
        s.rounds(5).await;
        assert_eq!(invited(s, "ana@nimbus.example"), 0, "what is not on record is not done");
        s.sql(ROOM).await;
        // Without a restart, and without anybody pressing again.
        let card = |seen: &Seen| seen.is_post() && !seen.is_direct() && seen.text().contains("Request ");
        while !s.chat.next_where(LONG, "the end", card).await.text().contains("not accepted yet") {}
        s.direct().await;
        s.checklist_at_rest().await;
        assert_eq!(invited(s, "ana@nimbus.example"), 1);
    });
}

everywhere!(a_message_whose_place_could_not_be_recorded_stays_one_and_shows_what_changed_meanwhile);
fn a_message_whose_place_could_not_be_recorded_stays_one_and_shows_what_changed_meanwhile(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.sql("CREATE TRIGGER full BEFORE INSERT ON record WHEN NEW.kind = 'approval.card_posted' BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END").await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.ask("bob", &format!("reject {id} \"not now\"")).await;
        s.sql(ROOM).await;
        assert!(s.card("Rejected").await.to_string().contains("(updated)"));
        s.direct().await;
        s.checklist_at_rest().await;
        let mut cards = s.chat.standing(SOC);
        cards.retain(|seen| seen.text().contains(&format!("Request {id}")));
        assert_eq!(cards.len(), 1, "it is not posted again");
    });
}

everywhere!(a_checklist_that_could_not_be_recorded_follows_its_request_when_there_is_room);
fn a_checklist_that_could_not_be_recorded_follows_its_request_when_there_is_room(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.sql("CREATE TRIGGER full BEFORE INSERT ON record WHEN NEW.kind = 'request.concluded' BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END").await;
        s.ask("bob", &format!("reject {id} \"not now\"")).await;
        s.card("Rejected").await;
        s.direct().await;
        assert!(s.ask("dan", "status").await.text().contains('⏳'), "the checklist is not recorded yet");
        s.sql(ROOM).await;
        // Without a restart, and without anybody typing again.
        s.checklist_at_rest().await;
        let history = s.ask("alice", "audit 50").await.text();
        assert_eq!(history.matches("rejected by @bob").count(), 1, "{history}");
        s.stop().await;
        s.verify_audit();
    });
}

everywhere!(a_key_whose_creation_could_not_be_recorded_is_said_to_be_revoked_when_it_is);
fn a_key_whose_creation_could_not_be_recorded_is_said_to_be_revoked_when_it_is(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.request_for("alice", "key create forwarder for read-alerts").await;
        let card = s.card("Approval needed").await;
        s.click("carol", &card, "Approve").await;
        let card = s.card("ready to be created").await;
        s.direct().await;
        s.sql("CREATE TRIGGER full BEFORE INSERT ON record WHEN NEW.kind = 'key.created' BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END").await;
        let told = s.outcome("alice", &card, "Create and show").await.text();
        let says = "My storage failed after the key was created, so it is not shown. It is being revoked. When it is gone, I tell you, and you may press again.";
        assert!(told.contains(says), "{told}");
        assert_eq!(s.active_keys("forwarder"), 1);
        s.sql(ROOM).await;
        // Without a restart.
        let gone = s.chat.next_where(LONG, "the news", |seen| seen.is_direct()).await;
        assert!(nameless(gone.text()).contains("so the key was revoked. You may press again until"), "{gone}");
        assert_eq!(s.active_keys("forwarder"), 0);
        s.card("ready to be created").await;
        s.checklist("⏳").await;
    });
}

everywhere!(a_database_that_is_held_is_said_in_time_and_nothing_follows);
fn a_database_that_is_held_is_said_in_time_and_nothing_follows(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let step = s.ask("alice", "step 7").await;
        let form = s.form_for("alice", "skip 7").await;
        let mut other = sqlx::SqliteConnection::connect(s.database().unwrap().to_str().unwrap()).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let in_time = |began: Instant, what: &str| {
            let took = began.elapsed();
            assert!(took < Duration::from_millis(2_900), "{what} took {took:?}");
        };
        let says = "My storage is busy, so this was not recorded and will not be done. Please press or type it again";

        let began = Instant::now();
        s.say("alice", "plan products current").await;
        in_time(began, "a command");
        let told = s.reply().await.text();
        assert!(told.starts_with(says), "{told}");

        let began = Instant::now();
        s.press("alice", &step, "Done").await;
        in_time(began, "a button");
        let told = s.reply().await.text();
        assert!(told.starts_with(says), "{told}");

        let began = Instant::now();
        let answer = s.send(&s.chat.submit("alice", &form, &[("Why is it left out?", "not now")])).await;
        in_time(began, "a form");
        assert_eq!(answer.status(), 200);
        let told = answer.text().await.unwrap();
        assert!(told.contains("error") && told.contains(says), "the form stays open: {told}");

        let failing = until_ready_says(s, "held", |body| body["store"] == "failing").await;
        assert_eq!(failing["status"], "failing");
        assert!(failing["since"]["store"].as_str().is_some_and(|at| at.ends_with('Z')), "{failing}");
        other.close().await.unwrap();
        let well = until_ready_says(s, "free", |body| body["store"] == "ok").await;
        assert_eq!((&well["status"], &well["since"]), (&"ok".into(), &serde_json::json!({})));
        // None of it was done by then; the same form can be sent again.
        assert!(s.ask("alice", "status").await.text().contains("☐ *1 Verify your subscription*"));
        s.submit("alice", &form, &[("Why is it left out?", "not now")]).await;
        assert!(s.progress().await.text().contains("⏭️ *7 Configure notifications* · skipped: not now"));
    });
}

everywhere!(a_call_that_was_announced_while_the_clock_was_ahead_is_read_back_at_once);
fn a_call_that_was_announced_while_the_clock_was_ahead_is_read_back_at_once(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "key create forwarder for read-alerts").await;
        let card = s.card("Approval needed").await;
        s.click("carol", &card, "Approve").await;
        s.card("ready to be created").await;
        s.direct().await;
        s.checklist("⏳").await;
        s.stop().await;
        // Announced an hour from now; the key is there, and the process that waited for it is gone.
        let store = s.store().await;
        let approvals = Approvals::new(Arc::clone(&store), QUICK);
        let ahead = Timestamp::now() + SignedDuration::from_hours(1);
        let by = s.person("alice");
        let clock = Some(Timestamp::now());
        let press = |state: Option<&Approval>| decide(state, Command::Press { item: 0, by: by.clone(), clock }, ahead);
        let actor = Actor::Person(by.clone());
        let announced = approvals.change(&ApprovalId::from(&*id), &actor, ahead, None, press).await.unwrap();
        s.call_sekoia(&announced.state.request.action.call(0).expect("a call")).await;
        assert!(store.lease("duty", "gone", ahead, ahead + SignedDuration::from_secs(8)).await.unwrap());
        store.close().await;
        assert_eq!(s.active_keys("forwarder"), 1);
        s.start().await;
        let gone = s.chat.next_where(LONG, "the news", Seen::is_direct).await;
        assert!(nameless(gone.text()).contains("so the key was revoked. You may press again until"), "{gone}");
        assert_eq!(s.active_keys("forwarder"), 0);
        s.card("ready to be created").await;
    });
}

everywhere!(a_key_that_was_shown_while_the_clock_was_ahead_is_revoked_when_nobody_confirms);
fn a_key_that_was_shown_while_the_clock_was_ahead_is_revoked_when_nobody_confirms(on: Platform) {
    let timing = Timing { confirm: Duration::from_secs(2), ..QUICK };
    run(on, Setting { timing, ..durable() }, async |s| {
        s.set_up().await;
        let id = s.request_for("alice", "key create forwarder for read-alerts").await;
        let card = s.card("Approval needed").await;
        s.click("carol", &card, "Approve").await;
        s.card("ready to be created").await;
        s.direct().await;
        s.checklist("⏳").await;
        s.stop().await;
        // Shown tomorrow, by the clock of then; the process that waited for who asked is gone.
        let store = s.store().await;
        let approvals = Approvals::new(Arc::clone(&store), timing);
        let ahead = Timestamp::now() + SignedDuration::from_hours(20);
        let (id, by) = (ApprovalId::from(&*id), s.person("alice"));
        let change = async |actor: Actor, command: Command| {
            let on = |state: Option<&Approval>| decide(state, command.clone(), ahead);
            approvals.change(&id, &actor, ahead, None, on).await.unwrap().state
        };
        let press = Command::Press { item: 0, by: by.clone(), clock: Some(Timestamp::now()) };
        let announced = change(Actor::Person(by.clone()), press).await;
        s.call_sekoia(&announced.request.action.call(0).expect("a call")).await;
        let uuid = s.sekoia.edit(|world| world.keys.iter().find(|k| k.name == "forwarder").unwrap().uuid.to_string());
        let outcome = Outcome::Created { uuid: uuid.into(), until: ahead + timing.confirm };
        change(Actor::Bot, Command::Report { item: 0, sends: None, outcome }).await;
        change(Actor::Bot, Command::Shown { item: 0 }).await;
        store.close().await;
        assert_eq!(s.active_keys("forwarder"), 1);
        s.start().await;
        let gone = s.chat.next_where(LONG, "the news", Seen::is_direct).await;
        assert!(nameless(gone.text()).contains("so the key was revoked. You may press again until"), "{gone}");
        assert_eq!(s.active_keys("forwarder"), 0);
        while !s.card("Request ").await.text().contains("ready to be created") {}
        s.stop().await;
        let kinds = s.store().await.history(&sekoia_chatops::state::approvals::stream(&id), 0, 99).await.unwrap();
        let clamped = kinds.iter().filter(|record| record.kind == "key.confirm_by").count();
        assert_eq!(clamped, 1, "it is waited for once");
        s.start().await;
    });
}

everywhere!(a_request_that_somebody_wrote_into_the_database_is_never_carried_out);
fn a_request_that_somebody_wrote_into_the_database_is_never_carried_out(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("Nothing is").await;
        let forged = format!(
            "INSERT INTO work (kind, key, due, attempts, body) VALUES ('inbound', 'forged', 0, 0, '{}')",
            serde_json::json!({
                "actor": s.person("carol"),
                "channel": s.channel("soc-setup"),
                "words": { "typed": "unfreeze" },
                "at": "2026-07-01T08:00:00Z",
            })
        );
        let mut other = sqlx::SqliteConnection::connect(s.database().unwrap().to_str().unwrap()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(forged)).execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        until_ready_says(s, "set aside", |body| body["set_aside"] == 1).await;
        let overview = s.ask("alice", "overview").await.text();
        assert!(overview.contains("⚠️ set aside, not done (") && overview.contains("inbound forged"), "{overview}");
        assert!(s.ask("bob", "freeze again").await.text().contains("frozen by @carol"));
        // A restart changes nothing about it.
        s.stop().await;
        s.start().await;
        assert!(s.ask("bob", "freeze again").await.text().contains("frozen by @carol"));
        s.stop().await;
        let verified = s.program(&["audit", "verify"]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(!verified.status.success() && said.contains("inbound forged: set aside and not done"), "{said}");
        s.start().await;
    });
}

everywhere!(an_edited_state_is_not_believed_whatever_it_says);
fn an_edited_state_is_not_believed_whatever_it_says(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.ask("carol", "freeze \"incident 42\"").await;
        s.announced("Nothing is").await;
        let id = s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        s.stop().await;
        // Thawed, and approved by one who never did.
        s.sql("UPDATE stream SET state = '{\"frozen\":null}' WHERE id LIKE 'control/%'").await;
        s.sql("UPDATE stream SET state = replace(state, '\"requested\"', '\"approved\"') WHERE id LIKE 'approval/%'")
            .await;
        s.start().await;
        until_ready_says(s, "set aside", |body| body["set_aside"] == 2).await;
        let told = s.ask("bob", &format!("approve {id}")).await.text();
        assert!(told.starts_with("What is stored of this cannot be read, or is not what I stored"), "{told}");
        assert_eq!(invited(s, "ana@nimbus.example"), 0);
        s.stop().await;
        let verified = s.program(&["audit", "verify"]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        for says in ["control/execution: the state:", "approval/"] {
            assert!(said.contains(says), "{said}");
        }
        s.start().await;
    });
}
