//! The documented shapes, with the differences between services that the documentation shows:
//! the community service prints its dates in its own way, and alerts carry Unix seconds.

mod activity;
mod alerts;
mod subscription;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use activity::{connector, intake, log, playbook, run};
pub(super) use alerts::{alert, alert_in_brief, alert_in_full, comment};
pub(super) use subscription::licence;

use super::world::{ApiKey, AuthProvider, Community, KeyStatus, Member, Permission, Role, User, World};

pub(super) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

fn maybe(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

fn community_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

pub(super) fn community(world: &World, community: &Community) -> Value {
    json!({
        "uuid": community.uuid,
        "name": community.name,
        "description": community.description,
        "homepage_url": community.homepage_url,
        "picture_mode": "initials",
        "created_at": community_date(community.created_at),
        "updated_at": community_date(community.updated_at),
        "created_by": community.created_by,
        "created_by_type": "user",
        "company_size": null,
        "company_security_team_size": null,
        "company_sector": null,
        "company_location": null,
        "company_domain_name": null,
        "is_parent": community.is_parent,
        "parent_community_uuid": community.parent_community_uuid,
        "is_mfa_enforced": community.is_mfa_enforced,
        "session_timeout": community.session_timeout,
        "disable_inactive_avatars": community.disable_inactive_avatars,
        "disabled": community.disabled,
        "is_payg_allowed": false,
        "plans": [],
        "features": [],
        "computed_properties": {},
        "subcommunities": children(world, community.uuid),
    })
}

/// The uuids of the communities directly below.
pub(super) fn children(world: &World, parent: Uuid) -> Vec<Uuid> {
    world
        .communities
        .iter()
        .filter(|community| community.parent_community_uuid == Some(parent))
        .map(|community| community.uuid)
        .collect()
}

pub(super) fn permission(permission: &Permission) -> Value {
    json!({
        "uuid": permission.uuid,
        "bitmask_id": permission.bitmask_id,
        "name": permission.name,
        "title": permission.title,
        "description": permission.description,
        "feature": permission.feature,
    })
}

fn permissions(world: &World, held: &[Uuid]) -> Vec<Value> {
    world.permissions.iter().filter(|known| held.contains(&known.uuid)).map(permission).collect()
}

/// A role, with its holders in one community and the first `shown` of them in full.
pub(super) fn role(world: &World, role: &Role, community: Uuid, shown: usize) -> Value {
    let holders: Vec<&Member> = world
        .members
        .iter()
        .filter(|member| member.community_uuid == community && member.roles.contains(&role.uuid))
        .collect();
    let members: Vec<Value> = holders.iter().take(shown).map(|holder| member(world, holder)).collect();
    json!({
        "uuid": role.uuid,
        "name": role.name,
        "community_uuid": role.community_uuid,
        "description": role.description,
        "permissions": permissions(world, &role.permissions),
        "created_at": rfc3339(role.created_at),
        "updated_at": rfc3339(role.updated_at),
        "total_members": holders.len(),
        "members": members,
        "is_restricted": role.is_restricted,
        "intake_uuids": role.intake_uuids,
    })
}

pub(super) fn member(world: &World, member: &Member) -> Value {
    let roles: Vec<&Role> = world.roles.iter().filter(|role| member.roles.contains(&role.uuid)).collect();
    let built_in = roles.iter().find(|role| role.community_uuid.is_none());
    let named: Vec<Value> = roles.iter().map(|role| json!({ "uuid": role.uuid, "name": role.name })).collect();
    json!({
        "uuid": member.uuid,
        "name": member.name,
        "status": if member.enabled { "enabled" } else { "disabled" },
        "status_changed_at": maybe(member.status_changed_at),
        "created_at": rfc3339(member.created_at),
        "updated_at": maybe(member.updated_at),
        "role_uuid": built_in.map(|role| role.uuid),
        "roles": named,
        "user": user(&member.user),
    })
}

fn user(user: &User) -> Value {
    json!({
        "uuid": user.uuid,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "company_name": null,
        "email": user.email,
        "picture_mode": "initials",
        "created_at": rfc3339(user.created_at),
        "updated_at": rfc3339(user.created_at),
        "confirmed": user.confirmed,
        "invitation_v2": user.invited_email.as_ref().map(|email| json!({ "email": email })),
        "mfa_enabled": user.mfa_enabled,
        "last_activity": maybe(user.last_activity),
        "auth_provider": match user.auth_provider {
            AuthProvider::Local => "local",
            AuthProvider::Oidc => "oidc",
        },
        "sso_available": user.auth_provider == AuthProvider::Oidc,
    })
}

pub(super) fn key(world: &World, key: &ApiKey, now: Timestamp) -> Value {
    json!({
        "uuid": key.uuid,
        "name": key.name,
        "description": key.description,
        "permissions": permissions(world, &key.permissions),
        "roles": [],
        "created_at": rfc3339(key.created_at),
        "created_by": key.created_by,
        "created_by_type": "user",
        "revoked": key.revoked_at.is_some(),
        "revoked_at": maybe(key.revoked_at),
        "expires_at": maybe(key.expires_at),
        "status": match key.status(now) {
            KeyStatus::Active => "active",
            KeyStatus::Expired => "expired",
            KeyStatus::Revoked => "revoked",
        },
        "internal": false,
    })
}
