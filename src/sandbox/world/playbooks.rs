//! Automations: playbooks, their runs and their logs.

use jiff::Timestamp;
use uuid::Uuid;

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
    /// The configuration of what starts it.
    pub trigger_uuid: Uuid,
    /// Technical failures since it last succeeded; at five it switches itself off.
    pub failures: u32,
    /// What it said, oldest first.
    pub logs: Vec<LogLine>,
    /// What its trigger said, oldest first.
    pub trigger_logs: Vec<LogLine>,
}

/// A line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Identifier.
    pub uuid: Uuid,
    /// `info`, `error`, `critical`: the last means that the trigger crashed.
    pub level: String,
    /// Free text.
    pub message: String,
    /// When.
    pub date: Timestamp,
}

/// One time that a playbook ran.
#[derive(Clone, Debug)]
pub struct PlaybookRun {
    /// Identifier.
    pub uuid: Uuid,
    /// Which one.
    pub playbook_uuid: Uuid,
    /// Its name then.
    pub playbook_name: String,
    /// Where.
    pub community_uuid: Uuid,
    /// What started it, such as `Alert Created`.
    pub event: String,
    /// `finished` or `error`: the two values that were ever seen in public.
    pub status: String,
    /// What went wrong, in the node that failed.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
