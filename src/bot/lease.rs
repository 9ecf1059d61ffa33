//! What only one of several processes on one store does: it says what is due, plans and sends
//! digests, looks again at what is done, under a lease. Commands and their answers, and calls that
//! were approved, are every process's own.
//!
//! Whoever takes the lease looks up what may have been said before it: the one that had it may
//! have ended between a post and its record.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Bot;

/// What the lease is called.
const LEASE: &str = "duty";

pub(super) struct Lease {
    holder: String,
    held: Mutex<Option<Held>>,
}

/// Since when, and until when, nobody else does it: until the clock says so, or so much time has
/// passed, whichever comes first. A clock that is set back makes no lease longer.
#[derive(Clone, Copy)]
struct Held {
    since: Timestamp,
    until: Timestamp,
    at_most: Instant,
}

impl Lease {
    pub fn new() -> Self {
        Self { holder: format!("{:016x}", rand::random::<u64>()), held: Mutex::new(None) }
    }

    /// Since when this process alone says what is due; none if it does not.
    pub fn since(&self) -> Option<Timestamp> {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.filter(|held| Timestamp::now() < held.until && Instant::now() < held.at_most).map(|held| held.since)
    }

    fn hold(&self, until: Option<(Timestamp, Instant)>) {
        let since = self.since().unwrap_or_else(Timestamp::now);
        let held = until.map(|(until, at_most)| Held { since, until, at_most });
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Bot {
    /// Since when this process alone says what is due; none if it does not.
    pub(super) fn on_duty(&self) -> Option<Timestamp> {
        self.outbox.duty.since()
    }

    /// Takes the duty when nobody has it, and keeps it until it is dropped.
    pub(super) async fn keep_duty(&self) {
        // Shorter than that of the watch: after a crash people wait for it.
        let lease = self.rhythm().lease / 3;
        loop {
            let before = self.on_duty().is_some();
            let held = self.ask_for_duty(lease).await;
            match (before, held) {
                (false, true) => {
                    info!("this process says what is due");
                    self.outbox.wake();
                }
                (true, false) => warn!("another process says what is due now"),
                _ => {}
            }
            tokio::time::sleep(if held { lease / 3 } else { lease / 10 }).await;
        }
    }

    /// The next one need not wait for the end of the lease.
    pub(super) async fn leave_duty(&self) {
        if self.on_duty().is_some() {
            self.outbox.duty.hold(None);
            let now = Timestamp::now();
            if let Err(error) = self.sessions.store().lease(LEASE, &self.outbox.duty.holder, now, now).await {
                warn!(%error, "the lease of the duty is left to lapse");
            }
        }
    }

    async fn ask_for_duty(&self, lease: Duration) -> bool {
        let now = Timestamp::now();
        let (until, at_most) = (now + lease, Instant::now() + lease);
        match self.sessions.store().lease(LEASE, &self.outbox.duty.holder, now, until).await {
            Ok(held) => {
                self.outbox.duty.hold(held.then_some((until, at_most)));
                held
            }
            Err(error) => {
                warn!(%error, "the lease of the duty could not be asked for");
                // It lapses by itself.
                self.on_duty().is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_the_clock_or_by_the_time_that_passed_whichever_comes_first() {
        let (now, began, hour) = (Timestamp::now(), Instant::now(), Duration::from_hours(1));
        let duty = Lease::new();
        let on_duty = |until, at_most| {
            duty.hold(Some((until, at_most)));
            duty.since().is_some()
        };
        assert!(on_duty(now + hour, began + hour));
        // All of its time passed, and the clock was set back meanwhile.
        assert!(!on_duty(now + hour, began));
        assert!(!on_duty(now, began + hour));
        duty.hold(None);
        assert_eq!(duty.since(), None);
    }

    #[test]
    fn what_is_kept_began_once_and_what_lapsed_begins_anew() {
        let (now, began, hour) = (Timestamp::now(), Instant::now(), Duration::from_hours(1));
        let duty = Lease::new();
        duty.hold(Some((now + hour, began + hour)));
        let since = duty.since();
        duty.hold(Some((now + hour * 2, began + hour * 2)));
        assert_eq!(duty.since(), since);
        duty.hold(Some((now + hour, began)));
        duty.hold(Some((now + hour, began + hour)));
        assert!(duty.since() > since, "another process may have had it");
    }
}
