//! Which events a command leads to, or why it is refused.

use jiff::Timestamp;

use super::digest::Digest;
use super::event::Event;
use super::state::{LONGEST_MUTE, Rule, Rules, Which};
use super::trigger::{BY_WEBHOOK, Trigger};
use super::values::Impossible;
use super::watch::Watch;
use crate::chat::view::{Line, minute};

/// What somebody, or the bot, wants of a channel's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Add {
        watch: Watch,
    },
    /// Those of Sekoia's three recommended rules that are not there.
    AddRecommended,
    Remove {
        number: u32,
    },
    Pause {
        number: u32,
    },
    /// Also ends a mute.
    Resume {
        number: u32,
    },
    Mute {
        number: u32,
        until: Timestamp,
    },
    /// A sample is sent, which is kept under this key.
    Sample {
        number: u32,
        key: Box<str>,
    },
    /// Somebody confirmed that the rule's sample arrived.
    Tested {
        number: u32,
    },
    /// The first token or a new one; `hash` is [`super::token_hash`] of it.
    MakeWebhook {
        hash: Box<str>,
    },
    RevokeWebhook,
    SetDigest {
        digest: Digest,
    },
    ClearDigest {
        which: Which,
    },
    /// The digest planned for `at` was sent.
    DigestSent {
        which: Which,
        at: Timestamp,
    },
}

/// Why a command was refused; the text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Impossible(Impossible),
    #[error("A rule for \"{title}\" could never fire here. {BY_WEBHOOK}.", title = .0.spec().title)]
    OnlyByWebhook(Trigger),
    #[error("Rule {0} says that already. `/sekoia notify` lists the rules.")]
    Duplicate(u32),
    #[error("Rule {0} says that already, but it is paused. `/sekoia notify resume {0}` resumes it.")]
    DuplicatePaused(u32),
    #[error("A channel may have {MAX_RULES} rules. `/sekoia notify remove <n>` makes room.")]
    TooMany,
    #[error("The three rules that Sekoia recommends are here already. `/sekoia notify` lists them.")]
    NothingMissing,
    #[error("There is no rule {0}. {1}")]
    NoSuch(u32, &'static str),
    #[error("Rule {0} is paused already. `/sekoia notify resume {0}` resumes it.")]
    AlreadyPaused(u32),
    #[error("Rule {0} is neither paused nor muted.")]
    AlreadyLive(u32),
    #[error(
        "A rule is muted until a time to come, for 30 days at most. `/sekoia notify pause {0}` stops it until someone resumes it."
    )]
    MuteTime(u32),
    #[error("Rule {0} is muted until {time} already.", time = minute(*.1))]
    AlreadyMuted(u32, Timestamp),
    #[error("No sample of rule {0} has come here. `/sekoia notify test {0}` sends one.")]
    NoSample(u32),
    #[error("This is not a hash of a webhook's token.")]
    NotAHash,
    #[error("That address is in use already. `/sekoia notify webhook` makes a new one.")]
    SameWebhook,
    #[error("Meanwhile someone made another address, or revoked it. `/sekoia notify` shows how it stands.")]
    OtherWebhook,
    #[error("There is no webhook to revoke. `/sekoia notify webhook` makes one.")]
    NoWebhook,
    #[error("That digest is set already. `/sekoia notify` shows when it comes.")]
    SameDigest,
    #[error("There is no {name} digest here. `/sekoia notify digest {name} 08:30 Europe/Paris` sets one.", name = .0.name())]
    NoDigest(Which),
    #[error("That digest was sent already.")]
    AlreadySent,
}

impl Refusal {
    /// The same sentence with what can be typed as code; what somebody typed is never markup.
    pub fn line(&self) -> Line {
        match self {
            Refusal::Impossible(impossible) => impossible.line(),
            own_words => Line::marked(&own_words.to_string()),
        }
    }
}

