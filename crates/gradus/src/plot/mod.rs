//! Plots: figures in, an SVG text out, for a file, a page or a notebook.
//!
//! Each plot stands for itself: title, what it shows in words (also for screen readers), axes with
//! units. Colours are classes, light and dark as the reader's system has it and always light on
//! paper; blue and orange differ for every kind of colour vision, and nothing is told by colour alone.
//! What comes from the user is escaped, and what is drawn is bounded, whatever the size of the data.

mod svg;
mod scale;
mod frame;
mod curves;
mod confusion;
mod calibration;
mod predictions;
mod histogram;
mod weights;
mod images;

pub use calibration::calibration;
pub use confusion::{MOST_CLASSES, classes_shown, confusion, confusion_with_links};
pub use curves::{Figure, curves};
pub use histogram::{histograms, weight_histograms};
pub use images::{images, picture};
pub use predictions::predictions;
pub use svg::{escape, grouped};
pub use weights::weights;
