//! The blocks: what each may hold.

use serde_json::Value;

use super::super::find::{list, raw, string};
use super::elements::{self, Home};
use super::report::Report;
use super::{Surface, rich_text};

pub(super) fn check(block: &Value, at: &str, surface: Surface, report: &mut Report) {
    report.block_id(block, at);
    match (string(block, "type").unwrap_or_default(), surface) {
        ("divider", _) => report.known_keys(block, at, &["type", "block_id"]),
        ("header", _) => header(block, at, report),
        ("section", _) => section(block, at, report),
        ("context", _) => context(block, at, report),
        ("actions", _) => actions(block, at, report),
        ("input", _) => input(block, at, surface, report),
        ("image", _) => image(block, at, report),
        ("rich_text", _) => rich_text::check(block, at, report),
        ("markdown", Surface::Message) => {
            report.known_keys(block, at, &["type", "block_id", "text"]);
            report.required_length(block, "text", at, 12_000);
            report.markdown(raw(block, "text"), at);
        }
        ("table", Surface::Message) => table(block, at, report),
        (other, _) => report.fault(&format!("{at}/type"), &format!("unsupported type: {other}")),
    }
}

fn header(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "text", "level"]);
    report.plain_text(block, "text", at, 150, true);
    if let Some(level) = block.get("level") {
        report.require(matches!(level.as_u64(), Some(1..=4)), at, "level must be 1 to 4");
    }
}

fn section(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "text", "fields", "accessory", "expand"]);
    let says = block.get("text").is_some() || block.get("fields").is_some();
    report.require(says, at, "must define either `text` or `fields`");
    report.any_text(block, "text", at, 3_000, false);
    if block.get("fields").is_some() {
        report.count(block, "fields", at, 1, 10);
    }
    for (i, field) in list(block, "fields").iter().enumerate() {
        report.text_object(field, &format!("{at}/fields/{i}"), 2_000);
    }
    if let Some(accessory) = block.get("accessory") {
        elements::check(accessory, &format!("{at}/accessory"), Home::Section, report);
    }
}

fn context(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "elements"]);
    report.count(block, "elements", at, 1, 10);
    for (i, element) in list(block, "elements").iter().enumerate() {
        let at = format!("{at}/elements/{i}");
        if element["type"] == "image" {
            elements::image(element, &at, report);
        } else {
            report.text_object(element, &at, 3_000);
        }
    }
}

fn actions(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "elements"]);
    report.count(block, "elements", at, 1, 25);
    report.unique_actions(block, at);
    for (i, element) in list(block, "elements").iter().enumerate() {
        elements::check(element, &format!("{at}/elements/{i}"), Home::Actions, report);
    }
}

fn input(block: &Value, at: &str, surface: Surface, report: &mut Report) {
    let known = ["type", "block_id", "label", "element", "hint", "optional", "dispatch_action"];
    report.known_keys(block, at, &known);
    report.plain_text(block, "label", at, 2_000, true);
    report.plain_text(block, "hint", at, 2_000, false);
    report.require(block.get("optional").is_none_or(Value::is_boolean), at, "optional must be a boolean");
    let file = block["element"]["type"] == "file_input";
    report.require(surface == Surface::Modal || !file, at, "file_input is for modals");
    elements::check(&block["element"], &format!("{at}/element"), Home::Input, report);
}

fn image(block: &Value, at: &str, report: &mut Report) {
    let known = ["type", "block_id", "image_url", "slack_file", "alt_text", "title"];
    report.known_keys(block, at, &known);
    elements::image_source(block, at, report);
    report.plain_text(block, "title", at, 2_000, false);
}

fn table(block: &Value, at: &str, report: &mut Report) {
    report.known_keys(block, at, &["type", "block_id", "rows", "column_settings"]);
    report.table(at);
    report.count(block, "rows", at, 1, 100);
    for (i, row) in list(block, "rows").iter().enumerate() {
        let at = format!("{at}/rows/{i}");
        let cells = row.as_array().map_or(&[][..], Vec::as_slice);
        report.require((1..=20).contains(&cells.len()), &at, "a row has 1 to 20 cells");
        for (j, cell) in cells.iter().enumerate() {
            let at = format!("{at}/{j}");
            match string(cell, "type") {
                Some("raw_text") => {
                    report.known_keys(cell, &at, &["type", "text"]);
                    report.required_length(cell, "text", &at, 3_000);
                }
                Some("raw_number") => report.require(cell["value"].is_number(), &at, "must be a number"),
                Some("rich_text") => rich_text::check(cell, &at, report),
                _ => report.fault(&at, "unsupported cell"),
            }
        }
    }
    if block.get("column_settings").is_some() {
        report.count(block, "column_settings", at, 0, 20);
    }
}
