//! New sub-communities and roles.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::Reply;
use super::body::{Fields, check_length};
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::{self, MANAGE_SUB_COMMUNITIES, WRITE_ROLE};
use crate::sandbox::error::ApiError;
use crate::sandbox::seed::creator;
use crate::sandbox::world::{Community, Role};
use crate::sandbox::{Sandbox, json};

const ROLE_DESCRIPTION: RangeInclusive<usize> = 10..=1_000;

/// A community below another, with nobody in it: who becomes a member by creating is unknown.
pub(in crate::sandbox) async fn sub_community(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(parent): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = sandbox.world();
    let parent = caller.community_to_write(&world, &parent, MANAGE_SUB_COMMUNITIES)?;
    if !parent.is_parent {
        return Err(ApiError::bad_request("The community cannot have sub-communities"));
    }
    let parent = parent.uuid;
    let fields = Fields::parse(&body)?;
    let name = fields.required_text("name")?;
    let description = fields.required_text("description")?;
    let homepage_url = fields.text("homepage_url")?;
    // Names are not documented as unique, so a second one of the same name is made.
    let label = world.label("community");
    let now = sandbox.now();
    let community = Community {
        uuid: world.dice.uuid(&label),
        name: name.to_owned(),
        description: description.to_owned(),
        homepage_url: homepage_url.map(str::to_owned),
        is_parent: false,
        parent_community_uuid: Some(parent),
        created_at: now,
        updated_at: now,
        created_by: creator(&world),
        is_mfa_enforced: None,
        session_timeout: None,
        disable_inactive_avatars: false,
        disabled: false,
    };
    let answer = json::community(&world, &community);
    world.communities.push(community);
    Ok(Json(answer))
}

