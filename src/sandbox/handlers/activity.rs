//! Intakes and connectors: lists over all the communities that the caller sees.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::Reply;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::READ_INTAKES;
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::{Filters, page};
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

/// No public source lists them: those of the intakes.
const CONNECTORS: Filters = Filters {
    matches: &[("community_uuid", "/community_uuid"), ("name", "/name"), ("uuid", "/uuid")],
    dates: &[],
    ranges: &[],
    sorts: &[("name", "/name"), ("created_at", "/created_at")],
    default_sort: None,
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

pub(in crate::sandbox) async fn intake(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_INTAKES)?;
    let world = sandbox.world();
    let found = world.intakes.iter().find(|intake| intake.uuid.to_string() == uuid);
    let found = found.filter(|intake| caller.sees_uuid(&world, intake.community_uuid));
    Ok(Json(json::intake(found.ok_or_else(|| ApiError::not_found("Unknown intake"))?)))
}

/// Which permission this needs is unknown: that of the intakes, which the connectors feed.
pub(in crate::sandbox) async fn connectors(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_INTAKES)?;
    let world = sandbox.world();
    let seen = world.connectors.iter().filter(|connector| caller.sees_uuid(&world, connector.community_uuid));
    let items = CONNECTORS.select(seen.map(json::connector).collect(), &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}
