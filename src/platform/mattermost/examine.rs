//! What an operator should know of the server: its version, the bot's account, and the settings that bite, as
//! far as the bot's own token reads them.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use super::api::Api;
use super::socket::{Lost, Socket, SocketEvent, SocketTiming};
use crate::chat::ChatError;
use crate::chat::diagnosis::{Check, Verdict, harmless};
use crate::config::MattermostConfig;
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::resolve::inside::{addresses, is_inside};
use crate::timing::Rhythm;
use crate::timing::doctor::HEARD_WITHIN;

const TOKEN: (&str, &str) = ("mattermost.token", "Mattermost: token");
const VERSION: (&str, &str) = ("mattermost.version", "Mattermost: version");
const COMMANDS: (&str, &str) = ("mattermost.commands", "Mattermost: commands");
const BOTS: (&str, &str) = ("mattermost.bots", "Mattermost: bot accounts");
const PRIVATE: (&str, &str) = ("mattermost.private", "Mattermost: private answers");
const MENTIONS: (&str, &str) = ("mattermost.mentions", "Mattermost: mentions");
const EDITS: (&str, &str) = ("mattermost.edits", "Mattermost: edits");
const CALLS: (&str, &str) = ("mattermost.calls", "Mattermost: calls to the bot");
/// Before, a field for several choices takes one.
const OLDEST: u32 = 11;
/// What every member of a team and of a channel may do.
const MEMBERS: [&str; 2] = ["team_user", "channel_user"];

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    username: String,
    #[serde(default)]
    roles: String,
    #[serde(default)]
    is_bot: bool,
}

#[derive(Deserialize)]
struct Role {
    #[serde(default)]
    permissions: Vec<String>,
}

pub(super) async fn examine(api: &Api, config: &MattermostConfig) -> Vec<Check> {
    let (mut checks, mentions) = tokio::join!(server(api, config), mentions(config));
    // Without the token nothing works, and that is said.
    if checks.iter().all(|check| check.id != TOKEN.0 || check.verdict != Verdict::Fail) {
        checks.push(mentions);
    }
    checks
}

/// A WebSocket as the bot has it, until the server takes the token.
async fn mentions(config: &MattermostConfig) -> Check {
    let (id, subject) = MENTIONS;
    let Ok(dialer) = config.network.dialer() else {
        return Check::warn(id, subject, "Not examined: no TLS client can be made.", "Check CHATOPS_CA_FILE.");
    };
    let timing = SocketTiming::of(Rhythm::default());
    let socket = Socket::new(&config.url, config.bot_token.clone(), timing, dialer);
    let (out, mut events) = mpsc::channel(1);
    let event = tokio::select! {
        () = socket.listen(&out) => None,
        event = events.recv() => event,
        () = tokio::time::sleep(HEARD_WITHIN) => Some(SocketEvent::Lost(Lost::Stalled)),
    };
    let Some(SocketEvent::Lost(why)) = event else {
        return Check::pass(id, subject, "The server's WebSocket takes the token, so mentions are read.");
    };
    let found = format!("Mentions are not read: {}.", harmless(&why.to_string()));
    let advice = match why {
        Lost::Stalled | Lost::Closed { .. } | Lost::TooLarge | Lost::Broken => {
            "A proxy before the server must pass WebSockets on at /api/v4/websocket.".into()
        }
        why => why.advice(),
    };
    if config.only_mentions() {
        return Check::fail(id, subject, &found, &advice);
    }
    Check::warn(id, subject, &format!("{found} Slash commands work all the same."), &advice)
}

