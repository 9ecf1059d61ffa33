//! When those who have not voted are reminded of a request.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Approval, Part, Status};
use crate::chat::UserId;

/// What comes sooner after another message about the same is not sent.
const APART: SignedDuration = SignedDuration::from_mins(5);

/// One of `remind` in an action's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// When half of its time is over.
    Half,
    /// So long before its end.
    Before(Duration),
}

impl When {
    pub const USUAL: [When; 2] = [When::Half, When::Before(Duration::from_hours(1))];

    fn of(self, asked: Timestamp, expires: Timestamp) -> Option<Timestamp> {
        match self {
            When::Half => asked.checked_add(expires.duration_since(asked) / 2).ok(),
            When::Before(time) => expires.checked_sub(time).ok(),
        }
    }
}

/// The moments at which a request is reminded of, in their order: none comes right after it was asked
/// for, right after another one, or right before its end.
pub fn moments(all: &[When], asked: Timestamp, expires: Timestamp) -> Vec<Timestamp> {
    let mut moments: Vec<Timestamp> = all.iter().filter_map(|when| when.of(asked, expires)).collect();
    moments.sort();
    let mut last = asked;
    moments.retain(|at| {
        let fits = at.duration_since(last) >= APART && *at <= latest(expires);
        last = if fits { *at } else { last };
        fits
    });
    moments
}

/// A message that is held back is of no use later than this, because of what comes then.
pub fn latest(before: Timestamp) -> Timestamp {
    before.checked_sub(APART).unwrap_or(Timestamp::MIN)
}

impl Approval {
    /// Whether it waits for people to decide.
    pub fn waits_for_votes(&self) -> bool {
        matches!(self.status(), Status::Requested | Status::Held)
    }

    /// Whether somebody who is among the approvers can decide it and has not.
    pub fn may_still_decide(&self, user: &UserId) -> bool {
        let own = self.is_asked_by(user) && !self.request.self_approval;
        let voted = self.votes.iter().any(|vote| vote.by == *user);
        match (self.status(), &self.held) {
            (Status::Requested, _) => !own && !voted,
            // Somebody else takes the place of an approver who is gone.
            (Status::Held, Some(held)) => {
                let gone = held.who.iter().any(|absent| absent.user == *user);
                let replaces = held.gone(Part::Approver).is_some();
                !(own || gone || (replaces && voted))
            }
            _ => false,
        }
    }

    /// When it is reminded of next.
    pub fn next_reminder(&self, after: Timestamp) -> Option<Timestamp> {
        let mut moments = self.request.reminders.iter().copied();
        moments.find(|at| *at > after).filter(|_| self.waits_for_votes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Timestamp {
        "2026-11-26T08:00:00Z".parse().unwrap()
    }

    fn of(ttl: &str) -> Vec<String> {
        let ttl = SignedDuration::try_from(humantime::parse_duration(ttl).unwrap()).unwrap();
        let all = moments(&When::USUAL, asked(), asked() + ttl);
        all.iter().map(|at| at.strftime("%d %H:%M").to_string()).collect()
    }

    #[test]
    fn a_request_is_reminded_of_at_half_of_its_time_and_an_hour_before_its_end() {
        assert_eq!(of("24h"), ["26 20:00", "27 07:00"]);
        assert_eq!(of("3h"), ["26 09:30", "26 10:00"]);
        // The second would come with the first, or right after it.
        assert_eq!(of("2h"), ["26 09:00"]);
        assert_eq!(of("2h 8m"), ["26 09:04"]);
        // An hour before the end was never.
        assert_eq!(of("30m"), ["26 08:15"]);
        assert!(of("9m").is_empty());
    }

    proptest! {
        #[test]
        fn reminders_keep_apart_from_each_other_and_from_both_ends(
            before in proptest::collection::vec(1_u64..3_000, 0..6),
            ttl in 1_i64..3_000,
        ) {
            let mut all: Vec<When> = before.iter().map(|mins| When::Before(Duration::from_mins(*mins))).collect();
            all.push(When::Half);
            let expires = asked() + SignedDuration::from_mins(ttl);
            let found = moments(&all, asked(), expires);
            let line: Vec<Timestamp> = [vec![asked()], found.clone(), vec![expires]].concat();
            prop_assert!(found.is_empty() || line.windows(2).all(|two| two[1].duration_since(two[0]) >= APART));
            for at in &found {
                prop_assert!(all.iter().any(|when| when.of(asked(), expires) == Some(*at)));
            }
        }
    }
}
