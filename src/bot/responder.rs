//! How an answer reaches the person who asked, the same on every platform: at once if that takes nothing but memory (or a
//! quick look at a shared store), otherwise after the request was acknowledged.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::approvals::reveal::no_forms;
use super::inbox::{Accepted, Pending};
use super::{Answer, Bot};
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, ChatError, ChatPlatform, FormContent, Inbound, ReplyTo, UserId};
use crate::pace::Seldom;
use crate::telemetry::Trace;
use crate::timing::bot::ANSWERED_AT_ONCE;

/// Answers that wait at the same time. Beyond it, something outside hangs and is being asked by
/// everybody: what only looks is refused, so that memory stays bounded.
const MOST_WAITING: usize = 1_000;

/// Takes verified requests and sees to their answers.
#[derive(Clone)]
pub struct Responder {
    bot: Arc<Bot>,
    /// What goes on after its request was acknowledged; a stop waits for it.
    tasks: TaskTracker,
}

/// What the request's own reply says.
#[derive(Debug)]
pub enum Reply {
    /// That it arrived; the answer, if there is one, follows through the platform.
    Acknowledge,
    Now(Arc<View>),
}

impl Responder {
    pub fn new(bot: Arc<Bot>, tasks: TaskTracker) -> Self {
        Self { bot, tasks }
    }

    pub fn bot(&self) -> &Arc<Bot> {
        &self.bot
    }

    /// When this returns, the request may be acknowledged. `inline`: whether the platform reads an
    /// answer in the reply.
    pub async fn take(&self, inbound: Inbound, inline: bool) -> Reply {
        let to = Recipient::of(&inbound);
        let accepted = self.bot.accept(inbound).await;
        self.go_on(to, accepted, inline).await
    }

    /// The same for what the platform never delivers again, and in whose reply nothing is read. Ends when it
    /// was answered; none if there is nothing to answer now.
    pub async fn take_once(&self, inbound: Inbound) -> Option<JoinHandle<()>> {
        let to = Recipient::of(&inbound);
        let (answer, trace): (BoxFuture<'static, Answer>, _) = match self.bot.accept_once(inbound).await {
            Accepted::Again => return None,
            Accepted::Refused { view, trace } => (Box::pin(async { view.into() }), trace),
            Accepted::Answering(pending) if !pending.recorded && self.tasks.len() >= MOST_WAITING => {
                warn!("too many answers are waiting for the chat or Sekoia; one is given later");
                return None;
            }
            Accepted::Answering(pending) => (pending.answer, pending.trace),
        };
        Some(self.follow_up(to, answer, false, trace))
    }

    /// The same for a submitted form.
    ///
    /// # Errors
    /// When it could not be recorded: why, to be said in the form, which should stay open with what
    /// was filled in.
    pub async fn take_form(&self, inbound: Inbound) -> Result<Reply, View> {
        let to = Recipient::of(&inbound);
        match self.bot.accept(inbound).await {
            Accepted::Refused { view, .. } => Err(view),
            accepted => Ok(self.go_on(to, accepted, false).await),
        }
    }

    async fn go_on(&self, to: Recipient, accepted: Accepted, inline: bool) -> Reply {
        let pending = match accepted {
            Accepted::Again => {
                debug!("delivered before");
                return Reply::Acknowledge;
            }
            Accepted::Refused { view, .. } if inline => return Reply::Now(view.into()),
            Accepted::Refused { view, trace } => {
                Pending { answer: Box::pin(async { view.into() }), form: to.in_window(), recorded: false, trace }
            }
            Accepted::Answering(pending) => pending,
        };
        let Pending { mut answer, form, recorded, trace } = pending;
        // Only what takes more than memory can fail in a way that is logged: the span is its.
        match futures_util::poll!(&mut answer) {
            Poll::Ready(Answer::View(view) | Answer::Once(view)) if inline => return Reply::Now(view),
            Poll::Pending if !recorded && self.tasks.len() >= MOST_WAITING => {
                warn!("too many answers are waiting for the chat or Sekoia; one is refused");
                return if inline { Reply::Now(busy().into()) } else { Reply::Acknowledge };
            }
            Poll::Ready(ready) => {
                let form = form && to.waits_for(&ready);
                self.follow_up(to, Box::pin(async { ready }), form, trace);
            }
            Poll::Pending if (inline || form) && self.bot.sessions().store().is_shared() => {
                return self.answer_soon(to, Pending { answer, form, recorded, trace }, inline).await;
            }
            Poll::Pending => {
                self.follow_up(to, answer, form, trace);
            }
        }
        Reply::Acknowledge
    }

