//! An option that cannot apply is refused, never ignored. The test takes every option of every command from
//! clap's own tree, so that a new option fails here until it is classified: either it names situations in
//! which it cannot apply, and the program must refuse it there, or it says why it always applies.

mod common;

#[path = "../src/args/mod.rs"]
#[allow(dead_code, unused_imports)] // the program uses all of it
mod args;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use args::Cli;
use clap::{Arg, ArgAction, Command, CommandFactory};
use common::{TABLE, gradus, image_classes, run, table, text};
use gradus::training::settings::{SETTINGS, Scope};
use tempfile::TempDir;

/// What an option's rule is.
enum Rule {
    /// Command lines in which the option cannot apply, without `gradus`, and words of the refusal.
    Refused(&'static [(&'static str, &'static str)]),
    /// Why there is no situation in which it could not apply.
    Always(&'static str),
}

use Rule::{Always, Refused};

const EVERY_RUN: Rule = Always("every training run has this setting");
const OUTPUT: Rule = Always("every run of the command has such output");
const THREADS: Rule = Always("every run of the command computes");
const INPUT: Rule = Always("what the command works on");

/// Every option: the command, its long name or `<ID>` of a positional argument, and its rule.
const RULES: &[(&str, &str, Rule)] = &[
    ("train", "data", INPUT),
    ("train", "test", Always("all data can be tested on another set")),
    ("train", "validation", Always("all data can be divided, or validated on another set")),
    (
        "train",
        "data-dir",
        Refused(&[
            ("train --data table.csv --data-dir .", "named data sets"),
            ("train --data digits --data-dir .", "is built in"),
        ]),
    ),
    (
        "train",
        "categorical",
        Refused(&[
            ("train --data arrays.npz --categorical 0", "an .npz archive"),
            ("train --data digits --categorical u", "is for tables"),
        ]),
    ),
    (
        "train",
        "numeric",
        Refused(&[
            ("train --data arrays.npz --numeric 0", "an .npz archive"),
            ("train --data digits --numeric u", "is for tables"),
        ]),
    ),
    (
        "train",
        "dates",
        Refused(&[
            ("train --data arrays.npz --dates 0", "an .npz archive"),
            ("train --data digits --dates u", "is for tables"),
        ]),
    ),
    ("train", "missing", Refused(&[("train --data arrays.npz --missing -9", "an .npz archive")])),
    ("train", "no-header", Refused(&[("train --data arrays.npz --no-header", "an .npz archive")])),
    (
        "train",
        "drop",
        Refused(&[
            ("train --data digits --drop u", "is for tables"),
            ("train --data arrays.npz --drop 0", "an .npz archive"),
            ("train --data idx --drop 0", "a folder of IDX files"),
            ("train --data classes --drop 0", "a folder of images"),
        ]),
    ),
    (
        "train",
        "encoding",
        Refused(&[
            ("train --data digits --encoding latin-1", "is for tables"),
            ("train --data arrays.npz --encoding utf-8", "an .npz archive"),
            ("train --data classes --encoding utf-8", "a folder of images"),
        ]),
    ),
    (
        "train",
        "label-column",
        Refused(&[
            ("train --data digits --label-column 0", "column of a table"),
            ("train --data arrays.npz --label-column 0", "an .npz archive"),
            ("train --data idx --label-column 0", "a folder of IDX files"),
            ("train --data images.idx3-ubyte --label-column 0", "an IDX file"),
            ("train --data classes --label-column 0", "a folder of images"),
            ("train --data idx --test arrays.npz --label-column 0", "column of a table"),
        ]),
    ),
    (
        "train",
        "image-size",
        Refused(&[
            ("train --data digits --image-size 9", "folders of images"),
            ("train --data table.csv --image-size 9", "a table"),
            ("train --data arrays.npz --image-size 9", "an .npz archive"),
            ("train --data idx --image-size 9", "a folder of IDX files"),
            ("train --data raw-idx --image-size 9", "a folder of IDX files"),
        ]),
    ),
    (
        "train",
        "no-download",
        Refused(&[
            ("train --data table.csv --no-download", "named data sets"),
            ("train --data digits --no-download", "built in"),
        ]),
    ),
    ("train", "loss", Refused(&[("train --data values.csv --loss poisson", "at least 0")])),
    (
        "train",
        "output-weights",
        Refused(&[
            ("train --data table.csv --output-weights 1,2", "--loss squared"),
            ("train --data values.csv --loss squared --output-weights 1,2,3", "output-weights"),
        ]),
    ),
    ("train", "preset", EVERY_RUN),
    ("train", "epochs", EVERY_RUN),
    (
        "train",
        "batch-size",
        Refused(&[("train --data table.csv --optimizer lbfgs --batch-size 32", "smooth function")]),
    ),
    ("train", "optimizer", EVERY_RUN),
    (
        "train",
        "learning-rate",
        Refused(&[(
            "train --data table.csv --optimizer lbfgs --learning-rate 0.1",
            "length of each step",
        )]),
    ),
    (
        "train",
        "momentum",
        Refused(&[
            (
                "train --data table.csv --optimizer adam --momentum 0.9",
                "optimizers sgd, rmsprop and muon",
            ),
            ("train --data table.csv --momentum 0.9", "this run uses adamw"),
        ]),
    ),
    (
        "train",
        "nesterov",
        Refused(&[
            ("train --data table.csv --optimizer adam --nesterov", "optimizer sgd"),
            ("train --data table.csv --optimizer sgd --nesterov", "without momentum"),
        ]),
    ),
    (
        "train",
        "beta1",
        Refused(&[
            ("train --data table.csv --optimizer sgd --beta1 0.9", "this run uses sgd"),
            ("train --data table.csv --optimizer rmsprop --beta1 0.9", "this run uses rmsprop"),
        ]),
    ),
    (
        "train",
        "beta2",
        Refused(&[("train --data table.csv --optimizer sgd --beta2 0.9", "this run uses sgd")]),
    ),
    (
        "train",
        "epsilon",
        Refused(&[
            ("train --data table.csv --optimizer sgd --epsilon 1e-6", "this run uses sgd"),
            ("train --data table.csv --optimizer lion --epsilon 1e-6", "this run uses lion"),
        ]),
    ),
    (
        "train",
        "weight-decay",
        Refused(&[(
            "train --data table.csv --optimizer lbfgs --weight-decay 0.1",
            "this run uses lbfgs",
        )]),
    ),
    (
        "train",
        "schedule",
        Refused(&[(
            "train --data table.csv --optimizer lbfgs --schedule cosine",
            "smooth function",
        )]),
    ),
    (
        "train",
        "bias-rate",
        Refused(&[("train --data table.csv --optimizer lbfgs --bias-rate 0.1", "smooth function")]),
    ),
    (
        "train",
        "max-fun",
        Refused(&[("train --data table.csv --max-fun 9", "for the optimizer lbfgs")]),
    ),
    (
        "train",
        "tolerance",
        Refused(&[("train --data table.csv --tolerance 0.1", "for the optimizer lbfgs")]),
    ),
    (
        "train",
        "shuffle",
        Refused(&[
            ("train --data table.csv --optimizer lbfgs --shuffle", "all samples"),
            ("train --data table.csv --batch-size full --shuffle=false", "all samples"),
        ]),
    ),
    ("train", "scaling-rate", Refused(&[("train --data digits --scaling-rate 6", "1 without")])),
    ("train", "scaling-decay", Refused(&[("train --data digits --scaling-decay 36", "0 without")])),
    (
        "train",
        "category-decay",
        Refused(&[("train --data digits --category-decay 1", "0 without")]),
    ),
    (
        "train",
        "members",
        Refused(&[
            ("train --data table.csv --members 3 --validation 0.1", "its fold"),
            ("train --data table.csv --members 3 --init model.safetensors", "weights of its own"),
            ("train --data table.csv --members 101", "between 1 and 100"),
        ]),
    ),
    (
        "train",
        "refit",
        Refused(&[
            ("train --data table.csv --refit", "false without --members"),
            (
                "train --data table.csv --members 2 --refit --schedule plateau:2:0.5",
                "follow figures",
            ),
        ]),
    ),
    (
        "train",
        "weight-decay-schedule",
        Refused(&[
            (
                "train --data table.csv --weight-decay 0 --weight-decay-schedule cosine",
                "constant without",
            ),
            ("train --data table.csv --weight-decay-schedule plateau:2:0.5", "other than plateau"),
        ]),
    ),
    (
        "train",
        "parametrization",
        Refused(&[(
            "train --data table.csv --optimizer muon --parametrization ntk",
            "standard for the optimizer muon",
        )]),
    ),
    (
        "train",
        "dropout-schedule",
        Refused(&[
            ("train --data digits --dropout-schedule cosine", "constant without"),
            (
                "train --data table.csv --dropout 0.1 --dropout-schedule plateau:2:0.5",
                "other than plateau",
            ),
            ("train --data table.csv --hidden none --dropout-schedule cosine", "no hidden layer"),
        ]),
    ),
    ("train", "keep-best", Always("the training loss can always be watched")),
    (
        "train",
        "warm-up",
        Refused(&[("train --data table.csv --optimizer lbfgs --warm-up 1", "smooth function")]),
    ),
    ("train", "seed", EVERY_RUN),
    ("train", "micro-batches", EVERY_RUN),
    ("train", "threads", THREADS),
    (
        "train",
        "hidden",
        Refused(&[(
            "train --data table.csv --init weights.npz --hidden 9",
            "contradicts weights.npz",
        )]),
    ),
    (
        "train",
        "activation",
        Refused(&[("train --data table.csv --hidden none --activation tanh", "no hidden layer")]),
    ),
    (
        "train",
        "parametric",
        Refused(&[("train --data table.csv --hidden none --parametric", "no hidden layer")]),
    ),
    ("train", "init", EVERY_RUN),
    ("train", "normalize", EVERY_RUN),
    (
        "train",
        "numeric-embedding",
        Refused(&[("train --data digits --numeric-embedding pbld", "is for tables")]),
    ),
    (
        "train",
        "category-embedding",
        Refused(&[(
            "train --data table.csv --category-embedding 4",
            "no column of text has more than eight values",
        )]),
    ),
    ("train", "scaling-layer", EVERY_RUN),
    (
        "train",
        "standardize-targets",
        Refused(&[(
            "train --data table.csv --standardize-targets",
            "classification has no targets",
        )]),
    ),
    (
        "train",
        "clip-predictions",
        Refused(&[("train --data table.csv --clip-predictions", "classification has no targets")]),
    ),
    (
        "train",
        "dropout",
        Refused(&[
            ("train --data table.csv --hidden none --dropout 0.5", "no hidden layer"),
            ("train --data table.csv --optimizer lbfgs --dropout 0.5", "smooth function"),
        ]),
    ),
    (
        "train",
        "input-dropout",
        Refused(&[(
            "train --data table.csv --optimizer lbfgs --input-dropout 0.1",
            "smooth function",
        )]),
    ),
    (
        "train",
        "noise",
        Refused(&[
            ("train --data table.csv --hidden none --noise 0.5", "no hidden layer"),
            ("train --data table.csv --optimizer lbfgs --noise 0.5", "smooth function"),
        ]),
    ),
    (
        "train",
        "input-noise",
        Refused(&[(
            "train --data table.csv --optimizer lbfgs --input-noise 0.1",
            "smooth function",
        )]),
    ),
    (
        "train",
        "batch-norm",
        Refused(&[
            ("train --data table.csv --hidden none --batch-norm", "no hidden layer"),
            ("train --data table.csv --hidden none --batch-norm=true", "no hidden layer"),
            ("train --data table.csv --optimizer lbfgs --batch-norm", "smooth function"),
            (
                "train --data table.csv --optimizer lbfgs --input-noise 0 --preset accurate",
                "switch it off",
            ),
        ]),
    ),
    (
        "train",
        "label-smoothing",
        Refused(&[("train --data values.csv --loss squared --label-smoothing 0.1", "regression")]),
    ),
    (
        "train",
        "mixup",
        Refused(&[("train --data table.csv --optimizer lbfgs --mixup 0.1", "smooth function")]),
    ),
    (
        "train",
        "l1",
        Refused(&[("train --data table.csv --optimizer lbfgs --l1 0.1", "smooth function")]),
    ),
    ("train", "l2", EVERY_RUN),
    (
        "train",
        "max-norm",
        Refused(&[
            ("train --data table.csv --hidden none --max-norm 2", "no hidden layer"),
            ("train --data table.csv --optimizer lbfgs --max-norm 2", "smooth function"),
        ]),
    ),
    (
        "train",
        "clip-norm",
        Refused(&[("train --data table.csv --optimizer lbfgs --clip-norm 1", "smooth function")]),
    ),
    (
        "train",
        "clip-value",
        Refused(&[("train --data table.csv --optimizer lbfgs --clip-value 1", "smooth function")]),
    ),
    (
        "train",
        "ema-decay",
        Refused(&[("train --data table.csv --optimizer lbfgs --ema-decay 0.9", "smooth function")]),
    ),
    (
        "train",
        "class-weights",
        Refused(&[(
            "train --data values.csv --loss squared --class-weights balanced",
            "regression",
        )]),
    ),
    ("train", "sample-weights", EVERY_RUN),
    (
        "train",
        "distort",
        Refused(&[
            ("train --data table.csv --distort standard", "images"),
            ("train --data digits --optimizer lbfgs --distort standard", "smooth function"),
            ("train --data values.csv --loss squared --distort standard", "images"),
        ]),
    ),
    ("train", "patience", Always("the training loss can always be watched")),
    (
        "train",
        "min-delta",
        Refused(&[("train --data table.csv --min-delta 0.1", "--patience <N>")]),
    ),
    (
        "train",
        "monitor",
        Refused(&[
            ("train --data table.csv --hidden 8 --monitor loss", "--patience"),
            ("train --data table.csv --hidden 8 --monitor val_loss --patience 2", "--validation"),
            (
                "train --data values.csv --loss squared --monitor accuracy --patience 2",
                "regression",
            ),
        ]),
    ),
    ("train", "checkpoint", EVERY_RUN),
    (
        "train",
        "checkpoint-every",
        Refused(&[("train --data table.csv --checkpoint-every 2", "--checkpoint FILE")]),
    ),
    ("train", "continue", Refused(&[("train --data table.csv --continue", "--checkpoint")])),
    ("train", "resume", EVERY_RUN),
    ("train", "mpi", Always("every training run can be that of one rank")),
    ("train", "in-memory", Refused(&[("train --data table.csv --in-memory", "--in-memory")])),
    ("train", "out", OUTPUT),
    ("train", "history", OUTPUT),
    ("train", "watch", OUTPUT),
    ("train", "json", OUTPUT),
    ("train", "quiet", Refused(&[("train --quiet --verbose", "--verbose")])),
    ("train", "verbose", Refused(&[("train --verbose --quiet", "--quiet")])),
    ("sweep", "vary", INPUT),
    ("sweep", "runs", INPUT),
    ("sweep", "seed", Refused(&[("sweep --vary hidden=4/8 --seed 1", "--runs <N>")])),
    (
        "sweep",
        "halve",
        Refused(&[("sweep --vary hidden=4/8 --halve -- --data table.csv --epochs 1", "one epoch")]),
    ),
    (
        "sweep",
        "monitor",
        Refused(&[(
            "sweep --vary hidden=4/8 --monitor accuracy -- --data values.csv --loss squared",
            "loss, val_loss or val_r2",
        )]),
    ),
    ("sweep", "part", Refused(&[("sweep --vary hidden=4/8 --part 1/2 --halve", "--halve")])),
    ("sweep", "jobs", THREADS),
    ("sweep", "mpi", Always("every sweep can be that of one rank")),
    ("sweep", "out", OUTPUT),
    ("sweep", "<train>", INPUT),
    ("evaluate", "<model>", INPUT),
    (
        "evaluate",
        "activation",
        Refused(&[(
            "evaluate model.safetensors --data table.csv --activation relu",
            "the file has its own",
        )]),
    ),
    (
        "evaluate",
        "normalize",
        Refused(&[(
            "evaluate model.safetensors --data table.csv --normalize 0,255",
            "the file has its own",
        )]),
    ),
    (
        "evaluate",
        "class-names",
        Refused(&[(
            "evaluate model.safetensors --data table.csv --class-names a,b,c",
            "the file has its own",
        )]),
    ),
    ("evaluate", "data", INPUT),
    (
        "evaluate",
        "data-dir",
        Refused(&[("evaluate model.safetensors --data table.csv --data-dir .", "named data sets")]),
    ),
    (
        "evaluate",
        "no-header",
        Refused(&[("evaluate model.safetensors --data arrays.npz --no-header", "an .npz archive")]),
    ),
    (
        "evaluate",
        "missing",
        Refused(&[(
            "evaluate model.safetensors --data arrays.npz --missing -9",
            "an .npz archive",
        )]),
    ),
    (
        "evaluate",
        "drop",
        Refused(&[
            ("evaluate model.safetensors --data arrays.npz --drop 0", "an .npz archive"),
            ("evaluate model.safetensors --data digits --drop u", "is for tables"),
        ]),
    ),
    (
        "evaluate",
        "encoding",
        Refused(&[(
            "evaluate model.safetensors --data arrays.npz --encoding utf-8",
            "an .npz archive",
        )]),
    ),
    (
        "evaluate",
        "label-column",
        Refused(&[
            ("evaluate model.safetensors --data arrays.npz --label-column 0", "an .npz archive"),
            ("evaluate model.safetensors --data digits --label-column 0", "column of a table"),
        ]),
    ),
    (
        "evaluate",
        "image-size",
        Refused(&[
            ("evaluate model.safetensors --data table.csv --image-size 9", "a table"),
            ("evaluate model.safetensors --data idx --image-size 9", "a folder of IDX files"),
        ]),
    ),
    (
        "evaluate",
        "no-download",
        Refused(&[(
            "evaluate model.safetensors --data table.csv --no-download",
            "named data sets",
        )]),
    ),
    (
        "evaluate",
        "top",
        Refused(&[
            ("evaluate regression.safetensors --data values.csv --top 2", "regression"),
            ("evaluate model.safetensors --data table.csv --top 4", "3 classes"),
        ]),
    ),
    (
        "evaluate",
        "errors",
        Refused(&[("evaluate regression.safetensors --data values.csv --errors 2", "regression")]),
    ),
    ("evaluate", "threads", THREADS),
    ("evaluate", "mpi", Always("every evaluation can be that of one rank")),
    ("evaluate", "json", OUTPUT),
    ("explain", "<model>", INPUT),
    (
        "explain",
        "activation",
        Refused(&[(
            "explain model.safetensors --data table.csv --activation relu",
            "the file has its own",
        )]),
    ),
    (
        "explain",
        "normalize",
        Refused(&[(
            "explain model.safetensors --data table.csv --normalize 0,255",
            "the file has its own",
        )]),
    ),
    (
        "explain",
        "class-names",
        Refused(&[(
            "explain model.safetensors --data table.csv --class-names a,b,c",
            "the file has its own",
        )]),
    ),
    ("explain", "data", INPUT),
    (
        "explain",
        "data-dir",
        Refused(&[("explain model.safetensors --data table.csv --data-dir .", "named data sets")]),
    ),
    (
        "explain",
        "missing",
        Refused(&[("explain model.safetensors --data arrays.npz --missing -9", "an .npz archive")]),
    ),
    (
        "explain",
        "no-header",
        Refused(&[("explain model.safetensors --data arrays.npz --no-header", "an .npz archive")]),
    ),
    (
        "explain",
        "drop",
        Refused(&[
            ("explain model.safetensors --data arrays.npz --drop 0", "an .npz archive"),
            ("explain model.safetensors --data digits --drop u", "is for tables"),
        ]),
    ),
    (
        "explain",
        "encoding",
        Refused(&[(
            "explain model.safetensors --data arrays.npz --encoding utf-8",
            "an .npz archive",
        )]),
    ),
    (
        "explain",
        "label-column",
        Refused(&[
            ("explain model.safetensors --data arrays.npz --label-column 0", "an .npz archive"),
            ("explain model.safetensors --data digits --label-column 0", "column of a table"),
        ]),
    ),
    (
        "explain",
        "image-size",
        Refused(&[
            ("explain model.safetensors --data table.csv --image-size 9", "a table"),
            ("explain model.safetensors --data idx --image-size 9", "a folder of IDX files"),
        ]),
    ),
    (
        "explain",
        "no-download",
        Refused(&[("explain model.safetensors --data table.csv --no-download", "named data sets")]),
    ),
    (
        "explain",
        "row",
        Refused(&[("explain model.safetensors --data table.csv --row 1 --column u", "--column")]),
    ),
    (
        "explain",
        "column",
        Refused(&[
            ("explain model.safetensors --data table.csv --column u --row 1", "--row"),
            ("explain model.safetensors --data table.csv --column none", "no such column"),
        ]),
    ),
    (
        "explain",
        "class",
        Refused(&[
            ("explain model.safetensors --data table.csv --class a", "--row"),
            ("explain model.safetensors --data table.csv --row 1 --class none", "does not predict"),
        ]),
    ),
    (
        "explain",
        "repeats",
        Refused(&[
            ("explain model.safetensors --data table.csv --row 1 --repeats 2", "--row"),
            ("explain model.safetensors --data table.csv --column u --repeats 2", "--column"),
        ]),
    ),
    (
        "explain",
        "samples",
        Refused(&[("explain model.safetensors --data table.csv --row 1 --samples 5", "--row")]),
    ),
    (
        "explain",
        "seed",
        Refused(&[("explain model.safetensors --data table.csv --row 1 --seed 5", "--row")]),
    ),
    ("explain", "threads", THREADS),
    ("explain", "json", OUTPUT),
    ("report", "<input>", INPUT),
    (
        "report",
        "activation",
        Refused(&[
            ("report history.json --activation relu", "a history"),
            ("report model.safetensors --activation relu", "the file has its own"),
        ]),
    ),
    (
        "report",
        "normalize",
        Refused(&[
            ("report history.json --normalize 0,255", "a history"),
            ("report model.safetensors --normalize 0,255", "the file has its own"),
        ]),
    ),
    (
        "report",
        "class-names",
        Refused(&[
            ("report history.json --class-names a,b", "a history"),
            ("report model.safetensors --class-names a,b,c", "the file has its own"),
        ]),
    ),
    ("report", "data", Refused(&[("report history.json --data table.csv", "a history")])),
    (
        "report",
        "data-dir",
        Refused(&[
            ("report history.json --data-dir .", "a history"),
            ("report model.safetensors --data table.csv --data-dir .", "named data sets"),
        ]),
    ),
    (
        "report",
        "no-header",
        Refused(&[
            ("report history.json --no-header", "a history"),
            ("report model.safetensors --data arrays.npz --no-header", "an .npz archive"),
        ]),
    ),
    (
        "report",
        "missing",
        Refused(&[
            ("report history.json --missing -9", "a history"),
            ("report model.safetensors --data arrays.npz --missing -9", "an .npz archive"),
        ]),
    ),
    (
        "report",
        "drop",
        Refused(&[
            ("report history.json --drop 0", "a history"),
            ("report model.safetensors --data arrays.npz --drop 0", "an .npz archive"),
        ]),
    ),
    (
        "report",
        "encoding",
        Refused(&[
            ("report history.json --encoding utf-8", "a history"),
            ("report model.safetensors --data arrays.npz --encoding utf-8", "an .npz archive"),
        ]),
    ),
    (
        "report",
        "label-column",
        Refused(&[
            ("report history.json --label-column 0", "a history"),
            ("report model.safetensors --data arrays.npz --label-column 0", "an .npz archive"),
        ]),
    ),
    (
        "report",
        "image-size",
        Refused(&[
            ("report history.json --image-size 9", "a history"),
            ("report model.safetensors --data table.csv --image-size 9", "a table"),
        ]),
    ),
    (
        "report",
        "no-download",
        Refused(&[
            ("report history.json --no-download", "a history"),
            ("report model.safetensors --data table.csv --no-download", "named data sets"),
        ]),
    ),
    ("report", "format", OUTPUT),
    ("report", "out", OUTPUT),
    ("report", "threads", Refused(&[("report history.json --threads 1", "a history")])),
    ("predict", "<model>", INPUT),
    (
        "predict",
        "activation",
        Refused(&[(
            "predict model.safetensors table.csv --activation relu",
            "the file has its own",
        )]),
    ),
    (
        "predict",
        "normalize",
        Refused(&[("predict model.safetensors table.csv --normalize 0,1", "the file has its own")]),
    ),
    (
        "predict",
        "class-names",
        Refused(&[(
            "predict model.safetensors table.csv --class-names a,b,c",
            "the file has its own",
        )]),
    ),
    ("predict", "<files>", INPUT),
    (
        "predict",
        "raw",
        Refused(&[
            ("predict model.safetensors table.csv --raw", "a table"),
            ("predict digits.safetensors image.png images.idx3-ubyte --raw", "an IDX file"),
            ("predict small.safetensors image.png --raw", "scaled anyway"),
        ]),
    ),
    (
        "predict",
        "split",
        Refused(&[("predict model.safetensors table.csv --split", "is for images")]),
    ),
    (
        "predict",
        "no-header",
        Refused(&[("predict digits.safetensors image.png --no-header", "an image")]),
    ),
    (
        "predict",
        "missing",
        Refused(&[("predict digits.safetensors image.png --missing -9", "an image")]),
    ),
    (
        "predict",
        "drop",
        Refused(&[
            ("predict digits.safetensors image.png --drop 0", "an image"),
            ("predict model.safetensors table.csv arrays.npy --drop label", "an .npy array"),
        ]),
    ),
    (
        "predict",
        "encoding",
        Refused(&[("predict digits.safetensors image.png --encoding utf-8", "an image")]),
    ),
    (
        "predict",
        "label-column",
        Refused(&[
            ("predict digits.safetensors image.png --label-column 0", "an image"),
            (
                "predict model.safetensors table.csv arrays.npy --label-column label",
                "an .npy array",
            ),
        ]),
    ),
    (
        "predict",
        "top",
        Refused(&[
            ("predict regression.safetensors values.csv --top 2", "regression"),
            ("predict model.safetensors table.csv --top 4", "3 classes"),
            ("predict model.safetensors table.csv --out out.csv --top 2", "--out"),
        ]),
    ),
    (
        "predict",
        "out",
        Refused(&[
            ("predict model.safetensors table.csv values.csv --out out.csv", "one table or array"),
            ("predict model.safetensors table.csv --out out.xlsx", ".parquet"),
            ("predict model.safetensors table.csv --top 2 --out out.csv", "--top"),
        ]),
    ),
    (
        "predict",
        "interval",
        Refused(&[
            ("predict model.safetensors table.csv --interval 0.9", "with probabilities"),
            ("predict regression.safetensors values.csv --interval 0.9", "--members"),
            ("predict regression.safetensors values.csv --interval 90", "above 0 and below 1"),
        ]),
    ),
    ("predict", "limit", Always("every file has a size")),
    ("predict", "mpi", Always("every prediction can be that of one rank")),
    ("predict", "threads", THREADS),
    (
        "predict",
        "json",
        Refused(&[("predict model.safetensors table.csv --out - --json", "standard output")]),
    ),
    ("data", "<data>", INPUT),
    ("data", "loss", INPUT),
    ("data", "show", OUTPUT),
    (
        "data",
        "part",
        Refused(&[
            ("data table.csv --part train", "--show <N>"),
            ("data table.csv --show 0 --part test", "has no test part"),
        ]),
    ),
    (
        "data",
        "distort",
        Refused(&[
            ("data table.csv --distort", "--show <N>"),
            ("data table.csv --show 0 --distort", "images"),
        ]),
    ),
    ("data", "seed", Refused(&[("data digits --show 0 --seed 1", "--distort")])),
    ("data", "verify", Refused(&[("data table.csv --verify", "folders of shards")])),
    ("data", "json", Refused(&[("data table.csv --show 0 --json", "--show")])),
    ("data", "data-dir", Refused(&[("data table.csv --data-dir .", "named data sets")])),
    (
        "data",
        "categorical",
        Refused(&[
            ("data arrays.npz --categorical 0", "an .npz archive"),
            ("data --categorical u", "is for tables"),
        ]),
    ),
    (
        "data",
        "numeric",
        Refused(&[
            ("data arrays.npz --numeric 0", "an .npz archive"),
            ("data --numeric u", "is for tables"),
        ]),
    ),
    (
        "data",
        "dates",
        Refused(&[
            ("data arrays.npz --dates 0", "an .npz archive"),
            ("data --dates u", "is for tables"),
        ]),
    ),
    ("data", "missing", Refused(&[("data arrays.npz --missing -9", "an .npz archive")])),
    ("data", "no-header", Refused(&[("data arrays.npz --no-header", "an .npz archive")])),
    (
        "data",
        "drop",
        Refused(&[
            ("data arrays.npz --drop 0", "an .npz archive"),
            ("data --drop 0", "is for tables"),
        ]),
    ),
    (
        "data",
        "encoding",
        Refused(&[
            ("data arrays.npz --encoding utf-8", "an .npz archive"),
            ("data --encoding utf-8", "is for tables"),
        ]),
    ),
    (
        "data",
        "label-column",
        Refused(&[
            ("data arrays.npz --label-column 0", "an .npz archive"),
            ("data --label-column 0", "column of a table"),
        ]),
    ),
    (
        "data",
        "image-size",
        Refused(&[
            ("data idx --image-size 9", "a folder of IDX files"),
            ("data --image-size 9", "folders of images"),
        ]),
    ),
    ("data", "no-download", Refused(&[("data table.csv --no-download", "named data sets")])),
    ("fetch", "<names>", INPUT),
    ("inspect", "<model>", INPUT),
    (
        "inspect",
        "activation",
        Refused(&[("inspect model.safetensors --activation relu", "the file has its own")]),
    ),
    (
        "inspect",
        "normalize",
        Refused(&[("inspect model.safetensors --normalize 0,255", "the file has its own")]),
    ),
    (
        "inspect",
        "class-names",
        Refused(&[("inspect model.safetensors --class-names a,b,c", "the file has its own")]),
    ),
    ("inspect", "json", OUTPUT),
    ("export", "<model>", INPUT),
    (
        "export",
        "activation",
        Refused(&[
            ("export model.safetensors m.onnx --activation relu", "the file has its own"),
            ("export weights.npz w.npz --activation relu", "only weights"),
        ]),
    ),
    (
        "export",
        "normalize",
        Refused(&[("export model.safetensors m.onnx --normalize 0,255", "the file has its own")]),
    ),
    (
        "export",
        "class-names",
        Refused(&[
            ("export model.safetensors m.onnx --class-names a,b,c", "the file has its own"),
            ("export weights.npz w.npz --class-names a,b,c", "only weights"),
        ]),
    ),
    ("export", "<out>", OUTPUT),
    (
        "export",
        "uint8",
        Refused(&[
            ("export model.safetensors w.npz --uint8", "ONNX"),
            ("export model.safetensors page.html --uint8", "ONNX"),
        ]),
    ),
    ("export", "int8", Always("it rounds the weights, whatever they are written to")),
    ("export", "data", Refused(&[("export model.safetensors m.c --data table.csv", "--int8")])),
    ("serve", "<model>", INPUT),
    (
        "serve",
        "activation",
        Refused(&[
            ("serve --activation relu", "is about a model"),
            ("serve model.safetensors --activation relu", "the file has its own"),
        ]),
    ),
    (
        "serve",
        "normalize",
        Refused(&[
            ("serve --normalize 0,255", "is about a model"),
            ("serve model.safetensors --normalize 0,255", "the file has its own"),
        ]),
    ),
    (
        "serve",
        "class-names",
        Refused(&[
            ("serve --class-names a,b", "is about a model"),
            ("serve model.safetensors --class-names a,b,c", "the file has its own"),
        ]),
    ),
    ("serve", "folder", INPUT),
    ("serve", "data-dir", Always("the page offers named data sets")),
    ("serve", "no-download", Always("the page offers named data sets")),
    ("serve", "host", INPUT),
    ("serve", "port", INPUT),
    ("serve", "token", INPUT),
    ("serve", "open", OUTPUT),
    ("bench", "data-dir", Always("the data are a named set")),
    ("bench", "no-download", Always("the data are a named set")),
    ("bench", "threads", THREADS),
    ("bench", "json", OUTPUT),
    ("completions", "<shell>", INPUT),
    ("completions", "<folder>", OUTPUT),
    ("man", "<folder>", OUTPUT),
];

/// Options of `train` that a resumed run takes: they change where things are, not what is computed. More epochs continue a
/// finished run.
const WITH_RESUME: [&str; 23] = [
    "checkpoint",
    "checkpoint-every",
    "continue",
    "data",
    "data-dir",
    "encoding",
    "epochs",
    "history",
    "image-size",
    "in-memory",
    "json",
    "label-column",
    "mpi",
    "no-download",
    "no-header",
    "out",
    "quiet",
    "resume",
    "sample-weights",
    "test",
    "threads",
    "verbose",
    "watch",
];

/// A name for an argument, as in [`RULES`].
fn name(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => long.to_owned(),
        None => format!("<{}>", argument.get_id()),
    }
}

/// Every command and its arguments.
fn walk(mut each: impl FnMut(&Command, &Arg)) {
    let program = Cli::command();
    for command in program.get_subcommands() {
        command.get_arguments().for_each(|argument| each(command, argument));
    }
}

#[test]
fn every_option_is_classified() {
    let mut found = BTreeSet::new();
    walk(|command, argument| {
        found.insert((command.get_name().to_owned(), name(argument)));
    });
    let known: BTreeSet<_> = RULES
        .iter()
        .map(|(command, option, _)| (command.to_string(), option.to_string()))
        .collect();
    assert_eq!(known.len(), RULES.len(), "an option is listed twice");
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "say in RULES when these cannot apply, or why they always do: {new:?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "these are in RULES, but are no options any more: {gone:?}");
    for (command, option, rule) in RULES {
        match rule {
            Always(reason) => assert!(!reason.is_empty(), "{command} {option}"),
            Refused(cases) => assert!(!cases.is_empty(), "{command} {option}"),
        }
    }
}

/// A setting that has an effect in some runs only must be refused in the others.
#[test]
fn a_setting_for_some_runs_is_refused_in_others() {
    for setting in SETTINGS.iter().filter(|setting| setting.scope != Scope::Every) {
        let option = setting.name.replace('_', "-");
        let rule = RULES.iter().find(|rule| (rule.0, rule.1) == ("train", option.as_str()));
        assert!(matches!(rule, Some((.., Refused(_)))), "{option}: {:?}", setting.scope);
    }
}

/// Files of every kind; what is refused before it is read needs no content.
fn fixture() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    let values = |i: i32| format!("{},{},{}\n", i % 7, i % 5, i % 7 - i % 5);
    let rows: String = (0..60).map(values).collect();
    fs::write(at.join("values.csv"), format!("u,v,label\n{rows}")).unwrap();
    for (name, start) in [
        ("arrays.npz", &b"PK\x03\x04"[..]),
        ("arrays.npy", b"\x93NUMPY"),
        ("images.idx3-ubyte", b"\0\0\x08\x03"),
        ("idx/train-images-idx3-ubyte", b"\0\0\x08\x03"),
        ("raw-idx/raw/train-images-idx3-ubyte.gz", b"\x1f\x8b"),
    ] {
        let path = at.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, start).unwrap();
    }
    image_classes(at, ["bright", "dark"]);
    fs::copy(at.join("classes/dark/0.png"), at.join("image.png")).unwrap();
    run(at, &format!("train {TABLE} --history history.json --quiet"));
    run(at, "export model.safetensors weights.npz");
    let regression = "--data values.csv --loss squared --normalize standard --epochs 2 --quiet";
    run(at, &format!("train {regression} --out regression.safetensors"));
    run(at, "train --data classes --epochs 1 --quiet --out small.safetensors");
    run(at, "train --data digits --epochs 1 --hidden none --quiet --out digits.safetensors");
    folder
}