async fn server(api: &Api, config: &MattermostConfig) -> Vec<Check> {
    // How the server reaches the bot; none if it cannot.
    let public = config.public_url.as_ref().filter(|_| !config.only_mentions());
    let (me, settings) = tokio::join!(api.get::<Account>("/users/me"), api.get::<Value>("/config/client?format=old"));
    let me = match me {
        Ok(me) => me,
        Err(error) => return vec![refused(api, &error)],
    };
    let mut checks = vec![token(&me)];
    match &settings {
        Ok(settings) => checks.extend([version(settings), commands(settings, public.is_some()), bots(settings)]),
        Err(error) => {
            let (id, subject) = VERSION;
            let found = format!("The server's settings cannot be read: {}.", harmless(&error.to_string()));
            checks.push(Check::warn(
                id,
                subject,
                &found,
                "Open MATTERMOST_URL in a browser: it must be the server's Site URL.",
            ));
        }
    }
    checks.extend(rights(api, &me, settings.as_ref().ok()).await);
    if let Some(public) = public {
        checks.push(calls(public).await);
    }
    checks
}

fn refused(api: &Api, error: &ChatError) -> Check {
    let (id, subject) = TOKEN;
    let host = api.address().host_str().unwrap_or_default();
    let (found, advice) = match error {
        ChatError::TokenDead(_) => (
            format!("{host} does not accept the token."),
            "Make another one with `sekoia-chatops mattermost install --new-token`, set MATTERMOST_BOT_TOKEN and restart the bot.",
        ),
        ChatError::Unavailable(why) => (
            format!("{host} does not answer: {}.", harmless(why)),
            "Let the bot reach MATTERMOST_URL, through the proxy if there is one; CHATOPS_CA_FILE names a private authority.",
        ),
        error => (
            format!("{host} is no Mattermost server, or not at this address: {}.", harmless(&error.to_string())),
            "Set MATTERMOST_URL to the server's Site URL, with the sub-path if it has one.",
        ),
    };
    Check::fail(id, subject, &found, advice)
}

fn token(me: &Account) -> Check {
    let (id, subject) = TOKEN;
    let name = harmless(&me.username);
    if me.is_bot {
        return Check::pass(id, subject, &format!("The token is of the bot account @{name}."));
    }
    Check::warn(
        id,
        subject,
        &format!("The token is of a person, @{name}: what the bot says is said by them."),
        "Make a bot account and its token with `sekoia-chatops mattermost install`.",
    )
}

fn version(config: &Value) -> Check {
    let (id, subject) = VERSION;
    let version = config["Version"].as_str().unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST => Check::pass(id, subject, &format!("Mattermost {}.", harmless(version))),
        Some(_) => Check::warn(
            id,
            subject,
            &format!(
                "Mattermost {} is older than {OLDEST}: in forms, fields for several choices take one.",
                harmless(version)
            ),
            &format!("Upgrade the server to Mattermost {OLDEST}."),
        ),
        None => Check::warn(
            id,
            subject,
            "The server does not tell its version.",
            &format!("It must be Mattermost {OLDEST} or later."),
        ),
    }
}

/// Settings come as texts; one that an older or newer server does not have is as it should be.
fn is(config: &Value, name: &str, value: &str) -> bool {
    config[name].as_str() == Some(value)
}

fn commands(config: &Value, called: bool) -> Check {
    let (id, subject) = COMMANDS;
    if !called {
        return Check::pass(
            id,
            subject,
            "The server does not call the bot, which reads commands after mentions alone.",
        );
    }
    if is(config, "EnableCommands", "false") {
        return Check::fail(
            id,
            subject,
            "Custom slash commands are off, so nobody can call the bot by one.",
            "System Console > Integrations > Integration Management > Enable Custom Slash Commands (ServiceSettings.EnableCommands).",
        );
    }
    if config["SiteURL"].as_str().is_some_and(str::is_empty) {
        return Check::fail(
            id,
            subject,
            "The server has no Site URL, without which late answers to commands fail.",
            "System Console > Environment > Web Server > Site URL (ServiceSettings.SiteURL).",
        );
    }
    Check::pass(id, subject, "Custom slash commands are on.")
}

fn bots(config: &Value) -> Check {
    let (id, subject) = BOTS;
    if is(config, "EnableBotAccountCreation", "false") {
        return Check::warn(
            id,
            subject,
            "Bot accounts cannot be created. The one that there is keeps working.",
            "To run `sekoia-chatops mattermost install` again: System Console > Integrations > Bot Accounts > Enable Bot Account Creation (ServiceSettings.EnableBotAccountCreation).",
        );
    }
    Check::pass(id, subject, "Bot accounts can be created.")
}

