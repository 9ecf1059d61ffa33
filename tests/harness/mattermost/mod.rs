//! An in-process Mattermost: REST API, `response_url`, and the people who press buttons.
//!
//! The app under test talks to it over real HTTP with its real client. The fake keeps a world
//! (`State`), judges everything that arrives as strictly as Mattermost and its clients do together,
//! remembers it as `Seen` for the test to read, and makes the requests that a server makes for what
//! people do. It knows nothing of the app's own types: what it accepts and shows is judged from
//! what is documented, and from what a real server was seen to do.

mod answer;
mod api;
mod checks;
mod dialogs;
mod files;
mod find;
mod forms;
mod hooks;
mod inbound;
mod limits;
mod markdown;
mod people;
mod posts;
mod reads;
mod seen;
mod slack_words;
mod socket;
mod state;
mod talk;
mod transcript;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use self::people::id;
pub use self::seen::{Kind, Seen};
pub use self::state::{Fault, State};
use super::hook::Hook;
pub use super::hook::Stage;

/// How long `next` waits for the app to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Mattermost server with the bot's account and its slash command.
#[derive(Debug, Clone)]
pub struct MattermostWorld(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    arrived: Notify,
    hook: Hook,
    address: SocketAddr,
    /// By which address the bot reaches it, if not by the real one.
    reached_as: OnceLock<String>,
    bot_token: String,
    command_token: String,
}

