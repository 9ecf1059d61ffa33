//! Roles and members.

use jiff::Timestamp;
use uuid::Uuid;

use super::units::{Person, State, Unit};
use super::{days_before, permissions};
use crate::sandbox::catalogue::{self, LIST_MEMBERS, READ_LICENCES, READ_ROLES};
use crate::sandbox::dice::Dice;
use crate::sandbox::world::{AuthProvider, Member, Role, User, World};

/// Guest reads, Analyst also writes, Admin has everything.
pub(super) fn built_in_roles(world: &mut World) {
    let all = &world.permissions;
    let everybody = [LIST_MEMBERS, READ_LICENCES, READ_ROLES];
    let visible = |name: &str| everybody.contains(&name);
    let guest = all
        .iter()
        .filter(|known| visible(&known.name) || catalogue::only_reads(known) && !catalogue::is_community(known));
    let analyst = all.iter().filter(|known| visible(&known.name) || !catalogue::is_community(known));
    let built_in = [
        ("Guest", "Read-only access", guest.map(|p| p.uuid).collect()),
        ("Analyst", "Read and write access", analyst.map(|p| p.uuid).collect()),
        ("Admin", "Full access, management included", all.iter().map(|p| p.uuid).collect::<Vec<_>>()),
    ];
    let created_at = days_before(world.start, 2_000);
    // They belong to Sekoia, not to a workspace: the same uuids whatever the seed.
    let sekoia = Dice::new(0);
    for (name, description, permissions) in built_in {
        world.roles.push(Role {
            uuid: sekoia.uuid(&format!("role/{name}")),
            name: name.to_owned(),
            community_uuid: None,
            description: description.to_owned(),
            permissions,
            created_at,
            updated_at: created_at,
            is_restricted: false,
            intake_uuids: vec![],
        });
    }
}

pub(super) fn custom_roles(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, custom) in (200..).step_by(40).zip(unit.roles) {
        let intakes = world.intakes.iter().filter(|intake| intake.community_uuid == community);
        let intake_uuids = intakes.map(|intake| intake.uuid).take(usize::from(custom.restricted)).collect();
        world.roles.push(Role {
            uuid: role_uuid(world.dice, unit, custom.name),
            name: custom.name.to_owned(),
            community_uuid: Some(community),
            description: custom.description.to_owned(),
            permissions: permissions(world, custom.permissions),
            created_at: days_before(world.start, age),
            updated_at: days_before(world.start, age / 2),
            is_restricted: custom.restricted,
            intake_uuids,
        });
    }
}

pub(super) fn members(world: &mut World, community: Uuid, unit: &Unit) {
    for (age, person) in (300_i64..).step_by(17).zip(unit.people) {
        let roles = roles_of(world, community, person);
        let pending = matches!(person.state, State::Pending { .. });
        let enabled = !matches!(person.state, State::Disabled);
        let joined = days_before(world.start, if pending { 1 } else { age });
        let name = format!("{} {}", person.first, person.last);
        world.members.push(Member {
            uuid: world.dice.uuid(&format!("{}/member/{}", unit.slug, person.email)),
            community_uuid: community,
            name: (!pending).then_some(name),
            enabled,
            status_changed_at: (!enabled).then(|| days_before(world.start, 20)),
            roles,
            created_at: joined,
            updated_at: (!pending).then(|| days_before(world.start, 15)),
            user: user(world.dice, world.start, person, joined),
        });
    }
}

fn user(dice: Dice, now: Timestamp, person: &Person, created_at: Timestamp) -> User {
    let blank = User {
        uuid: user_uuid(dice, person.email),
        firstname: None,
        lastname: None,
        email: None,
        invited_email: None,
        confirmed: false,
        mfa_enabled: None,
        last_activity: None,
        auth_provider: AuthProvider::Local,
        created_at,
    };
    let email = person.email.to_owned();
    let known = |mfa: bool, idle_days: i64| User {
        firstname: Some(person.first.to_owned()),
        lastname: Some(person.last.to_owned()),
        email: Some(email.clone()),
        confirmed: true,
        mfa_enabled: Some(mfa),
        last_activity: Some(days_before(now, idle_days)),
        ..blank.clone()
    };
    match person.state {
        State::Active { mfa, sso, idle_days } => {
            User { auth_provider: if sso { AuthProvider::Oidc } else { AuthProvider::Local }, ..known(mfa, idle_days) }
        }
        State::Disabled => known(false, 120),
        State::Pending { email_known } => {
            User { email: email_known.then(|| email.clone()), invited_email: Some(email), ..blank }
        }
    }
}

/// The same person in two communities is one user.
pub(super) fn user_uuid(dice: Dice, email: &str) -> Uuid {
    dice.uuid(&format!("user/{email}"))
}

fn roles_of(world: &World, community: Uuid, person: &Person) -> Vec<Uuid> {
    let available = world.roles.iter().filter(|role| {
        role.community_uuid.is_none_or(|owner| owner == community) && person.roles.contains(&role.name.as_str())
    });
    available.map(|role| role.uuid).collect()
}

fn role_uuid(dice: Dice, unit: &Unit, name: &str) -> Uuid {
    dice.uuid(&format!("{}/role/{name}", unit.slug))
}
