//! What tells how far a product's quick start came: parsing, rules, triage, assets, AI, threat intelligence.
//!
//! Only reads. The permission of telemetry, of assets and of AI usage is not documented: a refusal says that the
//! key may not look, never that nothing is there.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::entries::PAGE;
use super::lenient::{Page, lax, lax_list, or_default};
use super::monitor::second;
use super::transport::Read;
use super::{Alert, Listed, PlaybookRun, Sekoia, SekoiaError};
use crate::pace::Rank;

const TELEMETRY: &str = "access to telemetry";

/// How the events of an intake were parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Parsing {
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
    /// As Sekoia's specification spells it.
    #[serde(default, deserialize_with = "or_default", rename = "warning_events_occurences")]
    pub warnings: u64,
    #[serde(default, deserialize_with = "or_default", rename = "invalid_events_occurrences")]
    pub invalid: u64,
}

#[derive(Deserialize)]
struct ParsingGroups {
    #[serde(default, deserialize_with = "lax_list")]
    groups: Vec<ParsingGroup>,
}

#[derive(Deserialize)]
struct ParsingGroup {
    filter: Bucket,
    #[serde(flatten)]
    parsing: Parsing,
}

#[derive(Deserialize)]
struct Bucket {
    attribute: String,
    #[serde(default)]
    value: Value,
}

/// Rules of the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct RuleCounts {
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub enabled: u64,
}

/// A number of things, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Usage {
    pub count: u64,
    #[serde(default, deserialize_with = "lax")]
    pub max: Option<u64>,
}

/// What passes threat intelligence on to other tools.
#[derive(Debug, Clone, Deserialize)]
pub struct Feed {
    pub id: String,
    /// None: Sekoia's own.
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
}

#[derive(Deserialize)]
struct AiUsage {
    #[serde(default, deserialize_with = "or_default")]
    occurrences: u64,
}

#[derive(Deserialize)]
struct Wrapped {
    data: Usage,
}

#[derive(Deserialize)]
struct Total {
    total: u64,
}

impl Sekoia {
    /// How the events of each intake were parsed, by the intake's identifier. What had no events is not there.
    pub async fn parsing(
        &self,
        community: Uuid,
        from: Timestamp,
        to: Timestamp,
        rank: Rank,
    ) -> Result<HashMap<String, Parsing>, SekoiaError> {
        let filters = json!({ "community_uuid": [community] });
        let body = json!({
            "earliest": second(from), "latest": second(to), "groups": ["intake_uuid"], "filters": filters,
        });
        let counted: ParsingGroups = self.telemetry("/v1/telemetry/events-by-status/counters", body, rank).await?;
        let of_intake = |group: ParsingGroup| {
            let intake = group.filter.value.as_str().filter(|_| group.filter.attribute == "intake_uuid")?;
            Some((intake.to_owned(), group.parsing))
        };
        Ok(counted.groups.into_iter().filter_map(of_intake).collect())
    }

    /// Sekoia's own rules of the efforts `Elementary` and `Intermediate`, which a new workspace begins with.
    pub async fn first_rules(&self, community: Uuid, rank: Rank) -> Result<RuleCounts, SekoiaError> {
        let path = "/v1/sic/conf/statistics/rules-catalog/counters";
        let query = vec![
            ("match[community_uuid]", community.to_string()),
            ("match[effort]", "1,2".into()),
            ("verified", "true".into()),
        ];
        self.one(rank, path, path.into(), query, "View Rules Catalog").await
    }

    /// Whether an alert was taken up: it is not `Pending` any more.
    pub async fn worked_on_alerts(&self, community: Uuid, rank: Rank) -> Result<bool, SekoiaError> {
        let path = "/v1/sic/alerts";
        let query = vec![
            ("match[community_uuid]", community.to_string()),
            ("match[status_name]", "Acknowledged,Ongoing,Closed,Rejected".into()),
            ("limit", "1".into()),
            ("with_count", "false".into()),
        ];
        let page: Page<Alert> = self.one(rank, path, path.into(), query, "View alerts").await?;
        Ok(!page.items.is_empty())
    }

