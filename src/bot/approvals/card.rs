//! A request as the channel sees it: what exactly, for whom, who decided, what became of it.

use super::bundle;
use super::controls::controls;
use super::lines::{by, escalated_line, held_line};
use super::manual::steps_by_hand;
use super::people::account;
use crate::chat::Actor;
use crate::chat::text::{count, first, shown};
use crate::chat::view::{Block, Line, Tone, View, day, minute};
use crate::domain::action::{Action, Grant, people};
use crate::domain::approval::{Approval, Guest, How, Item, Proof, Stage, Status, Vote};
use crate::state::control::Frozen;

/// Lines of one list; the rest is told by `approvals <id>`.
const LISTED: usize = 15;
/// Titles of permissions in one line.
pub const LISTED_TITLES: usize = 25;
/// Groups of people who get the same.
const GROUPS: usize = 6;

/// Where invited people log in.
pub fn address(app: &str) -> Line {
    Line::new().say("They log in at ").link(app.to_owned(), app.to_owned())
}

/// The message in the channel.
pub fn card(approval: &Approval, frozen: Option<&Frozen>, app: &str) -> View {
    let title = approval.request.action.title();
    let status = approval.status();
    let headline = headline(approval, status);
    let mut view = View::new(format!("{headline}: {title}")).heading(headline).line(Line::new().strong(title));
    // Once there are outcomes, they name everybody.
    let outcomes = outcomes(approval, LISTED);
    view = what(view, &approval.request.action, if outcomes.0.is_empty() { LISTED } else { 0 });
    if matches!(approval.request.action, Action::Invite { .. }) {
        view = view.line(address(app));
    }
    if let Some(line) = account(&approval.request.account, Some(&approval.id)) {
        view = view.line(line);
    }
    view = view.line(asked(approval)).bullets(risks(approval));
    if let Some(line) = outcome_line(approval, status) {
        view = view.line(line);
    }
    if let Some(line) = approval.mention() {
        view = view.line(line);
    }
    if let Some(line) = escalated_line(approval) {
        view = view.line(line);
    }
    view = view.bullets(votes(approval));
    if let Some(line) = held_line(approval) {
        view = view.line(line);
    }
    let (lines, left) = outcomes;
    view = view.bullets(lines);
    if left > 0 {
        view = view
            .line(Line::new().say(format!("… and {left} more: ")).code(format!("/sekoia approvals {}", approval.id)));
    }
    let all = everything(&approval.request.action).len();
    let by_its_base = matches!(approval.request.action, Action::CreateRole { base: Some(_), .. });
    if status == Status::Requested && (all > LISTED || by_its_base) {
        let line = Line::new().say(format!("All {all}, one by one: "));
        view = view.line(line.code(format!("/sekoia approvals {}", approval.id)));
    }
    if status == Status::ByHand {
        view = steps_by_hand(view, approval, app);
    }
    if let (Some(frozen), true) = (frozen, status.is_open()) {
        view = view.line(frozen_line(frozen));
    }
    view.note(format!("Request {} · SHA-256 {}…", approval.id, first(&approval.request.hash, 16)))
        .controls(controls(approval, status))
        .toned(tone(status))
}

pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Requested | Status::Approved | Status::Executing | Status::Handover | Status::ByHand => Tone::Waiting,
        Status::Succeeded => Tone::Done,
        Status::Failed | Status::Rejected | Status::Expired => Tone::Refused,
        Status::Held | Status::Unknown => Tone::Urgent,
        Status::Cancelled => Tone::Plain,
    }
}

fn headline(approval: &Approval, status: Status) -> &'static str {
    let key = approval.waits_for_a_press(0);
    match status {
        Status::Requested => "Approval needed",
        Status::Approved if key => "Approved: ready to be created",
        Status::Approved => "Approved",
        Status::Held => "Confirmation needed",
        Status::Executing => "Approved: being done",
        Status::Handover if approval.items.first().is_some_and(Item::is_done) => "New key in use",
        Status::Handover => "Created: waiting to be saved",
        Status::Succeeded => "Done",
        Status::Failed if approval.count(Item::is_done) > 0 => "Done in part",
        Status::Failed => "Failed",
        Status::ByHand => "To do by hand",
        Status::Unknown => "Outcome unknown",
        Status::Rejected => "Rejected",
        Status::Expired => "Expired",
        Status::Cancelled => "Withdrawn",
    }
}

