//! The one entry point for data: the name of a set or a path in, a training and a test set out.

use std::path::{Path, PathBuf};

use super::assemble::fit_test_part;
use super::digits::{self, Part};
use super::fetch::{FetchProgress, Patience, fetch_set, mirrors_of};
use super::files::{ReadOptions, read_path, size_of};
use super::places::{Surroundings, candidates};
use super::sets::{self, BUILT_IN, NamedSet, set_names};
use super::split::stratified_split;
use super::{Dataset, invalid, named};
use crate::error::{Error, Result};

/// Samples of the built-in digits: training and test part.
const DIGITS_SAMPLES: [usize; 2] = [60_000, 10_000];

/// The built-in digits are one set, whatever the seed of a training run: a model can be evaluated
/// later on the same test part.
const DIGITS_SEED: u64 = 0;

/// The share of samples set apart where the data have no test part of their own.
const TEST_FRACTION: f64 = 0.2;

/// What to load and how.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The name of a set ([`set_names`]) or a path; `None` for MNIST and, where it is not to be
    /// had, the built-in digits.
    pub data: Option<String>,
    /// A folder in which named sets are looked for first.
    pub data_dir: Option<PathBuf>,
    /// A test set that takes the place of the data's own.
    pub test: Option<PathBuf>,
    /// Label column of a CSV table: a name from its header, or a position from 0.
    pub label_column: Option<String>,
    /// Height and width to which pictures are scaled; `None` for the size found.
    pub image_size: Option<(usize, usize)>,
    /// Decides which samples are set apart for testing, where the data have no test part.
    pub seed: u64,
    /// Whether a named set that is not on this machine is downloaded.
    pub download: bool,
}

impl Default for LoadOptions {
    /// MNIST, else the built-in digits; seed 0; downloads allowed.
    fn default() -> Self {
        LoadOptions {
            data: None,
            data_dir: None,
            test: None,
            label_column: None,
            image_size: None,
            seed: 0,
            download: true,
        }
    }
}

impl LoadOptions {
    fn reading(&self) -> ReadOptions<'_> {
        ReadOptions { label_column: self.label_column.as_deref(), image_size: self.image_size }
    }
}

/// What [`load`] found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The name of the set, or the path.
    pub name: String,
    /// The training part.
    pub train: Dataset,
    /// The test part: the same sample shape and classes as the training part.
    pub test: Dataset,
    /// Where the data come from: a folder, a file, or "built in".
    pub origin: String,
    /// What the user ought to know, a line each: that a test part was split off, that another set
    /// was taken, that a local copy was passed over.
    pub notices: Vec<String>,
}

/// Loads a named set or a path.
///
/// A named set is looked for in `data_dir`, `$GRADUS_DATA`, `./data`, the cache folder, and where
/// Keras and torchvision leave it; then it is downloaded (`progress` hears how far). Data without a
/// test part are split 80/20, stratified and shuffled by the seed.
///
/// # Errors
/// `NotFound` for a path or name that does not exist, `InvalidData` for content that cannot be used,
/// `Download` where no mirror gives a set.
pub fn load(options: &LoadOptions, progress: &mut dyn FnMut(&FetchProgress)) -> Result<Loaded> {
    load_with(options, &Surroundings::of_process(), Patience::default(), progress)
}

/// Loads one file or folder as labelled samples; of data with a test part, the test part.
///
/// # Errors
/// As [`load`]; no name of a set is known here.
pub fn load_single(path: &Path, options: &LoadOptions) -> Result<Dataset> {
    let (train, test) = read_path(path, options.reading())?;
    Ok(test.unwrap_or(train))
}

/// Downloads a named set into the cache, unless it is there, and returns its folder.
///
/// # Errors
/// `NotFound` for an unknown name, `Download` where no mirror gives the files, `Io` where the cache
/// cannot be written.
pub fn fetch(name: &str, progress: &mut dyn FnMut(&FetchProgress)) -> Result<PathBuf> {
    if name == BUILT_IN {
        return Err(Error::argument(format!(
            "{BUILT_IN} is drawn by the program itself: there is nothing to download"
        )));
    }
    let set = sets::find(name).ok_or_else(|| unknown(name))?;
    let surroundings = Surroundings::of_process();
    let folder = surroundings.download_folder(set).ok_or_else(no_cache)?;
    let mirrors = mirrors_of(set, surroundings.mirror.as_deref());
    fetch_set(set, &folder, &mirrors, Patience::default(), progress)
        .map_err(|failure| failure.into_error(set, &folder))?;
    Ok(folder)
}

fn no_cache() -> Error {
    Error::not_found("there is no folder for downloads: set HOME or XDG_CACHE_HOME")
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!(
        "there is no data set and no path {name:?}: expected one of {}, or the path of a folder of \
         IDX files, an .npz, a .csv, or a folder with one sub-folder of pictures per class",
        set_names().join(", ")
    ))
}

