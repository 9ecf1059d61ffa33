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
    bot: Option<Bot>,
    person: bool,
    /// Descriptions of the bot's tokens, oldest first. Each works, unless it was taken back.
    tokens: Vec<String>,
    taken_back: bool,
    commands: Vec<Value>,
    /// Permissions of the role for integrations, what members may do, and the bot's roles.
    role: Vec<String>,
    members: Vec<String>,
    roles: String,
    /// The path under which it is served, if it is one.
    below: &'static str,
}

#[derive(Default)]
struct Bot {
    profile: Value,
    pictures: Vec<Vec<u8>>,
    teams: Vec<String>,
}

type Shared = Arc<Mutex<Server>>;

fn refused(status: u16, id: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "id": id, "message": "…", "status_code": status })))
        .into_response()
}

/// The token that was made as the so many-th.
fn bot_token(n: usize) -> String {
    id(&format!("bottoken{n}"))
}

async fn api(State(server): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut server = server.lock().unwrap();
    let Some(path) = uri.path().strip_prefix(server.below).and_then(|path| path.strip_prefix("/api/v4")) else {
        return (StatusCode::FOUND, [("location", format!("{}{}", server.below, uri.path()))]).into_response();
    };
    let token = headers.get("authorization").map(|t| t.to_str().unwrap().to_owned()).unwrap_or_default();
    let theirs = (1..=server.tokens.len()).any(|n| token == format!("Bearer {}", bot_token(n)));
    match token.as_str() {
        "Bearer admin" => {}
        "Bearer person" => return refused(403, "api.context.permissions.app_error"),
        _ if theirs && !server.taken_back && path == "/users/me" => {
            return Json(json!({ "id": id("bot"), "username": "sekoia" })).into_response();
        }
        _ => return refused(401, "api.context.session_expired.app_error"),
    }
    if path.ends_with("/image") {
        let kind = headers["content-type"].to_str().unwrap();
        server.bot.as_mut().unwrap().pictures.push(picture(kind, &body));
        return Json(json!({ "status": "OK" })).into_response();
    }
    let query = uri.query().unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let account = |server: &Server, bot: bool| {
        let mut account = json!({ "id": id("bot"), "roles": server.roles, "delete_at": 0 });
        if bot {
            account["is_bot"] = json!(true);
            let pictures = server.bot.as_ref().unwrap().pictures.len();
            account["last_picture_update"] = json!(pictures);
        }
        Json(account).into_response()
    };
    match (method.as_str(), path) {
        ("GET", "/config") => Json(server.settings.clone()).into_response(),
        ("GET", "/users/username/sekoia") if server.person => account(&server, false),
        ("GET", "/users/username/sekoia") if server.bot.is_some() => account(&server, true),
        ("GET", "/users/username/sekoia") => refused(404, "app.user.get_by_username.app_error"),
        ("POST", "/bots") if server.settings["ServiceSettings"]["EnableBotAccountCreation"] == false => {
            refused(403, "api.bot.create_disabled")
        }
        ("POST", "/bots") => {
            server.bot = Some(Bot { profile: body, ..Bot::default() });
            Json(json!({ "user_id": id("bot") })).into_response()
        }
        ("GET", _) if path.starts_with("/bots/") => Json(server.bot.as_ref().unwrap().profile.clone()).into_response(),
        ("PUT", _) if path.starts_with("/bots/") => {
            server.bot.as_mut().unwrap().profile = body.clone();
            Json(body).into_response()
        }
        ("GET", "/teams/name/acme") => Json(json!({ "id": id("acme"), "name": "acme" })).into_response(),
        ("GET", "/teams/name/blue") => Json(json!({ "id": id("blue"), "name": "blue" })).into_response(),
        ("GET", _) if path.starts_with("/teams/name/") => refused(404, "app.team.get_by_name.missing.app_error"),
        ("POST", _) if path.ends_with("/members") => {
            let team = body["team_id"].as_str().unwrap().trim_end_matches('y').to_owned();
            let teams = &mut server.bot.as_mut().unwrap().teams;
            if !teams.contains(&team) {
                teams.push(team);
            }
            Json(json!({})).into_response()
        }
        ("GET", _) if path.ends_with("/teams") => {
            let teams = server.bot.as_ref().unwrap().teams.iter();
            Json(teams.map(|name| json!({ "id": id(name), "name": name })).collect::<Vec<_>>()).into_response()
        }
        ("GET", "/commands") => {
            let here = |command: &&Value| query.contains(command["team_id"].as_str().unwrap());
            Json(server.commands.iter().filter(here).cloned().collect::<Vec<_>>()).into_response()
        }
        ("POST", "/commands") => {
            let mut command = body;
            let team = command["team_id"].as_str().unwrap().trim_end_matches('y').to_owned();
            (command["id"], command["token"]) =
                (json!(id(&format!("command{team}"))), json!(id(&format!("token{team}"))));
            server.commands.push(command.clone());
            Json(command).into_response()
        }
        ("PUT", _) if path.starts_with("/commands/") => {
            let known = server.commands.iter_mut().find(|command| path.ends_with(command["id"].as_str().unwrap()));
            *known.unwrap() = body.clone();
            Json(body).into_response()
        }
        ("POST", "/roles/names") => {
            let one = |name: &Value| match name.as_str().unwrap() {
                "system_post_all" => json!({ "id": id("role"), "permissions": server.role }),
                "channel_user" => json!({ "id": id("members"), "permissions": server.members }),
                _ => json!({ "id": id("other"), "permissions": [] }),
            };
            Json(body.as_array().unwrap().iter().map(one).collect::<Vec<_>>()).into_response()
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
            let one = |description: &String| json!({ "description": description, "is_active": !server.taken_back });
            Json(server.tokens.iter().map(one).collect::<Vec<_>>()).into_response()
        }
        ("POST", _) if path.ends_with("/tokens") => {
            server.tokens.push(body["description"].as_str().unwrap().to_owned());
            Json(json!({ "token": bot_token(server.tokens.len()) })).into_response()
        }
        other => panic!("nobody asked for {other:?}"),
    }
}

