//! Owed messages: a channel's checklist, a request's card, what one person is to be told.
//!
//! That one is owed is due work in the store, so that a crash between a change and its message is
//! made good after the restart. A message shows what is stored when it is sent, so that an edit
//! that was superseded is never made. A new one carries a mark, by which it is looked up before it
//! is posted again; edits of one message never overtake each other.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use dashmap::{DashMap, DashSet};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};
use tracing::{debug, warn};

use super::Failing;
use super::replaced::{Original, marked};
use crate::bot::Bot;
use crate::bot::approvals::card;
use crate::bot::lease::Lease;
use crate::bot::steps::cards;
use crate::chat::view::View;
use crate::chat::{Actor, ChannelKey, ChatError, ChatPlatform, MessageId};
use crate::domain::approval::{self, ApprovalId};
use crate::domain::checklist::{Command, Session, decide};
use crate::pace::Rank;
use crate::state::stream::ChangeError;
use crate::store::{StoreError, Work, WorkKind};

/// So long it is remembered what a settled message shows.
const SETTLED: Duration = Duration::from_mins(1);
/// How far back an unrecorded post is looked for.
pub(in crate::bot) const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

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
    /// Posts that were tried and are not on record: each may stand there.
    tried: DashSet<(WorkKind, String)>,
    /// What is being sent: a message, or all that one person is told.
    pub(super) sending: DashSet<(WorkKind, String)>,
    /// What could not be sent yet, and why. Of news, by channel.
    pub(super) failing: DashMap<(WorkKind, String), Failing>,
    /// A message was sent, or was not.
    pub(super) sent: Notify,
    /// How often something said that what was refused may be taken now.
    pub(super) hints: AtomicU64,
    /// Channels that take news again, perhaps.
    pub(super) open_again: DashSet<ChannelKey>,
    pub(in crate::bot) duty: Lease,
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
    /// The mark of a post that was tried: it may stand there unrecorded.
    tried: Option<String>,
    /// Posted, but not recorded yet because the store failed: not to be posted again.
    posted: Option<Unrecorded>,
}

/// A message that is not on record yet.
#[derive(Clone)]
struct Unrecorded {
    message: MessageId,
    replaces: Option<MessageId>,
    /// It shows what it has to.
    current: bool,
}

/// What a message has to show.
struct PostedMessage {
    version: u64,
    frozen: bool,
    /// Nothing more is expected of it.
    settled: bool,
    view: View,
    channel: ChannelKey,
    message: Option<MessageId>,
    replaces: Option<MessageId>,
    since: Timestamp,
    rank: Rank,
}

impl Place {
    pub(super) fn of(work: &Work) -> Option<Self> {
        match work.kind {
            WorkKind::Progress => Some(Place::Checklist(ChannelKey::from(work.key.clone()))),
            WorkKind::Card => Some(Place::Card(ApprovalId::from(work.key.as_str()))),
            _ => None,
        }
    }

