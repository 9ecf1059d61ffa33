//! Answers inside the HTTP response to what a person did: Mattermost reads them in its light.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::find::{list, raw};
use super::limits::{MESSAGE_RUNES, Report};
use super::posts::{keep, keep_private, note_edit, note_private, overwrite};
use super::seen::{Kind, Place};
use super::slack_words;
use super::state::State;
use crate::harness::slack::SignedRequest;

/// Who typed a command, and where.
pub(super) struct Spoken {
    pub user: String,
    pub channel: String,
    pub root_id: String,
}

impl MattermostWorld {
    /// Shows what the app answered to a request of somebody's. Whatever they see of it is unread,
    /// as if it had come by a call.
    pub fn answer(&self, request: &SignedRequest, status: u16, content_type: &str, body: &[u8]) {
        let mut state = self.state();
        state.said.push(("answer".into(), String::from_utf8_lossy(body).into_owned()));
        let sent = String::from_utf8_lossy(&request.body);
        if status == 200 {
            match serde_json::from_str::<Value>(&sent) {
                Err(_) => command(&mut state, &sent, content_type, body),
                Ok(sent) if sent.get("callback_id").is_some() => submission(&mut state, &sent, body),
                Ok(sent) => press(&mut state, &sent, body),
            }
        } else {
            // What the person sees then names nothing but the failure.
            state.violations.push(format!("{}: answered {status}", request.path));
        }
        drop(state);
        self.something_was_seen();
    }
}

