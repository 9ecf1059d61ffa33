//! Sets a Mattermost server up for the bot: its account, its token, its slash command in a team.
//!
//! Works with an administrator's token, which is used here and kept nowhere. Safe to run twice:
//! what is there already is used as it is, or brought up to date.

mod account;
mod rights;
mod settings;

use std::net::IpAddr;

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::api::Api;
use crate::chat::ChatError;
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::resolve::inside::addresses;
use crate::resolve::network::Network;
use account::Token;

/// What is to be set up.
#[derive(Debug)]
pub struct Options {
    pub url: Url,
    pub admin_token: SecretString,
    /// Names, as they stand in addresses.
    pub teams: Vec<String>,
    /// How the server reaches the bot; none: it cannot, and gets no slash command.
    pub public_url: Option<Url>,
    pub bot_name: String,
    pub trigger: String,
    /// The bot's token, as far as it is known: used if it works.
    pub bot_token: Option<SecretString>,
    /// Another token of the bot's, although it has one.
    pub new_token: bool,
    /// Lets the bot show answers with buttons to one person alone.
    pub grant_private: bool,
    /// Lets the bot edit its messages where members may not.
    pub grant_edits: bool,
    pub network: Network,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Installed {
    /// None if nothing could be set up.
    pub ready: Option<Ready>,
    /// What was done or found, in order.
    pub done: Vec<String>,
    /// What somebody has to change before the bot works.
    pub problems: Vec<String>,
    /// What would make it better.
    pub advice: Vec<String>,
}

/// What the bot's environment needs to know.
#[derive(Debug)]
pub struct Ready {
    pub bot_token: SecretString,
    /// One a team, if the server can call the bot.
    pub command_tokens: Vec<SecretString>,
    /// The addresses of the server's name: where its calls come from, unless something stands
    /// between.
    pub sources: Vec<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct Team {
    id: String,
    #[serde(default)]
    name: String,
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
    #[serde(default)]
    username: String,
    #[serde(default)]
    icon_url: String,
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
    wanted: &'a Options,
    /// The address that the server has for people's browsers.
    site: Option<Url>,
    /// Whether the answer to a command may carry the bot's name and picture.
    overrides: bool,
    so_far: Installed,
}

/// Does everything that can be done, and says what somebody else has to do.
///
/// # Errors
/// [`Stopped`], with what stood in the way and what to do about it; then run it again.
pub async fn install(wanted: &Options) -> anyhow::Result<Installed> {
    let api = Api::new(&wanted.url, wanted.admin_token.clone(), &wanted.network)?;
    let so_far = Installed::default();
    let mut installer = Installer { api, wanted, site: None, overrides: false, so_far };
    if !installer.check_settings().await? {
        return Ok(installer.so_far);
    }
    let bot = installer.bot().await?;
    let token = installer.token(&bot.id).await?;
    installer.profile(&bot).await?;
    let mut command_tokens = match installer.address() {
        Some(address) => installer.other_teams(&bot.id, &address).await?,
        None => Vec::new(),
    };
    for team in &wanted.teams {
        command_tokens.extend(installer.team(team, &bot.id).await?);
    }
    installer.rights(&bot).await?;
    let sources = addresses(&wanted.url).await;
    let bot_token = match token {
        Token::Known(token) => token,
        Token::New => installer.make_token(&bot.id).await?,
    };
    installer.so_far.ready = Some(Ready { bot_token, command_tokens, sources });
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
        let sent = self.api.send(method, path, Retry::MayDuplicate, Rank::Person, body).await;
        sent.map_err(|error| stopped(doing, &error))
    }

    /// The tokens of commands that lead to the bot already, in teams that nobody asked for now: the
    /// environment is whole with them only.
    async fn other_teams(&mut self, bot: &str, address: &str) -> Result<Vec<SecretString>, Stopped> {
        let teams: Vec<Team> = self.get("Listing the bot's teams", &format!("/users/{bot}/teams")).await?;
        let mut tokens = Vec::new();
        for team in teams.iter().filter(|team| !self.wanted.teams.contains(&team.name)) {
            let known = self.commands(team).await?;
            if let Some(command) = known.into_iter().find(|command| command.url == address) {
                self.so_far.done.push(format!("/{} in {}: there already", command.trigger, team.name));
                tokens.push(SecretString::from(command.token));
            }
        }
        Ok(tokens)
    }

