//! The conversations.* methods.

use serde_json::{Value, json};

use super::find::string;
use super::people::{Channel, User};
use super::state::State;
use super::web_api::{Answer, Refusal, required};

pub(super) fn info(state: &State, args: &Value) -> Answer {
    let id = required(args, "channel")?;
    let channel = visible(state, id)?;
    Ok(json!({ "ok": true, "channel": channel.json(id, &state.team, &state.app) }))
}

/// The channels that the app is in, or somebody else: of private ones, those that the app is in too. In pages.
pub(super) fn own(state: &State, args: &Value) -> Answer {
    let types = string(args, "types").unwrap_or("public_channel");
    let wanted = |channel: &Channel| {
        let kind = if channel.is_private { "private_channel" } else { "public_channel" };
        let archived = channel.is_archived && string(args, "exclude_archived") == Some("true");
        channel.im_with.is_none() && types.split(',').any(|known| known == kind) && !archived
    };
    let user = string(args, "user").unwrap_or(&state.app.user_id);
    if !state.users.contains_key(user) {
        return Err("user_not_found".into());
    }
    let hidden = |channel: &Channel| channel.is_private && !channel.members.contains(&state.app.user_id);
    let joined = |channel: &Channel| channel.members.contains(user) && !hidden(channel);
    let mine = state.channels.iter().filter(|(_, channel)| joined(channel));
    let limit = limit(args)?;
    let after = string(args, "cursor").unwrap_or_default();
    let page: Vec<_> = mine.filter(|(id, channel)| wanted(channel) && id.as_str() > after).collect();
    let next = if page.len() > limit { page[limit - 1].0.as_str() } else { "" };
    let channels: Vec<Value> =
        page.iter().take(limit).map(|(id, channel)| channel.json(id, &state.team, &state.app)).collect();
    Ok(json!({ "ok": true, "channels": channels, "response_metadata": { "next_cursor": next } }))
}

pub(super) fn open(state: &mut State, args: &Value) -> Answer {
    // A list in JSON, commas elsewhere; the fake opens one-to-one conversations.
    let listed = args["users"].as_array().and_then(|users| users.first()).and_then(Value::as_str);
    let user = listed.map_or_else(|| required(args, "users"), Ok)?.to_owned();
    let (id, already_open) = open_direct_message(state, &user)?;
    let channel = match args["return_im"] {
        Value::Bool(true) => state.channels[&id].json(&id, &state.team, &state.app),
        _ => json!({ "id": id }),
    };
    Ok(json!({ "ok": true, "no_op": already_open, "already_open": already_open, "channel": channel }))
}

/// The direct message with a user, opened when it was not.
pub(super) fn open_direct_message(state: &mut State, user: &str) -> Result<(String, bool), Refusal> {
    match state.users.get(user) {
        None => return Err("user_not_found".into()),
        Some(User { deleted: true, .. }) => return Err("user_disabled".into()),
        Some(User { is_bot: true, .. }) => return Err("cannot_dm_bot".into()),
        Some(_) => {}
    }
    let id = format!("D{}", &user[1..]);
    let members = [user.to_owned(), state.app.user_id.clone()].into();
    let channel = Channel { im_with: Some(user.to_owned()), is_private: true, members, ..Channel::default() };
    let already_open = state.channels.contains_key(&id);
    state.channels.entry(id.clone()).or_insert(channel);
    Ok((id, already_open))
}

/// What it takes to read a conversation depends on its kind.
pub(super) fn history_scope(state: &State, args: &Value) -> &'static [&'static str] {
    match string(args, "channel").and_then(|id| state.channels.get(id)) {
        Some(channel) if channel.im_with.is_some() => &["im:history"],
        Some(channel) if channel.is_private => &["groups:history"],
        _ => &["channels:history"],
    }
}

