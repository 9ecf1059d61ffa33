//! What Sekoia and the channel show of one part, and what that means: without a plan, against a plan,
//! and as the proposal of one.

use std::sync::Arc;

use jiff::Timestamp;

use super::difference::{self, Line};
use super::{Hardening, Lifetime, Part, Plan, PlannedCommunity, PlannedKey, PlannedPerson, PlannedRole};
use crate::chat::text::same;
use crate::domain::action::people::normal;
use crate::domain::checklist::steps::{self, Finding};
use crate::domain::notify::{LastFired, Rules, Trigger, Watch};
use crate::sekoia::{ApiKey, Avatar, Community, Licence, Permission, Region, Role};

/// Read once for all that is made of it.
#[derive(Debug, Clone)]
pub enum Present {
    Products(Vec<Licence>),
    Region {
        region: Region,
        api: String,
        /// Where people log in.
        app: String,
        /// The app's address was posted in the channel.
        shared: bool,
    },
    Communities {
        root: Community,
        children: Vec<Community>,
    },
    Roles {
        roles: Vec<Role>,
        /// Of the channel's community, if the key may list them.
        members: Option<Arc<Vec<Avatar>>>,
        /// Empty where no planned role names permissions.
        catalogue: Vec<Permission>,
    },
    /// The channel's community first, then the others that the plan names and Sekoia has.
    People(Vec<(Box<str>, Arc<Vec<Avatar>>)>),
    Keys {
        keys: Vec<ApiKey>,
        /// The bot's own.
        own: Option<Box<str>>,
        /// Asked for or shown, and not confirmed to be saved: the key's name, and what it waits for.
        unsaved: Vec<(Box<str>, Box<str>)>,
        /// Empty where nothing is planned.
        catalogue: Vec<Permission>,
    },
    Notifications {
        rules: Rules,
        fired: LastFired,
    },
    Hardening {
        community: Community,
        members: Option<Arc<Vec<Avatar>>>,
    },
}

impl Present {
    pub fn part(&self) -> Part {
        match self {
            Present::Products(_) => Part::Products,
            Present::Region { .. } => Part::Region,
            Present::Communities { .. } => Part::Communities,
            Present::Roles { .. } => Part::Roles,
            Present::People(_) => Part::People,
            Present::Keys { .. } => Part::Keys,
            Present::Notifications { .. } => Part::Notifications,
            Present::Hardening { .. } => Part::Hardening,
        }
    }

    /// Addresses in the channel's own community whose invitation is not accepted.
    pub fn pending(&self) -> Vec<Box<str>> {
        let Present::People(communities) = self else { return Vec::new() };
        let own = communities.first().map(|(_, members)| members.iter()).into_iter().flatten();
        own.filter(|member| member.is_pending()).filter_map(|member| member.email()).map(Box::from).collect()
    }

    /// What the step's check says. `planned`: a plan says what is needed, so that less may be enough.
    pub fn finding(&self, planned: bool, now: Timestamp) -> Finding {
        match self {
            Present::Products(licences) => steps::subscription::check(licences, now),
            Present::Region { region, api, app, shared } => steps::region::check(*region, api, app, *shared),
            Present::Communities { root, children } => steps::communities::check(root, children, planned),
            Present::Roles { roles, members, .. } => steps::roles::check(roles, slice(members.as_ref())),
            Present::People(communities) => {
                steps::users::check(communities.first().map_or(&[], |(_, members)| members.as_slice()), planned)
            }
            Present::Keys { keys, own, .. } => steps::keys::check(keys, own.as_deref(), now, planned),
            Present::Notifications { rules, fired } => steps::notifications::check(rules, fired, now),
            Present::Hardening { community, members } => steps::hardening::check(community, slice(members.as_ref())),
        }
    }

    /// How this differs from what the plan says of the part; nothing if it says nothing.
    pub fn difference(&self, plan: &Plan, now: Timestamp) -> Vec<Line> {
        match self {
            Present::Products(licences) => {
                plan.products.as_deref().map(|planned| difference::products(planned, licences, now))
            }
            Present::Region { region, .. } => {
                plan.region.as_deref().map(|planned| difference::region(planned, *region))
            }
            Present::Communities { children, .. } => {
                plan.communities.as_deref().map(|planned| difference::communities(planned, children))
            }
            Present::Roles { roles, catalogue, .. } => {
                plan.roles.as_deref().map(|planned| difference::roles(planned, roles, catalogue))
            }
            Present::People(communities) => plan.people.as_deref().map(|planned| {
                let own = communities.first().map_or("", |(name, _)| name);
                let members: Vec<(Box<str>, &[Avatar])> =
                    communities.iter().map(|(name, members)| (name.clone(), members.as_slice())).collect();
                difference::people(planned, own, &members)
            }),
            Present::Keys { keys, own, unsaved, catalogue } => plan
                .keys
                .as_deref()
                .map(|planned| difference::keys(planned, keys, own.as_deref(), unsaved, catalogue, now)),
            Present::Notifications { rules, fired } => Some(difference::triggers(&wanted(plan), rules, fired)),
            Present::Hardening { community, members } => {
                plan.hardening.map(|planned| difference::hardening(planned, community, slice(members.as_ref())))
            }
        }
        .unwrap_or_default()
    }

