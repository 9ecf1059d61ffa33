//! Whether the bot is reached by its public address, as far as it can tell from its own place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::chat::diagnosis::Check;
use crate::resolve::inside::{addresses, is_inside};
use crate::resolve::network::Network;
use crate::timing::doctor::{KNOCKED_WITHIN, REACHED_WITHIN};

const REACHED: (&str, &str) = ("public_url.reached", "Public address: reached");
const FORM: (&str, &str) = ("public_url.form", "Public address: form");

/// How others are to reach the bot.
pub struct Reach<'a> {
    /// `CHATOPS_PUBLIC_URL`.
    pub url: Option<&'a Url>,
    /// A chat platform calls the bot.
    pub called: bool,
    /// `CHATOPS_METRICS_LISTEN`.
    pub metrics: Option<SocketAddr>,
    /// Where the bot listens, if it is not the bot itself that asks.
    pub runs_at: Option<SocketAddr>,
    pub network: &'a Network,
}

pub async fn examine(reach: &Reach<'_>) -> Vec<Check> {
    let Some(url) = reach.url else {
        let (id, subject) = REACHED;
        return vec![if reach.called {
            Check::warn(
                id,
                subject,
                "CHATOPS_PUBLIC_URL is not set, so nobody can try the address by which the chat calls the bot.",
                "Set it to the address in the app's manifest. `/sekoia notify webhook` needs it too.",
            )
        } else {
            Check::pass(id, subject, "Nothing calls the bot, so it needs no public address.")
        }];
    };
    let (form, reached) = tokio::join!(form(url, reach.called), reached(url, reach));
    vec![form, reached]
}

async fn form(url: &Url, called: bool) -> Check {
    let (id, subject) = FORM;
    let shown = shown(url);
    if url.scheme() == "http" {
        let advice = "Put a TLS proxy before the bot and set CHATOPS_PUBLIC_URL to its https:// address. Slack and Sekoia call no other.";
        return Check::warn(id, subject, &format!("{shown} is not encrypted."), advice);
    }
    let found = timeout(REACHED_WITHIN, addresses(url)).await.unwrap_or_default();
    let inside = found.into_iter().find(|ip| is_inside(*ip));
    match inside {
        Some(ip) if called => Check::warn(
            id,
            subject,
            &format!("{shown} leads to {ip}, which is inside a network: Slack and Sekoia cannot call it."),
            "Set CHATOPS_PUBLIC_URL to an address that is reached from outside. A Mattermost server in the same network needs it in AllowedUntrustedInternalConnections.",
        ),
        _ => Check::pass(id, subject, &format!("{shown} is encrypted.")),
    }
}

async fn reached(url: &Url, reach: &Reach<'_>) -> Check {
    let (id, subject) = REACHED;
    let shown = shown(url);
    let why = match get(url, reach.network).await {
        Ok(()) => return Check::pass(id, subject, &format!("The bot answers at {shown}.")),
        Err(why) => why,
    };
    if let Some(at) = reach.runs_at
        && !listens(at).await
    {
        return Check::warn(
            id,
            subject,
            &format!("No bot runs here yet: nothing listens at {at}, and {shown} {why}."),
            "Start `sekoia-chatops serve`, and run doctor again.",
        );
    }
    Check::fail(
        id,
        subject,
        &format!("{shown} {why}."),
        "Let that address lead to CHATOPS_LISTEN through the proxy before the bot, or correct CHATOPS_PUBLIC_URL. If only machines outside can use it, try it from one of them.",
    )
}

/// Without a name and a password, which the settings refuse anyhow.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Asks for the bot's health. What is wrong fits behind the address.
async fn get(url: &Url, network: &Network) -> Result<(), String> {
    let answer = answer(url, "/healthz", network).await?;
    let status = answer.status();
    // Nothing of somebody else's page is read beyond what the bot would say.
    let body = if status.is_success() && answer.content_length().is_some_and(|length| length < 64) {
        answer.text().await.unwrap_or_default()
    } else {
        String::new()
    };
    if body == "ok" { Ok(()) } else { Err(format!("is answered by something else ({status} for /healthz)")) }
}

/// What answers at this path below the address. What is wrong fits behind the address.
pub(super) async fn answer(url: &Url, path: &str, network: &Network) -> Result<reqwest::Response, String> {
    let client = network.http().ok().and_then(|client| client.timeout(REACHED_WITHIN).build().ok());
    let Some(client) = client else { return Err("cannot be tried: no TLS client can be made".into()) };
    let whole = format!("{}{path}", url.as_str().trim_end_matches('/'));
    // An error's own text would hold the address.
    client.get(whole).send().await.map_err(|error| match (&error, network.proxy_fault(&error, url)) {
        (_, Some(fault)) => format!("cannot be connected to: {fault}"),
        (error, None) if error.is_timeout() => format!("does not answer within {} s", REACHED_WITHIN.as_secs()),
        (error, None) if names_certificate(error) => {
            "has a certificate that is not trusted here: CHATOPS_CA_FILE may lack its authority".to_owned()
        }
        _ => "cannot be connected to".to_owned(),
    })
}

fn names_certificate(error: &reqwest::Error) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        if error.to_string().to_lowercase().contains("certificate") {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether anything listens there.
pub(super) async fn listens(at: SocketAddr) -> bool {
    matches!(timeout(KNOCKED_WITHIN, TcpStream::connect(local(at))).await, Ok(Ok(_)))
}

/// By which address this machine reaches what listens there.
pub(super) fn local(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (ip, at.port()).into()
}
