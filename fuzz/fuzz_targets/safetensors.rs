//! Models of gradus and of PyTorch.
#![no_main]

use gradus::model_file::{self, ReadOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model_file::read(bytes, &ReadOptions::default());
});
