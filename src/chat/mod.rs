//! What the rest of the house knows of a chat platform: who spoke, where, and how to answer.
//!
//! Everything that only one platform has (signatures, block types, method names) stays in that
//! platform's folder.

pub mod diagnosis;
mod ids;
mod line;
pub mod table;
pub mod text;
pub mod view;

pub use ids::{
    Actor, Change, ChannelKey, Community, MATTERMOST_DIRECT, MATTERMOST_SERVER, MessageId, Person, UserId, WEB_TEAM,
    is_mattermost_id,
};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::pace::Rank;
use diagnosis::Check;
use view::{Form, Line, Text, View};

/// One thing that a person said or pressed, after its request was verified.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// What the platform gave this delivery; the same again means delivered again.
    pub delivery: Box<str>,
    pub actor: UserId,
    pub channel: ChannelKey,
    pub words: Words,
    /// The message in the channel on which it was pressed.
    pub pressed: Option<MessageId>,
    /// May open a form, for about three seconds.
    pub trigger: Option<Box<str>>,
    pub reply_to: ReplyTo,
    pub at: Timestamp,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Typed, or the words of a pressed control.
    Typed(String),
    /// The words of a control, and what was chosen with it, which is taken as it is.
    Answered { words: String, answers: Vec<String> },
    /// The words of a form, and what was filled in, which is taken as it is.
    Filled { words: String, answers: Answers },
}

/// What was filled in, by the names of the form's fields. A field that is not there was left empty.
pub type Answers = BTreeMap<Box<str>, String>;

/// What is wrong with a submitted form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field; none if it is about no field in particular.
    pub field: Option<&'static str>,
    pub text: String,
}

impl FieldError {
    /// The field that shows it, of those that the form has; none if it has none.
    pub fn shown_at<'f>(&self, fields: &'f [String]) -> Option<&'f str> {
        let named = fields.iter().find(|name| self.field == Some(name.as_str()));
        named.or_else(|| fields.first()).map(String::as_str)
    }
}

/// Where the private answer goes.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyTo {
    /// A one-time address from the platform; `replace` edits the message that was pressed.
    Url { url: String, replace: bool },
    /// Seen only by the actor, in the channel, or in this thread of it.
    Private { thread: Option<Box<str>> },
    /// In a window: in this one, or in one that the trigger opens. What was pressed stands where no message
    /// can be shown.
    Window { opened: Option<Box<str>> },
}

/// What the platform says of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Shared with another organisation, or about to be.
    pub external: bool,
    pub archived: bool,
    /// Without a `#`; empty if the platform does not tell.
    pub name: Box<str>,
}

/// Why a chat call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Stored with a platform that this process does not serve.
    #[error("{0} is not configured")]
    NotServed(Box<str>),
    #[error("the bot is not in this channel")]
    NotInChannel,
    #[error("this is not a channel")]
    NotAChannel,
    #[error("the channel is archived")]
    Archived,
    #[error("the message is gone")]
    MessageGone,
    /// It stands where it was, as it was.
    #[error("this message can no longer be edited")]
    NotEditable,
    /// The bot is there, and may not.
    #[error("the bot is not allowed to do this here: {0}")]
    Forbidden(String),
    #[error("the form's trigger expired")]
    TriggerExpired,
    #[error("the chat platform no longer accepts the bot's token: {0}")]
    TokenDead(String),
    /// Nothing comes in by Slack's Socket Mode.
    #[error("no events arrive: {0}")]
    AppTokenDead(String),
    /// Its people and channels are of many workspaces; a session is of one.
    #[error("the bot's token is of an organisation-wide install, which belongs to no workspace")]
    OrganisationWide,
    #[error("the app lacks the scope {0}")]
    MissingScope(String),
    #[error("the chat platform asked to wait")]
    RateLimited,
    #[error("the chat platform refused the message: {0}")]
    Rejected(String),
    #[error("the chat platform answered {0}")]
    Refused(String),
    #[error("the chat platform did not answer: {0}")]
    Unavailable(String),
    /// Sent, with an unknown outcome: it may be there to see.
    #[error("the chat platform did not say whether it arrived")]
    Unclear,
}

