//! The server's settings that bite, and where each is changed.

use std::net::IpAddr;

use super::{Installer, Stopped, stopped};
use crate::chat::ChatError;
use crate::resolve::inside::{addresses, is_inside};
use ipnet::IpNet;
use serde_json::Value;

impl Installer<'_> {
    /// False if nothing can be set up before they are changed.
    pub(super) async fn check_settings(&mut self) -> Result<bool, Stopped> {
        const DOING: &str = "Reading the server's settings";
        let config: Value = match self.api.get("/config").await {
            Ok(config) => config,
            Err(ChatError::Refused(why)) if why.starts_with("30") => return Err(self.elsewhere(DOING, &why).await),
            Err(error) => return Err(stopped(DOING, &error)),
        };
        let service = &config["ServiceSettings"];
        let problems = &mut self.so_far.problems;
        let called = self.wanted.public_url.as_ref();
        let no_commands = called.is_some() && service["EnableCommands"] == false;
        let closed = no_commands || service["EnableBotAccountCreation"] == false;
        if no_commands {
            problems.push("Slash commands are off: System Console > Integrations > Integration Management > Enable Custom Slash Commands (ServiceSettings.EnableCommands).".into());
        }
        if service["EnableBotAccountCreation"] == false {
            problems.push("Bot accounts cannot be created: System Console > Integrations > Bot Accounts > Enable Bot Account Creation (ServiceSettings.EnableBotAccountCreation).".into());
        }
        let site = service["SiteURL"].as_str().unwrap_or_default();
        if called.is_some() && site.is_empty() {
            problems.push("The server has no Site URL, without which late answers to commands fail: System Console > Environment > Web Server > Site URL (ServiceSettings.SiteURL).".into());
        }
        let allowed = service["AllowedUntrustedInternalConnections"].as_str().unwrap_or_default();
        if let Some((url, host)) = called.and_then(|url| Some((url, url.host_str()?))) {
            let addresses = addresses(url).await;
            let inside = addresses.iter().any(|ip| is_inside(*ip));
            if inside && !is_allowed(allowed, host, &addresses) {
                problems.push(format!(
                    "The server does not call addresses inside its own network: add {host} to System Console > Environment > Developer > Allow untrusted internal connections (ServiceSettings.AllowedUntrustedInternalConnections)."
                ));
            }
        }
        self.site = site.parse().ok();
        self.overrides = service["EnablePostUsernameOverride"] == true && service["EnablePostIconOverride"] == true;
        self.check_edits(service);
        Ok(!closed)
    }

    /// A card that cannot be edited is posted anew: it works, and is noisier.
    fn check_edits(&mut self, service: &Value) {
        // Older servers have the first; the second is -1 where there is no limit.
        if service["AllowEditPost"] == "never" {
            self.so_far.advice.push("Nobody may edit messages on this server, so the bot posts each changed card anew. To allow it: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts (ServiceSettings.AllowEditPost).".into());
        }
        if let Some(seconds) = service["PostEditTimeLimit"].as_i64().filter(|seconds| *seconds >= 0) {
            self.so_far.advice.push(format!(
                "Messages may be edited for {seconds} seconds only, so the bot posts each card that changes later anew. The limit counts for everybody and cannot be lifted for the bot alone. To lift it: System Console > User Management > Permissions > System Scheme > All Members > Manage Posts > Edit Posts, the time limit, or `mmctl config set ServiceSettings.PostEditTimeLimit -1`."
            ));
        }
    }

    /// The server leads elsewhere: mostly, the sub-path is missing under which it is served.
    async fn elsewhere(&self, doing: &str, why: &str) -> Stopped {
        let url = &self.wanted.url;
        let there = self.api.location("/config").await.and_then(|to| {
            let to = url.join(&to).ok()?;
            let path = to.path().split("/api/v4").next().unwrap_or_default().trim_end_matches('/').to_owned();
            let mut there = to;
            there.set_path(&path);
            there.set_query(None);
            (there.origin() == url.origin() && path != url.path().trim_end_matches('/')).then_some(there)
        });
        let hint = match there {
            Some(there) => format!("it is served at {}: give that with --url", there.as_str().trim_end_matches('/')),
            None => format!(
                "give its Site URL with --url, with the sub-path if it has one: the address in System Console > Environment > Web Server > Site URL, such as {}/chat",
                url.as_str().trim_end_matches('/')
            ),
        };
        Stopped { doing: doing.to_owned(), why: format!("the server leads elsewhere ({why}); {hint}") }
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
        assert!(is_allowed("bot.local, 10.0.0.0/8", "bot", &ips(&["10.1.2.3"])));
        assert!(is_allowed("bot.local 10.0.0.0/8", "BOT.local", &ips(&["192.168.0.1"])));
        assert!(is_allowed("127.0.0.1", "localhost", &ips(&["127.0.0.1"])));
        assert!(!is_allowed("", "localhost", &ips(&["127.0.0.1"])));
    }
}
