//! When a digest comes: every day or week at a local time, whatever daylight saving does.
//!
//! Time zones are the ones built into the program: no file is read, and replicas on different
//! machines agree.

use std::fmt;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};

use super::values::Impossible;
use super::zone;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    Day,
    Week { on: Weekday },
}

/// A schedule that can be kept: its zone exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Digest {
    pub every: Every,
    /// To the minute.
    pub at: Time,
    zone: TimeZone,
}

/// A digest that is due, and the time that it is about. Periods of one schedule follow each other
/// without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The planned instant, not when it is sent.
    pub at: Timestamp,
    pub from: Timestamp,
}

/// A digest after a longer downtime is about its last two weeks: more is not kept.
const LONGEST: SignedDuration = SignedDuration::from_hours(14 * 24);

impl Digest {
    pub fn new(every: Every, at: Time, zone: &str) -> Result<Self, Impossible> {
        let found = zone::find(zone).ok_or_else(|| Impossible {
            value: zone.to_owned(),
            what: "a time zone",
            hint: "write a region and city such as `Europe/Paris`, or `UTC`".into(),
        })?;
        let at = Time::new(at.hour(), at.minute(), 0, 0).unwrap_or(at);
        Ok(Self { every, at, zone: found })
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The first planned instant after `now`. A time that the clocks skip comes as much later; of
    /// a time that they show twice, the first counts.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(self.zone.clone());
        (-1..=8).filter_map(|days| self.on_day(&today, days)).find(|at| *at > now)
    }

    /// The last planned instant not after `now`.
    pub fn last_before(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(self.zone.clone());
        (-8..=1).rev().filter_map(|days| self.on_day(&today, days)).find(|at| *at <= now)
    }

    /// What has to be sent now, if the last one sent (or the schedule's making) was at `since`.
    /// However many were missed, it is one, about all of their time.
    pub fn due(&self, since: Timestamp, now: Timestamp) -> Option<Due> {
        let at = self.last_before(now).filter(|at| *at > since)?;
        let longest = at.checked_sub(LONGEST).unwrap_or(Timestamp::MIN);
        Some(Due { at, from: self.last_before(since)?.max(longest) })
    }

    fn on_day(&self, today: &Zoned, days: i64) -> Option<Timestamp> {
        let date = today.date().checked_add(days.days()).ok()?;
        match self.every {
            Every::Week { on } if date.weekday() != on => None,
            _ => Some(date.to_datetime(self.at).to_zoned(self.zone.clone()).ok()?.timestamp()),
        }
    }

    /// What is typed after `notify digest`.
    pub fn words(&self) -> String {
        let every = match self.every {
            Every::Day => "daily".to_owned(),
            Every::Week { on } => format!("weekly {}", weekday(on).to_lowercase()),
        };
        format!("{every} {} {}", self.at.strftime("%H:%M"), self.zone_name())
    }
}

/// `Every day at 08:30 (Europe/Paris)`.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.every {
            Every::Day => f.write_str("Every day")?,
            Every::Week { on } => write!(f, "Every {}", weekday(on))?,
        }
        write!(f, " at {} ({})", self.at.strftime("%H:%M"), self.zone_name())
    }
}

pub(super) fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Weekdays by number, Monday 1.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekday: Option<i8>,
    at: Time,
    zone: String,
}

impl TryFrom<Stored> for Digest {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let every = match stored.weekday {
            None => Every::Day,
            Some(n) => Every::Week { on: Weekday::from_monday_one_offset(n).map_err(|e| e.to_string())? },
        };
        Digest::new(every, stored.at, &stored.zone).map_err(|e| e.to_string())
    }
}

impl From<Digest> for Stored {
    fn from(digest: Digest) -> Self {
        let weekday = match digest.every {
            Every::Day => None,
            Every::Week { on } => Some(on.to_monday_one_offset()),
        };
        Stored { weekday, at: digest.at, zone: digest.zone_name().to_owned() }
    }
}
