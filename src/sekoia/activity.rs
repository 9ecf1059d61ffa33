//! What goes on at Sekoia, as far as the notifications need it: intakes, connectors, playbooks.
//! As lenient as [`super::alert`].

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::lenient::{instant, lax, lax_list};

const NAMELESS: &str = "(no name)";

/// Something with a uuid and a name.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    #[serde(default, deserialize_with = "lax")]
    pub uuid: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub name: Option<String>,
}

/// A source of events. Its `intake_key` is a secret and is not read.
#[derive(Debug, Clone, Deserialize)]
pub struct Intake {
    pub uuid: String,
    #[serde(default, deserialize_with = "lax")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub entity: Option<Named>,
    /// `UNKNOWN`, `STOPPED`, `STARTING`, `STOPPING`, `RUNNING`, `ERROR` or `CRITICAL_ERROR`.
    #[serde(default, deserialize_with = "lax")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// Set if something pulls its events.
    #[serde(default, deserialize_with = "lax")]
    pub connector_configuration_uuid: Option<String>,
}

impl Intake {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(NAMELESS)
    }
}

/// How many events came in a stretch of time. An intake that is missing had none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventCounts {
    pub total: u64,
    pub by_intake: HashMap<String, u64>,
}

/// As Sekoia sends it.
#[derive(Debug, Deserialize)]
pub(super) struct Counters {
    total: u64,
    #[serde(default, deserialize_with = "lax_list")]
    groups: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    total: u64,
    filter: BucketFilter,
}

#[derive(Debug, Deserialize)]
struct BucketFilter {
    attribute: String,
    #[serde(default, deserialize_with = "lax")]
    value: Option<String>,
}

impl From<Counters> for EventCounts {
    fn from(counters: Counters) -> Self {
        let mut by_intake = HashMap::new();
        for bucket in counters.groups {
            if let (true, Some(intake)) = (bucket.filter.attribute == "intake_uuid", bucket.filter.value) {
                *by_intake.entry(intake).or_default() += bucket.total;
            }
        }
        Self { total: counters.total, by_intake }
    }
}

/// A search for events: under way, or at its end.
#[derive(Debug, Deserialize)]
pub(super) struct SearchJob {
    pub uuid: String,
    #[serde(default, deserialize_with = "lax")]
    pub status: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Playbook {
    pub uuid: String,
    #[serde(default, deserialize_with = "lax")]
    pub name: Option<String>,
    /// The values are not documented.
    #[serde(default, deserialize_with = "lax")]
    pub status: Option<String>,
    /// Why.
    #[serde(default, deserialize_with = "lax")]
    pub status_message: Option<String>,
    #[serde(default, deserialize_with = "lax_list")]
    pub status_tags: Vec<String>,
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lax_list")]
    pub trigger_configurations: Vec<Trigger>,
}

/// What starts a playbook.
#[derive(Debug, Clone, Deserialize)]
pub struct Trigger {
    /// Of the configuration, by which its logs are found.
    pub uuid: String,
}

impl Playbook {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(NAMELESS)
    }

    pub fn runs(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("running"))
    }
}

/// One time that a playbook ran.
#[derive(Debug, Clone, Deserialize)]
pub struct PlaybookRun {
    pub uuid: String,
    #[serde(default, deserialize_with = "lax")]
    pub playbook_uuid: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub playbook_name: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
    /// `finished` and `error` were seen; the others are not known.
    #[serde(default, deserialize_with = "lax")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant")]
    pub finished_at: Option<Timestamp>,
}

impl PlaybookRun {
    pub fn failed(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("error"))
    }
}

/// What became of the nodes of a run.
#[derive(Debug, Deserialize)]
pub(super) struct RunDetails {
    #[serde(default)]
    node_runs: Value,
}

impl RunDetails {
    /// What the nodes that failed said, in the words of whoever wrote the playbook.
    pub fn errors(&self) -> Vec<String> {
        let nodes = self.node_runs.as_object().into_iter().flatten();
        let runs = nodes.flat_map(|(_, runs)| runs.as_array().into_iter().flatten());
        runs.filter_map(|run| match &run["error"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
            other => Some(other.to_string()),
        })
        .collect()
    }
}

/// A line of the log of a playbook or of its trigger.
#[derive(Debug, Clone, Deserialize)]
pub struct LogLine {
    #[serde(default, deserialize_with = "lax")]
    pub uuid: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    level: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub date: Option<Timestamp>,
}

impl LogLine {
    /// In a trigger's log: it crashed.
    pub fn is_critical(&self) -> bool {
        self.level.as_deref().is_some_and(|level| level.eq_ignore_ascii_case("critical"))
    }
}

/// What pulls events into an intake. Only `display_status` is documented.
#[derive(Debug, Clone, Deserialize)]
pub struct Connector {
    pub uuid: String,
    #[serde(default, deserialize_with = "lax")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub display_status: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub status_message: Option<String>,
}

impl Connector {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(NAMELESS)
    }

    /// The values are not documented: whatever names an error or a failure.
    pub fn fails(&self) -> bool {
        let status = self.display_status.as_deref().unwrap_or_default().to_ascii_lowercase();
        ["error", "fail"].iter().any(|word| status.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_nodes_of_a_run_said_is_found_in_every_shape() {
        let details = json!({ "node_runs": {
            "0": [{ "status": "finished", "error": null }, { "error": " " }],
            "1": [{ "status": "error", "error": "HTTP 500" }, { "error": { "code": 7 } }],
            "2": "odd",
        }});
        let details: RunDetails = serde_json::from_value(details).unwrap();
        assert_eq!(details.errors(), ["HTTP 500", r#"{"code":7}"#]);
        assert!(serde_json::from_value::<RunDetails>(json!({})).unwrap().errors().is_empty());
    }

    #[test]
    fn counters_are_those_of_the_intakes() {
        let counters = json!({ "total": 9, "groups": [
            { "total": 4, "filter": { "attribute": "intake_uuid", "value": "a" }, "groups": [] },
            { "total": 5, "filter": { "attribute": "in_error", "value": false }, "groups": [] },
            { "odd": true },
        ]});
        let counts: EventCounts = serde_json::from_value::<Counters>(counters).unwrap().into();
        assert_eq!((counts.total, counts.by_intake), (9, HashMap::from([("a".to_owned(), 4)])));
    }
}
