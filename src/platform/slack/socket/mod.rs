//! Socket Mode: Slack's requests come over WebSockets that the bot opens, so that nothing has to reach the
//! bot from outside.
//!
//! Two connections stand at the same time, so that one can be replaced without a gap. What comes in is
//! handed over at once: a slow command holds up neither the next one nor its own acknowledgement.

mod connection;
mod envelope;
mod open;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::handle::Slack;
use crate::resolve::network::Dialer;
use crate::telemetry::Metrics;
use crate::timing::SocketModeTiming;
use connection::{Connection, Happened};
pub use open::{Down, Opener};

/// Connections that stand at the same time; Slack allows 10 an app.
const WANTED: usize = 2;
/// Envelopes that are being taken at the same time. Beyond it, something hangs and everybody asks.
const MOST: usize = 1_000;

/// How the connections are doing, for health checks.
#[derive(Debug, Default)]
pub struct Sockets {
    standing: AtomicUsize,
    down: Mutex<Option<Down>>,
}

impl Sockets {
    /// Connections on which something may come in now.
    pub fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    /// Why there are none; none if there are, or if it was not tried yet.
    pub fn down(&self) -> Option<Down> {
        if self.standing() > 0 {
            return None;
        }
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why the last one is missing, or that none is; what it was before.
    fn note(&self, why: Option<&Down>) -> Option<Down> {
        std::mem::replace(&mut *self.down.lock().unwrap_or_else(PoisonError::into_inner), why.cloned())
    }
}

/// Listens to Slack.
pub struct SocketMode {
    shared: Arc<Shared>,
    opener: Arc<Opener>,
    sockets: Arc<Sockets>,
}

/// What every connection needs.
struct Shared {
    slack: Arc<Slack>,
    dialer: Dialer,
    timing: SocketModeTiming,
    /// What goes on after its envelope was acknowledged; a stop waits for it.
    tasks: TaskTracker,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// A connection from outside.
struct Standing {
    since: Instant,
    /// It is to be replaced, and serves until then.
    retiring: bool,
    /// Ends it, some time after it was replaced.
    replaced: CancellationToken,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Connection, Down>> + Send + 'a>>;

impl SocketMode {
    pub fn new(
        slack: Arc<Slack>,
        opener: Arc<Opener>,
        dialer: Dialer,
        sockets: Arc<Sockets>,
        timing: SocketModeTiming,
        tasks: TaskTracker,
        metrics: Arc<Metrics>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(MOST));
        let shared = Shared { slack, dialer, timing, tasks, room, metrics };
        Self { shared: Arc::new(shared), opener, sockets }
    }

    /// Listens until `stop`; then what was taken is acknowledged, and every connection is closed.
    pub async fn run(self, stop: CancellationToken) {
        let timing = self.shared.timing;
        let (happened, mut events) = mpsc::channel(16);
        let connections = TaskTracker::new();
        let mut standing: HashMap<u64, Standing> = HashMap::new();
        let mut opening: Option<Opening<'_>> = None;
        let (mut backoff, mut not_before, mut next_id) = (self.backoff(), Instant::now(), 0_u64);
        loop {
            let serving = standing.values().filter(|one| !one.retiring).count();
            if opening.is_none() && serving < WANTED {
                opening = Some(Box::pin(self.open(not_before)));
            }
            tokio::select! {
                () = stop.cancelled() => break,
                opened = async { opening.as_mut().expect("only polled while it is there").await }, if opening.is_some() => {
                    opening = None;
                    match opened {
                        Ok(connection) => {
                            next_id += 1;
                            let replaced = CancellationToken::new();
                            let one = Standing { since: Instant::now(), retiring: false, replaced: replaced.clone() };
                            standing.insert(next_id, one);
                            match self.sockets.standing.fetch_add(1, Ordering::Relaxed) {
                                0 => info!("listening to Slack by Socket Mode"),
                                _ => drop(self.sockets.note(None)),
                            }
                            let (id, happened, stop) = (next_id, happened.clone(), stop.clone());
                            connections.spawn(connection.serve(id, happened, replaced, stop));
                            // The oldest of those that asked for it has a successor now.
                            let oldest = standing.values().filter(|one| one.retiring && !one.replaced.is_cancelled());
                            if let Some(oldest) = oldest.min_by_key(|one| one.since) {
                                oldest.replaced.cancel();
                            }
                        }
                        Err(why) => not_before = self.put_off(&why, &mut backoff),
                    }
                }
                Some((id, event)) = events.recv() => match event {
                    Happened::Retiring => {
                        if let Some(one) = standing.get_mut(&id) {
                            one.retiring = true;
                        }
                    }
                    Happened::Gone(why) => {
                        let Some(one) = standing.remove(&id) else { continue };
                        self.sockets.standing.fetch_sub(1, Ordering::Relaxed);
                        if one.since.elapsed() >= timing.stable {
                            backoff = self.backoff();
                        }
                        // One that was replaced ends as it should.
                        if let Some(why) = why.filter(|_| !one.replaced.is_cancelled()) {
                            not_before = not_before.max(self.put_off(&why, &mut backoff));
                        }
                    }
                },
            }
        }
        // What a connection still has to say is not to wait for a listener.
        drop(events);
        connections.close();
        connections.wait().await;
    }

    /// Notes and logs why there is a connection less; when it is tried again.
    fn put_off(&self, why: &Down, backoff: &mut impl Iterator<Item = Duration>) -> Instant {
        let timing = self.shared.timing;
        let wait = match why {
            Down::Limited(wait) => *wait,
            // Nothing changes by itself.
            why if why.is_for_good() => timing.refused_wait,
            Down::SwitchedOff | Down::TooMany | Down::Elsewhere => timing.refused_wait,
            _ => backoff.next().unwrap_or(timing.longest_wait),
        };
        let again = self.sockets.note(Some(why)).as_ref() == Some(why);
        let (standing, seconds) = (self.sockets.standing(), wait.as_secs_f32());
        // That a connection ends is usual; what an administrator has to see to is not.
        let usual = matches!(why, Down::Closed | Down::Silent(_)) && standing > 0;
        if again || usual {
            info!(%why, standing, seconds, "a Socket Mode connection is missing; connecting again");
        } else if why.is_for_good() {
            error!(%why, standing, seconds, "a Socket Mode connection is missing. {}", why.advice());
        } else {
            warn!(%why, standing, seconds, "a Socket Mode connection is missing. {}", why.advice());
        }
        Instant::now() + wait
    }

    /// Opens a connection, and waits for Slack's hello.
    async fn open(&self, not_before: Instant) -> Result<Connection, Down> {
        tokio::time::sleep_until(not_before).await;
        let ticket = self.opener.ticket().await?;
        Connection::open(&self.shared, ticket).await
    }

    fn backoff(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_min_delay(self.shared.timing.first_wait)
            .with_max_delay(self.shared.timing.longest_wait)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build()
    }
}