/// What the bot may by its roles, and what is allowed to nobody.
async fn rights(api: &Api, me: &Account, config: Option<&Value>) -> [Check; 2] {
    let names: Vec<&str> = me.roles.split_whitespace().chain(MEMBERS).collect();
    let path = "/roles/names";
    // A question that is too long for an address: it changes nothing.
    let roles: Result<Vec<Role>, ChatError> =
        api.send(Method::POST, path, Retry::Idempotent, Rank::Person, &json!(names)).await;
    let may = |right: &str| -> Option<bool> {
        let roles = roles.as_ref().ok()?;
        Some(roles.iter().any(|role| role.permissions.iter().any(|permission| permission == right)))
    };
    [private(may("create_post_ephemeral")), edits(may("edit_post"), config)]
}

fn private(allowed: Option<bool>) -> Check {
    let (id, subject) = PRIVATE;
    match allowed {
        Some(true) => Check::pass(id, subject, "The bot may show a post to one person alone."),
        Some(false) => Check::warn(
            id,
            subject,
            "The bot may not show a post to one person alone: answers to a pressed button come as text without buttons.",
            "Run `sekoia-chatops mattermost install --grant-private-answers` to give it the right create_post_ephemeral.",
        ),
        None => unreadable(
            PRIVATE,
            "Whether the bot may show a post to one person alone",
            "the role system_post_all has create_post_ephemeral, and the bot has that role",
        ),
    }
}

fn edits(allowed: Option<bool>, config: Option<&Value>) -> Check {
    let (id, subject) = EDITS;
    let value = |name: &str| config.and_then(|config| config[name].as_str());
    let where_ =
        "System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts";
    if value("AllowEditPost") == Some("never") {
        let advice = format!("{where_} (ServiceSettings.AllowEditPost).");
        return Check::warn(
            id,
            subject,
            "Nobody may edit messages, so each changed card becomes a new message.",
            &advice,
        );
    }
    if allowed == Some(false) {
        let advice =
            format!("Run `sekoia-chatops mattermost install --grant-edits`, or allow it to everybody: {where_}.");
        return Check::warn(
            id,
            subject,
            "The bot may not edit its messages, so each changed card becomes a new message.",
            &advice,
        );
    }
    if let Some(limit) = value("PostEditTimeLimit").filter(|limit| limit.parse::<i64>().is_ok_and(|s| s >= 0)) {
        let found = format!(
            "Messages may be edited for {limit} seconds only, so each card that changes later becomes a new message."
        );
        let advice = format!("{where_}, the time limit; or `mmctl config set ServiceSettings.PostEditTimeLimit -1`.");
        return Check::warn(id, subject, &found, &advice);
    }
    if allowed.is_none() {
        return unreadable(
            EDITS,
            "Whether the bot may edit its messages",
            "All Members have Manage Posts > Edit Posts",
        );
    }
    Check::pass(id, subject, "The bot may edit its messages, however old.")
}

/// What the server needs to know to call an address inside a network.
async fn calls(public: &Url) -> Check {
    let (id, subject) = CALLS;
    let host = public.host_str().unwrap_or_default();
    if !addresses(public).await.into_iter().any(is_inside) {
        return Check::pass(id, subject, &format!("{host} is not inside a private network: the server may call it."));
    }
    let at = "System Console > Environment > Developer > Allow untrusted internal connections";
    unreadable(
        (id, subject),
        &format!("{host} is inside a private network. Whether the server may call it"),
        &format!(
            "{at} (ServiceSettings.AllowedUntrustedInternalConnections) lists {host}, or try a command in a channel"
        ),
    )
}

fn unreadable((id, subject): (&str, &str), what: &str, look: &str) -> Check {
    let found = format!("{what} cannot be read with the bot's token.");
    Check::warn(id, subject, &found, &format!("An administrator of the server can see whether {look}."))
}
