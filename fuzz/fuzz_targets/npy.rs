//! NumPy arrays.
#![no_main]

use gradus::data::npy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = npy::parse_npy(bytes);
});
