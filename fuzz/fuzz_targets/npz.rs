//! NumPy archives: as data, as weights, as a model.
#![no_main]

use gradus::data::npz;
use gradus::model_file::{self, ReadOptions};
use gradus::network::Activation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = npz::parse_npz(bytes);
    let _ = model_file::npz::parse_network(bytes, "", &[Activation::Relu]);
    let _ = model_file::read(bytes, &ReadOptions::default());
});
