//! The library's messages for Python: settings have the names of the package's parameters.

use gradus::training::settings::{Setting, spell};

/// A message of the library for Python: the names of settings, which the library writes between
/// backticks, become those of parameters.
pub(crate) fn of_python(message: &str) -> String {
    spell(message, |name| match Setting::find(name) {
        // `alpha` divided by the batch size is the setting.
        Some(setting) if setting.name == "l2" => Some("alpha / batch_size".to_owned()),
        Some(setting) => Some(setting.python.to_owned()),
        // A parameter that is not a setting, such as label_column; commands keep their backticks.
        None => name.chars().all(|c| c == '_' || c.is_ascii_lowercase()).then(|| name.to_owned()),
    })
}
