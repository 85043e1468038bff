//! Where the digits are in a photo or drawing.
//!
//! In: a grey image of moderate size. Out: the digits found, from left to right, each as
//! the runs of pixels that make it. What is ink is not known beforehand: the paper is estimated for
//! several widths of strokes, for dark and for light ink, and ink is cut from it at several
//! strengths. Of all that looks like a digit in any of these cuts, the tallest with the clearest
//! outline wins.

use super::bounds::Bounds;
use super::paper::{closed, log_shades, strengths};
use super::pieces::{Pieces, Run};

/// Half of the stroke widths that are tried, as shares of the image's longer side.
const RADII: [f64; 5] = [0.03, 0.06, 0.12, 0.25, 1.0];
/// Strengths at which ink is cut from paper.
const LEVELS: [u8; 8] = [15, 23, 34, 50, 72, 104, 145, 190];
/// A digit is at least as high as this share of the image's longer side, and as this many pixels.
const LEAST_SHARE: f64 = 0.05;
const LEAST_HEIGHT: usize = 6;
/// The smallest mean strength of the edges along a digit's outline.
pub(super) const LEAST_CONTRAST: f64 = 12.0;
/// Edges are at most this part of a digit's height wide, or two pixels.
const EDGES_PER_HEIGHT: usize = 16;
/// The smallest share of a digit's outline that is an edge.
const LEAST_OUTLINE: f64 = 0.93;
/// Smaller pieces are dust, in pixels.
const LEAST_AREA: usize = 4;
/// The shares of a digit's box that strokes fill in a photo; an ellipse fills 0.785.
const LEAST_FILL: f64 = 0.04;
const MOST_FILL: f64 = 0.78;
/// More pieces are texture, not a digit.
const MOST_PIECES: usize = 6;
/// A further digit is at least as high, and its outline as strong, as this share of the first's.
const FURTHER: f64 = 0.45;

/// A candidate for a digit, in one cut of the image.
#[derive(Clone)]
pub(super) struct Candidate {
    /// Whether the ink is lighter than the paper.
    pub(super) light: bool,
    /// Half the widest stroke that the estimate of the paper allowed for, in pixels.
    pub(super) radius: usize,
    pub(super) bounds: Bounds,
    pub(super) runs: Vec<Run>,
    /// The narrower the strokes that the estimate allowed for, the better it follows shadows.
    preference: f64,
    /// Which cut it is from.
    cut: usize,
    pieces: usize,
    area: usize,
    /// Mean strength of the edges along its outline, and the share of the outline that is an edge.
    pub(super) contrast: f64,
    outlined: f64,
    /// Share of each side of the image that it covers: top, bottom, left, right.
    sides: [f64; 4],
}

impl Candidate {
    fn score(&self) -> f64 {
        let whole = 0.95f64.powi(self.pieces as i32 - 1) * self.preference;
        self.contrast * self.bounds.height as f64 * self.outlined.powi(4) * whole
    }

    /// Whether it touches the image's border.
    pub(super) fn is_cut_off(&self) -> bool {
        self.sides.iter().any(|&share| share > 0.0)
    }

    fn fill(&self) -> f64 {
        self.area as f64 / (self.bounds.height * self.bounds.width) as f64
    }

    /// Whether it lies around the other one, and not over it.
    fn encloses(&self, other: &Candidate) -> bool {
        self.bounds.contains(&other.bounds)
            && sides_closed(&self.runs, &other.bounds) >= 3
            && 10 * overlap(&self.runs, &other.runs) < other.area
    }
}

