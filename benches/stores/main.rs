//! What the stores cost, SQLite and PostgreSQL in one run: changes that are acknowledged, against a bare
//! loop that writes the same rows; the same commands with few and with many sessions; one process and
//! two on one database.
//!
//! `cargo bench --bench stores` measures everything, `-- changes`, `-- growth` or `-- replicas` one of them.
//! PostgreSQL is Debian's, in a temporary cluster that writes to the disk as it does by default; or the
//! server that `STAGES_ON` names (`postgres://…/database?…`). SQLite has the bot's own settings.

mod bare;
mod changes;
mod chat;
mod growth;
mod place;
mod processes;
mod replicas;
mod seed;

#[path = "../../tests/harness/postgres.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod postgres;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other benches need more of it")]
mod support;

use place::Places;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let places = Places::open().await;
        if is_wanted("changes") {
            changes::measure(&places).await;
        }
        if is_wanted("growth") {
            growth::measure(&places).await;
        }
        if is_wanted("replicas") {
            replicas::measure(&places).await;
        }
    });
}

/// The middle one, and the range.
fn median(mut of: Vec<f64>) -> (f64, f64, f64) {
    of.sort_by(f64::total_cmp);
    (of[of.len() / 2], of[0], of[of.len() - 1])
}

/// So many of a hundred are not above it.
fn percentile(sorted: &[f64], of_hundred: usize) -> f64 {
    sorted[(sorted.len() * of_hundred / 100).min(sorted.len() - 1)]
}
