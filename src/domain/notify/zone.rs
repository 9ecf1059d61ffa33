//! Time zones as people say them: a place by name, or an offset or an abbreviation, of which the
//! place has to be asked for.
//!
//! How alike letters are decides about misspelt places alone: `GMT+2` is far from `Etc/GMT+2`,
//! which is four hours away, and `IST` is not Istanbul.

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::values::{Impossible, impossible};
use crate::chat::text::fold;

/// What somebody said of a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A zone of the database, by its name there.
    Zone(String),
    /// An offset or an abbreviation: [`offers`] has the places that may be meant.
    Unclear,
}

/// A place whose clock shows what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub zone: String,
    /// Its distance from UTC now.
    pub offset: Offset,
}

/// Places offered for one offset or abbreviation.
const OFFERED: usize = 6;

/// Places that are offered first.
const CITIES: [&str; 84] = [
    "Europe/Paris",
    "Europe/London",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "America/Los_Angeles",
    "America/Chicago",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Australia/Sydney",
    "Asia/Dubai",
    "Asia/Singapore",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Brussels",
    "Europe/Zurich",
    "Europe/Amsterdam",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Athens",
    "Europe/Helsinki",
    "Europe/Bucharest",
    "Europe/Kyiv",
    "Europe/Istanbul",
    "Europe/Moscow",
    "Asia/Riyadh",
    "Asia/Jerusalem",
    "Africa/Johannesburg",
    "Africa/Cairo",
    "Africa/Lagos",
    "Africa/Casablanca",
    "Africa/Nairobi",
    "Africa/Abidjan",
    "Africa/Tunis",
    "America/Denver",
    "America/Toronto",
    "America/Phoenix",
    "America/Vancouver",
    "America/Halifax",
    "America/St_Johns",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Mexico_City",
    "America/Bogota",
    "America/Lima",
    "America/Panama",
    "America/Havana",
    "America/Caracas",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "America/Noronha",
    "Atlantic/Azores",
    "Atlantic/Cape_Verde",
    "Atlantic/Reykjavik",
    "Asia/Tehran",
    "Asia/Kabul",
    "Asia/Karachi",
    "Asia/Tashkent",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Yangon",
    "Asia/Bangkok",
    "Asia/Jakarta",
    "Asia/Ho_Chi_Minh",
    "Asia/Hong_Kong",
    "Asia/Manila",
    "Asia/Taipei",
    "Asia/Kuala_Lumpur",
    "Australia/Perth",
    "Asia/Seoul",
    "Australia/Darwin",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Melbourne",
    "Pacific/Guam",
    "Pacific/Noumea",
    "Pacific/Auckland",
    "Pacific/Fiji",
    "Pacific/Chatham",
    "Pacific/Tongatapu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Pacific/Marquesas",
];

/// Large cities that share the clock of another.
const NEIGHBOURS: [(&str, &str); 28] = [
    ("mumbai", "Asia/Kolkata"),
    ("delhi", "Asia/Kolkata"),
    ("new_delhi", "Asia/Kolkata"),
    ("bangalore", "Asia/Kolkata"),
    ("beijing", "Asia/Shanghai"),
    ("osaka", "Asia/Tokyo"),
    ("abu_dhabi", "Asia/Dubai"),
    ("canberra", "Australia/Sydney"),
    ("geneva", "Europe/Zurich"),
    ("barcelona", "Europe/Madrid"),
    ("milan", "Europe/Rome"),
    ("munich", "Europe/Berlin"),
    ("frankfurt", "Europe/Berlin"),
    ("hamburg", "Europe/Berlin"),
    ("lyon", "Europe/Paris"),
    ("marseille", "Europe/Paris"),
    ("toulouse", "Europe/Paris"),
    ("rennes", "Europe/Paris"),
    ("manchester", "Europe/London"),
    ("edinburgh", "Europe/London"),
    ("new_york_city", "America/New_York"),
    ("boston", "America/New_York"),
    ("washington", "America/New_York"),
    ("miami", "America/New_York"),
    ("houston", "America/Chicago"),
    ("dallas", "America/Chicago"),
    ("san_francisco", "America/Los_Angeles"),
    ("seattle", "America/Los_Angeles"),
];

