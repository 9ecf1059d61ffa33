//! The one message a channel: posted once, then edited in place, until it shows the stored truth.
//!
//! That it is owed is due work in the store, so that a crash between a change and its edit is made
//! good after the restart. Edits of one channel never overtake each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};
use tracing::{Instrument, debug, info_span, warn};

use super::{Bot, cards};
use crate::checklist::{Actor, Command, Refusal, Session, decide};
use crate::platform::{ChannelKey, ChatError, MessageId};
use crate::sessions::ChangeError;
use crate::store::{Commit, CommitError, StoreError, Work, WorkKind};

/// Messages brought up to date at the same time.
const AT_ONCE: u32 = 32;
/// The first wait after a failure; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A message that was edited so recently is not edited again because somebody presses Refresh.
const ANEW: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Progress {
    /// Held by channel while its message is being shown.
    shown: DashMap<ChannelKey, Arc<Mutex<Shown>>>,
    wake: Notify,
}

/// What a channel's message shows.
#[derive(Default)]
struct Shown {
    version: u64,
    at: Option<Instant>,
    /// Slack did not say whether the first post stands there: only a person has it posted again.
    unconfirmed: bool,
    /// Posted, but not recorded yet because the store failed: not to be posted again.
    posted: Option<MessageId>,
}

impl Progress {
    /// There is something to show.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for something to show, or for a while.
    pub async fn woken(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.wake.notified()).await;
    }
}

impl Bot {
    /// Makes the channel's message show the session; `anew` also if it should already.
    /// The outer error is the store's, the inner one the chat's.
    pub(super) async fn show(&self, channel: &ChannelKey, anew: bool) -> Result<Result<(), ChatError>, StoreError> {
        let lock = Arc::clone(self.progress.shown.entry(channel.clone()).or_default().value());
        let mut shown = lock.lock().await;
        let Some((version, session)) = self.sessions.read_with_version(channel).await? else { return Ok(Ok(())) };
        // However often somebody asks for it anew, an edit a while is enough.
        let fresh = shown.at.is_some_and(|at| at.elapsed() < ANEW);
        if shown.version >= version && (!anew || fresh) {
            return Ok(Ok(()));
        }
        let now = Timestamp::now();
        let view = cards::checklist(&session, now);
        let mut gone = false;
        if let (Some(message), None) = (&session.progress, &shown.posted) {
            match self.chat.update(channel, message, &view).await {
                // Somebody deleted it: it is posted again.
                Err(ChatError::MessageGone) => gone = true,
                Err(error) => return Ok(Err(error)),
                Ok(()) => {
                    (shown.version, shown.at) = (version, Some(Instant::now()));
                    return Ok(Ok(()));
                }
            }
        }
        if shown.posted.is_none() {
            if shown.unconfirmed && !anew {
                return Ok(Err(ChatError::Unconfirmed("somebody has to look".into())));
            }
            debug!(gone, "the progress message is posted");
            match self.chat.post(channel, &view).await {
                Ok(message) => shown.posted = Some(message),
                // It may stand there or not: posting blindly again could make two.
                Err(ChatError::Unavailable(why)) => {
                    shown.unconfirmed = true;
                    return Ok(Err(ChatError::Unconfirmed(why)));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(message) = shown.posted.clone() else { return Ok(Ok(())) };
        let posted = |session: Option<&Session>| -> Result<_, Refusal> {
            decide(session, Command::Posted { message: message.clone() }, now)
        };
        match self.sessions.change(channel, &Actor::Bot, now, None, posted).await {
            Ok(changed) => {
                // What changed between the post and its record is still to be shown.
                let seen = version + changed.events.len() as u64 == changed.version;
                let version = if seen { changed.version } else { version };
                *shown = Shown { version, at: Some(Instant::now()), ..Shown::default() };
                Ok(Ok(()))
            }
            Err(ChangeError::Store(error)) => Err(error),
            Err(error) => {
                warn!(%error, "the posted message could not be recorded yet");
                Ok(Ok(()))
            }
        }
    }

    /// Does what is due now; returns whether there may be more.
    pub(super) async fn show_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let due = self.sessions.store().due(WorkKind::Progress, now, AT_ONCE).await?;
        let more = due.len() == AT_ONCE as usize;
        let mut tasks = Vec::new();
        for work in due {
            let channel = ChannelKey::from(work.key.clone());
            let span = info_span!("progress", channel = channel.channel());
            tasks.push(self.show_one(work, channel, now).instrument(span));
        }
        for result in join_all(tasks).await {
            result?;
        }
        Ok(more)
    }

    async fn show_one(&self, work: Work, channel: ChannelKey, now: Timestamp) -> Result<(), StoreError> {
        let wait = FIRST_WAIT.saturating_mul(1 << work.attempts.min(10)).min(LONGEST_WAIT);
        let mut commit = Commit::default();
        match self.show(&channel, false).await {
            Ok(Ok(())) => {
                debug!("the progress message shows the truth");
                commit.finished.push(work.finished());
            }
            Ok(Err(error @ ChatError::Unconfirmed(_))) => {
                warn!(%error, "nobody knows whether the progress message stands there; `refresh` posts one");
                commit.finished.push(work.finished());
            }
            Ok(Err(error)) => {
                warn!(%error, attempts = work.attempts + 1, wait_s = wait.as_secs(), "the progress message has to wait");
                commit.postponed.push((work.finished(), now + wait));
            }
            Err(error) => {
                warn!(%error, wait_s = wait.as_secs(), "the store failed; the progress message has to wait");
                commit.postponed.push((work.finished(), now + wait));
            }
        }
        match self.sessions.store().commit(commit).await {
            Err(CommitError::Store(error)) => Err(error),
            // Neither streams nor deliveries are in it.
            Ok(_) | Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(()),
        }
    }
}
