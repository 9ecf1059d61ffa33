//! A real Mattermost server over a PostgreSQL of its own, and people who use it as their clients
//! do: the REST API, and the WebSocket by which posts and dialogs reach them.
//!
//! `MATTERMOST_DIR` names an unpacked server (`bin/mattermost`, `i18n`, `templates`, `fonts`). Both
//! programs run in a directory of the test's own and listen on the loopback only.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::postgres::{self, Cluster};

const PASSWORD: &str = "Passw0rd!canary";
/// By then a server that was started answers, and what was asked for has arrived.
const LONG: Duration = Duration::from_secs(120);

pub struct RealMattermost {
    pub url: String,
    #[expect(dead_code, reason = "it ends with this")]
    postgres: Cluster,
    server: Child,
    directory: tempfile::TempDir,
}

impl Drop for RealMattermost {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Where the server is unpacked.
pub fn installed() -> PathBuf {
    let dir = std::env::var_os("MATTERMOST_DIR").expect("MATTERMOST_DIR names an unpacked Mattermost server");
    PathBuf::from(dir)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port()
}

impl RealMattermost {
    /// `settings`: more of the server's own, by their environment variables.
    pub async fn start(http: &reqwest::Client, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path();
        let postgres = Cluster::start().await;
        postgres::sql(&postgres.url("postgres"), "CREATE DATABASE mattermost").await;
        let port = free_port();
        let run = root.join("run");
        for part in ["client/plugins", "plugins", "data", "logs", "config"] {
            std::fs::create_dir_all(run.join(part)).expect("it is ours");
        }
        for part in ["i18n", "templates", "fonts"] {
            symlink(installed().join(part), run.join(part)).expect("it is ours");
        }
        // Nobody opens the web application here; the server wants its page to be there.
        std::fs::write(run.join("client/root.html"), "<html><head></head><body></body></html>").expect("it is ours");
        let url = format!("http://127.0.0.1:{port}");
        let source = format!("{}&connect_timeout=10", postgres.url("mattermost"));
        let server = Command::new(installed().join("bin/mattermost"))
            .arg("server")
            .current_dir(&run)
            .env_clear()
            .envs([
                ("PATH", "/usr/bin:/bin"),
                ("HOME", &run.display().to_string()),
                ("MM_CONFIG", &run.join("config/config.json").display().to_string()),
                ("MM_SQLSETTINGS_DRIVERNAME", "postgres"),
                ("MM_SQLSETTINGS_DATASOURCE", &source),
                ("MM_SERVICESETTINGS_LISTENADDRESS", &format!("127.0.0.1:{port}")),
                ("MM_SERVICESETTINGS_SITEURL", &url),
                ("MM_SERVICESETTINGS_ENABLESECURITYFIXALERT", "false"),
                ("MM_SERVICESETTINGS_ENABLELINKPREVIEWS", "false"),
                ("MM_TEAMSETTINGS_ENABLEOPENSERVER", "true"),
                ("MM_PLUGINSETTINGS_ENABLE", "false"),
                ("MM_PLUGINSETTINGS_ENABLEMARKETPLACE", "false"),
                ("MM_PLUGINSETTINGS_ENABLEREMOTEMARKETPLACE", "false"),
                ("MM_PLUGINSETTINGS_AUTOMATICPREPACKAGEDPLUGINS", "false"),
                ("MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS", "false"),
                ("MM_LOGSETTINGS_ENABLEDIAGNOSTICS", "false"),
                ("MM_LOGSETTINGS_ENABLESENTRY", "false"),
                ("MM_ANNOUNCEMENTSETTINGS_ADMINNOTICESENABLED", "false"),
                ("MM_ANNOUNCEMENTSETTINGS_USERNOTICESENABLED", "false"),
            ])
            .envs(settings.iter().copied())
            .stdout(std::fs::File::create(root.join("log")).expect("it is ours"))
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut real = Self { url, postgres, server, directory };
        let ping = format!("{}/api/v4/system/ping", real.url);
        let began = Instant::now();
        while !http.get(&ping).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let running = matches!(real.server.try_wait(), Ok(None));
            let log = || std::fs::read_to_string(real.directory.path().join("log")).unwrap_or_default();
            assert!(running && began.elapsed() < LONG, "running: {running}, but no answer:\n{}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        real
    }

    /// A new account, signed in, with its client listening. The first one administrates.
    pub async fn person(&self, http: &reqwest::Client, name: &str) -> Person {
        let account = json!({ "email": format!("{name}@nimbus.example"), "username": name, "password": PASSWORD });
        let made = http.post(format!("{}/api/v4/users", self.url)).json(&account).send().await.expect("an answer");
        assert_eq!(made.status(), 201, "{name}");
        let sign_in = json!({ "login_id": name, "password": PASSWORD });
        let signed_in = http.post(format!("{}/api/v4/users/login", self.url)).json(&sign_in).send().await;
        let signed_in = signed_in.expect("an answer");
        let token = signed_in.headers()["token"].to_str().expect("a token").to_owned();
        let user: Value = signed_in.json().await.expect("JSON");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let address = format!("{}/api/v4/websocket", self.url.replace("http://", "ws://"));
        let mut request = address.into_client_request().expect("an address");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a WebSocket");
        let arrived = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Some(Ok(frame)) = socket.next().await {
                let Ok(event) = serde_json::from_str::<Value>(frame.to_text().unwrap_or_default()) else { continue };
                if let Some(seen) = Happened::read(&event) {
                    arrived.lock().unwrap().push(seen);
                }
            }
        });
        let (url, id) = (self.url.clone(), user["id"].as_str().expect("an id").to_owned());
        Person { name: name.into(), id, token, url, http: http.clone(), seen }
    }
}

