//! The making and revoking of API keys.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::Reply;
use super::body::{Fields, check_length, missing};
use crate::sandbox::auth::Caller;
use crate::sandbox::catalogue::WRITE_APIKEY;
use crate::sandbox::dice::Dice;
use crate::sandbox::error::ApiError;
use crate::sandbox::seed::creator;
use crate::sandbox::world::{ApiKey, WorkingSecret};
use crate::sandbox::{Sandbox, json};

const DESCRIPTION: RangeInclusive<usize> = 10..=100;

/// Recognisable, so that nobody takes a secret for a real one, and none hides in a log.
const PREFIX: &str = "sandbox-key-";

/// What only the answer to a creation has.
struct Shown {
    key: String,
    short_key: String,
}

pub(in crate::sandbox) async fn create(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path(community): Path<String>,
    body: Bytes,
) -> Reply {
    let mut world = sandbox.world();
    let community = caller.community_to_write(&world, &community, WRITE_APIKEY)?.uuid;
    let fields = Fields::parse(&body)?;
    let name = fields.required_text("name")?;
    let description = fields.required_text("description")?;
    check_length("description", description, &DESCRIPTION)?;
    let granted = fields.permissions(&world)?;
    if granted.is_empty() {
        return Err(missing("permissions"));
    }
    // That nobody gives what they do not have is not documented, and a key that could would hold
    // every permission at the second call.
    if let Some(beyond) = granted.iter().find(|known| !caller.may(&known.name)) {
        return Err(ApiError::forbidden(&beyond.name));
    }
    let permissions = granted.iter().map(|known| known.uuid).collect();
    let now = sandbox.now();
    let expires_at = expiry(&fields, now)?;
    // Whether a revoked or an expired key keeps its name is not documented: here the expired does.
    let taken = |key: &ApiKey| key.community_uuid == community && key.name == name && key.revoked_at.is_none();
    if world.keys.iter().any(taken) {
        return Err(ApiError::bad_request("The name must be unique"));
    }
    let label = world.label("key");
    let key = ApiKey {
        uuid: world.dice.uuid(&label),
        community_uuid: community,
        name: name.to_owned(),
        description: description.to_owned(),
        permissions,
        created_at: now,
        created_by: creator(&world),
        revoked_at: None,
        expires_at,
    };
    let working = world.working_secret;
    let shown = shown(world.dice, &label, working);
    let token = match working {
        WorkingSecret::Key => &shown.key,
        WorkingSecret::ShortKey => &shown.short_key,
    };
    sandbox.secrets.issue(key.uuid, token, [&shown.key, &shown.short_key]);
    let mut answer = json::key(&world, &key, now);
    world.keys.push(key);
    answer["key"] = shown.key.into();
    answer["short_key"] = shown.short_key.into();
    Ok(Json(answer))
}

/// Which of the two works, and whether one is the beginning of the other, is documented nowhere.
fn shown(dice: Dice, label: &str, working: WorkingSecret) -> Shown {
    let secret = |what: &str, length| format!("{PREFIX}{}", dice.hex(&format!("{label}/{what}"), length));
    match working {
        WorkingSecret::Key => Shown { key: secret("secret", 40), short_key: secret("secret", 8) },
        WorkingSecret::ShortKey => Shown { key: secret("long", 64), short_key: secret("secret", 40) },
    }
}

/// None for ever. How Sekoia measures its year is not documented: here it is one of the calendar.
fn expiry(fields: &Fields, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = fields.text("expires_at")? else {
        return Ok(None);
    };
    let end: Timestamp = text.parse().map_err(|_| ApiError::bad_request("expires_at must be an RFC 3339 date"))?;
    let last = now.to_zoned(TimeZone::UTC).checked_add(1.year()).map_or(Timestamp::MAX, |end| end.timestamp());
    if end <= now {
        return Err(ApiError::bad_request("expires_at must be in the future"));
    }
    if end > last {
        return Err(ApiError::bad_request("expires_at must be at most one year ahead"));
    }
    Ok(Some(end))
}

