//! Seals of everything that is read back from a store and acted upon, beside the records: states,
//! due work, what is kept, deliveries, leases.
//!
//! A seal is an HMAC over every field, each behind its length, with the name of the table in front,
//! under a key derived from `CHATOPS_SECRET_KEY`. It names its key, so that keys can be rotated. It
//! proves that a holder of the key wrote this row in this place. It does not prove that the row is
//! the newest one: what was rightly sealed once and is put back is found by what is numbered
//! (versions of streams, generations of work) and by the heads that are remembered beside the
//! database.

use std::fmt;

use super::audit::Chain;

/// A row as it is sealed.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// A stream's state. `head`: the seal of its last record.
    State { stream: &'a str, version: u64, schema: u32, json: &'a str, head: &'a str },
    /// Due work. `due`: milliseconds since 1970. `delivered`: it came in a request, whose delivery
    /// is on record until the work is settled.
    Work { kind: &'a str, key: &'a str, generation: u64, due: i64, attempts: u32, body: &'a str, delivered: bool },
    /// What is kept. `until`: milliseconds since 1970; none if it is kept for good.
    Kept { kind: &'a str, key: &'a str, generation: u64, until: Option<i64>, body: &'a str },
    /// `at`: milliseconds since 1970. `settled`: nothing is left to do for it.
    Delivery { id: &'a str, at: i64, settled: bool },
    /// `until`: milliseconds since 1970.
    Lease { name: &'a str, holder: &'a str, until: i64 },
    /// That a database is sealed as a whole: whatever has no seal in it is not ours.
    Whole,
    /// What is remembered of a database beside it.
    Heads { json: &'a str },
}

/// Why a row is not to be acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsealed {
    Missing,
    Wrong,
    /// Sealed with a key that is not configured.
    UnknownKey(String),
    /// Rightly sealed, and done long ago: it was put back.
    Replayed,
}

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsealed::Missing => f.write_str("it has no seal: this bot did not write it"),
            Unsealed::Wrong => f.write_str("its seal does not fit: it was edited or copied without the key"),
            Unsealed::UnknownKey(key) => write!(
                f,
                "it is sealed with key {key}, which is not configured; add that key after the first in CHATOPS_SECRET_KEY"
            ),
            Unsealed::Replayed => f.write_str("it was settled before and put back"),
        }
    }
}

impl Chain {
    /// The seal of a row, under the first key.
    pub fn seal_row(&self, row: &Row<'_>) -> String {
        let key = self.first();
        format!("{}:{}", key.id(), hex::encode(key.row_mac(&fields(row))))
    }

    /// Whether a row is sealed by one of the keys.
    pub fn check_row(&self, row: &Row<'_>, seal: &str) -> Result<(), Unsealed> {
        if seal.is_empty() {
            return Err(Unsealed::Missing);
        }
        let Some((id, mac)) = seal.split_once(':') else { return Err(Unsealed::Wrong) };
        let Some(key) = self.key(id) else { return Err(Unsealed::UnknownKey(crate::chat::text::shown(id, 16))) };
        let mac = hex::decode(mac).unwrap_or_default();
        if key.is_row_mac(&fields(row), &mac) { Ok(()) } else { Err(Unsealed::Wrong) }
    }

    /// Whether a seal is of the key that seals now.
    pub fn is_current(&self, seal: &str) -> bool {
        seal.split_once(':').is_some_and(|(id, _)| id == self.first().id())
    }

    /// The names of the keys that verify and do not seal; as a rule those of before.
    pub fn others(&self) -> Vec<String> {
        let first = self.first().id();
        self.rest().iter().map(|key| key.id().to_owned()).filter(|id| id != first).collect()
    }
}

