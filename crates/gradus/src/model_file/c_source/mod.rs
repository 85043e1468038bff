//! A model as C source: one file in C99 for devices that run nothing else. It takes raw numbers, or a row of raw columns,
//! allocates nothing and needs no library besides C's own mathematical functions.
//!
//! In: a model, and a name for its functions. Out: the text of the file.

mod text;
mod formulas;
mod int8;
mod columns;
mod write;

use crate::classifier::Model;
use crate::error::{Error, Result};
use gradus_core::model_file::metadata;
pub(super) use write::MARK;
use write::Source;

pub use int8::rounded;

/// More parameters than this are refused: the text takes some twelve bytes for each.
const MOST_PARAMETERS: usize = 1 << 24;

/// How C source is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CSourceOptions {
    /// The beginning of all names in the file, such as `model` for `model_predict`; what no name in C may contain is
    /// replaced.
    pub name: String,
    /// Whether weights become whole numbers of 8 bits with a scale for each unit: a quarter of the memory.
    pub int8: bool,
}

/// The C source of this model. The same model always gives the same text.
///
/// # Errors
/// `InvalidArgument` if the parts of the model do not fit together, a number in it is not finite, or it has more than 2^24
/// parameters.
pub fn to_text(model: &Model, options: &CSourceOptions) -> Result<String> {
    metadata::check(model).map_err(|error| error.context("this model cannot be exported"))?;
    let parameters: usize = model.networks().map(|network| network.parameters().len()).sum();
    if parameters > MOST_PARAMETERS {
        return Err(Error::argument(format!(
            "this model cannot be exported as C source: it has {parameters} parameters, at most {MOST_PARAMETERS} are \
             written as text; use .onnx, or a smaller network"
        )));
    }
    Ok(Source::new(model, text::identifier(&options.name, "model_"), options.int8).text())
}

#[cfg(test)]
mod tests {
    use super::text::{identifier, identifier_of_column};

    #[test]
    fn names_are_what_c_allows() {
        for (name, expected) in [
            ("model", "model"),
            ("my-model 2", "my_model_2"),
            ("2nd", "model_2nd"),
            ("", "model_"),
            ("é", "model__"),
        ] {
            assert_eq!(identifier(name, "model_"), expected);
        }
        for (name, expected) in [
            ("hours-per-week", "hours_per_week"),
            ("2nd", "column_2nd"),
            ("class", "class_"),
            ("NAN", "NAN_"),
            ("M_PI", "M_PI_"),
            ("a class b", "a_class_b"),
        ] {
            assert_eq!(identifier_of_column(name), expected);
        }
    }
}
