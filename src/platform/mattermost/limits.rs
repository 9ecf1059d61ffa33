//! Mattermost's limits, from its documentation and its server's source.

pub use crate::timing::mattermost::CALLS_WITHIN;

/// Characters of a message's text.
pub const MESSAGE: usize = 16_383;
/// Characters that we say in all: text and attachments together, well below what properties hold.
pub const SAID: usize = 16_000;
/// Characters of a form's title, and of a field's name.
pub const LABEL: usize = 24;
/// Characters of a field's hint.
pub const HINT: usize = 150;
/// Characters of a one-line answer.
pub const LINE: u16 = 150;
/// Characters of a longer answer.
pub const TEXT: u16 = 3_000;
/// Options of a menu in a message: clients show them all at once.
pub const OPTIONS: usize = 100;
/// Calls in [`CALLS_WITHIN`]: a server that limits at all allows ten a second, a hundred at once.
pub const CALLS: usize = 100;
