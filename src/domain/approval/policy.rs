//! Who has to agree to what, as configured.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Notify;
use super::remind::{When, moments};
use crate::domain::access::Principal;
use crate::domain::action::{Action, BundlePart, Kind};
use crate::domain::working_time::WorkingTime;

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
    /// Who may ask for this kind of action; none: the operators.
    pub requesters: Option<Vec<Principal>>,
    /// How those who can decide it hear of it.
    pub notify: Notify,
    /// When they are reminded of it.
    pub remind: Vec<When>,
    /// Whether who approves proves at the identity provider who they are.
    pub second_factor: bool,
    /// Where the secret of a new key is shown.
    pub reveal: Reveal,
    /// When a request that is not decided is escalated; none: never.
    pub escalate_after: Option<Duration>,
    /// Who counts as an approver of it from then on. Nobody, if it never is.
    pub escalate_to: Vec<Principal>,
}

/// `reveal` of the actions that make a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reveal {
    /// In a form of the chat.
    #[default]
    Chat,
    /// On a page of the bot's own, after a proof of who looks at it.
    Page,
}

impl Reveal {
    pub const ALL: [Reveal; 2] = [Reveal::Chat, Reveal::Page];

    pub fn name(self) -> &'static str {
        match self {
            Reveal::Chat => "chat",
            Reveal::Page => "page",
        }
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            required: 1,
            required_sensitive: 2,
            self_approval: false,
            ttl: Duration::from_hours(24),
            approvers: None,
            requesters: None,
            notify: Notify::default(),
            remind: When::USUAL.to_vec(),
            second_factor: false,
            reveal: Reveal::default(),
            escalate_after: None,
            escalate_to: Vec::new(),
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
    /// When approvers may be reminded.
    pub working: WorkingTime,
}

impl Policy {
    pub fn rule(&self, kind: Kind) -> &Rule {
        self.per.get(&kind).unwrap_or(&self.usual)
    }

    /// The kinds whose rules count for an action: its own; of a bundle, its parts', and that of a
    /// bundle where it has one.
    pub fn kinds(&self, action: &Action) -> Vec<Kind> {
        let own = action.kind();
        if !action.is_bundle() {
            return vec![own];
        }
        let mut kinds: Vec<Kind> = action.parts().iter().map(BundlePart::kind).collect();
        kinds.extend(self.per.contains_key(&own).then_some(own));
        kinds.sort();
        kinds.dedup();
        kinds
    }

    /// How many have to approve an action, and whose rule says so: of a bundle, that of the part
    /// which needs most.
    pub fn needed(&self, action: &Action, sensitive: bool) -> (u8, Kind) {
        let of = |kind: Kind, sensitive: bool| (self.rule(kind).needed(sensitive), kind);
        let parts = action.parts().iter().map(|part| of(part.kind(), part.is_sensitive()));
        let own = self.kinds(action).into_iter().filter(|kind| *kind == action.kind());
        let all = parts.chain(own.map(|kind| of(kind, sensitive)));
        all.max_by_key(|(needed, _)| *needed).unwrap_or_else(|| of(action.kind(), sensitive))
    }

    /// Whether who asks may be one of those who approve: by every rule that counts.
    pub fn self_approval(&self, action: &Action) -> bool {
        self.kinds(action).into_iter().all(|kind| self.rule(kind).self_approval)
    }

    /// Whether anybody but the operators may ask for this action.
    pub fn has_requesters(&self, action: &Action) -> bool {
        self.kinds(action).into_iter().any(|kind| self.rule(kind).requesters.is_some())
    }

    /// The kinds that a person who begins to ask for this kind has to be allowed: of a plan whose parts are not
    /// looked up yet, its own if it has a rule, or none if a part may have requesters.
    pub fn kinds_at_first(&self, kind: Kind) -> Vec<Kind> {
        let may_follow = self.per.values().any(|rule| rule.requesters.is_some());
        if kind == Kind::Plan && !self.per.contains_key(&kind) && may_follow { Vec::new() } else { vec![kind] }
    }

