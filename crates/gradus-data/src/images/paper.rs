//! The shade of the paper at each pixel, whatever light and shadow fall on it.
//!
//! In: a grey image. Out: how far each pixel is darker, or lighter, than the paper around
//! it. Light and shadow multiply what the paper reflects. On a logarithmic scale they add, and ink
//! differs from its paper by the same amount in the light and in the shade.

/// Added to each shade, so that the logarithm of black is finite and noise in the dark is not ink.
pub(super) const DARK: f64 = 16.0;

/// Shades 0..=255 on a logarithmic scale, also 0..=255; light ink on dark paper is inverted, so that ink
/// always has the smaller values.
pub(super) fn log_shades(pixels: &[u8], light: bool) -> Vec<u8> {
    let table: [u8; 256] = std::array::from_fn(|shade| {
        let share = (shade as f64 / DARK).ln_1p() / (255.0 / DARK).ln_1p();
        let value = (255.0 * share).round() as u8;
        if light { 255 - value } else { value }
    });
    pixels.iter().map(|&shade| table[usize::from(shade)]).collect()
}

/// How much light the ink absorbs (dark ink: 1 - ink / paper, light ink: 1 - paper / ink), in 1/255, for
/// each distance on the logarithmic scale.
pub(super) fn strengths() -> [u8; 256] {
    let unit = (255.0 / DARK).ln_1p() / 255.0;
    std::array::from_fn(|distance| (255.0 * (1.0 - (-unit * distance as f64).exp())).round() as u8)
}

/// Morphological closing with a square of `2 radius + 1` pixels per side: whatever is darker than its
/// environment and narrower than the square gets their shade. Edges of wider areas, such as shadows,
/// stay where they are.
pub(super) fn closed(shades: &[u8], width: usize, radius: usize) -> Vec<u8> {
    let mut values = shades.to_vec();
    spread(&mut values, width, radius, 0, u8::max);
    spread(&mut values, width, radius, 255, u8::min);
    values
}

/// Each value becomes the largest (or smallest) of those within `radius` rows and columns;
/// `outside` stands for what lies beyond the border.
fn spread(
    values: &mut [u8],
    width: usize,
    radius: usize,
    outside: u8,
    pick: impl Fn(u8, u8) -> u8 + Copy,
) {
    let height = values.len() / width;
    for start in (0..values.len()).step_by(width) {
        spread_line(values, start, 1, width, radius, outside, pick);
    }
    for start in 0..width {
        spread_line(values, start, width, height, radius, outside, pick);
    }
}

/// The same along one line of `length` values, `stride` apart.
fn spread_line(
    values: &mut [u8],
    start: usize,
    stride: usize,
    length: usize,
    radius: usize,
    outside: u8,
    pick: impl Fn(u8, u8) -> u8 + Copy,
) {
    let radius = radius.min(length - 1);
    let window = 2 * radius + 1;
    let mut line = vec![outside; length + 2 * radius];
    for at in 0..length {
        line[radius + at] = values[start + at * stride];
    }
    // After each round a value covers twice as many to its right, so the number of rounds is logarithmic in
    // the radius.
    let mut covered = 1;
    while covered < window {
        let step = covered.min(window - covered);
        for at in 0..line.len() - step {
            line[at] = pick(line[at], line[at + step]);
        }
        covered += step;
    }
    for at in 0..length {
        values[start + at * stride] = line[at];
    }
}

/// The shade, 0..=255, of a value of [`log_shades`].
pub(super) fn shade_of(value: u8, light: bool) -> f64 {
    let value = if light { 255 - value } else { value };
    DARK * ((255.0 / DARK).ln_1p() * f64::from(value) / 255.0).exp_m1()
}
