//! A list as people paste it: addresses with names, bullets, numbers and whatever a chat or a mail
//! program put around them.

use super::address::{MARKUP, address};
use super::heading::{Heading, folded, heading};
use super::{Entry, Place, Row};

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Address(String),
    /// Something with an `@` that is no address, and why.
    Wrong(String, &'static str),
    Words(String),
    /// What opens a bracket that has an address in it.
    Open(char),
    Comma,
    Semicolon,
    /// A tab, or the bar of a table.
    Gap,
}

/// What a piece of a line came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Person(String),
    Wrong(String, &'static str),
    /// One entry that names two addresses.
    Two(String, String),
    /// Words that belong to no address.
    Loose(String),
}

/// What is usual in the whole list, so that it need not be guessed line by line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// There are several lines, so that two words before an address are its owner's names.
    pub lines: bool,
    names_first: bool,
    names_last: bool,
}

/// The entries of a list. The lines are counted where there are several.
pub(super) fn rows(text: &str) -> Vec<Row> {
    let lines: Vec<(usize, Vec<Token>)> =
        text.lines().enumerate().map(|(i, line)| (i + 1, tokens(line))).filter(|(_, t)| !t.is_empty()).collect();
    let shape = shape(&lines);
    let mut rows = Vec::new();
    for (i, (number, tokens)) in lines.into_iter().enumerate() {
        if i == 0 && is_heading(&tokens) {
            continue;
        }
        let place = if shape.lines { Place::Line(number) } else { Place::Untold };
        rows.extend(items(&tokens, shape).into_iter().map(|item| row(place, item)));
    }
    rows
}

/// The entries of one cell of a table.
pub(super) fn cell(text: &str) -> Vec<Item> {
    let shape = Shape { lines: true, ..Shape::default() };
    text.lines().flat_map(|line| items(&tokens(line), shape)).collect()
}

fn row(place: Place, item: Item) -> Row {
    match item {
        Item::Person(address) => Row::person(place, Entry { address, ..Entry::default() }),
        Item::Wrong(word, why) => Row::wrong(place, &word, why),
        Item::Two(one, other) => {
            Row::left_out(place, format!("names two addresses, {one} and {other}: keep the one that is meant"))
        }
        Item::Loose(words) => Row::nobody(place, &words),
    }
}

/// A list with one column may have a heading.
fn is_heading(tokens: &[Token]) -> bool {
    matches!(tokens, [Token::Words(words)] if heading(words) == Heading::Mail)
}

fn shape(lines: &[(usize, Vec<Token>)]) -> Shape {
    let at = |tokens: &[Token]| -> Option<(usize, usize)> {
        let mut places = tokens.iter().enumerate().filter(|(_, t)| matches!(t, Token::Address(_) | Token::Wrong(..)));
        let (first, _) = places.next()?;
        places.next().is_none().then_some((first, tokens.len() - 1 - first))
    };
    let ends: Vec<Option<(usize, usize)>> = lines.iter().map(|(_, tokens)| at(tokens)).collect();
    let several = lines.len() > 1;
    let all = |fits: fn(&(usize, usize)) -> bool| several && ends.iter().all(|e| e.as_ref().is_some_and(fits));
    Shape {
        lines: several,
        names_first: all(|(before, after)| *before > 0 && *after == 0),
        names_last: all(|(before, after)| *before == 0 && *after > 0),
    }
}

/// Characters of what stands in quotes or brackets: so far their end is looked for.
const LONGEST_NAME: usize = 200;

