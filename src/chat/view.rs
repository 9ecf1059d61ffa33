//! Neutral messages and forms: what is said, not how a platform draws it.
//!
//! Text is a [`Line`] of spans and never markup, so that a name full of markup stays a name on
//! every platform. Every control carries the typed words that it stands for: a click and the same
//! words typed take one path, with one check of rights.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

pub use super::table::{Column, Table};
use super::text::visible;
use super::{ChannelKey, UserId};

/// Either a text of the program's own or words from outside that were made [`visible`].
pub type Text = Cow<'static, str>;

/// One message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// The message in one plain sentence: notifications, screen readers, and the fallback for a
    /// platform that refuses the rest.
    pub summary: Line,
    pub blocks: Vec<Block>,
    pub tone: Tone,
    /// So many blocks keep their controls where they stand.
    pub kept: usize,
    /// Room for a platform to keep what it made of a view that is said again and again.
    pub made: Made,
}

/// How things stand with what a message is about, for a platform that can show it at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Plain,
    /// A person or a process is waited for.
    Waiting,
    Done,
    /// Refused, failed, or too late.
    Refused,
    /// A person should look now.
    Urgent,
}

/// What a platform made of a view; of no account when two views are compared.
#[derive(Debug, Clone, Default)]
pub struct Made(pub OnceLock<Bytes>);

impl PartialEq for Made {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Heading(Text),
    /// One line of running text; the id is stable, for tests and for assistive tools.
    Line(Option<&'static str>, Line),
    Bullets(Vec<Line>),
    /// Fixed-width text that somebody will copy.
    Code(String),
    Table(Table),
    /// A list: a table where the platform draws tables, these lines elsewhere.
    List(Table, Vec<Line>),
    /// Small print.
    Note(Line),
    Controls(Vec<Control>),
}

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
    Channel(ChannelKey),
    /// An instant, shown as [`minute`] writes it.
    Moment(Timestamp),
}

/// Something to press. `words` are the typed command that it stands for; a choice is appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    Button { label: Text, words: Text, style: Style, confirm: Option<Confirm> },
    Menu { label: Text, words: Text, options: Vec<Choice> },
    Person { label: Text, words: Text },
    Day { label: Text, words: Text },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub label: Text,
    pub value: Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Primary,
    Danger,
}

/// A question asked before a press counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    pub title: Text,
    pub text: Text,
    pub yes: Text,
}

/// A form: its answers, in the order of the fields, are appended to `words`.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub title: Text,
    pub words: Text,
    /// What to type where no form can be opened.
    pub typed: Text,
    pub submit: Text,
    pub intro: Line,
    pub fields: Vec<Field>,
}

/// Something to fill in. Its answer is one text, whatever it is asked by.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub label: Text,
    pub hint: Text,
    /// May be left empty: its answer is then the empty text.
    pub optional: bool,
    pub kind: FieldKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    Text {
        multiline: bool,
        max_length: u16,
        /// What stands in it from the start.
        initial: Text,
    },
    /// One of these, or several: the answer is their values, with commas between.
    Choice {
        groups: Vec<Group>,
        several: bool,
        /// The values that are chosen from the start.
        initial: Vec<Text>,
    },
    /// A text file of the reader's: the answer is its content.
    File {
        /// `csv`, `txt`: what is offered to choose from.
        extensions: &'static [&'static str],
        /// What to do where forms take no files: they ask for the text.
        instead: &'static str,
    },
}

/// Choices under a label; a group without a label stands alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub label: Text,
    pub options: Vec<Choice>,
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

impl Block {
    /// Its running text.
    fn lines(&self) -> &[Line] {
        match self {
            Block::Line(_, line) | Block::Note(line) => std::slice::from_ref(line),
            Block::Bullets(lines) | Block::List(_, lines) => lines,
            Block::Heading(_) | Block::Code(_) | Block::Table(_) | Block::Controls(_) => &[],
        }
    }

    fn lines_mut(&mut self) -> &mut [Line] {
        match self {
            Block::Line(_, line) | Block::Note(line) => std::slice::from_mut(line),
            Block::Bullets(lines) | Block::List(_, lines) => lines,
            Block::Heading(_) | Block::Code(_) | Block::Table(_) | Block::Controls(_) => &mut [],
        }
    }
}

impl From<Text> for Line {
    fn from(text: Text) -> Self {
        Line::new().say(text)
    }
}

impl View {
    pub fn new(summary: impl Into<Line>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// Every line of running text, the summary first.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.summary).chain(self.blocks.iter().flat_map(Block::lines))
    }

