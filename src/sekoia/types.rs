//! What Sekoia's API answers, as far as the checklist needs it.
//!
//! Unknown fields are ignored and everything but an id may be missing: the public specification
//! lost nullability on the way. Source of the fields: Sekoia's OpenAPI 3.1 of July 2026.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::lenient::{each_once, instant};

/// `GET /v1/auth/validate`: the decoded token.
#[derive(Debug, Clone, Deserialize)]
pub struct Validation {
    /// `apikey:<uuid>`.
    #[serde(default)]
    pub identity: Option<String>,
}

impl Validation {
    /// The key's own uuid.
    pub fn key_uuid(&self) -> Option<&str> {
        self.identity.as_deref()?.strip_prefix("apikey:")
    }
}

/// `GET /v1/me`.
#[derive(Debug, Clone, Deserialize)]
pub struct Me {
    /// An API key's community (observed, not documented).
    #[serde(default)]
    pub community: Option<Uuid>,
}

/// One of `GET /v1/me/communities`.
#[derive(Debug, Clone, Deserialize)]
pub struct MyCommunity {
    pub uuid: Uuid,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Community {
    pub uuid: Uuid,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub is_parent: Option<bool>,
    #[serde(default)]
    pub parent_community_uuid: Option<Uuid>,
    #[serde(default)]
    pub is_mfa_enforced: Option<bool>,
    /// Minutes; none: Sekoia's default of a month.
    #[serde(default)]
    pub session_timeout: Option<u32>,
    /// Accounts that were not used for 90 days are disabled.
    #[serde(default)]
    pub disable_inactive_avatars: Option<bool>,
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
}

impl Community {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("(no name)")
    }

    /// Whether it is one of the two that every Sekoia Self-Hosted has and nobody works in, by their
    /// exact names.
    pub fn is_built_in(&self) -> bool {
        matches!(self.name(), "Administration Community" | "sekoia community")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Permission {
    #[serde(default)]
    pub uuid: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub feature: Option<String>,
}

impl Permission {
    pub fn title(&self) -> &str {
        self.title.as_deref().or(self.name.as_deref()).or(self.uuid.as_deref()).unwrap_or("(no name)")
    }

    /// Whether this is the permission called so, by name or by title.
    pub fn is(&self, called: &str) -> bool {
        [&self.name, &self.title].into_iter().flatten().any(|n| n.eq_ignore_ascii_case(called))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Role {
    pub uuid: String,
    #[serde(default)]
    pub name: Option<String>,
    /// None: built in (inferred).
    #[serde(default)]
    pub community_uuid: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "each_once")]
    pub permissions: Vec<Permission>,
    #[serde(default)]
    pub total_members: Option<u64>,
    #[serde(default)]
    pub is_restricted: Option<bool>,
}

impl Role {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("(no name)")
    }

    pub fn is_built_in(&self) -> bool {
        self.community_uuid.is_none()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Licence {
    #[serde(default)]
    pub license_type: Option<String>,
    #[serde(default)]
    pub plan: Option<Plan>,
    /// Documented as free JSON.
    #[serde(default)]
    pub properties: Value,
    /// Documented as free JSON.
    #[serde(default)]
    pub limits: Value,
    #[serde(default, deserialize_with = "instant")]
    pub start: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant")]
    pub end: Option<Timestamp>,
    /// Days.
    #[serde(default)]
    pub duration: Option<i64>,
    /// Whose licence it is.
    #[serde(default)]
    pub beneficiary_community_uuid: Option<Uuid>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Plan {
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub module: Option<Module>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Module {
    #[serde(default)]
    pub name: Option<String>,
}

/// A membership of a community.
#[derive(Debug, Clone, Deserialize)]
pub struct Avatar {
    pub uuid: String,
    #[serde(default)]
    pub name: Option<String>,
    /// `enabled` or `disabled`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "each_once")]
    pub roles: Vec<AvatarRole>,
    #[serde(default)]
    pub user: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AvatarRole {
    #[serde(default)]
    pub uuid: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct User {
    #[serde(default)]
    pub firstname: Option<String>,
    #[serde(default)]
    pub lastname: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub confirmed: Option<bool>,
    #[serde(default)]
    pub mfa_enabled: Option<bool>,
    #[serde(default)]
    pub auth_provider: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub last_activity: Option<Timestamp>,
    #[serde(default)]
    pub invitation_v2: Option<Invitation>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Invitation {
    #[serde(default)]
    pub email: Option<String>,
}

impl Avatar {
    pub fn display_name(&self) -> String {
        let user = self.user.as_ref();
        let full = user.map(|u| {
            format!("{} {}", u.firstname.as_deref().unwrap_or_default(), u.lastname.as_deref().unwrap_or_default())
        });
        [full.as_deref().map(str::trim), self.name.as_deref().map(str::trim), self.email()]
            .into_iter()
            .flatten()
            .find(|n| !n.is_empty())
            .unwrap_or("(no name)")
            .to_owned()
    }

    pub fn email(&self) -> Option<&str> {
        let user = self.user.as_ref()?;
        user.email.as_deref().or_else(|| user.invitation_v2.as_ref()?.email.as_deref())
    }

    /// The invitation was not taken yet (inferred from `user.confirmed`).
    pub fn is_pending(&self) -> bool {
        self.user.as_ref().is_some_and(|u| u.confirmed == Some(false))
    }

    pub fn is_disabled(&self) -> bool {
        self.status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("disabled"))
    }

    pub fn is_active(&self) -> bool {
        !self.is_pending() && !self.is_disabled()
    }

    /// Whether MFA is off. People of an identity provider have theirs there.
    pub fn lacks_mfa(&self) -> bool {
        self.user.as_ref().is_some_and(|u| u.mfa_enabled == Some(false) && u.auth_provider.as_deref() != Some("oidc"))
    }

    /// Whether the organisation's identity provider lets them in.
    pub fn is_single_sign_on(&self) -> bool {
        self.user.as_ref().is_some_and(|u| u.auth_provider.as_deref() == Some("oidc"))
    }

    pub fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|r| r.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct ApiKey {
    pub uuid: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// `active`, `expired` or `revoked`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub revoked: Option<bool>,
    #[serde(default, deserialize_with = "each_once")]
    pub permissions: Vec<Permission>,
    #[serde(default, deserialize_with = "instant")]
    pub expires_at: Option<Timestamp>,
    /// Made by Sekoia for itself.
    #[serde(default)]
    pub internal: Option<bool>,
}

/// What the creation of a key brings, once.
#[derive(Debug, Deserialize)]
pub struct CreatedKey {
    pub uuid: String,
    /// The key.
    #[serde(default)]
    pub key: Option<SecretString>,
    /// The key in its short form, or a prefix of it to be shown: undocumented.
    #[serde(default)]
    pub short_key: Option<SecretString>,
}

/// Where a key stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyStatus {
    Active,
    Expired,
    Revoked,
}

impl ApiKey {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("(no name)")
    }

    /// The status that Sekoia prints, or what its dates say.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        let printed = self.status.as_deref().unwrap_or_default();
        if self.revoked == Some(true) || printed.eq_ignore_ascii_case("revoked") {
            KeyStatus::Revoked
        } else if printed.eq_ignore_ascii_case("expired") || self.expires_at.is_some_and(|at| at <= now) {
            KeyStatus::Expired
        } else {
            KeyStatus::Active
        }
    }
}

/// Days from `now` until `at`, a begun one counted whole; zero or less when past.
pub fn days_until(at: Timestamp, now: Timestamp) -> i64 {
    -(now.as_second() - at.as_second()).div_euclid(86_400)
}
