//! The text form of losses, in options and files: `huber:1.5`, `quantile:0.1,0.5,0.9`.

use super::Loss;

impl Loss {
    /// What a text must be, for messages.
    pub const EXPECTED: &str = "cross-entropy, binary-cross-entropy, squared, poisson, huber, huber:DELTA (such as huber:1.5), absolute, or \
        quantile:LEVELS (above 0, below 1 and ascending, such as quantile:0.1,0.5,0.9)";

    /// One loss of every kind, those with constants with the usual ones.
    pub fn examples() -> Vec<Loss> {
        vec![
            Loss::SoftmaxCrossEntropy,
            Loss::BinaryCrossEntropy,
            Loss::SquaredError,
            Loss::Poisson,
            Loss::Huber { delta: Loss::USUAL_DELTA },
            Loss::AbsoluteError,
            Loss::Quantile(vec![0.5]),
        ]
    }

    /// The name in settings and files, with the constants.
    pub fn name(&self) -> String {
        match self {
            Loss::Huber { delta } => format!("huber:{delta}"),
            Loss::Quantile(levels) => {
                let levels: Vec<String> = levels.iter().map(f32::to_string).collect();
                format!("quantile:{}", levels.join(","))
            }
            other => other.kind().to_owned(),
        }
    }

    /// The name without constants.
    pub fn kind(&self) -> &'static str {
        match self {
            Loss::SoftmaxCrossEntropy => "cross-entropy",
            Loss::BinaryCrossEntropy => "binary-cross-entropy",
            Loss::SquaredError => "squared",
            Loss::Poisson => "poisson",
            Loss::Huber { .. } => "huber",
            Loss::AbsoluteError => "absolute",
            Loss::Quantile(_) => "quantile",
        }
    }

    /// The loss of this name; also by scikit-learn's names `squared_error` and `absolute_error`.
    pub fn from_name(name: &str) -> Option<Loss> {
        let (kind, constants) = match name.split_once(':') {
            Some((kind, constants)) => (kind, Some(constants)),
            None => (name, None),
        };
        match (kind, constants) {
            ("cross-entropy", None) => Some(Loss::SoftmaxCrossEntropy),
            ("binary-cross-entropy", None) => Some(Loss::BinaryCrossEntropy),
            ("squared" | "squared_error", None) => Some(Loss::SquaredError),
            ("poisson", None) => Some(Loss::Poisson),
            ("huber", None) => Some(Loss::Huber { delta: Loss::USUAL_DELTA }),
            ("huber", Some(delta)) => {
                let delta =
                    delta.parse().ok().filter(|&delta: &f32| delta > 0.0 && delta.is_finite());
                delta.map(|delta| Loss::Huber { delta })
            }
            ("absolute" | "absolute_error", None) => Some(Loss::AbsoluteError),
            ("quantile", None) => Some(Loss::Quantile(vec![0.5])),
            ("quantile", Some(levels)) => {
                let levels: Option<Vec<f32>> =
                    levels.split(',').map(|level| level.trim().parse().ok()).collect();
                levels.filter(|levels| are_levels(levels)).map(Loss::Quantile)
            }
            _ => None,
        }
    }

    /// The names of the outputs for targets of these names: `price`, or `price:0.1` and `price:0.9` for quantiles.
    pub fn output_names(&self, targets: &[String]) -> Vec<String> {
        match self {
            Loss::Quantile(levels) => {
                let of_target = |name: &String| {
                    levels.iter().map(|level| format!("{name}:{level}")).collect::<Vec<_>>()
                };
                targets.iter().flat_map(of_target).collect()
            }
            _ => targets.to_vec(),
        }
    }

    /// The names of the targets for outputs of these names: the way back.
    pub fn target_names(&self, outputs: &[String]) -> Vec<String> {
        match self {
            Loss::Quantile(levels) => {
                let suffix = format!(":{}", levels[0]);
                let name = |name: &String| name.strip_suffix(&suffix).unwrap_or(name).to_owned();
                outputs.iter().step_by(levels.len()).map(name).collect()
            }
            _ => outputs.to_vec(),
        }
    }
}

/// Whether these are levels of quantiles.
fn are_levels(levels: &[f32]) -> bool {
    let ascending = levels.windows(2).all(|pair| pair[0] < pair[1]);
    ascending && !levels.is_empty() && levels.iter().all(|&level| level > 0.0 && level < 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_gives_its_loss_back() {
        let more = [Loss::Huber { delta: 0.35 }, Loss::Quantile(vec![0.05, 0.5, 0.95])];
        for loss in Loss::examples().into_iter().chain(more) {
            assert_eq!(Loss::from_name(&loss.name()).as_ref(), Some(&loss));
            assert!(Loss::EXPECTED.contains(loss.kind()), "{}", loss.kind());
        }
        assert_eq!(Loss::from_name("huber"), Some(Loss::Huber { delta: 1.0 }));
        for wrong in [
            "",
            "mse",
            "huber:0",
            "huber:x",
            "squared:1",
            "quantile:",
            "quantile:0.5,0.5",
            "quantile:0.9,0.1",
            "quantile:1",
            "quantile:nan",
        ] {
            assert_eq!(Loss::from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn outputs_are_named_after_targets() {
        let loss = Loss::Quantile(vec![0.1, 0.9]);
        let targets = ["a", "b:0.1"].map(String::from);
        let outputs = loss.output_names(&targets);
        assert_eq!(outputs, ["a:0.1", "a:0.9", "b:0.1:0.1", "b:0.1:0.9"]);
        assert_eq!(loss.target_names(&outputs), targets);
    }
}
