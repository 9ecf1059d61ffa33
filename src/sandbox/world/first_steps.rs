//! What a product's quick start looks at.

use std::collections::BTreeMap;

use uuid::Uuid;

/// How far a workspace came after it was set up. By community where nothing else is said.
#[derive(Clone, Debug, Default)]
pub struct FirstSteps {
    /// Intakes whose events are not all parsed well.
    pub badly_parsed: Vec<Badly>,
    /// Of Sekoia's own rules, how many of the two first efforts are off.
    pub rules_off: BTreeMap<Uuid, u64>,
    /// Assets that are known.
    pub assets: BTreeMap<Uuid, u64>,
    /// Runs of AI agents.
    pub investigations: BTreeMap<Uuid, u64>,
    /// What passes threat intelligence on.
    pub feeds: Vec<Feed>,
    /// Indicators of one's own.
    pub indicators: BTreeMap<Uuid, u64>,
}

/// Of a thousand events of an intake.
#[derive(Clone, Copy, Debug)]
pub struct Badly {
    /// The intake.
    pub intake: Uuid,
    /// With warnings.
    pub warnings: u64,
    /// Not parsed at all.
    pub invalid: u64,
}

/// A feed of threat intelligence.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Identifier.
    pub uuid: Uuid,
    /// Free text.
    pub title: String,
    /// Whose it is; Sekoia's own is nobody's.
    pub community_uuid: Option<Uuid>,
}
