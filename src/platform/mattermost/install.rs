//! Sets a Mattermost server up for the bot: its account, its token, its slash command in a team.
//!
//! Works with an administrator's token, which is used here and kept nowhere. Safe to run twice:
//! what is there already is used as it is, or brought up to date.

use std::net::IpAddr;

use ipnet::IpNet;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::api::{Again, Api};
use crate::pace::Rank;
use crate::platform::ChatError;

/// What is to be set up.
#[derive(Debug)]
pub struct Wanted {
    pub url: Url,
    pub admin_token: SecretString,
    /// Names, as they stand in addresses.
    pub teams: Vec<String>,
    /// How the server reaches the bot.
    pub public_url: Url,
    pub bot_name: String,
    pub trigger: String,
    /// Another token of the bot's, although it has one.
    pub new_token: bool,
    /// Lets the bot show answers with buttons to one person alone.
    pub grant_private: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Installed {
    pub bot_id: String,
    /// Known only when it was made now.
    pub bot_token: Option<SecretString>,
    pub command_tokens: Vec<SecretString>,
    /// What was done or found, in order.
    pub done: Vec<String>,
    /// What somebody has to change before the bot works.
    pub problems: Vec<String>,
    /// What would make it better.
    pub advice: Vec<String>,
}

/// Description of the bot's token, by which it is found again.
const TOKEN: &str = "sekoia-chatops";
/// A role for integrations that the server has; nobody has it who was not given it.
const ROLE: &str = "system_post_all";
const PRIVATE: &str = "create_post_ephemeral";

#[derive(Debug, Deserialize)]
struct Account {
    id: String,
    #[serde(default)]
    roles: String,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    delete_at: i64,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Role {
    id: String,
    #[serde(default)]
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct SlashCommand {
    id: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    trigger: String,
    #[serde(default)]
    url: String,
}

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Stopped {
    doing: String,
    why: String,
}

struct Installer<'a> {
    api: Api,
    wanted: &'a Wanted,
    so_far: Installed,
}

/// Does everything that can be done, and says what somebody else has to do.
///
/// # Errors
/// [`Stopped`], with what stood in the way; run it again when that is mended.
pub async fn install(wanted: &Wanted) -> anyhow::Result<Installed> {
    let api = Api::new(&wanted.url, wanted.admin_token.clone())?;
    let mut installer = Installer { api, wanted, so_far: Installed::default() };
    if !installer.check_settings().await? {
        return Ok(installer.so_far);
    }
    let bot = installer.bot().await?;
    for team in &wanted.teams {
        installer.team(team, &bot.id).await?;
    }
    installer.private_answers(&bot).await?;
    // Last: it is shown only once, and whatever stops the rest must not hide it.
    installer.token(&bot.id).await?;
    installer.so_far.bot_id = bot.id;
    Ok(installer.so_far)
}

impl Installer<'_> {
    async fn get<T: for<'de> Deserialize<'de>>(&self, doing: &str, path: &str) -> Result<T, Stopped> {
        self.api.get(path).await.map_err(|error| stopped(doing, &error))
    }