impl ChatError {
    /// Whether the same may succeed a little later, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        use ChatError::{MessageGone, NotEditable, RateLimited, Unavailable};
        matches!(self, Unavailable(_) | RateLimited | MessageGone | NotEditable)
    }

    /// What went wrong, in a word for who counts it.
    pub fn name(&self) -> &'static str {
        match self {
            ChatError::RateLimited => "limited",
            ChatError::Unavailable(_) | ChatError::Unclear => "unavailable",
            ChatError::TokenDead(_) | ChatError::AppTokenDead(_) | ChatError::OrganisationWide => "token",
            ChatError::Forbidden(_) | ChatError::MissingScope(_) => "forbidden",
            ChatError::Rejected(_) => "rejected",
            ChatError::NotServed(_)
            | ChatError::NotInChannel
            | ChatError::NotAChannel
            | ChatError::Archived
            | ChatError::MessageGone
            | ChatError::NotEditable
            | ChatError::TriggerExpired
            | ChatError::Refused(_) => "refused",
        }
    }

    /// Whether the same would be said of every message there.
    pub fn is_of_channel(&self) -> bool {
        use ChatError::{Archived, Forbidden, MissingScope, NotAChannel, NotInChannel, NotServed};
        use ChatError::{OrganisationWide, TokenDead};
        let of_bot = matches!(self, NotServed(_) | TokenDead(_) | OrganisationWide | MissingScope(_));
        of_bot || matches!(self, NotInChannel | NotAChannel | Archived | Forbidden(_))
    }

    /// Whether only another message, or another release of the bot, would be taken.
    pub fn is_for_good(&self) -> bool {
        !self.is_passing() && !self.is_of_channel()
    }

    /// What to do about it, in the words of the platform where it happened.
    pub fn advice(&self, wording: &Wording) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            ChatError::NotInChannel => return format!("Type {} here and try again.", wording.invite()).into(),
            ChatError::TokenDead(_) => wording.new_token,
            ChatError::AppTokenDead(_) => {
                "Ask your bot administrator to create another app-level token in Slack and to restart the bot."
            }
            ChatError::OrganisationWide => {
                "Ask your bot administrator to install the app into the one workspace where it is used, and to set the bot token of that install."
            }
            ChatError::NotServed(_) => "Ask your bot administrator to set that platform's variables again.",
            ChatError::MissingScope(_) => wording.rights,
            ChatError::Forbidden(_) => "An administrator of the chat has to let the bot post here.",
            ChatError::Archived | ChatError::NotAChannel => "Use another channel.",
            ChatError::MessageGone
            | ChatError::NotEditable
            | ChatError::TriggerExpired
            | ChatError::RateLimited
            | ChatError::Rejected(_)
            | ChatError::Refused(_)
            | ChatError::Unavailable(_)
            | ChatError::Unclear => "Please try again in a minute.",
        })
    }
}

/// How messages speak of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The bot's name, as people mention it.
    pub bot: Arc<str>,
    /// What to do about a token that is not taken any more.
    pub new_token: &'static str,
    /// What to do about a right that the bot lacks.
    pub rights: &'static str,
}

impl Default for Wording {
    /// Of a platform without words of its own.
    fn default() -> Self {
        Self {
            bot: "Sekoia".into(),
            new_token: "Ask your bot administrator to set a token that works.",
            rights: "Ask your bot administrator to give the bot that permission.",
        }
    }
}

impl Wording {
    /// What brings the bot into a channel, marked as what can be typed.
    pub fn invite(&self) -> String {
        // A name holds none; were it otherwise, it would be text.
        format!("`/invite @{}`", self.bot.replace('`', ""))
    }
}

/// A picture, and the same in words for people who cannot see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Of the file: `notifications.png`.
    pub name: Text,
    pub title: Text,
    pub alt: String,
    pub png: Vec<u8>,
}

/// A text to keep, as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Of the file: `readiness-nimbus-2026-11-27.md`.
    pub name: Text,
    pub title: Text,
    pub text: String,
}

