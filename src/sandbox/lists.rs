//! Filtering, sorting and paging of lists, over the JSON that the caller will see.
//!
//! A filter or sort that the documentation does not name for a list is refused with 400: the real
//! service may well ignore it, and then a misspelt filter is a full list that nobody notices.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::error::ApiError;
use super::query::Query;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// A public name and where its value lies: a JSON pointer in which `*` means every element.
type Names = &'static [(&'static str, &'static str)];

/// What one list can be filtered and sorted by.
pub(super) struct Filters {
    /// `match[…]`, and `nomatch[…]` and `exclude[…]`, its opposites.
    pub(super) matches: Names,
    /// `date[…]`.
    pub(super) dates: Names,
    /// `range[…]`.
    pub(super) ranges: Names,
    /// `sort`.
    pub(super) sorts: Names,
    /// The order without `sort`; that of creation if none.
    pub(super) default_sort: Option<(&'static str, Direction)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Filters {
    /// The items that the query asks for, in its order, not yet paged.
    pub(super) fn select(&self, mut items: Vec<Value>, query: &Query, now: Timestamp) -> Result<Vec<Value>, ApiError> {
        for (family, field, value) in query.bracketed() {
            let names = match family {
                "match" | "nomatch" | "exclude" => self.matches,
                "date" => self.dates,
                "range" => self.ranges,
                _ => &[],
            };
            let pointer = pointer(names, field)
                .ok_or_else(|| ApiError::bad_request(format!("{family}[{field}] is not a filter of this list")))?;
            match family {
                "date" => {
                    let (from, to) = pair(field, value, |text| instant(text, now))?;
                    items.retain(|item| moment(item.pointer(pointer)).is_some_and(|at| from <= at && at <= to));
                }
                "range" => {
                    let (from, to) = pair(field, value, |text| text.parse::<i64>().ok())?;
                    items.retain(|item| {
                        let number = item.pointer(pointer).and_then(Value::as_i64);
                        number.is_some_and(|number| from <= number && number <= to)
                    });
                }
                _ => {
                    let keep = family == "match";
                    items.retain(|item| {
                        let found = values(item, pointer);
                        value.split(',').any(|wanted| found.iter().any(|text| text == wanted)) == keep
                    });
                }
            }
        }
        self.order(&mut items, query)?;
        Ok(items)
    }

    fn order(&self, items: &mut [Value], query: &Query) -> Result<(), ApiError> {
        let direction = match query.get("direction") {
            None => None,
            Some("asc") => Some(Direction::Ascending),
            Some("desc") => Some(Direction::Descending),
            Some(other) => {
                let message = format!("direction must be asc or desc, not {other:?}");
                return Err(ApiError::bad_request(message));
            }
        };
        let default = self.default_sort;
        let (pointer, direction) = match (query.get("sort"), default) {
            (Some(sort), _) => {
                let pointer = pointer(self.sorts, sort)
                    .ok_or_else(|| ApiError::bad_request(format!("this list cannot be sorted by {sort:?}")))?;
                (pointer, direction.unwrap_or(Direction::Ascending))
            }
            (None, Some((pointer, usual))) => (pointer, direction.unwrap_or(usual)),
            (None, None) => return Ok(()),
        };
        items.sort_by(|a, b| {
            let order = compare(a.pointer(pointer), b.pointer(pointer));
            match direction {
                Direction::Ascending => order,
                Direction::Descending => order.reverse(),
            }
        });
        Ok(())
    }
}

/// `{items, total}` with the page that the query asks for.
pub(super) fn page(items: Vec<Value>, query: &Query) -> Result<Value, ApiError> {
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit must be from 1 to {MAX_LIMIT}, not {limit}")));
    }
    let offset = query.number("offset")?.unwrap_or(0);
    let total = items.len();
    let items: Vec<_> = items.into_iter().skip(offset).take(limit).collect();
    Ok(json!({ "items": items, "total": total }))
}

/// `{items, total}` for the lists that have no documented pages.
pub(super) fn whole(items: &[Value]) -> Value {
    json!({ "total": items.len(), "items": items })
}

fn pointer(names: Names, name: &str) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == name).map(|(_, pointer)| *pointer)
}

fn pair<T>(field: &str, text: &str, read: impl Fn(&str) -> Option<T>) -> Result<(T, T), ApiError> {
    text.split_once(',')
        .and_then(|(from, to)| Some((read(from)?, read(to)?)))
        .ok_or_else(|| ApiError::bad_request(format!("{field} needs two values with a comma: {text:?}")))
}

