//! Who and what exists in the fake workspace: people, channels, groups, and how Slack describes
//! them. The default world is a realistic one, so that a test states only the difference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A moment in the past at which everything of the default world was made.
pub(super) const LONG_AGO: i64 = 1_762_000_000;

/// The workspace that installed the app.
#[derive(Debug, Clone)]
pub struct Team {
    pub id: String,
    pub name: String,
    pub domain: String,
}

/// The installed app and its bot user.
#[derive(Debug, Clone)]
pub struct App {
    pub id: String,
    pub user_id: String,
    pub bot_id: String,
    /// Display name of the bot user.
    pub name: String,
}

/// A user; the flags are Slack's own.
#[derive(Debug, Clone, Default)]
pub struct User {
    pub name: String,
    pub team_id: String,
    pub deleted: bool,
    pub is_bot: bool,
    pub is_restricted: bool,
    pub is_ultra_restricted: bool,
    pub is_stranger: bool,
    /// As the person set it; empty: Paris.
    pub zone: String,
    /// Workspaces of the organisation that the account belongs to; empty outside one.
    pub enterprise_teams: Vec<String>,
    /// The account's id in the organisation, where it is another one.
    pub enterprise_id: Option<String>,
}

/// A channel, or a direct message when `im_with` names the person at the other end.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    pub name: String,
    pub is_private: bool,
    pub is_archived: bool,
    pub is_ext_shared: bool,
    pub im_with: Option<String>,
    /// Users in it; the bot among them when it was invited.
    pub members: BTreeSet<String>,
}

/// Names by id, as a reader sees them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub users: BTreeMap<String, String>,
    pub channels: BTreeMap<String, String>,
}

impl Names {
    pub fn user(&self, id: &str) -> String {
        self.users.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// `#soc-setup`, or `direct message to alice`.
    pub fn channel(&self, id: &str) -> String {
        self.channels.get(id).cloned().unwrap_or_else(|| format!("#{id}"))
    }
}

impl Team {
    pub(super) fn default_world() -> Self {
        Self { id: "T0SOC".into(), name: "nimbus".into(), domain: "nimbus".into() }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "id": self.id, "domain": self.domain })
    }
}

impl App {
    pub(super) fn default_world() -> Self {
        Self { id: "A0SEKOIA".into(), user_id: "U0BOT".into(), bot_id: "B0SEKOIA".into(), name: "Sekoia".into() }
    }

    /// `bot_profile` of a posted message.
    pub(super) fn profile(&self, team: &Team) -> Value {
        json!({
            "id": self.bot_id, "deleted": false, "name": self.name, "updated": LONG_AGO,
            "app_id": self.id, "user_id": self.user_id, "team_id": team.id,
            "icons": {
                "image_36": "https://avatars.slack-edge.com/bot_36.png",
                "image_48": "https://avatars.slack-edge.com/bot_48.png",
                "image_72": "https://avatars.slack-edge.com/bot_72.png",
            },
        })
    }
}

impl User {
    pub(super) fn json(&self, id: &str) -> Value {
        let mut user = json!({
            "id": id, "team_id": self.team_id, "name": self.name, "deleted": self.deleted,
            "color": "9f69e7", "real_name": self.real_name(),
            "tz": if self.zone.is_empty() { "Europe/Paris" } else { self.zone.as_str() },
            "tz_label": "Central European Time", "tz_offset": 3600,
            "profile": {
                "title": "", "phone": "", "skype": "", "avatar_hash": "g1a2b3c4d5e6",
                "real_name": self.real_name(), "real_name_normalized": self.real_name(),
                "display_name": self.name, "display_name_normalized": self.name,
                "first_name": self.real_name(), "last_name": "",
                "fields": null, "status_text": "", "status_emoji": "",
                "status_emoji_display_info": [], "status_expiration": 0, "team": self.team_id,
                "image_24": "https://secure.gravatar.com/avatar/24.png",
                "image_192": "https://secure.gravatar.com/avatar/192.png",
            },
            "is_admin": false, "is_owner": false, "is_primary_owner": false,
            "is_restricted": self.is_restricted, "is_ultra_restricted": self.is_ultra_restricted,
            "is_bot": self.is_bot, "is_app_user": false, "updated": LONG_AGO,
            "is_email_confirmed": true, "has_2fa": true,
            "who_can_share_contact_card": "EVERYONE", "locale": "en-GB",
        });
        // Slack sends this one only where it is true.
        if self.is_stranger {
            user["is_stranger"] = json!(true);
        }
        if !self.enterprise_teams.is_empty() {
            user["enterprise_user"] = json!({
                "id": self.enterprise_id.as_deref().unwrap_or(id), "enterprise_id": "E0NIMBUS",
                "enterprise_name": "Nimbus", "is_admin": false, "is_owner": false, "is_primary_owner": false,
                "teams": self.enterprise_teams,
            });
            // Somebody may be at home in no workspace.
            if self.team_id.is_empty() {
                user.as_object_mut().expect("built above as an object").remove("team_id");
            }
        }
        // A deactivated user has lost most of the description.
        if self.deleted {
            let fields = user.as_object_mut().expect("built above as an object");
            for gone in ["tz", "tz_label", "tz_offset", "is_admin", "is_owner", "is_primary_owner"] {
                fields.remove(gone);
            }
        }
        user
    }

