//! API keys: those of integrations, and those behind the sandbox's own tokens.

use uuid::Uuid;

use super::units::{Key, Unit};
use super::{creator, days_after, days_before, permissions};
use crate::sandbox::Token;
use crate::sandbox::catalogue::{self, LIST_MEMBERS, READ_KEYS, READ_LICENCES};
use crate::sandbox::world::{ApiKey, Permission, World};

pub(super) fn integrations(world: &mut World, community: Uuid, unit: &Unit) {
    for key in unit.keys {
        let held = permissions(world, key.permissions);
        let uuid = world.dice.uuid(&format!("{}/key/{}", unit.slug, key.name));
        add(world, community, uuid, key, held);
    }
}

fn add(world: &mut World, community: Uuid, uuid: Uuid, key: &Key, held: Vec<Uuid>) {
    let now = world.start;
    world.keys.push(ApiKey {
        uuid,
        community_uuid: community,
        name: key.name.to_owned(),
        description: key.description.to_owned(),
        permissions: held,
        created_at: days_before(now, key.created_days_ago),
        created_by: creator(world),
        revoked_at: key.revoked_days_ago.map(|days| days_before(now, days)),
        expires_at: key.expires_in_days.map(|days| days_after(now, days)),
    });
}

/// One token: its name, what it may do in words and in permissions, and when its key ended.
struct Grant {
    name: &'static str,
    what: &'static str,
    key: &'static str,
    may: fn(&Permission) -> bool,
    expires_in_days: Option<i64>,
    revoked_days_ago: Option<i64>,
}

const GRANTS: [Grant; 5] = [
    Grant {
        name: "admin",
        what: "every permission",
        key: "sandbox-admin",
        may: |_| true,
        expires_in_days: Some(300),
        revoked_days_ago: None,
    },
    Grant {
        name: "reader",
        what: "every read, community, members and keys included; no write",
        key: "sandbox-reader",
        may: catalogue::only_reads,
        expires_in_days: Some(300),
        revoked_days_ago: None,
    },
    Grant {
        name: "limited",
        what: "reads without licences, members and keys: 403 on those",
        key: "sandbox-limited",
        may: |known| {
            let hidden = [READ_LICENCES, LIST_MEMBERS, READ_KEYS];
            catalogue::only_reads(known) && !hidden.contains(&known.name.as_str())
        },
        expires_in_days: Some(300),
        revoked_days_ago: None,
    },
    Grant {
        name: "expired",
        what: "its key has expired: 401 T301",
        key: "sandbox-expired",
        may: catalogue::only_reads,
        expires_in_days: Some(-3),
        revoked_days_ago: None,
    },
    Grant {
        name: "revoked",
        what: "its key was revoked: 401 T302",
        key: "sandbox-revoked",
        may: catalogue::only_reads,
        expires_in_days: None,
        revoked_days_ago: Some(10),
    },
];

pub(super) fn tokens(world: &mut World) -> Vec<(Token, Uuid)> {
    let (root, dice) = (world.root, world.dice);
    let mut issued = vec![];
    for grant in GRANTS {
        let granted = world.permissions.iter().filter(|known| (grant.may)(known));
        let held = granted.map(|known| known.uuid).collect();
        let uuid = dice.uuid(&format!("token/{}", grant.name));
        let key = Key {
            name: grant.key,
            description: "Made by the sandbox for itself",
            permissions: &[],
            created_days_ago: 30,
            expires_in_days: grant.expires_in_days,
            revoked_days_ago: grant.revoked_days_ago,
        };
        add(world, root, uuid, &key, held);
        // Recognisable, so that nobody takes one for a real key, and none hides in a log.
        let secret = dice.hex(&format!("secret/{}", grant.name), 40);
        let token = Token { name: grant.name, value: format!("sandbox-{}-{secret}", grant.name), what: grant.what };
        issued.push((token, uuid));
    }
    issued
}
