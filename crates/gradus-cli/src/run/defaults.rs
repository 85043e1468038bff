//! Defaults that follow the data: settings that neither an option nor a preset decides and the data in, settings that
//! suit them and a line about them out.
//!
//! The defaults of the preset `quick` are made for images such as MNIST's. A table has columns on scales of its own, and
//! a small table makes too few steps in six epochs of large batches. The constants were chosen on made-up tables and by
//! cross-validation on training parts of public ones, never on test data (docs/decisions.md).

use anyhow::Result;
use gradus::data::normalize::Normalization;
use gradus::data::{Inputs, Rows, Shuffle, Task};
use gradus::training::settings::SETTINGS;
use gradus::training::{BatchSize, Data as Sets};

use crate::args::option;
use crate::run::settings::{Settings, forget_validation};
use crate::run::training_data::Data;

/// A run makes at least so many steps in all, ...
const LEAST_STEPS: usize = 1500;

/// ... but no more than so many epochs.
const MOST_EPOCHS: usize = 500;

/// Batches are such that an epoch has about so many of them, ...
const BATCHES: usize = 128;

/// ... within these limits; the upper one is the preset's.
const LEAST_BATCH: usize = 16;

/// Adapts the settings that are free, and returns a line about them if any has changed.
///
/// # Errors
/// None for data that were loaded for these settings.
pub(crate) fn follow(settings: &mut Settings, data: &Data) -> Result<Option<String>> {
    if data.training.are_streamed() {
        // The only order in which they can be read; another one that was asked for is refused when training begins.
        settings.config.shuffle = settings.config.shuffle.or(Some(Shuffle::Blocks));
    }
    if settings.preset.is_tabular() {
        let sets = data.training.sets()?;
        if sets.validation.is_none() && settings.config.held_out_share() > 0.0 {
            settings.config.validation = 0.0;
            let free = settings.free.clone();
            forget_validation(&mut settings.config, |name| free.contains(&name));
        }
        let task = sets.train.data().targets.task();
        return Ok(follow_rows(settings, sets.train.len(), task));
    }
    // The preset is made for named sets.
    if data.named {
        return Ok(None);
    }
    let sets = data.training.sets()?;
    let samples = sets.train.len();
    let free = |name: &str| settings.free.contains(&name);
    let (frees_batch, frees_epochs, frees_normalize) =
        (free("batch_size"), free("epochs"), free("normalize"));
    let config = &mut settings.config;
    let mut chosen = Vec::new();
    if let (true, Some(why)) = (frees_normalize, needs_standard(sets)) {
        config.normalization = Normalization::Standard;
        chosen.push(format!("--normalize standard ({why})"));
    }
    if let (true, BatchSize::Samples(usual)) = (frees_batch, config.batch_size) {
        let batch = (samples / BATCHES).next_power_of_two().clamp(LEAST_BATCH, usual);
        if batch < usual {
            config.batch_size = BatchSize::Samples(batch);
            chosen.push(format!("--batch-size {batch}"));
        }
    }
    if frees_epochs {
        let batch = match config.batch_size {
            BatchSize::Samples(batch) => batch,
            BatchSize::Full => samples,
        };
        let least = LEAST_STEPS.div_ceil(samples.div_ceil(batch)).min(MOST_EPOCHS);
        if least > config.epochs {
            config.epochs = least;
            chosen.push(format!("--epochs {least}"));
        }
    }
    let line = format!("Defaults for these data: {}", chosen.join(" "));
    Ok((!chosen.is_empty()).then_some(line))
}

/// Adapts the preset to the number of rows, and returns a line about what is not the preset's now.
fn follow_rows(settings: &mut Settings, rows: usize, task: Task) -> Option<String> {
    let before = settings.config.clone();
    let free = &settings.free;
    settings.config.follow_rows(rows, task, |name| free.contains(&name));
    let changed = SETTINGS.iter().filter_map(|setting| {
        let now = setting.get(&settings.config)?;
        (setting.get(&before).as_ref() != Some(&now))
            .then(|| format!("--{} {now}", option(setting)))
    });
    let changed: Vec<String> = changed.collect();
    (!changed.is_empty())
        .then(|| format!("Defaults for these data: {} ({rows} rows)", changed.join(" ")))
}

/// Why inputs should have mean 0 and standard deviation 1 where the preset only scales them: a few words.
fn needs_standard(Sets { train, .. }: Sets) -> Option<&'static str> {
    let data = train.data();
    match (&data.inputs, data.sample_shape.len()) {
        // Centred, sparse rows would become dense.
        (Inputs::Sparse(_), _) => None,
        (_, 1) | (Inputs::Table(_), _) => Some("a table"),
        // Grey levels fit into single precision.
        (Inputs::Doubles(_), _) => None,
        (Inputs::Streamed(rows), _) => {
            // What cannot be read is reported when training begins.
            let sums = gradus::data::Subset::from(data).sums().ok()?;
            let ends = match rows.kind() {
                Rows::Bytes(_) => (0.0, 255.0),
                Rows::Doubles(_) => return None,
                _ => sums.range(),
            };
            is_dark_on_light(sums.mean(data.features()), ends)
        }
        // Inputs that are mostly 1 train worse than those that are mostly 0.
        (Inputs::Bytes(values), _) => {
            dark_on_light(values.iter().map(|&value| value.into()), (0.0, 255.0))
        }
        (Inputs::Floats(values), _) => {
            let ends =
                values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &it| {
                    (low.min(it), high.max(it))
                });
            dark_on_light(values.iter().map(|&value| value.into()), (ends.0.into(), ends.1.into()))
        }
    }
}

/// Whether grey levels are nearer to the largest than to the smallest, in the mean.
fn dark_on_light(
    levels: impl ExactSizeIterator<Item = f64>,
    (low, high): (f64, f64),
) -> Option<&'static str> {
    let count = levels.len().max(1) as f64;
    is_dark_on_light(levels.sum::<f64>() / count, (low, high))
}

/// The same, from their mean.
fn is_dark_on_light(mean: f64, (low, high): (f64, f64)) -> Option<&'static str> {
    (mean > (low + high) / 2.0).then_some("dark on light")
}
