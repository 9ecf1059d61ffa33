//! Help: what the reader can do now, by task and by right; every command; one of them; a step.
//!
//! It answers whatever fails: where the reader's rights cannot be found out in time, it leaves
//! nothing out and says so.

use super::cards;
use crate::bot::{Ask, Bot};
use crate::chat::text::shown;
use crate::chat::view::{Control, Line, View};
use crate::command::{Spec, TABLE, Task, Topic};
use crate::domain::access::{Denial, Right, Rights};
use crate::domain::checklist::{Session, StepId};
use crate::timing::steps::HELP_PATIENCE;

/// Commands of one task in the short answer.
const NAMED: usize = 5;

/// What is known of the reader.
enum Reader {
    May(Rights),
    MayNothing(Denial),
    Unknown,
}

impl Reader {
    fn may(&self, spec: &Spec) -> bool {
        match (self, spec.right) {
            (Reader::Unknown, _) | (_, Right::Anybody) => true,
            (Reader::MayNothing(_), _) => false,
            (Reader::May(_), Right::Viewer) => true,
            // Approvers who are no operators see what they decide.
            (Reader::May(rights), Right::Operator) => rights.operator || (spec.name == "approvals" && rights.approver),
            (Reader::May(rights), Right::Approver) => rights.approver,
        }
    }
}

impl Bot {
    pub(in crate::bot) async fn help(&self, ask: &Ask<'_>, topic: Topic) -> View {
        match topic {
            Topic::Command(spec) => command(spec),
            Topic::Step(id) => step(id),
            Topic::All => all(),
            Topic::Task(of) => self.task(of, ask).await,
            Topic::Start => match self.known_of(ask).await {
                Reader::MayNothing(denial) => {
                    View::sentence(denial.line(&self.chats.wording(ask.channel).await)).note(Line::marked(
                        "`/sekoia help all` lists what I understand, `/sekoia whoami` shows your id and your rights.",
                    ))
                }
                reader => match self.sessions.read(ask.channel).await {
                    Ok(None) => {
                        let rights = if let Reader::May(rights) = reader { Some(rights) } else { None };
                        self.start(ask.channel, rights).await.note(Line::marked(MORE))
                    }
                    Ok(Some(session)) => start(Some(&session), &reader, self.how_to_type(ask)),
                    Err(_) => start(None, &reader, self.how_to_type(ask)),
                },
            },
        }
    }

    async fn task(&self, of: Task, ask: &Ask<'_>) -> View {
        let reader = self.known_of(ask).await;
        let denied = match &reader {
            Reader::MayNothing(denial) => Some(denial.line(&self.chats.wording(ask.channel).await)),
            Reader::May(_) | Reader::Unknown => None,
        };
        task(of, &reader, denied)
    }