/// The file of a form with one: `multipart/form-data`.
fn picture(kind: &str, body: &[u8]) -> Vec<u8> {
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a form with a file");
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
    let blank = find(body, b"\r\n\r\n");
    let head = String::from_utf8(body[..blank].to_vec()).unwrap();
    assert!(head.starts_with(&format!("--{boundary}\r\n")) && head.contains("name=\"image\"; filename="), "{head}");
    let rest = &body[blank + 4..];
    let end = find(rest, format!("\r\n--{boundary}--\r\n").as_bytes());
    rest[..end].to_vec()
}

async fn server() -> (String, Shared) {
    let settings = json!({ "ServiceSettings": {
        "EnableCommands": true, "EnableBotAccountCreation": true, "SiteURL": "https://chat.example",
        "AllowedUntrustedInternalConnections": "10.0.0.0/8 127.0.0.1", "PostEditTimeLimit": -1,
        "EnablePostUsernameOverride": true, "EnablePostIconOverride": true,
    }});
    let server = Server {
        settings,
        bot: None,
        person: false,
        tokens: vec![],
        taken_back: false,
        commands: vec![],
        role: vec!["create_post".into()],
        members: vec!["create_post".into(), "edit_post".into()],
        roles: "system_user".into(),
        below: "",
    };
    let server = Arc::new(Mutex::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(api).with_state(Arc::clone(&server));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, server)
}

/// The usual one, said.
async fn installed(url: &str) -> String {
    told(&install(url, "admin", &["--team", "acme"]).await)
}

async fn install(url: &str, token: &str, more: &[&str]) -> Output {
    install_with(url, token, &[&["--public-url", "http://127.0.0.1:9"], more].concat()).await
}

