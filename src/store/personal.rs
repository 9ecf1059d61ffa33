//! Personal values of records: which they are, and how they are kept apart from what is sealed.
//!
//! A record's sealed body holds, in the place of every personal value, a hash of the value and a
//! salt of its own. Both are kept beside the record. Without them the hash says nothing, even to
//! who guesses the value; with them it proves that the value is the one that was recorded. So a
//! value can be erased and the chain still verifies.
//!
//! Pure: no I/O, no clock, no randomness of its own. It works on JSON text and leaves everything
//! else in it as it is, byte for byte.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::text::{ERASED, SALT};

/// The kind of the record that says what was erased of earlier ones.
pub const KIND: &str = "personal.erased";
/// What is read in the place of a value that is not the one that was recorded.
pub const ALTERED: &str = "[altered]";
/// Before what stands in the place of a string: texts and hashes in turn, a text first.
const MARK: &str = "{\"$personal\":";

pub type Salt = [u8; 16];

/// The personal values of one record, by the hash that stands in its body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal(BTreeMap<String, Kept>);

/// A salt, in hexadecimal, and the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept(String, String);

#[derive(Serialize, Deserialize)]
struct Marker<'t> {
    #[serde(rename = "$personal", borrow)]
    parts: Vec<Cow<'t, str>>,
}

/// What a record of kind [`KIND`] says. Stored: a field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "erased")]
pub struct Erasure {
    pub why: Why,
    pub values: usize,
    /// From which records, and how many of each.
    pub records: Vec<(u64, usize)>,
    /// Who had it done, if it was not the bot by itself: never whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// `audit redact`.
    Redact,
    /// `CHATOPS_RETENTION`.
    Retention,
}

/// How what is kept beside a record fits its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fit {
    /// Values that are not there any more.
    pub missing: usize,
    /// Values that are not those that were recorded.
    pub altered: usize,
}

impl Personal {
    /// As it is stored; nothing for none.
    pub fn column(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        // Strings alone.
        serde_json::to_string(self).expect("own types serialize")
    }

    /// What cannot be read is none: its values are found missing.
    pub fn read(column: &str) -> Self {
        serde_json::from_str(column).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|kept| &*kept.1)
    }

    /// Erases every value, and its salt, that is not to be kept; with the first of them what an approved action's
    /// hash is salted with. Returns how many.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(|_, kept| keep(&kept.1));
        if self.0.len() < before {
            self.0.retain(|_, kept| !kept.1.starts_with(SALT));
        }
        before - self.0.len()
    }

    /// The value that stands for a hash.
    fn value(&self, hash: &str) -> &str {
        match self.0.get(hash) {
            None => ERASED,
            Some(kept) if kept.fits(hash) => &kept.1,
            Some(_) => ALTERED,
        }
    }
}

impl Kept {
    fn fits(&self, hash: &str) -> bool {
        let salt = hex::decode(&self.0).ok().and_then(|salt| Salt::try_from(salt).ok());
        salt.is_some_and(|salt| hash_of(&salt, &self.1) == hash)
    }
}

fn hash_of(salt: &Salt, value: &str) -> String {
    let hasher = Sha256::new().chain_update(b"sekoia-chatops personal value v1").chain_update(salt);
    hex::encode(hasher.chain_update(value).finalize())
}

/// The body to be sealed, and what is to be kept beside it. `salt` gives another one each time.
pub fn strip(body: &str, mut salt: impl FnMut() -> Salt) -> (String, Personal) {
    let mut personal = Personal::default();
    if !may_hold_any(body) {
        return (body.to_owned(), personal);
    }
    // Who is named twice in a record is seen to be the same.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut hash = |value: &str| {
        let of_value = known.entry(value.to_owned()).or_insert_with(|| {
            let salt = salt();
            let hash = hash_of(&salt, value);
            personal.0.insert(hash.clone(), Kept(hex::encode(salt), value.to_owned()));
            hash
        });
        of_value.clone()
    };
    let stripped = rewrite(body, |text, found| {
        let (mut parts, mut end) = (Vec::new(), 0);
        for Range { start, end: to } in found {
            parts.extend([Cow::from(&text[end..start]), Cow::from(hash(&text[start..to]))]);
            end = to;
        }
        if end < text.len() {
            parts.push(text[end..].into());
        }
        encode(&Marker { parts })
    });
    (stripped.unwrap_or_else(|| body.to_owned()), personal)
}

