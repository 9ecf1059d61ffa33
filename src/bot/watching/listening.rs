//! The LiveAPI heard, and the alerts read whenever it says that something is new.
//!
//! However many frames come, the lists are read once for all of those that came meanwhile. They are
//! read after each `Connected` too, every minute while nothing is heard, and from time to time for
//! what was never said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use uuid::Uuid;

use super::alerts::Alerts;
use super::scope::{Scope, Watched};
use super::source::{PollError, Report};
use crate::bot::Bot;
use crate::domain::notify::{Case, Occurrence, Trigger, What};
use crate::sekoia::live::{Live, LiveEvent, LiveFrame};
use crate::sekoia::{AlertDate, SekoiaError};
use crate::state::rule_health::Live as Listening;
use crate::timing::Rhythm;
use crate::timing::watching::{HINT_TICK, LISTEN_AGAIN_AFTER, READ_WHILE_HEARD, READ_WHILE_NOTHING_IS_HEARD};

/// Frames that wait to be looked at; beyond, Sekoia has to keep them.
const ROOM: usize = 4_096;

/// What there is to do.
struct ListenState {
    rhythm: Rhythm,
    connected: bool,
    /// Something is new in all of them.
    everywhere: bool,
    /// Something is new in these; to be read not before then.
    communities: BTreeMap<Uuid, Instant>,
    /// Those whose alerts somebody waits for.
    waiting: BTreeSet<Uuid>,
    cases: Vec<LiveFrame>,
    /// There are more hints than were followed.
    hints: bool,
    /// When everything is read anyway.
    next: Instant,
    /// Not before: the store failed.
    store: Instant,
    /// Not before: Sekoia wants to be left alone.
    sekoia: Instant,
}

impl Bot {
    /// Listens until it is dropped, or until `lost`.
    pub(super) async fn listen(&self, live: Live, lost: &CancellationToken) {
        let (out, mut events) = mpsc::channel(ROOM);
        let listener = live.run(out, lost.clone());
        let hearing = async {
            let now = Instant::now();
            let mut state = ListenState {
                rhythm: self.rhythm(),
                connected: false,
                everywhere: false,
                communities: BTreeMap::new(),
                waiting: BTreeSet::new(),
                cases: Vec::new(),
                hints: false,
                // The listener has a moment to connect: then both are one look.
                next: now + self.rhythm().of(READ_WHILE_NOTHING_IS_HEARD / 6),
                store: now,
                sekoia: now,
            };
            let turns = self.rounds.of("listening");
            loop {
                self.hear(&mut state, &mut events).await;
                let _turn = turns.round();
                match self.process_pending(&mut state).await {
                    Ok(()) => {}
                    Err(PollError::Sekoia(error)) => {
                        state.sekoia = Instant::now() + wait(&error, state.rhythm);
                        warn!(%error, "what is new at Sekoia could not be read yet");
                    }
                    Err(PollError::Store(error)) => {
                        state.store = Instant::now() + state.rhythm.of(LISTEN_AGAIN_AFTER);
                        error!(%error, "what is new at Sekoia could not be kept yet");
                    }
                }
            }
        };
        tokio::select! {
            () = listener => {}
            () = hearing => {}
        }
    }

    /// Waits until there may be something to do.
    async fn hear(&self, state: &mut ListenState, events: &mut mpsc::Receiver<LiveEvent>) {
        let tick = Instant::now() + state.rhythm.of(HINT_TICK).max(Duration::from_millis(20));
        let event = tokio::select! {
            event = events.recv() => event,
            () = self.notifications.stirred() => None,
            () = tokio::time::sleep_until(state.due().min(tick)) => None,
        };
        let Some(event) = event else { return };
        self.heard(state, event);
        // What comes close together is looked at once.
        tokio::time::sleep(state.rhythm.gather).await;
        while let Ok(event) = events.try_recv() {
            self.heard(state, event);
        }
    }

    fn heard(&self, state: &mut ListenState, event: LiveEvent) {
        let (now, health) = (Timestamp::now(), &self.notifications.health);
        match event {
            LiveEvent::Connected => {
                (state.connected, state.everywhere) = (true, true);
                health.live(Listening::Connected { since: now });
            }
            LiveEvent::Lost { why, .. } => {
                if state.connected {
                    // Nothing is heard from now on.
                    state.next = Instant::now() + state.rhythm.of(READ_WHILE_NOTHING_IS_HEARD);
                }
                state.connected = false;
                health.live(Listening::Lost { why: why.to_string(), since: now });
            }
            LiveEvent::Frame(frame) => match frame.kind.as_str() {
                "alert" => match frame.community.as_deref().and_then(|c| Uuid::parse_str(c).ok()) {
                    Some(community) => state.is_new(community),
                    None => state.everywhere = true,
                },
                "case" if state.cases.len() < ROOM => state.cases.push(frame),
                "case" => warn!("too many cases wait to be told: one is lost"),
                _ => {}
            },
        }
    }

