//! A bag: several networks, each of which learns from all but one fold of the samples and is validated on that fold, side by
//! side on single threads; then, if that is wanted, each once more from all samples.
//!
//! In: settings and data. Out: the figures of each epoch, means over the members, and in the end one model whose
//! predictions are the means of theirs, with what follows from the predictions of the folds (`out_of_fold.rs`).
//!
//! The members share nothing but the transform, which is fitted to all samples, so that their number of threads changes no
//! bit. Source: Breiman 1996, "Bagging predictors"; with folds in place of bootstrap samples Krogh and Vedelsby 1995.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::model::{Intervals, Model, SampleCounts};
use crate::network::Network;
use crate::samples::{DataDigest, Dataset, Subset, Targets, folds};
use crate::training::bag_settings::of_member;
use crate::training::checkpoint::Checkpoint;
use crate::training::data::Data;
use crate::training::encoded::Encoded;
use crate::training::member::Member;
use crate::training::out_of_fold::{OutOfFold, out_of_fold};
use crate::training::outcome::{Outcome, Trained};
use crate::training::parallel::in_parallel;
use crate::training::progress::Progress;
use crate::training::provenance::provenance;
use crate::training::same_data::check_same_data;
use crate::training::start::{Shared, Start, check_same_settings};
use crate::training::temperature::divide_outputs;
use crate::training::{EpochReport, History, TrainConfig};
use crate::transform::Transform;

/// A run of several networks, epoch by epoch.
pub(super) struct Bag {
    config: TrainConfig,
    members: Vec<Member>,
    folds: Vec<Fold>,
    transform: Transform,
    /// The samples of raw columns as the networks take them.
    encoded: Option<Encoded>,
    /// Its history has means over the members.
    progress: Progress,
    /// Digests of the data, once a checkpoint has asked for them.
    digests: OnceLock<[Option<DataDigest>; 2]>,
    outcome: Option<Outcome>,
    /// What it comes to, once the run is over.
    result: Option<BagResult>,
    warnings: Vec<String>,
}

/// The samples of a member, by their numbers in the data set.
struct Fold {
    train: Vec<u32>,
    held_out: Vec<u32>,
}

/// What the members come to.
struct BagResult {
    networks: Vec<Network>,
    intervals: Option<Intervals>,
    out_of_fold: Option<OutOfFold>,
    refitted: bool,
}

impl Bag {
    /// A run that has not begun.
    ///
    /// # Errors
    /// As [`Member::new`]; `InvalidArgument` for validation data, for a start from somewhere else, and for fewer samples than
    /// members.
    pub(super) fn new(config: &TrainConfig, data: Data, start: Start, count: usize) -> Result<Bag> {
        config.validate()?;
        if data.train.streamed().is_some() {
            return Err(Error::argument(
                "`members` divides the samples into folds, which must be in memory: load them into memory, or leave \
                 `members` out",
            ));
        }
        if data.validation.is_some() {
            return Err(Error::argument(
                "`members` makes validation data itself, a fold for each of them: leave out the validation data, or give \
                 them as training data",
            ));
        }
        let before = match start {
            Start::Fresh => None,
            Start::Resume(checkpoint) => {
                check_same_settings(checkpoint.config(), config)?;
                check_same_data(checkpoint, &data)?;
                Some(checkpoint)
            }
            Start::Network(_) | Start::Model(_) | Start::Continue(_) => {
                return Err(Error::argument(
                    "the networks of `members` begin with weights of their own, drawn from the seed: begin a new run \
                     without a model, arrays or the state of a run to start from, or leave `members` out",
                ));
            }
        };
        let mut of_folds: Vec<_> =
            (0..count).map(|_| Fold { train: Vec::new(), held_out: Vec::new() }).collect();
        let mut of_rows = of_folds.iter().map(|_| (Vec::new(), Vec::new())).collect::<Vec<_>>();
        let fold_of = folds(data.train, count, config.seed)
            .map_err(|error| error.context(format_args!("`members` is {count}")))?;
        for (row, (fold, index)) in fold_of.iter().zip(data.train.indices()).enumerate() {
            let (row, index) = (number(row)?, number(index)?);
            for (at, (of_fold, of_rows)) in of_folds.iter_mut().zip(&mut of_rows).enumerate() {
                if at == *fold {
                    of_fold.held_out.push(index);
                    of_rows.1.push(row);
                } else {
                    of_fold.train.push(index);
                    of_rows.0.push(row);
                }
            }
        }
        let transform = match before {
            Some(checkpoint) => checkpoint.model().transform.clone(),
            None => config.transform(data.train)?,
        };
        transform.check(data.train.features())?;
        let encoded = Encoded::of(&transform, &data)?;
        let members = of_folds.iter().zip(of_rows).enumerate().map(|(at, (fold, rows))| {
            let encoded = encoded.as_ref().map(|it| it.divided(rows.0, rows.1));
            let shared = Shared::of_bag(transform.clone(), encoded);
            let (own, data) = (of_member(config, at), fold.data(data.train.data())?);
            match before {
                None => Member::new(&own, data, Start::Fresh, shared),
                Some(checkpoint) => {
                    let before = checkpoint.member(at, own.clone())?;
                    Member::new(&own, data, Start::Resume(&before), shared)
                }
            }
        });
        let members = members.collect::<Result<Vec<_>>>()?;
        Ok(Bag {
            config: config.clone(),
            members,
            folds: of_folds,
            transform,
            encoded,
            progress: before.map(|it| it.state.progress.clone()).unwrap_or_default(),
            digests: OnceLock::new(),
            outcome: None,
            result: None,
            warnings: rare_classes(&data.train, count).into_iter().collect(),
        })
    }

