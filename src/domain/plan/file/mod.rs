//! A plan as a file: TOML in and out. Reading finds every fault at once, with line and column, and
//! a sentence that says what to write instead.

mod keys;
mod parts;
mod people;
mod places;
mod reader;
mod roles;
mod write;

use std::fmt;

use toml::de::DeTable;

pub(super) use self::places::Places;
use self::reader::Reader;
use super::Plan;
use super::difference::{Catalogue, Known};
use crate::chat::text::{same, shown};
use crate::domain::action::{instead, people as lists};
use crate::sekoia::Permission;

pub(super) use write::escaped;
pub use write::write;

/// Bytes of a file; a plan of as much as may be in one has a third of it.
pub const MOST_BYTES: usize = 256 * 1024;
/// Unknown permissions for which the nearest are looked up.
const SUGGESTIONS: usize = 100;

/// What is wrong at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead, made harmless.
    pub text: String,
}

impl Fault {
    /// Of the file as a whole.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { line: 1, column: 1, text: text.into() }
    }
}

/// `12:8: …`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

/// A plan with the places of what only Sekoia can tell whether it is right.
#[derive(Debug, Clone)]
pub struct Document {
    pub plan: Plan,
    places: Places,
    permissions: Vec<Named>,
    parents: Vec<Named>,
}

/// A name at a place.
#[derive(Debug, Clone)]
struct Named {
    at: usize,
    name: Box<str>,
    /// Which of the roles and keys it belongs to, or of the communities.
    owner: usize,
}

/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn read(text: &str) -> Result<Plan, Vec<Fault>> {
    document(text).map(|document| document.plan)
}

/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn document(text: &str) -> Result<Document, Vec<Fault>> {
    if text.len() > MOST_BYTES {
        return Err(vec![too_large()]);
    }
    let places = Places::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(&places, &errors);
    let plan = reader.plan(table.get_ref());
    let (faults, permissions, parents) = reader.finish();
    if !faults.is_empty() {
        return Err(places.faults(faults));
    }
    Ok(Document { plan, places, permissions, parents })
}

fn too_large() -> Fault {
    let most = MOST_BYTES / 1024;
    Fault::whole(format!("A plan's file may have at most {most} KiB. Split it over several channels."))
}

/// The text of a file: UTF-8, UTF-16 with its mark, otherwise Windows' Western code page.
///
/// # Errors
/// It is no text, or too large.
pub fn decode(bytes: &[u8]) -> Result<String, Fault> {
    if bytes.len() > MOST_BYTES {
        return Err(too_large());
    }
    let save = "Save the plan as plain text in UTF-8 and choose that file.";
    lists::decode_text(bytes, save).map_err(Fault::whole)
}

impl Document {
    /// Permissions that Sekoia does not have or has several of, and those that a role or a key has
    /// by two names.
    pub fn check_permissions(&self, catalogue: &[Permission]) -> Vec<Fault> {
        let known = Catalogue::new(catalogue);
        let mut seen = std::collections::HashMap::new();
        let mut faults = Vec::new();
        let mut suggestions = 0;
        for Named { at, name, owner } in &self.permissions {
            match known.look_up(name) {
                Known::One(permission) => {
                    let line = self.places.line(*at);
                    let same = permission.uuid.as_deref().unwrap_or_else(|| permission.title());
                    if let Some(first) = seen.insert((*owner, same), line) {
                        let name = shown(name, 60);
                        faults.push((*at, format!("\"{name}\" is the permission of line {first}. Name it once.")));
                    }
                }
                Known::Several(several) => {
                    let names: Vec<String> =
                        several.iter().filter_map(|p| p.name.as_deref()).map(|name| shown(name, 60)).collect();
                    let name = shown(name, 60);
                    faults.push((
                        *at,
                        format!("Several permissions are called \"{name}\". Write which: {}.", names.join(", ")),
                    ));
                }
                Known::Nothing => {
                    suggestions += 1;
                    let titles = catalogue.iter().map(Permission::title);
                    let instead = if suggestions > SUGGESTIONS { String::new() } else { instead(name, titles) };
                    let text = format!("Sekoia has no permission called \"{}\". {instead}", shown(name, 60));
                    faults.push((*at, text.trim_end().to_owned()));
                }
            }
        }
        self.places.faults(faults)
    }

    /// Communities that stand under something else than the workspace of this name.
    pub fn check_workspace(&self, workspace: &str) -> Vec<Fault> {
        let others = self.parents.iter().filter(|parent| !same(&parent.name, workspace));
        let fault = |parent: &Named| {
            let (name, workspace) = (shown(&parent.name, 60), shown(workspace, 60));
            (parent.at, format!("\"{name}\" is not this workspace, which is \"{workspace}\". {}", parts::ONE_LEVEL))
        };
        self.places.faults(others.map(fault).collect())
    }
}