/// Splits a line. Total and linear.
fn tokens(line: &str) -> Vec<Token> {
    let chars: Vec<char> = line.chars().collect();
    let mut out: Vec<Token> = Vec::new();
    let mut word = String::new();
    // Where the quote ends that an address stands in.
    let mut quote_ends = None;
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        i += 1;
        if is_word(c) {
            word.push(c);
            continue;
        }
        // `b)` in front of a line; numbers are found below.
        if c == ')' && out.is_empty() && word.chars().count() == 1 {
            word.clear();
        }
        end_word(&mut out, &mut word);
        match c {
            ',' | '，' | '、' => out.push(Token::Comma),
            ';' | '；' => out.push(Token::Semicolon),
            '\t' | '|' => out.push(Token::Gap),
            '<' => out.push(Token::Open(c)),
            _ => {
                let Some(close) = closing(c).filter(|_| quote_ends != Some(i - 1)) else { continue };
                let Some(length) = chars[i..].iter().take(LONGEST_NAME).position(|c| close.contains(c)) else {
                    continue;
                };
                let inner: String = chars[i..i + length].iter().collect();
                let bracket = matches!(c, '(' | '[' | '（');
                if inner.contains('@') {
                    if bracket {
                        out.push(Token::Open(c));
                    } else {
                        quote_ends = Some(i + length);
                    }
                } else {
                    // A remark in brackets is nobody's name.
                    if !bracket && inner.chars().any(char::is_alphanumeric) {
                        push_words(&mut out, inner.trim());
                    }
                    i += length + 1;
                }
            }
        }
    }
    end_word(&mut out, &mut word);
    unwrap_markup(&mut out);
    without_bullet(&mut out);
    while matches!(out.last(), Some(Token::Comma | Token::Semicolon | Token::Gap)) {
        out.pop();
    }
    let first = out.iter().position(|t| !matches!(t, Token::Comma | Token::Semicolon | Token::Gap));
    out.drain(..first.unwrap_or(out.len()));
    out
}

fn is_word(c: char) -> bool {
    !(c.is_whitespace() || ",;，；、|<>()[]（）\"“”„«»".contains(c))
}

fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' | '“' | '”' | '„' => Some(&['"', '“', '”']),
        '«' => Some(&['»']),
        '(' => Some(&[')']),
        '（' => Some(&['）']),
        '[' => Some(&[']']),
        _ => None,
    }
}

fn end_word(out: &mut Vec<Token>, word: &mut String) {
    if word.contains('@') {
        out.push(match address(word) {
            Ok(address) => Token::Address(address),
            Err(why) => Token::Wrong(std::mem::take(word), why),
        });
    } else if word.chars().any(char::is_alphanumeric) {
        push_words(out, word);
    }
    word.clear();
}

fn push_words(out: &mut Vec<Token>, words: &str) {
    if words.is_empty() {
        return;
    }
    match out.last_mut() {
        Some(Token::Words(before)) => {
            before.push(' ');
            before.push_str(words);
        }
        _ => out.push(Token::Words(words.to_owned())),
    }
}

/// Markup that opens before one address and closes behind a later one, as around a bold line.
fn unwrap_markup(tokens: &mut [Token]) {
    let last = tokens.iter().rposition(|t| matches!(t, Token::Address(_)));
    for (i, token) in tokens.iter_mut().enumerate() {
        if let Token::Wrong(word, _) = token
            && let Some(sign) = word.chars().next().filter(|c| MARKUP.contains(c))
            && last.is_some_and(|last| last > i)
            && let Ok(address) = address(&format!("{word}{sign}"))
        {
            *token = Token::Address(address);
        }
    }
}

/// `3.`, `(3)`, `b)` in front of a line.
fn without_bullet(tokens: &mut Vec<Token>) {
    let Some(Token::Words(words)) = tokens.first_mut() else { return };
    let (first, rest) = words.split_once(' ').unwrap_or((words, ""));
    let bare = first.trim_start_matches(MARKUP).trim_end_matches(|c| ".):-*_".contains(c));
    let number =
        bare.len() <= 4 && !bare.is_empty() && bare.trim_start_matches('#').bytes().all(|b| b.is_ascii_digit());
    let letter = bare.chars().count() == 1 && bare.len() < first.len();
    if !(number || letter) {
        return;
    }
    if rest.is_empty() {
        tokens.remove(0);
    } else {
        *words = rest.to_owned();
    }
}

fn items(tokens: &[Token], shape: Shape) -> Vec<Item> {
    let mut items = Vec::new();
    for chunk in tokens.split(|t| *t == Token::Semicolon) {
        let addresses = chunk.iter().filter(|t| is_address(t)).count();
        if addresses > 1 && chunk.contains(&Token::Comma) {
            by_commas(chunk, shape, &mut items);
        } else {
            entry(chunk, shape, &mut items);
        }
    }
    items
}

