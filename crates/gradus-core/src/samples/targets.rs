//! What samples are to be answered with: one of several classes, or values.

use super::invalid;
use crate::error::Result;

/// The answer to each sample of a data set, and what a model that learns from it answers with.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// One class a sample.
    Classes {
        /// The index of each sample's class, below `names.len()`.
        labels: Vec<u32>,
        /// One name for each class; digits are named "0" to "9".
        names: Vec<String>,
    },
    /// One or several values a sample.
    Values {
        /// `samples x names.len()`, row-major, all finite.
        values: Vec<f32>,
        /// What each value of a sample is.
        names: Vec<String>,
    },
}

/// What samples are answered with, without the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One class a sample.
    Classes,
    /// One or several values a sample.
    Values,
}

impl Task {
    /// In the plural.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classes => "classes",
            Task::Values => "values",
        }
    }

    /// `in 10 classes` or `with 2 values`.
    pub fn with(self, outputs: usize) -> String {
        match self {
            Task::Classes => format!("in {outputs} classes"),
            Task::Values => {
                format!("with {outputs} {}", if outputs == 1 { "value" } else { "values" })
            }
        }
    }
}

impl Answers {
    /// The names of the classes, or of the values: one for each output of a network.
    pub fn names(&self) -> &[String] {
        match self {
            Answers::Classes { names, .. } | Answers::Values { names, .. } => names,
        }
    }

    /// Number of outputs of a network that gives such answers.
    pub fn outputs(&self) -> usize {
        self.names().len()
    }

    /// What they are.
    pub fn task(&self) -> Task {
        match self {
            Answers::Classes { .. } => Task::Classes,
            Answers::Values { .. } => Task::Values,
        }
    }

    /// Whether a model of so many outputs can be held against them: it knows all classes, or answers
    /// with as many values.
    pub fn fit(&self, task: Task, outputs: usize) -> bool {
        match self {
            Answers::Classes { names, .. } => task == Task::Classes && names.len() <= outputs,
            Answers::Values { names, .. } => task == Task::Values && names.len() == outputs,
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Answers::Classes { labels, .. } => labels.len(),
            Answers::Values { values, names } => values.len() / names.len().max(1),
        }
    }

    /// Checks that every label is a class and every value a number.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Answers::Classes { labels, names } => {
                let classes = names.len();
                match labels.iter().position(|&label| label as usize >= classes) {
                    None => Ok(()),
                    Some(at) => Err(invalid(format!(
                        "label {} of sample {at} is out of range: there are {classes} classes",
                        labels[at]
                    ))),
                }
            }
            Answers::Values { values, names } => {
                let outputs = names.len().max(1);
                if values.len() % outputs != 0 {
                    let found = values.len();
                    return Err(invalid(format!(
                        "{found} values to answer with do not make rows of {outputs}"
                    )));
                }
                match values.iter().position(|value| !value.is_finite()) {
                    None => Ok(()),
                    Some(at) => Err(invalid(format!(
                        "the value {} to answer sample {} with is not a finite number",
                        values[at],
                        at / outputs
                    ))),
                }
            }
        }
    }

    /// Those of the samples at `indices`, in that order.
    pub(super) fn subset(&self, indices: &[usize]) -> Answers {
        match self {
            Answers::Classes { labels, names } => Answers::Classes {
                labels: indices.iter().map(|&i| labels[i]).collect(),
                names: names.clone(),
            },
            Answers::Values { values, names } => Answers::Values {
                values: super::rows_at(values, names.len(), indices),
                names: names.clone(),
            },
        }
    }
}
