//! From an alert at Sekoia to its card at Slack, all on loopback: the embedded Sekoia tells it over
//! its LiveAPI, the bot reads it, finds the rule, commits and posts.
//!
//! `cargo bench --bench news` prints the median and the 99th percentile. Alerts are so far apart
//! that no limit of Slack's makes them wait; each channel's rule fires too rarely for a storm.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use secrecy::SecretString;
use sekoia_chatops::app::App;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::config::{Config, LogConfig, SekoiaConfig, SlackConfig, SlackWayIn, StoreConfig, StorePlace};
use sekoia_chatops::domain::access::Policy;
use sekoia_chatops::domain::approval;
use sekoia_chatops::domain::checklist::{self, Mode};
use sekoia_chatops::domain::notify::{self, Key, Trigger, Watch};
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sandbox::{self, NewAlert, Options, Sandbox, Tenant, Writes};
use sekoia_chatops::sekoia::Region;
use sekoia_chatops::timing::Timing;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const TEAM: &str = "T0PERF0001";
const CHANNELS: usize = 40;
/// Of each channel's rule: fewer than make a storm.
const EACH: usize = 4;
/// Slack takes four posts a second from an app.
const APART: Duration = Duration::from_millis(280);

type Arrived = Arc<Mutex<Vec<(String, Instant)>>>;

fn main() {
    // `cargo test` runs benches too, to see that they compile.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let sekoia = Sandbox::new(Options { tenant: Tenant::Single, seed: 1, writes: Writes::Accepted }, Timestamp::now());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let sekoia_url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sandbox::serve(listener, Arc::clone(&sekoia), std::future::pending()));
    let arrived = Arrived::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let slack_url = format!("http://{}/api", listener.local_addr().expect("an address"));
    let slack = slack(Arc::clone(&arrived));
    tokio::spawn(async move { axum::serve(listener, slack).await });

    let app = app(&sekoia, &sekoia_url, &slack_url);
    rules(&app, &sekoia).await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let serving = tokio::spawn(app.serve(listener, stop.clone().cancelled_owned()));
    while sekoia.listeners().0 == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut raised = Vec::new();
    for round in 0..EACH {
        for channel in 0..CHANNELS {
            let rule = Some(format!("Rule {channel}"));
            let began = Instant::now();
            let alert = sekoia.raise_alert(&NewAlert { rule, urgency: Some(80), ..NewAlert::default() });
            raised.push((alert.short_id.clone(), began));
            tokio::time::sleep(APART).await;
        }
        println!("{} of {EACH} rounds", round + 1);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let arrived = arrived.lock().expect("whole").clone();
    let came = |id: &str| arrived.iter().find(|(text, _)| text.contains(id)).map(|(_, at)| *at);
    let mut times: Vec<Duration> =
        raised.iter().filter_map(|(id, began)| came(id).map(|at| at.duration_since(*began))).collect();
    times.sort();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!(
        "{} alerts, {} cards; event in to post out: median {:?}, p99 {:?}, slowest {:?}",
        raised.len(),
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    assert_eq!(times.len(), raised.len(), "every alert has its card");
    stop.cancel();
    let _ = serving.await;
}

fn app(sekoia: &Sandbox, sekoia_url: &str, slack_url: &str) -> App {
    let live = format!("{}/live/", sekoia_url.replace("http://", "ws://"));
    let config = Config {
        sekoia: SekoiaConfig {
            key: SecretString::from(sekoia.token("admin").to_owned()),
            region: Region::Fra1,
            api_url: sekoia_url.parse().expect("an address"),
            live_url: live.parse().expect("an address"),
            candidates: vec![],
            app_url: "http://127.0.0.1:1".parse().expect("an address"),
            network: Network::default(),
        },
        slack: Some(SlackConfig {
            way_in: SlackWayIn::Http { signing_secret: SecretString::from("bench") },
            bot_token: SecretString::from("xoxb-bench"),
            api_url: slack_url.parse().expect("an address"),
            network: Network::default(),
        }),
        mattermost: None,
        public_url: None,
        listen: ([127, 0, 0, 1], 0).into(),
        metrics_listen: None,
        store: StoreConfig { place: StorePlace::Memory, keys: None },
        access: Policy::default(),
        approval: approval::Policy::default(),
        oidc: None,
        retention: None,
        plans: None,
        timing: Timing::default(),
        log: LogConfig { filter: "off".into(), json: false },
    };
    let keys = config.store.keys().expect("a key");
    let store = Arc::new(sekoia_chatops::store::MemoryStore::new(sekoia_chatops::store::audit::Chain::new(&keys)));
    App::with_store(config, store, &keys).expect("an app")
}

/// A channel for every rule, all about the one community.
async fn rules(app: &App, sekoia: &Sandbox) {
    let uuid = sekoia.edit(|world| world.root);
    let by = Actor::Person(UserId::slack("U0PERF"));
    let now = Timestamp::now();
    for n in 0..CHANNELS {
        let channel = ChannelKey::slack(TEAM, &format!("C0PERF{n:04}"));
        let community = Community { uuid, name: "Nimbus Payments".into() };
        let open = checklist::Command::Open { community, mode: Mode::SingleTenant };
        let opened = |session: Option<&checklist::Session>| checklist::decide(session, open.clone(), now);
        app.bot().sessions().change(&channel, &by, now, None, opened).await.expect("a session");
        let mut watch = Watch::new(Trigger::AlertRaised);
        watch.set(Key::Rule, &format!("Rule {n}")).expect("a condition");
        let add = notify::Command::Add { watch: watch.finished().expect("a rule") };
        let added = |rules: &notify::Rules| notify::decide(rules, add.clone(), now);
        app.bot().notifications().change(&channel, &by, now, None, added, |_| Vec::new()).await.expect("a rule");
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    user: Option<String>,
}

fn slack(arrived: Arrived) -> Router {
    let users = |Query(asked): Query<Asked>| async move {
        Json(json!({"ok": true, "user": {"id": asked.user, "team_id": TEAM, "deleted": false}}))
    };
    let channel = || async { Json(json!({"ok": true, "channel": {"id": "C", "is_ext_shared": false}})) };
    let team = || async { Json(json!({"ok": true, "team_id": TEAM, "user_id": "U0BOT"})) };
    let posted = |State(arrived): State<Arrived>, body: String| async move {
        arrived.lock().expect("whole").push((body, Instant::now()));
        Json::<Value>(json!({"ok": true, "ts": "1.1", "channel": "C"}))
    };
    let history = || async { Json(json!({"ok": true, "messages": []})) };
    Router::new()
        .route("/api/users.info", get(users))
        .route("/api/conversations.info", get(channel))
        .route("/api/conversations.history", get(history))
        .route("/api/auth.test", get(team))
        .route("/api/chat.postMessage", post(posted))
        .route("/api/chat.update", post(|| async { Json(json!({"ok": true, "ts": "1.1"})) }))
        .with_state(arrived)
}
