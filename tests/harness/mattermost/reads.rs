//! The calls that only read: people, channels, members, groups, histories.

use serde_json::{Value, json};

use super::api::{Answer, Call, refuse};
use super::people::{self, TEAM, User};
use super::posts::stripped;
use super::state::State;

/// What anybody may know of the server.
pub(super) fn client_config(state: &State) -> Value {
    let overrides = if state.overrides { "true" } else { "false" };
    let mut config = json!({
        "Version": "11.2.0", "BuildNumber": "dev", "SiteName": "Mattermost", "SiteURL": "http://chat.nimbus.example",
        "EnableCommands": "true", "EnableBotAccountCreation": "true", "EnablePostUsernameOverride": overrides,
        "EnablePostIconOverride": overrides, "PostEditTimeLimit": "-1",
        "RequireEmailVerification": "true",
    });
    for (name, value) in &state.settings {
        config[*name] = json!(value);
    }
    config
}

/// What members may, and the bot with them.
pub(super) fn roles(state: &State) -> Value {
    let mut permissions = vec!["create_post"];
    if state.may_edit {
        permissions.push("edit_post");
    }
    if state.bot_may_post_ephemerals {
        permissions.push("create_post_ephemeral");
    }
    json!([{ "id": people::id("role"), "name": "channel_user", "permissions": permissions }])
}

pub(super) fn user(state: &State, id: &str) -> Answer {
    match state.users.get(id) {
        Some(user) => Ok((200, user.json(id))),
        None => refuse(404, "app.user.missing_account.const"),
    }
}

pub(super) fn user_called(state: &State, name: &str) -> Answer {
    match state.users.iter().find(|(_, user)| user.name == name) {
        Some((id, user)) => Ok((200, user.json(id))),
        None => refuse(404, "app.user.get_by_username.app_error"),
    }
}

/// An address that the server hides from the bot is nobody's.
pub(super) fn user_at(state: &State, address: &str) -> Answer {
    let address = percent_decoded(address);
    let theirs = |(id, user): &(&String, &User)| user.json(id)["email"] == *address && user.shows_email;
    match state.users.iter().find(theirs) {
        Some((id, user)) => Ok((200, user.json(id))),
        None => refuse(404, "app.user.missing_account.const"),
    }
}

/// As it stands in a path.
fn percent_decoded(text: &str) -> String {
    let query = format!("it={text}");
    form_urlencoded::parse(query.as_bytes()).next().map(|(_, text)| text.into_owned()).unwrap_or_default()
}

/// Of those that are asked for, those that exist.
pub(super) fn users(state: &State, call: &Call<'_>, key: impl for<'k> Fn(&'k str, &'k str) -> &'k str) -> Value {
    let wanted: Vec<&str> = call.body.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let found = state.users.iter().filter(|(id, user)| wanted.contains(&key(id, &user.name)));
    found.map(|(id, user)| user.json(id)).collect()
}

/// A private channel is nobody's business who is not in it.
pub(super) fn channel(state: &State, id: &str) -> Answer {
    match state.channels.get(id) {
        None => refuse(404, "app.channel.get.existing.app_error"),
        Some(channel) if (channel.private || channel.between.is_some()) && !channel.members.contains(&state.bot()) => {
            refuse(403, "api.context.permissions.app_error")
        }
        Some(channel) => Ok((200, channel.json(id))),
    }
}

/// Those that the app is in, of all teams.
pub(super) fn joined(state: &State) -> Value {
    let here = state.channels.iter().filter(|(_, channel)| channel.members.contains(&state.bot()) && !channel.archived);
    let last = |id: &str| {
        let posts = state.posts.values().filter(|post| post["channel_id"] == id);
        posts.filter_map(|post| post["create_at"].as_u64()).max().unwrap_or(0)
    };
    let json = here.map(|(id, channel)| {
        let mut json = channel.json(id);
        json["last_post_at"] = json!(last(id));
        json
    });
    json.collect()
}

pub(super) fn team(id: &str) -> Answer {
    if id != people::id(TEAM) {
        return refuse(404, "app.team.get.find.app_error");
    }
    Ok((200, json!({ "id": id, "name": TEAM, "display_name": "Nimbus", "type": "O", "delete_at": 0 })))
}

pub(super) fn member(state: &State, channel: &str, user: &str) -> Answer {
    in_channel(state, channel)?;
    match (state.users.get(user), state.channels[channel].members.contains(user)) {
        (Some(found), true) => Ok((200, found.member(user, channel))),
        _ => refuse(404, "app.channel.get_member.missing.app_error"),
    }
}

fn in_channel(state: &State, channel: &str) -> Result<(), super::api::Refusal> {
    match state.channels.get(channel) {
        Some(found) if found.members.contains(&state.bot()) => Ok(()),
        _ => refuse(403, "api.context.permissions.app_error"),
    }
}

/// The newest first, in pages; or all that changed since a moment, the deleted among them.
pub(super) fn posts(state: &State, channel: &str, call: &Call<'_>) -> Answer {
    in_channel(state, channel)?;
    let mut here: Vec<&Value> = state.posts.values().filter(|post| post["channel_id"] == channel).collect();
    here.sort_by_key(|post| std::cmp::Reverse(post["create_at"].as_u64()));
    match call.number("since") {
        Some(since) => here.retain(|post| post["update_at"].as_u64() > Some(since)),
        None => here.retain(|post| post["delete_at"] == 0),
    }
    if let Some(before) = call.query("before") {
        let then = state.posts.get(before).and_then(|post| post["create_at"].as_u64());
        here.retain(|post| post["create_at"].as_u64() < then);
    }
    let whole = here.len();
    let (page, size) = (call.number("page").unwrap_or(0), call.number("per_page").unwrap_or(60).min(200));
    let (from, size) = (usize::try_from(page * size).unwrap_or(whole), usize::try_from(size).unwrap_or(60));
    if call.number("since").is_none() {
        here = here.into_iter().skip(from).take(size).collect();
    }
    let order: Vec<&Value> = here.iter().map(|post| &post["id"]).collect();
    let posts = here.iter().map(|post| (super::find::raw(post, "id").to_owned(), stripped(post)));
    let posts: serde_json::Map<String, Value> = posts.collect();
    let next = if from + size < whole { "more" } else { "" };
    Ok((200, json!({ "order": order, "posts": posts, "next_post_id": "", "prev_post_id": next, "has_next": false })))
}

pub(super) fn group(state: &State, id: &str, call: &Call<'_>) -> Answer {
    if !state.licensed {
        return refuse(501, "api.license_error");
    }
    let Some(members) = state.groups.get(id) else { return refuse(404, "app.group.no_rows") };
    let (page, size) = (call.number("page").unwrap_or(0), call.number("per_page").unwrap_or(60).min(200));
    let (from, size) = (usize::try_from(page * size).unwrap_or(0), usize::try_from(size).unwrap_or(60));
    let found = members.iter().filter_map(|id| state.users.get(id).map(|user| user.json(id)));
    let found: Vec<Value> = found.skip(from).take(size).collect();
    Ok((200, json!({ "members": found, "total_member_count": members.len() })))
}
