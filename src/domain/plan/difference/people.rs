//! People, in every community that is planned for them.

use std::collections::{HashMap, HashSet};

use super::{Line, Mark, listed};
use crate::chat::text::{fold, natural, shown};
use crate::domain::action::people::normal;
use crate::domain::plan::{Part, PlannedPerson};
use crate::sekoia::Avatar;

/// Addresses by number: each is brought into the form that is compared once, however many
/// communities it is in.
#[derive(Default)]
struct Addresses<'a> {
    written: HashMap<&'a str, usize>,
    numbers: HashMap<String, usize>,
}

impl<'a> Addresses<'a> {
    fn number(&mut self, written: &'a str) -> usize {
        if let Some(number) = self.written.get(written) {
            return *number;
        }
        let next = self.numbers.len();
        let number = *self.numbers.entry(normal(written)).or_insert(next);
        self.written.insert(written, number);
        number
    }
}

/// Members of one community, by the number of their address.
struct Members<'a> {
    name: &'a str,
    /// Its place among all communities as people sort them.
    order: usize,
    by_address: HashMap<usize, &'a Avatar>,
    /// Everybody, in Sekoia's order.
    all: Vec<(Option<usize>, &'a Avatar)>,
}

impl<'a> Members<'a> {
    fn new(name: &'a str, order: usize, avatars: &'a [Avatar], addresses: &mut Addresses<'a>) -> Self {
        let number = |avatar: &'a Avatar| (avatar.email().map(|address| addresses.number(address)), avatar);
        let all: Vec<_> = avatars.iter().map(number).collect();
        let mut by_address: HashMap<usize, &Avatar> = HashMap::new();
        for (address, avatar) in &all {
            let Some(address) = address else { continue };
            let known = by_address.entry(*address).or_insert(avatar);
            // Somebody who was disabled and invited again is in.
            if (rank(avatar), &avatar.uuid) > (rank(known), &known.uuid) {
                *known = avatar;
            }
        }
        Self { name, order, by_address, all }
    }
}

fn rank(avatar: &Avatar) -> u8 {
    match avatar {
        avatar if avatar.is_disabled() => 0,
        avatar if avatar.is_pending() => 1,
        _ => 2,
    }
}

/// `own`: the community of those whose entry names none. `communities`: each by its name with its
/// members; one that is not in the list is not there yet. People who stand alike in several
/// communities get one line for these.
pub fn people(planned: &[PlannedPerson], own: &str, communities: &[(Box<str>, &[Avatar])]) -> Vec<Line> {
    let mut sorted: Vec<usize> = (0..communities.len()).collect();
    sorted.sort_by_cached_key(|at| natural(&communities[*at].0));
    let mut orders = vec![0; communities.len()];
    for (order, at) in sorted.into_iter().enumerate() {
        orders[at] = order;
    }
    let mut addresses = Addresses::default();
    let with_order = communities.iter().zip(orders);
    let members: Vec<Members<'_>> =
        with_order.map(|((name, avatars), order)| Members::new(name, order, avatars, &mut addresses)).collect();
    let places: HashMap<String, usize> = members.iter().enumerate().map(|(at, m)| (fold(m.name), at)).collect();
    let mut folded: HashMap<&str, Option<usize>> = HashMap::new();
    let own = [Box::from(own)];
    let mut lines = Vec::new();
    let mut meant: HashSet<(usize, usize)> = HashSet::new();
    for person in planned {
        let mut groups = Groups::default();
        let number = addresses.number(&person.address);
        for community in if person.communities.is_empty() { own.as_slice() } else { &person.communities } {
            let place = *folded.entry(community).or_insert_with(|| places.get(&fold(community)).copied());
            meant.extend(place.map(|place| (place, number)));
            let member = place.and_then(|place| members[place].by_address.get(&number));
            let (mark, says) = match member {
                Some(member) => compare(person, member),
                None => (Mark::Create, format!("as {}", shown(&person.role, 60))),
            };
            let order = place.map_or(members.len(), |place| members[place].order);
            groups.add(mark, says, (order, community));
        }
        lines.extend(groups.lines(&person.address));
    }
    lines.extend(extra(&members, &meant));
    lines
}

