//! `response_url` of a command: five answers within half an hour, without a token.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answer::{self, Spoken};
use super::state::{Fault, State};
use super::{MattermostWorld, Stage, api};

const MAX_USES: u8 = 5;
/// As what faults, counts and hooks know these calls.
const ENDPOINT: &str = "response_url";

pub(super) async fn respond(
    Extract(world): Extract<MattermostWorld>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    world.0.hook.run(ENDPOINT, Stage::Arrived);
    let response = answered(&world, &id, &headers, &body).await;
    world.0.hook.run(ENDPOINT, Stage::Done);
    response
}

async fn answered(world: &MattermostWorld, id: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, ENDPOINT, "", body);
        if headers.contains_key(header::AUTHORIZATION) {
            state.violations.push("response_url: an Authorization header arrived".into());
        }
        state.take_fault(ENDPOINT)
    };
    let lose_reply = match fault {
        Some(Fault::LoseReply) => true,
        Some(fault) => return api::strike(fault).await,
        None => false,
    };
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let response = receive(&mut world.state(), id, json, body);
    world.something_was_seen();
    if lose_reply { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { response }
}

fn receive(state: &mut State, id: &str, json: bool, body: &[u8]) -> Response {
    let refused = || api::error(400, "web.command_webhook.general.app_error");
    let life = state.response_url_life;
    let Some(url) = state.response_urls.get_mut(id) else {
        return api::error(404, "web.command_webhook.general.app_error");
    };
    if url.issued.elapsed() >= life || url.uses >= MAX_USES {
        return refused();
    }
    url.uses += 1;
    let spoken = Spoken { user: url.user.clone(), channel: url.channel.clone(), root_id: url.root_id.clone() };
    // Anything else than JSON is taken as text, word for word.
    let body = if json { serde_json::from_slice(body).ok() } else { Some(answer::plain(body)) };
    let Some(body) = body.filter(Value::is_object) else { return refused() };
    answer::say(state, &spoken, &body, "response_url");
    (StatusCode::OK, "ok").into_response()
}
