//! Who has to agree to what, as configured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::access::Principal;
use crate::domain::action::Kind;

/// The rule for one kind of action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `CHATOPS_APPROVALS_REQUIRED`.
    pub required: u8,
    /// For a key without expiry and an Admin invitation; never fewer than `required`.
    pub required_sensitive: u8,
    /// `CHATOPS_SELF_APPROVAL`: whether who asks may be one of those who approve.
    pub self_approval: bool,
    /// `CHATOPS_APPROVAL_TTL`.
    pub ttl: Duration,
    /// Instead of `CHATOPS_APPROVERS`, for this kind of action.
    pub approvers: Option<Vec<Principal>>,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            required: 1,
            required_sensitive: 2,
            self_approval: false,
            ttl: Duration::from_hours(24),
            approvers: None,
        }
    }
}

impl Rule {
    pub fn needed(&self, sensitive: bool) -> u8 {
        if sensitive { self.required.max(self.required_sensitive) } else { self.required }
    }
}

/// All rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub usual: Rule,
    /// `[approval.<action>]` of the TOML file.
    pub per: BTreeMap<Kind, Rule>,
}

impl Policy {
    pub fn rule(&self, kind: Kind) -> &Rule {
        self.per.get(&kind).unwrap_or(&self.usual)
    }
}
