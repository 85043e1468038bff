//! What each epoch brought, under the names that Keras uses.

use std::fmt::Write as _;

use crate::samples::Task;

/// The figures of one epoch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Mean training loss, each sample's on the pass before the step that it led to.
    pub loss: f64,
    /// Training accuracy on the same passes; `None` for regression.
    pub accuracy: Option<f64>,
    /// Loss on the validation data after the epoch.
    pub val_loss: Option<f64>,
    /// Accuracy on the validation data after the epoch; `None` for regression.
    pub val_accuracy: Option<f64>,
    /// R^2 on the validation data after the epoch, averaged over the outputs; `None` for classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_r2: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f32,
    /// Wall time of the epoch, validation included; NaN where it was not kept.
    pub seconds: f64,
}

impl EpochReport {
    /// Root mean squared errors in training and validation, in the unit of the targets (of several outputs, over all of
    /// them): the roots of twice the losses, which must be half squared errors with equal weights. None in classification.
    pub fn root_mean_squared_errors(&self) -> (Option<f64>, Option<f64>) {
        let of = |loss: f64| self.accuracy.is_none().then(|| (2.0 * loss).sqrt());
        (of(self.loss), self.val_loss.and_then(of))
    }
}

/// A figure of an epoch that tells how good the model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// Training loss; smaller is better.
    Loss,
    /// Training accuracy; larger is better.
    Accuracy,
    /// Validation loss; smaller is better.
    ValLoss,
    /// Validation accuracy; larger is better.
    ValAccuracy,
    /// R^2 on the validation data; larger is better.
    #[serde(rename = "val_r2")]
    ValR2,
}

impl Monitor {
    /// All of them.
    pub const ALL: [Monitor; 5] =
        [Monitor::Loss, Monitor::Accuracy, Monitor::ValLoss, Monitor::ValAccuracy, Monitor::ValR2];

    /// The key of the history.
    pub fn name(self) -> &'static str {
        match self {
            Monitor::Loss => "loss",
            Monitor::Accuracy => "accuracy",
            Monitor::ValLoss => "val_loss",
            Monitor::ValAccuracy => "val_accuracy",
            Monitor::ValR2 => "val_r2",
        }
    }

    /// The figure of this key.
    pub fn from_name(name: &str) -> Option<Monitor> {
        Monitor::ALL.into_iter().find(|monitor| monitor.name() == name)
    }

    /// Whether larger values are better.
    pub fn larger_is_better(self) -> bool {
        matches!(self, Monitor::Accuracy | Monitor::ValAccuracy | Monitor::ValR2)
    }

    /// Whether a value is better than the best one before it, if there is any, by more than `min_delta`.
    pub fn improves(self, value: f64, best: Option<f64>, min_delta: f64) -> bool {
        match (best, self.larger_is_better()) {
            (None, _) => value.is_finite(),
            (Some(best), true) => value > best + min_delta,
            (Some(best), false) => value < best - min_delta,
        }
    }

    /// Whether it takes validation data.
    pub fn needs_validation(self) -> bool {
        matches!(self, Monitor::ValLoss | Monitor::ValAccuracy | Monitor::ValR2)
    }

    /// Why runs of this task do not have it; none if they do. Classes have an accuracy, values R^2.
    pub fn problem_with(self, task: Task) -> Option<&'static str> {
        match (self, task) {
            (Monitor::ValR2, Task::Classification | Task::MultiLabel) => {
                Some("classification has no R^2; expected loss, accuracy, val_loss or val_accuracy")
            }
            (Monitor::Accuracy | Monitor::ValAccuracy, Task::Regression) => {
                Some("regression has no accuracy; expected loss, val_loss or val_r2")
            }
            _ => None,
        }
    }

    /// Its value in an epoch; `None` if there was no validation, or if the task does not have it.
    pub fn of(self, report: &EpochReport) -> Option<f64> {
        match self {
            Monitor::Loss => Some(report.loss),
            Monitor::Accuracy => report.accuracy,
            Monitor::ValLoss => report.val_loss,
            Monitor::ValAccuracy => report.val_accuracy,
            Monitor::ValR2 => report.val_r2,
        }
    }
}

