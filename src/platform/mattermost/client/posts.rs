//! Posts of the bot: how they are sent and recognised, and why one was refused.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rand::RngExt;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::debug;

use super::{MattermostClient, NOT_PRIVATE};
use crate::chat::text::visible;
use crate::chat::view::{Block, Line, View};
use crate::chat::{ChannelKey, ChatError, ChatPlatform, MessageId, UserId};
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::platform::mattermost::facts::native;
use crate::platform::mattermost::post::{MARK, NewPost, Post};
use crate::platform::mattermost::render::{self, RenderContext, Said};

impl MattermostClient {
    /// Shows a file below some words.
    pub(super) async fn show_file(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        name: &str,
        content: &[u8],
        words: &str,
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
            .append_pair("filename", name)
            .finish();
        let Uploaded { file_infos } = self.api.upload(&format!("/files?{query}"), content).await?;
        let file_ids: Vec<Box<str>> = file_infos.into_iter().map(|file| file.id).collect();
        let view = View::sentence(visible(words).into_owned());
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

    /// A private message as the body of a command's reply or of its `response_url`, under the bot's
    /// name and picture where the server lets it have them.
    pub(in crate::platform::mattermost) async fn reply(
        &self,
        view: &View,
        channel: &ChannelKey,
        user: &UserId,
    ) -> Result<Value, ChatError> {
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
    pub(in crate::platform::mattermost) async fn words(&self, view: &View) -> String {
        render::words(view, &self.facts.names(view).await)
    }

    pub(super) async fn said(
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
        let url = self.callbacks.as_ref().map(|to| &*to.actions);
        let standing = RenderContext { sealer: &self.sealer, url, about, place, mark, only, now };
        render::said(view, &names, standing)
    }

    /// Shows something to one person alone, in the channel.
    pub(in crate::platform::mattermost) async fn show_alone(
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
    pub(super) async fn write_to(&self, channel: &ChannelKey, user: &UserId, view: &View) -> Result<(), ChatError> {
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

    pub(super) async fn pending_id(&self) -> Result<String, ChatError> {
        Ok(format!("{}:{:016x}", self.facts.me().await?, rand::rng().random::<u64>()))
    }

    /// Whether the pressed message is the bot's own, where and as it was sealed; the thread that it
    /// stands in.
    pub(in crate::platform::mattermost) async fn is_own(
        &self,
        post: &str,
        place: &str,
        mark: &str,
    ) -> Result<Option<Box<str>>, ChatError> {
        let found: Post = self.api.get(&format!("/posts/{post}")).await?;
        let me = self.facts.me().await?;
        let own = *found.user_id == *me && &*found.channel_id == place && found.props[MARK] == mark;
        Ok(own.then_some(found.root_id))
    }

    /// A refused edit says no more than that the bot may not: reading tells why.
    pub(super) async fn why_not_edited(&self, channel: &ChannelKey, message: &MessageId) -> ChatError {
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
    pub(super) async fn why_not_posted(&self, channel: &ChannelKey) -> ChatError {
        match self.is_in(channel).await {
            Ok(true) => ChatError::Forbidden("its account lacks the permission to post".into()),
            Ok(false) => ChatError::NotInChannel,
            Err(error) => error,
        }
    }

    pub(super) async fn is_in(&self, channel: &ChannelKey) -> Result<bool, ChatError> {
        let me = UserId::mattermost(&self.facts.me().await?);
        self.facts.is_member(channel, &me).await
    }
}
