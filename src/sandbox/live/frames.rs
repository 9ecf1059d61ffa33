//! What is said on the LiveAPI.

use serde_json::{Value, json};

use super::Notice;
use crate::sandbox::json::rfc3339;

/// Larger than anything that a client should take.
const HUGE: usize = 10 * 1024 * 1024;

/// The first frame.
pub(super) fn authenticated(yes: bool) -> String {
    json!({ "authenticated": yes }).to_string()
}

/// The form of before: of it, only `event_version` and `event_type` are certain.
pub(super) fn old(notice: &Notice) -> String {
    json!({
        "event_version": "1",
        "event_type": notice.kind,
        "event_id": notice.uuid,
        "action": notice.action,
        "created_at": notice.at.as_second(),
        "attributes": notice.attributes,
    })
    .to_string()
}

pub(super) fn new(notice: &Notice) -> String {
    json!({
        "type": notice.kind,
        "action": notice.action,
        "attributes": notice.attributes,
        "metadata": {
            "version": 2,
            "uuid": notice.uuid,
            "created_at": rfc3339(notice.at),
            "community_uuid": notice.community,
        },
    })
    .to_string()
}

pub(super) fn garbage() -> String {
    "{\"type\": \"alert\", \u{1b}[31m<!channel> not JSON".to_owned()
}

pub(super) fn binary() -> Vec<u8> {
    vec![0, 159, 146, 150, 255, 254]
}

/// Good JSON, and too much of it.
pub(super) fn huge() -> String {
    let filler = "x".repeat(HUGE);
    json!({ "type": "alert", "action": "created", "attributes": { "title": filler }, "metadata": { "version": 2 } })
        .to_string()
}

/// Whether a client asks for events in both versions.
pub(super) fn asks_for_more(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|said| said["action"] == "upgrade")
}