    fn real_name(&self) -> String {
        let mut letters = self.name.chars();
        letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
    }
}

impl Channel {
    pub(super) fn json(&self, id: &str, team: &Team, app: &App) -> Value {
        let member = self.members.contains(&app.user_id);
        if let Some(other) = &self.im_with {
            return json!({
                "id": id, "created": LONG_AGO, "is_archived": false, "is_im": true,
                "is_org_shared": false, "context_team_id": team.id, "updated": LONG_AGO * 1000,
                "user": other, "last_read": "0000000000.000000", "latest": null,
                "unread_count": 0, "unread_count_display": 0, "is_open": true, "priority": 0,
            });
        }
        json!({
            "id": id, "name": self.name, "name_normalized": self.name, "created": LONG_AGO,
            "is_channel": !self.is_private, "is_group": self.is_private, "is_im": false,
            "is_mpim": false, "is_private": self.is_private, "is_archived": self.is_archived,
            "is_general": false, "unlinked": 0, "is_shared": self.is_ext_shared,
            "is_org_shared": false, "is_ext_shared": self.is_ext_shared,
            "is_pending_ext_shared": false, "pending_shared": [], "pending_connected_team_ids": [],
            "shared_team_ids": [team.id], "context_team_id": team.id, "updated": LONG_AGO * 1000,
            "parent_conversation": null, "creator": "U0ALICE", "is_member": member,
            "topic": { "value": "", "creator": "", "last_set": 0 },
            "purpose": { "value": "Where the set-up happens", "creator": "U0ALICE", "last_set": LONG_AGO },
            "previous_names": [], "locale": "en-GB", "num_members": self.members.len(),
        })
    }
}

pub(super) fn default_users() -> BTreeMap<String, User> {
    let member = |name: &str| User { name: name.into(), team_id: "T0SOC".into(), ..User::default() };
    BTreeMap::from([
        ("U0ALICE".into(), member("alice")),
        ("U0BOB".into(), member("bob")),
        ("U0CAROL".into(), member("carol")),
        ("U0DAN".into(), member("dan")),
        ("U0GINA".into(), User { is_restricted: true, ..member("gina") }),
        ("U0UMA".into(), User { is_restricted: true, is_ultra_restricted: true, ..member("uma") }),
        ("U0OTTO".into(), User { deleted: true, ..member("otto") }),
        ("U0EVE".into(), User { team_id: "T0EVIL".into(), is_stranger: true, ..member("eve") }),
        ("U0ROBO".into(), User { is_bot: true, ..member("robo") }),
        ("U0BOT".into(), User { is_bot: true, ..member("sekoia") }),
    ])
}

pub(super) fn default_channels() -> BTreeMap<String, Channel> {
    let everybody: BTreeSet<String> = default_users().into_keys().collect();
    let with_bot = |name: &str| Channel { name: name.into(), members: everybody.clone(), ..Channel::default() };
    let without_bot = |name: &str| {
        let mut channel = with_bot(name);
        channel.members.remove("U0BOT");
        channel
    };
    BTreeMap::from([
        ("C0SOC".into(), with_bot("soc-setup")),
        ("C0NIMBUS".into(), with_bot("nimbus-payments")),
        ("C0SHARED".into(), Channel { is_ext_shared: true, ..with_bot("shared") }),
        ("C0QUIET".into(), without_bot("quiet")),
        ("G0PRIV".into(), Channel { is_private: true, ..without_bot("private") }),
        ("C0OLD".into(), Channel { is_archived: true, ..with_bot("old") }),
    ])
}
