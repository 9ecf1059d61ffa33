//! Requests on their way: recorded before they are acknowledged if they change anything, answered
//! at once if that takes nothing but memory, and taken up again after a crash.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, info_span, warn};

use super::failure::reference;
use super::responder::typed_instead;
use super::{Answer, Bot, Outcome, Settles};
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, Inbound, MessageId, ReplyTo, UserId, Words};
use crate::command::{Command, Fault, ParsedCommand, read};
use crate::state::owed::Notice;
use crate::store::{Commit, CommitError, Finished, Schedule, StoreError, Work, WorkKind, fence};
use crate::telemetry::{Trace, trace};
use crate::timing::bot::RECORDED_WITHIN;
pub(super) use crate::timing::bot::TAKEN_UP_AFTER;

/// What became of a request when it came in.
pub enum Accepted {
    /// It was delivered before: acknowledge it, nothing else.
    Again,
    /// It could not be recorded: nothing will be done.
    Refused {
        view: View,
        trace: Trace,
    },
    Answering(Pending),
}

/// The answer, when it is ready. It may be ready at once.
pub struct Pending {
    pub answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
    /// It will be a form: a placeholder should be opened while the trigger lives.
    pub form: bool,
    /// It is a recorded change, which is owed an end. What only looks and is recorded is answered later if
    /// there is too much to do now.
    pub recorded: bool,
    /// What is done for the answer belongs to it.
    pub trace: Trace,
}

const BATCH: u32 = 32;
/// A recorded request is tried so often, two minutes apart, before its last failure is told.
const MOST_ATTEMPTS: u32 = 10;

/// A recorded change, as it is stored.
#[derive(Serialize, Deserialize)]
struct Recorded {
    actor: UserId,
    channel: ChannelKey,
    words: Words,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pressed: Option<MessageId>,
    /// Where the answer stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<Box<str>>,
    at: Timestamp,
    /// The process that sees to it, if there are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Box<str>>,
}

impl Bot {
    /// Takes a verified request. When this returns, the request may be acknowledged.
    pub async fn accept(self: &Arc<Self>, inbound: Inbound) -> Accepted {
        self.accept_as(inbound, false).await
    }

    /// The same for what nobody delivers again: whatever it asks is recorded, done once, and answered after
    /// a crash.
    pub async fn accept_once(self: &Arc<Self>, inbound: Inbound) -> Accepted {
        self.accept_as(inbound, true).await
    }

    async fn accept_as(self: &Arc<Self>, inbound: Inbound, once: bool) -> Accepted {
        let said = read(&inbound.words, inbound.actor.platform());
        let mut trace = self.traced(&inbound.channel, &said);
        let command = said.as_ref().ok().map(|said| &said.command);
        let window = matches!(inbound.reply_to, ReplyTo::Window { .. });
        let form = inbound.trigger.is_some() && (window || command.is_some_and(Command::opens_form));
        let changes = command.is_some_and(Command::changes);
        if changes || once || trace::is_exported() {
            trace.open(inbound.actor.as_str(), inbound.channel.as_str());
        }
        let recorded = if changes || once {
            match trace.follow(self.record(&inbound)).await {
                Ok(recorded) => Some(recorded),
                Err(CommitError::Delivered) => return Accepted::Again,
                Err(error) => {
                    self.metrics.failed_answer("store");
                    let view = trace.follow(async { not_recorded(&error) }).await;
                    return Accepted::Refused { view, trace };
                }
            }
        } else {
            None
        };
        let bot = Arc::clone(self);
        let taken = recorded.as_ref().and_then(|_| Taken::new(self, &inbound.delivery));
        let answer = Box::pin(trace.follow(async move {
            let _taken = taken;
            bot.heard_from(&inbound.channel).await;
            bot.settle(&inbound, said, recorded, false).await.answer()
        }));
        Accepted::Answering(Pending { answer, form, recorded: changes, trace })
    }

    /// Counts what was said; what follows from it is its trace's.
    fn traced(&self, channel: &ChannelKey, said: &Result<ParsedCommand, Fault>) -> Trace {
        let platform = self.chats.of_channel(channel).map_or("unknown", |chat| chat.name());
        let command = said.as_ref().map_or("unknown", |said| said.spec.name);
        self.metrics.command(platform, command);
        Trace::begin(platform, command)
    }

