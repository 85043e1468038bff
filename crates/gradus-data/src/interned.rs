//! Texts, each different one kept once, with a number for it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Different texts in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Interned {
    values: Vec<String>,
    /// The codes of the values, by their texts.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Interned {
    /// The code of a text, if it is among them.
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let is_it = |&code: &u32| self.values[code as usize].as_bytes() == text;
        self.places.find(self.hasher.hash_one(text), is_it).copied()
    }

    /// The code of a text, and whether it is a new one.
    pub(crate) fn code_of(&mut self, text: &str) -> (u32, bool) {
        if let Some(code) = self.find(text.as_bytes()) {
            return (code, false);
        }
        let code = self.values.len() as u32;
        self.values.push(text.to_owned());
        let (values, hasher) = (&self.values, &self.hasher);
        let hash = |&code: &u32| hasher.hash_one(values[code as usize].as_bytes());
        self.places.insert_unique(hash(&code), code, hash);
        (code, true)
    }

    /// The texts.
    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    /// The texts, in the order of their codes.
    pub(crate) fn into_values(self) -> Vec<String> {
        self.values
    }
}
