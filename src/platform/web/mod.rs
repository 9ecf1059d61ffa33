//! The demo's chat page: a small chat of its own, with everything of Slack that the bot uses.
//!
//! ```text
//! page -> guard (own Host and Origin) -> routes -> Inbound -> bot
//! bot -> WebChat (conversation in memory) -> server-sent events -> page
//! bot -> Windows (dialogs, each for one window) -> server-sent events -> page
//! ```
//!
//! There are no accounts: whoever opens the page may speak as anybody in it. It must never be
//! reachable by people whom that would harm.

mod acts;
mod conversation;
mod dialog;
mod guard;
mod guide;
mod happenings;
mod people;
mod platform;
mod render;
mod routes;
mod side;
mod stream;
mod transcript;
mod windows;

pub use acts::{press, say, submit};
pub use conversation::WebChat;
pub use guard::{Origins, guard};
pub use happenings::happen;
pub use people::{PEOPLE, identities, policy, subjects};
pub use routes::{Web, as_received, asset, index};
pub use side::{console, side, switch_fault};
pub use stream::events;
