//! The two views that everything else leads to: the checklist and a step's card.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::bot::Ask;
use crate::chat::text::shown;
use crate::chat::view::{Block, Choice, Confirm, Control, Line, OPEN, Style, Text, View};
use crate::chat::{Actor, Change};
use crate::domain::checklist::{DOCS, Mode, Session, Status, StepId, StepSpec, StepState};
use crate::domain::plan::Part;

/// Characters of evidence or of a reason in one line of the checklist.
const SHORT: usize = 110;

/// The whole checklist: what `status` answers and what the channel's message shows.
pub fn checklist(session: &Session, now: Timestamp) -> View {
    let progress = session.progress();
    let settled = progress.settled();
    let mut bar = String::with_capacity(32);
    for i in 0..progress.total {
        bar.push(if i < settled { '▓' } else { '░' });
    }
    bar.push_str(&format!("  {} of {} done", progress.done, progress.total));
    for (n, what) in
        [(progress.seen, "seen"), (progress.skipped, "skipped"), (progress.not_applicable, "not applicable")]
    {
        if n > 0 {
            bar.push_str(&format!(" · {n} {what}"));
        }
    }
    let name = shown(&session.community.name, 80);
    let mut view = View::new(format!("Sekoia workspace setup of {name}: {} of {} done", progress.done, progress.total));
    view.blocks.reserve(14);
    view = view
        .heading("Sekoia workspace setup")
        .line(Line::new().strong(name).say(match session.mode {
            Mode::SingleTenant => " · single-tenant",
            Mode::MultiTenant => " · multi-tenant",
        }))
        .line(Line::new().say(bar));
    let today = today(now);
    view.blocks.push(row(session, StepId::Prerequisites, today));
    for id in StepId::numbered() {
        view.blocks.push(row(session, id, today));
    }
    if session.next().is_none() {
        view.blocks.push(row(session, StepId::Quickstart, today));
    }
    let options = StepId::all().map(|id| Choice { label: menu_label(id), value: id.name().into() }).collect();
    view.controls(vec![
        Control::Menu { label: "Open a step".into(), words: "step".into(), options },
        Control::primary("Next", "next"),
        Control::button("Refresh", "refresh"),
    ])
}

/// `1 Verify your subscription`: made once, they stand in every checklist twice.
pub fn menu_label(id: StepId) -> Text {
    static LABELS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let label = |id: StepId| match id.spec().number {
            Some(n) => format!("{n} {}", id.spec().title),
            None => id.spec().title.to_owned(),
        };
        StepId::all().map(label).collect()
    });
    LABELS[id as usize].as_str().into()
}

/// Stable ids of the lines, `step-1` to `step-7`.
const LINE_IDS: [&str; StepId::COUNT] =
    ["before", "step-1", "step-2", "step-3", "step-4", "step-5", "step-6", "step-7", "after", "hardening"];

fn row(session: &Session, id: StepId, today: Date) -> Block {
    let step = session.step(id);
    let mut line = Line::new().say(icon(&step.status)).strong(menu_label(id));
    if let Some(detail) = detail(&step.status, SHORT).or_else(|| drifted(step, SHORT)) {
        line = line.say(" · ").say(detail);
    }
    if let Status::Attested { .. } = step.status
        && let Some(Change { by: Actor::Person(user), .. }) = &step.changed
    {
        line = line.say(" by ").person(user);
    }
    if !step.status.is_settled() {
        line = owner(line, step, today);
    }
    Block::Line(Some(LINE_IDS[id as usize]), line)
}

/// A step in one line, with where it stands.
pub fn short(session: &Session, id: StepId) -> Line {
    let step = session.step(id);
    let line = Line::new().say(icon(&step.status)).strong(menu_label(id));
    match detail(&step.status, SHORT) {
        Some(detail) => line.say(" · ").say(detail),
        None => line.say(" · open"),
    }
}

