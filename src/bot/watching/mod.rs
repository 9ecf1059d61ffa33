//! The watch over Sekoia: what happens there, as far as some channel's rules wait for it.
//!
//! One process watches, under a lease in the store; another one takes over when that lapses. What
//! Sekoia tells live, or by a webhook, is a hint: the lists are read for what it was. What a source
//! reports, the messages that follow and how far the source was read are one commit, so that a
//! crash between any two instructions neither loses nor doubles anything.

mod alerts;
mod batch;
mod connectors;
mod firing;
mod hints;
mod listening;
mod playbooks;
mod polling;
mod scope;
mod silence;
mod source;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Bot;
use super::lease::{Lease, WATCH};
use crate::sekoia::live::{Live, LiveTiming};
use crate::state::rule_health::Live as Listening;
use crate::timing::Rhythm;
use crate::timing::watching::LAST_WORDS;

pub(super) use batch::Batch;
pub(super) use scope::Scoped;
pub(super) use source::notify_alert;

/// Watches while it has the lease.
pub struct Watcher {
    bot: Arc<Bot>,
    /// Makes a listener, one after the other.
    live: Box<dyn Fn() -> Live + Send + Sync>,
    lease: Lease,
}

impl Watcher {
    pub fn new(bot: Arc<Bot>, live: impl Fn() -> Live + Send + Sync + 'static) -> Self {
        Self { bot, live: Box::new(live), lease: Lease::new(WATCH) }
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let rhythm = self.bot.rhythm();
        if !rhythm.on {
            return;
        }
        let (store, length) = (&**self.bot.sessions.store(), rhythm.lease);
        while !stop.is_cancelled() {
            if let Some(since) = self.lease.ask(store, length).await {
                info!("this process watches Sekoia");
                let lost = stop.child_token();
                tokio::select! {
                    // Whatever it was doing ends there: commits are whole or not at all.
                    () = self.lease.keep(store, length) => warn!("another process may watch Sekoia now"),
                    () = self.lease.guard(store, self.watch(since, &lost)) => {}
                    () = stop.cancelled() => {
                        // What is on record already is said before the process ends.
                        let rest = self.lease.guard(store, self.bot.send_rest_of_feed());
                        if tokio::time::timeout(LAST_WORDS, rest).await.is_err() {
                            warn!("the process that watches next posts what is left");
                        }
                    }
                }
                lost.cancel();
                self.bot.notifications.health.live(Listening::Off);
            }
            tokio::select! {
                () = tokio::time::sleep(length / 10) => {}
                () = stop.cancelled() => {}
            }
        }
        self.lease.give_back(store).await;
    }

    async fn watch(&self, since: Timestamp, lost: &CancellationToken) {
        let live = (self.live)().with_timing(live_timing(self.bot.rhythm()));
        tokio::join!(self.bot.listen(live, lost), self.bot.poll(), self.bot.send_feed(since));
    }
}

impl Bot {
    pub(super) fn rhythm(&self) -> Rhythm {
        self.timing.watch
    }
}

/// The usual waits in this rhythm; an answer to a ping has the time that a busy machine needs.
fn live_timing(rhythm: Rhythm) -> LiveTiming {
    let usual = LiveTiming::default();
    let least = |time: Duration, least: u64| rhythm.of(time).max(Duration::from_millis(least)).min(time);
    LiveTiming {
        connect: usual.connect,
        ping: least(usual.ping, 200),
        pong: least(usual.pong, 2_000),
        quiet: usual.quiet,
        first_wait: least(usual.first_wait, 20),
        longest_wait: least(usual.longest_wait, 100),
        refused_wait: least(usual.refused_wait, 100),
        stable: usual.stable,
    }
}
