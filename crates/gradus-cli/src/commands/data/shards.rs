//! A folder of shards: what its index says, one sample, or whether its files are those that were packed.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use gradus::Error;
use gradus::data::shards::Shards;
use gradus::data::{ColumnType, Task};
use serde::Serialize;

use super::show::{check_distortion, show_sample};
use crate::args::{DataArgs, KindArgs, SourceArgs};
use crate::run::output::{percent, print_json, shape, stdout, table};
use crate::run::progress::Bytes;
use crate::run::source::no_effect;

/// What the index of a folder of shards says.
#[derive(Serialize)]
struct Description<'a> {
    name: String,
    samples: usize,
    shards: usize,
    bytes: u64,
    sample_shape: &'a [usize],
    values: &'a str,
    task: &'static str,
    names: &'a [String],
    /// Number of samples of each class; empty in regression.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counts: Vec<usize>,
    /// The seed of the order; null if it is that of the source.
    shuffle_seed: Option<u64>,
    /// Of the numbers; none of raw columns.
    #[serde(flatten)]
    range: Option<Range>,
    /// The types of raw columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    types: Option<&'a [ColumnType]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_zeros: Option<f64>,
    sha256: String,
    /// Whether all files were read and are those that were packed.
    verified: bool,
}

/// What the sums say about all numbers.
#[derive(Serialize)]
struct Range {
    min: f64,
    max: f64,
    mean: f64,
}

impl<'a> Description<'a> {
    fn of(shards: &'a Shards, verified: bool) -> Description<'a> {
        let (sums, values) = (shards.sums(), shards.samples() as f64 * shards.features() as f64);
        let types = shards.raw_types();
        let (min, max) = sums.range();
        let range = Range { min, max, mean: sums.mean(shards.features()) };
        Description {
            name: shards.folder().display().to_string(),
            samples: shards.samples(),
            shards: shards.count(),
            bytes: shards.bytes(),
            sample_shape: shards.sample_shape(),
            values: if types.is_some() { "raw" } else { shards.type_name() },
            task: shards.task().name(),
            names: shards.output_names(),
            counts: shards.class_counts(),
            shuffle_seed: shards.shuffle_seed(),
            range: types.is_none().then_some(range),
            types,
            share_of_zeros: sums.zeros().map(|zeros| zeros as f64 / values),
            sha256: shards.digest().all,
            verified,
        }
    }

    fn lines(&self, task: Task) -> Vec<String> {
        let Description { name, samples, shards, names, .. } = self;
        let order = match self.shuffle_seed {
            Some(seed) => format!("shuffled with seed {seed}"),
            None => "in the order of their source".to_owned(),
        };
        let plural = if *shards == 1 { "" } else { "s" };
        let size = megabytes(self.bytes);
        let mut lines = vec![
            format!("{name}: {samples} samples in {shards} shard{plural} ({size}), {order}"),
            format!(
                "samples of {}, {} {}",
                match self.types {
                    Some(types) => raw_columns(types),
                    None => format!("{} {}", shape(self.sample_shape), self.values),
                },
                names.len(),
                if task == Task::Regression { "targets" } else { task.outputs() }
            ),
            String::new(),
        ];
        if let Some(Range { min, max, mean }) = &self.range {
            let mut heading = vec!["samples", "min", "max", "mean"];
            let mut row =
                vec![samples.to_string(), min.to_string(), max.to_string(), format!("{mean:.3}")];
            if let Some(share) = self.share_of_zeros {
                heading.push("zeros");
                row.push(percent(share));
            }
            lines.extend(table(&[heading.into_iter().map(String::from).collect(), row]));
            lines.push(String::new());
        }
        let heading = match task {
            Task::Classification => "class",
            Task::MultiLabel => "label",
            Task::Regression => "target",
        };
        let mut rows = vec![vec![heading.to_owned()]];
        rows.extend(names.iter().map(|name| vec![name.clone()]));
        if !self.counts.is_empty() {
            rows[0].push("samples".to_owned());
            rows[1..].iter_mut().zip(&self.counts).for_each(|(row, it)| row.push(it.to_string()));
        }
        lines.extend(table(&rows));
        lines
    }
}

/// `4 raw columns (2 of numbers, 1 of text, 1 of dates)`.
fn raw_columns(types: &[ColumnType]) -> String {
    let kinds = [ColumnType::Number, ColumnType::Text, ColumnType::Time];
    let count = |kind: ColumnType| types.iter().filter(|&&it| it == kind).count();
    let counts = kinds.map(|kind| (count(kind), kind.plural()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, what)| format!("{count} of {what}")).collect();
    format!("{} raw columns ({})", types.len(), counts.join(", "))
}

/// A number of bytes in megabytes or gigabytes.
pub(super) fn megabytes(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        megabytes if megabytes < 1000.0 => format!("{megabytes:.1} MB"),
        megabytes => format!("{:.2} GB", megabytes / 1e3),
    }
}

/// Describes the shards in `folder`, draws one of their samples, or verifies them.
pub(super) fn run(folder: &Path, args: &DataArgs) -> Result<()> {
    check_options(folder, args)?;
    let shards = Shards::open(folder)?;
    if let Some(index) = args.show {
        let at = usize::try_from(index).ok().filter(|&at| at < shards.samples());
        let at = at.ok_or_else(|| {
            let last = shards.samples() - 1;
            Error::argument(format!("--show {index}: there are samples 0 to {last}"))
        })?;
        return show_sample("train", &shards.read(at..at + 1)?, 0, at, args);
    }
    let begin = Instant::now();
    if args.verify {
        let bar = Bytes::new(shards.bytes());
        shards.verify(&mut |done| bar.set(done))?;
    }
    let description = Description::of(&shards, args.verify);
    if args.json {
        return print_json(&description);
    }
    let mut out = stdout();
    out.lines(description.lines(shards.task()))?;
    if args.verify {
        let (seconds, size) = (begin.elapsed().as_secs_f64(), megabytes(shards.bytes()));
        out.line("")?;
        out.line(format_args!(
            "Verified: all files are as they were packed ({size} in {seconds:.1} s)"
        ))?;
    }
    Ok(())
}

/// Checks that the options have an effect on shards.
fn check_options(folder: &Path, args: &DataArgs) -> Result<()> {
    check_distortion(args)?;
    let given = [
        ("--loss", args.loss.is_some(), "the index of the shards says what is learned"),
        ("--part", args.part.is_some(), "shards have no parts"),
    ];
    let reading = reading_option(&args.source, &args.kinds);
    let reading = reading.map(|option| (option, true, "shards are arrays with an index"));
    match given.into_iter().chain(reading).find(|(_, given, _)| *given) {
        Some((option, _, why)) => Err(no_effect(option, folder.display(), why).into()),
        None => Ok(()),
    }
}

/// An option that was given and says where data are or how files are read, if any was.
pub(super) fn reading_option(source: &SourceArgs, kinds: &KindArgs) -> Option<&'static str> {
    let given = [
        ("--label-column", source.label_column.is_some()),
        ("--drop", !source.table.drop.is_empty()),
        ("--encoding", source.table.encoding.is_some()),
        ("--missing", source.table.missing.is_some()),
        ("--no-header", source.table.no_header),
        ("--image-size", source.image_size.is_some()),
        ("--data-dir", source.named.data_dir.is_some()),
        ("--no-download", source.named.no_download),
    ];
    let given = given.into_iter().find(|(_, given)| *given).map(|(option, _)| option);
    given.or(kinds.given())
}
