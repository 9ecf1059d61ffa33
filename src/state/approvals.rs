//! The requests in the store: loaded when they are needed, changed by commit-then-apply, with
//! everything that is owed because of a change in the same commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::control::Control;
use super::stream::{self, Folded, Next, Streams, Turn};
use crate::chat::Actor;
use crate::domain::approval::{Approval, ApprovalId, Event, Recorded, Refusal, Status};
use crate::store::{Commit, Finished, Store, StoreError, StreamId, WorkKind};
use crate::timing::Timing;

/// Changes that can be under way at the same time.
const WRITERS: usize = 64;
/// Requests that are looked at when all open ones are wanted.
const MOST_OPEN: u32 = 1_000;

pub struct Approvals {
    streams: Streams<Approval>,
    pub(super) control: Streams<Control>,
    pub timing: Timing,
    /// What was counted last: by request, the scheduling of its end, which is anew with every state.
    counted: Mutex<HashMap<Box<str>, (u64, Status)>>,
}

/// A change of a request that carries out a part of another.
pub struct PartChange {
    pub id: ApprovalId,
    /// Of `state`; 0 for a request that begins.
    pub version: u64,
    pub state: Option<Approval>,
    pub events: Vec<Event>,
}

pub type Changed = stream::Changed<Approval>;
pub type ChangeError = stream::ChangeError<Refusal>;

impl Folded for Approval {
    const FAMILY: &'static str = "approval";
    const SCHEMA: u32 = 1;
    type Event = Event;
    type Refusal = Refusal;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        Approval::apply(state, &Recorded { event: event.clone(), by: by.clone(), at })
    }

    fn not_begun() -> Option<Refusal> {
        Some(Refusal::NoSuch)
    }

    fn in_force(&self) -> Option<Self> {
        self.is_under_way().then(|| self.clone())
    }

    fn is_under_way(&self) -> bool {
        self.status().is_open()
    }
}

/// The stream of a request.
pub fn stream(id: &ApprovalId) -> StreamId {
    stream::id::<Approval>(id.as_str())
}

impl Approvals {
    pub fn new(store: Arc<dyn Store>, timing: Timing) -> Self {
        let (streams, control) = (Streams::new(Arc::clone(&store), WRITERS), Streams::new(store, 1));
        Self { streams, control, timing, counted: Mutex::default() }
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.streams.store()
    }

    pub async fn read(&self, id: &ApprovalId) -> Result<Option<Approval>, StoreError> {
        Ok(self.read_with_version(id).await?.map(|(_, approval)| approval))
    }

    pub async fn read_with_version(&self, id: &ApprovalId) -> Result<Option<(u64, Approval)>, StoreError> {
        let slot = self.streams.read(id.as_str()).await?;
        Ok(slot.state.map(|approval| (slot.version, Arc::unwrap_or_clone(approval))))
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
        let found = self.store().streams(Approval::FAMILY, Some(&before), 2).await?;
        let mut alike = found.iter().filter(|id| id.key().starts_with(&typed));
        match (alike.next(), alike.next()) {
            (Some(one), None) => self.read(&ApprovalId::from(one.key())).await,
            _ => Ok(None),
        }
    }

    /// Everything that is not settled, the one whose time runs out first at the front.
    pub async fn open(&self) -> Result<Vec<Approval>, StoreError> {
        let mut open = Vec::new();
        for work in self.store().due(WorkKind::Open, Timestamp::MAX, MOST_OPEN).await? {
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

    /// How many requests are in each state that is not settled. Reads those that changed since it was
    /// asked last.
    pub async fn by_status(&self) -> Result<BTreeMap<Status, u64>, StoreError> {
        let before = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut counted = HashMap::new();
        for work in self.store().due(WorkKind::Open, Timestamp::MAX, MOST_OPEN).await? {
            let status = match before.get(work.key.as_str()) {
                Some((generation, status)) if *generation == work.generation => *status,
                _ => match self.read(&ApprovalId::from(work.key.as_str())).await {
                    Ok(Some(approval)) => approval.status(),
                    Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            counted.insert(work.key.into_boxed_str(), (work.generation, status));
        }
        let mut all = BTreeMap::new();
        for (_, status) in counted.values().filter(|(_, status)| status.is_open()) {
            *all.entry(*status).or_default() += 1;
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        Ok(all)
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
        let beside = |next: &Next<'_, Approval>| Commit {
            schedule: self.owed(next),
            rests_on: finished.iter().filter_map(Finished::basis).collect(),
            finished: finished.clone().into_iter().collect(),
            ..Commit::default()
        };
        self.streams.change(id.as_str(), by, now, decide, beside).await
    }

    /// The same by the bot, with a change of a request that carries out a part of this one.
    pub async fn change_with_part(
        &self,
        id: &ApprovalId,
        now: Timestamp,
        decide: impl Fn(Option<&Approval>) -> Result<Vec<Event>, Refusal> + Send + Sync,
        part: &PartChange,
    ) -> Result<Changed, ChangeError> {
        let beside = |next: &Next<'_, Approval>| {
            let mut commit = Commit { schedule: self.owed(next), ..Commit::default() };
            let PartChange { id, version, state, events } = part;
            if let Some((write, after)) =
                stream::write(id.as_str(), *version, state.clone(), events, &Actor::Bot, next.at)
            {
                let (before, version, at) = (state.as_ref(), version + events.len() as u64, next.at);
                commit.schedule.extend(self.owed(&Next { before, after: &after, version, events, at }));
                commit.writes.push(write);
            }
            commit
        };
        self.streams.change(id.as_str(), &Actor::Bot, now, decide, beside).await
    }

    /// As long as it is held, nothing else in this process changes the request.
    pub async fn turn<'a>(&'a self, id: &'a ApprovalId) -> Turn<'a, Approval> {
        self.streams.turn(id.as_str()).await
    }
}
