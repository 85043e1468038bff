//! IDX files, plain and gzip.
#![no_main]

use gradus::data::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = idx::parse_idx(bytes);
});
