//! The library's messages in Python's words: settings bear the names of the package's parameters.

/// What the library or the program calls a setting, and the parameter of that meaning.
const PARAMETERS: [(&str, &str); 22] = [
    ("hidden", "hidden_layer_sizes"),
    ("epochs", "max_iter"),
    ("batch size", "batch_size"),
    ("learning rate", "learning_rate_init"),
    ("warm-up", "warm_up"),
    ("validation", "validation_fraction"),
    ("threads", "n_jobs"),
    ("patience", "n_iter_no_change"),
    ("min delta", "tol"),
    ("weight decay", "weight_decay"),
    ("momentum", "momentum"),
    ("beta1", "beta_1"),
    ("beta2", "beta_2"),
    ("the decay of squared gradients (beta2)", "beta_2"),
    ("input dropout", "input_dropout"),
    ("label smoothing", "label_smoothing"),
    ("input noise", "input_noise"),
    ("l2", "alpha / batch_size"),
    ("max norm", "max_norm"),
    ("clip norm", "clip_norm"),
    ("clip value", "clip_value"),
    ("class weights", "class_weight"),
];

/// Options of the program whose parameter is not called the same.
const OPTIONS: [(&str, &str); 5] = [
    ("learning-rate", "learning_rate_init"),
    ("normalize", "normalization ="),
    ("validation", "validation_fraction ="),
    ("seed", "random_state"),
    ("hidden", "hidden_layer_sizes"),
];

/// A message of the library as Python says it: a setting at its beginning (`beta1 is 2.0, but must
/// be ...`) and options (`--learning-rate`) become parameters.
pub(crate) fn of_python(message: &str) -> String {
    let named = PARAMETERS.iter().find_map(|(name, parameter)| {
        let rest = message.strip_prefix(name)?;
        (rest.starts_with(" is ") && rest.contains(", but must be ")).then_some((parameter, rest))
    });
    let message = match named {
        Some((parameter, rest)) => format!("{parameter}{rest}"),
        None => message.to_owned(),
    };
    let mut parts = message.split("--");
    let mut spoken = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
        let (option, rest) = part.split_at(end);
        match OPTIONS.iter().find(|(name, _)| *name == option) {
            Some((_, parameter)) => spoken += parameter,
            None => spoken += &option.replace('-', "_"),
        }
        spoken += rest;
    }
    spoken
}
