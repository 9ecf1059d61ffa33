//! A bundle as the channel sees it: its parts before it is approved, and what became of each.

use super::controls::{MOST_KEYS, bundle_controls, keys_that_wait};
use crate::bot::approvals::card::{accounted, address, asked, frozen_line, outcome, outcome_line, risks, tone, votes};
use crate::bot::approvals::lines::{by, escalated_line, held_line};
use crate::bot::approvals::manual::steps_by_hand;
use crate::bot::approvals::people::account;
use crate::chat::text::{count, first, shown};
use crate::chat::view::{Line, View};
use crate::domain::action::people::readable;
use crate::domain::action::{Action, BundlePart, Invitee, Named, some};
use crate::domain::approval::{Approval, Guest, How, Item, Stage, Status};
use crate::domain::plan::Lifetime;
use crate::state::control::Frozen;

/// Parts and risks that the card lists; `approvals <id>` has the rest.
const LISTED: usize = 15;
/// Parts whose values a person is to enter that the card shows.
const BY_HAND: usize = 3;

/// The message in the channel. `children`: the requests that carry out its parts.
pub fn bundle_card(bundle: &Approval, children: &[(usize, Approval)], frozen: Option<&Frozen>, app: &str) -> View {
    let (title, status) = (bundle.request.action.title(), bundle.status());
    let headline = headline(bundle, children, status);
    let mut view = View::new(format!("{headline}: {title}")).heading(headline).line(Line::new().strong(title));
    let in_full = Line::new().code(format!("/sekoia approvals {}", bundle.id));
    let begun = !bundle.children.is_empty() || bundle.count(|item| !matches!(item, Item::Waiting)) > 0;
    view = crate::bot::approvals::card::what(view, &bundle.request.action, if begun { 0 } else { LISTED });
    if let Action::Bundle { parts, .. } = &bundle.request.action
        && parts.iter().any(|part| matches!(part, BundlePart::Invite { .. }))
    {
        view = view.line(address(app));
    }
    let risks = risks(bundle);
    let more = risks.len().saturating_sub(LISTED);
    view = view.line(asked(bundle)).bullets(risks.into_iter().take(LISTED).collect());
    if more > 0 {
        view = view.line(
            Line::new().say(format!("… and {}: ", count(more, "other risk", "other risks"))).append(in_full.clone()),
        );
    }
    if let Some(line) = progress(bundle, status).or_else(|| outcome_line(bundle, status)) {
        view = view.line(line);
    }
    if let Some(line) = bundle.mention() {
        view = view.line(line);
    }
    if let Some(line) = escalated_line(bundle) {
        view = view.line(line);
    }
    view = view.bullets(votes(bundle));
    if let Some(line) = held_line(bundle) {
        view = view.line(line);
    }
    let (lines, left) = outcomes(bundle, children, LISTED);
    view = view.bullets(lines);
    if left > 0 {
        view = view.line(Line::new().say(format!("… and {left} more: ")).append(in_full.clone()));
    }
    if status == Status::Requested {
        view = view.line(Line::new().say("Every permission and every person, one by one: ").append(in_full));
    }
    let by_hand =
        children.iter().filter(|(item, child)| child.status() == Status::ByHand && !bundle.items[*item].is_done());
    for (_, child) in by_hand.take(BY_HAND) {
        view = steps_by_hand(view, child, app);
    }
    if let Some(line) = keys_by_command(bundle, children) {
        view = view.line(line);
    }
    if let (Some(frozen), true) = (frozen, status.is_open()) {
        view = view.line(frozen_line(frozen));
    }
    view.note(format!("Request {} · SHA-256 {}…", bundle.id, first(&bundle.request.hash, 16)))
        .controls(bundle_controls(bundle, children))
        .toned(tone(status))
}

fn headline(bundle: &Approval, children: &[(usize, Approval)], status: Status) -> &'static str {
    match status {
        Status::Requested => "Approval needed",
        Status::Approved => "Approved",
        Status::Held => "Confirmation needed",
        Status::Executing | Status::Handover if children.iter().any(|(_, child)| child.needs_somebody()) => {
            "Confirmation needed"
        }
        Status::Executing => "Approved: being done",
        Status::Handover if bundle.lacks_parts() => "Done in part: keys to be created",
        Status::Handover => "Keys to be created",
        Status::Succeeded => "Done",
        Status::Failed if bundle.count(Item::is_done) > 0 => "Done in part",
        Status::Failed => "Failed",
        Status::ByHand => "To do by hand",
        Status::Unknown => "Outcome unknown",
        Status::Rejected => "Rejected",
        Status::Expired => "Expired",
        Status::Cancelled => "Withdrawn",
    }
}

