//! Bearer tokens: the key that each stands for, and the secrets that were ever shown.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

#[derive(Debug)]
pub(super) struct Secrets(Mutex<Known>);

#[derive(Debug)]
struct Known {
    key_of: HashMap<String, Uuid>,
    shown: Vec<String>,
}

impl Secrets {
    pub(super) fn new(key_of: HashMap<String, Uuid>) -> Self {
        Self(Mutex::new(Known { key_of, shown: vec![] }))
    }

    /// The key behind a token, active or not.
    pub(super) fn key_of(&self, token: &str) -> Option<Uuid> {
        self.kept().key_of.get(token).copied()
    }

    /// Accepts a token for a new key, and remembers what its creation answers.
    pub(super) fn issue(&self, key: Uuid, token: &str, shown: [&str; 2]) {
        let mut kept = self.kept();
        kept.key_of.insert(token.to_owned(), key);
        kept.shown.extend(shown.map(str::to_owned));
    }

    pub(super) fn shown(&self) -> Vec<String> {
        self.kept().shown.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
