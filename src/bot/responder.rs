//! How an answer reaches whoever asked, the same on every platform: at once if that takes nothing
//! but memory, otherwise after the request was acknowledged.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::{Accepted, Answer, Bot, Pending};
use crate::platform::{ChannelKey, ChatError, ChatPlatform, FormContent, Inbound, ReplyTo, UserId};
use crate::view::{Line, View};

/// Answers that wait at the same time. Beyond it, something outside hangs and is being asked by
/// everybody: what only looks is refused, so that memory stays bounded.
const MOST_WAITING: usize = 1_000;

/// Takes verified requests and sees to their answers.
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
        let pending = match self.bot.accept(inbound).await {
            Accepted::Again => {
                debug!("delivered before");
                return Reply::Acknowledge;
            }
            Accepted::Refused(view) if inline => return Reply::Now(view.into()),
            Accepted::Refused(view) => {
                Pending { answer: Box::pin(async { view.into() }), form: false, recorded: false }
            }
            Accepted::Answering(pending) => pending,
        };
        let Pending { mut answer, form, recorded } = pending;
        // Only what takes more than memory can fail in a way that is logged: the span is its.
        match futures_util::poll!(&mut answer) {
            Poll::Ready(Answer::View(view)) if inline => return Reply::Now(view),
            Poll::Pending if !recorded && self.tasks.len() >= MOST_WAITING => {
                warn!("too many answers are waiting for the chat or Sekoia; one is refused");
                let busy = View::sentence("I have too much to do right now. Please try again in a minute.");
                return if inline { Reply::Now(busy.into()) } else { Reply::Acknowledge };
            }
            // A form that is known opens at once; a secret comes into being behind a placeholder.
            Poll::Ready(ready) => {
                let placeholder = form && matches!(ready, Answer::Secret(_));
                self.follow_up(to, Box::pin(async { ready }), placeholder);
            }
            Poll::Pending => self.follow_up(to, answer, form),
        }
        Reply::Acknowledge
    }

    fn follow_up(&self, to: Recipient, answer: BoxFuture<'static, Answer>, form: bool) {
        let bot = Arc::clone(&self.bot);
        let span = info_span!("said", actor = to.actor.as_str(), channel = to.channel.as_str());
        let task = async move {
            // A trigger lives for three seconds: its form is opened while its content is found out.
            // Together, because whoever stops being polled may hold what others wait for.
            let placeholder = async {
                match (&to.trigger, form) {
                    (Some(trigger), true) => Some(bot.chat().open_form(trigger, None, &to.channel).await),
                    _ => None,
                }
            };
            let (opened, answer) = tokio::join!(placeholder, answer);
            if let Err(error) = to.deliver(&bot, opened, answer).await {
                warn!(%error, "an answer could not be delivered");
            }
        };
        self.tasks.spawn(task.instrument(span));
    }
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

    async fn deliver(
        &self,
        bot: &Bot,
        opened: Option<Result<Box<str>, ChatError>>,
        answer: Answer,
    ) -> Result<(), ChatError> {
        let chat = bot.chat();
        match (answer, opened, &self.trigger) {
            (Answer::Secret(reveal), Some(Ok(opened)), _) => match bot.reveal(&reveal, &opened, &self.channel).await {
                Some(instead) => self.say_in_form(chat, &opened, &instead).await,
                None => Ok(()),
            },
            (Answer::Secret(reveal), opened, _) => {
                let error = opened.and_then(Result::err);
                chat.tell(&self.channel, &self.actor, &self.beside(), &reveal.needs_a_form(error.as_ref())).await
            }
            (Answer::View(view), Some(Ok(opened)), _) => self.say_in_form(chat, &opened, &view).await,
            (Answer::View(view), _, _) => chat.tell(&self.channel, &self.actor, &self.to, &view).await,
            (Answer::Form(form), Some(Ok(opened)), _) => {
                match chat.fill_form(&opened, FormContent::Form(&form), &self.channel).await {
                    Ok(()) => Ok(()),
                    Err(error) => self.typed_instead(chat, &form.typed, Some(&error)).await,
                }
            }
            (Answer::Form(form), None, Some(trigger)) => {
                match chat.open_form(trigger, Some(&form), &self.channel).await {
                    Ok(_) => Ok(()),
                    Err(error) => self.typed_instead(chat, &form.typed, Some(&error)).await,
                }
            }
            (Answer::Form(form), Some(Err(error)), _) => self.typed_instead(chat, &form.typed, Some(&error)).await,
            // Mentions bring no trigger.
            (Answer::Form(form), None, None) => self.typed_instead(chat, &form.typed, None).await,
        }
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
            private @ ReplyTo::Private { .. } => private.clone(),
        }
    }

    /// No form could be opened: the same can be typed.
    async fn typed_instead(
        &self,
        chat: &dyn ChatPlatform,
        typed: &str,
        error: Option<&ChatError>,
    ) -> Result<(), ChatError> {
        let line = match error {
            Some(error) => Line::new().say(format!("I could not open the form ({error}). Type it instead: ")),
            None => Line::new().say("That takes more words. Type: "),
        };
        let line = line.code(typed.to_owned());
        chat.tell(&self.channel, &self.actor, &self.beside(), &View::sentence(line)).await
    }
}
