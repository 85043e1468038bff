//! `gradus data pack`: data of any kind in, a folder of shards out.

use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::Result;
use gradus::data::distort::{Distorter, Distortion};
use gradus::data::shards::{self, Order, PackOptions, Pieces, Shards, is_shards};
use gradus::data::{
    Dataset, Found, FoundPieces, Inputs, LoadOptions, Part, RowFile, Task, find_pieces, is_set_name,
};
use gradus::loss::Loss;
use gradus::network::Kernels;
use gradus::{Error, ErrorKind};
use serde::Serialize;

use super::shards::{megabytes, reading_option};
use crate::args::PackArgs;
use crate::run::output::{Exit, STOPPED, print_json, say, stdout, warn};
use crate::run::progress::Bytes;
use crate::run::source::{self, DataRequest, no_effect};
use crate::run::stop;
use crate::run::target;
use crate::run::training_data::with_labels;

/// What was packed, as JSON.
#[derive(Serialize)]
struct Packed {
    folder: String,
    samples: usize,
    shards: usize,
    bytes: u64,
    seconds: f64,
    sha256: String,
}

/// Runs the command.
pub(super) fn run(args: &PackArgs) -> Result<()> {
    stop::listen()?;
    let (kind, seed) = (Kind::of(args), args.seed.unwrap_or(0));
    kind.check(args)?;
    match (kind, &args.labels, args.samples) {
        (Kind::Digits, _, Some(samples)) => pack(args, Pieces::of_digits(samples, seed), DIGIT),
        (Kind::Array, Some(labels), _) => {
            let is_values = |loss: &Loss| loss.task() != Task::Classification;
            let values = args.loss.as_ref().is_some_and(is_values);
            let row = RowFile::open(&args.data)?.row_bytes();
            pack(args, Pieces::of_array(&args.data, labels, values)?, row)
        }
        (Kind::Shards, ..) => {
            let source = Shards::open(&args.data)?;
            pack(args, Pieces::of_shards(&source), source.row_bytes())
        }
        (.., None) => {
            let (options, task) = reading(args)?;
            let found = match args.part.as_deref() {
                None | Some("train") => find_pieces(&options)?,
                Some(_) => None,
            };
            match found {
                Some(found) => pack_found(args, found, task),
                None => {
                    let data = load(args, &options, task)?;
                    pack(args, Pieces::of_dataset(&data), row_bytes(&data))
                }
            }
        }
        (.., Some(samples)) => {
            let (options, task) = reading(args)?;
            let data = load(args, &options, task)?;
            let kernels = Kernels::detect().map_err(Error::argument)?;
            let distortion = args.distort.unwrap_or(Distortion::STANDARD);
            let distorter = Distorter::for_data(distortion, &data, kernels);
            let distorter = distorter.map_err(|error| error.context("--samples"))?;
            let pieces = Pieces::of_distorted(&data, &distorter, seed, samples)?;
            pack(args, pieces, row_bytes(&data))
        }
    }
}

/// Bytes of a digit that is drawn.
const DIGIT: usize = 28 * 28;

/// Bytes of the inputs of a sample.
fn row_bytes(data: &Dataset) -> usize {
    let value = match data.inputs {
        Inputs::Bytes(_) => 1,
        Inputs::Doubles(_) | Inputs::Table(_) => 8,
        _ => 4,
    };
    value * data.features()
}

/// What samples come from, as far as options depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// New digits.
    Digits,
    /// An array and its labels.
    Array,
    /// Other shards.
    Shards,
    /// Data that are read into memory.
    Memory,
}

impl Kind {
    fn of(args: &PackArgs) -> Kind {
        match &args.labels {
            Some(_) => Kind::Array,
            None if args.samples.is_some()
                && args.data.as_os_str().eq_ignore_ascii_case("digits") =>
            {
                Kind::Digits
            }
            None if !is_set_name(&args.data) && is_shards(&args.data) => Kind::Shards,
            None => Kind::Memory,
        }
    }

    /// Checks that the options have an effect.
    fn check(self, args: &PackArgs) -> Result<(), Error> {
        let (is_digits, is_shards) = (self == Kind::Digits, self == Kind::Shards);
        let what = match self {
            Kind::Digits => "--samples draws new digits",
            Kind::Array => "it is an array with labels",
            Kind::Shards => "it is a folder of shards",
            Kind::Memory => "nothing is drawn",
        };
        let is_ordered = args.no_shuffle || args.sorted;
        let given = [
            ("--loss", args.loss.is_some() && (is_digits || is_shards)),
            ("--part", args.part.is_some() && self != Kind::Memory),
            ("--samples", args.samples.is_some() && is_shards),
            ("--distort", args.distort.is_some() && is_digits),
            ("--seed", args.seed.is_some() && is_ordered && args.samples.is_none()),
        ];
        let given = given.into_iter().find(|(_, given)| *given).map(|(option, _)| option);
        let reading = || reading_option(&args.source, &args.kinds);
        match given.or_else(|| reading().filter(|_| self != Kind::Memory)) {
            Some("--seed") => Err(no_effect("--seed", args.data.display(), "nothing is drawn")),
            Some(option) => Err(no_effect(option, args.data.display(), what)),
            None if args.distort == Some(Distortion::NONE) => Err(Error::argument(
                "--distort none would repeat the same images: choose a distortion",
            )),
            None => Ok(()),
        }
    }
}

