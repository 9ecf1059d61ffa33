//! Posts as Mattermost keeps them: made, edited, deleted, and shown to one person.

use serde_json::{Value, json};

use super::api::{Answer, Refusal, blame, refuse};
use super::files;
use super::find::{list, raw};
use super::limits::{MESSAGE_RUNES, Report};
use super::people::Channel;
use super::seen::{Kind, Place};
use super::state::{State, fresh_id, is_id};

pub(super) fn create(state: &mut State, args: &Value) -> Answer {
    let mut report = Report::default();
    report.known(args, "post", &["channel_id", "message", "root_id", "props", "pending_post_id", "file_ids"]);
    report.post(args);
    state.violations.extend(report.into_faults());
    let channel = may_post(state, raw(args, "channel_id"), "api.post.create_post.can_not_post_to_deleted.error")?;
    let root_id = root(state, args, &channel)?;
    fits(args)?;
    let pending = raw(args, "pending_post_id");
    if let Some(known) = state.pending.get(pending) {
        // The same again within some minutes: what is there already is the answer.
        return Ok((201, stripped(&state.posts[known])));
    }
    files::show(state, args)?;
    let bot = state.bot();
    let post = keep(state, &bot, &channel, args, &root_id);
    let post_id = raw(&post, "id").to_owned();
    if !pending.is_empty() {
        state.pending.insert(pending.to_owned(), post_id.clone());
    }
    let place = Place::Post { channel: channel.clone(), post_id: post_id.clone() };
    let kind = Kind::Posted { channel, post_id, root_id: Some(root_id).filter(|root| !root.is_empty()) };
    state.note(kind, args.clone(), post.clone(), place);
    Ok((201, stripped(&post)))
}

/// Keeps a new post of somebody's.
pub(super) fn keep(state: &mut State, user: &str, channel: &str, content: &Value, root_id: &str) -> Value {
    keep_with(state, user, channel, content, root_id, &[])
}

/// The same with these fields besides.
pub(super) fn keep_with(
    state: &mut State,
    user: &str,
    channel: &str,
    content: &Value,
    root_id: &str,
    with: &[(&str, Value)],
) -> Value {
    let mut post = new_post(state, user, channel, content, root_id);
    for (name, value) in with {
        post[*name] = value.clone();
    }
    if user == state.bot() {
        post["props"]["from_bot"] = json!("true");
    }
    state.posts.insert(raw(&post, "id").to_owned(), post.clone());
    state.tell_posted(&post);
    post
}

/// What only one person sees: nobody can edit it, or read it again.
pub(super) fn keep_private(state: &mut State, author: &str, channel: &str, content: &Value, root_id: &str) -> Value {
    let mut post = new_post(state, author, channel, content, root_id);
    post["type"] = json!("system_ephemeral");
    state.ephemerals.insert(raw(&post, "id").to_owned(), post.clone());
    post
}

fn new_post(state: &mut State, user: &str, channel: &str, content: &Value, root_id: &str) -> Value {
    let now = state.millis();
    let mut post = json!({
        "id": fresh_id(), "create_at": now, "update_at": now, "edit_at": 0, "delete_at": 0, "is_pinned": false,
        "user_id": user, "channel_id": channel, "root_id": root_id, "original_id": "",
        "message": raw(content, "message"), "type": "", "props": {}, "hashtags": "", "file_ids": null,
        "pending_post_id": raw(content, "pending_post_id"), "reply_count": 0, "last_reply_at": 0,
        "participants": null, "metadata": {},
    });
    if content["props"].is_object() {
        post["props"] = content["props"].clone();
    }
    if !list(content, "file_ids").is_empty() {
        post["file_ids"] = content["file_ids"].clone();
    }
    name_actions(&mut post);
    post
}

/// The server gives an id to an action that has none.
fn name_actions(post: &mut Value) {
    let attachments = post["props"].get_mut("attachments").and_then(Value::as_array_mut);
    let actions =
        attachments.into_iter().flatten().filter_map(|attachment| attachment.get_mut("actions")?.as_array_mut());
    for action in actions.flatten().filter(|action| raw(action, "id").is_empty()) {
        action["id"] = json!(fresh_id());
    }
}

