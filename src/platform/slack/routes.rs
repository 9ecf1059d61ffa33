//! Slack's three routes: verify, parse, hand over, acknowledge.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use super::inbound::{self, Event, Interaction, Malformed, Slash};
use super::render::Message;
use super::signature::Verifier;
use crate::bot::{Bot, Reply, Responder};
use crate::config::SlackConfig;
use crate::platform::Inbound;
use crate::server::Refused;
use crate::view::View;

/// What the routes share.
pub struct Slack {
    verifier: Verifier,
    responder: Responder,
    refused: Arc<Refused>,
}

/// Bytes of a usual reply: written without growing on the way.
const REPLY: usize = 6 * 1024;

type Body = Result<Bytes, BytesRejection>;

impl Slack {
    pub fn new(config: &SlackConfig, responder: Responder, refused: Arc<Refused>) -> Self {
        Self { verifier: Verifier::new(&config.signing_secret), responder, refused }
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

    async fn handle(&self, inbound: Inbound, inline: bool) -> Response {
        match self.responder.take(inbound, inline).await {
            Reply::Now(view) => reply(&view),
            Reply::Acknowledge => StatusCode::OK.into_response(),
        }
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
            if let Some((field, error)) = Bot::field_error(&inbound.words, inbound.actor.platform())
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