/// What exactly will be done.
pub fn what(view: View, action: &Action, listed: usize) -> View {
    match action {
        Action::Invite { .. } => {
            let (mut view, mut room) = (view, listed);
            let groups = action.invitations();
            for (i, group) in groups.iter().enumerate() {
                if i >= GROUPS {
                    view = view.line(format!("… and {} more groups", groups.len() - GROUPS));
                    break;
                }
                for grant in group.grants {
                    view = view.line(given(grant));
                }
                let total = group.items.len();
                let mut lines: Vec<Line> = group.items.clone().take(room).map(|item| invited(action, item)).collect();
                if total > room && listed > 0 {
                    lines.push(Line::from(format!("… and {} more", total - room)));
                }
                room = room.saturating_sub(total);
                view = view.bullets(lines);
            }
            view
        }
        Action::CreateCommunities { parent, communities } => {
            view.line(Line::new().say("Under ").strong(shown(&parent.name, 80))).bullets(
                communities
                    .iter()
                    .take(listed)
                    .map(|c| Line::new().strong(shown(&c.name, 80)).say(format!(" · {}", shown(&c.description, 120))))
                    .collect(),
            )
        }
        Action::CreateRole { community, description, permissions, base, .. } => {
            let mut view = view.line(Line::new().say("In ").strong(shown(&community.name, 80)));
            if let Some(about) = description {
                view = view.line(shown(about, 300));
            }
            let may = match base {
                Some(base) => base.line(),
                None => titles(permissions.iter().map(|p| &*p.name), permissions.len()),
            };
            view.line(format!("May: {may}"))
        }
        Action::CreateKey { community, description, permissions, expires, replaces, .. } => {
            let until = expires.map_or_else(|| "never expires".to_owned(), |at| format!("expires on {}", day(at)));
            let view = view
                .line(Line::new().say("In ").strong(shown(&community.name, 80)).say(format!(" · {until}")))
                .line(shown(description, 120))
                .line(format!("May: {}", titles(permissions.iter().map(|p| &*p.name), permissions.len())));
            match replaces {
                Some(old) => view.line(
                    Line::new()
                        .say("Replaces ")
                        .strong(shown(&old.name, 80))
                        .say(", which works on until it is retired"),
                ),
                None => view,
            }
        }
        Action::RevokeKey { community, .. } => view.line(Line::new().say("In ").strong(shown(&community.name, 80))),
        Action::Bundle { community, parts } => bundle::what(view, community, parts, listed),
    }
}

/// `In Nimbus as Analyst`.
fn given(grant: &Grant) -> Line {
    let (community, role) = (shown(&grant.community.name, 80), shown(&grant.role.name, 60));
    Line::new().say("In ").strong(community).say(" as ").strong(role)
}

/// Somebody's address, in every form that tells who it is.
fn invited(action: &Action, item: usize) -> Line {
    Line::from(shown(&people::readable(action.target(item)), 254))
}

fn titles<'a>(titles: impl Iterator<Item = &'a str>, total: usize) -> String {
    let listed: Vec<String> = titles.take(LISTED_TITLES).map(|t| shown(t, 60)).collect();
    let more = if total > LISTED_TITLES { format!(" and {} more", total - LISTED_TITLES) } else { String::new() };
    format!("{}{more}", listed.join(", "))
}

pub fn asked(approval: &Approval) -> Line {
    let mut line = Line::new().say("Asked by ");
    line = match &approval.asked.by {
        Actor::Person(user) => line.person(user),
        Actor::Bot => line.say("the bot"),
    };
    match &approval.request.because {
        Some(because) => line.say(format!(": {}", shown(because, 300))),
        None => line,
    }
}

/// Every single thing that would be done or given, for those who decide.
pub fn everything(action: &Action) -> Vec<Line> {
    let each = |names: &mut dyn Iterator<Item = &str>| names.map(|n| Line::from(shown(n, 254))).collect();
    match action {
        Action::Invite { groups, .. } => {
            let each = action.invitations().into_iter().flat_map(|group| {
                let gets: Vec<String> = group
                    .grants
                    .iter()
                    .map(|g| format!("{} in {}", shown(&g.role.name, 60), shown(&g.community.name, 80)))
                    .collect();
                let gets = if groups.is_empty() { String::new() } else { format!(" · {}", gets.join(", ")) };
                group.items.map(move |item| invited(action, item).say(gets.clone()))
            });
            each.collect()
        }
        Action::CreateCommunities { communities, .. } => communities
            .iter()
            .map(|c| Line::new().strong(shown(&c.name, 100)).say(format!(" · {}", shown(&c.description, 1_000))))
            .collect(),
        Action::CreateRole { permissions, .. } | Action::CreateKey { permissions, .. } => {
            each(&mut permissions.iter().map(|p| &*p.name))
        }
        Action::RevokeKey { key, .. } => vec![Line::from(shown(&key.name, 100))],
        Action::Bundle { parts, .. } => bundle::everything(parts),
    }
}

