//! The chat platform that Slack is: which call says what.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::api::{Api, patience};
use super::block_kit::{Block, Home, Modal};
use super::examine;
use super::facts::Facts;
use super::files::FileRef;
use super::forms;
use super::history::Metadata;
use super::render::{self, Message};
use super::socket::{Opener, Sockets};
use super::upload::File;
use crate::chat::diagnosis::Check;
use crate::chat::view::{Form, View};
use crate::chat::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, Document, FormContent, MessageId, Person, Picture, ReplyTo,
    UserId, Wording,
};
use crate::config::{SlackConfig, SlackWayIn};
use crate::pace::retry::Retry;
use crate::pace::{Rank, Seldom, Share};
use crate::state::moved::Moved;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::timing::Calls;

pub struct SlackClient {
    api: Arc<Api>,
    facts: Facts,
    moved: Moved,
    /// In Socket Mode.
    sockets: Arc<Sockets>,
    opener: Option<Arc<Opener>>,
}

#[derive(Deserialize)]
struct Ack {
    // Demanded, because the library takes an answer that is not JSON for an empty one.
    #[serde(rename = "ok")]
    _ok: bool,
}

impl SlackClient {
    /// `store`: where it is kept which channels have another id now.
    pub fn new(
        config: &SlackConfig,
        store: Arc<dyn Store>,
        calls: Calls,
        metrics: Arc<Metrics>,
        share: Arc<Share>,
    ) -> Result<Self, anyhow::Error> {
        let api = Arc::new(Api::new(config, calls, metrics, share)?);
        let opener = match &config.way_in {
            SlackWayIn::Http { .. } => None,
            SlackWayIn::SocketMode { app_token } => Some(Arc::new(Opener::new(config, app_token.clone())?)),
        };
        let facts = Facts::new(Arc::clone(&api));
        Ok(Self { facts, api, moved: Moved::new(store), sockets: Arc::default(), opener })
    }

    /// What asks Slack for WebSockets, in Socket Mode.
    pub fn opener(&self) -> Option<&Arc<Opener>> {
        self.opener.as_ref()
    }

    /// Where Socket Mode notes how its connections are doing.
    pub fn sockets(&self) -> &Arc<Sockets> {
        &self.sockets
    }

    /// Records that a channel has another id now.
    pub async fn has_moved(&self, old: &ChannelKey, new: &str, now: Timestamp) -> Result<(), StoreError> {
        self.moved.record(old, new, now).await
    }

    /// The key of a channel in everything that is kept.
    pub async fn kept_as(&self, channel: &ChannelKey) -> Result<ChannelKey, StoreError> {
        self.moved.first(channel).await
    }

    /// The same with the id that Slack takes now.
    async fn present(&self, channel: &ChannelKey) -> Result<ChannelKey, ChatError> {
        self.moved.present(channel).await.map_err(|error| unread(&error))
    }

    /// The text of a file that somebody uploaded into a form.
    pub async fn download(&self, file: &FileRef) -> Result<String, ChatError> {
        self.api.download(file).await
    }

    /// See `Facts::at_home`.
    pub async fn at_home(&self, channel: &ChannelKey, user: &UserId) -> Option<ChannelKey> {
        self.facts.at_home(channel, user).await
    }

    /// Posts or edits; a payload that Slack rejects is logged with Slack's reason and said as
    /// plain text instead.
    async fn message<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        again: Retry,
        rank: Rank,
        mut request: Outgoing<'_>,
        view: &View,
    ) -> Result<T, ChatError> {
        match self.api.post(method, request.channel, again, rank, &request).await {
            Err(ChatError::Rejected(reason)) => {
                error!(method, reason, "Slack rejected a message; its plain text is sent instead");
                request.text = render::plain(view);
                // An edit may not take rich text away: one block of plain words is the least.
                request.blocks = if request.ts.is_some() { render::plain_blocks(view) } else { Vec::new() };
                self.api.post(method, request.channel, again, rank, &request).await
            }
            result => result,
        }
    }
}

