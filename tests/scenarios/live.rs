//! What happens at the embedded Sekoia, and how the client learns of it: over real sockets.

mod listening;
mod lists;
mod reads;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sandbox::{self, Fault, FaultKind, LiveFault, Options, Sandbox};
use sekoia_chatops::sekoia::live::{Live, LiveCounts, LiveEvent, LiveFrame, LiveTiming, Lost};
use sekoia_chatops::sekoia::{Region, Sekoia, Site};
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
        let base: url::Url = format!("http://{}", self.address).parse().unwrap();
        let site = Site { region: Region::Fra1, app: base.clone(), api: base };
        Sekoia::new(site, key, vec![], &Network::default()).unwrap()
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

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
