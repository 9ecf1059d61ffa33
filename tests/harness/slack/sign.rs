//! Requests as Slack sends them to an app, signed with scheme v0.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// One HTTP POST to the app, ready to be sent (twice, late, or after tampering).
#[derive(Debug, Clone)]
pub struct SignedRequest {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl SignedRequest {
    pub(super) fn new(secret: &str, path: &str, content_type: &str, body: Vec<u8>, at: i64) -> Self {
        let headers = [
            ("host", "chatops.example"),
            ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)"),
            ("accept-encoding", "gzip,deflate"),
            ("accept", "*/*"),
            ("content-type", content_type),
            ("content-length", &body.len().to_string()),
            ("x-slack-signature", &signature(secret, at, &body)),
            ("x-slack-request-timestamp", &at.to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { path: path.to_owned(), headers, body }
    }

    /// The same event delivered again, as Slack does when the first answer was late or not 2xx.
    #[must_use]
    pub fn retried(mut self, number: u8, reason: &str) -> Self {
        self.headers.push(("x-slack-retry-num".into(), number.to_string()));
        self.headers.push(("x-slack-retry-reason".into(), reason.into()));
        self
    }
}

fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}
