//! The fake checks itself: a lenient oracle would let the app's faults through.

mod conversations;
mod formats;
mod gestures;
mod outgoing;

use serde_json::{Value, json};

use super::*;

/// Calls a method as the app would.
async fn call(world: &SlackWorld, method: &str, args: Value) -> Value {
    let url = format!("{}/{method}", world.api_url());
    let request = client().post(url).bearer_auth(world.bot_token()).json(&args);
    request.send().await.unwrap().json().await.unwrap()
}

async fn respond(url: &str, payload: Value) -> u16 {
    client().post(url).json(&payload).send().await.unwrap().status().as_u16()
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn form(request: &SignedRequest) -> Value {
    form_urlencoded::parse(&request.body).map(|(key, value)| (key.into_owned(), json!(value))).collect()
}

fn interaction(request: &SignedRequest) -> Value {
    serde_json::from_str(form(request)["payload"].as_str().unwrap()).unwrap()
}

fn card() -> Value {
    json!([
        { "type": "header", "text": { "type": "plain_text", "text": "Set-up & more" } },
        { "type": "section",
          "text": { "type": "mrkdwn", "text": "*Owner* <@U0ALICE> in <#C0SOC>, see <https://docs.example|docs> &lt;3" },
          "fields": [{ "type": "plain_text", "text": "a" }, { "type": "plain_text", "text": "b" }],
          "accessory": { "type": "button", "text": { "type": "plain_text", "text": "Open" }, "url": "https://app.example" } },
        { "type": "rich_text", "elements": [
            { "type": "rich_text_section", "elements": [
                { "type": "text", "text": "Done", "style": { "bold": true } }, { "type": "text", "text": " by " },
                { "type": "user", "user_id": "U0BOB" }, { "type": "emoji", "name": "tada", "unicode": "1f389" },
                { "type": "date", "timestamp": 1_762_000_000, "format": "{date}", "fallback": "1 Nov" } ]},
            { "type": "rich_text_list", "style": "ordered", "indent": 1, "offset": 1, "elements": [
                { "type": "rich_text_section", "elements": [{ "type": "text", "text": "second", "style": { "code": true } }] }]},
            { "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "secret" }] },
            { "type": "rich_text_quote", "elements": [{ "type": "link", "url": "https://x.example", "text": "x" }] } ]},
        { "type": "divider" },
        { "type": "table", "rows": [[{ "type": "raw_text", "text": "Region" }, { "type": "raw_text", "text": "FRA1" }]] },
        { "type": "context", "elements": [{ "type": "mrkdwn", "text": "small" }, { "type": "image", "image_url": "https://i.example/a.png", "alt_text": "logo" }] },
        { "type": "actions", "block_id": "controls", "elements": [
            { "type": "static_select", "action_id": "step", "placeholder": { "type": "plain_text", "text": "Open a step" },
              "options": [{ "text": { "type": "plain_text", "text": "Region" }, "value": "2" }] },
            { "type": "users_select", "action_id": "who", "placeholder": { "type": "plain_text", "text": "Assign" } },
            { "type": "datepicker", "action_id": "due" },
            { "type": "button", "action_id": "next", "style": "primary", "text": { "type": "plain_text", "text": "Next" }, "value": "v" },
            { "type": "button", "action_id": "reset", "style": "danger", "text": { "type": "plain_text", "text": "Reset" },
              "confirm": { "title": { "type": "plain_text", "text": "Sure?" }, "text": { "type": "plain_text", "text": "All goes" },
                           "confirm": { "type": "plain_text", "text": "Yes" }, "deny": { "type": "plain_text", "text": "No" } } },
            { "type": "overflow", "action_id": "more", "options": [{ "text": { "type": "plain_text", "text": "Skip" }, "value": "s" }] } ]},
    ])
}

fn modal() -> Value {
    json!({
        "type": "modal", "callback_id": "key", "notify_on_close": true,
        "title": { "type": "plain_text", "text": "Create a key" },
        "submit": { "type": "plain_text", "text": "Request" },
        "blocks": [
            { "type": "input", "block_id": "name", "label": { "type": "plain_text", "text": "Name" },
              "hint": { "type": "plain_text", "text": "Unique" },
              "element": { "type": "plain_text_input", "action_id": "v", "max_length": 10 } },
            { "type": "input", "block_id": "preset", "optional": true, "label": { "type": "plain_text", "text": "Preset" },
              "element": { "type": "static_select", "action_id": "v",
                           "options": [{ "text": { "type": "plain_text", "text": "Read" }, "value": "r" }] } },
        ],
    })
}

fn card_with_button(label: &str) -> Value {
    json!([{ "type": "actions", "elements": [{ "type": "button", "text": { "type": "plain_text", "text": label } }] }])
}
