//! The `rich_text` block.

use serde_json::Value;

use super::super::find::{list, string};
use super::report::Report;

const STYLES: [&str; 8] = ["bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"];

pub(super) fn check(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "elements"]);
    report.count(block, "elements", at, 1, usize::MAX);
    for (i, part) in list(block, "elements").iter().enumerate() {
        check_part(part, &format!("{at}/elements/{i}"), report);
    }
}

fn check_part(part: &Value, at: &str, report: &mut Report) {
    match string(part, "type").unwrap_or_default() {
        "rich_text_section" => {
            report.known_keys(part, at, &["type", "elements"]);
            inline(part, at, report);
        }
        "rich_text_quote" => {
            report.known_keys(part, at, &["type", "elements", "border"]);
            inline(part, at, report);
        }
        "rich_text_preformatted" => {
            report.known_keys(part, at, &["type", "elements", "border", "language"]);
            inline(part, at, report);
            let plain = list(part, "elements").iter().all(|e| e["type"] == "text" || e["type"] == "link");
            report.require(plain, at, "preformatted text takes only text and links");
        }
        "rich_text_list" => {
            report.known_keys(part, at, &["type", "elements", "style", "indent", "offset", "border"]);
            let style = string(part, "style");
            report.require(matches!(style, Some("bullet" | "ordered")), at, "style must be bullet or ordered");
            let indent = part.get("indent").is_none_or(|indent| matches!(indent.as_u64(), Some(0..=8)));
            report.require(indent, at, "indent must be 0 to 8");
            report.count(part, "elements", at, 1, usize::MAX);
            for (i, item) in list(part, "elements").iter().enumerate() {
                let at = format!("{at}/elements/{i}");
                report.require(item["type"] == "rich_text_section", &at, "a list holds rich_text_section");
                inline(item, &at, report);
            }
        }
        other => report.fault(&format!("{at}/type"), &format!("unsupported type: {other}")),
    }
}

fn inline(part: &Value, at: &str, report: &mut Report) {
    report.count(part, "elements", at, 0, usize::MAX);
    for (i, element) in list(part, "elements").iter().enumerate() {
        let at = format!("{at}/elements/{i}");
        let (known, needed): (&[&str], &str) = match string(element, "type").unwrap_or_default() {
            "text" => (&["type", "text", "style"], "text"),
            "link" => (&["type", "url", "text", "unsafe", "style"], "url"),
            "user" => (&["type", "user_id", "style"], "user_id"),
            "usergroup" => (&["type", "usergroup_id", "style"], "usergroup_id"),
            "channel" => (&["type", "channel_id", "style"], "channel_id"),
            "emoji" => (&["type", "name", "unicode", "skin_tone", "style"], "name"),
            "date" => (&["type", "timestamp", "format", "url", "fallback", "style"], "format"),
            "broadcast" => (&["type", "range", "style"], "range"),
            "color" => (&["type", "value", "style"], "value"),
            other => {
                report.fault(&format!("{at}/type"), &format!("unsupported type: {other}"));
                continue;
            }
        };
        report.known_keys(element, &at, known);
        report.required_length(element, needed, &at, usize::MAX - 1);
        if element["type"] == "date" {
            report.require(element["timestamp"].is_i64(), &at, "timestamp must be a number of seconds");
        }
        if let Some(style) = element.get("style") {
            report.known_keys(style, &format!("{at}/style"), &STYLES);
        }
    }
}
