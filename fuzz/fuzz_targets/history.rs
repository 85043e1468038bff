//! Histories, JSON and CSV.
#![no_main]

use gradus::training::History;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(history) = History::parse(text)
    {
        // What was read can be written and read again.
        let again = History::parse(&history.to_csv()).expect("a written history");
        assert_eq!(again.epochs.len(), history.epochs.len());
        let _ = history.to_json();
    }
});