    fn how_to_type(&self, ask: &Ask<'_>) -> &'static str {
        match self.chats.of_channel(ask.channel) {
            Ok(chat) if chat.only_mentions() => {
                "Type them after `/sekoia`, also in threads. This chat server cannot call me, so there are no buttons and forms here: messages say what to type."
            }
            Ok(chat) if chat.reads_mentions() => "Type them after `/sekoia` or, also in threads, after mentioning me.",
            _ => "Type them after `/sekoia`.",
        }
    }

    async fn known_of(&self, ask: &Ask<'_>) -> Reader {
        match tokio::time::timeout(HELP_PATIENCE, self.policy.rights(&self.chats, ask.actor, ask.channel)).await {
            Ok(Ok(rights)) => Reader::May(rights),
            Ok(Err(Denial::Unknown { .. })) | Err(_) => Reader::Unknown,
            Ok(Err(denial)) => Reader::MayNothing(denial),
        }
    }
}

const MORE: &str = "`/sekoia help all` lists every command, `/sekoia help requests` those of one task, `/sekoia help skip` explains one.";

fn start(session: Option<&Session>, reader: &Reader, typed: &str) -> View {
    const HEADING: &str = "What you can do here";
    let mut view = View::new(HEADING).heading(HEADING);
    if let Some(session) = session {
        let progress = session.progress();
        let line = Line::new().strong(shown(&session.community.name, 80)).say(format!(
            " · {} of {} settled",
            progress.settled(),
            progress.total
        ));
        view = view.line(match session.next_to_do() {
            Some(next) => line.say(format!(" · next: {next}")),
            None => line,
        });
    }
    let mut requests = false;
    let tasks = Task::ALL.into_iter().filter_map(|task| {
        let names: Vec<&str> = task.commands().filter(|spec| reader.may(spec)).map(|spec| spec.name).collect();
        requests |= task == Task::Requests && names.contains(&"approvals");
        let mut line = Line::new().strong(task.title()).say(": ");
        for (i, name) in names.iter().take(NAMED).enumerate() {
            line = if i > 0 { line.say(", ") } else { line }.code(*name);
        }
        if names.len() > NAMED {
            line =
                line.say(format!(" and {} more: ", names.len() - NAMED)).code(format!("/sekoia help {}", task.name()));
        }
        (!names.is_empty()).then_some(line)
    });
    view = view.bullets(tasks.collect());
    if let Reader::Unknown = reader {
        view = view.line("I could not find out your rights just now, so nothing is left out.");
    }
    let mut controls = vec![Control::primary("Next step", "next"), Control::button("Checklist", "status")];
    if requests {
        controls.push(Control::button("My requests", "approvals mine"));
    }
    view.note(Line::marked(&format!("{typed} Everything that a button does can be typed. {MORE}"))).controls(controls)
}

/// One line a command.
fn bullet(spec: &Spec) -> Line {
    let line = Line::new().code(usage(spec)).say(" ").append(Line::marked(spec.help));
    match spec.right {
        Right::Operator | Right::Approver => line.say(format!(" ({})", spec.right.name())),
        Right::Anybody | Right::Viewer => line,
    }
}

fn all() -> View {
    let first = "Everything that I understand. Type it after `/sekoia`; what is in square brackets may be left out:";
    let mut view = View::new("Every command").line(Line::marked(first));
    for task in Task::ALL {
        view = view.line(Line::new().strong(task.title())).bullets(task.commands().map(bullet).collect());
    }
    view.note(Line::marked(
        "`/sekoia help` and a command or a step tells more. Everything that a button does can be typed.",
    ))
}

fn task(task: Task, reader: &Reader, denied: Option<Line>) -> View {
    let (may, others): (Vec<&Spec>, Vec<&Spec>) = task.commands().partition(|spec| reader.may(spec));
    let view = View::new(format!("Help: {}", task.title())).heading(task.title());
    let view = match (denied, may.is_empty()) {
        (Some(denied), true) => view.line(denied),
        (None, true) => view.line("You may use none of these commands."),
        (_, false) => view.bullets(may.into_iter().map(bullet).collect()),
    };
    if others.is_empty() {
        return view;
    }
    let mut line = Line::new().say("For others: ");
    for (i, spec) in others.iter().enumerate() {
        line = if i > 0 { line.say(", ") } else { line }.code(spec.name);
    }
    view.note(line.say(". ").append(Line::marked("`/sekoia whoami` shows your rights.")))
}

fn usage(spec: &Spec) -> String {
    spec.usage().replace("/sekoia ", "")
}

fn command(spec: &'static Spec) -> View {
    let view = View::new(format!("Help: {}", spec.name))
        .line(Line::new().code(spec.usage()))
        .line(Line::marked(spec.help))
        .line(Line::new().say("For example: ").code(format!("/sekoia {}", spec.example)));
    let mut facts = vec![Line::new().say(match spec.right {
        Right::Anybody => "Anybody may say it.",
        Right::Viewer => "For every full member of the channel.",
        Right::Operator => "For operators (CHATOPS_OPERATORS).",
        Right::Approver => "For approvers (CHATOPS_APPROVERS).",
    })];
    if !spec.aliases.is_empty() {
        facts.push(Line::new().say(format!("Also: {}.", spec.aliases.join(", "))));
    }
    if !spec.needs.is_empty() {
        facts.push(Line::new().say(format!("The bot's key needs: {}.", spec.needs.join(", "))));
    }
    if let Some(step) = spec.step {
        facts.push(Line::new().say(format!("Belongs to {step}.")));
    }
    view.bullets(facts)
}

fn step(id: StepId) -> View {
    let spec = id.spec();
    let commands = TABLE.iter().filter(|row| row.step == Some(id)).map(bullet).collect();
    View::new(format!("Help: {}", spec.title))
        .heading(spec.title)
        .line(spec.why)
        .line(format!("The bot {}.", spec.bot))
        .line(format!("In Sekoia: {}.", spec.console))
        .bullets(commands)
        .note(cards::see(Line::new(), spec))
        .controls(vec![Control::button("Open the step", format!("step {}", id.name()))])
}
