//! Planned permissions against those that a role or a key has.

use std::collections::HashMap;

use super::listed;
use crate::chat::text::{fold, natural};
use crate::sekoia::Permission;

/// Sekoia's permissions by what they may be called.
pub(in crate::domain::plan) struct Catalogue<'a> {
    by_name: HashMap<String, &'a Permission>,
    by_title: HashMap<String, Vec<&'a Permission>>,
}

/// What a name or a title led to.
pub(in crate::domain::plan) enum Known<'c, 'a> {
    Nothing,
    One(&'a Permission),
    /// All of them have this title.
    Several(&'c [&'a Permission]),
}

/// What a set of permissions has that was not planned, and the other way round.
#[derive(Default)]
pub(in crate::domain::plan) struct Beside {
    lacks: Vec<Box<str>>,
    excess: Vec<Box<str>>,
}

impl<'a> Catalogue<'a> {
    pub fn new(all: &'a [Permission]) -> Self {
        let by_name = all.iter().filter_map(|p| Some((fold(p.name.as_deref()?), p))).collect();
        let mut by_title: HashMap<String, Vec<&Permission>> = HashMap::new();
        for permission in all {
            let Some(title) = permission.title.as_deref() else { continue };
            by_title.entry(fold(title)).or_default().push(permission);
        }
        Self { by_name, by_title }
    }

    pub fn look_up(&self, called: &str) -> Known<'_, 'a> {
        let called = fold(called);
        match (self.by_name.get(&called), self.by_title.get(&called).map(Vec::as_slice)) {
            (Some(one), _) | (None, Some([one])) => Known::One(one),
            (None, Some(several)) => Known::Several(several),
            (None, None) => Known::Nothing,
        }
    }

    /// `held` against `planned`. What the catalogue does not know is compared by name.
    pub fn compare<'p>(&self, planned: impl Iterator<Item = &'p str>, held: &[Permission]) -> Beside {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (at, permission) in held.iter().enumerate() {
            let names = [&permission.title, &permission.name, &permission.uuid];
            for name in names.into_iter().flatten() {
                places.insert(fold(name), at);
            }
        }
        let mut wanted = vec![false; held.len()];
        let mut beside = Beside::default();
        for called in planned {
            let uuid = match self.look_up(called) {
                Known::One(permission) => permission.uuid.as_deref(),
                Known::Nothing | Known::Several(_) => None,
            };
            match places.get(&fold(uuid.unwrap_or(called))).or_else(|| places.get(&fold(called))) {
                Some(at) => wanted[*at] = true,
                None => beside.lacks.push(called.into()),
            }
        }
        let unwanted = held.iter().zip(&wanted).filter(|(_, wanted)| !**wanted);
        beside.lacks.sort_by_cached_key(|name| natural(name));
        beside.excess = unwanted.map(|(permission, _)| permission.title().into()).collect();
        beside.excess.sort_by_cached_key(|name| natural(name));
        beside
    }
}

impl Beside {
    /// `lacks View alerts; has also Manage intakes`.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.lacks.is_empty() {
            said.push(format!("lacks {}", listed(self.lacks.iter().map(|p| &**p))));
        }
        if !self.excess.is_empty() {
            said.push(format!("has also {}", listed(self.excess.iter().map(|p| &**p))));
        }
        said
    }
}
