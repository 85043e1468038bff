//! Packing and reading shards take memory that does not depend on the number of samples. Measured by counting what the
//! allocator hands out.

use std::alloc::System;

use gradus::data::shards::{Order, PackOptions, Shards, pack};
use gradus::data::{Dataset, Inputs};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes of all samples.
const ALL: usize = 400 << 20;
const FEATURES: usize = 1 << 10;

/// The most that may be held at a time: a bucket, what waits to be dealt, and pieces of both.
const MOST: usize = 150 << 20;

/// One test: the counter is one for all threads.
#[test]
fn memory_does_not_grow_with_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let (samples, each) = (ALL / FEATURES, 4096);
    let piece = |first: usize| {
        let values = (0..each * FEATURES).map(|at| ((first + at) % 251) as u8).collect();
        let labels = (0..each).map(|at| ((first + at) % 10) as u32).collect();
        let names = (0..10).map(|class| class.to_string()).collect();
        Dataset::new(Inputs::Bytes(values), labels, vec![FEATURES], names)
    };
    let region = Region::new(ALLOCATOR);
    let held = || {
        let change = region.change();
        change.bytes_allocated.saturating_sub(change.bytes_deallocated)
    };
    let mut most = 0;
    let pieces = (0..samples).step_by(each).map(piece);
    let options = PackOptions { order: Order::Shuffled(0), shard_rows: None };
    pack(&path, samples, pieces, &options, &mut |_| {
        most = most.max(held());
        true
    })
    .unwrap();
    assert!(most > 40 << 20, "{most}");
    assert!(most < MOST, "{most} bytes were held to pack {ALL}");
    let shards = Shards::open(&path).unwrap();
    assert_eq!(shards.samples(), samples);
    let before = held();
    shards.verify(&mut |_| most = held() - before).unwrap();
    assert!(most < 16 << 20, "{most} bytes were held to verify {ALL}");
    let data = shards.read(5..each).unwrap();
    assert!(held() - before < 3 * each * FEATURES);
    assert_eq!(data.len(), each - 5);
}
