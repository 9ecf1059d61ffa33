//! The fake's memory: the world that tests edit, and what Mattermost would remember of the app's
//! calls.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio::sync::broadcast;

use super::files::{Shown, Upload};
use super::people::{self, Channel, Names, User, default_channels, default_users, id};
use super::seen::{Kind, Place, Seen};
use super::socket::Event;
use super::transcript;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429 in plain text, with `Retry-After` in seconds.
    RateLimited { retry_after: u64 },
    /// An HTTP status with a body that is not JSON.
    Status(u16),
    /// An error of Mattermost's own: its status and id.
    Error(u16, &'static str),
    /// Takes the request and never answers.
    Hang,
    /// Does what was asked, then answers 500.
    LoseReply,
}

/// The world (public: tests edit it) and the fake's own books (private).
#[derive(Debug)]
pub struct State {
    /// Users by id, the bot among them.
    pub users: BTreeMap<String, User>,
    pub channels: BTreeMap<String, Channel>,
    /// Members of each user group, by the group's id.
    pub groups: BTreeMap<String, Vec<String>>,
    /// User groups need a licence.
    pub licensed: bool,
    /// By default only a system administrator may; an operator grants it to the bot.
    pub bot_may_post_ephemerals: bool,
    /// `EnablePostUsernameOverride` and `EnablePostIconOverride`: whether the answer to a command
    /// has the name and the picture that it brings; otherwise those of whoever typed it.
    pub overrides: bool,
    /// Whether an answer under its reader's own name is a fault of the app.
    pub judges_authors: bool,
    /// How long a trigger opens dialogs: 30 s, as often as one likes.
    pub trigger_life: Duration,
    /// How long a `response_url` works: 30 minutes.
    pub response_url_life: Duration,
    /// Whom (`robo`) and what (`#old`) no message has a reason to mention.
    pub unwanted: BTreeSet<String>,

    /// Settings of the server that differ from the usual ones.
    pub settings: BTreeMap<&'static str, &'static str>,
    /// The permission that `AllowEditPost` once was.
    pub may_edit: bool,
    /// Posts that were made before then are older than `PostEditTimeLimit`.
    pub edits_since: u64,
    /// The bot's token is refused for a while.
    pub token_refused: bool,
    /// WebSockets do not stand; the status that their handshakes are answered with.
    pub(super) sockets_cut: bool,
    pub(super) sockets_status: Option<u16>,
    /// WebSockets stand, and nothing comes or is taken.
    pub sockets_hang: bool,
    /// The next event is not told, although it is counted.
    pub drops_event: bool,
    /// Connections that are told what happens.
    pub(super) listening: usize,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    /// Everything posted, by id, the deleted too (`delete_at`), ephemerals not.
    pub posts: BTreeMap<String, Value>,
    pub(super) ephemerals: HashMap<String, Value>,
    /// The posts that were made with a `pending_post_id`.
    pub(super) pending: HashMap<String, String>,
    pub(super) uploads: HashMap<String, Upload>,
    pub(super) shown: Vec<Shown>,
    /// What people attached, by the file's id.
    pub(super) attached: HashMap<String, Vec<u8>>,
    pub(super) forms: BTreeMap<usize, OpenForm>,
    pub(super) triggers: HashMap<String, Trigger>,
    pub(super) response_urls: HashMap<String, ResponseUrl>,
    /// Queued faults, by endpoint.
    pub faults: HashMap<String, VecDeque<Fault>>,
    pub(super) calls: BTreeMap<String, usize>,
    /// Every call word for word, refused ones included: its endpoint, and its query and body.
    pub(super) said: Vec<(String, String)>,
    pub(super) seen: Vec<Seen>,
    pub(super) unread: VecDeque<usize>,
    pub(super) violations: Vec<String>,
    last_millis: u64,
}

/// A dialog on somebody's screen.
#[derive(Debug, Clone)]
pub(super) struct OpenForm {
    pub user: String,
    pub channel: String,
    /// Where its submission goes.
    pub url: String,
    pub dialog: Value,
    /// What was filled in when it was sent last: it stays there if the app finds fault with it.
    pub filled: Value,
    pub closed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Trigger {
    pub user: String,
    pub channel: String,
    pub issued: Instant,
}

#[derive(Debug)]
pub(super) struct ResponseUrl {
    pub user: String,
    pub channel: String,
    pub root_id: String,
    pub issued: Instant,
    pub uses: u8,
}

impl State {
    /// What stands in the channels of another one, and has been read there.
    pub(super) fn take_posts(&mut self, other: &State) {
        (self.posts, self.pending, self.seen) = (other.posts.clone(), other.pending.clone(), other.seen.clone());
        self.last_millis = other.last_millis;
    }

