//! Who may do what: viewers, operators, approvers.
//!
//! People are known by immutable id. Everything that cannot be established is a "no" that says
//! what could not be established, and denies nothing that does not depend on it. Being in a channel
//! never makes anybody more than a viewer.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::chat::view::Line;
use crate::chat::{ChatError, Person, UserId, Wording};

/// The right that a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Anybody,
    Viewer,
    Operator,
    Approver,
}

impl Right {
    pub fn name(self) -> &'static str {
        match self {
            Right::Anybody => "anybody",
            Right::Viewer => "viewer",
            Right::Operator => "operator",
            Right::Approver => "approver",
        }
    }
}

/// Somebody, or everybody in a user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    User(UserId),
    /// `slack-group:S0123`: the platform, and its id of the group.
    Group {
        platform: &'static str,
        id: Box<str>,
    },
}

/// Who was given rights by configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `CHATOPS_OPERATORS`; empty: the approvers.
    pub operators: Vec<Principal>,
    /// `CHATOPS_APPROVERS`.
    pub approvers: Vec<Principal>,
    /// `CHATOPS_CHANNELS`, as platform channel ids; empty: any that is not shared externally.
    pub channels: Vec<Box<str>>,
}

/// What one person may do in one channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    pub operator: bool,
    pub approver: bool,
    /// What could not be read, and might make them more.
    pub unread: Vec<Unread>,
    /// Another id of the same person, which the settings list.
    pub listed: Option<UserId>,
}

impl Rights {
    pub const NONE: Rights = Rights { operator: false, approver: false, unread: Vec::new(), listed: None };
}

/// Somebody whom a setting names and whom the platform could not tell of: mostly a user group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{who} of {setting} could not be read ({why})")]
pub struct Unread {
    /// As it is configured: `slack-group:S0123`.
    pub who: Box<str>,
    pub setting: Box<str>,
    pub why: ChatError,
}

impl Unread {
    pub fn new(who: &Principal, setting: &str, why: ChatError) -> Self {
        Self { who: who.to_string().into(), setting: setting.into(), why }
    }

    /// What to do about it, in the words of the platform.
    pub fn advice(&self, wording: &Wording) -> Cow<'static, str> {
        match self.why {
            ChatError::Refused(_) => {
                format!("If it was deleted, your bot administrator takes it out of {}.", self.setting).into()
            }
            _ => self.why.advice(wording),
        }
    }
}

/// Why not. The text is for the person and names the setting and their own id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("Your account belongs to another workspace or server than the one where I am installed. Your id is `{0}`.")]
    OtherTeam(UserId),
    #[error("Guests have no rights here. Ask a full member of the workspace. Your id is `{0}`.")]
    Guest(UserId),
    #[error("Bots have no rights here. This account's id is `{0}`.")]
    Bot(UserId),
    #[error("This account is deactivated and has no rights. Its id is `{0}`.")]
    Inactive(UserId),
    #[error(
        "This channel is shared with another organisation, so I do not work here. Your bot administrator can allow it by adding `{channel}` to CHATOPS_CHANNELS. Your id is `{user}`."
    )]
    External { channel: Box<str>, user: UserId },
    #[error(
        "I work only in the channels that CHATOPS_CHANNELS lists, and `{channel}` is not one of them. Your id is `{user}`."
    )]
    NotListed { channel: Box<str>, user: UserId },
    #[error("I work in channels, not in direct messages. Type it in the channel that you set up. Your id is `{0}`.")]
    NotAChannel(UserId),
    #[error("This channel is archived.")]
    Archived,
    #[error(
        "That is for operators. Ask your bot administrator to add `{0}` to CHATOPS_OPERATORS. `/sekoia whoami` shows your rights."
    )]
    NotOperator(UserId),
    #[error(
        "Nobody is an operator yet. Ask your bot administrator to set CHATOPS_OPERATORS or CHATOPS_APPROVERS, for example to `{0}`, which is your id."
    )]
    NobodyIsOperator(UserId),
    #[error(
        "That is for approvers. Ask your bot administrator to add `{0}` to CHATOPS_APPROVERS. `/sekoia whoami` shows your rights."
    )]
    NotApprover(UserId),
    #[error(
        "You may not ask for this. Ask your bot administrator to add `{user}` to {setting}. `/sekoia whoami` shows your rights."
    )]
    NotRequester { user: UserId, setting: Box<str> },
    #[error("I cannot see this channel.")]
    BotNotInChannel,
    #[error("I could not check your rights ({why}), so I did nothing. Your id is `{user}`.")]
    Unknown { user: UserId, why: ChatError },
    #[error("I cannot tell whether you are {what}, because {unread}. Nothing was done. Your id is `{user}`.")]
    Unread { user: UserId, what: &'static str, unread: Box<Unread> },
    #[error(
        "That is for {what}, and {setting} lists another id of yours, `{listed}`. Your id is now `{user}`: your bot administrator puts it in the place of the other one."
    )]
    OtherId { user: UserId, what: &'static str, setting: &'static str, listed: UserId },
}

pub const OPERATORS: &str = "CHATOPS_OPERATORS";
pub const APPROVERS: &str = "CHATOPS_APPROVERS";