/// How far the parts are.
fn progress(bundle: &Approval, status: Status) -> Option<Line> {
    if !matches!(bundle.stage, Stage::Approved) || status == Status::Held {
        return None;
    }
    let counted = |of: fn(&Item) -> bool| bundle.count(of);
    let mut said = vec![format!("{} of {} done", counted(Item::is_done), count(bundle.items.len(), "part", "parts"))];
    let counts = [
        (counted(|i| matches!(i, Item::Failed { .. })), "failed"),
        (counted(|i| matches!(i, Item::ByHand { .. })), "by hand"),
        (counted(|i| matches!(i, Item::Unknown { .. })), "unknown"),
    ];
    said.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
    Some(Line::new().say(said.join(" · ")))
}

/// What exactly will be done, a line for each part.
pub fn what(mut view: View, community: &Named, parts: &[BundlePart], listed: usize) -> View {
    view = view.line(Line::new().say("In ").strong(shown(&community.name, 80)));
    let mut lines: Vec<Line> = parts.iter().take(listed).map(part_line).collect();
    if listed > 0 && parts.len() > listed {
        lines.push(Line::from(format!("… and {} more", parts.len() - listed)));
    }
    view.bullets(lines)
}

fn part_line(part: &BundlePart) -> Line {
    let line = Line::new().strong(part.title());
    match part {
        BundlePart::Communities { parent, communities } => {
            let names: Vec<&str> = communities.iter().map(|c| &*c.name).collect();
            let names = if names.len() > 1 { format!(": {}", some(&names)) } else { String::new() };
            line.say(format!("{names} · under {}", shown(&parent.name, 60)))
        }
        BundlePart::Role { permissions, .. } => line.say(format!(" · {}", may(permissions))),
        BundlePart::Invite { people } => {
            let whom: Vec<String> = people.iter().map(|person| readable(&person.address)).collect();
            let whom: Vec<&str> = whom.iter().map(String::as_str).collect();
            if whom.len() > 1 { line.say(format!(": {}", some(&whom))) } else { line }
        }
        BundlePart::Key { permissions, expires, owner, .. } => {
            let line = line.say(format!(" · {} · {}", may(permissions), lives(*expires)));
            match owner {
                Some(owner) => line.say(" · for ").person(owner),
                None => line,
            }
        }
    }
}

/// `2 permissions: View alerts, View cases`.
fn may(permissions: &[Named]) -> String {
    let names: Vec<&str> = permissions.iter().map(|p| &*p.name).collect();
    format!("{}: {}", count(names.len(), "permission", "permissions"), some(&names))
}

fn lives(expires: Lifetime) -> String {
    match expires {
        Lifetime::Days(days) => format!("expires after {}", count(usize::from(days), "day", "days")),
        Lifetime::On(date) => format!("expires on {date}"),
        Lifetime::Never => "never expires".into(),
    }
}

/// Every single thing of every part, for those who decide.
pub fn everything(parts: &[BundlePart]) -> Vec<Line> {
    let mut lines = Vec::new();
    for part in parts {
        lines.push(part_line(part));
        let each: Vec<String> = match part {
            BundlePart::Communities { communities, .. } => communities
                .iter()
                .map(|c| format!("{} · {}", shown(&c.name, 100), shown(&c.description, 1_000)))
                .collect(),
            BundlePart::Role { permissions, .. } | BundlePart::Key { permissions, .. } => {
                permissions.iter().map(|p| shown(&p.name, 254)).collect()
            }
            BundlePart::Invite { people } => {
                let invited = |p: &Invitee| {
                    let communities: Vec<String> = p.communities.iter().map(|name| shown(name, 60)).collect();
                    let address = shown(&readable(&p.address), 254);
                    format!("{address} · {} in {}", shown(&p.role, 60), communities.join(", "))
                };
                people.iter().map(invited).collect()
            }
        };
        lines.extend(each.into_iter().map(|line| Line::new().say("◦ ").say(line)));
    }
    lines
}

