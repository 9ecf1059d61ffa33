//! Who has access: members, roles, permissions, API keys.

use jiff::Timestamp;
use uuid::Uuid;

/// A membership of one user in one community.
#[derive(Clone, Debug)]
pub struct Member {
    /// Identifier of the membership, not of the person.
    pub uuid: Uuid,
    /// Where.
    pub community_uuid: Uuid,
    /// What people see.
    pub name: Option<String>,
    /// `enabled` or `disabled` on the wire.
    pub enabled: bool,
    /// Last change of that.
    pub status_changed_at: Option<Timestamp>,
    /// One built-in role, or custom ones: a custom role drops the built-in ones.
    pub roles: Vec<Uuid>,
    /// When the person joined.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Option<Timestamp>,
    /// The person.
    pub user: User,
}

/// A person; the same uuid in every community they belong to.
#[derive(Clone, Debug)]
pub struct User {
    /// Identifier.
    pub uuid: Uuid,
    /// Unknown until the invitation is accepted.
    pub firstname: Option<String>,
    /// Unknown until the invitation is accepted.
    pub lastname: Option<String>,
    /// May be missing while an invitation is pending.
    pub email: Option<String>,
    /// The address that a pending invitation went to.
    pub invited_email: Option<String>,
    /// False while the invitation is pending.
    pub confirmed: bool,
    /// Whether a second factor is set.
    pub mfa_enabled: Option<bool>,
    /// Last use.
    pub last_activity: Option<Timestamp>,
    /// How they log in.
    pub auth_provider: AuthProvider,
    /// Creation of the account.
    pub created_at: Timestamp,
}

/// How a user logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthProvider {
    /// Password.
    Local,
    /// Single sign-on.
    Oidc,
}

/// A set of permissions.
#[derive(Clone, Debug)]
pub struct Role {
    /// Identifier.
    pub uuid: Uuid,
    /// Not documented as unique.
    pub name: String,
    /// None for Guest, Analyst and Admin.
    pub community_uuid: Option<Uuid>,
    /// Free text.
    pub description: String,
    /// Uuids of permissions.
    pub permissions: Vec<Uuid>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Whether it is limited to some intakes.
    pub is_restricted: bool,
    /// Those intakes.
    pub intake_uuids: Vec<Uuid>,
}

/// An entry of the permission catalogue.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Identifier.
    pub uuid: Uuid,
    /// Position in the masks.
    pub bitmask_id: u32,
    /// `SIC_READ_ALERTS` and so on.
    pub name: String,
    /// `View alerts` and so on; not unique.
    pub title: String,
    /// Free text, often empty.
    pub description: String,
    /// Group.
    pub feature: String,
}

/// An API key, without its secret: the sandbox keeps none here.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Identifier.
    pub uuid: Uuid,
    /// The community that owns it.
    pub community_uuid: Uuid,
    /// Unique in its community.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Uuids of permissions.
    pub permissions: Vec<Uuid>,
    /// Creation.
    pub created_at: Timestamp,
    /// The user who made it.
    pub created_by: Uuid,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// None for ever.
    pub expires_at: Option<Timestamp>,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It works.
    Active,
    /// Its time has passed.
    Expired,
    /// Somebody revoked it, before or after its time.
    Revoked,
}

impl ApiKey {
    /// Its status at an instant.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyStatus::Expired
        } else {
            KeyStatus::Active
        }
    }
}
