//! Mattermost's Markdown as a person reads it, by a parser that is not the app's own.
//!
//! Emphasis marks stay, since a reader of a transcript wants to see them. Whatever would do more
//! than be read (notify everybody, show a picture, be HTML) is a fault.

use pulldown_cmark::{Alignment, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::people::Names;

/// Put behind a `@`, `~` or `:` it makes words of what would be more; nobody sees it.
const WORD_JOINER: char = '\u{2060}';
/// Drawn as large as the other signs; elsewhere it is ☐.
const OPEN_BOX: char = '⬜';
/// Names that notify more people than one.
const EVERYBODY: [&str; 3] = ["all", "here", "channel"];
/// Of the emoji that have a name, those that words from outside are tried with.
const EMOJI: [(&str, &str); 4] = [("tada", "🎉"), ("warning", "⚠"), ("white_check_mark", "✅"), ("x", "❌")];

/// What is read, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub text: String,
    pub faults: Vec<String>,
}

pub(super) fn read(markdown: &str, names: &Names) -> Reading {
    let mut reader = Reader {
        names,
        out: String::new(),
        faults: Vec::new(),
        lists: Vec::new(),
        open: Vec::new(),
        table: Vec::new(),
    };
    // A line ends where it ends: Mattermost does not join lines to paragraphs.
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in TextMergeStream::new(Parser::new_ext(markdown, options)) {
        reader.take(event);
    }
    Reading { text: reader.out.trim_end().to_owned(), faults: reader.faults }
}

struct Reader<'a> {
    names: &'a Names,
    out: String,
    faults: Vec<String>,
    /// The next number of each list that is open; none for bullets.
    lists: Vec<Option<u64>>,
    /// What is open, and where in the text it began.
    open: Vec<(Open, usize)>,
    /// The rows of the table that is open.
    table: Vec<Vec<String>>,
}

