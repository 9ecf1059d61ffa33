//! The HTTP side: `/api/v4/...`, token, faults, and which call is which.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::state::{Fault, State, fresh_id, is_id};
use super::{MattermostWorld, Stage, dialogs, files, hooks, posts, reads, socket};

/// `MaximumPayloadSizeBytes`.
const MOST_BYTES: usize = 300_000;
/// The one call whose answer is no JSON.
const DOWNLOAD: &str = "GET /files/{id}";
/// The one call whose body is no JSON.
const UPLOAD: &str = "POST /files";

/// Why a call is refused, by Mattermost's own id.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub id: &'static str,
    /// The app itself is at fault, whatever the state of the world: a test must not pass over it.
    pub blame: Option<String>,
}

/// What a call is answered with: a status and JSON.
pub(super) type Answer = Result<(u16, Value), Refusal>;

/// One call, taken apart.
pub(super) struct Call<'a> {
    pub path: Vec<&'a str>,
    pub query: Vec<(String, String)>,
    pub body: Value,
}

impl Call<'_> {
    pub fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub fn number(&self, key: &str) -> Option<u64> {
        self.query(key)?.parse().ok()
    }
}

pub(super) fn refuse<T>(status: u16, id: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, id, blame: None })
}

pub(super) fn blame(status: u16, id: &'static str, what: impl Into<String>) -> Refusal {
    Refusal { status, id, blame: Some(what.into()) }
}

pub(super) fn router(world: MattermostWorld) -> Router {
    Router::new()
        .route("/api/v4/websocket", get(socket::upgrade))
        .route("/api/v4/{*path}", any(api))
        .route("/hooks/commands/{id}", post(hooks::respond))
        .with_state(world)
}

async fn api(
    Extract(world): Extract<MattermostWorld>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path: Vec<&str> = uri.path().trim_start_matches("/api/v4/").split('/').collect();
    let endpoint = endpoint(&method, &path, uri.query().unwrap_or_default());
    world.0.hook.run(&endpoint, Stage::Arrived);
    let response = answered(&world, &endpoint, path, &uri, &headers, &body).await;
    world.0.hook.run(&endpoint, Stage::Done);
    response
}

/// As what faults, counts and hooks know a call: `PUT /posts/{id}/patch`. Posts in pages, as they are read
/// after a loss, are another call than those since a moment.
fn endpoint(method: &Method, path: &[&str], query: &str) -> String {
    const WORDS: [&str; 25] = [
        "users",
        "email",
        "me",
        "ids",
        "usernames",
        "username",
        "channels",
        "members",
        "posts",
        "direct",
        "patch",
        "pin",
        "ephemeral",
        "actions",
        "dialogs",
        "open",
        "system",
        "ping",
        "config",
        "client",
        "groups",
        "files",
        "teams",
        "roles",
        "names",
    ];
    let parts = path.iter().map(|part| if WORDS.contains(part) { part } else { "{id}" });
    let pages = if query.starts_with("per_page=200") { " (pages)" } else { "" };
    format!("{method} /{}{pages}", parts.collect::<Vec<_>>().join("/"))
}

async fn answered(
    world: &MattermostWorld,
    endpoint: &str,
    path: Vec<&str>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let query = uri.query().unwrap_or_default();
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, endpoint, query, body);
        let open = matches!(path.first(), Some(&("actions" | "system" | "config")));
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if !open && (token != Some(world.bot_token()) || state.token_refused) {
            return error(401, "api.context.session_expired.app_error");
        }
        state.take_fault(endpoint)
    };
    let lose_reply = match fault {
        Some(Fault::LoseReply) => true,
        Some(fault) => return strike(fault).await,
        None => false,
    };
    if body.len() > MOST_BYTES {
        return error(413, "api.context.request_body_too_large.app_error");
    }
    let mut state = world.state();
    if endpoint == DOWNLOAD {
        return match state.attached.get(path[1]) {
            Some(content) => content.clone().into_response(),
            None => error(404, "app.file_info.get.app_error"),
        };
    }
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let answer = match serde_json::from_slice(if endpoint == UPLOAD || body.is_empty() { b"null" } else { body }) {
        Ok(json) if endpoint == UPLOAD => files::take(&mut state, &Call { path, query, body: json }, body),
        Ok(body) => call(&mut state, endpoint, &Call { path, query, body }),
        Err(_) => Err(blame(400, "api.context.invalid_body_param.app_error", "the body is not JSON")),
    };
    let response = match answer {
        Ok((status, answer)) => (status_code(status), Json(answer)).into_response(),
        Err(refusal) => {
            state.violations.extend(refusal.blame.map(|blame| format!("{endpoint}: {blame}")));
            error(refusal.status, refusal.id)
        }
    };
    drop(state);
    world.something_was_seen();
    if lose_reply { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { response }
}

