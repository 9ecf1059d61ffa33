//! Values that look random and follow from the seed and a label alone.
//!
//! A value does not depend on what was drawn before it, so adding a row to the seed data leaves
//! every other identifier as it was.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

#[derive(Clone, Copy, Debug)]
pub(super) struct Dice {
    seed: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// An identifier in the shape of a random (version 4) uuid.
    pub(super) fn uuid(self, label: &str) -> Uuid {
        let digest = self.digest(label);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A number from 0 up to, and without, `end`.
    pub(super) fn below(self, label: &str, end: u32) -> u32 {
        let digest = self.digest(label);
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        number % end.max(1)
    }

    /// The first `length` hexadecimal digits, at most 64.
    pub(super) fn hex(self, label: &str, length: usize) -> String {
        let mut text = hex::encode(self.digest(label));
        text.truncate(length);
        text
    }

    fn digest(self, label: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(label).finalize().into()
    }
}
