//! The HTTP side: `/api/<method>`, token, faults, and the methods that only read.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::Stage;
use super::block_kit::Refused;
use super::find::string;
use super::people::User;
use super::state::{Fault, State};
use super::{SlackWorld, chat, conversations, files, response_url, uploads, views};

/// The one method that takes the app-level token.
const OPEN: &str = "apps.connections.open";

/// Why a call is refused, in Slack's words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub error: &'static str,
    detail: Value,
    /// The app itself is at fault, whatever the state of the world: a test must not pass over it.
    blame: Option<String>,
}

impl From<&'static str> for Refusal {
    fn from(error: &'static str) -> Self {
        Self { error, detail: json!({}), blame: None }
    }
}

impl From<Refused> for Refusal {
    fn from(Refused { error, messages }: Refused) -> Self {
        let blame = Some(format!("{error} {}", messages.join("; ")));
        let errors: Vec<_> = messages.iter().map(|message| message.trim_start_matches("[ERROR] ")).collect();
        let detail = json!({ "errors": errors, "response_metadata": { "messages": messages } });
        Self { error, detail, blame }
    }
}

impl Refusal {
    pub fn missing(argument: &str) -> Self {
        let message = format!("[ERROR] missing required field: {argument}");
        Refused { error: "invalid_arguments", messages: vec![message] }.into()
    }
}

pub(super) type Answer = Result<Value, Refusal>;

pub(super) fn router(world: SlackWorld) -> Router {
    Router::new()
        .route("/api/{method}", any(api))
        .route("/commands/{*rest}", any(response_url::respond))
        .route("/actions/{*rest}", any(response_url::respond))
        .route("/files/{id}", get(files::serve))
        .route("/upload/{id}", post(uploads::take))
        .with_state(world)
}

async fn api(
    Extract(world): Extract<SlackWorld>,
    Path(method): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    world.0.hook.run(&method, Stage::Arrived);
    let response = answered(&world, &method, &uri, &headers, &body).await;
    world.0.hook.run(&method, Stage::Done);
    response
}

async fn answered(world: &SlackWorld, method: &str, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, method, uri.query().unwrap_or_default(), body);
        let is_app = token(headers).is_some() && token(headers) == world.0.app_token.as_deref();
        match token(headers) {
            None => return reply(&state, error("not_authed")),
            Some(_) if is_app != (method == OPEN) => return reply(&state, error("not_allowed_token_type")),
            Some(_) if is_app => state.take_fault(method),
            Some(token) if token != world.bot_token() => return reply(&state, error("invalid_auth")),
            Some(_) if state.token_refused => return reply(&state, error("invalid_auth")),
            Some(_) => state.take_fault(method),
        }
    };
    let lose_reply = match fault {
        Some(Fault::LoseReply) => true,
        Some(fault) => return strike(fault).await,
        None => false,
    };
    if method == OPEN {
        return Json(world.ticket()).into_response();
    }
    let mut state = world.state();
    let answer = match arguments(uri, headers, body) {
        Ok(args) => call(&mut state, method, &args),
        Err(refusal) => Err(refusal),
    };
    let answer = answer.unwrap_or_else(|refusal| {
        state.violations.extend(refusal.blame.map(|blame| format!("{method}: {blame}")));
        let mut answer = refusal.detail;
        answer["ok"] = json!(false);
        answer["error"] = json!(refusal.error);
        answer
    });
    world.something_was_seen();
    if lose_reply { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { reply(&state, answer) }
}

/// What a fault other than a lost reply looks like from outside.
pub(super) async fn strike(fault: Fault) -> Response {
    match fault {
        Fault::RateLimited { retry_after } => {
            let headers = [(header::RETRY_AFTER, retry_after.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers, Json(error("ratelimited"))).into_response()
        }
        Fault::Status(code) => {
            let status = StatusCode::from_u16(code).expect("a fault carries a valid HTTP status");
            (status, "upstream connect error").into_response()
        }
        Fault::Error(code) => Json(error(code)).into_response(),
        Fault::Hang => std::future::pending().await,
        Fault::LoseReply => unreachable!("a lost reply is lost after the deed"),
    }
}

fn error(code: &str) -> Value {
    json!({ "ok": false, "error": code })
}

fn reply(state: &State, answer: Value) -> Response {
    let scopes = state.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let mut response = Json(answer).into_response();
    let scopes = HeaderValue::from_str(&scopes).expect("scopes are ASCII");
    response.headers_mut().insert("x-oauth-scopes", scopes);
    if state.clock_ahead != 0 {
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(state.clock_ahead);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().insert(header::DATE, HeaderValue::from_str(&date).expect("a date is ASCII"));
    }
    response
}

pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Arguments from wherever the caller put them: query, form or JSON.
fn arguments(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let pairs = |bytes: &[u8]| -> Map<String, Value> {
        form_urlencoded::parse(bytes).map(|(key, value)| (key.into_owned(), json!(value))).collect()
    };
    let mut args = pairs(uri.query().unwrap_or_default().as_bytes());
    if kind.starts_with("application/json") {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return Err("invalid_json".into()) };
        args.extend(fields);
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        args.extend(pairs(body));
    } else if !body.is_empty() {
        return Err("invalid_post_type".into());
    }
    for key in ["blocks", "attachments", "view", "metadata"] {
        let Some(Value::String(encoded)) = args.get(key) else { continue };
        let Ok(decoded) = serde_json::from_str(encoded) else { return Err("invalid_blocks_format".into()) };
        args.insert(key.into(), decoded);
    }
    for key in ["link_names", "return_im", "include_all_metadata", "inclusive"] {
        if let Some(Value::String(flag)) = args.get(key) {
            let flag = flag == "true" || flag == "1";
            args.insert(key.into(), json!(flag));
        }
    }
    Ok(Value::Object(args))
}

