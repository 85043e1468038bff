//! The one entry point for data: the name of a set or a path in, a training and a test set out.

use std::path::Path;

use super::fetch::{FetchProgress, Timeouts};
use super::files::{no_values, read_matching, read_path};
use super::find_set::{built_in, default_set, is_set_name, named_set, unknown};
use super::label_warnings::label_warning;
use super::load_options::{Found, LoadOptions, Loaded, SampleOrder};
use super::parts::{Part, Parts};
use super::search_path::Environment;
use super::sets;
use super::shards::{self, Shards};
use super::split::split_samples;
use super::{Dataset, Inputs, invalid};
use crate::error::{Error, Result};

/// The share of samples that is held out if the data have no test part.
const TEST_FRACTION: f64 = 0.2;

/// Finds and reads a named set or a path, as it is.
///
/// A named set is looked for in `data_dir`, `$GRADUS_DATA`, `./data`, the cache folder, and where
/// Keras and torchvision leave it; then it is downloaded (`progress` hears how far).
///
/// # Errors
/// `NotFound` for a path or name that does not exist, `InvalidData` for content that cannot be used,
/// `Download` if no mirror gives a set.
pub fn find(options: &LoadOptions, progress: &mut dyn FnMut(&FetchProgress)) -> Result<Found> {
    find_in(options, &Environment::of_process(), Timeouts::default(), progress)
}

/// Like [`find`]; if the data have no test part, a fifth of the training part is held out for testing, shuffled by
/// the seed and stratified.
///
/// # Errors
/// As [`find`], and `InvalidData` if there are too few samples to hold some out.
pub fn load(options: &LoadOptions, progress: &mut dyn FnMut(&FetchProgress)) -> Result<Loaded> {
    find(options, progress)?.with_test_part(options.seed)
}

/// Loads one file or folder as labelled samples: its test part if there is one, else its validation part, else
/// everything. The second value has warnings, one line each, like [`Found::warnings`].
///
/// # Errors
/// As [`find`]; no name of a set is known here.
pub fn load_single(path: &Path, options: &LoadOptions) -> Result<(Dataset, Vec<String>)> {
    let mut warnings = Vec::new();
    let data = read_path(path, options.reading(), &mut warnings)?.for_measuring(Part::Test);
    Ok((data, warnings))
}

/// Like [`load_single`], for testing a model that is trained on `train`: images are scaled to
/// its size, classes have its order, and values its type.
///
/// # Errors
/// As [`load_single`], and `InvalidData` if the samples do not fit those of `train` or are of a
/// class that it lacks.
pub fn load_matching(
    path: &Path,
    train: &Dataset,
    options: &LoadOptions,
) -> Result<(Dataset, Vec<String>)> {
    let mut warnings = Vec::new();
    let data = read_matching(path, Part::Test, train, options.reading(), &mut warnings)?;
    Ok((data, warnings))
}

/// Like [`load_matching`], for validating: of several parts the validation part comes first.
///
/// # Errors
/// As [`load_matching`].
pub fn load_validation(
    path: &Path,
    train: &Dataset,
    options: &LoadOptions,
) -> Result<(Dataset, Vec<String>)> {
    let mut warnings = Vec::new();
    let data = read_matching(path, Part::Validation, train, options.reading(), &mut warnings)?;
    Ok((data, warnings))
}