/// What became of each part, what needs somebody first; and how many lines are left out.
pub fn outcomes(bundle: &Approval, children: &[(usize, Approval)], most: usize) -> (Vec<Line>, usize) {
    if !matches!(bundle.stage, Stage::Approved) {
        return (Vec::new(), 0);
    }
    let of = |i: usize| children.iter().find(|(item, _)| *item == i).map(|(_, child)| child);
    let all = bundle.items.iter().enumerate();
    let mut lines: Vec<(u8, Line)> = all.filter_map(|(i, item)| part_outcome(bundle, i, item, of(i))).collect();
    lines.sort_by_key(|(rank, _)| *rank);
    let left = lines.len().saturating_sub(most);
    lines.truncate(most);
    (lines.into_iter().map(|(_, line)| line).collect(), left)
}

fn part_outcome(bundle: &Approval, i: usize, item: &Item, child: Option<&Approval>) -> Option<(u8, Line)> {
    let title = bundle.part(i)?.title();
    let line = |icon: &'static str| Line::new().say(icon).strong(title.clone());
    match (item, child) {
        (Item::Waiting, _) if bundle.count(|item| !matches!(item, Item::Waiting)) == 0 => None,
        (Item::Waiting, _) => Some((5, line("▫️ ").say(" · waits for its turn"))),
        (Item::Started { .. }, Some(child)) => Some(under_way(&line, child)),
        (Item::Done { how, at, .. }, _) => {
            let done = match (how, child) {
                (How::There, _) => line("✅ ").say(" · there already, so nothing was sent"),
                (_, Some(child)) => accepted(line("✅ "), child),
                (_, None) => line("✅ "),
            };
            Some((4, done.say(" · ").moment(*at)))
        }
        _ => outcome(bundle, i, item),
    }
}

/// A part that is being carried out, or waits for somebody.
fn under_way(line: &dyn Fn(&'static str) -> Line, child: &Approval) -> (u8, Line) {
    if let Some(held) = held_line(child) {
        return (0, line("").say(" · ").append(held));
    }
    match (child.status(), child.items.as_slice()) {
        (Status::Approved, _) if child.waits_for_a_press(0) => {
            let line = by(line("🔑 ").say(" · "), &child.asked.by).say(" creates it with \"Create and show\", until ");
            (3, line.moment(child.request.expires))
        }
        (_, [item]) => outcome(child, 0, item).unwrap_or_else(|| (3, line("⏳ "))),
        (_, items) => {
            let (done, failed) = (child.count(Item::is_done), child.count(|i| matches!(i, Item::Failed { .. })));
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            (3, line("⏳ ").say(format!(" · {done} of {} done{failed}", items.len())))
        }
    }
}

/// Of an invitation, who accepted; of any part, what was there already.
fn accepted(mut line: Line, child: &Approval) -> Line {
    if let Some(account) = account(&child.request.account, Some(&child.id)) {
        line = line.say(" · ").append(account);
    }
    if child.guests.is_empty() {
        return line;
    }
    let accepted = child.guests.iter().filter(|guest| **guest == Guest::Accepted).count();
    line.say(format!(" · {accepted} of {} accepted so far", child.items.len()))
}

/// Where there are more keys than buttons, what to type.
fn keys_by_command(bundle: &Approval, children: &[(usize, Approval)]) -> Option<Line> {
    let waits = keys_that_wait(children);
    let more = waits.get(MOST_KEYS..)?;
    let one = more.first()?;
    let line = Line::new().say(format!("{} without a button here: ", count(more.len(), "key waits", "keys wait")));
    let line = line.code(format!("/sekoia show {}", one.id)).say(" and so on; all ids: ");
    Some(line.code(format!("/sekoia approvals {}", bundle.id)))
}

/// Of a request that carries out a part: which.
pub fn part_of(approval: &Approval) -> Option<Line> {
    let bundle = approval.request.bundle.as_ref()?;
    Some(Line::new().say("Part of request ").code(format!("/sekoia approvals {}", bundle.id)))
}

/// A bundle in full: before it is decided every single thing, afterwards what became of each part
/// and by which request.
pub fn in_full(bundle: &Approval, children: &[(usize, Approval)]) -> Vec<Line> {
    let (lines, _) = outcomes(bundle, children, usize::MAX);
    if lines.is_empty() {
        return [risks(bundle), everything(bundle.request.action.parts()), accounted(bundle)].concat();
    }
    let each = children.iter().map(|(item, child)| {
        let title = bundle.part(*item).map(BundlePart::title).unwrap_or_default();
        Line::new()
            .strong(title)
            .say(" is request ")
            .code(child.id.to_string())
            .say(format!(" · {}", child.status().name()))
    });
    lines.into_iter().chain(each).collect()
}
