//! The chat platform that the page is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::conversation::{Place, WebChat};
use super::dialog::Dialog;
use super::people::{self, find, is_public};
use crate::chat::view::{Form, View};
use crate::chat::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, Document, FormContent, MessageId, Person, Picture, ReplyTo,
    UserId, WEB_TEAM,
};
use crate::pace::Rank;

/// As on Slack: whoever answers later can no longer open a form.
const TRIGGER_LIVES_MS: i64 = 3_000;

/// What may open a form in `window`, for a while.
pub(super) fn trigger(window: &str, at: Timestamp) -> Box<str> {
    format!("{window}:{}", at.as_millisecond()).into()
}

#[async_trait]
impl ChatPlatform for WebChat {
    fn name(&self) -> &'static str {
        "web"
    }

    async fn team(&self) -> Result<Arc<str>, ChatError> {
        Ok(WEB_TEAM.into())
    }

    async fn check(&self) -> Result<(), ChatError> {
        Ok(())
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        let known = find(user.native()).filter(|_| user.platform() == "web");
        let (team, name) = known.map_or(("", ""), |somebody| (WEB_TEAM, somebody.name));
        let active = known.is_some();
        let email = known.and_then(|somebody| somebody.email).map(Into::into);
        Ok(Person {
            team: team.into(),
            also: None,
            active,
            guest: false,
            bot: false,
            name: name.into(),
            email,
            zone: None,
        })
    }

    async fn by_address(&self, address: &str) -> Result<Option<UserId>, ChatError> {
        let known = people::PEOPLE.iter().find(|somebody| somebody.email == Some(address));
        Ok(known.and_then(|somebody| UserId::of("web", somebody.id)))
    }

    /// Nothing is remembered here.
    async fn forget(&self, _: &UserId, _: &[&str]) {}

    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        if !is_public(channel.channel()) {
            return Err(ChatError::NotAChannel);
        }
        Ok(ChannelFacts { external: false, archived: false, name: channel.channel().into() })
    }

    /// The demo has no user groups.
    async fn group(&self, _group: &str) -> Result<Arc<[UserId]>, ChatError> {
        Ok(Arc::default())
    }

    async fn joined(&self, user: &UserId, channels: &[ChannelKey]) -> Result<Vec<ChannelKey>, ChatError> {
        let sees = |channel: &&ChannelKey| people::sees(user.native(), channel.channel());
        Ok(channels.iter().filter(sees).cloned().collect())
    }

    async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError> {
        Ok(ChannelKey::web(&people::direct(user.native())))
    }

    fn is_direct(&self, channel: &ChannelKey) -> bool {
        people::is_direct(channel.channel())
    }

    /// As on Slack.
    fn form_patience(&self) -> Duration {
        Duration::from_millis(2_400)
    }

    async fn post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        view: &View,
        mark: &str,
        _rank: Rank,
    ) -> Result<MessageId, ChatError> {
        let thread = under.and_then(|message| message.0.parse().ok());
        let id = self.said(&Place { channel: channel.channel(), thread, only: None }, view, Some(mark));
        Ok(MessageId(id.to_string().into()))
    }

    /// In threads too.
    async fn find_post(
        &self,
        channel: &ChannelKey,
        _under: Option<&MessageId>,
        mark: &str,
        since: Timestamp,
    ) -> Result<Option<MessageId>, ChatError> {
        Ok(self.find_mark(channel.channel(), mark, since).map(|id| MessageId(id.to_string().into())))
    }

    async fn update(
        &self,
        _channel: &ChannelKey,
        message: &MessageId,
        view: &View,
        _mark: &str,
        _rank: Rank,
    ) -> Result<(), ChatError> {
        let edited = message.0.parse().is_ok_and(|id| self.edit(id, view));
        if edited { Ok(()) } else { Err(ChatError::MessageGone) }
    }

    async fn shows(&self, _channel: &ChannelKey, _message: &MessageId) -> Result<Option<Box<str>>, ChatError> {
        Ok(None)
    }

    /// Within the page.
    async fn link(&self, channel: &ChannelKey, message: &MessageId) -> Option<Box<str>> {
        Some(format!("#{}/{}", channel.channel(), message.0).into())
    }

    async fn picture(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError> {
        let thread = under.and_then(|message| message.0.parse().ok());
        self.pictured(&Place { channel: channel.channel(), thread, only: None }, picture);
        Ok(())
    }

    /// A report is read on the page.
    fn shows_files(&self) -> bool {
        false
    }

    async fn document(&self, _: &ChannelKey, _: &Document) -> Result<(), ChatError> {
        Err(ChatError::Refused("the page shows no files".into()))
    }

    async fn tell(&self, channel: &ChannelKey, user: &UserId, to: &ReplyTo, view: &View) -> Result<(), ChatError> {
        let only = Some(user.native());
        let (pressed, thread) = match to {
            // Here the address of a message is its id.
            ReplyTo::Url { url, replace } => {
                let message = url.parse().ok().and_then(|id| self.find(id, user.native())).map(|kept| kept.message);
                (message.as_ref().filter(|_| *replace).map(|m| m.id), message.and_then(|m| m.thread))
            }
            ReplyTo::Private { thread } => (None, thread.as_deref().and_then(|id| id.parse().ok())),
            ReplyTo::Window { .. } => (None, None),
        };
        if !pressed.is_some_and(|id| self.edit(id, view)) {
            self.said(&Place { channel: channel.channel(), thread, only }, view, None);
        }
        Ok(())
    }

    async fn open_form(&self, trigger: &str, form: Option<&Form>, channel: &ChannelKey) -> Result<Box<str>, ChatError> {
        let (window, at) = trigger.split_once(':').unwrap_or((trigger, ""));
        let age = at.parse::<i64>().map_or(i64::MAX, |at| Timestamp::now().as_millisecond().saturating_sub(at));
        if age > TRIGGER_LIVES_MS {
            return Err(ChatError::TriggerExpired);
        }
        // Never given twice, not even by the next start: what was submitted is remembered.
        let id = format!("{window}-{}", Uuid::new_v4().simple());
        let dialog = match form {
            Some(form) => Dialog::form(&id, channel.channel(), form),
            None => Dialog::waiting(&id, channel.channel()),
        };
        self.windows().show(window, &dialog)?;
        Ok(id.into())
    }

    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError> {
        let window = opened.rsplit_once('-').map_or(opened, |(window, _)| window);
        let dialog = match content {
            FormContent::Form(form) => Dialog::form(opened, channel.channel(), form),
            FormContent::Instead(view) => Dialog::says(opened, channel.channel(), view),
            FormContent::Secret(form) => Dialog::secret(opened, channel.channel(), form),
        };
        self.windows().show(window, &dialog)
    }
}
