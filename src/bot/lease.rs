//! What only one of several processes on one store does: the watch over Sekoia, and the background
//! work. Each has a lease in the store; another process takes over when it is given back or lapses.
//!
//! The process that takes a lease looks up what may have been done before it: the one that had it
//! may have ended between a post and its record.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Bot;
use crate::store::{Fence, Store, StoreError, fence};

/// The names of leases in the store. Processes of two releases run side by side on one: they stay.
pub(super) const WATCH: &str = "watch";
pub(super) const BACKGROUND: &str = "duty";

/// Something that one process has at a time.
pub(super) struct Lease {
    name: &'static str,
    holder: Arc<str>,
    held: Arc<Mutex<Option<Held>>>,
}

/// Since when, and until when, nobody else has it: until the clock says so, or so much time has
/// passed, whichever comes first. A clock that is set back makes no lease longer.
#[derive(Clone, Copy)]
struct Held {
    since: Timestamp,
    until: Timestamp,
    at_most: Instant,
}

impl Held {
    /// How long it still lasts; none if it lapsed.
    fn left(&self) -> Option<Duration> {
        let by_clock = self.until.duration_since(Timestamp::now());
        let by_clock = Duration::try_from(by_clock.max(SignedDuration::ZERO)).unwrap_or_default();
        let left = by_clock.min(self.at_most.saturating_duration_since(Instant::now()));
        (!left.is_zero()).then_some(left)
    }
}

impl Lease {
    pub fn new(name: &'static str) -> Self {
        Self { name, holder: format!("{:016x}", rand::random::<u64>()).into(), held: Arc::default() }
    }

    /// Since when this process has it; none if it does not.
    pub fn since(&self) -> Option<Timestamp> {
        self.held().filter(|held| held.left().is_some()).map(|held| held.since)
    }

    /// Runs `work` under it, where other processes may take it over: nothing is committed, and no
    /// message leaves, once one did.
    pub async fn guard<T>(&self, store: &dyn Store, work: impl Future<Output = T>) -> T {
        // A process that is alone has nobody to wait for.
        if !store.is_shared() {
            return work.await;
        }
        let fence = Fence { lease: self.name, holder: Arc::clone(&self.holder) };
        let held = Arc::clone(&self.held);
        let since = move || {
            let held = *held.lock().unwrap_or_else(PoisonError::into_inner);
            held.filter(|held| held.left().is_some()).map(|held| held.since)
        };
        fence::under(fence, Arc::new(since), work).await
    }

    /// Takes or renews it for so long: since when this process has it, none if another process does.
    /// Without an answer of the store it is as before, and lapses by itself.
    pub async fn ask(&self, store: &dyn Store, length: Duration) -> Option<Timestamp> {
        let now = Timestamp::now();
        let (until, at_most) = (now + length, Instant::now() + length);
        let answer = store.lease(self.name, &self.holder, now, until).await;
        self.answered(answer, until, at_most)
    }

    fn answered(&self, answer: Result<bool, StoreError>, until: Timestamp, at_most: Instant) -> Option<Timestamp> {
        match answer {
            Ok(held) => self.hold(held.then_some((until, at_most))),
            Err(error) => warn!(%error, lease = self.name, "the lease could not be asked for"),
        }
        self.since()
    }

    /// Renews it; returns when another process has it, or may have it.
    pub async fn keep(&self, store: &dyn Store, length: Duration) {
        let renewed = async {
            loop {
                tokio::time::sleep(length / 3).await;
                if self.ask(store, length).await.is_none() {
                    return;
                }
            }
        };
        // A store that does not answer makes no lease longer either.
        let lapsed = async {
            while let Some(left) = self.held().and_then(|held| held.left()) {
                tokio::time::sleep(left).await;
            }
        };
        tokio::select! {
            () = renewed => {}
            () = lapsed => {}
        }
    }

    /// Gives it back: the next process need not wait until it lapses.
    pub async fn give_back(&self, store: &dyn Store) {
        if self.since().is_none() {
            return;
        }
        self.hold(None);
        let now = Timestamp::now();
        if let Err(error) = store.lease(self.name, &self.holder, now, now).await {
            warn!(%error, lease = self.name, "the lease is left to lapse");
        }
    }

