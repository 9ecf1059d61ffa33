//! The commands that look at a step or change it.

pub(super) mod cards;
mod help;
pub(super) mod history;
mod keys;
mod lists;
mod overview;
mod planning;
pub(super) mod quickstart;
mod recheck;
mod report;
mod roles;
pub(super) mod setup;
pub(super) mod status_cache;
mod users;
mod verify;
mod welcome;
mod workspace;

use std::sync::Arc;

use super::failure::Failure;
use super::{Ask, Bot, CommandResult};
use crate::chat::text::shown;
use crate::chat::view::{Control, Field, FieldKind, Form, Line, Style, View};
use crate::chat::{Actor, UserId};
use crate::command::Day;
use crate::domain::checklist::steps::Finding;
use crate::domain::checklist::{Command, Evidence, Refusal, Session, Status, StepId};
use crate::domain::plan::Part;
use planning::{difference_lines, proposing};

impl Bot {
    pub(super) async fn status(&self, ask: &Ask<'_>) -> Result<Arc<View>, Failure> {
        Ok(self.checklists.of(ask.channel, &self.session(ask).await?, ask.now))
    }

    pub(super) async fn next(&self, ask: &Ask<'_>) -> CommandResult {
        let session = self.session(ask).await?;
        let Some(step) = session.next_to_do() else {
            let news = "Every step is settled. What comes next is your product's quick start.";
            return self.card(ask, &session, StepId::Quickstart, vec![news.into()]).await;
        };
        self.card(ask, &session, step, vec![]).await
    }

    pub(super) async fn step(&self, ask: &Ask<'_>, step: StepId, check: bool) -> CommandResult {
        let session = self.session(ask).await?;
        if !check {
            return self.card(ask, &session, step, vec![]).await;
        }
        let compared = self.compare(ask.channel, &session, step, Some(ask.actor), ask.now).await?;
        let mut news = finding_lines(step, &compared.finding);
        news.extend(difference_lines(ask, &compared.lines));
        let card = self.card_showing(ask, &session, step, news, cards::Shows::Now).await?;
        Ok(sending_again(ask, step, proposing(ask, card, &compared), &compared.pending))
    }

    /// A step's card, with what the plan says of it.
    async fn card(&self, ask: &Ask<'_>, session: &Session, step: StepId, news: Vec<Line>) -> CommandResult {
        self.card_showing(ask, session, step, news, cards::Shows::Record).await
    }

    async fn card_showing(
        &self,
        ask: &Ask<'_>,
        session: &Session,
        step: StepId,
        news: Vec<Line>,
        shows: cards::Shows,
    ) -> CommandResult {
        let plan = match Part::of(step) {
            Some(part) => Some(Self::plan_line(&self.plans.read(ask.channel).await?, part)),
            None => None,
        };
        Ok(cards::step(session, step, ask, news, plan, shows))
    }

    /// Ticks a step if Sekoia confirms it; `anyway`, because a person says so.
    pub(super) async fn done(&self, ask: &Ask<'_>, step: StepId, anyway: bool) -> CommandResult {
        self.done_as(ask, step, anyway, None).await
    }

    /// The same; `address` is the account at Sekoia of who says it.
    pub(super) async fn done_as(
        &self,
        ask: &Ask<'_>,
        step: StepId,
        anyway: bool,
        address: Option<&str>,
    ) -> CommandResult {
        let mut session = self.session(ask).await?;
        if let Some(address) = address
            && session.account_of(ask.actor) != Some(address)
        {
            let by = Actor::Person(ask.actor.clone());
            let given = Command::Account { address: address.into() };
            let on = |state: Option<&Session>| crate::domain::checklist::decide(state, given.clone(), ask.now);
            session =
                self.sessions.change_first(ask.channel, &by, ask.now, ask.settles.row(), on, Vec::new).await?.state;
        }
        // Refused before Sekoia is asked: what is settled stays as it is.
        if session.step(step).status.is_settled() && !matches!(session.step(step).status, Status::Attested { .. }) {
            crate::domain::checklist::decide(Some(&session), Command::Attest { step, note: None }, ask.now)?;
        }
        if anyway {
            return self.changed(ask, Command::Attest { step, note: None }, step, "Marked as done on your word.").await;
        }
        let compared = self.compare(ask.channel, &session, step, Some(ask.actor), ask.now).await?;
        match compared.finding.clone() {
            Finding::Seen(evidence) => {
                let mut news = finding_lines(step, &Finding::Seen(evidence.clone()));
                let same = match &session.step(step).status {
                    Status::Attested { .. } => true,
                    Status::Seen { evidence: before } => before.summary == evidence.summary,
                    _ => false,
                };
                let view = if same {
                    self.card(ask, &session, step, news).await?
                } else {
                    let first = news.remove(0);
                    self.proven(ask, &session, Command::See { step, evidence }, step, first).await?
                };
                Ok(proposing(ask, view, &compared))
            }
            Finding::Waiting { summary, on } => {
                let on_all: Box<str> = shown(&on.join("; "), 300).into();
                let waits = matches!(&session.step(step).status, Status::Waiting { on } if *on == on_all);
                let mut news = finding_lines(step, &Finding::Waiting { summary, on });
                let attested = matches!(session.step(step).status, Status::Attested { .. });
                news.extend(difference_lines(ask, &compared.lines));
                if waits || attested {
                    let card = self.card(ask, &session, step, news).await?;
                    return Ok(sending_again(ask, step, card, &compared.pending));
                }
                let first = news.remove(0);
                let view = self.proven(ask, &session, Command::Wait { step, on: on_all }, step, first).await?;
                Ok(sending_again(ask, step, view.bullets(news), &compared.pending))
            }
            Finding::Confirmed(evidence) => {
                let news = confirmation(step, &evidence);
                self.proven(ask, &session, Command::Verify { step, evidence }, step, news).await
            }
            Finding::NotApplicable { why } => {
                let news = format!("Sekoia says that this does not apply: {why}.");
                self.proven(ask, &session, Command::Exempt { step, why: why.into() }, step, news).await
            }
            Finding::CannotTell { why } => {
                let news = format!("Marked as done on your word: {why}.");
                self.proven(ask, &session, Command::Attest { step, note: None }, step, news).await
            }
            Finding::Wanting { summary, missing } => {
                let lines = difference_lines(ask, &compared.lines);
                Err(not_yet(ask, &session, step, &summary, &missing, lines))
            }
        }
    }