enum Open {
    Link(LinkType, String),
    Image,
    Code,
    Quote,
    Table(Vec<Alignment>),
    Cell,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.open.iter().any(|(open, _)| matches!(open, Open::Code)) => {
                self.out.push_str(&text);
            }
            Event::Text(text) => self.words(&text),
            Event::Code(code) => self.out.push_str(&format!("`{}`", shown(&code))),
            Event::SoftBreak | Event::HardBreak => self.out.push('\n'),
            Event::Rule => {
                self.line();
                self.out.push_str("---");
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            other => self.faults.push(format!("Markdown that nobody expects: {other:?}")),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock => self.line(),
            Tag::Strong => self.out.push('*'),
            Tag::Emphasis => self.out.push('_'),
            Tag::Strikethrough => self.out.push('~'),
            Tag::CodeBlock(_) => {
                self.line();
                self.out.push_str("```\n");
                self.begin(Open::Code);
            }
            Tag::BlockQuote(_) => {
                self.line();
                self.begin(Open::Quote);
            }
            Tag::List(first) => self.lists.push(first),
            Tag::Item => self.item(),
            Tag::Link { link_type, dest_url, .. } => self.begin(Open::Link(link_type, dest_url.into_string())),
            Tag::Image { dest_url, .. } => {
                self.faults.push(format!("an image: {dest_url}"));
                self.begin(Open::Image);
            }
            Tag::Table(alignments) => {
                self.line();
                self.begin(Open::Table(alignments));
            }
            Tag::TableHead | Tag::TableRow => self.table.push(Vec::new()),
            Tag::TableCell => self.begin(Open::Cell),
            other => self.faults.push(format!("Markdown that nobody expects: {other:?}")),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.out.push('*'),
            TagEnd::Emphasis => self.out.push('_'),
            TagEnd::Strikethrough => self.out.push('~'),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                self.open.pop();
                self.line();
                self.out.push_str("```");
            }
            TagEnd::Link | TagEnd::Image | TagEnd::BlockQuote(_) | TagEnd::Table | TagEnd::TableCell => self.close(),
            _ => {}
        }
    }

    fn begin(&mut self, open: Open) {
        self.open.push((open, self.out.len()));
    }

    fn close(&mut self) {
        let Some((open, from)) = self.open.pop() else { return };
        let inside = self.out.split_off(from);
        match open {
            Open::Link(kind, to) => {
                if !to.starts_with("https://") && !to.starts_with("http://") {
                    self.faults.push(format!("a link that leads to {to}"));
                }
                let bare = matches!(kind, LinkType::Autolink | LinkType::Email);
                self.out.push_str(&if bare { format!("<{to}>") } else { format!("{inside} <{to}>") });
            }
            Open::Image => self.out.push_str(&format!("({inside})")),
            Open::Quote => {
                let lines = inside.trim_start().lines().map(|line| format!("> {line}"));
                self.out.push_str(&lines.collect::<Vec<_>>().join("\n"));
            }
            Open::Cell => self.table.last_mut().expect("cells stand in rows").push(inside),
            Open::Table(alignments) => {
                let lines = aligned(&std::mem::take(&mut self.table), &alignments);
                self.out.push_str(&format!("```\n{lines}\n```"));
            }
            Open::Code => self.out.push_str(&inside),
        }
    }

    fn item(&mut self) {
        self.line();
        self.out.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number += 1;
            }
            _ => self.out.push_str("• "),
        }
    }

    /// What follows begins a line, unless a bullet has begun it.
    fn line(&mut self) {
        let bullet =
            self.out.ends_with("• ") || self.out.ends_with(". ") && self.lists.last().is_some_and(Option::is_some);
        if !self.out.is_empty() && !self.out.ends_with('\n') && !bullet {
            self.out.push('\n');
        }
    }

    fn html(&mut self, html: &CowStr<'_>) {
        self.faults.push(format!("raw HTML: {}", html.trim_end()));
        self.out.push_str(html);
    }

    /// Running text, in which some words are more than words.
    fn words(&mut self, text: &str) {
        let mut before = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            let begins = before.is_none_or(|b: char| !b.is_alphanumeric() && b != '_');
            let length = match c {
                '@' if begins => self.mention(after),
                '~' if begins => self.channel(after),
                ':' => self.emoji(after),
                WORD_JOINER => Some(0),
                OPEN_BOX => {
                    self.out.push('☐');
                    Some(0)
                }
                _ => None,
            };
            before = Some(c);
            rest = after;
            match length {
                Some(length) => {
                    before = rest[..length].chars().last().or(before);
                    rest = &rest[length..];
                }
                None => self.out.push(c),
            }
        }
    }

    /// How long the name is, if there is somebody of this name.
    fn mention(&mut self, after: &str) -> Option<usize> {
        let name = name(after);
        let first = name.split(['.', '-']).next().unwrap_or_default();
        let broadcast = [name, first].into_iter().find(|n| EVERYBODY.contains(&n.to_lowercase().as_str()));
        if let Some(broadcast) = broadcast {
            self.faults.push(format!("broadcast: @{broadcast}"));
            return None;
        }
        let found = [name, first].into_iter().find(|n| self.names.is_user(&n.to_lowercase()))?.to_lowercase();
        if self.names.unwanted.contains(&found) {
            self.faults.push(format!("@{found} is mentioned, whom nothing here is about"));
        }
        self.out.push_str(&format!("@{found}"));
        Some(found.len())
    }

    fn channel(&mut self, after: &str) -> Option<usize> {
        let name = name(after).to_lowercase();
        if !self.names.is_channel(&name) {
            return None;
        }
        let shown = format!("#{name}");
        if self.names.unwanted.contains(&shown) {
            self.faults.push(format!("~{name} is linked, which nothing here is about"));
        }
        self.out.push_str(&shown);
        Some(name.len())
    }

    fn emoji(&mut self, after: &str) -> Option<usize> {
        let (_, character) = EMOJI.iter().find(|(name, _)| after.starts_with(&format!("{name}:")))?;
        self.out.push_str(character);
        after.find(':').map(|end| end + 1)
    }
}

/// A table as where it is drawn with characters: its transcript is the same on every platform.
fn aligned(rows: &[Vec<String>], alignments: &[Alignment]) -> String {
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or_default();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(place, cell)| match (alignments[place], width(place)) {
            (Alignment::Right, width) => format!("{cell:>width$}"),
            (_, width) => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The name that a text begins with, as far as it could be one.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    text[..end.unwrap_or(text.len())].trim_end_matches(['.', '-', '_'])
}

/// A text without what nobody sees.
pub(super) fn shown(text: &str) -> String {
    text.replace(WORD_JOINER, "")
}
