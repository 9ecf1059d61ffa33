//! Sekoia: its address, the key, its region and its end, and what it may. Reads only, and never the alerting
//! of licences, which creates a team.

use jiff::Timestamp;

use super::permissions;
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::chat::view::day;
use crate::domain::checklist::steps::keys::days_left;
use crate::domain::checklist::steps::keys::is_near;
use crate::pace::Rank;
use crate::resolve::is_loopback;
use crate::sekoia::{KeyStatus, Sekoia, SekoiaError, Validation};

const KEY: (&str, &str) = ("sekoia.key", "Sekoia: API key");
const REGION: (&str, &str) = ("sekoia.region", "Sekoia: region");
const EXPIRY: (&str, &str) = ("sekoia.expiry", "Sekoia: end of the key");
const PERMISSIONS: (&str, &str) = ("sekoia.permissions", "Sekoia: permissions");
const NEW_KEY: &str = "Create a key in Settings > Workspace > API Keys, set SEKOIA_API_KEY and restart the bot.";

/// `probes`: whether the other regions are asked when the key is refused.
pub async fn examine(sekoia: &Sekoia, probes: bool, now: Timestamp) -> Vec<Check> {
    let key = match sekoia.validate(Rank::Person).await {
        Ok(key) => key,
        Err(error) => return refused(sekoia, &error, probes).await,
    };
    let host = sekoia.base().host_str().unwrap_or_default();
    let mut checks = vec![Check::pass(KEY.0, KEY.1, &format!("{host} answers and takes the key.")), region(sekoia)];
    let (end, held) = tokio::join!(end(sekoia, &key, now), sekoia.my_permissions());
    checks.push(end);
    match held {
        Ok(held) => checks.extend(permissions::compare(&held)),
        Err(error) => {
            let found = format!("What the key may cannot be read: {}.", harmless(&error.to_string()));
            checks.push(Check::warn(PERMISSIONS.0, PERMISSIONS.1, &found, &error.advice(sekoia.region)));
        }
    }
    checks
}

/// Where the key is taken is its region; an address that is set by itself may be another one's.
fn region(sekoia: &Sekoia) -> Check {
    let (id, subject) = REGION;
    let (region, host) = (sekoia.region, sekoia.base().host_str().unwrap_or_default());
    let Some(documented) = region.documented() else {
        return Check::pass(id, subject, &format!("Sekoia Self-Hosted at {host}."));
    };
    let own = documented.api.iter().filter_map(|url| url.parse::<url::Url>().ok());
    if is_loopback(sekoia.base()) || own.into_iter().any(|url| url.host_str() == Some(host)) {
        return Check::pass(id, subject, &format!("{region} ({}), at {host}.", region.place()));
    }
    Check::warn(
        id,
        subject,
        &format!("SEKOIA_API_URL leads to {host}, which is none of the addresses of {region}."),
        "Set SEKOIA_REGION to the region of that address, or remove SEKOIA_API_URL.",
    )
}

/// The key's own end, which takes a permission to read.
async fn end(sekoia: &Sekoia, key: &Validation, now: Timestamp) -> Check {
    let (id, subject) = EXPIRY;
    let unknown = |why: &str, advice: &str| {
        Check::warn(id, subject, &format!("When the key ends cannot be read: {why}."), advice)
    };
    let look = "Look it up in Sekoia under Settings > Workspace > API Keys.";
    let Some(uuid) = key.key_uuid().and_then(|uuid| uuid.parse().ok()) else {
        return unknown("Sekoia does not say which key it is", look);
    };
    let community = match sekoia.me().await {
        Ok(me) => me.community,
        Err(error) => return unknown(&harmless(&error.to_string()), &error.advice(sekoia.region)),
    };
    let Some(community) = community else {
        return unknown("Sekoia does not say which community it belongs to", look);
    };
    let key = match sekoia.api_key(community, uuid).await {
        Ok(key) => key,
        Err(error) => return unknown(&harmless(&error.to_string()), look),
    };
    if key.status(now) != KeyStatus::Active {
        return Check::fail(id, subject, "Sekoia lists the bot's key as expired or revoked.", NEW_KEY);
    }
    match (key.expires_at, days_left(&key, now)) {
        (Some(at), Some(left)) => {
            let left = count(usize::try_from(left).unwrap_or(0), "day", "days");
            let found = format!("The bot's key ends on {}, in {left}.", day(at));
            if is_near(&key, now) {
                Check::warn(id, subject, &found, NEW_KEY)
            } else {
                Check::pass(id, subject, &found)
            }
        }
        _ => Check::pass(id, subject, "The bot's key does not end by itself."),
    }
}

async fn refused(sekoia: &Sekoia, error: &SekoiaError, probes: bool) -> Vec<Check> {
    let (id, subject) = KEY;
    let host = sekoia.base().host_str().unwrap_or_default();
    let fail = |found: &str, advice: &str| vec![Check::fail(id, subject, found, advice)];
    if matches!(error, SekoiaError::Unreachable | SekoiaError::Timeout { .. }) {
        let advice = "Let the bot reach that host by HTTPS, through the proxy if there is one; CHATOPS_CA_FILE names a private authority. https://status.sekoia.io shows known incidents.";
        return fail(&format!("{} ({host}).", harmless(&error.to_string())), advice);
    }
    let SekoiaError::Unauthorized { code, .. } = error else {
        return fail(&format!("{} ({host}).", harmless(&error.to_string())), &error.advice(sekoia.region));
    };
    // The message may repeat the key.
    let found = format!("Sekoia does not accept the key at {host} (401 {}).", harmless(code));
    // A key that ended is known to this region.
    if matches!(code.as_str(), "T301" | "T302") || !probes {
        return fail(&found, &error.advice(sekoia.region));
    }
    let tried = sekoia.probe().await;
    match tried.iter().find(|probed| probed.accepted_at.is_some()) {
        Some(right) => {
            let (id, subject) = REGION;
            let region = right.region;
            let found = format!("{found} It is a key of {region} ({}).", region.place());
            vec![Check::fail(id, subject, &found, &format!("Set SEKOIA_REGION={region} and restart the bot."))]
        }
        None if tried.is_empty() => fail(&found, &error.advice(sekoia.region)),
        None => fail(&format!("{found} No other region takes it either."), NEW_KEY),
    }
}
