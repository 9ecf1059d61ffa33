//! What people do: commands, presses, choices, as the requests that Mattermost makes of them.
//! Only a command proves where it comes from; the rest leads wherever the app said.

use serde_json::{Value, json};

use super::MattermostWorld;
use super::find::{self, raw};
use super::people::{TEAM, id};
use super::seen::{Place, Seen};
use super::state::State;
use crate::harness::slack::{Choice, SignedRequest};

/// Where the slash command was told to lead.
const COMMAND: &str = "/mattermost/command";

impl MattermostWorld {
    /// `/sekoia <text>`, typed by a user in a channel (by id or name, as everywhere here).
    pub fn slash(&self, user: &str, channel: &str, text: &str) -> SignedRequest {
        self.typed(user, channel, "", text)
    }

    /// The same in the thread under a post.
    ///
    /// # Panics
    /// When it is no post.
    pub fn slash_in_thread(&self, user: &str, under: &Seen, text: &str) -> SignedRequest {
        let Place::Post { channel, post_id } = &under.place else { panic!("no thread under:\n{under}") };
        self.typed(user, channel, post_id, text)
    }

    fn typed(&self, user: &str, channel: &str, root_id: &str, text: &str) -> SignedRequest {
        let mut state = self.state();
        let (user, channel) = (state.user_id(user), state.channel_id(channel));
        assert!(!state.channels[&channel].archived, "nobody can type a command in an archived channel");
        let trigger_id = state.issue_trigger(&user, &channel);
        let url_id = state.issue_response_url(&user, &channel, root_id);
        let mut fields = vec![
            ("channel_id", channel.clone()),
            ("channel_name", state.channels[&channel].name.clone()),
            ("command", "/sekoia".into()),
            ("response_url", format!("{}/hooks/commands/{url_id}", self.url())),
            ("root_id", root_id.into()),
            ("team_domain", TEAM.into()),
            ("team_id", id(TEAM)),
            ("text", text.into()),
            ("token", self.command_token().into()),
            ("trigger_id", trigger_id),
            ("user_id", user.clone()),
            ("user_name", state.users[&user].name.clone()),
        ];
        for (name, id) in mentioned(&state, text) {
            fields.extend([("user_mentions", name), ("user_mentions_ids", id)]);
        }
        fields.sort_by_key(|(key, _)| *key);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = request(COMMAND, "application/x-www-form-urlencoded", body.into_bytes());
        request.headers.push(("authorization".into(), format!("Token {}", self.command_token())));
        request
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
        let button = buttons.get(nth).unwrap_or_else(|| panic!("no such button {label:?} in:\n{on}"));
        self.press(user, on, button, None)
    }

    /// Picks something in the menu that says so. A day is picked in the dialog that its button
    /// leads to: here it is only pressed.
    ///
    /// # Panics
    /// When there is no such menu, or no such option in it.
    pub fn choose(&self, user: &str, on: &Seen, says: &str, choice: Choice<'_>) -> SignedRequest {
        if let Choice::Date(_) = choice {
            return self.click(user, on, says);
        }
        let menu = find::menu(&on.shown, says).unwrap_or_else(|| panic!("no menu says {says:?} in:\n{on}"));
        let of_users = raw(menu, "data_source") == "users";
        let picked = match choice {
            Choice::Option(label) if !of_users => raw(find::option(menu, label), "value").to_owned(),
            Choice::User(user) if of_users => self.state().user_id(user),
            other => panic!("{other:?} cannot be picked in {menu}"),
        };
        self.press(user, on, menu, Some(&picked))
    }

    fn press(&self, user: &str, on: &Seen, action: &Value, picked: Option<&str>) -> SignedRequest {
        let mut state = self.state();
        let user = state.user_id(user);
        assert!(action["disabled"] != true, "nobody can press {action}");
        let (channel, post_id) = match &on.place {
            Place::Post { channel, post_id } => (channel.clone(), post_id.clone()),
            Place::Ephemeral { channel, user: reader, post_id } => {
                assert!(*reader == user, "only {reader} can see:\n{on}");
                (channel.clone(), post_id.clone())
            }
            _ => panic!("nobody can press anything on:\n{on}"),
        };
        assert!(state.channels[&channel].members.contains(&user), "{user} is not in the channel of:\n{on}");
        let gone = state.posts.get(&post_id).is_some_and(|post| post["delete_at"] != 0);
        assert!(!gone, "the post is gone; nobody can press on:\n{on}");
        // The server looks up where it leads. That was done while the post stood as it was seen:
        // the request may be on its way when the post is edited.
        let integration = action["integration"].clone();
        assert!(integration.is_object(), "{action} leads nowhere:\n{on}");
        let mut context = integration["context"].clone();
        if let Some(picked) = picked {
            context["selected_option"] = json!(picked);
        }
        let team = state.channels[&channel].team();
        let mut body = json!({
            "user_id": user, "user_name": state.users[&user].name, "channel_id": channel,
            "channel_name": state.channels[&channel].name, "team_id": team,
            "team_domain": if team.is_empty() { "" } else { TEAM }, "post_id": post_id,
            "trigger_id": state.issue_trigger(&user, &channel), "type": raw(action, "type"),
            "data_source": raw(action, "data_source"),
        });
        if context.as_object().is_some_and(|fields| !fields.is_empty()) {
            body["context"] = context;
        }
        self.json(raw(&integration, "url"), &body)
    }

    /// A request to wherever the app said.
    pub(super) fn json(&self, url: &str, body: &Value) -> SignedRequest {
        let path = url.parse::<url::Url>().map(|url| url.path().to_owned());
        let path = path.unwrap_or_else(|_| panic!("{url:?} is no address"));
        request(&path, "application/json", body.to_string().into_bytes())
    }
}

fn request(path: &str, content_type: &str, body: Vec<u8>) -> SignedRequest {
    let headers = [
        ("host", "chatops.example"),
        ("user-agent", "Mattermost-Bot/1.1"),
        ("content-length", &body.len().to_string()),
        ("accept", "application/json"),
        ("content-type", content_type),
        ("accept-encoding", "gzip"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    SignedRequest { path: path.to_owned(), headers, body }
}

/// Everybody whom a text names, with their ids.
fn mentioned(state: &State, text: &str) -> Vec<(String, String)> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '_')));
    let names = words.filter_map(|word| word.strip_prefix('@'));
    let found = names.filter_map(|name| state.users.iter().find(|(_, user)| user.name == name));
    found.map(|(id, user)| (user.name.clone(), id.clone())).collect()
}
