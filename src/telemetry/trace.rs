//! One span for each thing that a person said, with the reference that stands in messages about
//! failures and in the log; and whose trace it continues.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use rand::RngExt;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Whether spans leave the process.
static EXPORTED: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static REFERENCE: u32;
    static PARENT: Context;
}

/// What one thing that a person said leads to.
#[derive(Debug)]
pub struct Trace {
    reference: u32,
    platform: &'static str,
    /// The name in the table of commands: no other word of what was said.
    command: &'static str,
    span: Span,
}

impl Trace {
    /// Something was said. Its span is not open: most answers take less time than writing one down.
    pub fn begin(platform: &'static str, command: &'static str) -> Self {
        Self { reference: rand::rng().random(), platform, command, span: Span::none() }
    }

    /// Opens the span, if it is not open.
    pub fn open(&mut self, actor: &str, channel: &str) {
        if !self.span.is_none() {
            return;
        }
        let Self { platform, command, .. } = *self;
        let (reference, failed, code) = (shown(self.reference), Empty, Empty);
        self.span =
            info_span!("inbound", reference, platform, command, actor, channel, failed, "otel.status_code" = code);
        if let Ok(parent) = PARENT.try_with(Context::clone) {
            // Without an exporter there is no trace to continue.
            let _ = self.span.set_parent(parent);
        }
    }

    /// Work that belongs to it.
    pub fn follow<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        REFERENCE.scope(self.reference, work).instrument(self.span.clone())
    }
}

/// Notes in the span that a person read of a failure, and what failed.
pub fn failed(cause: &'static str) {
    let span = Span::current();
    span.record("failed", cause);
    span.record("otel.status_code", "ERROR");
}

/// Eight characters that stand in the log and in the message: those of what is being answered, or
/// new ones.
pub fn reference() -> String {
    shown(REFERENCE.try_with(|reference| *reference).unwrap_or_else(|_| rand::rng().random()))
}

fn shown(reference: u32) -> String {
    format!("{reference:08x}")
}

/// Whether spans leave the process.
pub fn is_exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

/// They do from now on.
pub(super) fn exported() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// The trace that a caller says its request belongs to.
pub struct Parent(Context);

/// What a W3C `traceparent` header says, if it says anything.
pub fn parent(headers: &HeaderMap) -> Option<Parent> {
    // The library also takes ids that are cut.
    headers.get("traceparent").and_then(|value| value.to_str().ok()).filter(|value| is_whole(value))?;
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    parent.span().span_context().is_valid().then_some(Parent(parent))
}

/// Whether version, trace, span and flags have their lengths in hexadecimal digits; a later version may have more
/// parts.
fn is_whole(value: &str) -> bool {
    let mut parts = value.trim().split('-');
    let mut is =
        |length| parts.next().is_some_and(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit()));
    is(2) && is(32) && is(16) && is(2)
}

/// `work`, whose spans continue that trace. None is opened before a request is verified.
pub async fn under<F: Future>(parent: Option<Parent>, work: F) -> F::Output {
    match parent {
        Some(Parent(parent)) => PARENT.scope(parent, work).await,
        None => work.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_reference_stands_for_one_thing_that_was_said() {
        let (mut one, other) = (Trace::begin("slack", "status"), Trace::begin("slack", "status"));
        one.open("slack:U1", "slack:T:C");
        let twice = async || (reference(), reference());
        let (first, second) = one.follow(twice()).await;
        assert_eq!((first.len(), &first), (8, &second));
        // Wherever its work goes on.
        assert_eq!(tokio::spawn(one.follow(async { reference() })).await.expect("no panic"), first);
        assert_ne!(other.follow(async { reference() }).await, first);
        let (first, second) = twice().await;
        assert_ne!(first, second, "what nobody said has a new one each time");
    }

    #[test]
    fn only_a_trace_that_is_one_is_continued() {
        let said = |value: &'static str| {
            let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), value.parse().unwrap())]);
            parent(&headers).map(|Parent(context)| context.span().span_context().trace_id().to_string())
        };
        let good = said("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(good.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in ["", "x", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf9-00f0-01"] {
            assert_eq!(said(bad), None, "{bad}");
        }
        assert!(parent(&HeaderMap::new()).is_none());
    }
}
