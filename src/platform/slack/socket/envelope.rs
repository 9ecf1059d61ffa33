//! One envelope: handed over as the same request over HTTP would be, and acknowledged in time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::warn;

use crate::pace::Seldom;
use crate::platform::slack::handle::{Outcome, Recipient, Slack};
use crate::platform::slack::inbound::{self, Interaction, Malformed};
use crate::platform::slack::mentions::{self, Event};
use crate::telemetry::Metrics;

pub(super) struct Envelope {
    pub id: Box<str>,
    pub kind: Box<str>,
    pub payload: Option<Box<RawValue>>,
    /// Whether Slack reads an answer in the acknowledgement.
    pub takes_an_answer: bool,
    pub at: Timestamp,
}

impl Envelope {
    /// As it is counted, beside the routes of HTTP.
    pub fn route(&self) -> &'static str {
        match &*self.kind {
            "slash_commands" => "socket/slash_commands",
            "interactive" => "socket/interactive",
            "events_api" => "socket/events_api",
            _ => "socket/other",
        }
    }
}

/// Answers one envelope, and counts that.
pub(super) struct Answering {
    pub route: &'static str,
    /// When it came.
    pub began: Instant,
    pub answer: mpsc::Sender<Option<Utf8Bytes>>,
    pub metrics: Arc<Metrics>,
}

impl Answering {
    /// `status`: what the same answer over HTTP has.
    async fn give(&self, status: StatusCode, answer: Option<Utf8Bytes>) {
        // The connection may be gone by now; Slack delivers on another one what was not acknowledged.
        let _ = self.answer.send(answer).await;
        self.metrics.request(self.route, status.as_u16(), self.began.elapsed());
    }
}

#[derive(Serialize)]
struct Acknowledgement<'a> {
    envelope_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

/// What an envelope brings.
enum Brought {
    Command(crate::chat::Inbound),
    Interaction(Interaction),
    Event(Event),
    Nothing,
}

/// Sends exactly one answer: the acknowledgement, or none if Slack is to deliver it again.
pub(super) async fn handle(slack: &Slack, envelope: Envelope, patience: Duration, answering: Answering) {
    let (brought, status) = if let Ok(brought) = read(&envelope) {
        (brought, StatusCode::OK)
    } else {
        slack.intake.refused.count(StatusCode::BAD_REQUEST);
        (Brought::Nothing, StatusCode::BAD_REQUEST)
    };
    let recipient = recipient(&brought);
    let work = take(slack, brought, &envelope);
    tokio::pin!(work);
    let in_time = tokio::time::timeout(patience, &mut work).await;
    match in_time {
        Ok(Outcome::Again) => answering.give(StatusCode::SERVICE_UNAVAILABLE, None).await,
        Ok(outcome) => {
            let payload = if envelope.takes_an_answer { slack.body(&outcome) } else { None };
            let said = payload.is_some();
            answering.give(status, Some(acknowledgement(&envelope.id, payload.as_deref()))).await;
            if let (false, Some(recipient)) = (said, recipient) {
                slack.say_late(&recipient, outcome).await;
            }
        }
        Err(_) => {
            static LATE: Seldom = Seldom::new();
            answering.give(status, Some(acknowledgement(&envelope.id, None))).await;
            if let Some(missed) = LATE.now() {
                warn!(missed, "an envelope takes long; it was acknowledged before it was handled");
            }
            let outcome = work.await;
            if let Some(recipient) = recipient {
                slack.say_late(&recipient, outcome).await;
            }
        }
    }
}

fn read(envelope: &Envelope) -> Result<Brought, Malformed> {
    let Some(payload) = envelope.payload.as_deref().map(RawValue::get) else { return Ok(Brought::Nothing) };
    match &*envelope.kind {
        "slash_commands" => inbound::slash_payload(payload, &envelope.id, envelope.at).map(Brought::Command),
        "interactive" => inbound::interaction_payload(payload, &envelope.id, envelope.at).map(Brought::Interaction),
        "events_api" => mentions::event(payload.as_bytes(), envelope.at).map(Brought::Event),
        _ => Ok(Brought::Nothing),
    }
}

async fn take(slack: &Slack, brought: Brought, envelope: &Envelope) -> Outcome {
    match brought {
        Brought::Command(inbound) => slack.said(inbound, true).await,
        Brought::Interaction(interaction) => slack.interaction(interaction).await,
        Brought::Event(event) => slack.event(event, envelope.at).await,
        Brought::Nothing => Outcome::Taken,
    }
}

fn recipient(brought: &Brought) -> Option<Recipient> {
    match brought {
        Brought::Command(inbound)
        | Brought::Interaction(Interaction::Said(inbound) | Interaction::Submitted { inbound, .. })
        | Brought::Event(Event::Mention(inbound)) => Some(Recipient::of(inbound)),
        // Answered in a window of their own.
        Brought::Interaction(Interaction::SaidAtHome(_) | Interaction::Nothing)
        | Brought::Event(_)
        | Brought::Nothing => None,
    }
}

fn acknowledgement(envelope_id: &str, payload: Option<&[u8]>) -> Utf8Bytes {
    // Ours, so it is JSON.
    let payload = payload.and_then(|json| serde_json::from_slice::<&RawValue>(json).ok());
    serde_json::to_string(&Acknowledgement { envelope_id, payload }).unwrap_or_default().into()
}
