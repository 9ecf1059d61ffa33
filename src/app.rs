//! The composition root: a configuration becomes a running bot, and stops in order.

#[cfg(feature = "demo")]
pub mod demo;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use futures_util::future::{BoxFuture, join, join_all};
use secrecy::SecretSlice;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use crate::bot::doctor::Surroundings;
use crate::bot::{Bot, Identities, Responder, Rounds, Watcher, Worker};
use crate::chat::diagnosis::Check;
use crate::chat::text::count;
use crate::chat::{ChatPlatform, Chats};
use crate::config::{Config, Faults, OidcConfig, SekoiaConfig, SlackWayIn, StoreConfig, StorePlace};
use crate::domain::access::Policy;
use crate::domain::approval;
use crate::pace::Share;
use crate::platform::identity::{Pages, Provider, examination};
use crate::platform::intake::Intake;
use crate::platform::mattermost::seal::Sealer;
use crate::platform::mattermost::{self, Mattermost, MattermostClient};
use crate::platform::sekoia_webhook::Hooks;
use crate::platform::slack::{self, Down, Opener, Slack, SlackClient, SocketMode};
use crate::sekoia::live::Live;
use crate::sekoia::{Sekoia, Site};
use crate::server::health::Health;
use crate::server::metrics::{self, Exposition};
use crate::server::{self, Bounds, Surface};
use crate::state::templates::Templates;
use crate::store::audit::Chain;
use crate::store::postgres::is_misconfigured;
use crate::store::{Measured, MemoryStore, PostgresStore, SqliteStore, Store, keyfile, moving};
use crate::telemetry::{Metrics, build, trace};
use crate::timing::Timing;
use crate::timing::program::{LAST_ANSWERS, LAST_CALLS, LAST_MOMENT, LAST_REQUESTS};

/// Everything, built and not started.
pub struct App {
    surface: Surface,
    bot: Arc<Bot>,
    health: Arc<Health>,
    intake: Arc<Intake>,
    tasks: TaskTracker,
    watcher: Watcher,
    listeners: Vec<Listener>,
    /// Where people prove who they are.
    provider: Option<Arc<Provider>>,
    /// Asks Slack for WebSockets, in Socket Mode.
    opener: Option<Arc<Opener>>,
    metrics: Arc<Metrics>,
    /// Where Prometheus reads.
    exposed: Option<TcpListener>,
    /// Says that this process is there, until it leaves the others.
    beating: Option<JoinHandle<()>>,
    leaving: CancellationToken,
}

/// What listens to a chat platform by a connection of its own, until the token is cancelled.
type Listener = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// The ways in from the chat platforms.
struct WaysIn {
    routes: Router,
    listeners: Vec<Listener>,
}

/// What is the same on every chat platform.
struct House {
    access: Policy,
    approval: approval::Policy,
    timing: Timing,
    public_url: Option<Url>,
    oidc: Option<OidcConfig>,
    /// The folder of plan templates.
    plans: Option<PathBuf>,
    retention: Option<Duration>,
    metrics: Arc<Metrics>,
    /// The part of the limits that is this process's.
    share: Arc<Share>,
    surroundings: Surroundings,
}

