//! Builds the workspace: a bank with three units, or one payment company.
//!
//! `units` holds the tables, the other files turn them into the world's structs.

mod activity;
mod alerts;
mod keys;
mod people;
mod subscription;
mod units;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::dice::Dice;
use super::world::{Bins, Community, FirstSteps, InvitationBody, WorkingSecret, World};
use super::{Options, Tenant, Token, catalogue};
pub(super) use activity::FAILURES;
pub(super) use alerts::{Sighting, detected};
use units::Unit;

/// The world, and the tokens with the key that each stands for.
pub(super) fn workspace(options: Options, now: Timestamp) -> (World, Vec<(Token, Uuid)>) {
    let dice = Dice::new(options.seed);
    let (parent, units): (Unit, Vec<Unit>) = match options.tenant {
        Tenant::Single => (units::NIMBUS, vec![]),
        Tenant::Multi => (units::RIVOLI, vec![units::RETAIL, units::MARKETS, units::PAYMENTS]),
    };
    let root = dice.uuid(parent.slug);
    let mut world = World {
        root,
        communities: vec![],
        members: vec![],
        roles: vec![],
        keys: vec![],
        licences: vec![],
        permissions: catalogue::permissions(),
        intakes: vec![],
        playbooks: vec![],
        connectors: vec![],
        runs: vec![],
        alerts: vec![],
        cases: vec![],
        searches: vec![],
        first_steps: FirstSteps::default(),
        invitations: InvitationBody::default(),
        working_secret: WorkingSecret::default(),
        bins: Bins::default(),
        counting_delay: SignedDuration::ZERO,
        dice,
        start: now,
        made: 0,
    };
    people::built_in_roles(&mut world);
    add_unit(&mut world, &parent, None, !units.is_empty());
    for unit in &units {
        add_unit(&mut world, unit, Some(root), false);
    }
    subscription::licences(&mut world);
    activity::first_steps(&mut world);
    let tokens = keys::tokens(&mut world);
    (world, tokens)
}

fn add_unit(world: &mut World, unit: &Unit, parent: Option<Uuid>, is_parent: bool) {
    let uuid = world.dice.uuid(unit.slug);
    let created_at = days_before(world.start, 900);
    let created_by = match parent {
        Some(_) => creator(world),
        None => people::user_uuid(world.dice, unit.people[0].email),
    };
    world.communities.push(Community {
        uuid,
        name: unit.name.to_owned(),
        description: unit.description.to_owned(),
        homepage_url: Some(format!("https://www.{}.example", unit.slug)),
        is_parent,
        parent_community_uuid: parent,
        created_at,
        updated_at: days_before(world.start, 30),
        created_by,
        is_mfa_enforced: unit.mfa_enforced,
        session_timeout: unit.session_timeout,
        disable_inactive_avatars: parent.is_none(),
        disabled: false,
    });
    // Roles name intakes and members name roles: each after what it refers to.
    activity::intakes(world, uuid, unit);
    people::custom_roles(world, uuid, unit);
    people::members(world, uuid, unit);
    keys::integrations(world, uuid, unit);
    activity::playbooks(world, uuid, unit);
    alerts::alerts(world, uuid, unit);
}

/// The administrator who set the workspace up: the first person of its first community.
pub(super) fn creator(world: &World) -> Uuid {
    world.communities.first().map_or(Uuid::nil(), |root| root.created_by)
}

/// Uuids of permissions by name.
fn permissions(world: &World, names: &[&str]) -> Vec<Uuid> {
    names
        .iter()
        .map(|name| {
            let known = world.permissions.iter().find(|known| known.name == *name);
            known.expect("the seed data names permissions of the catalogue").uuid
        })
        .collect()
}

fn days_before(at: Timestamp, days: i64) -> Timestamp {
    // Microseconds that are not all zero, as real dates have them.
    at - SignedDuration::from_hours(24 * days) - SignedDuration::from_micros(137 + days)
}

fn days_after(at: Timestamp, days: i64) -> Timestamp {
    at + SignedDuration::from_hours(24 * days)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn build(tenant: Tenant, seed: u64) -> World {
        let now = "2026-03-01T09:00:00Z".parse().unwrap();
        workspace(Options { tenant, seed, ..Options::default() }, now).0
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let text = |seed| format!("{:?}", build(Tenant::Multi, seed));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn references_lead_somewhere() {
        for tenant in [Tenant::Single, Tenant::Multi] {
            let world = build(tenant, 1);
            let communities: HashSet<_> = world.communities.iter().map(|c| c.uuid).collect();
            let roles: HashSet<_> = world.roles.iter().map(|role| role.uuid).collect();
            for member in &world.members {
                assert!(communities.contains(&member.community_uuid));
                assert!(!member.roles.is_empty());
                assert!(member.roles.iter().all(|role| roles.contains(role)));
            }
            let users: HashSet<_> = world.members.iter().map(|member| member.user.uuid).collect();
            assert!(world.keys.iter().all(|key| users.contains(&key.created_by)));
            assert_eq!(world.alerts.len(), 30);
            assert!((4..=6).contains(&world.intakes.len()));
        }
    }
}
