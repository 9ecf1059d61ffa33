//! The command line: one file a subcommand. Exit codes: 0 good, 1 failed, 2 wrong usage or
//! configuration.

mod audit;
mod backup;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod env_file;
mod healthcheck;
mod history;
mod man;
mod manifest;
mod mattermost;
mod plan;
#[cfg(feature = "demo")]
mod sandbox;
mod serve;
mod store;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{Faults, LogConfig};
use crate::store::InUse;
use crate::telemetry::Otlp;

#[derive(Parser)]
#[command(name = "sekoia-chatops", version = version::text(), about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the bot; its settings come from the environment (see the documentation)
    Serve,
    /// Try the whole bot in a browser: a chat page, made-up people and an embedded Sekoia
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Run an embedded Sekoia to try the bot against, on a loopback address
    #[cfg(feature = "demo")]
    Sandbox(sandbox::Args),
    /// Check the settings against the services that they name, and say how to correct what does not work.
    /// Exit code 1 if anything fails, 2 if the settings have faults
    Doctor(doctor::Args),
    /// Print a chat platform's app manifest
    #[command(subcommand)]
    Manifest(manifest::Command),
    /// Set up a Mattermost server for the bot
    #[command(subcommand)]
    Mattermost(Box<mattermost::Command>),
    /// Check or export the history that the store holds
    #[command(subcommand)]
    Audit(audit::Command),
    /// Copy the store to a file, also while the bot runs
    Backup(backup::Args),
    /// Move everything to another store
    #[command(subcommand)]
    Store(store::Command),
    /// Check what a workspace should be before it is imported
    #[command(subcommand)]
    Plan(plan::Command),
    /// Say whether the bot on CHATOPS_LISTEN is ready; exit code 1 if not
    Healthcheck,
    /// Print a script that lets a shell complete this command line
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man(man::Args),
}

/// Wrong usage that only shows when the subcommand runs: nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(String);

/// Threads for what cannot wait without one: names that are looked up, pictures that are drawn.
const BLOCKING: usize = 32;

/// Parses the command line, runs it, and says how it went.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve => serve::run().await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(args).await,
            #[cfg(feature = "demo")]
            Command::Sandbox(args) => sandbox::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Manifest(command) => {
                manifest::run(&command);
                Ok(())
            }
            Command::Mattermost(command) => mattermost::run(*command).await,
            Command::Audit(command) => audit::run(command).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Store(command) => store::run(command).await,
            Command::Plan(command) => plan::run(command),
            Command::Healthcheck => healthcheck::run(),
            Command::Completions { shell } => completions::run(shell),
            Command::Man(args) => man::run(&args),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(faults) = error.downcast_ref::<Faults>() {
                eprintln!("error: the configuration is not complete or not right:\n{faults}");
                return ExitCode::from(2);
            }
            // What it found is printed.
            if let Some(failed) = error.downcast_ref::<doctor::Failed>() {
                return ExitCode::from(failed.code);
            }
            if let Some(in_use) = error.downcast_ref::<InUse>() {
                eprintln!("error: {in_use}");
                return ExitCode::from(2);
            }
            if let Some(unusable) = error.downcast_ref::<Unusable>() {
                eprintln!("error: {unusable}");
                return ExitCode::from(2);
            }
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// A variable of the environment; one that is not Unicode is shown with replacements, so that it
/// is reported as wrong rather than as missing.
fn env(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The whole environment, so that names which look like settings are checked.
fn environment() -> Vec<(String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// As the configuration wants it.
fn pairs(environment: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Starts logging to standard error, so that a subcommand's output stays its own; and sending spans, if there is
/// a collector.
fn start_logging(config: &LogConfig, otlp: Option<&Otlp>) {
    // Libraries that could write what they send or receive never get below warnings.
    let quiet = [
        "slack_morphism",
        "hyper",
        "hyper_util",
        "reqwest",
        "rustls",
        "sqlx",
        "h2",
        "tungstenite",
        "tokio_tungstenite",
    ];
    let filter =
        quiet.iter().fold(EnvFilter::new(&config.filter), |filter, library| match format!("{library}=warn").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        });
    // A second subscriber, as in a test, is not worth failing for.
    if let Some(otlp) = otlp {
        let log = fmt::layer().with_writer(std::io::stderr);
        let log = if config.json { log.json().flatten_event(true).boxed() } else { log.with_ansi(false).boxed() };
        let _ = tracing_subscriber::registry().with(log.with_filter(filter)).with(otlp.layer()).try_init();
        return;
    }
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ =
        if config.json { builder.json().flatten_event(true).try_init() } else { builder.with_ansi(false).try_init() };
}

/// Resolves when the process is asked to stop.
async fn asked_to_stop() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be caught");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
