//! What a source reports, whichever it is: LiveAPI, a webhook or a look at the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::trigger::Trigger;

/// Something that happened at Sekoia.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// Made of Sekoia's own identifiers: the same again is the same occurrence, whoever reports it.
    pub id: Box<str>,
    /// By Sekoia's clock.
    pub at: Timestamp,
    pub community: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_name: Option<Box<str>>,
    pub what: What,
}

/// What it was. Stored with what is owed to the chat: a variant or a field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    AlertRaised(Alert),
    AlertUpdated(Alert),
    Silent(Silence),
    /// Events come again.
    Resumed(Silence),
    PlaybookError(Playbook),
    CaseCreated(Case),
    CaseUpdated(Case),
    ConnectorError(Connector),
    /// A rule of Sekoia's own posted it; nothing else is known of it.
    Reported {
        /// `content-proposal`, as Sekoia says it.
        kind: Box<str>,
        /// `created`, `updated`, `deleted`.
        action: Box<str>,
    },
    /// A sample for a rule of a trigger that is not evaluated here.
    Other {
        trigger: Trigger,
        title: Box<str>,
    },
}

/// Something that Sekoia knows by name and identifier; a source may lack either.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Named {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Alert {
    pub uuid: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    /// From 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<u8>,
    /// As Sekoia names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Named>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Seconds from its creation until somebody acknowledged it, if Sekoia says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_after: Option<u64>,
    /// Of an update: whether the status is what changed; none if the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_changed: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Silence {
    pub intake: Named,
    /// The time without events that was reached; rules with this time are meant.
    pub minutes: u16,
    /// The last event was not later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Playbook {
    pub playbook: Named,
    /// The failed run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<str>>,
    /// Its trigger crashed, or it switched itself off.
    #[serde(default)]
    pub crashed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Case {
    pub uuid: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Box<str>>,
    /// A person opened it; none if the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connector {
    pub connector: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
}

impl What {
    /// The trigger of the rules that may fire for it, if any may.
    pub fn trigger(&self) -> Option<Trigger> {
        Some(match self {
            What::AlertRaised(_) => Trigger::AlertRaised,
            What::AlertUpdated(_) => Trigger::AlertUpdated,
            What::Silent(_) | What::Resumed(_) => Trigger::NoEvents,
            What::PlaybookError(_) => Trigger::PlaybookError,
            What::CaseCreated(_) => Trigger::CaseCreated,
            What::CaseUpdated(_) => Trigger::CaseEdited,
            What::ConnectorError(_) => Trigger::ConnectorError,
            What::Other { trigger, .. } => *trigger,
            What::Reported { .. } => return None,
        })
    }

    /// What it is about, in a list: of an alert, Sekoia's rule.
    pub fn name(&self) -> &str {
        match self {
            What::AlertRaised(alert) | What::AlertUpdated(alert) => {
                let rule = alert.rule.as_ref().and_then(|rule| rule.name.as_deref());
                rule.or(alert.title.as_deref()).unwrap_or("(no title)")
            }
            What::Silent(silence) | What::Resumed(silence) => silence.intake.label(),
            What::PlaybookError(playbook) => playbook.playbook.label(),
            What::CaseCreated(case) | What::CaseUpdated(case) => case.title.as_deref().unwrap_or("(no title)"),
            What::ConnectorError(connector) => connector.connector.label(),
            What::Reported { kind, .. } => kind,
            What::Other { title, .. } => title,
        }
    }

    pub fn alert(&self) -> Option<&Alert> {
        match self {
            What::AlertRaised(alert) | What::AlertUpdated(alert) => Some(alert),
            _ => None,
        }
    }
}

impl Named {
    pub fn new(uuid: &str, name: &str) -> Self {
        Self { uuid: Some(uuid.into()), name: Some(name.into()) }
    }

    /// For a sentence: its name, or at least its identifier.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.uuid.as_deref()).unwrap_or("(no name)")
    }
}
