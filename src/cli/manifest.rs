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
        #[arg(long, value_parser = address)]
        url: Url,
    },
}

pub fn run(command: &Command) {
    let Command::Slack { url } = command;
    print!("{}", slack(url));
}

fn slack(url: &Url) -> String {
    SLACK.replace(PLACEHOLDER, url.as_str().trim_end_matches('/'))
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
