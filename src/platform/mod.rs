//! The chat platforms: each receives, verifies, parses, renders and sends in its own way.
//!
//! Everything that only one platform has (signatures, block types, method names) stays in its folder.

use crate::chat::ChatError;
use crate::pace::retry::{Failed, Next};
use crate::store::fence;

pub mod identity;
pub mod intake;
pub mod mattermost;
mod refused;
mod remembered;
pub mod sekoia_webhook;
pub mod slack;
#[cfg(feature = "demo")]
pub mod web;

/// What may stand between a mention of the bot and a command.
fn separates(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ':' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// A call that a platform did not carry out, or whose outcome it did not tell.
fn failed(error: ChatError) -> Failed<ChatError> {
    let next = if matches!(error, ChatError::Unavailable(_)) { Next::Passing } else { Next::Stop };
    Failed { error, next }
}

/// Asked when a call has had its turn, which may have taken long: another process may do by now what it is for.
fn may_leave() -> Result<(), Failed<ChatError>> {
    if fence::holds() {
        return Ok(());
    }
    Err(Failed::stop(ChatError::Unavailable("another process sends it now".into())))
}
