//! Calls of Slack's Web API: paced by tier, timed out, retried where that is harmless, and with
//! errors that say what to do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;
use tokio::sync::OnceCell;
use tracing::{Instrument, error, info_span, warn};
use url::Url;

use super::block_kit::{Block, Modal};
use super::directory::Remembered;
use super::limits::Limits;
use super::render::{self, Message};
use crate::config::SlackConfig;
use crate::pace::Rank;
use crate::platform::{
    ChannelFacts, ChannelKey, ChatError, ChatPlatform, FormContent, MessageId, Person, ReplyTo, UserId,
};
use crate::view::{Form, View};

/// One call, sent once. slack-morphism has no time-out of its own.
const TIMEOUT: Duration = Duration::from_secs(8);
const ATTEMPTS: usize = 3;
/// A longer `Retry-After` is not waited for: whoever called decides what to do with the time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who somebody is, and whether a channel is shared: Slack itself lets nobody act who left.
const FACTS: Duration = Duration::from_mins(5);
/// Who is an operator or approver by a group.
const MEMBERSHIP: Duration = Duration::from_mins(1);

pub struct SlackClient {
    api: Arc<Api>,
    /// A token belongs to one team for good.
    team: OnceCell<Arc<str>>,
    people: Remembered<Person>,
    channels: Remembered<ChannelFacts>,
    groups: Remembered<Arc<[Box<str>]>>,
}

/// What a call needs; shared with the tasks that renew what is remembered.
struct Api {
    client: SlackHyperClient,
    token: SlackApiToken,
    /// For `response_url`, which takes no token.
    http: reqwest::Client,
    /// Host and port of `SLACK_API_URL`: besides hooks.slack.com, the only place where a
    /// `response_url` may lead.
    own_host: (String, Option<u16>),
    limits: Limits,
}

/// Whether the same call may be sent again when nobody knows what became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Harmless,
    /// It would be seen twice.
    Doubles,
}

#[derive(Deserialize)]
struct Ack {
    // Demanded, because the library takes an answer that is not JSON for an empty one.
    #[serde(rename = "ok")]
    _ok: bool,
}

impl SlackClient {
    pub fn new(config: &SlackConfig) -> Result<Self, anyhow::Error> {
        let base = config.api_url.as_str().trim_end_matches('/');
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots()?;
        // The configuration allows http:// to a loopback address only.
        let connector = connector.https_or_http().enable_http1().build();
        let client = slack_morphism::SlackClient::new(
            SlackClientHyperConnector::with_connector(connector).with_slack_api_url(base),
        );
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(3))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let token = SlackApiToken::new(SlackApiTokenValue(expose(&config.bot_token)));
        let own_host = host(&config.api_url);
        Ok(Self {
            api: Arc::new(Api { client, token, http, own_host, limits: Limits::new() }),
            team: OnceCell::new(),
            people: Remembered::new(FACTS),
            channels: Remembered::new(FACTS),
            groups: Remembered::new(MEMBERSHIP),
        })
    }

    /// Posts or edits; a payload that Slack rejects is logged with Slack's reason and said as
    /// plain text instead.
    async fn message<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        again: Again,
        rank: Rank,
        mut request: Outgoing<'_>,
        view: &View,
    ) -> Result<T, ChatError> {
        match self.api.post(method, again, rank, &request).await {
            Err(ChatError::Rejected(reason)) => {
                error!(method, reason, "Slack rejected a message; its plain text is sent instead");
                request.text = render::plain(view);
                // An edit may not take rich text away: one block of plain words is the least.
                request.blocks = if request.ts.is_some() { render::plain_blocks(view) } else { Vec::new() };
                self.api.post(method, again, rank, &request).await
            }
            result => result,
        }
    }
}

fn expose(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

fn host(url: &Url) -> (String, Option<u16>) {
    (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default())
}

/// `chat.postMessage`, `chat.update` and `chat.postEphemeral`.
#[derive(Serialize)]
struct Outgoing<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    text: String,
    blocks: Vec<Block<'a>>,
    unfurl_links: bool,
    unfurl_media: bool,
}