    /// The same where a shared store is asked on the way, which takes milliseconds: what takes no longer than
    /// that is answered as if it took nothing.
    async fn answer_soon(&self, to: Recipient, pending: Pending, inline: bool) -> Reply {
        let Pending { mut answer, form, mut trace, .. } = pending;
        let (reply, wait) = oneshot::channel();
        let bot = Arc::clone(&self.bot);
        trace.open(to.actor.as_str(), to.channel.as_str());
        // A task of its own: the platform may hang up, and what was begun is not left half done.
        let task = async move {
            let said = match tokio::time::timeout(ANSWERED_AT_ONCE, &mut answer).await {
                Ok(Answer::View(view) | Answer::Once(view)) if inline => match reply.send(view) {
                    Ok(()) => Ok(()),
                    Err(view) => to.tell(&bot, &to.to, &view).await,
                },
                Ok(ready) => {
                    drop(reply);
                    let form = form && to.waits_for(&ready);
                    to.answer_with(&bot, Box::pin(async { ready }), form).await
                }
                Err(_) => {
                    drop(reply);
                    to.answer_with(&bot, answer, form).await
                }
            };
            if let Err(error) = said {
                undelivered(&error);
            }
        };
        self.tasks.spawn(trace.follow(task));
        wait.await.map_or(Reply::Acknowledge, Reply::Now)
    }

    /// The same for a platform that waits for the answer: what comes within `patience` is the
    /// reply's; what comes later follows. Forms are opened on the way.
    pub async fn take_within(&self, inbound: Inbound, patience: Duration) -> Reply {
        self.take_form_within(inbound, patience).await.unwrap_or_else(|refused| Reply::Now(refused.into()))
    }

    /// The same for a submitted form.
    ///
    /// # Errors
    /// As [`Responder::take_form`].
    pub async fn take_form_within(&self, inbound: Inbound, patience: Duration) -> Result<Reply, View> {
        let to = Recipient::of(&inbound);
        match self.bot.accept(inbound).await {
            Accepted::Again => {
                debug!("delivered before");
                Ok(Reply::Acknowledge)
            }
            Accepted::Refused { view, .. } => Err(view),
            Accepted::Answering(pending) => Ok(self.answer_within(to, pending, patience).await),
        }
    }

    async fn answer_within(&self, to: Recipient, pending: Pending, patience: Duration) -> Reply {
        let Pending { answer, recorded, mut trace, .. } = pending;
        if !recorded && self.tasks.len() >= MOST_WAITING {
            warn!("too many answers are waiting for the chat or Sekoia; one is refused");
            return Reply::Now(busy().into());
        }
        let (told, wait) = oneshot::channel();
        let bot = Arc::clone(&self.bot);
        trace.open(to.actor.as_str(), to.channel.as_str());
        // A task of its own: whoever asked may hang up, and what was begun is not left half done.
        let task = async move {
            let Some((view, reply_to)) = to.left_to_say(&bot, answer.await).await else {
                let _ = told.send(Reply::Acknowledge);
                return;
            };
            if let Err(Reply::Now(view)) = told.send(Reply::Now(view))
                && let Err(error) = to.tell(&bot, &reply_to, &view).await
            {
                undelivered(&error);
            }
        };
        self.tasks.spawn(trace.follow(task));
        match tokio::time::timeout(patience, wait).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) | Err(_) => Reply::Acknowledge,
        }
    }

    fn follow_up(
        &self,
        to: Recipient,
        answer: BoxFuture<'static, Answer>,
        form: bool,
        mut trace: Trace,
    ) -> JoinHandle<()> {
        let bot = Arc::clone(&self.bot);
        trace.open(to.actor.as_str(), to.channel.as_str());
        let task = async move {
            if let Err(error) = to.answer_with(&bot, answer, form).await {
                undelivered(&error);
            }
        };
        self.tasks.spawn(trace.follow(task))
    }
}

/// While the platform cannot be reached, this is so for everybody.
fn undelivered(error: &ChatError) {
    static FAILED: Seldom = Seldom::new();
    if let Some(missed) = FAILED.now() {
        warn!(%error, missed, "an answer could not be delivered");
    }
}

fn busy() -> View {
    View::sentence("I have too much to do right now. Please try again in a minute.")
}

/// Whom an answer goes to.
struct Recipient {
    channel: ChannelKey,
    actor: UserId,
    to: ReplyTo,
    trigger: Option<Box<str>>,
}

impl Recipient {
    fn of(inbound: &Inbound) -> Self {
        Self {
            channel: inbound.channel.clone(),
            actor: inbound.actor.clone(),
            to: inbound.reply_to.clone(),
            trigger: inbound.trigger.clone(),
        }
    }

    /// Whether the answer stands in a window, whatever it is.
    fn in_window(&self) -> bool {
        matches!(self.to, ReplyTo::Window { .. })
    }

    /// Whether a placeholder is opened before what is known: a secret comes into being behind one, and a form
    /// opens at once.
    fn waits_for(&self, known: &Answer) -> bool {
        match known {
            Answer::Secret(_) => true,
            Answer::View(_) | Answer::Once(_) => self.in_window(),
            Answer::Form(_) => false,
        }
    }

