//! The stage: the real router, clients and signatures between an in-process chat platform and the
//! embedded Sekoia. A test is what people type and press, and what they read, whichever the
//! platform is.

pub mod browser;
mod chat;
pub mod collector;
pub mod demo;
pub mod front;
mod happenings;
pub mod hook;
mod identity;
pub mod mattermost;
mod outcome;
mod platform;
pub mod postgres;
pub mod proxy;
pub mod real_mattermost;
mod script;
mod seen;
pub mod slack;
mod stage;
mod text;

use std::time::Duration;

use sekoia_chatops::domain::approval;
use sekoia_chatops::sandbox;
use sekoia_chatops::timing::{Rhythm, Timing};

pub use self::chat::Chat;
pub use self::identity::{Browser, Page, Proving, Tokens};
pub use self::platform::{Call, ChatFault, Platform};
pub use self::seen::{Kind, Seen};
pub use self::slack::{Choice, SignedRequest};
pub use self::stage::Stage;
pub use self::text::{id_in, nameless, steady};

pub const SOC: &str = "soc-setup";

/// What a test wants to differ from the usual stage.
#[derive(Debug, Clone)]
pub struct Setting {
    pub tenant: sandbox::Tenant,
    /// Name of the sandbox's token that the bot has.
    pub token: &'static str,
    /// Names of people and `@groups`, with commas between them.
    pub operators: &'static str,
    pub approvers: &'static str,
    /// Names of the channels that the bot is limited to.
    pub channels: &'static [&'static str],
    pub approval: approval::Policy,
    /// Whether the sandbox lets API keys create and revoke.
    pub writes: sandbox::Writes,
    pub timing: Timing,
    /// `SEKOIA_REGION`.
    pub region: &'static str,
    /// Under which address others reach the bot.
    pub public_url: Option<&'static str>,
    /// Its state is kept where a restart finds it: in SQLite's file in a directory of the test's own,
    /// unless stages are on a server.
    pub durable: bool,
    /// It is about that file.
    pub file: bool,
    /// A PostgreSQL server of the test's own, so that several processes can serve the stage.
    pub server: bool,
    /// The process that people reach there joins another one.
    pub joins: bool,
    /// `MATTERMOST_SOURCES`.
    pub sources: &'static str,
    /// `MATTERMOST_TRIGGER`.
    pub trigger: &'static str,
    /// Whether Prometheus reads.
    pub metrics: bool,
    /// Whether Mattermost's server cannot call the bot.
    pub only_mentions: bool,
    /// Another platform that the same bot serves.
    pub beside: Option<Platform>,
    /// `name:password` of the proxy that alone knows where everything is.
    pub behind_proxy: Option<&'static str>,
    /// Where people prove who they are.
    pub proving: Option<Proving>,
    /// Templates of plans: their names and their texts.
    pub templates: &'static [(&'static str, &'static str)],
    /// How long personal values are kept: shorter than an operator may set it.
    pub retention: Option<Duration>,
}

impl Default for Setting {
    /// A single-tenant workspace; alice is an operator, bob and carol approve.
    fn default() -> Self {
        Self {
            tenant: sandbox::Tenant::Single,
            token: "admin",
            operators: "alice,bob",
            approvers: "@approvers",
            channels: &[],
            approval: approval::Policy::default(),
            writes: sandbox::Writes::Accepted,
            timing: QUICK,
            region: "FRA1",
            public_url: Some("https://bot.example.com/"),
            durable: false,
            file: false,
            server: false,
            joins: false,
            sources: "",
            trigger: "",
            metrics: false,
            only_mentions: false,
            beside: None,
            behind_proxy: None,
            proving: None,
            templates: &[],
            retention: None,
        }
    }
}

/// As [`Timing::QUICK`], with a minute of the watch for those who cannot wait for one either.
pub const QUICK: Timing =
    Timing { watch: Rhythm { minute: Duration::from_millis(600), ..Timing::QUICK.watch }, ..Timing::QUICK };

thread_local! {
    static BY_SOCKET: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether the Slack of this scenario speaks Socket Mode.
fn is_by_socket() -> bool {
    BY_SOCKET.get()
}

/// Runs a scenario whose Slack sends everything over the bot's own WebSockets.
pub fn by_socket(scenario: impl FnOnce()) {
    BY_SOCKET.set(true);
    scenario();
}

/// Names the platform when a scenario fails: its transcript does not tell.
struct On(Platform);

impl Drop for On {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was on {:?}{}", self.0, if is_by_socket() { " by Socket Mode" } else { "" });
        }
    }
}

/// Two tests of one scenario: `<scenario>::slack` and `<scenario>::mattermost`. The same snapshots
/// hold for both, letter for letter.
macro_rules! on_both {
    ($scenario:ident) => {
        mod $scenario {
            use crate::harness::Platform;

            #[test]
            fn slack() {
                insta::allow_duplicates! { super::$scenario(Platform::Slack) }
            }

            #[test]
            fn mattermost() {
                insta::allow_duplicates! { super::$scenario(Platform::Mattermost) }
            }
        }
    };
}
pub(crate) use on_both;

/// The same, and a third one: `<scenario>::slack_socket`, where Slack is spoken to by Socket Mode.
macro_rules! everywhere {
    ($scenario:ident) => {
        mod $scenario {
            use crate::harness::{Platform, by_socket};

            #[test]
            fn slack() {
                insta::allow_duplicates! { super::$scenario(Platform::Slack) }
            }

            #[test]
            fn slack_socket() {
                insta::allow_duplicates! { by_socket(|| super::$scenario(Platform::Slack)) }
            }

            #[test]
            fn mattermost() {
                insta::allow_duplicates! { super::$scenario(Platform::Mattermost) }
            }
        }
    };
}
pub(crate) use everywhere;

/// Runs a scenario on a stage of its own, and makes sure that everything that it caused was looked
/// at.
pub fn run(on: Platform, setting: Setting, scenario: impl AsyncFnOnce(&mut Stage)) {
    let _on = On(on);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let story = async {
        let mut stage = Stage::begin(on, setting).await;
        stage.start().await;
        scenario(&mut stage).await;
        stage.finish().await;
    };
    runtime.expect("a runtime").block_on(story);
}

/// A scenario on the usual stage.
pub fn usual(on: Platform, scenario: impl AsyncFnOnce(&mut Stage)) {
    run(on, Setting::default(), scenario);
}

/// What is about Mattermost's wire.
pub fn on_mattermost(setting: Setting, scenario: impl AsyncFnOnce(&mut Stage)) {
    run(Platform::Mattermost, setting, scenario);
}

/// What is about Slack's wire, or about words that only Slack has.
pub fn on_slack(setting: Setting, scenario: impl AsyncFnOnce(&mut Stage)) {
    run(Platform::Slack, setting, scenario);
}
