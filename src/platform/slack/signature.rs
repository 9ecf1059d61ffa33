//! Slack's request signature, version 0: HMAC-SHA256 over `v0:{timestamp}:{raw body}`.
//!
//! Source: Slack's "Verifying requests". Compared in constant time, over the bytes as they came,
//! before anything is read from them.

use axum::http::HeaderValue;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Seconds that a request's clock may differ, either way.
const TOLERANCE: i64 = 300;

pub struct Verifier(Hmac<Sha256>);

impl Verifier {
    pub fn new(signing_secret: &SecretString) -> Self {
        let key = signing_secret.expose_secret().as_bytes();
        // HMAC takes keys of any length.
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length"))
    }

    /// Whether Slack signed this body at about `now` (Unix seconds).
    /// `signature` and `timestamp` are the headers as they came.
    pub fn verify(&self, signature: &HeaderValue, timestamp: &HeaderValue, body: &[u8], now: i64) -> bool {
        let (Ok(signature), Ok(timestamp)) = (signature.to_str(), timestamp.to_str()) else { return false };
        let Ok(at) = timestamp.parse::<i64>() else { return false };
        if now.abs_diff(at) > TOLERANCE.unsigned_abs() {
            return false;
        }
        let mut given = [0; 32];
        let Some(hexadecimal) = signature.strip_prefix("v0=") else { return false };
        if hex::decode_to_slice(hexadecimal, &mut given).is_err() {
            return false;
        }
        let mut mac = self.0.clone();
        mac.update(b"v0:");
        mac.update(timestamp.as_bytes());
        mac.update(b":");
        mac.update(body);
        mac.verify_slice(&given).is_ok()
    }
}