    /// Runs the next epoch of all members that go on, and gives the means of their figures; none if the run is over. The
    /// last call also makes what all of them come to.
    ///
    /// # Errors
    /// As [`Member::epoch`].
    pub(super) fn epoch(&mut self, data: Data, stop: &AtomicBool) -> Result<Option<&EpochReport>> {
        let begin = Instant::now();
        if self.outcome.is_none() {
            self.outcome = self.end(stop);
        }
        let epoch = self.progress.history.epochs.len();
        if self.outcome.is_none() {
            let set = data.train.data();
            let going = self.members.iter_mut().zip(&self.folds);
            let going = going.filter(|(member, _)| member.ending().is_none()).collect();
            let run = |(member, fold): (&mut Member, &Fold)| {
                member.epoch(fold.data(set)?, stop, None).map(|_| ())
            };
            in_parallel(self.config.members_at_once(), going, run)
                .into_iter()
                .collect::<Result<()>>()?;
            let done = |member: &Member| {
                member.history().epochs.len() > epoch
                    || member.ending().is_some_and(|it| it != Outcome::Stopped)
            };
            if self.members.iter().all(done) && !self.members.iter().any(is_diverged) {
                let seconds = begin.elapsed().as_secs_f64();
                self.progress.history.epochs.push(self.mean_report(epoch, seconds));
                self.progress.seconds += seconds;
                return Ok(self.progress.history.epochs.last());
            }
            self.outcome = self.end(stop).or(Some(Outcome::Stopped));
        }
        if self.result.is_none() {
            self.result = Some(self.conclude(data, stop)?);
        }
        self.progress.seconds += begin.elapsed().as_secs_f64();
        Ok(None)
    }

    /// How the run has ended, if it has.
    fn end(&self, stop: &AtomicBool) -> Option<Outcome> {
        let endings: Vec<_> = self.members.iter().map(Member::ending).collect();
        let diverged = endings.iter().enumerate().find_map(|(at, ending)| match ending {
            Some(Outcome::Diverged { epoch, message }) => Some(Outcome::Diverged {
                epoch: *epoch,
                message: format!("member {} of {}: {message}", at + 1, endings.len()),
            }),
            _ => None,
        });
        if diverged.is_some() {
            return diverged;
        }
        let idle = endings.iter().all(|ending| *ending == Some(Outcome::NoProgress));
        let any_stopped = endings.contains(&Some(Outcome::Stopped));
        match endings.iter().all(Option::is_some) {
            true if any_stopped => Some(Outcome::Stopped),
            true if idle => Some(Outcome::NoProgress),
            true => Some(Outcome::Finished),
            false => (any_stopped || stop.load(Ordering::Relaxed)).then_some(Outcome::Stopped),
        }
    }

