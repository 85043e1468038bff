//! What a model predicts for files, which the ranks of a run share: files in, the predictions of each on all ranks out, in
//! the order of the files.
//!
//! Of several files, such as the images of a folder, each is read by one rank. A single file, which may have many samples, is
//! read by all, and they share its samples.

use anyhow::{Result, anyhow};
use gradus::Error;
use gradus::classifier::Model;
use gradus::exchange::Ranks;
use serde::{Deserialize, Serialize};

use crate::args::PredictArgs;
use crate::run::output::{USAGE_ERROR, exit_status, with_causes};
use crate::run::same_files::read_bytes;
use crate::run::samples::{self, File, Origin};
use crate::run::workers::workers;

/// Files that a rank predicts between two exchanges: so many that the exchange takes no time beside them, and so few that
/// results come soon.
const AT_ONCE: usize = 64;

/// What a model predicts for a file.
#[derive(Serialize, Deserialize)]
pub(crate) struct FilePredictions {
    /// The bits of the predictions, row after row: a number in decimal digits might lose some.
    bits: Vec<u32>,
    pub(crate) kind: Kind,
    pub(crate) warnings: Vec<String>,
}

/// What the samples of a file are.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// One image with one sample.
    Image,
    /// The digits in an image.
    Digits,
    /// Many samples.
    Rows,
}

impl FilePredictions {
    /// Predicts the file on these ranks.
    ///
    /// # Errors
    /// Those of reading and predicting it.
    fn of(file: &File, model: &Model, args: &PredictArgs, ranks: &Ranks) -> Result<Self> {
        let bytes = read_bytes(&file.path, args.limit, ranks)?;
        let samples = samples::of_bytes(&file.path, &bytes, model, args)?;
        drop(bytes);
        let workers = workers(args.threads, samples.inputs.len() / model.features())?;
        let values = model.predict_on_ranks(&samples.inputs, &workers, ranks)?;
        Ok(FilePredictions {
            bits: values.into_iter().map(f32::to_bits).collect(),
            kind: match samples.origin {
                Origin::Image => Kind::Image,
                Origin::Digits => Kind::Digits,
                Origin::Array | Origin::Table(_) => Kind::Rows,
            },
            warnings: samples.warnings,
        })
    }

    /// The predictions, row after row.
    pub(crate) fn values(&self) -> Vec<f32> {
        self.bits.iter().copied().map(f32::from_bits).collect()
    }
}

/// What became of a file, for other ranks.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Predicted(FilePredictions),
    Failed { message: String, status: u8 },
}

impl Outcome {
    fn of(found: Result<FilePredictions>) -> Outcome {
        match found {
            Ok(predictions) => Outcome::Predicted(predictions),
            Err(error) => {
                Outcome::Failed { message: with_causes(&error), status: exit_status(&error) }
            }
        }
    }

    fn result(self) -> Result<FilePredictions> {
        match self {
            Outcome::Predicted(predictions) => Ok(predictions),
            Outcome::Failed { message, status: USAGE_ERROR } => {
                Err(Error::argument(message).into())
            }
            Outcome::Failed { message, .. } => Err(anyhow!(message)),
        }
    }
}

/// Predicts the files and hands what became of each to `take`, in their order.
///
/// # Errors
/// Those of the exchange and of `take`.
pub(crate) fn each(
    files: &[File],
    model: &Model,
    args: &PredictArgs,
    ranks: &Ranks,
    mut take: impl FnMut(&File, Result<FilePredictions>) -> Result<()>,
) -> Result<()> {
    if ranks.is_alone() || files.len() == 1 {
        return files
            .iter()
            .try_for_each(|file| take(file, FilePredictions::of(file, model, args, ranks)));
    }
    for files in files.chunks(AT_ONCE * ranks.size()) {
        let own = files.iter().skip(ranks.rank()).step_by(ranks.size());
        let own = own.map(|file| FilePredictions::of(file, model, args, &Ranks::ALONE));
        let own: Vec<Outcome> = own.map(Outcome::of).collect();
        let lists = ranks.lists(&serde_json::to_vec(&own)?)?;
        let lists: serde_json::Result<Vec<Vec<Outcome>>> =
            lists.iter().map(|list| serde_json::from_slice(list)).collect();
        let mut lists: Vec<_> = lists?.into_iter().map(Vec::into_iter).collect();
        for (at, file) in files.iter().enumerate() {
            let rank = at % ranks.size();
            let found = lists[rank].next();
            let found = found.ok_or_else(|| anyhow!("rank {rank} has predicted fewer files"))?;
            take(file, found.result())?;
        }
    }
    Ok(())
}
