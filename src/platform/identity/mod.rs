//! Where people prove who they are: the organisation's identity provider, and the pages on the way there and
//! back.

mod client;
mod examine;
mod page;
mod routes;

pub use client::{Provider, Unsure};
pub use examine::examination;
pub use routes::{Pages, callback, confirm, leave};
