//! Labels that are probably not what they were meant to be: a data set in, a warning out.

use super::{Dataset, Targets};

/// Classes from which on their number may be suspicious.
const MANY: usize = 10;

/// Classes from which on few samples in each are suspicious, if the labels are numbers.
const VERY_MANY: usize = 50;

/// Why the labels of training data may be wrong.
pub(crate) fn label_warning(data: &Dataset) -> Option<String> {
    let Targets::Classes { labels, names } = &data.targets else { return None };
    let mut is_used = vec![false; names.len()];
    labels.iter().for_each(|&label| is_used[label as usize] = true);
    warning_of(labels.len(), names, &is_used)
}

/// As [`label_warning`], of so many samples in classes of these names, some of which are not used.
pub(crate) fn warning_of(samples: usize, names: &[String], is_used: &[bool]) -> Option<String> {
    let classes = is_used.iter().filter(|&&used| used).count();
    let are_numbers = names.iter().all(|name| name.parse::<f64>().is_ok());
    let is_one_each = classes > MANY && classes * 2 > samples;
    match classes {
        1 => Some(format!(
            "all {samples} samples are of one class, {:?}: there is nothing to learn; is it the right \
             label column (`label_column`)?",
            names[is_used.iter().position(|&used| used).unwrap_or(0)]
        )),
        _ if are_numbers && (is_one_each || classes > VERY_MANY && classes * 10 > samples) => {
            Some(format!(
                "{classes} classes for {samples} samples: the labels look like values; `loss` squared \
                 learns them as numbers, or `label_column` names another column"
            ))
        }
        _ if is_one_each => Some(format!(
            "{classes} classes for {samples} samples: the labels look like names of the samples; \
             `label_column` names another column"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs;

    fn warning(labels: &[u32], name: impl Fn(u32) -> String) -> Option<String> {
        let names = (0..=*labels.iter().max().unwrap()).map(name).collect();
        let inputs = Inputs::Floats(vec![0.0; labels.len()]);
        label_warning(&Dataset::new(inputs, labels.to_vec(), vec![1], names).unwrap())
    }

    #[test]
    fn suspicious_labels_are_reported() {
        let number = |label: u32| (1000 * label).to_string();
        let each: Vec<u32> = (0..600).collect();
        let warned = warning(&each, number).unwrap();
        assert!(
            warned.contains("600 classes for 600 samples") && warned.contains("`loss` squared")
        );
        let tens: Vec<u32> = (0..600).map(|at| at % 100).collect();
        assert!(warning(&tens, number).unwrap().contains("look like values"));
        let named = warning(&each, |label| format!("p{label}")).unwrap();
        assert!(named.contains("names of the samples"), "{named}");
        assert!(warning(&tens, |label| format!("p{label}")).is_none());
        assert!(warning(&[1, 1, 1], number).unwrap().contains("one class, \"1000\""));
        assert!(warning(&[0, 1, 2], number).is_none());
        let digits: Vec<u32> = (0..600).map(|at| at % 10).collect();
        assert!(warning(&digits, number).is_none());
    }
}
