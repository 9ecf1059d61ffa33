//! What one frame of the server's says.

use serde::Deserialize;
use serde_json::Value;

use super::super::mentions::Post;
use crate::chat::is_mattermost_id;

/// What a text is.
#[derive(Debug)]
pub(super) enum Said {
    /// From now on events come.
    Hello,
    Posted {
        post: Box<Post>,
        /// In a person's conversation with the bot alone.
        direct: bool,
    },
    /// Somebody was added to a channel.
    Added {
        user: Box<str>,
        channel: Box<str>,
    },
    /// The token is refused.
    Refused,
    /// Something else.
    Other,
    Garbage,
}

#[derive(Deserialize)]
struct Wire {
    event: Option<Box<str>>,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    broadcast: Value,
    /// Of this connection's events.
    seq: Option<i64>,
    /// The answer to a request of ours.
    status: Option<Box<str>>,
}

/// What a text says, and its number among the events of the connection.
pub(super) fn read(text: &str) -> (Said, Option<i64>) {
    // A list would be read as the fields of an object in their order.
    let object = text.trim_start().starts_with('{');
    let Some(wire) = object.then(|| serde_json::from_str::<Wire>(text).ok()).flatten() else {
        return (Said::Garbage, None);
    };
    let said = match (wire.event.as_deref(), wire.status.as_deref()) {
        (Some("hello"), _) => Said::Hello,
        (Some("posted"), _) => posted(&wire.data),
        (Some("user_added"), _) => {
            let (user, channel) = (wire.data["user_id"].as_str(), wire.broadcast["channel_id"].as_str());
            match (user, channel.filter(|id| is_mattermost_id(id))) {
                (Some(user), Some(channel)) => Said::Added { user: user.into(), channel: channel.into() },
                _ => Said::Garbage,
            }
        }
        (None, Some("FAIL")) => Said::Refused,
        _ => Said::Other,
    };
    (said, wire.seq)
}

/// The post is JSON in a text.
fn posted(data: &Value) -> Said {
    let post = data["post"].as_str().and_then(|text| serde_json::from_str::<Post>(text).ok());
    match post.filter(Post::is_whole) {
        Some(post) => Said::Posted { post: Box::new(post), direct: data["channel_type"] == "D" },
        None => Said::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "hrnnrbeujfgy7fy6zzs66j4xdc";

    fn kind(text: &str) -> &'static str {
        match read(text).0 {
            Said::Hello => "hello",
            Said::Posted { direct: true, .. } => "direct",
            Said::Posted { .. } => "posted",
            Said::Added { .. } => "added",
            Said::Refused => "refused",
            Said::Other => "other",
            Said::Garbage => "garbage",
        }
    }

    fn posted(post: &Value, channel_type: &str) -> String {
        let data = json!({ "post": post.to_string(), "channel_type": channel_type });
        json!({ "event": "posted", "data": data, "broadcast": {}, "seq": 3 }).to_string()
    }

    #[test]
    fn a_frame_is_what_it_says() {
        let post = json!({ "id": ID, "user_id": ID, "channel_id": ID, "message": "x", "props": null, "more": [1] });
        let other = |name: &str, value: Value| {
            let mut post = post.clone();
            post[name] = value;
            posted(&post, "O")
        };
        for (text, what) in [
            (r#"{"event":"hello","data":{"server_version":"11.2"},"broadcast":null,"seq":0}"#.to_owned(), "hello"),
            (posted(&post, "O"), "posted"),
            (posted(&post, "D"), "direct"),
            (other("root_id", json!(ID)), "posted"),
            (other("root_id", json!("../me")), "garbage"),
            (other("user_id", json!("../me")), "garbage"),
            (other("id", json!(5)), "garbage"),
            (r#"{"event":"posted","data":{"post":"{"}}"#.into(), "garbage"),
            (r#"{"event":"posted"}"#.into(), "garbage"),
            (json!({"event":"user_added","data":{"user_id":ID},"broadcast":{"channel_id":ID}}).to_string(), "added"),
            (r#"{"event":"user_added","data":{"user_id":"x"},"broadcast":{"channel_id":""}}"#.into(), "garbage"),
            (r#"{"event":"post_edited","data":{}}"#.into(), "other"),
            (r#"{"status":"OK","seq_reply":1}"#.into(), "other"),
            (r#"{"status":"FAIL","error":{"id":"x"},"seq_reply":1}"#.into(), "refused"),
            ("{}".into(), "other"),
            ("[]".into(), "garbage"),
            (r#"{"event":5}"#.into(), "garbage"),
            (String::new(), "garbage"),
        ] {
            assert_eq!(kind(&text), what, "{text}");
        }
        assert_eq!(read(&posted(&post, "O")).1, Some(3));
    }
}
