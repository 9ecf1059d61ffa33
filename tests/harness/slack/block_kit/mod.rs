//! Slack's validator of Block Kit payloads, as strict as the real one or stricter.
//!
//! Only what is documented to work is let through: unknown fields, block types and elements are
//! faults, and so is text that notifies a whole channel.

mod blocks;
mod elements;
mod report;
mod rich_text;

use serde_json::Value;

use self::report::Report;
use super::find::{list, raw, string};

const MESSAGE_TEXT_MAX: usize = 40_000;
const UPDATED_TEXT_MAX: usize = 4_000;
/// Characters of all blocks of a message together, observed rather than documented.
const MESSAGE_BLOCKS_TEXT_MAX: usize = 13_200;
const VIEW_BYTES_MAX: usize = 250_000;

/// Why Slack refuses a payload.
#[derive(Debug)]
pub(in super::super) struct Refused {
    pub error: &'static str,
    /// What `response_metadata.messages` says, each with a JSON pointer.
    pub messages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surface {
    Message,
    Modal,
    Home,
}

/// The content of a message to be posted.
pub(in super::super) fn check_message(content: &Value) -> Result<(), Refused> {
    let refused = |error| Err(Refused { error, messages: Vec::new() });
    let text = raw(content, "text");
    if text.is_empty() && list(content, "blocks").is_empty() && list(content, "attachments").is_empty() {
        return refused("no_text");
    }
    if text.chars().count() > MESSAGE_TEXT_MAX {
        return refused("msg_too_long");
    }
    let mut report = Report::default();
    check_list(content, "", Surface::Message, &mut report);
    for (i, attachment) in list(content, "attachments").iter().enumerate() {
        check_list(attachment, &format!("/attachments/{i}"), Surface::Message, &mut report);
    }
    report.into_result("invalid_blocks")?;
    if characters(&content["blocks"]) > MESSAGE_BLOCKS_TEXT_MAX {
        return refused("msg_blocks_too_long");
    }
    Ok(())
}

/// The content of an edit of `before`.
pub(in super::super) fn check_update(content: &Value, before: &Value) -> Result<(), Refused> {
    let refused = |error| Err(Refused { error, messages: Vec::new() });
    if raw(content, "text").chars().count() > UPDATED_TEXT_MAX {
        return refused("msg_too_long");
    }
    check_message(content)?;
    let rich = |message: &Value| list(message, "blocks").iter().any(|block| block["type"] == "rich_text");
    if content["blocks"].is_array() && rich(before) && !rich(content) {
        return refused("block_mismatch");
    }
    Ok(())
}

/// A modal.
pub(in super::super) fn check_view(view: &Value) -> Result<(), Refused> {
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err(Refused { error: "view_too_large", messages: Vec::new() });
    }
    let mut report = Report::default();
    let known = [
        "type",
        "title",
        "blocks",
        "close",
        "submit",
        "private_metadata",
        "callback_id",
        "clear_on_close",
        "notify_on_close",
        "external_id",
        "submit_disabled",
    ];
    report.known_keys(view, "/view", &known);
    report.require(view["type"] == "modal", "/view/type", "only modals are opened here");
    report.plain_text(view, "title", "/view", 24, true);
    for button in ["close", "submit"] {
        if !view[button].is_null() {
            report.plain_text(view, button, "/view", 24, false);
        }
    }
    for (key, max) in [("private_metadata", 3_000), ("callback_id", 255), ("external_id", 255)] {
        report.length(view, key, "/view", 0, max);
    }
    report.require(view["blocks"].is_array(), "/view/blocks", "missing required field: blocks");
    check_list(view, "/view", Surface::Modal, &mut report);
    let asks = list(view, "blocks").iter().any(|block| block["type"] == "input");
    report.require(!asks || view["submit"].is_object(), "/view/submit", "submit is required with an input block");
    report.into_result("invalid_arguments")
}

/// Somebody's page of the app.
pub(in super::super) fn check_home(view: &Value) -> Result<(), Refused> {
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err(Refused { error: "view_too_large", messages: Vec::new() });
    }
    let mut report = Report::default();
    report.known_keys(view, "/view", &["type", "blocks", "private_metadata", "callback_id", "external_id"]);
    report.require(view["type"] == "home", "/view/type", "only homes are published");
    report.require(view["blocks"].is_array(), "/view/blocks", "missing required field: blocks");
    check_list(view, "/view", Surface::Home, &mut report);
    report.into_result("invalid_arguments")
}

fn check_list(holder: &Value, at: &str, surface: Surface, report: &mut Report) {
    let Some(blocks) = holder.get("blocks").filter(|blocks| !blocks.is_null()) else { return };
    let Some(blocks) = blocks.as_array() else {
        return report.fault(&format!("{at}/blocks"), "must be an array");
    };
    let max = if surface == Surface::Message { 50 } else { 100 };
    report.require(blocks.len() <= max, &format!("{at}/blocks"), &format!("no more than {max} items allowed"));
    for (i, block) in blocks.iter().enumerate() {
        blocks::check(block, &format!("{at}/blocks/{i}"), surface, report);
    }
}

/// Visible characters: of every text object, label and run of rich text.
fn characters(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(fields) => {
            let own = string(value, "text").map_or(0, |text| text.chars().count());
            own + fields.values().map(characters).sum::<usize>()
        }
        _ => 0,
    }
}

/// Every text that would notify more people than those named in it.
pub(in super::super) fn broadcasts(payload: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_broadcasts(payload, &mut found);
    // The text of a message or attachment is mrkdwn too.
    for holder in [payload].into_iter().chain(list(payload, "attachments")) {
        let texts = ["text", "pretext", "fallback"].map(|key| raw(holder, key));
        found.extend(texts.into_iter().filter(|text| is_broadcast(text)).map(str::to_owned));
    }
    if payload["link_names"] == true || string(payload, "parse") == Some("full") {
        found.push("link_names or parse=full turns typed names into mentions".into());
    }
    found
}

fn collect_broadcasts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_broadcasts(item, found)),
        Value::Object(fields) => {
            let text = raw(value, "text");
            match string(value, "type") {
                Some("mrkdwn" | "markdown") if is_broadcast(text) => found.push(text.to_owned()),
                // The approvers' group is mentioned on purpose, where they are many.
                Some("usergroup") if value["usergroup_id"] == "S0APPROVERS" => {}
                Some("broadcast" | "usergroup") => found.push(value.to_string()),
                _ => {}
            }
            fields.values().for_each(|field| collect_broadcasts(field, found));
        }
        _ => {}
    }
}

fn is_broadcast(mrkdwn: &str) -> bool {
    ["<!channel", "<!here", "<!everyone", "<!subteam"].iter().any(|mark| mrkdwn.contains(mark))
}
