//! The library's messages in Python's words: settings have the names of the package's parameters.

use gradus::training::settings::{Setting, spell};

/// A message of the library as Python puts it: the names of settings, which the library sets between
/// backticks, become those of parameters.
pub(crate) fn of_python(message: &str) -> String {
    spell(message, |name| match Setting::find(name) {
        // The penalty of a step, of which alpha is a part.
        Some(setting) if setting.name == "l2" => Some("alpha / batch_size".to_owned()),
        Some(setting) => Some(setting.python.to_owned()),
        // A parameter that is no setting, such as label_column; commands keep their backticks.
        None => name.chars().all(|c| c == '_' || c.is_ascii_lowercase()).then(|| name.to_owned()),
    })
}
