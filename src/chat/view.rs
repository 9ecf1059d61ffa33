//! Neutral messages and forms: what is said, not how a platform draws it.
//!
//! Text is a [`Line`] of spans and never markup, so that a name full of markup stays a name on
//! every platform. Every control carries the typed words that it stands for: a click and the same
//! words typed take one path, with one check of rights.

use sha2::{Digest, Sha256};

use super::UserId;
pub use super::line::{CALL, Line, OPEN, Span, Text, ahead, called, clock, day, minute};
pub use super::table::{Column, Table};
use super::text::visible;

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

/// A form. What is filled in comes back with `words`, by the names of the fields.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
