//! What a secret cannot be. No word of it is repeated.

use secrecy::{ExposeSecret, SecretString};

use super::{MattermostConfig, SlackConfig, SlackWayIn};

/// Why this cannot be a secret that somebody meant to set: it goes into a header or a signature as it
/// stands.
pub(super) fn plain(secret: &str) -> Result<(), &'static str> {
    let quotes = ['"', '\'', '`', '“', '”', '‘', '’', '«', '»'];
    if secret.contains(quotes) {
        return Err("holds quotation marks; many programs that read an env file keep them: give it without");
    }
    if secret.contains('\\') {
        return Err("holds a backslash, which no such secret has: give it as it was shown to you");
    }
    if secret.starts_with("${") || secret.starts_with("$(") || (secret.starts_with('<') && secret.ends_with('>')) {
        return Err("is a placeholder that nothing was put in for");
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("holds spaces or characters that no such secret has");
    }
    Ok(())
}

/// What kind of Slack's secrets it is by its beginning; none if it is none of those.
fn of_slack(secret: &str) -> Option<&'static str> {
    let kinds = [
        ("xoxb-", "a bot's token (xoxb-)"),
        ("xoxe.xoxb-", "a bot's token (xoxb-)"),
        ("xoxp-", "a user's token (xoxp-)"),
        ("xoxe.xoxp-", "a user's token (xoxp-)"),
        ("xoxe-", "a refresh token (xoxe-)"),
        ("xapp-", "an app-level token (xapp-), which is for Socket Mode"),
        ("xox", "another kind of Slack token"),
    ];
    // A token of another program may begin with these letters by chance, and then has no dash.
    let fits = |prefix: &str| secret.starts_with(prefix) && secret.contains('-');
    kinds.iter().find(|(prefix, _)| fits(prefix)).map(|(_, kind)| *kind)
}

fn is_signing_secret(secret: &str) -> bool {
    secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `SLACK_BOT_TOKEN`.
pub(super) fn slack_bot_token(token: &str) -> Result<(), String> {
    let copy = "copy the Bot User OAuth Token, which begins with xoxb-";
    match of_slack(token) {
        Some("a bot's token (xoxb-)") => Ok(()),
        Some(kind) => Err(format!("is {kind}; {copy}")),
        None if is_signing_secret(token) => Err(format!("looks like the signing secret; {copy}")),
        None => Err(format!("does not begin with xoxb-; {copy}")),
    }
}

/// `SLACK_APP_TOKEN`.
pub(super) fn slack_app_token(token: &str) -> Result<(), String> {
    let copy = "copy the app-level token, which begins with xapp-, from the app's Basic Information page";
    match of_slack(token) {
        Some("an app-level token (xapp-), which is for Socket Mode") => Ok(()),
        Some(kind) => Err(format!("is {kind}; {copy}")),
        None if is_signing_secret(token) => Err(format!("looks like the signing secret; {copy}")),
        None => Err(format!("does not begin with xapp-; {copy}")),
    }
}

/// `SLACK_SIGNING_SECRET`.
pub(super) fn slack_signing_secret(secret: &str) -> Result<(), String> {
    match of_slack(secret) {
        Some(kind) => Err(format!("is {kind}; copy the Signing Secret from the app's Basic Information page")),
        None => Ok(()),
    }
}

/// What is unusual in what is configured and may be meant all the same. No secret is in it.
pub(super) fn unusual(slack: Option<&SlackConfig>, mattermost: Option<&MattermostConfig>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(SlackWayIn::Http { signing_secret }) = slack.map(|slack| &slack.way_in) {
        let unusual = unusual_signing_secret(signing_secret.expose_secret());
        found.extend(unusual.map(|why| format!("SLACK_SIGNING_SECRET {why}")));
    }
    if let Some(on) = mattermost {
        let unusual = |token: &SecretString| unusual_mattermost_token(token.expose_secret());
        found.extend(unusual(&on.bot_token).map(|why| format!("MATTERMOST_BOT_TOKEN {why}")));
        found.extend(on.command_tokens.iter().find_map(unusual).map(|why| format!("MATTERMOST_COMMAND_TOKEN {why}")));
        if on.only_mentions() && !on.sources.is_empty() {
            found.push("MATTERMOST_SOURCES has no effect without MATTERMOST_COMMAND_TOKEN".to_owned());
        }
    }
    found
}

/// Why a signing secret that may be meant is unusual; none if it is not.
fn unusual_signing_secret(secret: &str) -> Option<&'static str> {
    let unusual = "is not 32 hexadecimal digits, as Slack's signing secrets are: every request may be refused";
    (!is_signing_secret(secret)).then_some(unusual)
}

/// The same of a Mattermost token.
fn unusual_mattermost_token(token: &str) -> Option<&'static str> {
    let usual = token.len() == 26 && token.bytes().all(|b| b.is_ascii_alphanumeric());
    (!usual).then_some("is not 26 letters and digits, as Mattermost's tokens are: it may be refused")
}

/// `SEKOIA_API_KEY`, `MATTERMOST_BOT_TOKEN` and each of `MATTERMOST_COMMAND_TOKEN`.
pub(super) fn not_of_slack(secret: &str) -> Result<(), String> {
    match of_slack(secret) {
        Some(kind) => Err(format!("is {kind}, of Slack")),
        None => Ok(()),
    }
}

/// The value without quotation marks around it; none if there are none.
pub(super) fn unquoted(value: &str) -> Option<&str> {
    let pairs = [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')];
    pairs.iter().find_map(|(open, close)| value.strip_prefix(*open)?.strip_suffix(*close)).map(str::trim)
}
