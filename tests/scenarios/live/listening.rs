//! The LiveAPI: the client and the embedded Sekoia, and all that goes wrong between them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use sekoia_chatops::pace::Rank;
use sekoia_chatops::sandbox::world::AlertStatus;
use sekoia_chatops::sandbox::{AlertChange, Fault, FaultKind, LiveFault, NewAlert, Options};
use sekoia_chatops::sekoia::live::{Live, LiveFrame, LiveTiming, Lost};
use sekoia_chatops::sekoia::{AlertDate, AlertQuery};
use serde_json::Value;

use super::{LONG, QUICK, Served, until};

fn said(frame: &LiveFrame) -> Value {
    serde_json::from_str(frame.attributes.get()).unwrap()
}

fn about(frame: &LiveFrame) -> String {
    said(frame)["uuid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_changes_at_sekoia_is_told() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.connected().await;
    let alert = sekoia.sandbox.raise_alert(&NewAlert { urgency: Some(90), ..NewAlert::default() });
    let frame = live.frame().await;
    assert_eq!((frame.kind.as_str(), frame.action.as_str()), ("alert", "created"));
    assert_eq!(said(&frame)["short_id"], alert.short_id.as_str());
    assert_eq!(frame.community, Some(sekoia.root().to_string()));
    assert!(frame.uuid.is_some() && frame.created_at.is_some());

    assert!(sekoia.sandbox.update_alert(alert.uuid, AlertChange::Status(AlertStatus::Acknowledged)));
    let frame = live.frame().await;
    assert_eq!(frame.action, "updated");
    assert_eq!(said(&frame)["updated"]["status_name"], "Acknowledged");
    assert!(sekoia.sandbox.update_alert(alert.uuid, AlertChange::Urgency(99)));
    assert_eq!(said(&live.frame().await)["updated"]["dynamic_urgency_value"], 99);
    assert!(sekoia.sandbox.comment_alert(alert.uuid, "Looks bad", "Marc"));
    let frame = live.frame().await;
    assert_eq!((frame.kind.as_str(), said(&frame)["content"].as_str()), ("alert-comment", Some("Looks bad")));
    let case = sekoia.sandbox.open_case(alert.uuid, "Break-in").unwrap();
    assert_eq!(said(&live.frame().await)["title"], "Break-in");
    assert_eq!(live.frame().await.action, "alerts-updated");
    assert!(sekoia.sandbox.tag_case(case.uuid, &["night"]));
    assert_eq!(said(&live.frame().await)["updated"]["tags"][0], "night");
    // Each came in version 1 before.
    assert_eq!((live.counts.events(), live.counts.skipped(), live.counts.garbage()), (7, 7, 0));
}

#[tokio::test]
async fn a_key_that_is_not_good_is_refused_and_tried_again_rarely() {
    let sekoia = Served::new(Options::default()).await;
    for token in ["expired", "revoked"] {
        let slow = LiveTiming { refused_wait: Duration::from_mins(10), ..QUICK };
        let mut live = sekoia.listen(token, slow, 16);
        let (why, retry_in) = live.lost().await;
        assert_eq!(why, Lost::Refused { status: 401 });
        assert!(retry_in >= Duration::from_mins(10), "{retry_in:?}");
        assert!(why.advice().contains("SEKOIA_API_KEY"));
        live.stop.cancel();
        tokio::time::timeout(LONG, live.task).await.expect("a stop does not wait").unwrap();
    }
    let calls = sekoia.sandbox.calls();
    assert_eq!(calls.iter().map(|call| (call.path.as_str(), call.status)).collect::<Vec<_>>(), [("/live/", 401); 2]);
    assert_eq!(sekoia.sandbox.listeners(), (0, 0));
    let secret = "sandbox-secret-of-the-key";
    let live = Live::new("wss://app.sekoia.io/live/".parse().unwrap(), SecretString::from(secret));
    assert!(!format!("{live:?}").contains(secret));
}

#[tokio::test]
async fn whatever_it_answers_it_is_tried_again() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.listen("admin", QUICK, 16);
    live.connected().await;
    for (code, why) in [
        (401, Lost::Refused { status: 401 }),
        (403, Lost::Refused { status: 403 }),
        (429, Lost::Limited),
        (503, Lost::Failed { status: 503 }),
        (302, Lost::Failed { status: 302 }),
        (200, Lost::Failed { status: 200 }),
    ] {
        let refusal = FaultKind::Status { code, retry_after: None, body: None };
        sekoia.sandbox.faults().add(Fault::new(refusal).on("/live").times(2));
        sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(LiveFault::Cut)).times(1));
        let reasons = live.back().await;
        assert_eq!(reasons, [Lost::Closed { code: None }, why.clone(), why], "{code}");
    }
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Reset).on("/live").times(1));
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(LiveFault::Deny)).times(1));
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(LiveFault::Close)).times(1));
    let reasons = live.back().await;
    assert_eq!(reasons[0], Lost::Closed { code: Some(1012) });
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert_eq!(reasons[2], Lost::Refused { status: 401 });
    sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(live.frame().await.kind, "alert");
}