/// The digits in an image of rows of `width` pixels, from left to right, and which of them to use if only
/// one is wanted.
pub(super) fn find(pixels: &[u8], width: usize) -> Option<(Vec<Candidate>, usize)> {
    let mut all = Vec::new();
    for light in [false, true] {
        let shades = log_shades(pixels, light);
        for radius in RADII {
            cuts(&shades, width, light, radius, &mut all);
        }
    }
    let best = choose(&all)?;
    let mut digits: Vec<Candidate> = all
        .iter()
        .filter(|other| {
            other.cut == best.cut
                && other.is_cut_off() == best.is_cut_off()
                && other.bounds.height as f64 >= FURTHER * best.bounds.height as f64
                && other.contrast >= FURTHER * best.contrast
        })
        .cloned()
        .collect();
    digits.sort_by_key(|digit| digit.bounds.left);
    let main = digits.iter().position(|digit| digit.bounds == best.bounds)?;
    Some((digits, main))
}

/// The best candidate: one that does not touch the border, unless it is only a part of, or the hole in,
/// a digit that does.
fn choose(all: &[Candidate]) -> Option<&Candidate> {
    let best = |some: &dyn Fn(&Candidate) -> bool| {
        let some = all.iter().filter(|candidate| some(candidate));
        some.max_by(|a, b| a.score().total_cmp(&b.score()))
    };
    let Some(inner) = best(&|it| !it.is_cut_off()) else {
        return best(&|_| true);
    };
    // The best that it encloses makes it a frame.
    let inner = best(&|it| {
        it.light == inner.light
            && !it.is_cut_off()
            && 4 * it.bounds.height >= inner.bounds.height
            && inner.encloses(it)
    })
    .unwrap_or(inner);
    best(&|it| it.is_cut_off() && is_part(inner, it)).or(Some(inner))
}

/// Whether ink that touches the border is a digit, of which the inner candidate is a part or a hole.
fn is_part(inner: &Candidate, outer: &Candidate) -> bool {
    let touched = outer.sides.map(|share| share > 0.0);
    let fills_image = touched.iter().all(|&touched| touched);
    let crosses = (touched[0] && touched[1]) || (touched[2] && touched[3]);
    let hole = inner.light != outer.light
        && outer.encloses(inner)
        && (fills_image || outer.score() > inner.score());
    let part = inner.light == outer.light
        && outer.score() > 1.1 * inner.score()
        && outer.area < 3 * inner.area
        && 10 * overlap(&inner.runs, &outer.runs) >= 9 * inner.area;
    let weak =
        3 * inner.bounds.height < outer.bounds.height || inner.contrast < 0.4 * outer.contrast;
    outer.contrast > 0.7 * inner.contrast
        && outer.fill() <= 0.7
        && (hole || (fills_image && (part || weak)) || (!crosses && part))
}

/// Candidates for one estimate of the paper, at each strength.
fn cuts(shades: &[u8], width: usize, light: bool, radius: f64, all: &mut Vec<Candidate>) {
    let longer = width.max(shades.len() / width) as f64;
    let preference = 1.0 - 0.03 * RADII.iter().filter(|&&it| it < radius).count() as f64;
    let radius = ((radius * longer).round() as usize).max(2);
    let table = strengths();
    let mut ink = closed(shades, width, radius);
    for (paper, &shade) in ink.iter_mut().zip(shades) {
        *paper = table[usize::from(*paper - shade)];
    }
    // Closing keeps to the lightest grains of the paper: most of it lies below.
    let grain = lower_quarter(&ink);
    ink.iter_mut().for_each(|value| *value = value.saturating_sub(grain));
    for least in LEVELS {
        let pieces = Pieces::of(&ink, width, least);
        if pieces.list.is_empty() {
            break;
        }
        let cut = all.last().map_or(0, |last| last.cut + 1);
        let height = shades.len() / width;
        let least_height = least_height(height, width);
        let bounds = |piece: usize| &pieces.list[piece].bounds;
        let large = (0..pieces.list.len()).filter(|&piece| pieces.list[piece].area >= LEAST_AREA);
        // Pieces at the border keep to themselves.
        let (outer, inner): (Vec<usize>, Vec<usize>) =
            large.partition(|&piece| bounds(piece).touches_border(height, width));
        let outer = outer.into_iter().filter(|&piece| bounds(piece).height >= least_height);
        let (groups, _) = groups(&pieces, inner, least_height);
        for members in groups.into_iter().chain(outer.map(|piece| vec![piece])) {
            let candidate = measured(&pieces, &members, shades, width);
            all.extend(candidate.map(|it| Candidate { light, radius, preference, cut, ..it }));
        }
    }
}

