//! What was said while the bot could not hear it, and is read when it may not be wanted any more.

use jiff::SignedDuration;
use tracing::warn;

use super::Bot;
use crate::chat::Inbound;
use crate::chat::text::{count, shown};
use crate::chat::view::{Line, View};
use crate::store::{Commit, CommitError, StoreError};

/// Characters of what was said that are repeated.
const REPEATED: usize = 200;

impl Bot {
    /// Says to a person, once, that nothing was done. `typed`: their words; `age`: how long ago they were written.
    ///
    /// # Errors
    /// When it cannot be recorded that it was said; nothing was said then.
    pub async fn too_late(&self, inbound: &Inbound, typed: &str, age: SignedDuration) -> Result<(), StoreError> {
        let said = Commit { delivery: Some((inbound.delivery.to_string(), inbound.at)), ..Commit::default() };
        match self.sessions.store().commit(said).await {
            Ok(_) => {}
            Err(CommitError::Delivered | CommitError::Conflict(_)) => return Ok(()),
            Err(CommitError::Store(error)) => return Err(error),
        }
        let shown = match self.chats.of_channel(&inbound.channel) {
            Ok(chat) => chat.tell(&inbound.channel, &inbound.actor, &inbound.reply_to, &view(typed, age)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = shown {
            warn!(%error, "it could not be said that a mention was read too late");
        }
        Ok(())
    }
}

fn view(typed: &str, age: SignedDuration) -> View {
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    let age = match age.as_mins() {
        minutes @ ..=119 => count(whole(minutes), "minute", "minutes"),
        minutes => count(whole(minutes / 60), "hour", "hours"),
    };
    let line = Line::new().say(format!("I read this only now, {age} after you wrote it, and did nothing"));
    let line = if typed.trim().is_empty() { line.say(".") } else { line.say(": ").code(shown(typed.trim(), REPEATED)) };
    View::sentence(line).line("I was not connected to this chat until now. Type it again if you still want it.")
}
