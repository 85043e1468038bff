//! What may stand on the command line, as it stands there: text in, one [`Command`] out. What a
//! command makes of its arguments is decided in the command's own file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use gradus::data::distort::Distortion;
use gradus::data::normalize::Normalization;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, Monitor, Preset};

use crate::model::ModelArgs;
use crate::regularization_args::{KeepingArgs, RegularizationArgs};
use crate::report::Format;
use crate::serve::ServeArgs;
use crate::sweep::vary::Vary;
use crate::values::{
    Activations, Hidden, Loss, activations, at_least_one, batch_size, distortion, hidden,
    image_size, losses, monitors, normalizations, number, optimizers, presets, report_formats,
    schedule, threads, whole,
};

/// Train, evaluate and use dense neural networks: classifiers and regressors.
#[derive(Debug, Parser)]
#[command(
    name = "gradus",
    version,
    after_help = "Examples:\n  \
        gradus train                        MNIST to 98 % in seconds; writes model.safetensors\n  \
        gradus train --preset notebook      the NumPy notebook's run to the letter\n  \
        gradus predict model.safetensors digit.png\n\n\
        Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<TrainArgs>),
    Sweep(SweepArgs),
    Evaluate(EvaluateArgs),
    Report(ReportArgs),
    Predict(PredictArgs),
    Data(DataArgs),
    Fetch(FetchArgs),
    Inspect(InspectArgs),
    Export(ExportArgs),
    Serve(ServeArgs),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// The command of a whole command line. Of `train` it is kept which options were given: a resumed
    /// run takes few, a sweep not all.
    ///
    /// # Errors
    /// What the command line has wrong, or the help that it asks for.
    pub(crate) fn parse<W>(words: impl IntoIterator<Item = W>) -> Result<Command, clap::Error>
    where
        W: Into<OsString> + Clone,
    {
        let mut program = Cli::command();
        let matches = program.try_get_matches_from_mut(words)?;
        let mut command = Cli::from_arg_matches(&matches)?.command;
        if let (Command::Train(args), Some((_, found))) = (&mut command, matches.subcommand()) {
            let train = program.find_subcommand("train");
            for option in train.into_iter().flat_map(clap::Command::get_arguments) {
                let id = option.get_id().as_str();
                if found.value_source(id) == Some(ValueSource::CommandLine) {
                    let values = found.get_raw(id).into_iter().flatten();
                    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                    args.given.insert(id.to_owned(), values.join(" "));
                }
            }
        }
        Ok(command)
    }
}

/// Where data come from and how they are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct SourceArgs {
    /// Folder in which named data sets are looked for first
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Label column of a CSV table: a name from its header, or a position from 0; for values to learn
    /// one or several, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Scale the pictures of a folder to this height and width [default: the size found]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    pub(crate) image_size: Option<(usize, usize)>,
    /// Never download a data set that is not on this machine
    #[arg(long)]
    pub(crate) no_download: bool,
}

/// Train a model, report how good it is on test data and write it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    gradus train\n  \
    gradus train --preset notebook --history history.csv\n  \
    gradus train --data fashion-mnist --hidden 256,128 --epochs 20 --validation 0.1\n  \
    gradus train --data flowers.csv --label-column species --normalize standard\n  \
    gradus train --data houses.csv --loss squared --label-column price --normalize standard\n\n\
    A preset only sets defaults; any option overrides them. Ctrl-C finishes the step in progress \
    and saves what there is.")]
