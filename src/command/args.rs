//! What follows a command's name, taken word by word; what is left over is a fault.

use super::fault::Fault;
use super::lexer::Word;
use super::table::Spec;
use crate::checklist::StepId;
use crate::platform::UserId;

pub(super) struct Args<'a> {
    words: std::vec::IntoIter<Word>,
    pub spec: &'static Spec,
    /// The one on which it was said: whose people are meant.
    platform: &'a str,
}

impl<'a> Args<'a> {
    pub fn new(spec: &'static Spec, words: Vec<Word>, platform: &'a str) -> Self {
        Self { words: words.into_iter(), spec, platform }
    }

    pub fn next(&mut self) -> Option<Word> {
        self.words.next()
    }

    /// Takes the next word if it is this keyword, in any case and unquoted.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.words.as_slice().first(), Some(Word::Bare(w)) if w.eq_ignore_ascii_case(keyword));
        if found {
            self.words.next();
        }
        found
    }

    /// The same for the last word.
    pub fn keyword_at_end(&mut self, keyword: &str) -> bool {
        let found = matches!(self.words.as_slice().last(), Some(Word::Bare(w)) if w.eq_ignore_ascii_case(keyword));
        if found {
            self.words.next_back();
        }
        found
    }

    /// Everything that is left, as it was said.
    pub fn rest(&mut self) -> Option<String> {
        let words: Vec<String> = self
            .words
            .by_ref()
            .map(|w| match w {
                Word::Person(id) => format!("<@{id}>"),
                Word::Bare(t) | Word::Value(t) => t,
            })
            .collect();
        let text = words.join(" ").trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub fn step(&mut self) -> Result<StepId, Fault> {
        let word = self.next().ok_or_else(|| self.missing("which step"))?;
        StepId::find(word.text()).ok_or_else(|| {
            let names = StepId::all().map(StepId::name);
            let near = super::parse::nearest(word.text(), names);
            let hint =
                near.map_or_else(|| "1 to 7, or a name such as `users`".into(), |n| format!("did you mean `{n}`?"));
            self.bad(word.text(), "a step", hint)
        })
    }

    /// A page number, from 1.
    pub fn page(&mut self) -> Result<usize, Fault> {
        self.number("a page", 1, 1, 10_000)
    }

    pub fn number(&mut self, what: &'static str, default: usize, min: usize, max: usize) -> Result<usize, Fault> {
        let Some(word) = self.next() else { return Ok(default) };
        match word.text().parse() {
            Ok(n) if (min..=max).contains(&n) => Ok(n),
            _ => Err(self.bad(word.text(), what, format!("give a number from {min} to {max}"))),
        }
    }

    /// A person, or `None` for `nobody`.
    pub fn person(&mut self) -> Result<Option<UserId>, Fault> {
        let word = self.next().ok_or_else(|| self.missing("who"))?;
        if let Word::Person(id) | Word::Value(id) = &word
            && let Some(user) = UserId::of(self.platform, id)
        {
            return Ok(Some(user));
        }
        match &word {
            Word::Bare(w) if ["nobody", "none", "-"].contains(&w.to_lowercase().as_str()) => Ok(None),
            other => Err(self.bad(
                other.text(),
                "a person",
                "pick the name that the chat offers after `@`, or `nobody`".into(),
            )),
        }
    }

    pub fn missing(&self, what: &'static str) -> Fault {
        Fault::Missing { spec: self.spec, what }
    }

    pub fn bad(&self, value: &str, what: &'static str, hint: String) -> Fault {
        Fault::BadValue { spec: self.spec, value: value.to_owned(), what, hint }
    }

    /// Nothing may be left.
    pub fn finish(mut self) -> Result<(), Fault> {
        match self.rest() {
            None => Ok(()),
            Some(text) => Err(Fault::Leftover { spec: self.spec, text }),
        }
    }
}
