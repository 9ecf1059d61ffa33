//! What can be pressed on a request's card, by where the request stands.

use super::bundle::bundle_controls;
use super::resend;
use super::waiting::Reader;
use crate::chat::text::{first, shown};
use crate::chat::view::{Confirm, Control, Style};
use crate::domain::approval::{Approval, Item, Status};

/// The way out for a requester who does not have the secret.
pub const LOST: &str = "I lost it: revoke now";

/// Those that are of any use to one reader, where the message is for them alone.
pub fn controls_for(approval: &Approval, reader: Reader) -> Vec<Control> {
    let mut all = controls(approval, approval.status());
    all.retain(|control| match control {
        Control::Button { words, .. } => reader.may_press(words),
        _ => true,
    });
    all
}

/// Buttons carry the request's id and nothing else.
pub fn controls(approval: &Approval, status: Status) -> Vec<Control> {
    if approval.is_bundle() { bundle_controls(approval, &[]) } else { deciding(approval, status) }
}

/// The same of a request that has no parts, or whose parts are no requests yet.
pub(super) fn deciding(approval: &Approval, status: Status) -> Vec<Control> {
    let id = &approval.id;
    let cancel = || Control::button("Withdraw", format!("cancel {id}"));
    let approve = |label: &'static str, title: &'static str| Control::Button {
        label: label.into(),
        words: format!("approve {id}").into(),
        style: Style::Primary,
        confirm: Some(Confirm {
            title: title.into(),
            text: shown(&format!("{}. Your name stays on record.", approval.request.action.title()), 280).into(),
            yes: label.into(),
        }),
    };
    let reject = || Control::Button {
        label: "Reject…".into(),
        words: format!("reject {id}").into(),
        style: Style::Danger,
        confirm: None,
    };
    match status {
        Status::Requested => vec![approve("Approve", "Approve this?"), reject(), cancel()],
        Status::Held => {
            let mut held = Vec::new();
            if approval.can_be_confirmed() {
                held.push(approve("Confirm", "Carry it out?"));
            }
            // Whoever was gone may be there again: pressing looks.
            if approval.waits_for_a_press(0) && matches!(approval.items.first(), Some(Item::Waiting)) {
                held.push(Control::button("Create and show", format!("show {id}")));
            }
            held.extend([reject(), cancel()]);
            held
        }
        Status::Approved if approval.waits_for_a_press(0) => {
            vec![Control::primary("Create and show", format!("show {id}")), cancel()]
        }
        Status::Handover if approval.items.first().is_some_and(Item::is_done) => vec![Control::Button {
            label: "Revoke the old key".into(),
            words: format!("retire {id}").into(),
            style: Style::Danger,
            confirm: Some(Confirm {
                title: "Revoke the old key?".into(),
                text: "Whatever still uses it stops working at once.".into(),
                yes: "Revoke".into(),
            }),
        }],
        Status::Handover => match approval.items.first() {
            Some(Item::Created { uuid, shown: true, lost: None, .. }) => {
                let key = first(uuid, 8);
                let lost = Control::Button {
                    label: LOST.into(),
                    words: format!("lost {id} {key}").into(),
                    style: Style::Danger,
                    confirm: Some(Confirm {
                        title: "Revoke the key now?".into(),
                        text: "Nothing can use it then. You may create it again, as long as the approval lasts.".into(),
                        yes: "Revoke".into(),
                    }),
                };
                vec![Control::primary("I saved it", format!("saved {id} {key}")), lost]
            }
            _ => Vec::new(),
        },
        Status::Succeeded if resend::waits_for_guests(approval) => {
            vec![Control::button("Send again", resend::words(id))]
        }
        Status::Failed => vec![
            Control::primary(
                if approval.items.len() > 1 { "Retry failed" } else { "Try again" },
                format!("retry {id}"),
            ),
            Control::button("Do it by hand", format!("by hand {id}")),
        ],
        Status::ByHand => vec![
            Control::primary("I did it", format!("check {id}")),
            Control::button("Try again", format!("retry {id}")),
            Control::button("Give up", format!("cancel {id}")),
        ],
        Status::Unknown => vec![
            Control::primary("Look in Sekoia", format!("check {id}")),
            Control::Button {
                label: "Send it again".into(),
                words: format!("retry {id}").into(),
                style: Style::Plain,
                confirm: Some(Confirm {
                    title: "Send it again?".into(),
                    text: "Only if you looked and it is not there: I could not find out, and it would be done twice."
                        .into(),
                    yes: "Send it again".into(),
                }),
            },
            Control::button("Give up", format!("cancel {id}")),
        ],
        Status::Approved
        | Status::Executing
        | Status::Succeeded
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled => Vec::new(),
    }
}
