//! The readiness report: what an auditor, or the next colleague, wants to read.

pub(super) mod file;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json as value};

use crate::bot::failure::Failure;
use crate::bot::names::Names;
use crate::bot::paging::Page;
use crate::bot::steps::lists::Lists;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, shown, visible};
use crate::chat::view::{Control, Line, View, minute};
use crate::chat::{Actor, Change, ChannelKey, UserId};
use crate::domain::checklist::{Concluded, DOCS, Mode, Session, Status, StepId};
use crate::domain::plan::{ChannelPlan, Part, public};

/// Characters of a page: one code block of a chat message.
pub(super) const PAGE: usize = 2800;

impl Bot {
    /// As a file; a page of it as text where one is asked for, or where no file can be sent.
    pub(in crate::bot) async fn report(&self, ask: &Ask<'_>, as_json: bool, page: Option<usize>) -> CommandResult {
        let session = self.session(ask).await?;
        let planned = self.planned(ask, &session).await?;
        let planners = planned.plan.complete.values().filter_map(|change| person(&change.by));
        let names = self.names(people(&session).into_iter().chain(planners).collect::<Vec<_>>(), [ask.channel]).await;
        let text = if as_json {
            serde_json::to_string_pretty(&json(&session, ask.channel, &names, &planned, ask.now)).unwrap_or_default()
        } else {
            markdown(&session, ask.channel, &names, &planned, ask.now)
        };
        let sent = match page {
            None => self.report_file(ask, &session, as_json, &text).await,
            Some(_) => Ok(None),
        };
        let not_sent = match sent {
            Ok(Some(view)) => return Ok(view),
            Ok(None) => None,
            Err(why) => Some(why),
        };
        let pages = pieces(&text, PAGE);
        let page = Page::of(&pages, page.unwrap_or(1), 1);
        let (words, other) = if as_json {
            ("report json", Control::button("As Markdown", "report markdown"))
        } else {
            ("report markdown", Control::button("As JSON", "report json"))
        };
        let mut view = View::new("Readiness report")
            .heading("Readiness report")
            .line(Line::new().strong(shown(&session.community.name, 80)).say(" · copy it from here:"));
        for piece in page.items {
            view = view.code(piece.clone());
        }
        let view = page.foot(view, words).controls(vec![other]);
        Ok(match not_sent {
            Some(why) => view.note(why),
            None => view,
        })
    }
}

/// The plan, and how Sekoia differs from what is planned of a part, for every viewer to read.
struct Planned {
    plan: ChannelPlan,
    differs: BTreeMap<Part, Vec<String>>,
    /// Why some of it is not known.
    unknown: Option<String>,
}