fn unread(error: &StoreError) -> ChatError {
    ChatError::Unavailable(format!("it is not known which id the channel has now: {error}"))
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
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
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
            metadata: None,
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

    fn mentions_groups(&self) -> bool {
        true
    }

    fn reads_mentions(&self) -> bool {
        true
    }

    async fn wording(&self) -> Wording {
        Wording {
            bot: self.facts.own_name().await.unwrap_or_else(|| "Sekoia".into()),
            new_token: "Ask your bot administrator to install the app in Slack again, to set its new token and to restart the bot.",
            rights: "Ask your bot administrator to add that scope to the app in Slack and to install it again.",
        }
    }

    async fn team(&self) -> Result<Arc<str>, ChatError> {
        self.facts.team().await
    }

    async fn check(&self) -> Result<(), ChatError> {
        self.facts.check().await?;
        match self.sockets.down() {
            None => Ok(()),
            Some(why) if why.is_for_good() => Err(ChatError::AppTokenDead(why.to_string())),
            Some(why) => Err(ChatError::Unavailable(why.to_string())),
        }
    }

    async fn examine(&self, _: Timestamp) -> Vec<Check> {
        examine::examine(&self.api, self.opener.as_deref()).await
    }

    async fn channels(&self) -> Result<Option<Vec<ChannelKey>>, ChatError> {
        let mut all = Vec::new();
        for channel in self.facts.channels().await? {
            all.push(self.kept_as(&channel).await.map_err(|error| unread(&error))?);
        }
        Ok(Some(all))
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        self.facts.person(user).await
    }

    async fn by_address(&self, address: &str) -> Result<Option<UserId>, ChatError> {
        self.facts.by_address(address).await
    }

    fn says_unknown(&self, answer: &ChatError) -> bool {
        matches!(answer, ChatError::Refused(code) if ["user_not_found", "no_such_subteam"].contains(&code.as_str()))
    }

    async fn forget(&self, user: &UserId, groups: &[&str]) {
        self.facts.forget(user, groups).await;
    }

    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        self.facts.channel(&self.present(channel).await?).await
    }

    async fn is_among(&self, channel: &ChannelKey, ids: &[Box<str>]) -> Result<bool, ChatError> {
        for id in ids {
            if self.moved.is_same(id, channel.channel()).await.map_err(|error| unread(&error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn group(&self, group: &str) -> Result<Arc<[UserId]>, ChatError> {
        self.facts.group(group).await
    }

    async fn joined(&self, user: &UserId, channels: &[ChannelKey]) -> Result<Vec<ChannelKey>, ChatError> {
        let theirs = self.facts.joined(user).await?;
        let mut joined = Vec::new();
        for channel in channels {
            if theirs.contains(self.present(channel).await?.channel()) {
                joined.push(channel.clone());
            }
        }
        Ok(joined)
    }

    async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError> {
        self.facts.direct(user).await
    }

    fn is_direct(&self, channel: &ChannelKey) -> bool {
        channel.channel().starts_with('D')
    }

    /// Slack takes three seconds in all.
    fn form_patience(&self) -> Duration {
        Duration::from_millis(2_400)
    }

    async fn post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<MessageId, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            ts: Box<str>,
        }
        let channel = &self.present(channel).await?;
        if self.api.limits.posts(channel.channel()).turn(rank, patience(rank)).await.is_err() {
            return Err(ChatError::RateLimited);
        }
        let (metadata, thread_ts) = (Some(Metadata::new(mark, view)), under.map(|message| &*message.0));
        let request = Outgoing { thread_ts, metadata, ..Outgoing::new(channel, view) };
        let answer: Answer = self.message("chat.postMessage", Retry::MayDuplicate, rank, request, view).await?;
        Ok(MessageId(answer.ts))
    }

    async fn find_post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        mark: &str,
        since: Timestamp,
    ) -> Result<Option<MessageId>, ChatError> {
        let channel = &self.present(channel).await?;
        self.api.find_marked(channel.channel(), under, mark, since).await
    }

    async fn update(
        &self,
        channel: &ChannelKey,
        message: &MessageId,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<(), ChatError> {
        let channel = &self.present(channel).await?;
        let metadata = Some(Metadata::new(mark, view));
        let request = Outgoing { ts: Some(&message.0), metadata, ..Outgoing::new(channel, view) };
        let _: Ack = self.message("chat.update", Retry::Idempotent, rank, request, view).await?;
        Ok(())
    }

    async fn shows(&self, channel: &ChannelKey, message: &MessageId) -> Result<Option<Box<str>>, ChatError> {
        let channel = &self.present(channel).await?;
        self.api.fingerprint_of(channel.channel(), &message.0).await
    }

    /// As `chat.getPermalink` makes it, without a call for every message.
    async fn link(&self, channel: &ChannelKey, message: &MessageId) -> Option<Box<str>> {
        let url = self.facts.url().await.ok()?;
        let channel = self.present(channel).await.ok()?;
        let place = url.join(&format!("archives/{}/p{}", channel.channel(), message.0.replace('.', ""))).ok()?;
        Some(place.as_str().into())
    }

    async fn pin(&self, channel: &ChannelKey, message: &MessageId) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Pin<'a> {
            channel: &'a str,
            timestamp: &'a str,
        }
        let channel = &self.present(channel).await?;
        let pin = Pin { channel: channel.channel(), timestamp: &message.0 };
        self.api.post::<Ack>("pins.add", channel.channel(), Retry::Idempotent, Rank::Background, &pin).await?;
        Ok(())
    }

    async fn picture(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError> {
        let channel = &self.present(channel).await?;
        self.api.upload(channel.channel(), under, &File::of_picture(picture)).await
    }

    async fn document(&self, channel: &ChannelKey, document: &Document) -> Result<(), ChatError> {
        let channel = &self.present(channel).await?;
        self.api.upload(channel.channel(), None, &File::of_document(document)).await
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
                    Err(error) => {
                        static FAILED: Seldom = Seldom::new();
                        if let Some(missed) = FAILED.now() {
                            warn!(%error, missed, "the reply address failed; the answer is posted instead");
                        }
                    }
                }
                None
            }
            ReplyTo::Private { thread } => thread.as_deref(),
            // It could not be opened.
            ReplyTo::Window { .. } => None,
        };
        let channel = &self.present(channel).await?;
        let request = Outgoing { user: Some(user.native()), thread_ts: thread, ..Outgoing::new(channel, view) };
        // An answer that is seen twice is better than one that is never seen.
        let _: Ack = self.message("chat.postEphemeral", Retry::Idempotent, Rank::Person, request, view).await?;
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
            Some(form) => forms::modal(form, channel),
            None => forms::notice(&waiting, channel),
        };
        let request = Request { trigger_id: trigger, view };
        let answer: Answer = self.api.post("views.open", "", Retry::MayDuplicate, Rank::Person, &request).await?;
        Ok(answer.view.id)
    }

    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            view_id: &'a str,
            view: Modal<'a>,
        }
        let view = match content {
            FormContent::Form(form) => forms::modal(form, channel),
            FormContent::Instead(view) => forms::notice(view, channel),
            FormContent::Secret(form) => forms::secret(form, channel),
        };
        let request = Request { view_id: opened, view };
        let filled: Result<Ack, ChatError> =
            self.api.post("views.update", "", Retry::Idempotent, Rank::Person, &request).await;
        match (filled, content) {
            // Slack's reason could repeat what it rejects.
            (Err(ChatError::Rejected(_)), FormContent::Secret(_)) => {
                Err(ChatError::Rejected("its reason is not repeated".into()))
            }
            (filled, _) => filled.map(|_| ()),
        }
    }

    async fn publish_home(&self, user: &UserId, view: &View) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            user_id: &'a str,
            view: Home<'a>,
        }
        let request = Request { user_id: user.native(), view: Home::new(render::home_blocks(view)) };
        // Published twice, it is the same.
        self.api.post::<Ack>("views.publish", "", Retry::Idempotent, Rank::Background, &request).await?;
        Ok(())
    }
}
