//! What a message of ours carries that nobody sees, and how the message is found by it again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use super::api::Api;
use crate::chat::view::View;
use crate::chat::{ChatError, MessageId};

const EVENT_TYPE: &str = "sekoia_chatops";
/// Pages of a channel's history; nobody waits for more of them.
const MOST_PAGES: usize = 5;

/// `metadata` of a message.
#[derive(Serialize)]
pub struct Metadata<'a> {
    event_type: &'static str,
    event_payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    mark: &'a str,
    /// The fingerprint of what the message shows.
    shows: Box<str>,
}

impl<'a> Metadata<'a> {
    pub fn new(mark: &'a str, view: &View) -> Self {
        Self { event_type: EVENT_TYPE, event_payload: Payload { mark, shows: view.fingerprint() } }
    }
}

#[derive(Deserialize)]
struct Page {
    // Anything at all: people, other apps and Slack itself write into a channel.
    messages: Vec<Value>,
    response_metadata: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    next_cursor: Option<String>,
}

impl Api {
    /// The app's message in `channel`, or in the thread of the message `under`, that carries `mark`, among
    /// those posted since.
    pub async fn find_marked(
        &self,
        channel: &str,
        under: Option<&MessageId>,
        mark: &str,
        since: Timestamp,
    ) -> Result<Option<MessageId>, ChatError> {
        let since = since.as_microsecond().max(0);
        let oldest = format!("{}.{:06}", since / 1_000_000, since % 1_000_000);
        // What stands in a thread is not in the channel's history.
        let method = if under.is_some() { "conversations.replies" } else { "conversations.history" };
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let params = [
                ("channel", Some(channel)),
                ("ts", under.map(|message| &*message.0)),
                ("oldest", Some(oldest.as_str())),
                ("inclusive", Some("true")),
                ("include_all_metadata", Some("true")),
                ("limit", Some("200")),
                ("cursor", cursor.as_deref()),
            ];
            let page: Page = self.get(method, &params).await?;
            let found = page.messages.iter().find(|message| carries(message, mark));
            if let Some(ts) = found.and_then(|message| message["ts"].as_str()) {
                return Ok(Some(MessageId(ts.into())));
            }
            cursor = page.response_metadata.and_then(|next| next.next_cursor).filter(|cursor| !cursor.is_empty());
            if cursor.is_none() {
                return Ok(None);
            }
        }
        warn!(channel, "a message was not found among a thousand others; it is taken for not posted");
        Ok(None)
    }
}

impl Api {
    /// The fingerprint of what a message shows, as it carries it.
    pub async fn fingerprint_of(&self, channel: &str, ts: &str) -> Result<Option<Box<str>>, ChatError> {
        let params = [
            ("channel", Some(channel)),
            ("oldest", Some(ts)),
            ("latest", Some(ts)),
            ("inclusive", Some("true")),
            ("include_all_metadata", Some("true")),
            ("limit", Some("1")),
        ];
        let page: Page = self.get("conversations.history", &params).await?;
        let found = page.messages.iter().find(|message| message["ts"] == ts).ok_or(ChatError::MessageGone)?;
        Ok(found["metadata"]["event_payload"]["shows"].as_str().map(Into::into))
    }
}

/// Whether an app posted it with this mark.
fn carries(message: &Value, mark: &str) -> bool {
    let metadata = &message["metadata"];
    let by_app = message["bot_id"].is_string() || message["app_id"].is_string();
    by_app && metadata["event_type"] == EVENT_TYPE && metadata["event_payload"]["mark"] == mark
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_mark_is_found_among_anything() {
        let metadata = to_value(Metadata::new("notice 1", &View::sentence("x"))).unwrap();
        assert!(carries(&json!({ "bot_id": "B0", "metadata": metadata }), "notice 1"));
        assert!(!carries(&json!({ "bot_id": "B0", "metadata": metadata }), "notice 2"));
        assert!(!carries(&json!({ "user": "U0", "metadata": metadata }), "notice 1"));
        for other in [json!(null), json!({ "app_id": "A0", "metadata": { "event_payload": [1, { "mark": 2 }] } })] {
            assert!(!carries(&other, "notice 1"));
        }
    }
}
