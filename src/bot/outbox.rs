//! Owed messages: a channel's checklist, a request's card, what one person is to be told.
//!
//! That one is owed is due work in the store, so that a crash between a change and its message is
//! made good after the restart. A message shows what is stored when it is sent, so that an edit
//! that was superseded is never made. A new one carries a mark, by which it is looked up before it
//! is posted again; edits of one message never overtake each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::{DashMap, DashSet};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};
use tracing::{Instrument, debug, error, info_span, warn};

use super::duty::Duty;
use super::inbox::only_store;
use super::{Bot, cards, request_card};
use crate::approval::{self, ApprovalId};
use crate::checklist::{Actor, Command, Session, decide};
use crate::pace::Rank;
use crate::platform::{ChannelKey, ChatError, ChatPlatform, MessageId};
use crate::store::{Commit, StoreError, Work, WorkKind};
use crate::streams::ChangeError;
use crate::view::View;

/// Messages brought up to date at the same time.
const AT_ONCE: u32 = 32;
/// The first wait after a failure; it doubles.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(2);
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// Attempts at what the platform refuses for good.
pub(super) const MOST_REFUSALS: u32 = 3;
/// A message that was edited so recently is not edited again because somebody presses Refresh.
const ANEW: Duration = Duration::from_secs(5);
/// How far back an unrecorded post is looked for.
pub(super) const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// A message that stays in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
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
    pub(super) duty: Duty,
    /// What came into being later was posted by nobody before this process.
    began: Timestamp,
}

/// What a message shows.
#[derive(Default)]
struct Shown {
    version: u64,
    frozen: bool,
    at: Option<Instant>,
    /// Whether a post was tried: it may stand there unrecorded.
    tried: bool,
    /// Posted, but not recorded yet because the store failed: not to be posted again.
    posted: Option<MessageId>,
}

/// What a message has to show.
struct Standing {
    version: u64,
    frozen: bool,
    /// Nothing more is expected of it.
    settled: bool,
    view: View,
    channel: ChannelKey,
    message: Option<MessageId>,
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

    fn mark(&self) -> String {
        match self {
            Place::Checklist(_) => "checklist".into(),
            Place::Card(id) => format!("card {id}"),
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
            duty: Duty::new(),
            began: Timestamp::now(),
        }
    }