impl App {
    /// Builds everything. Nothing is called yet: a Slack or Sekoia that does not answer does not
    /// keep the bot from starting.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let keys = config.store.keys()?;
        let store = open_store(&config.store, &keys).await?;
        refuse_half_copy(&*store).await?;
        let mut app = Self::with_store(config, store, &keys)?;
        app.begin_to_count();
        Ok(app)
    }

    /// From here on, other processes on the same store know of this one: before anything is called whose
    /// limits they share. Benches that do not serve call it themselves.
    pub fn begin_to_count(&mut self) {
        let (bot, leaving) = (Arc::clone(&self.bot), self.leaving.clone());
        self.beating.get_or_insert_with(|| tokio::spawn(bot.count_replicas(leaving)));
    }

    /// `keys`: those that the store's records are sealed with; others are derived from them.
    pub fn with_store(config: Config, store: Arc<dyn Store>, keys: &[SecretSlice<u8>]) -> anyhow::Result<Self> {
        one_tls_provider();
        let metrics = match config.metrics_listen {
            Some(_) => Arc::new(Metrics::on(build::NUMBER, build::commit().unwrap_or("unknown"))),
            None => Arc::default(),
        };
        let share = Arc::<Share>::default();
        let slack = match &config.slack {
            Some(slack) => {
                let (store, calls) = (Arc::clone(&store), config.timing.calls);
                Some((
                    Arc::new(SlackClient::new(slack, store, calls, Arc::clone(&metrics), Arc::clone(&share))?),
                    slack,
                ))
            }
            None => None,
        };
        let mattermost = match &config.mattermost {
            Some(on) => Some((
                Arc::new(MattermostClient::new(on, Sealer::new(keys), Arc::clone(&metrics), Arc::clone(&share))?),
                on,
            )),
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
        let opener = slack.as_ref().and_then(|(client, _)| client.opener().cloned());
        let dialer = config.sekoia.network.dialer()?;
        let surroundings = Surroundings {
            settings: unusual(&config.unusual()).into_iter().chain(kept_for(config.retention)).collect(),
            network: config.sekoia.network.clone(),
            called: config.is_called(),
            metrics: config.metrics_listen,
            identity: None,
        };
        let Config { access, approval, timing, public_url, oidc, retention, .. } = config;
        let (asked, counting) = (opener.clone(), Arc::clone(&metrics));
        let plans = config.plans;
        let house =
            House { access, approval, timing, public_url, oidc, plans, retention, metrics, share, surroundings };
        let app = Self::around(config.sekoia, house, store, chats, |responder, intake, tasks| {
            let (mut routes, mut listeners) = (Router::new(), Vec::<Listener>::new());
            if let Some((client, config)) = slack {
                let sockets = Arc::clone(client.sockets());
                let slack = Arc::new(Slack::new(client, responder.clone(), Arc::clone(&intake)));
                match (&config.way_in, asked) {
                    (SlackWayIn::Http { signing_secret }, _) => {
                        let slack = slack::Routes::new(slack, signing_secret);
                        routes = routes.merge(server::slack(Arc::new(slack)));
                    }
                    (SlackWayIn::SocketMode { .. }, opener) => {
                        let mode = opener.map(|opener| {
                            let (times, tasks) = (timing.socket_mode, tasks.clone());
                            SocketMode::new(slack, opener, dialer.clone(), sockets, times, tasks, counting)
                        });
                        listeners.extend(mode.map(|mode| -> Listener { Box::new(|stop| Box::pin(mode.run(stop))) }));
                    }
                }
            }
            if let Some((client, config)) = mattermost {
                let (client_heard, heard_by) = (Arc::clone(&client), responder.clone());
                let listener = mattermost::Listener::new(client_heard, config, heard_by, dialer, timing.watch);
                listeners.push(Box::new(|stop| Box::pin(listener.run(stop))));
                if !config.only_mentions() {
                    let mattermost = Mattermost::new(client, config, responder, intake);
                    routes = routes.merge(server::mattermost(Arc::new(mattermost)));
                }
            }
            WaysIn { routes, listeners }
        })?;
        Ok(Self { opener, ..app })
    }

    /// Whether Slack refuses a WebSocket for a reason that only other settings remove.
    pub async fn refused_socket_mode(&self) -> Option<Down> {
        let refused = self.opener.as_ref()?.check().await.err()?;
        Some(refused).filter(Down::is_for_good)
    }

    /// Where people prove who they are, if that is configured.
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_deref()
    }

    /// Everything that does not depend on the chat platforms.
    fn around(
        sekoia: SekoiaConfig,
        house: House,
        store: Arc<dyn Store>,
        chats: Chats,
        ways_in: impl FnOnce(Responder, Arc<Intake>, &TaskTracker) -> WaysIn,
    ) -> anyhow::Result<Self> {
        let (live_url, key, dialer) = (sekoia.live_url, sekoia.key.clone(), sekoia.network.dialer()?);
        let site = Site { region: sekoia.region, api: sekoia.api_url, app: sekoia.app_url };
        let metrics = house.metrics;
        let store: Arc<dyn Store> =
            if metrics.is_on() { Arc::new(Measured::new(store, Arc::clone(&metrics))) } else { store };
        let sekoia = Sekoia::new(site, sekoia.key, sekoia.candidates, &sekoia.network)?.timed(house.timing.calls);
        let sekoia = sekoia.sharing(Arc::clone(&house.share)).measured(Arc::clone(&metrics));
        let health = Arc::new(Health::new(&chats, house.timing.reach));
        let bot = Bot::new(store, Arc::new(sekoia), chats, house.access, house.approval, house.timing);
        let bot = bot
            .reached_at(house.public_url)
            .with_templates(house.plans.map(Templates::new))
            .forgetting_after(house.retention);
        let identities = house
            .oidc
            .as_ref()
            .map(|oidc| Identities { public_url: oidc.public_url.clone(), subjects: oidc.subjects.clone() });
        let provider = house.oidc.map(Provider::new).transpose()?.map(Arc::new);
        let surroundings = Surroundings { identity: provider.clone().map(examination), ..house.surroundings };
        let bot =
            bot.sharing(house.share).measured(Arc::clone(&metrics)).surrounded_by(surroundings).proving(identities);
        let bot = Arc::new(bot);
        let (tasks, intake) = (TaskTracker::new(), Arc::<Intake>::default());
        let responder = Responder::new(Arc::clone(&bot), tasks.clone());
        let WaysIn { routes, listeners } = ways_in(responder, Arc::clone(&intake), &tasks);
        let mut routes = routes;
        if let Some(provider) = &provider {
            routes = routes.merge(server::identity(Pages {
                bot: Arc::clone(&bot),
                provider: Arc::clone(provider),
                intake: Arc::clone(&intake),
                tasks: tasks.clone(),
            }));
        }
        let routes = routes.merge(server::hooks(Hooks {
            bot: Arc::clone(&bot),
            intake: Arc::clone(&intake),
            waiting: Arc::default(),
        }));
        let mut router = server::router(routes, Arc::clone(&health), Arc::clone(&intake));
        if trace::is_exported() {
            router = server::traced(router);
        }
        let surface = Surface::new(router, Arc::clone(&intake), Arc::clone(&metrics));
        let watcher =
            Watcher::new(Arc::clone(&bot), move || Live::new(live_url.clone(), key.clone()).through(dialer.clone()));
        Ok(Self {
            surface,
            bot,
            health,
            intake,
            tasks,
            watcher,
            listeners,
            provider,
            opener: None,
            metrics,
            exposed: None,
            beating: None,
            leaving: CancellationToken::new(),
        })
    }

    /// How often the loops beside the requests went round, for tests that wait for that.
    pub fn rounds(&self) -> Arc<Rounds> {
        Arc::clone(self.bot.rounds())
    }

    /// The bot inside, for benches that prepare its sessions.
    pub fn bot(&self) -> &Bot {
        &self.bot
    }

    /// With Prometheus reading on this listener while the bot serves.
    #[must_use]
    pub fn exposed_on(self, listener: Option<TcpListener>) -> Self {
        Self { exposed: listener, ..self }
    }

    /// What is counted, for benches that fill it.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What chat platforms, Sekoia and probes call.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// What Prometheus reads.
    pub fn exposition(&self) -> Surface {
        let (bot, health) = (Arc::clone(&self.bot), Arc::clone(&self.health));
        let shown = Exposition::new(Arc::clone(&self.metrics), bot, health, Arc::clone(&self.intake));
        Surface::new(shown.router(), Arc::default(), Arc::default())
    }

    /// Serves until `stop`, then finishes what it acknowledged.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.begin_to_count();
        let (stopping, stopped) = (CancellationToken::new(), CancellationToken::new());
        let exposition = self.exposition();
        let Self { surface, bot, health, intake, tasks, watcher, listeners, exposed, beating, leaving, .. } = self;
        // To the end: what is finished after the stop is counted too.
        let exposing =
            exposed.map(|listener| tokio::spawn(server::serve(listener, exposition, metrics::BOUNDS, stopped.clone())));
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
        let listening = listeners.into_iter().map(|listener| tokio::spawn(listener(stopping.clone())));
        let listening = join_all(listening.collect::<Vec<_>>());
        let serving = server::serve(listener, surface, Bounds::of_process(), stopping.clone());
        let late = async {
            stop.await;
            info!("stopping: no new requests, the acknowledged ones are finished");
            stopping.cancel();
            tokio::time::sleep(LAST_REQUESTS).await;
        };
        tokio::select! {
            _ = join(serving, listening) => {}
            () = late => warn!("connections that do not end are left"),
        }
        tasks.close();
        if tokio::time::timeout(LAST_ANSWERS, tasks.wait()).await.is_err() {
            warn!(left = tasks.len(), "answers are still under way; changes are taken up after the restart");
        }
        stopped.cancel();
        let last_calls = |task| tokio::time::timeout(LAST_CALLS, task);
        let (watched, worked) = join(last_calls(watching), last_calls(worker)).await;
        if watched.is_err() {
            warn!("the watch over Sekoia does not end; the next process continues where it was");
        }
        if worked.is_err() {
            warn!("the worker is still busy; pending messages are sent after the restart");
        }
        watch.abort();
        if let Some(exposing) = exposing
            && tokio::time::timeout(LAST_MOMENT, exposing).await.is_err()
        {
            warn!("a connection to the metrics does not end; it is left");
        }
        let _ = refused.await;
        leaving.cancel();
        if let Some(beating) = beating
            && tokio::time::timeout(LAST_MOMENT, beating).await.is_err()
        {
            warn!("the store does not take leave; the others count this process for a while");
        }
        if tokio::time::timeout(LAST_MOMENT, bot.sessions().store().close()).await.is_err() {
            warn!("the store does not close; what was committed is in it");
        }
        info!("stopped");
        Ok(())
    }
}

