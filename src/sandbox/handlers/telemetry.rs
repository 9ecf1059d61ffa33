//! How many events came, how they were parsed, how AI was used: `POST /v1/telemetry/…/counters`.
//!
//! Another framework than the rest of Sekoia: a bad body is 422 with a list of details. Which
//! permission it needs is not documented; it is that of the events' statistics, here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::Sandbox;
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::READ_TELEMETRY;
use crate::sandbox::error::ApiError;
use crate::sandbox::world::{Badly, Bins, Intake, World};

#[derive(Deserialize)]
struct EventQuery {
    earliest: Timestamp,
    latest: Timestamp,
    #[serde(default)]
    filters: Filter,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    bin_size: Bin,
}

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default)]
    intake_uuid: Option<Vec<Uuid>>,
    #[serde(default)]
    intake_dialect_uuid: Option<Vec<Uuid>>,
    #[serde(default)]
    in_error: Option<Vec<bool>>,
    #[serde(default)]
    entity_uuid: Option<Vec<Uuid>>,
    #[serde(default)]
    community_uuid: Option<Vec<Uuid>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Group {
    IntakeUuid,
    IntakeDialectUuid,
    InError,
    EntityUuid,
    CommunityUuid,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bin {
    Hour,
    #[default]
    Day,
    Week,
    Month,
}

pub(in crate::sandbox) async fn counters(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    counted(&sandbox, &caller, &body, &|_, counted| json!({ "total": total(counted) }))
}

/// Sekoia's own spelling of the second of three fields.
pub(in crate::sandbox) async fn parsing(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    counted(&sandbox, &caller, &body, &|world, counted| {
        let of = |part: fn(&Badly) -> u64| -> u64 {
            let badly =
                |intake: &Intake| world.first_steps.badly_parsed.iter().find(|badly| badly.intake == intake.uuid);
            counted.iter().map(|(intake, events)| badly(intake).map_or(0, |badly| events * part(badly) / 1_000)).sum()
        };
        let (warnings, invalid) = (of(|badly| badly.warnings), of(|badly| badly.invalid));
        json!({
            "total": total(counted),
            "valid_events_occurrences": total(counted).saturating_sub(warnings + invalid),
            "warning_events_occurences": warnings,
            "invalid_events_occurrences": invalid,
        })
    })
}

#[derive(Default, Deserialize)]
struct AiQuery {
    #[serde(default)]
    filters: AiFilter,
}

#[derive(Default, Deserialize)]
struct AiFilter {
    #[serde(default)]
    community_uuid: Option<Vec<Uuid>>,
}

pub(in crate::sandbox) async fn ai_usage(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.require(READ_TELEMETRY)?;
    let wanted: AiQuery = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(invalid("body", &error.to_string())),
    };
    let world = sandbox.world();
    let among = |uuid: &Uuid| wanted.filters.community_uuid.as_ref().is_none_or(|wanted| wanted.contains(uuid));
    let seen = world.first_steps.investigations.iter().filter(|(uuid, _)| caller.sees_uuid(&world, **uuid));
    let runs: u64 = seen.filter(|(uuid, _)| among(uuid)).map(|(_, runs)| runs).sum();
    let tokens = runs * 9_000;
    Ok(Json(json!({
        "occurrences": runs, "credits": runs, "total_tokens": tokens, "prompt_tokens": tokens, "completion_tokens": 0,
        "groups": [],
    }))
    .into_response())
}

/// What is said of some intakes and their events.
type Figures<'a> = &'a dyn Fn(&World, &[(&Intake, u64)]) -> Value;

