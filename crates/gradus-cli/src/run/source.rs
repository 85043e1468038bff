//! Data for a command: names, paths and options in, data sets out; notices go to standard error.

use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::data::{Found, LoadOptions, Loaded, Task, read_sample_weights, set_names};

use crate::args::{SourceArgs, TrainArgs};
use crate::run::output::warn;
use crate::run::progress::Downloads;

/// What to load.
///
/// # Errors
/// Where an option could have no effect on these data.
pub(crate) fn options(
    task: Task,
    data: Option<&str>,
    args: &SourceArgs,
    test: Option<&Path>,
    seed: u64,
) -> Result<LoadOptions> {
    let named = data.is_none_or(is_named);
    let path = Path::new(data.unwrap_or_default());
    let wrong = |option: &str, why: &str| {
        let data = data.unwrap_or("mnist");
        Err(Error::argument(format!("{option} has no effect on {data}: {why}")).into())
    };
    if args.data_dir.is_some() && !named {
        return wrong("--data-dir", "it says where named data sets are");
    }
    if args.label_column.is_some() && (named || path.is_dir()) {
        return wrong("--label-column", "it names the column of a CSV table");
    }
    if args.image_size.is_some() && (named || path.is_file()) {
        return wrong("--image-size", "it is for folders of pictures");
    }
    Ok(LoadOptions {
        data: data.map(str::to_owned),
        data_dir: args.data_dir.clone(),
        test: test.map(Path::to_owned),
        label_column: args.label_column.clone(),
        values: task == Task::Values,
        image_size: args.image_size,
        seed,
        download: !args.no_download,
    })
}

/// What to load for a training run.
///
/// # Errors
/// As [`options`].
pub(crate) fn training_options(args: &TrainArgs, seed: u64) -> Result<LoadOptions> {
    let (data, test) = (args.data.as_deref(), args.test.as_deref());
    options(args.task(), data, &args.source, test, seed)
}

/// Whether `data` is the name of a set, not a path.
pub(crate) fn is_named(data: &str) -> bool {
    set_names().contains(&data.to_lowercase().replace('_', "-").as_str())
}

/// Loads the training and test part. `weights` names a file of the training samples' weights, one for
/// each row of the data: it is read before some of them are set apart for testing.
pub(crate) fn load(options: &LoadOptions, weights: Option<&Path>) -> Result<Loaded> {
    let mut found = Downloads::watch(|progress| gradus::data::find(options, progress))?;
    if let Some(path) = weights {
        let weights = read_sample_weights(path)?;
        found.train = found
            .train
            .with_sample_weights(weights)
            .map_err(|error| error.context(path.display()))?;
    }
    let loaded = found.with_test_part(options.seed)?;
    loaded.notices.iter().for_each(warn);
    Ok(loaded)
}

/// Loads the data as they are, perhaps without a test part.
pub(crate) fn find(options: &LoadOptions) -> Result<Found> {
    let found = Downloads::watch(|progress| gradus::data::find(options, progress))?;
    found.notices.iter().for_each(warn);
    Ok(found)
}

/// What is kept of the name of data: never the folders of this machine.
pub(crate) fn short_name(data: &str) -> String {
    let last = Path::new(data).file_name().filter(|_| !is_named(data));
    last.map_or(data.to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_no_part_of_a_short_name() {
        assert_eq!(short_name("mnist"), "mnist");
        assert_eq!(short_name("/home/me/flowers.csv"), "flowers.csv");
        assert_eq!(short_name(".."), "..");
    }
}
