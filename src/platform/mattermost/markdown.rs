//! Spans as Mattermost's Markdown. Words from outside are escaped so that they are shown as they
//! were typed, and defused so that they mention nobody.

use std::borrow::Cow;

use super::names::Names;
use crate::chat::text::visible;
use crate::chat::view::{Line, OPEN, Span, Table, called, minute};

/// Shown by nobody; keeps what stands before it from being read with what stands behind it.
const JOINER: char = '\u{2060}';

pub fn line(line: &Line, names: &Names) -> String {
    let mut out = String::new();
    for span in &line.0 {
        match span {
            // The box that is no emoji would be smaller than the signs beside it.
            Span::Plain(text) if text == OPEN => out.push_str("⬜ "),
            Span::Plain(text) => out.push_str(&escaped(text)),
            Span::Strong(text) => out.push_str(&strong(text)),
            Span::Code(text) => out.push_str(&code(&called(names.call(), text))),
            Span::Link { label, url } if url.starts_with("https://") || url.starts_with("http://") => {
                out.push_str(&format!("[{}]({})", escaped(label), address(url)));
            }
            Span::Link { label, .. } => out.push_str(&escaped(label)),
            Span::Person(user) => match names.people.get(user) {
                Some(name) => out.push_str(&format!("@{name}")),
                None => out.push_str(&code(user.as_str())),
            },
            Span::Group(id) => out.push_str(&code(id)),
            Span::Channel(channel) => match names.channels.get(channel) {
                Some(name) => out.push_str(&format!("~{name}")),
                None => out.push_str(&code(channel.channel())),
            },
            Span::Moment(at) => out.push_str(&minute(*at)),
        }
    }
    begun(out)
}

/// A line that is no heading, quote, item or code, and makes the line above no heading. What can be
/// escaped is: a person who copies the line copies nothing invisible.
fn begun(line: String) -> String {
    let indented = line.len() - line.trim_start_matches(' ').len();
    let rest = &line[indented..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = digits > 0 && rest[digits..].starts_with(['.', ')']);
    // A mark of equality has no escape in Mattermost, and blanks have none anywhere.
    if indented >= 4 || rest.starts_with('=') {
        return format!("{JOINER}{line}");
    }
    let at = match numbered {
        true => indented + digits,
        false if rest.starts_with(['#', '>', '-', '+']) => indented,
        false => return line,
    };
    format!("{}\\{}", &line[..at], &line[at..])
}

/// Words as they were typed.
pub fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = !before.is_alphanumeric();
        let followed = rest.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            // What else has a meaning has it at the beginning of a line only.
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
        // Mentions, channels, hashtags, emoji.
        if matches!(c, '@' | '~' | '#' | ':') && begins && followed {
            out.push(JOINER);
        }
        before = c;
    }
    out
}

fn strong(text: &str) -> String {
    let text = visible(text);
    let inner = text.trim();
    if inner.is_empty() {
        return escaped(&text);
    }
    let lead = &text[..text.len() - text.trim_start().len()];
    let tail = &text[text.trim_end().len()..];
    format!("{lead}**{}**{tail}", escaped(inner))
}

fn code(text: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Lines of fixed width.
pub fn block(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(visible).collect();
    let text = lines.join("\n");
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}\n{text}\n{fence}")
}

/// A table of its own. A cell is words as they were typed; its bars are entities, since not every
/// client knows an escaped bar from one that ends the cell.
pub fn table(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let cell = |text: &str| escaped(text).replace("\\|", "&#124;");
    let names = table.columns.iter().map(|column| cell(column.name)).collect();
    let sides = table.columns.iter().map(|column| if column.numbers { "---:" } else { ":---" }.to_owned()).collect();
    let rows = table.rows.iter().map(|cells| row(cells.iter().map(|text| cell(text)).collect()));
    [row(names), row(sides)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

fn address(url: &str) -> String {
    url.replace('(', "%28").replace(')', "%29").replace(' ', "%20").replace('<', "%3C").replace('>', "%3E")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::UserId;
    use crate::chat::view::Column;

    #[test]
    fn typed_markup_stays_as_typed_and_mentions_nobody() {
        assert_eq!(escaped("**bold** <b>&lt;"), "\\*\\*bold\\*\\* &lt;b>&amp;lt;");
        assert_eq!(escaped("@all (@here) a@b.example"), "@\u{2060}all (@\u{2060}here) a@b.example");
        assert_eq!(escaped("~town #tag :smile: 10:30"), "\\~\u{2060}town #\u{2060}tag :\u{2060}smile: 10:30");
    }

    #[test]
    fn no_line_begins_a_block_by_itself() {
        let said = |text: &'static str| line(&Line::new().say(text), &Names::default());
        for text in ["=====", "    a"] {
            assert_eq!(said(text), format!("{JOINER}{text}"));
        }
        let escapes = [
            ("# a", "\\# a"),
            ("  # a", "  \\# a"),
            ("- a", "\\- a"),
            ("1. a", "1\\. a"),
            ("12) a", "12\\) a"),
            ("> a", "\\> a"),
        ];
        for (text, escaped) in escapes {
            assert_eq!(said(text), escaped);
        }
        assert_eq!(said("2026-11-25"), "2026-11-25");
    }

    #[test]
    fn what_is_copied_holds_nothing_invisible() {
        let line = Line::new()
            .code("/invite @sekoia")
            .say(" ")
            .code("/sekoia setup \"@all ~town #1 :x:\"")
            .say(" ")
            .code("-x");
        let said = super::line(&line, &Names::default());
        assert_eq!(said, "`/invite @sekoia` `/sekoia setup \"@all ~town #1 :x:\"` `-x`");
        assert_eq!(super::line(&Line::new().say(OPEN).say("open"), &Names::default()), "⬜ open");
    }

    #[test]
    fn code_holds_any_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("`a``"), "``` `a`` ```");
        assert_eq!(block("x\n```\ny"), "````\nx\n```\ny\n````");
    }

    #[test]
    fn nothing_in_a_cell_ends_it() {
        let columns = vec![Column::numbers("#"), Column::words("Rule")];
        let cells = ["a | b", "x\n| 2 | forged |", "@channel `a|b`", "\\|", "|:---|", "&#124;", ""];
        let rows = cells.map(|cell| vec!["1".to_owned(), cell.to_owned()]).into();
        let expected = [
            "| # | Rule |",
            "| ---: | :--- |",
            "| 1 | a &#124; b |",
            "| 1 | x &#124; 2 &#124; forged &#124; |",
            "| 1 | @\u{2060}channel \\`a&#124;b\\` |",
            "| 1 | \\\\&#124; |",
            "| 1 | &#124;:---&#124; |",
            "| 1 | &amp;#\u{2060}124; |",
            "| 1 |  |",
        ];
        assert_eq!(table(&Table { columns, rows }), expected.join("\n"));
    }

    #[test]
    fn a_person_is_mentioned_by_name_or_shown_by_id() {
        let user = UserId::mattermost("abc");
        let said = Line::new().say("for ").person(&user).say("!");
        let mut names = Names::default();
        assert_eq!(line(&said, &names), "for `mattermost:abc`!");
        names.people.insert(user, "bob".into());
        assert_eq!(line(&said, &names), "for @bob!");
        assert_eq!(line(&Line::new().strong(" a ").say("b"), &names), " **a** b");
    }
}
