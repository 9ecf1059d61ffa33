//! A post as Mattermost sends and takes it, as far as the bot reads and writes one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a post of ours carries that nobody sees: its mark, and the fingerprint of what it shows.
pub const MARK: &str = "sekoia_chatops";
pub const SHOWS: &str = "sekoia_chatops_shows";

#[derive(Debug, Deserialize)]
pub struct Post {
    pub id: Box<str>,
    #[serde(default)]
    pub user_id: Box<str>,
    #[serde(default)]
    pub channel_id: Box<str>,
    #[serde(default)]
    pub root_id: Box<str>,
    #[serde(default)]
    pub delete_at: i64,
    // Anything at all: plugins and other integrations write here.
    #[serde(default)]
    pub props: Value,
}

/// A new message. `pending_post_id`: sent twice, it is posted once.
#[derive(Serialize)]
pub struct NewPost<'a> {
    pub channel_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_id: Option<&'a str>,
    pub message: &'a str,
    pub props: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_post_id: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub file_ids: &'a [Box<str>],
}