impl<'a> Outgoing<'a> {
    fn new(channel: &'a ChannelKey, view: &'a View) -> Self {
        Self {
            channel: channel.channel(),
            ts: None,
            user: None,
            thread_ts: None,
            text: render::fallback(view),
            blocks: render::blocks(view),
            unfurl_links: false,
            unfurl_media: false,
        }
    }
}

impl Api {
    async fn get<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        params: &[(&str, Option<&str>)],
    ) -> Result<T, ChatError> {
        let params: Vec<(&str, Option<&str>)> = params.to_vec();
        self.call(method, Again::Harmless, Rank::Person, || {
            let params = params.clone();
            async move {
                let session = self.client.open_session(&self.token);
                session.http_session_api.http_get(method, &params, None).await
            }
        })
        .await
    }

    async fn post<T: DeserializeOwned + Send>(
        &self,
        method: &'static str,
        again: Again,
        rank: Rank,
        request: &(impl Serialize + Send + Sync),
    ) -> Result<T, ChatError> {
        self.call(method, again, rank, || async move {
            self.client.open_session(&self.token).http_session_api.http_post(method, request, None).await
        })
        .await
    }

    /// The one retry policy: `Retry-After` is kept, passing faults are tried again if that is
    /// harmless, everything else is the caller's.
    async fn call<T, F>(
        &self,
        method: &'static str,
        again: Again,
        rank: Rank,
        send: impl Fn() -> F,
    ) -> Result<T, ChatError>
    where
        F: Future<Output = Result<T, SlackClientError>> + Send,
    {
        let span = info_span!("slack", method);
        let pace = self.limits.method(method);
        async {
            let mut backoff =
                ExponentialBuilder::default().with_min_delay(Duration::from_millis(300)).with_jitter().build();
            for attempt in 1.. {
                if pace.turn(rank, patience(rank)).await.is_err() {
                    return Err(ChatError::RateLimited);
                }
                let error = match tokio::time::timeout(TIMEOUT, send()).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => error,
                    Err(_) if again == Again::Harmless && attempt < ATTEMPTS => continue,
                    Err(_) => return Err(ChatError::Unavailable(format!("no answer within {} s", TIMEOUT.as_secs()))),
                };
                let limited = match &error {
                    SlackClientError::RateLimitError(limit) => {
                        Some(limit.retry_after.unwrap_or(Duration::from_secs(1)))
                    }
                    SlackClientError::ApiError(e) if matches!(e.code.as_str(), "ratelimited" | "rate_limited") => {
                        Some(Duration::from_secs(1))
                    }
                    _ => None,
                };
                if let Some(wait) = limited {
                    pace.hold(wait);
                    if attempt >= ATTEMPTS || wait > PATIENCE {
                        return Err(ChatError::RateLimited);
                    }
                    continue;
                }
                let error = meaning(error);
                let passing = matches!(error, ChatError::Unavailable(_));
                if !passing || again == Again::Doubles || attempt >= ATTEMPTS {
                    return Err(error);
                }
                warn!(%error, attempt, "sent again");
                tokio::time::sleep(backoff.next().unwrap_or(PATIENCE)).await;
            }
            Err(ChatError::RateLimited)
        }
        .instrument(span)
        .await
    }

    /// Answers by a `response_url`: no token, no redirect, and only where Slack's live.
    async fn respond(&self, url: &str, message: &Message<'_>) -> Result<(), ChatError> {
        let url: Url = url.parse().map_err(|_| ChatError::Refused("response_url is not an address".into()))?;
        let slack = url.scheme() == "https" && url.host_str() == Some("hooks.slack.com");
        if !slack && host(&url) != self.own_host {
            warn!(host = url.host_str(), "a response_url that leads elsewhere is not called");
            return Err(ChatError::Refused("response_url leads elsewhere".into()));
        }
        let mut backoff =
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(300)).with_jitter().build();
        for attempt in 1.. {
            let error = match self.http.post(url.clone()).json(message).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status() == 429 => {
                    let wait = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
                    let wait = Duration::from_secs(wait.unwrap_or(1));
                    if wait > PATIENCE || attempt >= ATTEMPTS {
                        return Err(ChatError::RateLimited);
                    }
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Ok(answer) if answer.status().is_client_error() => {
                    return Err(ChatError::Refused(format!("the reply address answered {}", answer.status())));
                }
                Ok(answer) => {
                    let status = answer.status();
                    let reason: String = answer.text().await.unwrap_or_default().chars().take(80).collect();
                    if REJECTIONS.iter().any(|code| reason.contains(code)) {
                        return Err(ChatError::Rejected(reason));
                    }
                    ChatError::Unavailable(status.to_string())
                }
                // The error's own text would show the address, which is a secret.
                Err(e) if e.is_timeout() => ChatError::Unavailable("no answer in time".into()),
                Err(_) => ChatError::Unavailable("no connection".into()),
            };
            if attempt >= ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(backoff.next().unwrap_or(PATIENCE)).await;
        }
        Err(ChatError::RateLimited)
    }
}

