//! An embedded Sekoia: state, the calls that the bot makes, and faults on demand.
//!
//! It is an independent oracle. It is written from Sekoia's documentation alone and shares no type
//! with the bot's own client, so that a misunderstanding in one shows against the other.
//!
//! ```text
//! serve -> routes (log the call, play a fault) -> auth -> handlers -> lists -> json -> world
//! happen (an alert comes, an intake falls silent, …) -> world
//!    -> live (whoever listens on /live) and webhooks (whoever gave an address)
//! ```
//!
//! Where no public source settles a detail, the sandbox picks one and says so beside it. The
//! `COMMUNITY_*` uuids, the two licence permissions' uuids and names, and the titles and names
//! that the public list lacks in `permissions.json` are made up, because no public source has them.

mod auth;
mod calls;
mod catalogue;
mod control;
mod dice;
mod error;
mod faults;
mod handlers;
mod happen;
mod hook;
pub mod identity;
mod json;
mod listener;
mod lists;
mod live;
#[cfg(test)]
mod probe;
mod query;
mod routes;
mod secrets;
mod seed;
mod serve;
mod spoil;
mod webhooks;
pub mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

pub use calls::Call;
pub use faults::{Fault, FaultKind, Faults, LiveFault, Odd};
pub use happen::{AlertChange, Happening, NewAlert};
pub use hook::Stage;
pub use routes::router;
pub use serve::serve;
pub use webhooks::{Delivery, WebhookDate};
pub use world::World;

use calls::Calls;
use hook::Hook;
use live::{Live, Notice};
use secrets::Secrets;
use webhooks::Webhooks;

/// How many communities the workspace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tenant {
    /// One community, `Nimbus Payments`: the multi-tenant mode is off.
    Single,
    /// `Banque Rivoli` and its three units.
    Multi,
}

/// What becomes of the writes of an API key: no public source says, except for invitations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Writes {
    /// A key may do what its permissions name.
    Accepted,
    /// Every write is answered 403, as if only a person in a session may; reads stay.
    Refused,
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The shape of the workspace.
    pub tenant: Tenant,
    /// Identifiers, tokens and variations follow from it.
    pub seed: u64,
    /// Whether API keys may write.
    pub writes: Writes,
}

impl Default for Options {
    fn default() -> Self {
        Self { tenant: Tenant::Multi, seed: 1, writes: Writes::Accepted }
    }
}

/// A bearer token that the sandbox accepts, or knowingly refuses.
#[derive(Clone, Debug)]
pub struct Token {
    /// `admin`, `reader`, `limited`, `expired` or `revoked`.
    pub name: &'static str,
    /// What goes after `Bearer`.
    pub value: String,
    /// What it may do, in one line.
    pub what: &'static str,
}

/// The embedded Sekoia.
#[derive(Debug)]
pub struct Sandbox {
    start: Timestamp,
    // The clock runs on from `start`, so that a test may begin at any instant and a sandbox left
    // running still sees its keys expire.
    born: Instant,
    tokens: Vec<Token>,
    secrets: Secrets,
    writes: Writes,
    world: Mutex<World>,
    faults: Faults,
    calls: Calls,
    hook: Hook,
    live: Live,
    webhooks: Webhooks,
    /// How far its clock is ahead of the right one.
    ahead: Mutex<SignedDuration>,
}

impl Sandbox {
    /// Builds a workspace whose dates are relative to `now`; everything else follows from the seed.
    pub fn new(options: Options, now: Timestamp) -> Arc<Self> {
        let (world, issued) = seed::workspace(options, now);
        let key_of = issued.iter().map(|(token, key)| (token.value.clone(), *key)).collect();
        Arc::new(Self {
            start: now,
            born: Instant::now(),
            tokens: issued.into_iter().map(|(token, _)| token).collect(),
            secrets: Secrets::new(key_of),
            writes: options.writes,
            world: Mutex::new(world),
            faults: Faults::default(),
            calls: Calls::default(),
            hook: Hook::default(),
            live: Live::default(),
            webhooks: Webhooks::default(),
            ahead: Mutex::default(),
        })
    }

    /// Every token, for the person who starts the sandbox.
    pub fn tokens(&self) -> Vec<Token> {
        self.tokens.clone()
    }

    /// The value of one token.
    ///
    /// # Panics
    ///
    /// When no token has that name: only tests name tokens.
    pub fn token(&self, name: &str) -> &str {
        let token = self.tokens.iter().find(|token| token.name == name);
        &token.expect("the sandbox has a token of that name").value
    }

    /// Every secret that a creation ever answered, `key` and `short_key` alike, so that a test can
    /// look for them where they must not be.
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.shown()
    }

    /// The faults waiting to be played.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The calls received, oldest first, except those to `/_sandbox`.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.list()
    }

    /// How many calls there were, and at most so many of the latest, newest first.
    pub fn latest_calls(&self, most: usize) -> (usize, Vec<Call>) {
        self.calls.latest(most)
    }

    /// Runs a function at each stage of each call, instead of the one given before. It runs outside
    /// of all locks and holds the call up while it runs.
    pub fn on_call(&self, hook: impl Fn(&Call, Stage) + Send + Sync + 'static) {
        self.hook.set(hook);
    }

    /// Sets its clock, by which it dates things and answers, ahead of the right one, or behind it.
    pub fn set_clock(&self, ahead: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }

    /// Connections of the LiveAPI that listen, and how many ever did.
    pub fn listeners(&self) -> (usize, usize) {
        self.live.counts()
    }

    /// Sends what happens from now on to an address, as Sekoia's own notification rules do. Needs a
    /// running tokio.
    ///
    /// # Errors
    /// The address is not `http://` on a loopback.
    pub fn add_webhook(&self, url: &str, date: WebhookDate) -> Result<(), String> {
        self.webhooks.add(url, date)
    }

    /// Forgets all addresses; what waits is still sent.
    pub fn clear_webhooks(&self) {
        self.webhooks.clear();
    }

    /// What became of the notifications, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.webhooks.deliveries()
    }

    /// Changes the world, or reads it. Nobody is told; the methods named after what happens do so.
    pub fn edit<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world())
    }

    /// One alert in full, as the API answers it, by its short identifier.
    pub fn alert(&self, short_id: &str) -> Option<serde_json::Value> {
        let world = self.world();
        let alert = world.alerts.iter().find(|alert| *alert.short_id == *short_id)?;
        Some(json::alert_in_full(&world, alert))
    }

    /// Tells whoever listens. A webhook is of alerts only.
    fn tell(&self, notice: Notice) {
        let notice = Arc::new(notice);
        // What the LiveAPI says of a deleted alert is not documented: nothing, here.
        if notice.action != "deleted" {
            self.live.tell(&notice);
        }
        if notice.kind == "alert" {
            self.webhooks.tell(&notice);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked in `edit` has already failed: the others may go on.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.born.elapsed()).unwrap_or(SignedDuration::MAX);
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.start.checked_add(elapsed.saturating_add(ahead)).unwrap_or(Timestamp::MAX)
    }
}
