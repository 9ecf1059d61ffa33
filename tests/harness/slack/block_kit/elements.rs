//! The elements: buttons, menus, pickers and inputs.

use serde_json::Value;

use super::super::find::{list, options, string};
use super::report::Report;

/// The block that holds an element: not every element lives in every block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Section,
    Actions,
    Input,
}

/// Everything that one of several choices, people or channels is picked with.
const SELECTS: [&str; 5] =
    ["static_select", "external_select", "users_select", "conversations_select", "channels_select"];
const PICKERS: [&str; 4] = ["datepicker", "timepicker", "checkboxes", "radio_buttons"];
const TYPED: [&str; 4] = ["plain_text_input", "email_text_input", "url_text_input", "number_input"];

pub(super) fn check(element: &Value, at: &str, home: Home, report: &mut Report) {
    let kind = string(element, "type").unwrap_or_default();
    let multi = kind.strip_prefix("multi_").is_some_and(|single| SELECTS.contains(&single));
    let choice = SELECTS.contains(&kind) || PICKERS.contains(&kind);
    let lives_here = match home {
        Home::Section => choice || multi || ["image", "button", "overflow"].contains(&kind),
        Home::Actions => choice || ["button", "overflow", "datetimepicker"].contains(&kind),
        Home::Input => choice || multi || ["datetimepicker", "file_input"].contains(&kind) || TYPED.contains(&kind),
    };
    if !lives_here {
        return report.fault(&format!("{at}/type"), &format!("unsupported type: {kind}"));
    }
    report.length(element, "action_id", at, 1, 255);
    report.focus(element, at);
    if element.get("confirm").is_some() {
        confirm(&element["confirm"], &format!("{at}/confirm"), report);
    }
    report.plain_text(element, "placeholder", at, 150, false);
    report.known_keys(element, at, known(kind));
    match kind {
        "image" => image(element, at, report),
        "button" => button(element, at, report),
        "overflow" => check_options(element, "options", at, 1, 5, report),
        "checkboxes" | "radio_buttons" => {
            check_options(element, "options", at, 1, 10, report);
            initial_is_offered(element, at, report);
        }
        "static_select" | "multi_static_select" => static_select(element, at, report),
        "datepicker" => date(element, at, report),
        "number_input" => {
            report.require(
                element["is_decimal_allowed"].is_boolean(),
                at,
                "missing required field: is_decimal_allowed",
            );
        }
        "plain_text_input" => typed(element, at, report),
        "file_input" => file_input(element, at, report),
        _ => {}
    }
}

fn known(kind: &str) -> &'static [&'static str] {
    match kind {
        "image" => &["type", "image_url", "slack_file", "alt_text"],
        "button" => &["type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"],
        "overflow" => &["type", "action_id", "options", "confirm"],
        "static_select" => &[
            "type",
            "action_id",
            "placeholder",
            "options",
            "option_groups",
            "initial_option",
            "confirm",
            "focus_on_load",
        ],
        "multi_static_select" => &[
            "type",
            "action_id",
            "placeholder",
            "options",
            "option_groups",
            "initial_options",
            "confirm",
            "focus_on_load",
            "max_selected_items",
        ],
        "external_select" | "multi_external_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_option",
            "initial_options",
            "min_query_length",
            "confirm",
            "focus_on_load",
            "max_selected_items",
        ],
        "users_select" => &["type", "action_id", "placeholder", "initial_user", "confirm", "focus_on_load"],
        "channels_select" => {
            &["type", "action_id", "placeholder", "initial_channel", "confirm", "response_url_enabled", "focus_on_load"]
        }
        "conversations_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_conversation",
            "default_to_current_conversation",
            "confirm",
            "response_url_enabled",
            "filter",
            "focus_on_load",
        ],
        "multi_users_select" | "multi_channels_select" | "multi_conversations_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_users",
            "initial_channels",
            "initial_conversations",
            "default_to_current_conversation",
            "filter",
            "confirm",
            "focus_on_load",
            "max_selected_items",
        ],
        "datepicker" => &["type", "action_id", "placeholder", "initial_date", "confirm", "focus_on_load"],
        "timepicker" => &["type", "action_id", "placeholder", "initial_time", "confirm", "focus_on_load", "timezone"],
        "datetimepicker" => &["type", "action_id", "initial_date_time", "confirm", "focus_on_load"],
        "checkboxes" => &["type", "action_id", "options", "initial_options", "confirm", "focus_on_load"],
        "radio_buttons" => &["type", "action_id", "options", "initial_option", "confirm", "focus_on_load"],
        "file_input" => &["type", "action_id", "filetypes", "max_files"],
        "number_input" => &[
            "type",
            "action_id",
            "placeholder",
            "is_decimal_allowed",
            "initial_value",
            "min_value",
            "max_value",
            "dispatch_action_config",
            "focus_on_load",
        ],
        "plain_text_input" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_value",
            "multiline",
            "min_length",
            "max_length",
            "dispatch_action_config",
            "focus_on_load",
        ],
        _ => &["type", "action_id", "placeholder", "initial_value", "dispatch_action_config", "focus_on_load"],
    }
}

