//! Files that people attached to their messages.

use std::collections::HashMap;

use serde::Deserialize;

use super::api::Api;
use crate::chat::ChatError;

/// Messages that are looked through, the latest first.
const MESSAGES: u8 = 100;
/// Bytes of a list that anybody would read.
const MOST: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Page {
    order: Vec<Box<str>>,
    posts: HashMap<Box<str>, Post>,
}

#[derive(Deserialize)]
struct Post {
    #[serde(default)]
    user_id: Box<str>,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    id: Box<str>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    size: u64,
}

/// The content of the latest file of this name that this person attached to a message in a channel.
pub async fn find(api: &Api, channel: &str, user: &str, name: &str) -> Result<Option<Vec<u8>>, ChatError> {
    let Page { order, posts } = api.get(&format!("/channels/{channel}/posts?per_page={MESSAGES}")).await?;
    let theirs =
        order.iter().filter_map(|id| posts.get(id)).filter(|post| *post.user_id == *user && post.delete_at == 0);
    let is = |file: &&File| file.name.trim().to_lowercase() == name.trim().to_lowercase();
    let Some(file) = theirs.flat_map(|post| &post.metadata.files).find(is) else { return Ok(None) };
    if file.size > MOST {
        return Err(ChatError::Refused("it is larger than 1 MiB".into()));
    }
    api.bytes(&format!("/files/{}", file.id)).await.map(Some)
}