/// A chat platform, as the bot needs it.
#[async_trait]
pub trait ChatPlatform: Send + Sync + 'static {
    /// As it stands before the `:` of its ids.
    fn name(&self) -> &'static str;
    /// Whether commands are read after a mention of the bot, too.
    fn reads_mentions(&self) -> bool {
        false
    }
    /// Whether commands are read after a mention alone, because the platform cannot call the bot: then
    /// nothing can be pressed, and no form can be opened.
    fn only_mentions(&self) -> bool {
        false
    }
    /// What messages to its people call things.
    async fn wording(&self) -> Wording {
        Wording::default()
    }
    /// The team that the app is installed in. Asked once.
    async fn team(&self) -> Result<Arc<str>, ChatError>;
    /// Whether the platform answers and takes the app's token, asked now.
    async fn check(&self) -> Result<(), ChatError>;
    /// What an operator should know of how the platform is set up. Nothing is changed there.
    async fn examine(&self, _now: Timestamp) -> Vec<Check> {
        let (id, subject) = (format!("{}.token", self.name()), format!("{}: answers", self.name()));
        vec![match self.check().await {
            Ok(()) => Check::pass(id, subject, "It answers."),
            Err(error) => Check::fail(id, subject, &format!("{error}."), &error.advice(&self.wording().await)),
        }]
    }
    /// The channels that the bot is in; none if it is in every channel there is.
    async fn channels(&self) -> Result<Option<Vec<ChannelKey>>, ChatError> {
        Ok(None)
    }
    /// Remembered for some minutes.
    async fn person(&self, user: &UserId) -> Result<Person, ChatError>;
    /// Whether somebody's e-mail address is theirs: the platform lets nobody set one that they have not
    /// confirmed.
    async fn confirms_addresses(&self) -> Result<bool, ChatError> {
        Ok(true)
    }
    /// Who has this e-mail address here; none if nobody has, or if the platform does not tell.
    async fn by_address(&self, _address: &str) -> Result<Option<UserId>, ChatError> {
        Ok(None)
    }
    /// Whether an answer about a person or a user group says that there is no such one.
    fn says_unknown(&self, _answer: &ChatError) -> bool {
        false
    }
    /// What is asked next about a person, or a user group, is the present.
    async fn forget(&self, user: &UserId, groups: &[&str]);
    /// Remembered for some minutes.
    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError>;
    /// Whether `ids`, as the platform writes them, name this channel, by the id that it has or by one
    /// that it had.
    async fn is_among(&self, channel: &ChannelKey, ids: &[Box<str>]) -> Result<bool, ChatError> {
        Ok(ids.iter().any(|id| **id == *channel.channel()))
    }
    /// Who is in the user group `group` (the platform's own id). Remembered for at most 60 s.
    async fn group(&self, group: &str) -> Result<Arc<[UserId]>, ChatError>;
    /// Those of `channels` that `user` is in. Remembered for at most 60 s.
    async fn joined(&self, user: &UserId, channels: &[ChannelKey]) -> Result<Vec<ChannelKey>, ChatError>;
    /// Whether a message can mention a user group by its id.
    fn mentions_groups(&self) -> bool {
        false
    }
    /// The conversation of `user` with the bot alone.
    async fn direct(&self, user: &UserId) -> Result<ChannelKey, ChatError>;
    /// Whether this is a person's direct conversation with the bot.
    fn is_direct(&self, channel: &ChannelKey) -> bool;
    /// Posts a message that carries `mark`, by which [`find_post`](Self::find_post) finds it again: in the
    /// thread of the message `under`, if one is given.
    async fn post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<MessageId, ChatError>;
    /// The bot's own message in `channel`, or in the thread of the message `under`, that carries `mark`, if
    /// one was posted at or after `since`.
    async fn find_post(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        mark: &str,
        since: Timestamp,
    ) -> Result<Option<MessageId>, ChatError>;
    /// Edits a message, which keeps its `mark`. [`ChatError::MessageGone`]: it is not to be seen any more.
    /// [`ChatError::NotEditable`]: it stands as it was.
    async fn update(
        &self,
        channel: &ChannelKey,
        message: &MessageId,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<(), ChatError>;
    /// The [fingerprint](View::fingerprint) of what a message of the bot's shows; none if that is
    /// not known.
    async fn shows(&self, channel: &ChannelKey, message: &MessageId) -> Result<Option<Box<str>>, ChatError>;
    /// The address of a message, for a [`Span::Link`](crate::chat::view::Span::Link); none if there is none.
    async fn link(&self, channel: &ChannelKey, message: &MessageId) -> Option<Box<str>>;
    /// Pins a message to its channel. A platform that has no pins, or does not let the bot, does nothing
    /// or says so: nobody waits for it.
    async fn pin(&self, _: &ChannelKey, _: &MessageId) -> Result<(), ChatError> {
        Ok(())
    }
    /// Shows a picture, in the thread of the message `under` if one is given. It is not found again
    /// by a mark: after [`ChatError::Unclear`] it may be there, after every other error it is not.
    async fn picture(
        &self,
        channel: &ChannelKey,
        under: Option<&MessageId>,
        picture: &Picture,
    ) -> Result<(), ChatError>;
    /// Whether [`document`](Self::document) shows files; otherwise their text is shown.
    fn shows_files(&self) -> bool {
        true
    }
    /// Shows a file, of which the same holds as of a picture.
    async fn document(&self, channel: &ChannelKey, document: &Document) -> Result<(), ChatError>;
    /// Whether forms take files; otherwise they are pasted, or attached to a message.
    fn forms_take_files(&self) -> bool {
        true
    }
    /// The content of the latest file of this name that `user` attached to a message in `channel`,
    /// among the messages of late. None if there is none; never asked where forms take files.
    async fn attached(&self, _: &ChannelKey, _: &UserId, _name: &str) -> Result<Option<Vec<u8>>, ChatError> {
        Ok(None)
    }
    /// How long the person who submits a form may wait for what is wrong with it.
    fn form_patience(&self) -> Duration;
    /// Tells one person something that only they see.
    async fn tell(&self, channel: &ChannelKey, user: &UserId, to: &ReplyTo, view: &View) -> Result<(), ChatError>;
    /// Opens a form, or a placeholder that `fill_form` completes. A platform whose triggers live
    /// long enough opens nothing before there is something to show.
    async fn open_form(&self, trigger: &str, form: Option<&Form>, channel: &ChannelKey) -> Result<Box<str>, ChatError>;
    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError>;
    /// Shows somebody what waits for them, on the page that the platform keeps for the bot. A platform that
    /// has no such page never says that one was opened.
    async fn publish_home(&self, _user: &UserId, _view: &View) -> Result<(), ChatError> {
        Ok(())
    }
}