pub(crate) struct TrainArgs {
    /// Name of a data set (mnist, fashion-mnist, digits, ...) or a path: a folder of IDX files, an
    /// .npz, a .csv, a folder of pictures per class [default: mnist, else the built-in digits]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    /// A test set in place of the data's own
    #[arg(long, value_name = "PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) test: Option<PathBuf>,
    /// Validation after each epoch: a share of the training data (such as 0.1), or the path of a set
    #[arg(long, value_name = "SHARE|PATH", help_heading = "Data", allow_negative_numbers = true)]
    pub(crate) validation: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// What training makes small: cross-entropy for samples in classes, squared for samples with
    /// values, their mean squared error [default: cross-entropy]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = losses())]
    pub(crate) loss: Option<Loss>,
    /// Which defaults to start from [default: quick]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = presets())]
    pub(crate) preset: Option<Preset>,
    /// Passes over the training data
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) epochs: Option<usize>,
    /// Samples in a step
    #[arg(long, value_name = "N|full", help_heading = "Training", allow_negative_numbers = true,
        value_parser = batch_size)]
    pub(crate) batch_size: Option<BatchSize>,
    /// How parameters follow their gradients
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = optimizers())]
    pub(crate) optimizer: Option<Optimizer>,
    /// Largest learning rate of the schedule (for lion about a tenth of adamw's)
    #[arg(long, value_name = "RATE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) learning_rate: Option<f32>,
    /// Share of the earlier velocity that is kept (sgd, rmsprop, muon)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) momentum: Option<f32>,
    /// Look ahead along the velocity (sgd with momentum)
    #[arg(long, help_heading = "Training")]
    pub(crate) nesterov: bool,
    /// Decay of the mean of gradients (adam, adamw, muon); its share in the direction (lion)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta1: Option<f32>,
    /// Decay of the mean of squared gradients (adam, adamw, rmsprop, muon) or of gradients (lion)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta2: Option<f32>,
    /// Added to the root of the mean square (adam, adamw, rmsprop, muon)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) epsilon: Option<f32>,
    /// L2 penalty on weights (sgd, adam, rmsprop), or decoupled decay (adamw, lion, muon)
    #[arg(long, value_name = "FACTOR", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) weight_decay: Option<f32>,
    /// constant, step:EPOCHS:FACTOR, cosine, one-cycle or plateau:PATIENCE:FACTOR
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = schedule)]
    pub(crate) schedule: Option<Schedule>,
    /// Epochs (also parts of one) in which the learning rate rises to its value
    #[arg(long, value_name = "EPOCHS", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) warm_up: Option<f32>,
    /// Where all random numbers come from: same seed, same model [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = whole)]
    pub(crate) seed: Option<u64>,
    /// Worker threads; the model does not depend on them [default: at most one a core]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,

    /// Units of each hidden layer, such as 128 or 256,64; none for softmax regression
    #[arg(long, value_name = "UNITS", help_heading = "Network", allow_negative_numbers = true,
        value_parser = hidden)]
    pub(crate) hidden: Option<Hidden>,
    /// What follows each hidden layer, one for all or one for each, such as relu or relu,tanh: of
    /// identity, relu, leaky_relu (slope 0.01), leaky_relu:SLOPE, tanh, sigmoid and gelu
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = activations)]
    pub(crate) activation: Option<Activations>,
    /// Initial weights: auto, he, glorot, normal:S (S a standard deviation), or an .npz file with
    /// the arrays w1, b1, w2, b2, ...
    #[arg(long, value_name = "NAME|FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub(crate) init: Option<String>,
    /// From raw values to inputs: as they are, to [0, 1], or to mean 0 and deviation 1
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = normalizations())]
    pub(crate) normalize: Option<Normalization>,

    #[command(flatten)]
    pub(crate) regularization: RegularizationArgs,
    #[command(flatten)]
    pub(crate) keeping: KeepingArgs,
    /// Which options were given, and their values
    #[arg(skip)]
    pub(crate) given: BTreeMap<String, String>,

    /// The model file to write
    #[arg(long, short, value_name = "FILE", help_heading = "Output",
        default_value = "model.safetensors", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Write the figures of every epoch to a .json or .csv file
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Watch the run on a page in the browser, which stays until Ctrl-C [default port: 7428, else any]
    #[arg(long, value_name = "PORT", help_heading = "Output", num_args = 0..=1)]
    pub(crate) watch: Option<Option<u16>>,
    /// Print one JSON object a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print only the result
    #[arg(long, short, help_heading = "Output", conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say on standard error what was found and how it is computed
    #[arg(long, short, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// Search for good settings of train: a grid or random draws, side by side, judged on validation
