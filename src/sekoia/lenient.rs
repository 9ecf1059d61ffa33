//! Decoding that forgives: Sekoia's specification lost nullability and mixes date shapes.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Unix seconds, RFC 3339, `2021-06-23 09:13:22.077939` (taken as UTC) or a bare date; anything
/// else is no instant.
pub fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        Some(Value::Number(n)) => n.as_i64().and_then(|s| Timestamp::from_second(s).ok()),
        Some(Value::String(s)) => parse(s.trim()),
        _ => None,
    })
}

fn parse(s: &str) -> Option<Timestamp> {
    let utc = |dt: DateTime| dt.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
    s.parse()
        .ok()
        .or_else(|| s.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| s.parse::<Date>().ok().and_then(|d| utc(d.at(0, 0, 0, 0))))
}

/// `null` is the empty value.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What cannot be read is absent: one odd field must not hide a whole list.
pub fn lax<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(Option::<Value>::deserialize(deserializer)?.and_then(|value| serde_json::from_value(value).ok()))
}

/// The entries of a list that can be read.
pub fn lax_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let list = match Option::<Value>::deserialize(deserializer)? {
        Some(Value::Array(list)) => list,
        _ => vec![],
    };
    Ok(list.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

impl<T> Page<T> {
    /// The entries, if these are all.
    pub fn whole(self) -> Result<Vec<T>, super::SekoiaError> {
        match self.total {
            Some(total) if total > self.items.len() => {
                Err(super::SekoiaError::Malformed { what: format!("{} of {total} entries", self.items.len()) })
            }
            _ => Ok(self.items),
        }
    }
}

/// A list as Sekoia sends it: `{items,total}`, or bare.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub total: Option<usize>,
    /// Whether there are further entries, where it is said.
    pub has_more: Option<bool>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An object without `items` is no list, whatever its status says.
        #[derive(Deserialize)]
        #[serde(untagged, bound = "T: Deserialize<'de>")]
        enum Shape<T> {
            Wrapped {
                #[serde(deserialize_with = "or_default")]
                items: Vec<T>,
                total: Option<usize>,
                has_more: Option<bool>,
            },
            Bare(Vec<T>),
        }
        Ok(match Shape::deserialize(deserializer)? {
            Shape::Wrapped { items, total, has_more } => Page { items, total, has_more },
            Shape::Bare(items) => Page { items, total: None, has_more: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_items_is_no_list() {
        let read = |s: &str| serde_json::from_str::<Page<u8>>(s).map(|page| page.items).ok();
        assert_eq!(read(r#"{"items":[1,2],"total":2}"#), Some(vec![1, 2]));
        assert_eq!(read(r#"{"items":null}"#), Some(vec![]));
        assert_eq!(read("[3]"), Some(vec![3]));
        for none in ["{}", r#"{"message":"maintenance"}"#, r#"{"total":0}"#, "null"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn every_documented_date_shape_is_read() {
        #[derive(Deserialize)]
        struct D {
            #[serde(default, deserialize_with = "instant")]
            at: Option<Timestamp>,
        }
        let read = |s: &str| serde_json::from_str::<D>(s).unwrap().at.map(|t| t.to_string());
        assert_eq!(read(r#"{"at":"2021-06-23 09:13:22.077939"}"#).as_deref(), Some("2021-06-23T09:13:22.077939Z"));
        assert_eq!(read(r#"{"at":"2026-07-16T10:00:00+02:00"}"#).as_deref(), Some("2026-07-16T08:00:00Z"));
        assert_eq!(read(r#"{"at":"2026-07-16"}"#).as_deref(), Some("2026-07-16T00:00:00Z"));
        assert_eq!(read(r#"{"at":1624439602}"#).as_deref(), Some("2021-06-23T09:13:22Z"));
        for none in [r#"{"at":null}"#, r#"{"at":"soon"}"#, r"{}", r#"{"at":{}}"#] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