/// Somebody who is a member or was invited.
fn compare(person: &PlannedPerson, member: &Avatar) -> (Mark, String) {
    let names: Vec<&str> = member.roles.iter().filter_map(|role| role.name.as_deref()).collect();
    let held = |wanted: &String| names.iter().any(|name| fold(name) == *wanted);
    let whole = fold(&person.role);
    // Several custom roles add up; one whose name has a comma is one.
    let wanted: Vec<String> =
        if held(&whole) { vec![whole] } else { person.role.split(',').map(fold).filter(|r| !r.is_empty()).collect() };
    let has = wanted.iter().all(held);
    let others: Vec<&str> = names.iter().copied().filter(|name| !wanted.contains(&fold(name))).collect();
    let role = shown(&person.role, 60);
    if member.is_disabled() {
        return (Mark::Change, "is disabled".into());
    }
    let is = if member.is_pending() { "is invited as" } else { "is" };
    match (has, others.is_empty()) {
        (true, true) if member.is_pending() => (Mark::Waiting, format!("as {role}")),
        (true, true) => (Mark::There, format!("as {role}")),
        (true, false) => (Mark::Change, format!("{is} {role} and also {}", listed(others))),
        (false, false) => (Mark::Change, format!("{is} {} instead of {role}", listed(others))),
        (false, true) if names.is_empty() => (Mark::Change, format!("has no role instead of {role}")),
        (false, true) => (Mark::Change, format!("{is} {} only, instead of {role}", listed(names))),
    }
}

/// What was found of one person, with the communities and their order.
#[derive(Default)]
struct Groups<'a> {
    all: Vec<Group<'a>>,
}

struct Group<'a> {
    mark: Mark,
    says: String,
    communities: Vec<(usize, &'a str)>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, mark: Mark, says: String, community: (usize, &'a str)) {
        match self.all.iter_mut().find(|group| group.mark == mark && group.says == says) {
            Some(group) => group.communities.push(community),
            None => self.all.push(Group { mark, says, communities: vec![community] }),
        }
    }

    fn lines(self, who: &str) -> Vec<Line> {
        let line = |Group { mark, says, mut communities }: Group<'_>| {
            communities.sort_unstable();
            let at = listed(communities.into_iter().map(|(_, name)| name));
            let more = if mark == Mark::Waiting { NOT_ACCEPTED } else { "" };
            Line::new(mark, Part::People, who).because(format!("{says} in {at}{more}"))
        };
        self.all.into_iter().map(line).collect()
    }
}

const NOT_ACCEPTED: &str = ": invited, not accepted yet; the link is good for 24 hours";

/// Members that the plan does not mean there.
fn extra(members: &[Members<'_>], meant: &HashSet<(usize, usize)>) -> Vec<Line> {
    let mut order: Vec<(String, Groups<'_>)> = Vec::new();
    let mut places: HashMap<Result<usize, &str>, usize> = HashMap::new();
    for (place, community) in members.iter().enumerate() {
        for (address, avatar) in &community.all {
            if address.is_some_and(|address| meant.contains(&(place, address))) {
                continue;
            }
            let key = address.ok_or(avatar.uuid.as_str());
            let at = *places.entry(key).or_insert_with(|| {
                let who = avatar.email().map_or_else(|| avatar.display_name(), normal);
                order.push((who, Groups::default()));
                order.len() - 1
            });
            let roles = listed(avatar.roles.iter().filter_map(|role| role.name.as_deref()));
            let role = if roles.is_empty() { "without a role".to_owned() } else { format!("as {roles}") };
            let says = match rank(avatar) {
                0 => format!("disabled, {role}"),
                1 => format!("invited {role}"),
                _ => role,
            };
            order[at].1.add(Mark::Extra, says, (community.order, community.name));
        }
    }
    order.into_iter().flat_map(|(who, groups)| groups.lines(&who)).collect()
}
