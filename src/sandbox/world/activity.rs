//! What goes on: intakes, playbooks, alerts.

use jiff::Timestamp;
use uuid::Uuid;

/// A source of events.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Identifier.
    pub uuid: Uuid,
    /// Free text.
    pub name: String,
    /// Where its events go.
    pub community_uuid: Uuid,
    /// Name of the entity it belongs to.
    pub entity: String,
    /// Identifier of that entity.
    pub entity_uuid: Uuid,
    /// Identifier of its format.
    pub format_uuid: Uuid,
    /// A secret of the senders; never to be shown by a client.
    pub intake_key: String,
    /// `RUNNING`, `ERROR` and so on.
    pub status: Option<String>,
    /// Creation.
    pub created_at: Timestamp,
    /// The user who made it.
    pub created_by: Uuid,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// An automation.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// Identifier.
    pub uuid: Uuid,
    /// Where it runs.
    pub community_uuid: Uuid,
    /// Free text.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// `running`, `stopped` or `error` here; no list of values is public.
    pub status: String,
    /// Why.
    pub status_message: Option<String>,
    /// Labels of the status.
    pub status_tags: Vec<String>,
    /// Creation.
    pub created_at: Timestamp,
    /// The user who made it.
    pub created_by: Uuid,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it was last switched on.
    pub activated_at: Option<Timestamp>,
}

/// An alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Identifier.
    pub uuid: Uuid,
    /// `AL…`.
    pub short_id: String,
    /// Free text.
    pub title: String,
    /// Where it was raised.
    pub community_uuid: Uuid,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
    /// From 0 to 100.
    pub urgency: u8,
    /// How grave the rule is, from 0 to 100.
    pub severity: u8,
    /// `malware` and so on.
    pub category: String,
    /// `ransomware` and so on.
    pub kind: String,
    /// Where it stands.
    pub status: AlertStatus,
    /// Name of the rule that raised it.
    pub rule: String,
    /// Identifier of that rule.
    pub rule_uuid: Uuid,
    /// Name of the entity.
    pub entity: String,
    /// Identifier of that entity.
    pub entity_uuid: Uuid,
    /// Where the attack came from.
    pub source: Option<String>,
    /// What it aimed at.
    pub target: Option<String>,
    /// How many like it were merged.
    pub similar: u32,
    /// The intakes that saw it.
    pub intake_uuids: Vec<Uuid>,
}

/// Where an alert stands. Name and uuid are documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertStatus {
    /// Nobody looked yet.
    Pending,
    /// Somebody did.
    Acknowledged,
    /// Under investigation.
    Ongoing,
    /// A false positive.
    Rejected,
    /// Done.
    Closed,
}
