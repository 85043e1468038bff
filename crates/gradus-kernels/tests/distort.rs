//! The kernels of distortions against the plain loops that define them, on every instruction set
//! of this machine.

use gradus_kernels::distort::{Affine, Corners, Field, Gaussian};
use gradus_kernels::random::{GROUP, Stream};
use gradus_kernels::{Kernels, reference};
use proptest::prelude::*;

const STREAM: Stream = Stream { key: 0x0123_4567_89ab_cdef, counter: [5, 1, 9] };
const IDENTITY: Affine = Affine { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };
/// Widths around the 16 that are computed together and the 64 that are smoothed at a time.
const SIZES: [(usize, usize); 9] =
    [(1, 1), (1, 40), (2, 15), (15, 16), (28, 28), (17, 63), (65, 17), (131, 5), (3, 140)];

fn image(height: usize, width: usize) -> Vec<u8> {
    let mut words = vec![0; height * width];
    Kernels::available()[0].random_bits(STREAM, 0, &mut words);
    words.iter().map(|word| *word as u8).collect()
}

fn noise(kernels: Kernels, height: usize, width: usize, size: f32) -> Field {
    let mut field = Field::new(height, width);
    kernels.draw_field(STREAM, GROUP, size, &mut field);
    field
}

/// What one of the two displacements is everywhere, without the padding.
fn displacements(field: &Field, height: usize, along: usize) -> Vec<f32> {
    (0..height).flat_map(|y| field.row(y)[along].to_vec()).collect()
}

fn resampled(
    kernels: Kernels,
    image: &[u8],
    map: &Affine,
    field: &Field,
    size: (usize, usize),
) -> Vec<u8> {
    let mut corners = Corners::new(size.0, size.1);
    let mut out = vec![77; image.len()];
    // What an earlier image left must not matter.
    kernels.fill_corners(&vec![255; image.len()], &mut corners);
    kernels.fill_corners(image, &mut corners);
    kernels.resample(&corners, map, field, &mut out);
    out
}

#[test]
fn noise_is_two_halves_of_random_bits() {
    for kernels in Kernels::available() {
        for (height, width) in SIZES {
            let (field, stride) = (noise(kernels, height, width, 36.0), width.next_multiple_of(16));
            for y in 0..height {
                let [along_x, along_y] = field.row(y);
                for x in 0..width {
                    let expected = reference::noise(STREAM, GROUP + y * stride + x, 36.0);
                    for (found, expected) in [along_x[x], along_y[x]].iter().zip(expected) {
                        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                        assert!(found.abs() < 36.0 && *found != 0.0);
                    }
                }
            }
        }
    }
}

