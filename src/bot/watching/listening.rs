//! The LiveAPI heard, and the alerts read whenever it says that something is new.
//!
//! However many frames come, the lists are read once for all of those that came meanwhile. They are
//! read after each `Connected` too, every minute while nothing is heard, and from time to time for
//! what was never said.

use std::collections::BTreeSet;
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
use super::source::{Report, Trouble};
use crate::bot::Bot;
use crate::notifications::Live as Listening;
use crate::notify::{Case, Occurrence, Trigger, What};
use crate::pace::Rhythm;
use crate::sekoia::live::{Live, LiveEvent, LiveFrame};
use crate::sekoia::{AlertDate, SekoiaError};

/// Frames that wait to be looked at; beyond, Sekoia has to keep them.
const ROOM: usize = 4_096;
/// How often alerts are read while nothing is heard.
const DEAF: Duration = Duration::from_mins(1);
/// How often they are read although everything seems to be heard.
const HEARING: Duration = Duration::from_mins(10);
/// Before what failed is tried again, if Sekoia does not say.
const AGAIN: Duration = Duration::from_secs(20);
/// How often hints are looked for when nobody says that there are any.
const TICK: Duration = Duration::from_secs(2);

/// What there is to do.
struct Ears {
    rhythm: Rhythm,
    connected: bool,
    /// Something is new in all of them, or in these.
    everywhere: bool,
    communities: BTreeSet<Uuid>,
    /// Those whose alerts somebody waits for.
    waiting: BTreeSet<Uuid>,
    cases: Vec<LiveFrame>,
    /// When everything is read anyway.
    next: Instant,
    /// Not before: Sekoia or the store failed.
    not_before: Instant,
}

impl Bot {
    /// Listens until it is dropped, or until `lost`.
    pub(super) async fn listen(&self, live: Live, lost: &CancellationToken) {
        let (out, mut events) = mpsc::channel(ROOM);
        let listener = live.run(out, lost.clone());
        let hearing = async {
            let now = Instant::now();
            let mut ears = Ears {
                rhythm: self.rhythm(),
                connected: false,
                everywhere: false,
                communities: BTreeSet::new(),
                waiting: BTreeSet::new(),
                cases: Vec::new(),
                // The listener has a moment to connect: then both are one look.
                next: now + self.rhythm().of(DEAF / 6),
                not_before: now,
            };
            loop {
                self.hear(&mut ears, &mut events).await;
                if let Err(trouble) = self.look_around(&mut ears).await {
                    match &trouble {
                        Trouble::Sekoia(error) => {
                            ears.not_before = Instant::now() + wait(error, ears.rhythm);
                            warn!(%error, "what is new at Sekoia could not be read yet");
                        }
                        Trouble::Store(error) => {
                            ears.not_before = Instant::now() + ears.rhythm.of(AGAIN);
                            error!(%error, "what is new at Sekoia could not be kept yet");
                        }
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
    async fn hear(&self, ears: &mut Ears, events: &mut mpsc::Receiver<LiveEvent>) {
        let due = if ears.dirty() { ears.not_before } else { ears.next };
        let tick = Instant::now() + ears.rhythm.of(TICK).max(Duration::from_millis(20));
        let event = tokio::select! {
            event = events.recv() => event,
            () = self.notifications.stirred() => None,
            () = tokio::time::sleep_until(due.min(tick)) => None,
        };
        let Some(event) = event else { return };
        self.heard(ears, event);
        // What comes close together is looked at once.
        tokio::time::sleep(ears.rhythm.gather).await;
        while let Ok(event) = events.try_recv() {
            self.heard(ears, event);
        }
    }

    fn heard(&self, ears: &mut Ears, event: LiveEvent) {
        let now = Timestamp::now();
        match event {
            LiveEvent::Connected => {
                (ears.connected, ears.everywhere) = (true, true);
                self.notifications.health.live(Listening::Connected { since: now });
            }
            LiveEvent::Lost { why, .. } => {
                if ears.connected {
                    // Nothing is heard from now on.
                    ears.next = Instant::now() + ears.rhythm.of(DEAF);
                }
                ears.connected = false;
                self.notifications.health.live(Listening::Lost { why: why.to_string(), since: now });
            }
            LiveEvent::Frame(frame) => match frame.kind.as_str() {
                "alert" => match frame.community.as_deref().and_then(|c| Uuid::parse_str(c).ok()) {
                    Some(community) => {
                        ears.communities.insert(community);
                    }
                    None => ears.everywhere = true,
                },
                "case" if ears.cases.len() < ROOM => ears.cases.push(frame),
                _ => {}
            },
        }
    }

    /// Does what there is to do.
    async fn look_around(&self, ears: &mut Ears) -> Result<(), Trouble> {
        let now = Instant::now();
        if now < ears.not_before {
            return Ok(());
        }
        let scope = self.scope().await?;
        if !ears.cases.is_empty() {
            let occurrences = ears.cases.iter().filter_map(|frame| case(&scope, frame)).collect();
            self.take_report(&scope, Report { occurrences, ..Report::default() }).await?;
            ears.cases.clear();
        }
        if now >= ears.next {
            ears.everywhere = true;
        }
        let waits =
            |watched: &Watched| watched.waits_for(Trigger::AlertRaised) || watched.waits_for(Trigger::AlertUpdated);
        let waiting = scope.communities.iter().filter(|(_, watched)| waits(watched)).map(|(community, _)| *community);
        let waiting: BTreeSet<Uuid> = waiting.collect();
        // A first rule may be older than its news.
        ears.communities.extend(waiting.difference(&ears.waiting));
        ears.waiting = waiting;
        let mut failed = None;
        for (community, watched) in &scope.communities {
            let new = ears.everywhere || ears.communities.contains(community);
            if !new || !waits(watched) {
                continue;
            }
            let mut read = self.see(&Alerts(AlertDate::Created), &scope, *community).await;
            if read.is_ok() {
                read = self.see(&Alerts(AlertDate::Updated), &scope, *community).await;
            }
            match read {
                Ok(()) => {
                    ears.communities.remove(community);
                }
                // One that may not be read keeps none of the others waiting.
                Err(trouble) => {
                    ears.communities.insert(*community);
                    failed = Some(trouble);
                }
            }
        }
        if ears.everywhere {
            ears.everywhere = false;
            let every = if ears.connected { HEARING } else { DEAF };
            ears.next = Instant::now() + ears.rhythm.of(every);
        }
        ears.communities.retain(|community| scope.communities.get(community).is_some_and(waits));
        while self.follow_hints(&scope).await? {}
        failed.map_or(Ok(()), Err)
    }
}

impl Ears {
    fn dirty(&self) -> bool {
        self.everywhere || !self.communities.is_empty() || !self.cases.is_empty()
    }
}

/// How long to leave Sekoia alone.
pub(super) fn wait(error: &SekoiaError, rhythm: Rhythm) -> Duration {
    match error {
        SekoiaError::RateLimited { wait } | SekoiaError::Paused { wait } => *wait,
        _ => rhythm.of(AGAIN),
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
