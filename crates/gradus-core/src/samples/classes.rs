//! The same targets in the terms of others: a test set's classes counted as the training set counts them.

use super::{Answers, Dataset, invalid};
use crate::error::Result;

impl Dataset {
    /// The same samples, their answers in terms of those: of the same classes ([`Self::with_classes`])
    /// or as many values.
    ///
    /// # Errors
    /// `InvalidData` where a class is not among them, values are of another number, or the one has
    /// classes and the other values.
    pub fn in_terms_of(mut self, answers: &Answers) -> Result<Dataset> {
        match (answers, &mut self.answers) {
            (Answers::Classes { names, .. }, Answers::Classes { .. }) => self.with_classes(names),
            (Answers::Values { names, .. }, Answers::Values { names: found, .. })
                if names.len() == found.len() =>
            {
                found.clone_from(names);
                Ok(self)
            }
            (wanted, found) => Err(invalid(format!(
                "the samples come {}, expected are samples {}",
                found.task().with(found.outputs()),
                wanted.task().with(wanted.outputs())
            ))),
        }
    }

    /// The same samples, their labels counted in `class_names`. Classes are matched by name; those
    /// that are mere numbers, 0 upwards, stand for names that are none in their order.
    ///
    /// # Errors
    /// `InvalidData` where a class of these samples is not among `class_names`, or they have values.
    pub fn with_classes(mut self, class_names: &[String]) -> Result<Dataset> {
        let Answers::Classes { labels, names } = &mut self.answers else {
            return Err(invalid("the samples are answered with values, expected classes"));
        };
        if names != class_names {
            let classes = match_classes(class_names, names)?;
            for label in labels {
                *label = classes[*label as usize];
            }
            *names = class_names.to_vec();
        }
        Ok(self)
    }
}

/// The index among the `known` classes of each class in `found`.
fn match_classes(known: &[String], found: &[String]) -> Result<Vec<u32>> {
    let position = |name: &String| known.iter().position(|other| other == name);
    if let Some(indices) = found.iter().map(position).collect::<Option<Vec<_>>>() {
        return Ok(indices.into_iter().map(|index| index as u32).collect());
    }
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    let counted = found.iter().enumerate().all(|(at, name)| *name == at.to_string());
    if counted && found.len() <= known.len() && !known.iter().any(is_number) {
        return Ok((0..found.len() as u32).collect());
    }
    let unknown: Vec<_> = found.iter().filter(|name| !known.contains(name)).collect();
    Err(invalid(format!(
        "there are classes that the training data lack: {}; these have {}",
        shorten(&unknown),
        shorten(&known.iter().collect::<Vec<_>>())
    )))
}

fn shorten(names: &[&String]) -> String {
    const SHOWN: usize = 12;
    let mut list: Vec<_> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    if names.len() > SHOWN {
        list.push(format!("and {} more", names.len() - SHOWN));
    }
    list.join(", ")
}
