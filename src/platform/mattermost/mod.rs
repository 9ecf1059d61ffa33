//! Mattermost: requests in, messages out. Nothing that only Mattermost has leaves this folder.
//!
//! ```text
//! command (token) -\
//! press (context) ---> source, token or seal -> who presses, read anew -> Inbound -> bot
//! form (state) ----/
//! mention (post) -- the bot's own WebSocket; what was said while it was lost is read after -> Inbound -> bot
//! ```
//!
//! Mattermost signs nothing. What a button or a form stands for is sealed by the bot when it is
//! shown ([`seal`]) and checked when it comes back; who pressed it is Mattermost's word.

mod api;
mod attachments;
mod client;
mod error;
mod examine;
mod facts;
mod forms;
mod inbound;
pub mod install;
mod limits;
mod listener;
mod markdown;
mod mentions;
mod names;
mod picture;
mod post;
mod render;
mod routes;
pub mod seal;
mod socket;

pub use client::MattermostClient;
pub use listener::Listener;
pub use render::preview;
pub use routes::{Mattermost, action, command, dialog};

/// Where anybody's browser finds an account's picture, at a server that people reach at `site`.
fn picture_of(site: &url::Url, user: &str) -> String {
    format!("{}/api/v4/users/{user}/image", site.as_str().trim_end_matches('/'))
}
