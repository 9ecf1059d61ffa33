//! An in-process Slack: Web API, `response_url`, and the people who press buttons.
//!
//! The app under test talks to it over real HTTP with its real client. The fake keeps a world
//! (`State`), validates everything that arrives as strictly as Slack does, remembers it as `Seen`
//! for the test to read, and makes genuinely signed requests for what people do. It knows nothing
//! of the app's own types: what it accepts and shows is judged from Slack's documentation alone.

mod answer;
mod block_kit;
mod chat;
mod checks;
mod conversations;
mod files;
mod find;
mod forms;
mod inbound;
mod mrkdwn;
mod people;
mod response_url;
mod rich_text;
mod seen;
mod sign;
mod socket;
mod state;
mod transcript;
mod uploads;
mod views;
mod web_api;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use self::inbound::Choice;
pub use self::people::Channel;
pub use self::seen::{Kind, Seen};
pub use self::sign::SignedRequest;
pub use self::socket::Greeting;
pub use self::state::{Edits, Fault, State};
use super::hook::Hook;
pub use super::hook::Stage;

/// How long `next` waits for the app to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Slack workspace with the app installed.
#[derive(Debug, Clone)]
pub struct SlackWorld(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    arrived: Notify,
    hook: Hook,
    address: SocketAddr,
    /// By which address the app reaches it, if not by the real one.
    reached_as: OnceLock<String>,
    bot_token: String,
    signing_secret: String,
    /// In Socket Mode.
    app_token: Option<String>,
    sockets: socket::Sockets,
    /// The deprecated `token` of every payload: a genuine app ignores it.
    verification_token: String,
}

impl SlackWorld {
    /// Starts on a free loopback port, in the runtime of the test, with the default world.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let (sockets, incoming) = socket::Sockets::listen().await;
        let app_token = super::is_by_socket().then(|| format!("xapp-1-test-canary-{}", state::token(24)));
        let world = Self(Arc::new(Inner {
            app_token,
            sockets,
            state: Mutex::new(State::new()),
            arrived: Notify::new(),
            hook: Hook::default(),
            address: listener.local_addr().expect("a bound listener has an address"),
            reached_as: OnceLock::new(),
            bot_token: format!("xoxb-test-canary-{}", state::token(24)),
            signing_secret: hex::encode(rand::random::<[u8; 16]>()),
            verification_token: state::token(24),
        }));
        world.edit(|state| state.origin = world.origin());
        tokio::spawn(world.clone().serve_sockets(incoming));
        let router = web_api::router(world.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        world
    }

    /// Another one, with the messages that stand in this one.
    pub async fn copy(&self) -> Self {
        let world = Self::start().await;
        world.edit(|state| state.take_messages(&self.state()));
        world
    }

