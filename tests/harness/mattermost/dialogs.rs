//! `POST /actions/dialogs/open`: whoever has a trigger opens dialogs with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api::{Answer, refuse};
use super::find::raw;
use super::limits::Report;
use super::seen::{Kind, Place};
use super::state::{OpenForm, State};

pub(super) fn open(state: &mut State, args: &Value) -> Answer {
    let mut report = Report::default();
    report.opening(args);
    state.violations.extend(report.into_faults());
    if raw(args, "url").is_empty() {
        return refuse(400, "api.context.invalid_body_param.app_error");
    }
    let trigger_id = raw(args, "trigger_id");
    if STANDARD.decode(trigger_id).is_err() {
        return refuse(400, "interactive_message.decode_trigger_id.base64_decode_failed");
    }
    let Some(trigger) = state.triggers.get(trigger_id).cloned() else {
        return refuse(400, "interactive_message.decode_trigger_id.verify_signature_failed");
    };
    if trigger.issued.elapsed() >= state.trigger_life {
        return refuse(400, "interactive_message.decode_trigger_id.expired");
    }
    let form = state.forms.len();
    let (user, url) = (trigger.user.clone(), raw(args, "url").to_owned());
    let (dialog, filled) = (args["dialog"].clone(), json!({}));
    let open = OpenForm { user, channel: trigger.channel, url, dialog, filled, closed: false };
    state.forms.insert(form, open);
    let kind = Kind::FormOpened { user: trigger.user.clone(), trigger_id: trigger_id.to_owned() };
    state.note(kind, args.clone(), args["dialog"].clone(), Place::Form { form, user: trigger.user });
    Ok((200, json!({ "status": "OK" })))
}
