//! Answers inside the HTTP response: Slack reads them in the light of the request.

use serde_json::{Value, json};

use super::block_kit::{self, Refused};
use super::find::string;
use super::forms::as_filled_in;
use super::response_url::place_new;
use super::seen::{Kind, Place, Seen};
use super::state::{Gesture, OpenView, State};
use super::{SlackWorld, views};

impl SlackWorld {
    /// Shows the JSON body of the app's answer to what a person did last: a reply to a slash
    /// command, or the `response_action` of a submission. It counts as read.
    ///
    /// # Panics
    /// When Slack would ignore the body: only commands and submissions are answered so.
    pub fn answer(&self, body: Value) -> Seen {
        let mut state = self.state();
        state.look_for_broadcasts(&body);
        state.said.push(("answer".into(), body.to_string()));
        match state.last.clone() {
            Some(Gesture::Slash { user, channel }) => reply(&mut state, &user, &channel, body),
            Some(Gesture::Submit { view_id }) => response_action(&mut state, &view_id, body),
            Some(Gesture::Other) | None => panic!("Slack ignores the body of this answer: {body}"),
        }
    }
}

fn reply(state: &mut State, user: &str, channel: &str, body: Value) -> Seen {
    judge(state, block_kit::check_message(&body));
    let (shown, place) = place_new(state, user, channel, &body);
    let (channel, user) = (channel.to_owned(), user.to_owned());
    let kind = match &place {
        Place::Message { ts, .. } => Kind::Posted { channel, ts: ts.clone(), thread_ts: None },
        _ => Kind::Ephemeral { channel, user, thread_ts: None },
    };
    state.describe(kind, body, shown, place)
}

fn response_action(state: &mut State, view_id: &str, body: Value) -> Seen {
    let open = state.views[view_id].clone();
    let user = open.user.clone();
    let place = Place::View { view_id: view_id.to_owned(), user: user.clone() };
    let updated = Kind::ViewUpdated { view_id: view_id.to_owned() };
    match string(&body, "response_action") {
        Some("errors") => {
            let shown = with_errors(state, &open, &body["errors"]);
            state.describe(updated, body, shown, place)
        }
        Some("update") => {
            judge(state, block_kit::check_view(&body["view"]));
            let (shown, _) = views::replace(state, view_id, &body["view"]);
            state.describe(updated, body, shown, place)
        }
        Some("clear") => {
            state.views.values_mut().filter(|open| open.user == user).for_each(|open| open.closed = true);
            state.describe(updated, body, Value::Null, place)
        }
        other => panic!("the fake knows no response_action {other:?}: {body}"),
    }
}

/// The modal as it was submitted, each error under its input.
fn with_errors(state: &mut State, open: &OpenView, errors: &Value) -> Value {
    let blocks = open.view["blocks"].as_array().into_iter().flatten();
    let inputs: Vec<_> = blocks.filter(|b| b["type"] == "input").filter_map(|b| string(b, "block_id")).collect();
    for block in errors.as_object().into_iter().flatten().map(|(block, _)| block) {
        if !inputs.contains(&block.as_str()) {
            state.violations.push(format!("view_submission: an error names {block:?}, which is no input block"));
        }
    }
    let mut shown = as_filled_in(&open.view);
    shown["errors"] = json!(errors);
    shown
}

fn judge(state: &mut State, verdict: Result<(), Refused>) {
    if let Err(Refused { error, messages }) = verdict {
        state.violations.push(format!("answer: {error} {}", messages.join("; ")));
    }
}
