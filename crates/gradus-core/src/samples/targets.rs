//! What a model learns to predict: one of several classes for each sample, or numbers.

use crate::error::{Result, invalid};

/// The target of each sample of a data set, and the names of a model's outputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class for each sample.
    Classes {
        /// The index of each sample's class, below `names.len()`.
        labels: Vec<u32>,
        /// One name for each class; digits are named "0" to "9".
        names: Vec<String>,
    },
    /// Any number of labels for each sample.
    Labels {
        /// `samples x names.len()`, row-major: 1 where a sample has the label, else 0.
        values: Vec<u8>,
        /// One name for each label.
        names: Vec<String>,
    },
    /// One or several numbers for each sample.
    Values {
        /// `samples x names.len()`, row-major, all finite.
        values: Vec<f32>,
        /// What each number of a sample is.
        names: Vec<String>,
    },
}

/// What kind of targets a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One class for each sample.
    Classification,
    /// Any number of labels for each sample.
    MultiLabel,
    /// One or several numbers for each sample.
    Regression,
}

impl Task {
    /// `classification`, `multi-label classification` or `regression`.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::MultiLabel => "multi-label classification",
            Task::Regression => "regression",
        }
    }

    /// What the outputs of a model are, in the plural: `classes`, `labels` or `values`.
    pub fn outputs(self) -> &'static str {
        match self {
            Task::Classification => "classes",
            Task::MultiLabel => "labels",
            Task::Regression => "values",
        }
    }

    /// `in 10 classes` or `with 2 values`.
    pub fn with(self, outputs: usize) -> String {
        match self {
            Task::Classification => format!("in {outputs} classes"),
            Task::MultiLabel => format!("with {outputs} labels"),
            Task::Regression => {
                format!("with {outputs} {}", if outputs == 1 { "value" } else { "values" })
            }
        }
    }
}

impl Targets {
    /// The names of the classes, or of the values: one for each output of a network.
    pub fn names(&self) -> &[String] {
        match self {
            Targets::Classes { names, .. }
            | Targets::Labels { names, .. }
            | Targets::Values { names, .. } => names,
        }
    }

    /// Number of outputs of a network that learns them.
    pub fn outputs(&self) -> usize {
        self.names().len()
    }

    /// What kind of targets they are.
    pub fn task(&self) -> Task {
        match self {
            Targets::Classes { .. } => Task::Classification,
            Targets::Labels { .. } => Task::MultiLabel,
            Targets::Values { .. } => Task::Regression,
        }
    }

    /// Whether a model with this task and number of outputs can be measured on them: it knows all
    /// classes, or predicts as many values.
    pub fn fit(&self, task: Task, outputs: usize) -> bool {
        match self {
            Targets::Classes { names, .. } => {
                task == Task::Classification && names.len() <= outputs
            }
            Targets::Labels { names, .. } => task == Task::MultiLabel && names.len() == outputs,
            Targets::Values { names, .. } => task == Task::Regression && names.len() == outputs,
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Labels { values, names } => values.len() / names.len().max(1),
            Targets::Values { values, names } => values.len() / names.len().max(1),
        }
    }

    /// Checks that every label is a class and every value a number.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Targets::Classes { labels, names } => {
                let classes = names.len();
                match labels.iter().position(|&label| label as usize >= classes) {
                    None => Ok(()),
                    Some(at) => Err(invalid(format!(
                        "label {} of sample {at} is out of range: there are {classes} classes",
                        labels[at]
                    ))),
                }
            }
            Targets::Labels { values, names } => {
                let labels = names.len().max(1);
                match values.iter().position(|&value| value > 1) {
                    None if values.len() % labels == 0 => Ok(()),
                    None => Err(invalid(format!(
                        "{} indicators of labels do not make rows of {labels}",
                        values.len()
                    ))),
                    Some(at) => Err(invalid(format!(
                        "the indicator of a label of sample {} is {}, but must be 0 or 1",
                        at / labels,
                        values[at]
                    ))),
                }
            }
            Targets::Values { values, names } => {
                let outputs = names.len().max(1);
                if values.len() % outputs != 0 {
                    let found = values.len();
                    return Err(invalid(format!(
                        "{found} target values do not make rows of {outputs}"
                    )));
                }
                match values.iter().position(|value| !value.is_finite()) {
                    None => Ok(()),
                    Some(at) => Err(invalid(format!(
                        "the target {} of sample {} is not a finite number",
                        values[at],
                        at / outputs
                    ))),
                }
            }
        }
    }

    /// The targets of the samples `rows`.
    pub fn rows(&self, rows: std::ops::Range<usize>) -> Targets {
        self.subset(&rows.collect::<Vec<_>>())
    }

    /// Adds the targets of more samples, of the same kind.
    pub(crate) fn append(&mut self, more: &Targets) {
        match (self, more) {
            (Targets::Classes { labels, .. }, Targets::Classes { labels: more, .. }) => {
                labels.extend_from_slice(more);
            }
            (Targets::Labels { values, .. }, Targets::Labels { values: more, .. }) => {
                values.extend_from_slice(more);
            }
            (Targets::Values { values, .. }, Targets::Values { values: more, .. }) => {
                values.extend_from_slice(more);
            }
            // A source has targets of one kind.
            _ => {}
        }
    }

    /// The targets of the samples at `indices`, in that order.
    pub fn subset(&self, indices: &[usize]) -> Targets {
        match self {
            Targets::Classes { labels, names } => Targets::Classes {
                labels: indices.iter().map(|&i| labels[i]).collect(),
                names: names.clone(),
            },
            Targets::Labels { values, names } => Targets::Labels {
                values: rows_at(values, names.len(), indices),
                names: names.clone(),
            },
            Targets::Values { values, names } => Targets::Values {
                values: rows_at(values, names.len(), indices),
                names: names.clone(),
            },
        }
    }
}

/// The rows of `width` values at `indices`.
pub(super) fn rows_at<T: Copy>(values: &[T], width: usize, indices: &[usize]) -> Vec<T> {
    indices.iter().flat_map(|&i| &values[i * width..][..width]).copied().collect()
}
