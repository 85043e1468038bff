//! The run of one network, epoch by epoch: passes over the data, their figures, and when to end.
//!
//! In: settings, data, and where to begin ([`Start`]). Out: the figures of each epoch, and in the end a
//! [`Trained`] model.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::engine::{Engine, Epoch, Halt, Pace, PartialEpoch, Snapshot, TargetScale};
use crate::error::Result;
use crate::exchange::Ranks;
use crate::model::{Model, SampleCounts, ValueRange};
use crate::network::Network;
use crate::optimizer::lbfgs::End;
use crate::samples::{DataDigest, Subset};
use crate::schedule::Run;
use crate::training::advice::Judge;
use crate::training::checkpoint::State;
use crate::training::data::Data;
use crate::training::encoded::Encoded;
use crate::training::progress::Progress;
use crate::training::provenance::provenance;
use crate::training::start::{Beginning, Shared};
use crate::training::{
    Best, Checkpoint, EpochReport, History, Outcome, Start, TrainConfig, Trained,
};

/// The run of one network, that of a session or of a member of its bag. It borrows no data: every epoch is given the same
/// data again.
pub(super) struct Member {
    config: TrainConfig,
    engine: Engine,
    ranks: Ranks,
    /// The model after the last complete epoch, or where the run was stopped.
    model: Model,
    progress: Progress,
    /// The scale on which regression targets are learned; none for their own.
    target_scale: Option<TargetScale>,
    /// Parameters of the best epoch's network, with early stopping or `keep_best`.
    best: Vec<f32>,
    /// Epochs in a row without progress, with early stopping.
    waited: usize,
    /// The samples of raw columns as the network takes them.
    encoded: Option<Encoded>,
    /// The model that takes these, for their figures.
    measured: Option<Model>,
    /// Digests of the data, once a checkpoint has asked for them.
    digests: OnceLock<[Option<DataDigest>; 2]>,
    /// How many samples there are, for the model's provenance.
    samples: SampleCounts,
    /// What the schedule needs to know of the run.
    run: Run,
    judge: Judge,
    /// Whether a divergence says what to do about it.
    gives_advice: bool,
    outcome: Option<Outcome>,
}

impl Member {
    /// A run of these settings on these data that has not begun.
    ///
    /// # Errors
    /// `InvalidArgument` if a setting is out of range, if `start` or the validation data do not fit the
    /// training data, or if there are more samples than can be numbered.
    pub(super) fn new(
        config: &TrainConfig,
        data: Data,
        start: Start,
        shared: Shared,
    ) -> Result<Member> {
        config.validate()?;
        let Beginning { engine, mut model, target_scale, progress, best, encoded } =
            start.begin(config, &data, &shared)?;
        model.inputs.values = ValueRange::of_subset(&data.train.data().into())?;
        let validation = data.validation.map_or(0, |set| set.len());
        let samples = SampleCounts { train: data.train.len(), validation, test: 0 };
        Ok(Member {
            config: config.clone(),
            ranks: shared.ranks,
            run: config.run(engine.steps_per_epoch() as u64, data.train.len() as u64),
            judge: Judge::new(config, &encoded.as_ref().map_or(Ok(data), Encoded::data)?.train),
            gives_advice: true,
            waited: progress.waited(config, data.validation.is_some()),
            target_scale,
            engine,
            measured: encoded.is_some().then(|| model.of_encoded()),
            model,
            progress,
            best,
            encoded,
            digests: OnceLock::new(),
            samples,
            outcome: None,
        })
    }

