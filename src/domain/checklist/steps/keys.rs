//! Step 6: keys for integrations, their expiry, and the bot's own.
//!
//! Evidence is for every viewer, the keys' names are for operators: it counts and names none.

use jiff::Timestamp;

use super::Finding;
use crate::chat::text::count;
use crate::domain::checklist::facts::{Ended, Fact, Key, Print};
use crate::sekoia::{ApiKey, KeyStatus, days_until};

/// Keys with fewer days left are about to expire.
pub const SOON: i64 = 30;

/// Active keys that somebody made for an integration: not Sekoia's own, not the bot's.
pub fn of_integrations<'a>(
    keys: &'a [ApiKey],
    own: Option<&'a str>,
    now: Timestamp,
) -> impl Iterator<Item = &'a ApiKey> {
    keys.iter()
        .filter(move |k| k.status(now) == KeyStatus::Active && k.internal != Some(true) && own != Some(k.uuid.as_str()))
}

/// Days left, for an active key that expires.
pub fn days_left(key: &ApiKey, now: Timestamp) -> Option<i64> {
    key.expires_at.filter(|_| key.status(now) == KeyStatus::Active).map(|at| days_until(at, now))
}

/// A key that was made for a short time is about to expire in the last third of it.
pub fn is_near(key: &ApiKey, now: Timestamp) -> bool {
    let life = key.expires_at.zip(key.created_at).map(|(end, begin)| days_until(end, begin));
    let soon = life.map_or(SOON, |days| SOON.min(days / 3));
    days_left(key, now).is_some_and(|left| left < soon)
}

fn fact(key: &ApiKey, now: Timestamp) -> Fact {
    let ended = match key.status(now) {
        KeyStatus::Active => None,
        KeyStatus::Expired => Some(Ended::Expired),
        KeyStatus::Revoked => Some(Ended::Revoked),
    };
    let (id, name, near) = (Print::of(&key.uuid), key.name().into(), is_near(key, now));
    Fact::Key(Key { id, name, ended, expires: key.expires_at, near })
}

/// `own`: the bot's key, so that it does not count as an integration's. `planned`: a plan says which
/// are needed, so that none may be enough.
pub fn check(keys: &[ApiKey], own: Option<&str>, now: Timestamp, planned: bool) -> Finding {
    let active: Vec<&ApiKey> = keys.iter().filter(|k| k.status(now) == KeyStatus::Active).collect();
    let integrations = of_integrations(keys, own, now).count();
    let summary =
        format!("{}, {} of them for integrations", count(active.len(), "active key", "active keys"), integrations);
    if integrations == 0 && !planned {
        return Finding::wanting(summary, "a key for each integration; the bot's own does not count".into());
    }
    let mut exceptions = Vec::new();
    let endless = active.iter().filter(|k| k.expires_at.is_none()).count();
    if endless > 0 {
        exceptions.push(format!("{} without expiry", count(endless, "key", "keys")));
    }
    let soon = active.iter().filter(|k| days_left(k, now).is_some_and(|d| d < SOON)).count();
    if soon > 0 {
        exceptions.push(format!("{} expiring within {SOON} days", count(soon, "key", "keys")));
    }
    // Sekoia makes and ends its own as it likes.
    let facts = keys.iter().filter(|k| k.internal != Some(true)).map(|k| fact(k, now));
    Finding::confirmed(summary, exceptions, facts.collect())
}
