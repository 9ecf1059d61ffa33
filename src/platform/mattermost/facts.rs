//! What Mattermost says of people, channels and groups, and how long each answer is believed.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::api::Api;
use super::names::{Names, mentioned};
use crate::chat::view::View;
use crate::chat::{
    ChannelFacts, ChannelKey, ChatError, MATTERMOST_DIRECT, MATTERMOST_SERVER, MessageId, Person, UserId,
    is_mattermost_id,
};
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::platform::remembered::Remembered;
use crate::timing::mattermost::{AUTHOR_PATIENCE, DIRECT_KEPT, FACTS_KEPT, SETTINGS_KEPT};

const PAGE: usize = 200;
/// Members of a group that are looked through.
const MOST_MEMBERS: usize = 10_000;

pub struct Facts {
    api: Arc<Api>,
    me: OnceCell<Me>,
    settings: Remembered<Settings>,
    /// `/sekoia`, or what the server has for it; none: a mention calls the bot.
    command: Option<Arc<str>>,
    people: Remembered<Known>,
    channels: Remembered<Place>,
    groups: Remembered<Arc<[UserId]>>,
    directs: Remembered<ChannelKey>,
    /// Whether somebody is in a channel, by both ids.
    members: Remembered<bool>,
    /// Where people open the server, under an empty key; and the names of teams.
    addresses: Remembered<Box<str>>,
}

/// The bot's own account.
#[derive(Debug, Clone)]
struct Me {
    id: Arc<str>,
    name: Arc<str>,
}

/// What the server lets integrations do, as anybody may know.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    #[serde(rename = "SiteURL", default)]
    site: String,
    #[serde(rename = "EnablePostUsernameOverride", default)]
    names: Box<str>,
    #[serde(rename = "EnablePostIconOverride", default)]
    icons: Box<str>,
    #[serde(rename = "RequireEmailVerification", default)]
    verifies: Box<str>,
}

/// Under whose name and picture the answer to a command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub username: Arc<str>,
    pub icon_url: String,
    /// Whether the server shows them; otherwise it shows those of the person who typed the command.
    pub is_shown: bool,
}

/// Somebody, as Mattermost describes them.
#[derive(Debug, Clone)]
pub struct Known {
    pub name: Box<str>,
    pub person: Person,
}

#[derive(Debug, Clone)]
struct Place {
    name: Box<str>,
    team: Box<str>,
    facts: Result<ChannelFacts, ChatError>,
}

#[derive(Deserialize)]
struct User {
    id: Box<str>,
    #[serde(default)]
    username: Box<str>,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    roles: String,
    /// Empty where the server shows addresses to nobody.
    email: Option<Box<str>>,
    #[serde(default)]
    is_bot: bool,
    /// Of whoever belongs to another server, which shares a channel with this one.
    remote_id: Option<Box<str>>,
    #[serde(default)]
    timezone: Timezone,
}

/// As a person set it, or as their device does.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Timezone {
    automatic_timezone: Box<str>,
    manual_timezone: Box<str>,
    use_automatic_timezone: Box<str>,
}

impl Timezone {
    fn name(self) -> Option<Box<str>> {
        let zone = if &*self.use_automatic_timezone == "true" { self.automatic_timezone } else { self.manual_timezone };
        (!zone.is_empty()).then_some(zone)
    }
}

#[derive(Deserialize)]
struct Channel {
    #[serde(default)]
    name: Box<str>,
    #[serde(rename = "type", default)]
    kind: Box<str>,
    #[serde(default)]
    team_id: Box<str>,
    #[serde(default)]
    delete_at: i64,
    shared: Option<bool>,
}

impl From<User> for Known {
    fn from(user: User) -> Self {
        let elsewhere = user.remote_id.filter(|id| !id.is_empty());
        let person = Person {
            team: elsewhere.unwrap_or_else(|| MATTERMOST_SERVER.into()),
            also: None,
            active: user.delete_at == 0,
            guest: user.roles.split_whitespace().any(|role| role == "system_guest"),
            bot: user.is_bot,
            name: user.username.clone(),
            email: user.email.filter(|email| !email.is_empty()),
            zone: user.timezone.name(),
        };
        Self { name: user.username, person }
    }
}

impl From<Channel> for Place {
    fn from(channel: Channel) -> Self {
        let facts = match &*channel.kind {
            "O" | "P" => Ok(ChannelFacts {
                external: channel.shared.unwrap_or_default(),
                archived: channel.delete_at != 0,
                name: channel.name.clone(),
            }),
            _ => Err(ChatError::NotAChannel),
        };
        Self { name: channel.name, team: channel.team_id, facts }
    }
}

impl Facts {
    /// `trigger`: the word after the slash that calls the bot, if the server has one.
    pub fn new(api: Arc<Api>, trigger: Option<&str>) -> Self {
        Self {
            api,
            me: OnceCell::new(),
            settings: Remembered::new(SETTINGS_KEPT),
            command: trigger.map(|trigger| format!("/{trigger}").into()),
            people: Remembered::new(FACTS_KEPT),
            channels: Remembered::new(FACTS_KEPT),
            groups: Remembered::guarded(FACTS_KEPT),
            directs: Remembered::new(DIRECT_KEPT),
            members: Remembered::new(FACTS_KEPT),
            addresses: Remembered::new(DIRECT_KEPT),
        }
    }

