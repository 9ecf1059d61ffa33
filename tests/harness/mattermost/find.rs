//! Looking into payloads: fields, and the things that a person can press or fill in.

use serde_json::Value;

/// A field that holds text, or nothing.
pub(super) fn raw<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A field that holds a list, or none.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The attachments of a post.
pub(super) fn attachments(post: &Value) -> &[Value] {
    list(&post["props"], "attachments")
}

/// Every action of a post.
pub(super) fn actions(post: &Value) -> impl Iterator<Item = &Value> {
    attachments(post).iter().flat_map(|attachment| list(attachment, "actions"))
}

/// Mattermost asks no questions of its own before a press counts, and has no day to pick in a
/// message. A button that leads to a dialog for that says so: where somebody points at it, or in
/// its name.
const PICKS_A_DAY: &str = " 📅";

/// Whether pressing it asks a question first.
pub(super) fn asks(action: &Value) -> bool {
    !raw(action, "tooltip").is_empty()
}

/// Whether pressing it asks for a day.
pub(super) fn picks_a_day(action: &Value) -> bool {
    raw(action, "name").ends_with(PICKS_A_DAY)
}

/// What a button or a menu says, without the mark of what it leads to.
pub(super) fn label(action: &Value) -> &str {
    let name = raw(action, "name");
    name.strip_suffix(PICKS_A_DAY).unwrap_or(name)
}

/// The buttons that say so.
pub(super) fn buttons<'a>(post: &'a Value, says: &str) -> Vec<&'a Value> {
    let is_button = |action: &&Value| raw(action, "type") != "select";
    actions(post).filter(is_button).filter(|action| label(action) == says || raw(action, "name") == says).collect()
}

/// The one menu that says so.
pub(super) fn menu<'a>(post: &'a Value, says: &str) -> Option<&'a Value> {
    actions(post).find(|action| raw(action, "type") == "select" && label(action) == says)
}

/// What is filled in under this label of a form.
pub(super) fn element<'a>(dialog: &'a Value, says: &str) -> Option<&'a Value> {
    list(dialog, "elements").iter().find(|element| raw(element, "display_name") == says)
}

/// The option that reads so.
pub(super) fn option<'a>(element: &'a Value, says: &str) -> &'a Value {
    let all = list(element, "options");
    let found = all.iter().find(|option| raw(option, "text") == says);
    found.unwrap_or_else(|| {
        let labels: Vec<_> = all.iter().map(|option| raw(option, "text")).collect();
        panic!("no option says {says:?}, only {labels:?}")
    })
}

/// The options that read so, with commas between them; a label may have commas of its own.
pub(super) fn several<'a>(element: &'a Value, says: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    let mut rest = says.trim();
    while !rest.is_empty() {
        let fits = |option: &&Value| {
            let after = rest.strip_prefix(raw(option, "text")).map(str::trim_start);
            after.is_some_and(|after| after.is_empty() || after.starts_with(','))
        };
        let longest = list(element, "options").iter().filter(fits).max_by_key(|option| raw(option, "text").len());
        let chosen = longest.unwrap_or_else(|| option(element, rest));
        rest = rest[raw(chosen, "text").len()..].trim_start().trim_start_matches(',').trim_start();
        found.push(chosen);
    }
    found
}
