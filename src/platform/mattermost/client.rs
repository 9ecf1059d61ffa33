//! Messages and forms into Mattermost, as the bot.

mod posts;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tracing::warn;

use super::api::Api;
use super::attachments;
use super::examine;
use super::facts::{Facts, native};
use super::forms::{self, Dialog, Reader};
use super::names::Names;
use super::post::{MARK, NewPost, Post, SHOWS};
use super::render::Said;
use super::seal::{Asked, Pressed, Sealer};
use super::socket::Lost;
use crate::chat::diagnosis::Check;
use crate::chat::view::{Form, Line, View};
use crate::chat::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, Document, FormContent, MATTERMOST_DIRECT, MATTERMOST_SERVER,
    MessageId, Person, Picture, ReplyTo, UserId, Wording,
};
use crate::config::MattermostConfig;
use crate::pace::retry::Retry;
use crate::pace::{Rank, Share};
use crate::telemetry::Metrics;

/// Memberships that are asked for at the same time.
const MEMBERSHIPS: usize = 8;

pub struct MattermostClient {
    api: Arc<Api>,
    facts: Facts,
    sealer: Sealer,
    /// None: the server cannot call the bot.
    callbacks: Option<Callbacks>,
    /// To try a WebSocket.
    config: MattermostConfig,
    /// Why no posts are heard now; none while they are.
    deaf: Mutex<Option<Lost>>,
    /// Whether the token was refused when it was last tried, and who waits for it to count again.
    refused: AtomicBool,
    counts_again: Notify,
    /// Until then (seconds since 1970) the server is known not to let the bot show something to one
    /// person alone, which is a right of its own that bots do not have by default.
    not_private_until: AtomicI64,
}

/// Where presses and forms go.
struct Callbacks {
    actions: String,
    dialogs: String,
}

/// Somebody may give the bot the right meanwhile.
const NOT_PRIVATE: i64 = 600;
impl MattermostClient {
    pub fn new(
        config: &MattermostConfig,
        sealer: Sealer,
        metrics: Arc<Metrics>,
        share: Arc<Share>,
    ) -> anyhow::Result<Self> {
        let api = Api::new(&config.url, config.bot_token.clone(), &config.network)?;
        let api = Arc::new(api.measured(metrics).sharing(share));
        let callbacks = config.public_url.as_ref().filter(|_| !config.only_mentions()).map(|public_url| {
            let base = public_url.as_str().trim_end_matches('/');
            let (actions, dialogs) = (format!("{base}/mattermost/action"), format!("{base}/mattermost/dialog"));
            Callbacks { actions, dialogs }
        });
        Ok(Self {
            facts: Facts::new(Arc::clone(&api), callbacks.as_ref().map(|_| &*config.trigger)),
            api,
            sealer,
            callbacks,
            config: config.clone(),
            deaf: Mutex::default(),
            refused: AtomicBool::new(false),
            counts_again: Notify::new(),
            not_private_until: AtomicI64::new(0),
        })
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    /// Notes whether posts are heard.
    pub(super) fn hears(&self, lost: Option<Lost>) {
        *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = lost;
    }

    /// Whether the token was refused when it was last tried.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Ends when a token that was refused counts again.
    pub(super) async fn counts_again(&self) {
        self.counts_again.notified().await;
    }

    /// A command of the bot's, as it is typed.
    pub(super) async fn typed(&self, words: &str) -> String {
        format!("{} {words}", self.facts.call().await)
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
        let to =
            self.callbacks.as_ref().ok_or_else(|| ChatError::Refused("a server that cannot call the bot".into()))?;
        let request = Request { trigger_id: trigger, url: &to.dialogs, dialog };
        let path = "/actions/dialogs/open";
        self.api.send::<Value>(Method::POST, path, Retry::MayDuplicate, Rank::Person, &request).await.map(|_| ())
    }
}

#[async_trait]
impl ChatPlatform for MattermostClient {
    fn name(&self) -> &'static str {
        "mattermost"
    }

    fn reads_mentions(&self) -> bool {
        true
    }

    fn only_mentions(&self) -> bool {
        self.facts.only_mentions()
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
        let known = self.api.get::<Value>("/users/me").await;
        match &known {
            Err(ChatError::TokenDead(_)) => self.refused.store(true, Ordering::Relaxed),
            Ok(_) if self.refused.swap(false, Ordering::Relaxed) => self.counts_again.notify_one(),
            _ => {}
        }
        known?;
        // Where commands come in no other way, nothing works without it.
        let deaf = self.deaf.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match deaf.filter(|_| self.only_mentions()) {
            Some(lost) => Err(ChatError::Unavailable(lost.to_string())),
            None => Ok(()),
        }
    }

    async fn examine(&self, _: Timestamp) -> Vec<Check> {
        examine::examine(&self.api, &self.config).await
    }

    async fn channels(&self) -> Result<Option<Vec<ChannelKey>>, ChatError> {
        self.facts.own_channels().await.map(Some)
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        self.facts.person(user).await.map(|known| known.person)
    }

    async fn confirms_addresses(&self) -> Result<bool, ChatError> {
        self.facts.confirms_addresses().await
    }

