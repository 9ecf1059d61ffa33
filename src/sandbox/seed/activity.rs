//! Intakes, playbooks and alerts.

use jiff::SignedDuration;
use uuid::Uuid;

use super::units::Unit;
use super::{creator, days_before};
use crate::sandbox::dice::Dice;
use crate::sandbox::world::{Alert, AlertStatus, Intake, Playbook, World};

pub(super) fn intakes(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, (name, status)) in (120..).step_by(30).zip(unit.intakes) {
        let dice = world.dice;
        let label = format!("{}/intake/{name}", unit.slug);
        world.intakes.push(Intake {
            uuid: dice.uuid(&label),
            name: (*name).to_owned(),
            community_uuid: community,
            entity: unit.name.to_owned(),
            entity_uuid: entity(dice, unit),
            format_uuid: dice.uuid(&format!("format/{name}")),
            intake_key: dice.hex(&format!("{label}/key"), 16),
            status: Some((*status).to_owned()),
            created_at: days_before(world.start, age),
            created_by: creator(world),
            updated_at: None,
        });
    }
}

pub(super) fn playbooks(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, (name, status, reason)) in (20..).step_by(25).zip(unit.playbooks) {
        let activated_at = (*status != "stopped").then(|| days_before(world.start, age));
        world.playbooks.push(Playbook {
            uuid: world.dice.uuid(&format!("{}/playbook/{name}", unit.slug)),
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
        });
    }
}

struct Detection {
    rule: &'static str,
    category: &'static str,
    kind: &'static str,
    severity: u8,
}

const DETECTIONS: [Detection; 8] = [
    detection("Impossible travel", "intrusions", "account-compromise", 60),
    detection("Ransom note on a file share", "malware", "ransomware", 95),
    detection("Card-testing burst", "fraud", "unauthorized-use", 55),
    detection("Beacon to a known C2 server", "malware", "backdoor", 85),
    detection("Password spraying", "intrusion-attempts", "brute-force", 50),
    detection("Audit log cleared", "intrusions", "privileged-account-compromise", 70),
    detection("Port scan from inside", "information-gathering", "scanner", 30),
    detection("Mail with a look-alike domain", "fraud", "phishing", 40),
];

const fn detection(rule: &'static str, category: &'static str, kind: &'static str, severity: u8) -> Detection {
    Detection { rule, category, kind, severity }
}

/// The urgency of one alert after the other: every band, and each side of 75 and 80.
const URGENCIES: [u8; 6] = [91, 35, 78, 12, 62, 48];

/// New alerts are more often pending than older ones.
const STATUSES: [AlertStatus; 6] = [
    AlertStatus::Pending,
    AlertStatus::Pending,
    AlertStatus::Acknowledged,
    AlertStatus::Ongoing,
    AlertStatus::Closed,
    AlertStatus::Rejected,
];

pub(super) fn alerts(world: &mut World, community: Uuid, unit: &Unit) {
    let dice = world.dice;
    let intakes: Vec<Uuid> =
        world.intakes.iter().filter(|intake| intake.community_uuid == community).map(|intake| intake.uuid).collect();
    for number in 0..unit.alerts {
        let label = format!("{}/alert/{number}", unit.slug);
        let roll = |what: &str, end| dice.below(&format!("{label}/{what}"), end);
        let detection = &DETECTIONS[roll("rule", 8) as usize];
        let position = number as usize % 6;
        let age = SignedDuration::from_mins((i64::from(number) * 330) + i64::from(roll("age", 300)));
        let created_at = world.start - age - SignedDuration::from_secs(20);
        let status = STATUSES[position];
        let host = roll("host", 240) + 10;
        world.alerts.push(Alert {
            uuid: dice.uuid(&label),
            short_id: format!("AL{}", dice.hex(&format!("{label}/short"), 10)),
            title: detection.rule.to_owned(),
            community_uuid: community,
            created_at,
            updated_at: (status != AlertStatus::Pending).then(|| created_at + age / 2),
            urgency: URGENCIES[position],
            severity: detection.severity,
            category: detection.category.to_owned(),
            kind: detection.kind.to_owned(),
            status,
            rule: detection.rule.to_owned(),
            rule_uuid: dice.uuid(&format!("rule/{}", detection.rule)),
            entity: unit.name.to_owned(),
            entity_uuid: entity(dice, unit),
            source: Some(format!("203.0.113.{host}")),
            target: Some(format!("10.20.{}.{host}", roll("net", 16))),
            similar: roll("similar", 4),
            intake_uuids: intakes.iter().take(1).copied().collect(),
        });
    }
}

fn entity(dice: Dice, unit: &Unit) -> Uuid {
    dice.uuid(&format!("{}/entity", unit.slug))
}