/// TLS clients need a provider before they are built; a second install is the same.
fn one_tls_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// How long personal values are kept, if that is set.
pub fn kept_for(retention: Option<Duration>) -> Option<Check> {
    let days = usize::try_from(retention?.as_secs() / (24 * 60 * 60)).unwrap_or(usize::MAX);
    let after = count(days, "day", "days");
    let found = format!("Personal values that are not in force any more are erased after {after}.");
    Some(Check::pass("config.retention", "Settings: retention", &found))
}

/// What is unusual in the settings, as `doctor` shows it; or that nothing is.
pub fn unusual(found: &[String]) -> Vec<Check> {
    let is_secret = |name: &str| ["_SECRET", "_TOKEN"].iter().any(|end| name.ends_with(end));
    let checks = found.iter().map(|what| {
        let name = what.split_whitespace().next().unwrap_or_default();
        if !is_secret(name) {
            let advice = format!("Remove {name}, or set what it goes with.");
            return Check::warn("config.effect", "Settings: no effect", &format!("{what}."), &advice);
        }
        let advice = format!("Compare {name} with what the platform shows, and set it again if it is another one.");
        Check::warn("config.secrets", "Settings: form of secrets", &format!("{what}."), &advice)
    });
    let mut checks: Vec<Check> = checks.collect();
    if checks.iter().all(|check| check.id != "config.secrets") {
        let usual = "Every secret has the usual form.";
        checks.insert(0, Check::pass("config.secrets", "Settings: form of secrets", usual));
    }
    checks
}

