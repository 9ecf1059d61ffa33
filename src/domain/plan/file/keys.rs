//! Keys of a file.

use std::collections::HashMap;

use jiff::civil::Date;
use toml::de::{DeTable, DeValue};

use super::reader::{Kind, Reader};
use crate::chat::UserId;
use crate::chat::text::{fold, shown};
use crate::domain::action::{KEY_NAME, LONGEST_LIFE_DAYS, PRESETS, Preset};
use crate::domain::plan::{Lifetime, MOST_KEYS, Part, PlannedKey};

impl Reader<'_> {
    pub(super) fn keys(&mut self, table: &DeTable<'_>) -> Option<Vec<PlannedKey>> {
        const KIND: Kind = Kind { one: "a key", fields: &["name", "for", "with", "expires", "owner"] };
        let tables = self.tables(table, Part::Keys, MOST_KEYS)?;
        let mut seen = HashMap::new();
        let mut keys = Vec::new();
        for (start, key) in tables {
            self.only(key, &KIND);
            let name = self.needed((start, key), &KIND, "name", "forwarder");
            let preset = self.preset(key);
            let with = self.texts(key, "with", "View alerts").unwrap_or_default();
            let permissions = self.permissions(&with, Some("for"));
            if !key.contains_key("for") && with.is_empty() {
                let text = "A key needs to say what it may do. Add for = \"read-alerts\" or with = [\"View alerts\"].";
                self.missing(start, text.into());
            }
            let expires = self.expires(key).unwrap_or_default();
            let owner = self.owner(key);
            let Some((at, text)) = name else { continue };
            let Some(name) = self.name(at, "key", text, KEY_NAME) else { continue };
            if self.is_first(&mut seen, (at, &name), |_| "Name each key once.".into()) {
                keys.push(PlannedKey { name, preset, permissions, expires, owner });
            }
        }
        Some(keys)
    }

    fn preset(&mut self, key: &DeTable<'_>) -> Option<Box<str>> {
        let (at, text) = self.text(key, "for", "read-alerts")?;
        let preset = Preset::find(text);
        if preset.is_none() {
            let instead = self.instead(text, PRESETS.iter().map(|preset| preset.id.as_str()));
            self.fault(at, format!("\"{}\" is no preset.{instead}", shown(text, 60)));
        }
        Some(preset?.id.as_str().into())
    }

    fn expires(&mut self, key: &DeTable<'_>) -> Option<Lifetime> {
        // A date may stand without quotes.
        if let Some(DeValue::Datetime(date)) = key.get("expires").map(toml::Spanned::get_ref)
            && let (Some(day), None, None) = (date.date, date.time, date.offset)
        {
            let date =
                Date::new(i16::try_from(day.year).ok()?, i8::try_from(day.month).ok()?, i8::try_from(day.day).ok()?);
            return date.ok().map(Lifetime::On);
        }
        let (at, text) = self.text(key, "expires", "180d")?;
        let word = fold(text);
        let days =
            || word.strip_suffix('d')?.parse().ok().filter(|days| *days > 0 && i64::from(*days) <= LONGEST_LIFE_DAYS);
        let lifetime = match &*word {
            "never" => Some(Lifetime::Never),
            other => other.parse().ok().map(Lifetime::On).or_else(|| days().map(Lifetime::Days)),
        };
        if lifetime.is_none() {
            let text = shown(text, 60);
            self.fault(
                at,
                format!(
                    "\"{text}\" is no expiry. Write 1d to {LONGEST_LIFE_DAYS}d, a date such as 2027-06-30, or never."
                ),
            );
        }
        lifetime
    }

    fn owner(&mut self, key: &DeTable<'_>) -> Option<UserId> {
        let (at, text) = self.text(key, "owner", "slack:U0ALICE")?;
        let platforms = ["slack", "mattermost", "web"];
        let (platform, id) = text.trim().split_once(':').unwrap_or_default();
        let owner = UserId::of(platform, id).filter(|_| platforms.contains(&platform));
        if owner.is_none() {
            let text = shown(text, 60);
            self.fault(
                at,
                format!("\"{text}\" is nobody's id. Write slack:U… or mattermost:…: \"whoami\" in the chat shows it."),
            );
        }
        owner
    }
}
