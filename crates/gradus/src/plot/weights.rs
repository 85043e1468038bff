//! The first layer's weights as images: the pattern that each unit responds to.

use super::images::{png_address, tiles};
use super::svg::{Anchor, Svg, grouped, number};
use crate::network::Network;

/// Most units that are drawn.
const MOST_UNITS: usize = 64;

/// Most pixels of all images together.
const MOST_PIXELS: usize = 1 << 20;

/// Blue for positive and orange for negative weights. The opacity shows the size, so that a weight of 0
/// has the colour of the page, light or dark.
const POSITIVE: [u8; 3] = [0x2f, 0x86, 0xd6];
const NEGATIVE: [u8; 3] = [0xe0, 0x73, 0x1d];

/// Steps of opacity: enough to look smooth, and few enough for a small file.
const STEPS: f32 = 16.0;

/// Share of the weights that are smaller than that of full colour.
const BELOW_FULL: f64 = 0.995;

/// The incoming weights of each unit of the first layer as images on one scale, for the units with the
/// largest Euclidean norms, largest first. `None` if the samples are not images, or too large.
pub fn weights(network: &Network, sample_shape: &[usize]) -> Option<String> {
    let &[height, width] = sample_shape else { return None };
    let linear = *network.linears().first()?;
    let pixels = height.checked_mul(width)?;
    if pixels != linear.inputs || !(2..=MOST_PIXELS).contains(&pixels) {
        return None;
    }
    let shown = strongest_units(network, (MOST_PIXELS / pixels).min(MOST_UNITS));
    let weight = network.weight(0);
    let column = |unit: usize| weight.iter().skip(unit).step_by(linear.outputs).copied();
    let full = full_colour(shown.iter().flat_map(|&unit| column(unit)));
    let columns = (shown.len() as f64).sqrt().ceil() as usize;
    let images: Vec<Vec<[u8; 4]>> =
        shown.iter().map(|&unit| column(unit).map(|w| colour(w, full)).collect()).collect();
    let (sheet, sheet_height, sheet_width) = tiles(&images, (height, width), columns, [0; 4]);
    let address = png_address(sheet.as_flattened(), (sheet_height, sheet_width), true)?;

    let side = 460.0;
    let drawn = side * sheet_height as f64 / sheet_width as f64;
    let mut svg = Svg::new(480.0, 74.0 + drawn + 44.0);
    let title = "First layer's weights";
    svg.text("title", (10.0, 22.0), Anchor::Start, title);
    let note = match shown.len() < linear.outputs {
        true => format!(
            "the {} of {} units with the largest weights, the largest first",
            shown.len(),
            grouped(linear.outputs as u64)
        ),
        false => format!("all {} units, the largest weights first", shown.len()),
    };
    svg.text("soft", (10.0, 42.0), Anchor::Start, &note);
    svg.image((10.0, 62.0), (side, drawn), &address);
    legend(&mut svg, 62.0 + drawn + 30.0, full);
    let shape = format!("images of {height} x {width} on one scale");
    Some(svg.finish(title, &format!("{note}; {shape}, full colour from {full:.3}.")))
}

/// Units sorted by the Euclidean norm of their incoming weights.
fn strongest_units(network: &Network, most: usize) -> Vec<usize> {
    let outputs = network.linears()[0].outputs;
    let mut norms = vec![0.0f64; outputs];
    for row in network.weight(0).chunks_exact(outputs) {
        norms.iter_mut().zip(row).for_each(|(norm, &w)| *norm += f64::from(w).powi(2));
    }
    let mut units: Vec<usize> = (0..outputs).collect();
    units.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
    units.truncate(most.max(1));
    units
}

/// The size of a weight from which its colour is full.
fn full_colour(weights: impl Iterator<Item = f32>) -> f32 {
    let mut sizes: Vec<f32> = weights.map(f32::abs).filter(|size| size.is_finite()).collect();
    let at = ((sizes.len() as f64 * BELOW_FULL) as usize).min(sizes.len().saturating_sub(1));
    if sizes.is_empty() {
        return 1.0;
    }
    let (_, &mut size, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
    if size > 0.0 { size } else { 1.0 }
}

fn colour(weight: f32, full: f32) -> [u8; 4] {
    let strength = (weight.abs() / full).min(1.0);
    let step = (strength * STEPS).round();
    if weight.is_nan() || step == 0.0 {
        return [0; 4];
    }
    let [red, green, blue] = if weight > 0.0 { POSITIVE } else { NEGATIVE };
    [red, green, blue, (255.0 * step / STEPS) as u8]
}

/// A colour bar from the most negative to the most positive weight.
fn legend(svg: &mut Svg, y: f64, full: f32) {
    let (left, width, cells) = (150.0, 180.0, 36);
    let value = |at: usize| full * (2.0 * at as f32 / (cells - 1) as f32 - 1.0);
    let band: Vec<[u8; 4]> = (0..cells).map(|at| colour(value(at), full)).collect();
    if let Some(address) = png_address(band.as_flattened(), (1, cells), true) {
        svg.image((left, y - 10.0), (width, 12.0), &address);
    }
    let text = number(f64::from((full * 100.0).round() / 100.0));
    let text = if text == "0" { format!("{full:.1e}") } else { text };
    svg.text("soft", (left - 8.0, y), Anchor::End, &format!("\u{2212}{text} or less"));
    svg.text("soft", (left + width + 8.0, y), Anchor::Start, &format!("{text} or more"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;

    #[test]
    fn the_strongest_units_come_first_and_signs_have_colours() {
        let mut network = Network::dense(4, &[3], &[Activation::Relu], 2).unwrap();
        // Units 0, 1, 2 have the norms 1, 3, 2.
        network.weight_mut(0)[..3].copy_from_slice(&[1.0, -3.0, 2.0]);
        assert_eq!(strongest_units(&network, 2), [1, 2]);
        assert_eq!(colour(0.5, 0.5), [0x2f, 0x86, 0xd6, 255]);
        assert_eq!(colour(-9.0, 0.5), [0xe0, 0x73, 0x1d, 255]);
        assert_eq!(
            (colour(0.25, 0.5)[3], colour(0.0, 0.5), colour(f32::NAN, 0.5)),
            (127, [0; 4], [0; 4])
        );
        assert!(weights(&network, &[2, 2]).is_some());
        assert!(weights(&network, &[4]).is_none() && weights(&network, &[3, 2]).is_none());
    }

    #[test]
    fn a_few_large_weights_do_not_pale_the_others() {
        let mut weights = vec![0.1f32; 999];
        weights.push(50.0);
        assert_eq!(full_colour(weights.into_iter()), 0.1);
        assert_eq!(full_colour([0.0; 3].into_iter()), 1.0);
        assert_eq!(full_colour([].into_iter()), 1.0);
    }
}
