//! The values of conditions, read from text.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chat::text::{clean, same, shown};
use crate::chat::view::Line;

/// Where an alert stands, as Sekoia names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    Pending,
    Acknowledged,
    Ongoing,
    Rejected,
    Closed,
}

/// A condition that cannot be, and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Impossible {
    pub value: String,
    pub what: &'static str,
    /// The program's own words, in which backticks mark what can be typed.
    pub hint: String,
}

impl Impossible {
    /// As `command::Fault` says it, with what can be typed as code.
    pub fn line(&self) -> Line {
        let stop = if self.hint.ends_with('?') { "" } else { "." };
        let line = Line::new().say(format!("\"{}\" is not {}: ", shown(&self.value, 60), self.what));
        line.append(Line::marked(&self.hint)).say(stop)
    }
}

impl AlertStatus {
    pub const ALL: [AlertStatus; 5] = [
        AlertStatus::Pending,
        AlertStatus::Acknowledged,
        AlertStatus::Ongoing,
        AlertStatus::Rejected,
        AlertStatus::Closed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            AlertStatus::Pending => "Pending",
            AlertStatus::Acknowledged => "Acknowledged",
            AlertStatus::Ongoing => "Ongoing",
            AlertStatus::Rejected => "Rejected",
            AlertStatus::Closed => "Closed",
        }
    }

    pub fn find(name: &str) -> Option<AlertStatus> {
        AlertStatus::ALL.into_iter().find(|status| same(status.name(), name))
    }
}

/// Sekoia's own range, in minutes.
pub const SILENCE: std::ops::RangeInclusive<u16> = 15..=24 * 60;
/// Characters of a name.
pub const MAX_NAME: usize = 200;

pub(super) fn impossible(value: &str, what: &'static str, hint: String) -> Impossible {
    Impossible { value: value.to_owned(), what, hint }
}

pub(super) fn urgency(text: &str) -> Result<u8, Impossible> {
    let number = text.trim().parse().ok().filter(|n| *n <= 100);
    number.ok_or_else(|| impossible(text, "an urgency", "give a number from 0 to 100, such as `urgency>=75`".into()))
}

pub(super) fn statuses(text: &str) -> Result<BTreeSet<AlertStatus>, Impossible> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let found: BTreeSet<AlertStatus> = words
        .map(|word| {
            AlertStatus::find(word).ok_or_else(|| {
                let likeness = |s: &AlertStatus| strsim::jaro_winkler(&word.to_lowercase(), &s.name().to_lowercase());
                let near = AlertStatus::ALL.into_iter().map(|s| (likeness(&s), s)).max_by(|a, b| a.0.total_cmp(&b.0));
                let hint = match near {
                    Some((likeness, near)) if likeness > 0.8 => format!("did you mean `status={}`?", near.name()),
                    _ => format!("Sekoia's are {}", AlertStatus::ALL.map(AlertStatus::name).join(", ")),
                };
                impossible(word, "a status of alerts", hint)
            })
        })
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(impossible(text, "a status of alerts", "give one, such as `status=Closed`".into()));
    }
    Ok(found)
}

pub(super) fn name(text: &str) -> Result<Box<str>, Impossible> {
    let text = clean(text);
    let text = text.trim();
    match text.chars().count() {
        0 => Err(impossible(text, "a name", "give the name that Sekoia shows, in quotes".into())),
        n if n > MAX_NAME => Err(impossible(text, "a name", format!("it may have {MAX_NAME} characters, not {n}"))),
        _ => Ok(text.into()),
    }
}

/// A name could never match: alerts tell of their assets by UUID alone.
pub(super) fn asset(text: &str) -> Result<Box<str>, Impossible> {
    let uuid = uuid::Uuid::try_parse(text.trim()).map(|uuid| uuid.to_string().into());
    uuid.map_err(|_| impossible(text, "the UUID of an asset", ASSETS.into()))
}

const ASSETS: &str = "Sekoia's alerts carry the UUIDs of their assets, not the names; an alert's message here shows them under \"Assets\"";

pub(super) fn silence(text: &str) -> Result<u16, Impossible> {
    let asked = humantime::parse_duration(&text.trim().to_lowercase()).ok();
    let minutes = asked.filter(|d| d.as_secs() % 60 == 0 && d.subsec_nanos() == 0).map(|d| d.as_secs() / 60);
    let fits = minutes.and_then(|m| u16::try_from(m).ok()).filter(|m| SILENCE.contains(m));
    fits.ok_or_else(|| {
        let hint = match asked {
            Some(d) if d < Duration::from_mins(15) => "the shortest is 15 minutes: `for 15m`",
            Some(d) if d > Duration::from_hours(24) => "the longest is 24 hours: `for 24h`",
            Some(_) => "it is counted in whole minutes, such as `for 30m`",
            None => "write `for 30m` or `for 2h`, from 15 minutes to 24 hours",
        };
        impossible(text, "a time of silence", hint.into())
    })
}

/// `30m`, `1h`.
pub(super) fn short(minutes: u16) -> String {
    if minutes.is_multiple_of(60) { format!("{}h", minutes / 60) } else { format!("{minutes}m") }
}
