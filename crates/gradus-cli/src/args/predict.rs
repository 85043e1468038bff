//! The arguments of `gradus predict`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::parsers::{at_least_one, bytes, level, threads};
use super::source::TableArgs;

/// Predict classes or values for images or samples: PNG, JPEG, IDX, NPY, NPZ or CSV files, or folders of
/// images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus predict model.safetensors digit.png\n  \
    gradus predict model.safetensors *.png --top 3\n  \
    gradus predict model.safetensors photos --json\n  \
    gradus predict model.safetensors postcode.jpg --split\n  \
    gradus predict model.safetensors table.csv --out predictions.csv\n  \
    gradus predict model.safetensors t10k-images-idx3-ubyte.gz --json\n  \
    gradus predict model.safetensors shards --out predictions.npy\n\n\
    For a model trained on 28 x 28 images like MNIST's, the largest digit in an image (PNG, JPEG, WebP, \
    BMP, TIFF) is converted to the same form: light on dark, fitted into 20 x 20 pixels, centred by \
    mass. --raw only scales the image.\n\n\
    --out writes a table, CSV or Parquet by its name: the columns of the input table as they are, or the file, or the index in an \
    array; then `prediction` and `probability_CLASS` for each class, or `prediction_NAME` for each of several \
    values, with --interval also `prediction_lower` and `prediction_upper`.")]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Files to predict, or folders of images: all in them and in the folders below are predicted, named
    /// by their paths from there; a folder of shards; - for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,
    /// Only scale images to the size the model takes
    #[arg(long)]
    pub(crate) raw: bool,
    /// Predict each digit in an image, from left to right, instead of the largest
    #[arg(long, conflicts_with = "raw")]
    pub(crate) split: bool,
    /// Label column of CSV tables, which is ignored [default: the one that the model was trained on]: its name in the header or its position, counted
    /// from 0; for regression one or more, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Show the K most probable classes
    #[arg(long, value_name = "K", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Also print an interval around each value that holds the truth with this probability, such as 0.9; for models that
    /// were trained with --members
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true,
        value_parser = level)]
    pub(crate) interval: Option<f64>,
    /// Write the predictions to this CSV or Parquet file instead of the terminal; - for CSV on standard
    /// output. For a folder of shards or one large array, also an .npy file of samples x classes or values; these
    /// are predicted piece by piece, whatever their size
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with = "top")]
    pub(crate) out: Option<PathBuf>,
    /// Most bytes to read of each file, such as 500MB or 8GiB [default: 4GiB; 256MiB of standard input,
    /// pipes and devices]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) limit: Option<u64>,
    /// Predict as one of the processes that mpirun or srun has started: they share the samples of each file; same output as
    /// one process
    #[arg(long)]
    pub(crate) mpi: bool,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object per sample; with --out, one about the file
    #[arg(long)]
    pub(crate) json: bool,
    // Last: its heading would be that of the options after it, too.
    #[command(flatten)]
    pub(crate) table: TableArgs,
}
