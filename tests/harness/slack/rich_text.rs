//! The `rich_text` block as a person reads it.

use serde_json::Value;

use super::find::{list, raw, string};
use super::people::Names;

pub(super) fn read(block: &Value, names: &Names) -> Vec<String> {
    list(block, "elements").iter().flat_map(|part| read_part(part, names)).collect()
}

fn read_part(part: &Value, names: &Names) -> Vec<String> {
    match string(part, "type").unwrap_or_default() {
        "rich_text_list" => read_list(part, names),
        "rich_text_preformatted" => {
            vec!["```".into(), inline(part, names), "```".into()]
        }
        "rich_text_quote" => inline(part, names).lines().map(|line| format!("> {line}")).collect(),
        _ => vec![inline(part, names).trim_end_matches('\n').to_owned()],
    }
}

fn read_list(part: &Value, names: &Names) -> Vec<String> {
    let margin = "  ".repeat(part["indent"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
    let first = part["offset"].as_u64().unwrap_or(0) + 1;
    let items = list(part, "elements").iter().zip(first..);
    let items = items.map(|(item, number)| match string(part, "style") {
        Some("ordered") => format!("{margin}{number}. {}", inline(item, names)),
        _ => format!("{margin}• {}", inline(item, names)),
    });
    items.collect()
}

fn inline(part: &Value, names: &Names) -> String {
    list(part, "elements").iter().map(|element| styled(element, names)).collect()
}

fn styled(element: &Value, names: &Names) -> String {
    let text = match string(element, "type").unwrap_or_default() {
        "text" => raw(element, "text").to_owned(),
        "link" => match string(element, "text") {
            Some(label) => format!("{label} <{}>", raw(element, "url")),
            None => format!("<{}>", raw(element, "url")),
        },
        "user" => format!("@{}", names.user(raw(element, "user_id"))),
        "channel" => names.channel(raw(element, "channel_id")),
        "usergroup" => format!("<!subteam^{}>", raw(element, "usergroup_id")),
        "broadcast" => format!("<!{}>", raw(element, "range")),
        "emoji" => emoji(element),
        "date" => string(element, "fallback").map_or_else(|| element["timestamp"].to_string(), str::to_owned),
        "color" => raw(element, "value").to_owned(),
        other => format!("<{other}>"),
    };
    let marks = [("code", "`"), ("strike", "~"), ("italic", "_"), ("bold", "*")];
    let on = marks.into_iter().filter(|(style, _)| element["style"][style] == true);
    on.fold(text, |text, (_, mark)| format!("{mark}{text}{mark}"))
}

/// The character itself when the app gave it, `1f600-200d-…` as Slack writes it.
fn emoji(element: &Value) -> String {
    let points = string(element, "unicode").unwrap_or_default().split('-');
    let character: Option<String> =
        points.map(|point| u32::from_str_radix(point, 16).ok().and_then(char::from_u32)).collect();
    character.unwrap_or_else(|| format!(":{}:", raw(element, "name")))
}
