//! Sensitive operations on Sekoia, typed: what exactly is asked for, which calls that takes, and
//! what is risky about it.
//!
//! Pure: [`RequestedAction`] is checked against facts that were read before, and becomes an [`Action`]
//! that names everything by its identifier. Nothing is called here.

mod answer;
mod base;
mod bundle;
mod community;
mod invitations;
mod invite;
mod key;
mod names;
pub mod people;
mod permissions;
mod planned;
mod preset;
mod resend;
mod role;
mod wanted;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

pub use answer::says_revoked;
pub use base::Base;
pub use bundle::{BundleFacts, BundlePart, Invitee, Lacks, bundle, called, some};
pub use community::{COMMUNITY_BOUNDS, communities};
pub use invitations::{Group, Invitations};
pub use invite::{Gaps, InviteFacts, MOST_ADDRESSES, communities_of, invite};
pub use key::{DESCRIPTION, KEY_NAME, KeyFacts, LONGEST_LIFE_DAYS, key, revoke, rotate};
pub use names::{Bounds, description, instead, name, one_of};
pub use permissions::by_feature;
pub use preset::{PRESETS, Preset};
pub use resend::{Replaced, ResendFacts, Whose, resend};
pub use role::{ROLE_BOUNDS, RoleFacts, role};
pub use wanted::{Expiry, Request, RequestedAction};

use super::checklist::StepId;
use crate::chat::view::Line;
use crate::sekoia::{Call, Verb, invitation};

/// Something of Sekoia's, by its identifier and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub uuid: Box<str>,
    pub name: Box<str>,
}

/// What is to be done, exactly. Its JSON is stored, hashed and approved: fields are added with a
/// default, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    Invite {
        people: Vec<Box<str>>,
        /// What everybody gets, unless there are groups.
        grants: Vec<Grant>,
        /// Pending invitations of these people that are withdrawn first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<Replaced>,
        /// The people in their order, by what they get.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<Group>,
    },
    CreateCommunities {
        parent: Named,
        communities: Vec<NewCommunity>,
    },
    CreateRole {
        community: Named,
        name: Box<str>,
        description: Option<Box<str>>,
        permissions: Vec<Named>,
        /// The existing role that it is most like: what is shown of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<Base>,
    },
    CreateKey {
        community: Named,
        name: Box<str>,
        description: Box<str>,
        permissions: Vec<Named>,
        expires: Option<Timestamp>,
        /// The key that is revoked once this one is in use: a rotation.
        replaces: Option<Named>,
    },
    RevokeKey {
        community: Named,
        key: Named,
    },
    /// Several of the above, one after the other: each part becomes a request of its own.
    Bundle {
        community: Named,
        parts: Vec<BundlePart>,
    },
}

/// A role in a community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub community: Named,
    pub role: Named,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCommunity {
    pub name: Box<str>,
    pub description: Box<str>,
}

/// What policy knows an action by. The name is a key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Invite,
    CommunityCreate,
    RoleCreate,
    KeyCreate,
    KeyRevoke,
    KeyRotate,
    /// A bundle: the rules of its parts count for it as well.
    Plan,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Invite,
        Kind::CommunityCreate,
        Kind::RoleCreate,
        Kind::KeyCreate,
        Kind::KeyRevoke,
        Kind::KeyRotate,
        Kind::Plan,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Invite => "invite",
            Kind::CommunityCreate => "community_create",
            Kind::RoleCreate => "role_create",
            Kind::KeyCreate => "key_create",
            Kind::KeyRevoke => "key_revoke",
            Kind::KeyRotate => "key_rotate",
            Kind::Plan => "plan",
        }
    }
}

/// What was made of a [`RequestedAction`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub action: Action,
    /// What whoever approves should know, one sentence each.
    pub risks: Vec<Box<str>>,
    /// Risky enough for the higher number of approvals.
    pub sensitive: bool,
    /// What was filled in, for the person who asks.
    pub notes: Vec<Box<str>>,
    /// What became of every row of a list: a summary, then a sentence for each that is no
    /// invitation.
    pub account: Vec<Box<str>>,
}

