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
