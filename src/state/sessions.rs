//! The sessions in memory: loaded from the store on first use, changed by commit-then-apply. Reading
//! touches no disk once a session is loaded.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::kept::row_due;
use super::owed::Notice;
use super::stream::{self, Folded, Next, Streams};
use crate::chat::{Actor, ChannelKey, UserId};
use crate::domain::checklist::{Event, Recorded, Refusal, Session};
use crate::store::{Commit, Finished, Found, Schedule, Store, StoreError, StreamId, Work, WorkKind};

/// Behind a person's id, the key of what has their reminders planned anew.
pub const REPLAN: &str = "anew";
/// Changes that can be under way at the same time.
const WRITERS: usize = 256;

pub struct Sessions {
    streams: Streams<Session>,
    watch: Duration,
}

pub type Changed = stream::Changed<Session>;
pub type ChangeError = stream::ChangeError<Refusal>;

impl Folded for Session {
    const FAMILY: &'static str = "session";
    // 2: a step may be seen.
    const SCHEMA: u32 = 2;
    type Event = Event;
    type Refusal = Refusal;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        Session::apply(state, &Recorded { event: event.clone(), by: by.clone(), at })
    }

    /// Only an opening event makes a session out of nothing.
    fn not_begun() -> Option<Refusal> {
        Some(Refusal::NoSession)
    }

    /// Requests that came to their end are history.
    fn in_force(&self) -> Option<Self> {
        let mut session = self.clone();
        session.requests.clear();
        Some(session)
    }
}

/// The stream of a channel's session.
pub fn stream(channel: &ChannelKey) -> StreamId {
    stream::id::<Session>(channel.as_str())
}

impl Sessions {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { streams: Streams::new(store, WRITERS).cached(), watch: Duration::from_hours(6) }
    }

    /// How long after its confirmation a step is to be verified again.
    #[must_use]
    pub fn watched(self, watch: Duration) -> Self {
        Self { watch, ..self }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.streams.store()
    }

    /// The channel's session, if it has one.
    pub async fn read(&self, channel: &ChannelKey) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.streams.read(channel.as_str()).await?.state)
    }

    /// Since when what was read of sessions from an instant on may be out of date.
    pub fn behind(&self, from: Timestamp) -> Option<Timestamp> {
        self.streams.behind(from)
    }

    /// The same as it is stored now: another process may have changed it.
    pub async fn read_anew(&self, channel: &ChannelKey) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.streams.read_anew(channel.as_str()).await?.state)
    }

    /// The same, with the version that it has.
    pub async fn read_with_version(&self, channel: &ChannelKey) -> Result<Option<(u64, Arc<Session>)>, StoreError> {
        let slot = self.streams.read(channel.as_str()).await?;
        Ok(slot.state.map(|session| (slot.version, session)))
    }

    /// Decides on the present state, commits what follows with everything that is owed because of
    /// it, then applies it.
    pub async fn change(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        self.change_and(channel, by, now, finished, decide, Vec::new).await
    }

    /// The same for due work, which is finished with it. If it is other work by now, nothing is
    /// changed: what was read for it may be out of date.
    pub async fn change_for(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        work: &Work,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let basis = (Some(work.finished()), Some(work.found()));
        self.change_on(channel, by, now, basis, decide, Vec::new).await
    }

    /// The same, with more that is owed because of it.
    pub async fn change_and(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
        also: impl Fn() -> Vec<Schedule> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let basis = finished.as_ref().and_then(Finished::basis);
        self.change_on(channel, by, now, (finished, basis), decide, also).await
    }

    /// The same for a recorded request that a later change ends: another process that took it up meanwhile
    /// carries it out alone.
    pub async fn change_first(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        recorded: Option<Finished>,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
        also: impl Fn() -> Vec<Schedule> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let basis = recorded.as_ref().and_then(Finished::basis);
        self.change_on(channel, by, now, (None, basis), decide, also).await
    }

    async fn change_on(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        (finished, rests_on): (Option<Finished>, Option<Found>),
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
        also: impl Fn() -> Vec<Schedule> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let beside = |next: &Next<'_, Session>| {
            // Whatever changed, the channel's message owes it to its readers.
            let mut schedule = owed(channel, next.events, next.at);
            schedule.extend(owed_to_people(channel, by, next));
            if next.events.iter().any(|event| matches!(event, Event::Verified { .. })) {
                schedule.push(watch_due(channel, next.at + self.watch));
            }
            schedule.extend(also());
            Commit {
                schedule,
                finished: finished.clone().into_iter().collect(),
                rests_on: rests_on.clone().into_iter().collect(),
                ..Commit::default()
            }
        };
        self.streams.change(channel.as_str(), by, now, decide, beside).await
    }

    /// How many channels have a session.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store().count(Session::FAMILY).await
    }

    /// Every channel that has a session, in the order of their keys, after one of them.
    pub async fn channels(&self, after: Option<&ChannelKey>, limit: u32) -> Result<Vec<ChannelKey>, StoreError> {
        let streams = self.store().streams(Session::FAMILY, after.map(stream).as_ref(), limit).await?;
        Ok(streams.iter().map(|id| ChannelKey::from(id.key().to_owned())).collect())
    }
}

/// The progress message, unless nothing happened that it shows.
fn owed(channel: &ChannelKey, events: &[Event], now: Timestamp) -> Vec<Schedule> {
    let unseen = |event: &Event| {
        matches!(
            event,
            Event::ProgressPosted { .. }
                | Event::AccountGiven { .. }
                | Event::AddressShared { .. }
                | Event::QuickStartSent { .. }
        )
    };
    if events.iter().all(unseen) {
        return Vec::new();
    }
    vec![progress_due(channel, now)]
}

/// What those are owed whose steps changed: a word to who has one now, and another plan of reminders.
fn owed_to_people(channel: &ChannelKey, by: &Actor, next: &Next<'_, Session>) -> Vec<Schedule> {
    let mut owed = Vec::new();
    for event in next.events {
        if let Event::Assigned { step, to: Some(to) } = event
            && *by != Actor::Person(to.clone())
        {
            let notice = Notice::Assigned { to: to.clone(), channel: channel.clone(), step: *step, by: by.clone() };
            let key = format!("assigned/{channel}/{}", next.version);
            owed.push(row_due(WorkKind::Notice, key, &notice, next.at));
        }
        let step = event.step().map(|step| next.after.step(step));
        let open = step.filter(|step| step.due.is_some() && !step.status.is_settled());
        if let Some(assignee) = open.and_then(|step| step.assignee.as_ref()) {
            owed.push(reminders_changed(assignee, next.at));
        }
    }
    owed
}

/// When somebody is to be reminded is to be planned anew.
pub fn reminders_changed(user: &UserId, now: Timestamp) -> Schedule {
    let key = format!("{user}/{REPLAN}");
    Schedule { kind: WorkKind::Reminder, key, due: now, attempts: 0, body: String::new() }
}

/// The channel's progress message is to be brought up to date.
pub fn progress_due(channel: &ChannelKey, now: Timestamp) -> Schedule {
    Schedule { kind: WorkKind::Progress, key: channel.as_str().to_owned(), due: now, attempts: 0, body: String::new() }
}

/// The channel's done steps are to be verified again.
pub fn watch_due(channel: &ChannelKey, due: Timestamp) -> Schedule {
    Schedule { kind: WorkKind::Drift, key: channel.as_str().to_owned(), due, attempts: 0, body: String::new() }
}
