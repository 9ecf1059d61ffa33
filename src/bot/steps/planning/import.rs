//! A plan from a file or a template, and back into one.

use std::collections::BTreeMap;

use super::show::{difference_line, title};
use crate::bot::failure::{Failure, instead};
use crate::bot::steps::lists::Lists;
use crate::bot::steps::report;
use crate::bot::{Answer, Ask, Bot, CommandResult};
use crate::chat::text::{count, quoted, shown};
use crate::chat::view::{Control, Field, FieldKind, Form, Line, View};
use crate::chat::{Actor, Document};
use crate::command::{FORM, PLAN_FILE, PLAN_TEXT, Source};
use crate::domain::checklist::Session;
use crate::domain::plan::difference::{self, Mark};
use crate::domain::plan::file::{self, Fault};
use crate::domain::plan::{ChannelPlan, Command, Origin, Part, Plan, Refusal, decide, template};
use crate::state::plans::ChangeError;
use crate::state::templates::TemplateError;

/// Faults and differences that are listed.
const LISTED: usize = 25;
/// Characters of a pasted plan: Slack's inputs take no more.
const MOST_PASTED: u16 = 3_000;

impl Bot {
    pub(super) async fn plan_import(&self, ask: &Ask<'_>, source: &Source) -> Result<Answer, Failure> {
        if *source == Source::Form {
            return self.import_form(ask).await.map(Answer::Form);
        }
        let (text, origin) = self.plan_text(ask, source).await?;
        Ok(self.take_in(ask, &text, origin).await?.into())
    }

    /// What is to be read.
    pub(in crate::bot::steps) async fn plan_text(
        &self,
        ask: &Ask<'_>,
        source: &Source,
    ) -> Result<(String, Option<Origin>), Failure> {
        match source {
            Source::Form => Ok((String::new(), None)),
            Source::Text(text) => Ok((text.clone(), None)),
            Source::File(name) => {
                let chat = self.chats.of_channel(ask.channel).map_err(Failure::Chat)?;
                Ok((self.attached(chat, ask.channel, ask.actor, name).await?, None))
            }
            Source::Template { name, parameters } => {
                let parameters: BTreeMap<Box<str>, Box<str>> =
                    parameters.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
                let text = self.filled(name, &parameters).await?;
                Ok((text, Some(Origin { template: name.as_str().into(), parameters })))
            }
        }
    }

    /// A template's text, with what stands for its parameters.
    async fn filled(&self, name: &str, parameters: &BTreeMap<Box<str>, Box<str>>) -> Result<String, Failure> {
        let Some(templates) = &self.templates else {
            return Err(instead(
                "There are no templates here: ask your bot administrator to set CHATOPS_PLANS to a folder of them.",
            ));
        };
        let text = templates.read(name).await?;
        template::fill(&text, parameters).map_err(|faults| wrong(&format!("The template {}", shown(name, 60)), &faults))
    }

    /// Checks all of it, makes it the plan, and shows what differs.
    pub(in crate::bot::steps) async fn take_in(
        &self,
        ask: &Ask<'_>,
        text: &str,
        origin: Option<Origin>,
    ) -> CommandResult {
        let session = self.session(ask).await?;
        let document = file::document(text).map_err(|faults| wrong("The plan", &faults))?;
        let lists = Lists::of(self);
        let names = |plan: &Plan| {
            plan.roles.iter().flatten().any(|role| role.permissions.is_some())
                || plan.keys.iter().flatten().any(|key| !key.permissions.is_empty())
        };
        let mut faults = Vec::new();
        if names(&document.plan) {
            faults.extend(document.check_permissions(lists.permissions(session.community.uuid).await?));
        }
        if document.plan.communities.is_some() {
            faults.extend(document.check_workspace(lists.workspace().await?.0.name()));
        }
        if !faults.is_empty() {
            faults.sort();
            return Err(wrong("The plan", &faults));
        }
        let before = self.plans.read(ask.channel).await?;
        let by = Actor::Person(ask.actor.clone());
        let import = Command::Import { plan: Box::new(document.plan.clone()), origin };
        let on = |state: Option<&ChannelPlan>| decide(state, import.clone());
        let (after, news) = match self.plans.change(ask.channel, &by, ask.now, on).await {
            Ok(after) => (after, "The plan is imported."),
            Err(ChangeError::Refused(Refusal::Already)) => (before.clone(), "The plan says so already."),
            Err(error) => return Err(error.into()),
        };
        let changed: Vec<Part> = Part::ALL.into_iter().filter(|p| after.plan.differs(&before.plan, *p)).collect();
        for part in &changed {
            self.reopen_planned(ask.channel, &by, ask.now, &session, *part).await?;
        }
        let mut view = View::new(news).heading(news).line(Line::new().strong(shown(&session.community.name, 80)));
        if let Some(line) = replaced(&before.plan, &after.plan) {
            view = view.line(line);
        }
        self.with_difference(ask, view, &session, &after.plan, &lists).await
    }

