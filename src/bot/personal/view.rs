//! An inbox as its owner reads it.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{AssignedStep, Inbox, Place};
use crate::bot::approvals::controls::controls_for;
use crate::bot::approvals::lines::{self, by};
use crate::bot::approvals::waiting::{Reader, standing};
use crate::bot::paging::Page;
use crate::bot::steps::cards::{menu_label, today};
use crate::chat::Actor;
use crate::chat::text::{count, shown};
use crate::chat::view::{Block, Control, Line, View};
use crate::command::{INBOX, read};
use crate::domain::approval::Approval;
use crate::domain::checklist::reminders::is_reminded;

/// Of a page: a request takes two of the fifty blocks that Slack allows a message.
const ENTRIES: usize = 12;
/// The same where a hundred blocks have room.
const ENTRIES_AT_HOME: usize = 40;
/// Steps that a reminder lists.
const REMINDED: usize = 30;
const EVERYTHING: &str = "/sekoia inbox shows everything that waits for you.";
const HEADING: &str = "What waits for you";

/// One thing that waits, under the heading of its kind.
struct Entry {
    section: &'static str,
    line: Line,
    controls: Vec<Control>,
}

/// A page of it.
pub fn inbox(inbox: &Inbox, page: usize, now: Timestamp) -> View {
    let entries = entries(inbox, now);
    let page = Page::of(&entries, page, ENTRIES);
    page.foot(listed(inbox, page.items), INBOX)
}

/// All of it that has room, on a page of the platform's.
pub fn home(inbox: &Inbox, now: Timestamp) -> View {
    let entries = entries(inbox, now);
    let (shown, more) = entries.split_at(entries.len().min(ENTRIES_AT_HOME));
    let mut view = listed(inbox, shown);
    if inbox.channels.is_empty() {
        let line = Line::new().say("You are in no channel that is set up. An operator types ");
        view = view.line(line.code("/sekoia setup").say(" in a channel to begin."));
    }
    if !more.is_empty() {
        let everything = vec![Control::button("Show everything", INBOX)];
        view = view.note(format!("… and {}", count(more.len(), "other entry", "other entries"))).controls(everything);
    }
    view
}

fn listed(inbox: &Inbox, entries: &[Entry]) -> View {
    let waiting = inbox.decide.len() + inbox.own.len() + inbox.steps.len();
    let mut view = View::new(match waiting {
        0 => "Nothing waits for you.".to_owned(),
        n => format!("{} for you", count(n, "thing waits", "things wait")),
    })
    .heading(HEADING);
    if waiting == 0 {
        view = view.line("Nothing waits for you.");
    }
    let mut section = None;
    for entry in entries {
        if section.replace(entry.section) != Some(entry.section) {
            view = view.line(Line::new().strong(entry.section));
        }
        view = view.line(entry.line.clone()).item_controls(entry.controls.clone());
    }
    for unread in &inbox.unread {
        view = view.note(format!("⚠️ Perhaps more, which I cannot tell: {unread}."));
    }
    if inbox.unknown > 0 {
        view = view.note("⚠️ Perhaps more: I could not look at every channel just now. Please try again in a minute.");
    }
    view
}

fn entries(inbox: &Inbox, now: Timestamp) -> Vec<Entry> {
    let request = |section, (approval, reader): &(Approval, Reader)| Entry {
        section,
        line: request_line(approval, inbox.frozen, now),
        controls: controls(approval, *reader),
    };
    let decide = inbox.decide.iter().map(|one| request("Requests that you can decide", one));
    let own = inbox.own.iter().map(|one| request("Requests of yours", one));
    let entry = |section, line| Entry { section, line, controls: Vec::new() };
    let steps = inbox.steps.iter().map(|step| entry("Steps that are yours", step_line(step, now)));
    let places = inbox.channels.iter().map(|place| entry("Your channels", place_line(place)));
    decide.chain(own).chain(steps).chain(places).collect()
}

/// `Invite 3 people · #soc-setup · 7f3a0b1c · asked by @alice · needs 1 approval until …`
fn request_line(approval: &Approval, frozen: bool, now: Timestamp) -> Line {
    let request = &approval.request;
    let line = Line::new().strong(shown(&request.action.title(), 120)).say(" · ").channel(&request.channel);
    let line = line.say(" · ").code(approval.id.to_string()).say(" · asked by ");
    let line = standing(by(line, &approval.asked.by).say(" · "), approval, frozen, now);
    match request.risks.len() {
        0 => line,
        risks => line.say(format!(" · ⚠️ {}", count(risks, "risk", "risks"))),
    }
}

fn controls(approval: &Approval, reader: Reader) -> Vec<Control> {
    let mut all = controls_for(approval, reader);
    all.push(Control::button("Details", format!("approvals {}", approval.id)));
    all.into_iter().map(anywhere).collect()
}