    /// Records a change and its delivery in one commit: the second delivery finds the first.
    async fn record(&self, inbound: &Inbound) -> Result<Finished, CommitError> {
        let Inbound { actor, channel, words, pressed, reply_to, at, .. } = inbound.clone();
        let thread = if let ReplyTo::Private { thread } = reply_to { thread } else { None };
        let by = self.sessions.store().is_shared().then(|| self.replicas.name().into());
        let body = Recorded { actor, channel, words, pressed, thread, at, by };
        let body = serde_json::to_string(&body)
            .map_err(|e| StoreError::Corrupt { place: "a request".into(), why: e.to_string() })?;
        let work = Schedule {
            kind: WorkKind::Inbound,
            key: inbound.delivery.to_string(),
            due: at + TAKEN_UP_AFTER,
            attempts: 0,
            body,
        };
        let delivery = Some((inbound.delivery.to_string(), at));
        let commit = Commit { schedule: vec![work], delivery, ..Commit::default() };
        let scheduled = self.sessions.store().commit_within(commit, RECORDED_WITHIN);
        let generation = scheduled.await?.first().copied().unwrap_or_default();
        Ok(Finished { kind: WorkKind::Inbound.into(), key: inbound.delivery.to_string(), generation })
    }

    /// Answers and takes a recorded request off the list, or puts it off.
    async fn settle(
        &self,
        inbound: &Inbound,
        said: Result<ParsedCommand, Fault>,
        recorded: Option<Finished>,
        again: bool,
    ) -> Outcome {
        let changes = said.as_ref().is_ok_and(|said| said.command.changes());
        let settles = Settles::new(recorded);
        let outcome = self.answer(inbound, said, settles.clone(), again).await;
        // A change ended it already.
        let Some(recorded) = settles.row() else { return outcome };
        let commit = match &outcome {
            // Who only looked reads what failed, and looks again.
            Outcome::Unsettled(_) if !changes && !again => Commit { finished: vec![recorded], ..Commit::default() },
            Outcome::Settled(_) => Commit { finished: vec![recorded], ..Commit::default() },
            Outcome::Unsettled(_) => {
                Commit { postponed: vec![(recorded, Timestamp::now() + TAKEN_UP_AFTER)], ..Commit::default() }
            }
        };
        // Refused, or nothing was to be changed: it must not come up again. If this fails it does, and is
        // refused again.
        if let Err(error) = self.sessions.store().commit(commit).await {
            warn!(%error, "a settled request stays on the list");
        }
        outcome
    }

