//! How a run begins: with drawn parameters, those of a network or a model, or where another run was.

use crate::engine::{Engine, TargetScale};
use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::model::{Model, Outputs};
use crate::network::{ColumnLayer, Init, Network, NumericEmbedding};
use crate::samples::Columns;
use crate::training::checkpoint::Checkpoint;
use crate::training::config::TrainConfig;
use crate::training::data::Data;
use crate::training::encoded::Encoded;
use crate::training::progress::{PriorProgress, Progress};
use crate::training::same_data::check_same_data;
use crate::training::{same_on_ranks, tabular_start};
use crate::transform::Transform;

/// Where a run begins.
#[derive(Debug, Clone)]
pub enum Start<'a> {
    /// With parameters drawn as the settings say.
    Fresh,
    /// With the parameters of a network, which must fit the data; the settings' own layers are not looked at.
    Network(Network),
    /// With a trained model: its network, and its normalization in place of that of the settings.
    Model(&'a Model),
    /// Where the checkpoint was made: the same run goes on, with the same data, to the bits of the
    /// uninterrupted run. The settings must be those of the checkpoint, but for the number of threads, and that of epochs,
    /// which may be larger: the schedule is then laid over all of them.
    Resume(&'a Checkpoint),
    /// A new run continues the one of the checkpoint, wherever that was, with other data or settings: it takes
    /// over the parameters, what the optimizer and the average remember, and the normalization. Its history
    /// and its schedule start again; epochs and steps are counted on, so that on the same data, at a constant
    /// learning rate, several runs give the bits of one.
    Continue(&'a Checkpoint),
}

impl From<Option<Network>> for Start<'_> {
    fn from(network: Option<Network>) -> Self {
        network.map_or(Start::Fresh, Start::Network)
    }
}

/// What the run of a network shares with others.
pub(super) struct Shared {
    /// The processes that train the same network.
    pub(super) ranks: Ranks,
    pub(super) of_bag: Option<OfBag>,
}

/// What the members of a bag have in common: a transform that was fitted to the samples of all of them, and the samples of
/// raw columns as it makes inputs of them.
pub(super) struct OfBag {
    pub(super) transform: Transform,
    pub(super) encoded: Option<Encoded>,
}

impl Shared {
    /// That of a single network.
    pub(super) fn alone(ranks: &Ranks) -> Shared {
        Shared { ranks: ranks.clone(), of_bag: None }
    }

    /// That of a member of a bag.
    pub(super) fn of_bag(transform: Transform, encoded: Option<Encoded>) -> Shared {
        Shared { ranks: Ranks::ALONE, of_bag: Some(OfBag { transform, encoded }) }
    }
}

/// What a run begins with.
pub(super) struct Beginning {
    pub(super) engine: Engine,
    pub(super) model: Model,
    pub(super) target_scale: Option<TargetScale>,
    pub(super) progress: Progress,
    /// Parameters of the best epoch's network so far; empty if there is none.
    pub(super) best: Vec<f32>,
    /// The samples of raw columns as the network takes them.
    pub(super) encoded: Option<Encoded>,
}

impl Start<'_> {
    /// Makes what a run with these valid settings begins with; `shared` is what it has in common with others.
    pub(super) fn begin(
        self,
        config: &TrainConfig,
        data: &Data,
        shared: &Shared,
    ) -> Result<Beginning> {
        match &self {
            Start::Resume(checkpoint) => check_same_settings(checkpoint.config(), config)?,
            Start::Continue(checkpoint) => check_settings(checkpoint.config(), config)?,
            _ => {}
        }
        if self.earlier().is_some_and(|model| model.members() > 1) {
            return Err(Error::argument(
                "training cannot go on from a bag of networks: begin a new run, or take one of its members",
            ));
        }
        let loss = config.check_loss(data)?;
        let target_scale = self.target_scale(config, &loss, data);
        let outputs = loss.outputs_per_target() * data.train.data().targets.outputs();
        if let Some(scale) = &target_scale {
            scale.check(outputs)?;
        }
        let (mut network, transform) = self.model(config, data, shared)?;
        if let (Start::Fresh, Some(scale)) = (&self, &target_scale) {
            // Weights are drawn for standardized targets; all other networks are in the targets' own units.
            scale.fold_into(&mut network);
        }
        let encoded = match &shared.of_bag {
            Some(bag) => bag.encoded.clone(),
            None => Encoded::of(&transform, data)?,
        };
        let seen = encoded.as_ref().map_or(Ok(*data), Encoded::data)?;
        let set = data.train.data();
        config.regularization.check_fit(network.linears().len() - 1, set)?;
        if network.columns().is_some_and(ColumnLayer::has_categories) {
            config.regularization.check_categories()?;
        }
        let shape = set.sample_shape.clone();
        let weights = config.output_weights.clone().unwrap_or_default();
        let described = Outputs::of(&set.targets, loss, weights);
        let mut model = Model::new(network, transform.clone(), shape, described)?;
        model.columns = set.columns.clone().or_else(|| self.columns());
        config.check_validation(set, data.validation.map(|it| it.data()))?;
        if config.clip_predictions == Some(true) {
            // All members of a bag see the same samples, in one part or the other: they have one range.
            let sets = [Some(data.train), data.validation].into_iter().flatten();
            model.outputs.clip_to(sets, self.earlier().map(|model| &model.outputs));
        }
        let begun = match &self {
            Start::Resume(it) | Start::Continue(it) => it.history().epochs.len(),
            Start::Fresh | Start::Network(_) | Start::Model(_) => 0,
        };
        same_on_ranks::check(&shared.ranks, config, data, (&model, begun))?;
        let (scale, ranks) = (target_scale.clone(), shared.ranks.clone());
        let settings = config.engine_settings(&model, data.train.len(), scale, ranks);
        let of_engine = if encoded.is_some() { Transform::IDENTITY } else { transform };
        let engine = Engine::cpu(&settings, &model.network, of_engine, &seen.train)?;
        let progress = Progress::default();
        let best = Vec::new();
        let fresh = Beginning { engine, model, target_scale, progress, best, encoded };
        match self {
            Start::Resume(checkpoint) => {
                // The data of a member are those of its bag, which have been looked at.
                if shared.of_bag.is_none() {
                    check_same_data(checkpoint, data)?;
                }
                fresh.resume(checkpoint, config)
            }
            Start::Continue(checkpoint) => fresh.continue_from(checkpoint),
            _ => Ok(fresh),
        }
    }

    /// The model that an earlier run learned.
    fn earlier(&self) -> Option<&Model> {
        match self {
            Start::Fresh | Start::Network(_) => None,
            Start::Model(model) => Some(model),
            Start::Resume(checkpoint) | Start::Continue(checkpoint) => Some(checkpoint.model()),
        }
    }

    /// The columns of the table that an earlier run learned from.
    fn columns(&self) -> Option<Columns> {
        self.earlier().and_then(|model| model.columns.clone())
    }

    /// The scale on which regression targets are learned: that of the run that goes on, else that of the data.
    fn target_scale(&self, config: &TrainConfig, loss: &Loss, data: &Data) -> Option<TargetScale> {
        match self {
            Start::Resume(checkpoint) | Start::Continue(checkpoint) => {
                checkpoint.state.target_scale.clone()
            }
            _ if config.standardize_targets == Some(true) => {
                TargetScale::fit(&data.train, loss.outputs_per_target())
            }
            _ => None,
        }
    }

    /// The network and the normalization.
    fn model(
        &self,
        config: &TrainConfig,
        data: &Data,
        shared: &Shared,
    ) -> Result<(Network, Transform)> {
        let fitted = || {
            shared
                .of_bag
                .as_ref()
                .map_or_else(|| config.transform(data.train), |it| Ok(it.transform.clone()))
        };
        let of = |model: &Model| (model.network.clone(), model.transform.clone());
        Ok(match self {
            Start::Fresh => {
                let transform = fitted()?;
                transform.check(data.train.features())?;
                let mut network = config.network(data.train, &transform)?;
                if config.init == Init::Tabular {
                    tabular_start::apply(&mut network, &transform, &data.train, config.seed)?;
                }
                (network, transform)
            }
            Start::Network(network) => (network.clone(), fitted()?),
            Start::Model(model) => of(model),
            Start::Resume(checkpoint) | Start::Continue(checkpoint) => of(checkpoint.model()),
        })
    }
}

