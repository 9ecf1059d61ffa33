//! Files that the app shows: their bytes first, then a post that refers to them.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::api::{Answer, Call, Refusal, blame, refuse};
use super::find::{list, raw};
use super::state::{State, fresh_id};

/// A file that no post shows yet.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    channel: String,
    name: String,
    content: Vec<u8>,
}

/// A file that people see, with the words above it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub thread: Option<String>,
    pub name: String,
    pub alt: String,
    pub content: Vec<u8>,
}

/// `POST /files?channel_id=…&filename=…`, the bytes alone.
pub(super) fn take(state: &mut State, call: &Call<'_>, body: &[u8]) -> Answer {
    let (Some(channel), Some(name)) = (call.query("channel_id"), call.query("filename")) else {
        return Err(blame(400, "api.file.upload_file.read_request.app_error", "no channel, or no name"));
    };
    if !state.channels.get(channel).is_some_and(|found| found.members.contains(&state.bot())) {
        return refuse(403, "api.context.permissions.app_error");
    }
    let id = fresh_id();
    let upload = Upload { channel: channel.to_owned(), name: name.to_owned(), content: body.to_vec() };
    state.uploads.insert(id.clone(), upload);
    Ok((201, json!({ "file_infos": [{ "id": id, "name": name, "size": body.len() }], "client_ids": [] })))
}

/// The files of a new post are shown by it, and by no other.
pub(super) fn show(state: &mut State, post: &Value) -> Result<(), Refusal> {
    for id in list(post, "file_ids").iter().filter_map(Value::as_str) {
        let found = state.uploads.remove(id).filter(|upload| upload.channel == raw(post, "channel_id"));
        let Some(Upload { name, content, .. }) = found else {
            return Err(blame(400, "app.file_info.get.app_error", format!("no file {id} waits for this channel")));
        };
        let thread = Some(raw(post, "root_id").to_owned()).filter(|root| !root.is_empty());
        state.shown.push(Shown { thread, name, alt: raw(post, "message").to_owned(), content });
    }
    Ok(())
}

impl MattermostWorld {
    /// Files that the app showed, in order.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }
}
