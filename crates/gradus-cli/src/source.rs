//! Data for a command: names, paths and options in, data sets out; notices go to standard error.

use std::path::Path;

use anyhow::Result;
use gradus::data::{Dataset, LoadOptions, Loaded, set_names};
use gradus::{Error, ErrorKind};

use crate::args::SourceArgs;
use crate::output::warn;
use crate::progress::Downloads;

/// What to load.
///
/// # Errors
/// Where an option could have no effect on these data.
pub(crate) fn options(
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
        image_size: args.image_size,
        seed,
        download: !args.no_download,
    })
}

/// Whether `data` is the name of a set, not a path.
pub(crate) fn is_named(data: &str) -> bool {
    set_names().contains(&data.to_lowercase().replace('_', "-").as_str())
}

/// Loads the training and test part.
pub(crate) fn load(options: &LoadOptions) -> Result<Loaded> {
    let mut downloads = Downloads::default();
    let loaded = gradus::data::load(options, &mut |progress| downloads.show(progress));
    drop(downloads);
    let loaded = loaded?;
    loaded.notices.iter().for_each(warn);
    Ok(loaded)
}

/// What is kept of the name of data: never the folders of this machine.
pub(crate) fn short_name(data: &str) -> String {
    let last = Path::new(data).file_name().filter(|_| !is_named(data));
    last.map_or(data.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The same samples with labels that count in `class_names`, by the names of their classes.
///
/// # Errors
/// Where a sample is of a class that is not among them.
pub(crate) fn with_classes(
    mut data: Dataset,
    class_names: &[String],
    from: &str,
) -> Result<Dataset> {
    if data.class_names == class_names {
        return Ok(data);
    }
    let position = |name: &String| class_names.iter().position(|known| known == name);
    let known: Vec<Option<u32>> =
        data.class_names.iter().map(|name| position(name).map(|at| at as u32)).collect();
    for label in &mut data.labels {
        let class = *label as usize;
        *label = known[class].ok_or_else(|| {
            let (name, classes) = (&data.class_names[class], class_names.join(", "));
            let message =
                format!("{from}: the class {name} is not one of those trained: {classes}");
            Error::new(ErrorKind::InvalidData, message)
        })?;
    }
    data.class_names = class_names.to_vec();
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus::data::Inputs;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn labels_follow_the_names_of_classes() {
        let inputs = Inputs::Floats(vec![1.0, 2.0, 3.0]);
        let data = Dataset::new(inputs, vec![0, 1, 1], vec![1], names("b c")).unwrap();
        let found = with_classes(data.clone(), &names("a b c"), "x.csv").unwrap();
        assert_eq!(found.labels, [1, 2, 2]);
        assert_eq!(found.class_names, names("a b c"));
        let error = with_classes(data, &names("a b"), "x.csv").unwrap_err().to_string();
        assert!(error.contains("x.csv") && error.contains("class c"), "{error}");
    }

    #[test]
    fn folders_are_no_part_of_a_short_name() {
        assert_eq!(short_name("mnist"), "mnist");
        assert_eq!(short_name("/home/me/flowers.csv"), "flowers.csv");
        assert_eq!(short_name(".."), "..");
    }
}
