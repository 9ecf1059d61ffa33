//! Files that the app shows: an address, the bytes there, the file in a channel or a thread.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::block_kit::Refused;
use super::find::{list, string};
use super::seen::{Kind, Place};
use super::state::{Fault, State, token};
use super::web_api::{Answer, Refusal, required};
use super::{SlackWorld, chat, web_api};
use crate::harness::hook::Stage;

/// As what faults, counts and hooks know the second step.
const METHOD: &str = "upload";

/// A file on its way.
#[derive(Debug, Clone)]
pub struct Upload {
    name: String,
    length: usize,
    alt: String,
    content: Option<Vec<u8>>,
}

/// A file that people see.
#[derive(Debug, Clone)]
pub struct Shown {
    pub channel: String,
    pub thread: Option<String>,
    pub title: String,
    pub name: String,
    pub alt: String,
    pub content: Vec<u8>,
}

/// `files.getUploadURLExternal`. The host of the address is the world's to fill in.
pub(super) fn address(state: &mut State, args: &Value) -> Answer {
    let (name, length) = (required(args, "filename")?.to_owned(), required(args, "length")?);
    let length: usize = length.parse().map_err(|_| Refusal::missing("length"))?;
    let alt = string(args, "alt_txt").unwrap_or_default().to_owned();
    if alt.chars().count() > 1_000 {
        return Err(Refused { error: "invalid_arguments", messages: vec!["[ERROR] alt_txt is too long".into()] }.into());
    }
    let id = format!("F{}", token(10).to_uppercase());
    state.uploads.insert(id.clone(), Upload { name, length, alt, content: None });
    let upload_url = format!("{}/upload/{id}", state.origin);
    Ok(json!({ "ok": true, "file_id": id, "upload_url": upload_url }))
}

/// `POST /upload/{id}`: whoever has the address may, and nobody's token belongs there.
pub(super) async fn take(
    Extract(world): Extract<SlackWorld>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    world.0.hook.run(METHOD, Stage::Arrived);
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, METHOD, "", b"");
        if headers.contains_key(header::AUTHORIZATION) {
            state.violations.push("upload: the app's token went to the upload address".into());
        }
        state.take_fault(METHOD)
    };
    if let Some(fault) = fault.filter(|fault| *fault != Fault::LoseReply) {
        return web_api::strike(fault).await;
    }
    let mut state = world.state();
    let Some(upload) = state.uploads.get_mut(&id) else { return StatusCode::NOT_FOUND.into_response() };
    if upload.length != body.len() {
        return (StatusCode::BAD_REQUEST, "length").into_response();
    }
    upload.content = Some(body.to_vec());
    let answer = if fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    world.0.hook.run(METHOD, Stage::Done);
    (answer, "OK").into_response()
}

/// `files.completeUploadExternal`.
pub(super) fn complete(state: &mut State, args: &Value) -> Answer {
    let channel = required(args, "channel_id")?.to_owned();
    chat::may_post(state, &channel)?;
    let thread = string(args, "thread_ts").map(str::to_owned);
    if let Some(ts) = &thread
        && !state.messages.contains_key(&(channel.clone(), ts.clone()))
    {
        return Err("invalid_thread_ts".into());
    }
    for file in list(args, "files") {
        let id = string(file, "id").unwrap_or_default();
        let Some(Upload { name, alt, content: Some(content), .. }) = state.uploads.remove(id) else {
            return Err("file_not_found".into());
        };
        let title = string(file, "title").unwrap_or(&name).to_owned();
        let text = format!("(picture: {alt})");
        let message = chat::store(state, &channel, &json!({ "text": text }), thread.as_deref());
        let ts = message["ts"].as_str().unwrap_or_default().to_owned();
        let place = Place::Message { channel: channel.clone(), ts: ts.clone() };
        let kind = Kind::Posted { channel: channel.clone(), ts, thread_ts: thread.clone() };
        state.note(kind, args.clone(), message, place);
        state.shown.push(Shown { channel: channel.clone(), thread: thread.clone(), title, name, alt, content });
    }
    Ok(json!({ "ok": true, "files": args["files"] }))
}

impl SlackWorld {
    /// Files that the app showed, in order.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }
}
