//! Many firings of one rule that waited for the chat become one message.

use crate::bot::Bot;
use crate::bot::watching::Batch;
use crate::chat::ChannelKey;
use crate::domain::notify::Card;
use crate::domain::notify::gather;
use crate::store::{StoreError, Work};

impl Bot {
    /// Makes one message of what waits, if it is much.
    pub(super) async fn coalesce(&self, channel: &ChannelKey, waiting: &[(Work, Card)]) -> Result<bool, StoreError> {
        let cards: Vec<(&str, &Card)> = waiting.iter().map(|(work, card)| (&*work.key, card)).collect();
        let Some(late) = gather(channel, &cards) else { return Ok(false) };
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        batch.note(channel, late.log, batch.now).await?;
        batch.add(late.key, late.card);
        // One that changed meanwhile stays, with a message of its own.
        let replaced = waiting.iter().filter(|(work, _)| late.replaces.contains(&work.key));
        batch.commit(Vec::new(), replaced.map(|(work, _)| work.finished()).collect()).await?;
        Ok(true)
    }
}
