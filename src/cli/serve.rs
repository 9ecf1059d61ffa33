//! `serve`: the bot.

use anyhow::Context;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use super::{asked_to_stop, env, environment, pairs, start_logging};
use crate::app::App;
use crate::chat::ChatError;
use crate::chat::text::{count, visible};
use crate::config::{Config, Faults, StorePlace, without_effect};
use crate::domain::access::Principal;
use crate::server::health;
use crate::store;
use crate::timing::program::CHAT_ASKED_AT_START;

pub async fn run() -> anyhow::Result<()> {
    let config = Config::read_from(env, pairs(&environment()))?;
    start_logging(&config.log);
    for name in without_effect(env) {
        warn!(name, "this setting has no effect in this version");
    }
    for warning in config.unusual() {
        warn!("{warning}");
    }
    if config.access.operators.is_empty() && config.access.approvers.is_empty() {
        warn!("nobody may set a channel up: set CHATOPS_OPERATORS or CHATOPS_APPROVERS");
    }
    let _hold = match &config.store.place {
        StorePlace::Sqlite(path) => Some(store::hold(path)?),
        StorePlace::Memory => None,
    };
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("Cannot listen on {}", config.listen))?;
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
    let version = env!("CARGO_PKG_VERSION");
    info!(version, %region, execution, "sekoia-chatops starts");
    for setting in settings {
        info!("{setting}");
    }
    info!(%address, %region, "serving");
    app.serve(listener, asked_to_stop()).await
}

/// A token that can never work ends the start. A platform that does not answer now may do so later.
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
    Ok(())
}

/// What an administrator wants to see of the settings, a line each. No secret is in it.
fn settings(config: &Config) -> [String; 5] {
    let store = match &config.store.place {
        StorePlace::Memory => "memory; everything is forgotten at the end".to_owned(),
        StorePlace::Sqlite(path) => format!("sqlite:{}", path.display()),
    };
    let platforms = [("Slack", config.slack.is_some()), ("Mattermost", config.mattermost.is_some())];
    let platforms: Vec<&str> = platforms.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
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
