//! Roles, members and API keys of a community.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use uuid::Uuid;

use super::Reply;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{LIST_MEMBERS, READ_KEYS, READ_ROLES, REMOVE_MEMBER};
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::{Filters, page};
use crate::sandbox::query::Query;
use crate::sandbox::world::{Member, Role, World};
use crate::sandbox::{Sandbox, json};

const ROLES: Filters = Filters {
    matches: &[("uuid", "/uuid"), ("name", "/name")],
    dates: &[("created_at", "/created_at"), ("updated_at", "/updated_at")],
    ranges: &[],
    sorts: &[
        ("created_at", "/created_at"),
        ("updated_at", "/updated_at"),
        ("name", "/name"),
        ("community_uuid", "/community_uuid"),
    ],
    default_sort: None,
};

const AVATARS: Filters = Filters {
    matches: &[
        ("name", "/name"),
        ("uuid", "/uuid"),
        ("status", "/status"),
        ("role_uuid", "/roles/*/uuid"),
        ("user_uuid", "/user/uuid"),
    ],
    dates: &[],
    ranges: &[],
    sorts: &[("uuid", "/uuid"), ("name", "/name"), ("created_at", "/created_at"), ("updated_at", "/updated_at")],
    default_sort: None,
};

const KEYS: Filters = Filters {
    matches: &[("status", "/status"), ("revoked", "/revoked"), ("name", "/name"), ("uuid", "/uuid")],
    dates: &[("created_at", "/created_at")],
    ranges: &[],
    sorts: &[("created_at", "/created_at"), ("name", "/name"), ("expires_at", "/expires_at")],
    default_sort: None,
};

pub(in crate::sandbox) async fn roles(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(READ_ROLES)?;
    let restricted = query.flag("is_restricted")?;
    let asked = query.number("with_members")?.unwrap_or(0);
    // How the real service treats members that the caller may not list is unknown: none are shown.
    let shown = if caller.may(LIST_MEMBERS) { asked } else { 0 };
    let items = world
        .roles
        .iter()
        .filter(|role| available(role, community))
        .filter(|role| restricted.is_none_or(|wanted| role.is_restricted == wanted))
        .map(|role| json::role(&world, role, community, shown))
        .collect();
    let items = ROLES.select(items, &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn role(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path((community, role)): Path<(String, String)>,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(READ_ROLES)?;
    let wanted: Option<Uuid> = role.parse().ok();
    let role = world
        .roles
        .iter()
        .find(|role| Some(role.uuid) == wanted && available(role, community))
        .ok_or_else(|| ApiError::not_found("Unknown role"))?;
    Ok(Json(json::role(&world, role, community, 0)))
}

/// Built-in roles are everywhere, custom ones where they were made.
pub(super) fn available(role: &Role, community: Uuid) -> bool {
    role.community_uuid.is_none_or(|owner| owner == community)
}

pub(in crate::sandbox) async fn avatars(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?;
    caller.require(LIST_MEMBERS)?;
    let confirmed = query.flag("confirmed")?;
    let parent = if query.is_set("include_parent")? { community.parent_community_uuid } else { None };
    let items = world
        .members
        .iter()
        .filter(|member| member.community_uuid == community.uuid || Some(member.community_uuid) == parent)
        .filter(|member| confirmed.is_none_or(|wanted| member.user.confirmed == wanted))
        .map(|member| json::member(&world, member))
        .collect();
    let items = AVATARS.select(items, &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn avatar(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path((community, avatar)): Path<(String, String)>,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(LIST_MEMBERS)?;
    let member = place(&world, community, &avatar)?;
    Ok(Json(json::member(&world, &world.members[member])))
}

/// A member is removed; a pending invitation can no longer be taken.
pub(in crate::sandbox) async fn remove(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path((community, avatar)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let mut world = sandbox.world();
    let community = caller.community_to_write(&world, &community, REMOVE_MEMBER)?.uuid;
    let member = place(&world, community, &avatar)?;
    world.members.remove(member);
    Ok(StatusCode::NO_CONTENT)
}

fn place(world: &World, community: Uuid, avatar: &str) -> Result<usize, ApiError> {
    let wanted: Option<Uuid> = avatar.parse().ok();
    let is = |member: &Member| Some(member.uuid) == wanted && member.community_uuid == community;
    world.members.iter().position(is).ok_or_else(|| ApiError::not_found("Unknown avatar"))
}

pub(in crate::sandbox) async fn keys(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    query: Query,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(READ_KEYS)?;
    let now = sandbox.now();
    let items = world
        .keys
        .iter()
        .filter(|key| key.community_uuid == community)
        .map(|key| json::key(&world, key, now))
        .collect();
    let items = KEYS.select(items, &query, now)?;
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn key(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path((community, key)): Path<(String, String)>,
) -> Reply {
    let world = sandbox.world();
    let community = caller.community(&world, &community)?.uuid;
    caller.require(READ_KEYS)?;
    let wanted: Option<Uuid> = key.parse().ok();
    let key = world
        .keys
        .iter()
        .find(|key| Some(key.uuid) == wanted && key.community_uuid == community)
        .ok_or_else(|| ApiError::not_found("Apikey not found"))?;
    Ok(Json(json::key(&world, key, sandbox.now())))
}
