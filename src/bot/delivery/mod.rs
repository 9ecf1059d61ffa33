//! Pending messages on their way: each by itself, so that one that waits for its chat holds up no
//! other; notices to one person go in the order in which they became due.
//!
//! A message stays pending until it is sent. What the platform refuses is tried again, ever more
//! rarely, and at once when something says that it may work now: a person types in the channel,
//! or the platform takes the bot's token again.

mod announce;
mod attempts;
mod coalesce;
mod dead_letters;
mod digests;
mod feed;
pub(super) mod feed_card;
mod feed_health;
pub(super) mod message;
mod notices;
pub(super) mod outbox;
mod post;
mod refusals;
mod replaced;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info_span, warn};

use super::Bot;
use super::inbox::only_store;
use crate::chat::{ChannelKey, ChatError, UserId};
use crate::domain::approval::ApprovalId;
use crate::state::owed::{Announced, Notice};
use crate::store::{Commit, StoreError, Work, WorkKind, fence};
use crate::timing::delivery::{CARD_LOOK, CARD_PATIENCE};
pub(super) use dead_letters::dead_letters;
use outbox::Place;
use refusals::after_refusal;

/// Messages of one kind under way at the same time.
const BATCH: usize = 64;
/// Notices that are put in order at the same time.
const MOST_NOTICES: u32 = 500;

/// A message that could not be sent, as this process last saw it.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    pub error: ChatError,
    pub about: About,
    /// It was refused so often that it is on record, and waits for long.
    pub recorded: bool,
    /// Since it could not be sent for the first time.
    pub since: std::time::Instant,
}

/// Where a message goes.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub channel: Option<ChannelKey>,
    pub to: Option<UserId>,
}

impl About {
    fn platform(&self) -> &str {
        let channel = self.channel.as_ref().map(ChannelKey::platform);
        channel.or(self.to.as_ref().map(UserId::platform)).unwrap_or_default()
    }
}

/// Keeps a message to one task, until it is dropped.
struct Sending(Arc<Bot>, (WorkKind, String));

impl Sending {
    fn new(bot: &Arc<Bot>, kind: WorkKind, lane: &str) -> Option<Self> {
        let lane = (kind, lane.to_owned());
        let free = bot.outbox.sending.insert(lane.clone());
        free.then(|| Self(Arc::clone(bot), lane))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.outbox.sending.remove(&self.1);
    }
}

