//! Looking into payloads: fields, and the things that a person can press or fill in.

use serde_json::Value;

/// A field that holds text.
pub(super) fn string<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A field that holds text, or nothing.
pub(super) fn raw<'a>(object: &'a Value, key: &str) -> &'a str {
    string(object, key).unwrap_or_default()
}

/// A field that holds a list, or none.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a button or an option says.
pub(super) fn label(element: &Value) -> &str {
    raw(&element["text"], "text")
}

/// What an element says while nothing is chosen; Slack has a default for each kind of menu.
pub(super) fn placeholder(element: &Value) -> &str {
    string(&element["placeholder"], "text").unwrap_or(match raw(element, "type") {
        "static_select" | "external_select" => "Select an option",
        "multi_static_select" | "multi_external_select" => "Select options",
        "users_select" => "Select a user",
        "multi_users_select" => "Select users",
        "conversations_select" | "channels_select" => "Select a channel",
        "datepicker" => "Select a date",
        "timepicker" => "Select a time",
        _ => "",
    })
}

/// Every interactive element with the id of its block: of actions, sections and inputs.
pub(super) fn elements(shown: &Value) -> Vec<(&Value, &Value)> {
    let attached = list(shown, "attachments").iter().flat_map(|attachment| list(attachment, "blocks"));
    let blocks = list(shown, "blocks").iter().chain(attached);
    let of_block = |block| {
        let own = ["accessory", "element"].into_iter().filter_map(move |key| Value::get(block, key));
        let listed = if block["type"] == "actions" { list(block, "elements") } else { &[] };
        listed.iter().chain(own).map(move |element| (&block["block_id"], element))
    };
    blocks.flat_map(of_block).filter(|(_, element)| element["action_id"].is_string()).collect()
}

/// Every button that says so.
pub(super) fn buttons<'a>(shown: &'a Value, says: &str) -> Vec<(&'a Value, &'a Value)> {
    let mut found = elements(shown);
    found.retain(|(_, element)| element["type"] == "button" && label(element) == says);
    found
}

/// The menu, date picker or group of choices with this placeholder (or current choice; `⋯` for an
/// overflow menu, nothing for radio buttons and checkboxes).
pub(super) fn menu<'a>(shown: &'a Value, placeholder: &str) -> (&'a Value, &'a Value) {
    let mut found = elements(shown);
    found.retain(|(_, element)| match raw(element, "type") {
        "button" | "plain_text_input" | "file_input" => false,
        "overflow" => placeholder == "⋯",
        "radio_buttons" | "checkboxes" => placeholder.is_empty(),
        _ => {
            self::placeholder(element) == placeholder
                || label(&element["initial_option"]) == placeholder
                || raw(element, "initial_date") == placeholder
        }
    });
    assert!(found.len() == 1, "{} menus say {placeholder:?} in {shown:#}", found.len());
    found[0]
}

/// What is filled in under this label of a form.
pub(super) fn labelled<'a>(shown: &'a Value, says: &str) -> Option<&'a Value> {
    let mut inputs = list(shown, "blocks").iter().filter(|block| block["type"] == "input");
    inputs.find(|block| raw(&block["label"], "text") == says).map(|block| &block["element"])
}

/// The options of a menu, grouped or not.
pub(super) fn options(element: &Value) -> Vec<&Value> {
    let grouped = list(element, "option_groups").iter().flat_map(|group| list(group, "options"));
    list(element, "options").iter().chain(grouped).collect()
}

/// The option that reads so.
pub(super) fn option<'a>(element: &'a Value, says: &str) -> &'a Value {
    let all = options(element);
    let found = all.iter().find(|option| label(option) == says);
    found.unwrap_or_else(|| {
        let labels: Vec<_> = all.iter().map(|option| label(option)).collect();
        panic!("no option says {says:?}, only {labels:?}")
    })
}

/// The options that read so, with commas between them; a label may have commas of its own.
pub(super) fn several<'a>(element: &'a Value, says: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    let mut rest = says.trim();
    while !rest.is_empty() {
        let fits = |option: &&Value| {
            let after = rest.strip_prefix(label(option)).map(str::trim_start);
            after.is_some_and(|after| after.is_empty() || after.starts_with(','))
        };
        let longest = options(element).into_iter().filter(fits).max_by_key(|option| label(option).len());
        let chosen = longest.unwrap_or_else(|| option(element, rest));
        rest = rest[label(chosen).len()..].trim_start().trim_start_matches(',').trim_start();
        found.push(chosen);
    }
    found
}
