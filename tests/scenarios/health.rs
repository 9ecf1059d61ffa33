//! When the process says that it is ready, and why it is not.

use std::time::{Duration, Instant};

use sekoia_chatops::sandbox::{Fault, FaultKind};
use sekoia_chatops::timing::{Reach, Timing};
use serde_json::Value;

use crate::harness::{Call, ChatFault, Platform, QUICK, Setting, Stage, on_both, run};

const LONG: Duration = Duration::from_secs(30);

/// Platforms are asked all the time, and given up soon.
fn impatient(given_up_after: Duration) -> Setting {
    let reach = Reach { asked_every: Duration::from_millis(50), given_up_after };
    Setting { timing: Timing { reach, ..QUICK }, durable: true, file: true, ..Setting::default() }
}

/// The status of `/readyz`, and its body.
async fn ready(s: &Stage) -> (u16, Value) {
    let answer = s.http.get(format!("http://{}/readyz", s.address())).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn until(s: &Stage, what: &str, so: impl Fn(u16, &Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (status, body) = ready(s).await;
        if so(status, &body) {
            return body;
        }
        assert!(began.elapsed() < LONG, "never: {what}: {status} {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn unreachable(s: &Stage) {
    for _ in 0..2_000 {
        s.chat.fault(Call::Check, ChatFault::Fails);
    }
}

#[test]
fn a_store_that_takes_no_write_is_the_reason() {
    run(Platform::Slack, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        until(s, "ready", |status, body| status == 200 && body["store"] == "ok").await;
        s.sql(
            "CREATE TRIGGER full BEFORE INSERT ON probe BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        let body = until(s, "not ready", |status, _| status == 503).await;
        let since = body["since"]["store"].as_str().expect("an instant");
        assert_eq!(body["reason"], format!("the store has not taken a write since {since}"));
        assert_eq!(body["status"], "failing");
        // The process takes requests all the same.
        let alive = s.http.get(format!("http://{}/healthz", s.address())).send().await.unwrap();
        assert_eq!((alive.status().as_u16(), alive.text().await.unwrap()), (200, "ok".to_owned()));
        s.sql("DROP TRIGGER full").await;
        let body = until(s, "ready again", |status, _| status == 200).await;
        assert!(body.get("reason").is_none() && body["status"] == "ok", "{body}");
    });
}

on_both!(a_chat_that_is_gone_for_long_is_the_reason);
fn a_chat_that_is_gone_for_long_is_the_reason(on: Platform) {
    run(on, impatient(Duration::from_millis(600)), async |s| {
        s.set_up().await;
        let name = s.chat.platform().prefix();
        until(s, "a chat that is well", |status, body| status == 200 && body[name] == "ok").await;
        unreachable(s);
        let began = Instant::now();
        let body = until(s, "not ready", |status, _| status == 503).await;
        assert!(began.elapsed() >= Duration::from_millis(600), "not at once");
        let since = body["since"][name].as_str().expect("an instant");
        assert_eq!(body["reason"], format!("{name} could not be reached since {since}"));
        s.chat.mend();
        until(s, "ready again", |status, body| status == 200 && body[name] == "ok").await;
    });
}

on_both!(a_chat_that_is_gone_for_a_moment_is_no_reason);
fn a_chat_that_is_gone_for_a_moment_is_no_reason(on: Platform) {
    run(on, impatient(Duration::from_hours(1)), async |s| {
        s.set_up().await;
        let name = s.chat.platform().prefix();
        unreachable(s);
        let body = until(s, "a chat that fails", |_, body| body[name] == "failing").await;
        assert_eq!((ready(s).await.0, &body["status"]), (200, &Value::from("ok")));
        s.chat.mend();
    });
}

#[test]
fn one_platform_of_two_is_enough() {
    let both = Setting { beside: Some(Platform::Mattermost), ..impatient(Duration::ZERO) };
    run(Platform::Slack, both, async |s| {
        s.set_up().await;
        unreachable(s);
        until(s, "Slack is gone", |status, body| status == 200 && body["slack"] == "failing").await;
        s.go_to_the_other();
        unreachable(s);
        let body = until(s, "both are gone", |status, _| status == 503).await;
        let reason = body["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("slack and mattermost could not be reached since 20"), "{reason}");
        s.chat.mend();
        until(s, "Mattermost is back", |status, body| status == 200 && body["slack"] == "failing").await;
        s.go_to_the_other();
        s.chat.mend();
    });
}

#[test]
fn without_sekoia_the_bot_can_still_answer() {
    run(Platform::Slack, Setting { durable: true, file: true, ..Setting::default() }, async |s| {
        s.set_up().await;
        s.stop().await;
        s.sekoia.faults().add(Fault::new(FaultKind::Reset));
        s.start().await;
        let body = until(s, "Sekoia is down", |_, body| body["sekoia"] == "failing").await;
        assert_eq!((ready(s).await.0, &body["status"]), (200, &Value::from("ok")));
        assert!(s.ask("dan", "status").await.text().contains("0 of 7 done"));
        s.sekoia.faults().clear();
    });
}
