//! `doctor`: whether the settings work with the services that they name.
//!
//! `--json` prints one object. Fields may be added; those that there are keep their names and meaning:
//!
//! ```json
//! {
//!   "schema": 1,
//!   "version": "0.1.0",              // of the program that examined
//!   "at": "2026-11-27T18:00:00Z",
//!   "verdict": "fail",               // the worst of the checks: pass, warn or fail
//!   "passed": 20, "warned": 1, "failed": 1,
//!   "checks": [
//!     {
//!       "id": "slack.scopes",        // stable; a check that does not apply is not there
//!       "subject": "Slack: scopes",  // for people, as are found and advice
//!       "verdict": "fail",
//!       "found": "The app lacks chat:write.",
//!       "advice": "Add them under OAuth & Permissions …"   // null if it passes
//!     }
//!   ]
//! }
//! ```
//!
//! Exit codes: 0 if nothing fails, 1 if anything does, 2 if the settings have faults.

mod table;

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{env, environment, pairs};
use crate::bot::doctor::{Doctor, Reach};
use crate::chat::diagnosis::{Check, Diagnosis, Verdict, harmless};
use crate::chat::{ChatPlatform, Chats};
use crate::config::{Faults, Parts, PostgresPlace, SekoiaConfig, StoreConfig, StorePlace};
use crate::platform::identity::{Provider, examination};
use crate::platform::mattermost::MattermostClient;
use crate::platform::mattermost::seal::Sealer;
use crate::platform::slack::SlackClient;
use crate::resolve::is_loopback;
use crate::sekoia::{Sekoia, Site};
use crate::store::audit::Chain;
use crate::store::{MemoryStore, PostgresStore, SqliteStore, Store, keyfile, takes_files};

#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// What was found is printed: only the exit code is left to say.
#[derive(Debug, thiserror::Error)]
#[error("not everything works")]
pub struct Failed {
    pub code: u8,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = environment();
    let (parts, faults) = Parts::read_from(env, pairs(&environment));
    let diagnosis = examine(&parts, &faults).await?.without(&parts.secrets);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&diagnosis)?);
    } else {
        print!("{}", table::text(&diagnosis, table::width()));
    }
    match diagnosis.verdict {
        _ if !faults.is_empty() => Err(Failed { code: 2 }.into()),
        Verdict::Fail => Err(Failed { code: 1 }.into()),
        Verdict::Pass | Verdict::Warn => Ok(()),
    }
}

async fn examine(parts: &Parts, faults: &Faults) -> anyhow::Result<Diagnosis> {
    let store = match &parts.store {
        Some(config) => look(config).await,
        None => Err(Vec::new()),
    };
    let kept: Arc<dyn Store> = match &store {
        Ok(store) => Arc::clone(store),
        Err(_) => Arc::new(MemoryStore::new(Chain::new(&[keyfile::new_key()]))),
    };
    let mut chats: Vec<Arc<dyn ChatPlatform>> = Vec::new();
    if let Some(slack) = &parts.slack {
        let calls = crate::timing::Calls::default();
        chats.push(Arc::new(SlackClient::new(slack, kept, calls, Arc::default(), Arc::default())?));
    }
    if let Some(mattermost) = &parts.mattermost {
        // Nothing is shown that anybody could press.
        chats.push(Arc::new(MattermostClient::new(
            mattermost,
            Sealer::new(&[keyfile::new_key()]),
            Arc::default(),
            Arc::default(),
        )?));
    }
    let chats = Chats::new(chats);
    let sekoia = parts.sekoia.as_ref().map(client).transpose()?;
    let doctor = Doctor {
        settings: settings(parts, faults),
        store,
        sekoia: sekoia.as_ref(),
        // The key of a sandbox is not for Sekoia.
        probes_regions: parts.sekoia.as_ref().is_some_and(|sekoia| !is_loopback(&sekoia.api_url)),
        chats: &chats,
        access: &parts.access,
        approval: parts.approval.as_ref(),
        reach: Reach {
            url: parts.public_url.as_ref(),
            called: parts.is_called(),
            metrics: parts.metrics_listen,
            runs_at: parts.listen,
            network: &parts.network,
        },
        identity: parts.oidc.clone().map(Provider::new).transpose()?.map(|provider| examination(Arc::new(provider))),
    };
    Ok(doctor.examine().await)
}

fn client(config: &SekoiaConfig) -> anyhow::Result<Sekoia> {
    let SekoiaConfig { key, region, api_url, app_url, candidates, network, .. } = config;
    let site = Site { region: *region, api: api_url.clone(), app: app_url.clone() };
    Sekoia::new(site, key.expose_secret().into(), candidates.clone(), network)
}

/// What is wrong with the settings, and what is unusual in them.
fn settings(parts: &Parts, faults: &Faults) -> Vec<Check> {
    let (id, subject) = ("config", "Settings");
    let mut checks: Vec<Check> = faults
        .iter()
        .map(|fault| {
            let end = if fault.ends_with(['.', '?']) { "" } else { "." };
            Check::fail(id, subject, &format!("{fault}{end}"), "Correct it and run doctor again.")
        })
        .collect();
    if checks.is_empty() {
        checks.push(Check::pass(id, subject, "Every setting is understood."));
    }
    checks.extend(crate::app::unusual(&parts.unusual()));
    checks.extend(crate::app::kept_for(parts.retention));
    checks
}

/// The same of a database of a server.
async fn look_at_server(place: &PostgresPlace, config: &StoreConfig) -> Result<Arc<dyn Store>, Vec<Check>> {
    let Some(keys) = &config.keys else { return Err(Vec::new()) };
    let store = PostgresStore::to_look_at(place.options.clone(), place.limits, Chain::new(keys));
    match store.streams("session", None, 1).await {
        Ok(_) => Ok(Arc::new(store)),
        Err(_) => Err(store.examine().await),
    }
}

/// The store that is configured, opened to look at it; otherwise why it cannot be.
async fn look(config: &StoreConfig) -> Result<Arc<dyn Store>, Vec<Check>> {
    let (id, subject) = ("store.database", "Store: database");
    let path = match &config.place {
        StorePlace::Memory => return Ok(Arc::new(MemoryStore::new(Chain::new(&[keyfile::new_key()])))),
        StorePlace::Sqlite(path) => path,
        StorePlace::Postgres(place) => return look_at_server(place, config).await,
    };
    if !path.exists() {
        let found =
            format!("{} is not there yet: the bot makes it when it starts.", harmless(&path.display().to_string()));
        return Err(vec![match takes_files(path) {
            Ok(()) => Check::pass(id, subject, &found),
            Err(error) => {
                Check::fail(id, subject, &harmless(&error.to_string()), "Correct the folder and run doctor again.")
            }
        }]);
    }
    let keys = match &config.keys {
        Some(keys) => Ok(keys.clone()),
        None => keyfile::existing(path),
    };
    match keys {
        Ok(keys) => {
            let store = SqliteStore::to_look_at(path, Chain::new(&keys));
            match store.streams("session", None, 1).await {
                Ok(_) => Ok(Arc::new(store)),
                Err(_) => Err(store.examine().await),
            }
        }
        Err(error) => Err(vec![Check::fail(
            "store.key",
            "Store: key",
            &format!("{}.", harmless(&format!("{error:#}"))),
            "Put the key file back as the bot made it, or set CHATOPS_SECRET_KEY. Run doctor as the bot's own user.",
        )]),
    }
}