    pub fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        std::iter::once(&mut self.summary).chain(self.blocks.iter_mut().flat_map(Block::lines_mut))
    }

    /// A message of one sentence.
    pub fn sentence(line: impl Into<Line>) -> Self {
        let line = line.into();
        Self { summary: line.clone(), blocks: vec![Block::Line(None, line)], ..Self::default() }
    }

    #[must_use]
    pub fn heading(mut self, text: impl Into<Text>) -> Self {
        self.blocks.push(Block::Heading(text.into()));
        self
    }

    #[must_use]
    pub fn line(mut self, line: impl Into<Line>) -> Self {
        self.blocks.push(Block::Line(None, line.into()));
        self
    }

    #[must_use]
    pub fn bullets(mut self, lines: Vec<Line>) -> Self {
        if !lines.is_empty() {
            self.blocks.push(Block::Bullets(lines));
        }
        self
    }

    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Code(text.into()));
        self
    }

    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }

    /// A list: `lines` say the same as the rows of `table`.
    #[must_use]
    pub fn list(mut self, table: Table, lines: Vec<Line>) -> Self {
        if !lines.is_empty() {
            self.blocks.push(Block::List(table, lines));
        }
        self
    }

    #[must_use]
    pub fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    #[must_use]
    pub fn note(mut self, line: impl Into<Line>) -> Self {
        self.blocks.push(Block::Note(line.into()));
        self
    }

    /// All that can be pressed stands together: what was added before moves down to this.
    #[must_use]
    pub fn controls(mut self, controls: Vec<Control>) -> Self {
        if controls.is_empty() {
            return self;
        }
        let mut all = Vec::new();
        for block in self.blocks.extract_if(self.kept.., |block| matches!(block, Block::Controls(_))) {
            if let Block::Controls(before) = block {
                all.extend(before);
            }
        }
        all.extend(controls);
        self.blocks.push(Block::Controls(all));
        self
    }

    /// Controls of the lines above them alone, as in a list of requests; they stay where they are.
    #[must_use]
    pub fn item_controls(mut self, controls: Vec<Control>) -> Self {
        if !controls.is_empty() {
            self.blocks.push(Block::Controls(controls));
        }
        self.kept = self.blocks.len();
        self
    }

    /// 16 hexadecimal digits that tell what this shows from what anything else shows.
    pub fn fingerprint(&self) -> Box<str> {
        let digest = Sha256::digest(format!("{:?}", self.blocks));
        hex::encode(&digest[..8]).into()
    }

    /// Everything that the message says, without controls, people as ids.
    pub fn plain(&self) -> String {
        self.plain_with(&|_| None)
    }

    /// The same, with people by the name that is known of them.
    pub fn plain_with(&self, name: &dyn Fn(&UserId) -> Option<String>) -> String {
        let mut lines: Vec<String> = Vec::new();
        for block in &self.blocks {
            match block {
                Block::Heading(text) => lines.push(visible(text).into_owned()),
                Block::Line(_, line) | Block::Note(line) => lines.push(line.plain_with(name)),
                Block::Bullets(bullets) | Block::List(_, bullets) => {
                    lines.extend(bullets.iter().map(|b| format!("• {}", b.plain_with(name))));
                }
                Block::Code(text) => lines.push(text.clone()),
                Block::Table(table) => lines.push(table.aligned()),
                Block::Controls(_) => {}
            }
        }
        lines.join("\n")
    }
}

impl Control {
    pub fn button(label: impl Into<Text>, words: impl Into<Text>) -> Self {
        Self::Button { label: label.into(), words: words.into(), style: Style::Plain, confirm: None }
    }

    pub fn primary(label: impl Into<Text>, words: impl Into<Text>) -> Self {
        Self::Button { label: label.into(), words: words.into(), style: Style::Primary, confirm: None }
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
    fn all_that_can_be_pressed_stands_together() {
        let button = |label: &'static str| Control::button(label, label);
        let view = View::sentence("Keys").controls(vec![button("Next")]).note("See").controls(vec![button("Open")]);
        assert_eq!(view.blocks.len(), 3);
        assert_eq!(view.blocks[2], Block::Controls(vec![button("Next"), button("Open")]));
        // But for what belongs to one of several.
        let items = View::sentence("One").item_controls(vec![button("Do")]).line("Two").item_controls(vec![]);
        let view = items.controls(vec![button("Next")]).note("See").controls(vec![button("Open")]);
        assert_eq!(view.blocks[1], Block::Controls(vec![button("Do")]));
        assert_eq!(view.blocks[4], Block::Controls(vec![button("Next"), button("Open")]));
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
