//! When somebody is reminded of the steps that are theirs: on the working day before a due date and on
//! it, at nine by their own clock, once a day whatever there is.

use jiff::civil::{Date, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// By the clock of who is reminded.
const HOUR: i8 = 9;

/// The last day of work before this one; none before the calendar begins.
pub fn working_day_before(day: Date) -> Option<Date> {
    let mut before = day.checked_sub(1.day()).ok()?;
    while matches!(before.weekday(), Weekday::Saturday | Weekday::Sunday) {
        before = before.checked_sub(1.day()).ok()?;
    }
    Some(before)
}

/// Whether who has a step that is due on `due` is reminded of it on `day`.
pub fn is_reminded(due: Date, day: Date) -> bool {
    day == due || working_day_before(due) == Some(day)
}

/// The day on which a reminder is to be sent now; none if there is nothing to remind of, if it is too
/// early, or if one was sent today. `last`: the day of the last one.
pub fn due_now(dues: &[Date], zone: &TimeZone, last: Option<Date>, now: Timestamp) -> Option<Date> {
    let here = now.to_zoned(zone.clone());
    let (today, early) = (here.date(), here.hour() < HOUR);
    let reminded = last.is_some_and(|last| last >= today);
    (!early && !reminded && dues.iter().any(|due| is_reminded(*due, today))).then_some(today)
}

/// When the next reminder is to be sent, after `now`.
pub fn next_after(dues: &[Date], zone: &TimeZone, last: Option<Date>, now: Timestamp) -> Option<Timestamp> {
    let days = dues.iter().flat_map(|due| [working_day_before(*due), Some(*due)]).flatten();
    let untold = days.filter(|day| last.is_none_or(|last| *day > last));
    // An hour that the clock skips is the one after it.
    let at =
        untold.filter_map(|day| Some(day.to_datetime(time(HOUR, 0, 0, 0)).to_zoned(zone.clone()).ok()?.timestamp()));
    at.filter(|at| *at > now).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn sent(dues: &[Date], zone: &TimeZone, from: Timestamp) -> Vec<(Date, Timestamp)> {
        let (mut last, mut now, mut sent) = (None, from, Vec::new());
        while let Some(at) = next_after(dues, zone, last, now) {
            let day = due_now(dues, zone, last, at).expect("what is planned is due then");
            sent.push((day, at));
            (last, now) = (Some(day), at);
        }
        sent
    }

    fn said(dues: &[&str], place: &str, from: &str) -> Vec<String> {
        let dues: Vec<Date> = dues.iter().map(|due| due.parse().unwrap()).collect();
        sent(&dues, &zone(place), from.parse().unwrap()).iter().map(|(day, at)| format!("{day} {at}")).collect()
    }

    #[test]
    fn a_reminder_comes_on_the_working_day_before_and_on_the_day() {
        // A Monday: the Friday before.
        assert_eq!(
            said(&["2026-12-07"], "Europe/Paris", "2026-12-01T12:00:00Z"),
            ["2026-12-04 2026-12-04T08:00:00Z", "2026-12-07 2026-12-07T08:00:00Z"]
        );
        // The second of two due dates begins when the first one ends: one message on the day between.
        assert_eq!(
            said(&["2026-12-02", "2026-12-03"], "America/New_York", "2026-11-30T12:00:00Z"),
            ["2026-12-01 2026-12-01T14:00:00Z", "2026-12-02 2026-12-02T14:00:00Z", "2026-12-03 2026-12-03T14:00:00Z"]
        );
        // What is past is not reminded of.
        assert!(said(&["2026-12-07"], "UTC", "2026-12-07T09:00:00Z").is_empty());
    }

    #[test]
    fn nine_stays_nine_over_the_change_to_summer_time() {
        assert_eq!(
            said(&["2026-03-30"], "Europe/Paris", "2026-03-20T12:00:00Z"),
            ["2026-03-27 2026-03-27T08:00:00Z", "2026-03-30 2026-03-30T07:00:00Z"]
        );
        assert_eq!(
            said(&["2026-10-25"], "Europe/Paris", "2026-10-20T12:00:00Z"),
            ["2026-10-23 2026-10-23T07:00:00Z", "2026-10-25 2026-10-25T08:00:00Z"]
        );
    }

    #[test]
    fn what_was_missed_is_sent_the_same_day_or_not_at_all() {
        let due: Date = "2026-12-02".parse().unwrap();
        let on = |at: &str, last: Option<&str>| {
            due_now(&[due], &TimeZone::UTC, last.map(|day| day.parse().unwrap()), at.parse().unwrap())
        };
        assert_eq!(on("2026-12-02T08:59:59Z", None), None);
        assert_eq!(on("2026-12-02T09:00:00Z", None), Some(due));
        assert_eq!(on("2026-12-02T23:59:59Z", None), Some(due));
        assert_eq!(on("2026-12-02T23:59:59Z", Some("2026-12-01")), Some(due));
        assert_eq!(on("2026-12-02T23:59:59Z", Some("2026-12-02")), None);
        assert_eq!(on("2026-12-03T09:00:00Z", None), None);
    }

    proptest! {
        #[test]
        fn nobody_is_reminded_twice_a_day_or_at_night(
            days in proptest::collection::vec(0_i32..400, 0..6),
            start in 0_i64..400 * 24 * 60,
            place in prop::sample::select(vec![
                "UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
                "Pacific/Apia", "America/St_Johns", "Africa/Casablanca",
            ]),
        ) {
            let first: Date = "2026-01-01".parse().unwrap();
            let dues: Vec<Date> = days.iter().map(|day| first.checked_add((*day).days()).unwrap()).collect();
            let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            let from = from + jiff::SignedDuration::from_mins(start);
            let zone = zone(place);
            let sent = sent(&dues, &zone, from);
            for (day, at) in &sent {
                let here = at.to_zoned(zone.clone());
                prop_assert_eq!((here.date(), here.hour(), here.minute()), (*day, 9, 0));
                prop_assert!(dues.iter().any(|due| is_reminded(*due, *day)));
                prop_assert!(*at > from);
            }
            prop_assert!(sent.windows(2).all(|two| two[0].0 < two[1].0));
            // Every day of a due date that is still to come is among them.
            for due in &dues {
                let nine = due.at(9, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp();
                prop_assert_eq!(sent.iter().any(|(day, _)| day == due), nine > from);
            }
        }
    }
}
