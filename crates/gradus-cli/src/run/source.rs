//! Loads the data of a command: names, paths and options in, data sets out; warnings go to standard error.

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;
use gradus::Error;
use gradus::classifier::Model;
use gradus::data::{
    ColumnType, Found, LoadOptions, Task, is_set_name, note_on_name, read_sample_weights,
};
use gradus::transform::columns::Schema;

use crate::args::{KindArgs, SourceArgs, TableArgs, TrainArgs};
use crate::run::file_kind::FileKind;
use crate::run::output::warn;
use crate::run::progress::Downloads;
use crate::run::settings::Settings;

/// The data that a command asks for.
pub(crate) struct DataRequest<'a> {
    pub(crate) task: Task,
    /// The name of a data set or a path; none for MNIST, else the built-in digits.
    pub(crate) data: Option<&'a Path>,
    pub(crate) test: Option<&'a Path>,
    pub(crate) validation: Option<&'a Path>,
    /// Seed that decides which samples are held out.
    pub(crate) seed: u64,
    /// Columns whose kind the user decides.
    pub(crate) kinds: Option<&'a KindArgs>,
}

impl<'a> DataRequest<'a> {
    /// A request without separate test and validation sets.
    pub(crate) fn new(task: Task, data: Option<&'a Path>, seed: u64) -> DataRequest<'a> {
        DataRequest { task, data, test: None, validation: None, seed, kinds: None }
    }

    /// The kind of the file or folder; none for a named data set.
    fn kind(&self) -> Option<FileKind> {
        self.data.filter(|data| !is_set_name(data)).map(FileKind::of)
    }

    /// Checks that every option has an effect on these data.
    ///
    /// # Errors
    /// `InvalidArgument` for the first one that has none.
    fn check(&self, args: &SourceArgs) -> Result<(), Error> {
        let data = self.data.unwrap_or(Path::new("mnist"));
        let kind = self.kind();
        let is_built_in = data.as_os_str().eq_ignore_ascii_case("digits");
        let data = &data.display().to_string();
        for (option, given) in [
            ("--data-dir", args.named.data_dir.is_some()),
            ("--no-download", args.named.no_download),
        ] {
            if given && (kind.is_some() || is_built_in) {
                let what = if is_built_in { "is built in" } else { "is a path" };
                let why = format!("it is for named data sets that may be missing, and this {what}");
                return Err(no_effect(option, data, &why));
            }
        }
        let found = kind.map_or("a named data set", FileKind::name);
        let others = [self.test, self.validation].into_iter().flatten().map(FileKind::of);
        let may_be = |kind: FileKind, wanted| [wanted, FileKind::Unknown].contains(&kind);
        let table = kind.into_iter().chain(others).any(|kind| may_be(kind, FileKind::Table));
        if args.label_column.is_some() && !table {
            let why = format!("it names a column of a table, and this is {found}");
            return Err(no_effect("--label-column", data, &why));
        }
        check_table(&args.table, table, data, found)?;
        if let Some(option) = self.kinds.and_then(KindArgs::given).filter(|_| !table) {
            return Err(no_effect(option, data, &format!("it is for tables, and this is {found}")));
        }
        // Test and validation images are scaled to the size of the training images.
        let images = kind.is_some_and(|kind| may_be(kind, FileKind::ImageFolder));
        if args.image_size.is_some() && !images {
            let why = format!("it is for folders of images, and this is {found}");
            return Err(no_effect("--image-size", data, &why));
        }
        Ok(())
    }
}

/// Checks that the options for tables have one to apply to.
pub(crate) fn check_table(
    args: &TableArgs,
    is_table: bool,
    data: impl Display,
    found: &str,
) -> Result<(), Error> {
    let given = [
        ("--drop", !args.drop.is_empty()),
        ("--encoding", args.encoding.is_some()),
        ("--missing", args.missing.is_some()),
        ("--no-header", args.no_header),
    ];
    match given.into_iter().find(|(_, given)| *given && !is_table) {
        Some((option, _)) => {
            Err(no_effect(option, data, &format!("it is for tables, and this is {found}")))
        }
        None => Ok(()),
    }
}

/// The error for an option that has no effect on `what`.
pub(crate) fn no_effect(option: &str, what: impl Display, why: &str) -> Error {
    Error::argument(format!("{option} has no effect on {what}: {why}; leave it out"))
}

/// What to load.
///
/// # Errors
/// `InvalidArgument` if an option has no effect on these data.
pub(crate) fn options(request: &DataRequest, args: &SourceArgs) -> Result<LoadOptions> {
    request.check(args).map_err(|error| match request.data.and_then(note_on_name) {
        Some(note) => Error::argument(format!("{error}; {note}")),
        None => error,
    })?;
    Ok(LoadOptions {
        data: request.data.map(Path::to_owned),
        data_dir: args.named.data_dir.clone(),
        test: request.test.map(Path::to_owned),
        label_column: args.label_column.clone(),
        drop: args.table.drop.clone(),
        kinds: request.kinds.map(KindArgs::kinds).unwrap_or_default(),
        missing: args.table.missing.clone(),
        types: None,
        used: None,
        fill: None,
        encoding: args.table.encoding,
        header: args.table.header(),
        columns: None,
        doubles: false,
        colour: false,
        // Labels are read as the numbers 0 and 1.
        values: request.task != Task::Classification,
        image_size: args.image_size,
        seed: request.seed,
        download: !args.named.no_download,
        streamed: false,
    })
}

/// What to load for a training run.
///
/// # Errors
/// As [`options`].
pub(crate) fn training_options(args: &TrainArgs, settings: &Settings) -> Result<LoadOptions> {
    let request = DataRequest {
        test: args.test.as_deref(),
        validation: settings.validation_set.as_deref(),
        kinds: Some(&args.kinds),
        ..DataRequest::new(args.task(), args.data.as_deref(), settings.config.seed)
    };
    let mut options = options(&request, &args.source)?;
    let earlier = settings.checkpoint.as_ref().map(|it| it.model()).or(settings.model());
    if let Some(columns) = earlier.and_then(|model| model.columns.clone()) {
        // A run that goes on, or trains on from a model, has its columns, wherever they are in a table now.
        if !args.given.contains_key("label_column") && !columns.targets().is_empty() {
            options.label_column = None;
        }
        options.drop.clear();
        options.columns = Some(columns);
        options.types = earlier.and_then(types_of);
    }
    let is_shards = request.kind() == Some(FileKind::Shards);
    if args.in_memory && !is_shards {
        let why = "it is for folders of shards, which are read piece by piece without it";
        let data = args.data.as_deref().unwrap_or(Path::new("mnist"));
        return Err(no_effect("--in-memory", data.display(), why).into());
    }
    options.streamed = is_shards && !args.in_memory;
    options.doubles = earlier.is_some_and(|model| model.transform.takes_doubles());
    options.colour =
        earlier.is_some_and(|model| model.sample_shape.len() == 3 && model.image_size().is_none());
    Ok(options)
}

/// The types of the raw columns that a model takes, if it takes any.
pub(crate) fn types_of(model: &Model) -> Option<Vec<ColumnType>> {
    model.transform.schema().map(Schema::types)
}

/// Whether a model uses each of the raw columns that it takes, if it takes any.
pub(crate) fn used_by(model: &Model) -> Option<Vec<bool>> {
    model.transform.schema().map(Schema::used)
}

/// What stands in place of gaps in tables for a model that was trained on columns without gaps: their means, which become 0.
/// None for a model that has its own way, and for one whose normalization has no means.
pub(crate) fn fill_of(model: &Model) -> Option<Vec<f64>> {
    let is_of_columns = model.columns.is_some() && model.transform.schema().is_none();
    let means = model.transform.means();
    (is_of_columns && means.len() == model.features() && model.transform.as_scalar().is_none())
        .then_some(means)
}

/// Loads the training and test data. `weights` is a file with the weights of the training samples, one per
/// row: it is read before a test set is split off, so that weights stay with their samples.
///
/// There is no test set if the data have a validation part: whoever made it has divided them already.
pub(crate) fn load(options: &LoadOptions, weights: Option<&Path>) -> Result<Found> {
    let mut found = Downloads::watch(|progress| gradus::data::find(options, progress))?;
    if let Some(path) = weights {
        let weights = read_sample_weights(path)?;
        found.train = found
            .train
            .with_sample_weights(weights)
            .map_err(|error| error.context(path.display()))?;
    }
    let found = match found.validation {
        Some(_) => found,
        None => found.with_test_part(options.seed)?.into(),
    };
    found.warnings.iter().for_each(warn);
    Ok(found)
}

/// Loads the data as they are, possibly without a test set.
pub(crate) fn find(options: &LoadOptions) -> Result<Found> {
    let found = Downloads::watch(|progress| gradus::data::find(options, progress))?;
    found.warnings.iter().for_each(warn);
    Ok(found)
}

/// The name of the data without folders: models do not record the paths of this machine. A path that ends in
/// the name of a data set keeps a mark that it is a path.
pub(crate) fn short_name(data: &Path) -> String {
    let last = data.file_name().filter(|_| !is_set_name(data));
    let name = last.unwrap_or(data.as_os_str());
    match last.is_some() && is_set_name(Path::new(name)) {
        true => Path::new(".").join(name).display().to_string(),
        false => name.to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_contains_no_folders() {
        let short_name = |data: &str| short_name(Path::new(data));
        assert_eq!(short_name("mnist"), "mnist");
        assert_eq!(short_name("/home/me/flowers.csv"), "flowers.csv");
        assert_eq!(short_name(".."), "..");
        assert_eq!(
            short_name("/home/me/mnist"),
            Path::new(".").join("mnist").display().to_string()
        );
    }
}
