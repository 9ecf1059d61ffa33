//! The switch that stops all sensitive execution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Approvals, ChangeError};
use crate::checklist::{Actor, Change};
use crate::store::{Commit, CommitError, Finished, Schedule, StoreError, WorkKind};
use crate::streams::{self, Folded, RACES};

/// Whether anything sensitive may be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Control {
    pub frozen: Option<Frozen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    pub reason: Box<str>,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ControlEvent {
    Frozen { reason: Box<str> },
    Unfrozen,
}

impl Folded for Control {
    const FAMILY: &'static str = "control";
    const SCHEMA: u32 = 1;
    type Event = ControlEvent;

    fn kind(event: &ControlEvent) -> &'static str {
        match event {
            ControlEvent::Frozen { .. } => "control.frozen",
            ControlEvent::Unfrozen => "control.unfrozen",
        }
    }

    fn fold(_: Option<Self>, event: &ControlEvent, by: &Actor, at: Timestamp) -> Option<Self> {
        let frozen = match event {
            ControlEvent::Frozen { reason } => {
                Some(Frozen { reason: reason.clone(), change: Change { by: by.clone(), at } })
            }
            ControlEvent::Unfrozen => None,
        };
        Some(Control { frozen })
    }
}

/// There is one for the whole deployment.
const EVERYTHING: &str = "execution";

impl Approvals {
    pub async fn frozen(&self) -> Result<Option<Frozen>, StoreError> {
        let slot = streams::load::<Control>(&*self.store, EVERYTHING).await?;
        Ok(slot.state.and_then(|control| control.frozen))
    }

    /// Stops all execution, or allows it again. False if it is so already.
    pub async fn freeze(
        &self,
        reason: Option<&str>,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
    ) -> Result<bool, ChangeError> {
        let now = streams::sealed(now);
        for _ in 0..RACES {
            let slot = streams::load::<Control>(&*self.store, EVERYTHING).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let frozen = slot.state.as_ref().is_some_and(|control| control.frozen.is_some());
            if frozen == reason.is_some() {
                return Ok(false);
            }
            let event = reason.map_or(ControlEvent::Unfrozen, |reason| ControlEvent::Frozen { reason: reason.into() });
            let Some((write, _)) = streams::write(EVERYTHING, slot.version, slot.state, &[event], by, now) else {
                return Ok(false);
            };
            // Everything that waited for it goes on, and every card says so.
            let mut schedule = Vec::new();
            for approval in self.open().await? {
                let key = approval.id.as_str().to_owned();
                let work = |kind| Schedule { kind, key: key.clone(), due: now, attempts: 0, body: String::new() };
                schedule.push(work(WorkKind::Card));
                if approval.next_call().is_some() {
                    schedule.push(work(WorkKind::Execute));
                }
            }
            let finished = finished.clone().into_iter().collect();
            let commit = Commit { writes: vec![write], schedule, finished, ..Commit::default() };
            match self.store.commit(commit).await {
                Ok(_) => return Ok(true),
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
                Err(CommitError::Delivered) => return Err(ChangeError::Contended),
            }
        }
        Err(ChangeError::Contended)
    }
}
