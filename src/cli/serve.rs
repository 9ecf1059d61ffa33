//! `serve`: the bot.

use anyhow::Context;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::{asked_to_stop, env, environment, pairs, start_logging};
use crate::app::App;
use crate::config::{Config, StorePlace, without_effect};
use crate::store;

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
    let app = App::build(config).await?;
    info!(%address, %region, "serving");
    app.serve(listener, asked_to_stop()).await
}
