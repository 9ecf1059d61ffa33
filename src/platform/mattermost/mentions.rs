//! Which posts call the bot, and what they say to it.

use serde::Deserialize;
use serde_json::Value;

use crate::chat::is_mattermost_id;
use crate::platform::separates;

/// A post, as far as it may be a command.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Post {
    pub id: Box<str>,
    pub user_id: Box<str>,
    pub channel_id: Box<str>,
    /// Of the thread that it stands in; empty if it begins one.
    #[serde(default)]
    pub root_id: Box<str>,
    #[serde(default)]
    pub message: String,
    /// Milliseconds since 1970, by the server's clock.
    #[serde(default)]
    pub create_at: i64,
    /// 0 if it stands as it was written.
    #[serde(default)]
    pub edit_at: i64,
    #[serde(default)]
    pub delete_at: i64,
    /// Empty for what a person wrote.
    #[serde(rename = "type", default)]
    kind: Box<str>,
    // Anything at all: plugins and other integrations write here.
    #[serde(default)]
    props: Value,
}

/// Who else than a person writes under a person's id, each marked by the server with a property of its own.
const INTEGRATIONS: [&str; 4] = ["from_webhook", "from_bot", "from_plugin", "from_oauth_app"];

impl Post {
    /// Whether its ids are ids: they become parts of paths and keys.
    pub fn is_whole(&self) -> bool {
        let ids = [&self.id, &self.user_id, &self.channel_id];
        ids.into_iter().all(|id| is_mattermost_id(id)) && (self.root_id.is_empty() || is_mattermost_id(&self.root_id))
    }

    /// Whether a person may have written it, as the server says: not the server itself, nor a program.
    pub fn is_a_persons(&self) -> bool {
        let is_set = |name: &&str| match self.props.get(*name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(value) => value != "" && value != "false",
        };
        self.kind.is_empty() && self.delete_at == 0 && !INTEGRATIONS.iter().any(is_set)
    }
}

/// What stands behind the first mention of a name, and behind the same once more; words before it are a
/// greeting. None if it is not mentioned: in code, nobody is.
pub fn after_mention<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = text[first_mention(text, name)?..].trim_start_matches(separates);
    while let Some((0, end)) = in_line(rest.lines().next().unwrap_or_default(), name) {
        rest = rest[end..].trim_start_matches(separates);
    }
    Some(rest)
}

/// Where the first mention ends.
fn first_mention(text: &str, name: &str) -> Option<usize> {
    let (mut at, mut fence) = (0, None);
    for line in text.split_inclusive('\n') {
        let begin = at;
        at += line.len();
        match (fence, fences(line)) {
            (None, None) => {
                if let Some((_, end)) = in_line(line, name) {
                    return Some(begin + end);
                }
            }
            (None, opened) => fence = opened,
            (Some(open), Some(closes)) if open == closes => fence = None,
            (Some(_), _) => {}
        }
    }
    None
}

/// The character of which this line begins or ends a block of code.
fn fences(line: &str) -> Option<char> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let run = line.len() - rest.len();
    // With more of them it is code within a line.
    (run >= 3 && !(mark == '`' && rest.contains('`'))).then_some(mark)
}

/// Where a name is mentioned in a line, outside of code: from its `@` to its end.
fn in_line(line: &str, name: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    for (at, c) in line.char_indices() {
        if at < from {
            continue;
        }
        let rest = &line[at + c.len_utf8()..];
        match c {
            '`' => {
                let run = 1 + rest.bytes().take_while(|b| *b == b'`').count();
                from = at + run;
                from = closing(&line[from..], run).map_or(from, |code| from + code);
            }
            '@' if !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.-@/".contains(c)) => {
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)));
                let whole = &rest[..length.unwrap_or(rest.len())];
                // A full stop behind a name is the sentence's.
                let known = [whole, whole.trim_end_matches(['_', '.', '-'])];
                if let Some(known) = known.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
                    return Some((at, at + 1 + known.len()));
                }
            }
            _ => {}
        }
    }
    None
}

/// Where code ends that as many backticks began.
fn closing(line: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(begin) = line[at..].find('`') {
        let length = line[at + begin..].bytes().take_while(|b| *b == b'`').count();
        at += begin + length;
        if length == run {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(text: &str) -> Option<&str> {
        after_mention(text, "sekoia")
    }

    #[test]
    fn what_stands_behind_a_mention_is_said_to_the_bot() {
        for (text, words) in [
            ("@sekoia status", "status"),
            ("@Sekoia: status", "status"),
            ("hello @sekoia, @sekoia status", "status"),
            ("@sekoia\u{a0}assign 1 @bob", "assign 1 @bob"),
            ("@sekoia\nstatus", "status"),
            ("(@sekoia) status", ") status"),
            ("thanks @sekoia.", "."),
            ("thanks\n> @sekoia next", "next"),
            ("@sekoia", ""),
            ("@bob @sekoia next", "next"),
            ("`x` @sekoia `next`", "`next`"),
            ("` @sekoia next", "next"),
            ("```x``` @sekoia next", "next"),
            ("```\nx\n```\n@sekoia next", "next"),
            ("@sekoia @bob @sekoia", "@bob @sekoia"),
        ] {
            assert_eq!(said(text), Some(words), "{text}");
        }
    }

    #[test]
    fn others_and_code_are_not_said_to_it() {
        for text in [
            "status",
            "@sekoia-test status",
            "@sekoia_ops status",
            "@sekoia.io status",
            "@sekoiabot status",
            "mail@sekoia status",
            "x/@sekoia status",
            "@@sekoia status",
            "type `@sekoia status`",
            "type ``@sekoia `status` ``",
            "```\n@sekoia status\n```",
            "~~~ sh\n@sekoia status\n```\n@sekoia next",
            "@all status",
            "@",
            "",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
        // A name that ends so is one too.
        assert_eq!(after_mention("@soc- next", "soc-"), Some("next"));
    }

    #[test]
    fn only_people_give_commands() {
        let post = |kind: &str, props: Value| {
            let post = json!({ "id": "p", "user_id": "u", "channel_id": "c", "type": kind, "props": props });
            serde_json::from_value::<Post>(post).unwrap().is_a_persons()
        };
        assert!(post("", json!({})) && post("", Value::Null) && post("", json!({ "from_bot": "false", "x": 1 })));
        for name in INTEGRATIONS {
            assert!(!post("", json!({ (name): "true" })) && !post("", json!({ (name): true })), "{name}");
        }
        assert!(!post("system_add_to_channel", json!({})) && !post("custom_poll", json!({})));
        assert!(!post("me", json!({})) && !post("slack_attachment", json!({})));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(text in "[@sekoia `~\n.,é]{0,60}") {
            if let Some(words) = said(&text) {
                prop_assert!(text.ends_with(words));
            }
        }
    }
}