fn is_address(token: &Token) -> bool {
    matches!(token, Token::Address(_) | Token::Wrong(..))
}

fn words_of(tokens: &[Token]) -> String {
    let words: Vec<&str> =
        tokens.iter().filter_map(|t| if let Token::Words(w) = t { Some(w.as_str()) } else { None }).collect();
    words.join(" ")
}

/// Entries with commas between, in which `Last, First <…>` is one.
fn by_commas(chunk: &[Token], shape: Shape, items: &mut Vec<Item>) {
    let mut before: Vec<String> = Vec::new();
    let parts: Vec<&[Token]> = chunk.split(|t| *t == Token::Comma).collect();
    let with = parts.iter().filter(|p| p.iter().any(is_address)).count();
    // Name, address, name, address: every other one.
    let pairs = parts.len() == 2 * with && parts.iter().skip(1).step_by(2).all(|p| p.iter().any(is_address));
    for part in parts {
        let Some(at) = part.iter().position(is_address) else {
            before.push(words_of(part));
            continue;
        };
        let belongs = |words: &String| pairs || matches!(&part[at], Token::Address(a) if shares(words, a));
        // The last name before it may be the address's; those before that are of nobody.
        if before.last().is_some_and(belongs) {
            before.pop();
        }
        items.extend(before.drain(..).filter(|w| !w.is_empty()).map(Item::Loose));
        entry(part, shape, items);
    }
    items.extend(before.into_iter().filter(|w| !w.is_empty()).map(Item::Loose));
}

/// One entry, or several with nothing but spaces between.
fn entry(chunk: &[Token], shape: Shape, items: &mut Vec<Item>) {
    let begin = items.len();
    let mut words = String::new();
    let (mut opened, mut gap) = (None, false);
    // The address before and its bracket, while nothing stands between it and the next.
    let mut near: Option<(String, Option<char>)> = None;
    for token in chunk {
        match token {
            Token::Words(more) => {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(more);
                (opened, gap) = (None, false);
            }
            Token::Open(bracket) => opened = Some(*bracket),
            Token::Gap => gap = true,
            Token::Comma => gap |= shape.lines,
            Token::Semicolon => {}
            Token::Address(address) => {
                if words.is_empty()
                    && let Some((before, bracket)) = &near
                {
                    if before == address {
                        continue;
                    }
                    // A label and what it leads to: nobody can tell which one is meant.
                    if opened.is_some() && *bracket != Some('<') {
                        items.pop();
                        items.push(Item::Two(before.clone(), address.clone()));
                        near = None;
                        continue;
                    }
                }
                let named = opened.is_some() || gap || explained(&words, address, shape);
                if !named {
                    items.push(Item::Loose(std::mem::take(&mut words)));
                }
                words.clear();
                items.push(Item::Person(address.clone()));
                near = Some((address.clone(), opened));
                (opened, gap) = (None, false);
            }
            Token::Wrong(word, why) => {
                if !(words.is_empty() || opened.is_some() || gap || shape.lines) {
                    items.push(Item::Loose(std::mem::take(&mut words)));
                }
                words.clear();
                items.push(Item::Wrong(word.clone(), why));
                near = None;
                (opened, gap) = (None, false);
            }
        }
    }
    let behind =
        matches!(items[begin..].last(), Some(Item::Person(address)) if shape.names_last || shares(&words, address));
    if !words.is_empty() && !behind {
        items.push(Item::Loose(words));
    }
}

/// Whether words in front of an address are its owner's name.
fn explained(words: &str, address: &str, shape: Shape) -> bool {
    words.is_empty()
        || words.ends_with(':')
        || shape.names_first
        || (shape.lines && words.contains(' '))
        || shares(words, address)
}

