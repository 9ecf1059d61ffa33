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
    start_logging(&LogConfig::read(env)?, None);
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
    let live = url.replacen("http", "ws", 1);
    println!(
        "\nPoint the bot at it:\n  export SEKOIA_API_URL={url} SEKOIA_LIVE_URL={live}/live/ SEKOIA_API_KEY={}",
        sandbox.token("admin")
    );
    println!(
        "\nFaults on demand, for example:\n  curl -X POST {url}/_sandbox/faults -H 'content-type: application/json' \\\n    -d '{{\"path\":\"/licenses\",\"times\":1,\"kind\":\"status\",\"code\":503}}'"
    );
    println!(
        "\nAn alert arrives, an intake falls silent, a playbook fails, a storm (and what Sekoia's own rules send):\n  \
         curl -X POST {url}/_sandbox/events -d '{{\"event\":\"alert\",\"urgency\":90}}'\n  \
         curl -X POST {url}/_sandbox/events -d '{{\"event\":\"intake_silent\",\"minutes\":60}}'\n  \
         curl -X POST {url}/_sandbox/events -d '{{\"event\":\"playbook_fails\",\"times\":5}}'\n  \
         curl -X POST {url}/_sandbox/events -d '{{\"event\":\"storm\",\"count\":200}}'\n  \
         curl -X POST {url}/_sandbox/webhooks -d '{{\"url\":\"http://127.0.0.1:8080/hooks/sekoia/TOKEN\"}}'\n\n\
         What the LiveAPI does wrong: live_deny, live_stall, live_close, live_cut, live_garbage, live_binary,\n\
         live_huge, live_old, live_twice, live_swap, live_drop, for example:\n  \
         curl -X POST {url}/_sandbox/faults -d '{{\"kind\":\"live_stall\",\"times\":1}}'"
    );
    serve(listener, sandbox, asked_to_stop()).await.context("The sandbox stopped")
}
