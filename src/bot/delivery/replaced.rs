//! Messages that the chat does not let the bot edit. Each is replaced by a new one that names it,
//! and whatever is pressed on the old one is answered with where the new one is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bot::Bot;
use crate::chat::view::{Line, View};
use crate::chat::{ChannelKey, MessageId};
use crate::domain::approval::ApprovalId;
use crate::state::feed::Posted;
use crate::state::kept::{decode, keep_until};
use crate::store::{Commit, KeptKind, StoreError};
use crate::timing::delivery::REPLACED_KEPT;

/// The body of a [`KeptKind::Replaced`] row: what the old message showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "showed", rename_all = "snake_case")]
pub(super) enum Original {
    Checklist,
    Card { id: ApprovalId },
    News { key: String },
}

impl Bot {
    /// From now on what is pressed on a message is not acted upon, once another one is on record.
    pub(super) async fn note_replaced(
        &self,
        channel: &ChannelKey,
        message: &MessageId,
        original: &Original,
    ) -> Result<(), StoreError> {
        let row = keep_until(KeptKind::Replaced, key(channel, message), original, Timestamp::now() + REPLACED_KEPT);
        self.keep(Commit { keep: vec![row], ..Commit::default() }).await
    }

    /// The answer to a button on a message that was replaced; none if it is the present one.
    pub async fn outdated(&self, channel: &ChannelKey, message: &MessageId) -> Result<Option<View>, StoreError> {
        let Some(row) = self.sessions.store().kept(KeptKind::Replaced, &key(channel, message)).await? else {
            return Ok(None);
        };
        let present = match decode::<Original>(&row) {
            Some(Original::Checklist) => self.progress_of(channel).await?,
            Some(Original::Card { id }) => self.approvals.read(&id).await?.and_then(|approval| approval.card),
            Some(Original::News { key }) => {
                let posted = self.sessions.store().kept(KeptKind::Posted, &key).await?;
                posted.as_ref().and_then(decode::<Posted>).map(|posted| posted.message)
            }
            None => None,
        };
        // It is about to be replaced.
        if present.as_ref() == Some(message) {
            return Ok(None);
        }
        let view = View::sentence(
            "This message is out of date: it could not be edited, so I posted a new one. Nothing was done.",
        );
        Ok(Some(match self.link_to(channel, present.as_ref(), "Open the current message").await {
            Some(link) => view.line(link),
            None => view,
        }))
    }

    pub(super) async fn progress_of(&self, channel: &ChannelKey) -> Result<Option<MessageId>, StoreError> {
        Ok(self.sessions.read(channel).await?.and_then(|session| session.progress.clone()))
    }

    /// A line that leads to a message, if there is one and the platform has addresses.
    pub(in crate::bot) async fn link_to(
        &self,
        channel: &ChannelKey,
        message: Option<&MessageId>,
        label: &'static str,
    ) -> Option<Line> {
        let url = self.chats.of_channel(channel).ok()?.link(channel, message?).await?;
        Some(Line::new().link(label, url.into_string()))
    }
}

fn key(channel: &ChannelKey, message: &MessageId) -> String {
    format!("{channel}|{}", message.0)
}
