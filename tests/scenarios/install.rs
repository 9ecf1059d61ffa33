//! `mattermost install`, against a server that answers as the real one was seen to.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::mattermost::id;
use crate::harness::steady;

/// What an administrator's view of a server holds.
struct Server {
    settings: Value,
    bot: Option<String>,
    person: bool,
    tokens: Vec<String>,
    commands: Vec<Value>,
    /// Permissions of the role for integrations, and the bot's roles.
    role: Vec<String>,
    roles: String,
}

type Shared = Arc<Mutex<Server>>;

fn refused(status: u16, id: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "id": id, "message": "…", "status_code": status })))
        .into_response()
}

async fn api(State(server): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get("authorization").map(|t| t.to_str().unwrap().to_owned()).unwrap_or_default();
    match token.as_str() {
        "Bearer admin" => {}
        "Bearer person" => return refused(403, "api.context.permissions.app_error"),
        _ => return refused(401, "api.context.session_expired.app_error"),
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut server = server.lock().unwrap();
    let path = uri.path().strip_prefix("/api/v4").unwrap().to_owned();
    let account = |server: &Server, bot: bool| {
        let mut account = json!({ "id": id("bot"), "roles": server.roles, "delete_at": 0 });
        if bot {
            account["is_bot"] = json!(true);
        }
        Json(account).into_response()
    };
    match (method.as_str(), path.as_str()) {
        ("GET", "/config") => Json(server.settings.clone()).into_response(),
        ("GET", "/users/username/sekoia") if server.person => account(&server, false),
        ("GET", "/users/username/sekoia") if server.bot.is_some() => account(&server, true),
        ("GET", "/users/username/sekoia") => refused(404, "app.user.get_by_username.app_error"),
        ("POST", "/bots") if server.settings["ServiceSettings"]["EnableBotAccountCreation"] == false => {
            refused(403, "api.bot.create_disabled")
        }
        ("POST", "/bots") => {
            server.bot = body["username"].as_str().map(str::to_owned);
            Json(json!({ "user_id": id("bot") })).into_response()
        }
        ("GET", "/teams/name/acme") => Json(json!({ "id": id("acme") })).into_response(),
        ("GET", _) if path.starts_with("/teams/name/") => refused(404, "app.team.get_by_name.missing.app_error"),
        ("POST", _) if path.ends_with("/members") => Json(json!({})).into_response(),
        ("GET", "/commands") => Json(server.commands.clone()).into_response(),
        ("POST", "/commands") => {
            let mut command = body;
            (command["id"], command["token"]) = (json!(id("command")), json!(id("token")));
            server.commands.push(command.clone());
            Json(command).into_response()
        }
        ("PUT", _) if path.starts_with("/commands/") => {
            server.commands = vec![body.clone()];
            Json(body).into_response()
        }
        ("POST", "/roles/names") => {
            let has = server.roles.contains("system_post_all");
            let permissions = if has { server.role.clone() } else { vec!["create_post".into()] };
            Json(json!([{ "id": id("role"), "permissions": permissions }])).into_response()
        }
        ("GET", "/roles/name/system_post_all") => {
            Json(json!({ "id": id("role"), "permissions": server.role })).into_response()
        }
        ("PUT", _) if path.starts_with("/roles/") => {
            server.role = serde_json::from_value(body["permissions"].clone()).unwrap();
            Json(json!({})).into_response()
        }
        ("PUT", _) if path.ends_with("/roles") => {
            server.roles = body["roles"].as_str().unwrap().to_owned();
            Json(json!({ "status": "OK" })).into_response()
        }
        ("GET", _) if path.ends_with("/tokens") => {
            Json(server.tokens.iter().map(|d| json!({ "description": d })).collect::<Vec<_>>()).into_response()
        }
        ("POST", _) if path.ends_with("/tokens") => {
            server.tokens.push(body["description"].as_str().unwrap().to_owned());
            Json(json!({ "token": id("bottoken") })).into_response()
        }
        other => panic!("nobody asked for {other:?}"),
    }
}

async fn server() -> (String, Shared) {
    let settings = json!({ "ServiceSettings": {
        "EnableCommands": true, "EnableBotAccountCreation": true, "SiteURL": "https://chat.example",
        "AllowedUntrustedInternalConnections": "10.0.0.0/8 127.0.0.1",
    }});
    let server = Server {
        settings,
        bot: None,
        person: false,
        tokens: vec![],
        commands: vec![],
        role: vec!["create_post".into()],
        roles: "system_user".into(),
    };
    let server = Arc::new(Mutex::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(api).with_state(Arc::clone(&server));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, server)
}

async fn install(url: &str, token: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
    command.args(["mattermost", "install", "--url", url, "--public-url", "http://127.0.0.1:9"]).args(more);
    command.env_clear().env("MATTERMOST_ADMIN_TOKEN", token);
    tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.unwrap()
}

fn told(output: &Output) -> String {
    let code = output.status.code().unwrap();
    steady(format!(
        "exit {code}\n{}---\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_set_up_once_however_often() {
    let (url, server) = server().await;
    assert_snapshot!(told(&install(&url, "admin", &["--team", "acme", "--grant-private-answers"]).await), @"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottokenyyyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenyyyyyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    ---
      bot account @sekoia: created
      team acme: the bot is in it
      /sekoia in acme: created
      private answers with buttons: allowed now, by the role system_post_all
      bot token: created

    Invite @sekoia to the channel, then type /sekoia setup there.
    ");
    assert_snapshot!(told(&install(&url, "admin", &["--team", "acme"]).await), @"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    # MATTERMOST_BOT_TOKEN: the one that was printed when it was made
    MATTERMOST_COMMAND_TOKEN=tokenyyyyyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    ---
      bot account @sekoia: there already
      team acme: the bot is in it
      /sekoia in acme: there already
      private answers with buttons: allowed
      bot token: there already; it is shown only once (--new-token makes another)

    Invite @sekoia to the channel, then type /sekoia setup there.
    ");
    let server = server.lock().unwrap();
    assert_eq!((server.tokens.len(), server.commands.len()), (1, 1));
    assert_eq!(server.commands[0]["url"], "http://127.0.0.1:9/mattermost/command");
    assert_eq!(
        (server.role.join(" ").as_str(), server.roles.as_str()),
        ("create_post create_post_ephemeral", "system_user system_post_all")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_has_to_change_is_said() {
    let (url, server) = server().await;
    server.lock().unwrap().settings = json!({ "ServiceSettings": {
        "EnableCommands": false, "EnableBotAccountCreation": false, "SiteURL": "", "AllowedUntrustedInternalConnections": "",
    }});
    assert_snapshot!(told(&install(&url, "admin", &["--team", "acme"]).await), @"
    exit 1
    ---
    error: an administrator of the server has to change this before the bot works:
      Slash commands are off: System Console > Integrations > Integration Management > Enable Custom Slash Commands (ServiceSettings.EnableCommands).
      Bot accounts cannot be created: System Console > Integrations > Bot Accounts > Enable Bot Account Creation (ServiceSettings.EnableBotAccountCreation).
      The server has no Site URL, without which late answers to commands fail: System Console > Environment > Web Server > Site URL (ServiceSettings.SiteURL).
      The server does not call addresses inside its own network: add 127.0.0.1 to System Console > Environment > Developer > Allow untrusted internal connections (ServiceSettings.AllowedUntrustedInternalConnections).
    ");
    assert!(server.lock().unwrap().bot.is_none(), "nothing is begun that cannot be ended");
    server.lock().unwrap().settings["ServiceSettings"] = json!({ "SiteURL": "https://chat.example" });
    assert_snapshot!(told(&install(&url, "admin", &["--team", "acme"]).await), @"
    exit 1
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottokenyyyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenyyyyyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    ---
      bot account @sekoia: created
      team acme: the bot is in it
      /sekoia in acme: created
      bot token: created

    Better: Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right create_post_ephemeral is added to the built-in role system_post_all, and that role (which lets its holder post in every channel of the server) is given to the bot.
    error: an administrator of the server has to change this before the bot works:
      The server does not call addresses inside its own network: add 127.0.0.1 to System Console > Environment > Developer > Allow untrusted internal connections (ServiceSettings.AllowedUntrustedInternalConnections).
    ");
    let mut all = Vec::new();
    for (token, more) in [
        ("person", &["--team", "acme"][..]),
        ("wrong", &["--team", "acme"]),
        ("admin", &["--team", "nobody"]),
        ("no token", &["--team", "acme"]),
        ("admin", &[]),
    ] {
        all.push(told(&install(&url, token, more).await));
    }
    server.lock().unwrap().commands[0]["url"] = json!("https://other.example/hook");
    all.push(told(&install(&url, "admin", &["--team", "acme"]).await));
    server.lock().unwrap().person = true;
    all.push(told(&install(&url, "admin", &["--team", "acme"]).await));
    assert_snapshot!(all.join("\n"), @"
    exit 1
    ---
    error: Reading the server's settings: the admin token may not do this; use a system administrator's

    exit 1
    ---
    error: Reading the server's settings: the server does not take the admin token

    exit 1
    ---
    error: Looking for the team nobody: the server does not have it (app.team.get_by_name.missing.app_error)

    exit 1
    ---
    error: the admin token holds spaces or characters that no token has

    exit 2
    ---
    error: the following required arguments were not provided:
      --team <NAME>

    Usage: sekoia-chatops mattermost install --url <URL> --admin-token <ADMIN_TOKEN> --team <NAME> --public-url <PUBLIC_URL>

    For more information, try '--help'.

    exit 1
    ---
    error: Setting /sekoia up in acme: /sekoia belongs to something else; choose another word with --trigger

    exit 1
    ---
    error: Looking for the account sekoia: a person has that name; choose another one with --bot-name
    ");
}
