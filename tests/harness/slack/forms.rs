//! Filling in: values of menus and inputs, and the submission of a modal.

use serde_json::{Value, json};

use super::SlackWorld;
use super::find::{elements, label, list, option, raw, several, string};
use super::seen::{Place, Seen};
use super::sign::SignedRequest;
use super::state::{Gesture, State};

impl SlackWorld {
    /// Fills in an open modal by the labels of its inputs and submits it.
    ///
    /// Inputs that are not named keep what they show, and an empty text empties one. Several
    /// options are given comma-separated, users by id or name, a file by its content.
    ///
    /// # Panics
    /// When a person could not do it: no such label, no such option, a required input left
    /// empty, a text too long, the modal closed or somebody else's.
    pub fn submit(&self, user: &str, view: &Seen, values: &[(&str, &str)]) -> SignedRequest {
        let mut state = self.state();
        let user = state.user_id(user);
        let Place::View { view_id, user: owner } = &view.place else { panic!("not a modal:\n{view}") };
        assert!(*owner == user, "only {owner} sees:\n{view}");
        let open = state.views[view_id].clone();
        assert!(!open.closed, "the modal is closed:\n{view}");
        assert!(open.view["submit"].is_object(), "the modal has no submit button:\n{view}");
        let mut filled = open.view["state"]["values"].clone();
        merge(&initial_values(&open.view), &mut filled);
        for (says, value) in values {
            let inputs = list(&open.view, "blocks").iter().filter(|block| block["type"] == "input");
            let inputs: Vec<_> = inputs.filter(|block| raw(&block["label"], "text") == *says).collect();
            assert!(inputs.len() == 1, "{} inputs are labelled {says:?} in:\n{view}", inputs.len());
            let element = &inputs[0]["element"];
            let mut answer = match raw(element, "type") {
                "file_input" => self.upload(&mut state, element, &user, value),
                _ => fill(element, value, &state),
            };
            answer["action_id"] = element["action_id"].clone();
            answer["block_id"] = inputs[0]["block_id"].clone();
            put(&mut filled, &answer);
        }
        require_answers(&open.view, &filled);
        let mut submitted = open.view;
        submitted["state"] = json!({ "values": filled });
        state.views.get_mut(view_id).expect("looked up above").view = submitted.clone();
        let mut payload = self.interaction_envelope(&mut state, "view_submission", &user);
        payload["view"] = submitted;
        payload["response_urls"] = json!([]);
        state.last = Some(Gesture::Submit { view_id: view_id.clone() });
        drop(state);
        self.interaction(&payload)
    }

    /// What Slack does when a submission is acknowledged with an empty body: the modal is gone.
    pub fn accepted(&self, view: &Seen) {
        let Place::View { view_id, .. } = &view.place else { panic!("not a modal:\n{view}") };
        self.state().views.get_mut(view_id).expect("a view that was seen exists").closed = true;
    }

    /// Closes a modal unsent. A request results only where the app asked for it (`notify_on_close`).
    pub fn close(&self, user: &str, view: &Seen) -> Option<SignedRequest> {
        self.accepted(view);
        let mut state = self.state();
        let user = state.user_id(user);
        let Place::View { view_id, .. } = &view.place else { return None };
        let closed = state.views[view_id].view.clone();
        if closed["notify_on_close"] != true {
            return None;
        }
        let mut payload = self.interaction_envelope(&mut state, "view_closed", &user);
        payload["view"] = closed;
        payload["is_cleared"] = json!(false);
        state.last = Some(Gesture::Other);
        drop(state);
        Some(self.interaction(&payload))
    }
}

/// The value of an element once somebody has picked or typed something.
pub(super) fn filled(element: &Value, value: &str, state: &State) -> Value {
    let chosen = |says: &str| option(element, says.trim()).clone();
    let kind = raw(element, "type");
    match kind {
        "static_select" if value.is_empty() => json!({ "type": kind, "selected_option": null }),
        "static_select" | "radio_buttons" | "overflow" => json!({ "type": kind, "selected_option": chosen(value) }),
        "multi_static_select" | "checkboxes" => json!({ "type": kind, "selected_options": several(element, value) }),
        "users_select" => json!({ "type": kind, "selected_user": state.user_id(value) }),
        "multi_users_select" => {
            let users = value.split(',').map(str::trim).filter(|who| !who.is_empty());
            json!({ "type": kind, "selected_users": users.map(|who| state.user_id(who)).collect::<Vec<_>>() })
        }
        "conversations_select" => json!({ "type": kind, "selected_conversation": state.channel_id(value) }),
        "channels_select" => json!({ "type": kind, "selected_channel": state.channel_id(value) }),
        "datepicker" => {
            assert!(value.parse::<jiff::civil::Date>().is_ok(), "{value:?} is not a day");
            json!({ "type": kind, "selected_date": value })
        }
        "timepicker" => json!({ "type": kind, "selected_time": value }),
        "plain_text_input" | "email_text_input" | "url_text_input" | "number_input" => {
            // An input that was left empty has no value.
            json!({ "type": kind, "value": Some(value).filter(|value| !value.is_empty()) })
        }
        other => panic!("the fake cannot fill in a {other}"),
    }
}

