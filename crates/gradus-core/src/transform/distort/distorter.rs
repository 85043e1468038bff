//! One image distorted: what is drawn for a sample, and the map that follows from it (docs/maths.md M19).
//!
//! In: a [`Distortion`], an image of bytes, the seed and the numbers of epoch and sample. Out: the distorted
//! image. What is drawn depends on these numbers alone, so that any thread may distort any sample.

use gradus_kernels::Kernels;
use gradus_kernels::distort::{Affine, Corners, Field, Gaussian, MAX_SIDE};
use gradus_kernels::random::GROUP;

use super::{Distortion, Elastic};
use crate::error::{Error, Result};
use crate::random::{Purpose, step_stream};
use crate::samples::{Dataset, Rows};

/// An affine distortion: what was drawn for one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drawn {
    /// Pixels to the right and down.
    shift: [f64; 2],
    /// Degrees, clockwise as the image is seen.
    angle: f64,
    /// Factors of the width and of the height.
    scale: [f64; 2],
    /// Pixels to the right for each pixel down.
    shear: f64,
}

impl Drawn {
    /// From numbers in [0, 1).
    fn new(limits: &Distortion, numbers: &[f32]) -> Drawn {
        let within = |at: usize, most: f32| f64::from(most) * (2.0 * f64::from(numbers[at]) - 1.0);
        Drawn {
            shift: [0, 1].map(|at| within(at, limits.shift)),
            angle: within(2, limits.rotate),
            scale: [3, 4].map(|at| 1.0 + within(at, limits.scale)),
            shear: within(5, limits.shear),
        }
    }

    /// Where each pixel comes from: the inverse of "scale, slant, turn, move", about the centre.
    fn inverse(&self, height: usize, width: usize) -> Affine {
        let ([tx, ty], [sx, sy], k) = (self.shift, self.scale, self.shear);
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let (cx, cy) = ((width - 1) as f64 / 2.0, (height - 1) as f64 / 2.0);
        let row = |a: f64, b: f64, centre: f64| {
            [a, b, centre - a * (cx + tx) - b * (cy + ty)].map(|value| value as f32)
        };
        Affine {
            x: row((cos + k * sin) / sx, (sin - k * cos) / sx, cx),
            y: row(-sin / sy, cos / sy, cy),
        }
    }
}

/// Distorts images of one size.
#[derive(Clone)]
pub struct Distorter {
    distortion: Distortion,
    height: usize,
    width: usize,
    kernels: Kernels,
    bend: Bend,
}

/// The displacements besides the affine map.
#[derive(Clone)]
enum Bend {
    None(Field),
    Elastic { alpha: f32, gaussian: Gaussian },
}

/// Buffers of one thread; they take the size of a [`Distorter`] when it first uses them.
#[derive(Default)]
pub struct Scratch(Option<Buffers>);

struct Buffers {
    size: (usize, usize),
    corners: Corners,
    field: Field,
}

