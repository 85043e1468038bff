//! Finds a named set: on this machine, else by a download; the built-in digits if MNIST is not available.

use std::path::{Path, PathBuf};

use super::digits::{self, Part as Drawn};
use super::fetch::{FetchProgress, Timeouts, fetch_set, mirrors_of};
use super::load_options::{Found, LoadOptions, SampleOrder};
use super::search_path::{Environment, candidates};
use super::sets::{self, BUILT_IN, NamedSet, set_names};
use super::{invalid, named};
use crate::error::{Error, Result};

/// Samples of the built-in digits: training and test part.
const DIGITS_SAMPLES: [usize; 2] = [60_000, 10_000];

/// The built-in digits are one set, whatever the seed of a training run: a model can be evaluated
/// later on the same test part.
const DIGITS_SEED: u64 = 0;

/// MNIST, or else the built-in digits with two lines that say why, and how to get MNIST.
pub(crate) fn default_set(
    options: &LoadOptions,
    environment: &Environment,
    timeouts: Timeouts,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Found> {
    let mnist = sets::find("mnist").ok_or_else(|| unknown("mnist"))?;
    let missing = match named_set(mnist, options, environment, timeouts, progress) {
        Ok(loaded) => return Ok(loaded),
        Err(Missing { why: Some(why), passed_over, .. }) => (why, passed_over),
        Err(Missing { error, .. }) => return Err(error),
    };
    let (why, passed_over) = missing;
    let folder = environment.download_folder(mnist);
    let mut warnings = vec![
        format!("MNIST is not available: {why}; using the built-in digits"),
        format!(
            "to get it: `gradus fetch mnist` with a network, or put its four .gz files into {}",
            folder.map_or("a folder given by `data_dir`".to_owned(), |it| it.display().to_string())
        ),
    ];
    warnings.extend(passed_over);
    Ok(Found { warnings, ..built_in()? })
}

/// The digits that the program draws itself.
pub(crate) fn built_in() -> Result<Found> {
    let [train, test] = DIGITS_SAMPLES;
    Ok(Found {
        name: BUILT_IN.to_owned(),
        train: digits::generate(train, DIGITS_SEED, Drawn::Train)?,
        validation: None,
        order: SampleOrder::Unknown,
        test: Some(digits::generate(test, DIGITS_SEED, Drawn::Test)?),
        origin: "built in".to_owned(),
        warnings: Vec::new(),
    })
}

/// A set that was not found: the error, and the reason in one line if the set is merely not available.
pub(crate) struct Missing {
    pub(crate) error: Error,
    why: Option<String>,
    /// Copies on this machine that cannot be used, one line each.
    passed_over: Vec<String>,
}

/// A named set from this machine, else downloaded.
pub(crate) fn named_set(
    set: &'static NamedSet,
    options: &LoadOptions,
    environment: &Environment,
    timeouts: Timeouts,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<Found, Missing> {
    let fatal = |error| Missing { error, why: None, passed_over: Vec::new() };
    if let Some(folder) = &options.data_dir
        && !folder.is_dir()
    {
        let message = format!("there is no data folder {}", folder.display());
        return Err(fatal(Error::not_found(message)));
    }
    let found = |(train, test), folder: &Path, warnings| Found {
        name: set.name.to_owned(),
        train,
        validation: None,
        order: SampleOrder::Unknown,
        test: Some(test),
        origin: folder.display().to_string(),
        warnings,
    };
    let (mut passed_over, mut nearby) = (Vec::new(), Vec::new());
    for place in candidates(set, options.data_dir.as_deref(), environment) {
        match named::read_from(set, &place.folder, place.named) {
            Ok(Some(parts)) => return Ok(found(parts, &place.folder, passed_over)),
            Ok(None) => {}
            Err(error) if place.named => passed_over.push(format!("passed over: {error}")),
            // In a folder that does not bear the set's name another set is no surprise: it is worth
            // a word only where nothing better is found.
            Err(error) => nearby.push(format!("passed over: {error}")),
        }
    }
    match download(set, options, environment, timeouts, progress) {
        Ok(folder) => {
            let parts = named::read_from(set, &folder, true).and_then(|parts| {
                parts.ok_or_else(|| invalid("the download is not there any more"))
            });
            Ok(found(parts.map_err(fatal)?, &folder, passed_over))
        }
        Err((error, why)) => {
            passed_over.append(&mut nearby);
            let lines: Vec<_> = passed_over.iter().map(|line| format!("; {line}")).collect();
            let error = Error::new(error.kind(), format!("{error}{}", lines.concat()));
            Err(Missing { error, why: Some(why), passed_over })
        }
    }
}

/// The folder of the downloaded set, or the error and its reason in one line.
fn download(
    set: &'static NamedSet,
    options: &LoadOptions,
    environment: &Environment,
    timeouts: Timeouts,
    progress: &mut dyn FnMut(&FetchProgress),
) -> Result<PathBuf, (Error, String)> {
    let folder =
        environment.download_folder(set).ok_or_else(|| (no_cache(), no_cache().to_string()))?;
    if !options.download {
        let error = Error::not_found(format!(
            "{} is not on this machine: fetch it (`gradus fetch {}`), or put its files into {}",
            set.name,
            set.name,
            folder.display()
        ));
        return Err((error, "it is not on this machine".to_owned()));
    }
    let mirrors = mirrors_of(set, environment.mirror.as_deref());
    match fetch_set(set, &folder, &mirrors, timeouts, progress) {
        Ok(()) => Ok(folder),
        Err(failure) => {
            let why = failure.summary();
            Err((failure.into_error(set, &folder), why))
        }
    }
}

/// Downloads a named set into the cache, unless it is there, and returns its folder.
///
/// # Errors
/// `NotFound` for an unknown name, `Download` if no mirror gives the files, `Io` if the cache
/// cannot be written.
pub fn fetch(name: &str, progress: &mut dyn FnMut(&FetchProgress)) -> Result<PathBuf> {
    if name == BUILT_IN {
        return Err(Error::argument(format!(
            "{BUILT_IN} is drawn by the program itself: there is nothing to download"
        )));
    }
    let set = sets::find(name).ok_or_else(|| unknown(name))?;
    let environment = Environment::of_process();
    let folder = environment.download_folder(set).ok_or_else(no_cache)?;
    let mirrors = mirrors_of(set, environment.mirror.as_deref());
    fetch_set(set, &folder, &mirrors, Timeouts::default(), progress)
        .map_err(|failure| failure.into_error(set, &folder))?;
    Ok(folder)
}

/// The names of the sets that need no download: those on this machine, where `data_dir` is looked into
/// first, and the built-in digits. Files in a folder of a set's name are not read for it: [`load`](crate::load) may
/// still refuse them.
pub fn sets_at_hand(data_dir: Option<&Path>) -> Vec<&'static str> {
    let environment = Environment::of_process();
    let at_hand = |set: &NamedSet| {
        let mut places = candidates(set, data_dir, &environment).into_iter();
        places.any(|place| named::is_in(set, &place))
    };
    set_names().into_iter().filter(|&name| sets::find(name).is_none_or(at_hand)).collect()
}

/// Whether a set is known by this name; otherwise it is a path.
pub fn is_set_name(name: &Path) -> bool {
    let is_set = |name: &str| sets::find(name).is_some() || name.eq_ignore_ascii_case(BUILT_IN);
    name.to_str().is_some_and(is_set)
}

fn no_cache() -> Error {
    Error::not_found("there is no folder for downloads: set HOME or XDG_CACHE_HOME")
}

/// The error for a name that is neither a set nor a path.
pub(crate) fn unknown(name: &str) -> Error {
    if name.contains(['/', '\\', '.']) {
        return Error::not_found(format!("there is no file or folder {name}"));
    }
    Error::not_found(format!(
        "there is no data set {name:?} and no file or folder of that name: expected one of {}, or \
         the path of a folder of IDX files, an .npz, a .csv, or a folder with one sub-folder of \
         images per class",
        set_names().join(", ")
    ))
}
