//! Slack: requests in, messages out. Nothing that only Slack has leaves this folder.

mod api;
mod block_kit;
mod client;
mod examine;
mod facts;
mod files;
mod forms;
mod handle;
mod history;
mod ids;
mod inbound;
mod limits;
mod mentions;
mod render;
mod routes;
mod signature;
mod socket;
mod upload;

pub use client::SlackClient;
pub use handle::Slack;
pub use render::preview;
pub use routes::{Routes, commands, events, interactivity};
pub use socket::{Down, Opener, SocketMode, Sockets};
