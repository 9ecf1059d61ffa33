//! Step 6, read side: the API keys.

use jiff::Timestamp;

use crate::bot::paging::Page;
use crate::bot::{Ask, Bot, CommandResult};
use crate::chat::text::{count, natural, shown};
use crate::chat::view::{Column, Line, Table, View, day};
use crate::domain::checklist::StepId;
use crate::domain::checklist::steps::keys::{SOON, days_left};
use crate::pace::Rank;
use crate::sekoia::{ApiKey, KeyStatus};

const KEYS: usize = 20;

impl Bot {
    pub(in crate::bot) async fn keys(&self, ask: &Ask<'_>, page: usize) -> CommandResult {
        let session = self.session(ask).await?;
        let own = self.sekoia.validate(Rank::Person).await?;
        let mut keys = self.sekoia.api_keys(session.community.uuid).await?;
        keys.sort_by_cached_key(|k| (k.status(ask.now), natural(k.name())));
        let active = keys.iter().filter(|k| k.status(ask.now) == KeyStatus::Active).count();
        let page = Page::of(&keys, page, KEYS);
        let is_own = |k: &ApiKey| own.key_uuid() == Some(&*k.uuid);
        let lines = page.items.iter().map(|k| key(k, is_own(k), ask.now));
        let rows = page.items.iter().map(|k| row(k, is_own(k), ask.now)).collect();
        let view = View::new("API keys")
            .heading("API keys")
            .line(
                Line::new()
                    .strong(shown(&session.community.name, 80))
                    .say(format!(" · {}, {active} active", count(keys.len(), "key", "keys"))),
            )
            .list(Table { columns: columns(), rows }, lines.collect());
        Ok(self.footed(ask, page.foot(view, "keys"), StepId::Keys).await)
    }
}

fn columns() -> Vec<Column> {
    vec![Column::words("Key"), Column::words("State"), Column::words("Expires"), Column::numbers("Permissions")]
}

fn row(key: &ApiKey, own: bool, now: Timestamp) -> Vec<String> {
    let name = format!("{}{}", shown(key.name(), 60), if own { " (the bot's own)" } else { "" });
    let (state, expires) = match (key.status(now), key.expires_at) {
        (KeyStatus::Revoked, _) => return vec![name, "revoked".into(), String::new(), String::new()],
        (KeyStatus::Expired, at) => ("expired", at.map_or_else(String::new, day)),
        (KeyStatus::Active, Some(at)) => match days_left(key, now) {
            Some(days) => {
                let left = count(usize::try_from(days).unwrap_or(0), "day", "days");
                ("active", format!("{}{}, {left} left", if days < SOON { "⚠️ " } else { "" }, day(at)))
            }
            None => ("active", day(at)),
        },
        (KeyStatus::Active, None) => ("active", "⚠️ never".into()),
    };
    let permissions = if state == "active" { key.permissions.len().to_string() } else { String::new() };
    vec![name, state.into(), expires, permissions]
}

fn key(key: &ApiKey, own: bool, now: Timestamp) -> Line {
    let mut line = Line::new().strong(shown(key.name(), 60));
    if own {
        line = line.say(" · the bot's own");
    }
    line = match key.status(now) {
        KeyStatus::Revoked => return line.say(" · revoked"),
        KeyStatus::Expired => {
            return match key.expires_at {
                Some(at) => line.say(format!(" · expired on {}", day(at))),
                None => line.say(" · expired"),
            };
        }
        KeyStatus::Active => line.say(" · active"),
    };
    line = match (key.expires_at, days_left(key, now)) {
        (Some(at), Some(days)) => {
            let left = count(usize::try_from(days).unwrap_or(0), "day", "days");
            let warn = if days < SOON { " · ⚠️" } else { " ·" };
            line.say(format!("{warn} {left} left, until {}", day(at)))
        }
        _ => line.say(" · ⚠️ no expiry"),
    };
    line.say(format!(" · {}", count(key.permissions.len(), "permission", "permissions")))
}
