//! `demo`: the bot, an embedded Sekoia and a chat page, in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use rand::RngExt as _;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{asked_to_stop, env, start_logging};
use crate::app::App;
use crate::app::demo::Demo;
use crate::config::{LogConfig, OidcConfig, SekoiaConfig, StoreConfig, StorePlace};
use crate::platform::web::{Origins, PEOPLE, WebChat, identities, subjects};
use crate::resolve::network::Network;
use crate::sandbox::identity::{Client, IdentityProvider};
use crate::sandbox::{self, Options, Sandbox, Tenant, Writes};
use crate::sekoia::Region;

#[derive(clap::Args)]
pub struct Args {
    /// Where the page listens: a loopback address, unless --reachable-as is given
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The host, with its port, under which browsers elsewhere reach the page. Everybody who does
    /// may speak as anybody in it
    #[arg(long, value_name = "HOST:PORT")]
    reachable_as: Option<String>,
    /// Keep the checklist, its history and the conversation in this SQLite file and beside it
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// A bank with three units, or one company
    #[arg(long, value_enum, default_value = "multi")]
    tenant: Tenant,
    /// Whether API keys may create and revoke, which Sekoia documents for invitations only
    #[arg(long, value_enum, default_value = "accepted")]
    writes: Writes,
    /// Another seed makes other people and other identifiers
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The template that the demo brings.
const BANK: &str = include_str!("../../manifests/plans/bank.toml");

pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut log = LogConfig::read(env)?;
    if env("CHATOPS_LOG").is_none() {
        // The page shows what happens.
        log.filter = "warn".into();
    }
    start_logging(&log, None);
    if !args.listen.ip().is_loopback() && args.reachable_as.is_none() {
        bail!(
            "{} is not a loopback address, and everybody who reaches the page may speak as anybody in it. \
             If that is meant, say under which name it is reached: --reachable-as HOST:PORT",
            args.listen
        );
    }
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!("Cannot listen on {}; choose another address, for example --listen 127.0.0.1:0", args.listen)
    })?;
    let address = listener.local_addr()?;

    let stopping = CancellationToken::new();
    let sandbox =
        Sandbox::new(Options { tenant: args.tenant, seed: args.seed, writes: args.writes }, jiff::Timestamp::now());
    let sekoia = TcpListener::bind("127.0.0.1:0").await.context("Cannot listen for the embedded Sekoia")?;
    let sekoia_address = sekoia.local_addr()?;
    let (sekoia_url, live_url) = (format!("http://{sekoia_address}"), format!("ws://{sekoia_address}/live/"));
    let sekoia_task = tokio::spawn(sandbox::serve(sekoia, Arc::clone(&sandbox), stopping.clone().cancelled_owned()));

    let _hold = args.store.as_deref().map(crate::store::hold).transpose()?;
    let transcript = args.store.as_ref().map(|file| file.with_extension("chat.json"));
    let chat = Arc::new(WebChat::open(transcript)?);
    let (place, kept) = match &args.store {
        Some(file) => {
            (StorePlace::Sqlite(file.clone()), format!("kept in {}; Sekoia itself begins anew", file.display()))
        }
        None => (StorePlace::Memory, "in memory, gone when you stop it; keep it with --store FILE".to_owned()),
    };
    let reached = args.reachable_as.clone().unwrap_or_else(|| address.to_string());
    // Proofs are for encrypted addresses and this machine's own.
    let oidc = match args.reachable_as {
        None => Some(identity_provider(&reached, stopping.clone()).await?),
        Some(_) => None,
    };
    let signs_in = oidc.as_ref().map(|oidc| oidc.issuer.clone());
    let plans = tempfile::tempdir().context("Cannot make a folder for the templates of plans")?;
    std::fs::write(plans.path().join("bank.toml"), BANK).context("Cannot write the template of a plan")?;
    let app = App::demo(Demo {
        plans: plans.path().to_owned(),
        sekoia: SekoiaConfig {
            key: SecretString::from(sandbox.token("admin").to_owned()),
            region: Region::Fra1,
            api_url: sekoia_url.parse().context("The embedded Sekoia has no address")?,
            live_url: live_url.parse().context("The embedded Sekoia has no address")?,
            app_url: "https://app.sekoia.io".parse().context("FRA1's app has no address")?,
            candidates: Vec::new(),
            network: Network::default(),
        },
        sandbox,
        store: StoreConfig { place, keys: None },
        chat: Arc::clone(&chat),
        oidc,
        public_url: format!("http://{reached}").parse().context("--reachable-as takes HOST:PORT")?,
        origins: Origins::new(address, args.reachable_as.as_deref()),
        kept: match args.store {
            Some(_) => "Everybody and everything here is made up. What you do is kept on this machine.".into(),
            None => {
                "Everybody and everything here is made up, and kept in memory only: it is gone when the demo stops."
                    .into()
            }
        },
    })
    .await?;
    let people = PEOPLE.map(|p| format!("{} {}", p.name, p.may)).join(", ");
    let sign_in = match signs_in {
        Some(issuer) => format!("embedded, {issuer}; who approves a new API key proves there who they are"),
        None => "off: people prove who they are only where the page is opened on this machine".to_owned(),
    };
    println!(
        "Open http://{reached}/ in a browser. Ctrl-C stops.\n\n  People  {people}\n  Sekoia  embedded, {sekoia_url}\n  Sign-in {sign_in}\n  Data    {kept}"
    );
    let stop = {
        let chat = Arc::clone(&chat);
        async move {
            asked_to_stop().await;
            // Streams never end by themselves.
            chat.close();
        }
    };
    let served = app.serve(listener, stop).await;
    chat.finish();
    stopping.cancel();
    let _ = sekoia_task.await;
    served
}

/// The demo's own identity provider, which knows everybody in it; how the bot uses it.
async fn identity_provider(reached: &str, stopping: CancellationToken) -> anyhow::Result<OidcConfig> {
    let listener =
        TcpListener::bind("127.0.0.1:0").await.context("Cannot listen for the embedded identity provider")?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let (id, secret) = ("sekoia-chatops-demo".to_owned(), hex::encode(rand::rng().random::<[u8; 16]>()));
    let client = Client {
        id: id.clone(),
        secret: secret.clone(),
        redirect_uri: format!("http://{reached}/oidc/callback").parse().context("The page has no address")?,
    };
    let provider = IdentityProvider::new(issuer.parse().context("It has no address")?, client, identities())?;
    let serving = axum::serve(listener, provider.router()).with_graceful_shutdown(stopping.cancelled_owned());
    tokio::spawn(async move { serving.await });
    Ok(OidcConfig {
        issuer,
        client_id: id,
        client_secret: SecretString::from(secret),
        acr: Vec::new(),
        subjects: subjects(),
        public_url: format!("http://{reached}").parse().context("The page has no address")?,
        network: Network::default(),
    })
}
