//! Alerts: those that there are at the start, and what a new one looks like.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::activity::entity;
use super::units::Unit;
use crate::sandbox::world::{Alert, AlertStatus, World};

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

/// What is decided about an alert; everything else follows from its label.
pub(in crate::sandbox) struct Sighting<'a> {
    pub label: &'a str,
    pub community: Uuid,
    pub entity: &'a str,
    pub entity_uuid: Uuid,
    /// A rule of the list, or any other name; none: one of the list.
    pub rule: Option<&'a str>,
    pub urgency: u8,
    pub status: AlertStatus,
    pub created_at: Timestamp,
}

/// The alert that a rule raises.
pub(in crate::sandbox) fn detected(world: &World, seen: &Sighting<'_>) -> Alert {
    let (dice, label) = (world.dice, seen.label);
    let roll = |what: &str, end| dice.below(&format!("{label}/{what}"), end);
    let usual = &DETECTIONS[roll("rule", 8) as usize];
    let detection = match seen.rule {
        Some(rule) => DETECTIONS.iter().find(|known| known.rule == rule).unwrap_or(usual),
        None => usual,
    };
    let rule = seen.rule.unwrap_or(detection.rule);
    let host = roll("host", 240) + 10;
    let intake = world.intakes.iter().find(|intake| intake.community_uuid == seen.community);
    Alert {
        uuid: dice.uuid(label),
        short_id: format!("AL{}", dice.hex(&format!("{label}/short"), 10)),
        title: rule.to_owned(),
        community_uuid: seen.community,
        created_at: seen.created_at,
        updated_at: None,
        urgency: seen.urgency,
        severity: detection.severity,
        category: detection.category.to_owned(),
        kind: detection.kind.to_owned(),
        status: seen.status,
        rule: rule.to_owned(),
        rule_uuid: dice.uuid(&format!("rule/{rule}")),
        entity: seen.entity.to_owned(),
        entity_uuid: seen.entity_uuid,
        source: Some(format!("203.0.113.{host}")),
        target: Some(format!("10.20.{}.{host}", roll("net", 16))),
        similar: roll("similar", 4),
        intake_uuids: intake.map(|intake| intake.uuid).into_iter().collect(),
        assets: vec![dice.uuid(&format!("asset/{host}"))],
        first_seen_at: seen.created_at - SignedDuration::from_secs(i64::from(roll("delay", 90))),
        last_seen_at: seen.created_at,
        comments: vec![],
        history: vec![],
    }
}

pub(super) fn alerts(world: &mut World, community: Uuid, unit: &Unit) {
    let dice = world.dice;
    for number in 0..unit.alerts {
        let label = format!("{}/alert/{number}", unit.slug);
        let position = number as usize % 6;
        let minutes = i64::from(number) * 330 + i64::from(dice.below(&format!("{label}/age"), 300));
        let age = SignedDuration::from_mins(minutes);
        let created_at = world.start - age - SignedDuration::from_secs(20);
        let status = STATUSES[position];
        let seen = Sighting {
            label: &label,
            community,
            entity: unit.name,
            entity_uuid: entity(dice, unit),
            rule: None,
            urgency: URGENCIES[position],
            status,
            created_at,
        };
        let mut alert = detected(world, &seen);
        if status != AlertStatus::Pending {
            alert.updated_at = Some(created_at + age / 2);
            alert.last_seen_at = created_at + age / 2;
        }
        world.alerts.push(alert);
    }
}