/// data.
///
/// Everything behind -- is for train and holds for all runs. Runs are judged on validation data; the
/// test set is not looked at. At the end stands the command that trains the best run again and tests it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus sweep --vary hidden=128/256/256,128 --vary learning-rate=0.003/0.01\n  \
    gradus sweep --vary learning-rate=0.001..0.03:log --vary dropout=0..0.5 --runs 27 --halve\n  \
    gradus sweep --vary dropout=0/0.2/0.5 -- --data fashion-mnist --epochs 9 --validation 0.2\n\n\
    The same command goes on with a sweep that was interrupted. Results depend neither on --jobs nor \
    on the order in which runs end.")]
pub(crate) struct SweepArgs {
    /// An option of train and its values: a list such as hidden=128/256,128, or a range A..B of
    /// numbers, drawn from uniformly; A..B:log uniformly in the logarithm, A..B:int whole numbers
    #[arg(long, value_name = "OPTION=VALUES", required = true, value_parser = Vary::parse)]
    pub(crate) vary: Vec<Vary>,
    /// Draw N runs at random [default: the grid, all combinations of the lists]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) runs: Option<usize>,
    /// Where the draws come from; run number N of a seed is always the same [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole,
        requires = "runs")]
    pub(crate) seed: Option<u64>,
    /// Give bad runs up early: after a ninth and a third of the epochs only the best third goes on
    #[arg(long)]
    pub(crate) halve: bool,
    /// The figure that runs are judged by [default: train's --monitor behind --, else val_accuracy, of
    /// values val_loss]
    #[arg(long, value_name = "KEY", value_parser = monitors())]
    pub(crate) monitor: Option<Monitor>,
    /// Runs side by side; each takes its share of the cores [default: one a core]
    #[arg(long, value_name = "J", allow_negative_numbers = true, value_parser = threads)]
    pub(crate) jobs: Option<usize>,
    /// Where results go, a line of JSON for each run; runs that are in it are not run again
    #[arg(long, short, value_name = "FILE", default_value = "sweep.jsonl",
        value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Options of train, for all runs
    #[arg(last = true, value_name = "TRAIN OPTIONS")]
    pub(crate) train: Vec<String>,
}

/// Measure a model on data with their labels or values: accuracy, confusion matrix, mistakes; of
/// values, their errors.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus evaluate model.safetensors\n  \
    gradus evaluate model.safetensors --errors 5\n  \
    gradus evaluate model.safetensors --data held-out.csv --json\n\n\
    Of data with a test part the test part is taken, of other data all samples; of data from which \
    training set a test part apart, that part. Samples are counted from 0 in what is taken.\n\n\
    Beside an accuracy stands its 95 % interval (Wilson's), in percent: how far chance in the \
    choice of the samples may have moved it.")]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Name of a data set, or a path [default: the set that the model was trained on]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Tell the accuracy among the K most probable classes [default: 3 for 5 classes or more]
    #[arg(long, value_name = "K", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Show the N worst mistakes: the highest probabilities of wrong classes, with their samples
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) errors: Option<usize>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Draw a model or a history: curves, confusions, mistakes, calibration, weights.
///
/// The report is one file that holds all it needs: no network, no other files, light or dark as the
/// reader's system is. Parts that need labelled samples are made from the data that the model was
/// trained on (their test part), or from --data; where those cannot be had, the report says so and
/// has the other parts. Curves come from the model, which keeps the figures of its epochs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus report model.safetensors\n  \
    gradus report model.safetensors --data held-out.csv -o held-out.html\n  \
    gradus report history.json -o curves.html\n  \
    gradus report model.safetensors --format svg -o pictures\n\n\
    Single pieces are written into the folder under fixed names, such as loss.svg or confusion.csv; \
    files of these names that are there are replaced.")]