/// As [`load`], with everything that comes from outside.
pub(crate) fn load_with(
    options: &LoadOptions,
    surroundings: &Surroundings,
    patience: Patience,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Loaded> {
    let found = match options.data.as_deref() {
        None => default_set(options, surroundings, patience, progress)?,
        Some(name) => match sets::find(name) {
            Some(set) => named_set(set, options, surroundings, patience, progress)
                .map_err(|missing| missing.error)?,
            None if name.eq_ignore_ascii_case(BUILT_IN) => built_in(),
            None => at_path(name, options)?,
        },
    };
    match &options.test {
        None => found.with_test_part(options.seed),
        Some(path) => {
            let size = size_of(&found.train).or(options.image_size);
            let reading = ReadOptions { image_size: size, ..options.reading() };
            let (train, test) = read_path(path, reading)?;
            let test = fit_test_part(&found.train, test.unwrap_or(train))
                .map_err(|error| error.context(path.display()))?;
            Found { test: Some(test), ..found }.with_test_part(options.seed)
        }
    }
}

/// Data of which the test part may still be missing.
struct Found {
    name: String,
    train: Dataset,
    test: Option<Dataset>,
    origin: String,
    notices: Vec<String>,
}

impl Found {
    /// Splits a test part off where there is none, and says so.
    fn with_test_part(mut self, seed: u64) -> Result<Loaded> {
        let (train, test) = match self.test {
            Some(test) => (self.train, test),
            None => {
                let classes = self.train.class_names.len();
                let (kept, apart) =
                    stratified_split(&self.train.labels, classes, TEST_FRACTION, seed);
                let samples = self.train.len();
                if apart.is_empty() {
                    return Err(invalid(format!(
                        "{}: {samples} samples in {classes} classes are too few to set some apart \
                         for testing; give a test set of their own",
                        self.name
                    )));
                }
                self.notices.push(format!(
                    "{} has no test part: {} of its {samples} samples (20 % of each class, drawn \
                     with seed {seed}) are set apart for testing",
                    self.name,
                    apart.len(),
                ));
                (self.train.subset(&kept), self.train.subset(&apart))
            }
        };
        let Found { name, origin, notices, .. } = self;
        Ok(Loaded { name, train, test, origin, notices })
    }
}

/// MNIST, else the built-in digits with two lines that say why and how to get MNIST.
fn default_set(
    options: &LoadOptions,
    surroundings: &Surroundings,
    patience: Patience,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Found> {
    let mnist = sets::find("mnist").ok_or_else(|| unknown("mnist"))?;
    let missing = match named_set(mnist, options, surroundings, patience, progress) {
        Ok(loaded) => return Ok(loaded),
        Err(Missing { why: Some(why), .. }) => why,
        Err(Missing { error, .. }) => return Err(error),
    };
    let mut loaded = built_in();
    let folder = surroundings.download_folder(mnist);
    loaded.notices = vec![
        format!("MNIST is not to be had: {missing}; going on with the built-in digits"),
        format!(
            "to get it: `gradus fetch mnist` with a network, or put its four .gz files into {}",
            folder.map_or("a folder given by --data-dir".to_owned(), |it| it.display().to_string())
        ),
    ];
    Ok(loaded)
}

fn built_in() -> Found {
    let [train, test] = DIGITS_SAMPLES;
    Found {
        name: BUILT_IN.to_owned(),
        train: digits::generate(train, DIGITS_SEED, Part::Train),
        test: Some(digits::generate(test, DIGITS_SEED, Part::Test)),
        origin: "built in".to_owned(),
        notices: Vec::new(),
    }
}

/// A set that was not found: the error, and one line on why where nothing else is wrong than that
/// the set is not at hand.
struct Missing {
    error: Error,
    why: Option<String>,
}

fn named_set(
    set: &'static NamedSet,
    options: &LoadOptions,
    surroundings: &Surroundings,
    patience: Patience,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Found, Missing> {
    let fatal = |error| Missing { error, why: None };
    if let Some(folder) = &options.data_dir
        && !folder.is_dir()
    {
        let message = format!("there is no data folder {}", folder.display());
        return Err(fatal(Error::not_found(message)));
    }
    let found = |(train, test), folder: &Path, notices| Found {
        name: set.name.to_owned(),
        train,
        test: Some(test),
        origin: folder.display().to_string(),
        notices,
    };
    let mut passed_over = Vec::new();
    for place in candidates(set, options.data_dir.as_deref(), surroundings) {
        match named::read_from(set, &place.folder, place.named) {
            Ok(Some(parts)) => return Ok(found(parts, &place.folder, passed_over)),
            Ok(None) => {}
            // In a folder that does not bear the set's name another set is no surprise.
            Err(error) if place.named => passed_over.push(format!("passed over: {error}")),
            Err(_) => {}
        }
    }
    let with_copies = |message: String| -> String {
        passed_over.iter().fold(message, |message, copy| format!("{message}\n{copy}"))
    };
    let Some(folder) = surroundings.download_folder(set) else {
        let (error, why) = (no_cache(), Some(no_cache().to_string()));
        return Err(Missing { error, why });
    };
    if !options.download {
        let message = format!(
            "{} is not on this machine: fetch it (`gradus fetch {}`), or put its files into {}",
            set.name,
            set.name,
            folder.display()
        );
        let why = Some(with_copies("it is not on this machine".to_owned()));
        return Err(Missing { error: Error::not_found(with_copies(message)), why });
    }
    let mirrors = mirrors_of(set, surroundings.mirror.as_deref());
    if let Err(failure) = fetch_set(set, &folder, &mirrors, patience, progress) {
        let why = Some(with_copies(failure.summary()));
        return Err(Missing { error: failure.into_error(set, &folder), why });
    }
    let parts = named::read_from(set, &folder, true)
        .and_then(|parts| parts.ok_or_else(|| invalid("the download is not there any more")));
    Ok(found(parts.map_err(fatal)?, &folder, passed_over))
}

fn at_path(name: &str, options: &LoadOptions) -> Result<Found> {
    let path = Path::new(name);
    if !path.exists() {
        return Err(unknown(name));
    }
    let (train, test) = read_path(path, options.reading())?;
    let origin = path.display().to_string();
    Ok(Found { name: name.to_owned(), train, test, origin, notices: Vec::new() })
}