async fn install_with(url: &str, token: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekoia-chatops"));
    command.args(["mattermost", "install", "--url", url]).args(more);
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
async fn a_server_that_cannot_call_the_bot_gets_no_command() {
    let (url, server) = server().await;
    server.lock().unwrap().settings["ServiceSettings"]["EnableCommands"] = json!(false);
    assert_snapshot!(told(&install_with(&url, "admin", &["--team", "acme", "--grant-private-answers"]).await), @"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    ---
      bot account @sekoia: created
      picture: set
      team acme: the bot is in it
      private answers: allowed now, by the role system_post_all
      edits of its own messages: allowed
      bot token: created

    Next:
      1. Load the environment: `set -a; . ./bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. @sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then @sekoia setup.
    ");
    assert!(server.lock().unwrap().commands.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_set_up_once_however_often() {
    let (url, server) = server().await;
    assert_snapshot!(told(&install(&url, "admin", &["--team", "acme", "--grant-private-answers"]).await), @"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ---
      bot account @sekoia: created
      picture: set
      team acme: the bot is in it
      /sekoia in acme: created
      private answers with buttons: allowed now, by the role system_post_all
      edits of its own messages: allowed
      answers to commands: with the bot's name and picture
      bot token: created

    Next:
      1. Load the environment: `set -a; . ./bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    ");
    // A second time, nobody can say the token: nothing is printed that would take its place.
    let before = server.lock().unwrap().commands.clone();
    assert_snapshot!(told(&install(&url, "admin", &["--team", "blue"]).await), @"
    exit 1
    ---
    error: Looking for the bot's token: the bot has a token already, and Mattermost shows a token only once. Nothing was changed and nothing is printed. Run this again with --output FILE, where FILE holds the environment of the first time, or run this again with --new-token for another token (the old one keeps working)
    ");
    assert_eq!(server.lock().unwrap().commands, before);
    assert_snapshot!(told(&install(&url, "admin", &["--team", "blue", "--new-token"]).await), @"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottoken2yyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy,tokenblueyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ---
      bot account @sekoia: there already
      picture: there already
      /sekoia in acme: there already
      team blue: the bot is in it
      /sekoia in blue: created
      private answers with buttons: allowed
      edits of its own messages: allowed
      answers to commands: with the bot's name and picture
      bot token: created

    Next:
      1. Load the environment: `set -a; . ./bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    ");
    let server = server.lock().unwrap();
    assert_eq!((server.tokens.len(), server.commands.len()), (2, 2));
    assert_eq!(server.commands[0]["url"], "http://127.0.0.1:9/mattermost/command");
    let icon = format!("https://chat.example/api/v4/users/{}/image", id("bot"));
    assert_eq!((&server.commands[0]["username"], &server.commands[0]["icon_url"]), (&json!("sekoia"), &json!(icon)));
    assert_eq!(
        (server.role.join(" ").as_str(), server.roles.as_str()),
        ("create_post create_post_ephemeral", "system_user system_post_all")
    );
    let bot = server.bot.as_ref().unwrap();
    assert_eq!((&bot.profile["display_name"], bot.pictures.len()), (&json!("Sekoia"), 1));
    assert!(bot.pictures[0].starts_with(b"\x89PNG"));
}

/// The file as it is now, without the port of the test's server, and its mode.
fn kept(path: &std::path::Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    steady(format!("{mode:o}\n{}", std::fs::read_to_string(path).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_file_is_completed_and_keeps_what_is_not_ours() {
    let (url, server) = server().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.env");
    let file = path.to_str().unwrap();
    std::fs::write(&path, "# the SOC's bot\nSEKOIA_API_KEY=secret\nexport MATTERMOST_BOT_TOKEN=\n").unwrap();
    let run = async |more: &[&str]| {
        let output = install(&url, "admin", &[&["--output", file], more].concat()).await;
        told(&output).replace(folder.path().to_str().unwrap(), "<folder>")
    };
    assert_snapshot!(run(&["--team", "acme"]).await, @"
    exit 0
    ---
      bot account @sekoia: created
      picture: set
      team acme: the bot is in it
      /sekoia in acme: created
      edits of its own messages: allowed
      answers to commands: with the bot's name and picture
      bot token: created

    Better: Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right create_post_ephemeral is added to the built-in role system_post_all, and that role (which lets its holder post in every channel of the server) is given to the bot.

    The environment is in <folder>/bot.env, readable by you alone.

    Next:
      1. Load the environment: `set -a; . <folder>/bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    ");
    assert_snapshot!(kept(&path), @"
    600
    # the SOC's bot
    SEKOIA_API_KEY=secret
    export MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ");

    // Another team, and everything once more: the same token, both commands, nothing twice.
    assert_snapshot!(run(&["--team", "blue"]).await, @"
    exit 0
    ---
      bot account @sekoia: there already
      bot token: the known one works
      picture: there already
      /sekoia in acme: there already
      team blue: the bot is in it
      /sekoia in blue: created
      edits of its own messages: allowed
      answers to commands: with the bot's name and picture

    Better: Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right create_post_ephemeral is added to the built-in role system_post_all, and that role (which lets its holder post in every channel of the server) is given to the bot.

    The environment is in <folder>/bot.env, readable by you alone.

    Next:
      1. Load the environment: `set -a; . <folder>/bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    ");
    let after = kept(&path);
    assert_snapshot!(after, @"
    600
    # the SOC's bot
    SEKOIA_API_KEY=secret
    export MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy,tokenblueyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ");
    run(&["--team", "acme", "--team", "blue"]).await;
    assert_eq!(kept(&path), after);
    assert_eq!(server.lock().unwrap().tokens.len(), 1);

    // A token that was taken back is not there: another one is made.
    server.lock().unwrap().taken_back = true;
    run(&["--team", "acme"]).await;
    assert!(kept(&path).contains(&format!("MATTERMOST_BOT_TOKEN={}", bot_token(2))), "{}", kept(&path));

    // One that does not work while the bot has another: nobody knows which bot uses that.
    server.lock().unwrap().taken_back = false;
    std::fs::write(&path, "MATTERMOST_BOT_TOKEN=wrong\n").unwrap();
    assert_snapshot!(run(&["--team", "acme"]).await, @"
    exit 1
    ---
    error: Looking for the bot's token: the token in MATTERMOST_BOT_TOKEN does not work any more, and Mattermost does not show the bot's token again. Nothing was changed and nothing is printed. Set the right one there, or run this again with --new-token for another token (the old one keeps working)
    ");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "MATTERMOST_BOT_TOKEN=wrong\n");

    // Where no file can be, nothing is begun.
    let output = install(&url, "admin", &["--team", "acme", "--output", "/nowhere/bot.env", "--new-token"]).await;
    assert!(told(&output).contains("/nowhere/bot.env cannot be used"), "{}", told(&output));
    assert_eq!(server.lock().unwrap().tokens.len(), 2);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "no file of an attempt stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_answers_worse_is_said_with_its_place() {
    let (url, server) = server().await;
    {
        let mut server = server.lock().unwrap();
        server.settings["ServiceSettings"]["AllowEditPost"] = json!("never");
        server.settings["ServiceSettings"]["PostEditTimeLimit"] = json!(300);
        server.settings["ServiceSettings"]["EnablePostUsernameOverride"] = json!(false);
        server.members = vec!["create_post".into()];
    }
    assert_snapshot!(installed(&url).await, @r#"
    exit 0
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ---
      bot account @sekoia: created
      picture: set
      team acme: the bot is in it
      /sekoia in acme: created
      bot token: created

    Better: Nobody may edit messages on this server, so the bot posts each changed card anew. To allow it: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts (ServiceSettings.AllowEditPost).

    Better: Messages may be edited for 300 seconds only, so the bot posts each card that changes later anew. The limit counts for everybody and cannot be lifted for the bot alone. To lift it: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts, the time limit, or `mmctl config set ServiceSettings.PostEditTimeLimit -1`.

    Better: Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right create_post_ephemeral is added to the built-in role system_post_all, and that role (which lets its holder post in every channel of the server) is given to the bot.

    Better: Members may not edit their messages, so the bot may not either, and posts each changed card anew. Run this again with --grant-edits to allow it to the bot alone: the right edit_post is added to the built-in role system_post_all, and that role is given to the bot. Or allow it to everybody: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts.

    Better: Answers to a slash command appear under the reader's own name, with a BOT tag. Switch on "Enable integrations to override usernames" and "Enable integrations to override profile picture icons" (System Console > Integrations > Integration Management; ServiceSettings.EnablePostUsernameOverride and EnablePostIconOverride), or run this again with --grant-private-answers.

    Next:
      1. Load the environment: `set -a; . ./bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    "#);
    let granted = ["--team", "acme", "--new-token", "--grant-private-answers", "--grant-edits"];
    let said = told(&install(&url, "admin", &granted).await);
    for expected in [
        "private answers with buttons: allowed now, by the role system_post_all",
        "edits of its own messages: allowed now, by the role system_post_all",
        "answers to commands: shown by the bot itself",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let server = server.lock().unwrap();
    assert_eq!(server.role.join(" "), "create_post create_post_ephemeral edit_post");
    assert_eq!(server.roles, "system_user system_post_all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_below_a_path_is_found_by_its_site_url() {
    let (url, server) = server().await;
    server.lock().unwrap().below = "/chat";
    assert_snapshot!(installed(&url).await, @"
    exit 1
    ---
    error: Reading the server's settings: the server leads elsewhere (302 Found); it is served at http://127.0.0.1:<port>/chat: give that with --url
    ");
    let output = install(&format!("{url}/chat"), "admin", &["--team", "acme"]).await;
    assert!(output.status.success(), "{}", told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_has_to_change_is_said() {
    let (url, server) = server().await;
    server.lock().unwrap().settings = json!({ "ServiceSettings": {
        "EnableCommands": false, "EnableBotAccountCreation": false, "SiteURL": "", "AllowedUntrustedInternalConnections": "",
    }});
    assert_snapshot!(installed(&url).await, @"
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
    assert_snapshot!(installed(&url).await, @r#"
    exit 1
    MATTERMOST_URL=http://127.0.0.1:<port>
    MATTERMOST_BOT_TOKEN=bottoken1yyyyyyyyyyyyyyyyy
    MATTERMOST_COMMAND_TOKEN=tokenacmeyyyyyyyyyyyyyyyyy
    CHATOPS_PUBLIC_URL=http://127.0.0.1:<port>
    MATTERMOST_SOURCES=127.0.0.1,::1
    ---
      bot account @sekoia: created
      picture: set
      team acme: the bot is in it
      /sekoia in acme: created
      edits of its own messages: allowed
      bot token: created

    Better: Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right create_post_ephemeral is added to the built-in role system_post_all, and that role (which lets its holder post in every channel of the server) is given to the bot.

    Better: Answers to a slash command appear under the reader's own name, with a BOT tag. Switch on "Enable integrations to override usernames" and "Enable integrations to override profile picture icons" (System Console > Integrations > Integration Management; ServiceSettings.EnablePostUsernameOverride and EnablePostIconOverride), or run this again with --grant-private-answers.

    Next:
      1. Load the environment: `set -a; . ./bot.env; set +a` in a shell, or EnvironmentFile= with the file's full path in a systemd unit.
      2. Set SEKOIA_API_KEY, and CHATOPS_APPROVERS to two people at least, because nobody approves their own request. /sekoia whoami shows an id.
      3. Start `sekoia-chatops serve`, or restart it: settings are read at its start.
      4. Type /invite @sekoia in the channel, then /sekoia setup.
    error: everything is set up and the environment is complete, but an administrator of the server has to change this before the bot works:
      The server does not call addresses inside its own network: add 127.0.0.1 to System Console > Environment > Developer > Allow untrusted internal connections (ServiceSettings.AllowedUntrustedInternalConnections).
    "#);
    let mut all = Vec::new();
    for (token, more) in [
        ("person", &["--team", "acme"][..]),
        ("wrong", &["--team", "acme"]),
        ("admin", &["--team", "nobody", "--new-token"]),
        ("no token", &["--team", "acme"]),
        ("admin", &[]),
    ] {
        all.push(told(&install(&url, token, more).await));
    }
    server.lock().unwrap().commands[0]["url"] = json!("https://other.example/hook");
    all.push(told(&install(&url, "admin", &["--team", "acme", "--new-token"]).await));
    server.lock().unwrap().person = true;
    all.push(told(&install(&url, "admin", &["--team", "acme", "--new-token"]).await));
    assert_snapshot!(all.join("\n"), @"
    exit 1
    ---
    error: Reading the server's settings: the admin token may not do this; use a system administrator's

    exit 1
    ---
    error: Reading the server's settings: the server does not take the admin token. A system administrator allows personal access tokens (System Console > Integrations > Integration Management > Enable Personal Access Tokens) and makes one (Profile > Security > Personal Access Tokens)

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
