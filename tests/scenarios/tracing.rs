//! Spans: one for each thing that a person said, sent to a collector.

use std::time::{Duration, Instant};

use sekoia_chatops::sandbox::{Fault, FaultKind};

use crate::harness::collector::{Collector, Span};
use crate::harness::{Platform, SOC, Setting, Stage, on_both, on_slack, run};

const LONG: Duration = Duration::from_secs(40);
const QUICK: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn durable() -> Setting {
    Setting { durable: true, ..Setting::default() }
}

async fn until(collector: &Collector, what: &str, so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
    let began = Instant::now();
    loop {
        let spans = collector.spans();
        if so(&spans) {
            return spans;
        }
        assert!(began.elapsed() < LONG, "never: {what}\n{spans:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn inbound<'a>(spans: &'a [Span], command: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == "inbound" && span.get("command") == Some(command)).collect()
}

/// The program, with spans to this collector.
async fn start(s: &mut Stage, collector: &Collector, more: &[(&str, &str)]) {
    s.stop().await;
    let there = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), QUICK];
    s.start_program_with(&[&there[..], more].concat()).await;
}

on_both!(each_thing_that_is_said_is_one_span_with_the_reference_that_people_read);
fn each_thing_that_is_said_is_one_span_with_the_reference_that_people_read(on: Platform) {
    run(on, durable(), async |s| {
        let collector = Collector::start().await;
        let more = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary-collector"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
        ];
        start(s, &collector, &more).await;
        s.set_up().await;
        s.ask("alice", "skip 7 \"canary-reason\"").await;
        s.checklist("canary-reason").await;
        s.ask("alice", "canary-command").await;
        s.sekoia.faults().add(Fault::new(FaultKind::Reset).on("/licenses"));
        let told = s.ask("alice", "done subscription").await.text();
        s.sekoia.faults().clear();
        let (_, reference) = told.split_once("Reference for your bot administrator: ").expect("a reference");
        let reference = reference.split_whitespace().next().expect("a reference").to_owned();
        let spans = until(&collector, "the failed command", |spans| !inbound(spans, "done").is_empty()).await;
        let [done] = inbound(&spans, "done")[..] else { panic!("{spans:#?}") };
        assert_eq!(done.get("reference"), Some(&*reference));
        assert_eq!(done.get("platform"), Some(s.chat.platform().prefix()));
        assert_eq!((done.is_error, done.get("failed"), &*done.parent), (true, Some("sekoia"), ""));
        // It is the reference in the log, too.
        let log = std::fs::read_to_string(s.log()).expect("a log");
        assert!(log.lines().any(|line| line.contains("Sekoia failed") && line.contains(&reference)), "{reference}");
        // The calls are parts of it.
        let calls: Vec<&Span> = spans.iter().filter(|span| span.parent == done.id).collect();
        assert!(calls.iter().any(|span| span.name == "sekoia" && span.trace == done.trace), "{spans:#?}");
        for (command, times) in [("setup", 1), ("skip", 1), ("unknown", 1)] {
            let all = inbound(&spans, command);
            assert_eq!(all.len(), times, "{command}: {spans:#?}");
            assert!(all.iter().all(|span| !span.is_error));
        }
        let resource = &done.resource;
        for (name, value) in [("service.name", "sekoia-chatops"), ("deployment.environment", "test")] {
            assert!(resource.contains(&(name.to_owned(), value.to_owned())), "{resource:?}");
        }
        assert!(collector.authorization().iter().all(|value| value == "Bearer canary-collector"));
        assert!(!collector.authorization().is_empty());
        // Nothing that anybody typed, nothing that is logged, no secret.
        let token = s.sekoia.token("admin").to_owned();
        for span in &spans {
            let shown = format!("{:?} {:?}", span.attributes, span.resource);
            assert!(!shown.contains("canary") && !shown.contains(&token), "{shown}");
            assert_eq!(span.events, 0, "{span:?}");
        }
        s.kill_program();
        assert!(!std::fs::read_to_string(s.log()).expect("a log").contains("canary-collector"));
    });
}

#[test]
fn a_signed_request_continues_its_callers_trace() {
    on_slack(durable(), async |s| {
        let collector = Collector::start().await;
        start(s, &collector, &[]).await;
        let mut request = s.slack().slash("alice", SOC, "whoami");
        request.headers.push(("traceparent".into(), PARENT.into()));
        s.taken(&request).await;
        s.reply().await;
        let mut forged = s.slack().slash("alice", SOC, "help");
        forged.headers.push(("traceparent".into(), PARENT.into()));
        for (name, value) in &mut forged.headers {
            if name == "x-slack-signature" {
                *value = format!("v0={}", "0".repeat(64));
            }
        }
        assert_eq!(s.send(&forged).await.status(), 401);
        s.ask("alice", "status").await;
        let spans = until(&collector, "both commands", |spans| !inbound(spans, "status").is_empty()).await;
        let [whoami] = inbound(&spans, "whoami")[..] else { panic!("{spans:#?}") };
        assert_eq!((&*whoami.trace, &*whoami.parent), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        assert!(inbound(&spans, "help").is_empty(), "nobody signed it");
        assert_ne!(inbound(&spans, "status")[0].trace, whoami.trace);
        s.kill_program();
    });
}

#[test]
fn what_was_not_sent_yet_is_sent_at_the_stop() {
    on_slack(durable(), async |s| {
        let collector = Collector::start().await;
        start(s, &collector, &[("OTEL_BSP_SCHEDULE_DELAY", "600000")]).await;
        s.ask("alice", "whoami").await;
        assert!(collector.spans().is_empty());
        let id = s.process().expect("a process").to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let spans = until(&collector, "the last spans", |spans| !spans.is_empty()).await;
        assert_eq!(inbound(&spans, "whoami").len(), 1);
        let began = Instant::now();
        while s.process().is_some() {
            assert!(began.elapsed() < LONG, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_collector_that_is_gone_keeps_nobody_waiting() {
    on_slack(durable(), async |s| {
        s.stop().await;
        s.start_program_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), QUICK]).await;
        s.set_up().await;
        let began = Instant::now();
        loop {
            let log = std::fs::read_to_string(s.log()).expect("a log");
            if log.contains("does not take spans; they are dropped") {
                break;
            }
            assert!(began.elapsed() < LONG, "{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(s.ask("dan", "status").await.text().contains("0 of 7 done"));
        s.kill_program();
    });
}

#[test]
fn a_collector_that_cannot_be_is_said_by_its_setting() {
    on_slack(durable(), async |s| {
        for (name, value, says) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: is not an address; give"),
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "grpc",
                "OTEL_EXPORTER_OTLP_PROTOCOL: \"grpc\" is not spoken; give http/protobuf",
            ),
        ] {
            let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
            let ended = s.serve_to_its_end_with(&[there, (name, value)]).await;
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.code() == Some(2) && said.contains(says), "{said}");
        }
    });
}