/// A sealed body as it was before [`strip`]; [`ERASED`] in the place of what was erased since.
pub fn fill(body: &str, personal: &Personal) -> String {
    let (mut filled, mut copied) = (String::with_capacity(body.len()), 0);
    for (range, marker) in markers(body) {
        let text: String = marker.parts.iter().enumerate().map(|(i, part)| of_part(personal, i, part)).collect();
        filled.push_str(&body[copied..range.start]);
        filled.push_str(&encode(&text));
        copied = range.end;
    }
    filled.push_str(&body[copied..]);
    filled
}

fn of_part<'t>(personal: &'t Personal, i: usize, part: &'t str) -> &'t str {
    if i.is_multiple_of(2) { part } else { personal.value(part) }
}

/// Whether every value is there, and is the one that was sealed.
pub fn fit(body: &str, personal: &Personal) -> Fit {
    let markers: Vec<Marker<'_>> = markers(body).map(|(_, marker)| marker).collect();
    let hashes: BTreeSet<&str> =
        markers.iter().flat_map(|marker| marker.parts.iter().skip(1).step_by(2)).map(AsRef::as_ref).collect();
    let there = hashes.iter().filter(|hash| personal.0.contains_key(**hash)).count();
    let belongs = |(hash, kept): &(&String, &Kept)| hashes.contains(hash.as_str()) && kept.fits(hash);
    Fit { missing: hashes.len() - there, altered: personal.0.iter().filter(|kept| !belongs(kept)).count() }
}

/// Every personal value that stands in JSON in the clear, each once.
pub fn found(json: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    if may_hold_any(json) {
        for (literal, rule) in Strings::of(json) {
            let Some(text) = decoded(&json[literal]) else { continue };
            all.extend(personal_in(&text, rule).into_iter().map(|range| text[range].to_owned()));
        }
    }
    all
}

/// JSON with [`ERASED`] in the place of some of its personal values; none if it holds none of those.
pub fn without(json: &str, is: impl Fn(&str) -> bool) -> Option<String> {
    let mut any = false;
    let erased = rewrite(json, |text, found| {
        let (mut erased, mut end) = (String::new(), 0);
        for range in found {
            if is(&text[range.clone()]) {
                any = true;
                erased.push_str(&text[end..range.start]);
                erased.push_str(ERASED);
                end = range.end;
            }
        }
        erased.push_str(&text[end..]);
        encode(&erased)
    });
    erased.filter(|_| any)
}

/// What of a string is personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// E-mail addresses, wherever they stand.
    Addresses,
    /// All of it: people's names, rows of lists as they were typed, what a hash is salted with.
    Whole,
}

/// The rule, for every event and state: addresses in any text; the name of a member in the facts of
/// a step; of what became of a list of people, everything behind its summary; what hides people in a hash.
fn rule(open: &[Frame]) -> Rule {
    match open.last() {
        Some(Frame::Object { member: true, key: "name" } | Frame::Object { key: "salt", .. }) => Rule::Whole,
        Some(Frame::Array { account: true, index: 1.. }) => Rule::Whole,
        _ => Rule::Addresses,
    }
}

/// Whether it is worth a closer look.
fn may_hold_any(json: &str) -> bool {
    json.contains('@') || ["\"member\"", "\"account\"", "\"salt\""].iter().any(|key| json.contains(key))
}

/// Where the personal values of a text stand, in order.
fn personal_in(text: &str, rule: Rule) -> Vec<Range<usize>> {
    match rule {
        Rule::Whole if text.is_empty() => Vec::new(),
        Rule::Whole => std::iter::once(0..text.len()).collect(),
        Rule::Addresses => addresses(text),
    }
}