pub(super) fn patch(state: &mut State, id: &str, args: &Value) -> Answer {
    let mut report = Report::default();
    report.known(args, "patch", &["message", "props", "is_pinned", "file_ids", "has_reactions"]);
    state.violations.extend(report.into_faults());
    let mut content = own_post(state, id)?;
    for key in ["message", "props"] {
        if let Some(value) = args.get(key).filter(|value| !value.is_null()) {
            content[key] = value.clone();
        }
    }
    edit(state, id, content, args, "api.post.patch_post.can_not_update_post_in_deleted.error")
}

/// Unlike a patch it takes away what it does not name.
pub(super) fn replace(state: &mut State, id: &str, args: &Value) -> Answer {
    let mut content = own_post(state, id)?;
    content["message"] = json!(raw(args, "message"));
    content["props"] = if args["props"].is_object() { args["props"].clone() } else { json!({}) };
    edit(state, id, content, args, "api.post.update_post.can_not_update_post_in_deleted.error")
}

fn edit(state: &mut State, id: &str, content: Value, args: &Value, archived: &'static str) -> Answer {
    if !state.may_edit {
        return refuse(403, "api.context.permissions.app_error");
    }
    if content["create_at"].as_u64() < Some(state.edits_since) {
        return refuse(400, "api.post.update_post.permissions_time_limit.app_error");
    }
    may_post(state, raw(&content, "channel_id"), archived)?;
    fits(&content)?;
    let post = overwrite(state, id, content);
    note_edit(state, &post, args);
    Ok((200, stripped(&post)))
}

/// Keeps an edit. What is not changed by it counts as none.
pub(super) fn overwrite(state: &mut State, id: &str, mut content: Value) -> Value {
    let mut report = Report::default();
    report.post(&content);
    state.violations.extend(report.into_faults());
    if raw(&content, "user_id") == state.bot() && content["props"]["from_bot"] != "true" {
        state.violations.push("an edit takes away that a bot wrote the post (props.from_bot)".into());
    }
    name_actions(&mut content);
    let before = &state.posts[id];
    let same = before["message"] == content["message"] && before["props"] == content["props"];
    let now = state.millis();
    content["update_at"] = json!(now);
    if !same {
        content["edit_at"] = json!(now);
    }
    state.posts.insert(id.to_owned(), content.clone());
    content
}

pub(super) fn note_edit(state: &mut State, post: &Value, args: &Value) {
    let (channel, post_id) = (raw(post, "channel_id").to_owned(), raw(post, "id").to_owned());
    let place = Place::Post { channel: channel.clone(), post_id: post_id.clone() };
    state.note(Kind::Edited { channel, post_id }, args.clone(), post.clone(), place);
}

pub(super) fn pin(state: &mut State, id: &str) -> Answer {
    let mut post = own_post(state, id)?;
    post["is_pinned"] = json!(true);
    state.posts.insert(id.to_owned(), post);
    Ok((200, json!({ "status": "OK" })))
}

pub(super) fn delete(state: &mut State, id: &str) -> Answer {
    let mut post = own_post(state, id)?;
    post["delete_at"] = json!(state.millis());
    let channel = raw(&post, "channel_id").to_owned();
    state.posts.insert(id.to_owned(), post);
    let kind = Kind::Deleted { channel: channel.clone(), post_id: id.to_owned() };
    state.note(kind, Value::Null, Value::Null, Place::Gone { channel });
    Ok((200, json!({ "status": "OK" })))
}

pub(super) fn read(state: &State, id: &str) -> Answer {
    let Some(post) = state.posts.get(id).filter(|post| post["delete_at"] == 0) else {
        return refuse(404, "app.post.get.app_error");
    };
    if state.channels[raw(post, "channel_id")].members.contains(&state.bot()) {
        return Ok((200, stripped(post)));
    }
    refuse(403, "api.context.permissions.app_error")
}

pub(super) fn ephemeral(state: &mut State, args: &Value) -> Answer {
    let mut report = Report::default();
    report.known(args, "ephemeral", &["user_id", "post"]);
    report.known(&args["post"], "ephemeral post", &["channel_id", "message", "root_id", "props"]);
    report.post(&args["post"]);
    state.violations.extend(report.into_faults());
    if !state.bot_may_post_ephemerals {
        return refuse(403, "api.context.permissions.app_error");
    }
    let (user, channel) = (raw(args, "user_id").to_owned(), raw(&args["post"], "channel_id").to_owned());
    let member = state.channels.get(&channel).is_some_and(|found| found.members.contains(&user));
    if !member {
        return refuse(400, "api.context.invalid_body_param.app_error");
    }
    let root_id = root(state, &args["post"], &channel)?;
    let bot = state.bot();
    let post = keep_private(state, &bot, &channel, &args["post"], &root_id);
    note_private(state, &user, &post, args);
    Ok((201, stripped(&post)))
}