/// What is wrong with a request, by the field of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    pub field: &'static str,
    pub text: Line,
}

/// A text from outside in it is never markup: only [`Line::marked`] reads backticks.
fn problem(field: &'static str, text: impl Into<Line>) -> Problem {
    Problem { field, text: text.into() }
}

impl Named {
    pub fn new(uuid: impl Into<Box<str>>, name: impl Into<Box<str>>) -> Self {
        Self { uuid: uuid.into(), name: name.into() }
    }
}

impl Action {
    pub fn kind(&self) -> Kind {
        match self {
            Action::Invite { .. } => Kind::Invite,
            Action::CreateCommunities { .. } => Kind::CommunityCreate,
            Action::CreateRole { .. } => Kind::RoleCreate,
            Action::CreateKey { replaces: None, .. } => Kind::KeyCreate,
            Action::CreateKey { replaces: Some(_), .. } => Kind::KeyRotate,
            Action::RevokeKey { .. } => Kind::KeyRevoke,
            Action::Bundle { .. } => Kind::Plan,
        }
    }

    /// The step of the checklist that it is for; of a bundle, its first part's.
    pub fn step(&self) -> StepId {
        match self {
            Action::Invite { .. } => StepId::Users,
            Action::CreateCommunities { .. } => StepId::Communities,
            Action::CreateRole { .. } => StepId::Roles,
            Action::CreateKey { .. } | Action::RevokeKey { .. } => StepId::Keys,
            Action::Bundle { parts, .. } => parts.first().map_or(StepId::Communities, BundlePart::step),
        }
    }

    /// SHA-256 of a salt and the action's JSON, in hexadecimal: what an approval binds. Without the salt it tells
    /// nothing of the people in it, even to who guesses them.
    pub fn hash(&self, salt: &str) -> Box<str> {
        // Own types: strings, lists and instants.
        let json = serde_json::to_vec(self).expect("own types serialize");
        hex::encode(Sha256::new().chain_update(salt).chain_update(json).finalize()).into()
    }

    /// How many calls it takes, or parts it has, each with an outcome of its own.
    pub fn items(&self) -> usize {
        match self {
            Action::Bundle { parts, .. } => parts.len(),
            Action::Invite { people, .. } => people.len(),
            Action::CreateCommunities { communities, .. } => communities.len(),
            Action::CreateRole { .. } | Action::RevokeKey { .. } | Action::CreateKey { replaces: None, .. } => 1,
            Action::CreateKey { replaces: Some(_), .. } => 2,
        }
    }

    /// Whether the call brings a secret, so that only the person who asked may cause it.
    pub fn is_secret(&self, item: usize) -> bool {
        matches!(self, Action::CreateKey { .. }) && item == 0
    }

    /// Whom or what a call is about.
    pub fn target(&self, item: usize) -> &str {
        match self {
            Action::Invite { people, .. } => people.get(item).map_or("", |p| p),
            Action::CreateCommunities { communities, .. } => communities.get(item).map_or("", |c| &c.name),
            Action::CreateRole { name, .. } => name,
            Action::CreateKey { replaces: Some(old), .. } if item == 1 => &old.name,
            Action::CreateKey { name, .. } => name,
            Action::RevokeKey { key, .. } => &key.name,
            // Its parts have titles.
            Action::Bundle { .. } => "",
        }
    }

    /// The pending invitations that a call replaces.
    pub fn replaced(&self, item: usize) -> impl Iterator<Item = &Replaced> {
        let replaces = match self {
            Action::Invite { replaces, .. } => replaces.as_slice(),
            _ => &[],
        };
        replaces.iter().filter(move |replaced| *replaced.person == *self.target(item))
    }

