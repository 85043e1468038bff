//! A model as C source: one file in C99 for devices that run nothing else. It takes raw numbers, allocates nothing and
//! needs no library besides C's own mathematical functions.
//!
//! In: a model, and a name for its functions. Out: the text of the file.

mod int8;
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
/// `InvalidArgument` if the parts of the model do not fit together, a number in it is not finite, it embeds columns, or
/// it has more than 2^24 parameters.
pub fn to_text(model: &Model, options: &CSourceOptions) -> Result<String> {
    metadata::check_for_export(model)?;
    metadata::check_single(model)?;
    if model.network.columns().is_some() {
        return Err(Error::argument(
            "this model cannot be exported as C source: it embeds the columns of a table, and C source has linear layers and \
             activations alone; use .onnx, or train without embeddings",
        ));
    }
    let parameters = model.network.parameters().len();
    if parameters > MOST_PARAMETERS {
        return Err(Error::argument(format!(
            "this model cannot be exported as C source: it has {parameters} parameters, at most {MOST_PARAMETERS} are \
             written as text; use .onnx, or a smaller network"
        )));
    }
    Ok(Source::new(model, identifier(&options.name), options.int8).text())
}

/// A name as C allows it: letters, digits and underscores, not beginning with a digit.
fn identifier(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(allowed).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("model_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn names_are_what_c_allows() {
        for (name, expected) in [
            ("model", "model"),
            ("my-model 2", "my_model_2"),
            ("2nd", "model_2nd"),
            ("", "model_"),
            ("é", "model__"),
        ] {
            assert_eq!(identifier(name), expected);
        }
    }
}
