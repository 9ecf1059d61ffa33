//! What goes on: intakes, connectors and alerts.

use jiff::{SignedDuration, Timestamp};
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
    /// The connector that pulls its events; none if they are pushed.
    pub connector_uuid: Option<Uuid>,
    /// Events an hour while it is not silent.
    pub hourly: u32,
    /// When nothing came, oldest first. The last one may be open.
    pub silences: Vec<Silence>,
}

/// A time without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// When the last event came.
    pub from: Timestamp,
    /// When they came again.
    pub until: Option<Timestamp>,
}

impl Intake {
    /// How many events came in a stretch of time.
    pub fn events(&self, from: Timestamp, to: Timestamp) -> u64 {
        let mut seconds = length(from.max(self.created_at), to);
        for silence in &self.silences {
            let until = silence.until.unwrap_or(Timestamp::MAX);
            seconds -= length(from.max(silence.from), to.min(until));
        }
        u64::try_from(seconds).unwrap_or(0) * u64::from(self.hourly) / 3_600
    }

    /// When the last event before an instant came.
    pub fn last_event(&self, before: Timestamp) -> Timestamp {
        let covers = |silence: &&Silence| silence.from <= before && silence.until.is_none_or(|until| before < until);
        self.silences.iter().find(covers).map_or(before, |silence| silence.from)
    }

    /// Whether nothing comes at the moment.
    pub fn is_silent(&self) -> bool {
        self.silences.last().is_some_and(|silence| silence.until.is_none())
    }
}

fn length(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).max(SignedDuration::ZERO).as_secs()
}

/// A search for the events of one intake.
#[derive(Clone, Debug)]
pub struct Search {
    /// Identifier of the job.
    pub uuid: Uuid,
    /// The key that asked; others do not see it.
    pub by: Uuid,
    /// Whose events.
    pub intake: Uuid,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// How often somebody looked whether it is done.
    pub looks: u32,
}

/// What pulls events from elsewhere into an intake.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Identifier of the configuration.
    pub uuid: Uuid,
    /// Free text.
    pub name: String,
    /// Where its events go.
    pub community_uuid: Uuid,
    /// `running` or `error` here; no list of values is public.
    pub display_status: String,
    /// Why.
    pub status_message: Option<String>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
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
    /// What it concerns.
    pub assets: Vec<Uuid>,
    /// The first event behind it.
    pub first_seen_at: Timestamp,
    /// The last one.
    pub last_seen_at: Timestamp,
    /// What people wrote about it, oldest first.
    pub comments: Vec<Comment>,
    /// The statuses that it had before, oldest first.
    pub history: Vec<Change>,
}

/// Something written about an alert.
#[derive(Clone, Debug)]
pub struct Comment {
    /// Identifier.
    pub uuid: Uuid,
    /// Free text.
    pub content: String,
    /// As the writer signed.
    pub author: String,
    /// Who wrote it: an API key or a user.
    pub created_by: Uuid,
    /// When.
    pub date: Timestamp,
}

/// A change of an alert's status.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Identifier.
    pub uuid: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: an API key or a user.
    pub by: Uuid,
    /// What it was before.
    pub before: AlertStatus,
    /// What it is since.
    pub after: AlertStatus,
}

/// Alerts that are looked at together. No call lists them here: what a case looks like over HTTP
/// is not in the documentation that the sandbox is written from.
#[derive(Clone, Debug)]
pub struct Case {
    /// Identifier.
    pub uuid: Uuid,
    /// `CA…`.
    pub short_id: String,
    /// Free text.
    pub title: String,
    /// From 1, the gravest, to 4.
    pub priority: u8,
    /// Whether a person made it.
    pub manual: bool,
    /// Where.
    pub community_uuid: Uuid,
    /// Creation.
    pub created_at: Timestamp,
    /// Labels.
    pub tags: Vec<String>,
    /// Its alerts.
    pub alerts: Vec<Uuid>,
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

impl AlertStatus {
    /// All of them.
    pub const ALL: [AlertStatus; 5] = [Self::Pending, Self::Acknowledged, Self::Ongoing, Self::Rejected, Self::Closed];

    /// What people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Acknowledged => "Acknowledged",
            Self::Ongoing => "Ongoing",
            Self::Rejected => "Rejected",
            Self::Closed => "Closed",
        }
    }

    /// The same in every workspace.
    pub fn uuid(self) -> &'static str {
        match self {
            Self::Pending => "2efc4930-1442-4abb-acf2-58ba219a4fd0",
            Self::Acknowledged => "8f206505-af6d-433e-93f4-775d46dc7d0f",
            Self::Ongoing => "1f2f88d5-ff5b-48bf-bbbc-00c2fff82d9f",
            Self::Rejected => "4f68da89-38e0-4703-a6ab-652f02bdf24e",
            Self::Closed => "1738b1c1-767d-489e-bada-19176621a007",
        }
    }

    /// What an `action_uuid` leads to: a status, or one of the older actions.
    pub fn after(action: &str) -> Option<Self> {
        match action {
            "937bdabf-6a08-434b-b6d3-d7447e4e452a" => Some(Self::Acknowledged),
            "c39a0a95-aa2c-4d0d-8d2e-d3decf426eea" => Some(Self::Ongoing),
            "ade85d7b-7507-4026-bfc6-cc006d10ddac" => Some(Self::Rejected),
            "1390be4e-ced8-4dd6-9bed-573471b235ab" => Some(Self::Closed),
            _ => Self::ALL.into_iter().find(|status| status.uuid() == action),
        }
    }
}
