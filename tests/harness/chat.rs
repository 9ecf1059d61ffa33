//! The world that a stage plays in: one platform, spoken to in the words of all.

use std::net::SocketAddr;
use std::time::Duration;

use super::hook::Stage as At;
use super::mattermost::MattermostWorld;
use super::platform::{Call, ChatFault, Platform};
use super::seen::{Native, Seen};
use super::slack::{self, Choice, SignedRequest, SlackWorld};

#[derive(Debug, Clone)]
pub enum Chat {
    Slack(SlackWorld),
    Mattermost(MattermostWorld),
}

/// A picture that people see.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The id of the message in whose thread it is.
    pub under: Option<String>,
    pub name: String,
    /// What it shows, in words.
    pub alt: String,
    pub content: Vec<u8>,
}

/// Where the bot is said to be. Nobody calls it there: what people do is handed to it.
const PUBLIC_URL: &str = "http://127.0.0.1:8080";

impl Chat {
    pub async fn start(platform: Platform) -> Self {
        match platform {
            Platform::Slack => Chat::Slack(SlackWorld::start().await),
            Platform::Mattermost => Chat::Mattermost(MattermostWorld::start().await),
        }
    }

    /// Another world of this kind, with the messages that stand in this one.
    pub async fn copy(&self) -> Self {
        match self {
            Chat::Slack(world) => Chat::Slack(world.copy().await),
            Chat::Mattermost(world) => Chat::Mattermost(world.copy().await),
        }
    }

    pub fn platform(&self) -> Platform {
        match self {
            Chat::Slack(_) => Platform::Slack,
            Chat::Mattermost(_) => Platform::Mattermost,
        }
    }

