//! At most so many in any window of time, people before background work.
//!
//! A sliding window rather than a token bucket: a person's few calls go out at once, and the
//! bound still holds in every window, not only on average.

use crate::timing::pace::{LONGEST_HOLD, YIELD};
pub mod retry;
mod share;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

pub use share::Share;

/// Who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Somebody who looks at the screen.
    Person,
    /// Nobody: it yields to people.
    Background,
}

/// A shared budget of turns.
pub struct Pace {
    max: usize,
    window: Duration,
    /// Of these, what this process may use.
    share: Arc<Share>,
    sent: Mutex<VecDeque<Instant>>,
    people: AtomicUsize,
    /// Nobody goes before then.
    held: std::sync::Mutex<Option<Instant>>,
}

/// A turn would come too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Pace {
    /// `max` turns in any `window`.
    pub fn new(max: usize, window: Duration) -> Self {
        Self::shared(max, window, Arc::default())
    }

    /// The same of a budget that several processes share.
    pub fn shared(max: usize, window: Duration, share: Arc<Share>) -> Self {
        let people = AtomicUsize::new(0);
        Self { max: max.max(1), window, share, sent: Mutex::default(), people, held: std::sync::Mutex::default() }
    }

    /// Waits for a turn and takes it; not if it would come later than in `patience`.
    pub async fn turn(&self, rank: Rank, patience: Duration) -> Result<(), TooLong> {
        let until = Instant::now() + patience;
        match rank {
            Rank::Person => {
                let _waiting = Waiting::new(&self.people);
                self.take(until).await
            }
            Rank::Background => loop {
                while self.people.load(Ordering::Relaxed) > 0 && Instant::now() < until {
                    sleep(YIELD).await;
                }
                if self.try_take().await {
                    return Ok(());
                }
                if Instant::now() >= until {
                    return Err(TooLong);
                }
                sleep(YIELD).await;
            },
        }
    }

    /// Lets nobody go for a while: the other side asked for it.
    pub fn hold(&self, time: Duration) {
        let until = Instant::now() + time.min(LONGEST_HOLD);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.max(Some(until));
    }

    /// Waits in line: the lock is fair and is held while the first in line sleeps.
    async fn take(&self, until: Instant) -> Result<(), TooLong> {
        let mut sent = self.sent.lock().await;
        while let Some(free) = self.free_at(&mut sent) {
            if free > until {
                return Err(TooLong);
            }
            sleep_until(free).await;
        }
        sent.push_back(Instant::now());
        Ok(())
    }

    async fn try_take(&self) -> bool {
        let mut sent = self.sent.lock().await;
        let free = self.free_at(&mut sent).is_none();
        if free {
            sent.push_back(Instant::now());
        }
        free
    }

    /// Forgets what left the window; when the next turn is free, if it is not now.
    fn free_at(&self, sent: &mut VecDeque<Instant>) -> Option<Instant> {
        let now = Instant::now();
        let (max, window) = self.share.of(self.max, self.window, now);
        while sent.front().is_some_and(|first| now.duration_since(*first) >= window) {
            sent.pop_front();
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).filter(|until| *until > now);
        let full = match sent.len().checked_sub(max) {
            None => None,
            // It is not known yet, or not any more, how many go at the same time.
            Some(_) if max == 0 => Some(now + YIELD),
            // Of a share that became smaller, all but the last ones leave the window first.
            Some(over) => sent.get(over).map(|first| *first + window),
        };
        held.max(full)
    }
}

/// Waits that the other side asked for, by what was called and where.
#[derive(Default)]
pub struct Holds(DashMap<(Box<str>, Box<str>), Instant>);

impl Holds {
    /// Waits until `method` may be called about `place`; not if that would take longer than
    /// `patience`. An empty place is the method as a whole.
    pub async fn pass(&self, method: &str, place: &str, patience: Duration) -> Result<(), TooLong> {
        let latest = Instant::now() + patience;
        while let Some(until) = self.until(method, place) {
            if until > latest {
                return Err(TooLong);
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    /// Lets nobody call `method` about `place` for a while. One refused place says nothing of the
    /// others; with a second one at the same time it is the method that is refused.
    pub fn hold(&self, method: &str, place: &str, time: Duration) {
        let now = Instant::now();
        let until = now + time.min(LONGEST_HOLD);
        self.0.retain(|_, until| *until > now);
        let elsewhere = self.0.iter().any(|held| *held.key().0 == *method && *held.key().1 != *place);
        for place in [Some(place), elsewhere.then_some("")].into_iter().flatten() {
            let mut held = self.0.entry((method.into(), place.into())).or_insert(until);
            *held = (*held).max(until);
        }
    }

    fn until(&self, method: &str, place: &str) -> Option<Instant> {
        let now = Instant::now();
        let held = |place: &str| self.0.get(&(Box::from(method), Box::from(place))).map(|until| *until);
        held(place).max(held("")).filter(|until| *until > now)
    }
}

/// Counts somebody who waits, also when they give up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(people: &'a AtomicUsize) -> Self {
        people.fetch_add(1, Ordering::Relaxed);
        Self(people)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets one of many through each minute: for a line of log that could come a thousand times a second.
#[derive(Debug, Default)]
pub struct Seldom {
    /// Milliseconds of the process until the next one; 0: at once.
    next: AtomicU64,
    missed: AtomicU64,
}

impl Seldom {
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0), missed: AtomicU64::new(0) }
    }

