//! The composition root: a configuration becomes a running bot, and stops in order.

#[cfg(feature = "demo")]
pub mod demo;

use std::future::Future;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use secrecy::SecretSlice;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use crate::bot::{Bot, Responder, Rounds, Watcher, Worker};
use crate::chat::{ChatPlatform, Chats};
use crate::config::{Config, SekoiaConfig, StoreConfig, StorePlace};
use crate::domain::access::Policy;
use crate::domain::approval;
use crate::platform::intake::Intake;
use crate::platform::mattermost::seal::Sealer;
use crate::platform::mattermost::{Mattermost, MattermostClient};
use crate::platform::sekoia_webhook::Hooks;
use crate::platform::slack::{Slack, SlackClient};
use crate::sekoia::Sekoia;
use crate::sekoia::live::Live;
use crate::server::health::Health;
use crate::server::{self, Bounds};
use crate::store::audit::Chain;
use crate::store::{MemoryStore, SqliteStore, Store, keyfile};
use crate::timing::Timing;
use crate::timing::program::{LAST_ANSWERS, LAST_CALLS, LAST_REQUESTS};

/// Everything, built and not started.
pub struct App {
    pub router: Router,
    bot: Arc<Bot>,
    health: Arc<Health>,
    intake: Arc<Intake>,
    tasks: TaskTracker,
    watcher: Watcher,
}

/// What is the same on every chat platform.
struct House {
    access: Policy,
    approval: approval::Policy,
    timing: Timing,
    public_url: Option<Url>,
}

