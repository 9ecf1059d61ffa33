//! What Slack's Events API sends: mentions, as neutral [`Inbound`], and its check of the address.

use jiff::Timestamp;
use serde::Deserialize;

use super::inbound::{Malformed, is_id};
use crate::platform::{ChannelKey, Inbound, ReplyTo, UserId, Words};

/// An event, or Slack's own check of the address.
pub enum Event {
    Challenge(String),
    Mention(Inbound),
    Nothing,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Envelope {
    UrlVerification {
        challenge: String,
    },
    EventCallback {
        team_id: Option<String>,
        event_id: String,
        event: serde_json::Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct AppMention {
    user: Option<String>,
    channel: String,
    #[serde(default)]
    text: String,
    thread_ts: Option<String>,
    bot_id: Option<String>,
    team: Option<String>,
}

/// `POST /slack/events`.
pub fn event(body: &[u8], at: Timestamp) -> Result<Event, Malformed> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| Malformed)?;
    let (team, event_id, event) = match envelope {
        Envelope::UrlVerification { challenge } => return Ok(Event::Challenge(challenge)),
        Envelope::EventCallback { team_id, event_id, event } => (team_id, event_id, event),
        Envelope::Other => return Ok(Event::Nothing),
    };
    if event["type"] != "app_mention" {
        return Ok(Event::Nothing);
    }
    let mention: AppMention = serde_json::from_value(event).map_err(|_| Malformed)?;
    let (None, Some(user)) = (mention.bot_id, mention.user) else { return Ok(Event::Nothing) };
    let team = team.or(mention.team).ok_or(Malformed)?;
    if !(is_id(&team) && is_id(&mention.channel) && is_id(&user)) {
        return Err(Malformed);
    }
    Ok(Event::Mention(Inbound {
        delivery: format!("slack:{event_id}").into(),
        actor: UserId::slack(&user),
        channel: ChannelKey::slack(&team, &mention.channel),
        words: Words::Typed(after_mention(&mention.text).to_owned()),
        trigger: None,
        reply_to: ReplyTo::Private { thread: mention.thread_ts.map(Into::into) },
        at,
    }))
}

/// What stands behind the first mention; words before it are a greeting.
fn after_mention(text: &str) -> &str {
    match text.find("<@").and_then(|start| text[start..].find('>').map(|end| start + end + 1)) {
        Some(after) => text[after..].trim_start_matches([' ', '\u{a0}', ',', ':']),
        None => text,
    }
}
