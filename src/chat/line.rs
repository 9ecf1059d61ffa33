//! A line of text as spans, and how instants and commands are written in it.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::text::visible;
use super::{ChannelKey, UserId};

/// Either a text of the program's own or words from outside that were made [`visible`].
pub type Text = Cow<'static, str>;

/// A line of text with emphasis and links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(pub Vec<Span>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    Plain(Text),
    Strong(Text),
    /// Something to type or to copy. A command of the bot's begins with [`CALL`]: where people call
    /// the bot by another word, that one is shown.
    Code(Text),
    Link {
        label: Text,
        url: Text,
    },
    Person(UserId),
    /// A user group of the platform where it is shown, by the platform's id.
    Group(Box<str>),
    Channel(ChannelKey),
    /// An instant, shown as [`minute`] writes it.
    Moment(Timestamp),
}

impl Line {
    pub fn new() -> Self {
        Self::default()
    }

    /// The program's own words.
    #[must_use]
    pub fn say(mut self, text: impl Into<Text>) -> Self {
        self.0.push(Span::Plain(text.into()));
        self
    }

    #[must_use]
    pub fn strong(mut self, text: impl Into<Text>) -> Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    #[must_use]
    pub fn code(mut self, text: impl Into<Text>) -> Self {
        self.0.push(Span::Code(text.into()));
        self
    }

    #[must_use]
    pub fn link(mut self, label: impl Into<Text>, url: impl Into<Text>) -> Self {
        self.0.push(Span::Link { label: label.into(), url: url.into() });
        self
    }

    #[must_use]
    pub fn person(mut self, user: &UserId) -> Self {
        self.0.push(Span::Person(user.clone()));
        self
    }

    #[must_use]
    pub fn group(mut self, id: Box<str>) -> Self {
        self.0.push(Span::Group(id));
        self
    }

    #[must_use]
    pub fn channel(mut self, channel: &ChannelKey) -> Self {
        self.0.push(Span::Channel(channel.clone()));
        self
    }

    #[must_use]
    pub fn moment(mut self, at: Timestamp) -> Self {
        self.0.push(Span::Moment(at));
        self
    }

    /// The same with another line behind it.
    #[must_use]
    pub fn append(mut self, other: Line) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The program's own words, in which backticks mark what can be typed. What people or Sekoia
    /// typed has backticks of its own: it goes into a span, never into this text.
    pub fn marked(text: &str) -> Self {
        let mut line = Line::new();
        for (i, part) in text.split('`').enumerate() {
            if part.is_empty() {
                continue;
            }
            line = if i % 2 == 1 { line.code(part.to_owned()) } else { line.say(part.to_owned()) };
        }
        line
    }

    /// Everybody whom it names.
    pub fn people(&self) -> impl Iterator<Item = &UserId> {
        self.0.iter().filter_map(|span| match span {
            Span::Person(user) => Some(user),
            _ => None,
        })
    }

    /// The line without emphasis, people as ids.
    pub fn plain(&self) -> String {
        self.plain_with(&|_| None)
    }

    /// The line without emphasis, people by the name that is known of them, or else as ids.
    pub fn plain_with(&self, name: &dyn Fn(&UserId) -> Option<String>) -> String {
        let mut out = String::new();
        for span in &self.0 {
            match span {
                Span::Plain(t) | Span::Strong(t) | Span::Code(t) => out.push_str(&visible(t)),
                Span::Link { label, url } => {
                    out.push_str(&visible(label));
                    out.push_str(" (");
                    out.push_str(url);
                    out.push(')');
                }
                Span::Person(user) => out.push_str(&name(user).unwrap_or_else(|| user.to_string())),
                Span::Group(id) => out.push_str(id),
                Span::Channel(channel) => out.push_str(channel.channel()),
                Span::Moment(at) => out.push_str(&minute(*at)),
            }
        }
        out
    }
}

/// One sentence for where nothing stands out: what can be typed is in quotes.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for span in &self.0 {
            match span {
                // What has quotes of its own stands out enough.
                Span::Code(text) if text.contains('"') => f.write_str(&visible(text))?,
                Span::Code(text) => write!(f, "\"{}\"", visible(text))?,
                other => f.write_str(&Line(vec![other.clone()]).plain())?,
            }
        }
        Ok(())
    }
}

/// The sign of what is still to do, as large as the other signs wherever a platform draws those.
pub const OPEN: &str = "☐ ";

/// What calls the bot, unless the server has another word for it.
pub const CALL: &str = "/sekoia";

/// Something to type, as it is typed where `call` calls the bot.
pub fn called<'a>(call: &str, typed: &'a str) -> Cow<'a, str> {
    match typed.strip_prefix(CALL) {
        Some(words) if call != CALL && (words.is_empty() || words.starts_with(' ')) => format!("{call}{words}").into(),
        _ => typed.into(),
    }
}

impl From<&'static str> for Line {
    fn from(text: &'static str) -> Self {
        Line::new().say(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Line::new().say(text)
    }
}

impl From<Text> for Line {
    fn from(text: Text) -> Self {
        Line::new().say(text)
    }
}

/// `2026-11-23 09:30 UTC`: how an instant is written wherever people read one. Platforms that could
/// write it in each reader's own way differ, and what is copied from them names no zone.
pub fn minute(at: Timestamp) -> String {
    format!("{} UTC", clock(at, &TimeZone::UTC))
}

/// `2026-11-23 10:30`, on the clocks of a zone that is named beside it.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `in 5 h`: how far ahead an instant is, rounded down.
pub fn ahead(at: Timestamp, now: Timestamp) -> String {
    match at.duration_since(now).as_mins() {
        ..1 => "now".into(),
        minutes @ 1..120 => format!("in {minutes} min"),
        minutes @ 120..2_880 => format!("in {} h", minutes / 60),
        minutes => format!("in {} days", minutes / 1_440),
    }
}

/// `2026-11-23`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn a_command_begins_with_what_calls_the_bot() {
        let typed = ["/sekoia setup", "/sekoia", "/sekoiax", "setup /sekoia"];
        assert_eq!(typed.map(|text| called("/soc", text)), ["/soc setup", "/soc", "/sekoiax", "setup /sekoia"]);
        assert_eq!(typed.map(|text| called(CALL, text)), typed);
    }

    #[test]
    fn an_instant_is_written_in_one_way_with_its_zone() {
        let at: Timestamp = "2026-12-01T23:05:59Z".parse().unwrap();
        assert_eq!(minute(at), "2026-12-01 23:05 UTC");
        assert_eq!(Line::new().say("until ").moment(at).plain(), "until 2026-12-01 23:05 UTC");
        assert_eq!(clock(at, &TimeZone::get("Europe/Paris").unwrap()), "2026-12-02 00:05");
    }

    #[test]
    fn what_is_ahead_is_never_said_to_be_further_than_it_is() {
        let now: Timestamp = "2026-12-01T23:05:59Z".parse().unwrap();
        let said = |minutes: i64| ahead(now + minutes.minutes(), now);
        assert_eq!(
            [-5, 0, 1, 119, 120, 1_439, 2_879, 2_880, 4_400].map(said),
            ["now", "now", "in 1 min", "in 119 min", "in 2 h", "in 23 h", "in 47 h", "in 2 days", "in 3 days"]
        );
    }
}