/// Where e-mail addresses stand in a text. It takes more than the addresses that can be invited:
/// what only looks like one is kept apart as well.
pub fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let free = found.last().map_or(0, |last| last.end);
        let local = |c: char| c.is_alphanumeric() || "._-+'&".contains(c);
        let before = text.get(free..at).unwrap_or_default();
        let local = before.rfind(|c| !local(c)).map_or(before, |last| {
            let width = before[last..].chars().next().map_or(0, char::len_utf8);
            &before[last + width..]
        });
        let local = local.trim_start_matches(|c: char| !c.is_alphanumeric());
        let after = &text[at + 1..];
        let domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
        let domain = &after[..after.find(|c| !domain(c)).unwrap_or(after.len())];
        let domain = domain.trim_end_matches(['.', '-']);
        if !local.is_empty() && domain.trim_start_matches('.').contains('.') {
            found.push(at - local.len()..at + 1 + domain.len());
        }
    }
    found
}

/// JSON in which strings with personal values are what `change` makes of them; none if there are none.
fn rewrite(json: &str, mut change: impl FnMut(&str, Vec<Range<usize>>) -> String) -> Option<String> {
    let (mut out, mut copied) = (String::with_capacity(json.len()), 0);
    for (literal, rule) in Strings::of(json) {
        let Some(text) = decoded(&json[literal.clone()]) else { continue };
        let found = personal_in(&text, rule);
        if !found.is_empty() {
            out.push_str(&json[copied..literal.start]);
            out.push_str(&change(&text, found));
            copied = literal.end;
        }
    }
    (copied > 0).then(|| {
        out.push_str(&json[copied..]);
        out
    })
}

fn encode(value: &impl Serialize) -> String {
    // Strings and lists of them.
    serde_json::to_string(value).expect("own types serialize")
}

fn decoded(literal: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
    serde_json::from_str::<Text<'_>>(literal).ok().map(|text| text.0)
}

/// What is open around a place in JSON.
#[derive(Debug, Clone, Copy)]
enum Frame<'j> {
    /// `member`: it is the fact that a check saw of a member.
    Object { key: &'j str, member: bool },
    /// `account`: it says what became of a list of people.
    Array { account: bool, index: usize },
}

/// The string values of a JSON text, each with its quotation marks; keys are left out.
struct Strings<'j> {
    json: &'j str,
    at: usize,
    open: Vec<Frame<'j>>,
}

impl<'j> Strings<'j> {
    fn of(json: &'j str) -> Self {
        Self { json, at: 0, open: Vec::new() }
    }

    /// Whether what ends here is a key; then it is kept.
    fn is_key(&mut self, literal: &Range<usize>) -> bool {
        let rest = self.json[literal.end..].trim_start();
        match self.open.last_mut() {
            Some(Frame::Object { key, .. }) if rest.starts_with(':') => {
                *key = &self.json[literal.start + 1..literal.end - 1];
                self.at = self.json.len() - rest.len() + 1;
                true
            }
            _ => false,
        }
    }
}

