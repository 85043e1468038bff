//! Whether data are those that a run was begun with: a checkpoint and data in, an error that says what has changed out.
//!
//! Everything that the run learns from, or that its model is named after, must be the same: the values, their order,
//! the targets and the weights decide the bits; other names of columns or classes mean that the numbers may stand for
//! something else. Where the data are kept, and in what kind of file, does not matter.

use crate::error::{Error, Result};
use crate::samples::{Columns, DataDigest};
use crate::training::checkpoint::Checkpoint;
use crate::training::data::{Data, whole};

/// Checks that `data` are those of the checkpoint.
///
/// # Errors
/// `InvalidArgument` with the first difference.
pub(super) fn check_same_data(checkpoint: &Checkpoint, data: &Data) -> Result<()> {
    match names_differ(checkpoint, data).or_else(|| content_differs(checkpoint, data)) {
        None => Ok(()),
        Some(difference) => Err(Error::argument(format!(
            "the data are not those that the run was begun with: {difference}; give the same training and validation \
             data and the same sample weights, or begin a new run"
        ))),
    }
}

/// The first difference between the names and shapes of the model's data and these.
fn names_differ(checkpoint: &Checkpoint, data: &Data) -> Option<String> {
    let (model, set) = (checkpoint.model(), data.train.data());
    if model.sample_shape != set.sample_shape {
        let (before, now) = (&model.sample_shape, &set.sample_shape);
        return Some(format!("samples had the shape {before:?}, and now {now:?}"));
    }
    // Data of another kind of file have no columns: then only the numbers can be compared.
    let columns = |columns: &Option<Columns>| columns.as_ref()?.names().map(<[_]>::to_vec);
    let columns = columns(&model.columns).zip(columns(&set.columns));
    let outputs = (model.target_names(), set.targets.names().to_vec());
    [("columns", columns), (model.task().outputs(), Some(outputs))].into_iter().find_map(
        |(what, names)| {
            let (before, now) = names?;
            Some(format!("{what}: {}", first_difference(&before, &now)?))
        },
    )
}

/// The first place at which two lists of names differ.
fn first_difference(before: &[String], now: &[String]) -> Option<String> {
    if before.len() != now.len() {
        return Some(format!("there were {}, and now {}", before.len(), now.len()));
    }
    let at = before.iter().zip(now).position(|(before, now)| before != now)?;
    Some(format!("'{}' is now called '{}'", before[at], now[at]))
}

/// Whether the digests of two sets agree, part by part.
fn are_same((now, before): (&Option<DataDigest>, &Option<DataDigest>)) -> bool {
    match (now, before) {
        (Some(now), Some(before)) => {
            DataDigest { all: String::new(), ..now.clone() }
                == DataDigest { all: String::new(), ..before.clone() }
        }
        (None, None) => true,
        _ => false,
    }
}

/// The first difference between the numbers.
fn content_differs(checkpoint: &Checkpoint, data: &Data) -> Option<String> {
    let (now, state) = (data.digests(), &checkpoint.state);
    // The digest of the whole of streamed samples may be made in another way than that of the same in memory.
    if now.each_ref().map(whole) == state.data || now.iter().zip(&state.sets).all(are_same) {
        return None;
    }
    let mut differences = ["training", "validation"].into_iter().zip(state.sets.iter().zip(&now));
    let difference = differences.find_map(|(part, sets)| match sets {
        (Some(before), Some(now)) => Some(format!("{part} data: {}", before.difference(now)?)),
        (None, Some(_)) => Some("there were no validation data".to_owned()),
        (Some(_), None) => Some("there are no validation data any more".to_owned()),
        (None, None) => None,
    });
    // A checkpoint of an earlier version has no digests of parts.
    let known = state.sets[0].is_some();
    Some(difference.filter(|_| known).unwrap_or_else(|| "their numbers have changed".to_owned()))
}
