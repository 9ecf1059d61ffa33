//! Pending messages that stay in their place: a channel's checklist and a request's card.
//!
//! That one is pending is due work in the store, so that a crash between a change and its message
//! loses nothing. A message shows what is stored when it is sent, so that an edit
//! that was superseded is never made. A new one carries a mark, by which it is looked up before it
//! is posted again; edits of one message never overtake each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use dashmap::{DashMap, DashSet};
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use tracing::warn;

use super::attempts::Attempts;
use super::message::{LiveMessage, Outcome, Post, Unrecorded, WorkId};
use super::replaced::Original;
use super::{About, Failing};
use crate::bot::Bot;
use crate::bot::approvals::bundle::bundle_card;
use crate::bot::approvals::card;
use crate::bot::lease::{BACKGROUND, Lease};
use crate::bot::steps::cards;
use crate::chat::{Actor, ChannelKey, ChatError, MessageId};
use crate::domain::approval::{self, ApprovalId};
use crate::domain::checklist::{Command, Session, decide};
use crate::pace::Rank;
use crate::state::stream::ChangeError;
use crate::store::{StoreError, Work, WorkKind};
use crate::timing::delivery::SETTLED_KEPT;

/// A message that stays in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::bot) enum Place {
    Checklist(ChannelKey),
    Card(ApprovalId),
}

pub struct Outbox {
    /// Held by message while it is being shown.
    shown: DashMap<Place, Arc<Mutex<Shown>>>,
    chat: Notify,
    work: Notify,
    news: Notify,
    homes: Notify,
    pub(super) attempts: Attempts,
    /// What is being sent: a message, or all notices to one person.
    pub(super) sending: DashSet<WorkId>,
    /// What could not be sent yet, and why. Of the feed, by channel.
    pub(super) failing: DashMap<WorkId, Failing>,
    /// A message was sent, or was not.
    pub(super) sent: Notify,
    /// How often something said that what was refused may be taken now.
    pub(super) hints: AtomicU64,
    /// Channels that take news again, perhaps.
    pub(super) open_again: DashSet<ChannelKey>,
    pub(in crate::bot) lease: Lease,
    /// What came into being later was posted by nobody before this process.
    began: Timestamp,
}

/// What a message shows.
#[derive(Default)]
struct Shown {
    version: u64,
    frozen: bool,
    /// When the last look at it began that ended well.
    at: Option<Instant>,
    /// Nothing more is expected of it.
    settled: bool,
}

/// What a message has to show.
struct PostedMessage {
    version: u64,
    frozen: bool,
    /// Nothing more is expected of it.
    settled: bool,
    live: LiveMessage,
}

impl Place {
    pub(super) fn of(work: &Work) -> Option<Self> {
        match work.kind {
            WorkKind::Progress => Some(Place::Checklist(ChannelKey::from(work.key.clone()))),
            WorkKind::Card => Some(Place::Card(ApprovalId::from(work.key.as_str()))),
            _ => None,
        }
    }

    fn mark(&self) -> String {
        match self {
            Place::Checklist(_) => "checklist".into(),
            Place::Card(id) => format!("card {id}"),
        }
    }

    fn work(&self) -> WorkId {
        match self {
            Place::Checklist(channel) => (WorkKind::Progress, channel.as_str().to_owned()),
            Place::Card(id) => (WorkKind::Card, id.as_str().to_owned()),
        }
    }

    fn original(&self) -> Original {
        match self {
            Place::Checklist(_) => Original::Checklist,
            Place::Card(id) => Original::Card { id: id.clone() },
        }
    }
}

impl Outbox {
    pub fn new() -> Self {
        Self {
            shown: DashMap::new(),
            chat: Notify::new(),
            work: Notify::new(),
            news: Notify::new(),
            homes: Notify::new(),
            attempts: Attempts::default(),
            sending: DashSet::new(),
            failing: DashMap::new(),
            sent: Notify::new(),
            hints: AtomicU64::new(0),
            open_again: DashSet::new(),
            lease: Lease::new(BACKGROUND),
            began: Timestamp::now(),
        }
    }

