//! A collector of spans, as OTLP over HTTP has it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

/// A span, with its identifiers in hexadecimal digits.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty: it begins a trace.
    pub parent: String,
    pub attributes: Vec<(String, String)>,
    pub is_error: bool,
    /// What is logged in it.
    pub events: usize,
    /// What names the program.
    pub resource: Vec<(String, String)>,
}

impl Span {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    authorization: Vec<String>,
}

pub struct Collector {
    pub url: String,
    got: Arc<Mutex<Got>>,
}

impl Collector {
    pub async fn start() -> Self {
        let got = Arc::new(Mutex::default());
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&got));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, got }
    }

    pub fn spans(&self) -> Vec<Span> {
        self.got.lock().expect("no panic").spans.clone()
    }

    /// The `authorization` headers that came.
    pub fn authorization(&self) -> Vec<String> {
        self.got.lock().expect("no panic").authorization.clone()
    }
}

async fn take(State(got): State<Arc<Mutex<Got>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if headers.get("content-type").is_none_or(|kind| kind != "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut got = got.lock().expect("no panic");
    got.authorization.extend(headers.get("authorization").map(|value| value.to_str().expect("a text").to_owned()));
    for of in request.resource_spans {
        let resource = of.resource.map(|resource| texts(&resource.attributes)).unwrap_or_default();
        for span in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            got.spans.push(Span {
                name: span.name,
                trace: hex::encode(&span.trace_id),
                id: hex::encode(&span.span_id),
                parent: hex::encode(&span.parent_span_id),
                attributes: texts(&span.attributes),
                is_error: span.status.is_some_and(|status| status.code == 2),
                events: span.events.len(),
                resource: resource.clone(),
            });
        }
    }
    StatusCode::OK
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|of| (of.key.clone(), text(&of.value))).collect()
}
