//! Step 1: which licences are active, and until when.
//!
//! Thresholds are Sekoia's own for its expiry mails: licences of more than 100 days warn
//! workspace admins under 90 days left and community admins under 30, shorter ones under 10
//! and 5.

use jiff::Timestamp;
use serde_json::Value;

use super::Finding;
use crate::chat::text::{count, shown};
use crate::chat::view::day;
use crate::domain::checklist::Evidence;
use crate::domain::checklist::facts::{Fact, Near, Print};
use crate::sekoia::{Licence, Usage, days_until};

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    Far,
    /// Sekoia tells workspace admins.
    Soon,
    /// Sekoia tells community admins as well.
    VerySoon,
    Expired,
    NotStarted,
    /// No end date.
    Open,
}

pub fn expiry(licence: &Licence, now: Timestamp) -> Expiry {
    if licence.start.is_some_and(|start| start > now) {
        return Expiry::NotStarted;
    }
    let Some(end) = licence.end else { return Expiry::Open };
    let left = days_until(end, now);
    if end <= now {
        return Expiry::Expired;
    }
    let length = licence.duration.or_else(|| licence.start.map(|start| days_until(end, start)));
    let (soon, very_soon) = if length.is_none_or(|days| days > 100) { (90, 30) } else { (10, 5) };
    match left {
        left if left < very_soon => Expiry::VerySoon,
        left if left < soon => Expiry::Soon,
        _ => Expiry::Far,
    }
}

/// `Defend Prime`, or the module, or the type.
pub fn product(licence: &Licence) -> String {
    let plan = licence.plan.as_ref();
    let title = plan.and_then(|p| p.title.as_deref());
    let module = plan.and_then(|p| p.module.as_ref()?.name.as_deref());
    shown(title.or(module).or(licence.license_type.as_deref()).unwrap_or("a licence without a plan"), 80)
}

/// The module, where it is more than the plan's title.
pub fn module(licence: &Licence) -> Option<String> {
    let plan = licence.plan.as_ref()?;
    let module = plan.module.as_ref()?.name.as_deref()?;
    (plan.title.as_deref() != Some(module)).then(|| shown(module, 60))
}

/// Numbers, texts and switches of a licence's free-form `limits` or `properties`.
pub fn settings(value: &Value) -> Vec<String> {
    let Value::Object(map) = value else { return Vec::new() };
    map.iter()
        .filter_map(|(name, value)| {
            let name = shown(&name.replace('_', " "), 40);
            match value {
                Value::Number(n) => Some(format!("{name}: {n}")),
                Value::String(s) => Some(format!("{name}: {}", shown(s, 40))),
                Value::Bool(true) => Some(name),
                Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => None,
            }
        })
        .collect()
}

pub fn is_active(licence: &Licence, now: Timestamp) -> bool {
    !matches!(expiry(licence, now), Expiry::Expired | Expiry::NotStarted)
}

pub fn check(licences: &[Licence], now: Timestamp) -> Finding {
    let active: Vec<&Licence> = licences.iter().filter(|l| is_active(l, now)).collect();
    if active.is_empty() {
        let summary = match licences.len() {
            0 => "Sekoia lists no licence for this community".into(),
            n => format!("none of {} is active", count(n, "licence", "licences")),
        };
        return Finding::wanting(summary, "an active licence; your Sekoia contact can tell what was ordered".into());
    }
    let summary: Vec<String> = active
        .iter()
        .map(|l| match l.end {
            Some(end) => format!("{} until {}", product(l), day(end)),
            None => format!("{} without an end date", product(l)),
        })
        .collect();
    // One that has expired beside an active one was replaced; the list still shows it.
    let exceptions = active.iter().filter_map(|l| warning(l, now)).collect();
    match Finding::confirmed(summary.join(", "), exceptions, facts(&active, now)) {
        Finding::Confirmed(evidence) => {
            let details = active.iter().map(|licence| detail(licence).into()).collect();
            Finding::Confirmed(Evidence { details, ..evidence })
        }
        other => other,
    }
}

