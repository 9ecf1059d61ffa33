//! A message that is owed to the chat, before and after it is sent.

use jiff::Timestamp;

use super::replaced::Original;
use crate::bot::Bot;
use crate::chat::view::View;
use crate::chat::{ChannelKey, MessageId};
use crate::pace::Rank;
use crate::store::{Work, WorkKind};

/// Pending work, by its kind and key.
pub(super) type WorkId = (WorkKind, String);

/// A message that is posted once.
#[derive(Debug, Clone)]
pub(in crate::bot) struct Post {
    /// The pending work that it is sent for.
    pub work: WorkId,
    pub channel: ChannelKey,
    /// The message in whose thread it stands.
    pub under: Option<MessageId>,
    /// By which it is found again.
    pub mark: String,
    pub rank: Rank,
    /// It is not looked for among older messages.
    pub since: Timestamp,
    /// An earlier attempt or another process may have posted it unrecorded.
    pub in_doubt: bool,
    /// A person asks for it: where the bot may not look for it, it is posted all the same.
    pub insist: bool,
}

/// A message that is posted once and then edited in its place.
#[derive(Debug, Clone)]
pub(super) struct LiveMessage {
    pub post: Post,
    pub view: View,
    /// What another message in its place shows, where that differs: it notifies nobody again.
    pub again: Option<View>,
    /// Where it stands, if that is on record.
    pub message: Option<MessageId>,
    /// The earlier message that the one on record replaces.
    pub replaces: Option<MessageId>,
    /// What a button on a replaced message was about; none if it has none.
    pub original: Option<Original>,
    /// One that a person deleted is posted again.
    pub reposts: bool,
}

/// How a live message was brought up to date.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The message on record shows it, or was deleted and is not wanted again.
    InPlace(MessageId),
    /// Another message shows it, which is to be recorded.
    Posted(Unrecorded),
}

/// A message that is not on record yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unrecorded {
    pub message: MessageId,
    pub replaces: Option<MessageId>,
    /// It shows what it has to; otherwise it may not be edited, and has to be replaced in turn.
    pub current: bool,
}

/// The mark of a message: one that replaces another is not taken for it.
pub(super) fn marked(mark: &str, replaces: Option<&MessageId>) -> String {
    match replaces {
        Some(old) => format!("{mark} after {}", old.0),
        None => mark.to_owned(),
    }
}

impl Post {
    /// A message of pending work that needs no record of its own: the work is finished with it.
    pub fn once(bot: &Bot, work: &Work, channel: &ChannelKey, mark: String, rank: Rank) -> Self {
        Post {
            work: (work.kind, work.key.clone()),
            channel: channel.clone(),
            under: None,
            mark,
            rank,
            since: Timestamp::MIN,
            in_doubt: work.attempts > 0 || work.due < bot.alone_since(),
            insist: false,
        }
    }
}

impl LiveMessage {
    pub fn mark(&self) -> String {
        marked(&self.post.mark, self.replaces.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_replaces_another_has_a_mark_of_its_own() {
        let old = MessageId("1700.1".into());
        assert_eq!(marked("card 1", None), "card 1");
        assert_eq!(marked("card 1", Some(&old)), "card 1 after 1700.1");
    }
}