/// Rules of one channel.
pub const MAX_RULES: usize = 50;
/// Which events `command` leads to.
pub fn decide(state: &Rules, command: Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let event = match command {
        Command::Add { watch } => {
            if !watch.trigger.spec().evaluated {
                return Err(Refusal::OnlyByWebhook(watch.trigger));
            }
            watch.check().map_err(Refusal::Impossible)?;
            match state.same_as(&watch) {
                Some(Rule { number, paused: true, .. }) => return Err(Refusal::DuplicatePaused(*number)),
                Some(Rule { number, .. }) => return Err(Refusal::Duplicate(*number)),
                None => room_for(state, 1)?,
            }
            Event::Added { number: state.next, watch }
        }
        Command::AddRecommended => {
            let missing = state.missing();
            if missing.is_empty() {
                return Err(Refusal::NothingMissing);
            }
            room_for(state, missing.len())?;
            return Ok((state.next..).zip(missing).map(|(number, watch)| Event::Added { number, watch }).collect());
        }
        Command::Remove { number } => {
            rule(state, number)?;
            Event::Removed { number }
        }
        Command::Pause { number } => {
            if rule(state, number)?.paused {
                return Err(Refusal::AlreadyPaused(number));
            }
            Event::Paused { number }
        }
        Command::Resume { number } => {
            if rule(state, number)?.is_live(now) {
                return Err(Refusal::AlreadyLive(number));
            }
            Event::Resumed { number }
        }
        Command::Mute { number, until } => {
            let rule = rule(state, number)?;
            if until <= now || until.duration_since(now) > LONGEST_MUTE {
                return Err(Refusal::MuteTime(number));
            }
            match rule.muted_until {
                _ if rule.paused => return Err(Refusal::AlreadyPaused(number)),
                Some(same) if same == until => return Err(Refusal::AlreadyMuted(number, until)),
                _ => Event::Muted { number, until },
            }
        }
        Command::Sample { number, key } => {
            let rule = rule(state, number)?;
            if !rule.watch.trigger.spec().evaluated {
                return Err(Refusal::OnlyByWebhook(rule.watch.trigger));
            }
            Event::Sampled { number, key }
        }
        Command::Tested { number } => {
            if rule(state, number)?.sample.is_none() {
                return Err(Refusal::NoSample(number));
            }
            Event::Tested { number }
        }
        Command::MakeWebhook { hash } => {
            if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(Refusal::NotAHash);
            }
            if state.webhook.as_ref().is_some_and(|webhook| webhook.hash == hash) {
                return Err(Refusal::SameWebhook);
            }
            Event::WebhookMade { hash }
        }
        Command::RevokeWebhook => match state.webhook {
            Some(_) => Event::WebhookRevoked,
            None => return Err(Refusal::NoWebhook),
        },
        Command::SetDigest { digest } => {
            let there = state.planned(Which::from(digest.every));
            if there.is_some_and(|planned| planned.digest == digest) {
                return Err(Refusal::SameDigest);
            }
            Event::DigestSet { digest }
        }
        Command::ClearDigest { which } => match state.planned(which) {
            Some(_) => Event::DigestCleared { which },
            None => return Err(Refusal::NoDigest(which)),
        },
        Command::DigestSent { which, at } => match state.planned(which) {
            Some(planned) if at <= planned.since(now) => return Err(Refusal::AlreadySent),
            Some(_) => Event::DigestSent { which, at },
            None => return Err(Refusal::NoDigest(which)),
        },
    };
    Ok(vec![event])
}

fn rule(state: &Rules, number: u32) -> Result<&Rule, Refusal> {
    let hint = if state.rules.is_empty() {
        "This channel has none yet: `/sekoia notify recommended` adds three."
    } else {
        "`/sekoia notify` lists them."
    };
    state.rule(number).ok_or(Refusal::NoSuch(number, hint))
}

fn room_for(state: &Rules, more: usize) -> Result<(), Refusal> {
    if state.rules.len() + more > MAX_RULES { Err(Refusal::TooMany) } else { Ok(()) }
}