/// The lower quartile.
fn lower_quarter(values: &[u8]) -> u8 {
    let mut counts = [0usize; 256];
    values.iter().for_each(|&value| counts[usize::from(value)] += 1);
    let mut sum = 0;
    let reached = counts.iter().position(|count| {
        sum += count;
        4 * sum >= values.len()
    });
    reached.unwrap_or(0) as u8
}

/// The smallest height of a digit in an image of `height x width`.
pub(super) fn least_height(height: usize, width: usize) -> usize {
    LEAST_HEIGHT.max((LEAST_SHARE * height.max(width) as f64) as usize)
}

/// The given pieces in groups that belong together, the highest first, and the number of groups that were
/// left out because they enclose another one: frames, the lines of a cell, circles around a number.
pub(super) fn groups(
    pieces: &Pieces,
    mut order: Vec<usize>,
    least_height: usize,
) -> (Vec<Vec<usize>>, usize) {
    let height = |piece: usize| pieces.list[piece].bounds.height;
    order.sort_by_key(|&piece| std::cmp::Reverse(height(piece)));
    let (mut groups, mut frames) = (Vec::new(), 0);
    while order.first().is_some_and(|&piece| height(piece) >= least_height) {
        let group = grow(pieces, &mut order);
        let is_frame = order.iter().any(|&piece| {
            height(piece) >= least_height.max(height(group[0]) / 4)
                && encloses(pieces, group[0], &pieces.list[piece].bounds)
        });
        if is_frame {
            frames += 1;
        } else {
            groups.push(group);
        }
    }
    (groups, frames)
}

/// Removes the first piece, and all that belong to it, from the free ones.
fn grow(pieces: &Pieces, free: &mut Vec<usize>) -> Vec<usize> {
    let mut members = vec![free.remove(0)];
    let height = pieces.list[members[0]].bounds.height;
    let mut next = 0;
    while let Some(&member) = members.get(next) {
        let runs = pieces.runs_of(&[member]);
        free.retain(|&piece| {
            let bounds = &pieces.list[piece].bounds;
            let found = belongs(bounds, &pieces.list[member].bounds, &runs, height)
                && !encloses(pieces, members[0], bounds);
            if found {
                members.push(piece);
            }
            !found
        });
        next += 1;
    }
    members
}

/// Whether the piece lies around a box.
fn encloses(pieces: &Pieces, piece: usize, inner: &Bounds) -> bool {
    pieces.list[piece].bounds.contains(inner) && sides_closed(&pieces.runs_of(&[piece]), inner) >= 3
}

/// Whether a piece is part of a digit whose highest piece is `height` high: it is right next to one of its
/// pieces, or a stroke above or below it, such as the bar of a 5.
fn belongs(piece: &Bounds, member: &Bounds, runs: &[Run], height: usize) -> bool {
    let between =
        |a: usize, b: usize, c: usize, d: usize| c.saturating_sub(b).max(a.saturating_sub(d));
    let far = 0.3 * height as f64;
    let boxes_apart = between(member.top, member.bottom(), piece.top, piece.bottom()).max(between(
        member.left,
        member.right(),
        piece.left,
        piece.right(),
    ));
    if boxes_apart as f64 > far {
        return false;
    }
    let gaps = runs.iter().map(|run| {
        between(run.row, run.row + 1, piece.top, piece.bottom()).max(between(
            run.start,
            run.end,
            piece.left,
            piece.right(),
        ))
    });
    let gap = gaps.min().unwrap_or(usize::MAX) as f64;
    let shared = member.right().min(piece.right()).saturating_sub(member.left.max(piece.left));
    // Two pieces of about the same height side by side are two digits.
    let another = shared == 0 && piece.height as f64 >= 0.7 * height as f64;
    let stroke = 2 * shared >= piece.width && piece.height <= member.height.min(height / 2);
    (gap <= 0.08 * height as f64 && !another) || (stroke && gap <= far)
}

