//! What Slack says of people, channels and groups, and how long each answer is believed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::api::{Again, Api};
use crate::pace::Rank;
use crate::platform::remembered::Remembered;
use crate::platform::{ChannelFacts, ChannelKey, ChatError, Person, UserId};

/// Who somebody is, and whether a channel is shared: Slack itself lets nobody act who left.
const FACTS: Duration = Duration::from_mins(5);
/// Who is an operator or approver by a group.
const MEMBERSHIP: Duration = Duration::from_mins(1);
/// Somebody's conversation with the app stays the same.
const DIRECT: Duration = Duration::from_hours(1);

pub(super) struct Facts {
    api: Arc<Api>,
    /// A token belongs to one team for good.
    team: OnceCell<Arc<str>>,
    people: Remembered<Person>,
    channels: Remembered<ChannelFacts>,
    groups: Remembered<Arc<[UserId]>>,
    directs: Remembered<ChannelKey>,
}

impl Facts {
    pub fn new(api: Arc<Api>) -> Self {
        Self {
            api,
            team: OnceCell::new(),
            people: Remembered::new(FACTS),
            channels: Remembered::new(FACTS),
            groups: Remembered::guarded(MEMBERSHIP),
            directs: Remembered::new(DIRECT),
        }
    }

    pub async fn team(&self) -> Result<Arc<str>, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            team_id: Arc<str>,
        }
        let ask = async || self.api.get::<Answer>("auth.test", &[]).await.map(|answer| answer.team_id);
        self.team.get_or_try_init(ask).await.cloned()
    }

    pub async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            user: User,
        }
        #[derive(Deserialize)]
        struct User {
            team_id: Option<Box<str>>,
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
        }
        self.people
            .get(user.native(), || {
                let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
                async move {
                    let User {
                        team_id,
                        deleted,
                        is_bot,
                        is_workflow_bot,
                        is_restricted,
                        is_ultra_restricted,
                        is_stranger,
                    } = api.get::<Answer>("users.info", &[("user", Some(&id))]).await?.user;
                    Ok(Person {
                        team: team_id.unwrap_or_default(),
                        active: !deleted,
                        guest: is_restricted || is_ultra_restricted || is_stranger,
                        bot: is_bot || is_workflow_bot,
                    })
                }
            })
            .await
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
                    })
                }
            })
            .await
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
                let answer: Answer = api.post("conversations.open", Again::Harmless, Rank::Person, &request).await?;
                Ok(ChannelKey::slack(&team, &answer.channel.id))
            })
            .await
    }
}