/// Abbreviations that people use and the database does not, or not for these places.
const ABBREVIATIONS: [(&str, &[&str]); 25] = [
    ("ET", &["America/New_York", "America/Toronto"]),
    ("CT", &["America/Chicago"]),
    ("MT", &["America/Denver", "America/Phoenix"]),
    ("PT", &["America/Los_Angeles", "America/Vancouver"]),
    ("AET", &["Australia/Sydney", "Australia/Brisbane"]),
    ("AST", &["Asia/Riyadh"]),
    ("BST", &["Asia/Dhaka"]),
    ("GST", &["Asia/Dubai"]),
    ("SGT", &["Asia/Singapore"]),
    ("MYT", &["Asia/Kuala_Lumpur"]),
    ("HKT", &["Asia/Hong_Kong"]),
    ("ICT", &["Asia/Bangkok", "Asia/Ho_Chi_Minh"]),
    ("PHT", &["Asia/Manila"]),
    ("NPT", &["Asia/Kathmandu"]),
    ("IRST", &["Asia/Tehran"]),
    ("UZT", &["Asia/Tashkent"]),
    ("TRT", &["Europe/Istanbul"]),
    ("BRT", &["America/Sao_Paulo"]),
    ("ART", &["America/Argentina/Buenos_Aires"]),
    ("CLT", &["America/Santiago"]),
    ("COT", &["America/Bogota"]),
    ("PET", &["America/Lima"]),
    ("VET", &["America/Caracas"]),
    ("AZOT", &["Atlantic/Azores"]),
    ("CVT", &["Atlantic/Cape_Verde"]),
];

/// The zone of this name, in any case: one of the database, and nothing like it.
pub fn find(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).ok().filter(|zone| zone.iana_name().is_some())
}