    fn held(&self) -> Option<Held> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, until: Option<(Timestamp, Instant)>) {
        let since = self.since().unwrap_or_else(Timestamp::now);
        let held = until.map(|(until, at_most)| Held { since, until, at_most });
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Bot {
    /// Since when this process alone does the background work; none if it does not.
    pub(super) fn lease_since(&self) -> Option<Timestamp> {
        self.outbox.lease.since()
    }

    /// Whether this process may do what is due: it alone has the store, or it has the lease.
    pub(super) fn may_work(&self) -> bool {
        !self.sessions.store().is_shared() || self.lease_since().is_some()
    }

    /// How often it is looked for what is due when nothing here wakes.
    pub(super) fn tick(&self) -> Duration {
        let loops = self.timing.loops;
        if self.sessions.store().is_shared() { loops.shared } else { loops.tick }
    }

    /// Takes the lease of the background work when nobody has it, and keeps it until it is dropped.
    pub(super) async fn hold_lease(&self) {
        // Shorter than that of the watch: after a crash people wait for it.
        let length = self.rhythm().lease / 3;
        let (lease, store) = (&self.outbox.lease, &**self.sessions.store());
        loop {
            if lease.ask(store, length).await.is_some() {
                info!("this process does the background work");
                self.outbox.wake();
                lease.keep(store, length).await;
                warn!("another process may do the background work now");
            }
            tokio::time::sleep(length / 10).await;
        }
    }

    pub(super) async fn give_back_lease(&self) {
        self.outbox.lease.give_back(&**self.sessions.store()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use crate::store::audit::Chain;

    const HOUR: Duration = Duration::from_hours(1);
    /// Leases last a minute at most.
    const LENGTH: Duration = Duration::from_secs(30);

    fn chain() -> Chain {
        Chain::new(&[vec![1; 32].into()])
    }

    #[test]
    fn it_ends_by_the_clock_or_by_the_time_that_passed_whichever_comes_first() {
        let (now, began) = (Timestamp::now(), Instant::now());
        let lease = Lease::new(WATCH);
        let is_held = |until, at_most| {
            lease.hold(Some((until, at_most)));
            lease.since().is_some()
        };
        assert!(is_held(now + HOUR, began + HOUR));
        // All of its time passed, and the clock was set back meanwhile.
        assert!(!is_held(now + HOUR, began));
        assert!(!is_held(now, began + HOUR));
        lease.hold(None);
        assert_eq!(lease.since(), None);
    }

    #[test]
    fn what_is_kept_began_once_and_what_lapsed_begins_anew() {
        let (now, began) = (Timestamp::now(), Instant::now());
        let lease = Lease::new(WATCH);
        lease.hold(Some((now + HOUR, began + HOUR)));
        let since = lease.since();
        lease.hold(Some((now + HOUR * 2, began + HOUR * 2)));
        assert_eq!(lease.since(), since);
        lease.hold(Some((now + HOUR, began)));
        lease.hold(Some((now + HOUR, began + HOUR)));
        assert!(lease.since() > since, "another process may have had it");
    }

    #[tokio::test]
    async fn one_process_has_it_until_it_gives_it_back() {
        let store = MemoryStore::new(chain());
        let [first, second, watch] = [BACKGROUND, BACKGROUND, WATCH].map(Lease::new);
        let since = first.ask(&store, LENGTH).await;
        assert!(since.is_some());
        assert_eq!(second.ask(&store, LENGTH).await, None);
        // Another lease is another matter.
        assert!(watch.ask(&store, LENGTH).await.is_some());
        assert_eq!(first.ask(&store, LENGTH).await, since, "it was renewed");
        // One that does not have it gives nothing back.
        second.give_back(&store).await;
        assert_eq!(second.ask(&store, LENGTH).await, None);
        first.give_back(&store).await;
        assert_eq!(first.since(), None);
        assert!(second.ask(&store, LENGTH).await.is_some());
        assert_eq!(first.ask(&store, LENGTH).await, None);
    }

    #[tokio::test]
    async fn one_that_was_stolen_ends_at_the_next_renewal() {
        let store = MemoryStore::new(chain());
        let lease = Lease::new(WATCH);
        let length = Duration::from_millis(300);
        assert!(lease.ask(&store, length).await.is_some());
        let now = Timestamp::now();
        let stolen = store.lease(WATCH, "another", now + length, now + LENGTH).await.unwrap();
        assert!(stolen, "to the other one it had lapsed");
        lease.keep(&store, length).await;
        assert_eq!(lease.since(), None);
    }

    #[test]
    fn without_an_answer_it_is_as_before() {
        let (now, began) = (Timestamp::now(), Instant::now());
        let lease = Lease::new(WATCH);
        let unanswered = || lease.answered(Err(StoreError::Busy), now + HOUR * 2, began + HOUR * 2);
        assert_eq!(unanswered(), None);
        let since = lease.answered(Ok(true), now + HOUR, began + HOUR);
        assert_eq!((unanswered(), since.is_some()), (since, true));
        // No longer than it was.
        lease.answered(Ok(true), now, began);
        assert_eq!(unanswered(), None);
        assert_eq!(lease.answered(Ok(false), now + HOUR, began + HOUR), None);
    }

    #[tokio::test]
    async fn one_that_is_not_renewed_is_kept_until_it_lapses() {
        let (store, lease) = (MemoryStore::new(chain()), Lease::new(WATCH));
        let length = Duration::from_millis(100);
        let until = Timestamp::now() + length;
        lease.hold(Some((until, Instant::now() + length)));
        // The next renewal would come long after it.
        lease.keep(&store, HOUR).await;
        assert!(Timestamp::now() >= until, "nobody else could have it");
        assert_eq!(lease.since(), None);
    }
}