/// What a fault other than a lost reply looks like from outside.
pub(super) async fn strike(fault: Fault) -> Response {
    match fault {
        Fault::RateLimited { retry_after } => {
            let headers = [
                (header::RETRY_AFTER.as_str(), retry_after.to_string()),
                ("x-ratelimit-limit", "100".into()),
                ("x-ratelimit-remaining", "0".into()),
                ("x-ratelimit-reset", retry_after.to_string()),
            ];
            (StatusCode::TOO_MANY_REQUESTS, headers, "limit exceeded\n").into_response()
        }
        Fault::Status(code) => (status_code(code), "upstream connect error").into_response(),
        Fault::Error(status, id) => error(status, id),
        Fault::Hang => std::future::pending().await,
        Fault::LoseReply => unreachable!("a lost reply is lost after the deed"),
    }
}

pub(super) fn error(status: u16, id: &str) -> Response {
    let body = json!({
        "id": id, "message": format!("Something was wrong ({id})."), "detailed_error": "",
        "request_id": fresh_id(), "status_code": status,
    });
    (status_code(status), Json(body)).into_response()
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("the fake answers with valid statuses")
}

fn call(state: &mut State, endpoint: &str, call: &Call<'_>) -> Answer {
    let at = |place: usize| -> Result<&str, Refusal> {
        let id = call.path[place];
        if is_id(id) { Ok(id) } else { refuse(400, "api.context.invalid_url_param.app_error") }
    };
    match endpoint {
        "GET /system/ping" => Ok((200, json!({ "status": "OK", "database_status": "OK" }))),
        "GET /config/client" if call.query("format") == Some("old") => Ok((200, reads::client_config(state))),
        "POST /roles/names" => Ok((200, reads::roles(state))),
        "GET /users/me" => reads::user(state, &state.bot()),
        "GET /users/{id}" => reads::user(state, at(1)?),
        "GET /users/username/{id}" => reads::user_called(state, call.path[2]),
        "GET /users/email/{id}" => reads::user_at(state, call.path[2]),
        "POST /users/ids" => Ok((200, reads::users(state, call, |id, _| id))),
        "POST /users/usernames" => Ok((200, reads::users(state, call, |_, name| name))),
        "GET /channels/{id}" => reads::channel(state, at(1)?),
        "GET /channels/{id}/members/{id}" => reads::member(state, at(1)?, at(3)?),
        "GET /users/me/channels" => Ok((200, reads::joined(state))),
        "GET /channels/{id}/posts" | "GET /channels/{id}/posts (pages)" => reads::posts(state, at(1)?, call),
        "GET /teams/{id}" => reads::team(at(1)?),
        "GET /groups/{id}/members" => reads::group(state, at(1)?, call),
        "POST /channels/direct" => posts::direct(state, &call.body),
        "POST /posts" => posts::create(state, &call.body),
        "POST /posts/ephemeral" => posts::ephemeral(state, &call.body),
        "GET /posts/{id}" => posts::read(state, at(1)?),
        "POST /posts/{id}/pin" => posts::pin(state, at(1)?),
        "PUT /posts/{id}/patch" => posts::patch(state, at(1)?, &call.body),
        "PUT /posts/{id}" => posts::replace(state, at(1)?, &call.body),
        "DELETE /posts/{id}" => posts::delete(state, at(1)?),
        "POST /actions/dialogs/open" => dialogs::open(state, &call.body),
        _ => Err(blame(404, "api.context.404.app_error", "the fake has no such endpoint")),
    }
}