    /// The newest runs of playbooks, at most a page of them.
    pub async fn newest_runs(&self, community: Uuid, rank: Rank) -> Listed<PlaybookRun> {
        let path = "/v1/symphony/playbook-runs";
        let query = vec![
            ("match[community_uuid]", community.to_string()),
            ("sort", "started_at".into()),
            ("direction", "desc".into()),
            ("limit", PAGE.to_string()),
        ];
        let page: Page<PlaybookRun> = self.one(rank, path, path.into(), query, "View playbook runs").await?;
        Ok(super::entries::distinct(page.items))
    }

    /// How many assets are known of a community.
    pub async fn assets(&self, community: Uuid, rank: Rank) -> Result<u64, SekoiaError> {
        let path = "/v2/asset-management/assets";
        let query = vec![("community_uuids", community.to_string()), ("limit", "1".into())];
        let found: Total = self.one(rank, path, path.into(), query, "View assets").await?;
        Ok(found.total)
    }

    /// How often an AI agent investigated something.
    pub async fn investigations(
        &self,
        community: Uuid,
        from: Timestamp,
        to: Timestamp,
        rank: Rank,
    ) -> Result<u64, SekoiaError> {
        let filters = json!({ "community_uuid": [community] });
        let body = json!({ "earliest": second(from), "latest": second(to), "filters": filters });
        let usage: AiUsage = self.telemetry("/v1/telemetry/ai-usage/counters", body, rank).await?;
        Ok(usage.occurrences)
    }

    /// How many indicators the threat database has: that the key sees it.
    pub async fn indicators(&self, rank: Rank) -> Result<u64, SekoiaError> {
        let path = "/v2/inthreat/statistics/count/indicator";
        let counted: Wrapped = self.one(rank, path, path.into(), vec![], "View intelligence").await?;
        Ok(counted.data.count)
    }

    pub async fn feeds(&self, rank: Rank) -> Listed<Feed> {
        let path = "/v2/inthreat/feeds";
        self.list(rank, path, path.into(), vec![], "View feeds").await
    }

    /// Own indicators, and how many there may be: the one usage that Sekoia's API gives with its limit.
    pub async fn own_indicators(&self, community: Uuid, rank: Rank) -> Result<Usage, SekoiaError> {
        let path = "/v2/inthreat/ioc-collections/count-total-iocs";
        let query = vec![("community_uuid", community.to_string())];
        self.one(rank, path, path.into(), query, "View IOC collections").await
    }

    /// A count of telemetry changes nothing: it may be asked again like any read.
    async fn telemetry<T: serde::de::DeserializeOwned>(
        &self,
        name: &'static str,
        body: Value,
        rank: Rank,
    ) -> Result<T, SekoiaError> {
        let read = Read { name, path: name.into(), query: vec![], body: Some(body), needs: TELEMETRY, within: None };
        self.transport.get(rank, &read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parsing_of_each_intake_is_read_from_its_group() {
        let counted = json!({ "total": 9, "groups": [
            { "total": 200, "valid_events_occurrences": 190, "warning_events_occurences": 8,
              "invalid_events_occurrences": 2, "filter": { "attribute": "intake_uuid", "value": "a" } },
            { "total": 5, "filter": { "attribute": "entity_uuid", "value": "b" } },
            { "odd": true },
        ]});
        let counted: ParsingGroups = serde_json::from_value(counted).unwrap();
        let first = &counted.groups[0];
        assert_eq!(first.parsing, Parsing { total: 200, warnings: 8, invalid: 2 });
        assert_eq!(counted.groups.len(), 2);
    }

    #[test]
    fn a_limit_may_be_absent() {
        let usage: Usage = serde_json::from_value(json!({ "count": 3, "max": null })).unwrap();
        assert_eq!(usage, Usage { count: 3, max: None });
    }
}
