//! One call to Sekoia: admitted by the shared budget, timed out, retried if it is a read, and
//! turned into a typed error if it fails.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::RngExt;
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::{Instrument, debug, info_span, warn};
use url::Url;
use uuid::Uuid;

use super::Permission;
use super::error::{ErrorBody, SekoiaError};
use super::lenient::Page;
use crate::pace::retry::{self, Failed, Next, Retry};
use crate::pace::{Pace, Rank, Share};
use crate::resolve::network::Network;
use crate::telemetry::Metrics;
use crate::timing::Calls;
use crate::timing::sekoia::{
    CONNECT_TIMEOUT, ERRORS_WITHIN, FORBIDDEN_FOR, LONGEST_PAUSE, LONGEST_PAUSE_WAITED, TURN_PATIENCE,
};

tokio::task_local! {
    static BACKGROUND: ();
}

/// Everything that is asked of Sekoia in `work` yields to people, whatever rank it is asked with:
/// a step's check is the same whether somebody waits for it or not.
pub async fn in_background<F: Future>(work: F) -> F::Output {
    BACKGROUND.scope((), work).await
}

/// One read of the API.
pub(super) struct Read<'a> {
    /// The path with placeholders, for traces.
    pub name: &'static str,
    pub path: String,
    pub query: Vec<(&'a str, String)>,
    /// Some questions are too long for a query and are sent by POST. They change nothing.
    pub body: Option<serde_json::Value>,
    /// The permission that it needs, as an administrator finds it in Sekoia; empty if only a key.
    pub needs: &'static str,
    /// The community that it is about, where neither the path nor the query says so.
    pub within: Option<Uuid>,
}

impl Read<'_> {
    /// What a refusal is remembered by. Permissions are of a community: what is refused in one may
    /// be allowed in another.
    fn memo(&self) -> String {
        let community = self.query.iter().find(|(name, _)| *name == "match[community_uuid]");
        let asked = self.body.as_ref().map(|body| body["filters"]["community_uuid"].to_string());
        format!(
            "{} {}{}{}",
            alike(self.name, &self.path),
            community.map_or("", |(_, uuid)| uuid),
            asked.unwrap_or_default(),
            self.within.map(|uuid| uuid.to_string()).unwrap_or_default()
        )
    }
}

/// A permission is not of one alert or one run: what is refused for one is refused for all, or each
/// event would bring another refusal, which Sekoia's firewall counts.
fn alike<'a>(name: &'static str, path: &'a str) -> &'a str {
    if name.contains("{id}") { name } else { path }
}

fn forbidden(needs: &'static str) -> SekoiaError {
    SekoiaError::Forbidden { permission: if needs.is_empty() { NO_NAME } else { needs }, held: None }
}

/// What is needed where no permission is documented.
const NO_NAME: &str = "access to this community";
/// What the key may.
const PERMISSIONS: &str = "/v1/me/permissions";

/// One write to the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The path with placeholders, for traces.
    pub name: &'static str,
    pub method: Verb,
    pub path: String,
    pub body: Option<serde_json::Value>,
    /// The permission that it needs, as an administrator finds it in Sekoia.
    pub needs: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Post,
    Patch,
    Delete,
}

impl Call {
    /// What a refusal is remembered by. Invitations name their communities in the body.
    fn memo(&self) -> String {
        let communities = self.body.as_ref().and_then(|body| body["communities"].as_object());
        let communities: Vec<&str> = communities.into_iter().flatten().map(|(uuid, _)| uuid.as_str()).collect();
        format!("{} {} {}", self.method.name(), alike(self.name, &self.path), communities.join(" "))
    }
}

