//! Tables: as data with classes, as data with values to learn, as samples to predict.
#![no_main]

use gradus::data::csv::{self, TableOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = csv::parse_csv(bytes, None);
    let _ = csv::parse_values(bytes, Some("0"));
    let _ = csv::parse_samples(bytes, 3, &[], &TableOptions::default());
});
