//! A bot that answers signed `/sekoia status` requests, with a Slack that knows everybody and a
//! store that makes sessions up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::SecretString;
use sekoia_chatops::app::App;
use sekoia_chatops::chat::diagnosis::Check;
use sekoia_chatops::chat::{Actor, Community, UserId};
use sekoia_chatops::config::{Config, LogConfig, SekoiaConfig, SlackConfig, SlackWayIn, StoreConfig, StorePlace};
use sekoia_chatops::domain::access::Policy;
use sekoia_chatops::domain::approval;
use sekoia_chatops::domain::checklist::{Command, Evidence, Mode, Recorded, Session, StepId, decide};
use sekoia_chatops::resolve::network::Network;
use sekoia_chatops::sekoia::Region;
use sekoia_chatops::store::heads::Head;
use sekoia_chatops::store::moving::{Batch, Carried, Part, Place};
use sekoia_chatops::store::{
    Aside, Backlog, Commit, CommitError, Kept, KeptKind, Loaded, Record, State, Store, StoreError, StreamId, Work,
    WorkKind,
};
use sekoia_chatops::timing::Timing;
use serde_json::json;
use sha2::Sha256;

pub const SECRET: &str = "bench-signing-secret";
pub const TEAM: &str = "T0PERF0001";

/// A Slack that knows everybody.
pub async fn slack() -> String {
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

/// What happened to session `i`: an eighth of them is new, an eighth is done.
fn history(i: usize) -> Vec<Command> {
    let community =
        Community { uuid: uuid::Uuid::from_u128(i as u128), name: format!("workspace-{:06}", i % 1_000_000).into() };
    let mut commands = vec![Command::Open { community, mode: Mode::MultiTenant }];
    for step in StepId::numbered().take(i % 8) {
        let summary = "Defend Prime until 2027-06-11, Intelligence until 2027-06-11".into();
        commands.push(Command::Verify {
            step,
            evidence: Evidence {
                summary,
                exceptions: ["Defend Prime ends in 20 days".into()].into(),
                ..Evidence::default()
            },
        });
    }
    commands
}

pub fn request(i: usize) -> Request<Body> {
    let body = format!(
        "token=x&team_id={TEAM}&channel_id=C0PERF{i:06}&user_id=U0PERF{:04}&command=%2Fsekoia&text=status&response_url=&trigger_id=1.2.{i}",
        i % 10
    );
    let (at, signature) = sign(&body);
    Request::post("/slack/commands")
        .header("x-slack-request-timestamp", at)
        .header("x-slack-signature", signature)
        .body(Body::from(body))
        .expect("a request")
}

/// The time and the signature of a request's body.
pub fn sign(body: &str) -> (String, String) {
    let at = Timestamp::now().as_second().to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).expect("any key length");
    mac.update(format!("v0:{at}:{body}").as_bytes());
    (at, format!("v0={}", hex::encode(mac.finalize().into_bytes())))
}

pub fn app(slack: &str, store: Arc<dyn Store>, metrics_listen: Option<SocketAddr>) -> App {
    app_of(config(slack, metrics_listen), store)
}

pub fn app_of(config: Config, store: Arc<dyn Store>) -> App {
    let keys = config.store.keys().expect("a key");
    App::with_store(config, store, &keys).expect("an app")
}

pub fn config(slack: &str, metrics_listen: Option<SocketAddr>) -> Config {
    Config {
        sekoia: SekoiaConfig {
            key: SecretString::from("bench"),
            region: Region::Fra1,
            api_url: "http://127.0.0.1:1".parse().expect("an address"),
            live_url: "ws://127.0.0.1:1/live/".parse().expect("an address"),
            candidates: vec![],
            app_url: "http://127.0.0.1:1".parse().expect("an address"),
            network: Network::default(),
        },
        slack: Some(SlackConfig {
            way_in: SlackWayIn::Http { signing_secret: SecretString::from(SECRET) },
            bot_token: SecretString::from("xoxb-bench"),
            api_url: slack.parse().expect("an address"),
            network: Network::default(),
        }),
        mattermost: None,
        public_url: None,
        listen: ([127, 0, 0, 1], 0).into(),
        metrics_listen,
        store: StoreConfig { place: StorePlace::Memory, keys: None },
        access: Policy::default(),
        approval: approval::Policy::default(),
        oidc: None,
        retention: None,
        plans: None,
        timing: Timing::default(),
        log: LogConfig { filter: "off".into(), json: false },
    }
}

/// A store that makes up a session for whoever asks, so that it takes no memory of its own.
pub struct Synthetic;

#[async_trait::async_trait]
impl Store for Synthetic {
    fn is_shared(&self) -> bool {
        false
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        Ok(self.load(stream).await?.map_or(0, |loaded| loaded.version))
    }

    async fn leases(&self, _: &str, _: Timestamp) -> Result<Vec<String>, StoreError> {
        Ok(vec![])
    }

    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.load(stream).await
    }

    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        Ok((vec![], 0))
    }

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

    async fn kept(&self, _: KeptKind, _: &str) -> Result<Option<Kept>, StoreError> {
        Ok(None)
    }

    async fn all_kept(&self, _: KeptKind, _: Option<&str>, _: u32) -> Result<Vec<Kept>, StoreError> {
        Ok(vec![])
    }

    async fn kept_beyond(&self, _: KeptKind, _: Timestamp, _: u32) -> Result<Vec<Kept>, StoreError> {
        Ok(vec![])
    }

    async fn count_kept(&self, _: KeptKind) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn forget_kept(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
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

    async fn backlog(&self, _: &[WorkKind], _: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        Ok(vec![])
    }

    async fn count(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn set_aside(&self, _: u32) -> Result<(u64, Vec<Aside>), StoreError> {
        Ok((0, vec![]))
    }

    async fn examine(&self) -> Vec<Check> {
        vec![]
    }

    async fn head(&self, _: &StreamId) -> Result<Option<Head>, StoreError> {
        Ok(None)
    }

    async fn carried(&self, _: Part, _: &Place, _: u32) -> Result<Vec<Carried>, StoreError> {
        Ok(vec![])
    }

    async fn take_in(&self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }

    async fn maintain(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remembering(&self, _: Timestamp, _: Option<&StreamId>, _: u32) -> Result<Vec<StreamId>, StoreError> {
        Ok(Vec::new())
    }

    async fn scrub(&self, _: bool) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn close(&self) {}
}
