//! Checkpoints: model, state of the run, vectors.
#![no_main]

use gradus::training::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Checkpoint::from_bytes(bytes);
});