    async fn send<T: for<'de> Deserialize<'de>>(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, Stopped> {
        let sent = self.api.send(method, path, Again::Doubles, Rank::Person, body).await;
        sent.map_err(|error| stopped(doing, &error))
    }

    /// Settings of the server that bite; false if nothing can be set up before they are changed.
    async fn check_settings(&mut self) -> Result<bool, Stopped> {
        let config: Value = self.get("Reading the server's settings", "/config").await?;
        let service = &config["ServiceSettings"];
        let problems = &mut self.so_far.problems;
        let closed = service["EnableCommands"] == false || service["EnableBotAccountCreation"] == false;
        if service["EnableCommands"] == false {
            problems.push("Slash commands are off: System Console > Integrations > Integration Management > Enable Custom Slash Commands (ServiceSettings.EnableCommands).".into());
        }
        if service["EnableBotAccountCreation"] == false {
            problems.push("Bot accounts cannot be created: System Console > Integrations > Bot Accounts > Enable Bot Account Creation (ServiceSettings.EnableBotAccountCreation).".into());
        }
        if service["SiteURL"].as_str().unwrap_or_default().is_empty() {
            problems.push("The server has no Site URL, without which late answers to commands fail: System Console > Environment > Web Server > Site URL (ServiceSettings.SiteURL).".into());
        }
        let allowed = service["AllowedUntrustedInternalConnections"].as_str().unwrap_or_default();
        if let Some(host) = self.wanted.public_url.host_str() {
            let port = self.wanted.public_url.port_or_known_default().unwrap_or(443);
            let addresses = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
            let addresses: Vec<IpAddr> = addresses.map(|found| found.map(|a| a.ip()).collect()).unwrap_or_default();
            let inside = addresses.iter().any(|ip| is_internal(*ip));
            if inside && !is_allowed(allowed, host, &addresses) {
                problems.push(format!(
                    "The server does not call addresses inside its own network: add {host} to System Console > Environment > Developer > Allow untrusted internal connections (ServiceSettings.AllowedUntrustedInternalConnections)."
                ));
            }
        }
        Ok(!closed)
    }

    async fn bot(&mut self) -> Result<Account, Stopped> {
        let name = &self.wanted.bot_name;
        let doing = format!("Looking for the account {name}");
        match self.api.get::<Account>(&format!("/users/username/{name}")).await {
            Ok(account) if !account.is_bot => {
                Err(Stopped { doing, why: "a person has that name; choose another one with --bot-name".into() })
            }
            Ok(account) if account.delete_at != 0 => {
                let path = format!("/bots/{}/enable", account.id);
                self.send::<Value>("Enabling the bot's account", Method::POST, &path, &json!({})).await?;
                self.so_far.done.push(format!("bot account @{name}: enabled again"));
                Ok(account)
            }
            Ok(account) => {
                self.so_far.done.push(format!("bot account @{name}: there already"));
                Ok(account)
            }
            Err(ChatError::Refused(_)) => {
                #[derive(Deserialize)]
                struct Bot {
                    user_id: String,
                }
                let body = json!({
                    "username": name, "display_name": "Sekoia", "description": "Sets up a Sekoia workspace",
                });
                let made: Bot = self.send("Creating the bot's account", Method::POST, "/bots", &body).await?;
                self.so_far.done.push(format!("bot account @{name}: created"));
                Ok(Account { id: made.user_id, roles: "system_user".into(), is_bot: true, delete_at: 0 })
            }
            Err(error) => Err(stopped(&doing, &error)),
        }
    }

    async fn token(&mut self, bot: &str) -> Result<(), Stopped> {
        #[derive(Deserialize)]
        struct Made {
            token: SecretString,
        }
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            description: String,
        }
        let path = format!("/users/{bot}/tokens");
        let known: Vec<Known> = self.get("Listing the bot's tokens", &path).await?;
        if known.iter().any(|token| token.description == TOKEN) && !self.wanted.new_token {
            self.so_far.done.push("bot token: there already; it is shown only once (--new-token makes another)".into());
            return Ok(());
        }
        let body = json!({ "description": TOKEN });
        let made: Made = self.send("Creating the bot's token", Method::POST, &path, &body).await?;
        self.so_far.done.push("bot token: created".into());
        self.so_far.bot_token = Some(made.token);
        Ok(())
    }

    async fn team(&mut self, name: &str, bot: &str) -> Result<(), Stopped> {
        let team: Id = self.get(&format!("Looking for the team {name}"), &format!("/teams/name/{name}")).await?;
        let member = json!({ "team_id": team.id, "user_id": bot });
        let doing = format!("Adding the bot to the team {name}");
        self.send::<Value>(&doing, Method::POST, &format!("/teams/{}/members", team.id), &member).await?;
        self.so_far.done.push(format!("team {name}: the bot is in it"));
        self.command(name, &team.id).await
    }

