//! What a quick start looks at: the rules catalogue, assets, threat intelligence.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;
use uuid::Uuid;

use super::Reply;
use crate::sandbox::Sandbox;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{READ_ASSETS, READ_FEEDS, READ_INTELLIGENCE, READ_IOC_COLLECTIONS, READ_RULES};
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::page;
use crate::sandbox::query::Query;
use crate::sandbox::world::World;

/// Sekoia's own rules, by effort from 1 to 4. Of the two last ones, a new workspace has none on.
const CATALOGUE: [u64; 4] = [180, 240, 160, 60];
const MOST_INDICATORS: u64 = 10_000;

pub(in crate::sandbox) async fn rule_counters(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    query: Query,
) -> Reply {
    caller.require(READ_RULES)?;
    let world = sandbox.world();
    let community = community(&world, &caller, query.get("match[community_uuid]"))?;
    let efforts = query.get("match[effort]").unwrap_or("1,2,3,4");
    let efforts: Vec<usize> = efforts.split(',').filter_map(|effort| effort.parse().ok()).collect();
    let of = |efforts: &[usize]| efforts.iter().filter_map(|effort| CATALOGUE.get(effort.checked_sub(1)?)).sum::<u64>();
    let first: Vec<usize> = efforts.iter().copied().filter(|effort| *effort <= 2).collect();
    let off = world.first_steps.rules_off.get(&community).copied().unwrap_or_default();
    let (total, enabled) = (of(&efforts), of(&first).saturating_sub(off));
    Ok(Json(json!({ "total": total, "verified": total, "enabled": enabled, "per_effort": {} })))
}

pub(in crate::sandbox) async fn assets(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_ASSETS)?;
    let world = sandbox.world();
    let community = community(&world, &caller, query.get("community_uuids"))?;
    let total = world.first_steps.assets.get(&community).copied().unwrap_or_default();
    let shown = usize::try_from(total).unwrap_or(usize::MAX).min(query.number("limit")?.unwrap_or(20));
    let items: Vec<_> = (1..=shown)
        .map(|number| {
            let uuid = world.dice.uuid(&format!("asset/{community}/{number}"));
            json!({ "uuid": uuid, "community_uuid": community, "name": format!("host-{number}"), "type": "host" })
        })
        .collect();
    Ok(Json(json!({ "total": total, "items": items })))
}

pub(in crate::sandbox) async fn indicators(State(_): State<Arc<Sandbox>>, caller: Caller) -> Reply {
    caller.require(READ_INTELLIGENCE)?;
    Ok(Json(json!({ "data": { "count": 1_840_000, "previous_period_count": 1_790_000 } })))
}

pub(in crate::sandbox) async fn feeds(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_FEEDS)?;
    let world = sandbox.world();
    let seen = world.first_steps.feeds.iter();
    let seen = seen.filter(|feed| feed.community_uuid.is_none_or(|owner| caller.sees_uuid(&world, owner)));
    let items = seen.map(|feed| json!({ "id": feed.uuid, "title": feed.title, "community_uuid": feed.community_uuid }));
    Ok(Json(page(items.collect(), &query)?))
}

pub(in crate::sandbox) async fn own_indicators(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    query: Query,
) -> Reply {
    caller.require(READ_IOC_COLLECTIONS)?;
    let world = sandbox.world();
    let community = community(&world, &caller, query.get("community_uuid"))?;
    let count = world.first_steps.indicators.get(&community).copied().unwrap_or_default();
    Ok(Json(json!({ "count": count, "max": MOST_INDICATORS })))
}

/// The one that is asked about, else the caller's own.
fn community(world: &World, caller: &Caller, asked: Option<&str>) -> Result<Uuid, ApiError> {
    match asked {
        None => Ok(caller.community),
        Some(uuid) => caller.community(world, uuid).map(|found| found.uuid),
    }
}
