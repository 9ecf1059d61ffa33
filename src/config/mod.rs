//! What the operator configures: environment first, then the TOML file that `CHATOPS_CONFIG` names.
//!
//! Read once at the start; every fault is reported at once, by the name of its variable. The names
//! are a contract: they are listed in [`VARIABLES`] and nowhere else.

mod approvals;
mod metrics;
mod names;
mod oidc;
mod parts;
mod reminders;
mod secrets;
mod sekoia;
mod similar;
mod slack;
mod source;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::chat::is_mattermost_id;
use crate::domain::access::{Policy, Principal};
use crate::domain::approval;
use crate::resolve::is_loopback;
use crate::resolve::network::Network;
use crate::sekoia::Region;
use crate::timing::Timing;
pub use oidc::OidcConfig;
pub use parts::Parts;
pub use slack::{SlackConfig, SlackWayIn};
use source::Source;
pub use source::{Faults, VARIABLES};
pub use store::{PostgresPlace, StoreConfig, StorePair, StorePlace};

/// Everything `serve` needs.
#[derive(Debug)]
pub struct Config {
    pub sekoia: SekoiaConfig,
    /// One of the platforms, or both.
    pub slack: Option<SlackConfig>,
    pub mattermost: Option<MattermostConfig>,
    /// Under which address others reach the bot: Mattermost's server, and Sekoia with its webhooks.
    pub public_url: Option<Url>,
    pub listen: SocketAddr,
    /// Where Prometheus reads; none: nothing is measured.
    pub metrics_listen: Option<SocketAddr>,
    pub store: StoreConfig,
    /// How long personal values are kept; none: for good.
    pub retention: Option<Duration>,
    pub access: Policy,
    /// Who has to agree to what.
    pub approval: approval::Policy,
    /// Where people prove who they are, if that is configured.
    pub oidc: Option<OidcConfig>,
    /// The folder of plan templates.
    pub plans: Option<PathBuf>,
    /// How long an unanswered write is left alone. Not an operator's to set: what is shorter than
    /// the calls themselves would send one twice.
    pub timing: Timing,
    pub log: LogConfig,
}

#[derive(Debug)]
pub struct SekoiaConfig {
    pub key: SecretString,
    pub region: Region,
    pub api_url: Url,
    /// Where people log in.
    pub app_url: Url,
    /// Where the LiveAPI is listened to.
    pub live_url: Url,
    /// Where `region probe` looks.
    pub candidates: Vec<(Region, Vec<Url>)>,
    pub network: Network,
}

#[derive(Debug, Clone)]
pub struct MattermostConfig {
    /// The server's, with the path under which it is served if there is one.
    pub url: Url,
    pub bot_token: SecretString,
    /// Of the slash command in each team; empty: the server cannot call the bot, and commands are read after
    /// mentions alone.
    pub command_tokens: Vec<SecretString>,
    /// Where requests may come from; empty: anywhere.
    pub sources: Vec<IpNet>,
    /// How the server reaches the bot; none if it cannot.
    pub public_url: Option<Url>,
    /// The word after the slash that calls the bot.
    pub trigger: String,
    pub network: Network,
}

impl MattermostConfig {
    /// Whether the server cannot call the bot.
    pub fn only_mentions(&self) -> bool {
        self.command_tokens.is_empty()
    }
}

/// How the process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub filter: String,
    pub json: bool,
}

impl Config {
    /// Reads everything, or says everything that is wrong.
    ///
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Self::read_from(env, [])
    }

    /// The same; every name of `environment` that looks like a setting and is none is a fault.
    ///
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read_from<'a>(
        env: impl Fn(&str) -> Option<String>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        match Parts::read_from(env, environment) {
            (parts, faults) if faults.is_empty() => parts.whole().ok_or(faults),
            (_, faults) => Err(faults),
        }
    }

    /// Whether a chat platform sends its requests to the bot's address.
    pub fn is_called(&self) -> bool {
        parts::is_called(self.slack.as_ref(), self.mattermost.as_ref())
    }

    /// What is unusual in the settings and may be meant all the same: to be logged. No secret is in it.
    pub fn unusual(&self) -> Vec<String> {
        secrets::unusual(self.slack.as_ref(), self.mattermost.as_ref())
    }
}

impl LogConfig {
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut source = Source::open(env);
        match log(&mut source) {
            Some(config) if source.faults.is_empty() => Ok(config),
            _ => Err(source.faults),
        }
    }
}

/// Where `serve` listens, alone.
///
/// # Errors
/// [`Faults`], one line a fault.
pub fn listen(env: impl Fn(&str) -> Option<String>) -> Result<SocketAddr, Faults> {
    let mut source = Source::open(env);
    match listening(&mut source) {
        Some(address) if source.faults.is_empty() => Ok(address),
        _ => Err(source.faults),
    }
}

fn listening(source: &mut Source) -> Option<SocketAddr> {
    source.parse("CHATOPS_LISTEN", "127.0.0.1:8080", |s| {
        s.parse::<SocketAddr>().map_err(|_| format!("{s:?} is not an address such as 127.0.0.1:8080"))
    })
}

fn log(source: &mut Source) -> Option<LogConfig> {
    let filter = source.parse("CHATOPS_LOG", "info", |s| {
        s.parse::<tracing_subscriber::EnvFilter>().map(|_| s.to_owned()).map_err(|e| e.to_string())
    });
    let json = source.parse("CHATOPS_LOG_FORMAT", "text", |s| match s {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err(format!("{s:?} is not a format; give text or json")),
    });
    Some(LogConfig { filter: filter?, json: json? })
}

