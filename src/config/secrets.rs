//! What a secret cannot be. No word of it is repeated.

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

/// `SLACK_SIGNING_SECRET`.
pub(super) fn slack_signing_secret(secret: &str) -> Result<(), String> {
    match of_slack(secret) {
        Some(kind) => Err(format!("is {kind}; copy the Signing Secret from the app's Basic Information page")),
        None => Ok(()),
    }
}

/// Why a signing secret that may be meant is unusual; none if it is not.
pub(super) fn unusual_signing_secret(secret: &str) -> Option<&'static str> {
    let unusual = "is not 32 hexadecimal digits, as Slack's signing secrets are: every request may be refused";
    (!is_signing_secret(secret)).then_some(unusual)
}

/// The same of a Mattermost token.
pub(super) fn unusual_mattermost_token(token: &str) -> Option<&'static str> {
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