    /// Runs the next epoch, or what is left of it, and gives its figures; none if the run is over, or if the epoch was left
    /// at `pause`.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another size than the run was begun with; those of evaluating the
    /// validation data, and of reading data that are not in memory.
    pub(super) fn epoch(
        &mut self,
        data: Data,
        stop: &AtomicBool,
        pause: Option<Instant>,
    ) -> Result<Option<&EpochReport>> {
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
        let pace_of = |step| Pace {
            rate: rate(step),
            decay: config.weight_decay_schedule.at(1.0, step - steps_before, &rested),
            dropout: config.dropout_schedule.at(1.0, step - steps_before, &rested),
        };
        let number = before.epochs + epoch;
        let seen = self.encoded.as_ref().map_or(Ok(data), Encoded::data)?;
        let done = self.progress.partial.as_ref();
        let totals =
            self.engine.epoch(&seen.train, Epoch { number, pace: &pace_of, stop, pause, done })?;
        let seconds_before = self.progress.partial.take().map_or(0.0, |done| done.seconds);
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
        if let Some((halt, partial)) = totals.left {
            let seconds = begin.elapsed().as_secs_f64();
            self.progress.seconds += seconds;
            // What L-BFGS has made of an iteration is undone.
            let seconds = seconds_before + seconds;
            self.progress.partial =
                (partial.steps > 0).then_some(PartialEpoch { seconds, ..partial });
            self.outcome = (halt == Halt::Stop).then_some(Outcome::Stopped);
            return Ok(None);
        }
        let by = (self.engine.workers(), &self.ranks);
        let model = match &mut self.measured {
            Some(measured) => {
                let parameters = self.model.network.parameters();
                measured.network.parameters_mut().copy_from_slice(parameters);
                measured
            }
            None => &self.model,
        };
        let validated = seen.validation.map(|set| model.check_on_ranks(set, by)).transpose()?;
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
            seconds: seconds_before + seconds,
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

    /// The settings.
    pub(super) fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The figures so far.
    pub(super) fn history(&self) -> &History {
        &self.progress.history
    }

    /// The epoch with the best figure so far, with early stopping or `keep_best`.
    pub(super) fn best(&self) -> Option<&Best> {
        self.progress.best.as_ref()
    }

    /// Wall time of the epochs so far, in seconds; of a resumed run also of its earlier parts.
    pub(super) fn seconds(&self) -> f64 {
        self.progress.seconds
    }

    /// [`Session::exchange_seconds`](crate::training::Session::exchange_seconds)
    pub(super) fn exchange_seconds(&self) -> f64 {
        self.engine.exchange_seconds()
    }

    /// Steps of an epoch.
    pub(super) fn steps_per_epoch(&self) -> usize {
        self.engine.steps_per_epoch()
    }

    /// Steps so far, those of the runs that this one continues included: a number that other threads, such as that of
    /// a progress bar, may read while an epoch runs.
    pub(super) fn step_counter(&self) -> Arc<AtomicU64> {
        self.engine.step_counter()
    }

    /// How the run ended; none while it goes on.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The model as it is now.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// The run as it is between two epochs or within one, for [`Start::Resume`]; `data` are those of the run. `note` is
    /// kept with it.
    pub(super) fn checkpoint(&self, data: Data, note: serde_json::Value) -> Checkpoint {
        // The data stay the same, and a digest takes seconds for gigabytes.
        let digests = self.digests.get_or_init(|| data.digests());
        self.checkpoint_with(digests.clone(), note)
    }

    /// The run as it is, for [`Start::Continue`]: it does not look at what it was trained on, so that it
    /// cannot be resumed.
    pub(super) fn state(&self) -> Checkpoint {
        self.checkpoint_with(Default::default(), serde_json::Value::Null)
    }

    /// The run as it is, all of it, for the checkpoint of a bag.
    pub(super) fn whole_state(&self) -> Checkpoint {
        self.checkpoint_of(self.engine.snapshot(), Default::default(), serde_json::Value::Null)
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
        self.checkpoint_of(snapshot, sets, note)
    }

    fn checkpoint_of(
        &self,
        snapshot: Snapshot,
        sets: [Option<DataDigest>; 2],
        note: serde_json::Value,
    ) -> Checkpoint {
        let (config, progress) = (self.config.clone(), self.progress.clone());
        Checkpoint {
            model: self.model.clone(),
            state: State::new(config, progress, &snapshot, self.target_scale.clone(), sets, note),
            snapshot,
            best: self.best.clone(),
            members: Vec::new(),
        }
    }

    /// The network of the best epoch so far, of the last one if none is kept.
    pub(super) fn kept(&self) -> Network {
        let mut network = self.model.network.clone();
        if self.progress.best.is_some() {
            network.parameters_mut().copy_from_slice(&self.best);
        }
        network
    }

    /// The figures of the epoch that [`Self::kept`] comes from.
    pub(super) fn kept_epoch(&self) -> Option<&EpochReport> {
        let epochs = &self.progress.history.epochs;
        match self.progress.best {
            Some(best) => epochs.get(best.epoch),
            None => epochs.last(),
        }
    }

    /// How the run has ended, if it has after the epochs so far.
    pub(super) fn ending(&self) -> Option<Outcome> {
        self.outcome.clone().or_else(|| self.end())
    }

    /// A model of [`Self::kept`] for samples as [`Self::seen`] gives them.
    pub(super) fn kept_model(&self) -> Model {
        let model = Model { network: self.kept(), ..self.model.clone() };
        if self.encoded.is_some() { model.of_encoded() } else { model }
    }

    /// The samples as the network takes them, those of `data` but for raw columns.
    pub(super) fn seen<'a>(&'a self, data: Data<'a>) -> Result<Data<'a>> {
        self.encoded.as_ref().map_or(Ok(data), Encoded::data)
    }

    /// Whether the model is better than guessing, and what the user should know.
    pub(super) fn verdict(&self, outcome: &Outcome) -> (bool, Vec<String>) {
        let kept = self.kept_epoch();
        let warnings = self.judge.warnings(&self.config, kept, outcome);
        let learned = match kept {
            Some(kept) => self.judge.baseline.is_beaten_by(kept),
            None => !matches!(outcome, Outcome::Diverged { .. }),
        };
        (learned, warnings)
    }

    /// Ends the run, wherever it is.
    pub(super) fn finish(self) -> Trained {
        let outcome = self.outcome.clone().unwrap_or(Outcome::Stopped);
        let (learned, warnings) = self.verdict(&outcome);
        let mut model = Model { network: self.kept(), ..self.model };
        let Progress { history, best, seconds, .. } = self.progress;
        model.provenance =
            provenance(&self.config, self.samples, &history, &outcome, best.as_ref());
        let out_of_fold = None;
        Trained { model, history, outcome, best, seconds, learned, warnings, out_of_fold }
    }
}

/// The figures of the last epoch of a short run from `model`, else from drawn weights; none if it fails.
fn trial(config: &TrainConfig, data: Subset, model: Option<&Model>) -> Option<EpochReport> {
    let (stop, data) = (AtomicBool::new(false), Data { train: data, validation: None });
    let start = model.map_or(Start::Fresh, Start::Model);
    let mut session = Member::new(config, data, start, Shared::alone(&Ranks::ALONE)).ok()?;
    // Its own divergence needs no advice, which would take more trials.
    session.gives_advice = false;
    while session.epoch(data, &stop, None).ok()?.is_some() {}
    match session.outcome() {
        Some(Outcome::Diverged { .. }) => None,
        _ => session.history().epochs.last().cloned(),
    }
}