    /// How many were held back since the last one, if this one may come.
    pub fn now(&self) -> Option<u64> {
        static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        self.at(u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX / 2))
    }

    fn at(&self, now: u64) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let due =
            now >= next && self.next.compare_exchange(next, now + 60_000, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due {
            return Some(self.missed.swap(0, Ordering::Relaxed));
        }
        self.missed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::timing::Beats;

    const LONG: Duration = Duration::from_mins(5);

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_at_once() {
        let pace = Pace::new(5, Duration::from_secs(1));
        pace.hold(Duration::from_mins(1));
        pace.hold(Duration::from_secs(1));
        assert_eq!(pace.turn(Rank::Person, Duration::from_secs(50)).await, Err(TooLong));
        assert_eq!(pace.turn(Rank::Background, Duration::ZERO).await, Err(TooLong));
        // What is asked for is waited for.
        let (pace, asked) = (Pace::new(5, Duration::from_secs(1)), Instant::now());
        pace.hold(Duration::from_millis(60));
        assert_eq!(pace.turn(Rank::Person, LONG).await, Ok(()));
        assert!(asked.elapsed() >= Duration::from_millis(60));
    }

    #[tokio::test]
    async fn one_refused_place_holds_up_no_other_until_there_are_two() {
        const WAIT: Duration = Duration::from_mins(2);
        let (holds, patience) = (Holds::default(), Duration::from_secs(10));
        holds.hold("edit", "a", WAIT);
        assert_eq!(holds.pass("edit", "a", patience).await, Err(TooLong));
        assert_eq!(holds.pass("edit", "b", patience).await, Ok(()));
        assert_eq!(holds.pass("post", "a", patience).await, Ok(()));
        holds.hold("edit", "b", WAIT);
        assert_eq!(holds.pass("edit", "c", patience).await, Err(TooLong));
        assert_eq!(holds.pass("post", "c", patience).await, Ok(()));
        // What is over is forgotten.
        let (holds, began) = (Holds::default(), Instant::now());
        holds.hold("edit", "a", Duration::from_millis(60));
        assert_eq!(holds.pass("edit", "a", patience).await, Ok(()));
        assert!(began.elapsed() >= Duration::from_millis(60));
        holds.hold("edit", "c", WAIT);
        assert_eq!(holds.pass("edit", "a", patience).await, Ok(()));
    }

    #[tokio::test]
    async fn never_more_than_the_bound_in_any_window() {
        const WINDOW: Duration = Duration::from_millis(60);
        let pace = Pace::new(5, WINDOW);
        let mut taken = Vec::new();
        for _ in 0..23 {
            let asked = Instant::now();
            pace.turn(Rank::Person, LONG).await.unwrap();
            taken.push((asked, Instant::now()));
        }
        // Between asking and having it lies the turn.
        for six in taken.windows(6) {
            assert!(six[5].1 - six[0].0 >= WINDOW);
        }
    }

    #[tokio::test]
    async fn whoever_wakes_with_an_old_share_waits_for_the_next_beat() {
        let (share, beats, now) = (Arc::<Share>::default(), Beats::default(), Instant::now());
        let pace = Pace::shared(5, Duration::from_secs(1), Arc::clone(&share));
        share.beat(1, false, now, now, beats);
        assert_eq!(pace.turn(Rank::Person, Duration::ZERO).await, Ok(()));
        // As if it had been halted since.
        share.withhold();
        let long_ago = now.checked_sub(beats.stale + Duration::from_secs(1)).unwrap();
        share.beat(1, false, long_ago, long_ago, beats);
        for rank in [Rank::Person, Rank::Background] {
            assert_eq!(pace.turn(rank, Duration::ZERO).await, Err(TooLong));
        }
        let (waited, began) = (Duration::from_millis(60), Instant::now());
        let beat = async {
            sleep(waited).await;
            share.withhold();
            let now = Instant::now();
            share.beat(1, false, now, now, beats);
        };
        let (person, background, ()) =
            tokio::join!(pace.turn(Rank::Person, LONG), pace.turn(Rank::Background, LONG), beat);
        assert_eq!((person, background), (Ok(()), Ok(())));
        assert!(began.elapsed() >= waited);
    }

    #[tokio::test]
    async fn people_go_before_background_work() {
        let pace = Arc::new(Pace::new(1, Duration::from_millis(300)));
        pace.turn(Rank::Person, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, rank) in [("background", Rank::Background), ("alice", Rank::Person), ("bob", Rank::Person)] {
            let (pace, order) = (Arc::clone(&pace), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                pace.turn(rank, LONG).await.unwrap();
                order.lock().await.push(name);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().await, ["alice", "bob", "background"]);
    }

    #[test]
    fn one_of_many_lines_a_minute_is_logged_and_the_others_are_counted() {
        let seldom = Seldom::new();
        assert_eq!(seldom.at(5), Some(0));
        for now in [5, 6, 60_004] {
            assert_eq!(seldom.at(now), None, "{now}");
        }
        assert_eq!(seldom.at(60_005), Some(3));
        assert_eq!(seldom.at(200_000), Some(0));
    }
}