/// The fields of a row, its table first.
fn fields(row: &Row<'_>) -> Vec<String> {
    let text = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    match row {
        Row::State { stream, version, schema, json, head } => {
            text(&["state", stream, &version.to_string(), &schema.to_string(), json, head])
        }
        Row::Work { kind, key, generation, due, attempts, body, delivered } => text(&[
            "work",
            kind,
            key,
            &generation.to_string(),
            &due.to_string(),
            &attempts.to_string(),
            body,
            &delivered.to_string(),
        ]),
        Row::Kept { kind, key, generation, until, body } => {
            let until = until.map(|until| until.to_string()).unwrap_or_default();
            text(&["kept", kind, key, &generation.to_string(), &until, body])
        }
        Row::Delivery { id, at, settled } => text(&["delivery", id, &at.to_string(), &settled.to_string()]),
        Row::Lease { name, holder, until } => text(&["lease", name, holder, &until.to_string()]),
        Row::Whole => text(&["whole"]),
        Row::Heads { json } => text(&["heads", json]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretSlice;

    fn keys(bytes: &[u8]) -> Vec<SecretSlice<u8>> {
        bytes.iter().map(|byte| vec![*byte; 32].into()).collect()
    }

    const WORK: Row<'static> = Row::Work {
        kind: "inbound",
        key: "D1",
        generation: 7,
        due: 1_780_000_000_000,
        attempts: 0,
        body: "{}",
        delivered: true,
    };

    #[test]
    fn a_seal_fits_one_row_in_one_place() {
        let chain = Chain::new(&keys(&[1]));
        let seal = chain.seal_row(&WORK);
        assert_eq!(chain.check_row(&WORK, &seal), Ok(()));
        let work = |kind, key, generation, due, attempts, body, delivered| Row::Work {
            kind,
            key,
            generation,
            due,
            attempts,
            body,
            delivered,
        };
        let others = [
            work("execute", "D1", 7, 1_780_000_000_000, 0, "{}", true),
            work("inbound", "D2", 7, 1_780_000_000_000, 0, "{}", true),
            work("inbound", "D1", 8, 1_780_000_000_000, 0, "{}", true),
            work("inbound", "D1", 7, 1_780_000_000_001, 0, "{}", true),
            work("inbound", "D1", 7, 1_780_000_000_000, 1, "{}", true),
            work("inbound", "D1", 7, 1_780_000_000_000, 0, "{ }", true),
            work("inbound", "D1", 7, 1_780_000_000_000, 0, "{}", false),
            // A border between two fields that moved.
            work("inboundD", "1", 7, 1_780_000_000_000, 0, "{}", true),
            Row::Delivery { id: "D1", at: 7, settled: true },
            Row::Lease { name: "inbound", holder: "D1", until: 7 },
            Row::State { stream: "inbound", version: 7, schema: 0, json: "{}", head: "" },
        ];
        for other in &others {
            assert_eq!(chain.check_row(other, &seal), Err(Unsealed::Wrong), "{other:?}");
        }
    }

    #[test]
    fn what_is_kept_is_sealed_in_every_field_and_is_no_work() {
        let chain = Chain::new(&keys(&[1]));
        let kept = |kind, key, generation, until, body| Row::Kept { kind, key, generation, until, body };
        let row = kept("known", "a", 7, Some(9), "{}");
        let seal = chain.seal_row(&row);
        assert_eq!(chain.check_row(&row, &seal), Ok(()));
        let others = [
            kept("fired", "a", 7, Some(9), "{}"),
            kept("known", "b", 7, Some(9), "{}"),
            kept("known", "a", 8, Some(9), "{}"),
            kept("known", "a", 7, Some(10), "{}"),
            kept("known", "a", 7, None, "{}"),
            kept("known", "a", 7, Some(9), ""),
            kept("known", "a", 79, None, "{}"),
            Row::Work { kind: "known", key: "a", generation: 7, due: 9, attempts: 0, body: "{}", delivered: false },
        ];
        for other in &others {
            assert_eq!(chain.check_row(other, &seal), Err(Unsealed::Wrong), "{other:?}");
        }
    }

    #[test]
    fn an_old_key_still_verifies_and_an_unknown_one_is_named() {
        let (old, both, new) = (Chain::new(&keys(&[1])), Chain::new(&keys(&[2, 1])), Chain::new(&keys(&[2])));
        let seal = old.seal_row(&WORK);
        assert_eq!((both.check_row(&WORK, &seal), both.is_current(&seal)), (Ok(()), false));
        assert!(both.is_current(&both.seal_row(&WORK)));
        assert_eq!((old.others(), both.others()), (Vec::new(), vec!["f90db2cb".to_owned()]));
        assert_eq!(Chain::new(&keys(&[1, 1])).others(), Vec::<String>::new(), "the same key twice");
        assert_eq!(new.check_row(&WORK, &seal), Err(Unsealed::UnknownKey("f90db2cb".into())));
        for (bad, why) in [("", Unsealed::Missing), ("f90db2cb", Unsealed::Wrong), ("f90db2cb:", Unsealed::Wrong)] {
            assert_eq!(both.check_row(&WORK, bad), Err(why), "{bad:?}");
        }
        // The seals of records are no seals of rows.
        let of_a_record = format!("f90db2cb:{}", "0".repeat(64));
        assert_eq!(old.check_row(&WORK, &of_a_record), Err(Unsealed::Wrong));
    }
}
