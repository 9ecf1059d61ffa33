//! The chat.* methods, and messages as Slack keeps them.

use serde_json::{Value, json};

use super::block_kit::{self, Refused};
use super::conversations::open_direct_message;
use super::find::{list, raw, string};
use super::seen::{Kind, Place};
use super::state::{Edits, State, token};
use super::web_api::{Answer, Refusal, required};

pub(super) fn post_message(state: &mut State, args: &Value) -> Answer {
    let wanted = required(args, "channel")?;
    let channel =
        if state.users.contains_key(wanted) { open_direct_message(state, wanted)?.0 } else { wanted.to_owned() };
    may_post(state, &channel)?;
    block_kit::check_message(args)?;
    check_metadata(args)?;
    let thread_ts = thread_ts(args)?;
    let message = store(state, &channel, args, thread_ts.as_deref());
    let ts = raw(&message, "ts").to_owned();
    let place = Place::Message { channel: channel.clone(), ts: ts.clone() };
    let kind = Kind::Posted { channel: channel.clone(), ts: ts.clone(), thread_ts };
    state.note(kind, args.clone(), message.clone(), place);
    Ok(json!({ "ok": true, "channel": channel, "ts": ts, "message": message }))
}

pub(super) fn update(state: &mut State, args: &Value) -> Answer {
    let (channel, ts) = (required(args, "channel")?.to_owned(), required(args, "ts")?.to_owned());
    may_post(state, &channel)?;
    let before = own_message(state, &channel, &ts, "cant_update_message")?;
    match &state.edits {
        Edits::All => {}
        Edits::Since(first) if ts >= *first => {}
        Edits::Since(_) => return Err("edit_window_closed".into()),
        Edits::None => return Err("cant_update_message".into()),
    }
    block_kit::check_update(args, &before)?;
    check_metadata(args)?;
    let message = edit(state, &channel, &ts, args);
    let place = Place::Message { channel: channel.clone(), ts: ts.clone() };
    let kind = Kind::Updated { channel: channel.clone(), ts: ts.clone() };
    state.note(kind, args.clone(), message.clone(), place);
    Ok(json!({ "ok": true, "channel": channel, "ts": ts, "text": message["text"], "message": message }))
}

pub(super) fn post_ephemeral(state: &mut State, args: &Value) -> Answer {
    let (channel, user) = (required(args, "channel")?.to_owned(), required(args, "user")?.to_owned());
    may_post(state, &channel)?;
    if !state.channels[&channel].members.contains(&user) {
        return Err("user_not_in_channel".into());
    }
    block_kit::check_message(args)?;
    let thread_ts = thread_ts(args)?;
    let ts = state.fresh_ts();
    let mut shown = args.clone();
    settle(&mut shown);
    let place =
        Place::Ephemeral { channel: channel.clone(), user: user.clone(), ts: ts.clone(), thread_ts: thread_ts.clone() };
    state.note(Kind::Ephemeral { channel, user, thread_ts }, args.clone(), shown, place);
    Ok(json!({ "ok": true, "message_ts": ts }))
}

pub(super) fn delete(state: &mut State, args: &Value) -> Answer {
    let (channel, ts) = (required(args, "channel")?.to_owned(), required(args, "ts")?.to_owned());
    may_post(state, &channel)?;
    own_message(state, &channel, &ts, "cant_delete_message")?;
    state.messages.remove(&(channel.clone(), ts.clone()));
    let kind = Kind::Deleted { channel: channel.clone(), ts: ts.clone() };
    state.note(kind, args.clone(), Value::Null, Place::Gone { channel: channel.clone() });
    Ok(json!({ "ok": true, "channel": channel, "ts": ts }))
}

pub(super) fn may_post(state: &State, channel: &str) -> Result<(), Refusal> {
    let channel = state.channels.get(channel).ok_or("channel_not_found")?;
    if channel.is_archived {
        return Err("is_archived".into());
    }
    if !channel.members.contains(&state.app.user_id) {
        return Err("not_in_channel".into());
    }
    Ok(())
}

fn own_message(state: &State, channel: &str, ts: &str, otherwise: &'static str) -> Answer {
    let key = (channel.to_owned(), ts.to_owned());
    let message = state.messages.get(&key).ok_or("message_not_found")?;
    if string(message, "bot_id") == Some(state.app.bot_id.as_str()) {
        Ok(message.clone())
    } else {
        Err(otherwise.into())
    }
}

