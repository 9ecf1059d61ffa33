//! `sandbox`: an embedded Sekoia, to try the bot against.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use super::{asked_to_stop, env, start_logging};
use crate::config::LogConfig;
use crate::sandbox::{Options, Sandbox, Tenant, Writes, serve};

#[derive(clap::Args)]
pub struct Args {
    /// Where to listen; its keys are printed, so it must be a loopback address
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// A bank with three units, or one company
    #[arg(long, value_enum, default_value = "multi")]
    tenant: Tenant,
    /// Another seed makes other people and other identifiers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whether API keys may create and revoke, which Sekoia documents for invitations only
    #[arg(long, value_enum, default_value = "accepted")]
    writes: Writes,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    start_logging(&LogConfig::read(env)?);
    if !args.listen.ip().is_loopback() {
        bail!("{} is not a loopback address: the sandbox prints its keys and takes faults from anybody", args.listen);
    }
    let options = Options { tenant: args.tenant, seed: args.seed, writes: args.writes };
    let sandbox = Sandbox::new(options, jiff::Timestamp::now());
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("Cannot listen on {}", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Embedded Sekoia on {url}\n\nKeys:");
    for token in sandbox.tokens() {
        println!("  {:<8} {}\n           {}", token.name, token.value, token.what);
    }
    println!("\nPoint the bot at it:\n  export SEKOIA_API_URL={url} SEKOIA_API_KEY={}", sandbox.token("admin"));
    println!(
        "\nFaults on demand, for example:\n  curl -X POST {url}/_sandbox/faults -H 'content-type: application/json' \\\n    -d '{{\"path\":\"/licenses\",\"times\":1,\"kind\":\"status\",\"code\":503}}'"
    );
    serve(listener, sandbox, asked_to_stop()).await.context("The sandbox stopped")
}
