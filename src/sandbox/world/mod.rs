//! What exists in the sandbox: plain structs, open to tests.
//!
//! Nothing here knows HTTP or JSON. Relations are uuids, as in Sekoia.

mod access;
mod activity;
mod first_steps;
mod grow;
mod people;
mod playbooks;
mod subscription;
mod unsettled;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use access::{ApiKey, AuthProvider, KeyStatus, Member, Permission, Role, User};
pub use activity::{Alert, AlertStatus, Case, Change, Comment, Connector, Intake, Search, Silence};
pub use first_steps::{Badly, Feed, FirstSteps};
pub use playbooks::{LogLine, Playbook, PlaybookRun};
pub use subscription::{Licence, Module, Plan};
pub use unsettled::{Bins, InvitationBody, WorkingSecret};

use super::dice::Dice;

/// The state of one workspace.
#[derive(Clone, Debug)]
pub struct World {
    /// The community that the sandbox's tokens belong to.
    pub root: Uuid,
    /// The root and its units.
    pub communities: Vec<Community>,
    /// Memberships ("avatars"): one per person and community.
    pub members: Vec<Member>,
    /// Built-in roles, which no community owns, and custom ones.
    pub roles: Vec<Role>,
    /// API keys, those behind the sandbox's own tokens included.
    pub keys: Vec<ApiKey>,
    /// Everything bought, past and present.
    pub licences: Vec<Licence>,
    /// The permission catalogue, the same for all communities.
    pub permissions: Vec<Permission>,
    /// Sources of events.
    pub intakes: Vec<Intake>,
    /// Playbooks, without their content.
    pub playbooks: Vec<Playbook>,
    /// What pulls events.
    pub connectors: Vec<Connector>,
    /// What playbooks did.
    pub runs: Vec<PlaybookRun>,
    /// Alerts.
    pub alerts: Vec<Alert>,
    /// Cases.
    pub cases: Vec<Case>,
    /// Searches for events.
    pub searches: Vec<Search>,
    /// What a quick start looks at.
    pub first_steps: FirstSteps,
    /// Which bodies an invitation may have.
    pub invitations: InvitationBody,
    /// Which field of a new key works as a token; keys made before keep theirs.
    pub working_secret: WorkingSecret,
    /// What the counters do with a bin that the asked time cuts.
    pub bins: Bins,
    /// How long an event is not counted yet.
    pub counting_delay: SignedDuration,
    pub(super) dice: Dice,
    pub(super) start: Timestamp,
    /// How many things were made since the start.
    pub(super) made: u64,
}

impl World {
    /// A label for the dice that was never used before, and is the same one in each run.
    pub(super) fn label(&mut self, what: &str) -> String {
        self.made += 1;
        format!("made/{}/{what}", self.made)
    }
}

/// A community: the workspace itself, or a unit in it.
#[derive(Clone, Debug)]
pub struct Community {
    /// Identifier.
    pub uuid: Uuid,
    /// Not documented as unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// A web page.
    pub homepage_url: Option<String>,
    /// Whether the multi-tenant mode is on.
    pub is_parent: bool,
    /// The community above.
    pub parent_community_uuid: Option<Uuid>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// The user who created it.
    pub created_by: Uuid,
    /// Whether members must have MFA on.
    pub is_mfa_enforced: Option<bool>,
    /// Minutes.
    pub session_timeout: Option<i64>,
    /// Whether members are switched off after 90 days without activity.
    pub disable_inactive_avatars: bool,
    /// Whether it is switched off.
    pub disabled: bool,
}