    /// A plan of this part that is just what there is.
    pub fn proposal(&self, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        match self {
            Present::Products(licences) => {
                let active = licences.iter().filter(|licence| steps::subscription::is_active(licence, now));
                let mut products: Vec<Box<str>> = active.map(|l| steps::subscription::product(l).into()).collect();
                products.sort();
                products.dedup();
                plan.products = Some(products);
            }
            Present::Region { region, .. } => plan.region = Some(region.name().into()),
            Present::Communities { children, .. } => {
                let planned = children.iter().map(|c| PlannedCommunity { name: c.name().into(), about: None });
                plan.communities = Some(planned.collect());
            }
            Present::Roles { roles, .. } => plan.roles = Some(roles.iter().map(role).collect()),
            Present::People(communities) => {
                let members = communities.first().map_or(&[][..], |(_, members)| members.as_slice());
                let mut people: Vec<PlannedPerson> =
                    members.iter().filter(|member| !member.is_disabled()).filter_map(person).collect();
                people.sort_by(|a, b| a.address.cmp(&b.address));
                people.dedup_by(|a, b| a.address == b.address);
                plan.people = Some(people);
            }
            Present::Keys { keys, own, .. } => {
                plan.keys = Some(steps::keys::of_integrations(keys, own.as_deref(), now).map(key).collect());
            }
            Present::Notifications { rules, .. } => {
                let mut triggers = wanted(&Plan::default());
                for rule in &rules.rules {
                    if rule.watch.trigger.spec().evaluated && !triggers.contains(&rule.watch.trigger) {
                        triggers.push(rule.watch.trigger);
                    }
                }
                plan.triggers = Some(triggers);
            }
            Present::Hardening { community, members } => {
                let active = || members.iter().flat_map(|members| members.iter()).filter(|member| member.is_active());
                plan.hardening = Some(Hardening {
                    mfa: community.is_mfa_enforced,
                    session_timeout: community.session_timeout,
                    inactive_accounts: community.disable_inactive_avatars,
                    sso: members.as_ref().map(|_| active().all(Avatar::is_single_sign_on)),
                });
            }
        }
        plan
    }
}

fn slice(members: Option<&Arc<Vec<Avatar>>>) -> Option<&[Avatar]> {
    members.map(|members| members.as_slice())
}

/// The planned triggers, or the three that Sekoia names.
fn wanted(plan: &Plan) -> Vec<Trigger> {
    plan.triggers.clone().unwrap_or_else(|| Watch::recommended().iter().map(|watch| watch.trigger).collect())
}

fn role(role: &Role) -> PlannedRole {
    if role.is_built_in() {
        return PlannedRole::as_it_is(role.name());
    }
    let permissions = called(&role.permissions);
    PlannedRole { name: role.name().into(), about: None, permissions: Some(permissions) }
}

/// Titles; of those that share one, the names.
fn called(permissions: &[Permission]) -> Vec<Box<str>> {
    let shared = |one: &Permission| permissions.iter().filter(|other| same(other.title(), one.title())).count() > 1;
    let name = |p: &Permission| match (&p.name, shared(p)) {
        (Some(name), true) => name.as_str().into(),
        _ => p.title().into(),
    };
    permissions.iter().map(name).collect()
}

/// None for one without an address, or without a role. Several roles are named with commas between.
fn person(member: &Avatar) -> Option<PlannedPerson> {
    let roles: Vec<&str> = member.roles.iter().filter_map(|role| role.name.as_deref()).collect();
    let role = Some(roles.join(", ")).filter(|role| !role.is_empty())?;
    Some(PlannedPerson { address: normal(member.email()?).into(), role: role.into(), communities: Vec::new() })
}

fn key(key: &ApiKey) -> PlannedKey {
    PlannedKey {
        name: key.name().into(),
        preset: None,
        permissions: called(&key.permissions),
        expires: key.expires_at.map_or(Lifetime::Never, |at| Lifetime::On(at.to_zoned(jiff::tz::TimeZone::UTC).date())),
        owner: None,
    }
}
