//! What a plan asks for against what Sekoia has, a line for each thing.
//!
//! Names are compared as people compare them ([`fold()`](crate::chat::text::fold)). Every function
//! takes each list once: a plan of hundreds of people and keys costs as much as reading it.

mod catalogue;
mod communities;
mod hardening;
mod keys;
mod people;
mod products;
mod roles;
mod triggers;

pub(super) use catalogue::{Catalogue, Known};
pub use communities::communities;
pub use hardening::hardening;
pub use keys::keys;
pub use people::people;
pub use products::{products, region};
pub use roles::roles;
pub use triggers::triggers;

use super::Part;
use crate::chat::text::{count, shown};

/// How something stands to the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Planned, and not there.
    Create,
    /// There, and not as planned.
    Change,
    /// There as planned.
    There,
    /// On its way, or Sekoia does not say: no change of the plan or of Sekoia is due.
    Waiting,
    /// There, and not in the plan. Nothing is ever removed because of it.
    Extra,
}

/// One thing of a plan or of Sekoia.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    pub mark: Mark,
    pub part: Part,
    /// A name or an address, as it stands in the plan; of what is not planned, as Sekoia has it.
    /// Not made harmless yet.
    pub what: Box<str>,
    /// What is to be known of it, made harmless.
    pub detail: Option<Box<str>>,
}

impl Mark {
    /// The sign before its line.
    pub fn sign(self) -> char {
        match self {
            Mark::Create => '+',
            Mark::Change => '~',
            Mark::There => '=',
            Mark::Waiting => '…',
            Mark::Extra => '-',
        }
    }
}

impl Line {
    fn new(mark: Mark, part: Part, what: &str) -> Self {
        Self { mark, part, what: what.into(), detail: None }
    }

    fn because(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Names as they stand in a detail, at most so many.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    let listed: Vec<String> = names.iter().take(MOST).map(|name| shown(name, 60)).collect();
    match names.len().saturating_sub(MOST) {
        0 => listed.join(", "),
        more => format!("{} and {}", listed.join(", "), count(more, "other", "others")),
    }
}
