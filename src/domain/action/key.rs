//! API keys: made, revoked, replaced.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::names::{self, description, name, one_of};
use super::permissions::{Resolved, Sources, beyond, risks};
use super::preset::{PRESETS, Preset};
use super::{Action, Expiry, Named, Prepared, Problem, problem};
use crate::chat::text::{same, shown};
use crate::chat::view::{Line, day};
use crate::sekoia::{ApiKey, KeyStatus, Permission};

/// Characters of a name; Sekoia's own bound is not documented.
pub const KEY_NAME: usize = 100;
/// Characters of a description: 10 to 100 in Sekoia's older pages, at least 10 in the newer.
pub const DESCRIPTION: (usize, usize) = (10, 100);
/// Sekoia takes a date at most one year ahead.
pub const LONGEST_LIFE_DAYS: i64 = 365;
/// What nobody said.
const DEFAULT_LIFE_DAYS: u16 = 180;

pub struct KeyFacts<'a> {
    pub community: Named,
    pub keys: &'a [ApiKey],
    pub catalogue: &'a [Permission],
    /// What the bot's own key may do.
    pub own: &'a [Permission],
    /// The bot's own key, which it never revokes.
    pub own_key: Option<&'a str>,
    pub now: Timestamp,
}

/// # Errors
/// What is wrong with the request, by field.
pub fn key(
    typed: &str,
    preset: Option<&str>,
    with: &[String],
    about: Option<&str>,
    expires: Option<Expiry>,
    facts: &KeyFacts<'_>,
) -> Result<Prepared, Problem> {
    let name = free_name(typed, facts)?;
    let preset = match preset.map(str::trim).filter(|p| !p.is_empty()) {
        Some(wanted) => Some(Preset::find(wanted).ok_or_else(|| {
            let ids = PRESETS.iter().map(|p| p.id.as_str());
            let text = format!("There is no preset called \"{}\". {}", shown(wanted, 60), names::instead(wanted, ids));
            problem("preset", text)
        })?),
        None => None,
    };
    let sources = Sources { catalogue: facts.catalogue, roles: &[] };
    let mut wanted: Vec<String> = preset.iter().map(|p| p.id.clone()).collect();
    wanted.extend(with.iter().cloned());
    let Resolved { permissions, absent } = sources.resolve(&wanted)?;
    if permissions.is_empty() {
        return Err(problem(
            "with",
            Line::marked(
                "Say what it may do: a preset with `for`, such as `for read-alerts`, or permissions with `with`.",
            ),
        ));
    }
    let description = match (about.map(str::trim).filter(|a| !a.is_empty()), preset) {
        (Some(about), _) => description(about, DESCRIPTION)?,
        (None, Some(preset)) => shown(&format!("{}, set up from chat", preset.label), DESCRIPTION.1).into(),
        (None, None) => shown(&format!("{name}, set up from chat"), DESCRIPTION.1).into(),
    };
    let caveat = preset.and_then(|p| p.caveat.as_deref()).map(Box::from);
    let mut prepared = new(name, description, permissions, expires, None, facts)?;
    prepared.notes.extend(caveat.into_iter().chain(absent));
    Ok(prepared)
}

/// # Errors
/// What is wrong with the request, by field.
pub fn revoke(wanted: &str, facts: &KeyFacts<'_>) -> Result<Prepared, Problem> {
    let key = existing(wanted, facts)?;
    let action =
        Action::RevokeKey { community: facts.community.clone(), key: Named::new(key.uuid.as_str(), key.name()) };
    let risks = vec!["whatever uses it stops working at once, and it cannot be made valid again".into()];
    Ok(Prepared { action, risks, sensitive: false, notes: vec![], account: vec![] })
}

/// # Errors
/// What is wrong with the request, by field.
pub fn rotate(
    wanted: &str,
    called: Option<&str>,
    expires: Option<Expiry>,
    facts: &KeyFacts<'_>,
) -> Result<Prepared, Problem> {
    let old = existing(wanted, facts)?;
    let name = match called.map(str::trim).filter(|n| !n.is_empty()) {
        Some(called) => free_name(called, facts)?,
        None => next_name(old.name(), facts)?,
    };
    let permissions: Vec<Named> =
        old.permissions.iter().filter_map(|p| Some(Named::new(p.uuid.as_deref()?, p.title()))).collect();
    if permissions.is_empty() {
        let why = "Sekoia shows no permissions for this key. Make a new one with `/sekoia key create`.";
        return Err(problem("key", Line::marked(why)));
    }
    let about = old.description.as_deref().map(str::trim).unwrap_or_default();
    let description = match description(about, DESCRIPTION) {
        Ok(about) => about,
        Err(_) => shown(&format!("Replaces {}", old.name()), DESCRIPTION.1).into(),
    };
    let replaces = Some(Named::new(old.uuid.as_str(), old.name()));
    new(name, description, permissions, expires, replaces, facts)
}

