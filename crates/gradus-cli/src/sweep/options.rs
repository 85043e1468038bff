//! Checks which options of `train` a sweep may vary or pass on.

use anyhow::Result;
use clap::Arg;
use gradus::Error;

use crate::args::{SweepArgs, TrainArgs, Vary, option_named};

/// Checks that each option is varied once, is not also given after `--`, and may differ between runs.
pub(super) fn check_varied(args: &SweepArgs, train: &clap::Command) -> Result<()> {
    for (index, Vary { option, text, .. }) in args.vary.iter().enumerate() {
        let wrong = |why: &str| Err(Error::argument(format!("--vary {text}: {why}")).into());
        // The parser of train reports unknown options.
        let Some(known) = option_named(train, option) else { continue };
        let same = |name: &str| option_named(train, name).is_some_and(|it| it == known);
        if args.vary[..index].iter().any(|earlier| same(&earlier.option)) {
            return wrong("this option is varied twice; give all its values in one --vary");
        }
        let words = args.train.iter().map(|word| word.to_string_lossy());
        let names =
            words.filter_map(|word| Some(word.strip_prefix("--")?.split('=').next()?.to_owned()));
        if names.into_iter().any(|name| same(&name)) {
            return wrong("this option is also given after --; leave it out in one place");
        }
        let id = known.get_id().as_str();
        let why = match id {
            _ if not_in_sweeps(known).is_some() => not_in_sweeps(known),
            _ if known.get_help_heading() == Some("Data")
                || ["sample_weights", "loss"].contains(&id) =>
            {
                Some("all runs of a sweep share their data; give it after --")
            }
            "seed" => Some(
                "all runs of a sweep share their data, and the seed decides which samples are held \
                 out; run another sweep with a different -- --seed",
            ),
            "threads" => Some("the model does not depend on it; see --jobs"),
            "monitor" => Some("all runs of a sweep are compared by the same metric; see --monitor"),
            _ => None,
        };
        if let Some(why) = why {
            return wrong(why);
        }
    }
    Ok(())
}

/// Checks that no option is given after `--` that has no effect in a sweep.
pub(super) fn check_given(args: &TrainArgs, train: &clap::Command) -> Result<()> {
    for option in train.get_arguments() {
        if args.given.contains_key(option.get_id().as_str())
            && let Some(why) = not_in_sweeps(option)
        {
            let name = option.get_long().unwrap_or_default();
            return Err(Error::argument(format!("-- --{name}: {why}")).into());
        }
    }
    Ok(())
}

/// Why a sweep does not accept this option of `train`, if it does not.
fn not_in_sweeps(option: &Arg) -> Option<&'static str> {
    match option.get_id().as_str() {
        "checkpoint" | "checkpoint_every" | "resume" => Some(
            "the runs of a sweep write no checkpoints; their results go to the file of --out before the \
             --, and the same command continues from it",
        ),
        _ if option.get_help_heading() == Some("Output") => Some(
            "the runs of a sweep write no files of their own; results go to the file of --out before \
             the --, and train writes the model of the best run",
        ),
        _ => None,
    }
}
