//! What a workspace should be: the plan of a channel, and how it may change.
//!
//! Pure: no clock, no I/O. [`decide()`] turns a command into events or refuses it with a reason,
//! [`ChannelPlan::apply`] is the only way in which an event changes the state. What Sekoia has
//! instead is compared in `difference`; what that means for a step is `checklist`'s.

mod decide;
pub mod difference;
mod event;
pub mod file;
mod part;
mod present;
pub mod template;
mod verdict;

pub use decide::{Command, Refusal, decide};
pub use event::{Event, Recorded};
pub use part::Part;
pub use present::Present;
pub use verdict::{public, verdict};

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::text::fold;
use crate::chat::{Change, UserId};
use crate::domain::notify::Trigger;

/// What a plan asks for. A part that is none says nothing; one that is empty says that there should
/// be nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Products and modules, as Sekoia's licences call them or the beginning of that: `Defend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<Box<str>>>,
    /// Sekoia's code of it: `FRA1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Box<str>>,
    /// Under the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communities: Option<Vec<PlannedCommunity>>,
    /// Of the channel's community.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<PlannedRole>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Vec<PlannedPerson>>,
    /// Of the channel's community.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<PlannedKey>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Vec<Trigger>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardening: Option<Hardening>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCommunity {
    pub name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRole {
    pub name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Box<str>>,
    /// Titles or names of Sekoia's permissions; none: a role that Sekoia brings, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<Box<str>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPerson {
    /// Lower case, an international domain in its stored form.
    pub address: Box<str>,
    /// A role's name; of somebody with several custom roles, their names with commas between.
    pub role: Box<str>,
    /// Names; none: the channel's community.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<Box<str>>,
}

/// One key for one use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedKey {
    pub name: Box<str>,
    /// A preset of permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Box<str>>,
    /// Further permissions, by title or name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Box<str>>,
    #[serde(default)]
    pub expires: Lifetime,
    /// Who gets to see it and keeps it; none: who asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
}

/// How long a key is to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// From the day on which it is made.
    Days(u16),
    On(Date),
    Never,
}

/// What nobody said.
pub const DEFAULT_LIFE_DAYS: u16 = 180;

impl Default for Lifetime {
    fn default() -> Self {
        Lifetime::Days(DEFAULT_LIFE_DAYS)
    }
}

/// Settings of the channel's community; one that is none says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hardening {
    /// MFA is enforced for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// Minutes after which a session ends, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_timeout: Option<u32>,
    /// Accounts that were not used for 90 days are disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_accounts: Option<bool>,
    /// Everybody logs in through the organisation's identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sso: Option<bool>,
}

/// The template that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub template: Box<str>,
    pub parameters: BTreeMap<Box<str>, Box<str>>,
}

/// The plan of a channel, with who said of which part that it is all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChannelPlan {
    #[serde(default)]
    pub plan: Plan,
    /// A part that is not in it is open, whatever is in the plan: nobody said that this is all.
    #[serde(default)]
    pub complete: BTreeMap<Part, Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Requests whose things came to the plan, the latest: what somebody took out since stays out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Box<str>>,
}

pub const MOST_COMMUNITIES: usize = 100;
pub const MOST_ROLES: usize = 100;
/// As many as one request invites.
pub const MOST_PEOPLE: usize = crate::domain::action::MOST_ADDRESSES;
pub const MOST_KEYS: usize = 100;

impl ChannelPlan {
    /// Whether nobody said of this part that it is all.
    pub fn is_open(&self, part: Part) -> bool {
        !self.complete.contains_key(&part)
    }

    pub fn is_empty(&self) -> bool {
        self.plan == Plan::default() && self.complete.is_empty()
    }
}