    async fn team(&mut self, name: &str, bot: &str) -> Result<Option<SecretString>, Stopped> {
        let team: Team = self.get(&format!("Looking for the team {name}"), &format!("/teams/name/{name}")).await?;
        let member = json!({ "team_id": team.id, "user_id": bot });
        let doing = format!("Adding the bot to the team {name}");
        self.send::<Value>(&doing, Method::POST, &format!("/teams/{}/members", team.id), &member).await?;
        self.so_far.done.push(format!("team {name}: the bot is in it"));
        match self.address() {
            Some(address) => self.command(&team, name, bot, address).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where slash commands are to lead.
    fn address(&self) -> Option<String> {
        let url = self.wanted.public_url.as_ref()?;
        Some(format!("{}/mattermost/command", url.as_str().trim_end_matches('/')))
    }

    async fn commands(&self, team: &Team) -> Result<Vec<SlashCommand>, Stopped> {
        let doing = format!("Listing the slash commands of {}", team.name);
        self.get(&doing, &format!("/commands?team_id={}&custom_only=true", team.id)).await
    }

    /// The command with the bot's name and picture: a server that lets integrations have their own
    /// shows answers under them.
    async fn command(&mut self, team: &Team, name: &str, bot: &str, address: String) -> Result<SecretString, Stopped> {
        let trigger = &self.wanted.trigger;
        let known = self.commands(team).await?;
        let doing = format!("Setting /{trigger} up in {name}");
        let icon = super::picture_of(self.site.as_ref().unwrap_or(&self.wanted.url), bot);
        let author = &self.wanted.bot_name;
        let mut body = json!({
            "team_id": team.id, "trigger": trigger, "method": "P", "url": address, "auto_complete": true,
            "auto_complete_hint": "[help, setup, status, …]",
            "auto_complete_desc": "Sets up a Sekoia workspace: a checklist, approvals, keys",
            "display_name": "Sekoia", "description": "Sets up a Sekoia workspace",
            "username": author, "icon_url": icon,
        });
        let token = match known.into_iter().find(|command| command.trigger == *trigger) {
            Some(command) if !command.url.ends_with("/mattermost/command") => {
                let why = format!("/{trigger} belongs to something else; choose another word with --trigger");
                return Err(Stopped { doing, why });
            }
            Some(command) if command.url == address && command.username == *author && command.icon_url == icon => {
                self.so_far.done.push(format!("/{trigger} in {name}: there already"));
                command.token
            }
            Some(command) => {
                (body["id"], body["token"]) = (json!(command.id), json!(command.token));
                let path = format!("/commands/{}", command.id);
                self.send::<Value>(&doing, Method::PUT, &path, &body).await?;
                self.so_far.done.push(if command.url == address {
                    format!("/{trigger} in {name}: has the bot's name and picture now")
                } else {
                    format!("/{trigger} in {name}: leads to {address} now")
                });
                command.token
            }
            None => {
                let made: SlashCommand = self.send(&doing, Method::POST, "/commands", &body).await?;
                self.so_far.done.push(format!("/{trigger} in {name}: created"));
                made.token
            }
        };
        Ok(SecretString::from(token))
    }
}

fn stopped(doing: &str, error: &ChatError) -> Stopped {
    let why = match error {
        ChatError::TokenDead(_) => "the server does not take the admin token. A system administrator allows personal access tokens (System Console > Integrations > Integration Management > Enable Personal Access Tokens) and makes one (Profile > Security > Personal Access Tokens)".into(),
        ChatError::NotInChannel => "the admin token may not do this; use a system administrator's".into(),
        ChatError::Refused(id) if id.contains("404") || id.contains("missing") || id.contains("find") => {
            format!("the server does not have it ({id})")
        }
        error => error.to_string(),
    };
    Stopped { doing: doing.to_owned(), why }
}
