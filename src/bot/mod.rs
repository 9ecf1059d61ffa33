//! From what somebody said to what they are told: load, check rights, decide, commit, render.
//!
//! The only room that joins the others. What every command needs stands here; the checklist's
//! commands (`steps`), requests (`approvals`), notifications (`rules`), what is owed to the chat
//! (`delivery`) and events at Sekoia (`watching`) have rooms of their own. None of them knows what a
//! platform's message looks like.

mod access;
mod approvals;
mod delivery;
mod dispatch;
pub mod doctor;
mod failure;
mod figures;
mod inbox;
mod late;
mod lease;
mod names;
mod paging;
mod personal;
mod replicas;
mod responder;
mod retention;
mod rounds;
mod rules;
mod steps;
mod watching;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use jiff::Timestamp;
use moka::sync::Cache;
use url::Url;
use uuid::Uuid;

pub use responder::{Reply, Responder};
pub use rounds::{Moment, Rounds};
pub use steps::history::Entry;
pub use watching::Watcher;
pub use worker::Worker;

use crate::chat::view::{Form, View};
use crate::chat::{Actor, ChannelKey, Chats, UserId};
use crate::domain::access::{Policy, Rights};
use crate::domain::action::Prepared;
use crate::domain::approval::{self, ApprovalId};
use crate::domain::checklist::{Event, Refusal, Session, StepId};
use crate::pace::Share;
use crate::sekoia::Sekoia;
use crate::state::approvals::Approvals;
use crate::state::control::Frozen;
use crate::state::plans::Plans;
use crate::state::rules::Notifications;
use crate::state::sessions::{ChangeError, Changed, Sessions};
use crate::state::templates::Templates;
use crate::store::{Finished, Store, StoreError};
use crate::telemetry::Metrics;
use crate::timing::Timing;
pub use approvals::proof::{
    Confirmation, Identities, Identity, NoLink, PageKey, Part, Proven, Purpose, Returned, SignIn, Unproven,
};
pub use approvals::reveal::Reveal;
use delivery::outbox::Outbox;
use failure::Failure;
pub use replicas::PREFIX as REPLICA_LEASES;
use replicas::Replicas;
use steps::status_cache::Checklists;

/// The bot: shared by every request and worker.
pub struct Bot {
    sessions: Sessions,
    approvals: Approvals,
    notifications: Notifications,
    plans: Plans,
    templates: Option<Templates>,
    sekoia: Arc<Sekoia>,
    chats: Chats,
    policy: Policy,
    approval_policy: approval::Policy,
    outbox: Outbox,
    checklists: Checklists,
    /// Requests that a task of this process works on.
    running: DashMap<ApprovalId, ()>,
    /// What a form's check looked up, by the form's delivery, which follows at once.
    /// With the community that it was looked up in.
    prepared: Cache<Box<str>, Arc<(Uuid, Prepared)>>,
    /// The other processes on the same store.
    replicas: Replicas,
    /// Recorded requests that somebody sees to.
    taken: DashMap<Box<str>, ()>,
    /// What is watched at Sekoia.
    scoped: watching::Scoped,
    /// Under which address others reach this bot.
    public_url: Option<Url>,
    /// Who is who at the identity provider, if there is one.
    identities: Option<approvals::proof::Identities>,
    /// What its settings say beside what it needs to run.
    surroundings: doctor::Surroundings,
    retention: retention::Retention,
    timing: Timing,
    rounds: Arc<Rounds>,
    metrics: Arc<Metrics>,
}

/// Forms that are checked at the same time, and how long one is remembered.
const CHECKED: (u64, std::time::Duration) = (200, std::time::Duration::from_secs(30));

/// What somebody gets for what they said.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Shared, because a channel's checklist is asked for again and again.
    View(Arc<View>),
    Form(Form),
    /// A secret, which comes into being only when its form is open.
    Secret(Reveal),
    /// Good once, and soon over: never written down to be said later.
    Once(Arc<View>),
}

impl From<View> for Answer {
    fn from(view: View) -> Self {
        Answer::View(Arc::new(view))
    }
}

/// Whether a request came to its end.
enum Outcome {
    Settled(Answer),
    /// The store failed: a change that was recorded is tried again.
    Unsettled(Answer),
}

impl Outcome {
    fn answer(self) -> Answer {
        match self {
            Outcome::Settled(answer) | Outcome::Unsettled(answer) => answer,
        }
    }
}

/// Who asks, where and when, with the rights that were established.
struct Ask<'a> {
    actor: &'a UserId,
    channel: &'a ChannelKey,
    now: Timestamp,
    rights: Rights,
    /// What the platform gave the request.
    delivery: &'a str,
    settles: Settles,
}

/// The recorded request that somebody's wish is carried out for. Its first change ends it, unless another
/// process of the bot did so before; whatever else is changed for it follows from that one.
#[derive(Default, Clone)]
struct Settles(Arc<Mutex<Option<Finished>>>);