/// The epoch with the best monitored figure.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Best {
    /// Counted from 0.
    pub epoch: usize,
    /// Which figure.
    pub monitor: Monitor,
    /// Its value.
    pub value: f64,
}

/// All epochs of a run.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<EpochReport>,
}

impl History {
    /// One array a key: `loss, accuracy, val_loss, val_accuracy, val_r2, learning_rate`, and `seconds`.
    /// Keys of a validation that was not made, of figures that the task does not have, and times that were
    /// not kept, are left out.
    pub fn to_json(&self) -> serde_json::Value {
        let column = |value: fn(&EpochReport) -> Option<f64>| -> Option<Vec<f64>> {
            self.epochs.iter().map(value).collect()
        };
        let mut object = serde_json::Map::new();
        for (key, value) in COLUMNS {
            if let Some(values) = column(value) {
                object.insert(key.into(), values.into());
            }
        }
        serde_json::Value::Object(object)
    }

    /// A table with a header, `epoch` first; cells are empty where [`Self::to_json`] leaves a key out.
    /// Classification has no column `val_r2`.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("epoch");
        let has_r2 = self.epochs.iter().any(|report| report.val_r2.is_some());
        let columns = || COLUMNS.iter().filter(|(key, _)| has_r2 || *key != "val_r2");
        for (key, _) in columns() {
            text.push(',');
            text.push_str(key);
        }
        text.push('\n');
        for report in &self.epochs {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", report.epoch);
            for (_, value) in columns() {
                let _ = match value(report) {
                    Some(value) => write!(text, ",{value}"),
                    None => write!(text, ","),
                };
            }
            text.push('\n');
        }
        text
    }
}

type Column = (&'static str, fn(&EpochReport) -> Option<f64>);

const COLUMNS: [Column; 7] = [
    ("loss", |r| Some(r.loss)),
    ("accuracy", |r| r.accuracy),
    ("val_loss", |r| r.val_loss),
    ("val_accuracy", |r| r.val_accuracy),
    ("val_r2", |r| r.val_r2),
    // Shortest decimal of the single-precision number, not of its double-precision neighbour.
    ("learning_rate", |r| r.learning_rate.to_string().parse().ok()),
    ("seconds", |r| Some(r.seconds).filter(|seconds| !seconds.is_nan())),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_figures() {
        let report = EpochReport {
            epoch: 0,
            loss: 0.5,
            accuracy: Some(0.75),
            val_loss: None,
            val_accuracy: None,
            val_r2: None,
            learning_rate: 0.001,
            seconds: 2.0,
        };
        let with =
            EpochReport { epoch: 1, val_loss: Some(1.5), val_accuracy: Some(0.25), ..report };
        let mut history = History { epochs: vec![report.clone()] };
        let json = history.to_json();
        assert_eq!(json["learning_rate"][0], 0.001);
        assert!(json.get("val_loss").is_none());
        history.epochs.push(with);
        assert_eq!(
            history.to_csv(),
            "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds\n\
             0,0.5,0.75,,,0.001,2\n1,0.5,0.75,1.5,0.25,0.001,2\n"
        );
        let values = EpochReport { accuracy: None, val_r2: Some(0.5), ..report.clone() };
        let values = History { epochs: vec![values] };
        assert!(values.to_csv().ends_with(",val_r2,learning_rate,seconds\n0,0.5,,,,0.5,0.001,2\n"));
        assert_eq!(values.to_json()["val_r2"][0], 0.5);
        let values = History { epochs: vec![EpochReport { accuracy: None, ..report }] };
        assert!(values.to_json().get("accuracy").is_none());
        assert!(values.to_csv().ends_with("0,0.5,,,,0.001,2\n"));
    }
}
