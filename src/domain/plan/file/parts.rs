//! Products, region, communities, notifications and hardening of a file.

use std::collections::HashMap;

use toml::de::DeTable;

use super::Named;
use super::reader::{At, Kind, Reader};
use crate::chat::text::{fold, shown};
use crate::domain::action::{Bounds, COMMUNITY_BOUNDS, description};
use crate::domain::notify::{TRIGGERS, Trigger};
use crate::domain::plan::{Hardening, MOST_COMMUNITIES, Part, PlannedCommunity};
use crate::sekoia::Region;

/// What is said of a community under another one.
pub(super) const ONE_LEVEL: &str =
    "Sekoia's communities all stand directly under the workspace: leave out \"under\" here.";

/// Characters of a product's name.
const PRODUCT: usize = 100;
/// The longest time-out that makes sense: a year, in minutes.
const LONGEST_SESSION: u64 = 366 * 1_440;

impl Reader<'_> {
    pub(super) fn products(&mut self, table: &DeTable<'_>) -> Option<Vec<Box<str>>> {
        let mut seen = HashMap::new();
        let mut products = Vec::new();
        for (at, text) in self.texts(table, "products", "Defend Prime")? {
            let Some(name) = self.name(at, "product", text, PRODUCT) else { continue };
            if self.is_first(&mut seen, (at, &name), |_| "Name each product once.".into()) {
                products.push(name);
            }
        }
        Some(products)
    }

    pub(super) fn region(&mut self, table: &DeTable<'_>) -> Option<Box<str>> {
        let (at, text) = self.text(table, "region", "FRA1")?;
        let Ok(region) = text.parse::<Region>() else {
            let instead = self.instead(text, Region::ALL.into_iter().map(Region::name));
            self.fault(at, format!("\"{}\" is no region of Sekoia.{instead}", shown(text, 60)));
            return None;
        };
        Some(region.name().into())
    }

    /// A name as the rest of the program takes it.
    pub(super) fn name(&mut self, at: usize, what: &'static str, text: &str, most: usize) -> Option<Box<str>> {
        let name = crate::domain::action::name("name", what, text, most);
        name.map_err(|problem| self.fault(at, problem.text.plain())).ok()
    }

    pub(super) fn communities(&mut self, table: &DeTable<'_>) -> Option<Vec<PlannedCommunity>> {
        const KIND: Kind = Kind { one: "a community", fields: &["name", "about", "under"] };
        let tables = self.tables(table, Part::Communities, MOST_COMMUNITIES)?;
        let mut seen = HashMap::new();
        let mut communities = Vec::new();
        let mut parents: Vec<At<(Box<str>, &str)>> = Vec::new();
        for (start, community) in tables {
            self.only(community, &KIND);
            let name = self.needed((start, community), &KIND, "name", "Bank North");
            let about = self.text(community, "about", "The northern branches");
            let under = self.text(community, "under", "Bank");
            let Some((at, text)) = name else { continue };
            let Some((name, about)) = self.named(at, "community", COMMUNITY_BOUNDS, text, about) else { continue };
            if !self.is_first(&mut seen, (at, &name), |_| "Name each community once.".into()) {
                continue;
            }
            parents.extend(under.map(|(at, under)| (at, (name.clone(), under))));
            communities.push(PlannedCommunity { name, about });
        }
        self.under(&parents, &seen);
        Some(communities)
    }

    /// A name and what is said about it, within the bounds of what makes it.
    pub(super) fn named(
        &mut self,
        at: usize,
        what: &'static str,
        bounds: Bounds,
        text: &str,
        about: Option<At<&str>>,
    ) -> Option<(Box<str>, Option<Box<str>>)> {
        let about = about.filter(|(_, about)| !about.trim().is_empty());
        let about = about.and_then(|(at, about)| {
            description(about, bounds.about).map_err(|problem| self.fault(at, problem.text.plain())).ok()
        });
        Some((self.name(at, what, text, bounds.name)?, about))
    }

    /// What stands under something: there is but one level.
    fn under(&mut self, parents: &[At<(Box<str>, &str)>], known: &HashMap<String, usize>) {
        let above: HashMap<String, String> =
            parents.iter().map(|(_, (name, under))| (fold(name), fold(under))).collect();
        let circles = circles(&above);
        for (owner, (at, (name, under))) in parents.iter().enumerate() {
            let (name, parent) = (fold(name), fold(under));
            let under = shown(under, 60);
            if circles.contains(name.as_str()) {
                let what =
                    if name == parent { "itself".into() } else { format!("\"{under}\", which leads back to it") };
                self.fault(*at, format!("This community stands under {what}. {ONE_LEVEL}"));
            } else if known.contains_key(&parent) {
                self.fault(*at, format!("No community can stand under \"{under}\". {ONE_LEVEL}"));
            } else {
                self.parents.push(Named { at: *at, name: under.into(), owner });
            }
        }
    }

    pub(super) fn notifications(&mut self, table: &DeTable<'_>) -> Option<Vec<Trigger>> {
        const KIND: Kind = Kind { one: "notifications", fields: &["triggers"] };
        let (start, inner) = self.table(table, "notifications")?;
        self.only(inner, &KIND);
        let Some(texts) = self.texts(inner, "triggers", "alert") else {
            if !inner.contains_key("triggers") {
                self.missing(start, "[notifications] needs \"triggers\". Add triggers = [\"alert\"].".into());
            }
            return None;
        };
        let mut seen = HashMap::new();
        let mut triggers = Vec::new();
        for (at, text) in texts {
            let Some(trigger) = Trigger::find(text) else {
                let instead = self.instead(text, TRIGGERS.iter().map(|spec| spec.words));
                self.fault(at, format!("\"{}\" is no trigger.{instead}", shown(text, 60)));
                continue;
            };
            if self.is_first(&mut seen, (at, trigger.spec().words), |_| "Name each trigger once.".into()) {
                triggers.push(trigger);
            }
        }
        Some(triggers)
    }

    pub(super) fn hardening(&mut self, table: &DeTable<'_>) -> Option<Hardening> {
        const KIND: Kind = Kind { one: "hardening", fields: &["mfa", "session_timeout", "inactive_accounts", "sso"] };
        let (start, inner) = self.table(table, "hardening")?;
        self.only(inner, &KIND);
        if inner.is_empty() {
            self.missing(start, "[hardening] says nothing. Add mfa = true, or remove it.".into());
            return None;
        }
        Some(Hardening {
            mfa: self.switch(inner, "mfa"),
            session_timeout: self.session_timeout(inner),
            inactive_accounts: self.switch(inner, "inactive_accounts"),
            sso: self.switch(inner, "sso"),
        })
    }

    fn session_timeout(&mut self, table: &DeTable<'_>) -> Option<u32> {
        let (at, text) = self.text(table, "session_timeout", "8h")?;
        let time = humantime::parse_duration(text.trim()).ok();
        let whole = time.filter(|time| time.subsec_nanos() == 0 && time.as_secs().is_multiple_of(60));
        let whole = whole.map(|time| time.as_secs() / 60).filter(|minutes| (1..=LONGEST_SESSION).contains(minutes));
        let whole = whole.and_then(|minutes| u32::try_from(minutes).ok());
        if whole.is_none() {
            let text = shown(text, 60);
            self.fault(
                at,
                format!("\"{text}\" is no such time. Write whole minutes, hours or days: \"30m\", \"8h\", \"7d\"."),
            );
        }
        whole
    }
}

/// Those whose way up leads back to them. Each is looked at once.
fn circles(above: &HashMap<String, String>) -> std::collections::HashSet<&str> {
    let mut circles = std::collections::HashSet::new();
    let mut walked: HashMap<&str, usize> = HashMap::new();
    for (walk, start) in above.keys().enumerate() {
        let mut at = start.as_str();
        let mut way = Vec::new();
        while let Some((name, parent)) = above.get_key_value(at) {
            match walked.get(name.as_str()) {
                Some(of) if *of == walk => {
                    let from = way.iter().position(|on| *on == name.as_str()).unwrap_or(way.len());
                    circles.extend(&way[from..]);
                    break;
                }
                Some(_) => break,
                None => walked.insert(name, walk),
            };
            way.push(name.as_str());
            at = parent;
        }
    }
    circles
}
