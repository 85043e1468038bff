//! A run, epoch by epoch: passes over the data, their figures, and when to end.
//!
//! In: settings, data, and where to begin ([`Start`]). Out: the figures of each epoch, and in the end a
//! [`Trained`] model. What a run says of itself between two epochs is in `session_view.rs`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::engine::{Engine, Epoch, Pace, TargetScale};
use crate::error::Result;
use crate::exchange::Ranks;
use crate::model::{Model, SampleCounts, ValueRange};
use crate::optimizer::lbfgs::End;
use crate::samples::{DataDigest, Subset};
use crate::schedule::Run;
use crate::training::advice::Judge;
use crate::training::checkpoint::State;
use crate::training::data::Data;
use crate::training::encoded::Encoded;
use crate::training::progress::Progress;
use crate::training::provenance::provenance;
use crate::training::start::Beginning;
use crate::training::{Checkpoint, EpochReport, Outcome, Start, TrainConfig, Trained};

/// A run, epoch by epoch. It borrows no data: every epoch is given the same data again.
pub struct Session {
    pub(super) config: TrainConfig,
    pub(super) engine: Engine,
    ranks: Ranks,
    /// The model after the last complete epoch, or where the run was stopped.
    pub(super) model: Model,
    pub(super) progress: Progress,
    /// The scale on which regression targets are learned; none for their own.
    target_scale: Option<TargetScale>,
    /// Parameters of the best epoch's network, with early stopping or `keep_best`.
    best: Vec<f32>,
    /// Epochs in a row without progress, with early stopping.
    waited: usize,
    /// The samples of raw columns as the network takes them.
    encoded: Option<Encoded>,
    /// Digests of the data, once a checkpoint has asked for them.
    digests: OnceLock<[Option<DataDigest>; 2]>,
    /// How many samples there are, for the model's provenance.
    samples: SampleCounts,
    /// What the schedule needs to know of the run.
    run: Run,
    judge: Judge,
    /// Whether a divergence says what to do about it.
    gives_advice: bool,
    pub(super) outcome: Option<Outcome>,
}

