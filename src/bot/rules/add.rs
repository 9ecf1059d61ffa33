//! Rules that somebody adds: one, or the three that Sekoia recommends.

use super::all_rules;
use super::list::source;
use crate::bot::failure::Failure;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{Found, count, find as look_up, shown};
use crate::chat::view::{Control, Line, View};
use crate::chat::{FieldError, Inbound};
use crate::command::{TRIGGER, find};
use crate::domain::access::Right;
use crate::domain::action::{Named, Problem, one_of};
use crate::domain::checklist::Session;
use crate::domain::notify::{Command, Event, Key, Refusal, Watch};
use crate::pace::Rank;
use crate::sekoia::SekoiaError;

/// What looking for a rule's names at Sekoia led to.
enum Looked {
    Found,
    Missing(Problem),
    /// Sekoia did not say.
    Unknown(SekoiaError),
}

impl Bot {
    pub(in crate::bot) async fn notify_add(&self, ask: &Ask<'_>, watch: &Watch) -> CommandResult {
        let session = self.session(ask).await?;
        if !watch.trigger.spec().evaluated {
            let view = View::sentence(Refusal::OnlyByWebhook(watch.trigger).line());
            return Err(Failure::Instead(Box::new(view.controls(vec![Control::button("Webhook", "notify webhook")]))));
        }
        let unknown = match self.look_for(&session, watch).await {
            Looked::Found => None,
            Looked::Missing(problem) => {
                let usage = find("notify add").map_or_else(String::new, crate::command::Spec::usage);
                let usage = Line::new().say("Usage: ").code(usage);
                let view = View::sentence(problem.text).line(usage).note("Nothing was added.");
                return Err(Failure::Instead(Box::new(view)));
            }
            Looked::Unknown(error) => Some(error),
        };
        let changed = self.change_rules(ask, Command::Add { watch: watch.clone() }).await?;
        let number = changed.events.iter().find_map(added).unwrap_or_default();
        let mut view = View::sentence(format!("Rule {number}: {watch}."));
        view = view.line(Line::marked(&source(watch.trigger, changed.state.webhook.is_some())));
        if let Some(error) = unknown {
            view = view.line(format!("⚠️ I could not ask Sekoia whether the names in it exist ({error})."));
        }
        let test = Control::primary("Send a sample", format!("notify test {number}"));
        Ok(view.controls(vec![test, all_rules()]))
    }

    pub(in crate::bot) async fn notify_recommended(&self, ask: &Ask<'_>, confirmed: bool) -> CommandResult {
        self.session(ask).await?;
        if confirmed {
            let changed = self.change_rules(ask, Command::AddRecommended).await?;
            let numbers: Vec<u32> = changed.events.iter().filter_map(added).collect();
            let lines = numbers
                .iter()
                .filter_map(|n| changed.state.rule(*n))
                .map(|rule| Line::new().strong(rule.number.to_string()).say(format!(" {}", rule.watch)));
            let first = numbers.first().copied().unwrap_or_default();
            return Ok(View::sentence(format!("Added: {}.", count(numbers.len(), "rule", "rules")))
                .bullets(lines.collect())
                .line(Line::marked(&format!(
                    "`/sekoia notify test {first}` sends a sample the whole way into this channel."
                )))
                .controls(vec![Control::primary("Send a sample", format!("notify test {first}")), all_rules()]));
        }
        let rules = self.notifications.read(ask.channel).await?;
        let missing = rules.missing();
        if missing.is_empty() {
            return Err(Refusal::NothingMissing.into());
        }
        let lines = missing.iter().map(|watch| Line::from(watch.to_string())).collect();
        let said = if rules.rules.is_empty() {
            "Sekoia recommends these three rules to begin with:"
        } else {
            "Of the three rules that Sekoia recommends, these are not here yet:"
        };
        Ok(View::sentence(said)
            .bullets(lines)
            .line(Line::marked(
                "An urgency is a number up to 100; `/sekoia notify add alert urgency>=80` takes another one. For EDR and Active Directory, Sekoia recommends 15 to 30 minutes of silence: `/sekoia notify add silent \"<intake>\" for 15m`.",
            ))
            .controls(vec![Control::primary("Add them", "notify recommended confirm")]))
    }

    /// Whether everything that a rule names is there.
    async fn look_for(&self, session: &Session, watch: &Watch) -> Looked {
        let conditions = &watch.conditions;
        let community = session.community.uuid;
        if let Some(name) = &conditions.community {
            let own = Named::new(community.to_string(), &*session.community.name);
            if missing(Key::Community, name, std::slice::from_ref(&own)).is_some() {
                return Looked::Missing(Problem { field: Key::Community.name(), text: elsewhere(name, &own.name) });
            }
        }
        if let Some(name) = &conditions.intake {
            match self.sekoia.intakes(community, Rank::Person).await {
                Ok(all) => {
                    let all: Vec<Named> = all.iter().map(|i| Named::new(i.uuid.as_str(), i.name())).collect();
                    if let Some(problem) = missing(Key::Intake, name, &all) {
                        return Looked::Missing(problem);
                    }
                }
                Err(error) => return Looked::Unknown(error),
            }
        }
        if let Some(name) = &conditions.playbook {
            match self.sekoia.playbooks(community, Rank::Person).await {
                Ok(all) => {
                    let all: Vec<Named> = all.iter().map(|p| Named::new(p.uuid.as_str(), p.name())).collect();
                    if let Some(problem) = missing(Key::Playbook, name, &all) {
                        return Looked::Missing(problem);
                    }
                }
                Err(error) => return Looked::Unknown(error),
            }
        }
        Looked::Found
    }

    /// The problem of a form's rule that only Sekoia knows of.
    pub(in crate::bot) async fn rule_problem(&self, inbound: &Inbound, watch: &Watch) -> Option<FieldError> {
        // Names are told to those alone who may add a rule.
        let rights = self.policy.rights(&self.chats, &inbound.actor, &inbound.channel).await.ok()?;
        self.policy.allow(&rights, Right::Operator, &inbound.actor).ok()?;
        let session = self.sessions.read(&inbound.channel).await.ok()??;
        if !watch.trigger.spec().evaluated {
            let text = Refusal::OnlyByWebhook(watch.trigger).line().to_string();
            return Some(FieldError { field: Some(TRIGGER), text });
        }
        let Looked::Missing(problem) = self.look_for(&session, watch).await else { return None };
        Some(FieldError { field: Some(problem.field), text: problem.text.to_string() })
    }
}

fn added(event: &Event) -> Option<u32> {
    match event {
        Event::Added { number, .. } => Some(*number),
        _ => None,
    }
}

/// A channel hears of its own community alone, a parent's of no unit.
fn elsewhere(wanted: &str, own: &str) -> Line {
    let line = Line::new().say(format!(
        "This channel is about {}, and so are its rules: nothing is posted here about \"{}\". Set that community up in a channel of its own, with ",
        shown(own, 80),
        shown(wanted, 60)
    ));
    line.code("/sekoia setup").say(" there, and add the rule in it.")
}

/// What to say if nothing is called so. Several may be: then the rule is about all of them.
fn missing(key: Key, wanted: &str, all: &[Named]) -> Option<Problem> {
    match look_up(wanted, all, |n| &n.uuid, |n| &n.name) {
        Found::Nothing => one_of(key.name(), key.name(), wanted, all, |n| &n.uuid, |n| &n.name).err(),
        Found::One(_) | Found::Several(_) => None,
    }
}
