//! What can go wrong with a call to Sekoia, in words for the person who waits for it.

use std::time::Duration;

use serde::Deserialize;

use super::Region;
use crate::chat::text::{count, shown};
use crate::resolve::proxy::ProxyFault;

/// Why a call did not bring what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SekoiaError {
    #[error("Sekoia does not accept the bot's API key (401{code}: {message})", code = spaced(.code))]
    Unauthorized { code: String, message: String },
    #[error("{}", forbidden(.permission, *.held))]
    Forbidden {
        /// As an administrator finds it in Sekoia.
        permission: &'static str,
        /// Whether the key has it, as far as that could be read.
        held: Option<bool>,
    },
    #[error("Sekoia does not know this (404): {message}")]
    NotFound { code: String, message: String },
    #[error("Sekoia asks to slow down (429)")]
    RateLimited { wait: Duration },
    #[error("Sekoia refuses the request ({status}): {message}")]
    Refused { status: u16, message: String },
    #[error("Sekoia failed ({status})")]
    Server { status: u16 },
    #[error("Sekoia did not answer within {} s", .after.as_secs())]
    Timeout { after: Duration },
    #[error("Sekoia could not be reached")]
    Unreachable,
    #[error("Sekoia could not be reached: {0}")]
    ProxyFailed(ProxyFault),
    #[error("Sekoia's answer could not be read ({what})")]
    Malformed { what: String },
    /// After errors in a row, or a 429 a moment ago.
    #[error("Sekoia failed or asked to slow down a moment ago; calls are paused for {} s", wait.as_secs().max(1))]
    Paused { wait: Duration },
    /// Others came first.
    #[error("Sekoia takes 5 calls a second, and others came first; this one was not sent")]
    Busy { wait: Duration },
}

impl SekoiaError {
    /// How a call ended, in a word for who counts it: a status or its class, or why there was none.
    pub(super) fn status(&self) -> &'static str {
        match self {
            SekoiaError::Unauthorized { .. } => "401",
            SekoiaError::Forbidden { .. } => "403",
            SekoiaError::NotFound { .. } => "404",
            SekoiaError::RateLimited { .. } => "429",
            SekoiaError::Refused { status: 300..=399, .. } => "3xx",
            SekoiaError::Refused { .. } => "4xx",
            SekoiaError::Server { .. } => "5xx",
            SekoiaError::Timeout { .. } => "timeout",
            SekoiaError::Unreachable => "unreachable",
            SekoiaError::ProxyFailed(_) => "proxy",
            SekoiaError::Malformed { .. } => "malformed",
            SekoiaError::Paused { .. } => "paused",
            SekoiaError::Busy { .. } => "busy",
        }
    }

    /// What to do about it.
    ///
    /// `region`: where the call went.
    pub fn advice(&self, region: Region) -> String {
        match self {
            SekoiaError::Unauthorized { code, .. } => match code.as_str() {
                "T301" => "The key has expired: create a new one in Settings > Workspace > API Keys and set SEKOIA_API_KEY.".into(),
                "T302" => "The key was revoked: create a new one in Settings > Workspace > API Keys and set SEKOIA_API_KEY.".into(),
                _ if region.is_self_hosted() => "Check SEKOIA_API_KEY and SEKOIA_API_URL: a key works at the host where it was created only.".into(),
                _ => "Check SEKOIA_API_KEY and SEKOIA_REGION: a key works in its own region only. `/sekoia region probe` tries the others.".into(),
            },
            SekoiaError::Forbidden { held: Some(true), .. } => {
                "Another key would not help: do it in Sekoia's console, or ask Sekoia's support to allow it for API keys.".into()
            }
            SekoiaError::Forbidden { permission, .. } => format!(
                "A key's permissions cannot be changed: create one that also has \"{permission}\", set SEKOIA_API_KEY and restart the bot."
            ),
            SekoiaError::NotFound { .. } => {
                "It may have been deleted, or the key belongs to another community. `/sekoia communities` shows what the key sees.".into()
            }
            SekoiaError::RateLimited { wait } | SekoiaError::Paused { wait } => format!(
                "Try again in {}. Sekoia's firewall blocks an address that goes on, so the bot waits too.",
                seconds(*wait)
            ),
            SekoiaError::Busy { wait } => format!("Nothing is wrong. Try again in {}.", seconds(*wait)),
            SekoiaError::Refused { .. } | SekoiaError::Malformed { .. } => {
                "This looks like a change at Sekoia's side: please report it with the reference below.".into()
            }
            SekoiaError::ProxyFailed(fault) => fault.advice(),
            SekoiaError::Server { .. } | SekoiaError::Timeout { .. } | SekoiaError::Unreachable
                if region.is_self_hosted() =>
            {
                "Try again in a minute. If it stays so, ask the administrator of your Sekoia: SEKOIA_API_URL must lead to it, and CHATOPS_CA_FILE hold the authority of its certificate.".into()
            }
            SekoiaError::Server { .. } | SekoiaError::Timeout { .. } | SekoiaError::Unreachable => {
                "Try again in a minute; https://status.sekoia.io shows known incidents.".into()
            }
        }
    }

    /// Whether the same read may be sent again at once.
    pub(super) fn is_passing(&self) -> bool {
        // Not after a time-out: whoever asked has waited long enough to be told.
        matches!(self, SekoiaError::Server { .. } | SekoiaError::Unreachable | SekoiaError::ProxyFailed(_))
    }

    /// Whether the same may succeed a little later, without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            SekoiaError::Server { .. }
                | SekoiaError::Timeout { .. }
                | SekoiaError::Unreachable
                | SekoiaError::ProxyFailed(_)
                | SekoiaError::RateLimited { .. }
                | SekoiaError::Paused { .. }
                | SekoiaError::Busy { .. }
                | SekoiaError::Malformed { .. }
        )
    }

    /// Whether Sekoia's firewall counts it.
    pub(super) fn counts(&self) -> bool {
        use SekoiaError::{Busy, NotFound, Paused, ProxyFailed, Unreachable};
        !matches!(self, NotFound { .. } | Paused { .. } | Busy { .. } | Unreachable | ProxyFailed(_))
    }
}