    async fn take_up(self: &Arc<Self>, work: Work) -> Result<(), StoreError> {
        let recorded: Recorded = match serde_json::from_str(&work.body) {
            Ok(recorded) => recorded,
            Err(error) => {
                error!(%error, key = work.key, "a recorded request cannot be read; it is dropped");
                let commit = Commit { finished: vec![work.finished()], ..Commit::default() };
                return self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store);
            }
        };
        let inbound = Inbound {
            delivery: work.key.as_str().into(),
            actor: recorded.actor,
            channel: recorded.channel,
            words: recorded.words,
            pressed: recorded.pressed,
            trigger: None,
            reply_to: ReplyTo::Private { thread: recorded.thread },
            at: recorded.at,
        };
        let again = work.attempts < MOST_ATTEMPTS;
        // Who asked hears of the end, not of every attempt.
        let said = read(&inbound.words, inbound.actor.platform());
        let mut trace = self.traced(&inbound.channel, &said);
        trace.open(inbound.actor.as_str(), inbound.channel.as_str());
        let view = match trace.follow(self.settle(&inbound, said, Some(work.finished()), again)).await {
            Outcome::Settled(Answer::View(view)) => view,
            // Nobody waits for a form any more.
            Outcome::Settled(Answer::Form(form)) => typed_instead(&form.typed, None).into(),
            // A link would be over, or be written down on its way.
            Outcome::Settled(Answer::Once(_)) => {
                View::sentence("I was interrupted before I could answer you. Press the button again.").into()
            }
            Outcome::Settled(Answer::Secret(_)) | Outcome::Unsettled(_) => return Ok(()),
        };
        let told = match self.chats.of_channel(&inbound.channel) {
            Ok(chat) => chat.tell(&inbound.channel, &inbound.actor, &inbound.reply_to, &view).await,
            Err(error) => Err(error),
        };
        let Err(error) = told else { return Ok(()) };
        warn!(%error, "the answer to a request from before the restart is owed");
        let people: Vec<&UserId> = view.lines().flat_map(Line::people).collect();
        let names = self.names(people, []).await;
        let text = view.plain_with(&|user| Some(format!("@{}", names.person(user))));
        let notice = Notice::Line { to: inbound.actor.clone(), text, about: None, see: None };
        let owed = Schedule {
            kind: WorkKind::Notice,
            key: format!("answer/{}", inbound.delivery),
            due: Timestamp::now(),
            attempts: 0,
            body: crate::state::stream::encode(&notice),
        };
        let commit = Commit { schedule: vec![owed], ..Commit::default() };
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
    }

    /// Whether the process that recorded a request is gone. One that began a moment ago may not be known
    /// yet.
    fn is_orphaned(&self, work: &Work, now: Timestamp) -> bool {
        let beats = self.timing.beats;
        if work.attempts > 0 || now < work.due - TAKEN_UP_AFTER + beats.settled {
            return false;
        }
        let recorded = serde_json::from_str::<Recorded>(&work.body).ok();
        recorded.and_then(|recorded| recorded.by).is_some_and(|by| self.replicas.is_gone(&by, beats))
    }

    /// Takes up what nobody sees to, each in a task of its own: one that waits for the chat or
    /// Sekoia keeps nobody else waiting.
    pub(super) async fn take_up_due(self: &Arc<Self>, until: Timestamp, tasks: &TaskTracker) -> Result<(), StoreError> {
        let at_once = BATCH.saturating_add(u32::try_from(self.taken.len()).unwrap_or(u32::MAX));
        let store = self.sessions.store();
        let ahead = if store.is_shared() { TAKEN_UP_AFTER } else { Duration::ZERO };
        for work in store.due(WorkKind::Inbound, until + ahead, at_once).await? {
            if work.due > until && !self.is_orphaned(&work, until) {
                continue;
            }
            let Some(taken) = Taken::new(self, &work.key) else { continue };
            let (bot, span) = (Arc::clone(self), info_span!("taken up", delivery = work.key));
            let task = async move {
                let _taken = taken;
                if let Err(error) = bot.take_up(work).await {
                    error!(%error, "a recorded request could not be taken up");
                }
            };
            tasks.spawn(fence::carried(task.instrument(span)));
        }
        Ok(())
    }
}

/// Keeps a recorded request to one task, until it is dropped.
struct Taken(Arc<Bot>, Box<str>);

impl Taken {
    fn new(bot: &Arc<Bot>, delivery: &str) -> Option<Self> {
        let free = bot.taken.insert(delivery.into(), ()).is_none();
        free.then(|| Self(Arc::clone(bot), delivery.into()))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.remove(&self.1);
    }
}

/// What is said instead of doing anything.
fn not_recorded(error: &CommitError) -> View {
    trace::failed("store");
    let reference = reference();
    error!(reference, %error, "a change could not be recorded");
    let view = match error {
        CommitError::Store(StoreError::Unsettled) => View::sentence(
            "My storage is slow, and it is not certain yet that this was recorded. If it was, I carry it out within a few minutes and tell you. Look at the present state before you repeat it.",
        ),
        CommitError::Store(StoreError::Busy) => View::sentence(
            "My storage is busy, so this was not recorded and will not be done. Please press or type it again in a minute.",
        ),
        _ => View::sentence("I could not record this, so nothing was done. Please try again in a minute."),
    };
    view.note(format!("Reference for your bot administrator: {reference}"))
}

/// A commit without streams and deliveries fails in one way only.
pub(super) fn only_store(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        other => StoreError::Corrupt { place: "table work".into(), why: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_recorded_and_what_may_be_are_two_answers() {
        let said = |error| not_recorded(&CommitError::Store(error)).plain();
        let full = StoreError::Corrupt { place: "work".into(), why: "the disk is full".into() };
        for (error, says) in [
            (StoreError::Unsettled, "My storage is slow, and it is not certain yet that this was recorded. If it was,"),
            (StoreError::Busy, "My storage is busy, so this was not recorded and will not be done."),
            (full, "I could not record this, so nothing was done."),
        ] {
            let said = said(error);
            assert!(said.starts_with(says), "{said}");
        }
    }
}
