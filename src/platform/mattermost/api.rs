//! One call of Mattermost's REST API (version 4): paced, timed out, retried where that is
//! harmless, with errors that say what they mean. What is called for what is `client`'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{self, Part};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument, info_span, warn};
use url::{Origin, Url};

use super::error::meaning;
use super::limits::{CALLS, CALLS_WITHIN};
use crate::chat::ChatError;
use crate::pace::retry::{self, Failed, Next, Retry};
use crate::pace::{Holds, Pace, Rank, Share};
use crate::platform::{failed, may_leave};
use crate::resolve::network::Network;
use crate::telemetry::Metrics;
use crate::timing::mattermost::{CALL_TIMEOUT, LONGEST_RETRY_AFTER};

/// Bytes of an answer that anybody would read.
const MOST: usize = 8 * 1024 * 1024;
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const PNG: HeaderValue = HeaderValue::from_static("image/png");

pub struct Api {
    http: reqwest::Client,
    network: Network,
    address: Url,
    /// `https://chat.example.com/api/v4`.
    base: String,
    token: SecretString,
    /// Where alone a `response_url` may lead.
    own: Origin,
    pace: Pace,
    /// What the server itself asked to wait for, by kind of call and channel.
    holds: Holds,
    metrics: Arc<Metrics>,
}

impl Api {
    /// `url`: the server's, with the path under which it is served if there is one.
    pub fn new(url: &Url, token: SecretString, network: &Network) -> anyhow::Result<Self> {
        let http = network.http()?.timeout(CALL_TIMEOUT).connect_timeout(Duration::from_secs(3)).build()?;
        let base = format!("{}/api/v4", url.as_str().trim_end_matches('/'));
        let pace = Pace::new(CALLS, CALLS_WITHIN);
        Ok(Self {
            http,
            network: network.clone(),
            address: url.clone(),
            base,
            token,
            own: url.origin(),
            pace,
            holds: Holds::default(),
            metrics: Arc::default(),
        })
    }

    /// With the part of the server's budget that is this process's.
    #[must_use]
    pub fn sharing(self, share: Arc<Share>) -> Self {
        Self { pace: Pace::shared(CALLS, CALLS_WITHIN, share), ..self }
    }

