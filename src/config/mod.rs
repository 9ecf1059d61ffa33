//! What the operator configures: environment first, then the TOML file that `CHATOPS_CONFIG` names.
//!
//! Read once at the start; every fault is reported at once, by the name of its variable. The names
//! are a contract: they are listed in [`VARIABLES`] and nowhere else.

mod approvals;
mod names;
mod secrets;
mod similar;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use url::Url;

use crate::chat::is_mattermost_id;
use crate::domain::access::{Policy, Principal};
use crate::domain::approval;
use crate::sekoia::{Region, Sekoia, is_loopback, may_receive_key};
use crate::timing::Timing;
use source::Source;
pub use source::{Faults, VARIABLES};

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
    pub store: StoreConfig,
    pub access: Policy,
    /// Who has to agree to what.
    pub approval: approval::Policy,
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
    /// Where the LiveAPI is listened to.
    pub live_url: Url,
    /// Where `region probe` looks.
    pub candidates: Vec<(Region, Vec<Url>)>,
}

#[derive(Debug, Clone)]
pub struct SlackConfig {
    pub signing_secret: SecretString,
    pub bot_token: SecretString,
    /// Without a slash at the end.
    pub api_url: Url,
}

#[derive(Debug, Clone)]
pub struct MattermostConfig {
    /// The server's, with the path under which it is served if there is one.
    pub url: Url,
    pub bot_token: SecretString,
    /// Of the slash command in each team.
    pub command_tokens: Vec<SecretString>,
    /// Where requests may come from; empty: anywhere.
    pub sources: Vec<IpNet>,
    /// How the server reaches the bot.
    pub public_url: Url,
    /// The word after the slash that calls the bot.
    pub trigger: String,
}

#[derive(Debug)]
pub struct StoreConfig {
    pub place: StorePlace,
    /// `CHATOPS_SECRET_KEY`; none: kept beside the file.
    pub keys: Option<Vec<SecretSlice<u8>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorePlace {
    Memory,
    Sqlite(PathBuf),
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
        let mut source = Source::open(env);
        names::check(&mut source.faults, environment);
        let config = Self::gather(&mut source);
        match config {
            Some(config) if source.faults.is_empty() => Ok(config),
            _ => Err(source.faults),
        }
    }

    fn gather(source: &mut Source) -> Option<Self> {
        let sekoia = sekoia(source);
        let faults = source.faults.count();
        let public_url = source.optional("CHATOPS_PUBLIC_URL", public_address);
        let (slack, mattermost) = platforms(source, public_url.as_ref());
        let platforms = source.faults.count() == faults;
        let listen = source.parse("CHATOPS_LISTEN", "127.0.0.1:8080", |s| {
            s.parse::<SocketAddr>().map_err(|_| format!("{s:?} is not an address such as 127.0.0.1:8080"))
        });
        let store = store(source);
        let access = Policy {
            operators: principals(source, "CHATOPS_OPERATORS"),
            approvers: principals(source, "CHATOPS_APPROVERS"),
            channels: channels(source),
        };
        let approval = approvals::read(source);
        let log = log(source);
        Some(Self {
            sekoia: sekoia.filter(|_| platforms)?,
            slack,
            mattermost,
            public_url,
            listen: listen?,
            store: store?,
            access,
            approval: approval?,
            timing: crate::timing::timing(),
            log: log?,
        })
    }

    /// What is unusual in the settings and may be meant all the same: to be logged. No secret is in it.
    pub fn unusual(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(slack) = &self.slack {
            let unusual = secrets::unusual_signing_secret(slack.signing_secret.expose_secret());
            found.extend(unusual.map(|why| format!("SLACK_SIGNING_SECRET {why}")));
        }
        if let Some(on) = &self.mattermost {
            let unusual = |token: &SecretString| secrets::unusual_mattermost_token(token.expose_secret());
            found.extend(unusual(&on.bot_token).map(|why| format!("MATTERMOST_BOT_TOKEN {why}")));
            found.extend(
                on.command_tokens.iter().find_map(unusual).map(|why| format!("MATTERMOST_COMMAND_TOKEN {why}")),
            );
        }
        found
    }
}

impl StoreConfig {
    /// The store alone, for the commands that work on the history. Names are checked as in
    /// [`Config::read_from`].
    ///
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read_from<'a>(
        env: impl Fn(&str) -> Option<String>,
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        let mut source = Source::open(env);
        names::check(&mut source.faults, environment);
        match store(&mut source) {
            Some(config) if source.faults.is_empty() => Ok(config),
            _ => Err(source.faults),
        }
    }
}

