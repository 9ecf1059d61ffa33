//! What `--version` prints: the version, and the commit and date that it was built from.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::telemetry::build::{NUMBER, commit};

/// The commit's time in seconds since 1970, by the convention of reproducible builds.
const EPOCH: Option<&str> = option_env!("SOURCE_DATE_EPOCH");

static TEXT: LazyLock<String> = LazyLock::new(|| text_of(commit(), EPOCH));

/// The line of `--version` behind the program's name.
pub fn text() -> &'static str {
    &TEXT
}

/// The date of the commit, as a civil date in UTC.
pub fn date() -> Option<String> {
    date_of(EPOCH)
}

fn text_of(commit: Option<&str>, epoch: Option<&str>) -> String {
    match (commit, date_of(epoch)) {
        (Some(commit), Some(date)) => format!("{NUMBER} (commit {commit}, {date})"),
        (Some(commit), None) => format!("{NUMBER} (commit {commit})"),
        (None, Some(date)) => format!("{NUMBER} (commit unknown, {date})"),
        (None, None) => format!("{NUMBER} (commit unknown)"),
    }
}

fn date_of(epoch: Option<&str>) -> Option<String> {
    let second = epoch?.trim().parse().ok()?;
    let at = Timestamp::from_second(second).ok()?;
    Some(at.to_zoned(TimeZone::UTC).date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_its_commit_and_date_as_far_as_the_build_said_them() {
        let texts = [
            text_of(Some("3f2a9c1d0b44"), Some("1795737600")),
            text_of(Some("3f2a9c1d0b44-dirty"), None),
            text_of(None, Some("1795737600")),
            text_of(None, None),
            text_of(None, Some("tomorrow")),
            text_of(None, Some("99999999999999")),
        ];
        let unknown = format!("{NUMBER} (commit unknown)");
        assert_eq!(
            texts,
            [
                format!("{NUMBER} (commit 3f2a9c1d0b44, 2026-11-27)"),
                format!("{NUMBER} (commit 3f2a9c1d0b44-dirty)"),
                format!("{NUMBER} (commit unknown, 2026-11-27)"),
                unknown.clone(),
                unknown.clone(),
                unknown,
            ]
        );
    }
}
