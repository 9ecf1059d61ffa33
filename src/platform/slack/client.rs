//! The chat platform that Slack is: which call says what, and what is remembered of the answers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tracing::{error, warn};

use super::api::{Again, Api, patience};
use super::block_kit::{Block, Modal};
use super::directory::Remembered;
use super::render::{self, Message};
use crate::config::SlackConfig;
use crate::pace::Rank;
use crate::platform::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, FormContent, MessageId, Person, ReplyTo, UserId,
};
use crate::view::{Form, View};

/// Who somebody is, and whether a channel is shared: Slack itself lets nobody act who left.
const FACTS: Duration = Duration::from_mins(5);
/// Who is an operator or approver by a group.
const MEMBERSHIP: Duration = Duration::from_mins(1);

pub struct SlackClient {
    api: Arc<Api>,
    /// A token belongs to one team for good.
    team: OnceCell<Arc<str>>,
    people: Remembered<Person>,
    channels: Remembered<ChannelFacts>,
    groups: Remembered<Arc<[Box<str>]>>,
}

#[derive(Deserialize)]
struct Ack {
    // Demanded, because the library takes an answer that is not JSON for an empty one.
    #[serde(rename = "ok")]
    _ok: bool,
}

impl SlackClient {
    pub fn new(config: &SlackConfig) -> Result<Self, anyhow::Error> {
        Ok(Self {
            api: Arc::new(Api::new(config)?),
            team: OnceCell::new(),
            people: Remembered::new(FACTS),
            channels: Remembered::new(FACTS),
            groups: Remembered::new(MEMBERSHIP),
        })
    }

    /// Posts or edits; a payload that Slack rejects is logged with Slack's reason and said as
    /// plain text instead.
    async fn message<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        again: Again,
        rank: Rank,
        mut request: Outgoing<'_>,
        view: &View,
    ) -> Result<T, ChatError> {
        match self.api.post(method, again, rank, &request).await {
            Err(ChatError::Rejected(reason)) => {
                error!(method, reason, "Slack rejected a message; its plain text is sent instead");
                request.text = render::plain(view);
                // An edit may not take rich text away: one block of plain words is the least.
                request.blocks = if request.ts.is_some() { render::plain_blocks(view) } else { Vec::new() };
                self.api.post(method, again, rank, &request).await
            }
            result => result,
        }
    }
}

/// `chat.postMessage`, `chat.update` and `chat.postEphemeral`.
#[derive(Serialize)]
struct Outgoing<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    text: String,
    blocks: Vec<Block<'a>>,
    unfurl_links: bool,
    unfurl_media: bool,
}

impl<'a> Outgoing<'a> {
    fn new(channel: &'a ChannelKey, view: &'a View) -> Self {
        Self {
            channel: channel.channel(),
            ts: None,
            user: None,
            thread_ts: None,
            text: render::fallback(view),
            blocks: render::blocks(view),
            unfurl_links: false,
            unfurl_media: false,
        }
    }
}

#[async_trait]
impl ChatPlatform for SlackClient {
    fn name(&self) -> &'static str {
        "slack"
    }

    async fn team(&self) -> Result<Arc<str>, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            team_id: Arc<str>,
        }
        let ask = async || self.api.get::<Answer>("auth.test", &[]).await.map(|answer| answer.team_id);
        self.team.get_or_try_init(ask).await.cloned()
    }

    async fn check(&self) -> Result<(), ChatError> {
        self.api.get::<Ack>("auth.test", &[]).await.map(|_| ())
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
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

    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
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

    async fn in_group(&self, group: &str, user: &UserId) -> Result<bool, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<Box<str>>,
        }
        let (api, id) = (Arc::clone(&self.api), group.to_owned());
        let members = self
            .groups
            .get(group, || async move {
                let answer: Answer = api.get("usergroups.users.list", &[("usergroup", Some(&id))]).await?;
                Ok(answer.users.into())
            })
            .await?;
        Ok(members.iter().any(|member| **member == *user.native()))
    }

    async fn post(&self, channel: &ChannelKey, view: &View) -> Result<MessageId, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            ts: Box<str>,
        }
        if self.api.limits.posts(channel.channel()).turn(Rank::Background, patience(Rank::Background)).await.is_err() {
            return Err(ChatError::RateLimited);
        }
        let request = Outgoing::new(channel, view);
        let answer: Answer = self.message("chat.postMessage", Again::Doubles, Rank::Background, request, view).await?;
        Ok(MessageId(answer.ts))
    }

    async fn update(&self, channel: &ChannelKey, message: &MessageId, view: &View) -> Result<(), ChatError> {
        let request = Outgoing { ts: Some(&message.0), ..Outgoing::new(channel, view) };
        let _: Ack = self.message("chat.update", Again::Harmless, Rank::Background, request, view).await?;
        Ok(())
    }

    async fn tell(&self, channel: &ChannelKey, user: &UserId, to: &ReplyTo, view: &View) -> Result<(), ChatError> {
        let thread = match to {
            ReplyTo::Url { url, replace } => {
                let answered = match self.api.respond(url, &Message::private(view, *replace)).await {
                    Err(ChatError::Rejected(reason)) => {
                        error!(reason, "Slack rejected an answer; its plain text is sent instead");
                        self.api.respond(url, &Message::plain(view, *replace)).await
                    }
                    result => result,
                };
                match answered {
                    Ok(()) => return Ok(()),
                    // Used up, expired or out of reach: there is another way to the same person.
                    Err(error) => warn!(%error, "the reply address failed; the answer is posted instead"),
                }
                None
            }
            ReplyTo::Private { thread } => thread.as_deref(),
        };
        let request = Outgoing { user: Some(user.native()), thread_ts: thread, ..Outgoing::new(channel, view) };
        // An answer that is seen twice is better than one that is never seen.
        let _: Ack = self.message("chat.postEphemeral", Again::Harmless, Rank::Person, request, view).await?;
        Ok(())
    }

    async fn open_form(&self, trigger: &str, form: Option<&Form>, channel: &ChannelKey) -> Result<Box<str>, ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            trigger_id: &'a str,
            view: Modal<'a>,
        }
        #[derive(Deserialize)]
        struct Answer {
            view: Opened,
        }
        #[derive(Deserialize)]
        struct Opened {
            id: Box<str>,
        }
        let waiting = View::sentence("One moment…");
        let view = match form {
            Some(form) => render::modal(form, channel),
            None => render::notice(&waiting),
        };
        let request = Request { trigger_id: trigger, view };
        let answer: Answer = self.api.post("views.open", Again::Doubles, Rank::Person, &request).await?;
        Ok(answer.view.id)
    }

    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            view_id: &'a str,
            view: Modal<'a>,
        }
        let view = match content {
            FormContent::Form(form) => render::modal(form, channel),
            FormContent::Instead(view) => render::notice(view),
        };
        let request = Request { view_id: opened, view };
        let _: Ack = self.api.post("views.update", Again::Harmless, Rank::Person, &request).await?;
        Ok(())
    }
}
