//! The channel's plan in conversation: what is planned, beside what Sekoia has, and how it changes.

mod import;
mod show;

use jiff::Timestamp;

pub(super) use show::{difference_lines, proposing};

use super::lists::Lists;
use crate::bot::failure::{Failure, instead};
use crate::bot::{Answer, Ask, Bot, CommandResult};
use crate::chat::view::{Control, Field, FieldKind, Form, Line, View};
use crate::chat::{Actor, ChannelKey};
use crate::command::{ENTRIES, FORM, PlanWish};
use crate::domain::access::Right;
use crate::domain::approval::Approval;
use crate::domain::checklist::steps::Finding;
use crate::domain::checklist::{self, Session, Status};
use crate::domain::plan::{ChannelPlan, Command, Part, Plan, Refusal, decide};
use crate::state::plans::ChangeError;
use crate::store::StoreError;

/// Characters of a part's form: Slack's inputs take no more.
const MOST_ENTRIES: u16 = 3_000;

impl Bot {
    pub(in crate::bot) async fn planning(&self, ask: &Ask<'_>, wish: &PlanWish) -> Result<Answer, Failure> {
        let view = match wish {
            PlanWish::Show => self.plan_show(ask).await,
            PlanWish::Part { part, page } => self.plan_part(ask, *part, *page, Vec::new()).await,
            PlanWish::Current { part, print } => self.plan_current(ask, *part, print.as_deref()).await,
            PlanWish::Complete { part } => {
                let planned = self.plans.read(ask.channel).await?;
                if planned.plan.count(*part).is_none() {
                    return Err(Refusal::Open(*part).into());
                }
                let plan = Box::new(planned.plan);
                self.plan_set(ask, *part, Command::Set { part: *part, plan }).await
            }
            PlanWish::Set { part, plan } => {
                self.plan_set(ask, *part, Command::Set { part: *part, plan: plan.clone() }).await
            }
            PlanWish::Add { part, plan } => self.plan_set(ask, *part, Command::Add { plan: plan.clone() }).await,
            PlanWish::Drop { part, name } => {
                let name = name.as_deref().map(Box::from);
                self.plan_set(ask, *part, Command::Drop { part: *part, name }).await
            }
            PlanWish::Edit { part } => return self.plan_form(ask, *part).await.map(Answer::Form),
            PlanWish::Export => self.plan_export(ask).await,
            PlanWish::Import(source) => return self.plan_import(ask, source).await,
            PlanWish::Verify => self.plan_verify(ask).await,
        };
        view.map(Answer::from)
    }

    /// Names of people and keys are for operators.
    pub(super) fn may_read(&self, ask: &Ask<'_>, part: Part) -> Result<(), Failure> {
        if part.is_personal() {
            self.policy.allow(&ask.rights, Right::Operator, ask.actor)?;
        }
        Ok(())
    }

    /// What Sekoia has now becomes the plan of a part, and the step is verified against it.
    async fn plan_current(&self, ask: &Ask<'_>, part: Part, print: Option<&str>) -> CommandResult {
        let session = self.session(ask).await?;
        let planned = self.plans.read(ask.channel).await?;
        let present = self.present(ask.channel, &session, part, &planned.plan, &Lists::of(self)).await?;
        let proposal = present.proposal(ask.now);
        if print.is_some_and(|print| print != proposal.print()) {
            let line = Line::new()
                .say("Sekoia shows something else now than what you looked at, so nothing was planned. Look again: ")
                .code(format!("/sekoia plan {}", part.name()));
            return Err(instead(line));
        }
        self.plan_set(ask, part, Command::Set { part, plan: Box::new(proposal) }).await
    }

