//! The requests in the store: loaded when they are needed, changed by commit-then-apply, with
//! everything that is owed because of a change in the same commit.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};

use super::stream::{self, Folded, RACES};
use crate::chat::Actor;
use crate::domain::approval::{Approval, ApprovalId, Event, Recorded, Refusal};
use crate::store::{Commit, CommitError, Finished, Store, StoreError, StreamId, WorkKind};
use crate::timing::Timing;

/// Changes that can be under way at the same time.
const WRITERS: usize = 64;
/// Requests that are looked at when all open ones are wanted.
const MOST_OPEN: u32 = 1_000;

pub struct Approvals {
    pub(super) store: Arc<dyn Store>,
    /// Held by whoever changes a request: of two in one process the second decides on what the
    /// first left, instead of losing a race.
    writers: Box<[Mutex<()>]>,
    pub timing: Timing,
}

/// A change that was committed.
#[derive(Debug, Clone)]
pub struct Changed {
    pub version: u64,
    pub approval: Approval,
    pub events: Vec<Event>,
}

pub type ChangeError = stream::ChangeError<Refusal>;

impl Folded for Approval {
    const FAMILY: &'static str = "approval";
    const SCHEMA: u32 = 1;
    type Event = Event;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        Approval::apply(state, &Recorded { event: event.clone(), by: by.clone(), at })
    }
}

/// The stream of a request.
pub fn stream(id: &ApprovalId) -> StreamId {
    stream::id::<Approval>(id.as_str())
}

impl Approvals {
    pub fn new(store: Arc<dyn Store>, timing: Timing) -> Self {
        Self { store, writers: (0..WRITERS).map(|_| Mutex::default()).collect(), timing }
    }

    pub async fn read(&self, id: &ApprovalId) -> Result<Option<Approval>, StoreError> {
        Ok(self.read_with_version(id).await?.map(|(_, approval)| approval))
    }

    pub async fn read_with_version(&self, id: &ApprovalId) -> Result<Option<(u64, Approval)>, StoreError> {
        let slot = stream::load::<Approval>(&*self.store, id.as_str()).await?;
        Ok(slot.state.map(|approval| (slot.version, approval)))
    }

    /// The request whose id begins like this, if only one does.
    pub async fn find(&self, typed: &str) -> Result<Option<Approval>, StoreError> {
        let typed = typed.trim().to_lowercase();
        let hex = typed.bytes().all(|b| b.is_ascii_hexdigit());
        if !(4..=ApprovalId::LENGTH).contains(&typed.len()) || !hex {
            return Ok(None);
        }
        if typed.len() == ApprovalId::LENGTH {
            return self.read(&ApprovalId::from(typed.as_str())).await;
        }
        let before = StreamId::new(Approval::FAMILY, &typed);
        let found = self.store.streams(Approval::FAMILY, Some(&before), 2).await?;
        let mut alike = found.iter().filter(|id| id.key().starts_with(&typed));
        match (alike.next(), alike.next()) {
            (Some(one), None) => self.read(&ApprovalId::from(one.key())).await,
            _ => Ok(None),
        }
    }

    /// Everything that is not settled, the one whose time runs out first at the front.
    pub async fn open(&self) -> Result<Vec<Approval>, StoreError> {
        let mut open = Vec::new();
        for work in self.store.due(WorkKind::Open, Timestamp::MAX, MOST_OPEN).await? {
            match self.read(&ApprovalId::from(work.key.as_str())).await {
                Ok(Some(approval)) if approval.status().is_open() => open.push(approval),
                Ok(_) => {}
                // One that cannot be read hides none of the others.
                Err(error @ StoreError::Corrupt { .. }) => tracing::error!(%error, "a request cannot be read"),
                Err(error) => return Err(error),
            }
        }
        Ok(open)
    }

    /// Decides on the present state, commits what follows with everything that is owed because of
    /// it.
    pub async fn change(
        &self,
        id: &ApprovalId,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
        decide: impl Fn(Option<&Approval>) -> Result<Vec<Event>, Refusal> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let now = stream::sealed(now);
        let _turn = self.writer(id).lock().await;
        for _ in 0..RACES {
            let slot = stream::load::<Approval>(&*self.store, id.as_str()).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let events = decide(slot.state.as_ref()).map_err(ChangeError::Refused)?;
            let before = slot.state.clone();
            let (write, next) = stream::write(id.as_str(), slot.version, slot.state, &events, by, now)
                .ok_or(ChangeError::Refused(Refusal::NoSuch))?;
            let version = slot.version + events.len() as u64;
            let commit = Commit {
                writes: vec![write],
                schedule: self.owed(before.as_ref(), &next, version, &events, now),
                finished: finished.clone().into_iter().collect(),
                ..Commit::default()
            };
            match self.store.commit(commit).await {
                Ok(_) => return Ok(Changed { version, approval: next, events }),
                // Another process was first.
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
                // Never asked for here.
                Err(CommitError::Delivered) => return Err(ChangeError::Contended),
            }
        }
        Err(ChangeError::Contended)
    }

    /// As long as it is held, nothing else in this process changes the request.
    pub async fn turn(&self, id: &ApprovalId) -> MutexGuard<'_, ()> {
        self.writer(id).lock().await
    }

    fn writer(&self, id: &ApprovalId) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let place = hasher.finish() % self.writers.len() as u64;
        // Smaller than the number of writers, which is a usize.
        &self.writers[usize::try_from(place).unwrap_or_default()]
    }
}