    /// The call itself; none for a part of a bundle, which is a request of its own. Bodies as
    /// `sekoia-api.md` has them: the invitation's is documented, the others are inferred from what
    /// Sekoia prints back.
    pub fn call(&self, item: usize) -> Option<Call> {
        Some(match self {
            Action::Bundle { .. } => return None,
            Action::Invite { people, .. } => {
                let mut communities = serde_json::Map::new();
                for grant in self.grants(item) {
                    communities.insert(grant.community.uuid.to_string(), json!([grant.role.uuid]));
                }
                invitation(people.get(item).map_or("", |p| p), &communities.into())
            }
            Action::CreateCommunities { parent, communities } => Call {
                name: "/v1/communities/{c}/sub-communities",
                method: Verb::Post,
                path: format!("/v1/communities/{}/sub-communities", parent.uuid),
                body: communities.get(item).map(|c| json!({ "name": c.name, "description": c.description })),
                needs: "COMMUNITY_MANAGE_SUB_COMMUNITIES",
            },
            Action::CreateRole { community, name, description, permissions, .. } => {
                let mut body = json!({ "name": name, "permissions": uuids(permissions) });
                if let Some(description) = description {
                    body["description"] = json!(description);
                }
                Call {
                    name: "/v1/communities/{c}/roles",
                    method: Verb::Post,
                    path: format!("/v1/communities/{}/roles", community.uuid),
                    body: Some(body),
                    needs: "COMMUNITY_WRITE_ROLE",
                }
            }
            Action::CreateKey { community, replaces: Some(old), .. } if item == 1 => revocation(community, old),
            Action::CreateKey { community, name, description, permissions, expires, .. } => {
                let mut body = json!({ "name": name, "description": description, "permissions": uuids(permissions) });
                if let Some(expires) = expires {
                    body["expires_at"] = json!(expires);
                }
                Call {
                    name: "/v1/communities/{c}/api-keys",
                    method: Verb::Post,
                    path: format!("/v1/communities/{}/api-keys", community.uuid),
                    body: Some(body),
                    needs: WRITE_KEYS,
                }
            }
            Action::RevokeKey { community, key } => revocation(community, key),
        })
    }

    /// `Invite 3 people as Analyst`: what it is, in a few words.
    pub fn title(&self) -> String {
        use crate::chat::text::{count, shown};
        let short = |name: &str| shown(name, 60);
        match self {
            Action::Invite { people, replaces, .. } => {
                let whom = match people.as_slice() {
                    [one] => shown(&people::readable(one), 120),
                    many => count(many.len(), "person", "people"),
                };
                let again = if replaces.is_empty() { "" } else { " again" };
                format!("Invite {whom}{again}{}", self.in_roles())
            }
            Action::CreateCommunities { communities, .. } => match communities.as_slice() {
                [one] => format!("Create the community {}", short(&one.name)),
                many => format!("Create {} communities", many.len()),
            },
            Action::CreateRole { name, .. } => format!("Create the role {}", short(name)),
            Action::CreateKey { name, replaces: None, .. } => format!("Create the API key {}", short(name)),
            Action::CreateKey { name, replaces: Some(old), .. } => {
                format!("Replace the API key {} by {}", short(&old.name), short(name))
            }
            Action::RevokeKey { key, .. } => format!("Revoke the API key {}", short(&key.name)),
            Action::Bundle { parts, .. } => bundle::title(parts),
        }
    }
}

const WRITE_KEYS: &str = "COMMUNITY_WRITE_APIKEY";

/// The revocation of a key, however it came to be due.
pub fn revocation(community: &Named, key: &Named) -> Call {
    Call {
        name: "/v1/communities/{c}/api-keys/{k}",
        method: Verb::Delete,
        path: format!("/v1/communities/{}/api-keys/{}", community.uuid, key.uuid),
        body: None,
        needs: WRITE_KEYS,
    }
}

fn uuids(named: &[Named]) -> Vec<&str> {
    named.iter().map(|n| &*n.uuid).collect()
}
