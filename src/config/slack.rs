//! Slack: whose bot it is, and how requests reach it.

use secrecy::SecretString;
use url::Url;

use super::source::Source;
use super::{confidential, secrets};
use crate::resolve::network::Network;

#[derive(Debug, Clone)]
pub struct SlackConfig {
    pub way_in: SlackWayIn,
    pub bot_token: SecretString,
    /// Without a slash at the end.
    pub api_url: Url,
    pub network: Network,
}

/// How Slack's requests reach the bot.
#[derive(Debug, Clone)]
pub enum SlackWayIn {
    Http { signing_secret: SecretString },
    SocketMode { app_token: SecretString },
}

pub(super) fn read(source: &mut Source, network: &Network) -> Option<SlackConfig> {
    let way_in = way_in(source);
    let how = "copy the xoxb- token from the Slack app's OAuth page";
    let bot_token = source.secret("SLACK_BOT_TOKEN", how, secrets::slack_bot_token);
    let api_url = source.parse("SLACK_API_URL", "https://slack.com/api", |s| confidential(s, "the token"));
    let network = network.clone();
    Some(SlackConfig { way_in: way_in?, bot_token: bot_token?, api_url: api_url?, network })
}

/// Socket Mode with the app's token, HTTP with the signing secret.
fn way_in(source: &mut Source) -> Option<SlackWayIn> {
    const BOTH: &str =
        "is set, and SLACK_SIGNING_SECRET too; for Socket Mode remove SLACK_SIGNING_SECRET, for HTTP remove this one";
    if source.holds("SLACK_APP_TOKEN") {
        let app_token = source.secret("SLACK_APP_TOKEN", "", secrets::slack_app_token);
        if source.holds("SLACK_SIGNING_SECRET") {
            source.faults.add("SLACK_APP_TOKEN", BOTH);
            return None;
        }
        return Some(SlackWayIn::SocketMode { app_token: app_token? });
    }
    let how = "copy it from the Slack app's Basic Information page, or set SLACK_APP_TOKEN for Socket Mode";
    let signing_secret = source.secret("SLACK_SIGNING_SECRET", how, secrets::slack_signing_secret)?;
    Some(SlackWayIn::Http { signing_secret })
}