#[tokio::test]
async fn a_connection_that_stalls_is_given_up() {
    let sekoia = Served::new(Options::default()).await;
    let watchful = LiveTiming { ping: Duration::from_millis(100), pong: Duration::from_secs(3), ..QUICK };
    let mut live = sekoia.listen("admin", watchful, 16);
    live.connected().await;
    let stall = sekoia.live_fault(LiveFault::Stall);
    // In the middle, and then from the beginning.
    assert_eq!(live.lost().await.0, Lost::Stalled);
    assert_eq!(live.lost().await.0, Lost::Stalled);
    sekoia.sandbox.faults().remove(&stall.kind);
    live.back().await;
    sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(live.frame().await.kind, "alert");
}

#[tokio::test]
async fn garbage_is_counted_and_what_follows_it_is_read() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.connected().await;
    for fault in [LiveFault::Garbage, LiveFault::Binary] {
        sekoia.live_fault(fault);
    }
    let alert = sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(about(&live.frame().await), alert.uuid.to_string());
    assert_eq!((live.counts.garbage(), live.counts.connections()), (2, 1));
}

#[tokio::test]
async fn ten_megabytes_end_the_connection_and_what_was_lost_is_asked_for() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.connected().await;
    let from = Timestamp::now() - SignedDuration::from_secs(5);
    sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(LiveFault::Huge)).times(1));
    let alert = sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(live.back().await, [Lost::TooLarge]);
    let to = Timestamp::now() + SignedDuration::from_hours(1);
    let query = AlertQuery { community: sekoia.root(), by: AlertDate::Created, from, to, beyond: from };
    let missed = sekoia.client().alerts(&query, 1_000, Rank::Person).await.unwrap();
    assert_eq!(missed.alerts.iter().map(|a| a.uuid.clone()).collect::<Vec<_>>(), [alert.uuid.to_string()]);
    let next = sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(about(&live.frame().await), next.uuid.to_string());
}

#[tokio::test]
async fn old_frames_gaps_doubles_and_disorder_come_as_they_are() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.connected().await;
    let raise = || sekoia.sandbox.raise_alert(&NewAlert::default()).uuid.to_string();
    let once = |fault| sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(fault)).times(1));
    let played = || sekoia.sandbox.faults().list().is_empty();
    once(LiveFault::Old);
    raise();
    until("an old frame is skipped", || live.counts.skipped() == 1).await;
    once(LiveFault::Drop);
    raise();
    until("an event is dropped", played).await;

    once(LiveFault::Twice);
    let doubled = raise();
    let (first, second) = (live.frame().await, live.frame().await);
    assert_eq!((about(&first), about(&second)), (doubled.clone(), doubled));
    assert_eq!(first.uuid, second.uuid);

    once(LiveFault::Swap);
    let (one, two) = (raise(), raise());
    assert_eq!([about(&live.frame().await), about(&live.frame().await)], [two, one]);
}

#[tokio::test]
async fn a_restart_of_sekoia_is_waited_for() {
    let sekoia = Served::new(Options::default()).await;
    let address = sekoia.address.clone();
    let mut live = sekoia.connected().await;
    let sandbox = sekoia.stop().await;
    assert!(matches!(live.lost().await.0, Lost::Closed { .. }));
    assert_eq!(live.lost().await.0, Lost::Unreachable);
    // Nor does a server without TLS stop whoever expects one that has it.
    let sekoia = Served::at(&address, sandbox).await;
    live.back().await;
    sekoia.sandbox.raise_alert(&NewAlert::default());
    assert_eq!(live.frame().await.kind, "alert");
    let mut secure = sekoia.listen_at("wss", "admin", QUICK, 16);
    assert_eq!(secure.lost().await.0, Lost::Unreachable);
}

#[tokio::test]
async fn a_slow_listener_gets_all_of_a_storm_in_order() {
    let sekoia = Served::new(Options::default()).await;
    let mut live = sekoia.listen("admin", QUICK, 1);
    live.connected().await;
    let raised = sekoia.sandbox.storm(None, 2_000);
    for (number, alert) in raised.iter().enumerate() {
        if number % 500 == 0 {
            // Longer than a ping.
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        assert_eq!(about(&live.frame().await), alert.to_string());
    }
    assert_eq!(live.counts.connections(), 1);
}

#[tokio::test]
async fn a_stop_ends_the_connection() {
    let sekoia = Served::new(Options::default()).await;
    let live = sekoia.connected().await;
    assert_eq!(sekoia.sandbox.listeners(), (1, 1));
    live.stop.cancel();
    tokio::time::timeout(LONG, live.task).await.expect("a stop does not wait").unwrap();
    until("nobody listens", || sekoia.sandbox.listeners() == (0, 1)).await;
    // Whoever takes nothing any more ends it too.
    let mut live = sekoia.listen("admin", QUICK, 1);
    live.connected().await;
    drop(live.events);
    sekoia.sandbox.raise_alert(&NewAlert::default());
    tokio::time::timeout(LONG, live.task).await.expect("nobody listens").unwrap();
}
