//! Step 4, read side: the roles, and one role with all its permissions.

use crate::bot::failure::{Failure, instead};
use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{Found, count, find, natural, quoted, shown};
use crate::chat::view::{Column, Control, Line, Span, Table, View};
use crate::domain::action::{Base, Named};
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::roles::{Holders, TRAP};
use crate::sekoia::{Avatar, Permission, Role};

const ROLES: usize = 15;
const PERMISSIONS: usize = 60;

impl Bot {
    pub(in crate::bot) async fn roles(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let mut roles = self.sekoia.roles(session.community.uuid).await?;
        let members = self.members_if_allowed(session.community.uuid).await?;
        let held = |role: &Role| held(role, members.as_deref());
        roles.sort_by_cached_key(|r| (!r.is_built_in(), natural(r.name())));
        let page = Page::of(&roles, page, ROLES);
        let view = View::new("Roles")
            .heading("Roles")
            .line(
                Line::new()
                    .strong(shown(&session.community.name, 80))
                    .say(format!(" · {}", count(roles.len(), "role", "roles"))),
            )
            .list(table(page.items, held), page.items.iter().map(|r| role(r, &held(r))).collect())
            .line(TRAP)
            .controls(vec![Control::Menu {
                label: "Show a role".into(),
                words: "role show".into(),
                options: page
                    .items
                    .iter()
                    .map(|r| crate::chat::view::Choice {
                        label: shown(r.name(), 70).into(),
                        value: shown(&r.uuid, 70).into(),
                    })
                    .collect(),
            }]);
        Ok(self.footed(ask, page.foot(view, "roles"), StepId::Roles).await)
    }

    /// The role `wanted`, or the one that is called `whole`, on its first page.
    pub(in crate::bot) async fn role_show(
        &self,
        ask: &Ask<'_>,
        wanted: &str,
        page: usize,
        whole: Option<&str>,
    ) -> CommandResult {
        let session = self.session(ask).await?;
        let roles = self.sekoia.roles(session.community.uuid).await?;
        let is_role = |name: &str| !matches!(find(name, &roles, |r| &r.uuid, Role::name), Found::Nothing);
        let (role, page) = match whole {
            Some(whole) if is_role(whole) || !is_role(wanted) => (choose(&roles, whole)?, 1),
            _ => (choose(&roles, wanted)?, page),
        };
        let members = self.members_if_allowed(session.community.uuid).await?;
        let mut permissions: Vec<&Permission> = role.permissions.iter().collect();
        permissions.sort_by_key(|p| (p.feature.as_deref().unwrap_or("~"), p.title()));
        let page = Page::of(&permissions, page, PERMISSIONS);
        let mut view = View::new(format!("Role {}", shown(role.name(), 60)))
            .heading(shown(role.name(), 100))
            .line(facts(role, &held(role, members.as_deref())));
        if let Some(about) = role.description.as_deref().filter(|d| !d.trim().is_empty()) {
            view = view.line(shown(about, 500));
        }
        if !role.is_built_in() {
            view = like(view, role, &roles).line(TRAP);
        }
        view = view.bullets(by_feature(page.items));
        Ok(page.foot(view, &format!("role show {} page", quoted(&role.uuid))))
    }
}

/// Says which other role it is like, and how it differs.
fn like(view: View, role: &Role, roles: &[Role]) -> View {
    let named = |p: &Permission| Some(Named::new(p.uuid.as_deref()?, p.title()));
    let own: Vec<Named> = role.permissions.iter().filter_map(named).collect();
    match Base::nearest(&own, roles.iter().filter(|other| other.uuid != role.uuid)) {
        Some(base) if base.is_equal() => view.line(format!("It has {}.", base.line())),
        Some(base) => view.line(base.line()),
        None => view,
    }
}

