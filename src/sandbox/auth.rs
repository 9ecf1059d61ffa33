//! Who calls: the bearer token, the key it stands for, and what that key may see.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use uuid::Uuid;

use super::error::ApiError;
use super::world::{Community, KeyStatus, World};
use super::{Sandbox, Writes};

/// The key behind a request. It is looked up each time, so a test that revokes it is believed.
pub(super) struct Caller {
    pub(super) key: Uuid,
    pub(super) community: Uuid,
    permissions: HashSet<String>,
    writes: Writes,
}

impl Caller {
    pub(super) fn require(&self, permission: &str) -> Result<(), ApiError> {
        if self.may(permission) { Ok(()) } else { Err(ApiError::forbidden(permission)) }
    }

    pub(super) fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Refuses a write where no key may write, before anything else about the call is looked at.
    pub(super) fn may_write(&self, permission: &str) -> Result<(), ApiError> {
        match self.writes {
            Writes::Accepted => Ok(()),
            Writes::Refused => Err(ApiError::not_for_keys(permission)),
        }
    }

    /// The community of a write's path, if the caller may do there what needs this permission.
    pub(super) fn community_to_write<'w>(
        &self,
        world: &'w World,
        uuid: &str,
        permission: &str,
    ) -> Result<&'w Community, ApiError> {
        self.may_write(permission)?;
        let community = self.community(world, uuid)?;
        self.require(permission)?;
        Ok(community)
    }

    /// The community of the path, if the caller can see it: its own and those directly below.
    pub(super) fn community<'w>(&self, world: &'w World, uuid: &str) -> Result<&'w Community, ApiError> {
        let wanted: Option<Uuid> = uuid.parse().ok();
        world
            .communities
            .iter()
            .find(|community| Some(community.uuid) == wanted && self.sees(community))
            .ok_or_else(|| ApiError::not_found("Unknown community"))
    }

    pub(super) fn sees(&self, community: &Community) -> bool {
        community.uuid == self.community || community.parent_community_uuid == Some(self.community)
    }

    /// Whether items of this community belong in the caller's lists.
    pub(super) fn sees_uuid(&self, world: &World, community: Uuid) -> bool {
        world.communities.iter().any(|known| known.uuid == community && self.sees(known))
    }
}

impl FromRequestParts<Arc<Sandbox>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sandbox: &Arc<Sandbox>) -> Result<Self, ApiError> {
        Self::of(sandbox, bearer(parts).ok_or_else(ApiError::invalid_token)?)
    }
}

impl Caller {
    /// Who a token stands for, if it is good.
    pub(super) fn of(sandbox: &Sandbox, token: &str) -> Result<Self, ApiError> {
        let key_uuid = sandbox.secrets.key_of(token);
        let world = sandbox.world();
        let key = key_uuid
            .and_then(|uuid| world.keys.iter().find(|key| key.uuid == uuid))
            .ok_or_else(ApiError::invalid_token)?;
        match key.status(sandbox.now()) {
            KeyStatus::Revoked => return Err(ApiError::revoked_token()),
            KeyStatus::Expired => return Err(ApiError::expired_token()),
            KeyStatus::Active => {}
        }
        let held: HashSet<Uuid> = key.permissions.iter().copied().collect();
        let names = world.permissions.iter().filter(|permission| held.contains(&permission.uuid));
        Ok(Self {
            key: key.uuid,
            community: key.community_uuid,
            permissions: names.map(|permission| permission.name.clone()).collect(),
            writes: sandbox.writes,
        })
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
