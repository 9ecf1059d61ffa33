//! Signed `/sekoia status` through the real router, with few and with many sessions loaded; what
//! the parser and the renderer cost; and how much memory a session takes.

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use sekoia_chatops::chat::{ChannelKey, Words};
use sekoia_chatops::command::read;
use sekoia_chatops::state::sessions::Sessions;
use tokio::runtime::Runtime;

use support::{Synthetic, TEAM, app, request, slack};

fn channel(i: usize) -> ChannelKey {
    ChannelKey::slack(TEAM, &format!("C0PERF{i:06}"))
}

/// One request, with so many sessions loaded.
#[divan::bench(args = [10, 100_000])]
fn status(bencher: Bencher, count: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let surface = runtime.block_on(async {
        let app = app(&slack().await, Arc::new(Synthetic), None);
        for i in 0..count {
            app.bot().sessions().read(&channel(i)).await.expect("a session");
        }
        // People and channels are asked about once.
        for i in 0..10 {
            app.surface().answer(request(i)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        app.surface().clone()
    });
    bencher.with_inputs(|| request(rand::random_range(0..10))).bench_values(|request| {
        runtime.block_on(async {
            let answer = surface.answer(request).await;
            axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body")
        })
    });
}

#[divan::bench]
fn read_a_command(bencher: Bencher) {
    let typed = Words::Typed("skip notifications “we use our own alerting” because of <https://x.y|this>".into());
    bencher.bench(|| read(black_box(&typed), "slack").is_ok());
}

/// Not a time: resident memory a session, printed once.
fn memory() {
    const COUNT: usize = 100_000;
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let sessions = Sessions::new(Arc::new(Synthetic));
        let before = resident();
        for i in 0..COUNT {
            sessions.read(&channel(i)).await.expect("a session");
        }
        let each = (resident() - before) / COUNT;
        println!("memory: {each} bytes resident a session, {COUNT} sessions loaded");
    });
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) * 1024
}

fn main() {
    // Memory first: what the others free would be counted as room.
    memory();
    divan::main();
}