impl App {
    /// Builds everything. Nothing is called yet: a Slack or Sekoia that does not answer does not
    /// keep the bot from starting.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let keys = config.store.keys()?;
        let store = open_store(&config.store, &keys).await?;
        Self::with_store(config, store, &keys)
    }

    /// `keys`: those that the store's records are sealed with; others are derived from them.
    pub fn with_store(config: Config, store: Arc<dyn Store>, keys: &[SecretSlice<u8>]) -> anyhow::Result<Self> {
        one_tls_provider();
        let slack = match &config.slack {
            Some(slack) => {
                Some((Arc::new(SlackClient::new(slack, Arc::clone(&store), config.timing.calls.slack_posts)?), slack))
            }
            None => None,
        };
        let mattermost = match &config.mattermost {
            Some(on) => Some((Arc::new(MattermostClient::new(on, Sealer::new(keys))?), on)),
            None => None,
        };
        let mut chats: Vec<Arc<dyn ChatPlatform>> = Vec::new();
        if let Some((client, _)) = &slack {
            chats.push(client.clone());
        }
        if let Some((client, _)) = &mattermost {
            chats.push(client.clone());
        }
        let chats = Chats::new(chats);
        let Config { access, approval, timing, public_url, .. } = config;
        let house = House { access, approval, timing, public_url };
        Self::around(config.sekoia, house, store, chats, |responder, intake| {
            let mut routes = Router::new();
            if let Some((client, config)) = slack {
                let slack = Slack::new(client, config, responder.clone(), Arc::clone(&intake));
                routes = routes.merge(server::slack(Arc::new(slack)));
            }
            if let Some((client, config)) = mattermost {
                let mattermost = Mattermost::new(client, config, responder, intake);
                routes = routes.merge(server::mattermost(Arc::new(mattermost)));
            }
            routes
        })
    }

    /// Everything that does not depend on the chat platforms.
    fn around(
        sekoia: SekoiaConfig,
        house: House,
        store: Arc<dyn Store>,
        chats: Chats,
        platforms: impl FnOnce(Responder, Arc<Intake>) -> Router,
    ) -> anyhow::Result<Self> {
        let (live_url, key) = (sekoia.live_url.clone(), sekoia.key.clone());
        let sekoia =
            Sekoia::new(sekoia.region, sekoia.api_url, sekoia.key, sekoia.candidates)?.timed(house.timing.calls);
        let health = Arc::new(Health::new(&chats));
        let bot = Bot::new(store, Arc::new(sekoia), chats, house.access, house.approval, house.timing);
        let bot = bot.reached_at(house.public_url);
        let bot = Arc::new(bot);
        let (tasks, intake) = (TaskTracker::new(), Arc::<Intake>::default());
        let platforms = platforms(Responder::new(Arc::clone(&bot), tasks.clone()), Arc::clone(&intake));
        let platforms = platforms.merge(server::hooks(Hooks {
            bot: Arc::clone(&bot),
            intake: Arc::clone(&intake),
            waiting: Arc::default(),
        }));
        let router = server::router(platforms, Arc::clone(&health), Arc::clone(&intake));
        let watcher = Watcher::new(Arc::clone(&bot), move || Live::new(live_url.clone(), key.clone()));
        Ok(Self { router, bot, health, intake, tasks, watcher })
    }

    /// How often the loops beside the requests went round, for tests that wait for that.
    pub fn rounds(&self) -> Arc<Rounds> {
        Arc::clone(self.bot.rounds())
    }

    /// The bot inside, for benches that prepare its sessions.
    pub fn bot(&self) -> &Bot {
        &self.bot
    }

    /// Serves until `stop`, then finishes what it acknowledged.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let Self { router, bot, health, intake, tasks, watcher } = self;
        let (stopping, stopped) = (CancellationToken::new(), CancellationToken::new());
        // Made before the listener is served: it knows by the time what came before.
        let worker = tokio::spawn(Worker::new(Arc::clone(&bot)).run(stopped.clone()));
        let watching = tokio::spawn(watcher.run(stopped.clone()));
        let watch = tokio::spawn({
            let (bot, stopped) = (Arc::clone(&bot), stopped.clone());
            async move { health.watch(&bot, stopped).await }
        });
        let refused = tokio::spawn({
            let (intake, stopped) = (Arc::clone(&intake), stopped.clone());
            async move { intake.refused.log(stopped).await }
        });
        let serving = server::serve(listener, router, Bounds::of_process(), intake, stopping.clone());
        let late = async {
            stop.await;
            info!("stopping: no new requests, the acknowledged ones are finished");
            stopping.cancel();
            tokio::time::sleep(LAST_REQUESTS).await;
        };
        tokio::select! {
            () = serving => {}
            () = late => warn!("connections that do not end are left"),
        }
        tasks.close();
        if tokio::time::timeout(LAST_ANSWERS, tasks.wait()).await.is_err() {
            warn!(left = tasks.len(), "answers are still under way; changes are taken up after the restart");
        }
        stopped.cancel();
        if tokio::time::timeout(LAST_CALLS, watching).await.is_err() {
            warn!("the watch over Sekoia does not end; the next process continues where it was");
        }
        if tokio::time::timeout(LAST_CALLS, worker).await.is_err() {
            warn!("the worker is still busy; pending messages are sent after the restart");
        }
        watch.abort();
        let _ = refused.await;
        bot.sessions().store().close().await;
        info!("stopped");
        Ok(())
    }
}

/// TLS clients need a provider before they are built; a second install is the same.
fn one_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl StoreConfig {
    /// The keys that are configured; otherwise those beside the file, made if there are none.
    pub fn keys(&self) -> anyhow::Result<Vec<SecretSlice<u8>>> {
        match (&self.keys, &self.place) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, StorePlace::Memory) => Ok(vec![keyfile::new_key()]),
            (None, StorePlace::Sqlite(path)) => keyfile::beside(path),
        }
    }
}

/// Opens the store that is configured.
pub async fn open_store(config: &StoreConfig, keys: &[SecretSlice<u8>]) -> anyhow::Result<Arc<dyn Store>> {
    match &config.place {
        StorePlace::Memory => Ok(Arc::new(MemoryStore::new(Chain::new(keys)))),
        StorePlace::Sqlite(path) => {
            let opened = SqliteStore::open(path, Chain::new(keys)).await;
            let cannot = || format!("Cannot open the store {}", path.display());
            Ok(Arc::new(opened.with_context(cannot)?))
        }
    }
}
