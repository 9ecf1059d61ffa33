//! Who and what exists on the fake server: people, channels, groups, and how Mattermost describes
//! them. The default world is a realistic one, so that a test states only the difference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A moment in the past at which everything of the default world was made, in milliseconds.
const LONG_AGO: i64 = 1_762_000_000_000;

pub(super) const TEAM: &str = "nimbus";
/// The account of the app's bot.
pub(super) const BOT: &str = "sekoia";

/// A user; the flags are Mattermost's own.
#[derive(Debug, Clone, Default)]
pub struct User {
    pub name: String,
    pub deactivated: bool,
    pub is_bot: bool,
    pub guest: bool,
    /// Of another server, by a shared channel.
    pub remote: bool,
    /// As the person set it; empty: as nobody did.
    pub zone: String,
    /// The server tells the address.
    pub shows_email: bool,
}

/// A channel, or a direct message when `between` names the people at both ends.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    pub name: String,
    pub private: bool,
    pub archived: bool,
    pub shared: bool,
    pub between: Option<[String; 2]>,
    /// Users in it; the bot among them when it was added.
    pub members: BTreeSet<String>,
}

/// Names by id, as a reader sees them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub users: BTreeMap<String, String>,
    pub channels: BTreeMap<String, String>,
    /// Whom and what nothing that the app says may lead to.
    pub unwanted: BTreeSet<String>,
}

impl Names {
    pub fn user(&self, id: &str) -> String {
        self.users.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// `#soc-setup`, or `direct message to alice`.
    pub fn channel(&self, id: &str) -> String {
        self.channels.get(id).cloned().unwrap_or_else(|| format!("#{id}"))
    }

    pub fn is_user(&self, name: &str) -> bool {
        self.users.values().any(|user| user == name)
    }

    pub fn is_channel(&self, name: &str) -> bool {
        self.channels.values().any(|channel| channel.strip_prefix('#') == Some(name))
    }
}

/// The id of somebody or something of the default world: 26 characters, as all ids here.
pub fn id(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{letters:y<26}")
}

impl User {
    /// As a bot sees it: the address of everybody, and keys that are only there when true.
    pub(super) fn json(&self, id: &str) -> Value {
        let mut user = json!({
            "id": id, "create_at": LONG_AGO, "update_at": LONG_AGO,
            "delete_at": if self.deactivated { LONG_AGO } else { 0 }, "username": self.name,
            "auth_data": "", "auth_service": "", "email": if self.shows_email { format!("{}@nimbus.example", self.name) } else { String::new() },
            "nickname": "", "first_name": "", "last_name": "", "position": "",
            "roles": if self.guest { "system_guest" } else { "system_user" }, "locale": "en",
            "timezone": { "automaticTimezone": self.zone, "manualTimezone": "", "useAutomaticTimezone": "true" },
            "remote_id": if self.remote { super::people::id("elsewhere") } else { String::new() },
            "disable_welcome_email": false,
        });
        if self.is_bot {
            user["is_bot"] = json!(true);
            user["bot_description"] = json!("");
        }
        user
    }

    /// Membership of a channel, which a deactivated user keeps.
    pub(super) fn member(&self, id: &str, channel: &str) -> Value {
        json!({
            "channel_id": channel, "user_id": id, "roles": if self.guest { "channel_guest" } else { "channel_user" },
            "last_viewed_at": -1, "msg_count": 0, "mention_count": 0, "mention_count_root": 0,
            "urgent_mention_count": 0, "msg_count_root": 0,
            "notify_props": { "desktop": "default", "email": "default", "mark_unread": "all", "push": "default" },
            "last_update_at": -1, "scheme_guest": self.guest, "scheme_user": !self.guest, "scheme_admin": false,
            "explicit_roles": "",
        })
    }
}

impl Channel {
    pub(super) fn json(&self, id: &str) -> Value {
        let kind = match (&self.between, self.private) {
            (Some(_), _) => "D",
            (None, true) => "P",
            (None, false) => "O",
        };
        json!({
            "id": id, "create_at": LONG_AGO, "update_at": LONG_AGO, "delete_at": if self.archived { LONG_AGO } else { 0 },
            "team_id": self.team(), "type": kind, "display_name": if self.between.is_some() { "" } else { &self.name },
            "name": self.name, "header": "", "purpose": "", "last_post_at": 0, "total_msg_count": 0,
            "extra_update_at": 0, "creator_id": "", "scheme_id": null, "props": null, "group_constrained": null,
            "autotranslation": false, "shared": self.shared.then_some(true), "total_msg_count_root": 0,
            "policy_id": null, "last_root_post_at": 0, "banner_info": null, "policy_enforced": false,
            "policy_is_active": false, "default_category_name": "",
        })
    }

    /// Direct messages belong to no team.
    pub(super) fn team(&self) -> String {
        if self.between.is_some() { String::new() } else { super::people::id(TEAM) }
    }
}

pub(super) fn default_users() -> BTreeMap<String, User> {
    let member = |name: &str| User { name: name.into(), ..User::default() };
    let all = [
        member("alice"),
        member("bob"),
        member("carol"),
        member("dan"),
        User { guest: true, ..member("gina") },
        User { guest: true, ..member("uma") },
        User { deactivated: true, ..member("otto") },
        User { remote: true, ..member("eve") },
        User { is_bot: true, ..member("robo") },
        User { is_bot: true, ..member(BOT) },
    ];
    all.into_iter().map(|user| (id(&user.name), user)).collect()
}

pub(super) fn default_channels() -> BTreeMap<String, Channel> {
    let everybody: BTreeSet<String> = default_users().into_keys().collect();
    let with_bot = |name: &str| Channel { name: name.into(), members: everybody.clone(), ..Channel::default() };
    let without_bot = |name: &str| {
        let mut channel = with_bot(name);
        channel.members.remove(&id(BOT));
        channel
    };
    let all = [
        with_bot("soc-setup"),
        with_bot("nimbus-payments"),
        Channel { shared: true, ..with_bot("shared") },
        without_bot("quiet"),
        Channel { private: true, ..without_bot("private") },
        Channel { archived: true, ..with_bot("old") },
    ];
    all.into_iter().map(|channel| (id(&channel.name), channel)).collect()
}
