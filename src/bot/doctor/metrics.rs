//! Whether the bot's metrics can be read where Prometheus reads them.

use std::net::SocketAddr;

use super::public_url::{Reach, answer, listens, local};
use crate::chat::diagnosis::Check;
use crate::resolve::network::Network;
use crate::resolve::tls::Tls;

const ID: &str = "metrics";
const SUBJECT: &str = "Metrics";

/// `at`: `CHATOPS_METRICS_LISTEN`.
pub async fn examine(at: SocketAddr, reach: &Reach<'_>) -> Check {
    let why = match read(at, &reach.network.tls).await {
        Ok(()) => return Check::pass(ID, SUBJECT, &format!("They can be read at http://{at}/metrics.")),
        Err(why) => why,
    };
    if let Some(runs_at) = reach.runs_at
        && !listens(runs_at).await
    {
        let advice = "Start `sekoia-chatops serve`, and run doctor again.";
        return Check::warn(ID, SUBJECT, &format!("No bot runs here yet: nothing listens at {runs_at}."), advice);
    }
    Check::fail(
        ID,
        SUBJECT,
        &format!("{at} {why}."),
        "Restart the bot with this CHATOPS_METRICS_LISTEN. If another program has the port, set another one.",
    )
}

/// What is wrong fits behind the address. No proxy is on the way to this machine.
async fn read(at: SocketAddr, tls: &Tls) -> Result<(), String> {
    let direct = Network { tls: tls.clone(), ..Network::default() };
    let url = format!("http://{}", local(at)).parse().map_err(|_| "is no address".to_owned())?;
    let answer = answer(&url, "/metrics", &direct).await?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(format!("is answered by something else ({} for /metrics)", answer.status()))
}
