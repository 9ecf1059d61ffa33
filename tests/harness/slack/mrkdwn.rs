//! Slack's mrkdwn as a person reads it: mentions, links and entities resolved, the rest as typed.

use super::people::Names;

/// Emphasis marks stay, since a reader of a transcript wants to see them.
pub(super) fn read(text: &str, names: &Names) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(&unescape(before));
        let Some((inside, after)) = after.split_once('>') else {
            // An unclosed bracket is not markup.
            out.push('<');
            rest = after;
            continue;
        };
        out.push_str(&bracketed(inside, names));
        rest = after;
    }
    out.push_str(&unescape(rest));
    out
}

fn bracketed(inside: &str, names: &Names) -> String {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label)),
        None => (inside, None),
    };
    if let Some(user) = target.strip_prefix('@') {
        return format!("@{}", names.user(user));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return names.channel(channel);
    }
    if let Some(command) = target.strip_prefix('!') {
        return match label {
            Some(fallback) if command.starts_with("date^") => unescape(fallback),
            // Broadcasts notify people: they stay visible as what they are.
            _ => format!("<{inside}>"),
        };
    }
    match label {
        Some(label) if label != target => format!("{} <{}>", unescape(label), unescape(target)),
        _ => format!("<{}>", unescape(target)),
    }
}

fn unescape(text: &str) -> String {
    // `&amp;` last, or `&amp;lt;` would be read twice.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
