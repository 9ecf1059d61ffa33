//! Mattermost's three routes: who calls, what is sealed, who presses; then hand over and answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::client::MattermostClient;
use super::forms;
use super::inbound::{self, Action, Malformed, Submission};
use super::seal::{Asked, Filled, Pressed, Unsealed};
use crate::bot::{Reply, Responder};
use crate::chat::view::{Block, View};
use crate::chat::{ChannelKey, ChatError, ChatPlatform, Inbound, MATTERMOST_DIRECT, MessageId, ReplyTo, UserId, Words};
use crate::config::MattermostConfig;
use crate::platform::intake::{Body, Intake};
use crate::timing::mattermost::{ANSWER_WITHIN, LONGEST_ANSWER};

/// What the routes share.
pub struct Mattermost {
    client: Arc<MattermostClient>,
    tokens: Vec<SecretString>,
    sources: Vec<IpNet>,
    responder: Responder,
    intake: Arc<Intake>,
}

/// A request from where requests may come from: its body, within the limit, and when it came.
pub struct Called {
    body: Body,
    now: Timestamp,
}

impl FromRequest<Arc<Mattermost>> for Called {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Mattermost>) -> Result<Self, Response> {
        let now = Timestamp::now();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // A command's token stands in the header too, unless an OAuth connection of the server's has
        // its own there.
        let token = request.headers().get(header::AUTHORIZATION);
        let token = token.and_then(|value| value.to_str().ok()?.strip_prefix("Token "));
        if !state.may_call(peer) || token.is_some_and(|token| !state.is_ours(token)) {
            return Err(state.refuse(StatusCode::UNAUTHORIZED));
        }
        Ok(Self { body: state.intake.body(request).await?, now })
    }
}

/// What somebody is told instead of what they wanted.
struct Instead(String);

/// Why a press or a form goes no further.
enum Stop {
    Refused(Response),
    Say(Instead),
}

impl Mattermost {
    pub fn new(
        client: Arc<MattermostClient>,
        config: &MattermostConfig,
        responder: Responder,
        intake: Arc<Intake>,
    ) -> Self {
        let (tokens, sources) = (config.command_tokens.clone(), config.sources.clone());
        Self { client, tokens, sources, responder, intake }
    }

    /// Without `MATTERMOST_SOURCES`, from anywhere.
    fn may_call(&self, peer: Option<IpAddr>) -> bool {
        let mapped = peer.map(|ip| ip.to_canonical());
        self.sources.is_empty() || mapped.is_some_and(|ip| self.sources.iter().any(|net| net.contains(&ip)))
    }

    /// Whether this is the token of a command of ours. Every one is compared, in constant time.
    fn is_ours(&self, token: &str) -> bool {
        self.tokens.iter().fold(false, |ours, known| {
            let same: bool = known.expose_secret().as_bytes().ct_eq(token.as_bytes()).into();
            ours | same
        })
    }

    fn refuse(&self, status: StatusCode) -> Response {
        self.intake.refuse(status)
    }

    fn malformed(&self, _: Malformed) -> Response {
        self.refuse(StatusCode::BAD_REQUEST)
    }

    fn forged(&self) -> Stop {
        Stop::Refused(self.refuse(StatusCode::UNAUTHORIZED))
    }