    /// Base of the Web API, without a trailing slash.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.origin())
    }

    pub fn bot_token(&self) -> &str {
        &self.0.bot_token
    }

    pub fn signing_secret(&self) -> &str {
        &self.0.signing_secret
    }

    /// The app-level token.
    ///
    /// # Panics
    /// When this Slack speaks HTTP.
    pub fn app_token(&self) -> &str {
        self.0.app_token.as_deref().expect("a Slack that speaks Socket Mode")
    }

    pub fn is_by_socket(&self) -> bool {
        self.0.app_token.is_some()
    }

    /// Changes the world: people, channels, groups, scopes, deadlines.
    pub fn edit(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// Whether a message that says this is pinned.
    pub fn pinned(&self, says: &str) -> bool {
        self.state().messages.values().any(|m| m["pinned_to"].is_array() && m.to_string().contains(says))
    }

    /// Queues a fault for one call of a method, `"response_url"`, `"files"`, or `"*"` for whatever
    /// comes.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.state().faults.entry(method.to_owned()).or_default().push_back(fault);
    }

    /// Runs a function when a call comes in and when its work is done; methods are named as for
    /// [`fault`](Self::fault). It may wait: nothing is locked meanwhile.
    pub fn on_call(&self, hook: impl Fn(&str, Stage) + Send + Sync + 'static) {
        self.0.hook.set(hook);
    }

    /// How often a method was called, refused and failed calls included.
    pub fn calls(&self, method: &str) -> usize {
        self.state().calls.get(method).copied().unwrap_or(0)
    }

    /// The next outgoing thing that nobody has read yet.
    ///
    /// # Panics
    /// When nothing arrives within 5 s.
    pub async fn next(&self) -> Seen {
        self.next_where("anything", |_| true).await
    }

    /// The next unread thing of a kind, for what arrives in no fixed order; others stay unread.
    ///
    /// # Panics
    /// When nothing of the kind arrives within 5 s.
    pub async fn next_where(&self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        self.within(PATIENCE, what, wanted).await
    }

    /// Waits until a method was called so often.
    ///
    /// # Panics
    /// When that takes more than 5 s.
    pub async fn wait_for_calls(&self, method: &str, times: usize) {
        let called = tokio::time::timeout(PATIENCE, async {
            while self.calls(method) < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(called.await.is_ok(), "{method} was not called {times} times.\n{}", self.dump());
    }

    /// The next unread thing of a kind, which may take its time.
    ///
    /// # Panics
    /// When nothing of the kind arrives within that time.
    pub async fn within(&self, time: Duration, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let found = tokio::time::timeout(time, async {
            loop {
                // Made before the look: whatever arrives in between resumes it.
                let arrived = self.0.arrived.notified();
                if let Some(seen) = self.take(&wanted) {
                    return seen;
                }
                arrived.await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("no {what} arrived at Slack within {time:?}.\n{}", self.dump()))
    }

    /// What was sent and never read: a test that leaves something here has not looked.
    pub fn unread(&self) -> Vec<Seen> {
        let state = self.state();
        state.unread.iter().map(|&i| state.seen[i].clone()).collect()
    }

    /// Puts an answer among what nobody has read yet.
    pub fn leave_unread(&self, seen: Seen) {
        let mut state = self.state();
        let index = state.seen.len();
        state.seen.push(seen);
        state.unread.push_back(index);
        drop(state);
        self.something_was_seen();
    }

    /// Everything for which Slack, or decency, would refuse the app.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The present state of a posted message.
    pub fn message(&self, channel: &str, ts: &str) -> Option<Value> {
        let state = self.state();
        let channel = state.channel_id(channel);
        state.messages.get(&(channel, ts.to_owned())).cloned()
    }

    /// Every message of the app that stands in a channel, oldest first.
    pub fn messages(&self, channel: &str) -> Vec<Value> {
        let state = self.state();
        let channel = state.channel_id(channel);
        let here = state.messages.iter().filter(|((place, _), _)| *place == channel);
        here.map(|(_, message)| message.clone()).collect()
    }

    /// The app's messages that stand in a channel now, oldest first, as its readers see them.
    pub fn standing(&self, channel: &str) -> Vec<Seen> {
        let state = self.state();
        let channel = state.channel_id(channel);
        state.standing(&channel)
    }

    /// The same in somebody's conversation with the app alone.
    pub fn standing_alone(&self, user: &str) -> Vec<Seen> {
        let state = self.state();
        let user = state.user_id(user);
        let direct = state.channels.iter().filter(|(_, channel)| channel.im_with.as_deref() == Some(&user));
        direct.flat_map(|(id, _)| state.standing(id)).collect()
    }

    /// Everything that was shown in a modal and says so, in order.
    pub fn forms_saying(&self, says: &str) -> Vec<Seen> {
        let state = self.state();
        let forms = state.seen.iter().filter(|seen| matches!(seen.place, seen::Place::View { .. }));
        forms.filter(|seen| seen.text().contains(says)).cloned().collect()
    }

    /// Everything that was sent so far, for a failure's message.
    pub fn dump(&self) -> String {
        let state = self.state();
        let mut out = String::from("What Slack has seen:\n");
        for (i, seen) in state.seen.iter().enumerate() {
            let mark = if state.unread.contains(&i) { "unread" } else { "read" };
            let _ = writeln!(out, "--- {i} ({mark})\n{seen}");
        }
        let _ = writeln!(out, "--- calls: {:?}\n--- violations: {:#?}", state.calls, state.violations);
        out
    }

    /// Everything that was said elsewhere than in modals, as it reads and word for word.
    pub fn dump_without_views(&self) -> String {
        self.word_for_word(false)
    }

    /// Everything that was said in modals, as it reads and word for word.
    pub fn views_dump(&self) -> String {
        self.word_for_word(true)
    }

    fn word_for_word(&self, in_views: bool) -> String {
        let state = self.state();
        let is_view = |seen: &Seen| matches!(seen.kind, Kind::ViewOpened { .. } | Kind::ViewUpdated { .. });
        let mut out = String::new();
        for seen in state.seen.iter().filter(|seen| is_view(seen) == in_views) {
            let _ = writeln!(out, "---\n{seen}");
        }
        let in_modal = |method: &str| method.starts_with("views.") && method != "views.publish";
        for (method, said) in state.said.iter().filter(|(method, _)| in_modal(method) == in_views) {
            let _ = writeln!(out, "--- {method}\n{said}");
        }
        out
    }

    fn take(&self, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let mut state = self.state();
        let position = state.unread.iter().position(|&i| wanted(&state.seen[i]))?;
        let index = state.unread.remove(position)?;
        Some(state.seen[index].clone())
    }

    fn origin(&self) -> String {
        self.0.reached_as.get().cloned().unwrap_or_else(|| format!("http://{}", self.0.address))
    }

    /// From now on, it calls itself so. Somebody has to lead the app from there to `address`.
    pub fn reach_as(&self, origin: &str) {
        self.0.reached_as.set(origin.to_owned()).expect("it has no other name yet");
        self.edit(|state| state.origin = origin.to_owned());
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere still wants to dump what was seen.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn something_was_seen(&self) {
        self.0.arrived.notify_waiters();
    }

    /// Counts and keeps a call. The app's own secrets belong into its Authorization header and
    /// nowhere else.
    fn hear(&self, state: &mut State, method: &str, query: &str, body: &[u8]) {
        *state.calls.entry(method.to_owned()).or_default() += 1;
        let body = String::from_utf8_lossy(body);
        state.said.push((method.to_owned(), format!("{query} {body}")));
        let secrets = [&self.0.bot_token, &self.0.signing_secret].into_iter().chain(&self.0.app_token);
        if secrets.into_iter().any(|secret| query.contains(secret) || body.contains(secret)) {
            state.violations.push(format!("{method}: a secret of the app is in the query or the body"));
        }
    }
}

/// How a person reads a payload with `blocks` or only `text`, in the default world.
pub fn read(payload: &Value) -> String {
    transcript::read(payload, &State::new().names())
}