/// A key may revoke itself; an expired one may be revoked.
pub(in crate::sandbox) async fn revoke(
    State(sandbox): State<Arc<Sandbox>>,
    caller: Caller,
    Path((community, key)): Path<(String, String)>,
) -> Reply {
    let mut world = sandbox.world();
    let community = caller.community_to_write(&world, &community, WRITE_APIKEY)?.uuid;
    let wanted: Option<Uuid> = key.parse().ok();
    let index = world
        .keys
        .iter()
        .position(|key| Some(key.uuid) == wanted && key.community_uuid == community)
        .ok_or_else(|| ApiError::not_found("Apikey not found"))?;
    if world.keys[index].revoked_at.is_some() {
        // The answer to a second revocation is documented nowhere.
        return Err(ApiError::bad_request("The key is already revoked"));
    }
    let now = sandbox.now();
    world.keys[index].revoked_at = Some(now);
    Ok(Json(json::key(&world, &world.keys[index], now)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sandbox::Options;
    use crate::sandbox::probe::{Answer, Probe};

    fn path(probe: &Probe) -> String {
        format!("/v1/communities/{}/api-keys", probe.community("Banque Rivoli"))
    }

    fn body(probe: &Probe, changes: &[(&str, Value)]) -> Value {
        let mut body = json!({
            "name": "ticketing",
            "description": "Opens tickets for alerts",
            "permissions": [probe.permission("SIC_READ_ALERTS")],
        });
        for (field, value) in changes {
            body[*field] = value.clone();
        }
        body
    }

    async fn create(probe: &Probe, changes: &[(&str, Value)]) -> Answer {
        probe.post(&path(probe), &body(probe, changes)).await
    }

    #[tokio::test]
    async fn a_new_key_works_shows_its_secret_once_and_ends_when_revoked() {
        let probe = Probe::new(Options::default());
        let made = create(&probe, &[("expires_at", json!("2026-08-28T09:00:00+02:00"))]).await;
        assert_eq!((made.status, &made.body["status"]), (200, &json!("active")));
        assert_eq!(made.body["expires_at"], "2026-08-28T07:00:00.000000+00:00");
        let field = |name: &str| made.body[name].as_str().unwrap().to_owned();
        let (key, short_key) = (field("key"), field("short_key"));
        assert!(key.starts_with(PREFIX) && key.len() <= 100);
        assert_eq!(probe.sandbox.secrets(), [key.clone(), short_key.clone()]);

        let bearer = probe.bearing(&key);
        assert_eq!(bearer.get("/v1/me/permissions").await.body["items"][0]["name"], "SIC_READ_ALERTS");
        assert!(bearer.get(&path(&probe)).await.refusal().starts_with("403"));
        assert_eq!(probe.bearing(&short_key).get("/v1/me").await.body["code"], "T300");

        let own = format!("{}/{}", path(&probe), field("uuid"));
        let read = probe.get(&own).await.body;
        assert_eq!(
            (&read["name"], &read["key"], &read["short_key"]),
            (&json!("ticketing"), &Value::Null, &Value::Null)
        );
        let revoked = probe.delete(&own).await;
        assert_eq!((revoked.status, &revoked.body["revoked"]), (200, &json!(true)));
        assert_eq!((&revoked.body["status"], &revoked.body["key"]), (&json!("revoked"), &Value::Null));
        let after = bearer.get("/v1/me").await;
        assert_eq!((after.status, &after.body["code"]), (401, &json!("T302")));
        assert_eq!(probe.delete(&own).await.refusal(), "400 The key is already revoked");
        assert_eq!(create(&probe, &[]).await.status, 200);
    }

    #[tokio::test]
    async fn the_short_form_may_be_the_one_that_works() {
        let probe = Probe::new(Options::default());
        probe.sandbox.edit(|world| world.working_secret = WorkingSecret::ShortKey);
        let made = create(&probe, &[]).await.body;
        let status = async |field: &str| probe.bearing(made[field].as_str().unwrap()).get("/v1/me").await.status;
        assert_eq!((status("key").await, status("short_key").await), (401, 200));
    }

    #[tokio::test]
    async fn another_run_makes_the_same_secrets() {
        let (one, other) = (Probe::new(Options::default()), Probe::new(Options::default()));
        for probe in [&one, &other] {
            create(probe, &[]).await;
            create(probe, &[("name", json!("second"))]).await;
        }
        let secrets = one.sandbox.secrets();
        assert_eq!(secrets, other.sandbox.secrets());
        assert_ne!(secrets[0], secrets[2]);
    }

    #[tokio::test]
    async fn a_refused_key_is_not_made() {
        let probe = Probe::new(Options::default());
        probe.forbid("SIC_READ_INCIDENTS");
        let before = probe.state();
        let (nil, incidents) = (Uuid::nil(), probe.permission("SIC_READ_INCIDENTS"));
        for (field, value, refusal) in [
            ("name", json!(null), "400 The field name is required"),
            ("description", json!(null), "400 The field description is required"),
            ("description", json!("Too short"), "400 description must have from 10 to 100 characters, not 9"),
            ("permissions", json!([]), "400 The field permissions is required"),
            ("permissions", json!([nil]), "400 Unknown permission 00000000-0000-0000-0000-000000000000"),
            ("permissions", json!([incidents]), "403 The permission SIC_READ_INCIDENTS is required"),
            ("expires_at", json!("tomorrow"), "400 expires_at must be an RFC 3339 date"),
            ("expires_at", json!("2026-02-28T00:00:00Z"), "400 expires_at must be in the future"),
            ("expires_at", json!("2027-03-02T00:00:00Z"), "400 expires_at must be at most one year ahead"),
            ("name", json!("old-siem-export"), "400 The name must be unique"),
        ] {
            assert_eq!(create(&probe, &[(field, value)]).await.refusal(), refusal);
        }
        assert_eq!(probe.post(&path(&probe), &json!([])).await.refusal(), "400 The body must be a JSON object");
        let reader = probe.with("reader");
        let refusal = "403 The permission COMMUNITY_WRITE_APIKEY is required";
        assert_eq!(create(&reader, &[]).await.refusal(), refusal);
        let unknown = format!("{}/{nil}", path(&probe));
        assert_eq!(reader.delete(&unknown).await.refusal(), refusal);
        assert_eq!(probe.delete(&unknown).await.refusal(), "404 Apikey not found");
        assert_eq!(probe.state(), before);
        assert_eq!(probe.sandbox.secrets(), Vec::<String>::new());
        assert_eq!(create(&probe, &[("name", json!("former-mssp"))]).await.status, 200);
    }
}
