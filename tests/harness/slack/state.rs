//! The fake's memory: the world that tests edit, and what Slack would remember of the app's calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::distr::{Alphanumeric, SampleString};
use serde_json::Value;

use super::block_kit;
use super::people::{App, Channel, Names, Team, User, default_channels, default_users};
use super::seen::{Kind, Place, Seen};
use super::uploads::{Shown, Upload};

/// Everything that the app asks for in its manifest.
const SCOPES: [&str; 13] = [
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:write",
    "usergroups:read",
    "users:read",
];

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After` in seconds.
    RateLimited { retry_after: u64 },
    /// An HTTP status with a body that is not JSON.
    Status(u16),
    /// `{"ok":false,"error":…}`.
    Error(&'static str),
    /// Takes the request and never answers.
    Hang,
    /// Does what was asked, then answers 500.
    LoseReply,
}

/// The world (public: tests edit it) and the fake's own books (private).
#[derive(Debug)]
pub struct State {
    pub team: Team,
    pub app: App,
    /// Users by id, the bot among them.
    pub users: BTreeMap<String, User>,
    pub channels: BTreeMap<String, Channel>,
    /// Members of each user group, by the group's id.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Scopes granted to the bot token; a method outside of them answers `missing_scope`.
    pub scopes: BTreeSet<String>,
    /// How long a trigger may be exchanged for a view: 3 s, as Slack says.
    pub trigger_life: Duration,
    /// How long a `response_url` works: 30 minutes.
    pub response_url_life: Duration,

    /// Seconds that Slack's clock is ahead of this machine's.
    pub clock_ahead: i64,
    /// What the app may still edit of its messages.
    pub edits: Edits,
    /// Slack refuses the bot's token for a while.
    pub token_refused: bool,
    /// The token is of an organisation-wide install.
    pub organisation_wide: bool,
    /// Posted messages, by channel and `ts`.
    pub messages: BTreeMap<(String, String), Value>,
    /// What people put into forms, by the file's id.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Where this Slack is.
    pub(super) origin: String,
    pub(super) uploads: HashMap<String, Upload>,
    pub(super) shown: Vec<Shown>,
    pub(super) views: BTreeMap<String, OpenView>,
    pub(super) triggers: HashMap<String, Trigger>,
    pub(super) response_urls: HashMap<String, ResponseUrl>,
    /// Queued faults, by method.
    pub faults: HashMap<String, VecDeque<Fault>>,
    pub(super) calls: BTreeMap<String, usize>,
    /// Every call word for word, refused ones included: its method, and its query and body.
    pub(super) said: Vec<(String, String)>,
    pub(super) seen: Vec<Seen>,
    pub(super) unread: VecDeque<usize>,
    pub(super) violations: Vec<String>,
    /// What a person did last: the answer to that request is read in its light.
    pub(super) last: Option<Gesture>,
    last_ts: u128,
}

/// What may be edited of the app's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Edits {
    #[default]
    All,
    /// Those posted since this `ts`: the time to edit the others is over.
    Since(String),
    None,
}

/// A modal on somebody's screen.
#[derive(Debug, Clone)]
pub(super) struct OpenView {
    pub user: String,
    /// The whole view object, what the person has filled in so far included.
    pub view: Value,
    pub closed: bool,
}

#[derive(Debug)]
pub(super) struct Trigger {
    pub user: String,
    pub issued: Instant,
    pub used: bool,
}

/// Where an answer through a `response_url` lands.
#[derive(Debug)]
pub(super) struct ResponseUrl {
    pub user: String,
    pub channel: String,
    /// The message that a click was made on; none for a slash command.
    pub original: Option<Place>,
    pub issued: Instant,
    pub uses: u8,
}

#[derive(Debug, Clone)]
pub(super) enum Gesture {
    Slash {
        user: String,
        channel: String,
    },
    Submit {
        view_id: String,
    },
    /// Slack ignores the body of the answer.
    Other,
}

impl State {
    /// What stands in the channels of another one, and has been read there.
    pub(super) fn take_messages(&mut self, other: &State) {
        (self.messages, self.seen) = (other.messages.clone(), other.seen.clone());
        self.last_ts = other.last_ts;
    }

    pub(super) fn new() -> Self {
        Self {
            team: Team::default_world(),
            app: App::default_world(),
            users: default_users(),
            channels: default_channels(),
            groups: BTreeMap::from([("S0APPROVERS".into(), vec!["U0BOB".into(), "U0CAROL".into()])]),
            scopes: SCOPES.map(String::from).into(),
            trigger_life: Duration::from_secs(3),
            response_url_life: Duration::from_mins(30),
            clock_ahead: 0,
            edits: Edits::default(),
            token_refused: false,
            organisation_wide: false,
            messages: BTreeMap::new(),
            files: BTreeMap::new(),
            origin: String::new(),
            uploads: HashMap::new(),
            shown: Vec::new(),
            views: BTreeMap::new(),
            triggers: HashMap::new(),
            response_urls: HashMap::new(),
            faults: HashMap::new(),
            calls: BTreeMap::new(),
            said: Vec::new(),
            seen: Vec::new(),
            unread: VecDeque::new(),
            violations: Vec::new(),
            last: None,
            last_ts: 0,
        }
    }

    /// The user of this id or name, to be edited.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn user(&mut self, who: &str) -> &mut User {
        let id = self.user_id(who);
        self.users.get_mut(&id).expect("user_id answers with an id that exists")
    }

    /// The channel of this id or name, to be edited.
    ///
    /// # Panics
    /// When there is no such channel.
    pub fn channel(&mut self, which: &str) -> &mut Channel {
        let id = self.channel_id(which);
        self.channels.get_mut(&id).expect("channel_id answers with an id that exists")
    }

    /// Makes a channel private, for which Slack gives it another id; its messages stay in it.
    pub fn convert(&mut self, which: &str, new: &str) {
        let old = self.channel_id(which);
        let mut channel = self.channels.remove(&old).expect("channel_id answers with an id that exists");
        channel.is_private = true;
        self.channels.insert(new.to_owned(), channel);
        let messages = std::mem::take(&mut self.messages).into_iter();
        let moved = |id: String| if id == old { new.to_owned() } else { id };
        self.messages = messages.map(|((id, ts), message)| ((moved(id), ts), message)).collect();
    }

    /// The id of `alice`, `@alice` or `U0ALICE`.
    pub(super) fn user_id(&self, who: &str) -> String {
        let name = who.trim_start_matches('@');
        let found = self.users.iter().find(|(id, user)| id.as_str() == name || user.name == name);
        found.unwrap_or_else(|| panic!("nobody is called {who:?} in the fake Slack")).0.clone()
    }

    /// The id of `soc-setup`, `#soc-setup` or `C0SOC`.
    pub fn channel_id(&self, which: &str) -> String {
        let name = which.trim_start_matches('#');
        let found = self.channels.iter().find(|(id, c)| id.as_str() == name || c.name == name);
        found.unwrap_or_else(|| panic!("no channel is called {which:?} in the fake Slack")).0.clone()
    }

    pub(super) fn names(&self) -> Names {
        let users = self.users.iter().map(|(id, user)| (id.clone(), user.name.clone()));
        let mut names = Names { users: users.collect(), channels: BTreeMap::new() };
        for (id, channel) in &self.channels {
            let name = match &channel.im_with {
                Some(other) => format!("direct message to {}", names.user(other)),
                None => format!("#{}", channel.name),
            };
            names.channels.insert(id.clone(), name);
        }
        names
    }

    pub(super) fn take_fault(&mut self, method: &str) -> Option<Fault> {
        for key in [method, "*"] {
            if let Some(fault) = self.faults.get_mut(key).and_then(VecDeque::pop_front) {
                return Some(fault);
            }
        }
        None
    }

    /// Notes an outgoing thing for `next()`.
    pub(super) fn note(&mut self, kind: Kind, payload: Value, shown: Value, place: Place) {
        self.look_for_broadcasts(&payload);
        let seen = self.describe(kind, payload, shown, place);
        self.unread.push_back(self.seen.len());
        self.seen.push(seen);
    }

    pub(super) fn look_for_broadcasts(&mut self, payload: &Value) {
        let found = block_kit::broadcasts(payload);
        self.violations.extend(found.into_iter().map(|text| format!("broadcast: {text}")));
    }

    pub(super) fn describe(&self, kind: Kind, payload: Value, shown: Value, place: Place) -> Seen {
        Seen { kind, payload, at: Instant::now(), shown, place, names: self.names() }
    }

    /// The app's messages in a channel, oldest first.
    pub(super) fn standing(&self, channel: &str) -> Vec<Seen> {
        let here = self.messages.iter().filter(|((place, _), _)| place == channel);
        here.map(|((channel, ts), message)| {
            let kind = Kind::Posted { channel: channel.clone(), ts: ts.clone(), thread_ts: None };
            let place = Place::Message { channel: channel.clone(), ts: ts.clone() };
            self.describe(kind, Value::Null, message.clone(), place)
        })
        .collect()
    }

    /// A fresh message timestamp, unique and growing as Slack's are.
    pub fn fresh_ts(&mut self) -> String {
        self.last_ts = since_epoch().as_micros().max(self.last_ts + 1);
        format!("{}.{:06}", self.last_ts / 1_000_000, self.last_ts % 1_000_000)
    }

    pub(super) fn issue_trigger(&mut self, user: &str) -> String {
        let id = format!("{}.{}.{}", digits(13), digits(13), hex::encode(rand::random::<[u8; 16]>()));
        let trigger = Trigger { user: user.to_owned(), issued: Instant::now(), used: false };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    /// The path of a fresh `response_url`; `kind` is `commands` or `actions`.
    pub(super) fn issue_response_url(
        &mut self,
        kind: &str,
        user: &str,
        channel: &str,
        original: Option<Place>,
    ) -> String {
        let path = format!("/{kind}/{}/{}/{}", self.team.id, digits(13), token(24));
        let (user, channel) = (user.to_owned(), channel.to_owned());
        let url = ResponseUrl { user, channel, original, issued: Instant::now(), uses: 0 };
        self.response_urls.insert(path.clone(), url);
        path
    }
}

pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970")
}

/// Letters and digits that nobody can guess.
pub(super) fn token(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

pub(super) fn digits(length: usize) -> String {
    (0..length).map(|_| char::from(b'0' + rand::random::<u8>() % 10)).collect()
}