pub(super) fn image(element: &Value, at: &str, report: &mut Report) {
    report.known_keys(element, at, known("image"));
    image_source(element, at, report);
}

/// What image blocks and image elements share.
pub(super) fn image_source(image: &Value, at: &str, report: &mut Report) {
    let sources = ["image_url", "slack_file"].iter().filter(|key| image.get(**key).is_some()).count();
    report.require(sources == 1, at, "must define either `image_url` or `slack_file`");
    report.length(image, "image_url", at, 1, 3_000);
    report.required_length(image, "alt_text", at, 2_000);
}

fn button(element: &Value, at: &str, report: &mut Report) {
    report.plain_text(element, "text", at, 75, true);
    report.length(element, "value", at, 1, 2_000);
    report.length(element, "url", at, 1, 3_000);
    report.length(element, "accessibility_label", at, 1, 75);
    let style = string(element, "style");
    report.require(!element["style"].is_null() || element.get("style").is_none(), at, "style must not be null");
    report.require(matches!(style, None | Some("primary" | "danger")), at, "style must be primary or danger");
    if let Some(url) = string(element, "url") {
        report.require(url::Url::parse(url).is_ok(), &format!("{at}/url"), "must be a valid URL");
    }
}

fn confirm(dialog: &Value, at: &str, report: &mut Report) {
    report.known_keys(dialog, at, &["title", "text", "confirm", "deny", "style"]);
    report.plain_text(dialog, "title", at, 100, true);
    report.any_text(dialog, "text", at, 300, true);
    report.plain_text(dialog, "confirm", at, 30, true);
    report.plain_text(dialog, "deny", at, 30, true);
}

fn static_select(element: &Value, at: &str, report: &mut Report) {
    let grouped = element.get("option_groups").is_some();
    let one = element.get("options").is_some() != grouped;
    report.require(one, at, "must define either `options` or `option_groups`");
    if grouped {
        report.count(element, "option_groups", at, 1, 100);
        for (i, group) in list(element, "option_groups").iter().enumerate() {
            let at = format!("{at}/option_groups/{i}");
            report.known_keys(group, &at, &["label", "options"]);
            report.plain_text(group, "label", &at, 75, true);
            check_options(group, "options", &at, 1, 100, report);
        }
    } else {
        check_options(element, "options", at, 1, 100, report);
    }
    initial_is_offered(element, at, report);
}

fn check_options(element: &Value, key: &str, at: &str, min: usize, max: usize, report: &mut Report) {
    report.count(element, key, at, min, max);
    let kind = string(element, "type");
    let marked_up = matches!(kind, Some("checkboxes" | "radio_buttons"));
    for (i, option) in list(element, key).iter().enumerate() {
        let at = format!("{at}/{key}/{i}");
        let overflow = kind == Some("overflow");
        report.known_keys(
            option,
            &at,
            if overflow { &["text", "value", "url"] } else { &["text", "value", "description"] },
        );
        if marked_up {
            report.any_text(option, "text", &at, 75, true);
            report.any_text(option, "description", &at, 75, false);
        } else {
            report.plain_text(option, "text", &at, 75, true);
            report.plain_text(option, "description", &at, 75, false);
        }
        report.required_length(option, "value", &at, 75);
        report.length(option, "url", &at, 1, 3_000);
    }
}

/// An initial choice must equal one of the options, its text included.
fn initial_is_offered(element: &Value, at: &str, report: &mut Report) {
    if element.get("initial_options").is_some() {
        report.count(element, "initial_options", at, 1, 100);
    }
    let offered = options(element);
    let single = element.get("initial_option").into_iter();
    for initial in single.chain(list(element, "initial_options")) {
        report.require(offered.contains(&initial), at, "initial_option was not found in the options");
    }
}

fn date(element: &Value, at: &str, report: &mut Report) {
    if let Some(day) = element.get("initial_date") {
        let valid = day.as_str().is_some_and(|day| day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok());
        report.require(valid, &format!("{at}/initial_date"), "must be a date: YYYY-MM-DD");
    }
}

fn file_input(element: &Value, at: &str, report: &mut Report) {
    if let Some(most) = element.get("max_files") {
        report.require(matches!(most.as_u64(), Some(1..=10)), at, "max_files must be 1 to 10");
    }
    if element.get("filetypes").is_some() {
        report.count(element, "filetypes", at, 1, usize::MAX);
    }
    let named = |kind: &Value| kind.as_str().is_some_and(|kind| !kind.is_empty() && !kind.starts_with('.'));
    report.require(list(element, "filetypes").iter().all(named), at, "filetypes are extensions without a dot");
}

fn typed(element: &Value, at: &str, report: &mut Report) {
    report.require(element.get("multiline").is_none_or(Value::is_boolean), at, "multiline must be a boolean");
    let most = element["max_length"].as_u64().and_then(|most| usize::try_from(most).ok());
    report.length(element, "initial_value", at, 0, most.unwrap_or(3_000));
    for (key, least) in [("min_length", 0), ("max_length", 1)] {
        if let Some(value) = element.get(key) {
            let valid = value.as_u64().is_some_and(|value| (least..=3_000).contains(&value));
            report.require(valid, &format!("{at}/{key}"), "must be at most 3000");
        }
    }
}
