//! What the table says of a command.

use super::args::Args;
use super::{Command, Fault};
use crate::domain::access::Right;
use crate::domain::checklist::StepId;

/// One row.
pub struct Spec {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// What follows the name.
    pub args: &'static str,
    pub help: &'static str,
    pub example: &'static str,
    pub step: Option<StepId>,
    pub right: Right,
    /// Sekoia permissions of the bot's key, by the name or title that Sekoia gives them.
    pub needs: &'static [&'static str],
    pub(super) parse: fn(&'static Spec, &mut Args<'_>) -> Result<Command, Fault>,
}

impl Spec {
    /// `/sekoia skip <step> <reason>`.
    pub fn usage(&self) -> String {
        let space = if self.args.is_empty() { "" } else { " " };
        format!("/sekoia {}{space}{}", self.name, self.args)
    }
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spec({:?})", self.name)
    }
}

pub(super) const fn row(
    name: &'static str,
    args: &'static str,
    right: Right,
    parse: fn(&'static Spec, &mut Args<'_>) -> Result<Command, Fault>,
    help: &'static str,
    example: &'static str,
) -> Spec {
    Spec { name, aliases: &[], args, help, example, step: None, right, needs: &[], parse }
}

impl Spec {
    pub(super) const fn aka(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn of(mut self, step: StepId) -> Self {
        self.step = Some(step);
        self
    }

    pub(super) const fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }
}
