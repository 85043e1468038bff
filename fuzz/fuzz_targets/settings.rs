//! Settings as text and as JSON: a line `name=text` for each, or the object of a file.
#![no_main]

use gradus::training::TrainConfig;
use gradus::training::settings::Setting;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = serde_json::from_str::<TrainConfig>(text) {
        let _ = config.validate();
    }
    let mut config = TrainConfig::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let Some(setting) = Setting::find(name) else { continue };
        if setting.set(&mut config, value).is_ok() {
            // Every setting has one text, which means the same.
            let written = setting.get(&config).expect("a setting that was set");
            let mut again = config.clone();
            setting.set(&mut again, &written).expect("the text of a setting");
            assert_eq!(again, config, "{name}={value}: {written}");
        }
    }
});
