//! The LiveAPI: the client and the embedded Sekoia over a real socket, and all that goes wrong.

mod reads;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use sekoia_chatops::pace::Rank;
use sekoia_chatops::sandbox::{
    self, AlertChange, Fault, FaultKind, LiveFault, NewAlert, Options, Sandbox, world::AlertStatus,
};
use sekoia_chatops::sekoia::live::{Live, LiveCounts, LiveEvent, LiveFrame, LiveTiming, Lost};
use sekoia_chatops::sekoia::{AlertDate, AlertQuery, Region, Sekoia};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that works, on a machine that does other things too.
const LONG: Duration = Duration::from_mins(1);

/// As in earnest, for those who cannot wait minutes. Answers to pings may still be late.
const QUICK: LiveTiming = LiveTiming {
    connect: Duration::from_secs(20),
    ping: Duration::from_millis(300),
    pong: Duration::from_secs(20),
    quiet: Duration::from_hours(24),
    first_wait: Duration::from_millis(50),
    longest_wait: Duration::from_millis(400),
    refused_wait: Duration::from_millis(200),
    stable: Duration::from_mins(1),
};

/// An embedded Sekoia with an address.
struct Served {
    sandbox: Arc<Sandbox>,
    address: String,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn new(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::at("127.0.0.1:0", Sandbox::new(options, Timestamp::now())).await
    }

    async fn at(address: &str, sandbox: Arc<Sandbox>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let task = tokio::spawn(sandbox::serve(listener, Arc::clone(&sandbox), stop.clone().cancelled_owned()));
        Self { sandbox, address, stop, task }
    }

    /// Stops it as a restart does; the world stays.
    async fn stop(self) -> Arc<Sandbox> {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.sandbox
    }

    fn client(&self) -> Sekoia {
        let key = SecretString::from(self.sandbox.token("admin").to_owned());
        Sekoia::new(Region::Fra1, format!("http://{}", self.address).parse().unwrap(), key, vec![]).unwrap()
    }

    fn root(&self) -> uuid::Uuid {
        self.sandbox.edit(|world| world.root)
    }

    fn live_fault(&self, fault: LiveFault) -> Fault {
        let fault = Fault::new(FaultKind::Live(fault));
        self.sandbox.faults().add(fault.clone());
        fault
    }

    /// Listens with the key of that name.
    fn listen(&self, token: &str, timing: LiveTiming, room: usize) -> Listener {
        self.listen_at("ws", token, timing, room)
    }

    fn listen_at(&self, scheme: &str, token: &str, timing: LiveTiming, room: usize) -> Listener {
        let url = format!("{scheme}://{}/live/", self.address).parse().unwrap();
        let live = Live::new(url, SecretString::from(self.sandbox.token(token).to_owned())).with_timing(timing);
        let (out, events) = mpsc::channel(room);
        let (counts, stop) = (live.counts(), CancellationToken::new());
        let task = tokio::spawn(live.run(out, stop.clone()));
        Listener { events, counts, stop, task }
    }

    /// Listens, and is connected.
    async fn connected(&self) -> Listener {
        let mut listener = self.listen("admin", QUICK, 16);
        listener.connected().await;
        listener
    }
}

struct Listener {
    events: mpsc::Receiver<LiveEvent>,
    counts: Arc<LiveCounts>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    async fn next(&mut self) -> LiveEvent {
        tokio::time::timeout(LONG, self.events.recv()).await.expect("an event in time").expect("a listener")
    }

    async fn connected(&mut self) {
        let event = self.next().await;
        assert!(matches!(event, LiveEvent::Connected), "{event:?}");
    }

    async fn frame(&mut self) -> LiveFrame {
        match self.next().await {
            LiveEvent::Frame(frame) => frame,
            other => panic!("no frame but {other:?}"),
        }
    }

    async fn lost(&mut self) -> (Lost, Duration) {
        match self.next().await {
            LiveEvent::Lost { why, retry_in } => (why, retry_in),
            other => panic!("not lost but {other:?}"),
        }
    }

    /// The reasons until it is connected again.
    async fn back(&mut self) -> Vec<Lost> {
        let mut why = Vec::new();
        loop {
            match self.next().await {
                LiveEvent::Lost { why: lost, .. } => why.push(lost),
                LiveEvent::Connected => return why,
                LiveEvent::Frame(frame) => panic!("{frame:?} on no connection"),
            }
        }
    }
}

fn said(frame: &LiveFrame) -> Value {
    serde_json::from_str(frame.attributes.get()).unwrap()
}

fn about(frame: &LiveFrame) -> String {
    said(frame)["uuid"].as_str().unwrap().to_owned()
}

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
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
        (429, Lost::Refused { status: 429 }),
        (503, Lost::Failed { status: 503 }),
        (302, Lost::Failed { status: 302 }),
        (200, Lost::Failed { status: 200 }),
    ] {
        let refusal = FaultKind::Status { code, retry_after: None, body: None };
        sekoia.sandbox.faults().add(Fault::new(refusal).on("/live").times(2));
        sekoia.sandbox.faults().add(Fault::new(FaultKind::Live(LiveFault::Cut)).times(1));
        let reasons = live.back().await;
        assert_eq!(reasons, [Lost::Closed { code: None }, why, why], "{code}");
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
    let query = AlertQuery { community: sekoia.root(), by: AlertDate::Created, from, to, least_urgency: None };
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
