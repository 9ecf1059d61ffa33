//! The registry: every metric's name, help, labels and buckets.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Figures;
use crate::telemetry::process::Process;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Times<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;
type Gauges = Family<Labels<1>, Gauge>;
type Seconds = Family<Labels<1>, Gauge<f64, AtomicU64>>;

/// Chat platforms wait for three seconds.
const ACKNOWLEDGED: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0];
/// Calls end after nine seconds.
const CALLED: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// A commit that a person waits for ends after two seconds.
const STORED: [f64; 11] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0];
/// Some sources are polled every few minutes.
const NOTIFIED: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

#[derive(Debug)]
pub(super) struct Instruments {
    registry: Registry,
    pub counted: Counted,
    read: Read,
}

/// What is counted as it happens.
#[derive(Debug)]
pub(super) struct Counted {
    requests: Counters<2>,
    acknowledgement: Times<1>,
    routes: Slots<&'static str, Route, MOST_ROUTES>,
    commands: Counters<2>,
    said: Slots<[&'static str; 2], Counter, MOST_COMMANDS>,
    pub failed_answers: Counters<1>,
    pub sekoia_requests: Counters<3>,
    pub sekoia_latency: Times<2>,
    pub chat_requests: Family<[(&'static str, Cow<'static, str>); 3], Counter>,
    pub chat_latency: Times<1>,
    pub store_latency: Times<1>,
    pub store_errors: Counters<2>,
    pub notifications: Counters<1>,
    pub notification_lag: Times<1>,
}

/// What was counted at least once, in the order of the first times: most requests are answered in
/// less time than it takes to look labels up by their hash.
#[derive(Debug)]
struct Slots<K, V, const N: usize>([OnceLock<(K, V)>; N]);

/// A route's own numbers.
#[derive(Debug)]
struct Route {
    outcomes: [OnceLock<Counter>; OUTCOMES.len()],
    acknowledgement: Histogram,
}

/// More than there are.
const MOST_ROUTES: usize = 16;
/// More than there are on all platforms together.
const MOST_COMMANDS: usize = 256;
/// How a request ends.
const OUTCOMES: [&str; 8] =
    ["ok", "unauthorized", "unknown", "timeout", "too_large", "malformed", "unavailable", "failed"];

/// What is set from [`Figures`].
#[derive(Debug, Default)]
struct Read {
    waiting: Gauges,
    oldest: Seconds,
    failing: Gauges,
    failing_age: Seconds,
    approvals: Gauges,
    sessions: Family<Labels<0>, Gauge>,
    dead_letters: Family<Labels<0>, Gauge>,
    set_aside: Gauge,
    up: Gauges,
    refused: Counters<1>,
    looked: Seconds,
    live: Family<Labels<0>, Gauge>,
    paused: Gauge<f64, AtomicU64>,
    frozen: Family<Labels<0>, Gauge>,
}

impl Instruments {
    pub fn new(version: &'static str, commit: &'static str) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::starting()));
        let of = registry.sub_registry_with_prefix("sekoia_chatops");
        of.register("build", "The program that runs", Info::new([("version", version), ("commit", commit)]));
        let (counted, read) = (Counted::new(of), Read::new(of));
        // From nothing to the first failure is an increase only if there was something.
        for cause in ["store", "chat", "sekoia"] {
            let _ = counted.failed_answers.get_or_create(&[("cause", cause)]);
        }
        for error in ["busy", "database", "unsettled"] {
            let _ = counted.store_errors.get_or_create(&[("operation", "commit"), ("error", error)]);
        }
        Self { registry, counted, read }
    }

    pub fn text(&self, figures: &Figures) -> String {
        self.read.set(figures);
        let mut text = String::new();
        // Writing into a string does not fail, and what is written never does.
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics cannot be written");
        }
        text
    }
}

impl Counted {
    fn new(of: &mut Registry) -> Self {
        let chat_requests = Family::default();
        of.register("chat_requests", "Calls to chat platforms by operation and outcome", chat_requests.clone());
        let acknowledged = "From a request's head to its answer: chat platforms wait for three seconds";
        let failed = "Answers that say that the store, Sekoia or the chat failed, with a reference";
        let called: fn() -> Histogram = || Histogram::new(CALLED);
        Self {
            requests: counters(of, "requests", "Requests by route and outcome"),
            acknowledgement: times(of, "acknowledgement", acknowledged, || Histogram::new(ACKNOWLEDGED)),
            routes: Slots::default(),
            said: Slots::default(),
            commands: counters(of, "commands", "What people typed, pressed or submitted, by command"),
            failed_answers: counters(of, "failed_answers", failed),
            sekoia_requests: counters(of, "sekoia_requests", "Calls to Sekoia by operation and status"),
            sekoia_latency: times(of, "sekoia_request_duration", "How long calls to Sekoia take", called),
            chat_requests,
            chat_latency: times(of, "chat_request_duration", "How long calls to a chat platform take", called),
            store_latency: times(of, "store_operation_duration", "How long the store takes", || Histogram::new(STORED)),
            store_errors: counters(of, "store_errors", "What the store failed to do"),
            notifications: counters(of, "notifications", "Notifications that were posted, by what they are about"),
            notification_lag: times(
                of,
                "notification_lag",
                "From an event, by Sekoia's clock, to its notification",
                || Histogram::new(NOTIFIED),
            ),
        }
    }

