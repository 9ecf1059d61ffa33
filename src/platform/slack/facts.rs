//! What Slack says of people, channels and groups, and how long each answer is believed.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use url::Url;

use super::api::Api;
use crate::chat::{ChannelFacts, ChannelKey, ChatError, Person, UserId};
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::platform::remembered::Remembered;
use crate::timing::slack::{
    BEFORE_ACKNOWLEDGED, CHANNELS_KEPT, DIRECT_KEPT, FACTS_KEPT, MEMBERSHIP_KEPT, NAME_PATIENCE,
};

/// Pages of channels that are read.
const MOST_PAGES: usize = 50;

/// Somebody, as Slack describes them.
#[derive(Debug, Clone)]
struct Known {
    person: Person,
    /// The workspace is one of several of their organisation.
    organisation: bool,
}

pub(super) struct Facts {
    api: Arc<Api>,
    /// A token belongs to one team for good.
    team: OnceCell<Team>,
    people: Remembered<Known>,
    channels: Remembered<ChannelFacts>,
    groups: Remembered<Arc<[UserId]>>,
    directs: Remembered<ChannelKey>,
    /// Ids of the channels that somebody is in, as far as the bot may know.
    joined: Remembered<Arc<HashSet<Box<str>>>>,
}

struct Team {
    team_id: Arc<str>,
    /// `https://example.slack.com/`.
    url: Option<Url>,
    /// The bot's name, as people mention it.
    user: Option<Arc<str>>,
}

impl Facts {
    pub fn new(api: Arc<Api>) -> Self {
        Self {
            api,
            team: OnceCell::new(),
            people: Remembered::new(FACTS_KEPT),
            channels: Remembered::lasting(FACTS_KEPT, CHANNELS_KEPT),
            groups: Remembered::guarded(MEMBERSHIP_KEPT),
            directs: Remembered::new(DIRECT_KEPT),
            joined: Remembered::new(MEMBERSHIP_KEPT),
        }
    }

    async fn installed(&self) -> Result<&Team, ChatError> {
        self.team.get_or_try_init(|| self.ask_team()).await
    }

    pub async fn team(&self) -> Result<Arc<str>, ChatError> {
        self.installed().await.map(|team| Arc::clone(&team.team_id))
    }

    /// Asks now, and learns by the way which team it is.
    pub async fn check(&self) -> Result<(), ChatError> {
        let team = self.ask_team().await?;
        let _ = self.team.set(team);
        Ok(())
    }

