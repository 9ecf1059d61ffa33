//! One message on its way into the chat: the engine of everything that is delivered.
//!
//! A message carries a mark. If an earlier attempt, or another process, may have posted it without
//! recording that, it is looked up by its mark before it is posted. One that stands is edited in
//! place; one that may not be edited is replaced by another that names it. Where it stands is
//! recorded by the caller, each in its own state; until then it is remembered here, so that a store
//! that fails does not make it post the same again.

use jiff::Timestamp;
use tracing::debug;

use super::attempts::Attempt;
use super::message::{LiveMessage, Outcome, Post, Unrecorded, marked};
use crate::bot::Bot;
use crate::chat::view::{Block, Line, View};
use crate::chat::{ChannelKey, ChatError, ChatPlatform, MessageId};
use crate::pace::Rank;
use crate::store::{StoreError, fence};
use crate::timing::delivery::LOOK_BACK;

impl Bot {
    /// Posts a message unless it stands there already; where it stands. The view is made only if it is
    /// needed.
    pub(in crate::bot) async fn post_once(
        &self,
        post: &Post,
        view: impl Future<Output = View>,
    ) -> Result<MessageId, ChatError> {
        match self.find_unrecorded(post).await? {
            Some(message) => Ok(message),
            None => self.post_new(post, &view.await, None).await,
        }
    }

    /// The message that stands there already, posted by an attempt that is not on record.
    pub(super) async fn find_unrecorded(&self, post: &Post) -> Result<Option<MessageId>, ChatError> {
        match self.outbox.attempts.of(post) {
            Some(Attempt { posted: Some(posted), .. }) => return Ok(Some(posted.message)),
            None if !post.in_doubt => return Ok(None),
            _ => {}
        }
        let since = post.since.max(Timestamp::now() - LOOK_BACK);
        match self
            .chats
            .of_channel(&post.channel)?
            .find_post(&post.channel, post.under.as_ref(), &post.mark, since)
            .await
        {
            Ok(found) => {
                if found.is_some() {
                    debug!("an unrecorded post was found");
                }
                Ok(found)
            }
            // Nobody can look: better twice than never.
            Err(ChatError::MissingScope(_)) if post.insist => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn post_new(
        &self,
        post: &Post,
        view: &View,
        replaces: Option<&MessageId>,
    ) -> Result<MessageId, ChatError> {
        let chat = self.chats.of_channel(&post.channel)?;
        if !fence::holds() {
            return Err(ChatError::Unavailable("another process sends it now".into()));
        }
        self.outbox.attempts.begin(post);
        let message = chat.post(&post.channel, post.under.as_ref(), view, &post.mark, post.rank).await?;
        let posted = Unrecorded { message: message.clone(), replaces: replaces.cloned(), current: true };
        self.outbox.attempts.posted(post, posted, view);
        Ok(message)
    }

    /// Makes a live message show its view. The outer error is the store's, the inner one the chat's.
    pub(super) async fn bring_up_to_date(&self, live: &LiveMessage) -> Result<Result<Outcome, ChatError>, StoreError> {
        let channel = &live.post.channel;
        let chat = match self.chats.of_channel(channel) {
            Ok(chat) => chat,
            Err(error) => return Ok(Err(error)),
        };
        let mut replaces = live.replaces.clone();
        let mut gone = false;
        if let Some(posted) = self.outbox.attempts.unrecorded(live) {
            replaces = posted.replaces;
        } else if let Some(message) = &live.message {
            let mark = live.mark();
            let view = self.naming_replaced(chat, live, replaces.as_ref()).await;
            match self.edit(chat, channel, message, &view, &mark, live.post.rank).await {
                Ok(true) => return Ok(Ok(Outcome::InPlace(message.clone()))),
                Ok(false) => {
                    if let Some(original) = &live.original {
                        self.note_replaced(channel, message, original).await?;
                    }
                    replaces = Some(message.clone());
                }
                Err(ChatError::MessageGone) if live.reposts => {
                    gone = true;
                    self.outbox.attempts.begin(&Post { mark, ..live.post.clone() });
                }
                // A person who deletes it has read it.
                Err(ChatError::MessageGone) => return Ok(Ok(Outcome::InPlace(message.clone()))),
                Err(error) => return Ok(Err(error)),
            }
        }
        let posted = match &live.again {
            Some(again) if gone => {
                let live = LiveMessage { view: again.clone(), ..live.clone() };
                self.post_or_edit(chat, &live, replaces).await
            }
            _ => self.post_or_edit(chat, live, replaces).await,
        };
        Ok(posted.map(Outcome::Posted))
    }

    /// Posts a live message, unless one with its mark stands there already: then that one is edited.
    async fn post_or_edit(
        &self,
        chat: &dyn ChatPlatform,
        live: &LiveMessage,
        replaces: Option<MessageId>,
    ) -> Result<Unrecorded, ChatError> {
        let post = Post { mark: marked(&live.post.mark, replaces.as_ref()), ..live.post.clone() };
        let view = self.naming_replaced(chat, live, replaces.as_ref()).await;
        let Some(message) = self.find_unrecorded(&post).await? else {
            let message = self.post_new(&post, &view, replaces.as_ref()).await?;
            return Ok(Unrecorded { message, replaces, current: true });
        };
        let current = self.outbox.attempts.shows(&post, &view)
            || match self.edit(chat, &post.channel, &message, &view, &post.mark, post.rank).await {
                Ok(edited) => edited,
                Err(error) => {
                    if error == ChatError::MessageGone {
                        self.outbox.attempts.begin(&post);
                    }
                    return Err(error);
                }
            };
        let posted = Unrecorded { message, replaces, current };
        self.outbox.attempts.posted(&post, posted.clone(), &view);
        Ok(posted)
    }

    /// Makes a message show a view; false if it may not be edited and shows something else.
    async fn edit(
        &self,
        chat: &dyn ChatPlatform,
        channel: &ChannelKey,
        message: &MessageId,
        view: &View,
        mark: &str,
        rank: Rank,
    ) -> Result<bool, ChatError> {
        if !fence::holds() {
            return Err(ChatError::Unavailable("another process sends it now".into()));
        }
        match chat.update(channel, message, view, mark, rank).await {
            Ok(()) => return Ok(true),
            Err(ChatError::NotEditable) => {}
            Err(error) => return Err(error),
        }
        match chat.shows(channel, message).await {
            Ok(shows) => Ok(shows.is_some_and(|shows| *shows == *view.fingerprint())),
            // Whether it has to be replaced is found out later.
            Err(error) if error.is_passing() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The view of a message; one that replaces another names it.
    async fn naming_replaced(&self, chat: &dyn ChatPlatform, live: &LiveMessage, replaces: Option<&MessageId>) -> View {
        let Some(old) = replaces else { return live.view.clone() };
        let mut view = live.again.as_ref().unwrap_or(&live.view).clone();
        let line = Line::new().say("This message replaces ");
        let line = match chat.link(&live.post.channel, old).await {
            Some(url) => line.link("an earlier one", url.into_string()),
            None => line.say("an earlier one"),
        };
        let line = line.say(", which can no longer be edited.");
        let end = view.blocks.iter().position(|block| matches!(block, Block::Controls(_)));
        view.blocks.insert(end.unwrap_or(view.blocks.len()), Block::Note(line));
        view
    }
}