    async fn command(&mut self, team: &str, id: &str) -> Result<(), Stopped> {
        let trigger = &self.wanted.trigger;
        let address = format!("{}/mattermost/command", self.wanted.public_url.as_str().trim_end_matches('/'));
        let list = format!("/commands?team_id={id}&custom_only=true");
        let doing = format!("Listing the slash commands of {team}");
        let known: Vec<SlashCommand> = self.get(&doing, &list).await?;
        let doing = format!("Setting /{trigger} up in {team}");
        let mut body = json!({
            "team_id": id, "trigger": trigger, "method": "P", "url": address, "auto_complete": true,
            "auto_complete_hint": "[help, setup, status, …]",
            "auto_complete_desc": "Sets up a Sekoia workspace: a checklist, approvals, keys",
            "display_name": "Sekoia", "description": "Sets up a Sekoia workspace",
        });
        let token = match known.into_iter().find(|command| command.trigger == *trigger) {
            Some(command) if !command.url.ends_with("/mattermost/command") => {
                let why = format!("/{trigger} belongs to something else; choose another word with --trigger");
                return Err(Stopped { doing, why });
            }
            Some(command) if command.url == address => {
                self.so_far.done.push(format!("/{trigger} in {team}: there already"));
                command.token
            }
            Some(command) => {
                (body["id"], body["token"]) = (json!(command.id), json!(command.token));
                let path = format!("/commands/{}", command.id);
                self.send::<Value>(&doing, Method::PUT, &path, &body).await?;
                self.so_far.done.push(format!("/{trigger} in {team}: leads to {address} now"));
                command.token
            }
            None => {
                let made: SlashCommand = self.send(&doing, Method::POST, "/commands", &body).await?;
                self.so_far.done.push(format!("/{trigger} in {team}: created"));
                made.token
            }
        };
        self.so_far.command_tokens.push(SecretString::from(token));
        Ok(())
    }

    /// Without that right the bot answers a press in words, and a form in the direct message.
    async fn private_answers(&mut self, bot: &Account) -> Result<(), Stopped> {
        let roles: Vec<&str> = bot.roles.split_whitespace().collect();
        let named: Vec<Role> =
            self.send("Reading the bot's roles", Method::POST, "/roles/names", &json!(roles)).await?;
        if named.iter().any(|role| role.permissions.iter().any(|p| p == PRIVATE)) {
            self.so_far.done.push("private answers with buttons: allowed".into());
            return Ok(());
        }
        if !self.wanted.grant_private {
            self.so_far.advice.push(format!(
                "Answers to a pressed button come as text without buttons, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right {PRIVATE} is added to the built-in role {ROLE}, and that role (which lets its holder post in every channel of the server) is given to the bot."
            ));
            return Ok(());
        }
        let role: Role = self.get("Reading the role", &format!("/roles/name/{ROLE}")).await?;
        if !role.permissions.iter().any(|p| p == PRIVATE) {
            let permissions: Vec<&str> = role.permissions.iter().map(String::as_str).chain([PRIVATE]).collect();
            let body = json!({ "permissions": permissions });
            self.send::<Value>("Changing the role", Method::PUT, &format!("/roles/{}/patch", role.id), &body).await?;
        }
        let body = json!({ "roles": format!("{} {ROLE}", roles.join(" ")) });
        self.send::<Value>("Giving the role", Method::PUT, &format!("/users/{}/roles", bot.id), &body).await?;
        self.so_far.done.push(format!("private answers with buttons: allowed now, by the role {ROLE}"));
        Ok(())
    }
}

fn stopped(doing: &str, error: &ChatError) -> Stopped {
    let why = match error {
        ChatError::TokenDead(_) => "the server does not take the admin token".into(),
        ChatError::NotInChannel => "the admin token may not do this; use a system administrator's".into(),
        ChatError::Refused(id) if id.contains("404") || id.contains("missing") || id.contains("find") => {
            format!("the server does not have it ({id})")
        }
        error => error.to_string(),
    };
    Stopped { doing: doing.to_owned(), why }
}

/// Addresses that Mattermost calls only if it is told to.
fn is_internal(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The setting lists hosts, addresses and networks, with spaces or commas between.
fn is_allowed(setting: &str, host: &str, addresses: &[IpAddr]) -> bool {
    let entries = setting.split([' ', ',']).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| {
        let net = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        entry.eq_ignore_ascii_case(host) || net.is_ok_and(|net| addresses.iter().any(|ip| net.contains(ip)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_have_to_be_allowed() {
        let ips = |list: &[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
        for ip in ips(&["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1", "::ffff:10.0.0.1"]) {
            assert!(is_internal(ip), "{ip}");
        }
        assert!(!is_internal("51.15.1.1".parse().unwrap()));
        assert!(is_allowed("bot.local, 10.0.0.0/8", "bot", &ips(&["10.1.2.3"])));
        assert!(is_allowed("bot.local 10.0.0.0/8", "BOT.local", &ips(&["192.168.0.1"])));
        assert!(is_allowed("127.0.0.1", "localhost", &ips(&["127.0.0.1"])));
        assert!(!is_allowed("", "localhost", &ips(&["127.0.0.1"])));
    }
}
