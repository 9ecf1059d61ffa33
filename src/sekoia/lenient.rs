//! Decoding that forgives: Sekoia's specification lost nullability and mixes date shapes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::de::{self, DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::entries::{Identified, MOST_ENTRIES, distinct};

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

/// The things of a list, each once; `null` is an empty one.
pub fn each_once<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Identified,
{
    Ok(distinct(or_default(deserializer)?))
}

impl<T: Identified> Page<T> {
    /// The entries, each once, if these are all.
    pub fn whole(self) -> Result<Vec<T>, super::SekoiaError> {
        match self.total {
            Some(total) if total > self.items.len() => {
                Err(super::SekoiaError::Malformed { what: format!("{} of {total} entries", self.items.len()) })
            }
            _ => Ok(distinct(self.items)),
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
        deserializer.deserialize_any(PageVisitor(PhantomData))
    }
}

/// Reads a page without keeping what it does not need: pages come in any size.
struct PageVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PageVisitor<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or an object with `items`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Page<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() > MOST_ENTRIES {
                return Err(de::Error::invalid_length(items.len(), &"fewer entries"));
            }
            items.push(item);
        }
        Ok(Page { items, total: None, has_more: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Page<T>, A::Error> {
        let (mut items, mut total, mut has_more) = (None, None, None);
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            match &*name {
                "items" => {
                    items = Some(fields.next_value::<Option<Bounded<T>>>()?.map_or_else(Vec::new, |list| list.0));
                }
                "total" => total = fields.next_value()?,
                "has_more" => has_more = fields.next_value()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        // An object without `items` is no list, whatever its status says.
        let items = items.ok_or_else(|| de::Error::missing_field("items"))?;
        Ok(Page { items, total, has_more })
    }
}

/// A bare list of bounded length.
struct Bounded<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(deserializer.deserialize_seq(PageVisitor(PhantomData))?.items))
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
        assert_eq!(read(r#"{"more":{"deep":[{}]},"total":1,"items":[3],"has_more":null}"#), Some(vec![3]));
        for none in ["{}", r#"{"message":"maintenance"}"#, r#"{"total":0}"#, "null"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_of_more_entries_than_any_list_is_not_read_to_its_end() {
        let many = format!("[{}0]", "0,".repeat(MOST_ENTRIES + 1));
        for text in [many.clone(), format!(r#"{{"items":{many}}}"#)] {
            assert!(serde_json::from_str::<Page<u8>>(&text).is_err());
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
