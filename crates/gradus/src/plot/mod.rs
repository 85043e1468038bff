//! Plots: metrics in, SVG text out, for a file, a page or a notebook.
//!
//! Each plot is self-contained: title, description (also for screen readers), axes with units. Colours
//! are CSS classes, light or dark like the reader's system and always light on paper. Blue and orange
//! can be distinguished with every kind of colour vision, and no information is given by colour alone.
//! Text from the user is escaped, and the size of a plot is bounded, whatever the size of the data.

mod svg;
mod scale;
mod frame;
mod curves;
mod confusion;
mod calibration;
mod predictions;
mod rows;
mod importances;
mod dependence;
mod histogram;
mod weights;
mod images;

pub use calibration::calibration;
pub use confusion::{MOST_CLASSES, classes_shown, confusion, confusion_with_links};
pub use curves::{Figure, curves};
pub use dependence::dependence;
pub use histogram::{histograms, weight_histograms};
#[doc(hidden)] // the name in version 0.1.0
pub use images::image_url as picture;
pub use images::{image_url, images};
pub use importances::{contributions, importances};
pub use predictions::{predictions, residuals};
pub use svg::{escape, grouped};
pub use weights::weights;
