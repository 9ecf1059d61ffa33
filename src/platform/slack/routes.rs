//! Slack's three routes: verify, parse, hand over, acknowledge.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use super::inbound::{self, Event, Interaction, Malformed, Slash};
use super::render::Message;
use super::signature::Verifier;
use crate::bot::{Accepted, Answer, Bot, Pending};
use crate::config::SlackConfig;
use crate::platform::{ChatError, FormContent, Inbound, ReplyTo};
use crate::server::Refused;
use crate::view::{Line, View};

/// What the routes share.
pub struct Slack {
    verifier: Verifier,
    bot: Arc<Bot>,
    /// What goes on after its request was acknowledged; a stop waits for it.
    tasks: TaskTracker,
    refused: Arc<Refused>,
}

/// Answers that wait at the same time. Beyond it, something outside hangs and is being asked by
/// everybody: what only looks is refused, so that memory stays bounded.
const MOST_WAITING: usize = 1_000;

/// Bytes of a usual reply: written without growing on the way.
const REPLY: usize = 6 * 1024;

type Body = Result<Bytes, BytesRejection>;

impl Slack {
    pub fn new(config: &SlackConfig, bot: Arc<Bot>, tasks: TaskTracker, refused: Arc<Refused>) -> Self {
        Self { verifier: Verifier::new(&config.signing_secret), bot, tasks, refused }
    }

    /// The body, if it is within its limit and Slack signed it.
    fn verified(&self, headers: &HeaderMap, body: Body, now: Timestamp) -> Result<Bytes, StatusCode> {
        let body = body.map_err(|rejection| self.refused.count(rejection.status()))?;
        if self.verifier.verify(headers, &body, now.as_second()) {
            Ok(body)
        } else {
            Err(self.refused.count(StatusCode::UNAUTHORIZED))
        }
    }

    fn malformed(&self, _: Malformed) -> StatusCode {
        self.refused.count(StatusCode::BAD_REQUEST)
    }

    /// Answers in the HTTP reply if that takes nothing but memory, otherwise acknowledges and
    /// follows up. `inline`: whether Slack reads the reply's body here.
    async fn handle(self: Arc<Self>, inbound: Inbound, inline: bool) -> Response {
        let to = Recipient::of(&inbound);
        let pending = match self.bot.accept(inbound).await {
            Accepted::Again => {
                debug!("delivered before");
                return StatusCode::OK.into_response();
            }
            Accepted::Refused(view) if inline => return reply(&view),
            Accepted::Refused(view) => {
                Pending { answer: Box::pin(async { view.into() }), form: false, recorded: false }
            }
            Accepted::Answering(pending) => pending,
        };
        let Pending { mut answer, form, recorded } = pending;
        // Only what takes more than memory can fail in a way that is logged: the span is its.
        match futures_util::poll!(&mut answer) {
            std::task::Poll::Ready(Answer::View(view)) if inline => return reply(&view),
            std::task::Poll::Pending if !recorded && self.tasks.len() >= MOST_WAITING => {
                warn!("too many answers are waiting for Slack or Sekoia; one is refused");
                let busy = View::sentence("I have too much to do right now. Please try again in a minute.");
                return if inline { reply(&busy) } else { StatusCode::OK.into_response() };
            }
            std::task::Poll::Ready(ready) => self.follow_up(to, Box::pin(async { ready }), false),
            std::task::Poll::Pending => self.follow_up(to, answer, form),
        }
        StatusCode::OK.into_response()
    }

    fn follow_up(&self, to: Recipient, answer: futures_util::future::BoxFuture<'static, Answer>, form: bool) {
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
    channel: crate::platform::ChannelKey,
    actor: crate::platform::UserId,
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
            (Answer::View(view), Some(Ok(opened)), _) => {
                match chat.fill_form(&opened, FormContent::Instead(&view), &self.channel).await {
                    Ok(()) => Ok(()),
                    Err(_) => chat.tell(&self.channel, &self.actor, &self.to, &view).await,
                }
            }
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

    /// No form could be opened: the same can be typed.
    async fn typed_instead(
        &self,
        chat: &dyn crate::platform::ChatPlatform,
        typed: &str,
        error: Option<&ChatError>,
    ) -> Result<(), ChatError> {
        let line = match error {
            Some(error) => Line::new().say(format!("I could not open the form ({error}). Type it instead: ")),
            None => Line::new().say("That takes more words. Type: "),
        };
        let line = line.code(typed.to_owned());
        // A pressed card stays: the button on it still works.
        let to = match &self.to {
            ReplyTo::Url { url, .. } => ReplyTo::Url { url: url.clone(), replace: false },
            private @ ReplyTo::Private { .. } => private.clone(),
        };
        chat.tell(&self.channel, &self.actor, &to, &View::sentence(line)).await
    }
}

fn reply(view: &View) -> Response {
    let json = view.made.0.get_or_init(|| {
        let mut json = Vec::with_capacity(REPLY);
        // Strings and maps with string keys always serialize.
        serde_json::to_writer(&mut json, &Message::private(view, false)).expect("own types serialize");
        json.into()
    });
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], json.clone()).into_response()
}

/// What tells a delivery that brings no id of its own: its signature.
fn signature(headers: &HeaderMap) -> &str {
    headers.get("x-slack-signature").and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// `POST /slack/commands`: a slash command.
pub async fn commands(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let now = Timestamp::now();
    let body = match slack.verified(&headers, body, now) {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    match inbound::slash(&body, signature(&headers), now) {
        Ok(Slash::Check) => StatusCode::OK.into_response(),
        Ok(Slash::Command(inbound)) => slack.handle(inbound, true).await,
        Err(malformed) => slack.malformed(malformed).into_response(),
    }
}

/// `POST /slack/interactivity`: a pressed control or a submitted form.
pub async fn interactivity(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let now = Timestamp::now();
    let body = match slack.verified(&headers, body, now) {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    match inbound::interaction(&body, signature(&headers), now) {
        Ok(Interaction::Said(inbound)) => slack.handle(inbound, false).await,
        Ok(Interaction::Submitted { inbound, fields }) => {
            if let Some((field, error)) = Bot::field_error(&inbound.words)
                && let Some(name) = fields.get(field)
            {
                return axum::Json(json!({"response_action": "errors", "errors": {name: error}})).into_response();
            }
            slack.handle(inbound, false).await
        }
        Ok(Interaction::Nothing) => StatusCode::OK.into_response(),
        Err(malformed) => slack.malformed(malformed).into_response(),
    }
}

/// `POST /slack/events`: a mention.
pub async fn events(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Body) -> Response {
    let now = Timestamp::now();
    let body = match slack.verified(&headers, body, now) {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    match inbound::event(&body, now) {
        Ok(Event::Challenge(challenge)) => axum::Json(json!({ "challenge": challenge })).into_response(),
        Ok(Event::Mention(inbound)) => slack.handle(inbound, false).await,
        Ok(Event::Nothing) => StatusCode::OK.into_response(),
        Err(malformed) => slack.malformed(malformed).into_response(),
    }
}