/// What became of every row of the list.
pub fn accounted(approval: &Approval) -> Vec<Line> {
    approval.request.account.iter().map(|line| Line::from(shown(line, 400))).collect()
}

pub fn risks(approval: &Approval) -> Vec<Line> {
    approval.request.risks.iter().map(|risk| Line::new().say("⚠️ ").say(shown(risk, 400))).collect()
}

pub fn outcome_line(approval: &Approval, status: Status) -> Option<Line> {
    let request = &approval.request;
    Some(match (&approval.stage, status) {
        (Stage::Requested, _) => {
            let have = approval.votes.len();
            let need = count(usize::from(request.needed), "approval", "approvals");
            let so_far = if have > 0 { format!(" ({have} so far)") } else { String::new() };
            let proven = if request.second_factor { " with a proof of identity" } else { "" };
            Line::new().say(format!("Needs {need}{proven}{so_far} until ")).moment(request.expires)
        }
        (Stage::Rejected { reason, change }, _) => by(Line::new().say("❌ Rejected by "), &change.by)
            .say(" · ")
            .moment(change.at)
            .say(format!(": {}", shown(reason, 300))),
        (Stage::Cancelled { change }, _) => {
            by(Line::new().say("Withdrawn by "), &change.by).say(" · ").moment(change.at)
        }
        (Stage::Expired { at }, _) if approval.votes.len() >= usize::from(request.needed) => {
            let what = match approval.held {
                Some(_) => "nobody confirmed it",
                None if approval.waits_for_a_press(0) => "nobody came for the key",
                None => "it was frozen",
            };
            Line::new().say(format!("Approved, but {what} until ")).moment(*at)
        }
        (Stage::Expired { at }, _) => Line::new().say("Nobody decided until ").moment(*at),
        (Stage::Approved, Status::Held) => return None,
        (Stage::Approved, Status::Approved) if approval.waits_for_a_press(0) => {
            let line = Line::new().say("The key is created when ");
            let line = match approval.requester() {
                Some(user) => line.person(user),
                None => line.say("who asked"),
            };
            line.say(" presses the button, until ").moment(request.expires)
        }
        // Of a single call, its own line says it.
        (Stage::Approved, _) if approval.items.len() == 1 => return None,
        (Stage::Approved, _) => Line::new().say(progress(approval)),
    })
}

/// How far the calls are.
fn progress(approval: &Approval) -> String {
    let total = approval.items.len();
    let mut parts = vec![format!("{} of {total} done", approval.count(Item::is_done))];
    let counts = [
        (approval.count(|i| matches!(i, Item::Failed { .. })), "failed"),
        (approval.count(|i| matches!(i, Item::ByHand { .. })), "by hand"),
        (approval.count(|i| matches!(i, Item::Unknown { .. })), "unknown"),
    ];
    parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
    let guests = |wanted| approval.guests.iter().filter(|g| **g == wanted).count();
    if !approval.guests.is_empty() {
        parts.push(format!("{} accepted so far", guests(Guest::Accepted)));
    }
    parts.join(" · ")
}

pub fn votes(approval: &Approval) -> Vec<Line> {
    let vote = |v: &Vote| {
        let line = Line::new().say("✅ Approved by ").person(&v.by).say(" · ").moment(v.at);
        if v.proof.is_some() { line.say(" · identity proven") } else { line }
    };
    approval.votes.iter().map(vote).collect()
}

/// How those who approved proved who they are.
pub fn proofs(approval: &Approval) -> Vec<Line> {
    let proven = approval.votes.iter().filter_map(|vote| Some((vote, vote.proof.as_deref()?)));
    proven.map(|(vote, proof)| Line::new().person(&vote.by).say(format!(": {}", proof_in_words(proof)))).collect()
}

