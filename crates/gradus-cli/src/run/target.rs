//! The target of a table, the task and the preset, where no option says what they are: the data and how to read them
//! in; the task, the preset and what decided them out.

use std::path::Path;

use gradus::data::csv::{TableOptions, TargetGuess, guess_target, may_hold_images};
use gradus::data::shards::Shards;
use gradus::data::{Task, is_set_name, training_table};
use gradus::training::Preset;

use crate::args::{SourceArgs, TrainArgs};
use crate::run::file_kind::FileKind;

/// Decides what is learned from a table at `data`, and returns the task and a line about it; the target is named in `source`
/// if readers would take another one. None for anything but a table, and for a table that cannot be read, whose problem is
/// reported when it is.
pub(crate) fn decide(data: Option<&Path>, source: &mut SourceArgs) -> Option<(Task, String)> {
    let path = data.filter(|path| !is_set_name(path))?;
    match FileKind::of(path) {
        FileKind::Table => {}
        FileKind::Shards => return of_shards(path),
        _ => return None,
    }
    // Of a folder of tables, the training part decides.
    let path = &training_table(path)?;
    let TargetGuess { name, label_column, task, why, is_either } =
        guess_target(path, &options_of(source)).ok()??;
    if label_column.is_some() {
        source.label_column = label_column;
    }
    let (learned, other) = match task {
        Task::Classification => ("classes", "; --loss squared learns values"),
        Task::MultiLabel => ("labels", ""),
        Task::Regression => ("values", "; --loss cross-entropy learns classes"),
    };
    let other = if is_either { other } else { "" };
    Some((task, format!("Target: {name}, {learned} ({why}{other})")))
}

/// The task of a folder of shards, whose index says it. None for classes, which are the usual ones.
fn of_shards(path: &Path) -> Option<(Task, String)> {
    let shards = Shards::open(path).ok()?;
    let task = shards.task();
    let line = format!("Target: {} (the index of the shards)", shards.output_names().join(", "));
    (task != Task::Classification).then_some((task, line))
}

/// Settings that say what the network is and how its steps are made. The parts of the recipe for tables are chosen for each
/// other, so that a run which names one of these is not by the recipe, unless it asks for that.
const OF_THE_RECIPE: [&str; 18] = [
    "hidden",
    "activation",
    "init",
    "parametrization",
    "normalize",
    "optimizer",
    "learning_rate",
    "momentum",
    "nesterov",
    "beta1",
    "beta2",
    "epsilon",
    "max_fun",
    "tolerance",
    "schedule",
    "warm_up",
    "batch_norm",
    "distort",
];

/// The preset of a run on a table, where the options name neither a preset nor settings that say otherwise, and a line about
/// it. None for anything but a table, packed or not: images in a table have names or the number of MNIST's pixels.
pub(crate) fn recipe(args: &TrainArgs) -> Option<(Preset, String)> {
    let path = args.data.as_deref().filter(|path| !is_set_name(path))?;
    let says_otherwise =
        args.preset.is_some() || OF_THE_RECIPE.iter().any(|name| args.settings.has(name));
    if says_otherwise {
        return None;
    }
    let has_images = match FileKind::of(path) {
        FileKind::Table => {
            may_hold_images(&training_table(path)?, &options_of(&args.source)).unwrap_or(false)
        }
        // What was a table before it was packed.
        FileKind::Shards => {
            let shards = Shards::open(path).ok()?;
            shards.columns().is_none() || shards.sample_shape().len() > 1
        }
        _ => return None,
    };
    let preset = Preset::Tabular;
    let line = format!(
        "Preset: {} (a table; --preset {} takes seconds)",
        preset.name(),
        Preset::Quick.name()
    );
    (!has_images).then_some((preset, line))
}

fn options_of(source: &SourceArgs) -> TableOptions<'_> {
    TableOptions {
        label_column: source.label_column.as_deref(),
        drop: &source.table.drop,
        encoding: source.table.encoding,
        missing: source.table.missing.as_deref(),
        header: source.table.header(),
        ..TableOptions::default()
    }
}
