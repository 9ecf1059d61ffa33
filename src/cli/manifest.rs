//! `manifest`: what a chat platform needs to know of the bot.

use url::Url;

const SLACK: &str = include_str!("../../manifests/slack/app.yaml");
/// The address that stands in the file.
const PLACEHOLDER: &str = "https://bot.example.com";

#[derive(clap::Subcommand)]
pub enum Command {
    /// Slack's app manifest, to paste at api.slack.com/apps > Create New App > From a manifest
    Slack {
        /// How Slack reaches the bot: an https:// address, with a path if there is one
        #[arg(long, value_parser = address, required_unless_present = "socket_mode")]
        url: Option<Url>,
        /// For Socket Mode: the bot connects to Slack, and nothing has to reach the bot
        #[arg(long, conflicts_with = "url")]
        socket_mode: bool,
    },
}

pub fn run(command: &Command) {
    let Command::Slack { url, .. } = command;
    print!("{}", slack(url.as_ref()));
}

/// With the addresses of this one; without any, for Socket Mode.
fn slack(url: Option<&Url>) -> String {
    if let Some(url) = url {
        return SLACK.replace(PLACEHOLDER, url.as_str().trim_end_matches('/'));
    }
    let lines = SLACK.lines().filter(|line| !line.contains(PLACEHOLDER));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    text.replace("socket_mode_enabled: false", "socket_mode_enabled: true")
}

fn address(s: &str) -> Result<Url, String> {
    let url: Url = s.parse().map_err(|e| format!("not an address: {e}"))?;
    if url.scheme() != "https" {
        return Err("Slack calls https:// addresses only".into());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("give scheme, host and, if there is one, a path".into());
    }
    Ok(url)
}
