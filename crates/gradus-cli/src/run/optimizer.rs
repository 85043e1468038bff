//! The optimizer of a run: arguments and the optimizer of the preset in, the optimizer with its constants
//! out. Constants that the optimizer does not have are refused.

use anyhow::Result;
use gradus::Error;
use gradus::optimizer::Optimizer;

use crate::args::TrainArgs;

/// The optimizer that `args` ask for; `default` is that of the preset.
///
/// # Errors
/// `InvalidArgument` where a constant is given that this optimizer does not have.
pub(crate) fn resolve(args: &TrainArgs, default: Optimizer) -> Result<Optimizer> {
    let mut optimizer = args.optimizer.unwrap_or(default);
    for (option, value) in [
        ("--momentum", args.momentum),
        ("--beta1", args.beta1),
        ("--beta2", args.beta2),
        ("--epsilon", args.epsilon),
        ("--weight-decay", args.weight_decay),
    ] {
        if let Some(value) = value {
            let name = optimizer.name();
            *constant(&mut optimizer, option).ok_or_else(|| foreign(option, name))? = value;
        }
    }
    match &mut optimizer {
        Optimizer::Sgd { nesterov, .. } => *nesterov |= args.nesterov,
        other if args.nesterov => return Err(foreign("--nesterov", other.name()).into()),
        _ => {}
    }
    Ok(optimizer)
}

/// The constant that an option sets, if the optimizer has it.
fn constant<'a>(optimizer: &'a mut Optimizer, option: &str) -> Option<&'a mut f32> {
    use Optimizer::{Adam, AdamW, Lion, Muon, RmsProp, Sgd};
    match (option, optimizer) {
        ("--momentum", Sgd { momentum, .. } | RmsProp { momentum, .. } | Muon { momentum, .. }) => {
            Some(momentum)
        }
        (
            "--beta1",
            Adam { beta1, .. } | AdamW { beta1, .. } | Lion { beta1, .. } | Muon { beta1, .. },
        ) => Some(beta1),
        (
            "--beta2",
            Adam { beta2, .. }
            | AdamW { beta2, .. }
            | RmsProp { decay: beta2, .. }
            | Lion { beta2, .. }
            | Muon { beta2, .. },
        ) => Some(beta2),
        (
            "--epsilon",
            Adam { epsilon, .. }
            | AdamW { epsilon, .. }
            | RmsProp { epsilon, .. }
            | Muon { epsilon, .. },
        ) => Some(epsilon),
        (
            "--weight-decay",
            Sgd { weight_decay, .. }
            | Adam { weight_decay, .. }
            | AdamW { weight_decay, .. }
            | RmsProp { weight_decay, .. }
            | Lion { weight_decay, .. }
            | Muon { weight_decay, .. },
        ) => Some(weight_decay),
        _ => None,
    }
}

/// The refusal of an option that the optimizer `name` does not have.
fn foreign(option: &str, name: &str) -> Error {
    let has = |optimizer: &Optimizer| match option {
        "--nesterov" => matches!(optimizer, Optimizer::Sgd { .. }),
        _ => constant(&mut optimizer.clone(), option).is_some(),
    };
    let owners: Vec<_> = Optimizer::ALL.iter().filter(|o| has(o)).map(Optimizer::name).collect();
    let owners_text = match owners.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("optimizers {} and {last}", all.join(", ")),
        _ => format!("optimizer {}", owners.concat()),
    };
    Error::argument(format!(
        "{option} is for the {owners_text}, but this run uses {name}: add --optimizer {}, or leave out \
         {option}",
        owners[0]
    ))
}
