//! The other side: what happened at Sekoia, what was recorded, and faults on demand.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::error;

use super::people::{is_public, named};
use super::routes::{Refusal, Web, no};
use crate::bot::Entry;
use crate::chat::ChannelKey;
use crate::chat::view::minute;
use crate::sandbox::{Call, Fault, FaultKind, LiveFault};

const CALLS: usize = 100;
const RECORDS: usize = 50;

/// Something that can be made to go wrong at Sekoia.
#[derive(Serialize)]
pub(super) struct Switch {
    id: &'static str,
    label: &'static str,
    text: &'static str,
    #[serde(skip)]
    kind: fn() -> FaultKind,
}

pub(super) const SWITCHES: [Switch; 8] = [
    Switch {
        id: "slow",
        label: "Sekoia is slow",
        text: "Every answer takes 3 seconds.",
        kind: || FaultKind::Latency { ms: 3_000 },
    },
    Switch {
        id: "hangs",
        label: "Sekoia hangs",
        text: "No answer within 30 seconds.",
        kind: || FaultKind::Latency { ms: 30_000 },
    },
    Switch {
        id: "limits",
        label: "Sekoia limits",
        text: "429: too many requests, try again in 5 seconds.",
        kind: || FaultKind::Status { code: 429, retry_after: Some(5), body: None },
    },
    Switch {
        id: "fails",
        label: "Sekoia fails",
        text: "503: the service is unavailable.",
        kind: || FaultKind::Status { code: 503, retry_after: None, body: None },
    },
    Switch {
        id: "lost",
        label: "Answers get lost",
        text: "Sekoia does its work; the connection breaks before the answer.",
        kind: || FaultKind::LoseReply,
    },
    Switch {
        id: "stalls",
        label: "Live events stall",
        text: "The connection stays open and says nothing, not even to a ping.",
        kind: || FaultKind::Live(LiveFault::Stall),
    },
    Switch {
        id: "gap",
        label: "Live events get lost",
        text: "What happens is not told; it can only be asked for.",
        kind: || FaultKind::Live(LiveFault::Drop),
    },
    Switch {
        id: "twice",
        label: "Live events come twice",
        text: "With the same identifiers.",
        kind: || FaultKind::Live(LiveFault::Twice),
    },
];

#[derive(Deserialize)]
pub struct Where {
    channel: String,
}

#[derive(Serialize)]
struct Numbered {
    number: usize,
    #[serde(flatten)]
    call: Call,
}

/// Something that happened, as the page shows it.
#[derive(Serialize)]
struct Recorded {
    id: String,
    seq: Option<u64>,
    at: Option<String>,
    /// A person's id, or `bot`.
    actor: String,
    what: String,
}

impl Recorded {
    fn of(entry: &Entry) -> Self {
        let (id, seq, at) = (entry.id.clone(), entry.seq, entry.at.map(minute));
        Self { id, seq, at, actor: entry.by.name().to_owned(), what: named(&entry.what) }
    }
}

/// `GET /demo/side`.
pub async fn side(State(web): State<Arc<Web>>, Query(at): Query<Where>) -> Result<Response, Refusal> {
    let (total, calls) = web.sandbox().latest_calls(CALLS);
    let calls: Vec<_> = calls.into_iter().zip(0..).map(|(call, ago)| Numbered { number: total - ago, call }).collect();
    let audit = if is_public(&at.channel) {
        match web.bot().history(&ChannelKey::web(&at.channel), RECORDS).await {
            Ok((_, entries)) => entries.iter().map(Recorded::of).collect(),
            Err(error) => {
                error!(%error, "the history could not be read");
                return no(StatusCode::INTERNAL_SERVER_ERROR, "The history could not be read; see the log.");
            }
        }
    } else {
        Vec::new()
    };
    Ok(Json(json!({ "calls": calls, "audit": audit, "faults": on(&web) })).into_response())
}

#[derive(Deserialize)]
pub struct ConsolePath {
    path: String,
}

/// `GET /demo/console`: what the embedded Sekoia has where a link into Sekoia's console leads; `null` where it has
/// nothing to show.
pub async fn console(State(web): State<Arc<Web>>, Query(ConsolePath { path }): Query<ConsolePath>) -> Response {
    let alert = path.strip_prefix("/operations/alerts/").and_then(|id| web.sandbox().alert(id));
    Json(json!({ "found": alert })).into_response()
}

#[derive(Deserialize)]
pub struct Flip {
    id: String,
    on: bool,
}

/// `POST /demo/faults`.
pub async fn switch_fault(State(web): State<Arc<Web>>, Json(flip): Json<Flip>) -> Result<Response, Refusal> {
    let Some(switch) = SWITCHES.iter().find(|s| s.id == flip.id) else {
        return no(StatusCode::NOT_FOUND, "There is no such switch. Reload the page.");
    };
    let (kind, faults) = ((switch.kind)(), web.sandbox().faults());
    if flip.on {
        if !faults.list().iter().any(|fault| fault.kind == kind) {
            faults.add(Fault::new(kind));
        }
    } else {
        faults.remove(&kind);
    }
    Ok(Json(json!({ "faults": on(&web) })).into_response())
}

/// The switches that are on.
fn on(web: &Web) -> Vec<&'static str> {
    let faults = web.sandbox().faults().list();
    SWITCHES.iter().filter(|s| faults.iter().any(|f| f.kind == (s.kind)())).map(|s| s.id).collect()
}
