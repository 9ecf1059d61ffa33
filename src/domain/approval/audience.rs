//! Whom a new request is brought to the attention of, and how.

use serde::{Deserialize, Serialize};

use crate::chat::UserId;
use crate::chat::text::count;
use crate::chat::view::Line;

/// People who are mentioned by name; of more, their groups are, or it is said how many there are.
const NAMED: usize = 5;

/// `notify` of an action: how those who can decide a request hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// The request's card mentions them.
    #[default]
    Mention,
    /// Each gets a direct message.
    Direct,
    Both,
    None,
}

impl Notify {
    pub const ALL: [Notify; 4] = [Notify::Mention, Notify::Direct, Notify::Both, Notify::None];

    pub fn name(self) -> &'static str {
        match self {
            Notify::Mention => "mention",
            Notify::Direct => "direct",
            Notify::Both => "both",
            Notify::None => "none",
        }
    }

    fn of(mention: bool, direct: bool) -> Self {
        match (mention, direct) {
            (true, true) => Notify::Both,
            (true, false) => Notify::Mention,
            (false, true) => Notify::Direct,
            (false, false) => Notify::None,
        }
    }

    pub fn mentions(self) -> bool {
        matches!(self, Notify::Mention | Notify::Both)
    }

    pub fn writes(self) -> bool {
        matches!(self, Notify::Direct | Notify::Both)
    }

    /// By every way that one of the two takes: a bundle's parts may differ.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.mentions() || other.mentions(), self.writes() || other.writes())
    }
}

/// Those who can decide a new request, as far as they hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audience {
    /// Whom its card mentions when it is posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention: Option<Mention>,
    /// Who gets a direct message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub direct: Vec<UserId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// User groups by the platform's ids, and people.
    Named { groups: Vec<Box<str>>, people: Vec<UserId> },
    /// `or_more`: not everybody was looked up.
    Count { people: usize, or_more: bool },
}

/// What is known of those who can decide.
#[derive(Debug, Clone, Copy)]
pub struct Deciders<'a> {
    /// Who asks is not among them, unless they may decide it.
    pub able: &'a [UserId],
    /// There may be more of them.
    pub or_more: bool,
    /// The user groups that the setting names, where the platform can mention them.
    pub groups: &'a [Box<str>],
    /// The people whom it names by id.
    pub named: &'a [UserId],
}

impl Audience {
    pub fn of(notify: Notify, deciders: Deciders<'_>) -> Self {
        let Deciders { able, .. } = deciders;
        Self {
            mention: notify.mentions().then(|| Mention::of(deciders)).flatten(),
            direct: if notify.writes() { able.to_vec() } else { Vec::new() },
        }
    }

    pub fn is_nobody(&self) -> bool {
        self.mention.is_none() && self.direct.is_empty()
    }
}

impl Mention {
    fn of(deciders: Deciders<'_>) -> Option<Self> {
        let Deciders { able, or_more, groups, named } = deciders;
        let people: Vec<UserId> = named.iter().filter(|user| able.contains(user)).cloned().collect();
        if able.is_empty() {
            None
        } else if able.len() <= NAMED && !or_more {
            Some(Mention::Named { groups: Vec::new(), people: able.to_vec() })
        } else if !groups.is_empty() && people.len() <= NAMED {
            Some(Mention::Named { groups: groups.to_vec(), people })
        } else {
            Some(Mention::Count { people: able.len(), or_more })
        }
    }

    /// `For @bob and @carol to decide`.
    pub fn line(&self) -> Line {
        match self {
            Mention::Named { groups, people } => {
                let total = groups.len() + people.len();
                let and = |line: Line, i: usize| match i {
                    0 => line,
                    i if i + 1 == total => line.say(" and "),
                    _ => line.say(", "),
                };
                let mut line = Line::new().say("For ");
                for (i, group) in groups.iter().enumerate() {
                    line = and(line, i).group(group.clone());
                }
                for (i, user) in people.iter().enumerate() {
                    line = and(line, groups.len() + i).person(user);
                }
                line.say(" to decide")
            }
            Mention::Count { people, or_more } => {
                let least = if *or_more { "At least " } else { "" };
                Line::new().say(format!("{least}{} can approve this", count(*people, "person", "people")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people(n: usize) -> Vec<UserId> {
        (0..n).map(|i| UserId::slack(&format!("U{i}"))).collect()
    }

    #[test]
    fn few_are_named_and_many_are_counted() {
        let line = |n: usize, groups: &[Box<str>], or_more| {
            let able = people(n);
            let named = if groups.is_empty() { able.clone() } else { people(1) };
            let deciders = Deciders { able: &able, or_more, groups, named: &named };
            Audience::of(Notify::Mention, deciders).mention.map(|mention| mention.line().plain())
        };
        let group = [Box::from("S1"), Box::from("S2")];
        assert_eq!(line(0, &group, false), None);
        assert_eq!(line(1, &group, false).unwrap(), "For slack:U0 to decide");
        assert_eq!(line(3, &[], false).unwrap(), "For slack:U0, slack:U1 and slack:U2 to decide");
        assert_eq!(line(6, &group, false).unwrap(), "For S1, S2 and slack:U0 to decide");
        assert_eq!(line(12, &[], false).unwrap(), "12 people can approve this");
        assert_eq!(line(30, &[], true).unwrap(), "At least 30 people can approve this");
    }

    proptest! {
        #[test]
        fn whoever_cannot_decide_is_neither_named_nor_written_to(
            able in 0_usize..40,
            listed in 0_usize..40,
            groups in 0_usize..3,
            or_more: bool,
            notify in prop::sample::select(&Notify::ALL[..]),
        ) {
            let (able, named) = (people(able), people(listed));
            let groups: Vec<Box<str>> = (0..groups).map(|i| format!("S{i}").into()).collect();
            let audience = Audience::of(notify, Deciders { able: &able, or_more, groups: &groups, named: &named });
            prop_assert_eq!(audience.mention.is_some(), notify.mentions() && !able.is_empty());
            prop_assert_eq!(&audience.direct, if notify.writes() { &able } else { &audience.direct });
            prop_assert!(notify.writes() || audience.direct.is_empty());
            match audience.mention {
                Some(Mention::Named { groups, people }) => {
                    prop_assert!(people.len() <= NAMED && people.iter().all(|user| able.contains(user)));
                    prop_assert!(!groups.is_empty() || people == able);
                }
                Some(Mention::Count { people, .. }) => prop_assert_eq!(people, able.len()),
                None => {}
            }
        }

        #[test]
        fn of_several_rules_every_way_counts(
            one in prop::sample::select(&Notify::ALL[..]),
            other in prop::sample::select(&Notify::ALL[..]),
        ) {
            let both = one.and(other);
            prop_assert_eq!(both, other.and(one));
            prop_assert_eq!(both.mentions(), one.mentions() || other.mentions());
            prop_assert_eq!(both.writes(), one.writes() || other.writes());
        }
    }
}
