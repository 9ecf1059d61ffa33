//! What the bot may do that others may not, or may not by default.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Account;
use super::{Installer, Stopped};

/// A role for integrations that the server has; nobody has it who was not given it.
const ROLE: &str = "system_post_all";
const PRIVATE: &str = "create_post_ephemeral";
const EDIT: &str = "edit_post";
/// What every member of a team and of a channel may do.
const MEMBERS: [&str; 2] = ["team_user", "channel_user"];

#[derive(Debug, Deserialize)]
struct Role {
    id: String,
    #[serde(default)]
    permissions: Vec<String>,
}

impl Installer<'_> {
    pub(super) async fn rights(&mut self, bot: &Account) -> Result<(), Stopped> {
        let roles: Vec<&str> = bot.roles.split_whitespace().chain(MEMBERS).collect();
        let named: Vec<Role> =
            self.send("Reading the bot's roles", Method::POST, "/roles/names", &json!(roles)).await?;
        let has = |right: &str| named.iter().any(|role| role.permissions.iter().any(|p| p == right));
        let mut missing = Vec::new();
        if !has(PRIVATE) {
            missing.push((PRIVATE, self.wanted.grant_private));
        }
        if !has(EDIT) {
            missing.push((EDIT, self.wanted.grant_edits));
        }
        let granted: Vec<&str> = missing.iter().filter(|(_, wanted)| *wanted).map(|(right, _)| *right).collect();
        if !granted.is_empty() {
            self.grant(bot, &granted).await?;
        }
        let may = |right: &str| !missing.iter().any(|(missing, granted)| *missing == right && !granted);
        let now =
            |right: &str| if granted.contains(&right) { format!(" now, by the role {ROLE}") } else { String::new() };
        let (private, otherwise) = match self.wanted.public_url {
            Some(_) => ("private answers with buttons", "Answers to a pressed button come as text without buttons"),
            None => ("private answers", "Answers come in the direct conversation with the bot"),
        };
        if may(PRIVATE) {
            self.so_far.done.push(format!("{private}: allowed{}", now(PRIVATE)));
        } else {
            self.so_far.advice.push(format!(
                "{otherwise}, because bots may not show posts to one person alone. Run this again with --grant-private-answers to allow it: the right {PRIVATE} is added to the built-in role {ROLE}, and that role (which lets its holder post in every channel of the server) is given to the bot."
            ));
        }
        if may(EDIT) {
            self.so_far.done.push(format!("edits of its own messages: allowed{}", now(EDIT)));
        } else {
            self.so_far.advice.push(format!(
                "Members may not edit their messages, so the bot may not either, and posts each changed card anew. Run this again with --grant-edits to allow it to the bot alone: the right {EDIT} is added to the built-in role {ROLE}, and that role is given to the bot. Or allow it to everybody: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts."
            ));
        }
        self.authorship(may(PRIVATE));
        Ok(())
    }

    /// The answer to a slash command is a post of the person who typed it, unless the server lets the bot
    /// put its own name there, or show it itself.
    fn authorship(&mut self, private: bool) {
        if self.wanted.public_url.is_none() {
            return;
        }
        if self.overrides {
            self.so_far.done.push("answers to commands: with the bot's name and picture".into());
        } else if private {
            self.so_far.done.push("answers to commands: shown by the bot itself".into());
        } else {
            self.so_far.advice.push("Answers to a slash command appear under the reader's own name, with a BOT tag. Switch on \"Enable integrations to override usernames\" and \"Enable integrations to override profile picture icons\" (System Console > Integrations > Integration Management; ServiceSettings.EnablePostUsernameOverride and EnablePostIconOverride), or run this again with --grant-private-answers.".into());
        }
    }

    async fn grant(&self, bot: &Account, rights: &[&str]) -> Result<(), Stopped> {
        let role: Role = self.get("Reading the role", &format!("/roles/name/{ROLE}")).await?;
        let new = rights.iter().copied().filter(|right| !role.permissions.iter().any(|p| p == right));
        let permissions: Vec<&str> = role.permissions.iter().map(String::as_str).chain(new).collect();
        if permissions.len() > role.permissions.len() {
            let body = json!({ "permissions": permissions });
            self.send::<Value>("Changing the role", Method::PUT, &format!("/roles/{}/patch", role.id), &body).await?;
        }
        let mut roles: Vec<&str> = bot.roles.split_whitespace().collect();
        if !roles.contains(&ROLE) {
            roles.push(ROLE);
            let body = json!({ "roles": roles.join(" ") });
            self.send::<Value>("Giving the role", Method::PUT, &format!("/users/{}/roles", bot.id), &body).await?;
        }
        Ok(())
    }
}