fn table(roles: &[Role], held: impl Fn(&Role) -> Vec<String>) -> Table {
    let columns = vec![
        Column::words("Role"),
        Column::words("Kind"),
        Column::numbers("Permissions"),
        Column::words("Members"),
        Column::words("About"),
    ];
    let row = |r: &Role| {
        let restricted = if r.is_restricted == Some(true) { ", restricted to some intakes" } else { "" };
        vec![
            shown(r.name(), 60),
            format!("{}{restricted}", if r.is_built_in() { "built in" } else { "custom" }),
            r.permissions.len().to_string(),
            held(r).join(", "),
            shown(r.description.as_deref().unwrap_or_default().trim(), 100),
        ]
    };
    Table { columns, rows: roles.iter().map(row).collect() }
}

fn role(role: &Role, held: &[String]) -> Line {
    let mut line = Line::new().strong(shown(role.name(), 60)).say(" · ");
    for span in facts(role, held).0 {
        line.0.push(span);
    }
    if let Some(about) = role.description.as_deref().filter(|d| !d.trim().is_empty()) {
        line = line.say(format!(" · {}", shown(about, 100)));
    }
    line
}

/// Who has the role: people who are in, and those who were invited with it. Sekoia's own number
/// holds both.
fn held(role: &Role, members: Option<&[Avatar]>) -> Vec<String> {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let Some(members) = members else {
        let both = |n| count(number(n), "member or open invitation", "members and open invitations");
        return role.total_members.map(both).into_iter().collect();
    };
    let Holders { active, invited, disabled } = Holders::of(role, members);
    let mut parts = vec![count(active, "member", "members")];
    parts.extend((invited > 0).then(|| count(invited, "open invitation", "open invitations")));
    parts.extend((disabled > 0).then(|| count(disabled, "switched off", "switched off")));
    parts
}

fn facts(role: &Role, held: &[String]) -> Line {
    let mut facts = vec![if role.is_built_in() { "built in".to_owned() } else { "custom".to_owned() }];
    facts.push(count(role.permissions.len(), "permission", "permissions"));
    facts.extend_from_slice(held);
    if role.is_restricted == Some(true) {
        facts.push("restricted to some intakes".to_owned());
    }
    Line::new().say(facts.join(" · "))
}

/// One line a feature: 300 permissions are read in groups or not at all.
fn by_feature(permissions: &[&Permission]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut last: Option<&str> = None;
    for permission in permissions {
        let feature = permission.feature.as_deref().unwrap_or("Other");
        let title = shown(permission.title(), 80);
        match lines.last_mut() {
            Some(line) if last == Some(feature) => line.0.push(Span::Plain(format!(", {title}").into())),
            _ => lines.push(Line::new().strong(shown(feature, 40)).say(": ").say(title)),
        }
        last = Some(feature);
    }
    lines
}

/// By uuid or name; two roles of one name are told apart by uuid.
fn choose<'a>(roles: &'a [Role], wanted: &str) -> Result<&'a Role, Failure> {
    match find(wanted, roles, |r| &r.uuid, Role::name) {
        Found::One(one) => Ok(one),
        Found::Nothing => {
            let names: Vec<String> = roles.iter().take(15).map(|r| shown(r.name(), 40)).collect();
            let line = Line::new().say(format!(
                "There is no role called \"{}\". There are: {}",
                shown(wanted, 60),
                names.join(", ")
            ));
            Err(instead(if roles.len() > 15 {
                line.say(", … (").code("/sekoia roles").say(" lists them all).")
            } else {
                line.say(".")
            }))
        }
        Found::Several(several) => Err(Failure::Instead(Box::new(
            View::sentence(format!(
                "{} roles are called \"{}\". Say which one by its id:",
                several.len(),
                shown(wanted, 60)
            ))
            .bullets(
                several
                    .iter()
                    .take(20)
                    .map(|r| {
                        let line = Line::new().code(format!("/sekoia role show {}", quoted(&r.uuid))).say(" ");
                        line.strong(shown(r.name(), 60)).say(" · ").say(facts(r, &[]).plain())
                    })
                    .collect(),
            ),
        ))),
    }
}