    /// Changes the plan, and does to the step what follows from it.
    pub(super) async fn plan_set(&self, ask: &Ask<'_>, part: Part, command: Command) -> CommandResult {
        let session = self.session(ask).await?;
        let by = Actor::Person(ask.actor.clone());
        let on = |state: Option<&ChannelPlan>| decide(state, command.clone());
        let planned = match self.plans.change(ask.channel, &by, ask.now, on).await {
            Ok(planned) => planned,
            // Said twice, or recorded before a crash: what follows from it may still be missing.
            Err(ChangeError::Refused(Refusal::Already)) => self.plans.read(ask.channel).await?,
            Err(error) => return Err(error.into()),
        };
        tracing::info!(actor = ask.actor.as_str(), channel = ask.channel.as_str(), part = part.name(), "planned");
        if let Some(view) = self.reverify(ask, &session, part).await? {
            return Ok(view);
        }
        self.reopen_planned(ask.channel, &by, ask.now, &session, part).await?;
        if planned.is_open(part) {
            return self.plan_part(ask, part, 1, vec!["The plan is changed.".into()]).await;
        }
        match self.done(ask, part.step(), false).await {
            // What is missing is shown beside what is planned.
            Err(Failure::Instead(_)) => self.plan_part(ask, part, 1, vec!["The plan is changed.".into()]).await,
            Err(Failure::Change(crate::state::sessions::ChangeError::Refused(refusal))) => {
                self.plan_part(ask, part, 1, vec![Line::new().say("The plan is changed. "), refusal.line()]).await
            }
            other => other,
        }
    }

