//! What a load test needs around the bot: a Slack that knows everybody, and a store with sessions.
//!
//! `cargo bench --bench stage -- DATABASE SESSIONS SLACK_ADDRESS` writes sessions for the channels
//! C0PERF0000, C0PERF0001, … of team T0PERF0001 and then serves until it is ended. Without
//! arguments it does nothing, so that `cargo bench` runs by.

use std::path::Path;

use axum::extract::Query;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use secrecy::SecretSlice;
use sekoia_chatops::chat::{Actor, ChannelKey, Community, UserId};
use sekoia_chatops::domain::checklist::{Command, Evidence, Mode, StepId, decide};
use sekoia_chatops::state::sessions::Sessions;
use sekoia_chatops::store::audit::Chain;
use sekoia_chatops::store::{SqliteStore, keyfile};
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct Asked {
    user: Option<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [database, sessions, address] = arguments.as_slice() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        seed(Path::new(database), sessions.parse().expect("a number of sessions")).await;
        let listener = tokio::net::TcpListener::bind(address).await.expect("a free address");
        println!("{sessions} sessions in {database}; Slack on http://{address}/api");
        axum::serve(listener, slack()).await.expect("serving");
    });
}

/// Sessions of every age: the first has nothing done, the eighth everything.
pub async fn seed(database: &Path, sessions: usize) {
    let keys: Vec<SecretSlice<u8>> = keyfile::beside(database).expect("a key");
    let store = SqliteStore::open(database, Chain::new(&keys)).await.expect("a store");
    let all = Sessions::new(std::sync::Arc::new(store));
    let now = Timestamp::now();
    for i in 0..sessions {
        let channel = ChannelKey::slack("T0PERF0001", &format!("C0PERF{i:04}"));
        let by = Actor::Person(UserId::slack(&format!("U0PERF{i:04}")));
        for command in history(i) {
            all.change(&channel, &by, now, None, |s| decide(s, command.clone(), now)).await.expect("a change");
        }
    }
}

fn history(i: usize) -> Vec<Command> {
    let community = Community { uuid: uuid::Uuid::from_u128(i as u128), name: format!("workspace-{i:06}").into() };
    let mut commands = vec![Command::Open { community, mode: Mode::MultiTenant }];
    for step in StepId::numbered().take(i % 8) {
        let evidence = Evidence {
            summary: "Defend Prime until 2027-06-11, Intelligence until 2027-06-11".into(),
            exceptions: ["Defend Prime ends in 20 days".into()].into(),
            ..Evidence::default()
        };
        commands.push(Command::Verify { step, evidence });
    }
    commands.push(Command::Assign { step: StepId::Keys, to: Some(UserId::slack("U0PERF0001")) });
    commands
}

fn slack() -> Router {
    let users = |Query(asked): Query<Asked>| async move {
        Json(json!({"ok": true, "user": {"id": asked.user, "team_id": "T0PERF0001", "deleted": false}}))
    };
    let channel = || async { Json(json!({"ok": true, "channel": {"id": "C", "is_ext_shared": false}})) };
    let team = || async { Json(json!({"ok": true, "team_id": "T0PERF0001", "user_id": "U0BOT"})) };
    let done = || async { Json::<Value>(json!({"ok": true, "ts": "1.1", "channel": "C"})) };
    Router::new()
        .route("/api/users.info", get(users))
        .route("/api/conversations.info", get(channel))
        .route("/api/auth.test", get(team))
        .route("/api/chat.postMessage", axum::routing::post(done))
        .route("/api/chat.update", axum::routing::post(done))
}
