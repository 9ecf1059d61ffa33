//! What Mattermost's refusals mean to us. Its own text can repeat what people wrote: only the id
//! and the status are kept.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::chat::ChatError;

/// The body of every refusal; a limited request's is plain text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AppError {
    pub id: String,
}

/// `id` is stable where the message is translated.
pub fn meaning(status: StatusCode, body: &[u8]) -> ChatError {
    let AppError { id } = serde_json::from_slice(body).unwrap_or_default();
    let id = if id.bytes().all(|b| b.is_ascii_graphic()) { id } else { String::new() };
    match (status.as_u16(), id.as_str()) {
        (_, "app.post.get.app_error" | "api.post.update_post.permissions_details.app_error") => ChatError::MessageGone,
        // The one in whose thread it was to stand.
        (_, "api.post.create_post.root_id.app_error") => ChatError::MessageGone,
        // `PostEditTimeLimit` passed, or nobody may edit at all.
        (_, id) if id.contains("permissions_time_limit") || id.contains("permissions_denied") => ChatError::NotEditable,
        (_, "api.post.update_post.system_message.app_error") => ChatError::NotEditable,
        (_, id) if id.contains("post_to_deleted") || id.contains("post_in_deleted") => ChatError::Archived,
        (_, id) if id.starts_with("interactive_message.decode_trigger_id") => ChatError::TriggerExpired,
        (_, id) if id.ends_with("message_length.app_error") || id.contains("body_too_large") => {
            ChatError::Rejected(id.into())
        }
        (401, _) => ChatError::TokenDead(id),
        (403, _) => ChatError::NotInChannel,
        (429, _) => ChatError::RateLimited,
        (501, "api.license_error") => ChatError::Refused("this needs a Mattermost licence".into()),
        _ if status.is_server_error() => ChatError::Unavailable(status.to_string()),
        (_, "") => ChatError::Refused(status.to_string()),
        (_, id) => ChatError::Refused(id.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ChatError {
        meaning(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(of(404, r#"{"id":"app.post.get.app_error","message":"…"}"#), ChatError::MessageGone);
        assert_eq!(of(400, r#"{"id":"api.post.create_post.root_id.app_error"}"#), ChatError::MessageGone);
        let late = r#"{"id":"api.post.update_post.permissions_time_limit.app_error"}"#;
        assert_eq!(of(400, late), ChatError::NotEditable);
        let archived = r#"{"id":"api.post.create_post.can_not_post_to_deleted.error"}"#;
        assert_eq!(of(400, archived), ChatError::Archived);
        let long = r#"{"id":"model.post.is_valid.message_length.app_error"}"#;
        assert!(matches!(of(400, long), ChatError::Rejected(_)));
        assert_eq!(of(429, "limit exceeded"), ChatError::RateLimited);
        assert_eq!(of(502, "<html>"), ChatError::Unavailable("502 Bad Gateway".into()));
        assert_eq!(
            of(501, r#"{"id":"api.license_error"}"#),
            ChatError::Refused("this needs a Mattermost licence".into())
        );
        assert!(matches!(of(401, "{}"), ChatError::TokenDead(_)));
    }
}