/// Slack ignores metadata that it does not like, with a warning that nobody reads: refused here.
fn check_metadata(args: &Value) -> Result<(), Refused> {
    let Some(metadata) = args.get("metadata").filter(|metadata| !metadata.is_null()) else { return Ok(()) };
    let event_type = raw(metadata, "event_type");
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let named = (1..=255).contains(&event_type.len()) && event_type.bytes().all(plain);
    let payload = metadata["event_payload"].as_object();
    // Numbers and objects may come back as something that a strict client cannot read.
    let carries = payload.is_some_and(|payload| {
        let short = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() <= 3_000);
        (1..=20).contains(&payload.len()) && payload.values().all(short)
    });
    if named && carries && metadata.as_object().is_some_and(|fields| fields.len() == 2) {
        return Ok(());
    }
    Err(Refused { error: "invalid_metadata_format", messages: vec![format!("[ERROR] {metadata}")] })
}

fn thread_ts(args: &Value) -> Result<Option<String>, Refusal> {
    let Some(ts) = args.get("thread_ts").filter(|ts| !ts.is_null()) else { return Ok(None) };
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match ts.as_str() {
        Some(ts) if ts.split_once('.').is_some_and(|(s, us)| number(s) && number(us)) => Ok(Some(ts.to_owned())),
        _ => Err(Refusal::missing("thread_ts")),
    }
}

/// Keeps a new message of the bot.
pub(super) fn store(state: &mut State, channel: &str, content: &Value, thread_ts: Option<&str>) -> Value {
    let ts = state.fresh_ts();
    let text = string(content, "text").unwrap_or("This content can't be displayed.");
    let mut message = json!({
        "type": "message", "user": state.app.user_id, "bot_id": state.app.bot_id, "app_id": state.app.id,
        "team": state.team.id, "bot_profile": state.app.profile(&state.team), "ts": ts, "text": text,
    });
    if let Some(thread_ts) = thread_ts {
        message["thread_ts"] = json!(thread_ts);
        message["parent_user_id"] = json!(state.app.user_id);
    }
    copy_content(content, &mut message);
    state.messages.insert((channel.to_owned(), ts), message.clone());
    message
}

/// Edits a message. What the call leaves out stays as it was, blocks included.
pub(super) fn edit(state: &mut State, channel: &str, ts: &str, content: &Value) -> Value {
    let edited = json!({ "user": state.app.bot_id, "ts": state.fresh_ts() });
    let key = (channel.to_owned(), ts.to_owned());
    let Some(message) = state.messages.get_mut(&key) else { return Value::Null };
    if let Some(text) = string(content, "text") {
        message["text"] = json!(text);
    }
    copy_content(content, message);
    message["edited"] = edited;
    message.clone()
}

fn copy_content(content: &Value, message: &mut Value) {
    for key in ["blocks", "attachments", "metadata"] {
        if let Some(value) = content.get(key).filter(|value| !value.is_null()) {
            message[key] = value.clone();
        }
    }
    settle(message);
}

/// Fills in what Slack adds to blocks: ids that the app left out, and defaults of text objects.
pub(super) fn settle(holder: &mut Value) {
    for block in holder.get_mut("blocks").and_then(Value::as_array_mut).into_iter().flatten() {
        fill_id(block, "block_id");
        if block["type"] == "actions" {
            let elements = block.get_mut("elements").and_then(Value::as_array_mut);
            elements.into_iter().flatten().for_each(|element| fill_id(element, "action_id"));
        }
        for key in ["accessory", "element"] {
            if let Some(element) = block.get_mut(key).filter(|element| element["type"] != "image") {
                fill_id(element, "action_id");
            }
        }
        fill_defaults(block);
    }
    if !list(holder, "attachments").is_empty() {
        let attachments = holder.get_mut("attachments").and_then(Value::as_array_mut);
        attachments.into_iter().flatten().for_each(settle);
    }
}

fn fill_id(object: &mut Value, key: &str) {
    if object.is_object() && object.get(key).is_none() {
        object[key] = json!(token(5));
    }
}

fn fill_defaults(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(fill_defaults),
        Value::Object(fields) => {
            let default = match fields.get("type").and_then(Value::as_str) {
                Some("plain_text") => Some(("emoji", true)),
                Some("mrkdwn") => Some(("verbatim", false)),
                _ => None,
            };
            if let Some((key, value)) = default {
                fields.entry(key).or_insert(json!(value));
            }
            fields.values_mut().for_each(fill_defaults);
        }
        _ => {}
    }
}