/// How long a call waits for its turn: a person is told, background work is put off.
fn patience(rank: Rank) -> Duration {
    match rank {
        Rank::Person => PATIENCE,
        Rank::Background => Duration::from_mins(1),
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

/// What an error of the library means to us. Its own text can hold Slack's whole answer, which
/// may repeat what people wrote: only codes and Slack's reasons are kept.
fn meaning(error: SlackClientError) -> ChatError {
    match error {
        SlackClientError::ApiError(e) => match e.code.as_str() {
            "not_in_channel" | "channel_not_found" | "user_not_in_channel" => ChatError::NotInChannel,
            "is_archived" => ChatError::Archived,
            "message_not_found" | "cant_update_message" | "edit_window_closed" => ChatError::MessageGone,
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
        _ => ChatError::Unavailable("no connection".into()),
    }
}

#[async_trait]
impl ChatPlatform for SlackClient {
    async fn team(&self) -> Result<Arc<str>, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            team_id: Arc<str>,
        }
        let ask = async || self.api.get::<Answer>("auth.test", &[]).await.map(|answer| answer.team_id);
        self.team.get_or_try_init(ask).await.cloned()
    }

    async fn check(&self) -> Result<(), ChatError> {
        self.api.get::<Ack>("auth.test", &[]).await.map(|_| ())
    }

    async fn person(&self, user: &UserId) -> Result<Person, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            user: User,
        }
        #[derive(Deserialize)]
        struct User {
            team_id: Option<Box<str>>,
            #[serde(default)]
            deleted: bool,
            #[serde(default)]
            is_bot: bool,
            #[serde(default)]
            is_workflow_bot: bool,
            #[serde(default)]
            is_restricted: bool,
            #[serde(default)]
            is_ultra_restricted: bool,
            #[serde(default)]
            is_stranger: bool,
        }
        self.people
            .get(user.native(), || {
                let (api, id) = (Arc::clone(&self.api), user.native().to_owned());
                async move {
                    let User {
                        team_id,
                        deleted,
                        is_bot,
                        is_workflow_bot,
                        is_restricted,
                        is_ultra_restricted,
                        is_stranger,
                    } = api.get::<Answer>("users.info", &[("user", Some(&id))]).await?.user;
                    Ok(Person {
                        team: team_id.unwrap_or_default(),
                        active: !deleted,
                        guest: is_restricted || is_ultra_restricted || is_stranger,
                        bot: is_bot || is_workflow_bot,
                    })
                }
            })
            .await
    }

    async fn channel(&self, channel: &ChannelKey) -> Result<ChannelFacts, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Channel,
        }
        #[derive(Deserialize)]
        struct Channel {
            #[serde(default)]
            is_ext_shared: bool,
            #[serde(default)]
            is_pending_ext_shared: bool,
            #[serde(default)]
            is_archived: bool,
        }
        // Direct messages: whether one is shared with another organisation takes scopes that
        // nothing else needs.
        if !channel.channel().starts_with(['C', 'G']) {
            return Err(ChatError::NotAChannel);
        }
        self.channels
            .get(channel.channel(), || {
                let (api, id) = (Arc::clone(&self.api), channel.channel().to_owned());
                async move {
                    let channel = api.get::<Answer>("conversations.info", &[("channel", Some(&id))]).await?.channel;
                    Ok(ChannelFacts {
                        external: channel.is_ext_shared || channel.is_pending_ext_shared,
                        archived: channel.is_archived,
                    })
                }
            })
            .await
    }

    async fn in_group(&self, group: &str, user: &UserId) -> Result<bool, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<Box<str>>,
        }
        let (api, id) = (Arc::clone(&self.api), group.to_owned());
        let members = self
            .groups
            .get(group, || async move {
                let answer: Answer = api.get("usergroups.users.list", &[("usergroup", Some(&id))]).await?;
                Ok(answer.users.into())
            })
            .await?;
        Ok(members.iter().any(|member| **member == *user.native()))
    }

    async fn post(&self, channel: &ChannelKey, view: &View) -> Result<MessageId, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            ts: Box<str>,
        }
        if self.api.limits.posts(channel.channel()).turn(Rank::Background, patience(Rank::Background)).await.is_err() {
            return Err(ChatError::RateLimited);
        }
        let request = Outgoing::new(channel, view);
        let answer: Answer = self.message("chat.postMessage", Again::Doubles, Rank::Background, request, view).await?;
        Ok(MessageId(answer.ts))
    }

    async fn update(&self, channel: &ChannelKey, message: &MessageId, view: &View) -> Result<(), ChatError> {
        let request = Outgoing { ts: Some(&message.0), ..Outgoing::new(channel, view) };
        let _: Ack = self.message("chat.update", Again::Harmless, Rank::Background, request, view).await?;
        Ok(())
    }

    async fn tell(&self, channel: &ChannelKey, user: &UserId, to: &ReplyTo, view: &View) -> Result<(), ChatError> {
        let thread = match to {
            ReplyTo::Url { url, replace } => {
                let answered = match self.api.respond(url, &Message::private(view, *replace)).await {
                    Err(ChatError::Rejected(reason)) => {
                        error!(reason, "Slack rejected an answer; its plain text is sent instead");
                        self.api.respond(url, &Message::plain(view, *replace)).await
                    }
                    result => result,
                };
                match answered {
                    Ok(()) => return Ok(()),
                    // Used up, expired or out of reach: there is another way to the same person.
                    Err(error) => warn!(%error, "the reply address failed; the answer is posted instead"),
                }
                None
            }
            ReplyTo::Private { thread } => thread.as_deref(),
        };
        let request = Outgoing { user: Some(user.native()), thread_ts: thread, ..Outgoing::new(channel, view) };
        // An answer that is seen twice is better than one that is never seen.
        let _: Ack = self.message("chat.postEphemeral", Again::Harmless, Rank::Person, request, view).await?;
        Ok(())
    }

    async fn open_form(&self, trigger: &str, form: Option<&Form>, channel: &ChannelKey) -> Result<Box<str>, ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            trigger_id: &'a str,
            view: Modal<'a>,
        }
        #[derive(Deserialize)]
        struct Answer {
            view: Opened,
        }
        #[derive(Deserialize)]
        struct Opened {
            id: Box<str>,
        }
        let waiting = View::sentence("One moment…");
        let view = match form {
            Some(form) => render::modal(form, channel),
            None => render::notice(&waiting),
        };
        let request = Request { trigger_id: trigger, view };
        let answer: Answer = self.api.post("views.open", Again::Doubles, Rank::Person, &request).await?;
        Ok(answer.view.id)
    }

    async fn fill_form(&self, opened: &str, content: FormContent<'_>, channel: &ChannelKey) -> Result<(), ChatError> {
        #[derive(Serialize)]
        struct Request<'a> {
            view_id: &'a str,
            view: Modal<'a>,
        }
        let view = match content {
            FormContent::Form(form) => render::modal(form, channel),
            FormContent::Instead(view) => render::notice(view),
        };
        let request = Request { view_id: opened, view };
        let _: Ack = self.api.post("views.update", Again::Harmless, Rank::Person, &request).await?;
        Ok(())
    }
}
