//! Runs that go on from other ones, with other data or settings: from all that a run remembers
//! ([`Session::go_on`]) or from its model alone ([`Session::with_model`]).

use crate::engine::cpu::plan::Plan;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::samples::Dataset;
use crate::training::checkpoint::{Checkpoint, fill};
use crate::training::config::TrainConfig;
use crate::training::progress::PriorProgress;
use crate::training::session::Session;

impl<'a> Session<'a> {
    /// The run as it is, for [`Self::go_on`]: what it was trained on is not looked at, so that it
    /// cannot be resumed.
    pub fn state(&self) -> Checkpoint {
        self.keep(Default::default(), serde_json::Value::Null)
    }

    /// A new run that goes on from another one, wherever that was, with other data or settings: it
    /// takes over the parameters, what the optimizer and the averages remember, and the
    /// normalisation. Its history and its schedule begin anew; epochs and steps are counted on, so
    /// that on the same data, at a constant learning rate, several runs give the bits of one.
    ///
    /// # Errors
    /// `InvalidArgument` where the data do not fit the network, or the settings differ in what the
    /// state depends on: layers, optimizer, batch normalisation, average; those of [`Session::new`].
    pub fn go_on(
        checkpoint: &Checkpoint,
        config: &TrainConfig,
        data: &'a Dataset,
        validation: Option<&'a Dataset>,
    ) -> Result<Session<'a>> {
        config.validate()?;
        let Checkpoint { model, state, .. } = checkpoint;
        check_settings(&state.config, config)?;
        let start = (model.network.clone(), model.transform.clone());
        let mut session = Session::begin(config, data, validation, start)?;
        let plan = &session.trainer.executor.plan;
        let from = Plan::new(&model.network, state.sparse, plan.hidden);
        for (name, matrix, parts, per_parameter) in session.vectors() {
            if matrix.read().is_empty() {
                continue;
            }
            let values = match per_parameter {
                true => plan.translate(&from, checkpoint.tensor(name, from.len())?),
                false => {
                    let values = checkpoint.tensor(name, from.statistics_len())?;
                    plan.translate_statistics(&from, values)
                }
            };
            fill(matrix, parts, &values);
        }
        let epochs = state.progress.before.epochs + state.progress.history.epochs.len();
        session.progress.before = PriorProgress { epochs, steps: state.steps };
        session.trainer.stepper.steps = state.steps;
        Ok(session)
    }

    /// A run that begins with a trained model: its network, and its normalisation in place of that of
    /// the settings.
    ///
    /// # Errors
    /// As [`crate::training::train`].
    pub fn with_model(
        config: &TrainConfig,
        data: &'a Dataset,
        validation: Option<&'a Dataset>,
        model: &Model,
    ) -> Result<Session<'a>> {
        config.validate()?;
        let start = (model.network.clone(), model.transform.clone());
        Session::begin(config, data, validation, start)
    }
}

/// Checks that a run with these settings can go on from one with those.
fn check_settings(before: &TrainConfig, now: &TrainConfig) -> Result<()> {
    let settings = |config: &TrainConfig| {
        let TrainConfig { hidden, activation, optimizer, regularization, .. } = config.clone();
        [
            ("the hidden layers", format!("{hidden:?}")),
            ("the activations", format!("{activation:?}")),
            ("the optimizer", format!("{} with {} moments", optimizer.name(), optimizer.moments())),
            ("batch normalisation", regularization.batch_norm.to_string()),
            ("whether weights are averaged", regularization.ema_decay.is_some().to_string()),
        ]
    };
    for ((name, before), (_, now)) in settings(before).into_iter().zip(settings(now)) {
        if before != now {
            return Err(Error::argument(format!(
                "{name} cannot change while training goes on: {before} until now, {now} is asked \
                 for; begin anew, or leave it as it was"
            )));
        }
    }
    Ok(())
}
