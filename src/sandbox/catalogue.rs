//! The permission catalogue, and the few permissions that the sandbox itself checks.

use serde::Deserialize;

use super::world::Permission;

// Names, because that is what the documentation of 2023 gives for the community service.
pub(super) const READ_LICENCES: &str = "COMMUNITY_READ_LICENSE";
pub(super) const READ_ROLES: &str = "COMMUNITY_READ_ROLE";
pub(super) const LIST_MEMBERS: &str = "COMMUNITY_LIST_MEMBER";
pub(super) const READ_KEYS: &str = "COMMUNITY_READ_APIKEY";
pub(super) const ADD_MEMBER: &str = "COMMUNITY_ADD_MEMBER";
pub(super) const REMOVE_MEMBER: &str = "COMMUNITY_REMOVE_MEMBER";
pub(super) const MANAGE_SUB_COMMUNITIES: &str = "COMMUNITY_MANAGE_SUB_COMMUNITIES";
pub(super) const WRITE_ROLE: &str = "COMMUNITY_WRITE_ROLE";
pub(super) const WRITE_APIKEY: &str = "COMMUNITY_WRITE_APIKEY";
pub(super) const READ_INTAKES: &str = "SIC_READ_INTAKES";
pub(super) const READ_PLAYBOOKS: &str = "SYMPHONY_READ_PLAYBOOKS";
pub(super) const READ_ALERTS: &str = "SIC_READ_ALERTS";
pub(super) const MOVE_ALERTS: &str = "SIC_WRITE_ALERTS_WORKFLOW";
pub(super) const COMMENT_ALERTS: &str = "SIC_WRITE_ALERTS_COMMENTS";
pub(super) const READ_RUNS: &str = "SYMPHONY_READ_PLAYBOOK_RUNS";
pub(super) const READ_EVENTS: &str = "SIC_READ_EVENTS";
pub(super) const READ_TELEMETRY: &str = "SIC_READ_EVENT_STATS";
pub(super) const READ_RULES: &str = "SIC_READ_RULES";
pub(super) const READ_ASSETS: &str = "ASSETMANAGEMENT_VIEW_ASSET";
pub(super) const READ_INTELLIGENCE: &str = "INTHREAT_READ_OBJECTS";
pub(super) const READ_FEEDS: &str = "INTHREAT_READ_FEEDS";
pub(super) const READ_IOC_COLLECTIONS: &str = "INTHREAT_READ_IOC_COLLECTIONS";

/// What an intake-restricted role may hold: dashboards, events, alerts, queries and intakes.
const RESTRICTED_FEATURES: [&str; 5] = ["Dashboards", "Events", "Alerts", "Queries", "Intakes"];

#[derive(Deserialize)]
struct Row {
    uuid: uuid::Uuid,
    name: String,
    title: String,
    description: String,
    feature: String,
}

/// The catalogue as Sekoia's own documentation has it, numbered in the order of the file. Two titles of the
/// query builder have no published identifier: theirs are made up.
pub(super) fn permissions() -> Vec<Permission> {
    let rows: Vec<Row> = serde_json::from_str(include_str!("permissions.json"))
        .expect("permissions.json is part of the program and read by a test");
    (1..)
        .zip(rows)
        .map(|(bitmask_id, row)| Permission {
            uuid: row.uuid,
            bitmask_id,
            name: row.name,
            title: row.title,
            description: row.description,
            feature: row.feature,
        })
        .collect()
}

/// Whether holding the permission lets one look and nothing else.
pub(super) fn only_reads(permission: &Permission) -> bool {
    ["_READ_", "_VIEW_", "_LIST_"].iter().any(|verb| permission.name.contains(verb))
}

pub(super) fn is_community(permission: &Permission) -> bool {
    permission.feature == "Community"
}

pub(super) fn allowed_in_restricted_roles(permission: &Permission) -> bool {
    RESTRICTED_FEATURES.contains(&permission.feature.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_catalogue_is_complete_and_unambiguous() {
        let catalogue = permissions();
        let uuids: HashSet<_> = catalogue.iter().map(|p| p.uuid).collect();
        let names: HashSet<_> = catalogue.iter().map(|p| p.name.as_str()).collect();
        assert_eq!((catalogue.len(), uuids.len(), names.len()), (85, 85, 85));
        for needed in [
            READ_LICENCES,
            READ_ROLES,
            LIST_MEMBERS,
            READ_KEYS,
            ADD_MEMBER,
            MANAGE_SUB_COMMUNITIES,
            WRITE_ROLE,
            WRITE_APIKEY,
            READ_INTAKES,
            READ_PLAYBOOKS,
            READ_ALERTS,
            MOVE_ALERTS,
            COMMENT_ALERTS,
            READ_RUNS,
            READ_EVENTS,
            READ_TELEMETRY,
        ] {
            assert!(names.contains(needed), "{needed}");
        }
    }
}
