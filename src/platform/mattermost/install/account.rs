//! The bot's account: its name, its picture, its token.

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Installer, Stopped, stopped};
use crate::chat::ChatError;
use crate::pace::Rank;
use crate::pace::retry::Retry;
use crate::platform::mattermost::api::Api;
use crate::platform::mattermost::picture;

/// Description of the bot's token, by which it is found again.
const TOKEN: &str = "sekoia-chatops";
const DISPLAY_NAME: &str = "Sekoia";
const DESCRIPTION: &str = "Sets up a Sekoia workspace";

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub id: String,
    #[serde(default)]
    pub roles: String,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    delete_at: i64,
    /// When somebody gave it a picture; 0 if nobody did.
    #[serde(default)]
    last_picture_update: i64,
}

/// Where the bot's token comes from.
pub(super) enum Token {
    /// The one that is known works.
    Known(SecretString),
    /// Another one is made at the end: it is shown only once.
    New,
}

impl Installer<'_> {
    pub(super) async fn bot(&mut self) -> Result<Account, Stopped> {
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
                let body = json!({ "username": name, "display_name": DISPLAY_NAME, "description": DESCRIPTION });
                let made: Bot = self.send("Creating the bot's account", Method::POST, "/bots", &body).await?;
                self.so_far.done.push(format!("bot account @{name}: created"));
                let roles = "system_user".into();
                Ok(Account { id: made.user_id, roles, is_bot: true, delete_at: 0, last_picture_update: 0 })
            }
            Err(error) => Err(stopped(&doing, &error)),
        }
    }

    /// A name to show, a description and a picture, where nobody gave it other ones.
    pub(super) async fn profile(&mut self, bot: &Account) -> Result<(), Stopped> {
        #[derive(Deserialize)]
        struct Profile {
            #[serde(default)]
            display_name: String,
            #[serde(default)]
            description: String,
        }
        let path = format!("/bots/{}", bot.id);
        let profile: Profile = self.get("Reading the bot's profile", &path).await?;
        let or = |has: String, ours: &str| if has.trim().is_empty() { ours.to_owned() } else { has };
        if profile.display_name.trim().is_empty() || profile.description.trim().is_empty() {
            let body = json!({
                "username": self.wanted.bot_name,
                "display_name": or(profile.display_name, DISPLAY_NAME),
                "description": or(profile.description, DESCRIPTION),
            });
            self.send::<Value>("Naming the bot", Method::PUT, &path, &body).await?;
            self.so_far.done.push("display name and description: set".into());
        }
        if bot.last_picture_update != 0 {
            self.so_far.done.push("picture: there already".into());
            return Ok(());
        }
        let Some(png) = picture::png() else { return Ok(()) };
        match self.api.set_picture(&bot.id, &png).await {
            Ok(()) => self.so_far.done.push("picture: set".into()),
            // It works without.
            Err(error) => self.so_far.advice.push(format!(
                "The bot has no picture of its own, because the server did not take one ({error}). Give it one: Integrations > Bot Accounts > {}.",
                self.wanted.bot_name
            )),
        }
        Ok(())
    }

    /// Decides before anything is made whether there will be a token: a server shows one only once.
    pub(super) async fn token(&mut self, bot: &str) -> Result<Token, Stopped> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(default)]
            description: String,
            is_active: Option<bool>,
        }
        if self.wanted.new_token {
            return Ok(Token::New);
        }
        let refused = match &self.wanted.bot_token {
            Some(token) => match self.try_token(token, bot).await? {
                None => {
                    self.so_far.done.push("bot token: the known one works".into());
                    return Ok(Token::Known(token.clone()));
                }
                refused => refused,
            },
            None => None,
        };
        let known: Vec<Known> = self.get("Listing the bot's tokens", &format!("/users/{bot}/tokens")).await?;
        let made = known.iter().any(|token| token.description == TOKEN && token.is_active != Some(false));
        if !made {
            return Ok(Token::New);
        }
        let (have, how) = match refused {
            Some(why) => (
                format!("the token in MATTERMOST_BOT_TOKEN {why}, and Mattermost does not show the bot's token again"),
                "Set the right one there",
            ),
            None => (
                "the bot has a token already, and Mattermost shows a token only once".into(),
                "Run this again with --output FILE, where FILE holds the environment of the first time",
            ),
        };
        let why = format!(
            "{have}. Nothing was changed and nothing is printed. {how}, or run this again with --new-token for another token (the old one keeps working)"
        );
        Err(Stopped { doing: "Looking for the bot's token".into(), why })
    }

    /// Why a token is not the bot's; nothing if it is.
    async fn try_token(&self, token: &SecretString, bot: &str) -> Result<Option<&'static str>, Stopped> {
        #[derive(Deserialize)]
        struct Me {
            id: String,
        }
        const DOING: &str = "Trying the bot's token";
        let api = Api::new(&self.wanted.url, token.clone(), &self.wanted.network)
            .map_err(|error| Stopped { doing: DOING.into(), why: error.to_string() })?;
        match api.get::<Me>("/users/me").await {
            Ok(me) if me.id == bot => Ok(None),
            Ok(_) => Ok(Some("belongs to another account")),
            Err(ChatError::TokenDead(_)) => Ok(Some("does not work any more")),
            Err(error) => Err(stopped(DOING, &error)),
        }
    }

    /// Last of all: whatever stops the rest must not hide it.
    pub(super) async fn make_token(&mut self, bot: &str) -> Result<SecretString, Stopped> {
        #[derive(Deserialize)]
        struct Made {
            token: SecretString,
        }
        let path = format!("/users/{bot}/tokens");
        let body = json!({ "description": TOKEN });
        let sent = self.api.send(Method::POST, &path, Retry::MayDuplicate, Rank::Person, &body).await;
        let made: Made = sent.map_err(|error| stopped("Creating the bot's token", &error))?;
        self.so_far.done.push("bot token: created".into());
        Ok(made.token)
    }
}
