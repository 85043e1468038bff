//! The embeddings of numbers allocate nothing in a step.

use std::alloc::System;

#[path = "common/runs.rs"]
mod runs;

use gradus::data::{Dataset, Inputs};
use gradus::network::NumericEmbedding;
use gradus::training::{BatchSize, TrainConfig};
use runs::{adam, run};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn steps_allocate_nothing() {
    let values = (0..5 * 320).map(|at| (at * 7919 % 4001) as f32 / 1000.0 - 2.0).collect();
    let (labels, names) = ((0..320).map(|at| at % 2).collect(), vec!["a".into(), "b".into()]);
    let data = Dataset::new(Inputs::Floats(values), labels, vec![5], names).unwrap();
    for numeric in [NumericEmbedding::PBLD, NumericEmbedding::PLE] {
        for threads in [1, 2] {
            // Five steps an epoch against forty, in the same number of epochs.
            let count = |batch| {
                let config = TrainConfig {
                    batch_size: BatchSize::Samples(batch),
                    numeric_embedding: Some(numeric),
                    scaling_layer: Some(true),
                    threads: Some(threads),
                    ..adam(&[20, 10], 2)
                };
                run(&config, &data);
                let region = Region::new(COUNTING);
                run(&config, &data);
                region.change().allocations
            };
            let (few, many) = (count(64), count(8));
            assert!(many <= few + 8, "{numeric:?}, {threads} threads: {few} and {many}");
        }
    }
}
