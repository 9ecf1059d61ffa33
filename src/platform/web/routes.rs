//! What the page's routes share, the page itself, and a message as a vendor gets it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::conversation::WebChat;
use crate::bot::{Bot, Responder};
use crate::sandbox::Sandbox;

/// What the routes share.
pub struct Web {
    pub(super) chat: Arc<WebChat>,
    pub(super) responder: Responder,
    sandbox: Arc<Sandbox>,
    /// What becomes of everything that is said.
    pub(super) kept: String,
}

impl Web {
    pub fn new(chat: Arc<WebChat>, responder: Responder, sandbox: Arc<Sandbox>, kept: String) -> Self {
        Self { chat, responder, sandbox, kept }
    }

    pub(super) fn bot(&self) -> &Bot {
        self.responder.bot()
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

/// A refusal, for the person who reads the page.
#[derive(Debug)]
pub struct Refusal(StatusCode, Cow<'static, str>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

pub(super) fn no<T>(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal(status, why.into()))
}

macro_rules! page {
    ($($name:literal => $kind:literal),* $(,)?) => {
        /// What the page is made of, and what it is.
        static ASSETS: &[(&str, &str, &str)] = &[$(($name, $kind, include_str!(concat!("assets/", $name)))),*];
    };
}

page! {
    "style.css" => "text/css; charset=utf-8",
    "icon.svg" => "image/svg+xml",
    "main.js" => "text/javascript; charset=utf-8",
    "live.js" => "text/javascript; charset=utf-8",
    "render.js" => "text/javascript; charset=utf-8",
    "signs.js" => "text/javascript; charset=utf-8",
    "console.js" => "text/javascript; charset=utf-8",
    "controls.js" => "text/javascript; charset=utf-8",
    "composer.js" => "text/javascript; charset=utf-8",
    "forms.js" => "text/javascript; charset=utf-8",
    "fields.js" => "text/javascript; charset=utf-8",
    "picker.js" => "text/javascript; charset=utf-8",
    "side.js" => "text/javascript; charset=utf-8",
    "json.js" => "text/javascript; charset=utf-8",
}

/// `GET /`.
pub async fn index() -> Html<&'static str> {
    Html(include_str!("assets/index.html"))
}

/// `GET /assets/{name}`.
pub async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(asset, ..)| *asset == name) {
        Some((_, kind, content)) => ([(header::CONTENT_TYPE, *kind)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Ids that the page makes: they become parts of ours.
pub(super) fn is_token(id: &str) -> bool {
    (8..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[derive(Deserialize)]
pub struct As {
    r#as: String,
}

/// `GET /demo/messages/{id}/slack` and `…/mattermost`: what they would receive.
pub async fn as_received(
    State(web): State<Arc<Web>>,
    Path((id, vendor)): Path<(u64, String)>,
    Query(by): Query<As>,
) -> Result<Response, Refusal> {
    let received = web.chat.find(id, &by.r#as).and_then(|kept| match &*vendor {
        "slack" => kept.slack,
        "mattermost" => kept.mattermost,
        _ => None,
    });
    match received {
        Some(json) => Ok(([(header::CONTENT_TYPE, "application/json")], json.get().to_owned()).into_response()),
        None => no(StatusCode::NOT_FOUND, "That message is gone. Reload the page."),
    }
}
