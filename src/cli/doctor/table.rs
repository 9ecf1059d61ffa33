//! The table of `doctor`: readable without colour, as wide as the terminal within bounds.

use textwrap::{Options, WordSplitter, wrap};

use crate::chat::diagnosis::{Check, Diagnosis};

/// Columns of a table: in narrower ones nobody reads sentences, in wider ones nobody finds the next line.
const NARROWEST: usize = 60;
const WIDEST: usize = 100;
/// Between columns.
const GAP: usize = 2;
const SIGN: usize = 4;

/// The terminal's width within those bounds; the widest where there is no terminal.
pub fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    asked.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(WIDEST).clamp(NARROWEST, WIDEST)
}

pub fn text(diagnosis: &Diagnosis, width: usize) -> String {
    let longest = diagnosis.checks.iter().map(|check| check.subject.chars().count()).max().unwrap_or(0);
    let subject = longest.min(width / 3);
    let mut out = String::new();
    for check in &diagnosis.checks {
        row(&mut out, check, subject, width);
    }
    out.push_str(&format!("\n{}.\n", diagnosis.sum()));
    out
}

/// The subject on the first line; what to do below what was found.
fn row(out: &mut String, check: &Check, subject: usize, width: usize) {
    let indent = SIGN + GAP + subject + GAP;
    let room = width - indent;
    let mut subjects = lines(&check.subject, subject).into_iter();
    let mut said = lines(&check.found, room);
    if let Some(advice) = &check.advice {
        let advice = lines(advice, room - 2);
        said.extend(advice.iter().enumerate().map(|(i, line)| format!("{} {line}", if i == 0 { "→" } else { " " })));
    }
    let mut sign = check.verdict.sign();
    for line in said {
        let name = subjects.next().unwrap_or_default();
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(text.chars().count()) + GAP);
        let row = format!("{sign}{}{name}{}{line}", pad(sign, SIGN), pad(&name, subject));
        out.push_str(row.trim_end());
        out.push('\n');
        sign = "";
    }
    for name in subjects {
        out.push_str(&format!("{}{name}\n", " ".repeat(SIGN + GAP)));
    }
}

/// Words stay whole: an address or a setting is copied.
fn lines(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation).break_words(false);
    wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use jiff::Timestamp;

    use super::*;

    fn diagnosis() -> Diagnosis {
        let checks = vec![
            Check::pass("a", "Settings", "Every setting is understood."),
            Check::warn(
                "b",
                "Slack: a subject longer than others",
                "One thing is not as it should be, and it takes more than a line to say it whole.",
                "Do this at https://bot.example.com/a/very/long/address/that/is/copied/whole/and/never/broken first, then that.",
            ),
            Check::fail("c", "Sekoia: API key", "No.", "Set SEKOIA_API_KEY."),
        ];
        Diagnosis::new(checks, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_table_fits_its_terminal() {
        assert_snapshot!(text(&diagnosis(), 100), @"
        PASS  Settings                           Every setting is understood.
        WARN  Slack: a subject longer than       One thing is not as it should be, and it takes more than a
              others                             line to say it whole.
                                                 → Do this at
                                                   https://bot.example.com/a/very/long/address/that/is/copied/whole/and/never/broken
                                                   first, then that.
        FAIL  Sekoia: API key                    No.
                                                 → Set SEKOIA_API_KEY.

        3 checks: 1 passed, 1 warning, 1 failed.
        ");
        for width in [60, 80, 100] {
            let wide = text(&diagnosis(), width).lines().filter(|line| line.chars().count() > width).count();
            assert!(wide <= 1, "only the address is longer than {width}");
        }
    }
}
