//! A grey image in memory.

use crate::error::{Error, Result};

/// The longest supported side of an image, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// The largest image file that is read, and the most memory that one decoded image may take.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// A grey image: 0 is black, 255 white.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GreyImage {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pixels: Vec<u8>,
}

impl GreyImage {
    /// An image of `height x width` pixels, row-major.
    ///
    /// # Errors
    /// `InvalidArgument` if a side is 0 or above [`MAX_SIDE`], or `pixels` has another length.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self> {
        check_size(height, width)?;
        if pixels.len() != height * width {
            let found = pixels.len();
            return Err(Error::argument(format!(
                "{found} pixels do not make an image of {height} x {width}"
            )));
        }
        Ok(GreyImage { height, width, pixels })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `height x width` values, row-major.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The values, without the shape.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// Refuses sides of 0 and above [`MAX_SIDE`].
pub(super) fn check_size(height: usize, width: usize) -> Result<()> {
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        return Err(Error::argument(format!(
            "an image of {height} x {width} pixels: expected 1 to {MAX_SIDE} per side"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        assert!(GreyImage::new(2, 3, vec![0; 5]).is_err());
        assert!(GreyImage::new(0, 3, vec![]).is_err());
        assert!(GreyImage::new(MAX_SIDE + 1, 1, vec![0; MAX_SIDE + 1]).is_err());
    }
}