/// The group with its outline, if it looks like a digit.
fn measured(pieces: &Pieces, members: &[usize], shades: &[u8], width: usize) -> Option<Candidate> {
    if !has_digits_shape(pieces, members, MOST_FILL) {
        return None;
    }
    let height = shades.len() / width;
    let bounds = box_of(pieces, members)?;
    let area = members.iter().map(|&piece| pieces.list[piece].area).sum();
    let mut candidate = Candidate {
        light: false,
        radius: 0,
        preference: 1.0,
        bounds,
        runs: Vec::new(),
        cut: 0,
        pieces: members.len(),
        area,
        contrast: 0.0,
        outlined: 0.0,
        sides: [0.0; 4],
    };
    candidate.runs = pieces.runs_of(members);
    candidate.sides = sides(&candidate.runs, height, width);
    let texture = candidate.fill() < LEAST_FILL;
    if texture || is_edge(&candidate.sides, height > 2 * width) || is_sheet(&candidate) {
        return None;
    }
    (candidate.contrast, candidate.outlined) = outline(&candidate, shades, width);
    let clear = candidate.contrast >= LEAST_CONTRAST && candidate.outlined >= LEAST_OUTLINE;
    clear.then_some(candidate)
}

/// Whether some pieces may be a digit by their box, of which at most `most_fill` is ink: strokes,
/// neither texture nor sheets of paper.
pub(super) fn has_digits_shape(pieces: &Pieces, members: &[usize], most_fill: f64) -> bool {
    let Some(bounds) = box_of(pieces, members) else { return false };
    let (height, width) = (bounds.height as f64, bounds.width as f64);
    let area: usize = members.iter().map(|&piece| pieces.list[piece].area).sum();
    let upright = width < 0.45 * height;
    members.len() <= MOST_PIECES
        && width <= 2.2 * height
        && height <= 15.0 * width
        && (upright || area as f64 <= most_fill * height * width)
}

/// The box around some pieces.
fn box_of(pieces: &Pieces, members: &[usize]) -> Option<Bounds> {
    members.iter().map(|&piece| pieces.list[piece].bounds).reduce(|a, b| a.union(&b))
}

/// Whether ink that covers these shares of the image's sides is the dark edge of a scan or the table next
/// to the page. Those cover whole sides. Of a digit that fills the image only a bar does, or in a
/// `narrow` image the stroke of a 1.
fn is_edge(sides: &[f64; 4], narrow: bool) -> bool {
    let full = sides.map(|share| share > 0.85);
    let count = full.iter().filter(|&&full| full).count();
    let one = narrow && !full[0] && !full[1];
    let all = sides.iter().all(|&share| share > 0.0);
    count > usize::from(all) && !(all && one)
}

/// Whether the ink, with what it encloses, is a full rectangle: a sheet of paper on a table, or the
/// inside of a cell around a digit.
fn is_sheet(candidate: &Candidate) -> bool {
    let bounds = &candidate.bounds;
    let mut rows = vec![(usize::MAX, 0); bounds.height];
    for run in &candidate.runs {
        let span = &mut rows[run.row - bounds.top];
        *span = (span.0.min(run.start), span.1.max(run.end));
    }
    let covered: usize = rows.iter().map(|&(start, end)| end.saturating_sub(start)).sum();
    let full = covered as f64 >= 0.92 * (bounds.height * bounds.width) as f64;
    full && candidate.fill() > 0.6 && bounds.width as f64 >= 0.45 * bounds.height as f64
}