impl Verb {
    pub fn name(self) -> &'static str {
        match self {
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// A turn of the shared budget, taken before a write is announced: between the announcement and
/// the call nobody waits.
#[must_use]
#[derive(Debug)]
pub struct Turn {
    /// It is good until then; none: for as long as it takes.
    until: Option<Instant>,
}

impl Turn {
    /// The same, not to be used any more after a while.
    pub fn until(self, until: Instant) -> Self {
        Self { until: Some(until) }
    }
}

/// What Sekoia answered to a write, with a status of success. Whether that is what it documents is
/// for whoever called to see. The body may hold a new key.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Empty if it is no text.
    pub body: SecretString,
}

/// A write that brought no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// Sekoia refused it, or never got it: nothing was done.
    #[error(transparent)]
    Refused(SekoiaError),
    /// It was sent, and nobody said what became of it.
    #[error("{0}")]
    Unclear(SekoiaError),
}

/// A shared line to one base address.
pub(super) struct Transport {
    http: reqwest::Client,
    network: Network,
    base: Url,
    key: SecretString,
    pace: Pace,
    times: Calls,
    metrics: Arc<Metrics>,
    trouble: Mutex<Trouble>,
    /// What Sekoia's clock showed when it answered last.
    clock: Mutex<Option<Timestamp>>,
    /// What the key may, once somebody asked: it cannot change.
    held: OnceCell<Vec<Permission>>,
}

/// Sekoia's documented bound: 5 requests a second.
const PER_SECOND: usize = 5;
/// More than any list that the documentation allows for; beyond it something is wrong.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

/// What went wrong lately.
#[derive(Default)]
struct Trouble {
    errors: VecDeque<Instant>,
    paused_until: Option<Instant>,
    next_pause: Option<Duration>,
    forbidden: HashMap<String, Instant>,
}

impl Transport {
    pub fn new(base: Url, key: SecretString, network: &Network) -> anyhow::Result<Self> {
        let http = network.http()?.connect_timeout(CONNECT_TIMEOUT).build()?;
        let times = Calls::default();
        let pace = Pace::new(PER_SECOND, times.sekoia);
        Ok(Self {
            http,
            network: network.clone(),
            base,
            key,
            pace,
            times,
            metrics: Arc::default(),
            trouble: Mutex::default(),
            clock: Mutex::default(),
            held: OnceCell::new(),
        })
    }

    pub fn set_times(&mut self, times: Calls) {
        (self.pace, self.times) = (Pace::new(PER_SECOND, times.sekoia), times);
    }

    pub fn set_share(&mut self, share: Arc<Share>) {
        self.pace = Pace::shared(PER_SECOND, self.times.sekoia, share);
    }

