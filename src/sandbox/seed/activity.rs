//! Intakes, connectors, playbooks and their runs.

use jiff::SignedDuration;
use uuid::Uuid;

use super::units::Unit;
use super::{creator, days_before};
use crate::sandbox::dice::Dice;
use crate::sandbox::world::{Connector, Feed, Intake, LogLine, Playbook, PlaybookRun, Silence, World};

/// After so many technical failures in a row a playbook switches itself off.
pub(in crate::sandbox) const FAILURES: u32 = 5;

pub(super) fn intakes(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, (name, status)) in (120..).step_by(30).zip(unit.intakes) {
        let dice = world.dice;
        let label = format!("{}/intake/{name}", unit.slug);
        let pulled = *status == "ERROR" || name.contains("EDR");
        let connector_uuid = pulled.then(|| dice.uuid(&format!("{label}/connector")));
        let silent_for = match *status {
            "STOPPED" => Some(SignedDuration::from_hours(75)),
            "ERROR" => Some(SignedDuration::from_hours(5)),
            _ => None,
        };
        let created_at = days_before(world.start, age);
        if let Some(uuid) = connector_uuid {
            let broken = *status == "ERROR";
            world.connectors.push(Connector {
                uuid,
                name: format!("{name} (pull)"),
                community_uuid: community,
                display_status: if broken { "error" } else { "running" }.to_owned(),
                status_message: broken.then(|| "The source refused the credentials".to_owned()),
                created_at,
                updated_at: silent_for.map_or(created_at, |time| world.start - time),
            });
        }
        world.intakes.push(Intake {
            uuid: dice.uuid(&label),
            name: (*name).to_owned(),
            community_uuid: community,
            entity: unit.name.to_owned(),
            entity_uuid: entity(dice, unit),
            format_uuid: dice.uuid(&format!("format/{name}")),
            intake_key: dice.hex(&format!("{label}/key"), 16),
            status: Some((*status).to_owned()),
            created_at,
            created_by: creator(world),
            updated_at: None,
            connector_uuid,
            hourly: 3_600 + dice.below(&format!("{label}/hourly"), 72_000),
            silences: silent_for.map(|time| Silence { from: world.start - time, until: None }).into_iter().collect(),
        });
    }
}

pub(super) fn playbooks(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, (name, status, reason)) in (20..).step_by(25).zip(unit.playbooks) {
        let activated_at = (*status != "stopped").then(|| days_before(world.start, age));
        let label = format!("{}/playbook/{name}", unit.slug);
        let mut playbook = Playbook {
            uuid: world.dice.uuid(&label),
            community_uuid: community,
            name: (*name).to_owned(),
            description: None,
            status: (*status).to_owned(),
            status_message: reason.map(str::to_owned),
            status_tags: vec![],
            created_at: days_before(world.start, age + 60),
            created_by: creator(world),
            updated_at: days_before(world.start, age),
            activated_at,
            trigger_uuid: world.dice.uuid(&format!("{label}/trigger")),
            failures: 0,
            logs: vec![],
            trigger_logs: vec![],
        };
        runs(world, &mut playbook, &label);
        world.playbooks.push(playbook);
    }
}

/// The runs of the last days: one that failed for good did so five times, and then no more.
fn runs(world: &mut World, playbook: &mut Playbook, label: &str) {
    let (failing, count) = match playbook.status.as_str() {
        "running" => (false, 8),
        "error" => (true, FAILURES),
        _ => (false, 0),
    };
    for number in (0..count).rev() {
        let label = format!("{label}/run/{number}");
        let age = SignedDuration::from_mins(i64::from(number) * 540 + 95);
        let started_at = world.start - age - SignedDuration::from_micros(211);
        let error = failing.then(|| playbook.status_message.clone().unwrap_or_default());
        if let Some(message) = error.clone() {
            playbook.failures += 1;
            let uuid = world.dice.uuid(&format!("{label}/log"));
            playbook.logs.push(LogLine { uuid, level: "error".to_owned(), message, date: started_at });
        }
        world.runs.push(PlaybookRun {
            uuid: world.dice.uuid(&label),
            playbook_uuid: playbook.uuid,
            playbook_name: playbook.name.clone(),
            community_uuid: playbook.community_uuid,
            event: "Alert Created".to_owned(),
            status: if failing { "error" } else { "finished" }.to_owned(),
            error,
            started_at,
            finished_at: Some(started_at + SignedDuration::from_secs(4)),
        });
    }
}

/// What the licensed modules have found so far, and a feed of the workspace's own beside Sekoia's.
pub(super) fn first_steps(world: &mut World) {
    let (root, dice) = (world.root, world.dice);
    let steps = &mut world.first_steps;
    steps.assets.insert(root, 420);
    steps.indicators.insert(root, 1_240);
    let feed = |title: &str, community_uuid| {
        let uuid = dice.uuid(&format!("feed/{title}"));
        Feed { uuid, title: title.to_owned(), community_uuid }
    };
    steps.feeds = vec![feed("SEKOIA Intelligence Feed", None), feed("Indicators for the firewalls", Some(root))];
    if let Some(markets) = world.community(super::units::MARKETS.name).map(|found| found.uuid) {
        world.first_steps.investigations.insert(markets, 12);
    }
}

pub(super) fn entity(dice: Dice, unit: &Unit) -> Uuid {
    dice.uuid(&format!("{}/entity", unit.slug))
}
