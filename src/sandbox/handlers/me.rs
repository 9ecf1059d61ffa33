//! Who the caller is: `/v1/auth/validate` and `/v1/me`. A valid token is all they ask for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::Reply;
use crate::sandbox::Sandbox;
use crate::sandbox::auth::Caller;
use crate::sandbox::error::ApiError;
use crate::sandbox::lists::whole;
use crate::sandbox::{json, world::ApiKey, world::World};

pub(in crate::sandbox) async fn validate(State(sandbox): State<Arc<Sandbox>>, caller: Caller) -> Reply {
    let world = sandbox.world();
    let key = own_key(&world, &caller)?;
    let issued = key.created_at.as_second();
    let mut claims = json!({
        "identity": format!("apikey:{}", key.uuid),
        "type": "access",
        "fresh": false,
        "iat": issued,
        "nbf": issued,
        "jti": world.dice.uuid(&format!("jti/{}", key.uuid)),
        "csrf": world.dice.uuid(&format!("csrf/{}", key.uuid)),
        "user_claims": null,
    });
    if let Some(end) = key.expires_at {
        claims["exp"] = end.as_second().into();
    }
    Ok(Json(claims))
}

/// A key has no person's name; clients in the wild read only `uuid` and `community`.
pub(in crate::sandbox) async fn profile(caller: Caller) -> Reply {
    Ok(Json(json!({
        "uuid": caller.key,
        "email": null,
        "firstname": null,
        "lastname": null,
        "community": caller.community,
    })))
}

pub(in crate::sandbox) async fn permissions(State(sandbox): State<Arc<Sandbox>>, caller: Caller) -> Reply {
    let world = sandbox.world();
    let held = world.permissions.iter().filter(|permission| caller.may(&permission.name));
    Ok(Json(whole(&held.map(json::permission).collect::<Vec<_>>())))
}

pub(in crate::sandbox) async fn communities(State(sandbox): State<Arc<Sandbox>>, caller: Caller) -> Reply {
    let world = sandbox.world();
    let own = json!({
        "uuid": caller.community,
        "subcommunities": json::children(&world, caller.community),
    });
    Ok(Json(whole(&[own])))
}

fn own_key<'w>(world: &'w World, caller: &Caller) -> Result<&'w ApiKey, ApiError> {
    world.keys.iter().find(|key| key.uuid == caller.key).ok_or_else(ApiError::invalid_token)
}
