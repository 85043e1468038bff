//! Distorting an image allocates nothing once the buffers have their size. All allocations of the
//! process are counted, and the test's own main thread makes some: of many counts the fewest is that
//! of distorting.

use std::alloc::System;

use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::network::Kernels;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn the_second_image_allocates_nothing() {
    for kernels in Kernels::available() {
        for text in ["standard", "shift:2,rotate:30"] {
            let distortion = Distortion::parse(text).unwrap();
            let distorter = Distorter::new(distortion, 28, 28, kernels).unwrap();
            let (image, mut out, mut scratch) = ([90; 784], [0; 784], Scratch::default());
            distorter.distort(0, 0, 0, &image, &mut out, &mut scratch);
            let count = |_| {
                let region = Region::new(ALLOCATOR);
                for sample in 1..100 {
                    distorter.distort(0, 0, sample, &image, &mut out, &mut scratch);
                }
                let change = region.change();
                change.allocations + change.reallocations
            };
            assert_eq!((0..20).map(count).min(), Some(0), "{text}");
        }
    }
}
