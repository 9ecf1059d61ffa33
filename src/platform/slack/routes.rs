//! Slack's three routes: verify, parse, hand over, acknowledge.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use super::client::SlackClient;
use super::files::FileRef;
use super::inbound::{self, Interaction, Malformed, Slash};
use super::mentions::{self, Event};
use super::render::Message;
use super::signature::Verifier;
use crate::bot::{Reply, Responder};
use crate::config::SlackConfig;
use crate::platform::{ChatError, Inbound, Words};
use crate::server::Refused;
use crate::view::View;

/// What the routes share.
pub struct Slack {
    client: Arc<SlackClient>,
    verifier: Verifier,
    responder: Responder,
    refused: Arc<Refused>,
}

/// Bytes of a usual reply: written without growing on the way.
const REPLY: usize = 6 * 1024;

/// A peer that stops in the middle of its body is let go.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that Slack signed: its body, within the limit, and when it came.
pub struct Signed {
    body: Bytes,
    signature: HeaderValue,
    now: Timestamp,
}

impl FromRequest<Arc<Slack>> for Signed {
    type Rejection = StatusCode;

    async fn from_request(request: Request, slack: &Arc<Slack>) -> Result<Self, StatusCode> {
        let now = Timestamp::now();
        let headers = request.headers();
        let signature = headers.get("x-slack-signature").cloned();
        let timestamp = headers.get("x-slack-request-timestamp").cloned();
        // Most bodies are there already: those never start the clock.
        let body = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, slack)).await {
            Ok(body) => body.map_err(|rejection| slack.refused.count(rejection.status()))?,
            Err(_) => return Err(slack.refused.count(StatusCode::REQUEST_TIMEOUT)),
        };
        match (signature, timestamp) {
            (Some(signature), Some(timestamp))
                if slack.verifier.verify(&signature, &timestamp, &body, now.as_second()) =>
            {
                Ok(Self { body, signature, now })
            }
            _ => Err(slack.refused.count(StatusCode::UNAUTHORIZED)),
        }
    }
}

impl Signed {
    /// What tells a delivery that brings no id of its own.
    fn signature(&self) -> &str {
        self.signature.to_str().unwrap_or_default()
    }
}

impl Slack {
    pub fn new(client: Arc<SlackClient>, config: &SlackConfig, responder: Responder, refused: Arc<Refused>) -> Self {
        Self { client, verifier: Verifier::new(&config.signing_secret), responder, refused }
    }

    fn malformed(&self, _: Malformed) -> StatusCode {
        self.refused.count(StatusCode::BAD_REQUEST)
    }

    async fn handle(&self, inbound: Inbound, inline: bool) -> Response {
        match self.responder.take(inbound, inline).await {
            Reply::Now(view) => reply(&view),
            Reply::Acknowledge => StatusCode::OK.into_response(),
        }
    }

    /// What is wrong with a submitted form, by the place of the field that it belongs to. The
    /// content of uploaded files becomes their fields' answers.
    async fn field_error(&self, inbound: &mut Inbound, files: &[(usize, FileRef)]) -> Option<(usize, String)> {
        for (place, file) in files {
            let content = match self.client.download(file).await {
                Ok(content) => content,
                Err(error) => return Some((*place, unreadable(error))),
            };
            if let Words::Answered { answers, .. } = &mut inbound.words
                && let Some(answer) = answers.get_mut(*place)
            {
                *answer = content;
            }
        }
        self.responder.bot().field_error(inbound).await
    }
}

fn unreadable(error: ChatError) -> String {
    let why = match error {
        ChatError::Refused(why) => why,
        other => other.to_string(),
    };
    format!("I could not read the file ({why}). Paste its content into the field above instead.")
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

/// `POST /slack/commands`: a slash command.
pub async fn commands(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match inbound::slash(&request.body, request.signature(), request.now) {
        Ok(Slash::Check) => StatusCode::OK.into_response(),
        Ok(Slash::Command(inbound)) => slack.handle(inbound, true).await,
        Err(malformed) => slack.malformed(malformed).into_response(),
    }
}

/// `POST /slack/interactivity`: a pressed control or a submitted form.
pub async fn interactivity(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match inbound::interaction(&request.body, request.signature(), request.now) {
        Ok(Interaction::Said(inbound)) => slack.handle(inbound, false).await,
        Ok(Interaction::Submitted { mut inbound, fields, files }) => {
            if let Some((field, error)) = slack.field_error(&mut inbound, &files).await
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
pub async fn events(State(slack): State<Arc<Slack>>, request: Signed) -> Response {
    match mentions::event(&request.body, request.now) {
        Ok(Event::Challenge(challenge)) => axum::Json(json!({ "challenge": challenge })).into_response(),
        Ok(Event::Mention(inbound)) => slack.handle(inbound, false).await,
        Ok(Event::Nothing) => StatusCode::OK.into_response(),
        Err(malformed) => slack.malformed(malformed).into_response(),
    }
}
