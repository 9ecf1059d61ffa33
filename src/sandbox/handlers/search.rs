//! Searches for events: a job is made, looked at until it is done, and read.
//!
//! One question is understood: whether an intake got anything in a stretch of time. A job is under
//! way when it is made and when it is first looked at, so that nobody reads it too early.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json as body};
use uuid::Uuid;

use super::Reply;
use super::body::Fields;
use crate::sandbox::Sandbox;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::READ_EVENTS;
use crate::sandbox::error::ApiError;
use crate::sandbox::json::rfc3339;
use crate::sandbox::lists::{instant, whole};
use crate::sandbox::world::{Search, World};

/// Older jobs are gone, as they are when their time to live is over.
const KEPT: usize = 100;

const RUNNING: u8 = 1;
const DONE: u8 = 2;

pub(in crate::sandbox) async fn create(State(sandbox): State<Arc<Sandbox>>, caller: Caller, sent: Bytes) -> Reply {
    caller.require(READ_EVENTS)?;
    let fields = Fields::parse(&sent)?;
    let now = sandbox.now();
    let time = |name: &str| {
        let text = fields.required_text(name)?;
        instant(text, now).ok_or_else(|| ApiError::bad_request(format!("{name} is not a time: {text:?}")))
    };
    let (from, to) = (time("earliest_time")?, time("latest_time")?);
    let term = fields.required_text("term")?;
    let intake = term.strip_prefix("sekoiaio.intake.uuid:\"").and_then(|rest| rest.strip_suffix('"'));
    let intake: Uuid = intake
        .and_then(|uuid| uuid.parse().ok())
        .ok_or_else(|| ApiError::bad_request("The sandbox only searches for sekoiaio.intake.uuid:\"…\""))?;
    let mut world = sandbox.world();
    let label = world.label("search");
    let uuid = world.dice.uuid(&label);
    if world.searches.len() == KEPT {
        world.searches.remove(0);
    }
    world.searches.push(Search { uuid, by: caller.key, intake, from, to, looks: 0 });
    Ok(Json(body!({ "uuid": uuid, "status": RUNNING, "term": term })))
}

pub(in crate::sandbox) async fn job(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_EVENTS)?;
    let mut world = sandbox.world();
    let search = find(&mut world, &caller, &uuid)?;
    search.looks += 1;
    let status = if search.looks > 1 { DONE } else { RUNNING };
    Ok(Json(body!({ "uuid": search.uuid, "status": status })))
}

/// The last event alone, whatever number was asked for.
pub(in crate::sandbox) async fn events(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_EVENTS)?;
    let mut world = sandbox.world();
    let search = find(&mut world, &caller, &uuid)?.clone();
    if search.looks < 2 {
        return Ok(Json(whole(&[])));
    }
    let intake = world.intakes.iter().find(|intake| intake.uuid == search.intake);
    let intake = intake.filter(|intake| caller.sees_uuid(&world, intake.community_uuid));
    let last = intake.map(|intake| intake.last_event(search.to)).filter(|last| *last >= search.from);
    let items: Vec<Value> = last
        .map(|last| body!({ "sekoiaio.intake.uuid": search.intake, "event.created": rfc3339(last) }))
        .into_iter()
        .collect();
    Ok(Json(whole(&items)))
}

fn find<'w>(world: &'w mut World, caller: &Caller, uuid: &str) -> Result<&'w mut Search, ApiError> {
    let found = world.searches.iter_mut().find(|search| search.uuid.to_string() == uuid && search.by == caller.key);
    found.ok_or_else(|| ApiError::not_found("Unknown search job"))
}
