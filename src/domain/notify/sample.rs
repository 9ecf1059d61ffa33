//! An occurrence that never happened, for which a rule fires: it goes the way that real ones go, so
//! that somebody can see it arrive.

use jiff::Timestamp;
use uuid::Uuid;

use super::occurrence::{Alert, Case, Connector, Named, Occurrence, Playbook, Silence, What};
use super::state::Rule;
use super::trigger::Trigger;
use super::values::AlertStatus;

/// Without a condition: what Sekoia recommends to be told of.
const URGENCY: u8 = 75;

/// What `rule` fires for, if it is neither paused nor muted. `name` is the community's.
pub fn sample(rule: &Rule, community: Uuid, name: &str, now: Timestamp) -> Occurrence {
    let c = &rule.watch.conditions;
    let named = |wanted: &Option<Box<str>>, otherwise: &str| Named {
        uuid: None,
        name: Some(wanted.clone().unwrap_or_else(|| otherwise.into())),
    };
    let uuid: Box<str> = format!("sample-{}-{}", rule.number, now.as_millisecond()).into();
    let title = || -> Option<Box<str>> { Some(format!("Sample for rule {}", rule.number).into()) };
    let alert = || Alert {
        uuid: uuid.clone(),
        short_id: None,
        title: title(),
        urgency: Some(c.urgency.unwrap_or(URGENCY)),
        status: Some(c.status.first().copied().unwrap_or(AlertStatus::Pending).name().into()),
        rule: Some(named(&c.rule, "Sample detection rule")),
        entity: Some(named(&c.entity, "Sample entity")),
        // Known by their identifiers, as those of real alerts are.
        assets: vec![Named {
            uuid: Some(c.asset.clone().unwrap_or_else(|| Uuid::nil().to_string().into())),
            name: None,
        }],
        first_seen: Some(now),
        last_seen: Some(now),
        acknowledged_after: None,
        status_changed: Some(!c.status.is_empty()),
    };
    let case = || Case {
        uuid: uuid.clone(),
        short_id: None,
        title: title(),
        priority: Some("Low".into()),
        manual: Some(false),
    };
    let what = match rule.watch.trigger {
        // It begins in its status, which is no change.
        Trigger::AlertRaised => What::AlertRaised(Alert { status_changed: None, ..alert() }),
        Trigger::AlertUpdated => What::AlertUpdated(alert()),
        Trigger::CaseCreated => What::CaseCreated(case()),
        Trigger::CaseEdited => What::CaseUpdated(case()),
        Trigger::NoEvents => What::Silent(Silence {
            intake: named(&c.intake, "Sample intake"),
            minutes: c.silent_for.unwrap_or_default(),
            since: Some(now - jiff::SignedDuration::from_mins(i64::from(c.silent_for.unwrap_or_default()))),
        }),
        Trigger::PlaybookError => What::PlaybookError(Playbook {
            playbook: named(&c.playbook, "Sample playbook"),
            run: None,
            crashed: c.crashed,
            error: Some("This is a sample: nothing failed.".into()),
        }),
        Trigger::ConnectorError => What::ConnectorError(Connector {
            connector: named(&None, "Sample connector"),
            error: Some("This is a sample: nothing failed.".into()),
        }),
        trigger @ (Trigger::RuleRateLimited
        | Trigger::RuleAdded
        | Trigger::RuleToBeDeprecated
        | Trigger::RuleDeprecated
        | Trigger::ReportAvailable) => What::Other { trigger, title: title().unwrap_or_default() },
    };
    Occurrence { id: uuid, at: now, community, community_name: Some(name.into()), what }
}
