//! Alerts: in a list, and one with everything about it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rfc3339;
use crate::sandbox::world::{Alert, AlertStatus, Change, Comment, World};

pub(in crate::sandbox) fn alert(world: &World, alert: &Alert) -> Value {
    let cases = world.cases.iter().filter(|case| case.alerts.contains(&alert.uuid)).map(|case| {
        json!({
            "short_id": case.short_id,
            "name": case.title,
            "title": case.title,
            "manual": case.manual,
            "created_by_type": "rule",
        })
    });
    json!({
        "uuid": alert.uuid,
        "short_id": alert.short_id,
        "title": alert.title,
        "description": null,
        "created_at": alert.created_at.as_second(),
        "created_by": alert.rule_uuid,
        "created_by_type": "rule",
        "updated_at": alert.updated_at.map(Timestamp::as_second),
        "updated_by": null,
        "updated_by_type": null,
        "community_uuid": alert.community_uuid,
        "entity": { "uuid": alert.entity_uuid, "name": alert.entity },
        "urgency": {
            "current_value": alert.urgency,
            "value": alert.urgency,
            "severity": alert.severity,
            "criticity": 0,
            "display": urgency_label(alert.urgency),
        },
        "alert_type": { "category": alert.category, "value": alert.kind },
        "status": status(alert.status),
        "rule": {
            "uuid": alert.rule_uuid,
            "name": alert.rule,
            "severity": alert.severity,
            "type": "sigma",
            "pattern": "",
        },
        "detection_type": "rule",
        "source": alert.source,
        "target": alert.target,
        "similar": alert.similar,
        "details": null,
        "ttps": [],
        "adversaries": [],
        "kill_chain_short_id": null,
        "number_of_unseen_comments": 0,
        "number_of_total_comments": alert.comments.len(),
        "first_seen_at": rfc3339(alert.first_seen_at),
        "last_seen_at": rfc3339(alert.last_seen_at),
        "assets": alert.assets,
        "intake_uuids": alert.intake_uuids,
        "cases": cases.collect::<Vec<_>>(),
        "assignee": null,
        "verdict_uuid": null,
        "verdict": null,
        "custom_status_uuid": null,
        "custom_status": null,
    })
}

/// What an alert is found and sorted by, and `at`: its place among all.
pub(in crate::sandbox) fn alert_in_brief(at: usize, alert: &Alert) -> Value {
    json!({
        "at": at,
        "uuid": alert.uuid,
        "short_id": alert.short_id,
        "community_uuid": alert.community_uuid,
        "created_at": alert.created_at.as_second(),
        "updated_at": alert.updated_at.map(Timestamp::as_second),
    })
}

/// With what only the call for one alert brings.
pub(in crate::sandbox) fn alert_in_full(world: &World, found: &Alert) -> Value {
    let mut full = alert(world, found);
    full["comments"] = found.comments.iter().map(comment).collect();
    full["history"] = found.history.iter().map(change).collect();
    full["countermeasures"] = json!([]);
    full
}

pub(in crate::sandbox) fn comment(comment: &Comment) -> Value {
    json!({
        "uuid": comment.uuid,
        "content": comment.content,
        "author": comment.author,
        "date": comment.date.as_second(),
        "created_by": comment.created_by,
        "created_by_type": "apikey",
        "unseen": false,
    })
}

fn change(change: &Change) -> Value {
    json!({
        "uuid": change.uuid,
        "created_at": change.at.as_second(),
        "created_by": change.by,
        "created_by_type": "apikey",
        "entry_type": "alert",
        "alert": { "status": change.after.name(), "previous_status": change.before.name() },
    })
}

/// The bands of the API; the console's newer documentation has others.
fn urgency_label(urgency: u8) -> &'static str {
    match urgency {
        0..20 => "Low",
        20..40 => "Moderate",
        40..60 => "High",
        60..80 => "Major",
        _ => "Urgent",
    }
}

fn status(status: AlertStatus) -> Value {
    json!({ "uuid": status.uuid(), "name": status.name(), "description": "" })
}