/// The names and contents of all files of a folder, and of those below it.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn what_cannot_apply_is_refused() {
    let folder = fixture();
    let before = contents(folder.path());
    let mut problems = Vec::new();
    for (command, option, rule) in RULES {
        let Refused(cases) = rule else { continue };
        for (line, words) in *cases {
            assert!(line.starts_with(command), "{command} {option}: {line}");
            let output = gradus(folder.path(), line).output().unwrap();
            let (stdout, message) = (text(&output.stdout), text(&output.stderr));
            let refused = output.status.code() == Some(2)
                && stdout.is_empty()
                && message.contains(words)
                && message.contains(&format!("--{option}"));
            if !refused {
                let code = output.status.code();
                problems
                    .push(format!("gradus {line}\nexit {code:?}, expected {words:?}:\n{message}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(contents(folder.path()) == before, "a refused command wrote something");
}

#[test]
fn a_resumed_run_takes_no_option_that_would_change_it() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    run(at, &format!("train {TABLE} --checkpoint c.safetensors --quiet"));
    walk(|command, argument| {
        let option = name(argument);
        if command.get_name() != "train" || WITH_RESUME.contains(&option.as_str()) {
            return;
        }
        let value = match argument.get_action() {
            ArgAction::SetTrue => "",
            _ => match argument.get_possible_values().first() {
                Some(value) => &format!("={}", value.get_name()),
                None => sample_value(&option),
            },
        };
        let line = format!("train --resume c.safetensors --{option}{value}");
        // An option that needs another one gets it.
        let line = if option == "min-delta" { line + " --patience=2" } else { line };
        let failed = gradus(at, &line).assert().code(2);
        let message = text(&failed.get_output().stderr);
        assert!(message.contains("with --resume"), "{line}: {message}");
    });
}

/// A value that the option takes.
fn sample_value(option: &str) -> &'static str {
    match option {
        "activation" => "=relu",
        "batch-norm" => "=true",
        "class-weights" => "=balanced",
        "distort" => "=standard",
        "init" => "=he",
        "numeric-embedding" => "=pbld",
        "category-embedding" => "=8",
        "loss" => "=squared",
        "normalize" => "=unit",
        "refit" => "=true",
        "schedule" | "weight-decay-schedule" | "dropout-schedule" => "=cosine",
        "batch-size" | "epochs" | "hidden" | "max-fun" | "members" | "micro-batches"
        | "patience" | "seed" => "=2",
        _ => "=0.5",
    }
}

/// Old names of options, which keep working and are not shown: the command, the old name, the new one and
/// a run that has them.
const RENAMED: &[(&str, &str, &str, &str)] = &[
    ("train", "average", "ema-decay", TABLE),
    ("train", "normalization", "normalize", "--data table.csv --epochs 1"),
    ("train", "distortion", "distort", "--data digits --epochs 1 --hidden 4"),
    ("train", "start", "init", TABLE),
];

#[test]
fn renamed_options_keep_their_old_names() {
    let mut aliases = BTreeSet::new();
    walk(|command, argument| {
        let visible = argument.get_visible_aliases().unwrap_or_default();
        assert!(visible.is_empty(), "{}: show one name only", name(argument));
        for alias in argument.get_all_aliases().into_iter().flatten() {
            aliases.insert((command.get_name().to_owned(), alias.to_owned(), name(argument)));
        }
    });
    let known: BTreeSet<_> =
        RENAMED.iter().map(|it| (it.0.to_owned(), it.1.to_owned(), it.2.to_owned())).collect();
    assert_eq!(aliases, known);
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    table(at, "table.csv");
    for (command, old, new, data) in RENAMED {
        assert_eq!(*command, "train", "other commands need a command line here");
        let help = run(at, &format!("{command} --help"));
        assert!(help.contains(&format!("--{new} ")), "{new}");
        assert!(!help.contains(&format!("--{old} ")), "{old}");
        let trained = |name: &str| {
            let value = sample_value(new);
            run(at, &format!("train {data} --quiet --out {name}.safetensors --{name}{value}"));
            fs::read(at.join(format!("{name}.safetensors"))).unwrap()
        };
        assert!(trained(old) == trained(new), "--{old} and --{new} give different models");
        let value = sample_value(new).trim_start_matches('=');
        run(at, &format!("sweep --vary {old}={value} --out {old}.jsonl -- {data}"));
        let lines = fs::read_to_string(at.join(format!("{old}.jsonl"))).unwrap();
        assert!(!lines.is_empty(), "sweep --vary {old}");
    }
}