    /// How those who can decide hear of it: by every way of the rules that count.
    pub fn notify(&self, action: &Action) -> Notify {
        let all = self.kinds(action).into_iter().map(|kind| self.rule(kind).notify);
        all.reduce(Notify::and).unwrap_or_default()
    }

    /// When those who have not voted are reminded: by every rule that counts and lets them hear of it.
    pub fn reminders(&self, action: &Action, asked: Timestamp, expires: Timestamp) -> Vec<Timestamp> {
        let rules = self.kinds(action).into_iter().map(|kind| self.rule(kind));
        let heard = rules.filter(|rule| rule.notify != Notify::None);
        let all: Vec<When> = heard.flat_map(|rule| rule.remind.iter().copied()).collect();
        moments(&all, asked, expires)
    }

    /// Whether who approves proves who they are: if any rule that counts wants it.
    pub fn second_factor(&self, action: &Action) -> bool {
        self.kinds(action).into_iter().any(|kind| self.rule(kind).second_factor)
    }

    /// Where the secret that an action makes is shown.
    pub fn reveal(&self, action: &Action) -> Reveal {
        self.rule(action.kind()).reveal
    }

    /// Whether anything rests on an identity provider.
    pub fn needs_identities(&self) -> bool {
        let wants = |rule: &Rule| rule.second_factor || rule.reveal == Reveal::Page;
        wants(&self.usual) || self.per.values().any(wants)
    }

    /// After how long it is escalated: the shortest time of the rules that count.
    pub fn escalate_after(&self, action: &Action) -> Option<Duration> {
        self.kinds(action).into_iter().filter_map(|kind| self.rule(kind).escalate_after).min()
    }

    /// To whom, as the settings name them.
    pub fn escalate_to(&self, action: &Action) -> Vec<&Principal> {
        let mut all: Vec<&Principal> = Vec::new();
        for principal in self.kinds(action).into_iter().flat_map(|kind| &self.rule(kind).escalate_to) {
            if !all.contains(&principal) {
                all.push(principal);
            }
        }
        all
    }

