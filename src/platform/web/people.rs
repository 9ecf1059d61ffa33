//! Who and where: the people and channels of the demo.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::chat::view::{Block, Line, Span, View};
use crate::chat::{ChannelKey, UserId};
use crate::domain::access::{Policy, Principal};
use crate::sandbox::identity::Identity;

/// The bot, as an author.
pub const BOT: &str = "sekoia";

/// Somebody whom the page can speak as.
#[derive(Debug, Serialize)]
pub struct Somebody {
    pub id: &'static str,
    pub name: &'static str,
    pub role: &'static str,
    pub may: &'static str,
    /// Of their account at the embedded Sekoia, if they have one.
    #[serde(skip)]
    pub email: Option<&'static str>,
    /// Who they would be on Slack.
    #[serde(skip)]
    slack: &'static str,
    #[serde(skip)]
    operator: bool,
    #[serde(skip)]
    approver: bool,
}

pub const PEOPLE: [Somebody; 4] = [
    Somebody {
        id: "alice",
        name: "Alice",
        role: "Administrator",
        may: "sets up and asks",
        email: Some("claire.dubreuil@banque-rivoli.example"),
        slack: "U0ALICE",
        operator: true,
        approver: false,
    },
    Somebody {
        id: "bob",
        name: "Bob",
        role: "Head of security",
        may: "may approve",
        email: None,
        slack: "U0BOB",
        operator: true,
        approver: true,
    },
    Somebody {
        id: "carol",
        name: "Carol",
        role: "SOC manager",
        may: "may approve",
        email: None,
        slack: "U0CAROL",
        operator: true,
        approver: true,
    },
    Somebody {
        id: "dan",
        name: "Dan",
        role: "Analyst",
        may: "may look, not change",
        email: None,
        slack: "U0DAN",
        operator: false,
        approver: false,
    },
];

struct Place {
    id: &'static str,
    topic: &'static str,
    /// Who it would be on Slack.
    slack: &'static str,
}

const CHANNELS: [Place; 2] = [
    Place { id: "soc-setup", topic: "The new Sekoia workspace, step by step", slack: "C0SOCSETUP" },
    Place { id: "nimbus-payments", topic: "The same for the payments unit", slack: "C0NIMBUS" },
];

/// A channel as a person sees it.
#[derive(Debug, Serialize)]
pub struct Channel {
    id: Cow<'static, str>,
    name: &'static str,
    topic: &'static str,
    direct: bool,
}

/// What a person sees at the left.
pub fn channels(person: &str) -> Vec<Channel> {
    let public = CHANNELS.iter().map(|c| Channel { id: c.id.into(), name: c.id, topic: c.topic, direct: false });
    let direct = Channel {
        id: direct(person).into(),
        name: "Sekoia",
        topic: "You and the bot. It works in channels, and says so here.",
        direct: true,
    };
    public.chain([direct]).collect()
}

/// The conversation that a person has with the bot alone.
pub fn direct(person: &str) -> String {
    format!("dm-{person}")
}

/// Whether `channel` is somebody's conversation with the bot alone.
pub fn is_direct(channel: &str) -> bool {
    PEOPLE.iter().any(|person| channel == direct(person.id))
}

pub fn find(id: &str) -> Option<&'static Somebody> {
    PEOPLE.iter().find(|person| person.id == id)
}

/// A line as text, with people by their names.
pub fn named(line: &Line) -> String {
    line.plain_with(&|user| find(user.native()).map(|person| person.name.to_owned()))
}

pub fn is_public(channel: &str) -> bool {
    CHANNELS.iter().any(|c| c.id == channel)
}

/// Whether `person` is in `channel`.
pub fn sees(person: &str, channel: &str) -> bool {
    is_public(channel) || channel == direct(person)
}

/// Who they are at the demo's own identity provider.
pub fn identities() -> Vec<Identity> {
    let identity = |person: &Somebody| Identity {
        subject: person.id.to_owned(),
        name: person.name.to_owned(),
        email: person.email.map_or_else(|| format!("{}@banque-rivoli.example", person.id), str::to_owned),
        email_verified: true,
    };
    PEOPLE.iter().map(identity).collect()
}

/// Which of them is whom in the chat.
pub fn subjects() -> BTreeMap<UserId, Box<str>> {
    PEOPLE.iter().map(|person| (UserId::web(person.id), person.id.into())).collect()
}

/// Who has which rights in the demo.
pub fn policy() -> Policy {
    let those = |of: fn(&Somebody) -> bool| {
        PEOPLE.iter().filter(|p| of(p)).map(|p| Principal::User(UserId::web(p.id))).collect()
    };
    Policy { operators: those(|p| p.operator), approvers: those(|p| p.approver), channels: Vec::new() }
}

/// The same message with the people and channels that there would be on Slack.
pub fn on_slack(view: &View) -> View {
    let line = |line: &Line| Line(line.0.iter().map(span).collect());
    let blocks = view.blocks.iter().map(|block| match block {
        Block::Line(id, content) => Block::Line(*id, line(content)),
        Block::Bullets(lines) => Block::Bullets(lines.iter().map(line).collect()),
        Block::List(table, lines) => Block::List(table.clone(), lines.iter().map(line).collect()),
        Block::Note(content) => Block::Note(line(content)),
        other @ (Block::Heading(_) | Block::Code(_) | Block::Table(_) | Block::Controls(_)) => other.clone(),
    });
    View { summary: line(&view.summary), blocks: blocks.collect(), tone: view.tone, kept: view.kept }
}

fn span(span: &Span) -> Span {
    match span {
        Span::Person(user) => match find(user.native()) {
            Some(person) => Span::Person(UserId::slack(person.slack)),
            None => span.clone(),
        },
        Span::Channel(channel) => match CHANNELS.iter().find(|c| c.id == channel.channel()) {
            Some(place) => Span::Channel(ChannelKey::slack("T0DEMO", place.slack)),
            None => span.clone(),
        },
        other => other.clone(),
    }
}