const SLACK: &[&str] = &["SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"];
const MATTERMOST: &[&str] = &["MATTERMOST_URL", "MATTERMOST_BOT_TOKEN", "MATTERMOST_COMMAND_TOKEN"];

/// A platform is on if anything of it is set; then all of it has to be.
fn platforms(
    source: &mut Source,
    public_url: Option<&Url>,
    network: &Network,
) -> (Option<SlackConfig>, Option<MattermostConfig>) {
    let (slack, mattermost) = (source.holds_any(SLACK), source.holds_any(MATTERMOST));
    if !slack && !mattermost && source.is_complete() {
        let how = "set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP), or MATTERMOST_URL and MATTERMOST_BOT_TOKEN, or both";
        source.faults.add("SLACK_… or MATTERMOST_…", format!("no chat platform is configured; {how}"));
    }
    let slack = if slack { slack::read(source, network) } else { None };
    let mattermost = if mattermost { on_mattermost(source, public_url, network) } else { None };
    (slack, mattermost)
}

fn on_mattermost(source: &mut Source, public_url: Option<&Url>, network: &Network) -> Option<MattermostConfig> {
    let install = "`sekoia-chatops mattermost install` prints it";
    let url = source.required("MATTERMOST_URL", "give the server's address, such as https://chat.example.com");
    let url = url.and_then(|_| source.parse("MATTERMOST_URL", "", |s| confidential(s, "the token")));
    let bot_token = source.secret("MATTERMOST_BOT_TOKEN", install, secrets::not_of_slack);
    let command_tokens = source.list("MATTERMOST_COMMAND_TOKEN", |s| {
        // What is wrong with a token is said without it.
        secrets::plain(s)?;
        secrets::not_of_slack(s)?;
        Ok(SecretString::from(s.to_owned()))
    });
    let sources = source.list("MATTERMOST_SOURCES", |s| {
        let one = s.parse::<std::net::IpAddr>().map(IpNet::from);
        one.or_else(|_| s.parse::<IpNet>())
            .map_err(|_| format!("{s:?} is not an address or a network such as 10.1.2.0/24"))
    });
    let called = source.holds("MATTERMOST_COMMAND_TOKEN");
    if called {
        let how = "give the address under which the Mattermost server reaches this bot, or remove MATTERMOST_COMMAND_TOKEN if it cannot";
        source.required("CHATOPS_PUBLIC_URL", how);
    }
    let public_url = public_url.filter(|_| called).cloned();
    let trigger = source.parse("MATTERMOST_TRIGGER", "sekoia", |s| {
        let word = s.trim_start_matches('/').to_lowercase();
        let fits = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if fits { Ok(word) } else { Err(format!("{s:?} is not one word, such as sekoia")) }
    });
    Some(MattermostConfig {
        url: url?,
        bot_token: bot_token?,
        command_tokens,
        sources,
        public_url,
        trigger: trigger?,
        network: network.clone(),
    })
}

/// An address that may receive a secret: encrypted, or on the machine itself.
pub(crate) fn confidential(s: &str, secret: &str) -> Result<Url, String> {
    let url = address(s.trim_end_matches('/'))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(format!("{s:?} may not receive {secret}; give https://, or http:// on a loopback address")),
    }
}

/// How others reach the bot. Inside a network it may be in the clear: no secret of ours goes there.
pub(crate) fn public_address(s: &str) -> Result<Url, String> {
    let url = address(s.trim_end_matches('/'))?;
    let plain = url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "https" | "http") && plain {
        Ok(url)
    } else {
        Err(format!("{s:?} is not an address such as https://bot.example.com"))
    }
}

/// An address without credentials in it; one with them is not repeated.
fn address(s: &str) -> Result<Url, String> {
    let url = s.parse::<Url>().map_err(|e| format!("not an address: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a name or a password before its host; give the address alone".into());
    }
    Ok(url)
}

/// Shorter is a mistake: what is under way needs its addresses for days.
const SHORTEST_RETENTION: Duration = Duration::from_hours(24);

fn retention(source: &mut Source) -> Option<Duration> {
    source.optional("CHATOPS_RETENTION", |s| match humantime::parse_duration(s) {
        Ok(time) if time >= SHORTEST_RETENTION => Ok(time),
        Ok(_) => {
            Err(format!("{s:?} is less than a day; give one such as 365d, or remove it to keep everything for good"))
        }
        Err(_) => Err(format!(
            "{s:?} is not a time; give one such as 365d, 26weeks or 2y, or remove it to keep everything for good"
        )),
    })
}

/// A folder that is there and can be listed.
fn folder(s: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(s);
    match std::fs::read_dir(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("{s:?} is not a folder that can be read: {error}")),
    }
}

fn principals(source: &mut Source, name: &'static str) -> Vec<Principal> {
    source.list(name, str::parse::<Principal>)
}

fn channels(source: &mut Source) -> Vec<Box<str>> {
    source.list("CHATOPS_CHANNELS", |s| {
        if let Some(id) = s.strip_prefix("mattermost:") {
            return if is_mattermost_id(id) {
                Ok(id.into())
            } else {
                Err(format!("{s:?} is not a Mattermost channel id, which has 26 letters and digits (not a name)"))
            };
        }
        let id = s.strip_prefix("slack:").unwrap_or(s);
        if id.starts_with(['C', 'G', 'D']) && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(id.into())
        } else {
            Err(format!(
                "{s:?} is not a Slack channel id, which begins with C or G (not a name), nor mattermost: and a channel id"
            ))
        }
    })
}