impl Beginning {
    /// Goes on where `checkpoint` was made.
    fn resume(mut self, checkpoint: &Checkpoint, config: &TrainConfig) -> Result<Beginning> {
        let done = checkpoint.history().epochs.len();
        if config.epochs < done {
            return Err(Error::argument(format!(
                "the run has made {done} epochs already: `epochs` is {}, but must be at least that",
                config.epochs
            )));
        }
        checkpoint.check_progress(self.engine.steps_per_epoch())?;
        self.engine.restore(&checkpoint.snapshot)?;
        self.progress = checkpoint.state.progress.clone();
        if self.progress.best.is_some() {
            let length = self.model.network.parameters().len();
            self.best = checkpoint.best(length)?.to_vec();
        }
        self.model = checkpoint.model().clone();
        Ok(self)
    }

    /// Takes over what the run of `checkpoint` remembers.
    fn continue_from(mut self, checkpoint: &Checkpoint) -> Result<Beginning> {
        self.engine.restore(&checkpoint.snapshot.clone().for_another_run())?;
        let Progress { before, history, samples, .. } = &checkpoint.state.progress;
        self.progress.before = PriorProgress {
            epochs: before.epochs + history.epochs.len(),
            steps: checkpoint.snapshot.steps,
            samples: before.samples + samples,
        };
        Ok(self)
    }
}

