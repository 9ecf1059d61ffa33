//! Slack's three routes: verify, parse, hand over, acknowledge.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use moka::sync::Cache;
use serde_json::json;
use tracing::error;

use super::client::SlackClient;
use super::files::FileRef;
use super::inbound::{self, Interaction, Malformed, Slash};
use super::mentions::{self, Event};
use super::render::Message;
use super::signature::Verifier;
use crate::bot::{Reply, Responder};
use crate::chat::view::View;
use crate::chat::{ChannelKey, ChatError, Inbound, Words};
use crate::config::SlackConfig;
use crate::platform::intake::{Body, Intake};

/// What the routes share.
pub struct Slack {
    client: Arc<SlackClient>,
    verifier: Verifier,
    responder: Responder,
    intake: Arc<Intake>,
    sent: Sent,
}

/// Bytes of a usual reply: written without growing on the way.
const REPLY: usize = 6 * 1024;
/// Channels whose last reply is kept, if it may be asked for again.
const MOST_SENT: u64 = 512;

/// A request that Slack signed: its body, within the limit, and when it came.
pub struct Signed {
    body: Body,
    signature: HeaderValue,
    now: Timestamp,
}

impl FromRequest<Arc<Slack>> for Signed {
    type Rejection = Response;

    async fn from_request(request: Request, slack: &Arc<Slack>) -> Result<Self, Response> {
        let now = Timestamp::now();
        let unauthorized = || slack.intake.refuse(StatusCode::UNAUTHORIZED);
        let claim = slack.verifier.claim(request.headers(), now.as_second()).ok_or_else(unauthorized)?;
        let signature = request.headers().get("x-slack-signature").cloned().ok_or_else(unauthorized)?;
        let body = slack.intake.body(request).await?;
        if claim.covers(&body) { Ok(Self { body, signature, now }) } else { Err(unauthorized()) }
    }
}

impl Signed {
    /// What tells a delivery that brings no id of its own.
    fn signature(&self) -> &str {
        self.signature.to_str().unwrap_or_default()
    }
}

impl Slack {
    pub fn new(client: Arc<SlackClient>, config: &SlackConfig, responder: Responder, intake: Arc<Intake>) -> Self {
        Self {
            client,
            verifier: Verifier::new(&config.signing_secret),
            responder,
            intake,
            sent: Sent(Cache::new(MOST_SENT)),
        }
    }

    fn malformed(&self, _: Malformed) -> Response {
        self.intake.refuse(StatusCode::BAD_REQUEST)
    }

    async fn handle(&self, mut inbound: Inbound, inline: bool) -> Response {
        if let Some(channel) = self.client.at_home(&inbound.channel, &inbound.actor).await {
            inbound.channel = channel;
        }
        inbound.channel = self.kept_as(inbound.channel).await;
        let channel = inbound.channel.clone();
        match self.responder.take(inbound, inline).await {
            Reply::Now(view) => {
                let json = self.sent.of(&channel, &view);
                ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response()
            }
            Reply::Acknowledge => StatusCode::OK.into_response(),
        }
    }

    /// The key that everything of the channel is kept under, whichever of its ids was sent.
    async fn kept_as(&self, channel: ChannelKey) -> ChannelKey {
        match self.client.kept_as(&channel).await {
            Ok(channel) => channel,
            // Nothing else can be read either; whatever is asked answers so.
            Err(error) => {
                error!(%error, channel = channel.as_str(), "a channel's other ids cannot be read");
                channel
            }
        }
    }

    /// What is wrong with a submitted form, and the field that shows it. The content of uploaded
    /// files becomes their fields' answers.
    async fn field_error(
        &self,
        inbound: &mut Inbound,
        fields: &[String],
        files: Vec<(String, FileRef)>,
    ) -> Option<(String, String)> {
        for (field, file) in files {
            match self.client.download(&file).await {
                Ok(content) => {
                    if let Words::Filled { answers, .. } = &mut inbound.words {
                        answers.insert(field.into(), content);
                    }
                }
                Err(error) => return Some((field, unreadable(error))),
            }
        }
        let error = self.responder.bot().field_error(inbound).await?;
        Some((error.shown_at(fields)?.to_owned(), error.text))
    }
}

