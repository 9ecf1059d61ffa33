//! `apps.connections.open`: the address of one WebSocket, which lets in anyone who has it.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use crate::config::SlackConfig;
use crate::resolve::is_loopback;
use crate::resolve::network::Network;
use crate::timing::slack::CALL_TIMEOUT;

/// Bytes of an answer.
const MOST: usize = 64 * 1024;
/// Nothing that Slack asks to wait for is believed to take longer.
const LONGEST_LIMIT: Duration = Duration::from_mins(5);

/// Asks Slack for addresses.
pub struct Opener {
    http: reqwest::Client,
    network: Network,
    /// Of the Web API.
    api: Url,
    token: SecretString,
}

/// Where a WebSocket is to be opened. It holds a ticket, and is shown nowhere.
pub(super) struct Ticket(pub Url);

/// Why nothing comes from Slack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Down {
    #[error("Slack does not accept the app-level token: {0}")]
    TokenDead(String),
    #[error("Slack says that the token is not an app-level token ({0})")]
    NoAppToken(String),
    #[error("the app-level token lacks the scope connections:write")]
    MissingScope,
    #[error("Socket Mode is switched off in the Slack app's settings")]
    SwitchedOff,
    #[error("the Slack app has more WebSockets open than Slack allows, which is 10")]
    TooMany,
    #[error("Slack asks to wait for {} s", .0.as_secs())]
    Limited(Duration),
    #[error("Slack gave an address that is not its own")]
    Elsewhere,
    #[error("Slack refuses a WebSocket: {0}")]
    Refused(String),
    #[error("Slack cannot be reached: {0}")]
    Unreachable(String),
    #[error("Slack's WebSocket was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("Slack closed the WebSocket")]
    Closed,
}

impl Down {
    /// Whether only other settings help.
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::TokenDead(_) | Self::NoAppToken(_) | Self::MissingScope)
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TokenDead(_) | Self::NoAppToken(_) | Self::MissingScope => {
                "Create a token with the scope connections:write at api.slack.com/apps under Basic Information > App-Level Tokens, set SLACK_APP_TOKEN and restart the bot."
            }
            Self::SwitchedOff => {
                "Switch it on at api.slack.com/apps under Settings > Socket Mode; the bot connects again within a minute or two."
            }
            Self::TooMany => {
                "Stop other programs that use the same app: each process of the bot needs 2; the bot tries again."
            }
            Self::Elsewhere => "Check SLACK_API_URL: it has to lead to Slack.",
            Self::Limited(_) | Self::Refused(_) | Self::Unreachable(_) | Self::Silent(_) | Self::Closed => {
                "The bot connects again by itself."
            }
        }
    }
}

impl Opener {
    /// # Errors
    /// When the client cannot be built.
    pub fn new(config: &SlackConfig, token: SecretString) -> anyhow::Result<Self> {
        let network = config.network.clone();
        let http = network.http()?.timeout(CALL_TIMEOUT).connect_timeout(Duration::from_secs(3)).build()?;
        Ok(Self { http, network, api: config.api_url.clone(), token })
    }

    /// Whether Slack would give an address now. The one that it gives is not used.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), Down> {
        self.ticket().await.map(|_| ())
    }

    pub(super) async fn ticket(&self) -> Result<Ticket, Down> {
        #[derive(Deserialize)]
        struct Answer {
            ok: bool,
            url: Option<String>,
            #[serde(default)]
            error: String,
        }
        let method = format!("{}/apps.connections.open", self.api.as_str().trim_end_matches('/'));
        let request = self.http.post(method).bearer_auth(self.token.expose_secret());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut sent = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = sent.status();
        if status.as_u16() == 429 {
            let wait = sent.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
            return Err(Down::Limited(Duration::from_secs(wait.unwrap_or(1)).min(LONGEST_LIMIT)));
        }
        if !status.is_success() {
            return Err(Down::Refused(status.to_string()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = sent.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > MOST {
                return Err(Down::Refused("an answer that is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        let unreadable = || Down::Refused("an answer that cannot be read".into());
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        if !answer.ok {
            return Err(meaning(answer.error));
        }
        let url: Url = answer.url.ok_or_else(unreadable)?.parse().map_err(|_| unreadable())?;
        if self.is_slacks(&url) { Ok(Ticket(url)) } else { Err(Down::Elsewhere) }
    }

    /// Encrypted, to Slack or to the host of `SLACK_API_URL`; or on the machine itself, if the Web API is.
    fn is_slacks(&self, url: &Url) -> bool {
        if is_loopback(&self.api) {
            return matches!(url.scheme(), "ws" | "wss") && is_loopback(url);
        }
        let own = self.api.host_str().unwrap_or("slack.com");
        let Some(Host::Domain(host)) = url.host() else { return false };
        let below = |parent: &str| host == parent || host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'));
        url.scheme() == "wss" && (below("slack.com") || below(own))
    }

    /// The error's own text would show the address.
    fn unreachable(&self, error: &reqwest::Error) -> Down {
        Down::Unreachable(match self.network.proxy_fault(error, &self.api) {
            Some(fault) => format!("{fault}. {}", fault.advice()),
            None if error.is_timeout() => format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            None => "no connection".into(),
        })
    }
}

/// Slack's codes of `apps.connections.open`.
fn meaning(code: String) -> Down {
    match code.as_str() {
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => Down::TokenDead(code),
        "not_allowed_token_type" => Down::NoAppToken(code),
        "missing_scope" => Down::MissingScope,
        "ratelimited" | "rate_limited" => Down::Limited(Duration::from_secs(1)),
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => Down::Unreachable(code),
        code if code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => Down::Refused(code.into()),
        _ => Down::Refused("a code that is none".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opener(api: &str) -> Opener {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (api, network) = (api.parse().unwrap(), Network::default());
        Opener { http: network.http().unwrap().build().unwrap(), network, api, token: "xapp-canary".into() }
    }

    #[test]
    fn a_ticket_leads_to_slack_or_nowhere() {
        let slack = |url: &str| opener("https://slack.com/api").is_slacks(&url.parse().unwrap());
        for url in
            ["wss://wss-primary.slack.com/link/?ticket=1", "wss://slack.com/", "wss://cerberus-xxxx.lb.slack.com"]
        {
            assert!(slack(url), "{url}");
        }
        for url in [
            "ws://wss-primary.slack.com/",
            "https://wss-primary.slack.com/",
            "wss://slack.com.evil.example/",
            "wss://evilslack.com/",
            "wss://127.0.0.1/",
            "wss://localhost/",
        ] {
            assert!(!slack(url), "{url}");
        }
        let government = opener("https://slack-gov.com/api");
        assert!(government.is_slacks(&"wss://wss-primary.slack-gov.com/".parse().unwrap()));
        let own = opener("http://127.0.0.1:1/api");
        assert!(own.is_slacks(&"ws://127.0.0.1:2/".parse().unwrap()));
        assert!(!own.is_slacks(&"wss://wss-primary.slack.com/".parse().unwrap()));
    }
}
