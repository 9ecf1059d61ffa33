//! Spans to a collector, by OTLP over HTTP, as the standard `OTEL_*` variables say.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::trace;
use crate::pace::Seldom;
use crate::resolve::network::Network;
use crate::timing::telemetry::{EXPORT_TIMEOUT, LAST_SPANS};

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
/// Who reads the spans knows the program by this name, unless it is given another.
const NAME: &str = "sekoia-chatops";

/// Sends spans until it is shut down.
pub struct Otlp(SdkTracerProvider);

/// A setting that cannot be, by its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong(pub &'static str, pub String);

/// What the variables say.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    timeout: Duration,
    /// The program names itself.
    unnamed: bool,
}

impl Wanted {
    /// None: spans do not leave the process.
    ///
    /// # Errors
    /// [`Wrong`]: an address that is none, or a protocol that is not spoken.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Wrong> {
        let set = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, set(name)?)));
        let off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
        let Some((name, endpoint)) = first(ENDPOINTS).filter(|_| !off) else { return Ok(None) };
        let address = endpoint.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if address.is_none() {
            return Err(Wrong(name, "is not an address; give the collector's, such as http://127.0.0.1:4318".into()));
        }
        if let Some((name, protocol)) = first(PROTOCOLS).filter(|(_, protocol)| protocol != "http/protobuf") {
            let why = format!("{protocol:?} is not spoken; give http/protobuf, and the collector's port for it (4318)");
            return Err(Wrong(name, why));
        }
        let timeout = first(TIMEOUTS).and_then(|(_, milliseconds)| milliseconds.parse().ok());
        let named = set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
        let unnamed = set("OTEL_SERVICE_NAME").is_none() && !named;
        Ok(Some(Self { timeout: timeout.map_or(EXPORT_TIMEOUT, Duration::from_millis), unnamed }))
    }
}

impl Otlp {
    /// To be called in the runtime that the calls are made in. `version`: of the program.
    ///
    /// # Errors
    /// When no client can be made, or a header of `OTEL_EXPORTER_OTLP_HEADERS` cannot be.
    pub fn start(wanted: &Wanted, network: &Network, version: &'static str) -> anyhow::Result<Self> {
        let http = network.http()?.timeout(wanted.timeout).build()?;
        let client = Client { http, network: network.clone(), runtime: Handle::current() };
        let exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
        let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", version));
        if wanted.unnamed {
            resource = resource.with_service_name(NAME);
        }
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
        trace::exported();
        Ok(Self(provider.build()))
    }

    /// What takes the spans of this program; what is logged in them stays here.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let ours = |meta: &Metadata<'_>| meta.is_span() && meta.target().starts_with(env!("CARGO_CRATE_NAME"));
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer(NAME));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_filter(filter_fn(ours))
    }

    /// Sends what was not sent yet.
    pub async fn shut_down(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_SPANS)).await;
        if let Ok(Err(error)) = ended {
            warn!(%error, "the last spans may not have reached the collector");
        }
    }
}

/// Our own client. The exporter's thread has no runtime: calls are made in the program's.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    network: Network,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        static FAILING: Seldom = Seldom::new();
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move { send(&http, request).await }).await?;
        let why = match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            // Its own text would show the address, in which there may be a key.
            Err(error) => Some(match error.url().and_then(|url| self.network.proxy_fault(error, url)) {
                Some(fault) => fault.to_string(),
                None if error.is_timeout() => "no answer in time".to_owned(),
                None => "no connection".to_owned(),
            }),
        };
        if let Some(why) = why
            && let Some(missed) = FAILING.now()
        {
            warn!(why, missed, "the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take spans; they are dropped");
        }
        Ok(sent.map_err(reqwest::Error::without_url)?)
    }
}

async fn send(http: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    // Nothing is read of its body: a collector that takes only some spans has nobody to tell.
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer.status();
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Option<Wanted>, Wrong> {
        Wanted::read(|name| set.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn spans_leave_only_if_there_is_where_to() {
        let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for off in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "bot")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[there, ("OTEL_SDK_DISABLED", "TRUE")],
            &[there, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(read(off), Ok(None), "{off:?}");
        }
        for on in [
            &[there][..],
            &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/v1/traces")],
            &[there, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_SDK_DISABLED", "false")],
        ] {
            assert_eq!(read(on), Ok(Some(Wanted { timeout: EXPORT_TIMEOUT, unnamed: true })), "{on:?}");
        }
        for named in [("OTEL_SERVICE_NAME", "bot"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=bot")] {
            assert!(!read(&[there, named]).unwrap().unwrap().unnamed);
        }
        let quick = read(&[there, ("OTEL_EXPORTER_OTLP_TIMEOUT", "250")]).unwrap().unwrap();
        assert_eq!(quick.timeout, Duration::from_millis(250));
    }

    #[test]
    fn what_cannot_be_is_said_by_its_name() {
        let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for (set, name) in [
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")][..], "OTEL_EXPORTER_OTLP_ENDPOINT"),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://c:4317")], "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
            (&[there, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL"),
            (&[there, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")], "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        ] {
            assert_eq!(read(set).unwrap_err().0, name, "{set:?}");
        }
    }
}