fn counted(sandbox: &Sandbox, caller: &Caller, body: &Bytes, figures: Figures<'_>) -> Result<Response, ApiError> {
    caller.require(READ_TELEMETRY)?;
    let wanted: EventQuery = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(invalid("body", &error.to_string())),
    };
    if wanted.earliest > wanted.latest {
        return Ok(invalid("latest", "latest must be later than earliest"));
    }
    let world = sandbox.world();
    let counted_until = sandbox.now() - world.counting_delay;
    let (from, to) = match world.bins {
        Bins::Whole => widened(wanted.earliest, wanted.latest, wanted.bin_size),
        Bins::Cut => (wanted.earliest, wanted.latest),
    };
    let counted: Vec<(&Intake, u64)> = world
        .intakes
        .iter()
        .filter(|intake| caller.sees_uuid(&world, intake.community_uuid) && fits(&wanted.filters, intake))
        .map(|intake| (intake, intake.events(from, to.min(counted_until))))
        // What had no events is in no group.
        .filter(|(_, events)| *events > 0)
        .collect();
    let mut all = figures(&world, &counted);
    all["groups"] = grouped(&world, &counted, &wanted.groups, figures).into();
    Ok(Json(all).into_response())
}

fn total(counted: &[(&Intake, u64)]) -> u64 {
    counted.iter().map(|(_, events)| events).sum()
}

fn fits(filter: &Filter, intake: &Intake) -> bool {
    let one_of = |wanted: &Option<Vec<Uuid>>, uuid| wanted.as_ref().is_none_or(|wanted| wanted.contains(&uuid));
    one_of(&filter.intake_uuid, intake.uuid)
        && one_of(&filter.intake_dialect_uuid, intake.format_uuid)
        && one_of(&filter.entity_uuid, intake.entity_uuid)
        && one_of(&filter.community_uuid, intake.community_uuid)
        && filter.in_error.as_ref().is_none_or(|wanted| wanted.contains(&false))
}

/// Groups in groups, in the order in which they are asked for.
fn grouped(world: &World, counted: &[(&Intake, u64)], groups: &[Group], figures: Figures<'_>) -> Vec<Value> {
    let Some((first, rest)) = groups.split_first() else { return vec![] };
    let mut by_value: BTreeMap<String, Vec<(&Intake, u64)>> = BTreeMap::new();
    for (intake, events) in counted {
        let value = match first {
            Group::IntakeUuid => intake.uuid.to_string(),
            Group::IntakeDialectUuid => intake.format_uuid.to_string(),
            Group::EntityUuid => intake.entity_uuid.to_string(),
            Group::CommunityUuid => intake.community_uuid.to_string(),
            // All events here are good ones.
            Group::InError => "false".to_owned(),
        };
        by_value.entry(value).or_default().push((intake, *events));
    }
    let attribute = match first {
        Group::IntakeUuid => "intake_uuid",
        Group::IntakeDialectUuid => "intake_dialect_uuid",
        Group::EntityUuid => "entity_uuid",
        Group::CommunityUuid => "community_uuid",
        Group::InError => "in_error",
    };
    by_value
        .into_iter()
        .map(|(value, counted)| {
            let value = if matches!(first, Group::InError) { json!(false) } else { json!(value) };
            let mut group = figures(world, &counted);
            group["filter"] = json!({ "attribute": attribute, "value": value });
            group["groups"] = grouped(world, &counted, rest, figures).into();
            group
        })
        .collect()
}

/// The whole bins that a stretch of time touches, in UTC.
fn widened(from: Timestamp, to: Timestamp, bin: Bin) -> (Timestamp, Timestamp) {
    let start = |at: Timestamp| begin(&at.to_zoned(TimeZone::UTC), bin);
    let step = match bin {
        Bin::Hour => 1.hour(),
        Bin::Day => 1.day(),
        Bin::Week => 1.week(),
        Bin::Month => 1.month(),
    };
    let last = start(to);
    let end = if last.timestamp() == to { last } else { last.saturating_add(step) };
    (start(from).timestamp(), end.timestamp())
}

fn begin(at: &Zoned, bin: Bin) -> Zoned {
    let date = at.date();
    let date = match bin {
        Bin::Hour | Bin::Day => date,
        Bin::Week => date.saturating_sub(i64::from(date.weekday().since(Weekday::Monday)).days()),
        Bin::Month => date.first_of_month(),
    };
    let hour = if bin == Bin::Hour { at.hour() } else { 0 };
    date.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap_or_else(|_| at.clone())
}

fn invalid(place: &str, message: &str) -> Response {
    let detail = json!([{ "loc": ["body", place], "msg": message, "type": "value_error" }]);
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": detail }))).into_response()
}
