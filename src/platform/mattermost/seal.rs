//! What a button's context and a form's state hold, sealed.
//!
//! Anybody may post a button that leads to the bot, with any context, and a form's state passes
//! through its reader's client. So both carry an HMAC-SHA-256 over everything that they say: the
//! words, the channel that they are about, where they stand, for whom, and until when. The seal
//! proves that the bot wrote them for that place and person. It does not prove who pressed.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::chat::ChannelKey;
use crate::chat::view::Confirm;
pub use crate::timing::mattermost::{BUTTON_LIVES, FORM_LIVES};

/// Seals with the first key, opens with every one: keys can be rotated.
#[derive(Clone)]
pub struct Sealer(Vec<Hmac<Sha256>>);

/// What a pressed button or a chosen option stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pressed {
    pub words: String,
    /// The channel that the words are about.
    pub about: ChannelKey,
    /// Where the message stands: Mattermost's id of the channel.
    pub place: String,
    /// The mark of the message; none on what only one person sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The only person who sees it; none on a message of the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// What is asked before the press counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Asked>,
    /// Seconds since 1970.
    pub until: i64,
}

/// What a press opens instead of being taken at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Confirm {
        title: String,
        text: String,
        yes: String,
    },
    /// A day is to be typed.
    Day {
        label: String,
    },
}

/// What a submitted form stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    pub words: String,
    pub about: ChannelKey,
    /// Whoever it was opened for.
    pub by: String,
    /// The names of its fields, in their order; without any, its words are all that it says.
    pub fields: Vec<String>,
    /// Makes this opening of the form one of its own.
    pub nonce: String,
    pub until: i64,
}

/// Why something sealed is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsealed {
    /// Not the bot's, or not for this.
    Forged,
    Expired,
}

/// What is sealed is never taken for another kind of thing.
pub trait Sealed: Serialize + for<'de> Deserialize<'de> {
    const KIND: &'static [u8];
    fn until(&self) -> i64;
}

impl Sealed for Pressed {
    const KIND: &'static [u8] = b"press";

    fn until(&self) -> i64 {
        self.until
    }
}

impl Sealed for Filled {
    const KIND: &'static [u8] = b"form";

    fn until(&self) -> i64 {
        self.until
    }
}

impl From<&Confirm> for Asked {
    fn from(confirm: &Confirm) -> Self {
        Self::Confirm {
            title: confirm.title.clone().into_owned(),
            text: confirm.text.clone().into_owned(),
            yes: confirm.yes.clone().into_owned(),
        }
    }
}

impl Sealer {
    /// `keys`: those of `CHATOPS_SECRET_KEY`, at least one. The seal's own keys are derived.
    pub fn new(keys: &[SecretSlice<u8>]) -> Self {
        assert!(!keys.is_empty(), "a sealer without a key");
        Self(keys.iter().map(|key| derive(key.expose_secret())).collect())
    }

    /// `<64 hexadecimal digits>.<JSON>`.
    pub fn seal<T: Sealed>(&self, value: &T) -> String {
        let json = crate::state::stream::encode(value);
        let mac = self.0[0].clone().chain_update(T::KIND).chain_update(b"\n").chain_update(&json);
        format!("{}.{json}", hex::encode(mac.finalize().into_bytes()))
    }

    /// What was sealed, if it was sealed here and its time is not over.
    pub fn open<T: Sealed>(&self, sealed: &str, now: Timestamp) -> Result<T, Unsealed> {
        let (seal, json) = sealed.split_once('.').ok_or(Unsealed::Forged)?;
        let mut given = [0; 32];
        hex::decode_to_slice(seal, &mut given).map_err(|_| Unsealed::Forged)?;
        let fits = |key: &Hmac<Sha256>| {
            // Compared in constant time.
            key.clone().chain_update(T::KIND).chain_update(b"\n").chain_update(json).verify_slice(&given).is_ok()
        };
        if !self.0.iter().any(fits) {
            return Err(Unsealed::Forged);
        }
        let value: T = serde_json::from_str(json).map_err(|_| Unsealed::Forged)?;
        if value.until() < now.as_second() { Err(Unsealed::Expired) } else { Ok(value) }
    }
}

fn derive(secret: &[u8]) -> Hmac<Sha256> {
    let key = keyed(secret).chain_update(b"sekoia-chatops mattermost seal v1").finalize().into_bytes();
    keyed(&key)
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("any key length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SecretSlice<u8> {
        SecretSlice::from(vec![byte; 32])
    }

    fn form(words: &str, until: i64) -> Filled {
        let about = ChannelKey::mattermost("c");
        Filled { words: words.into(), about, by: "u".into(), fields: vec!["a".into()], nonce: "n".into(), until }
    }

    #[test]
    fn an_old_key_still_opens_and_a_foreign_one_does_not() {
        let now = Timestamp::from_second(1_000).unwrap();
        let sealed = Sealer::new(&[key(1)]).seal(&form("skip 3", 1_000));
        assert_eq!(Sealer::new(&[key(2), key(1)]).open::<Filled>(&sealed, now), Ok(form("skip 3", 1_000)));
        assert_eq!(Sealer::new(&[key(2)]).open::<Filled>(&sealed, now), Err(Unsealed::Forged));
        let later = Timestamp::from_second(1_001).unwrap();
        assert_eq!(Sealer::new(&[key(1)]).open::<Filled>(&sealed, later), Err(Unsealed::Expired));
        // A form's state is no button's context.
        assert_eq!(Sealer::new(&[key(1)]).open::<Pressed>(&sealed, now), Err(Unsealed::Forged));
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_found(words in ".*", at in any::<prop::sample::Index>(), with in any::<char>()) {
            let sealer = Sealer::new(&[key(1)]);
            let sealed = sealer.seal(&form(&words, 10));
            let now = Timestamp::from_second(1).unwrap();
            prop_assert_eq!(sealer.open::<Filled>(&sealed, now).unwrap().words, words);
            let mut chars: Vec<char> = sealed.chars().collect();
            let at = at.index(chars.len());
            prop_assume!(chars[at] != with && !chars[at].eq_ignore_ascii_case(&with));
            chars[at] = with;
            let changed: String = chars.into_iter().collect();
            prop_assert_eq!(sealer.open::<Filled>(&changed, now), Err(Unsealed::Forged));
        }

        #[test]
        fn anything_at_all_is_refused(text in ".*") {
            let now = Timestamp::from_second(1).unwrap();
            prop_assert_eq!(Sealer::new(&[key(1)]).open::<Pressed>(&text, now), Err(Unsealed::Forged));
        }
    }
}