/// Own indicators against their limit, the one usage that Sekoia's API gives with it.
pub fn with_usage(finding: Finding, own: Usage) -> Finding {
    let Finding::Confirmed(evidence) = finding else { return finding };
    let Usage { count, max } = own;
    let said = match max {
        Some(max) => format!("own indicators: {count} of {max}"),
        None => format!("own indicators: {count}; Sekoia tells no limit"),
    };
    let near = max.filter(|max| count.saturating_mul(10) >= max.saturating_mul(9));
    let near = near.map(|max| format!("{count} of {max} own indicators are used").into());
    let details = evidence.details.into_iter().chain([said.into()]).collect();
    let exceptions = evidence.exceptions.into_iter().chain(near).collect();
    Finding::Confirmed(Evidence { details, exceptions, ..evidence })
}

/// `Defend Prime: until 2027-06-30; assets: 1000`.
fn detail(licence: &Licence) -> String {
    let until = licence.end.map_or_else(|| "without an end date".into(), |end| format!("until {}", day(end)));
    let limits = settings(&licence.limits);
    let limits = if limits.is_empty() { "Sekoia tells no limit".into() } else { limits.join(", ") };
    format!("{}: {until}; {limits}", product(licence))
}

/// One for each product, of the licence that lasts longest.
fn facts(active: &[&Licence], now: Timestamp) -> Vec<Fact> {
    let mut active = active.to_vec();
    active.sort_by_key(|l| (product(l), std::cmp::Reverse(l.end.unwrap_or(Timestamp::MAX))));
    active.dedup_by_key(|l| product(l));
    let fact = |l: &&Licence| {
        let near = match expiry(l, now) {
            Expiry::Soon => Near::Soon,
            Expiry::VerySoon => Near::VerySoon,
            _ => Near::Far,
        };
        Fact::Licence { id: Print::of(&product(l)), name: product(l).into(), end: l.end, near }
    };
    active.iter().map(fact).collect()
}

/// What somebody should know about a licence.
pub fn warning(licence: &Licence, now: Timestamp) -> Option<String> {
    let name = product(licence);
    let left = licence.end.map_or(0, |end| days_until(end, now));
    let left = count(usize::try_from(left).unwrap_or(0), "day", "days");
    match expiry(licence, now) {
        Expiry::Soon => Some(format!("{name} ends in {left}: Sekoia is warning workspace admins")),
        Expiry::VerySoon => Some(format!("{name} ends in {left}: Sekoia is warning community admins")),
        Expiry::Expired => Some(format!("{name} has expired")),
        Expiry::NotStarted => Some(format!("{name} has not started")),
        Expiry::Far | Expiry::Open => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn licence(days_ago: i64, days_left: i64) -> Licence {
        let now = Timestamp::UNIX_EPOCH;
        let at = |days: i64| Timestamp::from_second(now.as_second() + days * 86_400).unwrap();
        Licence {
            license_type: Some("Defend".into()),
            plan: None,
            properties: Value::Null,
            limits: Value::Null,
            start: Some(at(-days_ago)),
            end: Some(at(days_left)),
            duration: None,
            beneficiary_community_uuid: None,
        }
    }

    #[test]
    fn thresholds_are_sekoias() {
        let expiry = |ago, left| super::expiry(&licence(ago, left), Timestamp::UNIX_EPOCH);
        assert_eq!(expiry(200, 90), Expiry::Far);
        assert_eq!(expiry(200, 89), Expiry::Soon);
        assert_eq!(expiry(200, 29), Expiry::VerySoon);
        assert_eq!(expiry(35, 10), Expiry::Far);
        assert_eq!(expiry(36, 9), Expiry::Soon);
        assert_eq!(expiry(41, 4), Expiry::VerySoon);
        assert_eq!(expiry(41, 0), Expiry::Expired);
        assert_eq!(expiry(-1, 100), Expiry::NotStarted);
    }
}
