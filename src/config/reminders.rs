//! `[reminders]`: when people may be reminded.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::similar::nearest;
use super::source::{Source, flat};
use crate::domain::notify::zone::{self, Place};
use crate::domain::working_time::WorkingTime;

const SETTINGS: [&str; 3] = ["zone", "quiet", "days"];
/// As people write them, from Monday on.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn read(source: &mut Source) -> WorkingTime {
    let mut working = WorkingTime::default();
    for (setting, value) in std::mem::take(&mut source.reminders) {
        if let Err(fault) = set(&mut working, &setting, &value) {
            source.faults.add(&format!("[reminders] {setting}"), fault);
        }
    }
    working
}

fn set(working: &mut WorkingTime, setting: &str, value: &toml::Value) -> Result<(), String> {
    let text = flat(value).ok_or("is not a text or a list of texts")?;
    let text = text.trim();
    match setting {
        "zone" => working.zone = place(text)?,
        "quiet" => working.quiet = quiet(text)?,
        "days" => working.days = days(text)?,
        _ => {
            let meant = nearest(setting, SETTINGS.into_iter());
            let meant = meant.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(format!("is unknown; give zone, quiet or days{meant}"));
        }
    }
    Ok(())
}

fn place(text: &str) -> Result<TimeZone, String> {
    let unclear = || format!("{text:?} is not one place; give a region and city such as Europe/Paris, or UTC");
    match zone::read(text) {
        Ok(Place::Zone(name)) => zone::find(&name).ok_or_else(unclear),
        Ok(Place::Unclear) => Err(unclear()),
        Err(impossible) => Err(format!("{text:?} is not a time zone: {}", impossible.hint.replace('`', ""))),
    }
}

fn quiet(text: &str) -> Result<Option<(Time, Time)>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let wrong = || format!("{text:?} is not two times; give them as in 19:00-08:00, or none");
    let at = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let number = |digits: &str| (digits.len() <= 2).then(|| digits.parse::<i8>().ok()).flatten();
        Time::new(number(hour)?, number(minute)?, 0, 0).ok()
    };
    let (from, to) = text.split_once(['-', '–']).ok_or_else(wrong)?;
    match (at(from), at(to)) {
        (Some(from), Some(to)) if from == to => {
            Err(format!("{text:?} ends when it begins; give two times, or none for no quiet hours"))
        }
        (Some(from), Some(to)) => Ok(Some((from, to))),
        _ => Err(wrong()),
    }
}

fn days(text: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (Some(first), Some(last)) = (day(from), day(to)) else {
            return Err(format!("{part:?} is not a day or days; give them as in mon-fri, or mon, wed, sat-sun"));
        };
        let ahead = (last + 7 - first) % 7;
        (0..=ahead).for_each(|n| days[(first + n) % 7] = true);
    }
    if days.contains(&true) { Ok(days) } else { Err("names no day: give at least one, such as mon-fri".into()) }
}

/// `mon`, `Monday`.
fn day(text: &str) -> Option<usize> {
    let text = text.trim().to_ascii_lowercase();
    let weekdays = Weekday::Monday.cycle_forward().take(DAYS.len());
    weekdays.zip(DAYS).position(|(day, short)| text == short || text == format!("{day:?}").to_ascii_lowercase())
}
