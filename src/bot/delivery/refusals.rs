//! What happens to a message that the chat does not take: it waits, ever longer. What is refused often
//! is put on record as well, once waiting alone does not help.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, warn};

use super::About;
use crate::bot::Bot;
use crate::chat::ChatError;
use crate::pace::retry::wait_after;
use crate::store::{Commit, StoreError, Work};
use crate::timing::delivery::LONGEST_OF_ALL;
pub(super) use crate::timing::delivery::LONGEST_WAIT;

/// Attempts after which a refusal is put on record.
pub(super) const MOST_REFUSALS: u32 = 3;

/// What happens to a message that the chat did not take. It is tried again in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterRefusal {
    Wait(Duration),
    /// It is put on record, for an operator to see.
    DeadLetter(Duration),
}

impl AfterRefusal {
    pub fn wait(self) -> Duration {
        match self {
            AfterRefusal::Wait(wait) | AfterRefusal::DeadLetter(wait) => wait,
        }
    }
}

/// What happens to a message that failed so often before. `first`: the first wait, which doubles.
pub(super) fn after_refusal(first: Duration, failed_before: u32, error: &ChatError) -> AfterRefusal {
    let longest = if error.is_for_good() { LONGEST_OF_ALL } else { LONGEST_WAIT };
    let wait = wait_after(failed_before, first, longest);
    let often = failed_before.saturating_add(1) >= MOST_REFUSALS;
    if often && !error.is_passing() { AfterRefusal::DeadLetter(wait) } else { AfterRefusal::Wait(wait) }
}

impl Bot {
    /// Puts off work whose message the chat did not take, and puts on record what was refused often:
    /// what is to be committed, and whether it is on record.
    pub(super) async fn postpone_refused(
        &self,
        work: &Work,
        about: &About,
        error: &ChatError,
        now: Timestamp,
    ) -> Result<(Commit, bool), StoreError> {
        let after = after_refusal(self.timing.delivery.first_wait, work.attempts, error);
        let (key, attempts, wait_s) = (&work.key, work.attempts + 1, after.wait().as_secs());
        let postponed = vec![(work.finished(), now + after.wait())];
        let mut commit = Commit { postponed, ..Commit::default() };
        let recorded = matches!(after, AfterRefusal::DeadLetter(_));
        if recorded {
            error!(%error, kind = work.kind.name(), key, attempts, wait_s, "a message is refused");
            let (letter, notice) = self.dead_letter(work, about, error, now).await?;
            commit.keep.push(letter);
            commit.schedule.extend(notice);
        } else {
            warn!(%error, kind = work.kind.name(), key, attempts, wait_s, "a message has to wait");
        }
        Ok((commit, recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::AfterRefusal::{DeadLetter, Wait};
    use super::*;

    const FIRST_WAIT: Duration = Duration::from_secs(2);

    fn after_refusal(failed_before: u32, error: &ChatError) -> AfterRefusal {
        super::after_refusal(FIRST_WAIT, failed_before, error)
    }

    /// Passing, of the channel, for good.
    fn errors() -> [ChatError; 3] {
        [ChatError::RateLimited, ChatError::NotInChannel, ChatError::Refused("too long".into())]
    }

    #[test]
    fn waits_double_up_to_ten_minutes_or_six_hours() {
        let [passing, of_channel, for_good] = errors();
        let waits = |error: &ChatError| -> Vec<u64> {
            (0..16).map(|failed| after_refusal(failed, error).wait().as_secs()).collect()
        };
        let [first, longest, of_all] = [FIRST_WAIT, LONGEST_WAIT, LONGEST_OF_ALL].map(|wait| wait.as_secs());
        for (error, most) in [(&passing, longest), (&of_channel, longest), (&for_good, of_all)] {
            let waits = waits(error);
            assert_eq!(waits[0], first);
            for pair in waits.windows(2) {
                assert_eq!(pair[1], (pair[0] * 2).min(most), "{error}: {waits:?}");
            }
            assert_eq!(waits.last(), Some(&most), "{error}");
        }
        assert_eq!(after_refusal(u32::MAX, &passing), Wait(LONGEST_WAIT));
        assert_eq!(after_refusal(u32::MAX, &for_good), DeadLetter(LONGEST_OF_ALL));
    }

    #[test]
    fn the_third_refusal_makes_a_dead_letter_and_no_failure_that_may_pass_does() {
        let [passing, of_channel, for_good] = errors();
        for failed in 0..8 {
            let dead = |error| matches!(after_refusal(failed, error), DeadLetter(_));
            assert!(!dead(&passing), "{failed}");
            assert_eq!((dead(&of_channel), dead(&for_good)), (failed >= 2, failed >= 2), "{failed}");
        }
        for passing in [ChatError::Unavailable("down".into()), ChatError::MessageGone, ChatError::NotEditable] {
            assert!(matches!(after_refusal(20, &passing), Wait(_)), "{passing}");
        }
    }
}
