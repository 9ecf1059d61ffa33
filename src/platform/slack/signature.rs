//! Slack's request signature, version 0: HMAC-SHA256 over `v0:{timestamp}:{raw body}`.
//!
//! Source: Slack's "Verifying requests". Compared in constant time, over the bytes as they came,
//! before anything is read from them.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Seconds that a request's clock may differ, either way.
const TOLERANCE: i64 = 300;

pub struct Verifier(Hmac<Sha256>);

/// A signature that is still to be compared with the body.
pub struct Claim {
    mac: Hmac<Sha256>,
    claimed: [u8; 32],
}

impl Verifier {
    pub fn new(signing_secret: &SecretString) -> Self {
        let key = signing_secret.expose_secret().as_bytes();
        // HMAC takes keys of any length.
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length"))
    }

    /// What a request claims by its headers, as they came, if it can be true at `now` (Unix
    /// seconds): needs no body.
    pub fn claim(&self, headers: &HeaderMap, now: i64) -> Option<Claim> {
        let signature = headers.get("x-slack-signature")?.to_str().ok()?;
        let timestamp = headers.get("x-slack-request-timestamp")?.to_str().ok()?;
        if now.abs_diff(timestamp.parse::<i64>().ok()?) > TOLERANCE.unsigned_abs() {
            return None;
        }
        let mut claimed = [0; 32];
        hex::decode_to_slice(signature.strip_prefix("v0=")?, &mut claimed).ok()?;
        let mut mac = self.0.clone();
        mac.update(b"v0:");
        mac.update(timestamp.as_bytes());
        mac.update(b":");
        Some(Claim { mac, claimed })
    }
}

impl Claim {
    /// Whether Slack signed this body.
    pub fn covers(self, body: &[u8]) -> bool {
        let mut mac = self.mac;
        mac.update(body);
        mac.verify_slice(&self.claimed).is_ok()
    }
}
