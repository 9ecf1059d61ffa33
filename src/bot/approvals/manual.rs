//! What a person does at Sekoia's console instead of the bot.

use super::people::said;
use crate::chat::view::{Line, View};
use crate::domain::action::{Action, Named};
use crate::domain::approval::{Approval, Item};

/// The exact values, and where to type them.
pub fn steps_by_hand(view: View, approval: &Approval, app: &str) -> View {
    let action = &approval.request.action;
    let step = action.step().spec();
    let open = Line::new().say("In ").link("Sekoia's console", app.to_owned()).say(format!(": {}. ", step.console));
    let waiting: Vec<&str> = approval
        .items
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item, Item::ByHand { .. }))
        .map(|(i, _)| action.target(i))
        .collect();
    let values = match action {
        Action::Invite { .. } => {
            let by_hand = |item: &usize| matches!(approval.items.get(*item), Some(Item::ByHand { .. }));
            let groups = action.invitations();
            let each = groups.iter().filter_map(|group| {
                let whom: Vec<&str> = group.items.clone().filter(by_hand).map(|item| action.target(item)).collect();
                let to: Vec<String> =
                    group.grants.iter().map(|g| format!("{} as {}", g.community.name, g.role.name)).collect();
                (!whom.is_empty()).then(|| format!("{}\n\n{}", whom.join("\n"), to.join("\n")))
            });
            let mut values = each.collect::<Vec<_>>().join("\n\n");
            if !approval.request.account.is_empty() {
                values.push_str(&format!("\n\n{}", said(&approval.request.account)));
            }
            values
        }
        Action::CreateCommunities { communities, .. } => communities
            .iter()
            .filter(|c| waiting.contains(&&*c.name))
            .map(|c| format!("Name: {}\nDescription: {}", c.name, c.description))
            .collect::<Vec<_>>()
            .join("\n\n"),
        Action::CreateRole { name, description, permissions, .. } => {
            let about = description.as_deref().unwrap_or_default();
            format!("Name: {name}\nDescription: {about}\nPermissions:\n{}", listed(permissions))
        }
        Action::CreateKey { name, description, permissions, expires, replaces, .. } => {
            if let (Some(old), true) = (replaces, approval.items.first().is_some_and(Item::is_done)) {
                format!("Revoke: {}", old.name)
            } else {
                let until = expires.map_or_else(|| "never".to_owned(), crate::chat::view::day);
                format!(
                    "Name: {name}\nDescription: {description}\nExpires: {until}\nPermissions:\n{}",
                    listed(permissions)
                )
            }
        }
        Action::RevokeKey { key, .. } => format!("Revoke: {}", key.name),
        // Its parts have values of their own.
        Action::Bundle { .. } => return view,
    };
    view.line(open.say("Enter exactly this, then press \"I did it\": I look whether Sekoia has it.")).code(values)
}

fn listed(permissions: &[Named]) -> String {
    permissions.iter().map(|p| format!("- {}", p.name)).collect::<Vec<_>>().join("\n")
}
