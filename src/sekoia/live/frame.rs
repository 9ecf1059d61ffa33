//! What one frame says.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sekoia::lenient::{instant, lax};

/// Longer than any kind or action; beyond it something is wrong.
const LONGEST_WORD: usize = 64;

/// Something that changed at Sekoia: a hint, to be asked about before it is believed.
#[derive(Debug, Clone)]
pub struct LiveFrame {
    /// `alert`, `alert-comment`, `case` and so on.
    pub kind: String,
    /// `created`, `updated` and so on.
    pub action: String,
    /// As they came; `null` if there were none.
    pub attributes: Box<RawValue>,
    /// Of this event, the same if it comes again.
    pub uuid: Option<String>,
    pub created_at: Option<Timestamp>,
    pub community: Option<String>,
}

/// What a text is.
#[derive(Debug)]
pub(super) enum Said {
    Event(Box<LiveFrame>),
    Authenticated(bool),
    /// Of another version: the same is said in version 2 too.
    Old,
    Garbage,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default, deserialize_with = "lax")]
    authenticated: Option<bool>,
    #[serde(default, deserialize_with = "lax", rename = "type")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    action: Option<String>,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lax")]
    metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    version: Value,
    #[serde(default, deserialize_with = "lax")]
    uuid: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lax")]
    community_uuid: Option<String>,
}

pub(super) fn read(text: &str) -> Said {
    // A list would be read as the fields of an object in their order.
    let object = text.trim_start().starts_with('{');
    let Some(wire) = object.then(|| serde_json::from_str::<Wire>(text).ok()).flatten() else { return Said::Garbage };
    if let Some(yes) = wire.authenticated {
        return Said::Authenticated(yes);
    }
    let metadata = wire.metadata.unwrap_or_default();
    if metadata.version != 2 && metadata.version != "2" {
        return Said::Old;
    }
    let word = |word: Option<String>| word.filter(|word| !word.is_empty() && word.len() <= LONGEST_WORD);
    let (Some(kind), Some(action)) = (word(wire.kind), word(wire.action)) else { return Said::Garbage };
    Said::Event(Box::new(LiveFrame {
        kind,
        action,
        attributes: wire.attributes.unwrap_or(RawValue::NULL).to_owned(),
        uuid: metadata.uuid,
        created_at: metadata.created_at,
        community: metadata.community_uuid,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        match read(text) {
            Said::Event(_) => "event",
            Said::Authenticated(true) => "authenticated",
            Said::Authenticated(false) => "not authenticated",
            Said::Old => "old",
            Said::Garbage => "garbage",
        }
    }

    #[test]
    fn a_frame_is_what_it_says() {
        for (text, what) in [
            (r#"{"authenticated":true}"#, "authenticated"),
            (r#"{"authenticated":false}"#, "not authenticated"),
            (r#"{"event_version":"1","event_type":"alert"}"#, "old"),
            (r#"{"type":"alert","action":"created","metadata":{"version":3}}"#, "old"),
            (r#"{"type":"alert","action":"created","metadata":null}"#, "old"),
            (r#"{"type":"alert","metadata":{"version":2}}"#, "garbage"),
            (r#"{"type":7,"action":"created","metadata":{"version":2}}"#, "garbage"),
            (r#"{"type":"alert","action":"created","metadata":{"version":"2"}}"#, "event"),
            (r#"{"type":"alert","action":"created","attributes":null,"metadata":{"version":2,"uuid":5}}"#, "event"),
            ("{", "garbage"),
            ("[]", "garbage"),
            ("[false]", "garbage"),
            ("5", "garbage"),
            ("", "garbage"),
        ] {
            assert_eq!(kind(text), what, "{text}");
        }
        assert_eq!(
            kind(&format!(r#"{{"type":"{}","action":"x","metadata":{{"version":2}}}}"#, "x".repeat(65))),
            "garbage"
        );
    }

    #[test]
    fn attributes_are_kept_as_they_came() {
        let text = r#"{"type":"alert","action":"updated","attributes":{"uuid":"a", "big":12345678901234567890123},
            "metadata":{"version":2,"uuid":"e","created_at":"2026-03-01T09:00:00.000000+00:00","community_uuid":"c"}}"#;
        let Said::Event(frame) = read(text) else { panic!("no event") };
        assert_eq!(frame.attributes.get(), r#"{"uuid":"a", "big":12345678901234567890123}"#);
        assert_eq!((frame.uuid.as_deref(), frame.community.as_deref()), (Some("e"), Some("c")));
        assert_eq!(frame.created_at.unwrap().to_string(), "2026-03-01T09:00:00Z");
    }
}