/// How the data are read, and what is learned from them.
fn reading(args: &PackArgs) -> Result<(LoadOptions, Task)> {
    let mut reading = args.source.clone();
    let (task, decided) = match &args.loss {
        Some(loss) => (loss.task(), None),
        None => target::decide(Some(&args.data), &mut reading)
            .map_or((Task::Classification, None), |(task, line)| (task, Some(line))),
    };
    if let Some(line) = decided {
        say(line);
    }
    let kinds = Some(&args.kinds);
    let request = DataRequest { kinds, ..DataRequest::new(task, Some(&args.data), 0) };
    Ok((source::options(&request, &reading)?, task))
}

/// Packs data that are read piece by piece.
fn pack_found(args: &PackArgs, found: FoundPieces, task: Task) -> Result<()> {
    let FoundPieces { pieces: Pieces { samples, pieces }, like, others, warnings } = found;
    warnings.iter().for_each(warn);
    let others: Vec<&str> = others.into_iter().map(Part::short_name).collect();
    tell_others(args, args.data.display(), &others);
    let row = row_bytes(&like);
    let pieces: Box<dyn Iterator<Item = _> + Send> = match task {
        Task::MultiLabel => Box::new(pieces.map(|piece| piece?.with_labels())),
        _ => pieces,
    };
    pack(args, Pieces { samples, pieces }, row)
}

/// Says which parts of the data are not packed, if no option names one.
fn tell_others(args: &PackArgs, name: impl std::fmt::Display, others: &[&str]) {
    if args.part.is_none() && !others.is_empty() {
        let options: Vec<String> = others.iter().map(|part| format!("--part {part}")).collect();
        let options = options.join(" and ");
        warn(format_args!("{name}: the training part is packed; pack the rest with {options}"));
    }
}

/// The samples in memory.
fn load(args: &PackArgs, options: &LoadOptions, task: Task) -> Result<Dataset> {
    let mut found = source::find(options)?;
    if task == Task::MultiLabel {
        found = with_labels(found)?;
    }
    let Found { name, train, validation, test, .. } = found;
    let others = [("val", &validation), ("test", &test)];
    let others = others.into_iter().filter_map(|(name, part)| part.as_ref().map(|_| name));
    let others: Vec<_> = others.collect();
    let (part, wanted) = match args.part.as_deref() {
        Some("val") => ("validation", validation),
        Some("test") => ("test", test),
        Some(_) => ("training", Some(train)),
        None => {
            tell_others(args, &name, &others);
            ("training", Some(train))
        }
    };
    Ok(wanted.ok_or_else(|| {
        Error::argument(format!("--part: {name} has no {part} part; leave the option out"))
    })?)
}

/// Packs the pieces, whose inputs have `row` bytes a sample, with a bar, and prints what was packed.
fn pack(args: &PackArgs, pieces: Pieces, row: usize) -> Result<()> {
    let Pieces { samples, pieces } = pieces;
    let shard_rows = args.shard_size.map(|size| (size as usize / row.max(1)).max(1));
    let options = PackOptions {
        order: match (args.no_shuffle, args.sorted) {
            (true, _) => Order::Source,
            (_, true) => Order::Sorted,
            _ => Order::Shuffled(args.seed.unwrap_or(0)),
        },
        shard_rows: args.shard_rows.or(shard_rows),
    };
    // Shuffled and sorted samples are written twice.
    let passes = if options.order == Order::Source { 1 } else { 2 };
    let bar = Bytes::new(passes * samples as u64 * row as u64);
    let (begin, stop) = (Instant::now(), stop::hold());
    let packed = shards::pack(&args.folder, samples, pieces, &options, &mut |done| {
        bar.set(done);
        !stop.load(Ordering::SeqCst)
    });
    drop(bar);
    match packed {
        Err(error) if stop.load(Ordering::SeqCst) && error.kind() == ErrorKind::Io => {
            say(error);
            return Err(Exit(STOPPED).into());
        }
        other => other?,
    }
    let seconds = begin.elapsed().as_secs_f64();
    let shards = Shards::open(&args.folder)?;
    let (folder, bytes, count) =
        (args.folder.display().to_string(), shards.bytes(), shards.count());
    if args.json {
        let sha256 = shards.digest().all;
        return print_json(&Packed { folder, samples, shards: count, bytes, seconds, sha256 });
    }
    let rate = bytes as f64 / 1e6 / seconds.max(1e-9);
    stdout().line(format_args!(
        "Packed {samples} samples ({}) into {count} shard{} in {folder}: {seconds:.1} s, {rate:.0} MB/s",
        megabytes(bytes),
        if count == 1 { "" } else { "s" },
    ))
}