/// As [`filled`], within the limits that Slack's client enforces while somebody types.
fn fill(element: &Value, value: &str, state: &State) -> Value {
    if !raw(element, "type").ends_with("_input") {
        return filled(element, value, state);
    }
    let length = value.chars().count() as u64;
    let max = element["max_length"].as_u64().unwrap_or(3_000);
    assert!(length <= max, "nobody can type {length} characters where {max} are allowed");
    let min = element["min_length"].as_u64().unwrap_or(0);
    assert!(length >= min || length == 0, "{length} characters where {min} are needed");
    filled(element, value, state)
}

/// What every element shows before anybody touches it, as `state.values`.
pub(super) fn initial_values(shown: &Value) -> Value {
    let mut values = json!({});
    for (block_id, element) in elements(shown) {
        let kind = raw(element, "type");
        if matches!(kind, "button" | "overflow") {
            continue;
        }
        let (key, initial) = value_keys(kind);
        let empty = if key.ends_with('s') { json!([]) } else { Value::Null };
        let value = element.get(initial).cloned().unwrap_or(empty);
        let answer = json!({
            "type": kind, key: value, "action_id": element["action_id"], "block_id": block_id,
        });
        put(&mut values, &answer);
    }
    values
}

/// Where an element's value is: in `state.values`, and in the element before anybody touches it.
fn value_keys(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "static_select" | "radio_buttons" | "external_select" => ("selected_option", "initial_option"),
        "multi_static_select" | "checkboxes" => ("selected_options", "initial_options"),
        "users_select" => ("selected_user", "initial_user"),
        "multi_users_select" => ("selected_users", "initial_users"),
        "conversations_select" => ("selected_conversation", "initial_conversation"),
        "channels_select" => ("selected_channel", "initial_channel"),
        "datepicker" => ("selected_date", "initial_date"),
        "timepicker" => ("selected_time", "initial_time"),
        "file_input" => ("files", "initial_files"),
        _ => ("value", "initial_value"),
    }
}

/// The modal as its reader sees it: with what was picked and typed so far.
pub(super) fn as_filled_in(view: &Value) -> Value {
    let mut shown = view.clone();
    for block in shown["blocks"].as_array_mut().into_iter().flatten().filter(|b| b["type"] == "input") {
        let (key, initial) = value_keys(raw(&block["element"], "type"));
        let (block_id, id) = (raw(block, "block_id"), raw(&block["element"], "action_id"));
        let value = view["state"]["values"][block_id][id][key].clone();
        if !value.is_null() {
            block["element"][initial] = value;
        } else if let Some(element) = block["element"].as_object_mut() {
            element.remove(initial);
        }
    }
    shown
}

/// Sets one value, given as an action with its ids.
pub(super) fn put(values: &mut Value, action: &Value) {
    let stateful = !matches!(raw(action, "type"), "button" | "overflow");
    if let (true, Some(block), Some(id)) = (stateful, string(action, "block_id"), string(action, "action_id")) {
        let fields = action.as_object().into_iter().flatten();
        let kept = |key: &str| key.starts_with("selected_") || ["type", "value", "files"].contains(&key);
        let kept = fields.filter(|(key, _)| kept(key));
        values[block][id] = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    }
}

/// Keeps a choice made inside an open modal, and describes the modal with it.
pub(super) fn fill_action(state: &mut State, view_id: &str, action: &Value) -> Value {
    let open = state.views.get_mut(view_id).expect("a view that was seen exists");
    assert!(!open.closed, "the modal is closed");
    let mut values = open.view["state"]["values"].clone();
    merge(&initial_values(&open.view), &mut values);
    put(&mut values, action);
    open.view["state"] = json!({ "values": values });
    open.view.clone()
}

/// Adds the values of inputs that nobody has touched.
fn merge(initial: &Value, values: &mut Value) {
    for (block, answers) in initial.as_object().into_iter().flatten() {
        for (id, answer) in answers.as_object().into_iter().flatten() {
            if values[block.as_str()].get(id).is_none() {
                values[block.as_str()][id.as_str()] = answer.clone();
            }
        }
    }
}

fn require_answers(view: &Value, values: &Value) {
    let required = list(view, "blocks").iter().filter(|b| b["type"] == "input" && b["optional"] != true);
    for block in required {
        let (block_id, id) = (raw(block, "block_id"), raw(&block["element"], "action_id"));
        let answer = &values[block_id][id];
        let fields = answer.as_object().into_iter().flatten();
        let mut given = fields.filter(|(key, _)| key.as_str() != "type").map(|(_, value)| value);
        let answered = given.any(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        let optional = block["element"]["type"] == "checkboxes";
        assert!(answered || optional, "{:?} must be filled in", label(&json!({ "text": block["label"] })));
    }
}
