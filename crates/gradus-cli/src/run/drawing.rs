//! Samples as text: pictures in shades, tables as their numbers.

use std::io::IsTerminal;

use gradus::data::Dataset;

/// From empty to full.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Columns between two drawings.
const GAP: usize = 2;

/// Columns of a terminal that does not tell, and of a file.
const USUAL_WIDTH: usize = 80;

/// The lines of sample `index`: rows of shades for a picture, else one line of numbers.
pub(crate) fn draw(data: &Dataset, index: usize) -> Vec<String> {
    draw_values(&data.sample(index), &data.sample_shape)
}

/// The lines of a sample of these values.
pub(crate) fn draw_values(values: &[f32], shape: &[usize]) -> Vec<String> {
    match *shape {
        [_, width] if width > 0 => shades(values, width),
        _ => vec![values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")],
    }
}

/// Rows of shades, two characters a pixel, the smallest value empty and the largest full.
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

/// Columns of standard output: what COLUMNS says, else the terminal's, else the usual ones.
pub(crate) fn output_width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let stdout = std::io::stdout();
    let seen = || stdout.is_terminal().then(|| terminal_size::terminal_size_of(stdout)).flatten();
    told.or_else(|| seen().map(|(width, _)| width.0.into())).unwrap_or(USUAL_WIDTH)
}

/// Columns of standard error where that is a terminal.
pub(crate) fn error_width() -> Option<usize> {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return None;
    }
    let seen = terminal_size::terminal_size_of(stderr).map(|(width, _)| width.0.into());
    Some(seen.unwrap_or(USUAL_WIDTH))
}

/// Blocks of lines as many side by side as `width` columns take, an empty line between those below
/// each other.
pub(crate) fn side_by_side(blocks: &[Vec<String>], width: usize) -> String {
    let wide = |line: &String| line.chars().count();
    let cell = blocks.iter().flatten().map(wide).max().unwrap_or(0) + GAP;
    let rows = blocks.chunks(((width + GAP) / cell).max(1)).map(|blocks| {
        let height = blocks.iter().map(Vec::len).max().unwrap_or(0);
        let lines = (0..height).map(|at| {
            let cells = blocks.iter().map(|block| block.get(at).map_or("", String::as_str));
            let line: String = cells.map(|text| format!("{text:cell$}")).collect();
            line.trim_end().to_owned() + "\n"
        });
        lines.collect::<String>()
    });
    rows.collect::<Vec<_>>().join("\n")
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
    fn blocks_stand_side_by_side_where_there_is_room() {
        let blocks = [&["ab", "█"][..], &["c", "", "d"], &["efg"]];
        let blocks = blocks.map(|block| block.iter().map(ToString::to_string).collect());
        // Three cells of 3 and two gaps of 2 make 13.
        assert_eq!(side_by_side(&blocks, 13), "ab   c    efg\n█\n     d\n");
        assert_eq!(side_by_side(&blocks, 12), "ab   c\n█\n     d\n\nefg\n");
        assert_eq!(side_by_side(&blocks, 1), "ab\n█\n\nc\n\nd\n\nefg\n");
        assert_eq!(side_by_side(&[], 80), "");
    }
}