/// Who does it, by when.
pub fn owner(mut line: Line, step: &StepState, today: Date) -> Line {
    if let Some(user) = &step.assignee {
        line = line.say(" · ").person(user);
    }
    if let Some(due) = step.due.filter(|_| !step.status.is_settled()) {
        line = line.say(if due < today { format!(" · overdue since {due}") } else { format!(" · due {due}") });
    }
    line
}

pub fn icon(status: &Status) -> &'static str {
    match status {
        Status::Open => OPEN,
        Status::Waiting { .. } => "⏳ ",
        Status::Seen { .. } => "👁️ ",
        Status::Verified { .. } => "✅ ",
        Status::Attested { .. } => "☑️ ",
        Status::Skipped { .. } => "⏭️ ",
        Status::NotApplicable { .. } => "➖ ",
    }
}

/// What there is to say about a status, in at most `max` characters.
fn detail(status: &Status, max: usize) -> Option<String> {
    match status {
        Status::Open => None,
        Status::Waiting { on } => Some(format!("waiting for {}", shown(on, max))),
        Status::Seen { evidence } => Some(format!("seen: {}", shown(&evidence.summary, max))),
        Status::Verified { evidence } => {
            let summary = shown(&evidence.summary, max);
            Some(match evidence.exceptions.len() {
                0 => summary,
                n => format!("{summary} · ⚠️ {n}"),
            })
        }
        Status::Attested { note: Some(note) } => Some(format!("attested: {}", shown(note, max))),
        Status::Attested { note: None } => Some("attested".into()),
        Status::Skipped { reason } => Some(format!("skipped: {}", shown(reason, max))),
        Status::NotApplicable { .. } => Some("not applicable".into()),
    }
}

/// What changed at Sekoia since the step was done.
fn drifted(step: &StepState, max: usize) -> Option<String> {
    let what = step.drifted.as_ref().filter(|_| step.status == Status::Open)?;
    Some(format!("⚠️ open again: {}", shown(what, max)))
}

/// Whose evidence a card shows: one set, never an old one beside a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// What is on record.
    Record,
    /// What Sekoia said just now, which stands in the news.
    Now,
}

/// A step's card. `news` are the lines on top: what just happened, or what Sekoia said. `plan`: what
/// the plan says of it.
pub fn step(session: &Session, id: StepId, ask: &Ask<'_>, news: Vec<Line>, plan: Option<Line>, shows: Shows) -> View {
    let spec = id.spec();
    let step = session.step(id);
    let title = match spec.number {
        Some(n) => format!("Step {n} of {} · {}", session.progress().total, spec.title),
        None => spec.title.to_owned(),
    };
    let summary = news.first().cloned().unwrap_or_else(|| title.clone().into());
    let mut view = View::new(summary);
    for line in news {
        view = view.line(line);
    }
    view =
        view.heading(title).line(Line::new().strong(shown(&session.community.name, 80))).line(state(id, step, shows));
    if let Some(plan) = plan {
        view = view.line(plan);
    }
    if let (Status::Verified { evidence } | Status::Seen { evidence }, Shows::Record) = (&step.status, shows) {
        view = view.bullets(evidence.exceptions.iter().map(|e| Line::new().say("⚠️ ").say(shown(e, 300))).collect());
    }
    // Whoever has a done step in hand is told when it opens again; a due date is for open ones.
    if step.assignee.is_some() || (step.due.is_some() && !step.status.is_settled()) {
        view = view.line(owner(Line::new().say("In hand"), step, today(ask.now)));
    }
    view = view
        .line(spec.why)
        .line(format!("The bot {}.", spec.bot))
        .note(see(Line::new().say("In Sekoia: ").say(spec.console).say(" · "), spec));
    view.controls(controls(id, session, ask))
}

/// Appends links to Sekoia's pages about a step.
pub fn see(mut line: Line, spec: &'static StepSpec) -> Line {
    line = line.say("See: ");
    for (i, (label, path)) in spec.see.iter().enumerate() {
        if i > 0 {
            line = line.say(", ");
        }
        line = line.link(*label, format!("{DOCS}{path}"));
    }
    line
}