    /// What Sekoia has otherwise than the whole plan says, with the way on.
    pub(super) async fn with_difference(
        &self,
        ask: &Ask<'_>,
        mut view: View,
        session: &Session,
        plan: &Plan,
        lists: &Lists<'_>,
    ) -> CommandResult {
        let mut all: Vec<difference::Line> = Vec::new();
        for part in plan.parts() {
            let present = self.present(ask.channel, session, part, plan, lists).await?;
            let lines = present.difference(plan, ask.now);
            view = view.line(Line::new().strong(title(part)).say(format!(" · {}", counted(&lines))));
            // What is there and not planned is counted: it is nobody's to change here.
            all.extend(lines.into_iter().filter(|line| !matches!(line.mark, Mark::There | Mark::Extra)));
        }
        let create = all.iter().filter(|line| line.mark == Mark::Create && line.part.can_be_asked()).count();
        all.sort_by_key(|line| line.mark);
        let more = all.len().saturating_sub(LISTED);
        view = view.bullets(all.iter().take(LISTED).map(difference_line).collect());
        if more > 0 {
            view = view.line(
                Line::new()
                    .say(format!("… and {more} more: "))
                    .code("/sekoia plan people")
                    .say(" and the other parts show them all."),
            );
        }
        let by_hand = all.iter().filter(|line| line.mark == Mark::Change).count();
        if by_hand > 0 {
            view = view.line("What differs (✏️) is changed in Sekoia's console: the bot creates what is missing, and changes or deletes nothing.");
        }
        let mut controls = Vec::new();
        if create > 0 {
            controls.push(Control::primary(format!("Ask for what is missing ({create})"), "plan request"));
        }
        controls.push(Control::button("Check everything", "plan verify"));
        controls.push(Control::button("Open the plan", "plan"));
        Ok(view.controls(controls))
    }

    /// The plan as a file.
    pub(super) async fn plan_export(&self, ask: &Ask<'_>) -> CommandResult {
        let session = self.session(ask).await?;
        let planned = self.plans.read(ask.channel).await?;
        // It names people and keys.
        self.policy.allow(&ask.rights, crate::domain::access::Right::Operator, ask.actor)?;
        let text = file::write(&planned, &session.community.name);
        let document = Document {
            name: format!("{}.toml", report::file::name("plan", &session.community.name, ask.now)).into(),
            title: format!("The plan of {}", shown(&session.community.name, 80)).into(),
            text: text.clone(),
        };
        let how =
            Line::marked("`sekoia-chatops plan check FILE` validates such a file, `/sekoia plan import` reads it.");
        let not_sent = match self.send_file(ask, &document).await {
            Ok(true) => {
                let line = Line::new().say("The plan is in your direct messages: ").code(document.name.into_owned());
                return Ok(View::sentence(line).note(how));
            }
            Ok(false) => None,
            Err(why) => Some(why),
        };
        let mut view = View::new("The plan, as a file").heading("The plan, as a file");
        for piece in crate::bot::steps::report::pieces(&text, crate::bot::steps::report::PAGE) {
            view = view.code(piece);
        }
        if let Some(why) = not_sent {
            view = view.line(why);
        }
        Ok(view.note(Line::marked("Save it as a file that ends in `.toml`. ").append(how)))
    }