fn unreadable(error: ChatError) -> String {
    let why = match error {
        ChatError::Refused(why) => why,
        other => other.to_string(),
    };
    let why = why.trim_end_matches('.');
    format!("I could not read the file: {why}. Or paste its content into the field above.")
}

/// What channels were sent lately, as Slack takes it: the checklist, which is the same for everybody
/// who asks between two changes.
struct Sent(Cache<ChannelKey, (Arc<View>, Bytes)>);

impl Sent {
    /// The view as Slack takes it.
    fn of(&self, channel: &ChannelKey, view: &Arc<View>) -> Bytes {
        // Whatever nobody else holds is said once.
        if Arc::strong_count(view) == 1 {
            return rendered(view);
        }
        if let Some((sent, json)) = self.0.get(channel)
            && Arc::ptr_eq(&sent, view)
        {
            return json;
        }
        let json = rendered(view);
        self.0.insert(channel.clone(), (Arc::clone(view), json.clone()));
        json
    }
}

fn rendered(view: &View) -> Bytes {
    let mut json = Vec::with_capacity(REPLY);
    // Strings and maps with string keys always serialize.
    serde_json::to_writer(&mut json, &Message::private(view, false)).expect("own types serialize");
    json.into()
}

/// `POST /slack/commands`: a slash command.
pub async fn commands(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match inbound::slash(&request.body, request.signature(), request.now) {
        Ok(Slash::Check) => StatusCode::OK.into_response(),
        Ok(Slash::Command(inbound)) => slack.handle(inbound, true).await,
        Err(malformed) => slack.malformed(malformed),
    }
}

/// `POST /slack/interactivity`: a pressed control or a submitted form.
pub async fn interactivity(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match inbound::interaction(&request.body, request.signature(), request.now) {
        Ok(Interaction::Said(inbound)) => slack.handle(inbound, false).await,
        Ok(Interaction::Submitted { mut inbound, fields, files }) => {
            inbound.channel = slack.kept_as(inbound.channel).await;
            if let Some((field, error)) = slack.field_error(&mut inbound, &fields, files).await {
                return form_error(&field, &error);
            }
            let Some(first) = fields.first() else { return slack.handle(inbound, false).await };
            match slack.responder.take_form(inbound).await {
                // It stays open: what was filled in can be sent again.
                Err(view) => form_error(first, &view.plain()),
                Ok(_) => StatusCode::OK.into_response(),
            }
        }
        Ok(Interaction::Nothing) => StatusCode::OK.into_response(),
        Err(malformed) => slack.malformed(malformed),
    }
}

fn form_error(field: &str, error: &str) -> Response {
    axum::Json(json!({"response_action": "errors", "errors": {field: error}})).into_response()
}

/// `POST /slack/events`: a mention, or a channel that the bot was added to or that has another id.
pub async fn events(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match mentions::event(&request.body, request.now) {
        Ok(Event::Challenge(challenge)) => axum::Json(json!({ "challenge": challenge })).into_response(),
        Ok(Event::Mention(inbound)) => slack.handle(inbound, false).await,
        Ok(Event::Added { delivery, channel }) => {
            let channel = slack.kept_as(channel).await;
            if let Err(error) = slack.responder.bot().added_to(&channel, &delivery, request.now).await {
                error!(%error, channel = channel.as_str(), "a channel cannot be welcomed");
            }
            StatusCode::OK.into_response()
        }
        Ok(Event::Moved { old, new }) => match slack.client.has_moved(&old, &new, request.now).await {
            Ok(()) => {
                // Posts to the old id were refused meanwhile.
                slack.responder.bot().chat_is_back(old.platform()).await;
                StatusCode::OK.into_response()
            }
            // Slack delivers it again.
            Err(error) => {
                error!(%error, channel = old.as_str(), "it is not recorded that a channel has another id now");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        },
        Ok(Event::Nothing) => StatusCode::OK.into_response(),
        Err(malformed) => slack.malformed(malformed),
    }
}
