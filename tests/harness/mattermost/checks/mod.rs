//! The fake itself, used as an app would use it.

mod answers;
mod reading;
mod refusals;

use serde_json::{Value, json};

use super::*;
use crate::harness::slack::{Choice, SignedRequest};

/// The app's side of the wire.
struct Wire(MattermostWorld, reqwest::Client);

impl Wire {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = MattermostWorld::start().await;
        world.edit(|state| state.judges_authors = false);
        Self(world, reqwest::Client::new())
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/api/v4{path}", self.0.url());
        let mut call = self.1.request(method.parse().unwrap(), url).bearer_auth(self.0.bot_token());
        if !body.is_null() {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, Value::Null).await
    }

    /// Posts a card with a button in #soc-setup.
    async fn card(&self) -> Seen {
        let (status, _) = self.call("POST", "/posts", card("soc-setup")).await;
        assert_eq!(status, 201);
        self.0.next().await
    }

    /// Answers a request as the app would.
    fn answer(&self, request: &SignedRequest, answer: Value) {
        self.0.answer(request, 200, "application/json", answer.to_string().as_bytes());
    }
}

fn action(name: &str, more: Value) -> Value {
    let mut action = json!({
        "id": "a1", "type": "button", "name": name,
        "integration": { "url": "http://127.0.0.1:8080/mattermost/action", "context": { "sealed": "v1" } },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        action[key] = value.clone();
    }
    action
}

fn card(channel: &str) -> Value {
    json!({ "channel_id": id(channel), "message": "#### Go?", "props": { "attachments": [{ "actions": [
        action("Approve", json!({ "style": "primary", "tooltip": "Sure?" })),
        action("Reject…", json!({ "id": "a2", "style": "danger" })),
    ] }] } })
}

fn dialog(elements: Value) -> Value {
    json!({ "callback_id": "form", "title": "Skip a step", "introduction_text": "**Why**, then?",
        "elements": elements, "submit_label": "Skip it", "state": "sealed" })
}

fn opening(request: &SignedRequest, dialog: Value) -> Value {
    json!({ "trigger_id": sent(request)["trigger_id"], "url": "http://127.0.0.1:8080/mattermost/dialog", "dialog": dialog })
}

fn reason() -> Value {
    json!({ "display_name": "Why", "name": "reason", "type": "textarea", "help_text": "Stays on record." })
}

/// What a request carries, form or JSON.
fn sent(request: &SignedRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_else(|_| {
        let fields = form_urlencoded::parse(&request.body).into_owned();
        fields.map(|(key, value)| (key, json!(value))).collect::<serde_json::Map<_, _>>().into()
    })
}