/// The chat platforms of a deployment. Sessions never mix: whatever is asked about a channel or a
/// person is asked of their own platform.
pub struct Chats(Box<[Arc<dyn ChatPlatform>]>);

impl Chats {
    pub fn new(platforms: impl IntoIterator<Item = Arc<dyn ChatPlatform>>) -> Self {
        Self(platforms.into_iter().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn ChatPlatform> {
        self.0.iter().map(|platform| &**platform)
    }

    pub fn of_channel(&self, channel: &ChannelKey) -> Result<&dyn ChatPlatform, ChatError> {
        self.named(channel.platform())
    }

    pub fn of_user(&self, user: &UserId) -> Result<&dyn ChatPlatform, ChatError> {
        self.named(user.platform())
    }

    /// How to speak of a channel's platform.
    pub async fn wording(&self, channel: &ChannelKey) -> Wording {
        match self.of_channel(channel) {
            Ok(chat) => chat.wording().await,
            Err(_) => Wording::default(),
        }
    }

    fn named(&self, name: &str) -> Result<&dyn ChatPlatform, ChatError> {
        self.iter().find(|platform| platform.name() == name).ok_or_else(|| ChatError::NotServed(name.into()))
    }
}

/// What an opened placeholder becomes.
#[derive(Debug, Clone, Copy)]
pub enum FormContent<'a> {
    Form(&'a Form),
    /// The form cannot be had; this says why.
    Instead(&'a View),
    /// Something that is shown once, here and nowhere else.
    Secret(&'a SecretForm),
}

/// A form that shows a secret. It is neither a `View` nor a `Form`, so that nothing which keeps,
/// records or logs those can come to hold it.
#[derive(Debug)]
pub struct SecretForm {
    pub title: Text,
    pub intro: Line,
    pub secret: SecretString,
    pub note: Line,
    /// The words that pressing `submit` stands for.
    pub words: Text,
    pub submit: Text,
}
