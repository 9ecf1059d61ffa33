//! Help, from the table and the checklist.

use super::cards;
use crate::checklist::StepId;
use crate::command::{Right, Spec, TABLE, Topic};
use crate::view::{Control, Line, View};

pub fn view(topic: Topic) -> View {
    match topic {
        Topic::All => all(),
        Topic::Command(spec) => command(spec),
        Topic::Step(id) => step(id),
    }
}

/// Short enough to be read: one line a command.
fn all() -> View {
    let bullets = TABLE.iter().map(|spec| {
        let mut line = Line::new().code(usage(spec)).say(" ");
        line.0.extend(Line::marked(spec.help).0);
        match spec.right {
            Right::Operator | Right::Approver => line.say(format!(" ({})", spec.right.name())),
            Right::Anybody | Right::Viewer => line,
        }
    });
    View::new("What I understand")
        .line("I walk this channel through the setup of your Sekoia workspace. Type these after /sekoia, or, in a thread on Slack, after mentioning me:")
        .bullets(bullets.collect())
        .note("\"help\" and a command or a step tells more. Everything a button does can be typed.")
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
    let commands: Vec<Line> = TABLE
        .iter()
        .filter(|s| s.step == Some(id))
        .map(|s| Line::new().code(usage(s)).say(format!(" {}", s.help)))
        .collect();
    View::new(format!("Help: {}", spec.title))
        .heading(spec.title)
        .line(spec.why)
        .line(format!("The bot {}.", spec.bot))
        .line(format!("In Sekoia: {}.", spec.console))
        .bullets(commands)
        .note(cards::see(Line::new(), spec))
        .controls(vec![Control::button("Open the step", format!("step {}", id.name()))])
}
