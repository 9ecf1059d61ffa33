//! Everything that is not about SQLite's file, once more on PostgreSQL: this program runs itself.

use std::process::{Command, Output};

use crate::harness::postgres::{Cluster, STAGES_ON};

/// What has nothing to do with a store, needs more than a server, or is about a file.
const APART: &[&str] = &[
    "on_postgres",
    "browser",
    "real_mattermost",
    "kill",
    "backup",
    "install",
    "packages",
    "settings",
    "book",
    "core",
    // Whoever lacks the lease of the background work leaves the checklist to who has it.
    "restart::a_checklist_follows_a_decision_whose_process_ended_at_once",
];

async fn run(cluster: &Cluster, args: &[&str]) -> Output {
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.env(STAGES_ON, cluster.url("postgres")).args(args);
    tokio::task::spawn_blocking(move || again.output()).await.expect("no panic").expect("it runs")
}

/// The names below the last `failures:`.
fn failed(said: &str) -> Vec<&str> {
    let names = said.rsplit("failures:\n").next().unwrap_or_default();
    names.lines().map(str::trim).take_while(|name| !name.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn every_story_is_the_same() {
    let cluster = Cluster::start().await;
    let skipped = APART.iter().flat_map(|name| ["--skip", name]);
    // They wait more than they work.
    let args: Vec<&str> = ["--test-threads=6"].into_iter().chain(skipped).collect();
    let all = run(&cluster, &args).await;
    let said = String::from_utf8_lossy(&all.stdout);
    println!("{}", said.lines().filter(|line| line.starts_with("test result")).collect::<Vec<_>>().join("\n"));
    if all.status.success() {
        return;
    }
    // Beside a suite on two stores a machine may be too busy for what waits a while: alone, it has to pass.
    let failed = failed(&said);
    println!("once more, alone: {}", failed.join(", "));
    assert!(!failed.is_empty() && failed.len() <= 10, "{said}\n{}", String::from_utf8_lossy(&all.stderr));
    let args: Vec<&str> = ["--exact", "--test-threads=1"].into_iter().chain(failed).collect();
    let again = run(&cluster, &args).await;
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}\n{}", String::from_utf8_lossy(&again.stderr));
}