fn new(
    name: Box<str>,
    description: Box<str>,
    permissions: Vec<Named>,
    expires: Option<Expiry>,
    replaces: Option<Named>,
    facts: &KeyFacts<'_>,
) -> Result<Prepared, Problem> {
    let beyond = beyond(&permissions, facts.own);
    if !beyond.is_empty() {
        let listed: Vec<String> = beyond.iter().take(5).map(|p| shown(p, 60)).collect();
        let why = "The bot's own key does not have this, so it gives it to no other";
        return Err(problem("with", format!("{why}: {}.", listed.join(", "))));
    }
    let mut notes = Vec::new();
    let given = expires.unwrap_or(Expiry::Days(DEFAULT_LIFE_DAYS));
    let until = until(given, facts.now)?;
    if let (None, Some(until)) = (expires, until) {
        notes.push(format!("No expiry was given, so it is {DEFAULT_LIFE_DAYS} days, until {}.", day(until)).into());
    }
    let mut risks = risks(&permissions, facts.catalogue);
    let sensitive = until.is_none();
    if sensitive {
        risks.push("never expires".into());
    }
    let community = facts.community.clone();
    let action = Action::CreateKey { community, name, description, permissions, expires: until, replaces };
    Ok(Prepared { action, risks, sensitive, notes, account: vec![] })
}

/// Until when, to the second; none for ever.
pub(super) fn until(expiry: Expiry, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let at = match expiry {
        Expiry::Never => return Ok(None),
        Expiry::Days(days) => second + SignedDuration::from_hours(24 * i64::from(days)),
        Expiry::On(date) => date
            .at(23, 59, 59, 0)
            .to_zoned(TimeZone::UTC)
            .map_err(|_| problem("expires", "That day is beyond the calendar."))?
            .timestamp(),
    };
    if at <= now {
        return Err(problem(
            "expires",
            format!("{} is in the past. Give a later day, or 30d, 180d, 365d, never.", day(at)),
        ));
    }
    if at > now + SignedDuration::from_hours(24 * LONGEST_LIFE_DAYS) {
        return Err(problem("expires", format!("{} is more than a year ahead, which Sekoia does not take.", day(at))));
    }
    Ok(Some(at))
}

fn existing<'a>(wanted: &str, facts: &KeyFacts<'a>) -> Result<&'a ApiKey, Problem> {
    // A name may have been used before: only one key that works bears it.
    let active: Vec<&ApiKey> = facts.keys.iter().filter(|k| k.status(facts.now) == KeyStatus::Active).collect();
    let key = one_of("key", "active key", wanted, &active, |k| &k.uuid, |k| k.name()).copied()?;
    if facts.own_key == Some(key.uuid.as_str()) {
        return Err(problem(
            "key",
            "That is the bot's own key. Your bot administrator replaces it in Sekoia's console.",
        ));
    }
    Ok(key)
}

fn free_name(typed: &str, facts: &KeyFacts<'_>) -> Result<Box<str>, Problem> {
    let name = name("name", "key", typed, KEY_NAME)?;
    if let Some(key) = taken(&name, facts) {
        let key = shown(key.name(), 60);
        let text = format!("There is already a key called \"{key}\". Sekoia wants names to be unique.");
        return Err(problem("name", text));
    }
    Ok(name)
}

/// The key that a name would be mistaken for.
pub(super) fn taken<'a>(name: &str, facts: &KeyFacts<'a>) -> Option<&'a ApiKey> {
    let revoked = |k: &ApiKey| k.status(facts.now) == KeyStatus::Revoked;
    facts.keys.iter().find(|k| !revoked(k) && same(k.name(), name))
}

/// `forwarder` becomes `forwarder 2026-11-24`, and that `forwarder 2026-11-24 b` on the same day.
fn next_name(old: &str, facts: &KeyFacts<'_>) -> Result<Box<str>, Problem> {
    let date = |word: &str| word.parse::<jiff::civil::Date>().is_ok();
    let mut words: Vec<&str> = old.split_whitespace().collect();
    while words.len() > 1 && words.last().is_some_and(|w| date(w) || w.len() == 1) {
        words.pop();
    }
    let stem: String = words.join(" ").chars().take(KEY_NAME - 14).collect();
    let today = day(facts.now);
    let names = [String::new()].into_iter().chain(('b'..='z').map(|c| format!(" {c}")));
    let free = names.map(|tail| format!("{stem} {today}{tail}")).find(|name| taken(name, facts).is_none());
    let free =
        free.ok_or_else(|| problem("name", Line::marked("Too many keys of this name today. Give a name with `as`.")))?;
    name("name", "key", &free, KEY_NAME)
}
