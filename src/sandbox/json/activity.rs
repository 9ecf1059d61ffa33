//! Intakes, playbooks and alerts.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{maybe, rfc3339};
use crate::sandbox::world::{Alert, AlertStatus, Intake, Playbook};

pub(in crate::sandbox) fn intake(intake: &Intake) -> Value {
    json!({
        "uuid": intake.uuid,
        "name": intake.name,
        "community_uuid": intake.community_uuid,
        "entity_uuid": intake.entity_uuid,
        "format_uuid": intake.format_uuid,
        "intake_key": intake.intake_key,
        "created_at": rfc3339(intake.created_at),
        "created_by": intake.created_by,
        "created_by_type": "user",
        "updated_at": maybe(intake.updated_at),
        "updated_by": null,
        "updated_by_type": null,
        "entity": {
            "uuid": intake.entity_uuid,
            "name": intake.entity,
            "community_uuid": intake.community_uuid,
        },
        "configured": true,
        "is_custom_format": false,
        "connector_configuration_uuid": null,
        "status": intake.status,
    })
}

pub(in crate::sandbox) fn playbook(playbook: &Playbook) -> Value {
    let by = playbook.created_by;
    let activated = playbook.activated_at;
    json!({
        "uuid": playbook.uuid,
        "version": 1,
        "community_uuid": playbook.community_uuid,
        "meta_community_uuids": [],
        "status": playbook.status,
        "status_message": playbook.status_message,
        "status_tags": playbook.status_tags,
        "name": playbook.name,
        "description": playbook.description,
        "meta_playbook": false,
        "parent_uuid": null,
        "created_at": rfc3339(playbook.created_at),
        "created_by": by,
        "created_by_type": "user",
        "updated_at": rfc3339(playbook.updated_at),
        "updated_by": by,
        "updated_by_type": "user",
        "activated_at": maybe(activated),
        "activated_by": activated.map(|_| by),
        "activated_by_type": activated.map(|_| "user"),
        "trigger_configurations": [],
    })
}

pub(in crate::sandbox) fn alert(alert: &Alert) -> Value {
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
        "status": alert_status(alert.status),
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
        "number_of_total_comments": 0,
        "first_seen_at": rfc3339(alert.created_at),
        "last_seen_at": rfc3339(alert.updated_at.unwrap_or(alert.created_at)),
        "assets": [],
        "intake_uuids": alert.intake_uuids,
        "assignee": null,
        "verdict_uuid": null,
        "verdict": null,
        "custom_status_uuid": null,
        "custom_status": null,
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

fn alert_status(status: AlertStatus) -> Value {
    let (uuid, name) = match status {
        AlertStatus::Pending => ("2efc4930-1442-4abb-acf2-58ba219a4fd0", "Pending"),
        AlertStatus::Acknowledged => ("8f206505-af6d-433e-93f4-775d46dc7d0f", "Acknowledged"),
        AlertStatus::Ongoing => ("1f2f88d5-ff5b-48bf-bbbc-00c2fff82d9f", "Ongoing"),
        AlertStatus::Rejected => ("4f68da89-38e0-4703-a6ab-652f02bdf24e", "Rejected"),
        AlertStatus::Closed => ("1738b1c1-767d-489e-bada-19176621a007", "Closed"),
    };
    json!({ "uuid": uuid, "name": name, "description": "" })
}