    pub fn set_metrics(&mut self, metrics: Arc<Metrics>) {
        self.metrics = metrics;
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn key(&self) -> &SecretString {
        &self.key
    }

    pub async fn get<T: DeserializeOwned>(&self, rank: Rank, call: &Read<'_>) -> Result<T, SekoiaError> {
        Ok(self.get_sized(rank, call).await?.0)
    }

    /// The same, with the size of the answer in bytes.
    pub async fn get_sized<T: DeserializeOwned>(&self, rank: Rank, call: &Read<'_>) -> Result<(T, usize), SekoiaError> {
        let span = info_span!("sekoia", call = call.name, status = tracing::field::Empty);
        let read = retry::send(Retry::Idempotent, LONGEST_PAUSE_WAITED, || async {
            self.once(rank, call).await.map_err(|error| {
                let next = match &error {
                    // The person who waits gets the error at once.
                    _ if self.pause() > LONGEST_PAUSE_WAITED => Next::Stop,
                    SekoiaError::RateLimited { wait } => Next::Wait(*wait),
                    error if error.is_passing() => Next::Passing,
                    _ => Next::Stop,
                };
                Failed { error, next }
            })
        });
        match read.instrument(span.clone()).await {
            Err(SekoiaError::Forbidden { permission, .. }) => {
                Err(self.compared(permission, call.name).instrument(span).await)
            }
            result => result,
        }
    }

    async fn once<T: DeserializeOwned>(&self, rank: Rank, call: &Read<'_>) -> Result<(T, usize), SekoiaError> {
        if self.is_forbidden(&call.memo()) {
            return Err(forbidden(call.needs));
        }
        let _turn = self.admit(rank).await?;
        let began = Instant::now();
        let result = self.send(call).await;
        let (method, status) = (if call.body.is_some() { "POST" } else { "GET" }, result.as_ref().err());
        self.metrics.sekoia(method, call.name, status.map_or("2xx", SekoiaError::status), began.elapsed());
        match &result {
            Ok(_) => self.went_well(),
            Err(error) => self.went_wrong(call.memo(), error),
        }
        let body = result?;
        serde_json::from_slice(&body).map(|read| (read, body.len())).map_err(|e| {
            // The position is safe to tell; what stood there is not.
            let what = format!("{:?} at line {}, column {}", e.classify(), e.line(), e.column());
            warn!(what, "unreadable answer");
            SekoiaError::Malformed { what }
        })
    }

    /// Waits for a turn to write.
    pub async fn admit(&self, rank: Rank) -> Result<Turn, SekoiaError> {
        let rank = BACKGROUND.try_with(|()| Rank::Background).unwrap_or(rank);
        loop {
            self.paused().await?;
            if self.pace.turn(rank, TURN_PATIENCE).await.is_err() {
                return Err(SekoiaError::Busy { wait: TURN_PATIENCE });
            }
            // Whoever waited for a turn looks again: the pause may have begun meanwhile. A turn
            // from before it is not kept, or all who waited would go at once when it ends.
            if self.pause() == Duration::ZERO {
                return Ok(Turn { until: None });
            }
        }
    }

    /// Sends a write, once.
    pub async fn write(&self, turn: Turn, call: &Call) -> Result<Answer, Unwritten> {
        let span = info_span!("sekoia", call = call.name, method = call.method.name(), status = tracing::field::Empty);
        let memo = call.memo();
        if self.is_forbidden(&memo) {
            return Err(Unwritten::Refused(self.compared(call.needs, call.name).await));
        }
        let began = Instant::now();
        if turn.until.is_some_and(|until| until < began) {
            return Err(Unwritten::Refused(SekoiaError::Busy { wait: Duration::ZERO }));
        }
        let result = self.send_write(call).instrument(span).await;
        let status = match &result {
            Ok(_) => "2xx",
            Err(Unwritten::Refused(error) | Unwritten::Unclear(error)) => error.status(),
        };
        self.metrics.sekoia(call.method.name(), call.name, status, began.elapsed());
        match &result {
            Ok(_) => self.went_well(),
            Err(Unwritten::Refused(error) | Unwritten::Unclear(error)) => self.went_wrong(memo, error),
        }
        match result {
            Err(Unwritten::Refused(SekoiaError::Forbidden { permission, .. })) => {
                Err(Unwritten::Refused(self.compared(permission, call.name).await))
            }
            result => result,
        }
    }

    /// A refusal, compared with what the key may: Sekoia says 403 for more than one reason.
    async fn compared(&self, permission: &'static str, call: &str) -> SekoiaError {
        let unknown = forbidden(permission);
        // Of what has no name nobody can say whether it is held.
        if permission.is_empty() || permission.starts_with("access to") || call == PERMISSIONS {
            return unknown;
        }
        let held = self.held.get_or_try_init(|| async {
            let (name, path) = (PERMISSIONS, PERMISSIONS.into());
            let read = Read { name, path, query: vec![], body: None, needs: "", within: None };
            // Once: whoever waits has an answer already.
            let (page, _): (Page<Permission>, usize) = self.once(Rank::Person, &read).await?;
            page.whole()
        });
        match held.await {
            Ok(held) => SekoiaError::Forbidden { permission, held: Some(held.iter().any(|p| p.is(permission))) },
            Err(error) => {
                debug!(%error, "what the key may could not be read");
                unknown
            }
        }
    }

    async fn send_write(&self, call: &Call) -> Result<Answer, Unwritten> {
        let url = self.url(&call.path);
        let request = match call.method {
            Verb::Post => self.http.post(url),
            Verb::Patch => self.http.patch(url),
            Verb::Delete => self.http.delete(url),
        };
        let mut request = request
            .timeout(self.times.longest)
            .bearer_auth(self.key.expose_secret())
            .header(header::ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let sent = request.send().await.map_err(|error| match self.unanswered(&error) {
            // A connection that never stood carried nothing.
            passed if error.is_connect() => Unwritten::Refused(passed),
            passed => Unwritten::Unclear(passed),
        })?;
        let status = sent.status();
        tracing::Span::current().record("status", status.as_u16());
        let retry_after = retry_after(&sent);
        let body = self.body(sent).await;
        if status.is_success() {
            let body = body.map_err(Unwritten::Unclear)?;
            let body = SecretString::from(String::from_utf8(body).unwrap_or_default());
            return Ok(Answer { status: status.as_u16(), body });
        }
        let error = refusal(status, retry_after, &body.unwrap_or_default(), call.needs);
        // What fails inside Sekoia, or between it and us, may have been done.
        Err(if status.is_server_error() { Unwritten::Unclear(error) } else { Unwritten::Refused(error) })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    async fn body(&self, mut sent: reqwest::Response) -> Result<Vec<u8>, SekoiaError> {
        let mut body = Vec::new();
        while let Some(chunk) = sent.chunk().await.map_err(|e| self.unanswered(&e))? {
            if (body.len() + chunk.len()) as u64 > LARGEST_BODY {
                return Err(SekoiaError::Malformed { what: format!("more than {LARGEST_BODY} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unanswered(&self, error: &reqwest::Error) -> SekoiaError {
        self.unanswered_at(&self.base, error)
    }

    fn unanswered_at(&self, base: &Url, error: &reqwest::Error) -> SekoiaError {
        if error.is_timeout() && !error.is_connect() {
            return SekoiaError::Timeout { after: self.times.longest };
        }
        match self.network.proxy_fault(error, base) {
            Some(fault) => SekoiaError::ProxyFailed(fault),
            None => SekoiaError::Unreachable,
        }
    }

    /// Waits for a short pause to end; a longer one is told.
    async fn paused(&self) -> Result<(), SekoiaError> {
        match self.pause() {
            Duration::ZERO => Ok(()),
            wait if wait <= LONGEST_PAUSE_WAITED => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            wait => Err(SekoiaError::Paused { wait }),
        }
    }

    async fn send(&self, call: &Read<'_>) -> Result<Vec<u8>, SekoiaError> {
        let url = self.url(&call.path);
        let request = match &call.body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).json(body),
        };
        let request = request.timeout(self.times.longest);
        let request =
            request.query(&call.query).bearer_auth(self.key.expose_secret()).header(header::ACCEPT, "application/json");
        let sent = request.send().await.map_err(|e| self.unanswered(&e))?;
        let status = sent.status();
        tracing::Span::current().record("status", status.as_u16());
        let retry_after = retry_after(&sent);
        if let Some(date) = date(&sent) {
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
        }
        let body = self.body(sent).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status, retry_after, &body, call.needs))
    }

    /// What Sekoia's clock showed when it answered the last read, in whole seconds; ours if it does
    /// not say. Ours may be changed at any moment, and what Sekoia dates it dates by its own.
    pub fn clock(&self) -> Timestamp {
        self.its_clock().unwrap_or_else(Timestamp::now)
    }

    /// The same; none if Sekoia does not say.
    pub fn its_clock(&self) -> Option<Timestamp> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long calls are still paused.
    pub fn pause(&self) -> Duration {
        self.trouble().paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn is_forbidden(&self, path: &str) -> bool {
        self.trouble().forbidden.get(path).is_some_and(|since| since.elapsed() < FORBIDDEN_FOR)
    }

    fn went_well(&self) {
        let mut trouble = self.trouble();
        trouble.errors.clear();
        trouble.next_pause = None;
    }

    fn went_wrong(&self, memo: String, error: &SekoiaError) {
        let now = Instant::now();
        let mut trouble = self.trouble();
        if let SekoiaError::Forbidden { .. } = error {
            trouble.forbidden.retain(|_, since| since.elapsed() < FORBIDDEN_FOR);
            trouble.forbidden.insert(memo, now);
        }
        if let SekoiaError::RateLimited { wait } = error {
            trouble.paused_until = trouble.paused_until.max(Some(now + *wait));
            warn!(seconds = wait.as_secs(), "Sekoia asked to slow down; calls are paused");
            return;
        }
        if !error.counts() {
            return;
        }
        trouble.errors.push_back(now);
        while trouble.errors.front().is_some_and(|first| now.duration_since(*first) > ERRORS_WITHIN) {
            trouble.errors.pop_front();
        }
        if trouble.errors.len() >= 2 {
            let pause = trouble.next_pause.unwrap_or(self.times.pause);
            trouble.paused_until = trouble.paused_until.max(Some(now + pause));
            trouble.next_pause = Some((pause * 2).min(LONGEST_PAUSE));
            trouble.errors.clear();
            warn!(seconds = pause.as_secs(), "errors in a row; calls are paused");
        }
    }
}

/// Asks one address whether it takes a key: `GET /v1/auth/validate`, once, without a retry.
pub(super) async fn validate_at(transport: &Transport, base: &Url, key: &SecretString) -> Result<(), SekoiaError> {
    let mut url = base.clone();
    url.set_path(&format!("{}/v1/auth/validate", url.path().trim_end_matches('/')));
    let request = transport.http.get(url).bearer_auth(key.expose_secret()).timeout(Duration::from_secs(5));
    let sent = request.send().await.map_err(|e| transport.unanswered_at(base, &e))?;
    let status = sent.status();
    let body = transport.body(sent).await?;
    if status.is_success() { Ok(()) } else { Err(refusal(status, None, &body, "")) }
}

fn retry_after(sent: &reqwest::Response) -> Option<u64> {
    sent.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// RFC 9110, section 6.6.1.
fn date(sent: &reqwest::Response) -> Option<Timestamp> {
    let date = sent.headers().get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp())
}

fn refusal(status: StatusCode, retry_after: Option<u64>, body: &[u8], needs: &'static str) -> SekoiaError {
    let ErrorBody { code, message } = ErrorBody::parse(body);
    match status.as_u16() {
        401 => SekoiaError::Unauthorized { code, message },
        403 => forbidden(needs),
        404 => SekoiaError::NotFound { code, message },
        // A block is 30 s to 10 min at random, and Retry-After is not documented.
        429 => SekoiaError::RateLimited {
            wait: retry_after
                .map_or_else(|| Duration::from_secs(rand::rng().random_range(30..=60)), Duration::from_secs)
                .min(LONGEST_PAUSE * 2),
        },
        300..=499 => SekoiaError::Refused { status: status.as_u16(), message },
        other => SekoiaError::Server { status: other },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_has_to_wait_too_long_for_its_turn_says_so_and_blames_nobody() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut transport =
            Transport::new("http://127.0.0.1:1".parse().unwrap(), "key".into(), &Network::default()).unwrap();
        transport.set_times(Calls { sekoia: Duration::from_hours(1), ..Calls::default() });
        for _ in 0..PER_SECOND {
            assert!(transport.admit(Rank::Person).await.is_ok());
        }
        let busy = transport.admit(Rank::Person).await.unwrap_err();
        assert_eq!(
            format!("{busy}. {}", busy.advice(super::super::Region::Fra1)),
            "Sekoia takes 5 calls a second, and others came first; this one was not sent. \
             Nothing is wrong. Try again in 10 seconds."
        );
        assert_eq!(transport.pause(), Duration::ZERO);
    }
}
