//! Slack's three routes: verify, parse, hand over, acknowledge.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use secrecy::SecretString;

use super::handle::{Outcome, Slack};
use super::inbound::{self, Malformed, Slash};
use super::mentions;
use super::signature::Verifier;
use crate::platform::intake::Body;

/// What the routes share.
pub struct Routes {
    slack: Arc<Slack>,
    verifier: Verifier,
}

/// A request that Slack signed: its body, within the limit, and when it came.
pub struct Signed {
    body: Body,
    signature: HeaderValue,
    now: Timestamp,
}

impl FromRequest<Arc<Routes>> for Signed {
    type Rejection = Response;

    async fn from_request(request: Request, routes: &Arc<Routes>) -> Result<Self, Response> {
        let now = Timestamp::now();
        let intake = &routes.slack.intake;
        let unauthorized = || intake.refuse(StatusCode::UNAUTHORIZED);
        let claim = routes.verifier.claim(request.headers(), now.as_second()).ok_or_else(unauthorized)?;
        let signature = request.headers().get("x-slack-signature").cloned().ok_or_else(unauthorized)?;
        let body = intake.body(request).await?;
        if claim.covers(&body) { Ok(Self { body, signature, now }) } else { Err(unauthorized()) }
    }
}

impl Signed {
    /// What tells a delivery that brings no id of its own.
    fn signature(&self) -> &str {
        self.signature.to_str().unwrap_or_default()
    }
}

impl Routes {
    pub fn new(slack: Arc<Slack>, signing_secret: &SecretString) -> Self {
        Self { slack, verifier: Verifier::new(signing_secret) }
    }

    fn malformed(&self, _: Malformed) -> Response {
        self.slack.intake.refuse(StatusCode::BAD_REQUEST)
    }

    fn answer(&self, outcome: &Outcome) -> Response {
        if matches!(outcome, Outcome::Again) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        match self.slack.body(outcome) {
            Some(json) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response(),
            None => StatusCode::OK.into_response(),
        }
    }
}

/// `POST /slack/commands`: a slash command.
pub async fn commands(State(routes): State<Arc<Routes>>, request: Signed) -> Response {
    match inbound::slash(&request.body, request.signature(), request.now) {
        Ok(Slash::Check) => StatusCode::OK.into_response(),
        Ok(Slash::Command(inbound)) => routes.answer(&routes.slack.said(inbound, true).await),
        Err(malformed) => routes.malformed(malformed),
    }
}

/// `POST /slack/interactivity`: a pressed control or a submitted form.
pub async fn interactivity(State(routes): State<Arc<Routes>>, request: Signed) -> Response {
    match inbound::interaction(&request.body, request.signature(), request.now) {
        Ok(interaction) => routes.answer(&routes.slack.interaction(interaction).await),
        Err(malformed) => routes.malformed(malformed),
    }
}

/// `POST /slack/events`: a mention, a channel that the bot was added to or that has another id, or an opened page.
pub async fn events(State(routes): State<Arc<Routes>>, request: Signed) -> Response {
    match mentions::event(&request.body, request.now) {
        Ok(event) => routes.answer(&routes.slack.event(event, request.now).await),
        Err(malformed) => routes.malformed(malformed),
    }
}