    /// The means of the figures of an epoch over the members, by their numbers of samples, so that those of validation are
    /// those of all samples; for members that have ended, the figures of the epoch that they kept.
    fn mean_report(&self, epoch: usize, seconds: f64) -> EpochReport {
        let reports: Vec<_> = self
            .members
            .iter()
            .filter_map(|member| member.history().epochs.get(epoch).or_else(|| member.kept_epoch()))
            .collect();
        let weights = |fold: fn(&Fold) -> usize| self.folds.iter().map(move |it| fold(it) as f64);
        let mean = |figure: fn(&EpochReport) -> Option<f64>, fold: fn(&Fold) -> usize| {
            let values = reports.iter().map(|report| figure(report)).collect::<Option<Vec<_>>>()?;
            let total: f64 = weights(fold).sum();
            Some(
                values.iter().zip(weights(fold)).map(|(value, weight)| value * weight).sum::<f64>()
                    / total,
            )
        };
        let train = |fold: &Fold| fold.train.len();
        let held_out = |fold: &Fold| fold.held_out.len();
        let going = self.members.iter().find_map(|member| member.history().epochs.get(epoch));
        EpochReport {
            epoch,
            loss: mean(|it| Some(it.loss), train).unwrap_or(f64::NAN),
            accuracy: mean(|it| it.accuracy, train),
            val_loss: mean(|it| it.val_loss, held_out),
            val_accuracy: mean(|it| it.val_accuracy, held_out),
            val_r2: mean(|it| it.val_r2, held_out),
            learning_rate: going.map_or(0.0, |report| report.learning_rate),
            seconds,
        }
    }

    /// What the members come to at the end of the run.
    fn conclude(&mut self, data: Data, stop: &AtomicBool) -> Result<BagResult> {
        let mut result = BagResult {
            networks: self.members.iter().map(Member::kept).collect(),
            intervals: None,
            out_of_fold: None,
            refitted: false,
        };
        let untrained = self.members.iter().any(|member| member.history().epochs.is_empty());
        if untrained || matches!(self.outcome, Some(Outcome::Diverged { .. })) {
            return Ok(result);
        }
        let mut models = Vec::with_capacity(self.members.len());
        let mut held_out = Vec::with_capacity(self.members.len());
        for (member, fold) in self.members.iter().zip(&self.folds) {
            models.push(member.kept_model());
            held_out.extend(member.seen(fold.data(data.train.data())?)?.validation);
        }
        let threads = self.config.members_at_once();
        let found = out_of_fold(&mut models, &held_out, threads)?;
        result.networks = models.into_iter().map(|model| model.network).collect();
        let temperature = found.out_of_fold.temperature;
        (result.intervals, result.out_of_fold) = (found.intervals, Some(found.out_of_fold));
        if self.config.refit == Some(true) && self.outcome != Some(Outcome::Stopped) {
            match self.refit(data.train, stop)? {
                Refit::Networks(mut networks) => {
                    if let Some(temperature) = temperature {
                        networks.iter_mut().for_each(|it| divide_outputs(it, temperature));
                    }
                    (result.networks, result.refitted) = (networks, true);
                }
                Refit::Stopped => self.outcome = Some(Outcome::Stopped),
                Refit::Diverged(message) => self.warnings.push(format!(
                    "training once more on all samples diverged ({message}): the model is that of the folds"
                )),
            }
        }
        Ok(result)
    }

    /// Trains each member once more, from its own initial weights, on all samples for as many epochs as brought its best one,
    /// with the schedules of the whole run.
    fn refit(&self, train: Subset, stop: &AtomicBool) -> Result<Refit> {
        let data = Data { train, validation: None };
        let work = |(at, member): (usize, &Member)| -> Result<Refit> {
            let config = TrainConfig {
                early_stopping: None,
                keep_best: None,
                monitor: None,
                ..of_member(&self.config, at)
            };
            let shared = Shared::of_bag(self.transform.clone(), self.encoded.clone());
            let mut again = Member::new(&config, data, Start::Fresh, shared)?;
            let epochs = member.kept_epoch().map_or(0, |report| report.epoch + 1);
            for _ in 0..epochs {
                if stop.load(Ordering::Relaxed) {
                    return Ok(Refit::Stopped);
                }
                if again.epoch(data, stop, None)?.is_none() {
                    break;
                }
            }
            Ok(match again.ending() {
                Some(Outcome::Diverged { message, .. }) => Refit::Diverged(message),
                Some(Outcome::Stopped) => Refit::Stopped,
                _ => Refit::Networks(vec![again.kept()]),
            })
        };
        let members = self.members.iter().enumerate().collect();
        let mut networks = Vec::new();
        for result in in_parallel(self.config.members_at_once(), members, work) {
            match result? {
                Refit::Networks(network) => networks.extend(network),
                other => return Ok(other),
            }
        }
        Ok(Refit::Networks(networks))
    }

    /// The run as it is between two epochs: with the digests of the data to resume it with.
    pub(super) fn checkpoint(&self, data: Data, note: serde_json::Value) -> Checkpoint {
        let digests = self.digests.get_or_init(|| data.digests());
        self.checkpoint_with(digests.clone(), note)
    }

    /// The same without a look at the data: it cannot be resumed.
    pub(super) fn state(&self) -> Checkpoint {
        self.checkpoint_with(Default::default(), serde_json::Value::Null)
    }