impl Session {
    /// A run of these settings on these data that has not begun.
    ///
    /// # Errors
    /// `InvalidArgument` if a setting is out of range, if `start` or the validation data do not fit the
    /// training data, or if there are more samples than can be numbered.
    pub fn new<'d>(
        config: &TrainConfig,
        data: impl Into<Data<'d>>,
        start: impl Into<Start<'d>>,
    ) -> Result<Session> {
        Session::on_ranks(config, data, start, &Ranks::ALONE)
    }

    /// The same run as one of several ranks, all of which train the same model together: each has all of the data and
    /// computes its share of the micro-batches of every batch. All ranks call the same methods in the same order and get
    /// the same bits, which are those of one rank.
    ///
    /// # Errors
    /// Those of [`Session::new`]; `InvalidArgument` if the ranks cannot share the micro-batches, or if they differ in
    /// version, instruction set, settings or data; those of [`Exchange::exchange`](crate::exchange::Exchange::exchange).
    pub fn on_ranks<'d>(
        config: &TrainConfig,
        data: impl Into<Data<'d>>,
        start: impl Into<Start<'d>>,
        ranks: &Ranks,
    ) -> Result<Session> {
        config.validate()?;
        let data = data.into();
        let Beginning { engine, mut model, target_scale, progress, best, encoded } =
            start.into().begin(config, &data, ranks)?;
        model.inputs.values = ValueRange::of(data.train.data().inputs.rows());
        let validation = data.validation.map_or(0, |set| set.len());
        let samples = SampleCounts { train: data.train.len(), validation, test: 0 };
        Ok(Session {
            config: config.clone(),
            ranks: ranks.clone(),
            run: config.run(engine.steps_per_epoch() as u64, data.train.len() as u64),
            judge: Judge::new(config, &encoded.as_ref().map_or(data, Encoded::data).train),
            gives_advice: true,
            waited: progress.waited(config, data.validation.is_some()),
            target_scale,
            engine,
            model,
            progress,
            best,
            encoded,
            digests: OnceLock::new(),
            samples,
            outcome: None,
        })
    }

    /// Runs the next epoch and gives its figures; none if the run is over.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another size than the run was begun with; those of evaluating the
    /// validation data.
    pub fn epoch<'d>(
        &mut self,
        data: impl Into<Data<'d>>,
        stop: &AtomicBool,
    ) -> Result<Option<&EpochReport>> {
        let data = data.into();
        let epoch = self.progress.history.epochs.len();
        if self.outcome.is_none() {
            self.outcome = self.end();
        }
        if self.outcome.is_some() {
            return Ok(None);
        }
        let begin = Instant::now();
        let Progress { plateau, before, .. } = &self.progress;
        let (factor, steps_before) = (plateau.factor, before.steps);
        let run = &Run { seen: before.samples, ..self.run };
        let config = &self.config;
        let rested = Run { warm_up: 0, ..*run };
        // The schedules start again with this run, whatever steps were made before it.
        let rate =
            |step| factor * config.schedule.at(config.learning_rate, step - steps_before, run);
        let pace = |step| Pace {
            rate: rate(step),
            decay: config.weight_decay_schedule.at(1.0, step - steps_before, &rested),
            dropout: config.dropout_schedule.at(1.0, step - steps_before, &rested),
        };
        let number = before.epochs + epoch;
        let seen = self.encoded.as_ref().map_or(data, Encoded::data);
        let totals = self.engine.epoch(&seen.train, Epoch { number, pace: &pace, stop })?;
        // That of the last step; of the first if there was none.
        let last = self.engine.steps().saturating_sub(1).max(steps_before);
        let learning_rate = totals.step_length.map_or_else(|| rate(last), |length| length as f32);
        // The loss is that of the passes before each step: the last step can still overflow.
        if !totals.loss.is_finite() || !self.engine.is_finite() {
            let advice = match self.gives_advice {
                true => {
                    // After some epochs the model may be ruined: the trials begin anew.
                    let model = (epoch == 0).then_some(&self.model);
                    let run = |config: &TrainConfig, data: Subset| trial(config, data, model);
                    self.judge.after_divergence(&self.config, &data.train, &run)
                }
                false => String::new(),
            };
            self.outcome = Some(Outcome::diverged(
                epoch,
                totals.loss,
                &self.config.optimizer,
                self.config.learning_rate,
                &advice,
            ));
            return Ok(None);
        }
        self.engine.store(&mut self.model.network);
        if totals.stopped {
            self.outcome = Some(Outcome::Stopped);
            self.progress.seconds += begin.elapsed().as_secs_f64();
            return Ok(None);
        }
        let check = |set| match self.encoded {
            Some(_) => self.model.of_encoded().check_on(set, self.engine.workers()),
            None => self.model.check_on(set, self.engine.workers()),
        };
        let validated = seen.validation.map(check).transpose()?;
        let seconds = begin.elapsed().as_secs_f64();
        let (loss, accuracy) = (totals.loss, totals.accuracy);
        let report = EpochReport {
            epoch,
            loss,
            accuracy,
            val_loss: validated.map(|found| found.loss),
            val_accuracy: validated.and_then(|found| found.accuracy),
            val_r2: validated.and_then(|found| found.r2),
            learning_rate,
            seconds,
        };
        let validates = data.validation.is_some();
        if self.progress.watch(&self.config, &report, validates, &mut self.waited) {
            self.best = self.model.network.parameters().to_vec();
        }
        self.progress.end = totals.end;
        self.progress.seconds += seconds;
        self.progress.samples += data.train.len() as u64;
        self.progress.history.epochs.push(report);
        if self.ranks.any(stop.load(Ordering::Relaxed))? {
            self.outcome = self.end().or(Some(Outcome::Stopped));
        }
        Ok(self.progress.history.epochs.last())
    }

    /// How the run has ended, if it has after the epochs so far. It follows from the progress alone,
    /// so that a resumed run ends where the uninterrupted one does.
    fn end(&self) -> Option<Outcome> {
        let epochs = self.progress.history.epochs.len();
        let patience = self.config.early_stopping.map(|early| early.patience);
        if patience.is_some_and(|patience| self.waited >= patience) {
            return Some(Outcome::NoProgress);
        }
        if self.progress.end == Some(End::Converged) || self.progress.plateau.over {
            return Some(Outcome::NoProgress);
        }
        let exhausted = self.progress.end == Some(End::Exhausted);
        (exhausted || epochs >= self.config.epochs).then_some(Outcome::Finished)
    }

    /// The run as it is between two epochs, for [`Start::Resume`]; `data` are those of the run. `note` is
    /// kept with it.
    pub fn checkpoint<'d>(&self, data: impl Into<Data<'d>>, note: serde_json::Value) -> Checkpoint {
        // The data stay the same, and a digest takes seconds for gigabytes.
        let digests = self.digests.get_or_init(|| data.into().digests());
        self.checkpoint_with(digests.clone(), note)
    }

    /// The run as it is, for [`Start::Continue`]: it does not look at what it was trained on, so that it
    /// cannot be resumed.
    pub fn state(&self) -> Checkpoint {
        self.checkpoint_with(Default::default(), serde_json::Value::Null)
    }

    fn checkpoint_with(
        &self,
        sets: [Option<DataDigest>; 2],
        note: serde_json::Value,
    ) -> Checkpoint {
        let mut snapshot = self.engine.snapshot();
        if sets.iter().all(Option::is_none) {
            // It is not for resuming.
            snapshot = snapshot.for_another_run();
        }
        let (config, progress) = (self.config.clone(), self.progress.clone());
        Checkpoint {
            model: self.model.clone(),
            state: State::new(config, progress, &snapshot, self.target_scale.clone(), sets, note),
            snapshot,
            best: self.best.clone(),
        }
    }

    /// Ends the run, wherever it is.
    pub fn finish(self) -> Trained {
        let Progress { history, best, seconds, .. } = self.progress;
        let mut model = self.model;
        if best.is_some() {
            model.network.parameters_mut().copy_from_slice(&self.best);
        }
        let outcome = self.outcome.unwrap_or(Outcome::Stopped);
        let kept = match best {
            Some(best) => history.epochs.get(best.epoch),
            None => history.epochs.last(),
        };
        let warnings = self.judge.warnings(&self.config, kept, &outcome);
        let learned = match kept {
            Some(kept) => self.judge.baseline.is_beaten_by(kept),
            None => !matches!(outcome, Outcome::Diverged { .. }),
        };
        model.provenance =
            provenance(&self.config, self.samples, &history, &outcome, best.as_ref());
        Trained { model, history, outcome, best, seconds, learned, warnings }
    }
}

/// The figures of the last epoch of a short run from `model`, else from drawn weights; none if it fails.
fn trial(config: &TrainConfig, data: Subset, model: Option<&Model>) -> Option<EpochReport> {
    let (stop, data) = (AtomicBool::new(false), Data { train: data, validation: None });
    let start = model.map_or(Start::Fresh, Start::Model);
    let mut session = Session::new(config, data, start).ok()?;
    // Its own divergence needs no advice, which would take more trials.
    session.gives_advice = false;
    while session.epoch(data, &stop).ok()?.is_some() {}
    match session.outcome() {
        Some(Outcome::Diverged { .. }) => None,
        _ => session.history().epochs.last().cloned(),
    }
}