    /// Does what there is to do.
    async fn process_pending(&self, state: &mut ListenState) -> Result<(), PollError> {
        if Instant::now() < state.store {
            return Ok(());
        }
        let scope = self.scope().await?;
        // Frames are all that is known of cases: they do not wait for Sekoia.
        if !state.cases.is_empty() {
            let occurrences = state.cases.iter().filter_map(|frame| case(&scope, frame)).collect();
            self.take_report(&scope, Report { occurrences, ..Report::default() }).await?;
            state.cases.clear();
        }
        if Instant::now() < state.sekoia {
            return Ok(());
        }
        self.read_alerts(state, &scope).await?;
        state.hints = self.follow_hints(&scope).await?;
        Ok(())
    }

    /// Reads the alerts of the communities where something is new.
    async fn read_alerts(&self, state: &mut ListenState, scope: &Scope) -> Result<(), PollError> {
        let now = Instant::now();
        let waits =
            |watched: &Watched| watched.waits_for(Trigger::AlertRaised) || watched.waits_for(Trigger::AlertUpdated);
        let waiting = scope.communities.iter().filter(|(_, watched)| waits(watched)).map(|(community, _)| *community);
        let waiting: BTreeSet<Uuid> = waiting.collect();
        let everywhere = state.everywhere || now >= state.next;
        if everywhere {
            state.everywhere = false;
            let every = if state.connected { READ_WHILE_HEARD } else { READ_WHILE_NOTHING_IS_HEARD };
            state.next = now + state.rhythm.of(every);
        }
        for community in &waiting {
            // A first rule may be older than its news.
            if everywhere || !state.waiting.contains(community) {
                state.is_new(*community);
            }
        }
        state.communities.retain(|community, _| waiting.contains(community));
        state.waiting = waiting;
        let due: Vec<Uuid> =
            state.communities.iter().filter(|(_, at)| **at <= now).map(|(community, _)| *community).collect();
        for community in due {
            let mut read = self.poll_and_commit(&Alerts(AlertDate::Created), scope, community).await;
            if read.is_ok() {
                read = self.poll_and_commit(&Alerts(AlertDate::Updated), scope, community).await;
            }
            match read {
                Ok(()) => {
                    state.communities.remove(&community);
                }
                Err(PollError::Sekoia(error)) if !is_for_all(&error) => {
                    // One that may not be read keeps none of the others waiting.
                    warn!(%error, %community, "the alerts of a community could not be read yet");
                    state.communities.insert(community, Instant::now() + wait(&error, state.rhythm));
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }
}

impl ListenState {
    /// Something is new there. One that could not be read a moment ago keeps its time.
    fn is_new(&mut self, community: Uuid) {
        self.communities.entry(community).or_insert_with(Instant::now);
    }

    /// When there is something to do.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let soon = (self.everywhere || self.hints).then_some(now);
        let next = self.communities.values().copied().chain(soon).fold(self.next, Instant::min).max(self.sekoia);
        let cases = (!self.cases.is_empty()).then_some(now);
        cases.map_or(next, |cases| cases.min(next)).max(self.store)
    }
}

/// Whether whoever asks Sekoia next would meet with the same.
pub(super) fn is_for_all(error: &SekoiaError) -> bool {
    matches!(
        error,
        SekoiaError::RateLimited { .. }
            | SekoiaError::Paused { .. }
            | SekoiaError::Busy { .. }
            | SekoiaError::Unreachable
            | SekoiaError::ProxyFailed(_)
    )
}

/// How long to leave Sekoia alone.
pub(super) fn wait(error: &SekoiaError, rhythm: Rhythm) -> Duration {
    match error {
        SekoiaError::RateLimited { wait } | SekoiaError::Paused { wait } | SekoiaError::Busy { wait } => *wait,
        _ => rhythm.of(LISTEN_AGAIN_AFTER),
    }
}

/// What a frame says of a case: there is no other source of it.
fn case(scope: &Scope, frame: &LiveFrame) -> Option<Occurrence> {
    #[derive(Deserialize)]
    struct Said {
        uuid: Box<str>,
        short_id: Option<Box<str>>,
        title: Option<Box<str>>,
        priority: Option<serde_json::Value>,
        manual: Option<bool>,
    }
    let community = Uuid::parse_str(frame.community.as_deref()?).ok()?;
    let watched = scope.communities.get(&community)?;
    let said: Said = serde_json::from_str(frame.attributes.get()).ok()?;
    let at = frame.created_at.unwrap_or_else(Timestamp::now);
    let priority = said.priority.and_then(|priority| match priority {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    });
    let uuid = said.uuid.clone();
    let case = Case { uuid: said.uuid, short_id: said.short_id, title: said.title, priority, manual: said.manual };
    let (id, what) = if frame.action == "created" {
        (format!("case-{uuid}"), What::CaseCreated(case))
    } else {
        let event = frame.uuid.clone().unwrap_or_else(|| at.to_string());
        (format!("case-{uuid}-{event}"), What::CaseUpdated(case))
    };
    Some(Occurrence { id: id.into(), at, community, community_name: Some(watched.name.clone()), what })
}
