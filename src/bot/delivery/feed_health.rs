//! How a channel takes its feed, and what follows when it refuses a message of it.

use std::time::Duration;

use tokio::time::Instant;

use super::refusals::{AfterRefusal, MOST_REFUSALS, after_refusal};
use crate::chat::ChatError;

/// As this process last saw it.
#[derive(Debug, Default)]
pub(super) struct FeedHealth {
    failures: u32,
    until: Option<Instant>,
    /// Until then what stands is not edited; what is new is posted.
    edits: Option<Instant>,
    /// No dead letter says that the channel takes nothing.
    takes: bool,
    /// One does.
    dead: bool,
}

/// What happens to a message that the channel did not take, and to those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedRefusal {
    /// Edits and posts have limits of their own: what is new need not wait for an edit.
    EditsWait,
    /// This one is put on record as a dead letter; those after it go on.
    PassedOver,
    /// All of them wait, so that they come in their order. `dead`: the channel takes none of them,
    /// which is put on record.
    AllWait { wait: Duration, dead: bool },
}

impl FeedHealth {
    /// Whether nothing is sent there now.
    pub fn waits(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether nothing is edited there now.
    pub fn edits_wait(&self) -> bool {
        self.edits.is_some_and(|until| Instant::now() < until)
    }

    pub fn wait(&mut self, time: Duration) {
        self.until = Some(Instant::now() + time);
    }

    /// It is tried at once.
    pub fn try_now(&mut self) {
        self.until = None;
    }

    /// Whether a dead letter may say that it takes nothing.
    pub fn is_in_doubt(&self) -> bool {
        !self.takes
    }

    /// The channel took a message, and no dead letter says otherwise any more.
    pub fn took(&mut self) {
        *self = FeedHealth { takes: true, ..FeedHealth::default() };
    }

    /// The channel did not take a message. `edit`: of one that stands; `known`: it is a dead letter
    /// already; `first`: the first wait, which doubles.
    pub fn refused(&mut self, error: &ChatError, edit: bool, known: bool, first: Duration) -> FeedRefusal {
        self.takes = false;
        if edit && *error == ChatError::RateLimited {
            self.edits = Some(Instant::now() + first);
            return FeedRefusal::EditsWait;
        }
        let after = after_refusal(first, if known { MOST_REFUSALS } else { self.failures }, error);
        self.failures += 1;
        let dead = matches!(after, AfterRefusal::DeadLetter(_));
        if dead && error.is_for_good() {
            self.failures = 0;
            return FeedRefusal::PassedOver;
        }
        self.wait(after.wait());
        FeedRefusal::AllWait { wait: after.wait(), dead }
    }

    /// That the channel takes nothing is on record; whether it was not before.
    pub fn dies(&mut self) -> bool {
        !std::mem::replace(&mut self.dead, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_channel_that_refuses_everything_is_dead_at_the_third_time_and_waits_longer_each_time() {
        let mut health = FeedHealth::default();
        for (wait, dead) in [(2, false), (4, false), (8, true), (16, true)] {
            let refusal = health.refused(&ChatError::NotInChannel, false, false, secs(2));
            assert_eq!(refusal, FeedRefusal::AllWait { wait: secs(wait), dead });
            assert!(health.waits());
        }
        assert!(health.dies());
        assert!(!health.dies(), "it is put on record once");
        assert!(health.is_in_doubt());
        health.took();
        assert!(!health.waits() && !health.is_in_doubt());
        let refusal = health.refused(&ChatError::NotInChannel, false, false, secs(2));
        assert_eq!(refusal, FeedRefusal::AllWait { wait: secs(2), dead: false }, "it counts anew");
    }

    #[test]
    fn a_message_that_is_refused_for_good_keeps_the_others_waiting_no_longer_than_it_takes_to_be_sure() {
        let (mut health, refused) = (FeedHealth::default(), ChatError::Rejected("too long".into()));
        for wait in [2, 4] {
            assert_eq!(
                health.refused(&refused, false, false, secs(2)),
                FeedRefusal::AllWait { wait: secs(wait), dead: false }
            );
        }
        assert_eq!(health.refused(&refused, false, false, secs(2)), FeedRefusal::PassedOver);
        // Another one is not held against it, and the same one is known.
        assert_eq!(
            health.refused(&refused, false, false, secs(2)),
            FeedRefusal::AllWait { wait: secs(2), dead: false }
        );
        assert_eq!(health.refused(&refused, false, true, secs(2)), FeedRefusal::PassedOver);
    }

    #[test]
    fn a_chat_that_is_down_never_makes_a_dead_letter() {
        let mut health = FeedHealth::default();
        for _ in 0..20 {
            let refusal = health.refused(&ChatError::Unavailable("down".into()), false, false, secs(2));
            assert!(matches!(refusal, FeedRefusal::AllWait { dead: false, .. }));
        }
    }

    #[test]
    fn an_edit_that_comes_too_soon_holds_up_no_post() {
        let mut health = FeedHealth::default();
        assert_eq!(health.refused(&ChatError::RateLimited, true, false, secs(2)), FeedRefusal::EditsWait);
        assert!(health.edits_wait() && !health.waits());
        assert_eq!(
            health.refused(&ChatError::RateLimited, false, false, secs(2)),
            FeedRefusal::AllWait { wait: secs(2), dead: false }
        );
    }
}
