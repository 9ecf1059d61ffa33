//! The LiveAPI: Sekoia tells what changed, instead of being asked.
//!
//! It is a WebSocket that Sekoia's own triggers use. It promises nothing, so what it says is a hint,
//! and whoever listens asks for the time in between after each [`LiveEvent::Connected`]: that event
//! comes when Sekoia has read the request for events, not when the connection stands.

mod connection;
mod frame;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::RngExt;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::pace::retry::waits;
pub use frame::LiveFrame;

use crate::resolve::network::Dialer;
use crate::resolve::proxy::ProxyFault;

/// What whoever listens is told.
#[derive(Debug, Clone)]
pub enum LiveEvent {
    /// From now on events come; those from before must be asked for.
    Connected,
    Frame(LiveFrame),
    /// Nothing comes until the next `Connected`.
    Lost {
        why: Lost,
        retry_in: Duration,
    },
}

/// Why nothing comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("Sekoia's LiveAPI could not be reached")]
    Unreachable,
    #[error("Sekoia's LiveAPI could not be reached: {0}")]
    Proxy(ProxyFault),
    #[error("Sekoia's LiveAPI does not accept the bot's API key ({status})")]
    Refused { status: u16 },
    #[error("Sekoia's LiveAPI asks to slow down (429)")]
    Limited,
    #[error("Sekoia's LiveAPI failed ({status})")]
    Failed { status: u16 },
    #[error("Sekoia's LiveAPI stopped answering")]
    Stalled,
    #[error("Sekoia's LiveAPI closed the connection{}", code.map(|code| format!(" ({code})")).unwrap_or_default())]
    Closed { code: Option<u16> },
    #[error("Sekoia's LiveAPI sent more than 1 MiB at once")]
    TooLarge,
    #[error("Sekoia's LiveAPI told nothing for a day")]
    Quiet,
    #[error("Sekoia's LiveAPI broke the protocol")]
    Broken,
}

impl Lost {
    /// What to do about it.
    pub fn advice(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Proxy(fault) => return fault.advice().into(),
            Self::Refused { .. } => {
                "Check SEKOIA_API_KEY, SEKOIA_REGION and SEKOIA_LIVE_URL; until then the bot asks Sekoia instead of listening."
            }
            Self::Unreachable => {
                "Check that SEKOIA_LIVE_URL can be reached from here as a WebSocket; the bot tries again by itself."
            }
            _ => "The bot connects again by itself and asks for what it missed.",
        })
    }
}

/// How long everything takes at most. Pings and the quiet day are those of Sekoia's own triggers;
/// their watchdog of ten minutes has nothing left to find here, because a ping without an answer
/// ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveTiming {
    /// Until the connection stands.
    pub connect: Duration,
    /// Between two pings, each of which must be answered within `pong`.
    pub ping: Duration,
    pub pong: Duration,
    /// Without an event.
    pub quiet: Duration,
    /// Before the first attempt to connect again, doubling up to `longest_wait`.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// After a refusal: nothing changes by itself, and refusals are counted by Sekoia's firewall,
    /// whose blocks last as long.
    pub refused_wait: Duration,
    /// A connection that lasted so long was a good one: waiting begins anew.
    pub stable: Duration,
}

impl Default for LiveTiming {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            pong: Duration::from_secs(5),
            quiet: Duration::from_hours(24),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(2),
            refused_wait: Duration::from_mins(10),
            stable: Duration::from_mins(1),
        }
    }
}

/// How much came, of what.
#[derive(Debug, Default)]
pub struct LiveCounts {
    events: AtomicU64,
    skipped: AtomicU64,
    garbage: AtomicU64,
    connections: AtomicU64,
}

impl LiveCounts {
    /// Events in version 2.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Frames of other versions.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Frames that could not be read, or were too large.
    pub fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
    }

    /// Connections that brought or could have brought events.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// The listener. Its address must be one that may receive the key.
pub struct Live {
    url: Url,
    key: SecretString,
    timing: LiveTiming,
    counts: Arc<LiveCounts>,
    dialer: Dialer,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("url", &self.url.as_str()).field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Live {
    pub fn new(url: Url, key: SecretString) -> Self {
        Self { url, key, timing: LiveTiming::default(), counts: Arc::default(), dialer: Dialer::default() }
    }

    /// With connections that are made so.
    #[must_use]
    pub fn through(mut self, dialer: Dialer) -> Self {
        self.dialer = dialer;
        self
    }

    #[must_use]
    pub fn with_timing(mut self, timing: LiveTiming) -> Self {
        self.timing = timing;
        self
    }

    pub fn counts(&self) -> Arc<LiveCounts> {
        Arc::clone(&self.counts)
    }

    /// Listens until `stop`, or until nobody takes what comes. While `out` is full nothing is read:
    /// Sekoia keeps it or ends the connection, and then it is asked for.
    pub async fn run(self, out: mpsc::Sender<LiveEvent>, stop: CancellationToken) {
        // Dropping a connection ends it.
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.listen(&out) => {}
        }
    }

    async fn listen(&self, out: &mpsc::Sender<LiveEvent>) {
        let mut backoff = self.backoff();
        loop {
            let mut connected = None;
            let Some(why) = self.connection(out, &mut connected).await else { return };
            if connected.is_some_and(|since: Instant| since.elapsed() >= self.timing.stable) {
                backoff = self.backoff();
            }
            let retry_in = match why {
                Lost::Refused { .. } | Lost::Limited => {
                    self.timing.refused_wait.mul_f64(rand::rng().random_range(1.0..1.2))
                }
                _ => backoff.next().unwrap_or(self.timing.longest_wait),
            };
            if connected.is_some() {
                info!(%why, seconds = retry_in.as_secs(), "the LiveAPI is lost; connecting again");
            } else {
                warn!(%why, seconds = retry_in.as_secs(), "the LiveAPI cannot be listened to");
            }
            if out.send(LiveEvent::Lost { why, retry_in }).await.is_err() {
                return;
            }
            tokio::time::sleep(retry_in).await;
        }
    }

    fn backoff(&self) -> impl Iterator<Item = Duration> + use<> {
        waits(self.timing.first_wait, self.timing.longest_wait)
    }
}