impl MattermostWorld {
    /// Starts on a free loopback port, in the runtime of the test, with the default world.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let world = Self(Arc::new(Inner {
            state: Mutex::new(State::new()),
            arrived: Notify::new(),
            hook: Hook::default(),
            address: listener.local_addr().expect("a bound listener has an address"),
            reached_as: OnceLock::new(),
            bot_token: state::fresh_id(),
            command_token: state::fresh_id(),
        }));
        let router = api::router(world.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        world
    }

    /// Another one, with the posts that stand in this one.
    pub async fn copy(&self) -> Self {
        let world = Self::start().await;
        world.edit(|state| state.take_posts(&self.state()));
        world
    }

    /// `SiteURL`, without a trailing slash.
    pub fn url(&self) -> String {
        self.0.reached_as.get().cloned().unwrap_or_else(|| format!("http://{}", self.0.address))
    }

    /// From now on, it calls itself so. Somebody has to lead the bot from there to `address`.
    pub fn reach_as(&self, origin: &str) {
        self.0.reached_as.set(origin.to_owned()).expect("it has no other name yet");
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub fn bot_token(&self) -> &str {
        &self.0.bot_token
    }

    /// What every slash command carries.
    pub fn command_token(&self) -> &str {
        &self.0.command_token
    }

    /// Changes the world: people, channels, groups, rights, deadlines.
    pub fn edit(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
    }

    /// Whether a post that says this is pinned.
    pub fn pinned(&self, says: &str) -> bool {
        self.state().posts.values().any(|post| post["is_pinned"] == true && post.to_string().contains(says))
    }

    /// Queues a fault for one call of an endpoint (`PUT /posts/{id}/patch`, `response_url`), or
    /// `"*"` for whatever comes.
    pub fn fault(&self, endpoint: &str, fault: Fault) {
        self.state().faults.entry(endpoint.to_owned()).or_default().push_back(fault);
    }

    /// Runs a function when a call comes in and when its work is done; endpoints are named as for
    /// [`fault`](Self::fault). It may wait: nothing is locked meanwhile.
    pub fn on_call(&self, hook: impl Fn(&str, Stage) + Send + Sync + 'static) {
        self.0.hook.set(hook);
    }

    /// How often an endpoint was called, refused and failed calls included.
    pub fn calls(&self, endpoint: &str) -> usize {
        self.state().calls.get(endpoint).copied().unwrap_or(0)
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

    /// The same, of what may take its time.
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
        found.await.unwrap_or_else(|_| panic!("no {what} arrived at Mattermost within {time:?}.\n{}", self.dump()))
    }

    /// The first unread thing of a kind, if there is one by now.
    pub fn next_now(&self, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        self.take(&wanted)
    }

    /// Waits until an endpoint was called so often.
    ///
    /// # Panics
    /// When that takes more than 5 s.
    pub async fn wait_for_calls(&self, endpoint: &str, times: usize) {
        let called = tokio::time::timeout(PATIENCE, async {
            while self.calls(endpoint) < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(called.await.is_ok(), "{endpoint} was not called {times} times.\n{}", self.dump());
    }

    /// What was sent and never read: a test that leaves something here has not looked.
    pub fn unread(&self) -> Vec<Seen> {
        let state = self.state();
        state.unread.iter().map(|&i| state.seen[i].clone()).collect()
    }

    /// Everything that Mattermost, its clients, or decency would not have.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The app's posts that stand in a channel now, oldest first, as its readers see them.
    pub fn standing(&self, channel: &str) -> Vec<Seen> {
        let state = self.state();
        state.standing(&state.channel_id(channel))
    }

    /// The same in somebody's conversation with the app alone.
    pub fn standing_alone(&self, user: &str) -> Vec<Seen> {
        let state = self.state();
        let user = state.user_id(user);
        let direct = state.channels.iter().filter(|(_, c)| c.between.as_ref().is_some_and(|ends| ends.contains(&user)));
        direct.flat_map(|(id, _)| state.standing(id)).collect()
    }

    /// Everything that was shown in a dialog and says so, in order.
    pub fn forms_saying(&self, says: &str) -> Vec<Seen> {
        let state = self.state();
        let forms = state.seen.iter().filter(|seen| matches!(seen.place, seen::Place::Form { .. }));
        forms.filter(|seen| seen.text().contains(says)).cloned().collect()
    }

    /// Everything that was sent so far, for a failure's message.
    pub fn dump(&self) -> String {
        let state = self.state();
        let mut out = String::from("What Mattermost has seen:\n");
        for (i, seen) in state.seen.iter().enumerate() {
            let mark = if state.unread.contains(&i) { "unread" } else { "read" };
            let _ = writeln!(out, "--- {i} ({mark})\n{seen}");
        }
        let _ = writeln!(out, "--- calls: {:?}\n--- violations: {:#?}", state.calls, state.violations);
        out
    }

    /// Everything that was said elsewhere than in dialogs, as it reads and word for word.
    pub fn dump_without_views(&self) -> String {
        self.word_for_word(false)
    }

    /// Everything that was said in dialogs, as it reads and word for word.
    pub fn views_dump(&self) -> String {
        self.word_for_word(true)
    }

    fn word_for_word(&self, in_forms: bool) -> String {
        let state = self.state();
        let is_form = |seen: &Seen| matches!(seen.kind, Kind::FormOpened { .. } | Kind::FormChanged { .. });
        let mut out = String::new();
        for seen in state.seen.iter().filter(|seen| is_form(seen) == in_forms) {
            let _ = writeln!(out, "---\n{seen}");
        }
        let of_forms = |(endpoint, said): &&(String, String)| {
            endpoint.contains("/dialogs/") || endpoint == "answer" && said.starts_with(r#"{"type":"form""#)
        };
        for (endpoint, said) in state.said.iter().filter(|said| of_forms(said) == in_forms) {
            let _ = writeln!(out, "--- {endpoint}\n{said}");
        }
        out
    }

    fn take(&self, wanted: &impl Fn(&Seen) -> bool) -> Option<Seen> {
        let mut state = self.state();
        let position = state.unread.iter().position(|&i| wanted(&state.seen[i]))?;
        let index = state.unread.remove(position)?;
        Some(state.seen[index].clone())
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
    fn hear(&self, state: &mut State, endpoint: &str, query: &str, body: &[u8]) {
        *state.calls.entry(endpoint.to_owned()).or_default() += 1;
        let body = String::from_utf8_lossy(body);
        state.said.push((endpoint.to_owned(), format!("{query} {body}")));
        let secrets = [&self.0.bot_token, &self.0.command_token];
        if secrets.iter().any(|secret| query.contains(*secret) || body.contains(*secret)) {
            state.violations.push(format!("{endpoint}: a secret of the app is in the query or the body"));
        }
    }
}