/// Checks that a resumed run has the settings of its checkpoint, but for the number of epochs, which may be larger, and
/// that of threads, which changes no result.
pub(super) fn check_same_settings(before: &TrainConfig, now: &TrainConfig) -> Result<()> {
    let free = |config: &TrainConfig| TrainConfig { threads: None, epochs: 1, ..config.clone() };
    if free(before) == free(now) {
        return Ok(());
    }
    Err(Error::argument(
        "a resumed run keeps the settings of its checkpoint, but other settings were given: leave them as \
         they were, or begin a new run that continues this one",
    ))
}

/// Checks that a run with these settings can continue one with those.
fn check_settings(before: &TrainConfig, now: &TrainConfig) -> Result<()> {
    let settings = |config: &TrainConfig| {
        let TrainConfig {
            hidden,
            activation,
            parametric,
            optimizer,
            regularization,
            standardize_targets,
            scaling_layer,
            loss,
            numeric_embedding,
            category_embedding,
            ..
        } = config.clone();
        [
            ("the hidden layers", format!("{hidden:?}")),
            ("the activations", format!("{activation:?}")),
            ("whether activations have strengths", (parametric == Some(true)).to_string()),
            ("the optimizer", format!("{} with {} moments", optimizer.name(), optimizer.moments())),
            ("batch normalization", regularization.batch_norm.to_string()),
            ("whether weights are averaged", regularization.ema_decay.is_some().to_string()),
            (
                "the numeric embedding",
                numeric_embedding.map_or("none".into(), NumericEmbedding::name),
            ),
            (
                "the embedding of categories",
                category_embedding.map_or("none".into(), |outputs| outputs.to_string()),
            ),
            ("whether there is a scaling layer", (scaling_layer == Some(true)).to_string()),
            ("the loss", loss.map_or("the usual one".into(), |loss| loss.name())),
            ("whether targets are standardized", (standardize_targets == Some(true)).to_string()),
        ]
    };
    for ((name, before), (_, now)) in settings(before).into_iter().zip(settings(now)) {
        if before != now {
            return Err(Error::argument(format!(
                "{name} cannot change when training continues: it was {before}, but now is {now}; \
                 start a new training, or leave it unchanged"
            )));
        }
    }
    Ok(())
}
