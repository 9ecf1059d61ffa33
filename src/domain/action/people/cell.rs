//! A cell of a table of people.

use super::list::{self, Item};

/// A cell, with the addresses in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub text: String,
    /// In their order, each once.
    pub addresses: Vec<String>,
}

impl Cell {
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let mut addresses: Vec<String> = Vec::new();
        if text.contains('@') {
            for item in list::cell(text) {
                if let Item::Person(address) = item
                    && !addresses.contains(&address)
                {
                    addresses.push(address);
                }
            }
        }
        Self { text: text.to_owned(), addresses }
    }
}