#[test]
fn smoothing_is_the_double_sum() {
    for (height, width) in SIZES {
        for sigma in [0.1, 0.7, 5.5, 60.0] {
            let before = noise(Kernels::available()[0], height, width, 1.0);
            for along in [0, 1] {
                let values = displacements(&before, height, along);
                let expected = reference::smooth(&values, height, width, sigma);
                for kernels in Kernels::available() {
                    let mut field = before.clone();
                    kernels.smooth_field(&Gaussian::new(sigma, height.max(width)), &mut field);
                    let found = displacements(&field, height, along);
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!(
                            (found - expected).abs() < 1e-6,
                            "{height} x {width}, {sigma}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn smoothing_keeps_the_sum_far_from_the_border() {
    for kernels in Kernels::available() {
        let mut field = Field::new(41, 45);
        field.row_mut(20)[0][22] = 3.0;
        field.row_mut(20)[1][22] = -1.0;
        kernels.smooth_field(&Gaussian::new(4.0, 45), &mut field);
        for (along, expected) in [(0, 3.0), (1, -1.0)] {
            let sum: f32 = displacements(&field, 41, along).iter().sum();
            assert!((sum - expected).abs() < 1e-5, "{sum}");
        }
        let [peak, half] = [22, 23].map(|x| field.row(20)[0][x]);
        assert!((half / peak - (-1.0f32 / 32.0).exp()).abs() < 1e-5);
    }
}

fn check_resample(kernels: Kernels, (height, width): (usize, usize), map: Affine, size: f32) {
    let (image, field) = (image(height, width), noise(kernels, height, width, size));
    let found = resampled(kernels, &image, &map, &field, (height, width));
    for y in 0..height {
        let [along_x, along_y] = field.row(y);
        for x in 0..width {
            let at = |row: [f32; 3], shift: f32| {
                let [a, b, c] = row.map(f64::from);
                a * x as f64 + b * y as f64 + c + f64::from(shift)
            };
            let (from_x, from_y) = (at(map.x, along_x[x]), at(map.y, along_y[x]));
            let expected = reference::resample(&image, width, from_x, from_y);
            let found = f64::from(found[y * width + x]);
            // Half a grey level is rounding; the places are known to about 1e-4 pixels.
            assert!((found - expected).abs() < 0.55, "({x}, {y}): {found} {expected}");
        }
    }
}

#[test]
fn resampling_is_linear_between_four_pixels() {
    let maps = [
        IDENTITY,
        Affine { x: [0.8, -0.3, 5.0], y: [0.4, 1.1, -3.25] },
        Affine { x: [-1.0, 0.0, 27.0], y: [0.0, 3.0, -9.0] },
        Affine { x: [1.0, 0.0, 1e6], y: [0.0, 1.0, -1e6] },
    ];
    for kernels in Kernels::available() {
        for size in SIZES {
            for map in maps {
                check_resample(kernels, size, map, 2.0);
            }
        }
    }
}

#[test]
fn nothing_moved_gives_the_same_bytes() {
    for kernels in Kernels::available() {
        for (height, width) in SIZES {
            let (image, still) = (image(height, width), Field::new(height, width));
            assert_eq!(resampled(kernels, &image, &IDENTITY, &still, (height, width)), image);
        }
    }
}

#[test]
fn whole_pixels_move_the_image_and_zeros_come_in() {
    for kernels in Kernels::available() {
        let (image, still) = (image(28, 28), Field::new(28, 28));
        for (dx, dy) in [(1, 0), (0, -1), (3, 5), (-7, 2), (27, -27), (28, 0), (-40, 90)] {
            let map = Affine { x: [1.0, 0.0, -dx as f32], y: [0.0, 1.0, -dy as f32] };
            let found = resampled(kernels, &image, &map, &still, (28, 28));
            for (at, &found) in found.iter().enumerate() {
                let (x, y) = (at as i32 % 28 - dx, at as i32 / 28 - dy);
                let inside = (0..28).contains(&x) && (0..28).contains(&y);
                assert_eq!(found, if inside { image[(y * 28 + x) as usize] } else { 0 });
            }
        }
    }
}

#[test]
fn places_that_are_no_numbers_read_zeros() {
    for kernels in Kernels::available() {
        let (image, mut field) = (vec![200; 28 * 28], Field::new(28, 28));
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        field.row_mut(3)[0][..3].copy_from_slice(&odd);
        field.row_mut(4)[1][..3].copy_from_slice(&odd);
        let found = resampled(kernels, &image, &IDENTITY, &field, (28, 28));
        let expected: Vec<u8> = (0..784)
            .map(|at| if at % 28 < 3 && [3, 4].contains(&(at / 28)) { 0 } else { 200 })
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
#[should_panic]
fn an_image_of_another_size_is_refused() {
    Kernels::available()[0].fill_corners(&[0; 9], &mut Corners::new(3, 4));
}

#[test]
#[should_panic(expected = "a side of an image has")]
fn an_image_that_cannot_be_addressed_is_refused() {
    Corners::new(1, 1 << 15);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_map_of_any_size(
        height in 1usize..40,
        width in 1usize..40,
        x in prop::array::uniform3(-3f32..3.0),
        y in prop::array::uniform3(-3f32..3.0),
        size in 0f32..30.0,
    ) {
        for kernels in Kernels::available() {
            check_resample(kernels, (height, width), Affine { x, y }, size);
        }
    }
}