    /// The plan was of another community.
    pub(in crate::bot::steps) async fn forget_plan(&self, ask: &Ask<'_>) -> Result<(), Failure> {
        let by = Actor::Person(ask.actor.clone());
        match self.plans.change(ask.channel, &by, ask.now, |state| decide(state, Command::Clear)).await {
            Ok(_) | Err(ChangeError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The card of a step that was verified, and is against the present plan; none if it is not.
    async fn reverify(&self, ask: &Ask<'_>, session: &Session, part: Part) -> Result<Option<View>, Failure> {
        let step = part.step();
        let Status::Verified { evidence: seen } = &session.step(step).status else { return Ok(None) };
        let compared = self.compare(ask.channel, session, step, Some(ask.actor), ask.now).await?;
        let Finding::Confirmed(evidence) = compared.finding else { return Ok(None) };
        let news = super::confirmation(step, &evidence);
        let again = checklist::Command::Reverify { step, seen: (**seen).clone(), evidence };
        let session = match self.change(ask, again).await {
            Ok(changed) => changed.state,
            Err(Failure::Change(crate::state::sessions::ChangeError::Refused(_))) => self.session(ask).await?,
            Err(error) => return Err(error),
        };
        Ok(Some(self.card(ask, &session, step, vec![news.into()]).await?))
    }

    /// A step that was verified against another plan is open again.
    pub(in crate::bot) async fn reopen_planned(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        session: &Session,
        part: Part,
    ) -> Result<(), StoreError> {
        let step = part.step();
        let Status::Verified { evidence } = &session.step(step).status else { return Ok(()) };
        let drift = checklist::Command::Drift { step, seen: (**evidence).clone(), what: "the plan was changed".into() };
        let on = |state: Option<&Session>| checklist::decide(state, drift.clone(), now);
        match self.sessions.change(channel, by, now, None, on).await {
            Ok(_) => {
                self.outbox.wake();
                Ok(())
            }
            Err(crate::state::sessions::ChangeError::Store(error)) => Err(error),
            // Open already, or verified anew.
            Err(_) => Ok(()),
        }
    }

    /// Checks every step that is not settled, and ticks those that match.
    async fn plan_verify(&self, ask: &Ask<'_>) -> CommandResult {
        let mut lines = Vec::new();
        for step in checklist::StepId::all() {
            let session = self.session(ask).await?;
            let before = session.step(step).status.clone();
            if before.is_settled() && !matches!(before, Status::Attested { .. }) {
                lines.push(super::cards::short(&session, step));
                continue;
            }
            let failed = match self.done(ask, step, false).await {
                Ok(_) | Err(Failure::Change(_) | Failure::Instead(_)) => None,
                Err(error @ Failure::Sekoia(_)) if error.is_passing() => return Err(error),
                Err(Failure::Sekoia(error)) => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            let session = self.session(ask).await?;
            let line = super::cards::short(&session, step);
            lines.push(match failed {
                Some(error) => line.say(format!(" · {error}")),
                None => line,
            });
        }
        let session = self.session(ask).await?;
        let progress = session.progress();
        let summary = format!("{} of {} done, checked against the plan", progress.done, progress.total);
        Ok(View::new(summary.clone()).heading(summary).bullets(lines))
    }

    /// Puts into the plan what an approved request brings, once. A step that was verified against less is
    /// open again.
    pub(in crate::bot) async fn join_plan(
        &self,
        approval: &Approval,
        session: &Session,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let request = &approval.request;
        if request.bundle.is_some() {
            // It came from the plan.
            return Ok(());
        }
        let plan = request.action.planned(&request.community, approval.requester());
        let without = request.action.unplanned().map(Box::from);
        if plan.is_none() && without.is_none() {
            return Ok(());
        }
        let plan = Box::new(plan.unwrap_or_default());
        let before = self.plans.read(&request.channel).await?;
        let join = Command::Join { request: approval.id.as_str().into(), plan, without };
        let on = |state: Option<&ChannelPlan>| decide(state, join.clone());
        match self.plans.change(&request.channel, &Actor::Bot, now, on).await {
            Ok(after) => {
                // What became less is still as it was verified.
                let more = |part: &Part| after.plan.count(*part) > before.plan.count(*part);
                for part in Part::ALL.into_iter().filter(more) {
                    self.reopen_planned(&request.channel, &Actor::Bot, now, session, part).await?;
                }
                Ok(())
            }
            Err(ChangeError::Refused(_)) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%error, request = approval.id.as_str(), "the plan does not have what was asked for");
                Ok(())
            }
        }
    }

    /// The form of a part: one thing a line, in the words that are typed.
    async fn plan_form(&self, ask: &Ask<'_>, part: Part) -> Result<Form, Failure> {
        let session = self.session(ask).await?;
        let planned = self.plans.read(ask.channel).await?;
        let plan = if planned.plan.count(part).is_some() {
            planned.plan
        } else {
            self.present(ask.channel, &session, part, &Plan::default(), &Lists::of(self)).await?.proposal(ask.now)
        };
        let lines = show::typed(&plan, part);
        if lines.chars().count() > usize::from(MOST_ENTRIES) {
            return Err(instead(Line::marked(&format!(
                "This part of the plan is too long for a form. Export it with `/sekoia plan export`, change the file, and read it with `/sekoia plan import`. `/sekoia plan drop {} <name>` takes one out.",
                part.name()
            ))));
        }
        Ok(Form {
            title: "The plan".into(),
            words: format!("plan {} {FORM}", part.name()).into(),
            typed: show::example(part).into(),
            submit: "This is all".into(),
            intro: Line::new()
                .strong(part.step().spec().title)
                .say(format!(" · {}", crate::chat::text::shown(&session.community.name, 80))),
            fields: vec![Field {
                name: ENTRIES,
                label: format!("The {} needed", part.nouns().1).into(),
                hint: format!("One a line. For example: {}", show::sample(part)).into(),
                optional: true,
                kind: FieldKind::Text { multiline: true, max_length: MOST_ENTRIES, initial: lines.into() },
            }],
        })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Plan(ChangeError::Refused(refusal))
    }
}

/// Offers what is left to do with a part.
pub(super) fn controls(ask: &Ask<'_>, part: Part, open: bool, entries: bool) -> Vec<Control> {
    if !ask.rights.operator {
        return Vec::new();
    }
    let mut controls = Vec::new();
    if open && entries {
        controls.push(Control::primary("This is all", format!("plan {} complete", part.name())));
    }
    controls.push(Control::button("Edit…", format!("plan {} edit", part.name())));
    controls
}