/// An instant of a filter: RFC 3339, the same without a zone (UTC), `now`, or `-1h`.
pub(super) fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        let unit = ago.chars().last()?;
        let number: i64 = ago.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let ago = SignedDuration::from_secs(number.checked_mul(seconds)?);
        return now.checked_sub(ago).ok();
    }
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// An instant of an item: alerts carry Unix seconds, everything else text.
fn moment(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::Number(number) => Timestamp::from_second(number.as_i64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn values(item: &Value, pointer: &str) -> Vec<String> {
    if let Some((list, rest)) = pointer.split_once("/*") {
        let Some(Value::Array(elements)) = item.pointer(list) else {
            return Vec::new();
        };
        return elements.iter().flat_map(|element| values(element, rest)).collect();
    }
    match item.pointer(pointer) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(value @ (Value::Bool(_) | Value::Number(_))) => vec![value.to_string()],
        _ => Vec::new(),
    }
}

/// Numbers by size, text by lower case; what has no value comes after what has one.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a.as_i64().cmp(&b.as_i64()),
        (Some(Value::String(a)), Some(Value::String(b))) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Some(Value::Null) | None, Some(Value::Null) | None) => Ordering::Equal,
        (Some(Value::Null) | None, _) => Ordering::Greater,
        (_, Some(Value::Null) | None) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: Filters = Filters {
        matches: &[("name", "/name"), ("role", "/roles/*/uuid")],
        dates: &[("created_at", "/created_at")],
        ranges: &[("urgency", "/urgency")],
        sorts: &[("name", "/name"), ("expires_at", "/expires_at")],
        default_sort: None,
    };

    fn items() -> Vec<Value> {
        vec![
            json!({"name": "b", "roles": [{"uuid": "1"}, {"uuid": "2"}], "urgency": 80,
                "created_at": "2026-01-02T00:00:00.000000+00:00", "expires_at": null}),
            json!({"name": "A", "roles": [{"uuid": "2"}], "urgency": 75,
                "created_at": 1_767_225_600, "expires_at": "2027-01-01T00:00:00.000000+00:00"}),
            json!({"name": "c, d", "roles": [], "urgency": 10,
                "created_at": "2025-12-01T00:00:00.000000+00:00", "expires_at": null}),
        ]
    }

    fn names(query: &str) -> String {
        let now = "2026-01-03T00:00:00Z".parse().unwrap();
        match FILTERS.select(items(), &Query::parse(query), now) {
            Ok(items) => items.iter().map(|item| item["name"].as_str().unwrap()).collect::<Vec<_>>().join(" "),
            Err(error) => error.status.to_string(),
        }
    }

    #[test]
    fn a_comma_means_or_and_a_second_filter_means_and() {
        assert_eq!(names("match%5Bname%5D=A,b"), "b A");
        assert_eq!(names("match%5Brole%5D=2&match%5Bname%5D=A,c"), "A");
        assert_eq!(names("nomatch[role]=1"), "A c, d");
        assert_eq!(names("match[name]=c, d"), "");
        assert_eq!(names("match[name]="), "");
    }

    #[test]
    fn dates_are_absolute_or_relative() {
        assert_eq!(names("date[created_at]=-36h,now"), "b");
        assert_eq!(names("date[created_at]=2026-01-01T00:00:00,2026-01-02T00:00:00Z"), "b A");
        assert_eq!(names("date[created_at]=yesterday,now"), "400 Bad Request");
        assert_eq!(names("range[urgency]=75,100"), "b A");
    }

    #[test]
    fn sorting_ignores_case_and_puts_what_has_no_value_last() {
        assert_eq!(names("sort=name"), "A b c, d");
        assert_eq!(names("sort=name&direction=desc"), "c, d b A");
        assert_eq!(names("sort=expires_at"), "A b c, d");
    }

    #[test]
    fn what_is_not_documented_is_refused() {
        assert_eq!(names("match[nmae]=A"), "400 Bad Request");
        assert_eq!(names("sort=created_at"), "400 Bad Request");
        assert_eq!(names("sort=name&direction=up"), "400 Bad Request");
    }

    #[test]
    fn a_page_has_twenty_items_unless_asked_and_never_more_than_a_hundred() {
        let many = || (0..150).map(|number| json!(number)).collect::<Vec<_>>();
        let ask = |query: &str| page(many(), &Query::parse(query));
        let first = ask("").unwrap();
        assert_eq!(first["items"].as_array().unwrap().len(), 20);
        assert_eq!(first["total"], 150);
        let last = ask("limit=100&offset=100").unwrap();
        assert_eq!(last["items"].as_array().unwrap().len(), 50);
        assert_eq!(ask("offset=150").unwrap()["items"], json!([]));
        for refused in ["limit=101", "limit=0", "limit=-1", "limit=many", "offset=-1"] {
            let error = ask(refused).unwrap_err();
            assert_eq!(error.status.as_u16(), 400, "{refused}");
        }
    }
}
