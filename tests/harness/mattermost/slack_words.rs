//! Slack's markup, which Mattermost translates in answers unless they say that it must not.

use serde_json::{Value, json};

/// Translates what is in a message and its attachments.
pub(super) fn read(post: &mut Value, skip: bool) {
    if skip {
        return;
    }
    translate_field(post, "message");
    let attachments = post["props"].get_mut("attachments").and_then(Value::as_array_mut);
    for attachment in attachments.into_iter().flatten() {
        for key in ["pretext", "text", "title"] {
            translate_field(attachment, key);
        }
    }
}

fn translate_field(holder: &mut Value, key: &str) {
    if let Some(text) = holder.get(key).and_then(Value::as_str).filter(|text| text.contains('<')) {
        holder[key] = json!(translated(text));
    }
}

fn translated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let inside = after.split_once('>').and_then(|(inside, after)| Some((markup(inside)?, after)));
        match inside {
            Some((markup, after)) => {
                out.push_str(&markup);
                rest = after;
            }
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// `!here`, or `https://a.b|label`.
fn markup(inside: &str) -> Option<String> {
    match inside {
        "!channel" | "!here" | "!all" => Some(format!("@{}", &inside[1..])),
        _ => {
            let (url, label) = inside.split_once('|')?;
            (url.contains("://") || url.starts_with("mailto:")).then(|| format!("[{label}]({url})"))
        }
    }
}
