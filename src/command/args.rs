//! What follows a command's name, taken word by word; what is left over is a fault.

use super::fault::Fault;
use super::lexer::Word;
use super::spec::Spec;
use crate::chat::text::same;
use crate::chat::{Answers, UserId};
use crate::domain::checklist::StepId;

/// Stands before what a form brings: what a person types never begins so by accident.
pub const FORM: &str = "--form";
/// Stands before a page's number.
pub(super) const PAGE: &str = "page";
const MOST_PAGES: usize = 10_000;

pub(super) struct Args<'a> {
    words: std::vec::IntoIter<Word>,
    pub spec: &'static Spec,
    /// The one on which it was said: whose people are meant.
    platform: &'a str,
    /// What was filled into a form, if it is one.
    filled: Option<Answers>,
}

impl<'a> Args<'a> {
    pub fn new(spec: &'static Spec, words: Vec<Word>, platform: &'a str) -> Self {
        Self { words: words.into_iter(), spec, platform, filled: None }
    }

    #[must_use]
    pub fn filled(self, filled: Option<Answers>) -> Self {
        Self { filled, ..self }
    }

    pub fn platform(&self) -> &'a str {
        self.platform
    }

    pub fn next(&mut self) -> Option<Word> {
        self.words.next()
    }

    /// What is left, in the words that would say it again.
    pub fn left(&self) -> String {
        typed(self.words.as_slice())
    }

    /// Makes these what is left.
    pub fn put_back(&mut self, words: Vec<Word>) {
        self.words = words.into_iter();
    }

    /// Everything that is left, and stays.
    pub fn all(&self) -> &[Word] {
        self.words.as_slice()
    }

    /// Everything that is left.
    pub fn take(&mut self) -> Vec<Word> {
        self.words.by_ref().collect()
    }

    pub fn peek(&self) -> Option<&Word> {
        self.words.as_slice().first()
    }

    pub fn is_empty(&self) -> bool {
        self.words.as_slice().is_empty()
    }

    /// Takes the next word if it is this keyword, in any case and unquoted.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.words.as_slice().first().is_some_and(|w| is(w, keyword));
        if found {
            self.words.next();
        }
        found
    }

    /// The same for the last word.
    pub fn keyword_at_end(&mut self, keyword: &str) -> bool {
        let found = self.words.as_slice().last().is_some_and(|w| is(w, keyword));
        if found {
            self.words.next_back();
        }
        found
    }

    /// Takes this word out wherever it stands, as a client may have written it.
    pub fn flag(&mut self, flag: &str) -> bool {
        // Some keyboards make one dash of two.
        let is = |w: &Word| matches!(w, Word::Bare(w) if w.trim_start_matches(['-', '–', '—']) == flag && w.len() > flag.len());
        let words: Vec<Word> = self.words.by_ref().collect();
        let before = words.len();
        let rest: Vec<Word> = words.into_iter().filter(|w| !is(w)).collect();
        let found = rest.len() < before;
        self.words = rest.into_iter();
        found
    }

    /// The words up to one of these keywords, which is left.
    pub fn until(&mut self, keywords: &[&str]) -> Vec<Word> {
        let stops = |w: &Word| keywords.iter().any(|k| is(w, k));
        let mut taken = Vec::new();
        while self.words.as_slice().first().is_some_and(|w| !stops(w)) {
            taken.extend(self.words.next());
        }
        taken
    }

    /// What stands behind `keyword`, up to one of `keywords`.
    pub fn behind(&mut self, keyword: &str, keywords: &[&str]) -> Result<Option<Vec<Word>>, Fault> {
        if !self.keyword(keyword) {
            return Ok(None);
        }
        let words = self.until(keywords);
        if words.is_empty() {
            return Err(self.bad(keyword, "complete", format!("something has to follow `{keyword}`")));
        }
        Ok(Some(words))
    }

    /// The next word as it is; none if nothing stands there.
    pub fn value(&mut self) -> Option<String> {
        self.next().map(|w| w.text().to_owned()).filter(|text| !text.trim().is_empty())
    }

    /// Whether a form was filled in, which its words say.
    ///
    /// # Errors
    /// They say so, and nothing was filled in.
    pub fn form(&mut self) -> Result<bool, Fault> {
        if !self.keyword(FORM) {
            return Ok(false);
        }
        if self.filled.is_some() {
            return Ok(true);
        }
        self.words = Vec::new().into_iter();
        Err(Fault::NoForm { spec: self.spec })
    }

    /// What was filled into a field of the form; none if it was left empty.
    pub fn answer(&mut self, field: &str) -> Option<String> {
        self.filled.as_mut()?.remove(field).filter(|text| !text.trim().is_empty())
    }

    /// A reason: that of a form, or everything that is left.
    pub fn reason(&mut self) -> Option<String> {
        self.answer("reason").map(|reason| reason.trim().to_owned()).or_else(|| self.rest())
    }

    /// Everything that is left, as it was said.
    pub fn rest(&mut self) -> Option<String> {
        let words: Vec<String> = self.words.by_ref().map(Word::said).collect();
        let text = words.join(" ").trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub fn step(&mut self) -> Result<StepId, Fault> {
        let word = self.next().ok_or_else(|| self.missing("which step"))?;
        StepId::find(word.text()).ok_or_else(|| {
            let names = StepId::all().map(StepId::name);
            match super::suggest::nearest(word.text(), names) {
                Some(near) => self.slip(word.text(), "a step", near, &self.left()),
                None => self.bad(word.text(), "a step", "1 to 7, or a name such as `users`".into()),
            }
        })
    }

    /// The number of a page at the end, with or without `page` before it. A name stays before it.
    pub fn page_at_end(&mut self) -> Option<usize> {
        let [.., _, Word::Bare(last)] = self.words.as_slice() else { return None };
        let page = last.parse().ok().filter(|n| (1..=MOST_PAGES).contains(n))?;
        self.words.next_back();
        if self.words.len() > 1 {
            self.keyword_at_end(PAGE);
        }
        Some(page)
    }

    /// A page number, from 1.
    pub fn page(&mut self) -> Result<usize, Fault> {
        self.keyword(PAGE);
        self.number("a page", 1, 1, MOST_PAGES)
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
        if let Word::Person { id, .. } | Word::Value(id) = &word
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
        Fault::BadValue { spec: self.spec, value: value.to_owned(), what, hint, instead: None }
    }

    /// A slip: `near` was meant, and `rest` behind it.
    pub fn slip(&self, value: &str, what: &'static str, near: &str, rest: &str) -> Fault {
        let instead = Some(format!("{} {near} {rest}", self.spec.name).trim_end().to_owned());
        let hint = format!("did you mean `{near}`?");
        Fault::BadValue { spec: self.spec, value: value.to_owned(), what, hint, instead }
    }

    /// Nothing may be left.
    pub fn finish(mut self) -> Result<(), Fault> {
        match self.rest() {
            None => Ok(()),
            Some(text) => Err(Fault::Leftover { spec: self.spec, text }),
        }
    }
}

/// Whether a word is this keyword, in any case and unquoted.
pub(super) fn is(word: &Word, keyword: &str) -> bool {
    matches!(word, Word::Bare(w) if same(w, keyword))
}

/// Words as they are typed, to mean the same again.
pub(super) fn typed(words: &[Word]) -> String {
    words.iter().map(Word::typed).collect::<Vec<_>>().join(" ")
}

/// Several words as one text.
pub(super) fn text(words: Vec<Word>) -> String {
    words.into_iter().map(Word::said).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Entries between commas; what was quoted is an entry of its own.
pub(super) fn list(words: Vec<Word>) -> Vec<String> {
    let mut entries = vec![String::new()];
    for word in words {
        match word {
            Word::Value(text) => entries.extend([text, String::new()]),
            word => {
                for (i, part) in word.said().split(',').enumerate() {
                    if i > 0 {
                        entries.push(String::new());
                    }
                    if let Some(last) = entries.last_mut() {
                        last.push(' ');
                        last.push_str(part);
                    }
                }
            }
        }
    }
    entries.iter().map(|e| e.trim().to_owned()).filter(|e| !e.is_empty()).collect()
}
