//! Everything that is not about SQLite's file, once more on PostgreSQL: this program runs itself.

use std::process::Command;

use crate::harness::postgres::{Cluster, STAGES_ON};

/// What has nothing to do with a store, needs more than a server, or is about a file.
const SKIPPED: &[&str] =
    &["on_postgres", "browser", "real_mattermost", "kill", "backup", "install", "packages", "settings", "book", "core"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn every_story_is_the_same() {
    let cluster = Cluster::start().await;
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.env(STAGES_ON, cluster.url("postgres")).args(["--test-threads=2", "--format=terse"]);
    for skipped in SKIPPED {
        again.args(["--skip", skipped]);
    }
    let output = tokio::task::spawn_blocking(move || again.output()).await.expect("no panic").expect("it runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    println!("{}", said.lines().filter(|line| line.starts_with("test result")).collect::<Vec<_>>().join("\n"));
}
