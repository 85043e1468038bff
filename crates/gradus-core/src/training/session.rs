//! A run, epoch by epoch: passes over the data, what they brought, and when to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::engine::cpu::Trainer;
use crate::error::Result;
use crate::model::{Model, Outputs};
use crate::network::Network;
use crate::samples::Dataset;
use crate::schedule::{Run, Schedule};
use crate::training::progress::Progress;
use crate::training::{Best, EarlyStopping, EpochReport, History, Outcome, TrainConfig, Trained};
use crate::transform::Transform;

/// A run, epoch by epoch.
pub struct Session<'a> {
    pub(super) config: TrainConfig,
    pub(super) data: &'a Dataset,
    pub(super) validation: Option<&'a Dataset>,
    pub(super) trainer: Trainer<'a>,
    /// The model after the last complete epoch, or where the run was stopped.
    pub(super) model: Model,
    pub(super) progress: Progress,
    /// What the schedule needs to know of the run.
    run: Run,
    /// Parameters of the best epoch's network, with early stopping.
    pub(super) best: Vec<f32>,
    outcome: Option<Outcome>,
}

impl<'a> Session<'a> {
    /// A run that has not begun; the arguments are those of [`crate::training::train`].
    ///
    /// # Errors
    /// As [`crate::training::train`].
    pub fn new(
        config: &TrainConfig,
        data: &'a Dataset,
        validation: Option<&'a Dataset>,
        start: Option<Network>,
    ) -> Result<Session<'a>> {
        config.validate()?;
        let network = match start {
            Some(network) => network,
            None => {
                let (features, TrainConfig { hidden, activation, .. }) = (data.features(), config);
                let outputs = data.targets.outputs();
                let mut network = Network::dense(features, hidden, activation, outputs)?;
                network.initialize(config.init, config.seed);
                network
            }
        };
        let transform = Transform::fit(config.normalization, data);
        Session::begin(config, data, validation, (network, transform))
    }

    /// A run that begins with this network and this normalisation; the settings are valid.
    pub(super) fn begin(
        config: &TrainConfig,
        data: &'a Dataset,
        validation: Option<&'a Dataset>,
        (network, transform): (Network, Transform),
    ) -> Result<Session<'a>> {
        config.regularization.check_fit(network.linears().len() - 1, data)?;
        let shape = data.sample_shape.clone();
        let outputs = Outputs::of(&data.targets);
        let model = Model::new(network, transform.clone(), shape, outputs)?;
        config.check_validation(data, validation)?;
        let network = &model.network;
        let settings = config.engine_settings(network, data.len());
        let trainer = Trainer::new(&settings, network, transform, data)?;
        let run = config.run(trainer.steps_per_epoch() as u64);
        Ok(Session {
            run,
            config: config.clone(),
            data,
            validation,
            trainer,
            model,
            progress: Progress::default(),
            best: Vec::new(),
            outcome: None,
        })
    }

    /// Runs the next epoch and gives its figures; none when the run is over.
    ///
    /// # Errors
    /// Those of evaluating the validation data.
    pub fn epoch(&mut self, stop: &AtomicBool) -> Result<Option<&EpochReport>> {
        let epoch = self.progress.history.epochs.len();
        if self.outcome.is_none() {
            self.outcome = self.end();
        }
        if self.outcome.is_some() {
            return Ok(None);
        }
        let begin = Instant::now();
        let Progress { plateau, before, .. } = &self.progress;
        let (factor, steps) = (plateau.factor, before.steps);
        let (TrainConfig { schedule, learning_rate, .. }, run) = (&self.config, &self.run);
        // The schedule begins anew with this run, whatever steps were made before it.
        let rate = |step| factor * schedule.at(*learning_rate, step - steps, run);
        let totals = self.trainer.epoch(before.epochs + epoch, &rate, stop);
        // That of the last step; of the first where there was none.
        let last_rate = rate(self.trainer.stepper.steps.saturating_sub(1).max(steps));
        // The loss is that of the passes before each step: the last step can still overflow.
        if !totals.loss.is_finite() || !self.trainer.is_finite() {
            let kept = self.progress.best.map(|best| best.epoch).or(epoch.checked_sub(1));
            let rate = self.config.learning_rate;
            self.outcome = Some(Outcome::diverged(epoch, totals.loss, rate, kept));
            return Ok(None);
        }
        self.trainer.store(&mut self.model.network);
        if totals.stopped {
            self.outcome = Some(Outcome::Stopped);
            self.progress.seconds += begin.elapsed().as_secs_f64();
            return Ok(None);
        }
        let (val_loss, val_accuracy) = match self.validation {
            Some(set) => {
                let (loss, accuracy) = self.model.check_on(set, &self.trainer.workers)?;
                (Some(loss), accuracy)
            }
            None => (None, None),
        };
        let seconds = begin.elapsed().as_secs_f64();
        let report = EpochReport {
            epoch,
            loss: totals.loss,
            accuracy: totals.accuracy,
            val_loss,
            val_accuracy,
            learning_rate: last_rate,
            seconds,
        };
        self.watch(&report);
        self.progress.seconds += seconds;
        self.progress.history.epochs.push(report);
        if stop.load(Ordering::Relaxed) {
            self.outcome = self.end().or(Some(Outcome::Stopped));
        }
        Ok(self.progress.history.epochs.last())
    }

    /// How the run has ended, if it has after the epochs so far. It follows from the progress alone,
    /// so that a resumed run ends where the uninterrupted one does.
    fn end(&self) -> Option<Outcome> {
        let epochs = self.progress.history.epochs.len();
        if let Some(EarlyStopping { patience, .. }) = self.config.early_stopping {
            let since = self.progress.best.map_or(epochs, |best| epochs - best.epoch - 1);
            if since >= patience {
                return Some(Outcome::NoProgress);
            }
        }
        (epochs >= self.config.epochs).then_some(Outcome::Finished)
    }

    /// The plateau schedule, and early stopping: saves the model of the best epoch.
    fn watch(&mut self, report: &EpochReport) {
        let monitor = self.config.monitor(self.validation.is_some());
        let Some(value) = monitor.of(report) else { return };
        if let Schedule::Plateau(plateau) = self.config.schedule {
            let larger_is_better = monitor.larger_is_better();
            self.progress.plateau.observe(&plateau, value, larger_is_better);
        }
        let Some(EarlyStopping { min_delta, .. }) = self.config.early_stopping else { return };
        let better = match (&self.progress.best, monitor.larger_is_better()) {
            (None, _) => value.is_finite(),
            (Some(best), true) => value > best.value + min_delta,
            (Some(best), false) => value < best.value - min_delta,
        };
        if better {
            self.progress.best = Some(Best { epoch: report.epoch, monitor, value });
            self.best = self.model.network.parameters().to_vec();
        }
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The figures so far.
    pub fn history(&self) -> &History {
        &self.progress.history
    }

    /// The epoch with the best figure so far, with early stopping.
    pub fn best(&self) -> Option<&Best> {
        self.progress.best.as_ref()
    }

    /// Wall time of the epochs so far, in seconds; of a resumed run also of its earlier parts.
    pub fn seconds(&self) -> f64 {
        self.progress.seconds
    }

    /// How the run ended; none while it goes on.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends the run, wherever it is.
    pub fn finish(self) -> Trained {
        let Progress { history, best, seconds, .. } = self.progress;
        let mut model = self.model;
        if best.is_some() {
            model.network.parameters_mut().copy_from_slice(&self.best);
        }
        let outcome = self.outcome.unwrap_or(Outcome::Stopped);
        Trained { model, history, outcome, best, seconds }
    }
}
