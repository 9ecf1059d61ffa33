//! Messages and forms into Mattermost, as the bot.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rand::RngExt;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::api::Api;
use super::attachments;
use super::facts::{Facts, native};
use super::forms::{self, Dialog, Reader};
use super::names::Names;
use super::render::{self, RenderContext, Said};
use super::seal::{Asked, Pressed, Sealer};
use crate::chat::text::visible;
use crate::chat::view::{Block, Form, Line, View};
use crate::chat::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, FormContent, MATTERMOST_DIRECT, MATTERMOST_SERVER, MessageId,
    Person, Picture, ReplyTo, UserId, Wording,
};
use crate::config::MattermostConfig;
use crate::pace::Rank;
use crate::pace::retry::Retry;

pub struct MattermostClient {
    api: Arc<Api>,
    facts: Facts,
    sealer: Sealer,
    /// Where presses and forms go.
    actions: String,
    dialogs: String,
    /// Until then (seconds since 1970) the server is known not to let the bot show something to one
    /// person alone, which is a right of its own that bots do not have by default.
    not_private_until: AtomicI64,
}

/// Somebody may give the bot the right meanwhile.
const NOT_PRIVATE: i64 = 600;
/// What a post of ours carries that nobody sees: its mark, and the fingerprint of what it shows.
const MARK: &str = "sekoia_chatops";
const SHOWS: &str = "sekoia_chatops_shows";

#[derive(Debug, Deserialize)]
struct Post {
    id: Box<str>,
    #[serde(default)]
    user_id: Box<str>,
    #[serde(default)]
    channel_id: Box<str>,
    #[serde(default)]
    root_id: Box<str>,
    #[serde(default)]
    delete_at: i64,
    // Anything at all: plugins and other integrations write here.
    #[serde(default)]
    props: Value,
}

/// A new message. `pending_post_id`: sent twice, it is posted once.
#[derive(Serialize)]
struct NewPost<'a> {
    channel_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_id: Option<&'a str>,
    message: &'a str,
    props: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_post_id: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    file_ids: &'a [Box<str>],
}