    async fn by_address(&self, address: &str) -> Result<Option<UserId>, ChatError> {
        self.facts.by_address(address).await
    }

    fn says_unknown(&self, answer: &ChatError) -> bool {
        const UNKNOWN: [&str; 2] = ["app.user.missing_account.const", "app.group.no_rows"];
        matches!(answer, ChatError::Refused(id) if UNKNOWN.contains(&id.as_str()))
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

    async fn joined(&self, user: &UserId, channels: &[ChannelKey]) -> Result<Vec<ChannelKey>, ChatError> {
        let mut joined = Vec::new();
        for some in channels.chunks(MEMBERSHIPS) {
            let asked = join_all(some.iter().map(|channel| self.facts.is_joined(channel, user))).await;
            for (channel, is_in) in some.iter().zip(asked) {
                match is_in {
                    Ok(true) => joined.push(channel.clone()),
                    // The bot is not there either, and sees nothing of it.
                    Ok(false) | Err(ChatError::NotInChannel | ChatError::Forbidden(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(joined)
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

    async fn post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<MessageId, ChatError> {
        let place = native(channel)?;
        let Said { text, attachments } = self.said(view, channel, place, Some(mark), None).await;
        let props = json!({ "attachments": attachments, (MARK): mark, (SHOWS): view.fingerprint() });
        let pending_post_id = Some(self.pending_id().await?);
        let root_id = under.map(|message| &*message.0);
        let post = NewPost { channel_id: place, root_id, message: &text, props, pending_post_id, file_ids: &[] };
        // Sent again with the same id, it is the same post.
        match self.api.send_to::<Post>(place, Method::POST, "/posts", Retry::Idempotent, rank, &post).await {
            Ok(posted) => Ok(MessageId(posted.id)),
            Err(ChatError::NotInChannel) => Err(self.why_not_posted(channel).await),
            Err(error) => Err(error),
        }
    }

    /// A channel's posts are those in its threads too.
    async fn find_post(
        &self,
        channel: &ChannelKey,
        _under: Option<&MessageId>,
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
    async fn pin(&self, _: &ChannelKey, message: &MessageId) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Nothing {}
        let path = format!("/posts/{}/pin", message.0);
        let rank = Rank::Background;
        self.api.send::<Value>(Method::POST, &path, Retry::Idempotent, rank, &Nothing {}).await?;
        Ok(())
    }

    async fn picture(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError> {
        self.show_file(channel, under, &picture.name, &picture.png, &picture.alt).await
    }

    async fn document(&self, channel: &ChannelKey, document: &Document) -> Result<(), ChatError> {
        self.show_file(channel, None, &document.name, document.text.as_bytes(), &document.title).await
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
            ReplyTo::Window { .. } => None,
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
    async fn a_server_that_is_not_heard_fails_where_nothing_else_brings_commands() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let me = axum::routing::get(|| async { axum::Json(json!({ "id": "a".repeat(26), "username": "soc" })) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new().route("/api/v4/users/me", me);
        tokio::spawn(async move { axum::serve(listener, router).await });
        for (tokens, fails) in [(vec![], true), (vec!["t".to_owned().into()], false)] {
            let config = MattermostConfig {
                url: url.clone(),
                bot_token: "t".to_owned().into(),
                command_tokens: tokens,
                sources: vec![],
                public_url: Some(url.clone()),
                trigger: "sekoia".into(),
                network: crate::resolve::network::Network::default(),
            };
            let sealer = Sealer::new(&[secrecy::SecretSlice::from(vec![7; 32])]);
            let client = MattermostClient::new(&config, sealer, Arc::default(), Arc::default()).unwrap();
            assert_eq!((client.only_mentions(), client.check().await), (fails, Ok(())));
            client.hears(Some(Lost::Stalled));
            assert_eq!(client.check().await.is_err(), fails);
            assert_eq!(client.typed("next").await, if fails { "@soc next" } else { "/sekoia next" });
            client.hears(None);
            assert_eq!(client.check().await, Ok(()));
        }
    }

    #[tokio::test]
    async fn what_to_do_is_said_in_mattermosts_words() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = MattermostConfig {
            url: "http://127.0.0.1:9".parse().unwrap(),
            bot_token: "t".to_owned().into(),
            command_tokens: vec!["t".to_owned().into()],
            sources: vec![],
            public_url: Some("http://127.0.0.1:9".parse().unwrap()),
            trigger: "soc".into(),
            network: crate::resolve::network::Network::default(),
        };
        let client = MattermostClient::new(
            &config,
            Sealer::new(&[secrecy::SecretSlice::from(vec![7; 32])]),
            Arc::default(),
            Arc::default(),
        )
        .unwrap();
        // Nothing answers there: the name is the usual one.
        let wording = client.wording().await;
        assert_eq!(
            (wording.invite().as_str(), client.typed("status").await.as_str()),
            ("`/invite @sekoia`", "/soc status")
        );
        for error in [ChatError::TokenDead("x".into()), ChatError::MissingScope("x".into())] {
            let advice = error.advice(&wording);
            assert!(advice.contains("attermost") && !advice.contains("Slack"), "{advice}");
        }
    }
}