/// `identity proven by https://id.example as bob-1 · signed in <time> · acr 2 · amr pwd, otp`.
pub fn proof_in_words(proof: &Proof) -> String {
    let mut words = format!(
        "identity proven by {} as {} · signed in {}",
        shown(&proof.issuer, 120),
        shown(&proof.subject, 80),
        minute(proof.auth_time)
    );
    if let Some(acr) = &proof.acr {
        words.push_str(&format!(" · acr {}", shown(acr, 60)));
    }
    if !proof.amr.is_empty() {
        words.push_str(&format!(" · amr {}", shown(&proof.amr.join(", "), 60)));
    }
    words
}

/// What became of each call, what needs somebody first; and how many lines are left out.
pub fn outcomes(approval: &Approval, most: usize) -> (Vec<Line>, usize) {
    if !matches!(approval.stage, Stage::Approved) {
        return (Vec::new(), 0);
    }
    let mut lines: Vec<(u8, Line)> =
        approval.items.iter().enumerate().filter_map(|(i, item)| outcome(approval, i, item)).collect();
    lines.sort_by_key(|(rank, _)| *rank);
    let left = lines.len().saturating_sub(most);
    lines.truncate(most);
    (lines.into_iter().map(|(_, line)| line).collect(), left)
}

pub(super) fn outcome(approval: &Approval, i: usize, item: &Item) -> Option<(u8, Line)> {
    let target = match approval.part(i) {
        Some(part) => part.title(),
        None => shown(&people::readable(approval.request.action.target(i)), 254),
    };
    let line = |icon: &'static str| Line::new().say(icon).strong(target.clone());
    Some(match item {
        Item::Waiting => return None,
        Item::Started { .. } => (3, line("⏳ ").say(" · sent, waiting for Sekoia's answer")),
        Item::Unclear { why, .. } => (
            2,
            line("⏳ ").say(format!(
                " · {}; I look in Sekoia whether it was done before anything is sent again",
                shown(why, 200)
            )),
        ),
        Item::Created { lost: Some(why), .. } => {
            (2, line("⏳ ").say(format!(" · {}, so it is being revoked", shown(why, 200))))
        }
        Item::Created { shown: false, .. } => (3, line("⏳ ").say(" · created, about to be shown")),
        Item::Created { until, shown: true, .. } => {
            (3, line("🔑 ").say(" · shown; revoked unless it is confirmed to be saved until ").moment(*until))
        }
        Item::Done { how, at, .. } => {
            let line = line("✅ ").say(match how {
                How::Answered => "",
                How::There => " · there already, so nothing was sent",
                How::Found => " · no clear answer; found in Sekoia by reading back",
                How::ByHand => " · done by hand, found in Sekoia",
                How::Confirmed => " · created, shown once and saved",
            });
            let line = match approval.guests.get(i) {
                None | Some(Guest::Sent) => line,
                Some(Guest::Pending) => line.say(" · not accepted yet"),
                Some(Guest::Accepted) => line.say(" · accepted"),
                Some(Guest::Lapsed) => line.say(" · ⚠️ the link has lapsed"),
            };
            (4, line.say(" · ").moment(*at))
        }
        Item::Failed { why, .. } => (0, line("❌ ").say(format!(" · {}", shown(why, 300)))),
        Item::ByHand { why, .. } => (1, line("✋ ").say(format!(" · {}", shown(why, 300)))),
        Item::Unknown { why, .. } => (0, line("❓ ").say(format!(" · {}", shown(why, 300)))),
    })
}

pub fn frozen_line(frozen: &Frozen) -> Line {
    by(Line::new().say("🧊 Nothing is carried out: frozen by "), &frozen.change.by)
        .say(" · ")
        .moment(frozen.change.at)
        .say(format!(": {}", shown(&frozen.reason, 200)))
}

/// The same answer with the freeze in it, right behind what it is about.
pub fn noting(mut view: View, frozen: &Frozen) -> View {
    let line = frozen_line(frozen);
    let says = |block: &Block| matches!(block, Block::Line(_, said) if *said == line);
    if !view.blocks.iter().any(says) {
        let first = view.blocks.iter().position(|block| matches!(block, Block::Line(..)));
        view.blocks.insert(first.map_or(view.blocks.len(), |first| first + 1), Block::Line(None, line));
    }
    view
}
