//! Who and where: people, conversations, messages; and who changed something.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The only team, as it stands in channel keys.
pub const WEB_TEAM: &str = "demo";

/// Takes the place of the team in our keys: a channel's id is the same in every team.
pub const MATTERMOST_SERVER: &str = "server";

/// Stands before the id of a person's direct conversation with the bot.
pub const MATTERMOST_DIRECT: &str = "direct-";

/// Mattermost's ids: 26 letters and digits. They become parts of paths and keys.
pub fn is_mattermost_id(id: &str) -> bool {
    id.len() == 26 && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// A person's immutable id with its platform: `slack:U0ALICE`. Never a name, never an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Arc<str>);

/// A conversation: `slack:T0SOC:C0SOC` (platform, team, channel).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelKey(Arc<str>);

/// A platform's own id of a posted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub Box<str>);

impl UserId {
    pub fn slack(id: &str) -> Self {
        Self(format!("slack:{id}").into())
    }

    pub fn mattermost(id: &str) -> Self {
        Self(format!("mattermost:{id}").into())
    }

    pub fn web(id: &str) -> Self {
        Self(format!("web:{id}").into())
    }

    /// The person that a message on `platform` names by `id`; none if no id there looks like it.
    pub fn of(platform: &str, id: &str) -> Option<Self> {
        let fits = match platform {
            "slack" => id.starts_with(['U', 'W']),
            _ => !id.is_empty(),
        };
        let fits = fits && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(format!("{platform}:{id}").into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn platform(&self) -> &str {
        self.0.split_once(':').map_or("", |(platform, _)| platform)
    }

    /// The id as the platform writes it.
    pub fn native(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(_, id)| id)
    }
}

impl ChannelKey {
    pub fn slack(team: &str, channel: &str) -> Self {
        let mut key = String::with_capacity(7 + team.len() + channel.len());
        key.push_str("slack:");
        key.push_str(team);
        key.push(':');
        key.push_str(channel);
        Self(key.into())
    }

    pub fn web(channel: &str) -> Self {
        Self(format!("web:{WEB_TEAM}:{channel}").into())
    }

    /// Of a server's channel: its id is the same in every team.
    pub fn mattermost(channel: &str) -> Self {
        Self(format!("mattermost:{MATTERMOST_SERVER}:{channel}").into())
    }

    /// A person's direct conversation with the bot.
    pub fn mattermost_direct(channel: &str) -> Self {
        Self(format!("mattermost:{MATTERMOST_SERVER}:{MATTERMOST_DIRECT}{channel}").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn platform(&self) -> &str {
        self.0.split_once(':').map_or("", |(platform, _)| platform)
    }

    pub fn team(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    pub fn channel(&self) -> &str {
        self.0.split(':').nth(2).unwrap_or_default()
    }
}

impl From<String> for UserId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<String> for ChannelKey {
    fn from(key: String) -> Self {
        Self(key.into())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the platform says of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The team that the account belongs to: the bot's own if that is one of several.
    pub team: Box<str>,
    /// Another id that the platform has of the same person.
    pub also: Option<UserId>,
    pub active: bool,
    pub guest: bool,
    pub bot: bool,
    /// As others there see it; empty if the platform does not tell.
    pub name: Box<str>,
    /// None if the platform does not tell, or the bot may not know it.
    pub email: Option<Box<str>>,
    /// Of the time zone that they live by, as they set it: a name of the database, or anything at all. None
    /// if the platform does not tell.
    pub zone: Option<Box<str>>,
}

/// Who did it: a person, or the bot by a rule of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    Person(UserId),
    Bot,
}

impl Actor {
    /// As it stands in records: a person's id, or `bot`.
    pub fn name(&self) -> &str {
        match self {
            Actor::Person(user) => user.as_str(),
            Actor::Bot => "bot",
        }
    }
}

/// Who changed something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub by: Actor,
    pub at: Timestamp,
}

/// The Sekoia community that a session is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Community {
    pub uuid: Uuid,
    pub name: Box<str>,
}
