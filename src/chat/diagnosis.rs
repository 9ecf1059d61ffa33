//! What was found when a deployment was examined: one line for each check, with what to do about it.
//!
//! Written once, and read in a terminal, by programs, and in a channel.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::text::{count, shown};
use super::view::{Line, Tone, View};

/// Characters of what is said in one check.
const MOST: usize = 700;
/// What stands in the place of a secret.
const HIDDEN: &str = "[secret]";
/// Shorter values are words that stand anywhere.
const SHORTEST_SECRET: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    /// It works, with less than could be; or nobody can tell.
    Warn,
    /// Something does not work.
    Fail,
}

impl Verdict {
    /// As a terminal shows it.
    pub fn sign(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at. Typed words stand between backticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable from release to release: `slack.scopes`.
    pub id: String,
    /// As people call it: `Slack: scopes`.
    pub subject: String,
    pub verdict: Verdict,
    pub found: String,
    /// What to do, unless it passes.
    pub advice: Option<String>,
}

impl Check {
    pub fn pass(id: impl Into<String>, subject: impl Into<String>, found: &str) -> Self {
        Self::new(id.into(), &subject.into(), Verdict::Pass, found, None)
    }

    pub fn warn(id: impl Into<String>, subject: impl Into<String>, found: &str, advice: &str) -> Self {
        Self::new(id.into(), &subject.into(), Verdict::Warn, found, Some(advice))
    }

    pub fn fail(id: impl Into<String>, subject: impl Into<String>, found: &str, advice: &str) -> Self {
        Self::new(id.into(), &subject.into(), Verdict::Fail, found, Some(advice))
    }

    /// Whatever it says is on one line and holds nothing that a terminal obeys.
    fn new(id: String, subject: &str, verdict: Verdict, found: &str, advice: Option<&str>) -> Self {
        let advice = advice.map(|advice| shown(advice, MOST)).filter(|advice| !advice.is_empty());
        Self { id, subject: shown(subject, 60), verdict, found: shown(found, MOST), advice }
    }
}

/// All checks, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Of this shape; fields are added without changing it.
    pub schema: u32,
    /// The release that examined.
    pub version: &'static str,
    pub at: Timestamp,
    /// The worst of the checks.
    pub verdict: Verdict,
    pub passed: usize,
    pub warned: usize,
    pub failed: usize,
    pub checks: Vec<Check>,
}

/// What a person typed or a server answered: backticks in it mark nothing.
pub fn harmless(text: &str) -> String {
    shown(text, 200).replace('`', "'")
}

impl Diagnosis {
    pub fn new(checks: Vec<Check>, at: Timestamp) -> Self {
        let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            at,
            verdict: checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Pass),
            passed: of(Verdict::Pass),
            warned: of(Verdict::Warn),
            failed: of(Verdict::Fail),
            checks,
        }
    }

    /// The same without these words, wherever they came from: a server may repeat what it was sent.
    #[must_use]
    pub fn without(mut self, secrets: &[SecretString]) -> Self {
        let mut secrets: Vec<&str> =
            secrets.iter().map(ExposeSecret::expose_secret).filter(|s| s.len() >= SHORTEST_SECRET).collect();
        // One may begin with another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let hide = |text: &mut String| {
            for secret in &secrets {
                if text.contains(secret) {
                    *text = text.replace(secret, HIDDEN);
                }
            }
        };
        for check in &mut self.checks {
            hide(&mut check.subject);
            hide(&mut check.found);
            check.advice.iter_mut().for_each(hide);
        }
        self
    }

    /// `30 checks: 28 passed, 1 warning, 1 failed`.
    pub fn sum(&self) -> String {
        let all = count(self.checks.len(), "check", "checks");
        let warned = count(self.warned, "warning", "warnings");
        format!("{all}: {} passed, {warned}, {} failed", self.passed, self.failed)
    }

    /// For a channel: what does not pass in full, the worst first; the rest as a number.
    pub fn view(&self) -> View {
        let heading = match self.verdict {
            Verdict::Pass => "Doctor: everything passed",
            Verdict::Warn => "Doctor: it works, with warnings",
            Verdict::Fail => "Doctor: something does not work",
        };
        let mut view = View::new(format!("{heading}. {}.", self.sum())).heading(heading);
        let of = |verdict| -> Vec<Line> {
            let checks = self.checks.iter().filter(|check| check.verdict == verdict);
            checks.map(Check::line).collect()
        };
        for (verdict, title) in [(Verdict::Fail, "Failed"), (Verdict::Warn, "Warnings")] {
            let lines = of(verdict);
            if !lines.is_empty() {
                view = view.line(Line::new().strong(title)).bullets(lines);
            }
        }
        let tone = match self.verdict {
            Verdict::Pass => Tone::Done,
            Verdict::Warn => Tone::Waiting,
            Verdict::Fail => Tone::Refused,
        };
        view.line(Line::from(format!("{}.", self.sum())))
            .note(Line::marked("`sekoia-chatops doctor` on the bot's machine shows every check."))
            .toned(tone)
    }
}

impl Check {
    fn line(&self) -> Line {
        let mut line = Line::new().strong(self.subject.clone()).say(": ").append(Line::marked(&self.found));
        if let Some(advice) = &self.advice {
            line = line.say(" → ").append(Line::marked(advice));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_second(1_795_000_000).unwrap()
    }

    #[test]
    fn the_worst_check_is_the_verdict() {
        let pass = Check::pass("a", "A", "fine");
        let warn = Check::warn("b", "B", "half", "do");
        let fail = Check::fail("c", "C", "no", "do");
        let of = |checks: &[&Check]| Diagnosis::new(checks.iter().copied().cloned().collect(), at());
        assert_eq!(of(&[]).verdict, Verdict::Pass);
        assert_eq!(of(&[&pass, &warn]).verdict, Verdict::Warn);
        let all = of(&[&pass, &fail, &warn]);
        assert_eq!((all.verdict, all.sum().as_str()), (Verdict::Fail, "3 checks: 1 passed, 1 warning, 1 failed"));
    }

    #[test]
    fn no_secret_is_said_whoever_repeats_it() {
        let secrets: Vec<SecretString> = ["xoxb-1", "xoxb-1-longer", "abc"].map(SecretString::from).into();
        let check = Check::fail("a", "A xoxb-1", "answered xoxb-1-longer at http://u:xoxb-1@x", "Try abc, not xoxb-1.");
        let check = &Diagnosis::new(vec![check], at()).without(&secrets).checks[0];
        assert_eq!(check.subject, "A [secret]");
        assert_eq!(check.found, "answered [secret] at http://u:[secret]@x");
        assert_eq!(check.advice.as_deref(), Some("Try abc, not [secret]."));
    }

    #[test]
    fn what_a_server_said_moves_no_cursor() {
        let check = Check::warn("a", "A", "two\nlines \u{1b}[31mred", "");
        assert_eq!((check.found.as_str(), check.advice), ("two lines ␛[31mred", None));
        assert_eq!(harmless("a `b` c"), "a 'b' c");
    }
}
