//! The views.* methods: modals, opened in exchange for a trigger, and people's pages of the app.

use serde_json::{Value, json};

use super::block_kit;
use super::chat::settle;
use super::find::string;
use super::seen::{Kind, Place};
use super::state::{OpenView, State, digits, since_epoch, token};
use super::web_api::{Answer, Refusal, required};

pub(super) fn open(state: &mut State, args: &Value) -> Answer {
    let trigger_id = required(args, "trigger_id")?.to_owned();
    let view = args.get("view").ok_or_else(|| Refusal::missing("view"))?;
    block_kit::check_view(view)?;
    let user = exchange(state, &trigger_id)?;
    let view_id = format!("V{}", token(10).to_uppercase());
    let view = describe(state, &view_id, view);
    let open = OpenView { user: user.clone(), view: view.clone(), closed: false };
    state.views.insert(view_id.clone(), open);
    let kind = Kind::ViewOpened { view_id: view_id.clone(), trigger_id };
    state.note(kind, args.clone(), view.clone(), Place::View { view_id, user });
    Ok(json!({ "ok": true, "view": view }))
}

pub(super) fn update(state: &mut State, args: &Value) -> Answer {
    let view = args.get("view").ok_or_else(|| Refusal::missing("view"))?;
    block_kit::check_view(view)?;
    let external_id = string(args, "external_id");
    let known = |(id, open): &(&String, &OpenView)| {
        string(args, "view_id") == Some(id.as_str())
            || external_id.is_some_and(|wanted| string(&open.view, "external_id") == Some(wanted))
    };
    let (view_id, open) = state.views.iter().find(known).ok_or("not_found")?;
    if open.closed {
        return Err("not_found".into());
    }
    if string(args, "hash").is_some_and(|hash| string(&open.view, "hash") != Some(hash)) {
        return Err("hash_conflict".into());
    }
    let view_id = view_id.clone();
    let (view, user) = replace(state, &view_id, view);
    let kind = Kind::ViewUpdated { view_id: view_id.clone() };
    state.note(kind, args.clone(), view.clone(), Place::View { view_id, user });
    Ok(json!({ "ok": true, "view": view }))
}

pub(super) fn publish(state: &mut State, args: &Value) -> Answer {
    let user = required(args, "user_id")?.to_owned();
    let view = args.get("view").ok_or_else(|| Refusal::missing("view"))?;
    block_kit::check_home(view)?;
    if !state.users.contains_key(&user) {
        return Err("user_not_found".into());
    }
    let view_id = format!("V{user}HOME");
    let view = describe(state, &view_id, view);
    state.views.insert(view_id.clone(), OpenView { user: user.clone(), view: view.clone(), closed: false });
    state.note(Kind::HomePublished { user: user.clone() }, args.clone(), view.clone(), Place::View { view_id, user });
    Ok(json!({ "ok": true, "view": view }))
}

/// Puts new content into a view that exists.
pub(super) fn replace(state: &mut State, view_id: &str, content: &Value) -> (Value, String) {
    let view = describe(state, view_id, content);
    let open = state.views.get_mut(view_id).expect("the caller has looked the view up");
    open.view = view.clone();
    (view, open.user.clone())
}

fn exchange(state: &mut State, trigger_id: &str) -> Result<String, Refusal> {
    let life = state.trigger_life;
    let trigger = state.triggers.get_mut(trigger_id).ok_or("invalid_trigger_id")?;
    if trigger.used {
        return Err("exchanged_trigger_id".into());
    }
    if trigger.issued.elapsed() >= life {
        return Err("expired_trigger_id".into());
    }
    trigger.used = true;
    Ok(trigger.user.clone())
}

/// The view object as Slack gives it back.
fn describe(state: &State, view_id: &str, content: &Value) -> Value {
    let hash = format!("{}.{}", since_epoch().as_secs(), token(8));
    let mut view = json!({
        "id": view_id, "team_id": state.team.id, "type": "modal", "blocks": [], "private_metadata": "",
        "callback_id": "", "state": { "values": {} }, "hash": hash, "title": null, "clear_on_close": false,
        "notify_on_close": false, "close": null, "submit": null, "previous_view_id": null,
        "root_view_id": view_id, "app_id": state.app.id, "external_id": "",
        "app_installed_team_id": state.team.id, "bot_id": state.app.bot_id, "x_revision": digits(6),
    });
    for (key, value) in content.as_object().into_iter().flatten() {
        view[key] = value.clone();
    }
    settle(&mut view);
    view
}
