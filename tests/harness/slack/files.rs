//! Files that people put into a form, and how the app fetches them.

use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Stage;
use super::find::list;
use super::state::{Fault, State, since_epoch, token};
use super::{SlackWorld, web_api};

/// As what faults, counts and hooks know these requests.
const METHOD: &str = "files";

/// `GET /files/{id}`, which the app may read with its token.
pub(super) async fn serve(
    Extract(world): Extract<SlackWorld>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    world.0.hook.run(METHOD, Stage::Arrived);
    let response = fetched(&world, &id, &uri, &headers).await;
    world.0.hook.run(METHOD, Stage::Done);
    response
}

async fn fetched(world: &SlackWorld, id: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    let fault = {
        let mut state = world.state();
        world.hear(&mut state, METHOD, uri.query().unwrap_or_default(), b"");
        state.take_fault(METHOD)
    };
    match fault {
        Some(Fault::LoseReply) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(fault) => return web_api::strike(fault).await,
        None => {}
    }
    let state = world.state();
    if web_api::token(headers) != Some(world.bot_token()) || !state.scopes.contains("files:read") {
        // Slack leads to its sign-in page.
        return (StatusCode::FOUND, [(header::LOCATION, "/signin")]).into_response();
    }
    match state.files.get(id) {
        Some(content) => ([(header::CONTENT_TYPE, "text/csv")], content.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl SlackWorld {
    /// The value of a file input into which somebody put a file of this content, or none. What is
    /// no text is given as a data URL.
    pub(super) fn upload(&self, state: &mut State, element: &Value, user: &str, content: &str) -> Value {
        if content.is_empty() {
            return json!({ "type": "file_input", "files": [] });
        }
        let id = format!("F{}", token(10).to_uppercase());
        let filetype = list(element, "filetypes").first().and_then(Value::as_str).unwrap_or("txt");
        let (name, url) = (format!("upload.{filetype}"), format!("{}/files/{id}", self.origin()));
        let bytes = match content.strip_prefix("data:;base64,") {
            Some(encoded) => STANDARD.decode(encoded).expect("base64"),
            None => content.as_bytes().to_vec(),
        };
        state.files.insert(id.clone(), bytes);
        let file = json!({
            "id": id, "created": since_epoch().as_secs(), "name": name, "title": name, "mimetype": "text/plain",
            "filetype": filetype, "user": user, "mode": "hosted", "is_external": false, "is_public": false,
            "size": content.len(), "url_private": url, "url_private_download": url,
        });
        json!({ "type": "file_input", "files": [file] })
    }
}
