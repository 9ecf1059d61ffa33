//! What `manifests/prometheus` asks for is what the bot shows; and a real Prometheus reads it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sekoia_chatops::sandbox::{Fault, FaultKind, NewAlert};
use serde_json::Value;

use super::{everything, measured, until, value};
use crate::harness::{Platform, SOC, Stage, run};

const ALERTS: &str = include_str!("../../../manifests/prometheus/alerts.yml");
const ALERTS_TEST: &str = include_str!("../../../manifests/prometheus/alerts_test.yml");
const DASHBOARD: &str = include_str!("../../../manifests/prometheus/dashboard.json");
const LONG: Duration = Duration::from_secs(60);

/// Every query of the dashboard, as Grafana sends it.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let all: Vec<String> = targets
        .map(|target| target["expr"].as_str().expect("a query").replace("$__rate_interval", "1m").replace("$job", ".*"))
        .collect();
    assert!(all.len() > 25, "{} queries", all.len());
    assert!(all.iter().all(|query| !query.contains('$')), "a variable that Grafana alone knows: {all:?}");
    all
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("sekoia_chatops_") || word.starts_with("process_")).collect()
}

#[test]
fn the_dashboard_asks_whom_it_is_told_to_and_says_what_to_do_when_it_is_empty() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row" && panel["type"] != "text") {
        let title = panel["title"].as_str().expect("a title");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().expect("queries") {
            let query = target["expr"].as_str().expect("a query");
            let metrics = query.matches("sekoia_chatops_").count() + query.matches("process_").count();
            assert_eq!(query.matches(r#"{job=~"$job""#).count(), metrics, "{title}: {query}");
        }
    }
    let first = panels.first().expect("a panel");
    let says = first["options"]["content"].as_str().expect("a text");
    assert!(first["type"] == "text" && says.contains("Nothing here?") && says.contains("CHATOPS_METRICS_LISTEN"));
}

#[test]
fn every_metric_that_is_asked_for_is_shown() {
    let text = everything();
    let shown: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let is_shown = |name: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        shown.contains(name) || base.is_some_and(|base| shown.contains(base))
    };
    for file in [ALERTS, ALERTS_TEST, DASHBOARD] {
        let unknown: Vec<&str> = named(file).into_iter().filter(|name| !is_shown(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} of {shown:?}");
    }
    // And the other way: what nobody looks at is not worth its counting.
    let asked: BTreeSet<&str> = named(DASHBOARD).into_iter().chain(named(ALERTS)).collect();
    let asked_for = |name: &str| {
        asked.contains(name) || asked.contains(&*format!("{name}_bucket")) || name == "process_start_time_seconds"
    };
    let unseen: Vec<&str> = shown.iter().copied().filter(|name| !asked_for(name)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// A real Prometheus, ended with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn reading(bot: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("alerts.yml"), ALERTS).expect("a file");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yml]\nscrape_configs:\n  - job_name: sekoia-chatops\n    static_configs: [{{targets: ['{bot}']}}]\n"
        );
        std::fs::write(path("prometheus.yml"), config).expect("a file");
        // It does not say which port it got: one that is free now, and nobody else asks for such ports.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's package prometheus");
        Self { child, address: free, _directory: directory }
    }

    /// What a query gives; none while it does not answer.
    async fn query(&self, s: &Stage, query: &str) -> Option<Vec<Value>> {
        let address = format!("http://{}/api/v1/query", self.address);
        let answer = s.http.get(address).query(&[("query", query)]).send().await.ok()?;
        let body: Value = answer.json().await.ok()?;
        assert!(body["status"] == "success" || body["errorType"] != "bad_data", "{query}: {body}");
        body["data"]["result"].as_array().cloned()
    }
}

#[test]
#[ignore = "needs prometheus"]
fn a_real_prometheus_has_data_for_every_query_of_the_dashboard() {
    run(Platform::Slack, measured(), async |s| {
        s.set_up().await;
        let prometheus = Prometheus::reading(s.metrics_address());
        assert!(s.ask("alice", "notify add alert").await.text().contains("Rule "));
        s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        let rule = Some("Brute force".to_owned());
        s.sekoia.raise_alert(&NewAlert { rule, urgency: Some(90), ..NewAlert::default() });
        s.chat.next_where(LONG, "the alert", |seen| seen.text().contains("Brute force")).await;
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).on("/licenses"));
        assert!(s.ask("alice", "done subscription").await.text().contains("Reference"));
        s.sekoia.faults().clear();
        s.sql(
            "CREATE TRIGGER full BEFORE INSERT ON work BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        assert!(s.ask("alice", "skip 7 \"not now\"").await.text().contains("I could not record this"));
        s.sql("DROP TRIGGER full").await;
        until(s, "everything", |text| {
            value(text, "live_connected", &[]) == Some(1.0) && value(text, "watch_age_seconds", &[]).is_some()
        })
        .await;
        let (mut left, began) = (queries(), Instant::now());
        while !left.is_empty() {
            assert!(began.elapsed() < LONG, "no data for {left:#?}\n{}", s.metrics().await);
            let mut without = Vec::new();
            for query in left {
                if prometheus.query(s, &query).await.is_none_or(|found| found.is_empty()) {
                    without.push(query);
                }
            }
            left = without;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let rules = s.http.get(format!("http://{}/api/v1/rules", prometheus.address)).send().await.unwrap();
        let rules: Value = rules.json().await.unwrap();
        let rules = rules["data"]["groups"][0]["rules"].as_array().expect("rules").clone();
        assert_eq!(rules.len(), ALERTS.matches("- alert:").count());
        assert!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
        while !s.chat.unread().is_empty() {
            s.chat.next_where(LONG, "anything", |_| true).await;
        }
        assert!(!s.chat.standing(SOC).is_empty());
    });
}

#[test]
#[ignore = "needs prometheus"]
fn promtool_has_nothing_against_what_is_shown() {
    run(Platform::Slack, measured(), async |s| {
        s.set_up().await;
        let text = s.metrics().await;
        let mut tool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Debian's package prometheus");
        std::io::Write::write_all(&mut tool.stdin.take().expect("a pipe"), text.as_bytes()).expect("it reads");
        let said = tool.wait_with_output().expect("it ends");
        let said = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(said, "");
    });
}
