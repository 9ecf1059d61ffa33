//! Intakes, alerts and playbooks: lists over all the communities that the caller sees.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::Reply;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{READ_ALERTS, READ_INTAKES, READ_PLAYBOOKS};
use crate::sandbox::lists::{Direction, Filters, page};
use crate::sandbox::query::Query;
use crate::sandbox::{Sandbox, json};

const INTAKES: Filters = Filters {
    matches: &[
        ("community_uuid", "/community_uuid"),
        ("format_uuid", "/format_uuid"),
        ("entity_uuid", "/entity_uuid"),
        ("entity_name", "/entity/name"),
        ("intake_key", "/intake_key"),
        ("status", "/status"),
        ("name", "/name"),
        ("uuid", "/uuid"),
    ],
    dates: &[("created_at", "/created_at")],
    ranges: &[],
    sorts: &[
        ("created_at", "/created_at"),
        ("updated_at", "/updated_at"),
        ("name", "/name"),
        ("entity_name", "/entity/name"),
        ("intake_key", "/intake_key"),
        ("status", "/status"),
    ],
    default_sort: None,
};

const ALERTS: Filters = Filters {
    matches: &[
        ("community_uuid", "/community_uuid"),
        ("entity_name", "/entity/name"),
        ("entity_uuid", "/entity/uuid"),
        ("status_uuid", "/status/uuid"),
        ("status_name", "/status/name"),
        ("type_category", "/alert_type/category"),
        ("type_value", "/alert_type/value"),
        ("source", "/source"),
        ("target", "/target"),
        ("rule_uuid", "/rule/uuid"),
        ("rule_name", "/rule/name"),
        ("detection_type", "/detection_type"),
        ("short_id", "/short_id"),
        ("uuid", "/uuid"),
        ("title", "/title"),
        ("urgency_display", "/urgency/display"),
    ],
    dates: &[("created_at", "/created_at"), ("updated_at", "/updated_at")],
    ranges: &[("urgency", "/urgency/current_value"), ("similar", "/similar")],
    sorts: &[
        ("created_at", "/created_at"),
        ("source", "/source"),
        ("target", "/target"),
        ("urgency", "/urgency/current_value"),
        ("entity", "/entity/name"),
        ("type", "/alert_type/value"),
        ("status", "/status/name"),
        ("rule_name", "/rule/name"),
        ("updated_at", "/updated_at"),
        ("similar", "/similar"),
    ],
    default_sort: Some(("/created_at", Direction::Descending)),
};

const PLAYBOOKS: Filters = Filters {
    matches: &[("community_uuid", "/community_uuid"), ("status", "/status"), ("name", "/name")],
    dates: &[("updated_at", "/updated_at")],
    ranges: &[],
    sorts: &[("updated_at", "/updated_at"), ("name", "/name"), ("status", "/status")],
    default_sort: Some(("/updated_at", Direction::Descending)),
};

pub(in crate::sandbox) async fn intakes(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_INTAKES)?;
    let world = sandbox.world();
    let with_status = query.is_set("with_status")?;
    let items = world
        .intakes
        .iter()
        .filter(|intake| caller.sees_uuid(&world, intake.community_uuid))
        .map(json::intake)
        .collect();
    let mut items = INTAKES.select(items, &query, sandbox.now())?;
    if !with_status {
        // The flag has no description; a client that counts on the status must ask for it.
        for item in &mut items {
            item["status"] = Value::Null;
        }
    }
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn alerts(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_ALERTS)?;
    let world = sandbox.world();
    let items =
        world.alerts.iter().filter(|alert| caller.sees_uuid(&world, alert.community_uuid)).map(json::alert).collect();
    let items = ALERTS.select(items, &query, sandbox.now())?;
    let total = items.len();
    let mut body = page(items, &query)?;
    let offset = query.number("offset")?.unwrap_or(0);
    let shown = body["items"].as_array().map_or(0, Vec::len);
    body["has_more"] = (offset.saturating_add(shown) < total).into();
    if query.flag("with_count")? == Some(false) {
        body.as_object_mut().and_then(|fields| fields.remove("total"));
    }
    Ok(Json(body))
}

pub(in crate::sandbox) async fn playbooks(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_PLAYBOOKS)?;
    let world = sandbox.world();
    let items = world
        .playbooks
        .iter()
        .filter(|playbook| caller.sees_uuid(&world, playbook.community_uuid))
        .map(json::playbook)
        .collect();
    let items = PLAYBOOKS.select(items, &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}