impl Distorter {
    /// For images of `height x width` bytes.
    ///
    /// # Errors
    /// `InvalidArgument` if a setting is out of range, or there can be no image of that size.
    pub fn new(
        distortion: Distortion,
        height: usize,
        width: usize,
        kernels: Kernels,
    ) -> Result<Distorter> {
        distortion.validate()?;
        if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
            return Err(Error::argument(format!(
                "cannot distort images of {height} x {width} pixels: expected 1 to {MAX_SIDE} a \
                 side"
            )));
        }
        let bend = match distortion.elastic {
            None => Bend::None(Field::new(height, width)),
            Some(Elastic { alpha, sigma }) => {
                Bend::Elastic { alpha, gaussian: Gaussian::new(sigma, height.max(width)) }
            }
        };
        Ok(Distorter { distortion, height, width, kernels, bend })
    }

    /// For the samples of `data`.
    ///
    /// # Errors
    /// `InvalidArgument` if these are not images of bytes, and as [`Distorter::new`].
    pub fn for_data(distortion: Distortion, data: &Dataset, kernels: Kernels) -> Result<Distorter> {
        match (data.inputs.kind(), &data.sample_shape[..]) {
            (Rows::Bytes(_), &[height, width]) => {
                Distorter::new(distortion, height, width, kernels)
            }
            (rows, shape) => Err(Error::argument(format!(
                "distortions are for grey images, bytes with a height and a width; these samples \
                 are {} of shape {shape:?}",
                rows.kind()
            ))),
        }
    }

    /// `image` as sample number `sample` of `epoch` (both below 2^32) sees it, into `out`; both images
    /// are `height x width` bytes. Without any distortion `out` becomes `image`.
    ///
    /// Allocates nothing once `scratch` has the size. Panics if a length is wrong.
    pub fn distort(
        &self,
        seed: u64,
        epoch: u64,
        sample: u64,
        image: &[u8],
        out: &mut [u8],
        scratch: &mut Scratch,
    ) {
        if self.distortion.is_none() {
            return out.copy_from_slice(image);
        }
        let stream = step_stream(seed, Purpose::Distort, epoch, sample);
        let (kernels, buffers) = (self.kernels, scratch.of_size(self.height, self.width));
        let mut numbers = [0.0; 6];
        kernels.random_uniform(stream, 0, &mut numbers);
        let map = Drawn::new(&self.distortion, &numbers).inverse(self.height, self.width);
        let field = match &self.bend {
            Bend::None(field) => field,
            Bend::Elastic { alpha, gaussian } => {
                kernels.draw_field(stream, GROUP, *alpha, &mut buffers.field);
                kernels.smooth_field(gaussian, &mut buffers.field);
                &buffers.field
            }
        };
        kernels.fill_corners(image, &mut buffers.corners);
        kernels.resample(&buffers.corners, &map, field, out);
    }
}

