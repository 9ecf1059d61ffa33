//! When people are at work, by the clock of their channel: outside of it, reminders wait.

use jiff::civil::{Date, Time, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// Days that are looked through: a week has a day of work, whose only free hour the clock may skip once.
const LOOKED: i8 = 16;

/// `[reminders]` of the TOML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingTime {
    /// Of channels that have none of their own.
    pub zone: TimeZone,
    /// Nobody is reminded from the first of these times to the second, which may be on the next day.
    pub quiet: Option<(Time, Time)>,
    /// From Monday on: whether it is a day of work. One of them is.
    pub days: [bool; 7],
}

impl Default for WorkingTime {
    fn default() -> Self {
        let quiet = Some((time(19, 0, 0, 0), time(8, 0, 0, 0)));
        Self { zone: TimeZone::UTC, quiet, days: [true, true, true, true, true, false, false] }
    }
}

impl WorkingTime {
    /// At any time of any day.
    pub const ALWAYS: Self = Self { zone: TimeZone::UTC, quiet: None, days: [true; 7] };

    /// The first moment, not before `at`, at which people may be reminded. `own`: the channel's zone.
    /// None where the calendar ends.
    pub fn next_allowed(&self, at: Timestamp, own: Option<&TimeZone>) -> Option<Timestamp> {
        let zone = own.unwrap_or(&self.zone);
        let allows = |at: &Timestamp| self.allows(&at.to_zoned(zone.clone()));
        if allows(&at) {
            return Some(at);
        }
        let today = at.to_zoned(zone.clone()).date();
        let until = at.checked_add(jiff::SignedDuration::from_hours(24 * i64::from(LOOKED))).ok();
        // What the clock skips or shows twice begins somewhere else than the day says.
        let changes = zone.following(at).map(|change| change.timestamp());
        let changes = changes.take_while(|change| until.is_some_and(|until| *change <= until));
        let starts = (0..LOOKED).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        let starts = starts.flat_map(|day| self.starts(day, zone));
        changes.chain(starts).filter(|start| *start >= at && allows(start)).min()
    }

    /// The moments at which a day's quiet may be over, by a clock that runs on.
    fn starts(&self, day: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let times = [Some(Time::midnight()), self.quiet.map(|(_, end)| end)];
        let shown = times.into_iter().flatten().map(|time| zone.to_ambiguous_timestamp(day.to_datetime(time)));
        shown.flat_map(|shown| [shown.earlier(), shown.later()]).filter_map(Result::ok).collect()
    }

    fn allows(&self, here: &Zoned) -> bool {
        let quiet = self.quiet.is_some_and(|(from, to)| {
            let (now, over_midnight) = (here.time(), from > to);
            if over_midnight { now >= from || now < to } else { now >= from && now < to }
        });
        self.is_day(here.weekday()) && !quiet
    }

    fn is_day(&self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).ok().and_then(|day| self.days.get(day)).is_some_and(|work| *work)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const PLACES: [&str; 9] = [
        "UTC",
        "Europe/Paris",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/St_Johns",
        "Africa/Casablanca",
        "America/Sao_Paulo",
    ];

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn of(place: &str, quiet: &str) -> WorkingTime {
        let (from, to) = quiet.split_once('-').unwrap();
        let quiet = Some((from.parse().unwrap(), to.parse().unwrap()));
        WorkingTime { zone: zone(place), quiet, ..WorkingTime::default() }
    }

    /// When somebody is reminded of what is due at `at`, by the clock there.
    fn next(working: &WorkingTime, at: &str) -> String {
        let next = working.next_allowed(at.parse().unwrap(), None).unwrap().to_zoned(working.zone.clone());
        next.strftime("%a %d %H:%M %:z").to_string()
    }

    #[test]
    fn a_reminder_waits_for_the_morning_and_for_monday() {
        let paris = of("Europe/Paris", "19:00-08:00");
        assert_eq!(next(&paris, "2026-11-26T10:00:00Z"), "Thu 26 11:00 +01:00");
        assert_eq!(next(&paris, "2026-11-26T17:59:59Z"), "Thu 26 18:59 +01:00");
        assert_eq!(next(&paris, "2026-11-26T18:00:00Z"), "Fri 27 08:00 +01:00");
        assert_eq!(next(&paris, "2026-11-27T18:00:00Z"), "Mon 30 08:00 +01:00");
        // The day itself begins at midnight, where that is not quiet.
        assert_eq!(next(&of("Europe/Paris", "12:00-14:00"), "2026-11-28T12:00:00Z"), "Mon 30 00:00 +01:00");
        assert_eq!(next(&of("Europe/Paris", "12:00-14:00"), "2026-11-26T12:00:00Z"), "Thu 26 14:00 +01:00");
    }

    #[test]
    fn eight_stays_eight_over_the_changes_of_the_clock() {
        let all = |quiet| WorkingTime { days: [true; 7], ..of("Europe/Paris", quiet) };
        // The night of the change to summer time is an hour shorter, the other one longer.
        assert_eq!(next(&all("19:00-08:00"), "2026-03-28T19:00:00Z"), "Sun 29 08:00 +02:00");
        assert_eq!(next(&all("19:00-08:00"), "2026-10-24T19:00:00Z"), "Sun 25 08:00 +01:00");
        // Half past two is skipped, and comes twice.
        assert_eq!(next(&all("19:00-02:30"), "2026-03-28T19:00:00Z"), "Sun 29 03:00 +02:00");
        assert_eq!(next(&all("19:00-02:30"), "2026-10-24T19:00:00Z"), "Sun 25 02:30 +02:00");
        assert_eq!(next(&all("19:00-02:30"), "2026-10-25T01:00:00Z"), "Sun 25 02:30 +01:00");
    }

    #[test]
    fn a_channel_has_its_own_clock() {
        let at = "2026-11-26T20:00:00Z".parse().unwrap();
        let (working, there) = (of("Europe/Paris", "19:00-08:00"), zone("America/New_York"));
        assert_eq!(working.next_allowed(at, Some(&there)), Some(at));
        assert_eq!(working.next_allowed(Timestamp::MAX, Some(&TimeZone::UTC)), None);
    }

    proptest! {
        #[test]
        fn the_next_moment_is_the_first_that_is_allowed(
            place in prop::sample::select(&PLACES[..]),
            // Around the changes of clocks as much as anywhere else.
            start in prop_oneof![
                0_i64..366 * 1_440,
                86_i64 * 1_440..89 * 1_440,
                296_i64 * 1_440..299 * 1_440,
            ],
            quiet in proptest::option::of((0_i8..24, 0_i8..2, 0_i8..24, 0_i8..2)),
            days in proptest::array::uniform7(proptest::bool::weighted(0.6)),
        ) {
            let quiet = quiet.map(|(h, m, to, n)| (time(h, m * 30, 0, 0), time(to, n * 30, 0, 0)));
            prop_assume!(days.contains(&true) && quiet.is_none_or(|(from, to)| from != to));
            let working = WorkingTime { zone: zone(place), quiet, days };
            let first: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            let at = first + SignedDuration::from_mins(start);
            let next = working.next_allowed(at, None).unwrap();
            prop_assert!(next >= at && working.allows(&next.to_zoned(working.zone.clone())));
            prop_assert_eq!(working.next_allowed(next, None), Some(next));
            let mut minute = at;
            while minute < next {
                prop_assert!(!working.allows(&minute.to_zoned(working.zone.clone())), "{} is before {}", minute, next);
                minute += SignedDuration::from_mins(1);
            }
        }
    }
}
