//! What went wrong, told to the person who waits: what, what to do instead, and for everything
//! that somebody else has to look into, a reference that finds the line in the log.

use tracing::{error, warn};

use super::steps::cards;
use crate::chat::text::shown;
use crate::chat::view::{Control, Line, View};
use crate::chat::{Actor, ChatError, Wording};
use crate::command::{Command, ParsedCommand};
use crate::domain::access::Denial;
use crate::domain::action::Problem;
use crate::domain::approval::Refusal;
use crate::sekoia::{Region, SekoiaError};
use crate::state::approvals;
use crate::state::sessions::ChangeError;
use crate::store::StoreError;
pub use crate::telemetry::trace::reference;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Request(approvals::ChangeError),
    #[error(transparent)]
    Rules(#[from] crate::state::rules::ChangeError),
    #[error(transparent)]
    Plan(#[from] crate::state::plans::ChangeError),
    /// What was asked for cannot be had.
    #[error(transparent)]
    Wrong(#[from] Problem),
    #[error("the chat platform could not tell: {0}")]
    Chat(ChatError),
    #[error(transparent)]
    Sekoia(#[from] SekoiaError),
    /// Nothing went wrong: there is something else to say first.
    #[error("answered otherwise")]
    Instead(Box<View>),
}

impl Failure {
    /// Whether it is the bot's own storage that failed.
    pub fn is_ours(&self) -> bool {
        match self {
            Failure::Change(ChangeError::Store(error))
            | Failure::Request(approvals::ChangeError::Store(error))
            | Failure::Rules(crate::state::rules::ChangeError::Store(error))
            | Failure::Plan(crate::state::plans::ChangeError::Store(error)) => {
                // Another process has the work by now, and ends it.
                error.may_pass() || matches!(error, StoreError::TakenOver)
            }
            _ => false,
        }
    }

    /// What failed, if it is something that is to be looked into.
    pub fn cause(&self) -> Option<&'static str> {
        match self {
            Failure::Change(ChangeError::Store(_))
            | Failure::Request(approvals::ChangeError::Store(_))
            | Failure::Rules(crate::state::rules::ChangeError::Store(_))
            | Failure::Plan(crate::state::plans::ChangeError::Store(_)) => Some("store"),
            Failure::Chat(_) => Some("chat"),
            Failure::Sekoia(_) => Some("sekoia"),
            _ => None,
        }
    }

    /// Whether all that is missing is that the channel is set up.
    pub fn is_not_set_up(&self) -> bool {
        matches!(self, Failure::Change(ChangeError::Refused(crate::domain::checklist::Refusal::NoSession)))
    }

    /// Whether the same may succeed a little later, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Failure::Denied(Denial::Unknown { why, .. }) => {
                matches!(why, ChatError::Unavailable(_) | ChatError::RateLimited)
            }
            Failure::Denied(Denial::Unread { unread, .. }) => {
                matches!(unread.why, ChatError::Unavailable(_) | ChatError::RateLimited)
            }
            Failure::Sekoia(error) => matches!(
                error,
                SekoiaError::Server { .. }
                    | SekoiaError::Timeout { .. }
                    | SekoiaError::Unreachable
                    | SekoiaError::ProxyFailed(_)
                    | SekoiaError::RateLimited { .. }
                    | SekoiaError::Paused { .. }
                    | SekoiaError::Busy { .. }
            ),
            _ => false,
        }
    }

    /// Whether what to do depends on the platform.
    pub fn speaks_of_platform(&self) -> bool {
        matches!(
            self,
            Failure::Denied(Denial::BotNotInChannel | Denial::Unknown { .. } | Denial::Unread { .. })
                | Failure::Chat(_)
        )
    }

    /// `wording`: of the platform whose people read it. `region`: where Sekoia was called.
    pub fn view(self, said: &ParsedCommand, wording: &Wording, region: Region) -> View {
        match self {
            Failure::Instead(view) => *view,
            Failure::Denied(denial) => View::sentence(denial.line(wording)),
            Failure::Change(ChangeError::Store(error @ StoreError::Corrupt { .. })) => {
                let reference = reference();
                error!(reference, %error, command = said.spec.name, "a session cannot be read");
                View::sentence("What is stored of this cannot be read, or is not what I stored, so nothing was done.")
                    .note(format!("Reference for your bot administrator: {reference}"))
            }
            Failure::Change(ChangeError::Store(error)) => {
                let reference = reference();
                error!(reference, %error, command = said.spec.name, "the store failed");
                let line = if said.command.changes() {
                    "I noted this but could not carry it out yet, because my storage failed. I will try again by myself."
                } else {
                    "My storage failed, so I cannot show this. Please try again in a minute."
                };
                View::sentence(line).note(format!("Reference for your bot administrator: {reference}"))
            }
            Failure::Change(ChangeError::Refused(crate::domain::checklist::Refusal::SameAssignee(step, user))) => {
                View::sentence(Line::new().say("Already assigned to ").person(&user).say(format!(": {step}.")))
            }
            Failure::Change(ChangeError::Refused(refusal)) => View::sentence(refusal.line()),
            Failure::Change(error) => View::sentence(Line::marked(&error.to_string())),
            Failure::Request(approvals::ChangeError::Refused(Refusal::Decided { what, by, at, reason })) => {
                let line = Line::new().say(format!("Already {what} by "));
                let line = match &by {
                    Actor::Person(user) => line.person(user),
                    Actor::Bot => line.say("the bot"),
                };
                let line = line.say(" · ").moment(at);
                View::sentence(match reason {
                    Some(reason) => line.say(format!(". Reason: {}", shown(&reason, 300))),
                    None => line.say("."),
                })
            }
            Failure::Rules(crate::state::rules::ChangeError::Store(error))
            | Failure::Plan(crate::state::plans::ChangeError::Store(error))
            | Failure::Request(approvals::ChangeError::Store(error)) => {
                Failure::Change(ChangeError::Store(error)).view(said, wording, region)
            }
            Failure::Rules(crate::state::rules::ChangeError::Refused(refusal)) => View::sentence(refusal.line()),
            // Names in it are anybody's words: no markup.
            Failure::Plan(error) => View::sentence(error.to_string()),
            Failure::Rules(error) => View::sentence(Line::marked(&error.to_string())),
            Failure::Request(error) => View::sentence(Line::marked(&error.to_string())),
            Failure::Wrong(problem) => {
                let usage = Line::new().say("Usage: ").code(said.spec.usage());
                View::sentence(problem.text).line(usage).note("Nothing was asked.")
            }
            Failure::Chat(error) => {
                let reference = reference();
                warn!(reference, %error, command = said.spec.name, "the chat platform failed");
                View::sentence(format!("I could not find out who may approve this ({error}), so I did nothing."))
                    .line(Line::marked(&error.advice(wording)))
                    .note(format!("Reference for your bot administrator: {reference}"))
            }
            Failure::Sekoia(error) => {
                let reference = reference();
                warn!(reference, %error, command = said.spec.name, "Sekoia failed");
                let mut view = View::sentence(format!("{error}.")).line(error.advice(region));
                if said.command.changes() {
                    view = view.line("Nothing was changed.");
                }
                view.note(format!("Reference for your bot administrator: {reference}")).controls(ways_on(&said.command))
            }
        }
    }
}

/// What can be pressed after Sekoia failed.
fn ways_on(command: &Command) -> Vec<Control> {
    match command {
        Command::Done { step, .. } => {
            vec![Control::button("Try again", format!("done {}", step.name())), cards::on_my_word(*step)]
        }
        Command::Step { step, .. } => vec![Control::button("Try again", format!("step {} check", step.name()))],
        Command::Subscription { .. } => vec![Control::button("Try again", "subscription")],
        Command::Region => vec![Control::button("Try again", "region")],
        Command::Communities { .. } => vec![Control::button("Try again", "communities")],
        Command::Roles { .. } => vec![Control::button("Try again", "roles")],
        Command::Users { .. } => vec![Control::button("Try again", "users")],
        Command::Keys { .. } => vec![Control::button("Try again", "keys")],
        _ => Vec::new(),
    }
}

/// A sentence for somebody who pressed or typed something that leads nowhere.
pub fn instead(line: impl Into<Line>) -> Failure {
    Failure::Instead(Box::new(View::sentence(line)))
}