pub(in crate::sandbox) async fn role(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut world = sandbox.world();
    let community = caller.community_to_write(&world, &community, WRITE_ROLE)?.uuid;
    let fields = Fields::parse(&body)?;
    let name = fields.required_text("name")?;
    let description = fields.text("description")?;
    if let Some(description) = description {
        check_length("description", description, &ROLE_DESCRIPTION)?;
    }
    let granted = fields.permissions(&world)?;
    let is_restricted = fields.is_set("is_restricted")?;
    if is_restricted && let Some(wide) = granted.iter().find(|known| !catalogue::allowed_in_restricted_roles(known)) {
        return Err(ApiError::bad_request(format!("A restricted role cannot hold {}", wide.name)));
    }
    let permissions = granted.iter().map(|known| known.uuid).collect();
    let intake_uuids = fields.uuids("intake_uuids")?;
    let here =
        |uuid: Uuid| world.intakes.iter().any(|intake| intake.uuid == uuid && intake.community_uuid == community);
    if !intake_uuids.iter().all(|uuid| here(*uuid)) {
        return Err(ApiError::bad_request("Unknown intake"));
    }
    // No public source says whether two roles may share a name. Refused within a community, and
    // only there: the same name elsewhere, or that of a built-in role, is somebody else's.
    if world.roles.iter().any(|role| role.community_uuid == Some(community) && role.name == name) {
        return Err(ApiError::bad_request("A role with this name exists already"));
    }
    let label = world.label("role");
    let now = sandbox.now();
    let role = Role {
        uuid: world.dice.uuid(&label),
        name: name.to_owned(),
        community_uuid: Some(community),
        description: description.unwrap_or_default().to_owned(),
        permissions,
        created_at: now,
        updated_at: now,
        is_restricted,
        intake_uuids,
    };
    let answer = json::role(&world, &role, community, 0);
    world.roles.push(role);
    Ok((StatusCode::CREATED, Json(answer)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::probe::Probe;
    use crate::sandbox::{Options, Tenant};

    fn path(probe: &Probe, community: &str, what: &str) -> String {
        format!("/v1/communities/{}/{what}", probe.community(community))
    }

    #[tokio::test]
    async fn a_sub_community_is_made_as_often_as_asked() {
        let probe = Probe::new(Options::default());
        let path = path(&probe, "Banque Rivoli", "sub-communities");
        let body = json!({ "name": "Rivoli Leasing", "description": "Cars", "colour": "red" });
        let first = probe.post(&path, &body).await;
        assert_eq!((first.status, &first.body["name"]), (200, &json!("Rivoli Leasing")));
        assert_eq!(first.body["parent_community_uuid"], json!(probe.community("Banque Rivoli")));
        assert_eq!(first.body["homepage_url"], Value::Null);
        let second = probe.post(&path, &body).await;
        assert_ne!(first.body["uuid"], second.body["uuid"]);
        let below = probe.get(&path).await;
        assert_eq!(below.body["total"], 5);
        assert!(below.body["items"].as_array().unwrap().contains(&second.body));
    }

    #[tokio::test]
    async fn a_refused_sub_community_is_not_made() {
        let probe = Probe::new(Options::default());
        let before = probe.state();
        let path = |community: &str| path(&probe, community, "sub-communities");
        for (body, refusal) in [
            (json!("text"), "400 The body must be a JSON object"),
            (json!({ "description": "Cars" }), "400 The field name is required"),
            (json!({ "name": "Leasing", "description": " " }), "400 The field description is required"),
            (json!({ "name": 5, "description": "Cars" }), "400 name must be a string"),
        ] {
            assert_eq!(probe.post(&path("Banque Rivoli"), &body).await.refusal(), refusal);
        }
        let body = json!({ "name": "Leasing", "description": "Cars" });
        let answer = probe.post(&path("Rivoli Retail"), &body).await;
        assert_eq!(answer.refusal(), "400 The community cannot have sub-communities");
        let nowhere = format!("/v1/communities/{}/sub-communities", Uuid::nil());
        assert_eq!(probe.post(&nowhere, &body).await.refusal(), "404 Unknown community");
        let answer = probe.with("reader").post(&path("Banque Rivoli"), &body).await;
        assert_eq!(answer.refusal(), "403 The permission COMMUNITY_MANAGE_SUB_COMMUNITIES is required");
        assert_eq!(probe.state(), before);
    }

    #[tokio::test]
    async fn a_single_community_has_none_below() {
        let probe = Probe::new(Options { tenant: Tenant::Single, ..Options::default() });
        let path = path(&probe, "Nimbus Payments", "sub-communities");
        let answer = probe.post(&path, &json!({ "name": "Leasing", "description": "Cars" })).await;
        assert_eq!(answer.refusal(), "400 The community cannot have sub-communities");
    }

    #[tokio::test]
    async fn a_role_is_made_in_one_community() {
        let probe = Probe::new(Options::default());
        let body = json!({
            "name": "Night Watch",
            "description": "Reads alerts at night",
            "permissions": [probe.permission("SIC_READ_ALERTS")],
        });
        let roles = path(&probe, "Banque Rivoli", "roles");
        let made = probe.post(&roles, &body).await;
        assert_eq!(made.status, 201);
        assert_eq!(made.body["permissions"][0]["name"], "SIC_READ_ALERTS");
        assert_eq!((&made.body["total_members"], &made.body["is_restricted"]), (&json!(0), &json!(false)));
        let read = probe.get(&format!("{roles}/{}", made.body["uuid"].as_str().unwrap())).await;
        assert_eq!(read.body, made.body);
        let elsewhere = probe.post(&path(&probe, "Rivoli Retail", "roles"), &body).await;
        assert_eq!(elsewhere.status, 201);
        let plain = probe.post(&roles, &json!({ "name": "Admin" })).await;
        assert_eq!((plain.status, &plain.body["description"]), (201, &json!("")));
    }

    #[tokio::test]
    async fn a_refused_role_is_not_made() {
        let probe = Probe::new(Options::default());
        let before = probe.state();
        let roles = path(&probe, "Banque Rivoli", "roles");
        let members = probe.permission("COMMUNITY_LIST_MEMBER");
        let nil = Uuid::nil();
        for (body, refusal) in [
            (json!(null), "400 The body must be a JSON object".to_owned()),
            (json!({}), "400 The field name is required".to_owned()),
            (
                json!({ "name": "X", "description": "Too short" }),
                "400 description must have from 10 to 1000 characters, not 9".to_owned(),
            ),
            (json!({ "name": "X", "permissions": "all" }), "400 permissions must be a list of uuids".to_owned()),
            (json!({ "name": "X", "permissions": [nil] }), format!("400 Unknown permission {nil}")),
            (json!({ "name": "X", "is_restricted": "yes" }), "400 is_restricted must be true or false".to_owned()),
            (
                json!({ "name": "X", "is_restricted": true, "permissions": [members] }),
                "400 A restricted role cannot hold COMMUNITY_LIST_MEMBER".to_owned(),
            ),
            (json!({ "name": "X", "intake_uuids": [nil] }), "400 Unknown intake".to_owned()),
            (json!({ "name": "SOC Level 1" }), "400 A role with this name exists already".to_owned()),
        ] {
            assert_eq!(probe.post(&roles, &body).await.refusal(), refusal);
        }
        let answer = probe.with("reader").post(&roles, &json!({ "name": "X" })).await;
        assert_eq!(answer.refusal(), "403 The permission COMMUNITY_WRITE_ROLE is required");
        assert_eq!(probe.state(), before);
    }
}