/// What is meant by a zone as it was said.
///
/// # Errors
/// No place is called so; says which one may be meant.
pub fn read(said: &str) -> Result<Place, Impossible> {
    let name = &*name_of(said);
    if ["utc", "gmt", "z", "zulu"].contains(&name) {
        return Ok(Place::Zone("UTC".into()));
    }
    match offset(name) {
        Some(Said { offset, .. }) if offset == Offset::UTC => return Ok(Place::Zone("UTC".into())),
        Some(_) => return Ok(Place::Unclear),
        None if is_abbreviation(name) => return Ok(Place::Unclear),
        None => {}
    }
    if let Some(zone) = find(name).as_ref().and_then(TimeZone::iana_name) {
        return Ok(Place::Zone(zone.to_owned()));
    }
    if let Some(zone) = city(name) {
        return Ok(Place::Zone(zone));
    }
    let hint = near(name).map_or_else(
        || "write a region and city such as `Europe/Paris`, or `UTC`".into(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(impossible(said, "a time zone", hint))
}

/// As the database writes names: no spaces, no accents.
fn name_of(said: &str) -> String {
    let letters: String = fold(said).nfd().filter(|c| !is_combining_mark(*c)).collect();
    let name = letters.replace(" / ", "/").replace(' ', "_");
    name.strip_suffix("_time").map(str::to_owned).unwrap_or(name)
}

/// The places that an offset or an abbreviation may mean: of every distance from UTC at least one,
/// as far as there is room.
pub fn offers(said: &str, now: Timestamp) -> Vec<Offer> {
    let name = &*name_of(said);
    if let Some(Said { offset, posix }) = offset(name) {
        let mut offers = chosen(all(now).filter(|offer| offer.offset == offset), OFFERED);
        if posix {
            // Its sign is the other way round: what it says and what it seems to say.
            offers.truncate(OFFERED / 2);
            offers.extend(chosen(all(now).filter(|offer| offer.offset == -offset), OFFERED / 2));
        }
        return offers;
    }
    let name = name.to_ascii_uppercase();
    let more = ABBREVIATIONS.iter().filter(|(abbreviation, _)| *abbreviation == name).flat_map(|(_, zones)| *zones);
    let more: Vec<&str> = more.copied().collect();
    let half_year = SignedDuration::from_hours(182 * 24);
    let seasons = [Some(now), now.checked_add(half_year).ok()];
    let called = |offer: &Offer| {
        more.contains(&&*offer.zone)
            || find(&offer.zone).is_some_and(|zone| {
                seasons.into_iter().flatten().any(|at| zone.to_offset_info(at).abbreviation() == name)
            })
    };
    chosen(all(now).filter(called), OFFERED)
}

/// `UTC+02:00`.
pub fn distance(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// Every place, those that most people live by first.
fn all(now: Timestamp) -> impl Iterator<Item = Offer> {
    let others = places().filter(|zone| !CITIES.contains(&&**zone));
    let all = CITIES.into_iter().map(str::to_owned).chain(others);
    all.filter_map(move |zone| Some(Offer { offset: find(&zone)?.to_offset(now), zone }))
}

/// The database's names of places.
fn places() -> impl Iterator<Item = String> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|zone| zone.to_string()).collect();
    names.into_iter().filter(|zone| zone.contains('/') && !zone.starts_with("Etc/"))
}

/// One of every distance, then what comes first.
fn chosen(offers: impl Iterator<Item = Offer>, most: usize) -> Vec<Offer> {
    let (mut first, mut others): (Vec<Offer>, Vec<Offer>) = (Vec::new(), Vec::new());
    for offer in offers {
        let known = first.iter().any(|other| other.offset == offer.offset);
        if known { others.push(offer) } else { first.push(offer) }
    }
    others.retain(|offer| CITIES.contains(&&*offer.zone));
    first.into_iter().chain(others).take(most).collect()
}

struct Said {
    offset: Offset,
    /// `Etc/GMT+2`, which is two hours behind UTC.
    posix: bool,
}

/// `utc+2`, `gmt+02:00`, `+0530`, `-3`, `etc/gmt+2`.
fn offset(name: &str) -> Option<Said> {
    let name = name.replace('_', "");
    let posix = name.starts_with("etc/gmt");
    let number = ["etc/gmt", "etc/utc", "utc", "gmt"].iter().find_map(|before| name.strip_prefix(before));
    let number = number.unwrap_or(&name);
    let (sign, number) = match number.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let (hours, minutes) = match number.split_once([':', 'h']) {
        Some((hours, minutes)) => (hours, if minutes.is_empty() { "0" } else { minutes }),
        None if number.len() > 2 => number.split_at_checked(number.len() - 2)?,
        None => (number, "0"),
    };
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !(digits(hours) && digits(minutes)) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sign = if posix { -sign } else { sign };
    let fits = hours <= 14 && minutes < 60;
    let offset = Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok().filter(|_| fits)?;
    Some(Said { offset, posix })
}

/// Whether clocks somewhere are called so, in winter or in summer.
fn is_abbreviation(name: &str) -> bool {
    if !(2..=5).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return false;
    }
    let name = name.to_ascii_uppercase();
    if ABBREVIATIONS.iter().any(|(abbreviation, _)| *abbreviation == name) {
        return true;
    }
    // Any year does: the middle of January and of July.
    let seasons = [1_768_435_200, 1_784_073_600].map(Timestamp::from_second);
    let database = TimeZoneDatabase::bundled();
    let called = |zone: TimeZone| seasons.iter().flatten().any(|at| zone.to_offset_info(*at).abbreviation() == name);
    database.available().filter_map(|zone| database.get(zone.as_str()).ok()).any(called)
}

/// The zone of a city, by the last part of its name.
fn city(name: &str) -> Option<String> {
    if let Some((_, zone)) = NEIGHBOURS.iter().find(|(city, _)| *city == name) {
        return Some((*zone).to_owned());
    }
    let called = |zone: &str| zone.rsplit('/').next().is_some_and(|city| fold(city) == name);
    if let Some(zone) = CITIES.into_iter().find(|zone| called(zone)) {
        return Some(zone.to_owned());
    }
    places().find(|zone| called(zone))
}

