//! What Slack's Events API sends: mentions, as neutral [`Inbound`], channels that the bot was added
//! to or whose id changed, pages of the app that were opened, and its check of the address.

use jiff::Timestamp;
use serde::Deserialize;

use super::ids::is_id;
use super::inbound::Malformed;
use crate::chat::{ChannelKey, Inbound, ReplyTo, UserId, Words};
use crate::platform::separates;

/// An event, or Slack's own check of the address.
pub enum Event {
    Challenge(String),
    Mention(Inbound),
    /// The bot was added to a channel.
    Added {
        delivery: Box<str>,
        channel: ChannelKey,
    },
    /// A channel was converted, and has another id now.
    Moved {
        old: ChannelKey,
        new: Box<str>,
    },
    /// Somebody opened their page of the app.
    HomeOpened(UserId),
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
        context_team_id: Option<String>,
        context_enterprise_id: Option<String>,
        event_id: String,
        event: serde_json::Value,
        #[serde(default)]
        authorizations: Vec<Authorization>,
    },
    #[serde(other)]
    Other,
}

/// As whom the app receives an event.
#[derive(Deserialize)]
struct Authorization {
    user_id: Option<String>,
    #[serde(default)]
    is_bot: bool,
}

#[derive(Deserialize)]
struct Joined {
    user: String,
    channel: String,
}

#[derive(Deserialize)]
struct IdChanged {
    old_channel_id: String,
    new_channel_id: String,
}

#[derive(Deserialize)]
struct HomeOpened {
    user: String,
    #[serde(default)]
    tab: String,
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
    let (team, event_id, event, authorizations) = match envelope {
        Envelope::UrlVerification { challenge } => return Ok(Event::Challenge(challenge)),
        Envelope::EventCallback {
            team_id,
            context_team_id,
            context_enterprise_id,
            event_id,
            event,
            authorizations,
        } => (team_id.or(context_team_id).or(context_enterprise_id), event_id, event, authorizations),
        Envelope::Other => return Ok(Event::Nothing),
    };
    if event["type"] == "member_joined_channel" {
        let Joined { user, channel } = serde_json::from_value(event).map_err(|_| Malformed)?;
        let bot = authorizations.iter().any(|to| to.is_bot && to.user_id.as_deref() == Some(&*user));
        let Some(team) = team.filter(|_| bot) else { return Ok(Event::Nothing) };
        if !(is_id(&team) && is_id(&channel)) {
            return Err(Malformed);
        }
        let (delivery, channel) = (format!("slack:{event_id}").into(), ChannelKey::slack(&team, &channel));
        return Ok(Event::Added { delivery, channel });
    }
    if event["type"] == "channel_id_changed" {
        let IdChanged { old_channel_id: old, new_channel_id: new } =
            serde_json::from_value(event).map_err(|_| Malformed)?;
        let team = team.ok_or(Malformed)?;
        if !(is_id(&team) && is_id(&old) && is_id(&new)) {
            return Err(Malformed);
        }
        return Ok(Event::Moved { old: ChannelKey::slack(&team, &old), new: new.into() });
    }
    if event["type"] == "app_home_opened" {
        let HomeOpened { user, tab } = serde_json::from_value(event).map_err(|_| Malformed)?;
        if !is_id(&user) {
            return Err(Malformed);
        }
        // The other tab is the conversation with the bot.
        return Ok(if tab == "home" { Event::HomeOpened(UserId::slack(&user)) } else { Event::Nothing });
    }
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
        pressed: None,
        trigger: None,
        reply_to: ReplyTo::Private { thread: mention.thread_ts.map(Into::into) },
        at,
    }))
}

/// What stands behind the first mention, and behind the same once more; words before it are a
/// greeting.
fn after_mention(text: &str) -> &str {
    let Some(start) = text.find("<@") else { return text };
    let Some(end) = text[start..].find('>').map(|end| start + end + 1) else { return text };
    let mention = &text[start..end];
    let mut rest = text[end..].trim_start_matches(separates);
    while let Some(again) = rest.strip_prefix(mention) {
        rest = again.trim_start_matches(separates);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bot_may_be_mentioned_again() {
        let said = [
            ("<@U0BOT> status", "status"),
            ("hello <@U0BOT>: <@U0BOT>, status", "status"),
            ("<@U0BOT>\u{a0}assign 1 <@U0BOB>", "assign 1 <@U0BOB>"),
            ("<@U0BOT> <@U0BOB> status", "<@U0BOB> status"),
            ("<@U0BOT", "<@U0BOT"),
            ("status", "status"),
        ];
        for (text, words) in said {
            assert_eq!(after_mention(text), words);
        }
    }
}