    /// Who acts, read now: an account that exists and is in the channel that this is about. What
    /// they may do there is decided later, on what was read here.
    async fn read_actor(&self, user: &UserId, about: &ChannelKey) -> Result<(), Stop> {
        let facts = self.client.facts();
        facts.read_person(user).await.map_err(unknown)?;
        match facts.is_member(about, user).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Say(Instead("You are not in that channel, so I did nothing.".into()))),
            Err(error) => Err(unknown(error)),
        }
    }

    /// What a press stands for, if the bot sealed it for this place, this message and this person.
    async fn pressed(&self, action: &Action, now: Timestamp) -> Result<(Pressed, Option<Box<str>>), Stop> {
        let pressed = match self.client.sealer().open::<Pressed>(action.sealed(), now) {
            Ok(pressed) => pressed,
            Err(Unsealed::Forged) => return Err(self.forged()),
            Err(Unsealed::Expired) => {
                let status = self.client.typed("status").await;
                return Err(Stop::Say(Instead(format!("This button is too old. Type `{status}` for a new one."))));
            }
        };
        let own = pressed.only.as_ref().is_none_or(|only| *only == action.user_id);
        if pressed.place != action.channel_id || !own {
            return Err(self.forged());
        }
        let Some(mark) = &pressed.mark else { return Ok((pressed, None)) };
        match self.client.is_own(&action.post_id, &pressed.place, mark).await {
            Ok(Some(thread)) => Ok((pressed, (!thread.is_empty()).then_some(thread))),
            Ok(None) => Err(self.forged()),
            Err(ChatError::MessageGone) => {
                let status = self.client.typed("status").await;
                Err(Stop::Say(Instead(format!("This message is gone. Type `{status}` for the present one."))))
            }
            Err(error) => Err(unknown(error)),
        }
    }

    async fn press(&self, called: &Called) -> Result<Value, Stop> {
        let mut action = Action::read(&called.body).map_err(|malformed| Stop::Refused(self.malformed(malformed)))?;
        let (pressed, thread) = self.pressed(&action, called.now).await?;
        let actor = UserId::mattermost(&action.user_id);
        self.read_actor(&actor, &pressed.about).await?;
        let message = pressed.mark.is_some().then(|| MessageId(action.post_id.as_str().into()));
        // Before anything is asked that would lead nowhere.
        if let Some(message) = &message
            && let Ok(Some(view)) = self.responder.bot().outdated(&pressed.about, message).await
        {
            let text = self.client.words(&view).await;
            return Ok(json!({ "ephemeral_text": text, "skip_slack_parsing": true }));
        }
        if let Some(ask) = &pressed.ask {
            // No one is asked whether they are sure of what they may not do.
            if let Some(view) = self.refusal(&action, &pressed, ask, thread.as_deref(), called).await {
                return Ok(self.beside(&pressed.about, &actor, thread.as_deref(), &view).await);
            }
            let trigger = action.trigger().unwrap_or_default();
            return match self.client.ask(&trigger, &pressed, ask).await {
                Ok(()) => Ok(json!({})),
                Err(error) => {
                    warn!(%error, "a question could not be asked");
                    let typed = self.client.typed(&pressed.words).await;
                    Err(Stop::Say(Instead(format!("I could not ask you ({error}). Type it instead: `{typed}`"))))
                }
            };
        }
        let about = pressed.about;
        let Some(words) = action.words(pressed.words) else { return Ok(json!({})) };
        let inbound = Inbound {
            delivery: action.delivery(&called.body),
            actor: actor.clone(),
            channel: about.clone(),
            words,
            pressed: message,
            trigger: action.trigger(),
            reply_to: ReplyTo::Private { thread: thread.clone() },
            at: called.now,
        };
        let patience = if self.client.may_be_private() { ANSWER_WITHIN } else { LONGEST_ANSWER };
        let Reply::Now(view) = self.responder.take_within(inbound, patience).await else { return Ok(json!({})) };
        Ok(self.beside(&about, &actor, thread.as_deref(), &view).await)
    }

    /// The answer to a press. Its reply takes text alone: with something to press, it is shown in
    /// another way if the server lets the bot.
    async fn beside(&self, about: &ChannelKey, actor: &UserId, thread: Option<&str>, view: &View) -> Value {
        let direct = about.channel().starts_with(MATTERMOST_DIRECT);
        if !direct && has_controls(view) && self.client.may_be_private() {
            match self.client.show_alone(about, actor, thread, view).await {
                Ok(()) => return json!({}),
                Err(error) => warn!(%error, "an answer with buttons is said in words"),
            }
        }
        json!({ "ephemeral_text": self.client.words(view).await, "skip_slack_parsing": true })
    }

    /// Why a press that asks first would come to nothing; none if that is not known by now.
    async fn refusal(
        &self,
        action: &Action,
        pressed: &Pressed,
        ask: &Asked,
        thread: Option<&str>,
        called: &Called,
    ) -> Option<View> {
        let words = match ask {
            Asked::Confirm { .. } => Words::Typed(pressed.words.clone()),
            // Whatever day it will be.
            Asked::Day { .. } => Words::Answered { words: pressed.words.clone(), answers: vec!["none".into()] },
        };
        let inbound = Inbound {
            delivery: action.delivery(&called.body),
            actor: UserId::mattermost(&action.user_id),
            channel: pressed.about.clone(),
            words,
            pressed: None,
            trigger: None,
            reply_to: ReplyTo::Private { thread: thread.map(Box::from) },
            at: called.now,
        };
        tokio::time::timeout(ANSWER_WITHIN, self.responder.bot().refusal(&inbound)).await.ok()?
    }

    async fn submit(&self, called: &Called) -> Result<Value, Stop> {
        let submission = Submission::read(&called.body).map_err(|m| Stop::Refused(self.malformed(m)))?;
        let filled = match self.client.sealer().open::<Filled>(&submission.state, called.now) {
            Ok(filled) => filled,
            Err(Unsealed::Forged) => return Err(self.forged()),
            Err(Unsealed::Expired) => {
                let told = "This form is older than an hour. Copy what you wrote, and open it again.";
                return Err(Stop::Say(Instead(told.into())));
            }
        };
        if filled.by != submission.user_id {
            return Err(self.forged());
        }
        if submission.cancelled {
            return Ok(json!({}));
        }
        let actor = UserId::mattermost(&submission.user_id);
        self.read_actor(&actor, &filled.about).await?;
        let Filled { words, about, fields, nonce, .. } = filled;
        let words = if fields.is_empty() {
            Words::Typed(words)
        } else {
            let answers = forms::answers(&fields, submission.submission.unwrap_or_default());
            Words::Filled { words, answers }
        };
        let inbound = Inbound {
            // A form is submitted once, however often its button is pressed.
            delivery: format!("mattermost:form-{nonce}").into(),
            actor: actor.clone(),
            channel: about.clone(),
            words,
            pressed: None,
            trigger: None,
            reply_to: ReplyTo::Private { thread: None },
            at: called.now,
        };
        if let Some(error) = self.responder.bot().field_error(&inbound).await
            && let Some(name) = error.shown_at(&fields)
        {
            return Ok(json!({ "errors": { name: error.text } }));
        }
        let reply = match self.responder.take_form_within(inbound, ANSWER_WITHIN).await {
            Ok(reply) => reply,
            // The form stays open: what was filled in can be sent again.
            Err(view) => return Ok(json!({ "error": view.plain() })),
        };
        if let Reply::Now(view) = reply {
            let private = ReplyTo::Private { thread: None };
            if let Err(error) = self.client.tell(&about, &actor, &private, &view).await {
                warn!(%error, "the answer to a form could not be delivered");
            }
        }
        Ok(json!({}))
    }
}

