//! `response_url`: five answers within half an hour, without a token.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Stage;
use super::block_kit::{self, Refused};
use super::find::{raw, string};
use super::seen::{Kind, Place};
use super::state::{Fault, State};
use super::{SlackWorld, chat, web_api};

const MAX_USES: u8 = 5;
/// As what faults, counts and hooks know these calls.
const METHOD: &str = "response_url";

pub(super) async fn respond(
    Extract(world): Extract<SlackWorld>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    world.0.hook.run(METHOD, Stage::Arrived);
    let response = answered(&world, &uri, &headers, &body).await;
    world.0.hook.run(METHOD, Stage::Done);
    response
}

async fn answered(world: &SlackWorld, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, METHOD, uri.query().unwrap_or_default(), body);
        if headers.contains_key(header::AUTHORIZATION) {
            state.violations.push("response_url: an Authorization header arrived".into());
        }
        state.take_fault(METHOD)
    };
    let lose_reply = match fault {
        Some(Fault::LoseReply) => true,
        Some(Fault::Error(code)) => return not_found(code),
        Some(fault) => return web_api::strike(fault).await,
        None => false,
    };
    let response = match serde_json::from_slice(body) {
        Ok(payload) => receive(world, &mut world.state(), uri.path(), &payload),
        Err(_) => (StatusCode::BAD_REQUEST, "invalid_payload").into_response(),
    };
    world.something_was_seen();
    if lose_reply { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { response }
}

fn not_found(code: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "ok": false, "error": code }))).into_response()
}

fn receive(world: &SlackWorld, state: &mut State, path: &str, payload: &Value) -> Response {
    let life = state.response_url_life;
    let Some(url) = state.response_urls.get_mut(path) else { return not_found("invalid_url") };
    if url.issued.elapsed() >= life {
        return not_found("expired_url");
    }
    if url.uses >= MAX_USES {
        return not_found("used_url");
    }
    url.uses += 1;
    let (user, channel, original) = (url.user.clone(), url.channel.clone(), url.original.clone());
    let delete_original = payload["delete_original"] == true;
    let replace_original = payload["replace_original"] == true;
    if !delete_original && let Err(Refused { error, messages }) = block_kit::check_message(payload) {
        state.violations.push(format!("response_url: {error} {}", messages.join("; ")));
        return (StatusCode::INTERNAL_SERVER_ERROR, error).into_response();
    }
    let response_type = string(payload, "response_type").map(str::to_owned);
    let (shown, place) = match original {
        Some(original) if delete_original => (Value::Null, remove(state, original)),
        Some(original) if replace_original => overwrite(state, original, payload),
        _ if delete_original => (Value::Null, Place::Gone { channel }),
        _ => place_new(state, &user, &channel, payload),
    };
    let url = format!("{}{path}", world.origin());
    let kind = Kind::Responded { url, replace_original, delete_original, response_type };
    state.note(kind, payload.clone(), shown, place);
    (StatusCode::OK, "ok").into_response()
}

fn remove(state: &mut State, original: Place) -> Place {
    match original {
        Place::Message { channel, ts } => {
            state.messages.remove(&(channel.clone(), ts));
            Place::Gone { channel }
        }
        Place::Ephemeral { channel, .. } => Place::Gone { channel },
        other => other,
    }
}

fn overwrite(state: &mut State, original: Place, payload: &Value) -> (Value, Place) {
    if let Place::Message { channel, ts } = &original {
        // Unlike an edit, a replacement starts from nothing.
        if let Some(fields) = state.messages.get_mut(&(channel.clone(), ts.clone())).and_then(Value::as_object_mut) {
            fields.remove("blocks");
            fields.remove("attachments");
        }
        let message = chat::edit(state, channel, ts, payload);
        return (message, original);
    }
    let mut shown = payload.clone();
    chat::settle(&mut shown);
    (shown, original)
}

/// A new message: for the channel when the app says so, for the person alone otherwise.
pub(super) fn place_new(state: &mut State, user: &str, channel: &str, payload: &Value) -> (Value, Place) {
    let (user, channel) = (user.to_owned(), channel.to_owned());
    if string(payload, "response_type") == Some("in_channel") {
        let message = chat::store(state, &channel, payload, None);
        let ts = raw(&message, "ts").to_owned();
        return (message, Place::Message { channel, ts });
    }
    let mut shown = payload.clone();
    chat::settle(&mut shown);
    let ts = state.fresh_ts();
    (shown, Place::Ephemeral { channel, user, ts, thread_ts: None })
}
