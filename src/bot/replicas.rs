//! The other processes on the same store: who is there, and what of the shared budgets is whose.
//!
//! Each process has a lease of its own, which it renews with every beat, and counts those of the others
//! in the same look. What it may use shrinks at once and grows only after everybody has seen the change:
//! one that could not renew in time uses nothing, so that whoever does not count it any more may use its
//! part.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Bot;
use crate::pace::Share;
use crate::store::{Store, StoreError};
use crate::timing::Beats;

/// The names of the leases, before the process's own.
pub const PREFIX: &str = "replica/";

/// What is known of the others.
pub struct Replicas {
    /// This process's own, in leases and in what it records.
    name: Arc<str>,
    share: Arc<Share>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Everybody at the last beat, this one included.
    alive: BTreeSet<String>,
    /// When that was.
    at: Option<Instant>,
    /// What this process could have used since then, the latest last.
    could: VecDeque<(Instant, Part)>,
}

/// A part of the budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// One of so many; 0: none.
    of: usize,
    /// With what is left over.
    rest: bool,
}

impl Part {
    const NONE: Self = Self { of: 0, rest: false };

    /// What is in both.
    fn least(self, other: Self) -> Self {
        let of = if self.of == 0 || other.of == 0 { 0 } else { self.of.max(other.of) };
        Self { of, rest: self.rest && other.rest }
    }
}

impl Seen {
    /// Notes who was there at a beat, and whether this process does the background work.
    fn beat(&mut self, alive: BTreeSet<String>, rest: bool, now: Instant, beats: Beats) {
        let part = Part { of: alive.len(), rest: rest || alive.len() == 1 };
        // Whoever comes when nobody is there need not wait for anybody.
        let waits = self.at.is_none_or(|at| now.duration_since(at) > beats.stale) && alive.len() > 1;
        if waits {
            self.could = [(now, Part::NONE)].into();
        }
        self.could.push_back((now, part));
        (self.alive, self.at) = (alive, Some(now));
        // What was before the last one that is older than the time counts no more.
        while self.could.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= beats.settled) {
            self.could.pop_front();
        }
    }

    /// What may be used now.
    fn part(&self, now: Instant, beats: Beats) -> Part {
        if self.at.is_none_or(|at| now.duration_since(at) > beats.stale) {
            return Part::NONE;
        }
        let could = self.could.iter().map(|(_, part)| *part);
        could.reduce(Part::least).unwrap_or(Part::NONE)
    }
}

impl Replicas {
    pub fn new() -> Self {
        let name = format!("{:016x}", rand::random::<u64>()).into();
        Self { name, share: Arc::default(), seen: Mutex::default() }
    }

    /// By which this process is known to the others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a process that recorded something is certainly not there any more to see to it.
    pub fn is_gone(&self, name: &str, beats: Beats) -> bool {
        let seen = self.seen();
        seen.at.is_some_and(|at| at.elapsed() < beats.stale) && !seen.alive.contains(name)
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the budgets that are shared.
    #[must_use]
    pub fn sharing(self, share: Arc<Share>) -> Self {
        Self { share, ..self }
    }

    /// Renews this process's lease and looks who else is there.
    async fn beat(&self, store: &dyn Store, rest: bool, beats: Beats) -> Result<(), StoreError> {
        let (now, began) = (Timestamp::now(), Instant::now());
        let lease = format!("{PREFIX}{}", self.name);
        store.lease(&lease, &self.name, now, now + beats.lapse).await?;
        let there = store.leases(PREFIX, Timestamp::now()).await?;
        let mut alive: BTreeSet<String> =
            there.iter().filter_map(|lease| lease.strip_prefix(PREFIX).map(str::to_owned)).collect();
        alive.insert(self.name.to_string());
        self.seen().beat(alive, rest, began, beats);
        Ok(())
    }

    fn apply(&self, beats: Beats) {
        let Part { of, rest } = self.seen().part(Instant::now(), beats);
        if self.share.processes() != of {
            info!(replicas = of, "the limits are shared by so many processes");
        }
        self.share.set(of, rest);
    }
}

impl Bot {
    /// Looks who else is there until `stop`; alone on a store, there is nobody.
    pub async fn count_replicas(self: Arc<Self>, stop: CancellationToken) {
        let (store, beats) = (&**self.sessions.store(), self.timing.beats);
        if !store.is_shared() {
            return;
        }
        while !stop.is_cancelled() {
            let rest = self.lease_since().is_some();
            match timeout(beats.stale, self.replicas.beat(store, rest, beats)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "it is not known which other processes share the limits"),
                Err(_) => warn!("it is not known which other processes share the limits: the store does not answer"),
            }
            self.replicas.apply(beats);
            tokio::select! {
                () = tokio::time::sleep(beats.every) => {}
                () = stop.cancelled() => {}
            }
        }
        // The others need not wait until it lapses.
        let (lease, now) = (format!("{PREFIX}{}", self.replicas.name), Timestamp::now());
        self.replicas.share.set(0, false);
        if let Err(error) = store.lease(&lease, &self.replicas.name, now, now).await {
            warn!(%error, "this process counts for the others until its lease lapses");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BEATS: Beats = Beats {
        every: Duration::from_secs(1),
        stale: Duration::from_secs(3),
        settled: Duration::from_secs(5),
        lapse: Duration::from_secs(10),
    };

    fn names(n: usize) -> BTreeSet<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn who_comes_waits_until_the_others_know_and_who_stays_shrinks_at_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut first, mut second) = (Seen::default(), Seen::default());
        first.beat(names(1), false, at(0), BEATS);
        assert_eq!(first.part(at(0), BEATS), Part { of: 1, rest: true }, "nobody else is there");
        second.beat(names(2), false, at(1), BEATS);
        assert_eq!(second.part(at(1), BEATS), Part::NONE);
        for second_of in 1..=8 {
            first.beat(names(2), true, at(second_of), BEATS);
            second.beat(names(2), false, at(second_of), BEATS);
            assert_eq!(first.part(at(second_of), BEATS), Part { of: 2, rest: true });
            let waits = second_of < 6;
            assert_eq!(second.part(at(second_of), BEATS) == Part::NONE, waits, "{second_of}");
        }
        // The second one goes: what it had is the first one's when it certainly uses it no more.
        for second_of in 9..=15 {
            first.beat(names(1), true, at(second_of), BEATS);
            let of = if second_of < 14 { 2 } else { 1 };
            assert_eq!(first.part(at(second_of), BEATS).of, of, "{second_of}");
        }
    }

    #[test]
    fn who_could_not_look_uses_nothing_and_comes_anew() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        seen.beat(names(1), false, at(0), BEATS);
        assert_eq!(seen.part(at(3), BEATS).of, 1);
        assert_eq!(seen.part(at(4), BEATS), Part::NONE, "another one may count it no more");
        seen.beat(names(2), true, at(5), BEATS);
        assert_eq!(seen.part(at(5), BEATS), Part::NONE);
    }

    #[test]
    fn what_is_left_over_is_handed_over_like_the_rest() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        for second_of in 0..10 {
            seen.beat(names(2), second_of >= 7, at(second_of), BEATS);
        }
        assert_eq!(seen.part(at(10), BEATS), Part { of: 2, rest: false }, "the other one had it a moment ago");
        for second_of in 10..13 {
            seen.beat(names(2), true, at(second_of), BEATS);
        }
        assert_eq!(seen.part(at(12), BEATS), Part { of: 2, rest: true });
    }
}