    pub(super) async fn skip(&self, ask: &Ask<'_>, step: StepId, reason: &str) -> CommandResult {
        self.changed(ask, Command::Skip { step, reason: reason.into() }, step, "Skipped.").await
    }

    /// Asks for the reason, unless the step cannot be skipped anyway.
    pub(super) async fn skip_form(&self, ask: &Ask<'_>, step: StepId) -> Result<Form, Failure> {
        let session = self.session(ask).await?;
        let trial = Command::Skip { step, reason: "a reason".into() };
        crate::domain::checklist::decide(Some(&session), trial, ask.now)?;
        Ok(Form {
            title: "Skip a step".into(),
            words: format!("skip {}", step.name()).into(),
            typed: format!("/sekoia skip {} \"your reason\"", step.name()).into(),
            submit: "Skip it".into(),
            intro: Line::new().strong(step.spec().title).say(" · ").say(shown(&session.community.name, 80)),
            fields: vec![Field {
                name: "reason",
                label: "Why is it left out?".into(),
                hint: "Stays on record, with your name.".into(),
                optional: false,
                kind: FieldKind::Text {
                    multiline: true,
                    max_length: u16::try_from(crate::domain::checklist::MAX_REASON).unwrap_or(u16::MAX),
                    initial: "".into(),
                },
            }],
        })
    }

    pub(super) async fn reopen(&self, ask: &Ask<'_>, step: StepId) -> CommandResult {
        self.changed(ask, Command::Reopen { step }, step, "Open again.").await
    }

    pub(super) async fn assign(&self, ask: &Ask<'_>, step: StepId, to: Option<&UserId>) -> CommandResult {
        let news = match to {
            Some(user) => Line::new().say("Assigned to ").person(user).say("."),
            None => "Assigned to nobody.".into(),
        };
        self.changed(ask, Command::Assign { step, to: to.cloned() }, step, news).await
    }

    pub(super) async fn due(&self, ask: &Ask<'_>, step: StepId, due: Option<Day>) -> CommandResult {
        let date = match due {
            None => None,
            Some(day) => Some(day.date(cards::today(ask.now)).ok_or_else(|| {
                super::failure::instead("That day is beyond the calendar. Give one such as 2026-12-01 or +7d.")
            })?),
        };
        let news = date.map_or_else(|| "No due date any more.".into(), |date| format!("Due on {date}."));
        self.changed(ask, Command::SetDue { step, due: date }, step, news).await
    }

    pub(super) async fn reset(&self, ask: &Ask<'_>, confirmed: bool) -> CommandResult {
        let session = self.session(ask).await?;
        if confirmed {
            let changed = self.change(ask, Command::Reset).await?;
            let mut view = cards::checklist(&changed.state, ask.now);
            view.blocks.insert(
                0,
                crate::chat::view::Block::Line(None, "The checklist starts over. The history stays.".into()),
            );
            return Ok(view);
        }
        crate::domain::checklist::decide(Some(&session), Command::Reset, ask.now)?;
        let settled = session.progress().settled();
        Ok(View::sentence(format!(
            "This opens all steps again ({settled} of {} are settled) and forgets who does what by when. The history stays.",
            session.progress().total
        ))
        .controls(vec![Control::Button {
            label: "Start over".into(),
            words: "reset confirm".into(),
            style: Style::Danger,
            confirm: None,
        }]))
    }