    /// The bot's own id.
    pub async fn me(&self) -> Result<Arc<str>, ChatError> {
        self.account().await.map(|me| Arc::clone(&me.id))
    }

    async fn account(&self) -> Result<&Me, ChatError> {
        let ask = async || {
            let me = self.api.get::<User>("/users/me").await?;
            Ok(Me { id: me.id.into(), name: me.username.into() })
        };
        self.me.get_or_try_init(ask).await
    }

    /// The bot's name, as one mentions it.
    pub async fn own_name(&self) -> Option<Arc<str>> {
        let me = tokio::time::timeout(AUTHOR_PATIENCE, self.account()).await.ok()?;
        me.ok().map(|me| Arc::clone(&me.name)).filter(|name| !name.is_empty())
    }

    /// The same, however long the server takes to say it.
    pub async fn mentioned_as(&self) -> Result<Arc<str>, ChatError> {
        self.account().await.map(|me| Arc::clone(&me.name))
    }

    /// What calls the bot: `/sekoia`, what the server has for it, or a mention.
    pub async fn call(&self) -> Arc<str> {
        match &self.command {
            Some(command) => Arc::clone(command),
            None => format!("@{}", self.own_name().await.as_deref().unwrap_or("sekoia")).into(),
        }
    }

    /// Whether a mention alone calls it.
    pub fn only_mentions(&self) -> bool {
        self.command.is_none()
    }

    async fn settings(&self) -> Result<Settings, ChatError> {
        let api = Arc::clone(&self.api);
        let ask = || async move { api.get::<Settings>("/config/client?format=old").await };
        self.settings.get("", ask).await
    }

    /// Whether a new e-mail address has to be confirmed before it is an account's.
    pub async fn confirms_addresses(&self) -> Result<bool, ChatError> {
        self.settings().await.map(|settings| &*settings.verifies == "true")
    }

    /// None while the server does not say.
    pub async fn author(&self) -> Option<Author> {
        let both = async { tokio::join!(self.settings(), self.account()) };
        let (Ok(settings), Ok(me)) = tokio::time::timeout(AUTHOR_PATIENCE, both).await.ok()? else { return None };
        let site = settings.site.parse().unwrap_or_else(|_| self.api.address().clone());
        Some(Author {
            username: Arc::clone(&me.name),
            icon_url: super::picture_of(&site, &me.id),
            is_shown: &*settings.names == "true" && &*settings.icons == "true",
        })
    }

    pub async fn person(&self, user: &UserId) -> Result<Known, ChatError> {
        let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
        self.people.get(user.native(), || async move { known(&api, &id).await }).await
    }

