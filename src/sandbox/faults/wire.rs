//! The JSON form of a fault: flat, and strict, because a misspelt field must not become another.

use serde::{Deserialize, Serialize};

use super::{Fault, FaultKind, LiveFault, Odd};

/// What `method` may say, so that a misspelt one is not a fault that never comes.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Latency,
    Status,
    Malformed,
    OddHtml,
    OddQueued,
    OddEmpty,
    OddCut,
    OddOther,
    OddAccepted,
    Endless,
    Doubled,
    Reset,
    LoseReply,
    LiveDeny,
    LiveStall,
    LiveClose,
    LiveCut,
    LiveGarbage,
    LiveBinary,
    LiveHuge,
    LiveOld,
    LiveTwice,
    LiveSwap,
    LiveDrop,
}

/// Both names of what the LiveAPI does wrong.
const LIVE: [(Kind, LiveFault); 11] = [
    (Kind::LiveDeny, LiveFault::Deny),
    (Kind::LiveStall, LiveFault::Stall),
    (Kind::LiveClose, LiveFault::Close),
    (Kind::LiveCut, LiveFault::Cut),
    (Kind::LiveGarbage, LiveFault::Garbage),
    (Kind::LiveBinary, LiveFault::Binary),
    (Kind::LiveHuge, LiveFault::Huge),
    (Kind::LiveOld, LiveFault::Old),
    (Kind::LiveTwice, LiveFault::Twice),
    (Kind::LiveSwap, LiveFault::Swap),
    (Kind::LiveDrop, LiveFault::Drop),
];

/// Both names of an odd answer.
const ODD: [(Kind, Odd); 6] = [
    (Kind::OddHtml, Odd::Html),
    (Kind::OddQueued, Odd::Queued),
    (Kind::OddEmpty, Odd::Empty),
    (Kind::OddCut, Odd::Cut),
    (Kind::OddOther, Odd::Other),
    (Kind::OddAccepted, Odd::Accepted),
];

impl TryFrom<Wire> for Fault {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        if wire.times == Some(0) {
            return Err("`times` must be at least 1; leave it out for a fault until cleared");
        }
        if wire.method.as_deref().is_some_and(|method| !METHODS.contains(&method)) {
            return Err("`method` must be GET, POST, PUT, PATCH or DELETE");
        }
        if wire.kind != Kind::Latency && wire.ms.is_some() {
            return Err("`ms` belongs to the kind latency only");
        }
        let answer = wire.code.is_some() || wire.retry_after.is_some() || wire.body.is_some();
        if wire.kind != Kind::Status && answer {
            return Err("`code`, `retry_after` and `body` belong to the kind status only");
        }
        let live = LIVE.iter().find(|(kind, _)| *kind == wire.kind).map(|(_, fault)| *fault);
        if live.is_some() && (wire.method.is_some() || wire.path.is_some()) {
            return Err("the kinds live_… are of the LiveAPI: they have no `method` and no `path`");
        }
        let odd = ODD.iter().find(|(kind, _)| *kind == wire.kind).map(|(_, odd)| FaultKind::Odd(*odd));
        let kind = match wire.kind {
            Kind::Latency => FaultKind::Latency { ms: wire.ms.ok_or("the kind latency needs `ms`")? },
            Kind::Status => FaultKind::Status {
                code: wire
                    .code
                    .filter(|code| (200..600).contains(code))
                    .ok_or("the kind status needs a `code` from 200 to 599")?,
                retry_after: wire.retry_after,
                body: wire.body,
            },
            Kind::Malformed => FaultKind::Malformed,
            Kind::Endless => FaultKind::Endless,
            Kind::Doubled => FaultKind::Doubled,
            Kind::Reset => FaultKind::Reset,
            Kind::LoseReply => FaultKind::LoseReply,
            _ => live.map(FaultKind::Live).or(odd).ok_or("this kind is not known")?,
        };
        Ok(Self { method: wire.method, path: wire.path, times: wire.times, kind })
    }
}

impl From<Fault> for Wire {
    fn from(fault: Fault) -> Self {
        let mut wire = Self {
            method: fault.method,
            path: fault.path,
            times: fault.times,
            kind: Kind::Malformed,
            ms: None,
            code: None,
            retry_after: None,
            body: None,
        };
        match fault.kind {
            FaultKind::Latency { ms } => {
                wire.kind = Kind::Latency;
                wire.ms = Some(ms);
            }
            FaultKind::Status { code, retry_after, body } => {
                wire.kind = Kind::Status;
                wire.code = Some(code);
                wire.retry_after = retry_after;
                wire.body = body;
            }
            FaultKind::Malformed => {}
            FaultKind::Odd(odd) => {
                // The table has every one of them.
                wire.kind = ODD.iter().find(|(_, known)| *known == odd).map_or(Kind::OddHtml, |(kind, _)| *kind);
            }
            FaultKind::Endless => wire.kind = Kind::Endless,
            FaultKind::Doubled => wire.kind = Kind::Doubled,
            FaultKind::Reset => wire.kind = Kind::Reset,
            FaultKind::LoseReply => wire.kind = Kind::LoseReply,
            FaultKind::Live(fault) => {
                // The table has every one of them.
                wire.kind = LIVE.iter().find(|(_, known)| *known == fault).map_or(Kind::Malformed, |(kind, _)| *kind);
            }
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_flat_and_comes_back_as_it_went() {
        for text in [
            r#"{"path":"/v1/me","times":1,"kind":"status","code":503}"#,
            r#"{"method":"POST","path":"/roles","kind":"lose_reply"}"#,
            r#"{"times":2,"kind":"live_stall"}"#,
            r#"{"kind":"live_drop"}"#,
            r#"{"method":"DELETE","kind":"odd_queued"}"#,
            r#"{"path":"/roles","kind":"endless"}"#,
            r#"{"kind":"doubled"}"#,
        ] {
            let fault: Fault = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&fault).unwrap(), text);
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, reason) in [
            (r#"{"kind":"status"}"#, "needs a `code`"),
            (r#"{"kind":"status","code":99}"#, "from 200 to 599"),
            (r#"{"kind":"latency"}"#, "needs `ms`"),
            (r#"{"kind":"reset","ms":5}"#, "latency only"),
            (r#"{"kind":"reset","times":0}"#, "at least 1"),
            (r#"{"kind":"reset","method":"post"}"#, "must be GET, POST"),
            (r#"{"kind":"live_old","path":"/live"}"#, "no `method` and no `path`"),
            (r#"{"kind":"reset","tmes":1}"#, "unknown field `tmes`"),
            (r#"{"kind":"explode"}"#, "unknown variant `explode`"),
        ] {
            let error = serde_json::from_str::<Fault>(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