impl StoreConfig {
    /// The keys that are configured; otherwise those beside the file, made if there are none.
    pub fn keys(&self) -> anyhow::Result<Vec<SecretSlice<u8>>> {
        match (&self.keys, &self.place) {
            (Some(keys), _) => Ok(keys.clone()),
            // Its configuration is read only with keys.
            (None, StorePlace::Postgres(_)) => bail!("CHATOPS_SECRET_KEY is missing"),
            (None, StorePlace::Memory) => Ok(vec![keyfile::new_key()]),
            (None, StorePlace::Sqlite(path)) => keyfile::beside(path),
        }
    }
}

/// Opens the store that is configured.
pub async fn open_store(config: &StoreConfig, keys: &[SecretSlice<u8>]) -> anyhow::Result<Arc<dyn Store>> {
    open_place("CHATOPS_STORE", &config.place, keys).await
}

/// Opens the store that `name` names.
pub async fn open_place(name: &str, place: &StorePlace, keys: &[SecretSlice<u8>]) -> anyhow::Result<Arc<dyn Store>> {
    match place {
        StorePlace::Memory => Ok(Arc::new(MemoryStore::new(Chain::new(keys)))),
        StorePlace::Sqlite(path) => {
            let opened = SqliteStore::open(path, Chain::new(keys)).await;
            let cannot = || format!("Cannot open the store {}", path.display());
            Ok(Arc::new(opened.with_context(cannot)?))
        }
        StorePlace::Postgres(place) => {
            one_tls_provider();
            match PostgresStore::open(place.options.clone(), place.limits, Chain::new(keys)).await {
                Ok(store) => Ok(Arc::new(store)),
                Err(error) if is_misconfigured(&error) => Err(Faults::one(name, error).into()),
                Err(error) => Err(error).with_context(|| format!("Cannot open the store {place}")),
            }
        }
    }
}

/// A store that a copy was begun to lacks work and history: nothing may be done by it. One that does not
/// answer yet is served as ever.
async fn refuse_half_copy(store: &dyn Store) -> anyhow::Result<()> {
    if matches!(moving::is_half_copy(store).await, Ok(true)) {
        bail!(
            "This store is half a copy: `sekoia-chatops store copy` to it did not end. Run the same command again, or set CHATOPS_STORE to another store"
        );
    }
    Ok(())
}
