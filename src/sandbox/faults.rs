//! Faults on demand: what goes wrong, on which paths, how many times.
//!
//! This file keeps the list; `routes` plays the faults.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One thing to go wrong. Of several that fit a call, the one added first is played, alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Fault {
    /// The method that a call must have, in capitals; all calls without it.
    pub method: Option<String>,
    /// Part of the path that a call must contain; all calls without it.
    pub path: Option<String>,
    /// How many calls it still spoils; until cleared without it.
    pub times: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The work is done at once and the reply comes late: a caller who gives up cannot know.
    Latency {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// This answer instead of the work.
    Status {
        /// From 200 to 599.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
        /// The body; without it an HTML page for 429 and 502 to 504, which come from a proxy, else
        /// an error in Sekoia's usual shape.
        body: Option<String>,
    },
    /// The work is done and its JSON is cut in the middle.
    Malformed,
    /// The connection is closed before any work, without an answer.
    Reset,
    /// The work is done, then the connection is closed without an answer.
    LoseReply,
}

impl Fault {
    /// A fault for every call, until cleared.
    pub fn new(kind: FaultKind) -> Self {
        Self { method: None, path: None, times: None, kind }
    }

    /// Only for calls with this method, such as `POST`: many paths are both read and written.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only for calls whose path contains this.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only for so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(|part| path.contains(part))
    }
}

/// The faults waiting to be played.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a fault after those already there.
    pub fn add(&self, fault: Fault) {
        self.waiting().push(fault);
    }

    /// Forgets the faults of one kind.
    pub fn remove(&self, kind: &FaultKind) {
        self.waiting().retain(|fault| fault.kind != *kind);
    }

    /// Forgets all faults.
    pub fn clear(&self) {
        self.waiting().clear();
    }

    /// The faults that are left, in the order in which they were added.
    pub fn list(&self) -> Vec<Fault> {
        self.waiting().clone()
    }

    /// The fault to play for a call with this method to this path, counted down.
    pub(super) fn take(&self, method: &str, path: &str) -> Option<FaultKind> {
        let mut waiting = self.waiting();
        let index = waiting.iter().position(|fault| fault.times != Some(0) && fault.fits(method, path))?;
        let fault = &mut waiting[index];
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                waiting.remove(index);
            }
        }
        Some(kind)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `method` may say, so that a misspelt one is not a fault that never comes.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The JSON form: flat, and strict, because a misspelt field must not become another fault.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
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
    Reset,
    LoseReply,
}

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
            Kind::Reset => FaultKind::Reset,
            Kind::LoseReply => FaultKind::LoseReply,
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
            FaultKind::Reset => wire.kind = Kind::Reset,
            FaultKind::LoseReply => wire.kind = Kind::LoseReply,
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_played_as_often_as_asked_and_only_where_asked() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::Reset).on("/roles").times(2));
        assert_eq!(faults.take("GET", "/v1/me"), None);
        assert_eq!(faults.take("GET", "/v1/communities/x/roles"), Some(FaultKind::Reset));
        assert_eq!(faults.list()[0].times, Some(1));
        assert_eq!(faults.take("POST", "/v1/communities/x/roles"), Some(FaultKind::Reset));
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn a_fault_may_spoil_the_write_and_spare_the_read() {
        let faults = Faults::default();
        faults.add(Fault::new(FaultKind::LoseReply).method("POST").on("/roles"));
        assert_eq!(faults.take("GET", "/v1/communities/x/roles"), None);
        assert_eq!(faults.take("POST", "/v1/communities/x/api-keys"), None);
        assert_eq!(faults.take("POST", "/v1/communities/x/roles"), Some(FaultKind::LoseReply));
    }

    #[test]
    fn the_json_form_is_flat_and_comes_back_as_it_went() {
        for text in [
            r#"{"path":"/v1/me","times":1,"kind":"status","code":503}"#,
            r#"{"method":"POST","path":"/roles","kind":"lose_reply"}"#,
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
            (r#"{"kind":"reset","tmes":1}"#, "unknown field `tmes`"),
            (r#"{"kind":"explode"}"#, "unknown variant `explode`"),
        ] {
            let error = serde_json::from_str::<Fault>(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
