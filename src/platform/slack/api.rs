//! One call of Slack's Web API: paced by tier, timed out, retried where that is harmless, and with
//! errors that say what they mean. What is called for what is `client`'s.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;
use tracing::{Instrument, info_span, warn};
use url::{Origin, Url};

use super::limits::Limits;
use crate::chat::ChatError;
use crate::config::SlackConfig;
use crate::pace::retry::{self, Failed, Next, Retry};
use crate::pace::{Holds, Rank, Share};
use crate::platform::{failed, may_leave};
use crate::resolve::network::{Dialer, Network, Unconnected};
use crate::telemetry::Metrics;
use crate::timing::Calls;
use crate::timing::slack::{CALL_TIMEOUT, LONGEST_RETRY_AFTER};

/// slack-morphism's client, which reaches hosts as the others do.
type Client = slack_morphism::SlackClient<SlackClientHyperConnector<hyper_rustls::HttpsConnector<Dialer>>>;

/// Bytes of the answer to `auth.test`.
const MOST_TESTED: usize = 64 * 1024;

/// What a call needs; shared with the tasks that renew what is remembered.
pub(super) struct Api {
    client: Client,
    token: SlackApiToken,
    /// For what is not a method: a `response_url`, which takes no token, and uploaded files.
    pub http: reqwest::Client,
    network: Network,
    /// The address of `auth.test`.
    tested: Url,
    /// Where `SLACK_API_URL` leads: besides Slack's own hosts, the only place where a
    /// `response_url` or a file may be.
    pub own: Origin,
    pub limits: Limits,
    /// What Slack itself asked to wait for, by method and channel.
    holds: Holds,
    metrics: Arc<Metrics>,
}

impl Api {
    pub fn new(config: &SlackConfig, calls: Calls, metrics: Arc<Metrics>, share: Arc<Share>) -> anyhow::Result<Self> {
        let base = config.api_url.as_str().trim_end_matches('/');
        let network = &config.network;
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(network.tls.client()?);
        // The configuration allows http:// to a loopback address only.
        let connector = connector.https_or_http().enable_http1().wrap_connector(network.dialer()?);
        let client = slack_morphism::SlackClient::new(
            SlackClientHyperConnector::with_connector(connector).with_slack_api_url(base),
        );
        let http = network.http()?.timeout(CALL_TIMEOUT).connect_timeout(Duration::from_secs(3)).build()?;
        let token = SlackApiToken::new(SlackApiTokenValue(config.bot_token.expose_secret().to_owned()));
        Ok(Self {
            client,
            token,
            http,
            network: network.clone(),
            tested: format!("{base}/auth.test").parse()?,
            own: config.api_url.origin(),
            limits: Limits::new(calls, share),
            holds: Holds::default(),
            metrics,
        })
    }

    /// The app's token, for a request that the library does not make.
    pub fn bearer(&self) -> &str {
        &self.token.token_value.0
    }

