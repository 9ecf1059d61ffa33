//! Who may ask the page's server anything: the page itself, opened where it was announced.
//!
//! A loopback address is reachable from every site that the same browser has open. The Host says
//! which name the browser believes to talk to (against DNS rebinding), the Origin who asks
//! (against requests across sites).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// Where the page may be opened: `host:port`.
#[derive(Debug)]
pub struct Origins {
    hosts: Vec<String>,
}

impl Origins {
    /// The names of a loopback address, and what else it is reachable as.
    pub fn new(address: SocketAddr, reachable_as: Option<&str>) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        hosts.extend(reachable_as.map(str::to_owned));
        Self { hosts }
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn admits(&self, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        let header = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        if !header(HOST).is_some_and(|host| self.has(host)) {
            return Err((StatusCode::MISDIRECTED_REQUEST, "Open this page at the address that the demo printed.\n"));
        }
        let other = Err((StatusCode::FORBIDDEN, "Only the demo's own page may ask that.\n"));
        match header(ORIGIN) {
            // TLS can only be that of a proxy before us.
            Some(origin) => {
                let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                if host.is_some_and(|host| self.has(host)) { Ok(()) } else { other }
            }
            None if *method == Method::GET || *method == Method::HEAD => {
                match header(HeaderName::from_static("sec-fetch-site")) {
                    // Following a link to the page is no harm; its data is asked for by itself.
                    Some("cross-site" | "same-site")
                        if header(HeaderName::from_static("sec-fetch-mode")) != Some("navigate") =>
                    {
                        other
                    }
                    _ => Ok(()),
                }
            }
            None => other,
        }
    }
}

/// Lets through what the page asks, and says with every answer what the browser may do with it.
pub async fn guard(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let mut response = match origins.admits(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Always of the binary that runs: a page of an older one would not fit.
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