    fn mark(&self, replaces: Option<&MessageId>) -> String {
        let mark = match self {
            Place::Checklist(_) => "checklist".into(),
            Place::Card(id) => format!("card {id}"),
        };
        marked(mark, replaces)
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
            tried: DashSet::new(),
            sending: DashSet::new(),
            failing: DashMap::new(),
            sent: Notify::new(),
            hints: AtomicU64::new(0),
            open_again: DashSet::new(),
            duty: Lease::new(),
            began: Timestamp::now(),
        }
    }

    /// A post is about to be tried; whether it was before, so that it may stand there.
    pub(in crate::bot) fn tries(&self, work: &Work) -> bool {
        !self.tried.insert((work.kind, work.key.clone()))
    }

    /// What became of it is on record.
    pub(super) fn settled(&self, work: &Work) {
        self.tried.remove(&(work.kind, work.key.clone()));
    }

    /// There is something to say or to do.
    pub fn wake(&self) {
        self.chat.notify_one();
        self.work.notify_one();
    }

    /// Forgets what settled messages show, but for those that may just be edited again.
    fn forget_settled(&self) {
        let old = |shown: &Shown| shown.settled && shown.at.is_some_and(|at| at.elapsed() > SETTLED);
        self.shown.retain(|_, shown| !shown.try_lock().is_ok_and(|shown| old(&shown)));
    }

    /// There is something to say.
    pub fn wake_chat(&self) {
        self.chat.notify_one();
    }

    /// Something happened at Sekoia that is to be said.
    pub fn wake_news(&self) {
        self.news.notify_one();
    }

    /// Waits for that, or for a while.
    pub async fn news(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.news.notified()).await;
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
    /// chat's. `anew`: somebody asks for it, so it is looked at whatever is known of it.
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
        let PostedMessage { version, frozen, settled, view, channel, message, mut replaces, since, rank } =
            posted_message;
        let rank = if anew { Rank::Person } else { rank };
        let edited = |shown: &mut Shown| {
            (shown.version, shown.frozen, shown.at, shown.settled) = (version, frozen, Some(began), settled);
        };
        if settled {
            // Hardly anything comes after it: the next edit is one more, and nothing else.
            self.outbox.forget_settled();
        }
        let chat = match self.chats.of_channel(&channel) {
            Ok(chat) => chat,
            Err(error) => return Ok(Err(error)),
        };
        if let (Some(message), None) = (&message, &shown.posted) {
            let mark = place.mark(replaces.as_ref());
            let view = self.naming_replaced(chat, &channel, &view, replaces.as_ref()).await;
            match self.edit(chat, &channel, message, &view, &mark, rank).await {
                Ok(true) => {
                    edited(&mut shown);
                    return Ok(Ok(()));
                }
                Ok(false) => {
                    self.note_replaced(&channel, message, &place.original()).await?;
                    replaces = Some(message.clone());
                }
                // Somebody deleted it: it is posted again.
                Err(ChatError::MessageGone) => shown.tried = Some(mark),
                Err(error) => return Ok(Err(error)),
            }
        }
        if shown.posted.is_none() {
            let view = self.naming_replaced(chat, &channel, &view, replaces.as_ref()).await;
            match self.post_once(chat, place, &channel, &view, replaces, since, rank, &mut shown.tried, anew).await {
                Ok(posted) => shown.posted = Some(posted),
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(Unrecorded { message, replaces, current }) = shown.posted.clone() else { return Ok(Ok(())) };
        let (committed, events) = self.record_post(place, message, replaces).await?;
        // What changed between the post and its record is still to be shown.
        let seen = version + events == committed;
        edited(&mut shown);
        shown.posted = None;
        if !current {
            shown.version = 0;
            return Ok(Err(ChatError::NotEditable));
        }
        shown.version = if seen { committed } else { version };
        Ok(Ok(()))
    }

    /// Posts a message, unless one with its mark stands there already: then that one is edited.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    async fn post_once(
        &self,
        chat: &dyn ChatPlatform,
        place: &Place,
        channel: &ChannelKey,
        view: &View,
        replaces: Option<MessageId>,
        since: Timestamp,
        rank: Rank,
        tried: &mut Option<String>,
        anew: bool,
    ) -> Result<Unrecorded, ChatError> {
        let mark = place.mark(replaces.as_ref());
        let alone = match place {
            Place::Checklist(_) => self.outbox.began,
            Place::Card(_) => self.alone_since(),
        };
        if tried.as_ref() == Some(&mark) || since < alone {
            let since = since.max(Timestamp::now() - LOOK_BACK);
            match chat.find_post(channel, &mark, since).await {
                Ok(Some(message)) => {
                    debug!("an unrecorded post was found");
                    let current = self.edit(chat, channel, &message, view, &mark, rank).await?;
                    return Ok(Unrecorded { message, replaces, current });
                }
                Ok(None) => {}
                // Nobody can look, and a person asks for it: better twice than never.
                Err(ChatError::MissingScope(_)) if anew => {}
                Err(error) => return Err(error),
            }
        }
        *tried = Some(mark.clone());
        let message = chat.post(channel, view, &mark, rank).await?;
        Ok(Unrecorded { message, replaces, current: true })
    }

    /// What a message has to show; none if there is nothing to be shown.
    async fn posted_message(&self, place: &Place) -> Result<Option<PostedMessage>, StoreError> {
        let now = Timestamp::now();
        Ok(match place {
            Place::Checklist(channel) => {
                self.sessions.read_with_version(channel).await?.map(|(version, session)| PostedMessage {
                    version,
                    frozen: false,
                    settled: false,
                    view: cards::checklist(&session, now),
                    channel: channel.clone(),
                    message: session.progress.clone(),
                    replaces: session.replaces.clone(),
                    since: session.opened.at,
                    rank: Rank::Background,
                })
            }
            Place::Card(id) => match self.approvals.read_with_version(id).await? {
                Some((version, approval)) => {
                    let frozen = self.approvals.frozen().await?;
                    let channel = approval.request.channel.clone();
                    let card = card::card(&approval, frozen.as_ref(), self.sekoia.region);
                    Some(PostedMessage {
                        version,
                        frozen: frozen.is_some(),
                        settled: !approval.status().is_open(),
                        view: self.native_to(channel.platform(), card).await,
                        channel,
                        message: approval.card.clone(),
                        replaces: approval.replaces.clone(),
                        since: approval.asked.at,
                        // Decisions go before everything else that is edited.
                        rank: Rank::Person,
                    })
                }
                None => None,
            },
        })
    }

    /// Records where a message stands: the version that this makes, and by how much.
    async fn record_post(
        &self,
        place: &Place,
        message: MessageId,
        replaces: Option<MessageId>,
    ) -> Result<(u64, u64), StoreError> {
        let now = Timestamp::now();
        let failed = |error: String| {
            warn!(error, "the posted message could not be recorded yet");
            Ok((0, 1))
        };
        match place {
            Place::Checklist(channel) => {
                let posted = |session: Option<&Session>| {
                    let command = Command::Posted { message: message.clone(), replaces: replaces.clone() };
                    decide(session, command, now)
                };
                match self.sessions.change(channel, &Actor::Bot, now, None, posted).await {
                    Ok(changed) => Ok((changed.version, changed.events.len() as u64)),
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
                    Ok(changed) => Ok((changed.version, changed.events.len() as u64)),
                    Err(ChangeError::Store(error)) => Err(error),
                    Err(error) => failed(error.to_string()),
                }
            }
        }
    }

    /// What is older may have been said by another process.
    pub(in crate::bot) fn alone_since(&self) -> Timestamp {
        self.on_duty().unwrap_or_else(Timestamp::now)
    }
}