    /// A post is about to be tried; whether it was before, so that it may stand there.
    pub(super) fn tries(&self, work: &Work) -> bool {
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
    /// chat's.
    pub(super) async fn show(&self, place: &Place, anew: bool) -> Result<Result<(), ChatError>, StoreError> {
        let lock = Arc::clone(self.outbox.shown.entry(place.clone()).or_default().value());
        let mut shown = lock.lock().await;
        let Some(standing) = self.standing(place).await? else { return Ok(Ok(())) };
        // However often somebody asks for it anew, an edit a while is enough.
        let fresh = shown.at.is_some_and(|at| at.elapsed() < ANEW);
        let current = shown.version >= standing.version && shown.frozen == standing.frozen;
        if current && (!anew || fresh) {
            return Ok(Ok(()));
        }
        let Standing { version, frozen, settled, view, channel, message, since, rank } = standing;
        let edited = |shown: &mut Shown| {
            (shown.version, shown.frozen, shown.at) = (version, frozen, Some(Instant::now()));
        };
        if settled && message.is_some() {
            // Hardly anything comes after it: the next edit is one more, and nothing else.
            self.outbox.shown.remove(place);
        }
        let chat = match self.chats.of_channel(&channel) {
            Ok(chat) => chat,
            Err(error) => return Ok(Err(error)),
        };
        if let (Some(message), None) = (&message, &shown.posted) {
            match chat.update(&channel, message, &view, &place.mark(), rank).await {
                // Somebody deleted it: it is posted again.
                Err(ChatError::MessageGone) => shown.tried = true,
                Err(error) => return Ok(Err(error)),
                Ok(()) => {
                    edited(&mut shown);
                    return Ok(Ok(()));
                }
            }
        }
        if shown.posted.is_none() {
            match self.post_once(chat, place, &channel, &view, since, rank, &mut shown.tried, anew).await {
                Ok(message) => shown.posted = Some(message),
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(message) = shown.posted.clone() else { return Ok(Ok(())) };
        match self.record_post(place, message).await {
            Ok((committed, events)) => {
                // What changed between the post and its record is still to be shown.
                let seen = version + events == committed;
                edited(&mut shown);
                shown.version = if seen { committed } else { version };
                shown.posted = None;
                Ok(Ok(()))
            }
            Err(error) => Err(error),
        }
    }

    /// Posts a message, unless one with its mark stands there already: then that one is edited.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    async fn post_once(
        &self,
        chat: &dyn ChatPlatform,
        place: &Place,
        channel: &ChannelKey,
        view: &View,
        since: Timestamp,
        rank: Rank,
        tried: &mut bool,
        anew: bool,
    ) -> Result<MessageId, ChatError> {
        let mark = place.mark();
        let alone = match place {
            Place::Checklist(_) => self.outbox.began,
            Place::Card(_) => self.alone_since(),
        };
        if *tried || since < alone {
            let since = since.max(Timestamp::now() - LOOK_BACK);
            match chat.find_post(channel, &mark, since).await {
                Ok(Some(message)) => {
                    debug!("an unrecorded post was found");
                    return chat.update(channel, &message, view, &mark, rank).await.map(|()| message);
                }
                Ok(None) => {}
                // Nobody can look, and a person asks for it: better twice than never.
                Err(ChatError::MissingScope(_)) if anew => {}
                Err(error) => return Err(error),
            }
        }
        *tried = true;
        chat.post(channel, view, &mark, rank).await
    }

    /// What a message has to show; none if there is nothing to be shown.
    async fn standing(&self, place: &Place) -> Result<Option<Standing>, StoreError> {
        let now = Timestamp::now();
        Ok(match place {
            Place::Checklist(channel) => {
                self.sessions.read_with_version(channel).await?.map(|(version, session)| Standing {
                    version,
                    frozen: false,
                    settled: false,
                    view: cards::checklist(&session, now),
                    channel: channel.clone(),
                    message: session.progress.clone(),
                    since: session.opened.at,
                    rank: Rank::Background,
                })
            }
            Place::Card(id) => match self.approvals.read_with_version(id).await? {
                Some((version, approval)) => {
                    let frozen = self.approvals.frozen().await?;
                    let channel = approval.request.channel.clone();
                    let card = request_card::card(&approval, frozen.as_ref(), self.sekoia.region);
                    Some(Standing {
                        version,
                        frozen: frozen.is_some(),
                        settled: !approval.status().is_open(),
                        view: self.native_to(channel.platform(), card).await,
                        channel,
                        message: approval.card.clone(),
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
    async fn record_post(&self, place: &Place, message: MessageId) -> Result<(u64, u64), StoreError> {
        let now = Timestamp::now();
        let failed = |error: String| {
            warn!(error, "the posted message could not be recorded yet");
            Ok((0, 1))
        };
        match place {
            Place::Checklist(channel) => {
                let posted =
                    |session: Option<&Session>| decide(session, Command::Posted { message: message.clone() }, now);
                match self.sessions.change(channel, &Actor::Bot, now, None, posted).await {
                    Ok(changed) => Ok((changed.version, changed.events.len() as u64)),
                    Err(ChangeError::Store(error)) => Err(error),
                    Err(error) => failed(error.to_string()),
                }
            }
            Place::Card(id) => {
                let posted = |state: Option<&approval::Approval>| {
                    approval::decide(state, approval::Command::Posted { message: message.clone() }, now)
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
    pub(super) fn alone_since(&self) -> Timestamp {
        self.on_duty().unwrap_or_else(Timestamp::now)
    }

    /// Says what is due: cards and news before checklists. Whether there may be more.
    pub(super) async fn say_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let (mut more, mut failed) = (false, None);
        // A checklist is shown by whoever changed it and knows it.
        let kinds: &[WorkKind] = match self.on_duty() {
            Some(_) => &[WorkKind::Announce, WorkKind::Card, WorkKind::Notice, WorkKind::Welcome, WorkKind::Progress],
            None => &[WorkKind::Progress],
        };
        for kind in kinds.iter().copied() {
            let due = self.sessions.store().due(kind, now, AT_ONCE).await?;
            more |= due.len() == AT_ONCE as usize;
            let said = due.into_iter().map(|work| {
                let span = info_span!("owed", kind = kind.name(), key = work.key);
                self.say(work, now).instrument(span)
            });
            // What cannot be recorded keeps nothing else waiting.
            failed = join_all(said).await.into_iter().find_map(Result::err).or(failed);
        }
        failed.map_or(Ok(more), Err)
    }

    async fn say(&self, work: Work, now: Timestamp) -> Result<(), StoreError> {
        let said = self.say_one(&work, now).await;
        let wait = FIRST_WAIT.saturating_mul(1 << work.attempts.min(10)).min(LONGEST_WAIT);
        let mut commit = Commit::default();
        match said {
            Ok(Ok(())) => {
                debug!("said");
                commit.finished.push(work.finished());
            }
            Ok(Err(refused)) if !refused.is_passing() && work.attempts + 1 >= MOST_REFUSALS => {
                error!(error = %refused, "this cannot be said; it is put aside");
                commit.finished.push(work.finished());
                commit.schedule = self.parked(&work, &refused, now).await;
            }
            Ok(Err(failed)) => {
                warn!(error = %failed, attempts = work.attempts + 1, wait_s = wait.as_secs(), "it has to wait");
                commit.postponed.push((work.finished(), now + wait));
            }
            Err(failed) => {
                warn!(error = %failed, wait_s = wait.as_secs(), "the store failed; it has to wait");
                commit.postponed.push((work.finished(), now + wait));
            }
        }
        let done = !commit.finished.is_empty();
        self.sessions.store().commit(commit).await.map_err(only_store)?;
        if done {
            self.outbox.settled(&work);
        }
        Ok(())
    }

    async fn say_one(&self, work: &Work, now: Timestamp) -> Result<Result<(), ChatError>, StoreError> {
        let Some(place) = Place::of(work) else {
            return match work.kind {
                WorkKind::Announce => self.announce(work).await,
                WorkKind::Welcome => self.welcome(work).await,
                _ => self.notify(work).await,
            };
        };
        if let Place::Card(id) = &place
            && let Some(approval) = self.approvals.read(id).await?
        {
            self.reflect(&approval, now).await;
        }
        self.show(&place, false).await
    }
}
