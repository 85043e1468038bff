//! The reference numbers in golden/ (golden/make_golden.py made them).

use std::fs::File;
use std::path::Path;

use gradus::network::{Activation, Network};
use ndarray::{ArrayD, Ix0};
use ndarray_npy::{NpzReader, ReadableElement};

/// A file of them.
pub(crate) struct Golden(std::cell::RefCell<NpzReader<File>>);

impl Golden {
    pub(crate) fn open(name: &str) -> Golden {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        Golden(NpzReader::new(File::open(path).unwrap()).unwrap().into())
    }

    pub(crate) fn array<T: ReadableElement>(&self, key: &str) -> ArrayD<T> {
        self.0.borrow_mut().by_name(key).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    pub(crate) fn floats(&self, key: &str) -> Vec<f32> {
        self.array::<f32>(key).into_iter().collect()
    }

    pub(crate) fn number(&self, key: &str) -> f32 {
        self.array::<f32>(key).into_dimensionality::<Ix0>().unwrap().into_scalar()
    }

    pub(crate) fn labels(&self, key: &str) -> Vec<u32> {
        self.array::<u32>(key).into_iter().collect()
    }

    /// A network with the weights `prefix/w1`, `prefix/b1`, ...
    pub(crate) fn network(&self, prefix: &str, sizes: &[usize], activation: Activation) -> Network {
        let (hidden, outputs) = (&sizes[1..sizes.len() - 1], sizes[sizes.len() - 1]);
        let mut network = Network::dense(sizes[0], hidden, &[activation], outputs).unwrap();
        for index in 0..sizes.len() - 1 {
            let key = |letter: &str| format!("{prefix}{letter}{}", index + 1);
            network.weight_mut(index).copy_from_slice(&self.floats(&key("w")));
            network.bias_mut(index).copy_from_slice(&self.floats(&key("b")));
        }
        network
    }
}

/// Compares with a tolerance relative to the largest of `expected`.
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3f32, |max, value| value.abs().max(max));
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * scale, "{what} at {at}: found {f}, expected {e}");
    }
}