/// The place that a misspelt one is most like.
fn near(name: &str) -> Option<String> {
    let name: String = name.chars().take(40).collect();
    // What is short or has digits is an offset or an abbreviation that nobody knows.
    if name.chars().count() < 4 || name.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let likeness = |zone: &str| {
        let zone = zone.to_lowercase();
        // `paris` is Europe/Paris.
        let city = zone.rsplit('/').next().unwrap_or_default();
        strsim::jaro_winkler(&name, &zone).max(strsim::jaro_winkler(&name, city))
    };
    let best = places().map(|zone| (likeness(&zone), zone)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.85).map(|(_, zone)| zone)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const WINTER: &str = "2026-01-15T12:00:00Z";
    const SUMMER: &str = "2026-07-15T12:00:00Z";

    fn offered(said: &str, at: &str) -> String {
        let offers = offers(said, at.parse().unwrap());
        offers.iter().map(|o| format!("{} {}", o.zone, distance(o.offset))).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn every_place_that_is_offered_is_in_the_database() {
        let zones = CITIES.into_iter().chain(NEIGHBOURS.map(|(_, zone)| zone));
        for zone in zones.chain(ABBREVIATIONS.iter().flat_map(|(_, zones)| *zones).copied()) {
            assert_eq!(find(zone).unwrap().iana_name(), Some(zone));
        }
        for zone in ABBREVIATIONS.iter().flat_map(|(_, zones)| *zones) {
            assert!(CITIES.contains(zone), "{zone}");
        }
    }

    #[test]
    fn a_city_is_found_and_a_misspelt_one_is_named() {
        let said = [
            "paris",
            "Kolkata",
            "new york",
            "NEW_YORK",
            "Buenos Aires",
            "europe/paris",
            "Europe / Paris",
            "São Paulo",
            "Mumbai",
            "Calcutta",
            "Japan",
            "utc",
            "GMT",
            "UTC+0",
            "Paris time",
            "Pariss",
            "Istanbull",
            "Europe/Pari",
            "Europe/Berln",
            "XST",
            "Mars/Base",
            "",
        ];
        let read = said.map(|said| match read(said) {
            Ok(Place::Zone(zone)) => format!("{said} -> {zone}"),
            Ok(Place::Unclear) => format!("{said} -> ?"),
            Err(impossible) => impossible.to_string(),
        });
        assert_snapshot!(read.join("\n"), @r#"
        paris -> Europe/Paris
        Kolkata -> Asia/Kolkata
        new york -> America/New_York
        NEW_YORK -> America/New_York
        Buenos Aires -> America/Argentina/Buenos_Aires
        europe/paris -> Europe/Paris
        Europe / Paris -> Europe/Paris
        São Paulo -> America/Sao_Paulo
        Mumbai -> Asia/Kolkata
        Calcutta -> Asia/Calcutta
        Japan -> Japan
        utc -> UTC
        GMT -> UTC
        UTC+0 -> UTC
        Paris time -> Europe/Paris
        "Pariss" is not a time zone: did you mean `Europe/Paris`?
        "Istanbull" is not a time zone: did you mean `Europe/Istanbul`?
        "Europe/Pari" is not a time zone: did you mean `Europe/Paris`?
        "Europe/Berln" is not a time zone: did you mean `Europe/Berlin`?
        "XST" is not a time zone: write a region and city such as `Europe/Paris`, or `UTC`.
        "Mars/Base" is not a time zone: write a region and city such as `Europe/Paris`, or `UTC`.
        "" is not a time zone: write a region and city such as `Europe/Paris`, or `UTC`.
        "#);
    }

    #[test]
    fn an_offset_is_a_question_and_offers_places_that_keep_it_now() {
        for said in
            ["GMT+2", "UTC+2", "utc +2", "UTC+02:00", "+2", "+02", "+0200", "+02:00", "UTC−2", "+2h", "Etc/GMT+2"]
        {
            assert_eq!(read(said), Ok(Place::Unclear), "{said}");
        }
        for said in ["UTC+15", "+", "UTC+", "+2:75", "+abc", "2", "UTC2"] {
            assert!(read(said).is_err(), "{said}");
        }
        let said = ["GMT+2", "+05:30", "UTC-3", "UTC+12:45", "Etc/GMT+2"];
        let winter = said.map(|said| format!("{said}: {}", offered(said, WINTER)));
        assert_snapshot!(winter.join("\n"), @"
        GMT+2: Europe/Athens UTC+02:00, Europe/Helsinki UTC+02:00, Europe/Bucharest UTC+02:00, Europe/Kyiv UTC+02:00, Asia/Jerusalem UTC+02:00, Africa/Johannesburg UTC+02:00
        +05:30: Asia/Kolkata UTC+05:30
        UTC-3: America/Santiago UTC-03:00, America/Sao_Paulo UTC-03:00, America/Argentina/Buenos_Aires UTC-03:00
        UTC+12:45: 
        Etc/GMT+2: America/Noronha UTC-02:00, Europe/Athens UTC+02:00, Europe/Helsinki UTC+02:00, Europe/Bucharest UTC+02:00
        ");
        assert_snapshot!(said.map(|said| format!("{said}: {}", offered(said, SUMMER))).join("\n"), @"
        GMT+2: Europe/Paris UTC+02:00, Europe/Berlin UTC+02:00, Europe/Madrid UTC+02:00, Europe/Rome UTC+02:00, Europe/Brussels UTC+02:00, Europe/Zurich UTC+02:00
        +05:30: Asia/Kolkata UTC+05:30
        UTC-3: America/Halifax UTC-03:00, America/Sao_Paulo UTC-03:00, America/Argentina/Buenos_Aires UTC-03:00
        UTC+12:45: Pacific/Chatham UTC+12:45
        Etc/GMT+2: America/Noronha UTC-02:00, Europe/Paris UTC+02:00, Europe/Berlin UTC+02:00, Europe/Madrid UTC+02:00
        ");
    }

    #[test]
    fn an_abbreviation_is_a_question_of_all_its_meanings() {
        let said = ["IST", "CET", "cest", "EST", "PST", "BST", "MSK", "AEST", "CST", "ET", "SGT", "WET", "HST"];
        for said in said {
            assert_eq!(read(said), Ok(Place::Unclear), "{said}");
        }
        assert_snapshot!(said.map(|said| format!("{said}: {}", offered(said, WINTER))).join("\n"), @"
        IST: Asia/Kolkata UTC+05:30, Europe/Dublin UTC+00:00, Asia/Jerusalem UTC+02:00
        CET: Europe/Paris UTC+01:00, Europe/Berlin UTC+01:00, Europe/Madrid UTC+01:00, Europe/Rome UTC+01:00, Europe/Brussels UTC+01:00, Europe/Zurich UTC+01:00
        cest: Europe/Paris UTC+01:00, Europe/Berlin UTC+01:00, Europe/Madrid UTC+01:00, Europe/Rome UTC+01:00, Europe/Brussels UTC+01:00, Europe/Zurich UTC+01:00
        EST: America/New_York UTC-05:00, America/Toronto UTC-05:00, America/Panama UTC-05:00
        PST: America/Los_Angeles UTC-08:00, Asia/Manila UTC+08:00, America/Vancouver UTC-08:00
        BST: Europe/London UTC+00:00, Asia/Dhaka UTC+06:00
        MSK: Europe/Moscow UTC+03:00
        AEST: Australia/Sydney UTC+11:00, Australia/Brisbane UTC+10:00, Australia/Melbourne UTC+11:00
        CST: America/Chicago UTC-06:00, Asia/Shanghai UTC+08:00, America/Havana UTC-05:00, America/Mexico_City UTC-06:00, Asia/Taipei UTC+08:00
        ET: America/New_York UTC-05:00, America/Toronto UTC-05:00
        SGT: Asia/Singapore UTC+08:00
        WET: Europe/Lisbon UTC+00:00
        HST: Pacific/Honolulu UTC-10:00
        ");
    }

    #[test]
    fn whatever_is_unclear_has_places_to_offer() {
        let now = WINTER.parse().unwrap();
        let offsets = (-12..=14).map(|hours| format!("UTC{hours:+}")).filter(|said| read(said) == Ok(Place::Unclear));
        for said in offsets.chain(ABBREVIATIONS.map(|(said, _)| said.to_owned())) {
            let offers = offers(&said, now);
            // Nobody lives at UTC-12.
            assert!(!offers.is_empty() && offers.len() <= OFFERED || said == "UTC-12", "{said}: {offers:?}");
        }
    }
}
