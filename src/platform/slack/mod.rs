//! Slack: requests in, messages out. Nothing that only Slack has leaves this folder.

mod api;
mod block_kit;
mod client;
mod facts;
mod files;
mod forms;
mod history;
mod ids;
mod inbound;
mod limits;
mod mentions;
mod render;
mod routes;
mod signature;
mod upload;

pub use client::SlackClient;
pub use render::preview;
pub use routes::{Slack, commands, events, interactivity};
