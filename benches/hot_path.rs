//! Signed `/sekoia status` through the real router, with few and with many sessions loaded; what
//! the parser and the renderer cost; and how much memory a session takes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use divan::Bencher;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::SecretString;
use sekoia_chatops::app::App;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId, Words};
use sekoia_chatops::command::read;
use sekoia_chatops::config::{Config, LogConfig, SekoiaConfig, SlackConfig, StoreConfig, StorePlace};
use sekoia_chatops::domain::access::Policy;
use sekoia_chatops::domain::approval;
use sekoia_chatops::domain::checklist::{Command, Evidence, Mode, Recorded, Session, StepId, decide};
use sekoia_chatops::sekoia::Region;
use sekoia_chatops::state::sessions::Sessions;
use sekoia_chatops::store::{
    Aside, Commit, CommitError, Loaded, Record, State, Store, StoreError, StreamId, Work, WorkKind,
};
use sekoia_chatops::timing::Timing;
use serde_json::json;
use sha2::Sha256;
use tokio::runtime::Runtime;
use tower::ServiceExt;

const SECRET: &str = "bench-signing-secret";
const TEAM: &str = "T0PERF0001";

/// A Slack that knows everybody.
async fn slack() -> String {
    use axum::{Json, Router, routing::get};
    let router = Router::new()
        .route("/api/users.info", get(|| async { Json(json!({"ok": true, "user": {"team_id": TEAM}})) }))
        .route("/api/conversations.info", get(|| async { Json(json!({"ok": true, "channel": {}})) }))
        .route("/api/auth.test", get(|| async { Json(json!({"ok": true, "team_id": TEAM})) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/api")
}

fn channel(i: usize) -> ChannelKey {
    ChannelKey::slack(TEAM, &format!("C0PERF{i:06}"))
}

/// What happened to session `i`: an eighth of them is new, an eighth is done.
fn history(i: usize) -> Vec<Command> {
    let community =
        Community { uuid: uuid::Uuid::from_u128(i as u128), name: format!("workspace-{:06}", i % 1_000_000).into() };
    let mut commands = vec![Command::Open { community, mode: Mode::MultiTenant }];
    for step in StepId::numbered().take(i % 8) {
        let summary = "Defend Prime until 2027-06-11, Intelligence until 2027-06-11".into();
        commands.push(Command::Verify {
            step,
            evidence: Evidence { summary, exceptions: ["Defend Prime ends in 20 days".into()].into(), facts: None },
        });
    }
    commands
}

fn request(i: usize) -> Request<Body> {
    let body = format!(
        "token=x&team_id={TEAM}&channel_id=C0PERF{i:06}&user_id=U0PERF{:04}&command=%2Fsekoia&text=status&response_url=&trigger_id=1.2.{i}",
        i % 10
    );
    let at = Timestamp::now().as_second().to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("any key length");
    mac.update(format!("v0:{at}:{body}").as_bytes());
    Request::post("/slack/commands")
        .header("x-slack-request-timestamp", at)
        .header("x-slack-signature", format!("v0={}", hex::encode(mac.finalize().into_bytes())))
        .body(Body::from(body))
        .expect("a request")
}

fn app(slack: &str, store: Arc<dyn Store>) -> App {
    let config = Config {
        sekoia: SekoiaConfig {
            key: SecretString::from("bench"),
            region: Region::Fra1,
            api_url: "http://127.0.0.1:1".parse().expect("an address"),
            live_url: "ws://127.0.0.1:1/live/".parse().expect("an address"),
            candidates: vec![],
        },
        slack: Some(SlackConfig {
            signing_secret: SecretString::from(SECRET),
            bot_token: SecretString::from("xoxb-bench"),
            api_url: slack.parse().expect("an address"),
        }),
        mattermost: None,
        public_url: None,
        listen: ([127, 0, 0, 1], 0).into(),
        store: StoreConfig { place: StorePlace::Memory, keys: None },
        access: Policy::default(),
        approval: approval::Policy::default(),
        timing: Timing::default(),
        log: LogConfig { filter: "off".into(), json: false },
    };
    let keys = config.store.keys().expect("a key");
    App::with_store(config, store, &keys).expect("an app")
}

/// One request, with so many sessions loaded.
#[divan::bench(args = [10, 100_000])]
fn status(bencher: Bencher, count: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let app = runtime.block_on(async {
        let app = app(&slack().await, Arc::new(Synthetic));
        for i in 0..count {
            app.bot().sessions().read(&channel(i)).await.expect("a session");
        }
        // People and channels are asked about once.
        for i in 0..10 {
            let _ = app.router.clone().oneshot(request(i)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        app
    });
    bencher.with_inputs(|| request(rand::random_range(0..10))).bench_values(|request| {
        runtime.block_on(async {
            let answer = app.router.clone().oneshot(request).await.expect("an answer");
            axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body")
        })
    });
}

#[divan::bench]
fn read_a_command(bencher: Bencher) {
    let typed = Words::Typed("skip notifications “we use our own alerting” because of <https://x.y|this>".into());
    bencher.bench(|| read(black_box(&typed), "slack").is_ok());
}

/// A store that makes up a session for whoever asks, so that it takes no memory of its own.
struct Synthetic;

#[async_trait::async_trait]
impl Store for Synthetic {
    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        let i: usize = stream.as_str().bytes().fold(0, |n, b| n.wrapping_mul(31).wrapping_add(b.into()));
        let now = Timestamp::now();
        let by = Actor::Person(UserId::slack(&format!("U0PERF{:04}", i % 10_000)));
        let mut session = None;
        for command in history(i) {
            for event in decide(session.as_ref(), command, now).expect("legal commands") {
                session = Session::apply(session, &Recorded { event, by: by.clone(), at: now });
            }
        }
        let json = serde_json::to_string(&session).expect("JSON");
        Ok(Some(Loaded { version: 1, state: State { schema: 1, json } }))
    }

    async fn commit(&self, _: Commit) -> Result<Vec<u64>, CommitError> {
        Ok(vec![])
    }

    async fn commit_within(&self, _: Commit, _: Duration) -> Result<Vec<u64>, CommitError> {
        Ok(vec![])
    }

    async fn streams(&self, _: &str, _: Option<&StreamId>, _: u32) -> Result<Vec<StreamId>, StoreError> {
        Ok(vec![])
    }

    async fn due(&self, _: WorkKind, _: Timestamp, _: u32) -> Result<Vec<Work>, StoreError> {
        Ok(vec![])
    }

    async fn find(&self, _: WorkKind, _: &str) -> Result<Option<Work>, StoreError> {
        Ok(None)
    }

    async fn lease(&self, _: &str, _: &str, _: Timestamp, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn history(&self, _: &StreamId, _: u64, _: u32) -> Result<Vec<Record>, StoreError> {
        Ok(vec![])
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        Ok(vec![])
    }

    async fn forget_deliveries(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn planned(&self, _: WorkKind, _: Timestamp, _: u32) -> Result<Vec<Work>, StoreError> {
        Ok(vec![])
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn set_aside(&self, _: u32) -> Result<(u64, Vec<Aside>), StoreError> {
        Ok((0, vec![]))
    }

    async fn maintain(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
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