impl MattermostClient {
    pub fn new(config: &MattermostConfig, sealer: Sealer) -> anyhow::Result<Self> {
        let api = Arc::new(Api::new(&config.url, config.bot_token.clone())?);
        let base = config.public_url.as_str().trim_end_matches('/');
        Ok(Self {
            facts: Facts::new(Arc::clone(&api), &config.trigger),
            api,
            sealer,
            actions: format!("{base}/mattermost/action"),
            dialogs: format!("{base}/mattermost/dialog"),
            not_private_until: AtomicI64::new(0),
        })
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// A command of the bot's, as it is typed.
    pub(super) fn typed(&self, words: &str) -> String {
        format!("{} {words}", self.facts.call())
    }

    /// Whether something can be shown to one person alone, as far as is known.
    pub(super) fn may_be_private(&self) -> bool {
        self.not_private_until.load(Ordering::Relaxed) <= Timestamp::now().as_second()
    }

    /// Whether the answer to a command would stand under the name of the person who typed it, and the bot
    /// can show it itself instead.
    pub(super) async fn shows_itself(&self) -> bool {
        self.may_be_private() && self.facts.author().await.is_some_and(|author| !author.is_shown)
    }

    /// A private message as the body of a command's reply or of its `response_url`, under the bot's
    /// name and picture where the server lets it have them.
    pub(super) async fn reply(&self, view: &View, channel: &ChannelKey, user: &UserId) -> Result<Value, ChatError> {
        let Said { text, attachments } = self.said(view, channel, native(channel)?, None, Some(user)).await;
        let mut reply = json!({
            "response_type": "ephemeral", "text": text, "attachments": attachments, "skip_slack_parsing": true,
        });
        if let Some(author) = self.facts.author().await {
            (reply["username"], reply["icon_url"]) = (json!(author.username), json!(author.icon_url));
        }
        Ok(reply)
    }

    /// A private message as text alone, with what could be pressed as what can be typed.
    pub(super) async fn words(&self, view: &View) -> String {
        render::words(view, &self.facts.names(view).await)
    }

    async fn said(
        &self,
        view: &View,
        about: &ChannelKey,
        place: &str,
        mark: Option<&str>,
        only: Option<&UserId>,
    ) -> Said {
        let names = self.facts.names(view).await;
        let only = only.map(UserId::native);
        let now = Timestamp::now();
        let standing = RenderContext { sealer: &self.sealer, url: &self.actions, about, place, mark, only, now };
        render::said(view, &names, standing)
    }

    /// Shows something to one person alone, in the channel.
    pub(super) async fn show_alone(
        &self,
        channel: &ChannelKey,
        user: &UserId,
        thread: Option<&str>,
        view: &View,
    ) -> Result<(), ChatError> {
        let place = native(channel)?;
        let Said { text, attachments } = self.said(view, channel, place, None, Some(user)).await;
        let props = json!({ "attachments": attachments });
        let post =
            NewPost { channel_id: place, root_id: thread, message: &text, props, pending_post_id: None, file_ids: &[] };
        let body = json!({ "user_id": user.native(), "post": post });
        let shown =
            self.api.send::<Value>(Method::POST, "/posts/ephemeral", Retry::Idempotent, Rank::Person, &body).await;
        if shown == Err(ChatError::NotInChannel) {
            debug!("the bot may not show something to one person alone");
            self.not_private_until.store(Timestamp::now().as_second() + NOT_PRIVATE, Ordering::Relaxed);
        }
        shown.map(|_| ())
    }

    /// The same in their conversation with the bot, where it stays.
    async fn write_to(&self, channel: &ChannelKey, user: &UserId, view: &View) -> Result<(), ChatError> {
        let direct = self.direct(user).await?;
        let mut view = view.clone();
        if *channel != direct {
            view.blocks.insert(0, Block::Line(None, Line::new().say("In ").channel(channel).say(":")));
        }
        let place = native(&direct)?;
        let Said { text, attachments } = self.said(&view, channel, place, None, Some(user)).await;
        let props = json!({ "attachments": attachments });
        let pending_post_id = Some(self.pending_id().await?);
        let post = NewPost { channel_id: place, root_id: None, message: &text, props, pending_post_id, file_ids: &[] };
        self.api
            .send_to::<Value>(place, Method::POST, "/posts", Retry::Idempotent, Rank::Person, &post)
            .await
            .map(|_| ())
    }

    async fn pending_id(&self) -> Result<String, ChatError> {
        Ok(format!("{}:{:016x}", self.facts.me().await?, rand::rng().random::<u64>()))
    }

    /// Whether the pressed message is the bot's own, where and as it was sealed; the thread that it
    /// stands in.
    pub(super) async fn is_own(&self, post: &str, place: &str, mark: &str) -> Result<Option<Box<str>>, ChatError> {
        let found: Post = self.api.get(&format!("/posts/{post}")).await?;
        let me = self.facts.me().await?;
        let own = *found.user_id == *me && &*found.channel_id == place && found.props[MARK] == mark;
        Ok(own.then_some(found.root_id))
    }

    /// Asks before a press counts.
    pub(super) async fn ask(&self, trigger: &str, pressed: &Pressed, ask: &Asked) -> Result<(), ChatError> {
        let (by, trigger) = trigger.split_once(' ').ok_or(ChatError::TriggerExpired)?;
        let reader = Reader { sealer: &self.sealer, about: &pressed.about, by, now: Timestamp::now() };
        self.open(trigger, &forms::question(pressed, ask, reader)).await
    }

    async fn open(&self, trigger: &str, dialog: &Dialog) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            trigger_id: &'a str,
            url: &'a str,
            dialog: &'a Dialog,
        }
        let request = Request { trigger_id: trigger, url: &self.dialogs, dialog };
        let path = "/actions/dialogs/open";
        self.api.send::<Value>(Method::POST, path, Retry::MayDuplicate, Rank::Person, &request).await.map(|_| ())
    }

    /// A refused edit says no more than that the bot may not: reading tells why.
    async fn why_not_edited(&self, channel: &ChannelKey, message: &MessageId) -> ChatError {
        match self.api.get::<Post>(&format!("/posts/{}", message.0)).await {
            Ok(post) if post.delete_at == 0 => match self.is_in(channel).await {
                Ok(true) => ChatError::NotEditable,
                Ok(false) => ChatError::NotInChannel,
                Err(error) => error,
            },
            Ok(_) | Err(ChatError::MessageGone) => ChatError::MessageGone,
            Err(error) => error,
        }
    }

    /// The same of a refused post.
    async fn why_not_posted(&self, channel: &ChannelKey) -> ChatError {
        match self.is_in(channel).await {
            Ok(true) => ChatError::Forbidden("its account lacks the permission to post".into()),
            Ok(false) => ChatError::NotInChannel,
            Err(error) => error,
        }
    }

    async fn is_in(&self, channel: &ChannelKey) -> Result<bool, ChatError> {
        let me = UserId::mattermost(&self.facts.me().await?);
        self.facts.is_member(channel, &me).await
    }
}