    /// How long it waits: the shortest of the rules that count.
    pub fn ttl(&self, action: &Action) -> Duration {
        let times = self.kinds(action).into_iter().map(|kind| self.rule(kind).ttl);
        times.min().unwrap_or(self.usual.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::{BundlePart, Invitee, Named};
    use crate::domain::plan::Lifetime;

    fn bundle(role: &str, expires: Lifetime) -> Action {
        let person = Invitee { address: "a@x.example".into(), role: role.into(), communities: vec!["Nimbus".into()] };
        let (name, description) = (Box::from("siem"), Box::from("Reads the alerts"));
        let key = BundlePart::Key { name, description, permissions: vec![], expires, owner: None };
        let parts = vec![BundlePart::Invite { people: vec![person] }, key];
        Action::Bundle { community: Named::new("c", "Nimbus"), parts }
    }

    fn policy(per: impl IntoIterator<Item = (Kind, Rule)>) -> Policy {
        Policy { per: per.into_iter().collect(), ..Policy::default() }
    }

    #[test]
    fn a_bundle_needs_the_most_of_what_its_parts_need() {
        let key = Rule { required: 1, required_sensitive: 3, ttl: Duration::from_hours(1), ..Rule::default() };
        let policy = policy([(Kind::KeyCreate, key)]);
        let days = Lifetime::Days(30);
        let needed = |action: &Action| policy.needed(action, true).0;
        assert_eq!(needed(&bundle("Guest", days)), 1);
        // Sensitive is each part by itself: an Admin makes no key sensitive.
        assert_eq!(needed(&bundle("Admin", days)), 2);
        assert_eq!(policy.needed(&bundle("Admin", Lifetime::Never), true), (3, Kind::KeyCreate));
        assert_eq!(policy.ttl(&bundle("Guest", days)), Duration::from_hours(1));
    }

    #[test]
    fn a_rule_for_plans_never_loosens_those_of_the_parts() {
        let own = |required| Rule { required, required_sensitive: required, self_approval: true, ..Rule::default() };
        let (loose, strict) = (policy([(Kind::Plan, own(1))]), policy([(Kind::Plan, own(4))]));
        let action = bundle("Admin", Lifetime::Days(30));
        assert_eq!((loose.needed(&action, true).0, strict.needed(&action, true)), (2, (4, Kind::Plan)));
        assert!(!loose.self_approval(&action));
        assert_eq!(loose.kinds(&action), [Kind::Invite, Kind::KeyCreate, Kind::Plan]);
        assert_eq!(Policy::default().kinds(&action), [Kind::Invite, Kind::KeyCreate]);
    }

    #[test]
    fn a_bundle_wants_a_second_factor_if_any_of_its_parts_does() {
        let wants = || Rule { second_factor: true, ..Rule::default() };
        let action = bundle("Guest", Lifetime::Never);
        assert!(!Policy::default().second_factor(&action));
        assert!(!policy([(Kind::RoleCreate, wants())]).second_factor(&action));
        for kind in [Kind::Invite, Kind::KeyCreate, Kind::Plan] {
            assert!(policy([(kind, wants())]).second_factor(&action), "{kind:?}");
        }
    }

    #[test]
    fn a_bundle_is_escalated_by_the_first_of_its_parts_rules() {
        let to = |after, names: &[&str]| Rule {
            escalate_after: Some(Duration::from_hours(after)),
            escalate_to: names.iter().map(|name| name.parse().unwrap()).collect(),
            ..Rule::default()
        };
        let action = bundle("Guest", Lifetime::Never);
        let named = |policy: &Policy| policy.escalate_to(&action).iter().map(ToString::to_string).collect::<Vec<_>>();
        let none = Policy::default();
        assert_eq!((none.escalate_after(&action), named(&none)), (None, vec![]));
        let both = policy([(Kind::Invite, to(4, &["slack:U1", "slack:U2"])), (Kind::KeyCreate, to(2, &["slack:U2"]))]);
        assert_eq!(both.escalate_after(&action), Some(Duration::from_hours(2)));
        assert_eq!(named(&both), ["slack:U1", "slack:U2"]);
    }

    #[test]
    fn whoever_hears_of_nothing_is_not_reminded_either() {
        let asked: Timestamp = "2026-11-26T08:00:00Z".parse().unwrap();
        let expires = asked + Duration::from_hours(24);
        let action = bundle("Guest", Lifetime::Never);
        let moments = |policy: Policy| policy.reminders(&action, asked, expires).len();
        let silent = || Rule { notify: Notify::None, ..Rule::default() };
        assert_eq!(moments(Policy::default()), 2);
        let early = Rule { remind: vec![When::Before(Duration::from_hours(20))], ..Rule::default() };
        assert_eq!(moments(policy([(Kind::Invite, early), (Kind::KeyCreate, silent())])), 1);
        assert_eq!(moments(policy([(Kind::Invite, silent()), (Kind::KeyCreate, silent())])), 0);
    }

    #[test]
    fn who_may_ask_for_a_plan_is_known_when_its_parts_are() {
        let named = || Rule { requesters: Some(vec!["slack:U1".parse().unwrap()]), ..Rule::default() };
        let usual = Policy::default();
        assert_eq!(usual.kinds_at_first(Kind::Plan), [Kind::Plan]);
        assert!(!usual.has_requesters(&bundle("Guest", Lifetime::Never)));
        let part = policy([(Kind::KeyCreate, named())]);
        assert!(part.kinds_at_first(Kind::Plan).is_empty());
        assert_eq!(part.kinds_at_first(Kind::KeyCreate), [Kind::KeyCreate]);
        assert!(part.has_requesters(&bundle("Guest", Lifetime::Never)));
        let both = policy([(Kind::KeyCreate, named()), (Kind::Plan, Rule::default())]);
        assert_eq!(both.kinds_at_first(Kind::Plan), [Kind::Plan]);
    }
}
