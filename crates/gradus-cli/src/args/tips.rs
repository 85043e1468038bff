//! Tips for usage errors that clap cannot explain: an error and the words that were typed in, the same error with a
//! tip out.

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Endings of model files.
const MODELS: [&str; 5] = ["safetensors", "onnx", "npz", "keras", "h5"];

/// Adds a tip to a usage error.
pub(super) fn add(error: &mut clap::Error, words: &[OsString], program: &clap::Command) {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let Some(command) = words.get(1).and_then(|name| program.find_subcommand(&**name)) else {
        return;
    };
    let invalid = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => vec![name.clone()],
        Some(ContextValue::Strings(names)) => names.clone(),
        _ => return,
    };
    match (error.kind(), &invalid[..]) {
        (ErrorKind::UnknownArgument, [word])
            if !word.starts_with('-')
                && command.get_arguments().any(|it| it.get_long() == Some("data")) =>
        {
            tip(error, format!("for data called {word}, write '--data {word}'"));
        }
        // One word was taken for the model.
        (ErrorKind::MissingRequiredArgument, [name])
            if command.get_name() == "predict" && name.starts_with("<FILE>") =>
        {
            let is_sample = |word: &&std::borrow::Cow<str>| {
                let path = Path::new(&***word);
                let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
                path.is_file() && !MODELS.contains(&ending.as_str())
            };
            if let Some(file) = words[2..].iter().find(is_sample) {
                error
                    .insert(ContextKind::InvalidArg, ContextValue::Strings(vec!["<MODEL>".into()]));
                let example = format!("gradus predict model.safetensors {file}");
                tip(error, format!("the model comes first, as in '{example}'"));
            }
        }
        _ => {}
    }
}

fn tip(error: &mut clap::Error, text: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
}
