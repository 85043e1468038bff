//! Boxes around ink, and its centre of mass.
//!
//! In: grey values, row-major. Out: the smallest box around them and their moments.

/// The smallest box around some pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Bounds {
    /// The box around all values of at least `least`; `None` if there are no such values.
    pub(super) fn of(values: &[u8], width: usize, least: u8) -> Option<Self> {
        let inked = |value: &u8| *value >= least;
        let first = values.iter().position(inked)?;
        let last = values.iter().rposition(inked)?;
        let (top, bottom) = (first / width, last / width);
        let (mut left, mut right) = (width, 0);
        for line in values.chunks_exact(width) {
            let Some(start) = line.iter().position(inked) else { continue };
            let end = line.iter().rposition(inked).unwrap_or(start);
            (left, right) = (left.min(start), right.max(end));
        }
        Some(Bounds { top, left, height: bottom - top + 1, width: right - left + 1 })
    }

    pub(super) fn longer(&self) -> usize {
        self.height.max(self.width)
    }

    pub(super) fn bottom(&self) -> usize {
        self.top + self.height
    }

    pub(super) fn right(&self) -> usize {
        self.left + self.width
    }

    /// The smallest box around both.
    pub(super) fn union(&self, other: &Bounds) -> Bounds {
        let (top, left) = (self.top.min(other.top), self.left.min(other.left));
        let height = self.bottom().max(other.bottom()) - top;
        let width = self.right().max(other.right()) - left;
        Bounds { top, left, height, width }
    }

    /// Whether the other box lies inside this one.
    pub(super) fn contains(&self, other: &Bounds) -> bool {
        self.union(other) == *self
    }

    /// Whether it touches the border of an image of `height x width`.
    pub(super) fn touches_border(&self, height: usize, width: usize) -> bool {
        self.top == 0 || self.left == 0 || self.bottom() == height || self.right() == width
    }

    /// The box extended by `margin` pixels on each side, within `height x width`.
    pub(super) fn grown(&self, margin: usize, height: usize, width: usize) -> Bounds {
        let (top, left) = (self.top.saturating_sub(margin), self.left.saturating_sub(margin));
        let (bottom, right) = (self.bottom() + margin, self.right() + margin);
        Bounds { top, left, height: bottom.min(height) - top, width: right.min(width) - left }
    }
}

/// Sum of the values, of row times value and of column times value.
pub(super) fn moments(values: &[u8], width: usize) -> (usize, usize, usize) {
    values.iter().enumerate().fold((0, 0, 0), |(mass, rows, columns), (at, &value)| {
        let value = usize::from(value);
        (mass + value, rows + value * (at / width), columns + value * (at % width))
    })
}