    pub async fn get<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: &[(&str, Option<&str>)],
    ) -> Result<T, ChatError> {
        let params: Vec<(&str, Option<&str>)> = params.to_vec();
        let channel = params.iter().find(|(name, _)| *name == "channel").and_then(|(_, id)| *id).unwrap_or_default();
        self.call(method, channel, Retry::Idempotent, Rank::Person, || {
            let params = params.clone();
            async move {
                let session = self.client.open_session(&self.token);
                session.http_session_api.http_get(method, &params, None).await
            }
        })
        .await
    }

    /// `channel`: which one the call is about; empty if none.
    pub async fn post<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        channel: &str,
        again: Retry,
        rank: Rank,
        request: &(impl Serialize + Send + Sync),
    ) -> Result<T, ChatError> {
        self.call(method, channel, again, rank, || async move {
            self.client.open_session(&self.token).http_session_api.http_post(method, request, None).await
        })
        .await
    }

    /// One call, sent again where that is harmless.
    async fn call<T, F>(
        &self,
        method: &'static str,
        channel: &str,
        again: Retry,
        rank: Rank,
        send: impl Fn() -> F + Send + Sync,
    ) -> Result<T, ChatError>
    where
        F: Future<Output = Result<T, SlackClientError>> + Send,
    {
        let span = info_span!("slack", method);
        let pace = self.limits.method(method);
        retry::send(again, patience_with_slack(rank), || async {
            let waited = self.holds.pass(method, channel, patience_with_slack(rank)).await;
            if waited.is_err() || pace.turn(rank, patience(rank)).await.is_err() {
                return Err(Failed::stop(ChatError::RateLimited));
            }
            may_leave()?;
            self.measured(method, self.once(method, channel, send())).await
        })
        .instrument(span)
        .await
    }

    async fn once<T>(
        &self,
        method: &str,
        channel: &str,
        sent: impl Future<Output = Result<T, SlackClientError>>,
    ) -> Result<T, Failed<ChatError>> {
        let error = match tokio::time::timeout(CALL_TIMEOUT, sent).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => {
                let error = ChatError::Unavailable(format!("no answer within {} s", CALL_TIMEOUT.as_secs()));
                return Err(failed(error));
            }
        };
        if let Some(wait) = wait_asked(&error) {
            self.holds.hold(method, channel, wait);
            return Err(Failed { error: ChatError::RateLimited, next: Next::Wait(wait) });
        }
        Err(failed(meaning(error)))
    }

    /// Counts a call, each time that it is sent.
    async fn measured<T>(
        &self,
        operation: &str,
        sent: impl Future<Output = Result<T, Failed<ChatError>>>,
    ) -> Result<T, Failed<ChatError>> {
        let began = Instant::now();
        let result = sent.await;
        let outcome = result.as_ref().err().map_or("ok", |failed| failed.error.name());
        self.metrics.chat("slack", operation, outcome, began.elapsed());
        result
    }

    /// `auth.test` with its headers, which the library does not give.
    pub async fn test(&self) -> Result<(HeaderMap, Vec<u8>), ChatError> {
        let sent = async { self.answer_to_test().await.map_err(failed) };
        self.measured("auth.test", sent).await.map_err(|failed| failed.error)
    }

    async fn answer_to_test(&self) -> Result<(HeaderMap, Vec<u8>), ChatError> {
        let unavailable = |error: reqwest::Error| self.unanswered(&error, &self.tested);
        let request = self.http.post(self.tested.clone()).bearer_auth(self.bearer());
        let mut answer = request.send().await.map_err(unavailable)?;
        if answer.status().as_u16() == 429 {
            return Err(ChatError::RateLimited);
        }
        if !answer.status().is_success() {
            return Err(ChatError::Unavailable(answer.status().to_string()));
        }
        let (headers, mut body) = (answer.headers().clone(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > MOST_TESTED {
                return Err(ChatError::Refused("an answer that is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((headers, body))
    }

    /// Answers by a `response_url`: no token, no redirect, and only where Slack's live.
    pub async fn respond(&self, url: &str, message: &(impl Serialize + Sync)) -> Result<(), ChatError> {
        let url: Url = url.parse().map_err(|_| ChatError::Refused("response_url is not an address".into()))?;
        let slack = url.scheme() == "https" && url.host_str() == Some("hooks.slack.com");
        if !slack && url.origin() != self.own {
            warn!(host = url.host_str(), "a response_url that leads elsewhere is not called");
            return Err(ChatError::Refused("response_url leads elsewhere".into()));
        }
        let once = async || {
            let error = match self.http.post(url.clone()).json(message).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status() == 429 => {
                    let wait = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
                    let next = Next::Wait(Duration::from_secs(wait.unwrap_or(1)));
                    return Err(Failed { error: ChatError::RateLimited, next });
                }
                Ok(answer) if answer.status().is_client_error() => {
                    ChatError::Refused(format!("the reply address answered {}", answer.status()))
                }
                Ok(answer) => {
                    let status = answer.status();
                    let reason: String = answer.text().await.unwrap_or_default().chars().take(80).collect();
                    if REJECTIONS.iter().any(|code| reason.contains(code)) {
                        return Err(Failed::stop(ChatError::Rejected(reason)));
                    }
                    ChatError::Unavailable(status.to_string())
                }
                Err(error) => self.unanswered(&error, &url),
            };
            Err(failed(error))
        };
        retry::send(Retry::Idempotent, LONGEST_RETRY_AFTER, || self.measured("response_url", once())).await
    }
}

impl Api {
    /// What no answer means. The error's own text would show the address, which is a secret.
    pub fn unanswered(&self, error: &reqwest::Error, url: &Url) -> ChatError {
        ChatError::Unavailable(match self.network.proxy_fault(error, url) {
            Some(fault) => fault.to_string(),
            None if error.is_timeout() => "no answer in time".into(),
            None => "no connection".into(),
        })
    }
}

/// How long Slack asks to wait, if that is why it refused a call.
fn wait_asked(error: &SlackClientError) -> Option<Duration> {
    match error {
        SlackClientError::RateLimitError(limit) => Some(limit.retry_after.unwrap_or(Duration::from_secs(1))),
        SlackClientError::ApiError(e) if matches!(e.code.as_str(), "ratelimited" | "rate_limited") => {
            Some(Duration::from_secs(1))
        }
        _ => None,
    }
}

/// How long a call waits for its turn: a person is told, background work is put off.
pub(super) fn patience(rank: Rank) -> Duration {
    match rank {
        Rank::Person => LONGEST_RETRY_AFTER,
        Rank::Background => Duration::from_mins(1),
    }
}

/// How long a call waits because Slack asked for it. Nobody waits for background work, and whoever
/// puts it off sends what is true by then.
fn patience_with_slack(rank: Rank) -> Duration {
    match rank {
        Rank::Person => LONGEST_RETRY_AFTER,
        Rank::Background => Duration::from_secs(2),
    }
}

/// Codes that mean: this payload is wrong.
const REJECTIONS: [&str; 9] = [
    "invalid_blocks",
    "msg_too_long",
    "msg_blocks_too_long",
    "invalid_blocks_format",
    "block_mismatch",
    "no_text",
    "too_many_attachments",
    "invalid_arguments",
    "view_too_large",
];

/// Codes that mean: somebody who looks after the workspace or the channel does not let the bot.
const FORBIDDEN: [&str; 8] = [
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "restricted_action_non_threadable_channel",
    "channel_is_limited_access",
    "team_access_not_granted",
    "ekm_access_denied",
    "no_permission",
];

/// What an error of the library means to us. Its own text can hold Slack's whole answer, which
/// may repeat what people wrote: only codes and Slack's reasons are kept.
fn meaning(error: SlackClientError) -> ChatError {
    match error {
        SlackClientError::ApiError(e) => match e.code.as_str() {
            "not_in_channel" | "channel_not_found" | "user_not_in_channel" => ChatError::NotInChannel,
            "is_archived" => ChatError::Archived,
            "message_not_found" | "thread_not_found" => ChatError::MessageGone,
            "cant_update_message" | "edit_window_closed" => ChatError::NotEditable,
            "expired_trigger_id" | "exchanged_trigger_id" | "invalid_trigger_id" | "trigger_expired" => {
                ChatError::TriggerExpired
            }
            "token_revoked" | "account_inactive" | "invalid_auth" | "token_expired" | "not_authed" => {
                ChatError::TokenDead(e.code)
            }
            "missing_scope" => {
                let body: serde_json::Value =
                    e.http_response_body.and_then(|b| serde_json::from_str(&b).ok()).unwrap_or_default();
                ChatError::MissingScope(body["needed"].as_str().unwrap_or("it needs").to_owned())
            }
            code if FORBIDDEN.contains(&code) => ChatError::Forbidden(e.code),
            "fatal_error" | "internal_error" | "service_unavailable" | "request_timeout" => {
                ChatError::Unavailable(e.code)
            }
            code if REJECTIONS.contains(&code) => {
                let body: serde_json::Value =
                    e.http_response_body.and_then(|b| serde_json::from_str(&b).ok()).unwrap_or_default();
                let messages = &body["response_metadata"]["messages"];
                ChatError::Rejected(format!("{code} {messages}").chars().take(500).collect())
            }
            _ => ChatError::Refused(e.code),
        },
        SlackClientError::HttpError(e) if e.status_code.is_server_error() => {
            ChatError::Unavailable(e.status_code.to_string())
        }
        SlackClientError::HttpError(e) => ChatError::Refused(e.status_code.to_string()),
        SlackClientError::RateLimitError(_) => ChatError::RateLimited,
        SlackClientError::ProtocolError(_) => ChatError::Refused("an answer that cannot be read".into()),
        SlackClientError::HttpProtocolError(e) => unconnected(e.cause.as_deref()),
        SlackClientError::SystemError(e) => unconnected(e.cause.as_deref()),
        _ => unconnected(None),
    }
}

fn unconnected(cause: Option<&(dyn Error + Send + Sync + 'static)>) -> ChatError {
    let cause = cause.map(|cause| cause as &(dyn Error + 'static));
    let mut chain = std::iter::successors(cause, |error| (*error).source());
    let proxy = chain.find_map(|error| match error.downcast_ref() {
        Some(Unconnected::Proxy(fault)) => Some(fault.to_string()),
        _ => None,
    });
    ChatError::Unavailable(proxy.unwrap_or_else(|| "no connection".to_owned()))
}