/// As [`find`], with everything that comes from outside.
pub(crate) fn find_in(
    options: &LoadOptions,
    environment: &Environment,
    timeouts: Timeouts,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Found> {
    let mut found = match options.data.as_deref() {
        None if options.values => return Err(no_values("mnist")),
        None => default_set(options, environment, timeouts, progress)?,
        Some(data) => match data.to_str().filter(|_| is_set_name(data)) {
            Some(name) => {
                let found = match sets::find(name) {
                    _ if options.values => Err(no_values(name)),
                    Some(set) => named_set(set, options, environment, timeouts, progress)
                        .map_err(|missing| missing.error),
                    None => built_in(),
                };
                let path = environment.current.join(name);
                let mut found = found.map_err(|error| match shadow_note(name, &path) {
                    Some(note) => Error::new(error.kind(), format!("{error}; {note}")),
                    None => error,
                })?;
                if !is_within(&found.origin, &path) {
                    found.warnings.extend(shadow_note(name, &path));
                }
                found
            }
            None => at_path(data, options)?,
        },
    };
    if let Some(path) = &options.test {
        let (test, warnings) = load_matching(path, &found.train, options)?;
        found.test = Some(test);
        found.warnings.extend(warnings);
    }
    Ok(found)
}

impl Found {
    /// Holds out a test part if there is none, with a warning: a fifth, shuffled by `seed` and stratified.
    /// Sample weights stay with their samples.
    ///
    /// # Errors
    /// `InvalidData` if there are too few samples to hold some out.
    pub fn with_test_part(mut self, seed: u64) -> Result<Loaded> {
        let (train, test) = match self.test {
            Some(test) => (self.train, test),
            None => {
                let (training, held_out) = held_out(&self.train, self.order, TEST_FRACTION, seed);
                let samples = self.train.len();
                let (of_what, each) = match self.train.class_names().len() {
                    0 => (String::new(), ""),
                    classes => (format!(" in {classes} classes"), " of each class"),
                };
                if held_out.is_empty() {
                    return Err(invalid(format!(
                        "{}: {samples} samples{of_what} are too few to hold some out \
                         for testing; give a separate test set (`test`)",
                        self.name
                    )));
                }
                let how = match self.order {
                    SampleOrder::Shuffled => "the last 20 %".to_owned(),
                    _ => format!("20 %{each}, drawn with seed {seed}"),
                };
                self.warnings.push(format!(
                    "{} has no test part: {} of its {samples} samples ({how}) are held out for testing",
                    self.name,
                    held_out.len(),
                ));
                self.train.divide(&training, &held_out)
            }
        };
        let Found { name, validation, origin, warnings, order, .. } = self;
        Ok(Loaded { name, train, validation, test, origin, warnings, order })
    }
}

/// The numbers of samples that stay, and of those that are held out: the last ones of samples that were shuffled when they
/// were packed, else drawn from all classes with `seed`. Samples that are not in memory, and those of shards, stay in their order: so
/// training has the same samples in the same order wherever they are.
pub fn held_out(
    data: &Dataset,
    order: SampleOrder,
    fraction: f64,
    seed: u64,
) -> (Vec<usize>, Vec<usize>) {
    if order == SampleOrder::Shuffled {
        let samples = data.len();
        let count = (samples as f64 * fraction).round() as usize;
        let first = samples - count.min(samples);
        return ((0..first).collect(), (first..samples).collect());
    }
    let (mut training, mut held_out) = split_samples(data, fraction, seed);
    if order == SampleOrder::Stored || matches!(data.inputs, Inputs::Streamed(_)) {
        training.sort_unstable();
        held_out.sort_unstable();
    }
    (training, held_out)
}

impl From<Loaded> for Found {
    fn from(loaded: Loaded) -> Found {
        let Loaded { name, train, validation, test, origin, warnings, order } = loaded;
        Found { name, train, validation, test: Some(test), origin, warnings, order }
    }
}

fn at_path(path: &Path, options: &LoadOptions) -> Result<Found> {
    let name = path.display().to_string();
    // Reading a pattern says whether there are files of it.
    if !path.exists() && !name.contains(['*', '?']) {
        return Err(unknown(&name));
    }
    let mut warnings = Vec::new();
    let Parts { train, validation, test } = read_path(path, options.reading(), &mut warnings)?;
    warnings.extend(label_warning(&train).map(|warning| format!("{name}: {warning}")));
    let order = match shards::is_shards(path) {
        false => SampleOrder::Unknown,
        true => match Shards::open(path)?.shuffle_seed() {
            None => SampleOrder::Stored,
            Some(_) => SampleOrder::Shuffled,
        },
    };
    Ok(Found { origin: name.clone(), name, train, validation, test, warnings, order })
}

/// A note that a file or folder has the name of a set, if `path` exists: it is not read for it.
fn shadow_note(name: &str, path: &Path) -> Option<String> {
    let what = if path.is_dir() { "folder" } else { "file" };
    path.exists().then(|| {
        format!(
            "{name} is the data set of this name, not the {what} in the current folder: for the {what} \
             write {}",
            Path::new(".").join(name).display()
        )
    })
}

/// The note for a name of a set that is also that of a file or folder in the current folder.
pub fn note_on_name(data: &Path) -> Option<String> {
    data.to_str().filter(|_| is_set_name(data)).and_then(|name| shadow_note(name, data))
}

/// Whether a folder that a set was read from is this one, or in it.
fn is_within(origin: &str, path: &Path) -> bool {
    match (path.canonicalize(), Path::new(origin).canonicalize()) {
        (Ok(path), Ok(origin)) => origin.starts_with(path),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::find_set::fetch;
    use crate::testing::{gzip, idx_file};
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;
    use tempfile::{TempDir, tempdir};

    /// A machine with an empty home and no network.
    fn nowhere() -> (TempDir, Environment) {
        let home = tempdir().unwrap();
        let environment = Environment {
            // Refuses every connection at once.
            mirror: Some("http://127.0.0.1:9".to_owned()),
            current: home.path().join("here"),
            cache: Some(home.path().join("cache/gradus")),
            keras: Some(home.path().join(".keras")),
            home: Some(home.path().to_owned()),
            gradus_data: None,
        };
        (home, environment)
    }

    const TIMEOUTS: Timeouts =
        Timeouts { answer: Duration::from_millis(500), stall: Duration::from_secs(1) };

    fn load_in(options: &LoadOptions, environment: &Environment) -> Result<Loaded> {
        find_in(options, environment, TIMEOUTS, &mut |_| {})?.with_test_part(options.seed)
    }

    fn named(name: &str) -> LoadOptions {
        LoadOptions { data: Some(name.into()), download: false, ..LoadOptions::default() }
    }

    fn table(folder: &TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A set of the right shape that was compressed anew.
    fn write_kmnist(folder: &Path, train: usize) {
        fs::create_dir_all(folder).unwrap();
        let images = |count: usize| idx_file(8, &[count as u32, 28, 28], &vec![0; count * 784]);
        let labels = |count: usize| idx_file(8, &[count as u32], &vec![9; count]);
        for (name, bytes) in [
            ("train-images-idx3-ubyte.gz", images(train)),
            ("train-labels-idx1-ubyte.gz", labels(train)),
            ("t10k-images-idx3-ubyte.gz", images(10_000)),
            ("t10k-labels-idx1-ubyte.gz", labels(10_000)),
        ] {
            fs::write(folder.join(name), gzip(&bytes)).unwrap();
        }
    }

    #[test]
    fn a_named_set_is_found_where_it_lies_and_bad_copies_are_passed_over() {
        let (home, environment) = nowhere();
        write_kmnist(&home.path().join("cache/gradus/kmnist"), 59_999);
        write_kmnist(&home.path().join("data/KMNIST/raw"), 60_000);
        let loaded = load_in(&named("kmnist"), &environment).unwrap();
        assert!(loaded.origin.ends_with("data/KMNIST/raw"), "{}", loaded.origin);
        assert_eq!((loaded.name.as_str(), loaded.train.len()), ("kmnist", 60_000));
        assert_eq!(loaded.train.class_names()[9], "wo");
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].contains("there are 59999 images"), "{:?}", loaded.warnings);
    }

    #[test]
    fn a_named_set_is_never_replaced() {
        let (home, mut environment) = nowhere();
        let error = load_in(&named("mnist"), &environment).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("gradus fetch mnist"), "{error}");
        let options = LoadOptions { download: true, ..named("kmnist") };
        let error = load_in(&options, &environment).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Download);
        assert!(error.to_string().contains("http://127.0.0.1:9/kmnist/train-images"), "{error}");
        // Without the name on the folder only a known SHA-256 would tell KMNIST from its relatives.
        write_kmnist(home.path(), 60_000);
        environment.gradus_data = Some(home.path().to_owned());
        let error = load_in(&named("kmnist"), &environment).unwrap_err().to_string();
        assert!(error.contains("this is not the train-images-idx3-ubyte of kmnist"), "{error}");
    }

    #[test]
    fn without_a_name_the_digits_take_the_place_of_mnist_in_two_lines() {
        let (home, environment) = nowhere();
        let options = LoadOptions { download: false, ..LoadOptions::default() };
        let loaded = load_in(&options, &environment).unwrap();
        assert_eq!((loaded.name.as_str(), loaded.warnings.len()), ("digits", 2));
        assert!(loaded.warnings[0].contains("not on this machine"), "{:?}", loaded.warnings);
        assert!(loaded.warnings[1].contains("gradus fetch mnist"), "{:?}", loaded.warnings);
        assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
        fs::create_dir_all(home.path().join("here/data/mnist")).unwrap();
        fs::write(home.path().join("here/data/mnist/train-images-idx3-ubyte"), b"").unwrap();
        let loaded = load_in(&options, &environment).unwrap();
        assert!(
            loaded.warnings[2].contains("train-labels-idx1-ubyte[.gz]"),
            "{:?}",
            loaded.warnings
        );
    }

    #[test]
    fn names_and_folders_that_do_not_exist_are_refused() {
        let (home, environment) = nowhere();
        let error = load_in(&named("mnits"), &environment).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("fashion-mnist"), "{error}");
        let error = load_in(&named("no/such.csv"), &environment).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "there is no file or folder no/such.csv");
        let data_dir = Some(home.path().join("no"));
        let error = load_in(&LoadOptions { data_dir, ..named("mnist") }, &environment);
        assert!(error.unwrap_err().to_string().contains("there is no data folder"));
        assert!(fetch("digits", &mut |_| {}).is_err());
        assert_eq!(fetch("mnits", &mut |_| {}).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn data_without_a_test_part_are_split_and_it_is_said() {
        let folder = tempdir().unwrap();
        let rows: Vec<_> = (0..50).map(|at| format!("c{},{at}.5\n", at % 5)).collect();
        let path = table(&folder, "a.csv", &rows.concat());
        let (_home, environment) = nowhere();
        let options = named(path.to_str().unwrap());
        let loaded = load_in(&options, &environment).unwrap();
        let test = &loaded.test;
        assert_eq!((loaded.train.len(), test.len(), loaded.validation), (40, 10, None));
        assert!((0..5).all(|class| test.labels().iter().filter(|&&it| it == class).count() == 2));
        assert!(loaded.warnings[0].contains("10 of its 50 samples"), "{:?}", loaded.warnings);
        let again = load_in(&options, &environment).unwrap();
        assert_eq!(again.test, loaded.test);
        let other = load_in(&LoadOptions { seed: 1, ..options }, &environment).unwrap();
        assert_ne!(other.test, loaded.test);
        let path = table(&folder, "few.csv", "a,1\nb,2\n");
        let error = load_in(&named(path.to_str().unwrap()), &environment).unwrap_err();
        assert!(error.to_string().contains("too few"), "{error}");
        let found = find(&named(path.to_str().unwrap()), &mut |_| {}).unwrap();
        assert_eq!((found.train.len(), found.test, found.warnings), (2, None, vec![]));
    }

    #[test]
    fn a_test_set_of_the_user_s_own_is_matched_by_names() {
        let folder = tempdir().unwrap();
        let train = table(&folder, "train.csv", "cat,1,2\ndog,3,4\ncow,5,6\n");
        let test = table(&folder, "test.csv", "dog,7,8\ncat,9,1\n");
        let (_home, environment) = nowhere();
        let options = |test: &Path| LoadOptions {
            test: Some(test.to_owned()),
            ..named(train.to_str().unwrap())
        };
        let loaded = load_in(&options(&test), &environment).unwrap();
        assert_eq!((loaded.train.len(), loaded.warnings.len()), (3, 0));
        let test_part = loaded.test;
        assert_eq!(test_part.class_names(), ["cat", "cow", "dog"]);
        assert_eq!(test_part.labels(), [2, 0]);
        let narrow = table(&folder, "narrow.csv", "dog,7\ncat,9\n");
        let error = load_in(&options(&narrow), &environment).unwrap_err().to_string();
        assert!(error.contains("narrow.csv: the table has 2 columns, expected 3"), "{error}");
        let (single, warnings) = load_single(&test, &LoadOptions::default()).unwrap();
        assert_eq!((single.class_names(), warnings.len()), (&["cat".into(), "dog".into()][..], 0));
    }

    #[test]
    fn a_validation_part_is_kept_and_nothing_is_split_off() {
        let folder = tempdir().unwrap();
        let rows = |count: usize| {
            let rows = (0..count).map(|at| format!("{},{at}.5,{at}\n", ["ape", "bee"][at % 2]));
            "animal,size,age\n".to_owned() + &rows.collect::<String>()
        };
        table(&folder, "train.csv", &rows(20));
        table(&folder, "val.csv", &rows(6));
        table(&folder, "sample.csv", "no part of the set");
        let (_home, environment) = nowhere();
        let options = named(folder.path().to_str().unwrap());
        let find = || find_in(&options, &environment, TIMEOUTS, &mut |_| {}).unwrap();
        let loaded = find();
        assert_eq!((loaded.train.len(), loaded.validation.unwrap().len()), (20, 6));
        assert_eq!((loaded.test, loaded.warnings.len()), (None, 1), "{:?}", loaded.warnings);
        assert!(loaded.warnings[0].contains("passed over: sample.csv"), "{:?}", loaded.warnings);
        table(&folder, "test.csv", &rows(4));
        assert_eq!(find().test.unwrap().len(), 4);
        assert_eq!(load_single(folder.path(), &options).unwrap().0.len(), 4);
        // A table to predict has no labels: it is no test part.
        table(&folder, "test.csv", "size,age\n1.5,1\n2.5,2\n");
        let loaded = find();
        assert_eq!((loaded.validation.unwrap().len(), loaded.test), (6, None));
        let notice = "has no test part: test.csv was passed over, since";
        assert!(loaded.warnings.iter().any(|it| it.contains(notice)), "{:?}", loaded.warnings);
        let loaded = load_in(&options, &environment).unwrap();
        assert_eq!((loaded.validation.unwrap().len(), loaded.test.len()), (6, 4));
        let regression =
            LoadOptions { values: true, label_column: Some("animal".into()), ..options };
        let error = load_in(&regression, &environment).unwrap_err().to_string();
        assert!(error.contains("train.csv"), "{error}");
    }

    #[test]
    fn a_path_of_a_set_s_name_is_pointed_out() {
        let (home, mut environment) = nowhere();
        environment.current = home.path().to_owned();
        let warnings = |name: &str| load_in(&named(name), &environment).unwrap().warnings;
        assert!(warnings("digits").is_empty());
        fs::write(home.path().join("digits"), "a,1\n").unwrap();
        let notice = warnings("digits");
        assert!(notice[0].contains("not the file in the current folder"), "{notice:?}");
        assert!(notice[0].ends_with("write ./digits"), "{notice:?}");
        write_kmnist(&home.path().join("data/kmnist"), 60_000);
        assert!(warnings("kmnist").is_empty());
        fs::create_dir(home.path().join("kmnist")).unwrap();
        assert!(warnings("kmnist")[0].contains("for the folder write ./kmnist"));
    }

    #[test]
    fn the_label_column_that_was_guessed_is_told() {
        let folder = tempdir().unwrap();
        let train = table(&folder, "train.csv", "species,u,v\n1,2,3\n2,3,4\n");
        let (_home, environment) = nowhere();
        let options = |label_column: Option<&str>| LoadOptions {
            test: Some(train.clone()),
            label_column: label_column.map(str::to_owned),
            ..named(train.to_str().unwrap())
        };
        let loaded = load_in(&options(None), &environment).unwrap();
        assert_eq!((loaded.warnings.len(), loaded.train.features()), (1, 2));
        let notice = "train.csv: label column: \"species\" (the first; name another";
        assert!(loaded.warnings[0].contains(notice), "{:?}", loaded.warnings);
        assert_eq!(load_single(&train, &options(None)).unwrap().1, loaded.warnings[..1]);
        let chosen = load_in(&options(Some("species")), &environment).unwrap();
        assert!(chosen.warnings.is_empty() && chosen.train == loaded.train);
    }
}