pub(crate) struct ReportArgs {
    /// The model file, or the .json or .csv file of a history for its curves alone
    #[arg(value_name = "MODEL|HISTORY", value_hint = ValueHint::FilePath)]
    pub(crate) input: PathBuf,
    /// Name of a data set, or a path [default: the set that the model was trained on]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// What to write: one page, or the single pieces in a folder
    #[arg(long, value_name = "NAME", help_heading = "Output", default_value = "html",
        value_parser = report_formats())]
    pub(crate) format: Format,
    /// The page to write, or the folder for single pieces [default: report.html, or report]
    #[arg(long, short, value_name = "PATH", help_heading = "Output",
        value_hint = ValueHint::AnyPath)]
    pub(crate) out: Option<PathBuf>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// Predict the class, or the values, of pictures or samples: PNG, JPEG, IDX, NPY, CSV, or - for standard input.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus predict model.safetensors digit.png\n  \
    gradus predict model.safetensors *.png --top 3\n  \
    gradus predict model.safetensors t10k-images-idx3-ubyte.gz --json\n\n\
    For a model of 28 x 28 pictures a PNG or JPEG is brought to MNIST's form: light on dark, \
    fitted into 20 x 20, centred by mass. --raw only scales it.")]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Files to predict; - for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Only scale pictures to the model's size
    #[arg(long)]
    pub(crate) raw: bool,
    /// Label column of CSV tables, which is left out: a name from the header, or a position from 0;
    /// of values to predict also several, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Show this many classes, the most probable first
    #[arg(long, value_name = "K", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object a sample
    #[arg(long)]
    pub(crate) json: bool,
}

/// Describe a data set, or draw one of its samples.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus data\n  \
    gradus data fashion-mnist --show 0\n  \
    gradus data mnist --show 0 --distort shift:2,rotate:15\n  \
    gradus data flowers.csv --label-column species\n  \
    gradus data houses.csv --loss squared --label-column price")]
pub(crate) struct DataArgs {
    /// Name of a data set, or a path [default: mnist, else the built-in digits]
    #[arg(value_name = "NAME|PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    /// What would be trained with: squared for samples with values [default: cross-entropy]
    #[arg(long, value_name = "NAME", value_parser = losses())]
    pub(crate) loss: Option<Loss>,
    /// Draw sample N (from 0) and print its label
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = whole)]
    pub(crate) show: Option<u64>,
    /// The part that --show draws from [default: train]
    #[arg(long, value_name = "PART", value_parser = ["train", "test"], requires = "show")]
    pub(crate) part: Option<String>,
    /// Draw four random distortions of it too: standard (without SPEC), strong, or some of
    /// shift:PIXELS, rotate:DEGREES, scale:SHARE, shear:SHARE and elastic:ALPHA:SIGMA, such as
    /// shift:2,rotate:10,elastic:36:6
    #[arg(long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "standard",
        value_parser = distortion, requires = "show")]
    pub(crate) distort: Option<Distortion>,
    /// Where the random numbers of --distort come from [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole,
        requires = "distort")]
    pub(crate) seed: Option<u64>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "show")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// Download named data sets into the cache, verified, and print their folders.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus fetch mnist fashion-mnist")]
pub(crate) struct FetchArgs {
    /// Names of data sets
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// Show a model's layers, shapes and parameters, and how it was trained.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus inspect model.safetensors")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Measure how fast this machine trains and predicts, beside its arithmetic peak.
///
/// Epochs of the notebook's full batch and of mini-batches of three sizes on three networks (the
/// largest on 12,800 samples), the prediction of one image and of all test images. A time is a
/// median; "of peak" is the share of the multiply-adds that the cores can do in that time.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus bench --threads 2")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object a figure
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Write a model in another format, which the ending of OUT names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus export model.safetensors model.onnx\n  \
    gradus export model.safetensors weights.npz\n  \
    gradus export model.keras model.safetensors\n\n\
    An ONNX model takes raw values as `input` (a batch of samples of the model's shape, float32) and \
    gives `label` (int64) and `probabilities`, or `values`; the normalisation is inside.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to write: .safetensors, .onnx, .npz with the arrays w1, b1, w2, b2, ..., or .html, a page
    /// on which to draw digits with the model inside
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Let the ONNX model take uint8 instead of float32
    #[arg(long)]
    pub(crate) uint8: bool,
}

/// Print the completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus completions bash > \
    ~/.local/share/bash-completion/completions/gradus")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// Print the man page, or write those of all commands into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gradus man | man -l -\n  gradus man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder for gradus.1, gradus-train.1, ...
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