fn command(state: &mut State, sent: &str, content_type: &str, body: &[u8]) {
    let field = |wanted: &str| {
        let mut fields = form_urlencoded::parse(sent.as_bytes());
        fields.find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let spoken = Spoken { user: field("user_id"), channel: field("channel_id"), root_id: field("root_id") };
    let reply = if content_type.starts_with("application/json") {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        plain(body)
    };
    if !reply.is_object() {
        return state.violations.push("command: the answer says that it is JSON and is not".into());
    }
    say(state, &spoken, &reply, "command");
}

/// An answer that is not JSON: its text is what is said.
pub(super) fn plain(body: &[u8]) -> Value {
    json!({ "text": String::from_utf8_lossy(body), "skip_slack_parsing": true })
}

/// A command's answer, at once or by its `response_url`: for the person alone unless it says so.
/// For everybody it is posted as the person who typed, whatever the app may think.
pub(super) fn say(state: &mut State, spoken: &Spoken, reply: &Value, what: &str) {
    let known = [
        "response_type",
        "text",
        "username",
        "icon_url",
        "channel_id",
        "type",
        "props",
        "goto_location",
        "trigger_id",
        "skip_slack_parsing",
        "attachments",
        "extra_responses",
    ];
    let mut report = Report::default();
    report.known(reply, what, &known);
    let mut content = json!({ "message": raw(reply, "text"), "props": reply["props"] });
    if !content["props"].is_object() {
        content["props"] = json!({});
    }
    if !list(reply, "attachments").is_empty() {
        content["props"]["attachments"] = reply["attachments"].clone();
    }
    let nothing = raw(&content, "message").is_empty() && list(&content["props"], "attachments").is_empty();
    content["props"]["from_webhook"] = json!("true");
    if state.overrides {
        content["props"]["override_username"] = reply["username"].clone();
        content["props"]["override_icon_url"] = reply["icon_url"].clone();
    }
    slack_words::read(&mut content, reply["skip_slack_parsing"] == true);
    let for_all = raw(reply, "response_type") == "in_channel";
    // Only what is kept is limited in its length.
    let mut judged = content.clone();
    if !for_all && raw(&judged, "message").chars().count() > MESSAGE_RUNES {
        judged["message"] = json!("");
    }
    report.post(&judged);
    state.violations.extend(report.into_faults());
    if nothing {
        return;
    }
    // Without a name of its own, it reads as if its reader had said it.
    let bot = state.bot();
    let own = format!("http://chat.nimbus.example/api/v4/users/{bot}/image");
    let named = reply["username"] == state.users[&bot].name.as_str() && reply["icon_url"] == own.as_str();
    if state.judges_authors && (!named || (!state.overrides && state.bot_may_post_ephemerals)) {
        state.violations.push(format!("{what}: the answer stands under the name of its reader"));
    }
    if for_all {
        let post = keep(state, &spoken.user, &spoken.channel, &content, &spoken.root_id);
        let (channel, post_id) = (spoken.channel.clone(), raw(&post, "id").to_owned());
        let place = Place::Post { channel: channel.clone(), post_id: post_id.clone() };
        let root_id = Some(spoken.root_id.clone()).filter(|root| !root.is_empty());
        state.note(Kind::Posted { channel, post_id, root_id }, reply.clone(), post, place);
    } else {
        let post = keep_private(state, &spoken.user, &spoken.channel, &content, &spoken.root_id);
        note_private(state, &spoken.user, &post, reply);
    }
}

/// The answer to a press: an edit of what was pressed, a word to who pressed, or both.
fn press(state: &mut State, sent: &Value, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let Ok(reply) = serde_json::from_slice::<Value>(body) else {
        return state.violations.push("action: the answer is not JSON".into());
    };
    let mut report = Report::default();
    report.known(&reply, "action", &["update", "ephemeral_text", "skip_slack_parsing", "error", "goto_location"]);
    state.violations.extend(report.into_faults());
    let (user, channel, post_id) = (raw(sent, "user_id"), raw(sent, "channel_id"), raw(sent, "post_id"));
    let skip = reply["skip_slack_parsing"] == true;
    if reply["update"].is_object() && !update(state, post_id, &reply["update"], skip) {
        // The person is told that it failed, and of nothing else.
        return;
    }
    if !raw(&reply, "ephemeral_text").is_empty() {
        let pressed = state.posts.get(post_id).or_else(|| state.ephemerals.get(post_id));
        let thread = pressed.map(|post| raw(post, "root_id")).filter(|root| !root.is_empty());
        let root_id = thread.unwrap_or(post_id).to_owned();
        let mut content = json!({ "message": raw(&reply, "ephemeral_text"), "props": {} });
        slack_words::read(&mut content, skip);
        let post = keep_private(state, user, channel, &content, &root_id);
        note_private(state, user, &post, &reply);
    }
}

fn update(state: &mut State, post_id: &str, update: &Value, skip: bool) -> bool {
    let Some(before) = state.posts.get(post_id).filter(|post| post["delete_at"] == 0).cloned() else {
        state.violations.push("action: only a post can be updated, and what was pressed is none".into());
        return false;
    };
    if state.channels[raw(&before, "channel_id")].archived {
        return false;
    }
    if raw(update, "message").is_empty() && !raw(&before, "message").is_empty() {
        state.violations.push("action: the update empties the message".into());
    }
    let mut post = before.clone();
    post["message"] = json!(raw(update, "message"));
    if update["props"].is_object() {
        post["props"] = update["props"].clone();
        for kept in ["from_webhook", "override_username", "override_icon_url"] {
            match before["props"].get(kept) {
                Some(value) => post["props"][kept] = value.clone(),
                None => drop(post["props"].as_object_mut().and_then(|props| props.remove(kept))),
            }
        }
    }
    slack_words::read(&mut post, skip);
    let post = overwrite(state, post_id, post);
    note_edit(state, &post, update);
    true
}

/// The answer to a submission: done, wrong, or the next step.
fn submission(state: &mut State, sent: &Value, body: &[u8]) {
    let wanted = |form: &super::state::OpenForm| {
        form.user == raw(sent, "user_id") && raw(&form.dialog, "state") == raw(sent, "state") && !form.closed
    };
    let found = state.forms.iter().rfind(|(_, form)| wanted(form));
    let Some((form, open)) = found.map(|(form, open)| (*form, open.clone())) else { return };
    let reply: Value = match body {
        [] => json!({}),
        body => match serde_json::from_slice(body) {
            Ok(reply) => reply,
            Err(_) => return state.violations.push("dialog: the answer is not JSON".into()),
        },
    };
    let mut report = Report::default();
    report.known(&reply, "dialog", &["errors", "error", "type", "form"]);
    state.violations.extend(report.into_faults());
    let errors = reply["errors"].as_object().is_some_and(|errors| !errors.is_empty());
    let mut shown = open.dialog.clone();
    if sent["cancelled"] == true {
        return;
    } else if reply["type"] == "form" {
        let mut report = Report::default();
        report.dialog(&reply["form"]);
        state.violations.extend(report.into_faults());
        shown = reply["form"].clone();
        let kept = state.forms.get_mut(&form).expect("found above");
        (kept.dialog, kept.filled) = (shown.clone(), json!({}));
    } else if errors || !raw(&reply, "error").is_empty() {
        let names: Vec<&str> = list(&open.dialog, "elements").iter().map(|element| raw(element, "name")).collect();
        for name in reply["errors"].as_object().into_iter().flatten().map(|(name, _)| name) {
            if !names.contains(&name.as_str()) {
                state.violations.push(format!("dialog: an error names {name:?}, which is no element"));
            }
        }
        for element in shown["elements"].as_array_mut().into_iter().flatten() {
            element["default"] = match &open.filled[raw(element, "name")] {
                Value::Array(several) => json!(several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
                Value::String(text) => json!(text),
                other => json!(if other.is_boolean() { other.to_string() } else { String::new() }),
            };
        }
        shown["errors"] = reply["errors"].clone();
        shown["error"] = reply["error"].clone();
    } else {
        state.forms.get_mut(&form).expect("found above").closed = true;
        return;
    }
    let place = Place::Form { form, user: open.user.clone() };
    state.note(Kind::FormChanged { user: open.user }, reply, shown, place);
}
