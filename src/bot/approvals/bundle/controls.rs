//! What can be pressed on a bundle's card.

use crate::bot::approvals::controls::{controls, deciding};
use crate::bot::approvals::resend;
use crate::chat::text::{count, shown};
use crate::chat::view::{Choice, Control};
use crate::domain::approval::{Approval, Item, Stage, Status};

/// Keys with a button of their own; the others are asked for by command.
pub(super) const MOST_KEYS: usize = 5;
/// Requests whose invitations can be sent again.
const MOST_INVITED: usize = 20;

/// The keys that wait for their owners to press something: those first that are revoked unless it is
/// pressed soon.
pub(super) fn keys_that_wait(children: &[(usize, Approval)]) -> Vec<&Approval> {
    let waits = children.iter().map(|(_, child)| child).filter(|child| !key_controls(child).is_empty());
    let mut waits: Vec<&Approval> = waits.collect();
    waits.sort_by_key(|child| child.status() != Status::Handover);
    waits
}

/// What can be pressed for a key, with its name: there may be several.
fn key_controls(child: &Approval) -> Vec<Control> {
    let (id, name, status) = (&child.id, shown(child.request.action.target(0), 40), child.status());
    match status {
        Status::Approved if child.waits_for_a_press(0) => {
            vec![Control::primary(format!("Create and show {name}"), format!("show {id}"))]
        }
        Status::Handover => deciding(child, status).into_iter().map(|control| naming(control, &name)).collect(),
        _ => Vec::new(),
    }
}

/// `I saved it` becomes `I saved collector`.
fn naming(control: Control, name: &str) -> Control {
    match control {
        Control::Button { label, words, style, confirm } => {
            let label = label.replacen(" it", &format!(" {name}"), 1).into();
            Control::Button { label, words, style, confirm }
        }
        other => other,
    }
}

/// The invitations that nobody accepted yet, by the request that sent them.
fn send_again(children: &[(usize, Approval)]) -> Option<Control> {
    let waits = children.iter().map(|(_, child)| child).filter(|child| resend::waits_for_guests(child));
    let choice = |child: &Approval| {
        let more = child.guests.len().saturating_sub(1);
        let also = if more > 0 { format!(" and {}", count(more, "other", "others")) } else { String::new() };
        let label = format!("{}{also}", shown(child.request.action.target(0), 50));
        Choice { label: label.into(), value: child.id.as_str().to_owned().into() }
    };
    let options: Vec<Choice> = waits.take(MOST_INVITED).map(choice).collect();
    let (label, words) = ("Send an invitation again".into(), "resend".into());
    (!options.is_empty()).then_some(Control::Menu { label, words, options })
}

/// Buttons for everybody: those of keys carry their request's id, all others the bundle's.
pub fn bundle_controls(bundle: &Approval, children: &[(usize, Approval)]) -> Vec<Control> {
    let (id, status) = (&bundle.id, bundle.status());
    if !matches!(bundle.stage, Stage::Approved) || status == Status::Held {
        return deciding(bundle, status);
    }
    let keys = keys_that_wait(children);
    let mut all: Vec<Control> = keys.iter().take(MOST_KEYS).flat_map(|child| key_controls(child)).collect();
    if let Some((_, held)) = children.iter().find(|(_, child)| child.can_be_confirmed()) {
        // The bundle's own id: it goes to every part that is on hold.
        let of_child = controls(held, Status::Held);
        all.extend(of_child.into_iter().filter_map(|control| readdressed(control, held, bundle)));
    }
    let any = |of: fn(&Item) -> bool| bundle.items.iter().any(of);
    let by_hand = any(|i| matches!(i, Item::ByHand { .. }));
    let unknown = any(|i| matches!(i, Item::Unknown { .. }));
    if by_hand || unknown {
        all.push(Control::primary(if by_hand { "I did it" } else { "Look in Sekoia" }, format!("check {id}")));
    }
    if bundle.lacks_parts() {
        all.push(Control::primary("Retry failed", format!("retry {id}")));
    }
    let refused = |(item, child): &(usize, Approval)| {
        matches!(bundle.items[*item], Item::Failed { .. })
            && matches!(child.stage, Stage::Approved)
            && child.items.iter().any(|i| matches!(i, Item::Failed { .. }))
    };
    if children.iter().any(refused) {
        all.push(Control::button("Do it by hand", format!("by hand {id}")));
    }
    all.extend(send_again(children));
    let waits = any(|i| matches!(i, Item::Waiting)) || by_hand || unknown;
    if waits || keys.iter().any(|child| child.status() == Status::Approved) {
        let begun = any(|i| !matches!(i, Item::Waiting));
        all.push(Control::button(if begun { "Give up the rest" } else { "Withdraw" }, format!("cancel {id}")));
    }
    all
}

/// The same control with the bundle's id, if it decides about what is on hold.
fn readdressed(control: Control, child: &Approval, bundle: &Approval) -> Option<Control> {
    match control {
        Control::Button { label, words, style, confirm } => {
            let decides = words.starts_with("approve ") || words.starts_with("reject ");
            let words = words.replace(child.id.as_str(), bundle.id.as_str()).into();
            decides.then_some(Control::Button { label, words, style, confirm })
        }
        _ => None,
    }
}
