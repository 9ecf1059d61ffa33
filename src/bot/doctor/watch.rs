//! How far behind the watch over Sekoia is, as the process that watches stores it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::messages::{some, unread};
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::chat::view::minute;
use crate::domain::notify::Trigger;
use crate::state::kept::decode;
use crate::state::rule_health::{HEALTH, Live, Snapshot};
use crate::state::rules::Notifications;
use crate::state::sessions::Sessions;
use crate::store::{KeptKind, Store, StoreError};
use crate::timing::doctor::{WATCH_BEHIND, WATCH_STALE};

const ID: &str = "watch";
const SUBJECT: &str = "Watch over Sekoia";
/// Named in one check.
const NAMED: usize = 3;

pub async fn examine(store: &Arc<dyn Store>, now: Timestamp) -> Vec<Check> {
    match look(store, now).await {
        Ok(check) => vec![check],
        Err(error) => vec![unread(ID, SUBJECT, &error)],
    }
}

async fn look(store: &Arc<dyn Store>, now: Timestamp) -> Result<Check, StoreError> {
    let waited = waited(store).await?;
    if waited.is_empty() {
        return Ok(Check::pass(ID, SUBJECT, "No rule waits for anything at Sekoia."));
    }
    let stored = store.kept(KeptKind::Source, HEALTH).await?;
    let health: Snapshot = stored.and_then(|kept| decode(&kept)).unwrap_or_default();
    let watched = count(waited.len(), "kind of event is", "kinds of events are");
    if health.at == Timestamp::default() {
        return Ok(Check::warn(
            ID,
            SUBJECT,
            &format!("{watched} waited for, and nothing was looked at yet."),
            "Start the bot with `sekoia-chatops serve`, and run doctor again after some minutes.",
        ));
    }
    if now.duration_since(health.at) > WATCH_STALE {
        return Ok(Check::warn(
            ID,
            SUBJECT,
            &format!("Sekoia is not watched since {}, and {watched} waited for.", minute(health.at)),
            "Start the bot with `sekoia-chatops serve`. It catches up with what happened meanwhile.",
        ));
    }
    let troubles: Vec<String> = waited
        .iter()
        .flat_map(|(community, trigger)| health.looks(*community, *trigger).map(move |look| (trigger, look)))
        .filter_map(|(trigger, look)| trouble(*trigger, look, now))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if !troubles.is_empty() {
        let found = format!("{}.", some(&troubles, NAMED));
        return Ok(Check::warn(ID, SUBJECT, &found, "`/sekoia notify` in the channel says what each rule lacks."));
    }
    Ok(match &health.live {
        Live::Lost { why, since } => Check::warn(
            ID,
            SUBJECT,
            &format!(
                "Live events do not come since {}: {}. The bot asks instead, and is slower.",
                minute(*since),
                harmless(why)
            ),
            "Let the bot reach SEKOIA_LIVE_URL by WebSocket (wss, port 443), through the proxy if there is one.",
        ),
        Live::Off | Live::Connected { .. } => {
            Check::pass(ID, SUBJECT, &format!("{watched} waited for, and nothing is behind."))
        }
    })
}

/// What is wrong with the looks at one source.
fn trouble(trigger: Trigger, look: &crate::state::rule_health::Look, now: Timestamp) -> Option<String> {
    let name = trigger.spec().words;
    if let Some((why, at)) = &look.failed {
        return Some(format!("`{name}` fails since {}: {}", minute(*at), harmless(why)));
    }
    let late = |at: Timestamp| now.duration_since(at) > WATCH_BEHIND;
    if let Some(behind) = look.behind.filter(|at| late(*at)) {
        return Some(format!("`{name}` is behind by {}", long(now.duration_since(behind))));
    }
    let evaluated = look.evaluated.filter(|at| late(*at))?;
    Some(format!("`{name}` was not looked at for {}", long(now.duration_since(evaluated))))
}

fn long(time: SignedDuration) -> String {
    match time.as_mins() {
        minutes @ ..120 => format!("{minutes} min"),
        minutes @ 120..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

/// What rules that are not paused wait for, by community.
async fn waited(store: &Arc<dyn Store>) -> Result<BTreeSet<(Uuid, Trigger)>, StoreError> {
    let (sessions, notifications) = (Sessions::new(Arc::clone(store)), Notifications::new(Arc::clone(store)));
    let mut waited = BTreeSet::new();
    for channel in notifications.channels().await? {
        // One that cannot be read hides none of the others.
        let (session, rules) = match (sessions.read(&channel).await, notifications.read(&channel).await) {
            (Ok(Some(session)), Ok(rules)) => (session, rules),
            (Err(StoreError::Corrupt { .. }) | Ok(None), _) | (_, Err(StoreError::Corrupt { .. })) => continue,
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let active = rules.rules.iter().filter(|rule| !rule.paused);
        waited.extend(active.map(|rule| (session.community.uuid, rule.watch.trigger)));
    }
    Ok(waited)
}