/// What stands in a conversation, without the replies in threads, newest first.
pub(super) fn history(state: &State, args: &Value) -> Answer {
    let id = required(args, "channel")?;
    if !visible(state, id)?.members.contains(&state.app.user_id) {
        return Err("not_in_channel".into());
    }
    let limit = limit(args)?;
    let oldest = bound(args, "oldest", "invalid_ts_oldest")?.unwrap_or(0);
    let latest = bound(args, "latest", "invalid_ts_latest")?.unwrap_or(u64::MAX);
    let before = cursor(args)?.unwrap_or(u64::MAX);
    let inclusive = args["inclusive"] == true;
    let wanted = |ts: u64| {
        let within = if inclusive { (oldest..=latest).contains(&ts) } else { oldest < ts && ts < latest };
        within && ts < before
    };
    let here = state.messages.iter().rev().filter(|((channel, ts), message)| {
        let reply = string(message, "thread_ts").is_some_and(|thread| thread != ts.as_str());
        channel == id && !reply && moment(ts).is_some_and(wanted)
    });
    let mut page: Vec<(&str, Value)> =
        here.take(limit + 1).map(|((_, ts), message)| (ts.as_str(), message.clone())).collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = match page.last() {
        Some((ts, _)) if has_more => hex::encode(format!("next_ts:{ts}")),
        _ => String::new(),
    };
    let mut messages: Vec<Value> = page.into_iter().map(|(_, message)| message).collect();
    if args["include_all_metadata"] != true {
        for message in messages.iter_mut().filter_map(Value::as_object_mut) {
            message.remove("metadata");
        }
    }
    Ok(json!({
        "ok": true, "messages": messages, "has_more": has_more, "pin_count": 0, "channel_actions_ts": null,
        "channel_actions_count": 0, "response_metadata": { "next_cursor": next_cursor },
    }))
}

/// A message and what stands in its thread, oldest first. In one page: no test has more.
pub(super) fn replies(state: &State, args: &Value) -> Answer {
    let (id, ts) = (required(args, "channel")?, required(args, "ts")?);
    if !visible(state, id)?.members.contains(&state.app.user_id) {
        return Err("not_in_channel".into());
    }
    limit(args)?;
    let oldest = bound(args, "oldest", "invalid_ts_oldest")?.unwrap_or(0);
    let root = state.messages.get(&(id.to_owned(), ts.to_owned())).ok_or("thread_not_found")?;
    let here = state.messages.iter().filter(|((channel, at), message)| {
        let reply = string(message, "thread_ts") == Some(ts) && at != ts;
        channel == id && reply && moment(at).is_some_and(|at| at >= oldest)
    });
    // The message itself is always there.
    let mut messages: Vec<Value> = [root].into_iter().chain(here.map(|(_, message)| message)).cloned().collect();
    if args["include_all_metadata"] != true {
        for message in messages.iter_mut().filter_map(Value::as_object_mut) {
            message.remove("metadata");
        }
    }
    let next = json!({ "next_cursor": "" });
    Ok(json!({ "ok": true, "messages": messages, "has_more": false, "response_metadata": next }))
}

fn visible<'a>(state: &'a State, id: &str) -> Result<&'a Channel, Refusal> {
    let channel = state.channels.get(id).ok_or("channel_not_found")?;
    if channel.is_private && !channel.members.contains(&state.app.user_id) {
        return Err("channel_not_found".into());
    }
    Ok(channel)
}

/// A number in JSON, digits elsewhere.
fn limit(args: &Value) -> Result<usize, Refusal> {
    let given: Option<usize> = match &args["limit"] {
        Value::Null => Some(100),
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64().and_then(|limit| usize::try_from(limit).ok()),
    };
    given.filter(|limit| (1..=999).contains(limit)).ok_or_else(|| "invalid_limit".into())
}

fn bound(args: &Value, key: &str, error: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(ts) = string(args, key) else { return Ok(None) };
    moment(ts).map(Some).ok_or_else(|| error.into())
}

fn cursor(args: &Value) -> Result<Option<u64>, Refusal> {
    let Some(cursor) = string(args, "cursor").filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let decoded = hex::decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let ts = decoded.as_deref().and_then(|text| text.strip_prefix("next_ts:"));
    ts.and_then(moment).map(Some).ok_or_else(|| "invalid_cursor".into())
}

/// A `ts` in microseconds.
fn moment(ts: &str) -> Option<u64> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    (fraction.len() <= 6).then(|| seconds.saturating_mul(1_000_000).saturating_add(micros))
}
