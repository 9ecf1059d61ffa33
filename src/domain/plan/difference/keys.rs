//! API keys, one for each use.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::catalogue::{Beside, Catalogue};
use super::{Line, Mark};
use crate::chat::text::{fold, shown};
use crate::chat::view::day;
use crate::domain::action::Preset;
use crate::domain::checklist::steps::keys::of_integrations;
use crate::domain::plan::{Lifetime, Part, PlannedKey};
use crate::sekoia::{ApiKey, KeyStatus, Permission};

/// How far the clocks of Sekoia and the bot may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// `own_key`: the bot's, which is for no use case. `unsaved`: names of keys that are asked for or
/// made and nobody has saved yet, with what they wait for.
pub fn keys(
    planned: &[PlannedKey],
    keys: &[ApiKey],
    own_key: Option<&str>,
    unsaved: &[(Box<str>, Box<str>)],
    catalogue: &[Permission],
    now: Timestamp,
) -> Vec<Line> {
    let catalogue = Catalogue::new(catalogue);
    let active: Vec<&ApiKey> = of_integrations(keys, own_key, now).collect();
    let mut working: HashMap<String, Vec<&ApiKey>> = HashMap::new();
    for key in &active {
        working.entry(fold(key.name())).or_default().push(key);
    }
    // The best that can be said of a name that no key for an integration has.
    let mut other: HashMap<String, &str> = HashMap::new();
    for key in keys {
        let says = match key.status(now) {
            KeyStatus::Active if own_key == Some(key.uuid.as_str()) => OWN,
            KeyStatus::Active => continue,
            KeyStatus::Expired => "the one of this name has expired",
            KeyStatus::Revoked => "the one of this name was revoked",
        };
        let known = other.entry(fold(key.name())).or_insert(says);
        if says == OWN || (*known != OWN && key.status(now) == KeyStatus::Expired) {
            *known = says;
        }
    }
    let waits: HashMap<String, &str> = unsaved.iter().map(|(name, what)| (fold(name), &**what)).collect();
    let mut meant: HashSet<&str> = HashSet::new();
    let mut lines = Vec::new();
    for plan in planned {
        let name = fold(&plan.name);
        let line = |mark| Line::new(mark, Part::Keys, &plan.name);
        let called = working.get(&name).map_or(&[][..], Vec::as_slice);
        // Of several that are called so, the one that is as planned.
        let compared = called.iter().map(|key| (faults(plan, key, &catalogue, now), *key));
        let best = compared.min_by(|(a, one), (b, other)| (a, &one.uuid).cmp(&(b, &other.uuid)));
        meant.extend(best.as_ref().map(|(_, key)| key.uuid.as_str()));
        lines.push(match (waits.get(&name), &best, other.get(&name)) {
            (Some(what), ..) => line(Mark::Waiting).because(shown(what, 200)),
            (_, Some((faults, key)), _) if faults.is_empty() => line(Mark::There).because(until(key)),
            (_, Some((faults, _)), _) => line(Mark::Change).because(faults.join("; ")),
            (.., Some(&says)) => line(if says == OWN { Mark::Change } else { Mark::Create }).because(says),
            _ => line(Mark::Create),
        });
    }
    let extra = active.iter().filter(|key| !meant.contains(key.uuid.as_str()));
    lines.extend(extra.map(|key| Line::new(Mark::Extra, Part::Keys, key.name()).because(until(key))));
    lines
}

const OWN: &str = "this is the name of the bot's own key; choose another";

/// What a key has otherwise than planned.
fn faults(plan: &PlannedKey, key: &ApiKey, catalogue: &Catalogue<'_>, now: Timestamp) -> Vec<String> {
    let preset = plan.preset.as_deref().and_then(Preset::find);
    let titles = preset.map_or(&[][..], |preset| preset.titles.as_slice()).iter().map(String::as_str);
    let beside: Beside = catalogue.compare(titles.chain(plan.permissions.iter().map(|p| &**p)), &key.permissions);
    let mut faults = beside.sentences();
    if let (Some(name), None) = (&plan.preset, preset) {
        faults.push(format!("the preset {} is unknown", shown(name, 60)));
    }
    faults.extend(too_long(plan.expires, key, now));
    faults
}

/// Why a key lives longer than planned.
fn too_long(planned: Lifetime, key: &ApiKey, now: Timestamp) -> Option<String> {
    let (latest, says) = match planned {
        Lifetime::Never => return None,
        Lifetime::Days(days) => {
            let life = SignedDuration::from_hours(24 * i64::from(days));
            let latest = key.created_at.unwrap_or(now).checked_add(life + CLOCKS).unwrap_or(Timestamp::MAX);
            (latest, format!("planned for {days} days"))
        }
        Lifetime::On(date) => {
            let end = date.at(23, 59, 59, 999_999_999).to_zoned(TimeZone::UTC);
            (end.map_or(Timestamp::MAX, |end| end.timestamp()), format!("planned until {date}"))
        }
    };
    match key.expires_at {
        None => Some(format!("never expires, {says}")),
        Some(end) if end > latest => Some(format!("expires on {}, {says}", day(end))),
        Some(_) => None,
    }
}

fn until(key: &ApiKey) -> String {
    key.expires_at.map_or("never expires".into(), |end| format!("until {}", day(end)))
}
