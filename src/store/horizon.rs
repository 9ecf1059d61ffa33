//! How far ahead work can rightly be planned, and until when something can rightly be kept.
//!
//! A clock that was ahead, if only for seconds, leaves due times that lie far in the future when it
//! is right again. Whatever is planned for later than its kind can be is planned anew, here and
//! nowhere else.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::{Commit, CommitError, Finished, Kept, KeptKind, RowKind, Store, StoreError, Work, WorkKind};

/// Planned anew in one commit.
const PAGE: u32 = 200;

/// A time further ahead than `most` is replaced by `then` from now.
struct Horizon {
    most: Duration,
    then: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn of_work(kind: WorkKind) -> Horizon {
    let most = match kind {
        WorkKind::Inbound => 10 * MINUTE,
        // A shown key waits for 15 minutes, a pause at Sekoia for ten.
        WorkKind::Execute => 16 * MINUTE,
        WorkKind::Hint | WorkKind::ChecklistSync | WorkKind::Home => HOUR,
        // A message that nothing but another release helps is tried again after six hours.
        WorkKind::Progress | WorkKind::Card | WorkKind::Notice | WorkKind::Announce | WorkKind::Welcome => 8 * HOUR,
        WorkKind::Track => 2 * HOUR,
        WorkKind::Drift => 8 * HOUR,
        // What lies further ahead is planned again after a week.
        WorkKind::Digest | WorkKind::Reminder => 8 * DAY,
        WorkKind::Open | WorkKind::VoteReminder | WorkKind::Escalation => 31 * DAY,
        WorkKind::News => 91 * DAY,
    };
    Horizon { most, then: Duration::ZERO }
}

/// None of what is kept for good.
fn of_kept(kind: KeptKind) -> Option<Horizon> {
    match kind {
        // Links and sign-ins that are over.
        KeptKind::Proof => Some(Horizon { most: 11 * MINUTE, then: Duration::ZERO }),
        // What was told is not to be told again.
        KeptKind::Known => Some(Horizon { most: 3 * DAY, then: 2 * DAY }),
        KeptKind::Replaced => Some(Horizon { most: 181 * DAY, then: 180 * DAY }),
        KeptKind::Posted
        | KeptKind::DeadLetter
        | KeptKind::Fired
        | KeptKind::Source
        | KeptKind::Webhook
        | KeptKind::HalfCopy => None,
    }
}

/// Plans anew what is planned for, or kept until, later than can be; returns how much.
pub async fn sweep(store: &dyn Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut all = 0;
    for kind in WorkKind::ALL {
        let Horizon { most, then } = of_work(kind);
        let ahead = store.planned(kind, now + most, PAGE).await?;
        let rows = ahead.iter().map(Work::finished).collect();
        all += replan(store, kind.into(), rows, now + then).await?;
    }
    for kind in KeptKind::ALL {
        let Some(Horizon { most, then }) = of_kept(kind) else { continue };
        let ahead = store.kept_beyond(kind, now + most, PAGE).await?;
        let rows = ahead.iter().map(Kept::finished).collect();
        all += replan(store, kind.into(), rows, now + then).await?;
    }
    Ok(all)
}

async fn replan(store: &dyn Store, kind: RowKind, rows: Vec<Finished>, then: Timestamp) -> Result<usize, StoreError> {
    let count = rows.len();
    if count == 0 {
        return Ok(0);
    }
    warn!(kind = kind.name(), count, "planned for later than can be: the clock was ahead; replanned");
    let postponed = rows.into_iter().map(|row| (row, then)).collect();
    match store.commit(Commit { postponed, ..Commit::default() }).await {
        Ok(_) => Ok(count),
        Err(CommitError::Store(error)) => Err(error),
        // Nothing that it could conflict with.
        Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(0),
    }
}
