//! How far ahead work can rightly be planned.
//!
//! A clock that was ahead, if only for seconds, leaves due times that lie far in the future when it
//! is right again. Whatever is planned for later than its kind can be is planned anew, here and
//! nowhere else.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::{Commit, CommitError, Store, StoreError, Work, WorkKind};

/// Planned anew in one commit.
const PAGE: u32 = 200;

/// A time further ahead than `most` is replaced by `then` from now.
struct Horizon {
    most: Duration,
    then: Duration,
}

/// Of what is kept, never done, there is none.
fn horizon(kind: WorkKind) -> Option<Horizon> {
    let at_once = |most| Some(Horizon { most, then: Duration::ZERO });
    let (minute, hour, day) = (Duration::from_mins(1), Duration::from_hours(1), Duration::from_hours(24));
    match kind {
        WorkKind::Inbound => at_once(10 * minute),
        // Links and sign-ins that are over.
        WorkKind::Proof => at_once(11 * minute),
        // A shown key waits for 15 minutes, a pause at Sekoia for ten.
        WorkKind::Execute => at_once(16 * minute),
        WorkKind::Hint | WorkKind::ChecklistSync | WorkKind::Home => at_once(hour),
        // A message that nothing but another release helps is tried again after six hours.
        WorkKind::Progress | WorkKind::Card | WorkKind::Notice | WorkKind::Announce | WorkKind::Welcome => {
            at_once(8 * hour)
        }
        WorkKind::Track => at_once(2 * hour),
        WorkKind::Drift => at_once(8 * hour),
        // What lies further ahead is planned again after a week.
        WorkKind::Digest | WorkKind::Reminder => at_once(8 * day),
        WorkKind::Open | WorkKind::VoteReminder | WorkKind::Escalation => at_once(31 * day),
        WorkKind::News => at_once(91 * day),
        // What was told is not to be told again.
        WorkKind::Known => Some(Horizon { most: 3 * day, then: 2 * day }),
        WorkKind::Replaced => Some(Horizon { most: 181 * day, then: 180 * day }),
        WorkKind::Posted | WorkKind::DeadLetter | WorkKind::Fired | WorkKind::Source => None,
    }
}

/// Plans anew what is planned for later than can be; returns how much.
pub async fn sweep(store: &dyn Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut all = 0;
    for kind in WorkKind::ALL {
        let Some(Horizon { most, then }) = horizon(kind) else { continue };
        let ahead = store.planned(kind, now + most, PAGE).await?;
        if ahead.is_empty() {
            continue;
        }
        warn!(kind = kind.name(), count = ahead.len(), "planned for later than can be: the clock was ahead; replanned");
        let postponed = ahead.iter().map(Work::finished).map(|work| (work, now + then)).collect();
        match store.commit(Commit { postponed, ..Commit::default() }).await {
            Ok(_) => all += ahead.len(),
            Err(CommitError::Store(error)) => return Err(error),
            // Nothing that it could conflict with.
            Err(CommitError::Conflict(_) | CommitError::Delivered) => {}
        }
    }
    Ok(all)
}
