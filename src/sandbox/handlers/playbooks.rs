//! Playbooks, their runs and their logs, over all the communities that the caller sees.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json as body};

use super::Reply;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{READ_PLAYBOOKS, READ_RUNS};
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::{Direction, Filters, page};
use crate::sandbox::query::Query;
use crate::sandbox::world::{LogLine, PlaybookRun, World};
use crate::sandbox::{Sandbox, json};

const PLAYBOOKS: Filters = Filters {
    matches: &[("community_uuid", "/community_uuid"), ("status", "/status"), ("name", "/name")],
    dates: &[("updated_at", "/updated_at")],
    ranges: &[],
    sorts: &[("updated_at", "/updated_at"), ("name", "/name"), ("status", "/status")],
    default_sort: Some(("/updated_at", Direction::Descending)),
};

const RUNS: Filters = Filters {
    matches: &[
        ("community_uuid", "/community_uuid"),
        ("event", "/event"),
        ("status", "/status"),
        ("playbook_uuid", "/playbook_uuid"),
    ],
    dates: &[("started_at", "/started_at")],
    ranges: &[],
    sorts: &[("started_at", "/started_at"), ("event", "/event"), ("status", "/status")],
    default_sort: Some(("/started_at", Direction::Descending)),
};

const LOGS: Filters = Filters {
    matches: &[("log_level", "/level"), ("message", "/message")],
    dates: &[],
    ranges: &[],
    sorts: &[],
    default_sort: Some(("/date", Direction::Descending)),
};

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

pub(in crate::sandbox) async fn playbook(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_PLAYBOOKS)?;
    let world = sandbox.world();
    let found = world.playbooks.iter().find(|playbook| playbook.uuid.to_string() == uuid);
    let found = found.filter(|playbook| caller.sees_uuid(&world, playbook.community_uuid));
    Ok(Json(json::playbook(found.ok_or_else(|| ApiError::not_found("Unknown Playbook"))?)))
}

pub(in crate::sandbox) async fn runs(State(sandbox): State<Arc<Sandbox>>, caller: Caller, query: Query) -> Reply {
    caller.require(READ_RUNS)?;
    let world = sandbox.world();
    let seen = world.runs.iter().filter(|run| caller.sees_uuid(&world, run.community_uuid));
    let items = RUNS.select(seen.map(json::run).collect(), &query, sandbox.now())?;
    Ok(Json(page(items, &query)?))
}

pub(in crate::sandbox) async fn run(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_RUNS)?;
    Ok(Json(json::run(find(&sandbox.world(), &caller, &uuid)?)))
}

/// A playbook of two nodes: what starts it, and what may fail.
pub(in crate::sandbox) async fn run_details(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
) -> Reply {
    caller.require(READ_RUNS)?;
    let world = sandbox.world();
    let run = find(&world, &caller, &uuid)?;
    let node = |status: &str, error: Option<&str>| body!([{ "status": status, "error": error }]);
    Ok(Json(body!({
        "playbook_run": json::run(run),
        "playbook": { "uuid": run.playbook_uuid, "name": run.playbook_name, "nodes": {} },
        "node_runs": { "0": node("finished", None), "1": node(&run.status, run.error.as_deref()) },
    })))
}

pub(in crate::sandbox) async fn logs(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
    query: Query,
) -> Reply {
    caller.require(READ_RUNS)?;
    let world = sandbox.world();
    let found = world.playbooks.iter().find(|playbook| playbook.uuid.to_string() == uuid);
    let found = found.filter(|playbook| caller.sees_uuid(&world, playbook.community_uuid));
    let found = found.ok_or_else(|| ApiError::not_found("Playbook Not Found"))?;
    listed(&found.logs, &query, &sandbox)
}

pub(in crate::sandbox) async fn trigger_logs(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(uuid): Path<String>,
    query: Query,
) -> Reply {
    caller.require(READ_RUNS)?;
    let world = sandbox.world();
    let found = world.playbooks.iter().find(|playbook| playbook.trigger_uuid.to_string() == uuid);
    let found = found.filter(|playbook| caller.sees_uuid(&world, playbook.community_uuid));
    let found = found.ok_or_else(|| ApiError::not_found("Not found"))?;
    listed(&found.trigger_logs, &query, &sandbox)
}

/// `errors` is not explained: the lines that are worse than a warning, here.
fn listed(lines: &[LogLine], query: &Query, sandbox: &Sandbox) -> Reply {
    let items: Vec<Value> = LOGS.select(lines.iter().map(json::log).collect(), query, sandbox.now())?;
    let errors = items.iter().filter(|line| matches!(line["level"].as_str(), Some("error" | "critical"))).count();
    let mut answer = page(items, query)?;
    answer["errors"] = errors.into();
    Ok(Json(answer))
}

fn find<'w>(world: &'w World, caller: &Caller, uuid: &str) -> Result<&'w PlaybookRun, ApiError> {
    let found = world.runs.iter().find(|run| run.uuid.to_string() == uuid);
    let found = found.filter(|run| caller.sees_uuid(world, run.community_uuid));
    found.ok_or_else(|| ApiError::not_found("Playbook run not found"))
}