impl Settles {
    fn new(recorded: Option<Finished>) -> Self {
        Self(Arc::new(Mutex::new(recorded)))
    }

    /// What the next change ends.
    fn row(&self) -> Option<Finished> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

type CommandResult = Result<View, Failure>;

impl Bot {
    pub fn new(
        store: Arc<dyn Store>,
        sekoia: Arc<Sekoia>,
        chats: Chats,
        policy: Policy,
        approval_policy: approval::Policy,
        timing: Timing,
    ) -> Self {
        Self {
            sessions: Sessions::new(Arc::clone(&store)).watched(timing.drift),
            approvals: Approvals::new(Arc::clone(&store), timing),
            notifications: Notifications::new(Arc::clone(&store)),
            plans: Plans::new(store),
            templates: None,
            sekoia,
            chats,
            policy,
            approval_policy,
            outbox: Outbox::new(),
            replicas: Replicas::new(),
            checklists: Checklists::default(),
            running: DashMap::new(),
            taken: DashMap::new(),
            scoped: watching::Scoped::default(),
            public_url: None,
            identities: None,
            surroundings: doctor::Surroundings::default(),
            retention: retention::Retention::default(),
            timing,
            rounds: Arc::default(),
            metrics: Arc::default(),
            prepared: Cache::builder().max_capacity(CHECKED.0).time_to_live(CHECKED.1).build(),
        }
    }

    /// With budgets that other processes on the same store use too.
    #[must_use]
    pub fn sharing(mut self, share: Arc<Share>) -> Self {
        if self.sessions.store().is_shared() {
            // Until it is known who else is there.
            share.withhold();
        }
        self.replicas = self.replicas.sharing(share);
        self
    }

    /// With what people do and what is posted counted.
    #[must_use]
    pub fn measured(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// With the address under which others reach it: without, there are no webhooks.
    #[must_use]
    pub fn reached_at(mut self, public_url: Option<Url>) -> Self {
        self.public_url = public_url;
        self
    }

    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub fn notifications(&self) -> &Notifications {
        &self.notifications
    }

    /// With templates of plans.
    #[must_use]
    pub fn with_templates(mut self, templates: Option<Templates>) -> Self {
        self.templates = templates;
        self
    }

    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// How often the loops beside the requests went round.
    pub fn rounds(&self) -> &Arc<Rounds> {
        &self.rounds
    }

    /// Whether anything sensitive is carried out at present; if not, since when and why.
    pub async fn frozen(&self) -> Result<Option<Frozen>, StoreError> {
        self.approvals.frozen().await
    }

    pub fn sekoia(&self) -> &Sekoia {
        &self.sekoia
    }

    pub fn chats(&self) -> &Chats {
        &self.chats
    }

    /// The channel's session; without one, the answer is how to get one.
    async fn session(&self, ask: &Ask<'_>) -> Result<Arc<Session>, Failure> {
        Ok(self.sessions.read(ask.channel).await?.ok_or(Refusal::NoSession)?)
    }

    /// Decides, commits and applies one command of the checklist, then sees to the channel's
    /// message.
    async fn change(&self, ask: &Ask<'_>, command: crate::domain::checklist::Command) -> Result<Changed, Failure> {
        self.change_where(ask, command, |_| Ok(())).await
    }

    /// The same, if `still` holds for the session that it is decided on.
    async fn change_where(
        &self,
        ask: &Ask<'_>,
        command: crate::domain::checklist::Command,
        still: impl Fn(&Session) -> Result<(), Refusal> + Send + Sync,
    ) -> Result<Changed, Failure> {
        let by = Actor::Person(ask.actor.clone());
        let decide = |session: Option<&Session>| -> Result<Vec<Event>, Refusal> {
            let events = crate::domain::checklist::decide(session, command.clone(), ask.now)?;
            session.map_or(Ok(()), &still).map(|()| events)
        };
        let changed = self.sessions.change(ask.channel, &by, ask.now, ask.settles.row(), decide).await?;
        ask.settles.end();
        for event in &changed.events {
            let (actor, channel) = (ask.actor.as_str(), ask.channel.as_str());
            tracing::info!(actor, channel, kind = event.kind(), step = event.step().map(StepId::name), "changed");
        }
        self.outbox.wake();
        Ok(changed)
    }
}

/// Keeps a request to one task, until it is dropped.
struct Held<'a>(&'a DashMap<ApprovalId, ()>, ApprovalId);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.remove(&self.1);
    }
}

impl Bot {
    /// Keeps everybody else of this process from working on a request; none if somebody does.
    fn hold(&self, id: &ApprovalId) -> Option<Held<'_>> {
        let free = self.running.insert(id.clone(), ()).is_none();
        free.then(|| Held(&self.running, id.clone()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Change(ChangeError::Store(error))
    }
}