    pub(super) fn new() -> Self {
        Self {
            users: default_users(),
            channels: default_channels(),
            groups: BTreeMap::from([(id("approvers"), vec![id("bob"), id("carol")])]),
            licensed: true,
            bot_may_post_ephemerals: true,
            overrides: true,
            judges_authors: true,
            settings: BTreeMap::new(),
            trigger_life: Duration::from_secs(30),
            response_url_life: Duration::from_mins(30),
            unwanted: ["robo", "otto", "#old"].map(String::from).into(),
            may_edit: true,
            edits_since: 0,
            token_refused: false,
            sockets_cut: false,
            sockets_status: None,
            sockets_hang: false,
            drops_event: false,
            listening: 0,
            events: broadcast::Sender::new(1_024),
            posts: BTreeMap::new(),
            ephemerals: HashMap::new(),
            pending: HashMap::new(),
            uploads: HashMap::new(),
            shown: Vec::new(),
            attached: HashMap::new(),
            forms: BTreeMap::new(),
            triggers: HashMap::new(),
            response_urls: HashMap::new(),
            faults: HashMap::new(),
            calls: BTreeMap::new(),
            said: Vec::new(),
            seen: Vec::new(),
            unread: VecDeque::new(),
            violations: Vec::new(),
            last_millis: 0,
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

    /// The id of `alice`, `@alice`, or of this id.
    pub(super) fn user_id(&self, who: &str) -> String {
        let name = who.trim_start_matches('@');
        let found = self.users.iter().find(|(id, user)| id.as_str() == name || user.name == name);
        found.unwrap_or_else(|| panic!("nobody is called {who:?} in the fake Mattermost")).0.clone()
    }

    /// The id of `soc-setup`, `~soc-setup`, or of this id.
    pub(super) fn channel_id(&self, which: &str) -> String {
        let name = which.trim_start_matches(['#', '~']);
        let found = self.channels.iter().find(|(id, c)| id.as_str() == name || c.name == name);
        found.unwrap_or_else(|| panic!("no channel is called {which:?} in the fake Mattermost")).0.clone()
    }

    /// Somebody deletes everything.
    pub fn delete_posts(&mut self) {
        let now = self.millis();
        self.posts.values_mut().for_each(|post| post["delete_at"] = now.into());
    }

    /// The id of the bot's account.
    pub fn bot(&self) -> String {
        id(people::BOT)
    }

    pub(super) fn names(&self) -> Names {
        let users = self.users.iter().map(|(id, user)| (id.clone(), user.name.clone()));
        let mut names = Names { users: users.collect(), channels: BTreeMap::new(), unwanted: self.unwanted.clone() };
        for (id, channel) in &self.channels {
            let name = match &channel.between {
                Some(ends) => {
                    let other = ends.iter().find(|end| **end != self.bot());
                    format!("direct message to {}", other.map_or_else(String::new, |other| names.user(other)))
                }
                None => format!("#{}", channel.name),
            };
            names.channels.insert(id.clone(), name);
        }
        names
    }

    pub(super) fn take_fault(&mut self, endpoint: &str) -> Option<Fault> {
        for key in [endpoint, "*"] {
            if let Some(fault) = self.faults.get_mut(key).and_then(VecDeque::pop_front) {
                return Some(fault);
            }
        }
        None
    }

    /// Notes an outgoing thing for `next()`, and whatever in it nobody should have to read.
    pub(super) fn note(&mut self, kind: Kind, payload: Value, shown: Value, place: Place) {
        let faults = transcript::read(&shown, &self.names()).faults;
        self.violations.extend(faults);
        let seen = self.describe(kind, payload, shown, place);
        self.unread.push_back(self.seen.len());
        self.seen.push(seen);
    }

    pub(super) fn describe(&self, kind: Kind, payload: Value, shown: Value, place: Place) -> Seen {
        let channel = match &place {
            Place::Post { channel, .. } | Place::Ephemeral { channel, .. } | Place::Gone { channel } => channel,
            Place::Form { form, .. } => &self.forms[form].channel,
        };
        let alone = self.channels[channel].between.is_some();
        Seen { kind, payload, at: Instant::now(), shown, place, alone, names: self.names() }
    }

    /// The app's posts that stand in a channel, oldest first.
    pub(super) fn standing(&self, channel: &str) -> Vec<Seen> {
        let bot = self.bot();
        let mut here: Vec<&Value> = self.posts.values().collect();
        here.retain(|post| post["channel_id"] == channel && post["user_id"] == bot.as_str() && post["delete_at"] == 0);
        here.sort_by_key(|post| post["create_at"].as_u64());
        here.into_iter()
            .map(|post| {
                let (channel, post_id) = (channel.to_owned(), super::find::raw(post, "id").to_owned());
                let place = Place::Post { channel: channel.clone(), post_id: post_id.clone() };
                self.describe(Kind::Posted { channel, post_id, root_id: None }, Value::Null, post.clone(), place)
            })
            .collect()
    }

    /// The time in milliseconds, never the same twice, so that posts have an order.
    pub fn millis(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_millis();
        self.last_millis = u64::try_from(now).expect("the clock is before the year 292e6").max(self.last_millis + 1);
        self.last_millis
    }

    pub(super) fn issue_trigger(&mut self, user: &str, channel: &str) -> String {
        let signature = STANDARD.encode(rand::random::<[u8; 32]>());
        let trigger = STANDARD.encode(format!("{}:{user}:{}:{signature}", fresh_id(), self.millis()));
        let (user, channel) = (user.to_owned(), channel.to_owned());
        self.triggers.insert(trigger.clone(), Trigger { user, channel, issued: Instant::now() });
        trigger
    }

    /// The id of a fresh `response_url`.
    pub(super) fn issue_response_url(&mut self, user: &str, channel: &str, root_id: &str) -> String {
        let url_id = fresh_id();
        let (user, channel, root_id) = (user.to_owned(), channel.to_owned(), root_id.to_owned());
        let url = ResponseUrl { user, channel, root_id, issued: Instant::now(), uses: 0 };
        self.response_urls.insert(url_id.clone(), url);
        url_id
    }
}

/// 26 characters of Mattermost's own alphabet that nobody can guess.
pub(super) fn fresh_id() -> String {
    let alphabet = b"ybndrfg8ejkmcpqxot1uwisza345h769";
    let mut rng = rand::rng();
    (0..26).map(|_| char::from(*alphabet.choose(&mut rng).expect("not empty"))).collect()
}

pub(super) fn is_id(id: &str) -> bool {
    id.len() == 26 && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