/// Whether a name has a word in common with the address.
fn shares(words: &str, address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    folded(words).iter().any(|word| word.chars().count() > 1 && local.contains(word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People; what is wrong in square brackets; words of nobody in round ones.
    fn read(text: &str) -> String {
        let lines: Vec<(usize, Vec<Token>)> =
            text.lines().enumerate().map(|(i, line)| (i, tokens(line))).filter(|(_, t)| !t.is_empty()).collect();
        let shape = shape(&lines);
        let said = |item| match item {
            Item::Person(address) => address.replace(".example", ""),
            Item::Wrong(word, _) => format!("[{word}]"),
            Item::Two(a, b) => format!("[{a} {b}]").replace(".example", ""),
            Item::Loose(words) => format!("({words})"),
        };
        lines.into_iter().flat_map(|(_, t)| items(&t, shape)).map(said).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn mail_programs_lists_are_read() {
        let three = "ana.roy@n bo.lind@n cy.park@n";
        for list in [
            "Roy, Ana <ana.roy@n.example>; \"Lind, Bo\" <bo.lind@n.example>; Cy Park <cy.park@n.example>",
            "Roy, Ana <ana.roy@n.example>, \"Lind, Bo\" <bo.lind@n.example>, Cy Park <cy.park@n.example>",
            "Ana Roy ana.roy@n.example, Bo Lind bo.lind@n.example, Cy Park cy.park@n.example",
            "Ana Roy, ana.roy@n.example, Bo Lind, bo.lind@n.example, Cy Park, cy.park@n.example",
            "ana.roy@n.example bo.lind@n.example\tcy.park@n.example",
            "Roy, Ana ana.roy@n.example\nLind, Bo bo.lind@n.example\nPark, Cy cy.park@n.example",
            "To: Ana Roy <ana.roy@n.example>; bo.lind@n.example;\n<cy.park@n.example>;",
            "\"ana.roy@n.example\",\"bo.lind@n.example\",\"cy.park@n.example\"",
            "ana.roy@n.example <ana.roy@n.example>; [bo.lind@n.example](mailto:bo.lind@n.example); cy.park@n.example",
            "ana.roy@n.example (Ana), bo.lind@n.example (away), cy.park@n.example",
            "ana.roy@n.example Ana R\nbo.lind@n.example Bo L\ncy.park@n.example C P",
            "Annie ana.roy@n.example\nBob bo.lind@n.example\nC cy.park@n.example",
            "*Ana Roy ana.roy@n.example*\n_bo.lind@n.example_\n`cy.park@n.example`",
            "*ana.roy@n.example bo.lind@n.example cy.park@n.example*",
            "| ana.roy@n.example |\n| --- |\n| bo.lind@n.example |\n| cy.park@n.example |",
        ] {
            assert_eq!(read(list), three, "{list}");
        }
    }

    #[test]
    fn bullets_and_numbers_are_nobody() {
        let list = "• a@n.example\n- b@n.example\n3. c@n.example\n(4) d@n.example\nb) e@n.example\n* f@n.example\n– [ ] g@n.example\n> h@n.example\n#9 i@n.example\nDi Wong\tj@n.example";
        assert_eq!(read(list), "a@n b@n c@n d@n e@n f@n g@n h@n i@n j@n");
    }

    #[test]
    fn words_without_an_address_do_not_vanish() {
        assert_eq!(read("ana@n.example nobody"), "ana@n (nobody)");
        assert_eq!(read("bob ana@n.example"), "(bob) ana@n");
        assert_eq!(read("ana@n.example, bob, cy@n.example"), "ana@n (bob) cy@n");
        assert_eq!(read("ana@n.example; bob; cy@n.example"), "ana@n (bob) cy@n");
        assert_eq!(read("ana@n.example\nBo Lind\ncy@n.example"), "ana@n (Bo Lind) cy@n");
        assert_eq!(read("ana@ @n.example bob carol@example"), "[ana@] [@n.example] (bob) [carol@example]");
        assert_eq!(read("*ana@n.example"), "[*ana@n.example]");
    }

    #[test]
    fn a_label_that_leads_elsewhere_is_not_believed() {
        for list in [
            "\"ana@n.example\" <eve@evil.example>",
            "[ana@n.example](mailto:eve@evil.example)",
            "ana@n.example <eve@evil.example>",
        ] {
            assert_eq!(read(list), "[ana@n eve@evil]", "{list}");
        }
    }
}