impl StoreConfig {
    /// # Errors
    /// [`Faults`], one line a fault.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        Self::read_from(env, [])
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

/// Variables that are set but belong to a later version: said at the start, not ignored.
pub fn without_effect(env: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let source = Source::open(env);
    VARIABLES.iter().filter(|v| v.later && source.holds(v.name)).map(|v| v.name).collect()
}

fn sekoia(source: &mut Source) -> Option<SekoiaConfig> {
    let how = "create one in Sekoia under Settings > Workspace > API Keys";
    let key = source.secret("SEKOIA_API_KEY", how, secrets::not_of_slack);
    let region = source.parse("SEKOIA_REGION", "FRA1", str::parse::<Region>);
    let default = region.unwrap_or(Region::Fra1).api();
    let api_url = source.parse("SEKOIA_API_URL", &default, |s| {
        let url = address(s)?;
        if url.cannot_be_a_base() || !may_receive_key(&url, &["https"], &["http"]) {
            return Err(format!("{s:?} may not receive the key; give https://….sekoia.io, or a loopback address"));
        }
        Ok(url)
    });
    let live = live_beside(api_url.as_ref(), region.unwrap_or(Region::Fra1));
    let live_url = source.parse("SEKOIA_LIVE_URL", &live, |s| {
        let url = address(s)?;
        if url.cannot_be_a_base() || !may_receive_key(&url, &["wss"], &["ws"]) {
            return Err(format!(
                "{s:?} may not receive the key; give wss://….sekoia.io, or ws:// on a loopback address"
            ));
        }
        Ok(url)
    });
    Some(SekoiaConfig {
        key: key?,
        region: region?,
        api_url: api_url?,
        live_url: live_url?,
        candidates: Sekoia::documented_addresses(),
    })
}

/// The region's LiveAPI, or that of the machine itself if the API is there: the key of a sandbox is
/// not for Sekoia, nor the other way round.
fn live_beside(api: Option<&Url>, region: Region) -> String {
    let beside = api.filter(|api| is_loopback(api)).and_then(|api| {
        let mut live = api.join("/live/").ok()?;
        let scheme = if api.scheme() == "https" { "wss" } else { "ws" };
        live.set_scheme(scheme).ok()?;
        Some(live.to_string())
    });
    beside.unwrap_or_else(|| region.live())
}

const SLACK: &[&str] = &["SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN"];
const MATTERMOST: &[&str] = &["MATTERMOST_URL", "MATTERMOST_BOT_TOKEN", "MATTERMOST_COMMAND_TOKEN"];

/// A platform is on if anything of it is set; then all of it has to be.
fn platforms(source: &mut Source, public_url: Option<&Url>) -> (Option<SlackConfig>, Option<MattermostConfig>) {
    let (slack, mattermost) = (source.holds_any(SLACK), source.holds_any(MATTERMOST));
    if !slack && !mattermost && source.is_complete() {
        let how = "set SLACK_SIGNING_SECRET and SLACK_BOT_TOKEN, or MATTERMOST_URL, MATTERMOST_BOT_TOKEN, MATTERMOST_COMMAND_TOKEN and CHATOPS_PUBLIC_URL, or both";
        source.faults.add("SLACK_… or MATTERMOST_…", format!("no chat platform is configured; {how}"));
    }
    let slack = if slack { on_slack(source) } else { None };
    let mattermost = if mattermost { on_mattermost(source, public_url) } else { None };
    (slack, mattermost)
}

fn on_mattermost(source: &mut Source, public_url: Option<&Url>) -> Option<MattermostConfig> {
    let install = "`sekoia-chatops mattermost install` prints it";
    let url = source.required("MATTERMOST_URL", "give the server's address, such as https://chat.example.com");
    let url = url.and_then(|_| source.parse("MATTERMOST_URL", "", |s| confidential(s, "the token")));
    let bot_token = source.secret("MATTERMOST_BOT_TOKEN", install, secrets::not_of_slack);
    source.required("MATTERMOST_COMMAND_TOKEN", install);
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
    let how = "give the address under which the Mattermost server reaches this bot";
    source.required("CHATOPS_PUBLIC_URL", how);
    let public_url = public_url.cloned();
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
        public_url: public_url?,
        trigger: trigger?,
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

fn on_slack(source: &mut Source) -> Option<SlackConfig> {
    let how = "copy it from the Slack app's Basic Information page";
    let signing_secret = source.secret("SLACK_SIGNING_SECRET", how, secrets::slack_signing_secret);
    let how = "copy the xoxb- token from the Slack app's OAuth page";
    let bot_token = source.secret("SLACK_BOT_TOKEN", how, secrets::slack_bot_token);
    let api_url = source.parse("SLACK_API_URL", "https://slack.com/api", |s| confidential(s, "the token"));
    Some(SlackConfig { signing_secret: signing_secret?, bot_token: bot_token?, api_url: api_url? })
}

/// An address without credentials in it; one with them is not repeated.
fn address(s: &str) -> Result<Url, String> {
    let url = s.parse::<Url>().map_err(|e| format!("not an address: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a name or a password before its host; give the address alone".into());
    }
    Ok(url)
}

fn store(source: &mut Source) -> Option<StoreConfig> {
    let place = source.parse("CHATOPS_STORE", "sqlite:sekoia-chatops.db", |s| match s.split_once(':') {
        None if s == "memory" => Ok(StorePlace::Memory),
        Some(("sqlite", path)) if !path.is_empty() => {
            Ok(StorePlace::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
        }
        Some(("postgres" | "postgresql", _)) => {
            // The address may hold a password: it is not repeated.
            Err("PostgreSQL comes with a later version; use sqlite:PATH".into())
        }
        _ => Err("give memory or sqlite:PATH".into()),
    });
    let keys = source.optional("CHATOPS_SECRET_KEY", |s| {
        // What is wrong with a key is told by its place, never by its content.
        let keys = s.split(',').map(str::trim).filter(|k| !k.is_empty()).enumerate().map(|(i, key)| {
            match STANDARD.decode(key) {
                Ok(bytes) if bytes.len() == 32 => Ok(SecretSlice::from(bytes)),
                Ok(bytes) => Err(format!("key {} has {} bytes, not 32", i + 1, bytes.len())),
                Err(_) => Err(format!("key {} is not base64; make one with `openssl rand -base64 32`", i + 1)),
            }
        });
        let keys = keys.collect::<Result<Vec<_>, String>>()?;
        if keys.is_empty() { Err("no key in the list".into()) } else { Ok(keys) }
    });
    Some(StoreConfig { place: place?, keys })
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