    /// Somebody whose address the server hides from the bot is not found by it either.
    pub async fn by_address(&self, address: &str) -> Result<Option<UserId>, ChatError> {
        let mut path = String::from("/users/email/");
        path.extend(form_urlencoded::byte_serialize(address.as_bytes()));
        match self.api.get::<User>(&path).await {
            Ok(user) => Ok(Some(UserId::mattermost(&user.id))),
            Err(ChatError::Refused(_) | ChatError::Forbidden(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks now, so that whatever is decided next knows the present.
    pub async fn read_person(&self, user: &UserId) -> Result<(), ChatError> {
        let known = known(&self.api, user.native()).await?;
        self.people.put(user.native(), known).await;
        Ok(())
    }

    /// The people with these names, with their ids; those that nobody has are left out.
    pub async fn named(&self, names: &[&str]) -> Result<Vec<(Box<str>, Box<str>)>, ChatError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let path = "/users/usernames";
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let found: Vec<User> = self.api.send(Method::POST, path, Retry::Idempotent, Rank::Person, &names).await?;
        Ok(found.into_iter().map(|user| (user.username, user.id)).collect())
    }

    /// Whether somebody is in a channel now. A deactivated account still is.
    pub async fn is_member(&self, channel: &ChannelKey, user: &UserId) -> Result<bool, ChatError> {
        member(&self.api, native(channel)?, user.native()).await
    }

    /// The same, as it was a moment ago.
    pub async fn is_joined(&self, channel: &ChannelKey, user: &UserId) -> Result<bool, ChatError> {
        let (api, channel, user) = (Arc::clone(&self.api), native(channel)?.to_owned(), user.native().to_owned());
        let key = format!("{channel} {user}");
        self.members.get(&key, || async move { member(&api, &channel, &user).await }).await
    }

    pub async fn forget(&self, user: &UserId, groups: &[&str]) {
        self.people.forget(user.native()).await;
        for group in groups {
            self.groups.forget(group).await;
        }
    }

    pub async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        self.place(channel).await?.facts
    }

    /// The channels that the bot is in, asked now.
    pub async fn own_channels(&self) -> Result<Vec<ChannelKey>, ChatError> {
        #[derive(Deserialize)]
        struct Own {
            id: Box<str>,
            #[serde(rename = "type", default)]
            kind: Box<str>,
            #[serde(default)]
            delete_at: i64,
        }
        let all: Vec<Own> = self.api.get("/users/me/channels").await?;
        let here = all.iter().filter(|channel| matches!(&*channel.kind, "O" | "P") && channel.delete_at == 0);
        Ok(here.map(|channel| ChannelKey::mattermost(&channel.id)).collect())
    }

    async fn place(&self, channel: &ChannelKey) -> Result<Place, ChatError> {
        let (api, id) = (Arc::clone(&self.api), native(channel)?.to_owned());
        let ask = || async move {
            match api.get::<Channel>(&format!("/channels/{id}")).await {
                Ok(channel) => Ok(Place::from(channel)),
                Err(ChatError::Refused(_)) => Err(ChatError::NotInChannel),
                Err(error) => Err(error),
            }
        };
        self.channels.get(channel.as_str(), ask).await
    }

    /// Custom groups and those of a directory; both need a licence.
    pub async fn group(&self, group: &str) -> Result<Arc<[UserId]>, ChatError> {
        #[derive(Deserialize)]
        struct Page {
            members: Vec<User>,
        }
        let (api, id) = (Arc::clone(&self.api), group.to_owned());
        let ask = || async move {
            let mut all: Vec<UserId> = Vec::new();
            for page in 0..MOST_MEMBERS / PAGE {
                let Page { members } = api.get(&format!("/groups/{id}/members?page={page}&per_page={PAGE}")).await?;
                let last = members.len() < PAGE;
                all.extend(members.iter().map(|user| UserId::mattermost(&user.id)));
                if last {
                    break;
                }
            }
            Ok(all.into())
        };
        self.groups.get(group, ask).await
    }

    pub async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError> {
        #[derive(Deserialize)]
        struct Opened {
            id: Box<str>,
        }
        let me = self.me().await?;
        let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
        let ask = || async move {
            // It is the same one however often it is opened.
            let path = "/channels/direct";
            let both = [&*me, id.as_str()];
            let opened: Opened = api.send(Method::POST, path, Retry::Idempotent, Rank::Background, &both).await?;
            Ok(ChannelKey::mattermost_direct(&opened.id))
        };
        self.directs.get(user.native(), ask).await
    }

    /// The address of a post, as people open it.
    pub async fn link(&self, channel: &ChannelKey, post: &MessageId) -> Option<Box<str>> {
        // The bot may reach it by another address than people.
        let site = self.settings().await.map_or_else(|_| String::new(), |settings| settings.site);
        let site = if site.is_empty() { self.api.address().as_str() } else { &site };
        // Without a team, Mattermost finds one of the reader's.
        let team = self.team_name(channel).await.unwrap_or_else(|_| "_redirect".into());
        Some(format!("{}/{team}/pl/{}", site.trim_end_matches('/'), post.0).into())
    }

    async fn team_name(&self, channel: &ChannelKey) -> Result<Box<str>, ChatError> {
        #[derive(Deserialize)]
        struct Team {
            name: Box<str>,
        }
        let (api, id) = (Arc::clone(&self.api), self.place(channel).await?.team);
        if !is_mattermost_id(&id) {
            return Err(ChatError::NotAChannel);
        }
        let path = format!("/teams/{id}");
        self.addresses.get(&id, || async move { api.get::<Team>(&path).await.map(|team| team.name) }).await
    }

    /// The names of whom a view mentions; whoever cannot be looked up is shown by id.
    pub async fn names(&self, view: &View) -> Names {
        let (people, channels) = mentioned(view);
        let mut names = Names { call: Some(self.call().await), ..Names::default() };
        for user in people.into_iter().filter(|user| user.platform() == "mattermost") {
            if let Ok(known) = self.person(user).await {
                names.people.insert(user.clone(), known.name);
            }
        }
        for channel in channels.into_iter().filter(|channel| channel.platform() == "mattermost") {
            if let Ok(place) = self.place(channel).await {
                names.channels.insert(channel.clone(), place.name);
            }
        }
        names
    }
}

async fn member(api: &Api, channel: &str, user: &str) -> Result<bool, ChatError> {
    #[derive(Deserialize)]
    struct Member {}
    match api.get::<Member>(&format!("/channels/{channel}/members/{user}")).await {
        Ok(Member {}) => Ok(true),
        Err(ChatError::Refused(id)) if id == "app.channel.get_member.missing.app_error" => Ok(false),
        Err(error) => Err(error),
    }
}

async fn known(api: &Api, id: &str) -> Result<Known, ChatError> {
    if !is_mattermost_id(id) {
        return Err(ChatError::Refused("an id that is none".into()));
    }
    api.get::<User>(&format!("/users/{id}")).await.map(Known::from)
}

/// Mattermost's own id of a channel.
pub fn native(channel: &ChannelKey) -> Result<&str, ChatError> {
    let id = channel.channel();
    let id = id.strip_prefix(MATTERMOST_DIRECT).unwrap_or(id);
    if is_mattermost_id(id) { Ok(id) } else { Err(ChatError::NotAChannel) }
}