    /// A request was answered.
    pub fn request(&self, name: &'static str, status: u16, after: Duration) {
        let new = || Route {
            outcomes: Default::default(),
            acknowledgement: self.acknowledgement.get_or_create_owned(&[("route", name)]),
        };
        if let Some(route) = self.routes.get(&name, new) {
            let outcome = outcome(status);
            let labels = || [("route", name), ("outcome", OUTCOMES[outcome])];
            route.outcomes[outcome].get_or_init(|| self.requests.get_or_create_owned(&labels())).inc();
            route.acknowledgement.observe(after.as_secs_f64());
        }
    }

    /// A person said something.
    pub fn command(&self, platform: &'static str, command: &'static str) {
        let new = || self.commands.get_or_create_owned(&[("platform", platform), ("command", command)]);
        if let Some(said) = self.said.get(&[platform, command], new) {
            said.inc();
        }
    }
}

impl<K, V, const N: usize> Default for Slots<K, V, N> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; N])
    }
}

impl<K: PartialEq + Copy, V, const N: usize> Slots<K, V, N> {
    /// That of `key`, which is made if there is none; nothing once all are taken.
    fn get(&self, key: &K, new: impl Fn() -> V) -> Option<&V> {
        let mut slots = self.0.iter().map(|slot| slot.get_or_init(|| (*key, new())));
        slots.find(|(of, _)| of == key).map(|(_, value)| value)
    }
}

/// How a request ended, by the status of its answer: its place among the [`OUTCOMES`].
fn outcome(status: u16) -> usize {
    match status {
        100..=399 => 0,
        401 | 403 => 1,
        404 | 405 => 2,
        408 => 3,
        413 => 4,
        400..=499 => 5,
        503 => 6,
        _ => 7,
    }
}

impl Read {
    fn new(of: &mut Registry) -> Self {
        let new = Self::default();
        let seconds = || Unit::Seconds;
        of.register("work_waiting", "Work that is due and not done, by its kind", new.waiting.clone());
        let help = "How long the oldest work of a kind has been due";
        of.register_with_unit("work_oldest_age", help, seconds(), new.oldest.clone());
        let help = "Messages that the chat has not taken yet and that are tried again, by their kind";
        of.register("messages_failing", help, new.failing.clone());
        let help = "For how long the chat has not taken a message, by its kind";
        of.register_with_unit("messages_failing_age", help, seconds(), new.failing_age.clone());
        of.register("approvals", "Requests for approval that are not settled, by their state", new.approvals.clone());
        of.register("sessions", "Channels with a checklist", new.sessions.clone());
        let help = "Messages that the chat refuses; overview lists them";
        of.register("messages_set_aside", help, new.dead_letters.clone());
        let help = "What is in the store and was not stored by the bot; audit verify lists it";
        of.register("records_set_aside", help, new.set_aside.clone());
        let help = "Whether the store, Sekoia and each chat platform were well when last looked at";
        of.register("up", help, new.up.clone());
        let help = "Requests that were refused, by the reason";
        of.register("requests_refused", help, new.refused.clone());
        let help = "How long ago the community was looked at that waited longest, by what rules wait for";
        of.register_with_unit("watch_age", help, seconds(), new.looked.clone());
        let help = "Whether Sekoia's live events are heard; absent in a process that does not watch";
        of.register("live_connected", help, new.live.clone());
        let help = "For how long no call goes out to Sekoia, after errors or because it asked";
        of.register_with_unit("sekoia_pause", help, seconds(), new.paused.clone());
        of.register("frozen", "Whether the execution of approved requests is frozen", new.frozen.clone());
        new
    }

    fn set(&self, figures: &Figures) {
        // What is not there any more is not shown as it was.
        self.waiting.clear();
        self.oldest.clear();
        for work in &figures.work {
            self.waiting.get_or_create(&[("kind", work.kind)]).set(signed(work.count));
            self.oldest.get_or_create(&[("kind", work.kind)]).set(work.oldest);
        }
        self.failing.clear();
        self.failing_age.clear();
        for work in &figures.failing {
            self.failing.get_or_create(&[("kind", work.kind)]).set(signed(work.count));
            self.failing_age.get_or_create(&[("kind", work.kind)]).set(work.oldest);
        }
        self.approvals.clear();
        for (state, count) in &figures.approvals {
            self.approvals.get_or_create(&[("state", *state)]).set(signed(*count));
        }
        one(&self.sessions, figures.sessions.map(signed));
        one(&self.dead_letters, figures.dead_letters.map(signed));
        self.set_aside.set(signed(figures.set_aside));
        self.up.clear();
        for (part, well) in &figures.well {
            self.up.get_or_create(&[("part", *part)]).set(i64::from(*well));
        }
        for (reason, count) in &figures.refused {
            self.refused.get_or_create(&[("reason", *reason)]).inner().store(*count, Ordering::Relaxed);
        }
        self.looked.clear();
        for (trigger, age) in &figures.looked {
            self.looked.get_or_create(&[("trigger", *trigger)]).set(*age);
        }
        one(&self.live, figures.live.map(i64::from));
        self.paused.set(figures.sekoia_paused);
        one(&self.frozen, figures.frozen.map(i64::from));
    }
}

/// A gauge that is absent while its value is not known.
fn one(family: &Family<Labels<0>, Gauge>, value: Option<i64>) {
    match value {
        Some(value) => {
            family.get_or_create(&[]).set(value);
        }
        None => family.clear(),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counters<const N: usize>(of: &mut Registry, name: &str, help: &str) -> Counters<N>
where
    Labels<N>: EncodeLabelSet,
{
    let family = Counters::<N>::default();
    of.register(name, help, family.clone());
    family
}

fn times<const N: usize>(of: &mut Registry, name: &str, help: &str, new: fn() -> Histogram) -> Times<N>
where
    Labels<N>: EncodeLabelSet,
{
    let family = Times::<N>::new_with_constructor(new);
    of.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}
