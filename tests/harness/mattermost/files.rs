//! Files that the app shows (their bytes first, then a post that refers to them), and those that
//! people attach to their posts.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::api::{Answer, Call, Refusal, blame, refuse};
use super::find::{list, raw};
use super::posts;
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
    /// Somebody posts a file in a channel.
    pub fn attach(&self, user: &str, channel: &str, name: &str, content: &[u8]) {
        let mut state = self.state();
        let (user, channel) = (state.user_id(user), state.channel_id(channel));
        let id = fresh_id();
        let content = content.to_vec();
        let file = json!({
            "id": id, "user_id": user, "channel_id": channel, "name": name, "extension": "csv",
            "size": content.len(), "mime_type": "text/csv",
        });
        state.attached.insert(id.clone(), content);
        let mut post = posts::keep(&mut state, &user, &channel, &json!({ "message": "", "file_ids": [id] }), "");
        post["metadata"] = json!({ "files": [file] });
        state.posts.insert(raw(&post, "id").to_owned(), post);
    }

    /// Files that the app showed, in order.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }
}