fn unknown(error: ChatError) -> Stop {
    let why = match error {
        ChatError::NotInChannel => "I am not in that channel".to_owned(),
        error => error.to_string(),
    };
    Stop::Say(Instead(format!(
        "I could not check who you are ({why}), so I did nothing. Please try again in a minute."
    )))
}

fn has_controls(view: &View) -> bool {
    view.blocks.iter().any(|block| matches!(block, Block::Controls(_)))
}

/// `POST /mattermost/command`: a slash command.
pub async fn command(State(state): State<Arc<Mattermost>>, called: Called) -> Response {
    if !state.is_ours(&inbound::token(&called.body).unwrap_or_default()) {
        return state.refuse(StatusCode::UNAUTHORIZED);
    }
    let mut inbound = match inbound::slash(&called.body, called.now) {
        Ok(inbound) => inbound,
        Err(malformed) => return state.malformed(malformed),
    };
    let (channel, actor) = (inbound.channel.clone(), inbound.actor.clone());
    // What this request is answered with, and its `response_url`, is a post of the person who typed it.
    let itself = !channel.channel().starts_with(MATTERMOST_DIRECT) && state.client.shows_itself().await;
    let thread = inbound::thread(&called.body);
    if itself {
        inbound.reply_to = ReplyTo::Private { thread: thread.clone() };
    }
    let Reply::Now(view) = state.responder.take_within(inbound, ANSWER_WITHIN).await else {
        return Json(json!({})).into_response();
    };
    if itself {
        match state.client.show_alone(&channel, &actor, thread.as_deref(), &view).await {
            Ok(()) => return Json(json!({})).into_response(),
            Err(error) => warn!(%error, "the answer to a command stands under its reader's name"),
        }
    }
    match state.client.reply(&view, &channel, &actor).await {
        Ok(reply) => Json(reply).into_response(),
        Err(error) => {
            warn!(%error, "an answer could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `POST /mattermost/action`: a pressed button or a chosen option.
pub async fn action(State(state): State<Arc<Mattermost>>, called: Called) -> Response {
    match Box::pin(state.press(&called)).await {
        Ok(reply) => Json(reply).into_response(),
        Err(Stop::Refused(response)) => response,
        Err(Stop::Say(Instead(text))) => {
            Json(json!({ "ephemeral_text": text, "skip_slack_parsing": true })).into_response()
        }
    }
}

/// `POST /mattermost/dialog`: a submitted form.
pub async fn dialog(State(state): State<Arc<Mattermost>>, called: Called) -> Response {
    match state.submit(&called).await {
        Ok(reply) => Json(reply).into_response(),
        Err(Stop::Refused(response)) => response,
        Err(Stop::Say(Instead(text))) => Json(json!({ "error": text })).into_response(),
    }
}