/// Status, who and when.
pub fn state(id: StepId, step: &StepState, shows: Shows) -> Line {
    let mut line = Line::new().say(icon(&step.status)).say(match &step.status {
        Status::Open => drifted(step, 500).unwrap_or_else(|| "open".to_owned()),
        Status::Waiting { on } => format!("waiting for {}", shown(on, 300)),
        Status::Seen { .. } if shows == Shows::Now => "seen, not verified".into(),
        Status::Verified { .. } if shows == Shows::Now => "verified".into(),
        Status::Seen { evidence } => {
            format!("seen, not verified: {}; nobody said whether this is all", shown(&evidence.summary, 500))
        }
        Status::Verified { evidence } if id == StepId::Notifications => {
            format!("verified by a sample: {}", shown(&evidence.summary, 500))
        }
        Status::Verified { evidence } => format!("verified with Sekoia: {}", shown(&evidence.summary, 500)),
        Status::Attested { note: Some(note) } => format!("attested: {}", shown(note, 500)),
        Status::Attested { note: None } => "attested, not verified".to_owned(),
        Status::Skipped { reason } => format!("skipped: {}", shown(reason, 500)),
        Status::NotApplicable { why } => format!("not applicable: {}", shown(why, 300)),
    });
    if let Some(Change { by, at }) = &step.changed {
        line = match by {
            Actor::Person(user) => line.say(" · ").person(user),
            Actor::Bot => line.say(" · the bot"),
        };
        line = line.say(" · ").moment(*at);
    }
    line
}

fn controls(id: StepId, session: &Session, ask: &Ask<'_>) -> Vec<Control> {
    let (name, step) = (id.name(), session.step(id));
    let mut controls = Vec::new();
    let left = session.next_to_do().is_some() || !session.step(StepId::Quickstart).status.is_settled();
    if step.status.is_settled() && left {
        controls.push(Control::primary("Next step", "next"));
    }
    let check = if id == StepId::Notifications { "Check the rules" } else { "Check with Sekoia" };
    controls.push(Control::button(check, format!("step {name} check")));
    if let Some(words) = id.spec().shows {
        controls.push(Control::button("Show details", words));
    }
    if let Some(part) = Part::of(id) {
        controls.push(Control::button("Plan", format!("plan {}", part.name())));
    }
    if !ask.rights.operator {
        return controls;
    }
    if step.status.is_settled() {
        controls.push(Control::button("Reopen", format!("reopen {name}")));
        return controls;
    }
    controls.insert(
        0,
        Control::Button {
            label: "Done".into(),
            words: format!("done {name}").into(),
            style: Style::Primary,
            confirm: None,
        },
    );
    let asks = match id {
        StepId::Region => Some(("Share with the team", "region share")),
        StepId::Communities => Some(("Create communities…", "community create")),
        StepId::Roles => Some(("Create a role…", "role create")),
        StepId::Users => Some(("Invite people…", "invite")),
        StepId::Keys => Some(("Create a key…", "key create")),
        StepId::Notifications => Some(("Add a rule…", "notify add")),
        _ => None,
    };
    controls.extend(asks.map(|(label, words)| Control::button(label, words)));
    controls.push(Control::button("Skip…", format!("skip {name}")));
    controls.push(Control::Person { label: "Assign to".into(), words: format!("assign {name}").into() });
    controls.push(Control::Day { label: "Due date".into(), words: format!("due {name}").into() });
    controls
}

/// Attests a step without Sekoia, after a question.
pub fn on_my_word(step: StepId) -> Control {
    Control::Button {
        label: "Mark as done on my word".into(),
        words: format!("done {} anyway", step.name()).into(),
        style: Style::Plain,
        confirm: Some(Confirm {
            title: "Done without proof?".into(),
            text: "The record will say that you attested it, not that Sekoia confirmed it.".into(),
            yes: "Mark as done".into(),
        }),
    }
}

/// The date in UTC: the bot has no zone of its own.
pub fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}