    /// There is something to say or to do.
    pub fn wake(&self) {
        self.wake_chat();
        self.work.notify_one();
    }

    /// Notes that something could not be sent.
    pub(super) fn fails(&self, work: WorkId, error: ChatError, about: About, recorded: bool) {
        let since = self.failing.get(&work).map_or_else(Instant::now, |before| before.since);
        self.failing.insert(work, Failing { error, about, recorded, since });
    }

    /// How many messages of each kind could not be sent, and for how long the first of them.
    pub(in crate::bot) fn failing_for(&self) -> BTreeMap<WorkKind, (u64, Duration)> {
        let mut all = BTreeMap::<_, (u64, Duration)>::new();
        for failing in &self.failing {
            let (count, longest) = all.entry(failing.key().0).or_default();
            *count += 1;
            *longest = failing.since.elapsed().max(*longest);
        }
        all
    }

    /// Forgets what settled messages show, but for those that may just be edited again.
    fn forget_settled(&self) {
        let old = |shown: &Shown| shown.settled && shown.at.is_some_and(|at| at.elapsed() > SETTLED_KEPT);
        self.shown.retain(|_, shown| !shown.try_lock().is_ok_and(|shown| old(&shown)));
    }

    /// There is something to say.
    pub fn wake_chat(&self) {
        self.chat.notify_one();
        self.homes.notify_one();
    }

    /// Something happened at Sekoia that is to be said.
    pub fn wake_news(&self) {
        self.news.notify_one();
    }

    /// Waits for that, or for a while.
    pub async fn news(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.news.notified()).await;
    }

    /// Waits until something changed that people may see on their pages; true if it did not for a while.
    pub async fn nothing_changed(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.homes.notified()).await.is_err()
    }

    /// Waits for something to say, or for a while.
    pub async fn something_to_say(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.chat.notified()).await;
    }

    /// Waits for something to do, or for a while.
    pub async fn something_to_do(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.work.notified()).await;
    }
}

impl Bot {
    /// Makes a message show what is stored. The outer error is the store's, the inner one the
    /// chat's. `anew`: a person asks for it, so it is looked at whatever is known of it.
    pub(in crate::bot) async fn show(&self, place: &Place, anew: bool) -> Result<Result<(), ChatError>, StoreError> {
        let asked = Instant::now();
        let lock = Arc::clone(self.outbox.shown.entry(place.clone()).or_default().value());
        let mut shown = lock.lock().await;
        let Some(posted_message) = self.posted_message(place).await? else { return Ok(Ok(())) };
        let current = shown.version >= posted_message.version && shown.frozen == posted_message.frozen;
        // Of many who ask at once, one look that began after they asked is enough.
        let looked = shown.at.is_some_and(|at| at >= asked);
        if current && (!anew || looked) {
            return Ok(Ok(()));
        }
        let began = Instant::now();
        let PostedMessage { version, frozen, settled, mut live } = posted_message;
        if anew {
            (live.post.rank, live.post.insist) = (Rank::Person, true);
        }
        if settled {
            // Hardly anything comes after it: the next edit is one more, and nothing else.
            self.outbox.forget_settled();
        }
        let outcome = match self.bring_up_to_date(&live).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        let mut edited = |version| {
            (shown.version, shown.frozen, shown.at, shown.settled) = (version, frozen, Some(began), settled);
        };
        let Outcome::Posted(Unrecorded { message, replaces, current }) = outcome else {
            edited(version);
            return Ok(Ok(()));
        };
        let recorded = self.record_post(place, message, replaces).await?;
        match recorded {
            Some(_) => self.outbox.attempts.recorded(&live.post.work),
            None => self.outbox.attempts.doubt(&live.post.work),
        }
        if !current {
            edited(0);
            return Ok(Err(ChatError::NotEditable));
        }
        // What changed between the post and its record is still to be shown.
        let seen = recorded.filter(|(committed, events)| version + events == *committed);
        edited(seen.map_or(version, |(committed, _)| committed));
        Ok(Ok(()))
    }

