//! `serve`: the bot.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tracing::{error, info, warn};

use super::{asked_to_stop, env, environment, pairs, start_logging};
use crate::app::App;
use crate::chat::ChatError;
use crate::chat::text::{count, visible};
use crate::config::{Config, Faults, SlackWayIn, StorePlace};
use crate::domain::access::{Principal, Unread};
use crate::platform::identity::Unsure;
use crate::server::health;
use crate::store;
use crate::telemetry::otlp::{Wanted, Wrong};
use crate::telemetry::{Otlp, build};
use crate::timing::identity::ASKED_AT_START;
use crate::timing::program::CHAT_ASKED_AT_START;

pub async fn run() -> anyhow::Result<()> {
    let config = Config::read_from(env, pairs(&environment()))?;
    let otlp = collector(&config)?;
    start_logging(&config.log, otlp.as_ref());
    for warning in config.unusual() {
        warn!("{warning}");
    }
    if config.access.operators.is_empty() && config.access.approvers.is_empty() {
        warn!("nobody may set a channel up: set CHATOPS_OPERATORS or CHATOPS_APPROVERS");
    }
    let _hold = match &config.store.place {
        StorePlace::Sqlite(path) => Some(store::hold(path)?),
        // Many processes serve a database of a server.
        StorePlace::Memory | StorePlace::Postgres(_) => None,
    };
    let listener = bind("CHATOPS_LISTEN", config.listen).await?;
    let exposed = match config.metrics_listen {
        Some(address) => Some(bind("CHATOPS_METRICS_LISTEN", address).await?),
        None => None,
    };
    let metrics = exposed.as_ref().map(TcpListener::local_addr).transpose()?;
    let (address, region) = (listener.local_addr()?, config.sekoia.region);
    let settings = settings(&config);
    let app = App::build(config).await?;
    refuse_what_never_works(&app).await?;
    let execution = match app.bot().frozen().await {
        Ok(Some(_)) => "frozen",
        Ok(None) => "not frozen",
        Err(error) => {
            error!(%error, "the store cannot be read");
            "unknown"
        }
    };
    let (version, commit) = (build::NUMBER, build::commit().unwrap_or("unknown"));
    info!(version, commit, %region, execution, "sekoia-chatops starts");
    for setting in settings {
        info!("{setting}");
    }
    info!(%address, %region, "serving");
    if let Some(address) = metrics {
        info!(%address, "metrics at /metrics");
    }
    let served = app.exposed_on(exposed).serve(listener, asked_to_stop()).await;
    if let Some(otlp) = otlp {
        otlp.shut_down().await;
    }
    served
}

/// Where spans go, if the environment names a collector.
fn collector(config: &Config) -> Result<Option<Otlp>, Faults> {
    let Some(wanted) = Wanted::read(env).map_err(|Wrong(setting, why)| Faults::one(setting, why))? else {
        return Ok(None);
    };
    let started = Otlp::start(&wanted, &config.sekoia.network, env!("CARGO_PKG_VERSION"));
    started.map(Some).map_err(|error| Faults::one("OTEL_EXPORTER_OTLP_…", error))
}

/// Listens where a setting says.
///
/// # Errors
/// [`Faults`]: what to change, by the setting's name.
async fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, Faults> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => {
                format!("{address} is in use by another program; stop that one, or give another port")
            }
            ErrorKind::AddrNotAvailable => {
                format!("{} is no address of this machine; give one that it has, or 0.0.0.0 for all", address.ip())
            }
            ErrorKind::PermissionDenied => {
                format!("this user may not listen on port {}; give a port above 1023", address.port())
            }
            _ => format!("cannot listen on {address}: {error}; give another address"),
        };
        Faults::one(setting, why)
    })
}

/// A token that can never work ends the start, and so does somebody whom a setting names and who does not
/// exist. A platform that does not answer now may do so later.
async fn refuse_what_never_works(app: &App) -> Result<(), Faults> {
    for chat in app.bot().chats().iter() {
        if let Ok(Err(error @ ChatError::OrganisationWide)) =
            tokio::time::timeout(CHAT_ASKED_AT_START, chat.check()).await
        {
            let setting = health::token(chat.name());
            return Err(Faults::one(
                setting,
                format!(
                    "{error}; install the app into the one workspace where it is used, and set the bot token of that install"
                ),
            ));
        }
    }
    if let Some(provider) = app.provider() {
        match tokio::time::timeout(ASKED_AT_START, provider.discover()).await {
            Ok(Ok(())) => {}
            Ok(Err(Unsure::OtherIssuer { named })) => {
                let what =
                    format!("its discovery document names another issuer, {named:?}; set exactly that, if it is yours");
                return Err(Faults::one("CHATOPS_OIDC_ISSUER", what));
            }
            Ok(Err(_)) | Err(_) => {
                warn!(
                    "the identity provider does not answer as it should; approvals that need a second factor wait until it does"
                );
            }
        }
    }
    if let Ok(unknown) = tokio::time::timeout(CHAT_ASKED_AT_START, app.bot().unknown()).await
        && !unknown.is_empty()
    {
        return Err(Faults::all(unknown.into_iter().map(|Unread { who, setting, why }| {
            (setting, format!("{who} does not exist there ({why}); correct the id, or take it out"))
        })));
    }
    match tokio::time::timeout(CHAT_ASKED_AT_START, app.refused_socket_mode()).await {
        Ok(Some(why)) => Err(Faults::one("SLACK_APP_TOKEN", format!("{why}. {}", why.advice()))),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// What an administrator wants to see of the settings, a line each. No secret is in it.
fn settings(config: &Config) -> [String; 5] {
    let store = match &config.store.place {
        StorePlace::Memory => "memory; everything is forgotten at the end".to_owned(),
        StorePlace::Sqlite(path) => format!("sqlite:{}", path.display()),
        StorePlace::Postgres(place) => place.to_string(),
    };
    let slack = config.slack.as_ref().map(|slack| match slack.way_in {
        SlackWayIn::Http { .. } => "Slack",
        SlackWayIn::SocketMode { .. } => "Slack (Socket Mode)",
    });
    let mattermost = config.mattermost.as_ref().map(|on| {
        if on.only_mentions() {
            "Mattermost (commands after mentions alone, no buttons and forms: MATTERMOST_COMMAND_TOKEN is not set)"
        } else {
            "Mattermost"
        }
    });
    let platforms: Vec<&str> = slack.into_iter().chain(mattermost).collect();
    let operators = match config.access.operators.as_slice() {
        [] => "the approvers".to_owned(),
        operators => principals(operators),
    };
    let channels = match config.access.channels.len() {
        0 => "any that is not shared externally".to_owned(),
        n => format!("{} in CHATOPS_CHANNELS", count(n, "channel", "channels")),
    };
    [
        format!("store: {}", visible(&store)),
        format!("platforms: {}", platforms.join(", ")),
        format!("approvers: {}", principals(&config.access.approvers)),
        format!("operators: {operators}"),
        format!("channels: {channels}"),
    ]
}

fn principals(all: &[Principal]) -> String {
    let groups = all.iter().filter(|principal| principal.is_group()).count();
    let people = all.len() - groups;
    match (people, groups) {
        (0, 0) => "nobody".to_owned(),
        (people, 0) => count(people, "person", "people"),
        (0, groups) => count(groups, "user group", "user groups"),
        (people, groups) => {
            format!("{}, {}", count(people, "person", "people"), count(groups, "user group", "user groups"))
        }
    }
}
