//! What Mattermost sends, as our own structs, and as neutral [`Inbound`].

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chat::{ChannelKey, Inbound, ReplyTo, UserId, Words, is_mattermost_id};

/// The request could not be understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The token of a slash command, which stands in its form.
pub fn token(body: &[u8]) -> Option<Cow<'_, str>> {
    form_urlencoded::parse(body).find(|(name, _)| name == "token").map(|(_, value)| value)
}

/// The thread in which a slash command was typed.
pub fn thread(body: &[u8]) -> Option<Box<str>> {
    let root = form_urlencoded::parse(body).find(|(name, _)| name == "root_id")?.1;
    (!root.is_empty()).then(|| (*root).into())
}

/// `POST /mattermost/command`, whose token was checked.
pub fn slash(body: &[u8], at: Timestamp) -> Result<Inbound, Malformed> {
    std::str::from_utf8(body).map_err(|_| Malformed)?;
    let mut one: HashMap<Cow<'_, str>, Cow<'_, str>> = HashMap::new();
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "user_mentions" => names.push(value),
            "user_mentions_ids" => ids.push(value),
            _ => {
                one.insert(name, value);
            }
        }
    }
    let field = |name: &str| one.get(name).map(|value| &**value).unwrap_or_default();
    let (user, channel, trigger) = (field("user_id"), field("channel_id"), field("trigger_id"));
    if !(is_mattermost_id(user) && is_mattermost_id(channel)) {
        return Err(Malformed);
    }
    let people: Vec<(&str, &str)> = names.iter().map(|n| &**n).zip(ids.iter().map(|id| &**id)).collect();
    let delivery = if trigger.is_empty() { digest(body) } else { digest(trigger.as_bytes()) };
    let reply_to = match (field("response_url"), field("root_id")) {
        ("", "") => ReplyTo::Private { thread: None },
        ("", root) => ReplyTo::Private { thread: Some(root.into()) },
        (url, _) => ReplyTo::Url { url: url.to_owned(), replace: false },
    };
    Ok(Inbound {
        delivery,
        actor: UserId::mattermost(user),
        channel: key(channel, is_direct(field("channel_name"))),
        words: Words::Typed(as_sent(field("text"), &people)),
        pressed: None,
        trigger: (!trigger.is_empty()).then(|| self::trigger(user, trigger)),
        reply_to,
        at,
    })
}

/// `POST /mattermost/action`: a pressed button or a chosen option.
#[derive(Debug, Deserialize)]
pub struct Action {
    pub user_id: String,
    pub channel_id: String,
    #[serde(default)]
    pub post_id: String,
    #[serde(default)]
    pub trigger_id: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
struct Context {
    #[serde(default)]
    sealed: String,
    selected_option: Option<String>,
}

impl Action {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let action: Self = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let ids = is_mattermost_id(&action.user_id) && is_mattermost_id(&action.channel_id);
        if ids && (action.post_id.is_empty() || is_mattermost_id(&action.post_id)) {
            Ok(action)
        } else {
            Err(Malformed)
        }
    }

    pub fn sealed(&self) -> &str {
        &self.context.sealed
    }

    /// The words of the control, with what was chosen; none if nothing was.
    pub fn words(&mut self, words: String) -> Option<Words> {
        if self.kind != "select" {
            return Some(Words::Typed(words));
        }
        let answer = self.context.selected_option.take()?;
        Some(Words::Answered { words, answers: vec![answer] })
    }

    pub fn trigger(&self) -> Option<Box<str>> {
        (!self.trigger_id.is_empty()).then(|| trigger(&self.user_id, &self.trigger_id))
    }

    /// What tells this press from every other.
    pub fn delivery(&self, body: &[u8]) -> Box<str> {
        if self.trigger_id.is_empty() { digest(body) } else { digest(self.trigger_id.as_bytes()) }
    }
}

/// `POST /mattermost/dialog`. Everything but `user_id` is whatever the person's client says.
#[derive(Debug, Deserialize)]
pub struct Submission {
    pub user_id: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub submission: Option<HashMap<String, Value>>,
    #[serde(default)]
    pub cancelled: bool,
}