    pub(super) async fn refresh(&self, ask: &Ask<'_>) -> CommandResult {
        self.session(ask).await?;
        self.show_progress(ask.channel, true).await?;
        Ok(View::sentence("The channel's message is up to date."))
    }

    /// The same with what Sekoia said of `seen`: while it was asked, the channel may have been bound
    /// to another community, or the step changed.
    async fn proven(
        &self,
        ask: &Ask<'_>,
        seen: &Session,
        command: Command,
        step: StepId,
        news: impl Into<Line>,
    ) -> CommandResult {
        let still = |now: &Session| {
            let same = now.community.uuid == seen.community.uuid && now.step(step) == seen.step(step);
            if same { Ok(()) } else { Err(Refusal::Meanwhile(step)) }
        };
        let changed = self.change_where(ask, command, still).await?;
        self.card(ask, &changed.state, step, vec![news.into()]).await
    }

    /// Changes a step and shows its card with what happened on top.
    async fn changed(&self, ask: &Ask<'_>, command: Command, step: StepId, news: impl Into<Line>) -> CommandResult {
        let changed = self.change(ask, command).await?;
        self.card(ask, &changed.state, step, vec![news.into()]).await
    }
}

/// Offers to send invitations again that were not accepted, to those who may ask for it.
fn sending_again(ask: &Ask<'_>, step: StepId, view: View, pending: &[Box<str>]) -> View {
    if step != StepId::Users || pending.is_empty() || !ask.rights.operator {
        return view;
    }
    view.controls(vec![users::send_again(pending.iter().map(|address| &**address))])
}

/// Sekoia does not confirm it: nothing is changed, and a person may still say so.
fn not_yet(
    ask: &Ask<'_>,
    session: &Session,
    step: StepId,
    summary: &str,
    missing: &[String],
    lines: Vec<Line>,
) -> Failure {
    let nobody = if step == StepId::Notifications { "Nothing confirms" } else { "Sekoia does not confirm" };
    let mut view = View::sentence(format!("{nobody} {step} yet: {}.", shown(summary, 300)))
        .bullets(missing.iter().map(|m| Line::new().say("Missing: ").say(shown(m, 500))).collect());
    if !lines.is_empty() {
        view = view.bullets(lines);
    }
    let attested = matches!(session.step(step).status, Status::Attested { .. });
    let name = step.name();
    let mut controls = vec![Control::button("Check again", format!("done {name}"))];
    if ask.rights.operator && !attested {
        view = view.line("Nothing was changed. You can mark it as done on your word; it will say \"attested\".");
        controls.push(cards::on_my_word(step));
    }
    Failure::Instead(Box::new(view.controls(controls)))
}

/// A finding in words.
fn finding_lines(step: StepId, finding: &Finding) -> Vec<Line> {
    match finding {
        Finding::Confirmed(evidence) => {
            let mut lines = vec![Line::from(confirmation(step, evidence))];
            lines.extend(evidence.exceptions.iter().map(|e| Line::new().say("⚠️ ").say(shown(e, 500))));
            lines
        }
        Finding::Seen(evidence) => {
            let mut lines = vec![Line::from(format!(
                "Sekoia shows: {}. Nobody said yet whether this is all that is needed.",
                shown(&evidence.summary, 500)
            ))];
            lines.extend(evidence.exceptions.iter().map(|e| Line::new().say("⚠️ ").say(shown(e, 500))));
            lines
        }
        Finding::Waiting { summary, on } => {
            let mut lines = vec![Line::from(format!("Sekoia shows: {}.", shown(summary, 500)))];
            lines.extend(on.iter().map(|on| Line::new().say("⏳ Waiting for ").say(shown(on, 500))));
            lines
        }
        Finding::Wanting { summary, missing } => {
            let mut lines = vec![Line::from(format!(
                "{}: {}.",
                if step == StepId::Notifications { "This channel has" } else { "Sekoia shows" },
                shown(summary, 500)
            ))];
            lines.extend(missing.iter().map(|m| Line::new().say("Missing: ").say(shown(m, 500))));
            lines
        }
        Finding::NotApplicable { why } => vec![Line::from(format!("Does not apply: {why}."))],
        Finding::CannotTell { why } => vec![Line::from(format!("I cannot check this: {why}."))],
    }
}

fn confirmation(step: StepId, evidence: &Evidence) -> String {
    let witness = if step == StepId::Notifications { "A sample that arrived" } else { "Sekoia" };
    format!("{witness} confirms it: {}.", shown(&evidence.summary, 500))
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Change(crate::state::sessions::ChangeError::Refused(refusal))
    }
}