    fn checkpoint_with(
        &self,
        sets: [Option<DataDigest>; 2],
        note: serde_json::Value,
    ) -> Checkpoint {
        let members = self.members.iter().map(Member::whole_state).collect();
        let others = self.members[1..].iter().map(|member| member.model().network.clone());
        let model = Model { others: others.collect(), ..self.first().model().clone() };
        Checkpoint::of_bag(self.config.clone(), self.progress.clone(), model, members, sets, note)
    }

    pub(super) fn config(&self) -> &TrainConfig {
        &self.config
    }

    pub(super) fn history(&self) -> &History {
        &self.progress.history
    }

    pub(super) fn seconds(&self) -> f64 {
        self.progress.seconds
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The member that stands for all others where one is to be shown.
    pub(super) fn first(&self) -> &Member {
        &self.members[0]
    }

    /// Ends the run, wherever it is. Without the last call of [`Self::epoch`], nothing is known of the folds.
    pub(super) fn finish(self) -> Trained {
        let outcome = self.outcome.unwrap_or(Outcome::Stopped);
        let mut warnings = self.warnings;
        let verdicts: Vec<_> = self.members.iter().map(|member| member.verdict(&outcome)).collect();
        let learned = verdicts.iter().all(|(learned, _)| *learned);
        // They are the same, but for some figures.
        warnings.extend(
            verdicts
                .into_iter()
                .map(|(_, warnings)| warnings)
                .find(|it| !it.is_empty())
                .unwrap_or_default(),
        );
        let result = self.result.unwrap_or_else(|| BagResult {
            networks: self.members.iter().map(Member::kept).collect(),
            intervals: None,
            out_of_fold: None,
            refitted: false,
        });
        let samples = self.folds.iter().map(|fold| fold.held_out.len()).sum();
        let samples = SampleCounts { train: samples, validation: 0, test: 0 };
        let mut provenance =
            provenance(&self.config, samples, &self.progress.history, &outcome, None);
        let best = |member: &Member| member.kept_epoch().map(|report| report.epoch);
        let about = serde_json::json!({
            "best_epochs": self.members.iter().map(best).collect::<Vec<_>>(),
            "refitted": result.refitted,
        });
        provenance.more.insert("members".into(), about);
        if let Some(found) = &result.out_of_fold {
            provenance.more.extend(found.to_json());
        }
        let mut networks = result.networks.into_iter();
        let first = self.members[0].model().clone();
        let model = Model {
            network: networks.next().unwrap_or_else(|| first.network.clone()),
            others: networks.collect(),
            intervals: result.intervals,
            provenance,
            ..first
        };
        Trained {
            model,
            history: self.progress.history,
            outcome,
            best: None,
            seconds: self.progress.seconds,
            learned,
            warnings,
            out_of_fold: result.out_of_fold,
        }
    }
}

/// How training once more ended.
enum Refit {
    Networks(Vec<Network>),
    Stopped,
    Diverged(String),
}

impl Fold {
    fn data<'a>(&'a self, set: &'a Dataset) -> Result<Data<'a>> {
        Ok(Data {
            train: Subset::new(set, &self.train)?,
            validation: Some(Subset::new(set, &self.held_out)?),
        })
    }
}

fn is_diverged(member: &Member) -> bool {
    matches!(member.outcome(), Some(Outcome::Diverged { .. }))
}

/// A number of a sample.
fn number(at: usize) -> Result<u32> {
    u32::try_from(at).map_err(|_| Error::argument("more samples than can be numbered"))
}

/// Which classes have fewer samples than there are folds, if any have.
fn rare_classes(data: &Subset, folds: usize) -> Option<String> {
    let Targets::Classes { names, .. } = &data.data().targets else { return None };
    let mut counts = vec![0; names.len()];
    data.labels().iter().for_each(|&label| counts[label as usize] += 1);
    let rare: Vec<_> =
        names.iter().zip(&counts).filter(|&(_, &count)| count > 0 && count < folds).collect();
    let (name, count) = rare.first()?;
    let more = match rare.len() {
        1 => String::new(),
        2 => ", and another class has as few".to_owned(),
        rare => format!(", and {} other classes have as few", rare - 1),
    };
    let alone = if rare.iter().any(|&(_, &count)| count == 1) {
        "; a class of one sample is never predicted for it, because the member that is measured on it has not seen it"
    } else {
        ""
    };
    Some(format!(
        "the class '{name}' has {count} of the training samples{more}: with {folds} `members`, not every fold has one{alone}"
    ))
}
