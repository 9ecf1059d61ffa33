//! How a channel begins: what the bot is, and who can set the channel up. Said once when the bot is
//! added, where the platform tells of that, and in answer to whatever is asked before `setup`.

use jiff::Timestamp;
use tracing::warn;

use crate::bot::Bot;
use crate::bot::approvals::lines::people;
use crate::bot::delivery::message::Post;
use crate::chat::view::{Control, Line, View};
use crate::chat::{ChannelKey, ChatError, ChatPlatform, UserId};
use crate::domain::access::Rights;
use crate::pace::Rank;
use crate::store::{Commit, CommitError, Found, Keep, KeptKind, Schedule, StoreError, Work, WorkKind};
use crate::timing::steps::WELCOME_PATIENCE;

/// Operators that are looked up.
const ENOUGH: usize = 30;
const WHAT: &str = "I set up Sekoia workspaces from a channel: seven steps, each checked with Sekoia's API, approvals by button for what is sensitive, and a record of who did what.";

impl Bot {
    /// The bot was added to a channel, as the platform says: it is welcomed there, once for good.
    pub async fn added_to(&self, channel: &ChannelKey, delivery: &str, at: Timestamp) -> Result<(), StoreError> {
        let key = format!("welcome/{channel}");
        let body = String::new();
        // For good: who removes the bot and adds it again knows it.
        let known = Keep { kind: KeptKind::Known, key: key.clone(), body: body.clone(), until: None };
        let channel = channel.as_str().to_owned();
        let commit = Commit {
            schedule: vec![Schedule { kind: WorkKind::Welcome, key: channel, due: at, attempts: 0, body }],
            keep: vec![known],
            rests_on: vec![Found { kind: KeptKind::Known.into(), key, generation: None }],
            delivery: Some((delivery.to_owned(), at)),
            ..Commit::default()
        };
        match self.sessions.store().commit(commit).await {
            Ok(_) => {
                self.outbox.wake();
                Ok(())
            }
            Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Says so in the channel, unless it is set up by now.
    pub(in crate::bot) async fn welcome(&self, work: &Work) -> Result<Result<(), ChatError>, StoreError> {
        let channel = ChannelKey::from(work.key.clone());
        if self.sessions.read(&channel).await?.is_some() {
            return Ok(Ok(()));
        }
        match self.post_welcome(work, &channel).await {
            Err(gone @ (ChatError::NotInChannel | ChatError::NotAChannel | ChatError::Archived)) => {
                warn!(error = %gone, channel = channel.as_str(), "a channel is not welcomed");
                Ok(Ok(()))
            }
            posted => Ok(posted),
        }
    }

    async fn post_welcome(&self, work: &Work, channel: &ChannelKey) -> Result<(), ChatError> {
        let chat = self.chats.of_channel(channel)?;
        if !self.policy.works_in(chat, channel).await? {
            return Ok(());
        }
        let post = Post::once(self, work, channel, "welcome".into(), Rank::Person);
        self.post_once(&post, self.hello(chat)).await.map(|_| ())
    }

    async fn hello(&self, chat: &dyn ChatPlatform) -> View {
        View::new("Hello, I am Sekoia's setup bot")
            .heading("Hello, I am Sekoia's setup bot")
            .line(WHAT)
            .line(self.who_can(chat).await)
            .controls(vec![Control::primary("Set up this channel", "setup"), Control::button("Help", "help")])
    }

    /// What a channel that is not set up answers with, to somebody with these rights, if they are
    /// known.
    pub(in crate::bot) async fn start(&self, channel: &ChannelKey, rights: Option<Rights>) -> View {
        let view = View::sentence(Line::new().strong("This channel is not set up yet.")).line(WHAT);
        if rights.is_some_and(|rights| rights.operator) {
            let alone = self.chats.of_channel(channel).is_ok_and(ChatPlatform::only_mentions);
            let press = if alone { "" } else { "press the button, or " };
            return view
                .line(Line::marked(&format!("You can set it up: {press}type `/sekoia setup`.")))
                .controls(vec![Control::primary("Set up this channel", "setup")]);
        }
        match self.chats.of_channel(channel) {
            Ok(chat) => view.line(self.who_can(chat).await),
            Err(_) => view,
        }
    }

    /// Who may set a channel up.
    async fn who_can(&self, chat: &dyn ChatPlatform) -> Line {
        let Ok(Ok(operators)) = tokio::time::timeout(WELCOME_PATIENCE, self.operators(chat)).await else {
            return Line::marked("Operators can set it up with `/sekoia setup` (CHATOPS_OPERATORS names them).");
        };
        if operators.is_empty() {
            return "Nobody can set it up yet: ask your bot administrator to set CHATOPS_OPERATORS.".into();
        }
        people(Line::new(), &operators).append(Line::marked(" can set it up with `/sekoia setup`."))
    }

    async fn operators(&self, chat: &dyn ChatPlatform) -> Result<Vec<UserId>, ChatError> {
        let principals = match self.policy.operators.as_slice() {
            [] => self.policy.approvers.as_slice(),
            operators => operators,
        };
        let mut all: Vec<UserId> = Vec::new();
        for principal in principals {
            all.extend(principal.members(chat).await?);
        }
        all.sort();
        all.dedup();
        all.truncate(ENOUGH);
        Ok(all)
    }
}