#[async_trait]
impl ChatPlatform for MattermostClient {
    fn name(&self) -> &'static str {
        "mattermost"
    }

    async fn wording(&self) -> Wording {
        Wording {
            bot: self.facts.own_name().await.unwrap_or_else(|| "sekoia".into()),
            new_token: "Ask your bot administrator to make another token with `sekoia-chatops mattermost install --new-token` and to restart the bot.",
            rights: "Ask an administrator of the Mattermost server to give the bot that permission.",
        }
    }

    async fn team(&self) -> Result<Arc<str>, ChatError> {
        Ok(MATTERMOST_SERVER.into())
    }

    async fn check(&self) -> Result<(), ChatError> {
        self.api.get::<Value>("/users/me").await.map(|_| ())
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        self.facts.person(user).await.map(|known| known.person)
    }

    async fn forget(&self, user: &UserId, groups: &[&str]) {
        self.facts.forget(user, groups).await;
    }

    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        self.facts.channel(channel).await
    }

    async fn group(&self, group: &str) -> Result<Arc<[UserId]>, ChatError> {
        self.facts.group(group).await
    }

    async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError> {
        self.facts.direct(user).await
    }

    fn is_direct(&self, channel: &ChannelKey) -> bool {
        channel.channel().starts_with(MATTERMOST_DIRECT)
    }

    fn forms_take_files(&self) -> bool {
        false
    }

    async fn attached(&self, channel: &ChannelKey, user: &UserId, name: &str) -> Result<Option<Vec<u8>>, ChatError> {
        attachments::find(&self.api, native(channel)?, user.native(), name).await
    }

    /// Mattermost waits for half a minute.
    fn form_patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    async fn post(&self, channel: &ChannelKey, view: &View, mark: &str, rank: Rank) -> Result<MessageId, ChatError> {
        let place = native(channel)?;
        let Said { text, attachments } = self.said(view, channel, place, Some(mark), None).await;
        let props = json!({ "attachments": attachments, (MARK): mark, (SHOWS): view.fingerprint() });
        let pending_post_id = Some(self.pending_id().await?);
        let post = NewPost { channel_id: place, root_id: None, message: &text, props, pending_post_id, file_ids: &[] };
        // Sent again with the same id, it is the same post.
        match self.api.send_to::<Post>(place, Method::POST, "/posts", Retry::Idempotent, rank, &post).await {
            Ok(posted) => Ok(MessageId(posted.id)),
            Err(ChatError::NotInChannel) => Err(self.why_not_posted(channel).await),
            Err(error) => Err(error),
        }
    }

    async fn find_post(
        &self,
        channel: &ChannelKey,
        mark: &str,
        since: Timestamp,
    ) -> Result<Option<MessageId>, ChatError> {
        #[derive(Deserialize)]
        struct Page {
            posts: std::collections::HashMap<Box<str>, Post>,
        }
        let path = format!("/channels/{}/posts?since={}", native(channel)?, since.as_millisecond().max(0));
        let Page { posts } = self.api.get(&path).await?;
        let me = self.facts.me().await?;
        let own = |post: &&Post| post.delete_at == 0 && *post.user_id == *me && post.props[MARK] == mark;
        Ok(posts.values().find(own).map(|post| MessageId(post.id.clone())))
    }

    async fn update(
        &self,
        channel: &ChannelKey,
        message: &MessageId,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<(), ChatError> {
        let Said { text, attachments } = self.said(view, channel, native(channel)?, Some(mark), None).await;
        // An edit replaces all properties, and Mattermost's own mark of a bot is one of them.
        let patch = json!({
            "message": text,
            "props": {
                "attachments": attachments, (MARK): mark, (SHOWS): view.fingerprint(), "from_bot": "true",
            },
        });
        let path = format!("/posts/{}/patch", message.0);
        match self.api.send_to::<Value>(native(channel)?, Method::PUT, &path, Retry::Idempotent, rank, &patch).await {
            Ok(_) => Ok(()),
            Err(ChatError::NotInChannel) => Err(self.why_not_edited(channel, message).await),
            Err(error) => Err(error),
        }
    }

    async fn shows(&self, _channel: &ChannelKey, message: &MessageId) -> Result<Option<Box<str>>, ChatError> {
        let post: Post = self.api.get(&format!("/posts/{}", message.0)).await?;
        if post.delete_at != 0 {
            return Err(ChatError::MessageGone);
        }
        Ok(post.props[SHOWS].as_str().map(Into::into))
    }

    async fn link(&self, channel: &ChannelKey, message: &MessageId) -> Option<Box<str>> {
        self.facts.link(channel, message).await
    }

    /// Mattermost has no alternative text of files: the words stand above the picture.
    async fn picture(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError> {
        #[derive(Deserialize)]
        struct Uploaded {
            file_infos: Vec<File>,
        }
        #[derive(Deserialize)]
        struct File {
            id: Box<str>,
        }
        let place = native(channel)?;
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("channel_id", place)
            .append_pair("filename", &picture.name)
            .finish();
        let Uploaded { file_infos } = self.api.upload(&format!("/files?{query}"), &picture.png).await?;
        let file_ids: Vec<Box<str>> = file_infos.into_iter().map(|file| file.id).collect();
        let view = View::sentence(visible(&picture.alt).into_owned());
        let Said { text, .. } = self.said(&view, channel, place, None, None).await;
        let post = NewPost {
            channel_id: place,
            root_id: under.map(|message| &*message.0),
            message: &text,
            props: json!({}),
            pending_post_id: Some(self.pending_id().await?),
            file_ids: &file_ids,
        };
        match self.api.send_to::<Value>(place, Method::POST, "/posts", Retry::Idempotent, Rank::Background, &post).await
        {
            Ok(_) => Ok(()),
            Err(ChatError::Unavailable(_)) => Err(ChatError::Unclear),
            Err(error) => Err(error),
        }
    }

    async fn tell(&self, channel: &ChannelKey, user: &UserId, to: &ReplyTo, view: &View) -> Result<(), ChatError> {
        let thread = match to {
            ReplyTo::Url { url, .. } => {
                match self.api.respond(url, &self.reply(view, channel, user).await?).await {
                    Ok(()) => return Ok(()),
                    // Used up, expired or out of reach: there is another way to the same person.
                    Err(error) => warn!(%error, "the reply address failed; the answer is shown instead"),
                }
                None
            }
            ReplyTo::Private { thread } => thread.as_deref(),
        };
        if self.is_direct(channel) {
            return self.write_to(channel, user, view).await;
        }
        if self.may_be_private() {
            match self.show_alone(channel, user, thread, view).await {
                Ok(()) => return Ok(()),
                Err(error) => warn!(%error, "an answer could not be shown in the channel; it is written to its reader"),
            }
        }
        self.write_to(channel, user, view).await
    }

    /// A trigger lives for half a minute, longer than anything that is asked meanwhile: a form is
    /// opened when there is something to show.
    async fn open_form(&self, trigger: &str, form: Option<&Form>, channel: &ChannelKey) -> Result<Box<str>, ChatError> {
        if let Some(form) = form {
            self.fill_form(trigger, FormContent::Form(form), channel).await?;
        }
        Ok(trigger.into())
    }

    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError> {
        let (by, trigger) = opened.split_once(' ').ok_or(ChatError::TriggerExpired)?;
        let reader = Reader { sealer: &self.sealer, about: channel, by, now: Timestamp::now() };
        let dialog = match content {
            FormContent::Form(form) => forms::form(form, &self.names(&form.intro).await, reader),
            FormContent::Secret(form) => forms::secret(form, &self.names(&form.intro).await, reader),
            // Nothing stands open in which it could be said.
            FormContent::Instead(_) => return Err(ChatError::TriggerExpired),
        };
        self.open(trigger, &dialog).await
    }
}

impl MattermostClient {
    async fn names(&self, line: &Line) -> Names {
        self.facts.names(&View::sentence(line.clone())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_to_do_is_said_in_mattermosts_words() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = MattermostConfig {
            url: "http://127.0.0.1:9".parse().unwrap(),
            bot_token: "t".to_owned().into(),
            command_tokens: vec![],
            sources: vec![],
            public_url: "http://127.0.0.1:9".parse().unwrap(),
            trigger: "soc".into(),
        };
        let client = MattermostClient::new(&config, Sealer::new(&[secrecy::SecretSlice::from(vec![7; 32])])).unwrap();
        // Nothing answers there: the name is the usual one.
        let wording = client.wording().await;
        assert_eq!((wording.invite().as_str(), client.typed("status").as_str()), ("`/invite @sekoia`", "/soc status"));
        for error in [ChatError::TokenDead("x".into()), ChatError::MissingScope("x".into())] {
            let advice = error.advice(&wording);
            assert!(advice.contains("attermost") && !advice.contains("Slack"), "{advice}");
        }
    }
}