    /// What whoever runs the bot sets, so that it works here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Chat::Slack(world) => vec![
                if world.is_by_socket() {
                    ("SLACK_APP_TOKEN", world.app_token().to_owned())
                } else {
                    ("SLACK_SIGNING_SECRET", world.signing_secret().to_owned())
                },
                ("SLACK_BOT_TOKEN", world.bot_token().to_owned()),
                ("SLACK_API_URL", world.api_url()),
            ],
            Chat::Mattermost(world) => vec![
                ("MATTERMOST_URL", world.url()),
                ("MATTERMOST_BOT_TOKEN", world.bot_token().to_owned()),
                ("MATTERMOST_COMMAND_TOKEN", world.command_token().to_owned()),
                ("CHATOPS_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ],
        }
    }

    /// Where the bot's WebSockets come in, if it opens any.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Chat::Slack(world) => world.is_by_socket().then(|| world.socket_address()),
            Chat::Mattermost(_) => None,
        }
    }

    /// By which origin the bot reaches it from now on, and where it is.
    pub fn reach_as(&self, origin: &str) -> SocketAddr {
        match self {
            Chat::Slack(world) => {
                world.reach_as(origin);
                world.address()
            }
            Chat::Mattermost(world) => {
                world.reach_as(origin);
                world.address()
            }
        }
    }

    /// What must stand in no log.
    pub fn secrets(&self) -> Vec<String> {
        match self {
            Chat::Slack(world) => {
                vec![world.signing_secret().into(), world.bot_token().into(), "/commands/T0SOC".into()]
            }
            Chat::Mattermost(world) => {
                vec![world.command_token().into(), world.bot_token().into(), "/hooks/commands".into()]
            }
        }
    }

    /// `/sekoia <text>`, as somebody types it.
    pub fn slash(&self, user: &str, channel: &str, text: &str) -> SignedRequest {
        match self {
            Chat::Slack(world) => world.slash(user, channel, &as_slack_sends(text)),
            Chat::Mattermost(world) => world.slash(user, channel, text),
        }
    }

    /// Presses a button as it stood when it was seen.
    pub fn click(&self, user: &str, on: &Seen, label: &str) -> SignedRequest {
        match (self, &on.native) {
            (Chat::Slack(world), Native::Slack(on)) => world.click(user, on, label),
            (Chat::Mattermost(world), Native::Mattermost(on)) => world.click(user, on, label),
            _ => panic!("seen on another platform:\n{on}"),
        }
    }

    pub fn choose(&self, user: &str, on: &Seen, placeholder: &str, choice: Choice<'_>) -> SignedRequest {
        match (self, &on.native) {
            (Chat::Slack(world), Native::Slack(on)) => world.choose(user, on, placeholder, choice),
            (Chat::Mattermost(world), Native::Mattermost(on)) => world.choose(user, on, placeholder, choice),
            _ => panic!("seen on another platform:\n{on}"),
        }
    }

    pub fn submit(&self, user: &str, form: &Seen, values: &[(&str, &str)]) -> SignedRequest {
        match (self, &form.native) {
            (Chat::Slack(world), Native::Slack(form)) => world.submit(user, form, values),
            (Chat::Mattermost(world), Native::Mattermost(form)) => world.submit(user, form, values),
            _ => panic!("seen on another platform:\n{form}"),
        }
    }

    /// What the platform makes of the bot's answer to a request; whatever people see is unread.
    pub fn hear(&self, request: &SignedRequest, status: u16, content_type: &str, body: &[u8]) {
        match self {
            Chat::Slack(_) if body.is_empty() => assert_eq!(status, 200),
            Chat::Slack(world) => {
                assert_eq!(status, 200);
                world.leave_unread(world.answer(serde_json::from_slice(body).expect("JSON")));
            }
            Chat::Mattermost(world) => world.answer(request, status, content_type, body),
        }
    }

    /// A form that was taken is gone.
    pub fn accepted(&self, form: &Seen) {
        if let (Chat::Slack(world), Native::Slack(form)) = (self, &form.native) {
            world.accepted(form);
        }
    }

    /// The question that this press led to before it counts, if it was asked by now.
    pub fn question(&self, press: &SignedRequest) -> Option<Seen> {
        let Chat::Mattermost(world) = self else { return None };
        let trigger = MattermostWorld::trigger_of(press)?;
        let asked = |seen: &super::mattermost::Seen| seen.is_question() && seen.opened_with() == Some(&trigger);
        world.next_now(asked).map(Seen::mattermost)
    }

    /// The form in which a day is picked, where it is picked in none of the message's own menus.
    pub fn asked_for_a_day(&self, press: &SignedRequest) -> Option<Seen> {
        let Chat::Mattermost(world) = self else { return None };
        let trigger = MattermostWorld::trigger_of(press)?;
        world.next_now(|seen| seen.opened_with() == Some(&trigger)).map(Seen::mattermost)
    }

    /// The next unread thing of a kind; others stay unread.
    pub async fn next_where(&self, time: Duration, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        match self {
            Chat::Slack(world) => {
                Seen::slack(world.within(time, what, |seen| wanted(&Seen::slack(seen.clone()))).await)
            }
            Chat::Mattermost(world) => {
                Seen::mattermost(world.within(time, what, |seen| wanted(&Seen::mattermost(seen.clone()))).await)
            }
        }
    }

    /// Queues a fault for one call of a kind.
    pub fn fault(&self, call: Call, fault: ChatFault) {
        let name = self.platform().named(call);
        match self {
            Chat::Slack(world) => world.fault(name, fault.on_slack(call)),
            Chat::Mattermost(world) => world.fault(name, fault.on_mattermost(call)),
        }
    }

    /// Whatever was still to go wrong does not.
    pub fn mend(&self) {
        match self {
            Chat::Slack(world) => world.edit(|state| state.faults.clear()),
            Chat::Mattermost(world) => world.edit(|state| state.faults.clear()),
        }
    }

    pub fn calls(&self, call: Call) -> usize {
        let name = self.platform().named(call);
        match self {
            Chat::Slack(world) => world.calls(name),
            Chat::Mattermost(world) => world.calls(name),
        }
    }

    pub async fn wait_for_calls(&self, call: Call, times: usize) {
        let name = self.platform().named(call);
        match self {
            Chat::Slack(world) => world.wait_for_calls(name, times).await,
            Chat::Mattermost(world) => world.wait_for_calls(name, times).await,
        }
    }

    /// Runs a function when a call comes in and when its work is done.
    pub fn on_call(&self, hook: impl Fn(At) + Send + Sync + 'static) {
        match self {
            Chat::Slack(world) => world.on_call(move |_, at| hook(at)),
            Chat::Mattermost(world) => world.on_call(move |_, at| hook(at)),
        }
    }

    pub fn unread(&self) -> Vec<Seen> {
        match self {
            Chat::Slack(world) => world.unread().into_iter().map(Seen::slack).collect(),
            Chat::Mattermost(world) => world.unread().into_iter().map(Seen::mattermost).collect(),
        }
    }

    pub fn violations(&self) -> Vec<String> {
        match self {
            Chat::Slack(world) => world.violations(),
            Chat::Mattermost(world) => world.violations(),
        }
    }

    /// The bot's messages that stand in a channel now, oldest first.
    pub fn standing(&self, channel: &str) -> Vec<Seen> {
        match self {
            Chat::Slack(world) => world.standing(channel).into_iter().map(Seen::slack).collect(),
            Chat::Mattermost(world) => world.standing(channel).into_iter().map(Seen::mattermost).collect(),
        }
    }

    /// The platform tells the bot everybody's e-mail address from now on.
    pub fn tells_addresses(&self) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.scopes.insert("users:read.email".into());
            }),
            Chat::Mattermost(world) => {
                world.edit(|state| state.users.values_mut().for_each(|user| user.shows_email = true));
            }
        }
    }

    /// Whether a message that says this is pinned to its channel.
    pub fn pinned(&self, says: &str) -> bool {
        match self {
            Chat::Slack(world) => world.pinned(says),
            Chat::Mattermost(world) => world.pinned(says),
        }
    }

    /// The same in somebody's conversation with the bot alone.
    pub fn standing_alone(&self, user: &str) -> Vec<Seen> {
        match self {
            Chat::Slack(world) => world.standing_alone(user).into_iter().map(Seen::slack).collect(),
            Chat::Mattermost(world) => world.standing_alone(user).into_iter().map(Seen::mattermost).collect(),
        }
    }

    /// The pictures that the bot showed, oldest first.
    pub fn pictures(&self) -> Vec<Picture> {
        match self {
            Chat::Slack(world) => {
                let pictures = world.shown().into_iter();
                pictures.map(|p| Picture { under: p.thread, name: p.name, alt: p.alt, content: p.content }).collect()
            }
            Chat::Mattermost(world) => {
                let pictures = world.shown().into_iter();
                pictures.map(|p| Picture { under: p.thread, name: p.name, alt: p.alt, content: p.content }).collect()
            }
        }
    }

    /// The conversation that somebody has with the bot alone, once there is one.
    pub fn alone_with(&self, user: &str) -> String {
        let (user, mut found) = (self.platform().user(user), None);
        match self {
            Chat::Slack(world) => world.edit(|state| {
                let alone = |channel: &slack::Channel| channel.im_with.as_ref() == Some(&user);
                found = state.channels.iter().find(|(_, channel)| alone(channel)).map(|(id, _)| id.clone());
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                let theirs = |ends: &[String; 2]| ends.contains(&user);
                let alone = |between: &Option<[String; 2]>| between.as_ref().is_some_and(theirs);
                found = state.channels.iter().find(|(_, channel)| alone(&channel.between)).map(|(id, _)| id.clone());
            }),
        }
        found.expect("a conversation with the bot")
    }

    /// Somebody removes the bot from a channel, or invites it again.
    pub fn bot_is_in(&self, channel: &str, is_in: bool) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                let bot = state.app.user_id.clone();
                let members = &mut state.channel(channel).members;
                if is_in {
                    members.insert(bot)
                } else {
                    members.remove(&bot)
                };
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                let bot = state.bot();
                let members = &mut state.channel(channel).members;
                if is_in {
                    members.insert(bot)
                } else {
                    members.remove(&bot)
                };
            }),
        }
    }

    /// An account that was deactivated works again.
    pub fn reactivated(&self, user: &str) {
        let id = self.platform().user(user);
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.users.get_mut(&id).expect("a user").deleted = false;
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                state.users.get_mut(&id).expect("a user").deactivated = false;
            }),
        }
    }

    /// Somebody becomes a guest.
    pub fn becomes_guest(&self, user: &str) {
        let id = self.platform().user(user);
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.users.get_mut(&id).expect("a user").is_restricted = true;
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                state.users.get_mut(&id).expect("a user").guest = true;
            }),
        }
    }

    /// Who is among the approvers.
    pub fn approvers(&self, users: &[&str]) {
        let ids: Vec<String> = users.iter().map(|user| self.platform().user(user)).collect();
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.groups.values_mut().for_each(|group| group.clone_from(&ids));
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                state.groups.values_mut().for_each(|group| group.clone_from(&ids));
            }),
        }
    }

    /// What stands everywhere now can no longer be edited: its time is over, or nothing can at all.
    pub fn close_edits(&self, all: bool) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                state.edits = if all { slack::Edits::None } else { slack::Edits::Since(state.fresh_ts()) };
            }),
            Chat::Mattermost(world) => world.edit(|state| {
                state.may_edit = !all;
                state.edits_since = state.millis();
            }),
        }
    }

    /// Whether the platform refuses the bot's token, whatever it calls.
    pub fn refuse_token(&self, refused: bool) {
        match self {
            Chat::Slack(world) => world.edit(|state| state.token_refused = refused),
            Chat::Mattermost(world) => world.edit(|state| state.token_refused = refused),
        }
    }

    /// Somebody with the right to deletes every message of the bot's in a channel.
    pub fn delete_posts(&self, channel: &str) {
        match self {
            Chat::Slack(world) => world.edit(|state| {
                let channel = state.channel_id(channel);
                state.messages.retain(|(place, _), _| *place != channel);
            }),
            Chat::Mattermost(world) => world.edit(|state| state.delete_posts()),
        }
    }

    pub fn forms_saying(&self, says: &str) -> Vec<Seen> {
        match self {
            Chat::Slack(world) => world.forms_saying(says).into_iter().map(Seen::slack).collect(),
            Chat::Mattermost(world) => world.forms_saying(says).into_iter().map(Seen::mattermost).collect(),
        }
    }

    pub fn dump(&self) -> String {
        match self {
            Chat::Slack(world) => world.dump(),
            Chat::Mattermost(world) => world.dump(),
        }
    }

    pub fn dump_without_forms(&self) -> String {
        match self {
            Chat::Slack(world) => world.dump_without_views(),
            Chat::Mattermost(world) => world.dump_without_views(),
        }
    }

    pub fn forms_dump(&self) -> String {
        match self {
            Chat::Slack(world) => world.views_dump(),
            Chat::Mattermost(world) => world.views_dump(),
        }
    }
}

/// What is typed as Slack sends it to a command that wants names resolved: people as their ids,
/// everything that could be markup escaped.
fn as_slack_sends(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut out = String::new();
    for word in escaped.split_inclusive(char::is_whitespace) {
        let name = word.trim_end().strip_prefix('@').filter(|name| ["alice", "bob", "carol", "dan"].contains(name));
        match name {
            Some(name) => {
                out.push_str(&format!("<@{}|{name}>", Platform::Slack.user(name)));
                out.push_str(&word[1 + name.len()..]);
            }
            None => out.push_str(word),
        }
    }
    out
}
