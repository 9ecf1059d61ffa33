//! Named sets of permissions, as Sekoia's documentation asks for them by integration.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::chat::text::{Found, find};

/// What an integration needs and no more.
#[derive(Debug, Deserialize)]
pub struct Preset {
    pub id: String,
    pub label: String,
    pub description: String,
    /// Titles of Sekoia's permissions.
    pub titles: Vec<String>,
    /// More of them, which not every workspace has: those that are absent are left out.
    #[serde(default)]
    pub optional: Vec<String>,
    #[serde(default)]
    pub caveat: Option<String>,
}

/// Sources: the permission lines of Sekoia's API reference and its integration pages.
pub static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("presets.json")).expect("presets.json is part of the program and read by a test")
});

impl Preset {
    pub fn find(name: &str) -> Option<&'static Preset> {
        match find(name, &PRESETS, |p| &p.id, |p| &p.label) {
            Found::One(preset) => Some(preset),
            Found::Nothing | Found::Several(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_read_and_named_once() {
        let mut ids: Vec<&str> = PRESETS.iter().map(|p| p.id.as_str()).collect();
        let all = ids.len();
        assert!(all >= 10 && PRESETS.iter().all(|p| !p.titles.is_empty()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(Preset::find(" Read-Alerts ").is_some());
        let mcp = Preset::find("mcp-readonly").unwrap();
        assert_eq!((mcp.titles.len(), mcp.optional.len()), (5, 2));
    }
}
