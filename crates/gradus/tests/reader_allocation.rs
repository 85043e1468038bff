//! No reader allocates more than the bytes that it is given justify: a header may promise what it
//! likes. Measured by counting what the allocator hands out.

use std::alloc::System;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use gradus::data::{csv, idx, npy, npz};
use gradus::model_file::{self, ReadOptions};
use proptest::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All bytes that `work` is given, also those that it gives back; no less than it ever holds.
fn allocated<T>(work: impl FnOnce() -> T) -> usize {
    let region = Region::new(ALLOCATOR);
    let result = work();
    let bytes = region.change().bytes_allocated;
    drop(result);
    bytes
}

/// Buffers of a fixed size: the decoder's window, the reader of tables.
const FIXED: usize = 512 << 10;
/// What the messages of an ONNX model may take for each byte: lists of short entries.
const MESSAGES: usize = 64;
/// The same for HDF5, whose structure is read, and given back, for each of some sixty parts.
const PARTS: usize = 512;
/// What its reader reserves, whatever the file's length, if one byte of an object's header changes: the header counts its
/// messages in 16 bits, a message takes 144 bytes, and a header is read twice at most.
const COUNTED: usize = 2 * 65_535 * 144;
/// What deflate can expand by.
const EXPANSION: usize = 1032;

fn idx_file(code: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of one entry, whose table of contents gives the sizes named.
fn npz_file(compressed: u32, size: u32, method: u8, content: &[u8]) -> Vec<u8> {
    let name = b"x_train.npy";
    let mut local = b"PK\x03\x04".to_vec();
    local.extend([0; 22]);
    local.extend([name.len() as u8, 0, 0, 0]);
    local.extend(name);
    local.extend(content);
    let mut entry = b"PK\x01\x02\x14\0\x14\0\0\0".to_vec();
    entry.extend([method, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    entry.extend(compressed.to_le_bytes());
    entry.extend(size.to_le_bytes());
    entry.extend([name.len() as u8, 0]);
    entry.extend([0; 16]);
    entry.extend(name);
    let (start, table) = (local.len() as u32, entry.len() as u32);
    let mut file = [local, entry].concat();
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend(table.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// Instructions of a pickle that take no argument, and some that do.
const INSTRUCTIONS: [&[u8]; 16] = [
    b"N",
    b"]",
    b"}",
    b")",
    b"(",
    b"2",
    b"\x85",
    b"\x86",
    b"\x94",
    b"q\x00",
    b"h\x00",
    b"t",
    b"a",
    b"e",
    b"K\x07",
    b"ctorch\nSize\n",
];

/// One test: the counter is one for all threads.
#[test]
fn no_reader_allocates_more_than_its_input_justifies() {
    the_counter_counts();
    promises_of_terabytes_cost_nothing();
    a_valid_file_costs_little_more_than_its_values();
    idx();
    npz();
    arbitrary_bytes();
    csv();
    models();
    pickles();
}

fn the_counter_counts() {
    assert!(allocated(|| vec![0_u8; 1 << 20]) >= 1 << 20);
}

fn promises_of_terabytes_cost_nothing() {
    for shape in [&[u32::MAX][..], &[u32::MAX; 3], &[60_000, 28, 28], &[1 << 20, 1 << 20]] {
        for code in [8, 14] {
            let plain = idx_file(code, shape, &[0; 64]);
            assert!(allocated(|| idx::parse_idx(&plain)) < 4096);
            assert!(allocated(|| idx::parse_idx(&gzip(&plain))) < FIXED);
        }
    }
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 784), }";
    let npy = [b"\x93NUMPY\x01\0\x48\0", header.as_bytes(), b" ", &[0; 64]].concat();
    assert!(npy::parse_npy(&npy).is_err());
    assert!(allocated(|| npy::parse_npy(&npy)) < 4096);
    for (compressed, size, method) in
        [(u32::MAX - 1, 9, 8), (64, u32::MAX - 1, 8), (64, 1 << 30, 0)]
    {
        let npz = npz_file(compressed, size, method, &[0; 64]);
        assert!(npz::parse_npz(&npz).is_err());
        assert!(allocated(|| npz::parse_npz(&npz)) < FIXED);
    }
}

fn a_valid_file_costs_little_more_than_its_values() {
    let plain = idx_file(8, &[1000, 28, 28], &vec![7; 784_000]);
    let zipped = gzip(&plain);
    assert!(allocated(|| idx::parse_idx(&plain).unwrap()) < 784_000 + FIXED);
    assert!(allocated(|| idx::parse_idx(&zipped).unwrap()) < 784_000 + FIXED);
}

proptest! {
    fn idx(code in 8_u8..15, shape in prop::collection::vec(any::<u32>(), 1..4), values in prop::collection::vec(any::<u8>(), 0..2000)) {
        let plain = idx_file(code, &shape, &values);
        let zipped = gzip(&plain);
        prop_assert!(allocated(|| idx::parse_idx(&plain)) <= 2 * plain.len() + 4096);
        prop_assert!(allocated(|| idx::parse_idx(&zipped)) <= 2 * EXPANSION * zipped.len() + FIXED);
    }

    fn npz(compressed in any::<u32>(), size in any::<u32>(), method in prop::sample::select(vec![0_u8, 8]), content in prop::collection::vec(any::<u8>(), 0..2000)) {
        let file = npz_file(compressed, size, method, &content);
        prop_assert!(allocated(|| npz::parse_npz(&file)) <= 2 * EXPANSION * file.len() + FIXED);
    }

    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(allocated(|| idx::parse_idx(&bytes)) <= FIXED);
        prop_assert!(allocated(|| npy::parse_npy(&bytes)) <= FIXED);
        prop_assert!(allocated(|| npz::parse_npz(&bytes)) <= FIXED);
        prop_assert!(allocated(|| csv::parse_csv(&bytes[..], None)) <= FIXED);
    }

    fn csv(text in "[0-9,;a-c\n.]{0,2000}") {
        prop_assert!(allocated(|| csv::parse_csv(text.as_bytes(), None)) <= 64 * text.len() + FIXED);
    }
    fn models(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        early in any::<bool>(),
    ) {
        for (name, factor, counted) in [
            ("foreign.onnx", MESSAGES, 0),
            ("keras.weights.h5", PARTS, COUNTED),
            ("foreign/old.h5", PARTS, COUNTED),
            ("foreign/state_old.pth", PARTS, 0),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            let mut bytes = std::fs::read(folder.join(name)).unwrap();
            // Where the sizes are, or anywhere.
            let end = if early { bytes.len().min(2048) } else { bytes.len() };
            for (at, value) in &changes {
                bytes[at.index(end)] = *value;
            }
            let taken = allocated(|| model_file::read(&bytes, &ReadOptions::default()));
            let most = factor * bytes.len() + counted * changes.len() + FIXED;
            prop_assert!(taken <= most, "{name}: {taken}");
        }
    }

    fn pickles(instructions in prop::collection::vec(prop::sample::select(INSTRUCTIONS.to_vec()), 0..3000)) {
        let bytes = [b"\x80\x02", &instructions.concat()[..], b"."].concat();
        let taken = allocated(|| model_file::read(&bytes, &ReadOptions::default()));
        prop_assert!(taken <= PARTS * bytes.len() + FIXED, "{taken}");
    }
}
