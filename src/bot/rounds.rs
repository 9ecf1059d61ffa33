//! How often each of the loops beside the requests went round. A test that wants to see that nothing
//! happens counts rounds instead of seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The loops that run, and the messages on their way.
#[derive(Debug, Default)]
pub struct Rounds(Mutex<Vec<Weak<Turns>>>);

/// One loop, from its beginning to its end.
#[derive(Debug)]
pub struct Turns {
    name: &'static str,
    /// Rounds that began and rounds that ended, together: odd while one is under way.
    count: AtomicU64,
}

/// One round, from its beginning to its end, whichever way it ends.
pub(super) struct Round<'a>(&'a AtomicU64);

/// A moment, by the rounds that had begun.
pub struct Moment(Vec<(Weak<Turns>, u64)>);

impl Rounds {
    /// A loop begins; it ends when this is dropped.
    pub(super) fn of(&self, name: &'static str) -> Arc<Turns> {
        let turns = Arc::new(Turns { name, count: AtomicU64::new(0) });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|turns| turns.strong_count() > 0);
        all.push(Arc::downgrade(&turns));
        turns
    }

    /// Something that is done once, from now on.
    pub(super) fn once(&self, name: &'static str) -> Arc<Turns> {
        let turns = self.of(name);
        turns.count.store(1, Ordering::SeqCst);
        turns
    }

    pub fn now(&self) -> Moment {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Moment(all.iter().filter_map(|of| Some((of.clone(), of.upgrade()?.count.load(Ordering::SeqCst)))).collect())
    }

    /// The names of what runs.
    pub fn running(&self) -> Vec<&'static str> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(|turns| Some(turns.upgrade()?.name)).collect()
    }
}

impl Turns {
    pub(super) fn round(&self) -> Round<'_> {
        self.count.fetch_add(1, Ordering::SeqCst);
        Round(&self.count)
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Moment {
    /// What still runs and has not gone round so often, whole, since then. Of what was being done
    /// once: what is not done.
    pub fn waits_for(&self, rounds: u64) -> Vec<&'static str> {
        let behind = |(of, then): &(Weak<Turns>, u64)| {
            let of = of.upgrade()?;
            // A round that was under way does not count.
            let whole = then.div_ceil(2) * 2 + rounds * 2;
            (of.count.load(Ordering::SeqCst) < whole).then_some(of.name)
        };
        self.0.iter().filter_map(behind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rounds_since_then_count() {
        let rounds = Rounds::default();
        let turns = rounds.of("work");
        let idle = rounds.now();
        let first = turns.round();
        let busy = rounds.now();
        assert_eq!((idle.waits_for(1), busy.waits_for(1)), (vec!["work"], vec!["work"]));
        drop(first);
        // The one that was under way saw what was before.
        assert_eq!((idle.waits_for(1), busy.waits_for(1)), (vec![], vec!["work"]));
        drop(turns.round());
        assert_eq!((idle.waits_for(2), busy.waits_for(1)), (vec![], vec![]));
    }

    #[test]
    fn what_ended_is_not_waited_for() {
        let rounds = Rounds::default();
        let (turns, message) = (rounds.of("work"), rounds.once("message"));
        let then = rounds.now();
        assert_eq!(then.waits_for(0), ["message"]);
        drop(message);
        assert!(then.waits_for(0).is_empty());
        assert_eq!((then.waits_for(1), rounds.running()), (vec!["work"], vec!["work"]));
        drop(turns);
        assert_eq!((then.waits_for(1), rounds.running()), (vec![], vec![]));
    }
}
