//! Alerts, and where they stand.
//!
//! Even more lenient than the rest: what cannot be read is absent, because an alert with an odd
//! field is an alert all the same.

use jiff::Timestamp;
use serde::Deserialize;

use super::activity::Named;
use super::lenient::{instant, lax, lax_list};

/// An alert, of a list or alone.
#[derive(Debug, Clone, Deserialize)]
pub struct Alert {
    pub uuid: String,
    /// `AL…`: what people say, and accepted instead of the uuid.
    #[serde(default, deserialize_with = "lax")]
    pub short_id: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lax")]
    pub community_uuid: Option<String>,
    /// None for alerts that no rule on events raised.
    #[serde(default, deserialize_with = "lax")]
    pub entity: Option<Named>,
    #[serde(default, deserialize_with = "lax")]
    urgency: Option<Urgency>,
    #[serde(default, deserialize_with = "lax")]
    pub alert_type: Option<AlertType>,
    #[serde(default, deserialize_with = "lax")]
    status: Option<Named>,
    #[serde(default, deserialize_with = "lax")]
    pub rule: Option<Named>,
    #[serde(default, deserialize_with = "lax")]
    pub source: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    pub target: Option<String>,
    /// How many like it were merged into it.
    #[serde(default, deserialize_with = "lax")]
    pub similar: Option<u64>,
    #[serde(default, deserialize_with = "instant")]
    pub first_seen_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "instant")]
    pub last_seen_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lax_list")]
    pub assets: Vec<String>,
    #[serde(default, deserialize_with = "lax_list")]
    pub intake_uuids: Vec<String>,
    /// A status of the workspace's own, beside Sekoia's.
    #[serde(default, deserialize_with = "lax")]
    pub custom_status: Option<CustomStatus>,
    /// Seconds from its creation until somebody acknowledged it.
    #[serde(default, deserialize_with = "lax")]
    pub time_to_acknowledge: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct AlertType {
    /// `malware` and so on.
    #[serde(default, deserialize_with = "lax")]
    pub category: Option<String>,
    /// `ransomware` and so on.
    #[serde(default, deserialize_with = "lax")]
    pub value: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct CustomStatus {
    #[serde(default, deserialize_with = "lax")]
    pub label: Option<String>,
    /// `open`, `in_progress` or `closed`.
    #[serde(default, deserialize_with = "lax")]
    pub stage: Option<String>,
}

/// Numbers only: the API's labels and the console's cut at different ones.
#[derive(Debug, Clone, Deserialize)]
struct Urgency {
    #[serde(default, deserialize_with = "lax")]
    current_value: Option<i64>,
    #[serde(default, deserialize_with = "lax")]
    value: Option<i64>,
}

/// Where an alert stands. Its uuid is the same in every workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertStatus {
    Pending,
    Acknowledged,
    Ongoing,
    Rejected,
    Closed,
}

impl AlertStatus {
    pub const ALL: [AlertStatus; 5] = [Self::Pending, Self::Acknowledged, Self::Ongoing, Self::Rejected, Self::Closed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Acknowledged => "Acknowledged",
            Self::Ongoing => "Ongoing",
            Self::Rejected => "Rejected",
            Self::Closed => "Closed",
        }
    }

    pub fn uuid(self) -> &'static str {
        match self {
            Self::Pending => "2efc4930-1442-4abb-acf2-58ba219a4fd0",
            Self::Acknowledged => "8f206505-af6d-433e-93f4-775d46dc7d0f",
            Self::Ongoing => "1f2f88d5-ff5b-48bf-bbbc-00c2fff82d9f",
            Self::Rejected => "4f68da89-38e0-4703-a6ab-652f02bdf24e",
            Self::Closed => "1738b1c1-767d-489e-bada-19176621a007",
        }
    }

    /// By uuid or name.
    pub fn find(called: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.uuid() == called || status.name().eq_ignore_ascii_case(called))
    }
}

impl Alert {
    pub fn title(&self) -> &str {
        let rule = self.rule.as_ref().and_then(|rule| rule.name.as_deref());
        self.title.as_deref().or(rule).unwrap_or("(no title)")
    }

    /// From 0 to 100, as it is now.
    pub fn urgency(&self) -> Option<u8> {
        let urgency = self.urgency.as_ref()?;
        u8::try_from(urgency.current_value.or(urgency.value)?.clamp(0, 100)).ok()
    }

    /// One of Sekoia's own five; a workspace may have further ones.
    pub fn status(&self) -> Option<AlertStatus> {
        let status = self.status.as_ref()?;
        [&status.uuid, &status.name].into_iter().flatten().find_map(|called| AlertStatus::find(called))
    }

    /// The name of the status, also of one that is not Sekoia's own.
    pub fn status_name(&self) -> Option<&str> {
        self.status.as_ref()?.name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_with_odd_fields_is_an_alert() {
        let odd = json!({
            "uuid": "1", "title": 5, "created_at": "soon", "urgency": "high", "rule": [], "assets": [1, "a", null],
            "intake_uuids": "none", "status": {"name": "acknowledged"}, "similar": -1, "entity": null,
        });
        let alert: Alert = serde_json::from_value(odd).unwrap();
        assert_eq!((alert.title(), alert.urgency(), alert.similar), ("(no title)", None, None));
        assert_eq!((alert.status(), alert.assets.as_slice()), (Some(AlertStatus::Acknowledged), &["a".to_owned()][..]));
        assert_eq!(serde_json::from_value::<Alert>(json!({ "uuid": "1" })).unwrap().status(), None);
        let urgency = json!({ "uuid": "1", "urgency": { "current_value": null, "value": 300 } });
        assert_eq!(serde_json::from_value::<Alert>(urgency).unwrap().urgency(), Some(100));
    }
}