impl Scratch {
    fn of_size(&mut self, height: usize, width: usize) -> &mut Buffers {
        let size = (height, width);
        if self.0.as_ref().is_some_and(|buffers| buffers.size != size) {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| Buffers {
            size,
            corners: Corners::new(height, width),
            field: Field::new(height, width),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rayon::prelude::*;

    use super::*;
    use crate::samples::Inputs;

    const STILL: Drawn = Drawn { shift: [0.0; 2], angle: 0.0, scale: [1.0; 2], shear: 0.0 };

    fn parse(text: &str) -> Distortion {
        Distortion::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn distorter(distortion: Distortion, height: usize, width: usize) -> Distorter {
        Distorter::new(distortion, height, width, Kernels::detect().unwrap()).unwrap()
    }

    /// Bytes without any symmetry.
    fn image(height: usize, width: usize) -> Vec<u8> {
        (0..height * width).map(|at| (at * at % 251 + 1) as u8).collect()
    }

    /// What `drawn` makes of an image.
    fn moved(drawn: Drawn, image: &[u8], height: usize, width: usize) -> Vec<u8> {
        let (kernels, mut out) = (Kernels::detect().unwrap(), vec![9; image.len()]);
        let mut corners = Corners::new(height, width);
        kernels.fill_corners(image, &mut corners);
        let map = drawn.inverse(height, width);
        kernels.resample(&corners, &map, &Field::new(height, width), &mut out);
        out
    }

    #[test]
    fn impossible_settings_and_sizes_are_refused() {
        let kernels = Kernels::detect().unwrap();
        let wild = Distortion { rotate: f32::NAN, ..Distortion::NONE };
        assert!(Distorter::new(wild, 28, 28, kernels).is_err());
        for (height, width) in [(0, 28), (28, 0), (1, MAX_SIDE + 1)] {
            assert!(Distorter::new(Distortion::NONE, height, width, kernels).is_err());
        }
    }

    #[test]
    fn only_images_of_bytes_are_distorted() {
        let data = |inputs, shape| Dataset::new(inputs, vec![0], shape, vec!["a".into()]).unwrap();
        let kernels = Kernels::detect().unwrap();
        let make = |data| Distorter::for_data(Distortion::STANDARD, &data, kernels);
        let distorter = make(data(Inputs::Bytes(vec![1; 6]), vec![2, 3])).ok().unwrap();
        assert_eq!((distorter.height, distorter.width), (2, 3));
        for (data, reported) in [
            (data(Inputs::Bytes(vec![1; 6]), vec![6]), "bytes of shape [6]"),
            (data(Inputs::Floats(vec![1.0; 6]), vec![2, 3]), "floats of shape [2, 3]"),
            (data(Inputs::Bytes(vec![1; 6]), vec![1, 2, 3]), "bytes of shape [1, 2, 3]"),
        ] {
            let error = make(data).err().unwrap().to_string();
            assert!(error.ends_with(reported), "{error}");
        }
    }

    #[test]
    fn maps_do_what_they_are_named_after() {
        let (square, wide) = (image(28, 28), image(5, 8));
        assert_eq!(moved(STILL, &square, 28, 28), square);
        let right = moved(Drawn { shift: [3.0, -1.0], ..STILL }, &wide, 5, 8);
        for (at, &found) in right.iter().enumerate() {
            let (x, y) = (at % 8, at / 8);
            let inside = x >= 3 && y < 4;
            assert_eq!(found, if inside { wide[(y + 1) * 8 + x - 3] } else { 0 });
        }
        for angle in [90.0, 180.0, -90.0] {
            let turned = moved(Drawn { angle, ..STILL }, &square, 28, 28);
            for (at, &found) in turned.iter().enumerate() {
                let (x, y) = (at % 28, at / 28);
                // A quarter clockwise brings the left edge to the top.
                let from = match angle {
                    90.0 => (27 - x) * 28 + y,
                    180.0 => (27 - y) * 28 + 27 - x,
                    _ => x * 28 + 27 - y,
                };
                assert_eq!(found, square[from], "{angle}: {x} {y}");
            }
        }
        let doubled = moved(Drawn { scale: [2.0, 1.0], ..STILL }, &[0, 100, 200, 0], 1, 4);
        assert_eq!(doubled, [75, 125, 175, 150]);
        // Three rows: the upper one a pixel to the left, the lower one to the right.
        let slanted = moved(Drawn { shear: 1.0, ..STILL }, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 3, 3);
        assert_eq!(slanted, [2, 3, 0, 4, 5, 6, 0, 7, 8]);
    }

    #[test]
    fn drawn_values_fill_their_ranges() {
        let limits = parse("shift:2,rotate:10,scale:0.25,shear:0.5");
        let [low, middle, high] =
            [0.0, 0.5, 1.0 - f32::EPSILON].map(|u| Drawn::new(&limits, &[u; 6]));
        let expected = Drawn { shift: [-2.0; 2], angle: -10.0, scale: [0.75; 2], shear: -0.5 };
        assert_eq!((low, middle), (expected, STILL));
        assert!((high.angle - 10.0).abs() < 1e-4 && (high.scale[1] - 1.25).abs() < 1e-6);
    }

    #[test]
    fn none_gives_the_image_back_and_whole_strength_does_not() {
        let (image, mut out) = (image(28, 28), vec![0; 784]);
        let mut scratch = Scratch::default();
        distorter(Distortion::NONE, 28, 28).distort(1, 2, 3, &image, &mut out, &mut scratch);
        assert_eq!(out, image);
        for text in ["shift:2", "rotate:10", "scale:0.1", "shear:0.1", "elastic:36:6"] {
            distorter(parse(text), 28, 28).distort(1, 2, 3, &image, &mut out, &mut scratch);
            assert_ne!(out, image, "{text}");
        }
        let mut still = vec![0; 784];
        let weak = distorter(parse("elastic:0:5"), 28, 28);
        weak.distort(1, 2, 3, &image, &mut still, &mut scratch);
        assert_eq!(still, image);
    }

    /// 60 distorted images of 28 x 28, each other than the rest.
    fn distorted(seed: u64, epoch: u64, first: u64) -> Vec<u8> {
        let pixels: Vec<u8> = (0..60)
            .flat_map(|at| {
                let mut image = image(28, 28);
                image.rotate_left(at);
                image
            })
            .collect();
        let (distorter, mut out) = (distorter(Distortion::STANDARD, 28, 28), pixels.clone());
        out.par_chunks_mut(784).zip(pixels.par_chunks(784)).enumerate().for_each_init(
            Scratch::default,
            |scratch, (at, (out, image))| {
                distorter.distort(seed, epoch, first + at as u64, image, out, scratch);
            },
        );
        out
    }

    #[test]
    fn the_bits_depend_on_seed_epoch_and_sample_alone() {
        let expected = distorted(7, 1, 0);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| distorted(7, 1, 0)) == expected, "{threads} threads");
        }
        for (seed, epoch, first) in [(8, 1, 0), (7, 2, 0), (7, 1, 60), (7 << 32, 1, 0)] {
            let other = distorted(seed, epoch, first);
            for (other, expected) in other.chunks(784).zip(expected.chunks(784)) {
                assert!(other != expected, "{seed} {epoch} {first}");
            }
        }
    }

    #[test]
    fn a_scratch_serves_any_distorter() {
        let mut shared = Scratch::default();
        for (height, width) in [(28, 28), (9, 40), (28, 28), (9, 40), (40, 9)] {
            for text in ["standard", "shift:1", "elastic:20:3"] {
                let (image, distorter) =
                    (image(height, width), distorter(parse(text), height, width));
                let (mut found, mut expected) = (image.clone(), image.clone());
                distorter.distort(0, 0, 0, &image, &mut found, &mut shared);
                distorter.distort(0, 0, 0, &image, &mut expected, &mut Scratch::default());
                assert_eq!(found, expected);
            }
        }
    }

    /// Mean and standard deviation in the middle of an image, and how two places 5 pixels apart
    /// go together, against the convolution of independent noise.
    #[test]
    fn elastic_displacements_have_the_size_that_alpha_means() {
        let kernels = Kernels::detect().unwrap();
        for (alpha, sigma) in [(34.0f32, 4.0f32), (36.0, 5.5), (38.0, 6.0)] {
            let (gaussian, mut field) = (Gaussian::new(sigma, 49), Field::new(49, 49));
            let (mut sum, mut square, mut product) = (0.0, 0.0, 0.0);
            const DRAWS: u32 = 4000;
            for sample in 0..DRAWS {
                let stream = step_stream(3, Purpose::Distort, 0, sample.into());
                kernels.draw_field(stream, GROUP, alpha, &mut field);
                kernels.smooth_field(&gaussian, &mut field);
                for shifts in field.row(24) {
                    let (here, there) = (f64::from(shifts[22]), f64::from(shifts[27]));
                    sum += here;
                    square += here * here;
                    product += here * there;
                }
            }
            let count = f64::from(2 * DRAWS);
            let (alpha, sigma) = (f64::from(alpha), f64::from(sigma));
            let expected = alpha / (2.0 * (3.0 * std::f64::consts::PI).sqrt() * sigma);
            let deviation = (square / count).sqrt();
            assert!((deviation / expected - 1.0).abs() < 0.04, "{deviation} {expected}");
            assert!((sum / count).abs() < 5.0 * expected / count.sqrt(), "{}", sum / count);
            let together = (-25.0 / (4.0 * sigma * sigma)).exp();
            assert!((product / square - together).abs() < 0.05, "{} {together}", product / square);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_size_and_any_setting(
            (height, width) in (1usize..=40, 1usize..=40),
            shift in 0f32..=1000.0,
            rotate in 0f32..=180.0,
            scale in 0f32..=0.9,
            shear in 0f32..=2.0,
            elastic in proptest::option::of((0f32..=10_000.0, 0.1f32..=100.0)),
            (low, high) in (0u8..=255, 0u8..=255),
            seed: u64,
            sample: u64,
        ) {
            let elastic = elastic.map(|(alpha, sigma)| Elastic { alpha, sigma });
            let distortion = Distortion { shift, rotate, scale, shear, elastic };
            prop_assert_eq!(parse(&distortion.name()), distortion);
            let image: Vec<u8> =
                image(height, width).iter().map(|b| b.clamp(&low.min(high), &low.max(high)).to_owned()).collect();
            let mut out = vec![0; image.len()];
            let distorter = distorter(distortion, height, width);
            distorter.distort(seed, 0, sample, &image, &mut out, &mut Scratch::default());
            // Between the pixels there is nothing brighter than the brightest.
            prop_assert!(out.iter().max() <= image.iter().max());
        }
    }
}
