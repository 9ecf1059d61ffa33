//! The numbers of one bot, in a registry of its own: several bots of one process share nothing.
//!
//! What happens is counted as it happens. What is stored is read when Prometheus asks, as
//! [`Figures`]. Switched off, counting is a look at an empty option.

mod figures;
mod instruments;

use std::borrow::Cow;
use std::time::Duration;

pub use figures::{Figures, Waiting};
use instruments::{Counted, Instruments};

/// What is counted, or nothing.
#[derive(Debug, Default)]
pub struct Metrics(Option<Box<Instruments>>);

/// Of the text that [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

impl Metrics {
    /// Counts nothing, and has nothing to show.
    pub fn off() -> Self {
        Self(None)
    }

    /// `version`: of the program; `commit`: that it was built from.
    pub fn on(version: &'static str, commit: &'static str) -> Self {
        Self(Some(Box::new(Instruments::new(version, commit))))
    }

    fn counted(&self) -> Option<&Counted> {
        self.0.as_ref().map(|on| &on.counted)
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A request was answered. `route`: as it is registered, never as it was called.
    pub fn request(&self, route: &'static str, status: u16, after: Duration) {
        if let Some(on) = self.counted() {
            on.request(route, status, after);
        }
    }

    /// A person said something; `command`: the name in the table of commands.
    pub fn command(&self, platform: &'static str, command: &'static str) {
        if let Some(on) = self.counted() {
            on.command(platform, command);
        }
    }

    /// A person read that something failed, and a reference. `cause`: what did.
    pub fn failed_answer(&self, cause: &'static str) {
        let Some(on) = self.counted() else { return };
        on.failed_answers.get_or_create(&[("cause", cause)]).inc();
    }

    /// A call to Sekoia ended. `operation`: its path with placeholders; `status`: how it ended.
    pub fn sekoia(&self, method: &'static str, operation: &'static str, status: &'static str, after: Duration) {
        let Some(on) = self.counted() else { return };
        let of = [("method", method), ("operation", operation)];
        on.sekoia_requests.get_or_create(&[of[0], of[1], ("status", status)]).inc();
        on.sekoia_latency.get_or_create(&of).observe(after.as_secs_f64());
    }

    /// A call to a chat platform ended.
    pub fn chat(&self, platform: &'static str, operation: &str, outcome: &'static str, after: Duration) {
        let Some(on) = self.counted() else { return };
        // The names of operations are the program's own, if not all of them static.
        let operation: Cow<'static, str> = Cow::Owned(operation.to_owned());
        let label = |text: &'static str| Cow::Borrowed(text);
        let of = [("platform", label(platform)), ("operation", operation), ("outcome", label(outcome))];
        on.chat_requests.get_or_create(&of).inc();
        on.chat_latency.get_or_create(&[("platform", platform)]).observe(after.as_secs_f64());
    }

    /// The store did something, or failed to: `error` says how.
    pub fn store(&self, operation: &'static str, error: Option<&'static str>, after: Duration) {
        let Some(on) = self.counted() else { return };
        on.store_latency.get_or_create(&[("operation", operation)]).observe(after.as_secs_f64());
        if let Some(error) = error {
            on.store_errors.get_or_create(&[("operation", operation), ("error", error)]).inc();
        }
    }

    /// A notification was posted, so long after what it is about.
    pub fn notification(&self, source: &'static str, lag: Duration) {
        let Some(on) = self.counted() else { return };
        on.notifications.get_or_create(&[("source", source)]).inc();
        on.notification_lag.get_or_create(&[("source", source)]).observe(lag.as_secs_f64());
    }

    /// Everything as Prometheus reads it. Empty while nothing is counted.
    pub fn text(&self, figures: &Figures) -> String {
        self.0.as_ref().map(|on| on.text(figures)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_as_prometheus_wants_it() {
        let metrics = Metrics::on("1.2.3", "3f2a9c1d");
        metrics.request("/slack/commands", 200, Duration::from_millis(3));
        metrics.request("/slack/commands", 401, Duration::from_millis(1));
        metrics.chat("slack", "chat.update", "limited", Duration::from_millis(40));
        metrics.notification("alert", Duration::from_secs(7));
        let text = metrics.text(&Figures { sessions: Some(3), ..Figures::default() });
        for line in [
            "# TYPE sekoia_chatops_requests_total counter",
            "sekoia_chatops_requests_total{route=\"/slack/commands\",outcome=\"unauthorized\"} 1",
            "sekoia_chatops_acknowledgement_seconds_bucket{route=\"/slack/commands\",le=\"0.0025\"} 1",
            "sekoia_chatops_acknowledgement_seconds_count{route=\"/slack/commands\"} 2",
            "sekoia_chatops_chat_requests_total{platform=\"slack\",operation=\"chat.update\",outcome=\"limited\"} 1",
            "sekoia_chatops_notification_lag_seconds_bucket{source=\"alert\",le=\"10\"} 1",
            "sekoia_chatops_build_info{version=\"1.2.3\",commit=\"3f2a9c1d\"} 1",
            "sekoia_chatops_sessions 3",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn switched_off_nothing_is_kept() {
        let metrics = Metrics::off();
        metrics.request("/slack/commands", 200, Duration::ZERO);
        assert_eq!(metrics.text(&Figures::default()), "");
    }
}
