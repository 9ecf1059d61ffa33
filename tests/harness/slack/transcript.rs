//! A payload as a person reads it: one line of text for each line on the screen.
//!
//! Only reading lives here; what Slack would refuse is the business of `block_kit`.

use serde_json::Value;

use super::find::{self, list, raw, string};
use super::people::Names;
use super::{mrkdwn, rich_text};

/// Of options, and of groups of them, as many are read out.
const MOST_OPTIONS: usize = 10;

/// Reads a message, a view, a call that carries a view, or the errors of a submission.
pub(super) fn read(payload: &Value, names: &Names) -> String {
    let view = payload.get("view").unwrap_or(payload);
    let mut lines = Vec::new();
    // A page of the app has none.
    let title = view.get("title").filter(|title| !title.is_null());
    if title.is_some() {
        lines.push(text(title, names));
    }
    let blocks = list(view, "blocks");
    if blocks.is_empty() {
        lines.extend(string(view, "text").map(|text| mrkdwn::read(text, names)));
    }
    let errors = view.get("errors").filter(|errors| errors.is_object());
    for block in blocks {
        lines.extend(read_block(block, names));
        let error = errors.and_then(|errors| string(errors, string(block, "block_id")?));
        lines.extend(error.map(|error| format!("  ⚠ {error}")));
    }
    if blocks.is_empty() {
        let errors = errors.and_then(Value::as_object).into_iter().flatten();
        lines.extend(errors.map(|(block, error)| format!("{block}: ⚠ {}", error.as_str().unwrap_or_default())));
    }
    for attachment in list(view, "attachments") {
        lines.extend(read(attachment, names).lines().map(|line| format!("▌ {line}")));
    }
    if title.is_some() {
        let close = view.get("close").filter(|close| !close.is_null());
        let mut buttons = vec![close.map_or_else(|| "[×]".into(), |close| format!("[{}]", text(Some(close), names)))];
        let submit = view.get("submit").filter(|submit| !submit.is_null());
        buttons.extend(submit.map(|submit| format!("[{}]!", text(Some(submit), names))));
        lines.push(buttons.join(" "));
    }
    let text = lines.join("\n");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn read_block(block: &Value, names: &Names) -> Vec<String> {
    let joined = |separator: &str| {
        let elements = list(block, "elements").iter().map(|element| read_element(element, names));
        vec![elements.collect::<Vec<_>>().join(separator)]
    };
    match string(block, "type").unwrap_or_default() {
        "header" => vec![text(block.get("text"), names)],
        "divider" => vec!["---".into()],
        "section" => section(block, names),
        "context" => joined("  "),
        "actions" => joined(" "),
        "image" => vec![read_element(block, names)],
        "input" => input(block, names),
        "rich_text" => rich_text::read(block, names),
        "markdown" => vec![raw(block, "text").to_owned()],
        "table" => list(block, "rows").iter().map(|row| table_row(row, names)).collect(),
        other => vec![format!("<{other}>")],
    }
}

fn section(block: &Value, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    if block.get("text").is_some() {
        lines.push(text(block.get("text"), names));
    }
    // Slack sets fields in two columns.
    for pair in list(block, "fields").chunks(2) {
        let cells = pair.iter().map(|field| text(Some(field), names).replace('\n', " "));
        lines.push(cells.collect::<Vec<_>>().join(" | "));
    }
    if let Some(accessory) = block.get("accessory") {
        let accessory = read_element(accessory, names);
        match lines.last_mut() {
            Some(line) => *line = format!("{line} {accessory}"),
            None => lines.push(accessory),
        }
    }
    lines
}

fn input(block: &Value, names: &Names) -> Vec<String> {
    let optional = if block["optional"] == true { " (optional)" } else { "" };
    let label = text(block.get("label"), names);
    let mut lines = vec![format!("{label}{optional}: {}", read_element(&block["element"], names))];
    lines.extend(offered(&block["element"], names));
    if block.get("hint").is_some() {
        lines.push(format!("  {}", text(block.get("hint"), names)));
    }
    lines
}

/// What there is to choose from in a form, a line for each group.
fn offered(element: &Value, names: &Names) -> Vec<String> {
    let row = |options: &[Value]| {
        let mut labels: Vec<_> = options.iter().take(MOST_OPTIONS).map(|o| text(o.get("text"), names)).collect();
        if options.len() > MOST_OPTIONS {
            labels.push(format!("… {} more", options.len() - MOST_OPTIONS));
        }
        labels.join(" | ")
    };
    if !matches!(raw(element, "type"), "static_select" | "multi_static_select") {
        return Vec::new();
    }
    let groups = list(element, "option_groups");
    if groups.is_empty() {
        return vec![format!("  ▾ {}", row(list(element, "options")))];
    }
    let named = |group: &Value| format!("  ▾ {}: {}", text(group.get("label"), names), row(list(group, "options")));
    let mut lines: Vec<_> = groups.iter().take(MOST_OPTIONS).map(named).collect();
    if groups.len() > MOST_OPTIONS {
        lines.push(format!("  ▾ … {} more groups", groups.len() - MOST_OPTIONS));
    }
    lines
}

fn table_row(row: &Value, names: &Names) -> String {
    let cells = row.as_array().map_or(&[][..], Vec::as_slice).iter().map(|cell| match string(cell, "type") {
        Some("rich_text") => rich_text::read(cell, names).join(" "),
        Some("raw_number") => cell["value"].to_string(),
        _ => raw(cell, "text").to_owned(),
    });
    cells.collect::<Vec<_>>().join(" | ")
}

/// A text object, whichever of the two kinds.
fn text(object: Option<&Value>, names: &Names) -> String {
    let Some(object) = object else { return String::new() };
    match string(object, "type") {
        Some("mrkdwn") => mrkdwn::read(raw(object, "text"), names),
        _ => raw(object, "text").to_owned(),
    }
}

fn read_element(element: &Value, names: &Names) -> String {
    let placeholder = find::placeholder(element);
    let current = |chosen: Option<String>| chosen.filter(|c| !c.is_empty()).unwrap_or_else(|| placeholder.into());
    let initial = |key: &str| string(element, key).map(str::to_owned);
    match string(element, "type").unwrap_or_default() {
        "plain_text" | "mrkdwn" => text(Some(element), names),
        "image" => format!("({})", raw(element, "alt_text")),
        "button" => button(element, names),
        "static_select" | "external_select" => {
            let chosen = element.get("initial_option").map(|option| text(option.get("text"), names));
            format!("[{} ▾]", current(chosen))
        }
        "users_select" => {
            let chosen = initial("initial_user").map(|user| format!("@{}", names.user(&user)));
            format!("[{} ▾]", current(chosen))
        }
        "conversations_select" | "channels_select" => {
            let chosen = initial("initial_conversation").or_else(|| initial("initial_channel"));
            format!("[{} ▾]", current(chosen.map(|channel| names.channel(&channel))))
        }
        kind if kind.starts_with("multi_") => {
            let chosen = list(element, "initial_options").iter().map(|option| text(option.get("text"), names));
            let users = list(element, "initial_users").iter().filter_map(Value::as_str);
            let users = users.map(|user| format!("@{}", names.user(user)));
            let chosen = chosen.chain(users).collect::<Vec<_>>().join(", ");
            format!("[{} ▾…]", current(Some(chosen)))
        }
        "overflow" => {
            let options = list(element, "options").iter().map(|option| text(option.get("text"), names));
            format!("[⋯ {}]", options.collect::<Vec<_>>().join(" / "))
        }
        "datepicker" => format!("[{} 📅]", current(initial("initial_date"))),
        "timepicker" => format!("[{} 🕑]", current(initial("initial_time"))),
        "datetimepicker" => "[📅 🕑]".into(),
        "file_input" => {
            let files = list(element, "initial_files").iter().map(|file| raw(file, "name"));
            let files = files.collect::<Vec<_>>().join(", ");
            let types = list(element, "filetypes").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
            if files.is_empty() { format!("[Add a file: {types}]") } else { format!("[{files}]") }
        }
        "radio_buttons" => choices(element, names, "(•)", "( )"),
        "checkboxes" => choices(element, names, "[x]", "[ ]"),
        "plain_text_input" | "email_text_input" | "number_input" | "url_text_input" => match initial("initial_value") {
            Some(value) => format!("[{value}]"),
            None if placeholder.is_empty() => "[____]".into(),
            None => format!("[{placeholder} ____]"),
        },
        other => format!("<{other}>"),
    }
}

fn button(element: &Value, names: &Names) -> String {
    let mark = match (element.get("url").is_some(), element.get("confirm").is_some()) {
        (true, _) => " ↗",
        (false, true) => "?",
        (false, false) => "",
    };
    let style = match string(element, "style") {
        Some("primary") => "!",
        Some("danger") => "✗",
        _ => "",
    };
    format!("[{}{mark}]{style}", text(element.get("text"), names))
}

fn choices(element: &Value, names: &Names, on: &str, off: &str) -> String {
    let chosen = |option: &Value| {
        element.get("initial_option") == Some(option) || list(element, "initial_options").contains(option)
    };
    let options = list(element, "options").iter();
    let options = options.map(|o| format!("{} {}", if chosen(o) { on } else { off }, text(o.get("text"), names)));
    options.collect::<Vec<_>>().join(" ")
}
