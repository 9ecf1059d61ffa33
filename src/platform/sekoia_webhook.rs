//! What Sekoia's own notification rules post: payload version 2, at an address that holds a secret.
//!
//! Nothing of it is believed: it is kept as a hint, and acknowledged when that is durable. Neither
//! the address nor the content is ever logged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dashmap::DashMap;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;
use tracing::error;
use uuid::Uuid;

use super::intake::Intake;
use crate::bot::Bot;
use crate::chat::ChannelKey;
use crate::sekoia::{Id, instant};
use crate::state::hint::{Hint, MOST_WAITING};
use crate::state::kept::decode;
use crate::store::{Commit, Store, StoreError, WorkKind};
use crate::timing::platform::WEBHOOK_WINDOW;

/// Characters of a type or an action.
const WORD: usize = 64;

#[derive(Clone)]
pub struct Hooks {
    pub bot: Arc<Bot>,
    pub intake: Arc<Intake>,
    pub waiting: Arc<Waiting>,
}

/// Rows that are counted at a time, all channels together: beyond it there is room for nobody.
const MOST_COUNTED: u32 = 10_000;

/// How many hints wait for each channel: counted up with every one that comes, and counted anew in the
/// store when that says that there is no more room.
#[derive(Debug, Default)]
pub struct Waiting {
    counts: DashMap<ChannelKey, usize>,
    counted: Mutex<Option<Instant>>,
}

impl Waiting {
    /// Whether another hint may be kept for a channel, which then counts.
    async fn has_room(&self, store: &dyn Store, channel: &ChannelKey) -> Result<bool, StoreError> {
        if self.take(channel) {
            return Ok(true);
        }
        // One counts; the others wait for it and then know.
        let mut counted = self.counted.lock().await;
        if counted.is_none_or(|at| at.elapsed() >= WEBHOOK_WINDOW) {
            let all = store.due(WorkKind::Hint, Timestamp::MAX, MOST_COUNTED).await?;
            let full = all.len() >= MOST_COUNTED as usize;
            let mut counts: HashMap<ChannelKey, usize> = HashMap::new();
            for hint in all.iter().filter_map(decode::<Hint>) {
                *counts.entry(hint.channel().clone()).or_default() += 1;
            }
            self.counts.retain(|of, count| {
                *count = if full { MOST_WAITING } else { counts.get(of).copied().unwrap_or_default() };
                *count > 0
            });
            *counted = Some(Instant::now());
        }
        Ok(self.take(channel))
    }

    fn take(&self, channel: &ChannelKey) -> bool {
        let mut count = self.counts.entry(channel.clone()).or_default();
        let room = *count < MOST_WAITING;
        *count += usize::from(room);
        room
    }
}

#[derive(Deserialize)]
struct Payload {
    r#type: String,
    action: String,
    attributes: Attributes,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Attributes {
    uuid: String,
    #[serde(default)]
    short_id: Option<String>,
}

/// Sekoia's table of fields and its sample do not agree on the date's name.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    version: Option<u64>,
    #[serde(default, deserialize_with = "instant")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant")]
    created: Option<Timestamp>,
    #[serde(default)]
    community_uuid: Option<Uuid>,
}

/// `POST /hooks/sekoia/{token}`. A token that never was and one that was revoked are answered
/// alike, before the body is looked at.
pub async fn sekoia(
    State(hooks): State<Hooks>,
    token: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let now = Timestamp::now();
    let refuse = |status| hooks.intake.refuse(status);
    // What is not even text is no token.
    let Ok(Path(token)) = token else { return refuse(StatusCode::NOT_FOUND) };
    let notifications = hooks.bot.notifications();
    let channel = match notifications.channel_of(&token).await {
        Ok(Some(channel)) => channel,
        Ok(None) => return refuse(StatusCode::NOT_FOUND),
        Err(error) => {
            error!(%error, "the store failed, so a webhook could not be looked up");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let body = match hooks.intake.body(request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let Some(hint) = read(&body, &channel) else { return refuse(StatusCode::BAD_REQUEST) };
    match hooks.waiting.has_room(&**notifications.store(), &channel).await {
        Ok(true) => {}
        Ok(false) => {
            // Sekoia did nothing wrong, and would only say it again.
            notifications.health.dropped(&channel, now);
            return StatusCode::OK.into_response();
        }
        Err(error) => {
            error!(%error, "the store failed, so what a webhook said could not be kept");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    // The same again is the same row.
    let commit = Commit { schedule: vec![hint.row(now)], ..Commit::default() };
    if let Err(error) = notifications.store().commit(commit).await {
        error!(%error, "what a webhook said could not be kept; Sekoia will send it again");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    notifications.health.heard(&channel, now);
    notifications.hint();
    StatusCode::OK.into_response()
}

/// None if it is not what Sekoia documents.
fn read(body: &[u8], channel: &ChannelKey) -> Option<Hint> {
    let payload: Payload = serde_json::from_slice(body).ok()?;
    let Payload { r#type: kind, action, attributes, metadata } = payload;
    let word = |text: String| {
        let fits = (1..=WORD).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fits.then(|| text.into_boxed_str())
    };
    if metadata.version.is_some_and(|version| version != 2) {
        return None;
    }
    let id = |text: &str| Id::parse(text).map(|id| Box::from(id.as_str()));
    Some(Hint::Webhook {
        channel: channel.clone(),
        kind: word(kind)?,
        action: word(action)?,
        uuid: id(&attributes.uuid)?,
        short_id: match attributes.short_id {
            Some(short) => Some(id(&short)?),
            None => None,
        },
        created_at: metadata.created_at.or(metadata.created)?,
        community: metadata.community_uuid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> Option<String> {
        read(body.as_bytes(), &ChannelKey::slack("T0", "C0")).map(|hint| hint.key())
    }

    #[test]
    fn both_spellings_of_the_date_are_the_same_hint() {
        let body = |date: &str| {
            format!(
                r#"{{"type":"alert","action":"created","attributes":{{"uuid":"a-1","short_id":"ALa1"}},"metadata":{{"version":2,{date}"avatar_uuid":null}}}}"#
            )
        };
        let usual = key(&body(r#""created_at":"2026-11-23T09:30:00Z","#));
        assert!(usual.is_some());
        assert_eq!(usual, key(&body(r#""created":"2026-11-23T09:30:00+00:00","#)));
        assert_ne!(usual, key(&body(r#""created_at":"2026-11-23T09:30:01Z","#)));
        for wrong in ["", r#""created_at":"yesterday","#, r#""created_at":null,"#] {
            assert_eq!(key(&body(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_not_documented_is_no_hint() {
        let body = |kind: &str, uuid: &str, version: u8| {
            format!(
                r#"{{"type":"{kind}","action":"created","attributes":{{"uuid":"{uuid}"}},"metadata":{{"version":{version},"created_at":"2026-11-23T09:30:00Z"}}}}"#
            )
        };
        assert!(key(&body("content-proposal", "a-1", 2)).is_some());
        for wrong in [
            body("", "a-1", 2),
            body("alert\\n", "a-1", 2),
            body("alert", "../../keys", 2),
            body("alert", "", 2),
            body("alert", "a-1", 1),
            "null".into(),
            "[]".into(),
            String::new(),
            "[".repeat(100_000),
        ] {
            assert_eq!(key(&wrong), None, "{wrong:.60}");
        }
    }
}
