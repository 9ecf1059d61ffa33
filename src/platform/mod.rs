//! The chat platforms: each receives, verifies, parses, renders and sends in its own way.
//!
//! Everything that only one platform has (signatures, block types, method names) stays in its folder.

pub mod intake;
pub mod mattermost;
mod refused;
mod remembered;
pub mod sekoia_webhook;
pub mod slack;
#[cfg(feature = "demo")]
pub mod web;

/// Whether the same call may be sent again when its outcome is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Idempotent,
    /// It would be seen twice.
    MayDuplicate,
}