impl Denial {
    /// The sentence with what to do, in the words of the platform: ids and what can be typed as code;
    /// a platform's words are no markup.
    pub fn line(&self, wording: &Wording) -> Line {
        match self {
            Denial::BotNotInChannel => Line::marked(&format!("{self} {}", ChatError::NotInChannel.advice(wording))),
            Denial::Unknown { user, why } => Line::new()
                .say(format!("I could not check your rights ({why}), so I did nothing. "))
                .append(Line::marked(&why.advice(wording)))
                .say(" Your id is ")
                .code(user.to_string())
                .say("."),
            Denial::Unread { user, what, unread } => Line::new()
                .say(format!("I cannot tell whether you are {what}, because {unread}. Nothing was done. "))
                .append(Line::marked(&unread.advice(wording)))
                .say(" Your id is ")
                .code(user.to_string())
                .say("."),
            own_words => Line::marked(&own_words.to_string()),
        }
    }

    /// What cannot be established is a "no".
    pub fn of(why: ChatError, user: &UserId) -> Self {
        match why {
            ChatError::NotInChannel => Denial::BotNotInChannel,
            ChatError::NotAChannel => Denial::NotAChannel(user.clone()),
            why => Denial::Unknown { user: user.clone(), why },
        }
    }
}

impl Policy {
    /// Whether `rights` are enough for `right`.
    pub fn allow(&self, rights: &Rights, right: Right, user: &UserId) -> Result<(), Denial> {
        let (may, what, setting) = match right {
            Right::Anybody | Right::Viewer => return Ok(()),
            Right::Operator if self.operators.is_empty() => (rights.operator, "an operator", APPROVERS),
            Right::Operator => (rights.operator, "an operator", OPERATORS),
            Right::Approver => (rights.approver, "an approver", APPROVERS),
        };
        if may {
            return Ok(());
        }
        if right == Right::Operator && self.operators.is_empty() && self.approvers.is_empty() {
            return Err(Denial::NobodyIsOperator(user.clone()));
        }
        if let Some(unread) = rights.unread.iter().find(|unread| *unread.setting == *setting) {
            return Err(Denial::Unread { user: user.clone(), what, unread: Box::new(unread.clone()) });
        }
        let of = |list: &[Principal]| {
            list.iter().any(|p| matches!(p, Principal::User(id) if Some(id) == rights.listed.as_ref()))
        };
        let listed = of(if setting == OPERATORS { &self.operators } else { &self.approvers });
        match (&rights.listed, right) {
            (Some(other), _) if listed => {
                let what = if right == Right::Approver { "approvers" } else { "operators" };
                Err(Denial::OtherId { user: user.clone(), what, setting, listed: other.clone() })
            }
            (_, Right::Approver) => Err(Denial::NotApprover(user.clone())),
            _ => Err(Denial::NotOperator(user.clone())),
        }
    }
}

/// Whether an account may have rights at all.
pub fn refuse_outsiders(person: &Person, team: &str, user: &UserId) -> Result<(), Denial> {
    if &*person.team != team {
        return Err(Denial::OtherTeam(user.clone()));
    }
    if !person.active {
        return Err(Denial::Inactive(user.clone()));
    }
    if person.bot {
        return Err(Denial::Bot(user.clone()));
    }
    if person.guest {
        return Err(Denial::Guest(user.clone()));
    }
    Ok(())
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::User(user) => user.fmt(f),
            Principal::Group { platform, id } => write!(f, "{platform}-group:{id}"),
        }
    }
}

impl Principal {
    pub fn is_group(&self) -> bool {
        matches!(self, Principal::Group { .. })
    }

    /// The platform's id of the user group that it is there; none for a person, and on another platform.
    pub fn group_on(&self, chat: &str) -> Option<&str> {
        match self {
            Principal::Group { platform, id } if *platform == chat => Some(id),
            Principal::Group { .. } | Principal::User(_) => None,
        }
    }

    /// Whether it is of this chat platform.
    pub fn is_on(&self, chat: &str) -> bool {
        match self {
            Principal::User(user) => user.platform() == chat,
            Principal::Group { platform, .. } => *platform == chat,
        }
    }
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let expected = "write slack:U…, slack-group:S…, mattermost:… or mattermost-group:…";
        let (kind, id) = s.trim().split_once(':').ok_or_else(|| format!("{s:?} has no platform; {expected}"))?;
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(format!("{s:?} has no id of letters and digits; {expected}"));
        }
        match kind {
            "slack" if id.starts_with(['U', 'W']) => Ok(Principal::User(UserId::slack(id))),
            "slack" => Err(format!("{s:?} is not a Slack user id, which begins with U or W (not a name)")),
            "slack-group" if id.starts_with('S') => Ok(Principal::Group { platform: "slack", id: id.into() }),
            "slack-group" => Err(format!("{s:?} is not a Slack user group id, which begins with S")),
            "mattermost" => Ok(Principal::User(UserId::mattermost(id))),
            "mattermost-group" => Ok(Principal::Group { platform: "mattermost", id: id.into() }),
            other => Err(format!("{other:?} is not a platform; {expected}")),
        }
    }
}
