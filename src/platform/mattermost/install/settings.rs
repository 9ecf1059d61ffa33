//! The server's settings that bite, and where each is changed.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use url::Url;

use super::{Installer, Stopped, stopped};
use crate::chat::ChatError;

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
        let closed = service["EnableCommands"] == false || service["EnableBotAccountCreation"] == false;
        if service["EnableCommands"] == false {
            problems.push("Slash commands are off: System Console > Integrations > Integration Management > Enable Custom Slash Commands (ServiceSettings.EnableCommands).".into());
        }
        if service["EnableBotAccountCreation"] == false {
            problems.push("Bot accounts cannot be created: System Console > Integrations > Bot Accounts > Enable Bot Account Creation (ServiceSettings.EnableBotAccountCreation).".into());
        }
        let site = service["SiteURL"].as_str().unwrap_or_default();
        if site.is_empty() {
            problems.push("The server has no Site URL, without which late answers to commands fail: System Console > Environment > Web Server > Site URL (ServiceSettings.SiteURL).".into());
        }
        let allowed = service["AllowedUntrustedInternalConnections"].as_str().unwrap_or_default();
        if let Some(host) = self.wanted.public_url.host_str() {
            let addresses = addresses(&self.wanted.public_url).await;
            let inside = addresses.iter().any(|ip| is_internal(*ip));
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

/// What a name stands for now; none if nobody knows.
pub(super) async fn addresses(url: &Url) -> Vec<IpAddr> {
    let Some(host) = url.host_str() else { return Vec::new() };
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
    let mut all: Vec<IpAddr> = found.map(|found| found.map(|a| a.ip()).collect()).unwrap_or_default();
    all.sort_unstable();
    all.dedup();
    all
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
