//! Samples as text: values in, images as shaded blocks or rows of numbers out.

use std::io::IsTerminal;

use gradus::data::Dataset;

use crate::run::escape::{columns, padded};

/// Characters from empty to full.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Columns between two drawings.
const GAP: usize = 2;

/// Width of files, and of terminals that do not report theirs.
const DEFAULT_WIDTH: usize = 80;

/// The lines of sample `index`: rows of shades for an image, otherwise one line of numbers.
pub(crate) fn draw(data: &Dataset, index: usize) -> Vec<String> {
    draw_values(&data.sample(index), &data.sample_shape)
}

/// The lines of a sample with these values.
pub(crate) fn draw_values(values: &[f32], shape: &[usize]) -> Vec<String> {
    match *shape {
        [_, width] if width > 0 => shades(values, width),
        _ => vec![values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")],
    }
}

/// Rows of shades, two characters per pixel; the smallest value is empty, the largest is full.
fn shades(values: &[f32], width: usize) -> Vec<String> {
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let step = (max - min) / (SHADES.len() - 1) as f32;
    let shade = |value: f32| {
        let level = if step > 0.0 { ((value - min) / step).ceil() as usize } else { 0 };
        SHADES[level.min(SHADES.len() - 1)]
    };
    let row = |row: &[f32]| {
        let line: String = row.iter().flat_map(|&value| [shade(value); 2]).collect();
        line.trim_end().to_owned()
    };
    values.chunks(width).map(row).collect()
}

/// Width of standard output in columns: COLUMNS, else that of the terminal, else the default.
pub(crate) fn output_width() -> usize {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let stdout = std::io::stdout();
    let seen = || stdout.is_terminal().then(|| terminal_size::terminal_size_of(stdout)).flatten();
    given.or_else(|| seen().map(|(width, _)| width.0.into())).unwrap_or(DEFAULT_WIDTH)
}

/// Width of standard error in columns; none if it is not a terminal.
pub(crate) fn error_width() -> Option<usize> {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return None;
    }
    let seen = terminal_size::terminal_size_of(stderr).map(|(width, _)| width.0.into());
    Some(seen.unwrap_or(DEFAULT_WIDTH))
}

/// The lines with blocks of lines next to each other, as many as fit into `width` columns, with an empty line
/// between rows of blocks.
pub(crate) fn side_by_side(blocks: &[Vec<String>], width: usize) -> Vec<String> {
    let wide = |line: &String| columns(line);
    let cell = blocks.iter().flatten().map(wide).max().unwrap_or(0) + GAP;
    let mut lines = Vec::new();
    for blocks in blocks.chunks(((width + GAP) / cell).max(1)) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let height = blocks.iter().map(Vec::len).max().unwrap_or(0);
        lines.extend((0..height).map(|at| {
            let cells = blocks.iter().map(|block| block.get(at).map_or("", String::as_str));
            let line: String = cells.map(|text| padded(text, cell)).collect();
            line.trim_end().to_owned()
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_shades_from_smallest_to_largest() {
        assert_eq!(shades(&[0.0, 255.0, 100.0, 0.0], 2), ["  ██", "▒▒"]);
        assert_eq!(shades(&[3.0, 3.0], 2), [""]);
    }

    #[test]
    fn blocks_are_placed_side_by_side_if_they_fit() {
        let blocks = [&["ab", "█"][..], &["c", "", "d"], &["efg"]];
        let blocks = blocks.map(|block| block.iter().map(ToString::to_string).collect());
        // Three cells of 3 and two gaps of 2 make 13.
        assert_eq!(side_by_side(&blocks, 13), ["ab   c    efg", "█", "     d"]);
        assert_eq!(side_by_side(&blocks, 12), ["ab   c", "█", "     d", "", "efg"]);
        assert_eq!(side_by_side(&blocks, 1), ["ab", "█", "", "c", "", "d", "", "efg"]);
        assert!(side_by_side(&[], 80).is_empty());
    }
}