/// Shares of the image's first and last row, first and last column that the runs cover.
fn sides(runs: &[Run], height: usize, width: usize) -> [f64; 4] {
    let mut sides = [0; 4];
    for run in runs {
        let length = run.end - run.start;
        sides[0] += if run.row == 0 { length } else { 0 };
        sides[1] += if run.row + 1 == height { length } else { 0 };
        sides[2] += usize::from(run.start == 0);
        sides[3] += usize::from(run.end == width);
    }
    let lengths = [width, width, height, height];
    std::array::from_fn(|side| sides[side] as f64 / lengths[side] as f64)
}

/// The number of directions (left, right, up, down) from a box's middle in which there are runs.
fn sides_closed(runs: &[Run], inner: &Bounds) -> usize {
    let (row, column) = (inner.top + inner.height / 2, inner.left + inner.width / 2);
    let mut met = [false; 4];
    for run in runs {
        if run.row == row {
            met[0] |= run.end <= column;
            met[1] |= run.start > column;
        }
        if (run.start..run.end).contains(&column) {
            met[2] |= run.row < row;
            met[3] |= run.row > row;
        }
    }
    met.iter().filter(|&&met| met).count()
}

/// Number of pixels that two lists of runs, ordered by row, have in common.
fn overlap(one: &[Run], two: &[Run]) -> usize {
    let mut first = 0;
    let mut common = 0;
    for run in one {
        first += two[first..].iter().take_while(|other| other.row < run.row).count();
        let same_row = two[first..].iter().take_while(|other| other.row == run.row);
        common += same_row
            .map(|other| run.end.min(other.end).saturating_sub(run.start.max(other.start)))
            .sum::<usize>();
    }
    common
}

/// The mean strength of the edges along the outline, and the share of the outline that is an edge. Ink
/// ends without an edge if the estimate of the paper was wrong, and a shadow ends without a sharp one.
fn outline(candidate: &Candidate, shades: &[u8], width: usize) -> (f64, f64) {
    let (height, bounds) = (shades.len() / width, &candidate.bounds);
    // One pixel of paper on each side.
    let wide = bounds.width + 2;
    let mut mask = vec![false; wide * (bounds.height + 2)];
    for run in &candidate.runs {
        let first = (run.row - bounds.top + 1) * wide + run.start - bounds.left + 1;
        mask[first..first + run.end - run.start].fill(true);
    }
    let table = strengths();
    let mut counts = [0usize; 256];
    let shade = |row: usize, column: usize| {
        (row < height && column < width).then(|| shades[row * width + column])
    };
    let reach = (bounds.height / EDGES_PER_HEIGHT).clamp(2, 8) as isize;
    for run in &candidate.runs {
        for column in run.start..run.end {
            let at = (run.row - bounds.top + 1) * wide + column - bounds.left + 1;
            let here = shades[run.row * width + column];
            for (near, down, right) in
                [(at - wide, -1, 0), (at + wide, 1, 0), (at - 1, 0, -1), (at + 1, 0, 1)]
            {
                let far = |steps: isize| {
                    let row = run.row.wrapping_add_signed(steps * down);
                    shade(row, column.wrapping_add_signed(steps * right))
                };
                // The lightest of a few pixels outside: the first may be half ink.
                let (false, Some(first)) = (mask[near], far(1)) else { continue };
                let paper = (2..=reach).filter_map(far).fold(first, u8::max);
                counts[usize::from(table[usize::from(paper.saturating_sub(here))])] += 1;
            }
        }
    }
    let total = counts.iter().sum::<usize>().max(1);
    let sum: usize = counts.iter().enumerate().map(|(value, count)| value * count).sum();
    let mut above = 0;
    let upper = (0..256).rev().find(|&value| {
        above += counts[value];
        4 * above >= total
    });
    let edges: usize = counts[(upper.unwrap_or(0) / 3).max(1)..].iter().sum();
    (sum as f64 / total as f64, edges as f64 / total as f64)
}
