//! Step 5, read side: members, pending invitations, MFA.

use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, shown};
use crate::chat::view::{Choice, Column, Control, Line, Table, View, day};
use crate::domain::checklist::StepId;
use crate::sekoia::Avatar;

const MEMBERS: usize = 20;

impl Bot {
    pub(in crate::bot) async fn users(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let members = self.members_of(session.community.uuid).await?;
        let pending = members.iter().filter(|m| m.is_pending()).count();
        let disabled = members.iter().filter(|m| m.is_disabled()).count();
        let without_mfa = members.iter().filter(|m| m.is_active() && m.lacks_mfa()).count();
        let page = Page::of(&members, page, MEMBERS);
        let view = View::new("Users")
            .heading("Users")
            .line(Line::new().strong(shown(&session.community.name, 80)).say(format!(
                " · {} · {} · {} · {without_mfa} without MFA",
                count(members.len() - pending - disabled, "member", "members"),
                count(pending, "pending invitation", "pending invitations"),
                count(disabled, "switched off", "switched off"),
            )))
            .list(table(page.items), page.items.iter().map(member).collect());
        let waiting: Vec<&str> = page.items.iter().filter(|m| m.is_pending()).filter_map(|m| m.email()).collect();
        let view = self.footed(ask, page.foot(view, "users"), StepId::Users).await;
        if waiting.is_empty() {
            return Ok(view);
        }
        Ok(view.controls(vec![send_again(waiting)]))
    }
}

/// A menu of addresses whose invitation is not accepted yet, the first of them.
pub(super) fn send_again<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Control {
    let choice = |email: &str| Choice { label: shown(email, 70).into(), value: email.to_owned().into() };
    let options: Vec<Choice> = addresses.into_iter().take(MEMBERS).map(choice).collect();
    Control::Menu { label: "Send an invitation again".into(), words: "resend".into(), options }
}

fn table(members: &[Avatar]) -> Table {
    let names = ["Name", "E-mail", "Roles", "State", "Last active"];
    Table { columns: names.map(Column::words).into(), rows: members.iter().map(row).collect() }
}

fn row(member: &Avatar) -> Vec<String> {
    let roles: Vec<String> = member.roles.iter().filter_map(|r| r.name.as_deref()).map(|n| shown(n, 40)).collect();
    let state = match member {
        m if m.is_pending() => "⏳ invited",
        m if m.is_disabled() => "switched off",
        m if m.lacks_mfa() && m.has_role("Admin") => "⚠️ Admin without MFA",
        m if m.lacks_mfa() => "no MFA",
        _ => "active",
    };
    let seen = member.user.as_ref().and_then(|u| u.last_activity).filter(|_| member.is_active());
    vec![
        shown(&member.display_name(), 60),
        shown(member.email().unwrap_or_default(), 80),
        roles.join(", "),
        state.into(),
        seen.map_or_else(String::new, day),
    ]
}

fn member(member: &Avatar) -> Line {
    let mut line = Line::new().strong(shown(&member.display_name(), 60));
    if let Some(email) = member.email().filter(|e| *e != member.display_name()) {
        line = line.say(format!(" · {}", shown(email, 80)));
    }
    let roles: Vec<String> = member.roles.iter().filter_map(|r| r.name.as_deref()).map(|n| shown(n, 40)).collect();
    if !roles.is_empty() {
        line = line.say(format!(" · {}", roles.join(", ")));
    }
    if member.is_pending() {
        return line.say(" · ⏳ invited, not accepted yet");
    }
    if member.is_disabled() {
        return line.say(" · switched off");
    }
    if member.lacks_mfa() {
        line = line.say(if member.has_role("Admin") { " · ⚠️ Admin without MFA" } else { " · no MFA" });
    }
    match member.user.as_ref().and_then(|u| u.last_activity) {
        Some(at) => line.say(format!(" · active {}", day(at))),
        None => line,
    }
}