    /// `form`: a placeholder is opened while the answer is found out.
    async fn answer_with(&self, bot: &Bot, answer: BoxFuture<'static, Answer>, form: bool) -> Result<(), ChatError> {
        // A trigger lives for three seconds: its form is opened while its content is found out.
        // Together, because whoever stops being polled may hold what others wait for.
        let placeholder = async {
            match (&self.trigger, form) {
                _ if let ReplyTo::Window { opened: Some(opened) } = &self.to => Some(Ok(opened.clone())),
                (Some(trigger), true) => Some(match bot.chats().of_channel(&self.channel) {
                    Ok(chat) => chat.open_form(trigger, None, &self.channel).await,
                    Err(error) => Err(error),
                }),
                _ => None,
            }
        };
        let (opened, answer) = tokio::join!(placeholder, answer);
        self.deliver(bot, opened, answer).await
    }

    async fn deliver(
        &self,
        bot: &Bot,
        opened: Option<Result<Box<str>, ChatError>>,
        answer: Answer,
    ) -> Result<(), ChatError> {
        let chat = bot.chats().of_channel(&self.channel)?;
        let Some(opened) = opened else {
            return match self.left_to_say(bot, answer).await {
                Some((view, to)) => chat.tell(&self.channel, &self.actor, &to, &view).await,
                None => Ok(()),
            };
        };
        let instead = match (opened, answer) {
            (Ok(opened), Answer::Secret(reveal)) => match bot.reveal(&reveal, &opened, &self.channel).await {
                Some(instead) => return self.say_in_form(chat, &opened, &instead).await,
                None => return Ok(()),
            },
            (Ok(opened), Answer::View(view) | Answer::Once(view)) => {
                return self.say_in_form(chat, &opened, &view).await;
            }
            (Ok(opened), Answer::Form(form)) => {
                match chat.fill_form(&opened, FormContent::Form(&form), &self.channel).await {
                    Ok(()) => return Ok(()),
                    Err(error) => typed_instead(&form.typed, Some(&error)),
                }
            }
            (Err(error), Answer::Form(form)) => typed_instead(&form.typed, Some(&error)),
            (Err(error), Answer::Secret(reveal)) => reveal.needs_a_form(Some(&error)),
            (Err(_), Answer::View(view) | Answer::Once(view)) => {
                return chat.tell(&self.channel, &self.actor, &self.to, &view).await;
            }
        };
        chat.tell(&self.channel, &self.actor, &self.beside(), &instead).await
    }

    /// Opens what is to be opened; what is left is to be said, and where.
    async fn left_to_say(&self, bot: &Bot, answer: Answer) -> Option<(Arc<View>, ReplyTo)> {
        let chat = match bot.chats().of_channel(&self.channel) {
            Ok(chat) => chat,
            Err(error) => return Some((View::sentence(format!("{error}.")).into(), self.to.clone())),
        };
        let instead = match (answer, &self.trigger) {
            (Answer::View(view), _) => return Some((view, self.to.clone())),
            (Answer::Once(view), _) => return Some((view, self.beside())),
            (Answer::Form(form), Some(trigger)) => {
                let opened = chat.open_form(trigger, Some(&form), &self.channel).await;
                opened.err().map(|error| typed_instead(&form.typed, Some(&error)))
            }
            // Mentions bring no trigger.
            (Answer::Form(form), None) => Some(typed_instead(&form.typed, None)),
            (Answer::Secret(reveal), Some(trigger)) => match chat.open_form(trigger, None, &self.channel).await {
                Ok(opened) => match bot.reveal(&reveal, &opened, &self.channel).await {
                    // What stands open says it; where nothing does, it is told.
                    Some(view) => match chat.fill_form(&opened, FormContent::Instead(&view), &self.channel).await {
                        Ok(()) => None,
                        Err(_) => Some(view),
                    },
                    None => None,
                },
                Err(error) => Some(reveal.needs_a_form(Some(&error))),
            },
            (Answer::Secret(_), None) if chat.only_mentions() => Some(no_forms()),
            (Answer::Secret(reveal), None) => Some(reveal.needs_a_form(None)),
        };
        instead.map(|view| (view.into(), self.beside()))
    }

    async fn tell(&self, bot: &Bot, to: &ReplyTo, view: &View) -> Result<(), ChatError> {
        let chat = bot.chats().of_channel(&self.channel)?;
        chat.tell(&self.channel, &self.actor, to, view).await
    }

    async fn say_in_form(&self, chat: &dyn ChatPlatform, opened: &str, view: &View) -> Result<(), ChatError> {
        match chat.fill_form(opened, FormContent::Instead(view), &self.channel).await {
            Ok(()) => Ok(()),
            Err(_) => chat.tell(&self.channel, &self.actor, &self.to, view).await,
        }
    }

    /// Beside a pressed card, which stays: the button on it still works.
    fn beside(&self) -> ReplyTo {
        match &self.to {
            ReplyTo::Url { url, .. } => ReplyTo::Url { url: url.clone(), replace: false },
            beside @ (ReplyTo::Private { .. } | ReplyTo::Window { .. }) => beside.clone(),
        }
    }
}

/// No form could be opened: the same can be typed.
pub(super) fn typed_instead(typed: &str, error: Option<&ChatError>) -> View {
    let line = match error {
        Some(error) => Line::new().say(format!("I could not open the form ({error}). Type it instead: ")),
        None => Line::new().say("That takes more words. Type: "),
    };
    View::sentence(line.code(typed.to_owned()))
}