impl Plan {
    /// The parts that it speaks of.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| self.count(*part).is_some())
    }

    /// How many things a part names; none if it says nothing.
    pub fn count(&self, part: Part) -> Option<usize> {
        match part {
            Part::Products => self.products.as_ref().map(Vec::len),
            Part::Region => self.region.as_ref().map(|_| 1),
            Part::Communities => self.communities.as_ref().map(Vec::len),
            Part::Roles => self.roles.as_ref().map(Vec::len),
            Part::People => self.people.as_ref().map(Vec::len),
            Part::Keys => self.keys.as_ref().map(Vec::len),
            Part::Notifications => self.triggers.as_ref().map(Vec::len),
            Part::Hardening => self.hardening.as_ref().map(|_| 1),
        }
    }

    /// Takes over what `other` says of a part, nothing included.
    pub fn replace(&mut self, part: Part, other: &Plan) {
        match part {
            Part::Products => self.products.clone_from(&other.products),
            Part::Region => self.region.clone_from(&other.region),
            Part::Communities => self.communities.clone_from(&other.communities),
            Part::Roles => self.roles.clone_from(&other.roles),
            Part::People => self.people.clone_from(&other.people),
            Part::Keys => self.keys.clone_from(&other.keys),
            Part::Notifications => self.triggers.clone_from(&other.triggers),
            Part::Hardening => self.hardening = other.hardening,
        }
    }

    /// Adds what `other` names, in the place of what has the same name.
    pub fn merge(&mut self, other: &Plan) {
        self.take_in(other, true);
    }

    /// Adds what `other` names and is not there yet.
    pub fn join(&mut self, other: &Plan) {
        self.take_in(other, false);
    }

    fn take_in(&mut self, other: &Plan, replace: bool) {
        merge(&mut self.products, other.products.as_deref(), replace, |name| fold(name));
        if other.region.is_some() && (replace || self.region.is_none()) {
            self.region.clone_from(&other.region);
        }
        merge(&mut self.communities, other.communities.as_deref(), replace, |c| fold(&c.name));
        merge(&mut self.roles, other.roles.as_deref(), replace, |r| fold(&r.name));
        merge(&mut self.people, other.people.as_deref(), replace, |p| p.address.to_string());
        merge(&mut self.keys, other.keys.as_deref(), replace, |k| fold(&k.name));
        merge(&mut self.triggers, other.triggers.as_deref(), replace, |t| t.spec().words.to_owned());
        if let Some(other) = other.hardening {
            let own = self.hardening.get_or_insert_default();
            let (first, then) = if replace { (other, *own) } else { (*own, other) };
            own.mfa = first.mfa.or(then.mfa);
            own.session_timeout = first.session_timeout.or(then.session_timeout);
            own.inactive_accounts = first.inactive_accounts.or(then.inactive_accounts);
            own.sso = first.sso.or(then.sso);
        }
    }

    /// Whether the two say different things of a part.
    pub fn differs(&self, other: &Plan, part: Part) -> bool {
        let mut same = self.clone();
        same.replace(part, other);
        same != *self
    }

    /// A short fingerprint: whether this is still what somebody looked at.
    pub fn print(&self) -> String {
        // Own types: strings, numbers and lists.
        let json = serde_json::to_vec(self).expect("own types serialize");
        hex::encode(&Sha256::digest(json)[..4])
    }

    /// Takes one thing out; false if it is not there.
    pub fn remove(&mut self, part: Part, name: &str) -> bool {
        let wanted = fold(name);
        match part {
            Part::Products => take_out(&mut self.products, |p| fold(p) == wanted),
            Part::Region => self.region.take_if(|region| fold(region) == wanted).is_some(),
            Part::Communities => take_out(&mut self.communities, |c| fold(&c.name) == wanted),
            Part::Roles => take_out(&mut self.roles, |r| fold(&r.name) == wanted),
            Part::People => take_out(&mut self.people, |p| fold(&p.address) == wanted),
            Part::Keys => take_out(&mut self.keys, |k| fold(&k.name) == wanted),
            Part::Notifications => take_out(&mut self.triggers, |t| Trigger::find(name) == Some(*t)),
            Part::Hardening => self.hardening.take_if(|h| h.clear(&wanted)).is_some(),
        }
    }

    /// What its things are called.
    pub fn names(&self, part: Part) -> Vec<&str> {
        fn all<T>(of: Option<&Vec<T>>, name: impl Fn(&T) -> &str) -> Vec<&str> {
            of.map(|all| all.iter().map(name).collect()).unwrap_or_default()
        }
        match part {
            Part::Products => all(self.products.as_ref(), |p| p),
            Part::Region => self.region.as_deref().into_iter().collect(),
            Part::Communities => all(self.communities.as_ref(), |c| &c.name),
            Part::Roles => all(self.roles.as_ref(), |r| &r.name),
            Part::People => all(self.people.as_ref(), |p| &p.address),
            Part::Keys => all(self.keys.as_ref(), |k| &k.name),
            Part::Notifications => all(self.triggers.as_ref(), |t| t.spec().words),
            Part::Hardening => self.hardening.map(Hardening::said).unwrap_or_default(),
        }
    }
}

impl PlannedRole {
    /// A role that Sekoia brings, as it is.
    pub fn as_it_is(name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), about: None, permissions: None }
    }
}

impl Hardening {
    pub const MFA: &str = "mfa";
    pub const SESSION_TIMEOUT: &str = "session-timeout";
    pub const INACTIVE_ACCOUNTS: &str = "inactive-accounts";
    pub const SSO: &str = "sso";

    /// The names of what it says something of.
    pub fn said(self) -> Vec<&'static str> {
        [
            (self.mfa.is_some(), Self::MFA),
            (self.session_timeout.is_some(), Self::SESSION_TIMEOUT),
            (self.inactive_accounts.is_some(), Self::INACTIVE_ACCOUNTS),
            (self.sso.is_some(), Self::SSO),
        ]
        .into_iter()
        .filter_map(|(said, name)| said.then_some(name))
        .collect()
    }

    /// Forgets one setting; true if none is left.
    fn clear(&mut self, name: &str) -> bool {
        match name {
            Self::MFA => self.mfa = None,
            Self::SESSION_TIMEOUT => self.session_timeout = None,
            Self::INACTIVE_ACCOUNTS => self.inactive_accounts = None,
            Self::SSO => self.sso = None,
            _ => {}
        }
        self.said().is_empty()
    }
}

fn merge<T: Clone>(own: &mut Option<Vec<T>>, other: Option<&[T]>, replace: bool, key: impl Fn(&T) -> String) {
    let Some(other) = other else { return };
    let own = own.get_or_insert_default();
    let mut places: std::collections::HashMap<String, usize> =
        own.iter().enumerate().map(|(at, thing)| (key(thing), at)).collect();
    for thing in other {
        match places.get(&key(thing)) {
            Some(at) if replace => own[*at] = thing.clone(),
            Some(_) => {}
            None => {
                places.insert(key(thing), own.len());
                own.push(thing.clone());
            }
        }
    }
}

fn take_out<T>(all: &mut Option<Vec<T>>, is: impl Fn(&T) -> bool) -> bool {
    let Some(all) = all else { return false };
    let before = all.len();
    all.retain(|thing| !is(thing));
    all.len() < before
}