/// What a person's client shows.
#[derive(Debug, Clone)]
pub enum Happened {
    Posted(Value),
    Edited(Value),
    /// Seen by this person alone.
    Private(Value),
    /// A dialog, with the address that it is sent to.
    Asked(Value),
}

impl Happened {
    fn read(event: &Value) -> Option<Self> {
        // Both come as JSON in a text.
        let inner = |name: &str| serde_json::from_str::<Value>(event["data"][name].as_str()?).ok();
        match event["event"].as_str()? {
            "posted" => Some(Self::Posted(inner("post")?)),
            "post_edited" => Some(Self::Edited(inner("post")?)),
            "ephemeral_message" => Some(Self::Private(inner("post")?)),
            "open_dialog" => Some(Self::Asked(inner("dialog")?)),
            _ => None,
        }
    }

    fn post(&self) -> Option<&Value> {
        match self {
            Self::Posted(post) | Self::Edited(post) | Self::Private(post) => Some(post),
            Self::Asked(_) => None,
        }
    }
}

pub struct Person {
    pub name: String,
    pub id: String,
    pub token: String,
    url: String,
    http: reqwest::Client,
    seen: Arc<Mutex<Vec<Happened>>>,
}

impl Person {
    pub async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/api/v4{path}", self.url)).bearer_auth(&self.token);
        let answer = request.json(&body).send().await.expect("an answer of the server");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(reqwest::Method::POST, path, body).await;
        assert!(status < 300, "{} POST {path}: {status} {answer}", self.name);
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(reqwest::Method::GET, path, Value::Null).await.1
    }

    /// `/sekoia …`, typed in a channel.
    pub async fn types(&self, channel: &str, team: &str, text: &str) {
        let body = json!({ "command": format!("/sekoia {text}"), "channel_id": channel, "team_id": team });
        self.post("/commands/execute", body).await;
    }

    /// The first message that was not read yet, of those that say so.
    pub async fn reads(&self, says: &str) -> Value {
        let wanted = |seen: &Happened| seen.post().is_some_and(|post| text(post).contains(says));
        self.next(says, wanted).await.post().cloned().expect("a message")
    }

    /// The next dialog.
    pub async fn asked(&self) -> Value {
        match self.next("a dialog", |seen| matches!(seen, Happened::Asked(_))).await {
            Happened::Asked(dialog) => dialog,
            other => panic!("no dialog: {other:?}"),
        }
    }

    async fn next(&self, what: &str, wanted: impl Fn(&Happened) -> bool) -> Happened {
        let began = Instant::now();
        loop {
            {
                let mut seen = self.seen.lock().unwrap();
                if let Some(at) = seen.iter().position(&wanted) {
                    return seen.remove(at);
                }
            }
            assert!(began.elapsed() < LONG, "{} never saw {what:?}: {:#?}", self.name, self.seen.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses what is called so; the status of Mattermost's answer.
    pub async fn presses(&self, post: &Value, label: &str, option: Option<&str>) -> u16 {
        let attachments = post["props"]["attachments"].as_array().cloned().unwrap_or_default();
        let mut actions = attachments.iter().flat_map(|a| a["actions"].as_array().cloned().unwrap_or_default());
        let action = actions.find(|action| action["name"] == label);
        let action = action.unwrap_or_else(|| panic!("nothing is called {label:?} in {post:#}"));
        let path = format!("/posts/{}/actions/{}", post["id"].as_str().unwrap(), action["id"].as_str().unwrap());
        let mut body = json!({ "cookie": action["cookie"] });
        if let Some(option) = option {
            body["selected_option"] = json!(option);
        }
        self.call(reqwest::Method::POST, &path, body).await.0
    }

    /// Sends a dialog; what Mattermost answers.
    pub async fn submits(&self, dialog: &Value, channel: &str, team: &str, submission: Value) -> (u16, Value) {
        let body = json!({
            "url": dialog["url"], "callback_id": dialog["dialog"]["callback_id"], "state": dialog["dialog"]["state"],
            "channel_id": channel, "team_id": team, "submission": submission, "cancelled": false,
        });
        self.call(reqwest::Method::POST, "/actions/dialogs/submit", body).await
    }
}

/// What a message says, attachments included.
pub fn text(post: &Value) -> String {
    let attachments = post["props"]["attachments"].as_array().cloned().unwrap_or_default();
    let texts = attachments.iter().filter_map(|a| a["text"].as_str());
    [post["message"].as_str().unwrap_or_default()].into_iter().chain(texts).collect::<Vec<_>>().join("\n")
}
