//! The names of classes in a graph: converters of scikit-learn turn the number of the most probable class into
//! its name, and name the probabilities.
//!
//! Names are copied only where an output has them, so that a graph costs no more memory than its file.

use std::collections::HashMap;

use gradus_core::error::invalid;

use super::constants::{Constant, utf8};
use super::messages::{Attribute, Node};
use crate::error::Result;

/// Where the names of the classes stand.
#[derive(Clone, Copy)]
pub(super) enum ClassNames<'a> {
    /// An array with a name for each class.
    Array(Constant<'a>),
    /// Attributes of ZipMap.
    List(&'a Attribute),
    /// Attributes of LabelEncoder: numbers of classes, and the names for them.
    Pairs(&'a [i64], &'a Attribute),
}

impl<'a> ClassNames<'a> {
    pub(super) fn of_zip_map(node: &'a Node) -> Option<ClassNames<'a>> {
        let lists = ["classlabels_strings", "classlabels_int64s"];
        let mut found = lists.iter().filter_map(|name| node.attribute(name));
        found.find(|list| length(list) > 0).map(ClassNames::List)
    }

    /// # Errors
    /// `InvalidData` if it does not encode whole numbers, or not as names or whole numbers.
    pub(super) fn of_label_encoder(node: &'a Node) -> Result<ClassNames<'a>> {
        let list = |names: [&str; 2]| names.into_iter().find_map(|name| node.attribute(name));
        let keys = node.attribute("keys_int64s");
        match (keys, list(["values_strings", "values_int64s"])) {
            (Some(keys), Some(names)) if keys.ints.len() == length(names) => {
                Ok(ClassNames::Pairs(&keys.ints, names))
            }
            _ => Err(invalid("expected keys_int64s, and as many values_strings or values_int64s")),
        }
    }

    /// The names.
    ///
    /// # Errors
    /// `InvalidData` if they are not texts or whole numbers, or one is missing.
    pub(super) fn read(&self) -> Result<Vec<String>> {
        match self {
            ClassNames::Array(constant) => constant.texts(),
            ClassNames::List(list) => (0..length(list)).map(|at| text(list, at)).collect(),
            ClassNames::Pairs(keys, names) => {
                let places: HashMap<i64, usize> =
                    keys.iter().enumerate().map(|(place, &key)| (key, place)).collect();
                let name = |class: usize| match places.get(&(class as i64)) {
                    Some(&place) => text(names, place),
                    None => Err(invalid(format!("LabelEncoder has no name for class {class}"))),
                };
                (0..keys.len()).map(name).collect()
            }
        }
    }
}

fn length(list: &Attribute) -> usize {
    list.strings.len().max(list.ints.len())
}

fn text(list: &Attribute, at: usize) -> Result<String> {
    match (list.strings.get(at), list.ints.get(at)) {
        (Some(bytes), _) => utf8(bytes),
        (None, Some(number)) => Ok(number.to_string()),
        (None, None) => Err(invalid("a name of a class is missing")),
    }
}
