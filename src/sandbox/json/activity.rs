//! Intakes, connectors, playbooks, their runs and logs.

use serde_json::{Value, json};

use super::{maybe, rfc3339};
use crate::sandbox::world::{Connector, Intake, LogLine, Playbook, PlaybookRun};

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
        "connector_configuration_uuid": intake.connector_uuid,
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
        "trigger_configurations": [{
            "uuid": playbook.trigger_uuid,
            "trigger_uuid": "9b9bd2e8-1f2c-4b7e-8f5e-6d9a6a0b7c11",
        }],
    })
}

pub(in crate::sandbox) fn run(run: &PlaybookRun) -> Value {
    json!({
        "uuid": run.uuid,
        "playbook_uuid": run.playbook_uuid,
        "playbook_name": run.playbook_name,
        "community_uuid": run.community_uuid,
        "event": run.event,
        "status": run.status,
        "started_at": rfc3339(run.started_at),
        "started_by": run.playbook_uuid,
        "started_by_type": "playbook",
        "pending_at": rfc3339(run.started_at),
        "running_at": rfc3339(run.started_at),
        "finished_at": maybe(run.finished_at),
    })
}

pub(in crate::sandbox) fn log(line: &LogLine) -> Value {
    json!({ "uuid": line.uuid, "level": line.level, "message": line.message, "date": rfc3339(line.date) })
}

/// Only `display_status` is certain: no schema of a connector's configuration is public.
pub(in crate::sandbox) fn connector(connector: &Connector) -> Value {
    json!({
        "uuid": connector.uuid,
        "name": connector.name,
        "community_uuid": connector.community_uuid,
        "display_status": connector.display_status,
        "status_message": connector.status_message,
        "created_at": rfc3339(connector.created_at),
        "updated_at": rfc3339(connector.updated_at),
    })
}