/// `5 Invite users · #soc-setup · Nimbus Payments · due 2026-12-01`
fn step_line(step: &AssignedStep, now: Timestamp) -> Line {
    let today = today(now);
    let late = step.due.is_some_and(|due| due < today);
    let line = if late { Line::new().say("⚠️ ") } else { Line::new() };
    let line = line.strong(menu_label(step.step)).say(" · ").channel(&step.channel);
    let line = line.say(" · ").say(shown(&step.community, 60));
    let line = match step.due {
        Some(due) if late => line.say(format!(" · overdue since {due}")),
        Some(due) => line.say(format!(" · due {due}")),
        None => line,
    };
    with_link(line, step.link.as_ref())
}

/// Somebody has a step now; `by` gave it to them.
pub fn assigned_view(step: &AssignedStep, by: &Actor) -> View {
    let line = lines::by(Line::new(), by).say(" assigned a step to you: ").strong(menu_label(step.step));
    let line = line.say(" in ").channel(&step.channel).say(" · ").say(shown(&step.community, 60));
    let line = match step.due {
        Some(due) => line.say(format!(" · due {due}")),
        None => line.say(" · without a due date"),
    };
    View::sentence(with_link(line, step.link.as_ref())).note(EVERYTHING)
}

/// What somebody is reminded of on a day; none if nothing is due then or soon after.
pub fn reminder_view(steps: &[AssignedStep], on: Date) -> Option<View> {
    let dated = || steps.iter().filter_map(|step| Some((step, step.due?)));
    if !dated().any(|(_, due)| is_reminded(due, on)) {
        return None;
    }
    let lines = dated().filter(|(_, due)| *due < on || is_reminded(*due, on)).map(|(step, due)| {
        let line = if due < on { Line::new().say("⚠️ ") } else { Line::new() };
        let line = line.strong(menu_label(step.step)).say(" · ").channel(&step.channel);
        let line = line.say(" · ").say(shown(&step.community, 60));
        let line = match due {
            due if due < on => line.say(format!(" · overdue since {due}")),
            due if due == on => line.say(" · due today"),
            due => line.say(format!(" · due on {}", due.strftime("%A, %Y-%m-%d"))),
        };
        with_link(line, step.link.as_ref())
    });
    let all: Vec<Line> = lines.collect();
    let first = if all.len() == 1 { "A step of yours is due:" } else { "Steps of yours are due:" };
    let more = all.len().saturating_sub(REMINDED);
    let view = View::sentence(first).bullets(all.into_iter().take(REMINDED).collect());
    Some(if more > 0 { view.line(format!("… and {more} more")) } else { view }.note(EVERYTHING))
}

/// `#soc-setup · Nimbus Payments · 3 of 7 settled · next: users`
fn place_line(place: &Place) -> Line {
    let line = Line::new().channel(&place.channel).say(" · ").strong(shown(&place.community, 60));
    let line = line.say(format!(" · {} of {} settled", place.progress.settled(), place.progress.total));
    let line = match place.next {
        Some(next) => line.say(format!(" · next: {next}")),
        None => line,
    };
    with_link(line, place.link.as_ref())
}

fn with_link(line: Line, link: Option<&Line>) -> Line {
    match link {
        Some(link) => line.say(" · ").append(link.clone()),
        None => line,
    }
}

/// The same control, where it stands in another channel than its request.
fn anywhere(mut control: Control) -> Control {
    if let Control::Button { words, .. } = &mut control
        && is_of_request(words)
    {
        *words = format!("{INBOX} {words}").into();
    }
    control
}

/// Whether these words are about one request. Whose people are in them makes no difference.
fn is_of_request(words: &str) -> bool {
    let said = read(&crate::chat::Words::Typed(words.to_owned()), "slack");
    said.is_ok_and(|said| said.command.request().is_some() && !said.anywhere)
}

/// An answer about a request that was asked for from elsewhere: what can be pressed there works there,
/// and leads back.
pub fn from_anywhere(mut view: View) -> View {
    for block in &mut view.blocks {
        if let Block::Controls(controls) = block {
            *controls = std::mem::take(controls).into_iter().map(anywhere).collect();
        }
    }
    view.controls(vec![Control::button("My inbox", INBOX)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_request_works_from_anywhere_and_nothing_else_changes() {
        let words = |control: Control| match anywhere(control) {
            Control::Button { words, .. } => words.to_string(),
            _ => String::new(),
        };
        for (before, after) in [
            ("approve 7f3a0b1c", "inbox approve 7f3a0b1c"),
            ("approvals 7f3a0b1c 2", "inbox approvals 7f3a0b1c 2"),
            ("by hand 7f3a0b1c", "inbox by hand 7f3a0b1c"),
            ("inbox approve 7f3a0b1c", "inbox approve 7f3a0b1c"),
            ("inbox 2", "inbox 2"),
            ("step users", "step users"),
            ("approvals mine", "approvals mine"),
        ] {
            assert_eq!(words(Control::button("Press", before)), after);
        }
    }
}
