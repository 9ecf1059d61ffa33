//! What measuring costs: `GET /metrics` with everything counted that there is, and the CPU of a signed
//! `/sekoia status` with and without it, in one run.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use sekoia_chatops::command::TABLE;
use sekoia_chatops::server::Surface;
use tokio::runtime::{Builder, Runtime};

use support::{Synthetic, app, request, slack};

const ROUNDS: usize = 41;
const REQUESTS: usize = 2_000;
const SCRAPES: usize = 200;
/// More operations of Sekoia than the bot has.
const OPERATIONS: usize = 60;

fn main() {
    // One thread: what is measured is the CPU's time, and nothing else runs meanwhile.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    scrape(&runtime);
    status(&runtime);
}

/// `/metrics`, with every label that there may be.
fn scrape(runtime: &Runtime) {
    let app = runtime.block_on(async { app(&slack().await, Arc::new(Synthetic), Some(([127, 0, 0, 1], 0).into())) });
    let (metrics, some) = (app.metrics(), Duration::from_millis(7));
    for route in ["/slack/commands", "/slack/interactivity", "/slack/events", "/readyz", "other"] {
        for status in [200, 401, 404, 408, 413, 400, 503, 500] {
            metrics.request(route, status, some);
        }
    }
    for platform in ["slack", "mattermost"] {
        for spec in TABLE {
            metrics.command(platform, spec.name);
        }
        for operation in 0..30 {
            for outcome in ["ok", "limited", "unavailable", "token", "forbidden", "rejected", "refused"] {
                metrics.chat(platform, &format!("operation.{operation}"), outcome, some);
            }
        }
    }
    for operation in 0..OPERATIONS {
        // As static as the names of the bot's own operations.
        let operation: &'static str = Box::leak(format!("/v1/some/thing/{operation}/{{id}}").into_boxed_str());
        for status in ["2xx", "401", "403", "404", "429", "5xx", "timeout"] {
            metrics.sekoia("GET", operation, status, some);
        }
    }
    for operation in ["commit", "load", "streams", "due", "find", "lease", "history", "forget", "probe", "maintain"] {
        for error in [None, Some("database"), Some("busy"), Some("unsettled")] {
            metrics.store(operation, error, some);
        }
    }
    for source in ["alert", "alert updated", "case", "silent", "playbook", "connector", "webhook"] {
        metrics.notification(source, some);
    }
    let exposition = app.exposition();
    let mut size = 0;
    let mut times: Vec<Duration> = (0..SCRAPES)
        .map(|_| {
            let began = Instant::now();
            size = runtime.block_on(async {
                let request = Request::get("/metrics").body(Body::empty()).expect("a request");
                let answer = exposition.answer(request).await;
                to_bytes(answer.into_body(), usize::MAX).await.expect("a body").len()
            });
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("/metrics: {:?} at the median, {:?} at most, {} KiB", times[SCRAPES / 2], times[SCRAPES - 1], size / 1024);
}

/// One request after the other, some with and some without being measured.
fn status(runtime: &Runtime) {
    let bot = |measured: bool| {
        runtime.block_on(async {
            let listen = measured.then(|| ([127, 0, 0, 1], 0).into());
            let app = app(&slack().await, Arc::new(Synthetic), listen);
            for i in 0..10 {
                app.surface().answer(request(i)).await;
            }
            // People and channels are asked about once.
            tokio::time::sleep(Duration::from_millis(500)).await;
            app
        })
    };
    let (without, with) = (bot(false), bot(true));
    let mut ratios = Vec::with_capacity(ROUNDS);
    let mut least = [Duration::MAX; 2];
    for round in 0..ROUNDS {
        // Whoever comes first may find a cold cache.
        let mut both = [(0, &without), (1, &with)];
        if round % 2 == 1 {
            both.reverse();
        }
        let mut took = [Duration::ZERO; 2];
        for (which, app) in both {
            took[which] = requests(runtime, app.surface());
            least[which] = least[which].min(took[which]);
        }
        ratios.push(took[1].as_secs_f64() / took[0].as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let each = |took: Duration| took / u32::try_from(REQUESTS).unwrap_or(u32::MAX);
    println!(
        "status: measured / not measured = {:.4} at the median of {ROUNDS} rounds; at best {:?} / {:?} a request",
        ratios[ROUNDS / 2],
        each(least[1]),
        each(least[0]),
    );
}

/// How much CPU so many requests take.
fn requests(runtime: &Runtime, surface: &Surface) -> Duration {
    let all: Vec<_> = (0..REQUESTS).map(|i| request(i % 10)).collect();
    runtime.block_on(async {
        let began = cpu();
        for request in all {
            let answer = surface.answer(request).await;
            assert!(answer.status().is_success());
            to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        }
        cpu().saturating_sub(began)
    })
}

/// What this thread used: others that run on the machine do not count.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
