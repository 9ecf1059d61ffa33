//! Which events a command leads to, or why it is refused.

use super::{ChannelPlan, Event, MOST_COMMUNITIES, MOST_KEYS, MOST_PEOPLE, MOST_ROLES, Origin, Part, Plan};
use crate::chat::text::shown;
use crate::domain::action::instead;

/// What somebody wants of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// This is what the part should be, and all of it.
    Set { part: Part, plan: Box<Plan> },
    /// These as well, or in the place of those that have the same name.
    Add { plan: Box<Plan> },
    /// These were asked for through the bot, and approved. `without`: a key that is revoked by it.
    Join { request: Box<str>, plan: Box<Plan>, without: Option<Box<str>> },
    /// Without a name: the whole part is open again.
    Drop { part: Part, name: Option<Box<str>> },
    /// It was of another community.
    Clear,
    /// Everything that a file or a template speaks of.
    Import { plan: Box<Plan>, origin: Option<Origin> },
}

/// Why a command was refused; the text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The plan says so already.")]
    Already,
    #[error("There is no {} called \"{name}\" in the plan. {instead}", part.nouns().0)]
    NotPlanned { part: Part, name: Box<str>, instead: String },
    #[error("The plan says nothing of {} yet.", .0.nouns().1)]
    Open(Part),
    #[error("A plan holds at most {most} {}; this would be {count}.", part.nouns().1)]
    TooMany { part: Part, count: usize, most: usize },
}

/// Which events `command` leads to. `None` is a channel without a plan.
pub fn decide(state: Option<&ChannelPlan>, command: Command) -> Result<Vec<Event>, Refusal> {
    let none = ChannelPlan::default();
    let state = state.unwrap_or(&none);
    match command {
        Command::Set { part, plan } => {
            let mut next = state.plan.clone();
            next.replace(part, &plan);
            if next == state.plan && !state.is_open(part) {
                return Err(Refusal::Already);
            }
            fits(&next)?;
            let mut only = Plan::default();
            only.replace(part, &plan);
            Ok(vec![Event::PartSet { part, plan: Box::new(only) }])
        }
        Command::Add { plan } => {
            let mut next = state.plan.clone();
            next.merge(&plan);
            if next == state.plan {
                return Err(Refusal::Already);
            }
            fits(&next)?;
            Ok(vec![Event::Added { plan }])
        }
        Command::Join { request, plan, without } => {
            if state.joined.contains(&request) {
                return Err(Refusal::Already);
            }
            let mut next = state.plan.clone();
            next.join(&plan);
            fits(&next)?;
            // On record even if it brings nothing new: what somebody takes out later stays out.
            Ok(vec![Event::Joined { request, plan, without }])
        }
        Command::Drop { part, name: None } => {
            if state.plan.count(part).is_none() && state.is_open(part) {
                return Err(Refusal::Open(part));
            }
            Ok(vec![Event::PartOpened { part }])
        }
        Command::Drop { part, name: Some(name) } => {
            if state.plan.count(part).is_none() {
                return Err(Refusal::Open(part));
            }
            let mut next = state.plan.clone();
            if !next.remove(part, &name) && next == state.plan {
                let instead = instead(&name, state.plan.names(part).into_iter());
                return Err(Refusal::NotPlanned { part, name: shown(&name, 60).into(), instead });
            }
            Ok(vec![Event::Dropped { part, name }])
        }
        Command::Clear if state.is_empty() => Err(Refusal::Already),
        Command::Clear => Ok(vec![Event::Cleared]),
        Command::Import { plan, origin } => {
            let mut next = state.plan.clone();
            for part in plan.parts() {
                next.replace(part, &plan);
            }
            let open = plan.parts().any(|part| state.is_open(part));
            if next == state.plan && !open && origin == state.origin {
                return Err(Refusal::Already);
            }
            fits(&next)?;
            Ok(vec![Event::Imported { plan, origin }])
        }
    }
}

fn fits(plan: &Plan) -> Result<(), Refusal> {
    let bounds = [
        (Part::Communities, MOST_COMMUNITIES),
        (Part::Roles, MOST_ROLES),
        (Part::People, MOST_PEOPLE),
        (Part::Keys, MOST_KEYS),
    ];
    for (part, most) in bounds {
        let count = plan.count(part).unwrap_or_default();
        if count > most {
            return Err(Refusal::TooMany { part, count, most });
        }
    }
    Ok(())
}