impl Bot {
    async fn planned(&self, ask: &Ask<'_>, session: &Session) -> Result<Planned, Failure> {
        let plan = self.plans.read(ask.channel).await?;
        let lists = Lists::of(self);
        let (mut differs, mut unknown) = (BTreeMap::new(), None);
        for part in plan.complete.keys() {
            match self.present(ask.channel, session, *part, &plan.plan, &lists).await {
                Ok(present) => {
                    differs.insert(*part, public(*part, &present.difference(&plan.plan, ask.now)));
                }
                // What is on record is reported whether Sekoia answers or not.
                Err(Failure::Sekoia(error)) => unknown = Some(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(Planned { plan, differs, unknown })
    }
}

/// Whole lines, at most `max` characters together; a longer line is broken.
pub(super) fn pieces(text: &str, max: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for line in text.lines() {
        let mut rest: Vec<char> = line.chars().collect();
        loop {
            let tail = if rest.len() > max { rest.split_off(max) } else { Vec::new() };
            if used > 0 && used + rest.len() + 1 > max {
                pieces.push(String::new());
                used = 0;
            }
            used += rest.len() + 1;
            if let Some(piece) = pieces.last_mut() {
                piece.extend(rest);
                piece.push('\n');
            }
            if tail.is_empty() {
                break;
            }
            rest = tail;
        }
    }
    pieces
}

/// The report as Markdown. Everything from outside is escaped for it.
fn markdown(session: &Session, channel: &ChannelKey, names: &Names, planned: &Planned, now: Timestamp) -> String {
    let who = |by: &Actor| match by {
        Actor::Person(user) => escaped(&names.person_and_id(user)),
        Actor::Bot => "the bot".into(),
    };
    let mut out = String::new();
    let progress = session.progress();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# Sekoia workspace readiness: {}\n", escaped(&session.community.name));
    let _ = writeln!(out, "- Channel: {}", escaped(&names.channel(channel)));
    let _ = writeln!(out, "- Community: {}", session.community.uuid);
    let _ = writeln!(out, "- Mode: {}", mode(session));
    let _ = writeln!(out, "- Opened: {} by {}", minute(session.opened.at), who(&session.opened.by));
    let _ = writeln!(
        out,
        "- Progress: {} of {} done, {} seen, {} skipped, {} not applicable",
        progress.done, progress.total, progress.seen, progress.skipped, progress.not_applicable
    );
    let _ = writeln!(out, "- Reported: {}\n", minute(now));
    for id in StepId::all() {
        of_step(&mut out, session, id, names, planned, &who);
    }
    requests(&mut out, session, names, &who);
    accepted(&mut out, session);
    out
}

/// One step: what is said of it, by whom and when.
fn of_step(
    out: &mut String,
    session: &Session,
    id: StepId,
    names: &Names,
    planned: &Planned,
    who: &dyn Fn(&Actor) -> String,
) {
    let (spec, step) = (id.spec(), session.step(id));
    let number = spec.number.map(|n| format!("{n}. ")).unwrap_or_default();
    let _ = writeln!(out, "## {number}{}\n", spec.title);
    let _ = writeln!(out, "- Status: {}", step.status.name());
    if let Some(what) = &step.drifted {
        let _ = writeln!(out, "- Open again, because of what changed at Sekoia: {}", escaped(what));
    }
    if let Some(part) = Part::of(id) {
        of_plan(out, part, planned, who);
    }
    match &step.status {
        Status::Verified { evidence } | Status::Seen { evidence } => {
            let _ = writeln!(out, "- Evidence: {}", escaped(&evidence.summary));
            for detail in &evidence.details {
                let _ = writeln!(out, "- Evidence: {}", escaped(detail));
            }
            for exception in &evidence.exceptions {
                let _ = writeln!(out, "- Exception: {}", escaped(exception));
            }
        }
        Status::Attested { note } => {
            let note = note.as_deref().map_or("none; a person says so".into(), escaped);
            let _ = writeln!(out, "- Evidence: {note}");
        }
        Status::Skipped { reason } => {
            let _ = writeln!(out, "- Reason: {}", escaped(reason));
        }
        Status::NotApplicable { why } => {
            let _ = writeln!(out, "- Why: {}", escaped(why));
        }
        Status::Waiting { on } => {
            let _ = writeln!(out, "- Waiting for: {}", escaped(on));
        }
        Status::Open => {}
    }
    if let Some(Change { by, at }) = &step.changed {
        let _ = writeln!(out, "- By: {} on {}", who(by), minute(*at));
    }
    if let Some(user) = &step.assignee {
        let _ = writeln!(out, "- Assigned to: {}", escaped(&names.person_and_id(user)));
    }
    if let Some(due) = step.due {
        let _ = writeln!(out, "- Due: {due}");
    }
    for (label, path) in spec.see {
        let _ = writeln!(out, "- See: [{label}]({DOCS}{path})");
    }
    out.push('\n');
}

/// What is planned, who said that it is all, and what Sekoia has otherwise.
fn of_plan(out: &mut String, part: Part, planned: &Planned, who: &dyn Fn(&Actor) -> String) {
    let Some(Change { by, at }) = planned.plan.complete.get(&part) else {
        let _ = writeln!(out, "- Plan: none");
        return;
    };
    let (one, many) = part.nouns();
    let things = count(planned.plan.plan.count(part).unwrap_or_default(), one, many);
    let _ = writeln!(out, "- Plan: {things}, said to be all by {} on {}", who(by), minute(*at));
    match (planned.differs.get(&part).map(Vec::as_slice), &planned.unknown) {
        (Some([]), _) => {
            let _ = writeln!(out, "- Difference: none");
        }
        (Some(lines), _) => {
            for line in lines {
                let _ = writeln!(out, "- Difference: {}", escaped(line));
            }
        }
        (None, Some(why)) => {
            let _ = writeln!(out, "- Difference: not known, because {}", escaped(why));
        }
        (None, None) => {}
    }
}

/// Sensitive requests: who asked, who approved, what it came to.
fn requests(out: &mut String, session: &Session, names: &Names, who: &dyn Fn(&Actor) -> String) {
    if session.requests.is_empty() {
        return;
    }
    let _ = writeln!(out, "## Requests\n");
    for (at, c) in &session.requests {
        let by: Vec<String> = c.approvers.iter().map(|user| escaped(&names.person_and_id(user))).collect();
        let by = if by.is_empty() { "nobody".into() } else { by.join(", ") };
        let ended = c.ended_by.as_ref().map(|actor| format!(" by {}", who(actor))).unwrap_or_default();
        let why = c.reason.as_deref().map(|reason| format!(". Reason: {}", escaped(reason))).unwrap_or_default();
        let _ = writeln!(
            out,
            "- {} ({}): {}{ended}, asked by {}, approved by {by}, {}, SHA-256 {}{why}",
            escaped(&c.what),
            c.request,
            c.outcome,
            who(&c.asked_by),
            minute(*at),
            c.hash
        );
    }
    out.push('\n');
}

/// Everything that was known to be wanting or risky, and accepted.
fn accepted(out: &mut String, session: &Session) {
    let of_steps = StepId::all().flat_map(|id| match &session.step(id).status {
        Status::Verified { evidence } => evidence.exceptions.iter().map(|e| format!("{id}: {}", escaped(e))).collect(),
        Status::Attested { .. } => vec![format!("{id}: on a person's word, not verified")],
        Status::Skipped { reason } => vec![format!("{id}: skipped: {}", escaped(reason))],
        Status::Open | Status::Seen { .. } | Status::Waiting { .. } | Status::NotApplicable { .. } => Vec::new(),
    });
    let carried = |(_, c): &&(Timestamp, Concluded)| !c.approvers.is_empty() && c.outcome.as_ref() == "succeeded";
    let of_requests = session.requests.iter().filter(carried).flat_map(|(_, c)| {
        c.risks.iter().map(|risk| format!("request {}, {}: {}", c.request, escaped(&c.what), escaped(risk)))
    });
    let all: Vec<String> = of_steps.chain(of_requests).collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "## Exceptions accepted\n");
    for exception in all {
        let _ = writeln!(out, "- {exception}");
    }
    out.push('\n');
}

/// The report as JSON, for programs: times in RFC 3339, people by id, with their names beside.
fn json(session: &Session, channel: &ChannelKey, names: &Names, planned: &Planned, now: Timestamp) -> Value {
    let who = |by: &Actor| match by {
        Actor::Person(user) => user.to_string(),
        Actor::Bot => "the bot".into(),
    };
    let progress = session.progress();
    let steps: Vec<Value> = StepId::all()
        .map(|id| {
            let step = session.step(id);
            let mut out = value!({
                "step": id.name(),
                "number": id.spec().number,
                "title": id.spec().title,
                "state": state(&step.status),
                "drifted": step.drifted,
                "by": step.changed.as_ref().map(|c| who(&c.by)),
                "at": step.changed.as_ref().map(|c| c.at),
                "plan": Part::of(id).and_then(|part| planned.plan.complete.get(&part)).map(|change| value!({
                    "by": who(&change.by),
                    "at": change.at,
                })),
                "difference": Part::of(id).and_then(|part| planned.differs.get(&part)),
                "assignee": step.assignee,
                "due": step.due,
            });
            if let Some(object) = out.as_object_mut() {
                object.retain(|_, v| !v.is_null());
            }
            out
        })
        .collect();
    value!({
        "report": "sekoia-chatops readiness",
        "version": 1,
        "channel": channel,
        "channel_name": names.channel(channel),
        "people": names.people(),
        "community": session.community,
        "mode": session.mode,
        "opened": { "by": who(&session.opened.by), "at": session.opened.at },
        "progress": {
            "total": progress.total,
            "done": progress.done,
            "seen": progress.seen,
            "skipped": progress.skipped,
            "not_applicable": progress.not_applicable,
        },
        "reported_at": now,
        "steps": steps,
        "requests": session.requests.iter().map(|(at, c)| value!({
            "request": c.request,
            "what": c.what,
            "outcome": c.outcome,
            "hash": c.hash,
            "asked_by": who(&c.asked_by),
            "approvers": c.approvers,
            "ended_by": c.ended_by.as_ref().map(&who),
            "reason": c.reason,
            "risks": c.risks,
            "at": at,
        })).collect::<Vec<_>>(),
    })
}

/// Without the facts: they name people and keys.
fn state(status: &Status) -> Value {
    let mut state = value!(status);
    if let Some(evidence) = state.get_mut("evidence").and_then(Value::as_object_mut) {
        evidence.remove("facts");
    }
    state
}

fn mode(session: &Session) -> &'static str {
    match session.mode {
        Mode::SingleTenant => "single-tenant",
        Mode::MultiTenant => "multi-tenant",
    }
}

fn person(by: &Actor) -> Option<&UserId> {
    match by {
        Actor::Person(user) => Some(user),
        Actor::Bot => None,
    }
}

/// Everybody whom the report names.
fn people(session: &Session) -> Vec<&UserId> {
    let steps = StepId::all().map(|id| session.step(id));
    let of_steps =
        steps.flat_map(|step| step.assignee.iter().chain(step.changed.as_ref().and_then(|change| person(&change.by))));
    let of_requests = session.requests.iter().flat_map(|(_, c)| {
        let by = [Some(&c.asked_by), c.ended_by.as_ref()].into_iter().flatten().filter_map(person);
        by.chain(c.approvers.iter())
    });
    person(&session.opened.by).into_iter().chain(of_steps).chain(of_requests).collect()
}

/// One line of text in Markdown: no markup of its own, no HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checklist::Evidence;
    use crate::domain::checklist::facts::Fact;

    #[test]
    fn pieces_lose_nothing_and_keep_within_their_length() {
        let text = format!("short\n{}\nend\n", "x".repeat(25));
        let pieces = pieces(&text, 10);
        assert!(pieces.iter().all(|p| p.chars().count() <= 11), "{pieces:?}");
        assert_eq!(pieces.concat().replace('\n', ""), text.replace('\n', ""));
    }

    #[test]
    fn a_step_is_reported_without_the_names_that_the_watch_keeps() {
        let gone = "the key ci-export is gone";
        let facts = [Fact::Held { id: "1".into(), gone: gone.into() }];
        let evidence = Evidence { summary: "1 key".into(), facts: Some(facts.into()), ..Evidence::default() };
        let verified = Status::Verified { evidence: Box::new(evidence) };
        assert!(value!(verified).to_string().contains(gone));
        assert_eq!(state(&verified).to_string(), r#"{"evidence":{"summary":"1 key"},"status":"verified"}"#);
    }

    #[test]
    fn markup_in_a_name_stays_a_name() {
        assert_eq!(escaped("[x](http://evil) <b> `"), "\\[x\\](http://evil) \\<b\\> \\`");
    }
}
