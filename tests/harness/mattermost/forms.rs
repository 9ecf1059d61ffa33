//! Filling in a dialog, and sending it, or not.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::find::{self, list, raw};
use super::people::{TEAM, id};
use super::seen::{Place, Seen};
use super::state::{OpenForm, State};
use crate::harness::slack::SignedRequest;

impl MattermostWorld {
    /// Fills in an open dialog by the labels of its fields and sends it.
    ///
    /// Fields that are not named keep what they show, and an empty text empties one. Several
    /// options are given comma-separated, users by id or name.
    ///
    /// # Panics
    /// When a person could not do it: no such label, no such option, a required field left empty,
    /// a text too long, the dialog closed or somebody else's.
    pub fn submit(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> SignedRequest {
        let mut state = self.state();
        let (number, open) = on_screen(&state, user, form);
        let elements = list(&open.dialog, "elements");
        let mut submission = json!({});
        for element in elements {
            let name = raw(element, "name");
            submission[name] = open.filled.get(name).cloned().unwrap_or_else(|| untouched(element));
        }
        for (says, value) in values {
            let element =
                find::element(&open.dialog, says).unwrap_or_else(|| panic!("nothing is labelled {says:?} in:\n{form}"));
            submission[raw(element, "name")] = filled(&state, element, value);
        }
        for element in elements.iter().filter(|element| element["optional"] != true && element["type"] != "bool") {
            let value = &submission[raw(element, "name")];
            let empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
            assert!(!empty, "{:?} must be filled in:\n{form}", raw(element, "display_name"));
        }
        state.forms.get_mut(&number).expect("found above").filled = submission.clone();
        drop(state);
        self.sent(&open, &submission, false)
    }

    /// Closes a dialog unsent. A request results only where the app asked for it
    /// (`notify_on_cancel`).
    ///
    /// # Panics
    /// When it is not open.
    pub fn cancel(&self, user: &str, form: &Seen) -> Option<SignedRequest> {
        let mut state = self.state();
        let (number, open) = on_screen(&state, user, form);
        state.forms.get_mut(&number).expect("found above").closed = true;
        drop(state);
        (open.dialog["notify_on_cancel"] == true).then(|| self.sent(&open, &json!({}), true))
    }

    /// The trigger that somebody's press or command carries.
    pub fn trigger_of(request: &SignedRequest) -> Option<String> {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        Some(raw(&body, "trigger_id").to_owned()).filter(|trigger| !trigger.is_empty())
    }

    fn sent(&self, open: &OpenForm, submission: &Value, cancelled: bool) -> SignedRequest {
        let body = json!({
            "type": "dialog_submission", "callback_id": raw(&open.dialog, "callback_id"),
            "state": raw(&open.dialog, "state"), "user_id": open.user, "channel_id": open.channel,
            "team_id": id(TEAM), "submission": submission, "cancelled": cancelled,
        });
        self.json(&open.url, &body)
    }
}

fn on_screen(state: &State, user: &str, form: &Seen) -> (usize, OpenForm) {
    let user = state.user_id(user);
    let Place::Form { form: number, user: owner } = &form.place else { panic!("not a dialog:\n{form}") };
    assert!(*owner == user, "only {owner} sees:\n{form}");
    let open = state.forms[number].clone();
    assert!(!open.closed, "the dialog is closed:\n{form}");
    (*number, open)
}

/// What a field holds before anybody touches it.
fn untouched(element: &Value) -> Value {
    match (raw(element, "type"), raw(element, "default")) {
        ("bool", default) => json!(default == "true"),
        ("select", default) if element["multiselect"] == true => {
            default.split(',').filter(|value| !value.is_empty()).collect()
        }
        (_, "") => Value::Null,
        (_, default) => json!(default),
    }
}

/// What it holds once somebody has picked or typed something, within what the app lets them type.
fn filled(state: &State, element: &Value, value: &str) -> Value {
    match (raw(element, "type"), raw(element, "data_source")) {
        ("select", "users") => json!(state.user_id(value)),
        ("select", "channels") => json!(state.channel_id(value)),
        ("select", _) if element["multiselect"] == true => {
            find::several(element, value).iter().map(|option| option["value"].clone()).collect()
        }
        ("select" | "radio", _) if value.is_empty() => Value::Null,
        ("select" | "radio", _) => find::option(element, value.trim())["value"].clone(),
        ("bool", _) => json!(value == "true"),
        ("date", _) => {
            assert!(value.parse::<jiff::civil::Date>().is_ok(), "{value:?} is not a day");
            json!(value)
        }
        (kind, _) => {
            let most = if kind == "textarea" { 3_000 } else { 150 };
            let max = element["max_length"].as_u64().filter(|max| *max > 0).unwrap_or(most);
            let (length, min) = (value.chars().count() as u64, element["min_length"].as_u64().unwrap_or(0));
            assert!(length <= max, "nobody can type {length} characters where {max} are allowed");
            assert!(length >= min || length == 0, "{length} characters where {min} are needed");
            json!(value)
        }
    }
}
