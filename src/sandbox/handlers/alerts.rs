//! Alerts: the list, one of them, and what may be done about it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::Value;

use super::Reply;
use super::body::{Fields, check_length};
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{COMMENT_ALERTS, MOVE_ALERTS, READ_ALERTS};
use crate::sandbox::error::ApiError;
use crate::sandbox::happen::AlertChange;
use crate::sandbox::lists::{Direction, Filters, page};
use crate::sandbox::query::Query;
use crate::sandbox::world::{Alert, AlertStatus, World};
use crate::sandbox::{Sandbox, json};

const AUTHOR: RangeInclusive<usize> = 0..=32;

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
        ("asset_uuid", "/assets/*"),
        ("case_short_id", "/cases/*/short_id"),
        ("assignee", "/assignee"),
        ("verdict_uuid", "/verdict_uuid"),
        ("custom_status_uuid", "/custom_status_uuid"),
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

/// What nearly everybody filters and sorts by: of ten thousand alerts, only the page is written out
/// in whole then.
const BRIEF: [&str; 5] = ["created_at", "updated_at", "uuid", "short_id", "community_uuid"];

pub(in crate::sandbox) async fn alerts(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_ALERTS)?;
    let world = sandbox.world();
    let brief = query.bracketed().all(|(_, field, _)| BRIEF.contains(&field))
        && query.get("sort").is_none_or(|sort| BRIEF.contains(&sort))
        && query.get("is_assigned_to_case").is_none();
    let all = world.alerts.iter().enumerate();
    let seen = all.filter(|(_, alert)| caller.sees_uuid(&world, alert.community_uuid));
    let written = |(at, alert)| if brief { json::alert_in_brief(at, alert) } else { json::alert(&world, alert) };
    let items = seen.map(written).collect();
    let mut items = ALERTS.select(items, &query, sandbox.now())?;
    if let Some(assigned) = query.flag("is_assigned_to_case")? {
        items.retain(|alert| alert["cases"].as_array().is_some_and(|cases| cases.is_empty() != assigned));
    }
    let total = items.len();
    let mut body = page(items, &query)?;
    if brief {
        for alert in body["items"].as_array_mut().into_iter().flatten() {
            let at = alert["at"].as_u64().and_then(|at| usize::try_from(at).ok());
            if let Some(found) = at.and_then(|at| world.alerts.get(at)) {
                *alert = json::alert(&world, found);
            }
        }
    }
    let offset = query.number("offset")?.unwrap_or(0);
    let shown = body["items"].as_array().map_or(0, Vec::len);
    if !query.is_set("cases")? {
        for alert in body["items"].as_array_mut().into_iter().flatten() {
            alert["cases"] = Value::Null;
        }
    }
    body["has_more"] = (offset.saturating_add(shown) < total).into();
    if query.flag("with_count")? == Some(false) {
        body.as_object_mut().and_then(|fields| fields.remove("total"));
    }
    Ok(Json(body))
}

/// By uuid or short id.
pub(in crate::sandbox) async fn one(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Reply {
    caller.require(READ_ALERTS)?;
    let world = sandbox.world();
    let mut full = json::alert_in_full(&world, find(&world, &caller, &id)?);
    for (part, usually) in [("comments", true), ("history", true), ("countermeasures", true), ("cases", false)] {
        if !query.flag(part)?.unwrap_or(usually) {
            full[part] = Value::Null;
        }
    }
    Ok(Json(full))
}

/// A status, or one of the older actions; any may follow any, for no public source says otherwise.
/// Nor does one say what the answer is.
pub(in crate::sandbox) async fn workflow(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may_write(MOVE_ALERTS)?;
    let mut world = sandbox.world();
    let uuid = find(&world, &caller, &id)?.uuid;
    caller.require(MOVE_ALERTS)?;
    let fields = Fields::parse(&body)?;
    let action = fields.required_text("action_uuid")?;
    let comment = fields.text("comment")?;
    let after = AlertStatus::after(action).ok_or_else(|| ApiError::bad_request("Unknown action"))?;
    sandbox.change_alert(&mut world, uuid, AlertChange::Status(after), caller.key);
    if let Some(content) = comment.filter(|content| !content.trim().is_empty()) {
        sandbox.write_comment(&mut world, uuid, content, "", caller.key);
    }
    Ok(Json(json::alert(&world, find(&world, &caller, &id)?)))
}

pub(in crate::sandbox) async fn comment(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may_write(COMMENT_ALERTS)?;
    let mut world = sandbox.world();
    let uuid = find(&world, &caller, &id)?.uuid;
    caller.require(COMMENT_ALERTS)?;
    let fields = Fields::parse(&body)?;
    let content = fields.required_text("content")?;
    let author = fields.text("author")?.unwrap_or_default();
    check_length("author", author, &AUTHOR)?;
    let written = sandbox.write_comment(&mut world, uuid, content, author, caller.key);
    Ok(Json(json::comment(&written.ok_or_else(unknown)?)))
}

fn find<'w>(world: &'w World, caller: &Caller, id: &str) -> Result<&'w Alert, ApiError> {
    let found = world.alerts.iter().find(|alert| alert.short_id == id || alert.uuid.to_string() == id);
    found.filter(|alert| caller.sees_uuid(world, alert.community_uuid)).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::not_found("Unknown alert")
}
