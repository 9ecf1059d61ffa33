//! What Slack's ids look like.

/// Slack's ids: a letter or more, digits and letters, short. They become keys and log fields.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}
