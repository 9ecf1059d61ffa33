//! What people do: commands, clicks, choices, mentions, as the signed requests that Slack makes.

use serde_json::{Value, json};

use super::SlackWorld;
use super::find;
use super::find::{raw, string};
use super::forms;
use super::seen::{Place, Seen};
use super::sign::SignedRequest;
use super::state::{Gesture, State, digits, since_epoch, token};

pub(super) const COMMANDS: &str = "/slack/commands";
pub(super) const INTERACTIVITY: &str = "/slack/interactivity";
pub(super) const EVENTS: &str = "/slack/events";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a person picks in a menu or a date picker.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// An option, by its label.
    Option(&'a str),
    /// A user, by id or name.
    User(&'a str),
    /// A day, `2026-12-01`.
    Date(&'a str),
}

impl SlackWorld {
    /// `/sekoia <text>`, typed by a user in a channel (by id or name, as everywhere here).
    pub fn slash(&self, user: &str, channel: &str, text: &str) -> SignedRequest {
        let mut state = self.state();
        let (user, channel) = (state.user_id(user), state.channel_id(channel));
        let trigger_id = state.issue_trigger(&user);
        let path = state.issue_response_url("commands", &user, &channel, None);
        // Somebody who is at home in no workspace still types in one.
        let home = &state.users[&user].team_id;
        let team_id = if home.is_empty() { state.team.id.clone() } else { home.clone() };
        let team_domain = team_domain(&state, &team_id);
        let fields = [
            ("token", self.0.verification_token.clone()),
            ("team_id", team_id),
            ("team_domain", team_domain),
            ("channel_id", channel.clone()),
            ("channel_name", channel_name(&state, &channel)),
            ("user_id", user.clone()),
            ("user_name", state.users[&user].name.clone()),
            ("command", "/sekoia".into()),
            ("text", text.into()),
            ("api_app_id", state.app.id.clone()),
            ("is_enterprise_install", "false".into()),
            ("response_url", format!("{}{path}", self.origin())),
            ("trigger_id", trigger_id),
            // Slack adds fields without notice.
            ("x_client_build", digits(6)),
        ];
        state.last = Some(Gesture::Slash { user, channel });
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.signed_now(COMMANDS, FORM, body.into_bytes())
    }

    /// Presses the one button that says so.
    ///
    /// # Panics
    /// When there is no such button, or more than one: then `click_nth` says which.
    pub fn click(&self, user: &str, on: &Seen, label: &str) -> SignedRequest {
        let count = find::buttons(&on.shown, label).len();
        assert!(count == 1, "{count} buttons say {label:?} in:\n{on}");
        self.click_nth(user, on, label, 0)
    }

    /// Presses one of several buttons that say so, counted from 0.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn click_nth(&self, user: &str, on: &Seen, label: &str, nth: usize) -> SignedRequest {
        let buttons = find::buttons(&on.shown, label);
        let (block_id, button) = buttons.get(nth).unwrap_or_else(|| panic!("no such button {label:?} in:\n{on}"));
        let mut action = json!({
            "action_id": button["action_id"], "block_id": block_id, "text": button["text"], "type": "button",
        });
        for key in ["value", "style", "url", "confirm"] {
            if let Some(field) = button.get(key) {
                action[key] = field.clone();
            }
        }
        self.act(user, on, action)
    }

    /// Picks something in the menu or date picker with this placeholder (`⋯` for an overflow
    /// menu, nothing for radio buttons and checkboxes).
    ///
    /// # Panics
    /// When there is not exactly one such menu, or no such option in it.
    pub fn choose(&self, user: &str, on: &Seen, placeholder: &str, choice: Choice<'_>) -> SignedRequest {
        let (block_id, element) = find::menu(&on.shown, placeholder);
        let picked = match choice {
            Choice::Option(label) => label.to_owned(),
            Choice::User(user) => self.state().user_id(user),
            Choice::Date(day) => day.to_owned(),
        };
        let kind = raw(element, "type");
        let fits = match choice {
            Choice::User(_) => kind.ends_with("users_select"),
            Choice::Date(_) => kind == "datepicker",
            Choice::Option(_) => !kind.ends_with("users_select") && kind != "datepicker",
        };
        assert!(fits, "{choice:?} cannot be picked in a {kind}");
        let mut action = forms::filled(element, &picked, &self.state());
        for key in ["action_id", "placeholder", "initial_option", "initial_date", "initial_user"] {
            if let Some(field) = element.get(key) {
                action[key] = field.clone();
            }
        }
        action["block_id"] = block_id.clone();
        self.act(user, on, action)
    }

    /// Mentions the bot in a channel, inside a thread or not.
    pub fn mention(&self, user: &str, channel: &str, thread_ts: Option<&str>, text: &str) -> SignedRequest {
        let event = {
            let mut state = self.state();
            let (user, channel) = (state.user_id(user), state.channel_id(channel));
            let ts = state.fresh_ts();
            let (bot, team_id) = (state.app.user_id.clone(), state.users[&user].team_id.clone());
            let typed = json!([{ "type": "rich_text", "block_id": token(5), "elements": [
                { "type": "rich_text_section", "elements": [
                    { "type": "user", "user_id": bot }, { "type": "text", "text": format!(" {text}") },
                ]},
            ]}]);
            // In `text`, unlike in `blocks`, Slack escapes what was typed.
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let mut event = json!({
                "type": "app_mention", "user": user, "text": format!("<@{bot}> {escaped}"), "ts": ts,
                "client_msg_id": uuid::Uuid::new_v4().to_string(), "team": team_id, "blocks": typed,
                "channel": channel, "event_ts": ts,
            });
            if let Some(thread_ts) = thread_ts {
                event["thread_ts"] = json!(thread_ts);
                event["parent_user_id"] = json!(bot);
            }
            if team_id != state.team.id {
                event["user_team"] = json!(team_id);
                event["source_team"] = json!(team_id);
            }
            event
        };
        self.event(event)
    }

    /// Somebody looks at one of the tabs that they have of the app: `home` or `messages`.
    pub fn opens_tab(&self, user: &str, tab: &str) -> SignedRequest {
        let (user, channel, ts) = {
            let mut state = self.state();
            let user = state.user_id(user);
            (user.clone(), format!("D0{}", user.trim_start_matches("U0")), state.fresh_ts())
        };
        self.event(json!({
            "type": "app_home_opened", "user": user, "channel": channel, "tab": tab, "event_ts": ts,
        }))
    }

    /// Any event, in the envelope of the Events API.
    pub fn event(&self, event: Value) -> SignedRequest {
        let body = {
            let mut state = self.state();
            state.last = Some(Gesture::Other);
            let shared = string(&event, "channel").and_then(|id| state.channels.get(id));
            json!({
                "token": self.0.verification_token, "team_id": state.team.id, "context_team_id": state.team.id,
                "context_enterprise_id": null, "api_app_id": state.app.id, "type": "event_callback",
                "event_id": format!("Ev{}", token(9).to_uppercase()), "event_time": since_epoch().as_secs(),
                "authorizations": [{
                    "enterprise_id": null, "team_id": state.team.id, "user_id": state.app.user_id,
                    "is_bot": true, "is_enterprise_install": false,
                }],
                "is_ext_shared_channel": shared.is_some_and(|channel| channel.is_ext_shared),
                "event_context": format!("4-{}", token(60)), "event": event,
            })
        };
        self.signed_now(EVENTS, "application/json", body.to_string().into_bytes())
    }

    /// Any body, genuinely signed at a given time.
    pub fn signed(&self, path: &str, content_type: &str, body: Vec<u8>, at: i64) -> SignedRequest {
        SignedRequest::new(self.signing_secret(), path, content_type, body, at)
    }

    fn signed_now(&self, path: &str, content_type: &str, body: Vec<u8>) -> SignedRequest {
        let now = i64::try_from(since_epoch().as_secs()).expect("the clock is before the year 292e9");
        self.signed(path, content_type, body, now)
    }

    /// A payload for the interactivity URL: a form with one field.
    pub(super) fn interaction(&self, payload: &Value) -> SignedRequest {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("payload", &payload.to_string()).finish();
        self.signed_now(INTERACTIVITY, FORM, body.into_bytes())
    }

    /// What every interaction payload says of the person and the app.
    pub(super) fn interaction_envelope(&self, state: &mut State, kind: &str, user: &str) -> Value {
        let trigger_id = state.issue_trigger(user);
        let who = &state.users[user];
        json!({
            "type": kind,
            "user": { "id": user, "username": who.name, "name": who.name, "team_id": who.team_id },
            "api_app_id": state.app.id, "token": self.0.verification_token, "trigger_id": trigger_id,
            "team": state.team.json(), "enterprise": null, "is_enterprise_install": false,
            "x_client": { "platform": "desktop", "build": digits(6) },
        })
    }

    fn act(&self, user: &str, on: &Seen, mut action: Value) -> SignedRequest {
        let mut state = self.state();
        let user = state.user_id(user);
        action["action_ts"] = json!(state.fresh_ts());
        let mut payload = self.interaction_envelope(&mut state, "block_actions", &user);
        match &on.place {
            Place::Message { channel, ts } => {
                let message = state.messages.get(&(channel.clone(), ts.clone()));
                let message = message.unwrap_or_else(|| panic!("the message is gone; nobody can act on:\n{on}"));
                payload["message"] = message.clone();
                payload["container"] = json!({
                    "type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": false,
                });
                if let Some(thread_ts) = message.get("thread_ts") {
                    payload["container"]["thread_ts"] = thread_ts.clone();
                }
                self.in_channel(&mut state, &mut payload, &user, channel, on, &action);
            }
            Place::Ephemeral { channel, user: reader, ts, thread_ts } => {
                assert!(*reader == user, "only {reader} can see:\n{on}");
                payload["container"] = json!({
                    "type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": true,
                });
                if let Some(thread_ts) = thread_ts {
                    payload["container"]["thread_ts"] = json!(thread_ts);
                }
                self.in_channel(&mut state, &mut payload, &user, channel, on, &action);
            }
            Place::View { view_id, .. } => {
                let view = forms::fill_action(&mut state, view_id, &action);
                payload["container"] = json!({ "type": "view", "view_id": view_id });
                payload["view"] = view;
            }
            Place::Gone { .. } => panic!("what was deleted cannot be acted on:\n{on}"),
        }
        payload["actions"] = json!([action]);
        state.last = Some(Gesture::Other);
        drop(state);
        self.interaction(&payload)
    }

    /// What a payload says of an action on a message.
    fn in_channel(&self, state: &mut State, payload: &mut Value, user: &str, channel: &str, on: &Seen, action: &Value) {
        let path = state.issue_response_url("actions", user, channel, Some(on.place.clone()));
        payload["response_url"] = json!(format!("{}{path}", self.origin()));
        payload["channel"] = json!({ "id": channel, "name": channel_name(state, channel) });
        let mut values = forms::initial_values(&on.shown);
        forms::put(&mut values, action);
        payload["state"] = json!({ "values": values });
    }
}

/// Slack names private channels and direct messages by what they are.
fn channel_name(state: &State, channel: &str) -> String {
    match &state.channels[channel] {
        channel if channel.im_with.is_some() => "directmessage".into(),
        channel if channel.is_private => "privategroup".into(),
        channel => channel.name.clone(),
    }
}

fn team_domain(state: &State, team_id: &str) -> String {
    if team_id == state.team.id { state.team.domain.clone() } else { team_id.to_lowercase() }
}