impl Submission {
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let submission: Self = serde_json::from_slice(body).map_err(|_| Malformed)?;
        if is_mattermost_id(&submission.user_id) { Ok(submission) } else { Err(Malformed) }
    }
}

/// What may open a form for whom, for half a minute.
pub fn trigger(user: &str, trigger: &str) -> Box<str> {
    format!("{user} {trigger}").into()
}

pub fn key(channel: &str, direct: bool) -> ChannelKey {
    if direct { ChannelKey::mattermost_direct(channel) } else { ChannelKey::mattermost(channel) }
}

/// A conversation of two is named after both: `<id>__<id>`; no other channel may be.
fn is_direct(name: &str) -> bool {
    name.split_once("__").is_some_and(|(one, other)| is_mattermost_id(one) && is_mattermost_id(other))
}

fn digest(bytes: &[u8]) -> Box<str> {
    format!("mattermost:{}", hex::encode(&Sha256::digest(bytes)[..16])).into()
}

/// The names that a text mentions, each with where its `@` stands.
pub fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('@').filter_map(|(at, _)| {
        let begins = text[..at].chars().next_back().is_none_or(char::is_whitespace);
        let rest = &text[at + 1..];
        let name = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
        // A full stop or a comma behind a name is the sentence's.
        let name = name.trim_end_matches(['.', ',', ':', ';', '!', '?', '-', '_']);
        (begins && !name.is_empty()).then_some((at, name))
    })
}

/// As the command's words are read: typed markup escaped, people by their id.
pub fn as_sent(text: &str, people: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (at, name) in names(text) {
        let known = people.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let (true, Some((_, id))) = (at >= done, known.filter(|(_, id)| is_mattermost_id(id))) {
            out.push_str(&escape(&text[done..at]));
            out.push_str(&format!("<@{id}|{}>", escape(name)));
            done = at + 1 + name.len();
        }
    }
    out.push_str(&escape(&text[done..]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "awe1n8ibtff5fxeotkm17j4qth";
    const BOB: &str = "1trauhra43dczku9rz15cfs8yr";
    const CHANNEL: &str = "hrnnrbeujfgy7fy6zzs66j4xdc";

    fn command(more: &[(&str, &str)]) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("user_id", USER).append_pair("channel_id", CHANNEL);
        form.extend_pairs(more);
        form.finish().into_bytes()
    }

    #[test]
    fn a_command_is_read_with_whom_it_mentions() {
        let body = command(&[
            ("text", "assign users @bob, & <b>"),
            ("user_mentions", "bob"),
            ("user_mentions_ids", BOB),
            ("trigger_id", "abc"),
            ("response_url", "https://chat.example/hooks/commands/x"),
            ("token", "t0"),
        ]);
        assert_eq!(token(&body).as_deref(), Some("t0"));
        let inbound = slash(&body, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(inbound.words, Words::Typed(format!("assign users <@{BOB}|bob>, &amp; &lt;b&gt;")));
        assert_eq!(inbound.channel, ChannelKey::mattermost(CHANNEL));
        assert_eq!(inbound.trigger.as_deref(), Some(format!("{USER} abc").as_str()));
        let again = slash(&command(&[("trigger_id", "abc"), ("text", "other")]), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(again.delivery, inbound.delivery);
    }

    #[test]
    fn a_conversation_of_two_is_told_by_its_name() {
        let name = format!("{USER}__{BOB}");
        let direct = slash(&command(&[("channel_name", &name)]), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(direct.channel, ChannelKey::mattermost_direct(CHANNEL));
        let channel = slash(&command(&[("channel_name", "a__b")]), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(channel.channel, ChannelKey::mattermost(CHANNEL));
    }

    #[test]
    fn what_is_no_request_is_malformed() {
        assert!(slash(b"\xff", Timestamp::UNIX_EPOCH).is_err());
        assert!(slash(b"user_id=../me&channel_id=x", Timestamp::UNIX_EPOCH).is_err());
        for body in ["", "[]", "{}", r#"{"user_id":"../me","channel_id":"x"}"#] {
            assert!(Action::read(body.as_bytes()).is_err() && Submission::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