/// What a 403 means, compared with what the key may.
fn forbidden(permission: &str, held: Option<bool>) -> String {
    match held {
        Some(true) => {
            format!("Sekoia refuses API keys here (403): the bot's key has the permission {permission:?}")
        }
        Some(false) => {
            format!("Sekoia refuses this to the bot's API key (403): it lacks the permission {permission:?}")
        }
        None => format!(
            "Sekoia refuses this to the bot's API key (403); it needs the permission {permission:?}, and whether the key has it is unknown"
        ),
    }
}

/// At least one.
fn seconds(wait: Duration) -> String {
    count(usize::try_from(wait.as_secs().max(1)).unwrap_or(usize::MAX), "second", "seconds")
}

fn spaced(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(" {code}") }
}

/// Sekoia's two documented error bodies, or whatever else came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    pub code: String,
    pub message: String,
}

impl ErrorBody {
    pub fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Detail { detail: Vec<Detail> },
            Plain { detail: String },
            Coded { code: Option<String>, message: String },
        }
        #[derive(Deserialize)]
        struct Detail {
            #[serde(default)]
            loc: Vec<serde_json::Value>,
            #[serde(default)]
            msg: String,
        }
        let (code, message) = match serde_json::from_slice(body) {
            Ok(Shape::Coded { code, message }) => (code.unwrap_or_default(), message),
            Ok(Shape::Plain { detail }) => (String::new(), detail),
            Ok(Shape::Detail { detail }) => {
                let lines = detail.iter().map(|d| {
                    let loc: Vec<String> =
                        d.loc.iter().map(|l| l.as_str().map_or_else(|| l.to_string(), str::to_owned)).collect();
                    format!("{}: {}", loc.join("."), d.msg)
                });
                (String::new(), lines.collect::<Vec<_>>().join("; "))
            }
            Err(_) => (String::new(), String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned()),
        };
        let message = shown(message.trim(), 200);
        Self { code: shown(&code, 20), message: if message.is_empty() { "no reason given".into() } else { message } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_known_of_the_permission() {
        let of = |held| SekoiaError::Forbidden { permission: "COMMUNITY_ADD_MEMBER", held };
        let [has, lacks, unknown] = [Some(true), Some(false), None].map(of);
        assert!(has.to_string().contains("the bot's key has the permission \"COMMUNITY_ADD_MEMBER\""));
        assert!(has.advice(Region::Fra1).contains("Another key would not help"));
        assert!(lacks.to_string().contains("it lacks the permission \"COMMUNITY_ADD_MEMBER\""));
        assert!(lacks.advice(Region::Fra1).contains("create one that also has"));
        assert!(unknown.to_string().contains("whether the key has it is unknown"));
    }

    #[test]
    fn both_error_shapes_and_anything_else_are_read() {
        let parse = |s: &str| {
            let body = ErrorBody::parse(s.as_bytes());
            (body.code, body.message)
        };
        assert_eq!(parse(r#"{"code":"T300","message":"bad token"}"#), ("T300".into(), "bad token".into()));
        assert_eq!(
            parse(r#"{"detail":[{"loc":["body","limit"],"msg":"too big","type":"x"}]}"#),
            (String::new(), "body.limit: too big".into())
        );
        assert_eq!(parse("<html>\u{1b}[31mno</html>"), (String::new(), "<html>␛[31mno</html>".into()));
        assert_eq!(parse(""), (String::new(), "no reason given".into()));
    }
}
