//! Targets expressed in the classes of another set: a test set's labels become the training set's.

use super::{Dataset, Targets};
use crate::error::{Result, invalid};

impl Dataset {
    /// The same samples with targets like `targets`: the same classes ([`Self::with_classes`]) or as
    /// many values.
    ///
    /// # Errors
    /// `InvalidData` if a class is not among them, the numbers of values differ, or one has classes and
    /// the other values.
    pub fn in_terms_of(mut self, targets: &Targets) -> Result<Dataset> {
        match (targets, &mut self.targets) {
            (Targets::Classes { names, .. }, Targets::Classes { .. }) => self.with_classes(names),
            (Targets::Values { names, .. }, Targets::Values { names: found, .. })
                if names.len() == found.len() =>
            {
                found.clone_from(names);
                Ok(self)
            }
            (Targets::Labels { names, .. }, Targets::Labels { names: found, .. })
                if names.len() == found.len() =>
            {
                found.clone_from(names);
                Ok(self)
            }
            (wanted, found) => Err(invalid(format!(
                "the samples come {}, expected samples {}",
                found.task().with(found.outputs()),
                wanted.task().with(wanted.outputs())
            ))),
        }
    }

    /// The same samples with labels in place of values, which must all be 0 or 1: a sample has the labels whose value is 1.
    /// Labels stay as they are.
    ///
    /// # Errors
    /// `InvalidData` for another value, or targets that are classes.
    pub fn with_labels(mut self) -> Result<Dataset> {
        if matches!(self.targets, Targets::Labels { .. }) {
            return Ok(self);
        }
        let Targets::Values { values, names } = self.targets else {
            return Err(invalid("the targets are no numbers, expected 0 or 1 for each label"));
        };
        if let Some(at) = values.iter().position(|&value| value != 0.0 && value != 1.0) {
            return Err(invalid(format!(
                "sample {} has the number {} in the label column {}, expected 0 or 1",
                at / names.len(),
                values[at],
                names[at % names.len()]
            )));
        }
        let values = values.iter().map(|&value| u8::from(value == 1.0)).collect();
        self.targets = Targets::Labels { values, names };
        Ok(self)
    }

    /// The same samples with labels that are indices into `class_names`. Classes are matched by name;
    /// classes named 0, 1, 2, ... stand for names that are not numbers, in their order.
    ///
    /// # Errors
    /// `InvalidData` if a class of these samples is not among `class_names`, or their targets are
    /// values.
    pub fn with_classes(mut self, class_names: &[String]) -> Result<Dataset> {
        let Targets::Classes { labels, names } = &mut self.targets else {
            return Err(invalid("the targets are values, expected classes"));
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

/// The index in `known` of each class in `found`.
fn match_classes(known: &[String], found: &[String]) -> Result<Vec<u32>> {
    let position = |name: &String| known.iter().position(|other| other == name);
    if let Some(indices) = found.iter().map(position).collect::<Option<Vec<_>>>() {
        return Ok(indices.into_iter().map(|index| index as u32).collect());
    }
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    let place = |name: &String| {
        let place: usize = name.parse().ok().filter(|&place| place < known.len())?;
        (*name == place.to_string()).then_some(place as u32)
    };
    if !known.iter().any(is_number)
        && let Some(places) = found.iter().map(place).collect()
    {
        return Ok(places);
    }
    let unknown: Vec<_> = found.iter().filter(|name| !known.contains(name)).collect();
    Err(invalid(format!(
        "some classes are not in the training data: {}; its classes are {}",
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
