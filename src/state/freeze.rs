//! The switch that stops all sensitive execution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approvals::{Approvals, ChangeError};
use super::control::{Control, ControlEvent, Frozen};
use super::owed::card_of;
use super::stream::{self, Already, Next};
use crate::chat::{Actor, Change, ChannelKey};
use crate::store::{Commit, Finished, Record, Schedule, StoreError, WorkKind};

/// The body of a [`WorkKind::Announce`]: execution was stopped, or is allowed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The number of its record.
    pub version: u64,
    pub change: Change,
    /// Why it was stopped; none if it is allowed again.
    pub reason: Option<Box<str>>,
    /// The freeze that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Frozen>,
    /// Where it is to be said; none: in every open channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelKey>,
}

impl Announcement {
    /// One a channel: a later one takes the place of one that was not said yet.
    pub fn row(&self, now: Timestamp) -> Schedule {
        let key = self.channel.as_ref().map_or_else(|| "freeze".into(), |channel| format!("freeze/{channel}"));
        Schedule { kind: WorkKind::Announce, key, due: now, attempts: 0, body: stream::encode(self) }
    }
}

/// There is one for the whole deployment.
const EVERYTHING: &str = "execution";

impl Approvals {
    pub async fn frozen(&self) -> Result<Option<Frozen>, StoreError> {
        let slot = self.control.read(EVERYTHING).await?;
        Ok(slot.state.and_then(|control| control.frozen.clone()))
    }

    /// The last records of when execution was stopped and allowed again.
    pub async fn freezes(&self, last: usize) -> Result<Vec<Record>, StoreError> {
        let stream = stream::id::<Control>(EVERYTHING);
        let version = self.store().load(&stream).await?.map_or(0, |loaded| loaded.version);
        let wanted = u32::try_from(last).unwrap_or(u32::MAX);
        self.store().history(&stream, version.saturating_sub(last as u64), wanted).await
    }

    /// Stops all execution, or allows it again. False if it is so already.
    pub async fn freeze(
        &self,
        reason: Option<&str>,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
    ) -> Result<bool, ChangeError> {
        let turn = self.control.turn(EVERYTHING).await;
        // Everything that waited for it goes on, every card and every channel says so.
        let open = self.open().await?;
        let decide = |control: Option<&Control>| {
            if control.is_some_and(|control| control.frozen.is_some()) == reason.is_some() {
                return Err(Already);
            }
            Ok(vec![reason.map_or(ControlEvent::Unfrozen, |reason| ControlEvent::Frozen { reason: reason.into() })])
        };
        let beside = |next: &Next<'_, Control>| {
            let announcement = Announcement {
                version: next.version,
                change: Change { by: by.clone(), at: next.at },
                reason: reason.map(Box::from),
                ended: next.before.and_then(|control| control.frozen.clone()),
                channel: None,
            };
            let mut schedule = vec![announcement.row(next.at)];
            for approval in &open {
                let key = approval.id.as_str().to_owned();
                let work = |kind| Schedule { kind, key: key.clone(), due: next.at, attempts: 0, body: String::new() };
                schedule.push(Schedule { key: card_of(approval).as_str().to_owned(), ..work(WorkKind::Card) });
                if approval.next_call().is_some() {
                    schedule.push(work(WorkKind::Execute));
                }
            }
            let rests_on = finished.iter().filter_map(Finished::basis).collect();
            Commit { schedule, rests_on, finished: finished.clone().into_iter().collect(), ..Commit::default() }
        };
        match turn.change(by, now, decide, beside).await {
            Ok(_) => Ok(true),
            Err(stream::ChangeError::Refused(Already)) => Ok(false),
            Err(stream::ChangeError::Newer) => Err(ChangeError::Newer),
            Err(stream::ChangeError::Contended) => Err(ChangeError::Contended),
            Err(stream::ChangeError::Superseded) => Err(ChangeError::Superseded),
            Err(stream::ChangeError::Store(error)) => Err(error.into()),
        }
    }
}