fn call(state: &mut State, method: &str, args: &Value) -> Answer {
    // No scope, one of several, or one that depends on the kind of channel.
    let scopes: &[&str] = match method {
        "auth.test" | "views.open" | "views.update" | "views.publish" => &[],
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" | "chat.delete" => &["chat:write"],
        "users.info" => &["users:read"],
        "users.lookupByEmail" => &["users:read.email"],
        "conversations.info" => &["channels:read", "groups:read", "im:read"],
        "users.conversations" => &["channels:read"],
        "conversations.open" => &["im:write"],
        "conversations.history" | "conversations.replies" => conversations::history_scope(state, args),
        "usergroups.users.list" => &["usergroups:read"],
        "files.getUploadURLExternal" | "files.completeUploadExternal" => &["files:write"],
        "pins.add" => &["pins:write"],
        _ => return Err(Refused { error: "unknown_method", messages: Vec::new() }.into()),
    };
    if !scopes.is_empty() && !scopes.iter().any(|scope| state.scopes.contains(*scope)) {
        let provided = state.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let detail = json!({ "needed": scopes.join(","), "provided": provided });
        return Err(Refusal { error: "missing_scope", detail, blame: None });
    }
    match method {
        "auth.test" => Ok(auth_test(state)),
        "users.info" => users_info(state, args),
        "users.lookupByEmail" => users_lookup_by_email(state, args),
        "conversations.info" => conversations::info(state, args),
        "users.conversations" => conversations::own(state, args),
        "conversations.open" => conversations::open(state, args),
        "conversations.history" => conversations::history(state, args),
        "conversations.replies" => conversations::replies(state, args),
        "usergroups.users.list" => usergroups_users_list(state, args),
        "chat.postMessage" => chat::post_message(state, args),
        "chat.update" => chat::update(state, args),
        "chat.postEphemeral" => chat::post_ephemeral(state, args),
        "chat.delete" => chat::delete(state, args),
        "pins.add" => pins_add(state, args),
        "files.getUploadURLExternal" => uploads::address(state, args),
        "files.completeUploadExternal" => uploads::complete(state, args),
        "views.open" => views::open(state, args),
        "views.publish" => views::publish(state, args),
        _ => views::update(state, args),
    }
}

pub(super) fn required<'a>(args: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    string(args, name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(name))
}

fn auth_test(state: &State) -> Value {
    if state.organisation_wide {
        return json!({
            "ok": true, "url": "https://nimbus.enterprise.slack.com/", "team": "Nimbus", "user": "sekoia",
            "team_id": "E0NIMBUS", "user_id": state.app.user_id, "bot_id": state.app.bot_id,
            "enterprise_id": "E0NIMBUS", "is_enterprise_install": true,
        });
    }
    json!({
        "ok": true, "url": format!("https://{}.slack.com/", state.team.domain), "team": state.team.name,
        "user": state.users.get(&state.app.user_id).map_or("sekoia", |user| &user.name),
        "team_id": state.team.id, "user_id": state.app.user_id, "bot_id": state.app.bot_id,
        "is_enterprise_install": false,
    })
}

/// Slack's messages keep in which channels they are pinned.
fn pins_add(state: &mut State, args: &Value) -> Answer {
    let (channel, ts) = (required(args, "channel")?.to_owned(), required(args, "timestamp")?.to_owned());
    let message = state.messages.get_mut(&(channel.clone(), ts)).ok_or("message_not_found")?;
    let pinned = message["pinned_to"].as_array().cloned().unwrap_or_default();
    if pinned.contains(&json!(channel)) {
        return Err("already_pinned".into());
    }
    message["pinned_to"] = pinned.into_iter().chain([json!(channel)]).collect();
    Ok(json!({ "ok": true }))
}

fn users_info(state: &State, args: &Value) -> Answer {
    let id = required(args, "user")?;
    let user = state.users.get(id).ok_or("user_not_found")?;
    let mut told = user.json(id);
    if state.scopes.contains("users:read.email") {
        told["profile"]["email"] = json!(format!("{}@nimbus.example", user.name));
    }
    Ok(json!({ "ok": true, "user": told }))
}

fn users_lookup_by_email(state: &State, args: &Value) -> Answer {
    let email = required(args, "email")?;
    let theirs = |user: &&User| format!("{}@nimbus.example", user.name) == email;
    let found = state.users.iter().find(|(_, user)| theirs(user)).ok_or("users_not_found")?;
    Ok(json!({ "ok": true, "user": found.1.json(found.0) }))
}

fn usergroups_users_list(state: &State, args: &Value) -> Answer {
    let members = state.groups.get(required(args, "usergroup")?).ok_or("no_such_subteam")?;
    Ok(json!({ "ok": true, "users": members }))
}