    async fn ask_team(&self) -> Result<Team, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            /// Of an organisation-wide install: the organisation's id, or nothing.
            team_id: Option<Arc<str>>,
            #[serde(default)]
            is_enterprise_install: bool,
            url: Option<Url>,
            user: Option<Arc<str>>,
        }
        let Answer { team_id, is_enterprise_install, url, user } = self.api.get("auth.test", &[]).await?;
        let team_id = team_id.filter(|id| !(is_enterprise_install || id.is_empty() || id.starts_with('E')));
        Ok(Team { team_id: team_id.ok_or(ChatError::OrganisationWide)?, url, user })
    }

    /// Where people open the workspace.
    pub async fn url(&self) -> Result<Url, ChatError> {
        let no = || ChatError::Refused("no address of the workspace".into());
        self.installed().await?.url.clone().ok_or_else(no)
    }

    /// The bot's name, as people mention it.
    pub async fn own_name(&self) -> Option<Arc<str>> {
        tokio::time::timeout(NAME_PATIENCE, self.installed()).await.ok()?.ok()?.user.clone()
    }

    pub async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        self.known(user).await.map(|known| known.person)
    }

    /// The channel under the workspace that the app is installed in. In an organisation with several
    /// workspaces, a request names the one that somebody works in, or none at all; whether they belong
    /// to this one is what Slack says of them, not of the request.
    pub async fn at_home(&self, channel: &ChannelKey, user: &UserId) -> Option<ChannelKey> {
        let team = &self.team.get()?.team_id;
        if channel.team() == &**team {
            return None;
        }
        let known = tokio::time::timeout(BEFORE_ACKNOWLEDGED, self.known(user)).await.ok()?.ok()?;
        known.organisation.then(|| ChannelKey::slack(team, channel.channel()))
    }

    async fn known(&self, user: &UserId) -> Result<Known, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            user: User,
        }
        #[derive(Deserialize)]
        struct User {
            id: Option<Box<str>>,
            team_id: Option<Box<str>>,
            enterprise_user: Option<EnterpriseUser>,
            #[serde(default)]
            deleted: bool,
            #[serde(default)]
            is_bot: bool,
            #[serde(default)]
            is_workflow_bot: bool,
            #[serde(default)]
            is_restricted: bool,
            #[serde(default)]
            is_ultra_restricted: bool,
            #[serde(default)]
            is_stranger: bool,
            #[serde(default)]
            name: Box<str>,
            tz: Option<Box<str>>,
            #[serde(default)]
            profile: Profile,
        }
        #[derive(Default, Deserialize)]
        struct Profile {
            #[serde(default)]
            display_name: Box<str>,
            #[serde(default)]
            real_name: Box<str>,
            /// Only with the scope `users:read.email`.
            email: Option<Box<str>>,
        }
        /// Of an organisation with several workspaces.
        #[derive(Default, Deserialize)]
        struct EnterpriseUser {
            id: Option<Box<str>>,
            #[serde(default)]
            teams: Vec<Box<str>>,
        }
        let home = self.team().await?;
        self.people
            .get(user.native(), || {
                let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
                async move {
                    let user = api.get::<Answer>("users.info", &[("user", Some(&id))]).await?.user;
                    let organisation = user.enterprise_user.unwrap_or_default();
                    // `team_id` is where the account is at home, which may be another workspace of
                    // the same organisation, or nowhere.
                    let belongs = organisation.teams.contains(&Box::from(&*home));
                    let team = if belongs { Box::from(&*home) } else { user.team_id.unwrap_or_default() };
                    let mut ids = [user.id, organisation.id].into_iter().flatten();
                    let also = ids.find(|other| **other != *id).and_then(|other| UserId::of("slack", &other));
                    let person = Person {
                        team,
                        also,
                        active: !user.deleted,
                        guest: user.is_restricted || user.is_ultra_restricted || (user.is_stranger && !belongs),
                        bot: user.is_bot || user.is_workflow_bot,
                        email: user.profile.email.filter(|email| !email.is_empty()),
                        zone: user.tz.filter(|zone| !zone.is_empty()),
                        name: [user.profile.display_name, user.profile.real_name, user.name]
                            .into_iter()
                            .find(|name| !name.is_empty())
                            .unwrap_or_default(),
                    };
                    Ok(Known { person, organisation: belongs })
                }
            })
            .await
    }

    /// Needs the scope `users:read.email`.
    pub async fn by_address(&self, address: &str) -> Result<Option<UserId>, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            user: Found,
        }
        #[derive(Deserialize)]
        struct Found {
            id: Box<str>,
        }
        match self.api.get::<Answer>("users.lookupByEmail", &[("email", Some(address))]).await {
            Ok(answer) => Ok(UserId::of("slack", &answer.user.id)),
            Err(ChatError::Refused(code)) if code == "users_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn forget(&self, user: &UserId, groups: &[&str]) {
        self.people.forget(user.native()).await;
        for group in groups {
            self.groups.forget(group).await;
        }
    }

    pub async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Channel,
        }
        #[derive(Deserialize)]
        struct Channel {
            #[serde(default)]
            is_ext_shared: bool,
            #[serde(default)]
            is_pending_ext_shared: bool,
            #[serde(default)]
            is_archived: bool,
            /// Direct messages have none.
            name: Option<Box<str>>,
        }
        // Direct messages: whether one is shared with another organisation takes scopes that
        // nothing else needs.
        if !channel.channel().starts_with(['C', 'G']) {
            return Err(ChatError::NotAChannel);
        }
        self.channels
            .get(channel.channel(), || {
                let (api, id) = (Arc::clone(&self.api), channel.channel().to_owned());
                async move {
                    let channel = api.get::<Answer>("conversations.info", &[("channel", Some(&id))]).await?.channel;
                    Ok(ChannelFacts {
                        external: channel.is_ext_shared || channel.is_pending_ext_shared,
                        archived: channel.is_archived,
                        name: channel.name.unwrap_or_default(),
                    })
                }
            })
            .await
    }

    /// The channels that the bot is in, asked now.
    pub async fn channels(&self) -> Result<Vec<ChannelKey>, ChatError> {
        let team = self.team().await?;
        let ids = conversations_of(&self.api, None).await?;
        Ok(ids.iter().map(|id| ChannelKey::slack(&team, id)).collect())
    }

    /// The channels that somebody is in: public ones, and private ones that the bot is in too.
    pub async fn joined(&self, user: &UserId) -> Result<Arc<HashSet<Box<str>>>, ChatError> {
        let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
        let ask = || async move { Ok(Arc::new(conversations_of(&api, Some(&id)).await?.into_iter().collect())) };
        self.joined.get(user.native(), ask).await
    }

    pub async fn group(&self, group: &str) -> Result<Arc<[UserId]>, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<Box<str>>,
        }
        let (api, id) = (Arc::clone(&self.api), group.to_owned());
        self.groups
            .get(group, || async move {
                let answer: Answer = api.get("usergroups.users.list", &[("usergroup", Some(&id))]).await?;
                Ok(answer.users.iter().map(|id| UserId::slack(id)).collect::<Arc<[UserId]>>())
            })
            .await
    }

    pub async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError> {
        #[derive(Serialize)]
        struct Request {
            users: String,
        }
        #[derive(Deserialize)]
        struct Answer {
            channel: Opened,
        }
        #[derive(Deserialize)]
        struct Opened {
            id: Box<str>,
        }
        let team = self.team().await?;
        let (api, request) = (Arc::clone(&self.api), Request { users: user.native().to_owned() });
        self.directs
            .get(user.native(), || async move {
                let answer: Answer =
                    api.post("conversations.open", "", Retry::Idempotent, Rank::Person, &request).await?;
                Ok(ChannelKey::slack(&team, &answer.channel.id))
            })
            .await
    }
}

/// Ids of the channels that somebody is in; of none, the bot.
async fn conversations_of(api: &Api, user: Option<&str>) -> Result<Vec<Box<str>>, ChatError> {
    #[derive(Deserialize)]
    struct Page {
        channels: Vec<Channel>,
        #[serde(default)]
        response_metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Channel {
        id: Box<str>,
    }
    #[derive(Default, Deserialize)]
    struct Metadata {
        #[serde(default)]
        next_cursor: String,
    }
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let mut params = vec![
            ("types", Some("public_channel,private_channel")),
            ("exclude_archived", Some("true")),
            ("limit", Some("200")),
            ("cursor", Some(cursor.as_str()).filter(|cursor| !cursor.is_empty())),
        ];
        if user.is_some() {
            params.push(("user", user));
        }
        let page: Page = api.get("users.conversations", &params).await?;
        all.extend(page.channels.into_iter().map(|channel| channel.id));
        if page.response_metadata.next_cursor.is_empty() {
            break;
        }
        cursor = page.response_metadata.next_cursor;
    }
    Ok(all)
}