pub(super) fn note_private(state: &mut State, user: &str, post: &Value, payload: &Value) {
    let (channel, user, post_id) = (raw(post, "channel_id").to_owned(), user.to_owned(), raw(post, "id").to_owned());
    let root_id = Some(raw(post, "root_id").to_owned()).filter(|root| !root.is_empty());
    let place = Place::Ephemeral { channel: channel.clone(), user: user.clone(), post_id };
    state.note(Kind::Private { channel, user, root_id }, payload.clone(), post.clone(), place);
}

/// The conversation of two people, made when it is first asked for.
pub(super) fn direct(state: &mut State, args: &Value) -> Answer {
    let ends: Vec<String> =
        args.as_array().into_iter().flatten().filter_map(|id| Some(id.as_str()?.to_owned())).collect();
    let [one, two] = ends.as_slice() else { return refuse(400, "api.context.invalid_body_param.app_error") };
    if !ends.iter().all(|id| is_id(id) && state.users.contains_key(id)) || !ends.contains(&state.bot()) {
        return Err(blame(400, "api.context.invalid_body_param.app_error", format!("no conversation of {ends:?}")));
    }
    let mut name = [one.as_str(), two.as_str()];
    name.sort_unstable();
    let name = name.join("__");
    let known = state.channels.iter().find(|(_, channel)| channel.name == name).map(|(id, _)| id.clone());
    let id = known.unwrap_or_else(|| {
        let (id, between) = (fresh_id(), Some([one.clone(), two.clone()]));
        let channel = Channel { name, between, members: ends.iter().cloned().collect(), ..Channel::default() };
        state.channels.insert(id.clone(), channel);
        id
    });
    Ok((201, state.channels[&id].json(&id)))
}

fn may_post(state: &State, channel: &str, archived: &'static str) -> Result<String, Refusal> {
    match state.channels.get(channel) {
        Some(found) if !found.members.contains(&state.bot()) => refuse(403, "api.context.permissions.app_error"),
        Some(found) if found.archived => refuse(400, archived),
        Some(_) => Ok(channel.to_owned()),
        None => refuse(403, "api.context.permissions.app_error"),
    }
}

/// The app's own post, if it stands; that another's cannot be edited reads the same.
fn own_post(state: &State, id: &str) -> Result<Value, Refusal> {
    let bot = state.bot();
    let own = |post: &&Value| post["delete_at"] == 0 && post["user_id"] == bot.as_str();
    let member = |post: &&Value| state.channels[raw(post, "channel_id")].members.contains(&bot);
    match state.posts.get(id).filter(own).filter(member) {
        Some(post) => Ok(post.clone()),
        None => refuse(403, "api.context.permissions.app_error"),
    }
}

fn root(state: &State, args: &Value, channel: &str) -> Result<String, Refusal> {
    let root_id = raw(args, "root_id");
    let here = state.posts.get(root_id).is_some_and(|post| post["channel_id"] == channel && post["root_id"] == "");
    if root_id.is_empty() || here {
        return Ok(root_id.to_owned());
    }
    refuse(400, "api.post.create_post.root_id.app_error")
}

fn fits(post: &Value) -> Result<(), Refusal> {
    let runes = raw(post, "message").chars().count();
    if runes > MESSAGE_RUNES { refuse(400, "model.post.is_valid.message_length.app_error") } else { Ok(()) }
}

/// A post as the API shows it, to its author too: without where its buttons lead.
pub(super) fn stripped(post: &Value) -> Value {
    let mut post = post.clone();
    if !list(&post["props"], "attachments").is_empty() {
        let attachments = post["props"]["attachments"].as_array_mut().into_iter().flatten();
        for action in attachments.filter_map(|a| a.get_mut("actions")?.as_array_mut()).flatten() {
            if let Some(fields) = action.as_object_mut() {
                fields.remove("integration");
            }
        }
    }
    post
}
