//! Communities, their permission catalogue and their subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Reply;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{self, READ_LICENCES};
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::{Filters, page, whole};
use crate::sandbox::query::Query;
use crate::sandbox::world::{Community, Licence, World};
use crate::sandbox::{Sandbox, json};

const COMMUNITIES: Filters = Filters {
    matches: &[("name", "/name"), ("uuid", "/uuid")],
    dates: &[],
    ranges: &[],
    // The documentation names none for this list: those of the schema that could be meant.
    sorts: &[("name", "/name"), ("created_at", "/created_at"), ("updated_at", "/updated_at")],
    default_sort: None,
};

const SUB_COMMUNITIES: Filters =
    Filters { matches: &[], dates: &[], ranges: &[], sorts: &[("name", "/name")], default_sort: None };

const PERMISSIONS: Filters = Filters {
    matches: &[("uuid", "/uuid"), ("name", "/name")],
    dates: &[],
    ranges: &[],
    sorts: &[("name", "/name"), ("title", "/title"), ("feature", "/feature")],
    default_sort: None,
};

const LICENCES: Filters = Filters {
    matches: &[],
    dates: &[],
    ranges: &[],
    sorts: &[("start", "/start"), ("end", "/end"), ("created_at", "/created_at")],
    default_sort: None,
};

pub(in crate::sandbox) async fn list(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    let world = sandbox.world();
    let disabled = query.is_set("disabled")?;
    let parent = query.flag("parent")?;
    let items = world
        .communities
        .iter()
        .filter(|community| caller.sees(community))
        .filter(|community| disabled || !community.disabled)
        .filter(|community| parent.is_none_or(|wanted| community.is_parent == wanted))
        .map(|community| json::community(&world, community))
        .collect();
    let items = COMMUNITIES.select(items, &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn one(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?;
    if community.disabled && !query.is_set("include_disabled")? {
        return Err(ApiError::not_found("Unknown community"));
    }
    let mut body = json::community(&world, community);
    if query.is_set("include_licenses")? {
        caller.require(READ_LICENCES)?;
        body["licenses"] = benefiting(&world, community);
        body["limits"] = limits(&world, community);
    }
    Ok(Json(body))
}

/// All of them, whatever `limit` says: the documentation names no pages for this list.
pub(in crate::sandbox) async fn below(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let parent = caller.community(&world, &community)?.uuid;
    let disabled = query.is_set("disabled")?;
    let licences = query.is_set("include_licenses")?;
    if licences {
        caller.require(READ_LICENCES)?;
    }
    let mask = query.is_set("include_available_permissions_mask")?;
    let items = world
        .communities
        .iter()
        .filter(|community| community.parent_community_uuid == Some(parent))
        .filter(|community| disabled || !community.disabled)
        .map(|community| {
            let mut item = json::community(&world, community);
            if licences {
                item["benefiting_licenses"] = benefiting(&world, community);
                item["limits"] = limits(&world, community);
            }
            if mask {
                // One bit a permission; every community may use all of them here.
                item["available_permissions_mask"] = "1".repeat(world.permissions.len()).into();
            }
            item
        })
        .collect();
    let items = SUB_COMMUNITIES.select(items, &query, sandbox.now())?;
    Ok(Json(whole(&items)))
}

pub(in crate::sandbox) async fn permissions(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    caller.community(&world, &community)?;
    let restricted = query.flag("allowed_in_restricted_roles")?;
    // Everything is granted to every community here, so this changes nothing.
    query.flag("only_granted")?;
    let items = world
        .permissions
        .iter()
        .filter(|permission| {
            restricted.is_none_or(|wanted| catalogue::allowed_in_restricted_roles(permission) == wanted)
        })
        .map(json::permission)
        .collect();
    let items = PERMISSIONS.select(items, &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}

/// Licences that the community manages or benefits from: a parent also sees those of its units.
pub(in crate::sandbox) async fn licences(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?;
    caller.require(READ_LICENCES)?;
    let benefiting = query.is_set("only_benefiting")?;
    let others = query.is_set("only_non_benefiting")?;
    let valid = query.is_set("only_valid")?;
    let today = sandbox.now().to_zoned(TimeZone::UTC).date();
    let items = world
        .licences
        .iter()
        .filter(|licence| {
            let own = benefits(licence, community);
            own && !others || !own && !benefiting && manages(licence, community)
        })
        .filter(|licence| {
            let begun = licence.start.is_none_or(|start| start <= today);
            let running = licence.end.is_none_or(|end| today <= end);
            !valid || begun && running
        })
        .map(json::licence)
        .collect();
    let items = LICENCES.select(items, &query, sandbox.now())?;
    Ok(Json(whole(&items)))
}

/// Never to be called by the bot: the real one creates a team on the first call. It works, so
/// that the log of calls, and not an accident, shows who did.
pub(in crate::sandbox) async fn alerting(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(READ_LICENCES)?;
    Ok(Json(json!({
        "subscription_alerting_enabled": true,
        "subscription_managers_team_uuid": world.dice.uuid(&format!("team/{community}")),
    })))
}

fn benefits(licence: &Licence, community: &Community) -> bool {
    licence.beneficiary_community_uuid == Some(community.uuid)
}

fn manages(licence: &Licence, community: &Community) -> bool {
    licence.management_community_uuid == community.uuid
}

fn benefiting(world: &World, community: &Community) -> Value {
    world.licences.iter().filter(|licence| benefits(licence, community)).map(json::licence).collect()
}

/// The limits of the first licence that has any; how the real service adds them up is unknown.
fn limits(world: &World, community: &Community) -> Value {
    world
        .licences
        .iter()
        .filter(|licence| benefits(licence, community))
        .map(|licence| licence.limits.clone())
        .find(Value::is_object)
        .unwrap_or_default()
}