impl Iterator for Strings<'_> {
    type Item = (Range<usize>, Rule);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            match byte {
                b'"' => {
                    let literal = self.at..end_of_string(self.json, self.at)?;
                    self.at = literal.end;
                    if self.is_key(&literal) {
                        continue;
                    }
                    let rule = rule(&self.open);
                    if let Some(Frame::Object { key: "fact", member }) = self.open.last_mut() {
                        *member = &self.json[literal.clone()] == "\"member\"";
                    }
                    return Some((literal, rule));
                }
                b'{' => self.open.push(Frame::Object { key: "", member: false }),
                b'[' => {
                    let account = matches!(self.open.last(), Some(Frame::Object { key: "account", .. }));
                    self.open.push(Frame::Array { account, index: 0 });
                }
                b'}' | b']' => drop(self.open.pop()),
                b',' => {
                    if let Some(Frame::Array { index, .. }) = self.open.last_mut() {
                        *index += 1;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}

/// Behind the closing quotation mark of the string that begins at `start`.
fn end_of_string(json: &str, start: usize) -> Option<usize> {
    let bytes = json.as_bytes();
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// What stands in the place of strings, with where.
fn markers(body: &str) -> impl Iterator<Item = (Range<usize>, Marker<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = body.as_bytes().get(at) {
            match byte {
                b'"' => at = end_of_string(body, at)?,
                b'{' if body[at..].starts_with(MARK) => {
                    let mut values = serde_json::Deserializer::from_str(&body[at..]).into_iter::<Marker<'_>>();
                    let Some(Ok(marker)) = values.next() else {
                        at += 1;
                        continue;
                    };
                    let range = at..at + values.byte_offset();
                    at = range.end;
                    return Some((range, marker));
                }
                _ => at += 1,
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Another salt each time, and the same in every run.
    fn salts() -> impl FnMut() -> Salt {
        let mut n = 0_u128;
        move || {
            n += 1;
            n.to_be_bytes()
        }
    }

    fn stripped(body: &str) -> (String, Personal) {
        strip(body, salts())
    }

    #[test]
    fn addresses_are_found_in_any_text() {
        let found =
            |text: &str| -> Vec<String> { addresses(text).into_iter().map(|range| text[range].to_owned()).collect() };
        assert_eq!(found("ana@nimbus.example"), ["ana@nimbus.example"]);
        assert_eq!(
            found("Ask <mailto:Ana.B+x@Nimbus.example>, or 'bo@x.example'."),
            ["Ana.B+x@Nimbus.example", "bo@x.example"]
        );
        assert_eq!(
            found("ana@bücher.example (ana@xn--bcher-kva.example)"),
            ["ana@bücher.example", "ana@xn--bcher-kva.example"]
        );
        assert_eq!(found("a@b.example@c.example"), ["a@b.example"]);
        for none in ["", "@", "@bob", "<@U0BOB> at 10 @ noon", "root@localhost", "x@.", "slack:U0BOB", "é@"] {
            assert_eq!(found(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn what_is_sealed_holds_hashes_in_the_place_of_values() {
        let body = r#"{"event":"failed","item":1,"why":"ana@x.example: \"no\", ask bo@x.example"}"#;
        let (sealed, personal) = stripped(body);
        assert!(!sealed.contains('@') && sealed.contains(r#"{"$personal":["","#), "{sealed}");
        assert_eq!(personal.values().collect::<BTreeSet<_>>(), ["ana@x.example", "bo@x.example"].into());
        assert_eq!(fill(&sealed, &personal), body);
        assert_eq!(Personal::read(&personal.column()), personal);
    }

    #[test]
    fn names_of_members_and_rows_of_lists_are_personal_as_a_whole() {
        let facts = json!({ "facts": [
            { "fact": "member", "id": "0011", "name": "Bob Martin", "active": true },
            { "fact": "key", "id": "0022", "name": "Collector", "near": false },
        ] });
        let account =
            json!({ "account": ["41 of 42 rows are invited.", "Row 3 has no address (Ana Lopez)."], "note": "Ana" });
        for (body, values) in [(facts, ["Bob Martin"]), (account, ["Row 3 has no address (Ana Lopez)."])] {
            // The tag stands first, as serde writes it.
            let body = body.to_string().replace(r#""active":true,"fact":"member""#, r#""fact":"member","active":true"#);
            assert_eq!(found(&body), values.map(String::from).into());
            let (sealed, personal) = stripped(&body);
            assert!(values.iter().all(|value| !sealed.contains(value)), "{sealed}");
            assert_eq!(fill(&sealed, &personal), body);
        }
    }

    #[test]
    fn what_is_erased_reads_as_erased_and_nothing_else_changes() {
        let body = r#"{"people":["ana@x.example","bo@x.example"],"why":"Invite ana@x.example as Analyst"}"#;
        let (sealed, mut personal) = stripped(body);
        assert_eq!(fit(&sealed, &personal), Fit::default());
        assert_eq!(personal.retain(|value| value != "ana@x.example"), 1);
        assert_eq!(fit(&sealed, &personal), Fit { missing: 1, altered: 0 });
        let read = fill(&sealed, &personal);
        assert_eq!(read, r#"{"people":["[erased]","bo@x.example"],"why":"Invite [erased] as Analyst"}"#);
        assert_eq!(without(body, |value| value == "ana@x.example").as_deref(), Some(&*read));
        assert_eq!(without(body, |value| value == "cy@x.example"), None);
    }

    #[test]
    fn another_value_or_another_salt_does_not_fit() {
        let (sealed, personal) = stripped(r#"{"why":"ana@x.example"}"#);
        let column = personal.column();
        for other in
            [column.replace("ana@", "eva@"), column.replace("0001\"", "0002\""), column.replace("0001\"", "\"")]
        {
            let forged = Personal::read(&other);
            assert_eq!(fit(&sealed, &forged), Fit { missing: 0, altered: 1 }, "{other}");
            assert_eq!(fill(&sealed, &forged), r#"{"why":"[altered]"}"#);
        }
        // One that belongs to no place in the body.
        assert_eq!(fit(r#"{"why":"x"}"#, &personal), Fit { missing: 0, altered: 1 });
        assert_eq!(fit(&sealed, &Personal::read("{")), Fit { missing: 1, altered: 0 });
    }

    #[test]
    fn a_text_that_imitates_a_marker_is_a_text() {
        let text = r#"{"$personal":["","ana@x.example"]}"#;
        let body = json!({ "reason": text }).to_string();
        let (sealed, personal) = stripped(&body);
        assert_eq!(fill(&sealed, &personal), body);
        let plain = json!({ "reason": r#"{"$personal":["a","b"]}"# }).to_string();
        assert_eq!(fill(&plain, &personal), plain);
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        for text in ["", "{", "\"", "ana@x.example", "{\"a\":\"ana@x.example", "[\"\\", "]]}\"ana\\u0040x\""] {
            let (sealed, personal) = stripped(text);
            assert_eq!(fill(&sealed, &personal), text);
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[a-z]{1,8}(\\.[a-z]{1,5})?@[a-z]{1,8}\\.example",
            "[ -~]{0,12}[a-z]{1,6}@[a-z]{1,6}\\.example[ -~]{0,12}",
            Just(r#"{"$personal":["x","y@z.example"]}"#.to_owned()),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![text().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
        let key = prop_oneof!["[a-z]{1,6}", Just("name".into()), Just("account".into()), any::<String>()];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(key.clone(), inner.clone(), 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                (text(), inner).prop_map(|(name, more)| json!({ "fact": "member", "name": name, "then": more })),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_personal_is_sealed_and_everything_is_read_again(value in value(), pretty: bool) {
            let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let (sealed, personal) = stripped(&body);
            prop_assert_eq!(found(&sealed), BTreeSet::new());
            prop_assert_eq!(personal.values().map(String::from).collect::<BTreeSet<_>>(), found(&body));
            prop_assert_eq!(fit(&sealed, &personal), Fit::default());
            prop_assert_eq!(fill(&sealed, &Personal::read(&personal.column())), body);
            // Whatever is erased, it is JSON of the same shape.
            let read: Value = serde_json::from_str(&fill(&sealed, &Personal::default())).unwrap();
            prop_assert_eq!(shape(&read), shape(&value));
        }

        #[test]
        fn no_text_breaks_it(text in ".*") {
            let (sealed, personal) = stripped(&text);
            let _ = (fill(&sealed, &personal), found(&text), fit(&text, &personal), without(&text, |_| true));
        }
    }

    fn shape(value: &Value) -> Value {
        match value {
            Value::String(_) => Value::from(""),
            Value::Array(all) => all.iter().map(shape).collect(),
            Value::Object(all) => all.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn what_hides_people_in_a_hash_is_erased_with_the_first_of_them() {
        let body = r#"{"people":["ana@x.example","bo@x.example"],"hash":"00ff","salt":"salt:11ee"}"#;
        let (sealed, mut personal) = strip(body, salts());
        assert!(!sealed.contains("salt:11ee") && sealed.contains("00ff"), "{sealed}");
        assert_eq!(fill(&sealed, &personal), body);
        assert_eq!(personal.retain(|value| value != "cy@x.example"), 0);
        assert_eq!(fill(&sealed, &personal), body);
        assert_eq!(personal.retain(|value| value != "bo@x.example"), 2);
        let left = r#"{"people":["ana@x.example","[erased]"],"hash":"00ff","salt":"[erased]"}"#;
        assert_eq!(fill(&sealed, &personal), left);
        assert_eq!(fit(&sealed, &personal), Fit { missing: 2, altered: 0 });
    }
}