impl Bot {
    /// Sends what is due until `stop`, in `tasks`.
    pub(super) async fn deliver(self: &Arc<Self>, stop: &CancellationToken, tasks: &TaskTracker) {
        let turns = self.rounds.of("delivery");
        while !stop.is_cancelled() {
            let turn = turns.round();
            self.send_due(tasks).await;
            drop(turn);
            tokio::select! {
                () = self.outbox.something_to_say(self.tick()) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sends the rest: whatever was under way may have been changed meanwhile.
    pub(super) async fn deliver_rest(self: &Arc<Self>, tasks: &TaskTracker) {
        tasks.close();
        tasks.wait().await;
        tasks.reopen();
        self.send_due(tasks).await;
        tasks.close();
        tasks.wait().await;
    }

    /// Begins to send what is due: cards and notices before checklists.
    async fn send_due(self: &Arc<Self>, tasks: &TaskTracker) {
        let now = Timestamp::now();
        let mut begun = Ok(());
        if self.lease_since().is_some() {
            begun = self.send_kind(WorkKind::Announce, now, tasks).await;
            begun = begun.and(self.send_kind(WorkKind::Card, now, tasks).await);
            begun = begun.and(self.send_notices(now, tasks).await);
            begun = begun.and(self.send_kind(WorkKind::Welcome, now, tasks).await);
        }
        if !self.may_work() {
            return;
        }
        // A checklist is shown by the process that changed it and knows it.
        if let Err(error) = begun.and(self.send_kind(WorkKind::Progress, now, tasks).await) {
            error!(%error, "pending messages could not be read");
        }
    }

    async fn send_kind(
        self: &Arc<Self>,
        kind: WorkKind,
        now: Timestamp,
        tasks: &TaskTracker,
    ) -> Result<(), StoreError> {
        let busy = self.outbox.sending.iter().filter(|lane| lane.0 == kind).count();
        let limit = u32::try_from(BATCH + busy).unwrap_or(u32::MAX);
        let due = self.sessions.store().due(kind, now, limit).await?;
        let free = due.into_iter().filter_map(|work| Some((Sending::new(self, kind, &work.key)?, work)));
        for (lane, work) in free.take(BATCH.saturating_sub(busy)) {
            let span = info_span!("message", kind = kind.name(), key = work.key);
            let bot = Arc::clone(self);
            self.begin(lane, tasks, async move { bot.send(&work).await.map(|_| ()) }.instrument(span));
        }
        Ok(())
    }

    /// Notices to one person, one after the other.
    async fn send_notices(self: &Arc<Self>, now: Timestamp, tasks: &TaskTracker) -> Result<(), StoreError> {
        let store = self.sessions.store();
        if store.due(WorkKind::Notice, now, 1).await?.is_empty() {
            return Ok(());
        }
        let mut people: BTreeMap<UserId, Vec<Work>> = BTreeMap::new();
        // Those that wait too: what became due later waits for them.
        for work in store.due(WorkKind::Notice, Timestamp::MAX, MOST_NOTICES).await? {
            if let Some(to) = self.recipient(&work).await? {
                people.entry(to).or_default().push(work);
            } else {
                error!(key = work.key, "a notice has no recipient; it is dropped");
                self.keep(Commit { finished: vec![work.finished()], ..Commit::default() }).await?;
            }
        }
        let busy = self.outbox.sending.iter().filter(|lane| lane.0 == WorkKind::Notice).count();
        let free = people.into_iter().filter(|(_, works)| works.iter().any(|work| work.due <= now));
        let free = free.filter_map(|(to, works)| Some((Sending::new(self, WorkKind::Notice, to.as_str())?, to, works)));
        for (lane, to, mut works) in free.take(BATCH.saturating_sub(busy)) {
            works.sort_by_key(|work| work.generation);
            let span = info_span!("notices", to = to.as_str());
            let bot = Arc::clone(self);
            self.begin(lane, tasks, async move { bot.send_in_order(works, now).await }.instrument(span));
        }
        Ok(())
    }

    async fn send_in_order(&self, works: Vec<Work>, now: Timestamp) -> Result<(), StoreError> {
        for work in works {
            let sent = work.due <= now && self.send(&work).await?;
            // One that can reach no one keeps the rest waiting for a while only.
            let key = (work.kind, work.key);
            let hopeless = |failing: &Failing| failing.recorded && failing.error.is_for_good();
            let passed_over = sent || self.outbox.failing.get(&key).is_some_and(|failing| hopeless(&failing));
            if !passed_over {
                break;
            }
        }
        Ok(())
    }

    fn begin(
        self: &Arc<Self>,
        lane: Sending,
        tasks: &TaskTracker,
        sending: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        let bot = Arc::clone(self);
        let message = self.rounds.once("message");
        tasks.spawn(fence::carried(async move {
            let sent = sending.await;
            drop((lane, message));
            bot.outbox.sent.notify_waiters();
            match sent {
                // It may be due again by now.
                Ok(()) => bot.outbox.wake_chat(),
                Err(error) => error!(%error, "what became of a message could not be recorded"),
            }
        }));
    }

    /// Sends one message; whether it is sent. An earlier task may have sent it.
    async fn send(&self, work: &Work) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let work = match self.sessions.store().find(work.kind, &work.key).await? {
            Some(found) if found.generation == work.generation => found,
            Some(_) | None => return Ok(true),
        };
        if work.due > now {
            return Ok(false);
        }
        let work = &work;
        let key = (work.kind, work.key.clone());
        let hints = self.outbox.hints.load(Ordering::Relaxed);
        let result = self.send_one(work).await;
        let (mut commit, mut refused) = (Commit::default(), false);
        match result {
            Ok(Ok(())) => {
                debug!("sent");
                commit.finished = self.dead_letter_of(work).await?;
                commit.finished.push(work.finished());
            }
            Ok(Err(error)) => {
                refused = error.is_of_channel();
                let about = self.about(work).await?;
                let (put_off, recorded) = self.postpone_refused(work, &about, &error, now).await?;
                commit = put_off;
                self.outbox.fails(key.clone(), error, about, recorded);
            }
            Err(error) => {
                let wait =
                    after_refusal(self.timing.delivery.first_wait, work.attempts, &ChatError::RateLimited).wait();
                warn!(%error, wait_s = wait.as_secs(), "the store failed; a message has to wait");
                commit.postponed.push((work.finished(), now + wait));
            }
        }
        let sent = !commit.finished.is_empty();
        self.keep(commit).await?;
        if sent {
            self.outbox.failing.remove(&key);
            if Place::of(work).is_none() {
                self.outbox.attempts.recorded(&key);
            }
            self.token_works(work).await?;
        }
        // The hint came while the message was being refused: it is tried once more.
        if refused && self.outbox.hints.load(Ordering::Relaxed) != hints {
            self.due_now(work.kind, &work.key, Timestamp::now()).await?;
        }
        Ok(sent)
    }

    async fn send_one(&self, work: &Work) -> Result<Result<(), ChatError>, StoreError> {
        let Some(place) = Place::of(work) else {
            return match work.kind {
                WorkKind::Announce => self.announce(work).await,
                WorkKind::Welcome => self.welcome(work).await,
                _ => self.notify(work).await,
            };
        };
        if let Place::Checklist(channel) = &place {
            // As it is stored: what this process remembers may be older than the row.
            self.sessions.read_anew(channel).await?;
        }
        if let Place::Card(id) = &place {
            // The checklist shows it first.
            self.sync_checklist(id).await;
        }
        self.show(&place, false).await
    }

    /// To whom a notice goes; none if it reaches no one.
    async fn recipient(&self, work: &Work) -> Result<Option<UserId>, StoreError> {
        Ok(match serde_json::from_str::<Notice>(&work.body) {
            Ok(
                Notice::Line { to, .. }
                | Notice::QuickStart { to, .. }
                | Notice::Assigned { to, .. }
                | Notice::Reminder { to, .. }
                | Notice::Request { to: Some(to), .. },
            ) => Some(to),
            Ok(Notice::Request { to: None, .. }) => {
                let id = work.key.split('/').next().unwrap_or_default();
                self.approvals.read(&ApprovalId::from(id)).await?.and_then(|approval| approval.requester().cloned())
            }
            Err(_) => None,
        })
    }

    pub(super) async fn about(&self, work: &Work) -> Result<About, StoreError> {
        let channel = match Place::of(work) {
            Some(Place::Checklist(channel)) => Some(channel),
            Some(Place::Card(id)) => self.approvals.read(&id).await?.map(|approval| approval.request.channel),
            None if work.kind == WorkKind::Announce => {
                serde_json::from_str::<Announced>(&work.body).ok().and_then(|said| said.channel().cloned())
            }
            None if work.kind == WorkKind::Welcome => Some(ChannelKey::from(work.key.clone())),
            None => return Ok(About { channel: None, to: self.recipient(work).await? }),
        };
        Ok(About { channel, to: None })
    }

    /// Whether a request's card stands in its channel, once that is known; what keeps it from it.
    pub(super) async fn card_stands(&self, id: &ApprovalId) -> Result<Result<bool, ChatError>, StoreError> {
        let until = Instant::now() + CARD_PATIENCE;
        let key = (WorkKind::Card, id.as_str().to_owned());
        loop {
            // Before the look, so that nothing is missed in between.
            let mut sent = pin!(self.outbox.sent.notified());
            sent.as_mut().enable();
            if self.approvals.read(id).await?.is_some_and(|approval| approval.card.is_some()) {
                return Ok(Ok(true));
            }
            if let Some(failing) = self.outbox.failing.get(&key) {
                return Ok(Err(failing.error.clone()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Ok(false));
            }
            let _ = tokio::time::timeout(left.min(CARD_LOOK), sent).await;
        }
    }

    /// A person types in a channel: what was refused there may be taken now.
    pub(super) async fn heard_from(&self, channel: &ChannelKey) {
        if self.outbox.failing.is_empty() {
            return;
        }
        self.try_again(|failing| failing.about.channel.as_ref() == Some(channel)).await;
    }

    /// The platform took this message, so it takes the bot's token.
    async fn token_works(&self, work: &Work) -> Result<(), StoreError> {
        let dead = |failing: &Failing| matches!(failing.error, ChatError::TokenDead(_));
        if self.outbox.failing.iter().any(|failing| dead(&failing)) {
            let about = self.about(work).await?;
            self.try_again(|failing| dead(failing) && failing.about.platform() == about.platform()).await;
        }
        Ok(())
    }

    /// A platform takes the bot's calls again.
    pub async fn chat_is_back(&self, platform: &str) {
        self.try_again(|failing| failing.about.platform() == platform).await;
    }

    /// Tries at once what was refused because of the bot's token, scopes or place.
    async fn try_again(&self, which: impl Fn(&Failing) -> bool) {
        self.outbox.hints.fetch_add(1, Ordering::Relaxed);
        let waits = |failing: &Failing| failing.recorded && failing.error.is_of_channel();
        let refused = self.outbox.failing.iter().filter(|failing| waits(failing) && which(failing));
        let keys: Vec<_> = refused.map(|failing| failing.key().clone()).collect();
        for (kind, key) in keys {
            let tried = match kind {
                WorkKind::News => self.retry_feed(&ChannelKey::from(key)).await,
                _ => self.due_now(kind, &key, Timestamp::now()).await,
            };
            if let Err(error) = tried {
                warn!(%error, "a refused message waits for its time");
            }
        }
        self.outbox.wake();
    }

    /// Makes work due that waits, if there is any.
    pub(super) async fn due_now(&self, kind: WorkKind, key: &str, now: Timestamp) -> Result<(), StoreError> {
        match self.sessions.store().find(kind, key).await? {
            Some(work) if work.due > now => {
                self.keep(Commit { postponed: vec![(work.finished(), now)], ..Commit::default() }).await
            }
            _ => Ok(()),
        }
    }

    pub(in crate::bot) async fn keep(&self, commit: Commit) -> Result<(), StoreError> {
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
    }
}