    /// With its calls counted.
    #[must_use]
    pub fn measured(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// The server's, as it is configured.
    pub fn address(&self) -> &Url {
        &self.address
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ChatError> {
        read(&self.bytes(path).await?)
    }

    /// The same for work that yields to people.
    pub async fn get_beside<T: DeserializeOwned>(&self, path: &str) -> Result<T, ChatError> {
        read(&self.call(Method::GET, path, "", Retry::Idempotent, Rank::Background, |request| request).await?)
    }

    /// The content of a file.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, ChatError> {
        self.call(Method::GET, path, "", Retry::Idempotent, Rank::Person, |request| request).await
    }

    /// `path` begins with a slash and stands below the API's base.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        again: Retry,
        rank: Rank,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ChatError> {
        self.send_to("", method, path, again, rank, body).await
    }

    /// The same about a channel, which others do not wait for.
    pub async fn send_to<T: DeserializeOwned>(
        &self,
        channel: &str,
        method: Method,
        path: &str,
        again: Retry,
        rank: Rank,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ChatError> {
        read(&self.call(method, path, channel, again, rank, |request| request.json(body)).await?)
    }

    /// Uploads bytes. What nobody refers to afterwards is seen by nobody: sent again is harmless.
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, ChatError> {
        let fill = |request: RequestBuilder| request.header(CONTENT_TYPE, OCTETS).body(bytes.to_vec());
        read(&self.call(Method::POST, path, "", Retry::Idempotent, Rank::Background, fill).await?)
    }

    /// Gives an account a picture.
    pub async fn set_picture(&self, user: &str, png: &[u8]) -> Result<(), ChatError> {
        let fill = |request: RequestBuilder| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, PNG)]);
            let part = Part::bytes(png.to_vec()).file_name("bot.png").headers(headers);
            request.multipart(multipart::Form::new().part("image", part))
        };
        let path = format!("/users/{user}/image");
        self.call(Method::POST, &path, "", Retry::Idempotent, Rank::Person, fill).await.map(|_| ())
    }

    /// Where the server leads a caller who asks for `path`. No redirect is followed, so the token
    /// goes nowhere else; it is not sent here.
    pub async fn location(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.ok()?;
        if !answer.status().is_redirection() {
            return None;
        }
        Some(answer.headers().get("location")?.to_str().ok()?.to_owned())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        channel: &str,
        again: Retry,
        rank: Rank,
        fill: impl Fn(RequestBuilder) -> RequestBuilder + Send + Sync,
    ) -> Result<Vec<u8>, ChatError> {
        let span = info_span!("mattermost", %method, path = path.split('?').next());
        let kind = format!("{method} {}", path.split(['/', '?']).nth(1).unwrap_or_default());
        self.send_with_retry((&kind, channel), again, rank, || {
            let request = self.http.request(method.clone(), format!("{}{path}", self.base));
            fill(request.bearer_auth(self.token.expose_secret()))
        })
        .instrument(span)
        .await
    }

    /// Answers a command by its `response_url`, which works five times within half an hour: no
    /// token, no redirect, and only at the configured server.
    pub async fn respond(&self, url: &str, message: &(impl Serialize + Sync)) -> Result<(), ChatError> {
        let url: Url = url.parse().map_err(|_| ChatError::Refused("response_url is not an address".into()))?;
        if url.origin() != self.own {
            warn!(host = url.host_str(), "a response_url that leads elsewhere is not called");
            return Err(ChatError::Refused("response_url leads elsewhere".into()));
        }
        let post = || self.http.post(url.clone()).json(message);
        self.send_with_retry(("answer", ""), Retry::Idempotent, Rank::Person, post).await.map(|_| ())
    }

    /// One call, sent again where that is harmless.
    async fn send_with_retry(
        &self,
        (kind, channel): (&str, &str),
        again: Retry,
        rank: Rank,
        request: impl Fn() -> RequestBuilder + Send + Sync,
    ) -> Result<Vec<u8>, ChatError> {
        let patience = if rank == Rank::Person { LONGEST_RETRY_AFTER } else { Duration::from_mins(1) };
        // Nobody waits for background work, and the next attempt sends what is true by then.
        let with_server = if rank == Rank::Person { LONGEST_RETRY_AFTER } else { Duration::from_secs(2) };
        retry::send(again, with_server, || async {
            let waited = self.holds.pass(kind, channel, with_server).await;
            if waited.is_err() || self.pace.turn(rank, patience).await.is_err() {
                return Err(Failed::stop(ChatError::RateLimited));
            }
            may_leave()?;
            let began = Instant::now();
            let result = self.once((kind, channel), request()).await;
            let outcome = result.as_ref().err().map_or("ok", |failed| failed.error.name());
            self.metrics.chat("mattermost", kind, outcome, began.elapsed());
            result
        })
        .await
    }

    async fn once(&self, (kind, channel): (&str, &str), request: RequestBuilder) -> Result<Vec<u8>, Failed<ChatError>> {
        let error = match request.send().await {
            Ok(answer) if answer.status().is_success() => return whole(answer).await.map_err(Failed::stop),
            Ok(answer) => {
                let (status, wait) = (answer.status(), retry_after(&answer));
                let error = meaning(status, &whole(answer).await.unwrap_or_default());
                if error == ChatError::RateLimited {
                    self.holds.hold(kind, channel, wait);
                    return Err(Failed { error, next: Next::Wait(wait) });
                }
                error
            }
            // The error's own text would show the address, which can be a secret.
            Err(error) => match self.network.proxy_fault(&error, &self.address) {
                Some(fault) => ChatError::Unavailable(fault.to_string()),
                None if error.is_timeout() => {
                    ChatError::Unavailable(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))
                }
                None => ChatError::Unavailable("no connection".into()),
            },
        };
        Err(failed(error))
    }
}

async fn whole(mut answer: reqwest::Response) -> Result<Vec<u8>, ChatError> {
    let cut = |_| ChatError::Unavailable("the answer was cut off".into());
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(cut)? {
        if bytes.len() + chunk.len() > MOST {
            return Err(ChatError::Refused("an answer that is too long".into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ChatError> {
    serde_json::from_slice(body).map_err(|_| ChatError::Refused("an answer that cannot be read".into()))
}

fn retry_after(answer: &reqwest::Response) -> Duration {
    let seconds = |name: &str| answer.headers().get(name)?.to_str().ok()?.parse().ok();
    Duration::from_secs(seconds("retry-after").or_else(|| seconds("x-ratelimit-reset")).unwrap_or(1))
}