    async fn import_form(&self, ask: &Ask<'_>) -> Result<Form, Failure> {
        let session = self.session(ask).await?;
        Ok(Form {
            title: "Import a plan".into(),
            words: format!("plan import {FORM}").into(),
            typed: "/sekoia plan import plan.toml".into(),
            submit: "Import".into(),
            intro: Line::new()
                .strong("What this workspace should be")
                .say(format!(" · {}. Nothing changes at Sekoia by it.", shown(&session.community.name, 80))),
            fields: vec![
                Field {
                    name: PLAN_FILE,
                    label: "A file".into(),
                    hint: "TOML, as the export writes it.".into(),
                    optional: true,
                    kind: FieldKind::File { extensions: &["toml", "txt"], instead: "Paste it below." },
                },
                Field {
                    name: PLAN_TEXT,
                    label: "Or the text of one".into(),
                    hint: "At most 3,000 characters.".into(),
                    optional: true,
                    kind: FieldKind::Text { multiline: true, max_length: MOST_PASTED, initial: "".into() },
                },
            ],
        })
    }

    /// What a template says today that the channel's plan does not say; none if the plan is of no
    /// template.
    pub(in crate::bot) async fn template_line(&self, planned: &ChannelPlan) -> Option<Line> {
        let origin = planned.origin.as_ref()?;
        let name = shown(&origin.template, 60);
        let Ok(text) = self.filled(&origin.template, &origin.parameters).await else {
            return Some(Line::from(format!("⚠️ The template {name} cannot be read any more.")));
        };
        let Ok(plan) = file::read(&text) else {
            return Some(Line::from(format!("⚠️ The template {name} is not valid any more.")));
        };
        let differs: Vec<&str> =
            plan.parts().filter(|part| plan.differs(&planned.plan, *part)).map(Part::name).collect();
        if differs.is_empty() {
            return Some(Line::from(format!("As the template {name} says.")));
        }
        let line = format!("⚠️ Differs from the template {name} in: {}. ", differs.join(", "));
        let again = Line::new().say(line).code(format!("/sekoia plan import {}", words(origin)));
        Some(again.say(" takes it over."))
    }
}

/// The words that name a template with its parameters.
pub(in crate::bot) fn words(origin: &Origin) -> String {
    let mut words = format!("template {}", quoted(&origin.template));
    for (name, value) in &origin.parameters {
        words.push_str(&format!(" {name}={}", quoted(value)));
    }
    words
}

/// What a plan says of fewer or other things than before.
fn replaced(before: &Plan, after: &Plan) -> Option<Line> {
    let mut said = Vec::new();
    for part in Part::ALL {
        let (old, new) = (before.names(part), after.names(part));
        let come = new.iter().filter(|name| !old.contains(name)).count();
        let gone = old.iter().filter(|name| !new.contains(name)).count();
        if (come, gone) != (0, 0) && !old.is_empty() {
            said.push(format!("{} +{come} -{gone}", part.name()));
        }
    }
    (!said.is_empty()).then(|| Line::from(format!("Against the plan before: {}.", said.join(", "))))
}

/// `3 to create, 1 differs, 12 as planned`.
fn counted(lines: &[difference::Line]) -> String {
    let of = |mark: Mark| lines.iter().filter(|line| line.mark == mark).count();
    let words = [
        (of(Mark::Create), "missing"),
        (of(Mark::Change), "different"),
        (of(Mark::Waiting), "waiting"),
        (of(Mark::There), "as planned"),
        (of(Mark::Extra), "not in the plan"),
    ];
    let said: Vec<String> = words.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if said.is_empty() { "nothing planned, nothing there".into() } else { said.join(", ") }
}

/// Everything that is wrong with a file: nothing was changed.
fn wrong(what: &str, faults: &[Fault]) -> Failure {
    let line = format!("{what} has {}, so nothing was planned.", count(faults.len(), "fault", "faults"));
    let lines = faults
        .iter()
        .take(LISTED)
        .map(|fault| {
            Line::new()
                .strong(format!("Line {}, column {}", fault.line, fault.column))
                .say(format!(": {}", shown(&fault.text, 400)))
        })
        .collect();
    let mut view = View::sentence(line).bullets(lines);
    let more = faults.len().saturating_sub(LISTED);
    if more > 0 {
        view = view.line(format!("… and {more} more."));
    }
    Failure::Instead(Box::new(view.controls(vec![Control::button("Import…", "plan import")])))
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        instead(error.to_string())
    }
}