    /// What a message has to show; none if there is nothing to be shown.
    async fn posted_message(&self, place: &Place) -> Result<Option<PostedMessage>, StoreError> {
        let now = Timestamp::now();
        let live = |channel: &ChannelKey, rank, since, alone, view| LiveMessage {
            post: Post {
                work: place.work(),
                channel: channel.clone(),
                under: None,
                mark: place.mark(),
                rank,
                since,
                in_doubt: since < alone,
                insist: false,
            },
            view,
            again: None,
            message: None,
            replaces: None,
            original: Some(place.original()),
            reposts: true,
        };
        Ok(match place {
            Place::Checklist(channel) => {
                self.sessions.read_with_version(channel).await?.map(|(version, session)| PostedMessage {
                    version,
                    frozen: false,
                    settled: false,
                    live: LiveMessage {
                        message: session.progress.clone(),
                        replaces: session.replaces.clone(),
                        ..live(
                            channel,
                            Rank::Background,
                            session.opened.at,
                            self.posts_since(),
                            cards::checklist(&session, now),
                        )
                    },
                })
            }
            Place::Card(id) => match self.approvals.read_with_version(id).await? {
                Some((version, approval)) => {
                    let frozen = self.approvals.frozen().await?;
                    let channel = &approval.request.channel;
                    let (children, versions) = self.children_with_version(&approval).await?;
                    let (frozen_now, app) = (frozen.as_ref(), &*self.sekoia.app);
                    let card = async |approval: &approval::Approval| {
                        let card = if approval.is_bundle() {
                            bundle_card(approval, &children, frozen_now, app)
                        } else {
                            card::card(approval, frozen_now, app)
                        };
                        self.native_to(channel.platform(), card).await
                    };
                    let view = card(&approval).await;
                    let again = match approval.mention() {
                        Some(_) => Some(card(&approval.mentioning_nobody()).await),
                        None => None,
                    };
                    Some(PostedMessage {
                        // A bundle's card shows its parts' requests as well.
                        version: version + versions,
                        frozen: frozen.is_some(),
                        settled: !approval.status().is_open(),
                        live: LiveMessage {
                            again,
                            message: approval.card.clone(),
                            replaces: approval.replaces.clone(),
                            // Decisions go before everything else that is edited.
                            ..live(channel, Rank::Person, approval.asked.at, self.alone_since(), view)
                        },
                    })
                }
                None => None,
            },
        })
    }

    /// Records where a message stands: the version that this makes, and by how much; none if the
    /// state does not take it.
    async fn record_post(
        &self,
        place: &Place,
        message: MessageId,
        replaces: Option<MessageId>,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let now = Timestamp::now();
        let failed = |error: String| {
            warn!(error, "the posted message could not be recorded yet");
            Ok(None)
        };
        match place {
            Place::Checklist(channel) => {
                let posted = |session: Option<&Session>| {
                    let command = Command::Posted { message: message.clone(), replaces: replaces.clone() };
                    decide(session, command, now)
                };
                match self.sessions.change(channel, &Actor::Bot, now, None, posted).await {
                    Ok(changed) => Ok(Some((changed.version, changed.events.len() as u64))),
                    Err(ChangeError::Store(error)) => Err(error),
                    Err(error) => failed(error.to_string()),
                }
            }
            Place::Card(id) => {
                let posted = |state: Option<&approval::Approval>| {
                    let command = approval::Command::Posted { message: message.clone(), replaces: replaces.clone() };
                    approval::decide(state, command, now)
                };
                match self.approvals.change(id, &Actor::Bot, now, None, posted).await {
                    Ok(changed) => Ok(Some((changed.version, changed.events.len() as u64))),
                    Err(ChangeError::Store(error)) => Err(error),
                    Err(error) => failed(error.to_string()),
                }
            }
        }
    }

    /// A checklist that is older may have been posted by another process.
    fn posts_since(&self) -> Timestamp {
        if self.sessions.store().is_shared() { self.alone_since() } else { self.outbox.began }
    }

    /// What is older may have been said by another process.
    pub(in crate::bot) fn alone_since(&self) -> Timestamp {
        self.lease_since().unwrap_or_else(Timestamp::now)
    }
}
