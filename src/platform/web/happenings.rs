//! Buttons that let something happen at Sekoia.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::routes::{Refusal, Web, no};
use crate::sandbox::Happening;

/// Something that can be made to happen.
#[derive(Serialize)]
pub(super) struct Button {
    id: &'static str,
    label: &'static str,
    text: &'static str,
    #[serde(skip)]
    what: fn() -> Happening,
}

pub(super) const BUTTONS: [Button; 8] = [
    Button {
        id: "alert",
        label: "An alert arrives",
        text: "Of urgency 90, in the first community.",
        what: || Happening::Alert { community: None, rule: None, urgency: Some(90) },
    },
    Button {
        id: "worse",
        label: "The newest alert gets worse",
        text: "Its urgency rises to 99.",
        what: || Happening::AlertUpdated { alert: None, urgency: Some(99), status: None },
    },
    Button {
        id: "storm",
        label: "A storm",
        text: "200 alerts of one rule at once.",
        what: || Happening::Storm { count: 200, community: None },
    },
    Button {
        id: "silent",
        label: "An intake falls silent",
        text: "The first that gets events: nothing came for two hours.",
        what: || Happening::IntakeSilent { intake: None, minutes: None },
    },
    Button {
        id: "back",
        label: "A silent intake is back",
        text: "The first that is silent gets events again.",
        what: || Happening::IntakeBack { intake: None },
    },
    Button {
        id: "playbook",
        label: "A playbook fails",
        text: "The first that runs. The fifth time in a row it switches itself off.",
        what: || Happening::PlaybookFails { playbook: None, times: None },
    },
    Button {
        id: "crash",
        label: "A trigger crashes",
        text: "That of the first playbook that runs.",
        what: || Happening::TriggerCrashes { playbook: None },
    },
    Button {
        id: "connector",
        label: "A connector fails",
        text: "The first that works cannot pull events any more.",
        what: || Happening::ConnectorFails { connector: None },
    },
];

#[derive(Deserialize)]
pub struct Pressed {
    id: String,
}

/// `POST /demo/happen`.
pub async fn happen(State(web): State<Arc<Web>>, Json(pressed): Json<Pressed>) -> Result<Response, Refusal> {
    let Some(button) = BUTTONS.iter().find(|button| button.id == pressed.id) else {
        return no(StatusCode::NOT_FOUND, "There is no such button. Reload the page.");
    };
    match web.sandbox().happen((button.what)()) {
        Ok(what) => Ok(Json(json!({ "what": what })).into_response()),
        Err(why) => no(StatusCode::CONFLICT, format!("This cannot happen now: {why}.")),
    }
}
