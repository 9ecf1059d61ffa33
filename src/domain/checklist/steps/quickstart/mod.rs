//! After step 7: what of each licensed product's quick start is there.
//!
//! The points are those of Sekoia's own quick starts; each is verified as far as the API tells, and says so where
//! it does not.

mod stands;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use stands::{Defend, Elevate, Intelligence, Reveal, Silent};

use super::Finding;
use super::subscription::{is_active, module, product};
use crate::chat::text::fold;
use crate::sekoia::Licence;

/// A product or module with a quick start of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    Defend,
    Intelligence,
    Reveal,
    Elevate,
}

/// A point of a quick start, as Sekoia's documentation has it.
pub struct Point {
    pub title: &'static str,
    /// Who does it and how long it takes, as Sekoia estimates it; empty where it gives no time.
    pub effort: &'static str,
}

const fn point(title: &'static str, effort: &'static str) -> Point {
    Point { title, effort }
}

impl Product {
    pub const ALL: [Self; 4] = [Self::Defend, Self::Intelligence, Self::Reveal, Self::Elevate];

    pub fn name(self) -> &'static str {
        match self {
            Self::Defend => "Defend",
            Self::Intelligence => "Intelligence",
            Self::Reveal => "Reveal",
            Self::Elevate => "Elevate",
        }
    }

    /// How long its quick start takes in all; empty where Sekoia gives no time.
    pub fn duration(self) -> &'static str {
        match self {
            Self::Defend => "about an hour and a half",
            Self::Intelligence => "half an hour",
            Self::Reveal | Self::Elevate => "",
        }
    }

    pub fn points(self) -> &'static [Point] {
        const DEFEND: [Point; 5] = [
            point("Connect a first source", "Admin, or intake permissions; 10–20 min"),
            point("Check that events arrive", "5–10 min"),
            point("Enable detection rules", "10–15 min"),
            point("Triage a first alert", "15–30 min"),
            point("Automate with a playbook", "15–20 min"),
        ];
        const INTELLIGENCE: [Point; 2] =
            [point("Explore the threat database", "15–20 min"), point("Investigate, and pass reports on", "15–20 min")];
        const REVEAL: [Point; 1] =
            [point("Discover assets: switch the module on for each community that should, and connect a source", "")];
        const ELEVATE: [Point; 1] = [point(
            "Let an agent investigate: decide who may spend the monthly runs, and switch it on for one community first",
            "Settings > AI agents; off by default",
        )];
        match self {
            Self::Defend => &DEFEND,
            Self::Intelligence => &INTELLIGENCE,
            Self::Reveal => &REVEAL,
            Self::Elevate => &ELEVATE,
        }
    }
}

/// How a point stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    There(String),
    /// What is missing, and what to do.
    Missing(String),
    /// No API tells, or not to this key.
    Unknown(String),
}

/// The products whose quick starts a workspace has use for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Licensed {
    pub defend: bool,
    pub intelligence: bool,
    pub reveal: bool,
    pub elevate: bool,
}

impl Licensed {
    /// By the words of the active licences; Sekoia documents no identifiers. Where no word is known, it
    /// is taken for Defend: nothing that may be licensed is called inactive.
    pub fn of(licences: &[Licence], now: Timestamp) -> Self {
        let active = licences.iter().filter(|licence| is_active(licence, now));
        let names = active.map(|l| fold(&format!("{} {}", product(l), module(l).unwrap_or_default())));
        let names: Vec<String> = names.collect();
        let any = |words: &[&str]| names.iter().any(|name| words.iter().any(|word| name.contains(word)));
        let (reveal, elevate) = (any(&["reveal"]), any(&["elevate"]));
        let intelligence = any(&["intelligence", "cti"]);
        // Reveal and Elevate need Defend; Intelligence stands alone.
        let defend = any(&["defend", "xdr"]) || reveal || elevate || !intelligence;
        Self { defend, intelligence, reveal, elevate }
    }

    pub fn has(self, product: Product) -> bool {
        match product {
            Product::Defend => self.defend,
            Product::Intelligence => self.intelligence,
            Product::Reveal => self.reveal,
            Product::Elevate => self.elevate,
        }
    }

    pub fn products(self) -> Vec<Product> {
        Product::ALL.into_iter().filter(|product| self.has(*product)).collect()
    }
}

/// What Sekoia tells of each licensed product; of one that is not licensed, nothing was asked.
#[derive(Debug, Default)]
pub struct Facts {
    pub defend: Option<Defend>,
    pub intelligence: Option<Intelligence>,
    pub reveal: Option<Reveal>,
    pub elevate: Option<Elevate>,
}

impl Facts {
    /// How each point of a product stands, in their order; none if it is not licensed.
    pub fn stands(&self, product: Product) -> Option<Vec<Stands>> {
        match product {
            Product::Defend => self.defend.as_ref().map(Defend::stands),
            Product::Intelligence => self.intelligence.as_ref().map(Intelligence::stands),
            Product::Reveal => self.reveal.as_ref().map(|reveal| vec![reveal.stands()]),
            Product::Elevate => self.elevate.as_ref().map(|elevate| vec![elevate.stands()]),
        }
    }

    /// Confirmed when every point of every licensed product is there that the API tells of.
    pub fn finding(&self) -> Finding {
        let (mut there, mut missing, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for product in Product::ALL {
            let mut of_product = Vec::new();
            for (point, stands) in product.points().iter().zip(self.stands(product).into_iter().flatten()) {
                match stands {
                    Stands::There(what) => of_product.push(what),
                    Stands::Missing(what) => missing.push(what),
                    Stands::Unknown(why) => {
                        let title = point.title.split(':').next().unwrap_or(point.title);
                        unknown.push(format!("only you can tell of \"{title}\": {why}"));
                    }
                }
            }
            if !of_product.is_empty() {
                there.push(format!("{}: {}", product.name(), of_product.join(", ")));
            }
        }
        if missing.is_empty() && there.is_empty() {
            return Finding::CannotTell { why: unknown.join("; ") };
        }
        let summary = if there.is_empty() { "nothing yet".to_owned() } else { there.join("; ") };
        if !missing.is_empty() {
            return Finding::Wanting { summary, missing };
        }
        let defend = self.defend.as_ref();
        let mut exceptions = defend.map(Defend::exceptions).unwrap_or_default();
        exceptions.extend(unknown);
        Finding::confirmed(summary, exceptions, defend.map(Defend::facts).unwrap_or_default())
    }
}
