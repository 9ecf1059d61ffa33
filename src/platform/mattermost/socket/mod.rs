//! The server's WebSocket: it tells what is posted where the bot is, instead of calling the bot.
//!
//! It is lost now and then, and what was posted meanwhile is not sent later. The listener reads the
//! time in between after each [`SocketEvent::Connected`], which comes when the server has taken the token,
//! and after each [`SocketEvent::Missed`].

mod connection;
mod frame;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use rand::RngExt;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};
use url::Url;

use super::mentions::Post;
use crate::pace::retry::waits;
use crate::resolve::network::Dialer;
use crate::resolve::proxy::ProxyFault;
use crate::timing::Rhythm;

/// What the listener receives.
#[derive(Debug)]
pub enum SocketEvent {
    /// From now on events come; what was before must be read.
    Connected,
    Posted {
        post: Box<Post>,
        /// In a person's conversation with the bot alone.
        direct: bool,
    },
    /// Somebody was added to a channel.
    Added { user: Box<str>, channel: Box<str> },
    /// An event was not sent: what was before must be read.
    Missed,
    /// Nothing comes until the next `Connected`.
    Lost(Lost),
}

/// Why nothing comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("the Mattermost server's WebSocket could not be reached")]
    Unreachable,
    #[error("the Mattermost server's WebSocket could not be reached: {0}")]
    Proxy(ProxyFault),
    #[error("the Mattermost server's address answered {status} to a WebSocket")]
    NoWebSocket { status: u16 },
    #[error("the Mattermost server does not take the bot's token on its WebSocket")]
    Refused,
    #[error("the Mattermost server's WebSocket stopped answering")]
    Stalled,
    #[error("the Mattermost server closed its WebSocket{}", code.map(|code| format!(" ({code})")).unwrap_or_default())]
    Closed { code: Option<u16> },
    #[error("the Mattermost server's WebSocket sent more than 4 MiB at once")]
    TooLarge,
    #[error("the Mattermost server's WebSocket broke the protocol")]
    Broken,
}

impl Lost {
    /// What to do about it.
    pub fn advice(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Proxy(fault) => return fault.advice().into(),
            Self::Refused => "Check MATTERMOST_BOT_TOKEN, and restart the bot if you change it.",
            Self::NoWebSocket { .. } => {
                "A proxy before the server must pass WebSockets on at /api/v4/websocket, as the server's own clients need it to."
            }
            Self::Unreachable => {
                "Check that MATTERMOST_URL can be reached from here as a WebSocket; the bot tries again by itself."
            }
            _ => "The bot connects again by itself and reads what it missed.",
        })
    }
}

/// How long everything takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketTiming {
    /// Until the connection stands, and again until the token is taken.
    connect: Duration,
    /// Between two pings, each of which must be answered within `pong`.
    ping: Duration,
    pong: Duration,
    /// Before the first attempt to connect again, doubling up to `longest_wait`.
    first_wait: Duration,
    longest_wait: Duration,
    /// A connection that lasted so long was a good one: waiting begins anew.
    stable: Duration,
}

impl SocketTiming {
    /// The usual times in this rhythm; an answer to a ping has the time that a busy machine needs.
    pub fn of(rhythm: Rhythm) -> Self {
        let least = |seconds: u64, least: u64| {
            let time = Duration::from_secs(seconds);
            rhythm.of(time).max(Duration::from_millis(least)).min(time)
        };
        Self {
            connect: Duration::from_secs(10),
            ping: least(30, 200),
            pong: least(10, 2_000),
            first_wait: least(1, 20),
            longest_wait: least(60, 100),
            stable: Duration::from_mins(1),
        }
    }
}

/// The listener.
pub struct Socket {
    url: Url,
    token: SecretString,
    timing: SocketTiming,
    dialer: Dialer,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("url", &self.url.as_str()).field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Socket {
    /// `server`: with the path under which it is served if there is one.
    pub fn new(server: &Url, token: SecretString, timing: SocketTiming, dialer: Dialer) -> Self {
        let mut url = server.clone();
        url.set_path(&format!("{}/api/v4/websocket", server.path().trim_end_matches('/')));
        // The server's address is one of these two.
        let _ = url.set_scheme(if server.scheme() == "https" { "wss" } else { "ws" });
        Self { url, token, timing, dialer }
    }

    /// Listens until nobody takes what comes. While `out` is full nothing is read: the server ends such a
    /// connection, and then what it did not tell is read.
    pub async fn listen(&self, out: &mpsc::Sender<SocketEvent>) {
        let fresh = || waits(self.timing.first_wait, self.timing.longest_wait);
        let (mut backoff, mut before) = (fresh(), None);
        loop {
            let mut connected = None;
            let Some(why) = self.connection(out, &mut connected).await else { return };
            if connected.is_some_and(|since: Instant| since.elapsed() >= self.timing.stable) {
                backoff = fresh();
            }
            let retry_in = match why {
                // Nothing changes by itself.
                Lost::Refused => self.timing.longest_wait.mul_f64(rand::rng().random_range(1.0..1.2)),
                _ => backoff.next().unwrap_or(self.timing.longest_wait),
            };
            let seconds = retry_in.as_secs();
            if connected.is_some() {
                info!(%why, seconds, "mentions on Mattermost are not heard now; connecting again");
            } else if before.as_ref() != Some(&why) {
                warn!(%why, seconds, "mentions on Mattermost are not heard. {}", why.advice());
            }
            before = connected.is_none().then(|| why.clone());
            if out.send(SocketEvent::Lost(why)).await.is_err() {
                return;
            }
            tokio::time::sleep(retry_in).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_below_the_server_s_own_address() {
        let timing = SocketTiming::of(Rhythm::default());
        for (server, expected) in [
            ("https://chat.example.com", "wss://chat.example.com/api/v4/websocket"),
            ("https://example.com/chat/", "wss://example.com/chat/api/v4/websocket"),
            ("http://127.0.0.1:8065", "ws://127.0.0.1:8065/api/v4/websocket"),
        ] {
            let socket = Socket::new(&server.parse().unwrap(), "canary".to_owned().into(), timing, Dialer::default());
            assert_eq!(socket.url.as_str(), expected);
            assert!(!format!("{socket:?}").contains("canary"));
        }
    }
}
