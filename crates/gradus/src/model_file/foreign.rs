//! What a reader of another program's file hands over: the model, and what the user should know about it.

#[cfg(feature = "onnx")]
use gradus_core::error::invalid;
use gradus_core::model_file::metadata;

use crate::classifier::{Model, Outputs};
use crate::data::Task;
use crate::error::{Error, Result};

/// Said of weights in half precision.
pub(super) const HALVES: &str = "the model has numbers of half precision (float16 or bfloat16), which are converted: gradus \
                                 computes in single precision";

/// A model of another program.
pub(super) struct Foreign {
    pub(super) model: Model,
    /// A sentence each.
    pub(super) warnings: Vec<String>,
    /// Whether the file has names for the classes.
    pub(super) has_class_names: bool,
    /// Whether the file says which activations its hidden layers have.
    pub(super) has_activations: bool,
    /// Whether a file of this kind may say how its inputs are normalized.
    pub(super) has_normalization: bool,
}

impl Foreign {
    /// A model whose file says everything but the names of its classes.
    pub(super) fn new(model: Model) -> Foreign {
        Foreign {
            model,
            warnings: Vec::new(),
            has_class_names: false,
            has_activations: true,
            has_normalization: true,
        }
    }

    /// A model whose file has weights alone.
    pub(super) fn bare(model: Model) -> Foreign {
        Foreign { has_activations: false, has_normalization: false, ..Foreign::new(model) }
    }

    /// The same with the names that the file has for its classes.
    ///
    /// # Errors
    /// `InvalidData` if they do not fit the model.
    #[cfg(feature = "onnx")]
    pub(super) fn with_class_names(mut self, names: &[String]) -> Result<Foreign> {
        name_classes(&mut self.model, names).map_err(|error| invalid(error.to_string()))?;
        self.has_class_names = true;
        Ok(self)
    }
}

/// Gives the classes of the model these names.
///
/// # Errors
/// `InvalidArgument` if they are of another number than the outputs, if two are equal or one is empty, or if the model
/// has no classes.
pub(super) fn name_classes(model: &mut Model, names: &[String]) -> Result<()> {
    let wrong = |message: String| Err(Error::argument(message));
    if model.task() != Task::Classification {
        return wrong(
            "class names were given, but the model has a single output, which is a number and no class"
                .to_owned(),
        );
    }
    let (count, outputs) = (names.len(), model.network.outputs());
    if count != outputs {
        return wrong(format!(
            "there are {count} class names, but the model has {outputs} classes: expected one name for \
             each, in the order of the outputs"
        ));
    }
    let mut seen = std::collections::HashSet::new();
    if let Some(name) = names.iter().find(|name| name.is_empty() || !seen.insert(*name)) {
        return wrong(match name.as_str() {
            "" => "a class name is empty".to_owned(),
            name => format!("two classes are named '{}'", name.escape_debug()),
        });
    }
    model.outputs = Outputs::classes(names.to_vec());
    metadata::check(model)
}
