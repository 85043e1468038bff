//! The area of a plot with its axes: values in, positions in the drawing out.

use super::scale::Scale;
use super::svg::{Anchor, Svg};

/// Between a label and the axis.
const LABEL_GAP: f64 = 7.0;

/// A field between two pairs of coordinates and its axes.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

/// Room for the labels of an axis of y, where they are short.
const USUAL_LEFT: f64 = 58.0;

impl Frame {
    /// Where a field begins, so that the labels of its axis of y have room.
    pub(super) fn left_of(y: &Scale) -> f64 {
        (y.label_width() + LABEL_GAP + 4.0).max(USUAL_LEFT)
    }

    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.left + self.x.at(x) * (self.right - self.left),
            self.bottom + self.y.at(y) * (self.top - self.bottom),
        )
    }

    /// Grid lines at the ticks of y, the x axis, and numbers on both axes.
    pub(super) fn draw(&self, svg: &mut Svg) {
        for (value, label) in self.y.ticks() {
            let y = self.bottom + self.y.at(value) * (self.top - self.bottom);
            svg.line("grid", (self.left, y), (self.right, y));
            svg.text("soft", (self.left - LABEL_GAP, y + 4.5), Anchor::End, &label);
        }
        self.draw_x(svg);
    }

    /// The x axis with its numbers.
    pub(super) fn draw_x(&self, svg: &mut Svg) {
        svg.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        for (value, label) in self.x.ticks() {
            let x = self.left + self.x.at(value) * (self.right - self.left);
            svg.line("axis", (x, self.bottom), (x, self.bottom + 4.0));
            svg.text("soft", (x, self.bottom + 18.0), Anchor::Middle, &label);
        }
    }

    /// The name of the x axis, below it.
    pub(super) fn name_x(&self, svg: &mut Svg, name: &str) {
        let middle = (self.left + self.right) / 2.0;
        svg.text("soft", (middle, self.bottom + 36.0), Anchor::Middle, name);
    }

    /// The name of the y axis, above it and horizontal, so that it is easy to read.
    pub(super) fn name_y(&self, svg: &mut Svg, name: &str) {
        svg.text("soft", (10.0, self.top - 12.0), Anchor::Start, name);
    }
}
