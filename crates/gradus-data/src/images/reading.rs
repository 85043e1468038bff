//! The digits in an image, each in MNIST's form.
//!
//! In: a grey image, which is either a drawing on plain paper, whose ink is used as it is, or a photo, in
//! which digits are searched (see `find`). Out: the digits from left to right, and any reasons to doubt
//! them.

use super::find::{Candidate, LEAST_CONTRAST, find, groups, has_digits_shape, least_height};
use super::ink::{Ink, find_ink};
use super::mnist_form::{MNIST_PIXELS, already_in_form, formed};
use super::photo::cut_out;
use super::pieces::Pieces;
use super::{GreyImage, to_size};
use crate::error::Result;

/// Drawings are first scaled down to this side: a box of 20 pixels cannot show more.
const DRAWING_SIDE: usize = 1024;
/// Photos are searched at this side, at which digits of a twentieth of the side still have strokes.
const PHOTO_SIDE: usize = 256;
/// A piece of ink with a smaller share of a drawing's ink is dust.
const DUST_SHARE: f32 = 0.01;
/// A second digit of a drawing is at least as high as this share of the highest.
const FURTHER: f32 = 0.45;
/// Ink that fills more of its box in a drawing, more than a disc does, is a sheet of paper.
const MOST_FILL: f64 = 0.79;
/// The mean brightness of MNIST's images is well within these shares of white.
const USUAL_INK: (f32, f32) = (0.02, 0.42);
/// Ink that differs from paper by less than this many times the smallest difference hardly stands out.
const FAINT: f64 = 1.5;

/// A digit of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digit {
    /// 28 x 28 bytes in MNIST's form, row-major.
    pub pixels: [u8; MNIST_PIXELS],
    /// The reason to doubt a prediction, if there is one.
    pub doubt: Option<String>,
}

/// The digits of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    /// From left to right; at least one.
    pub all: Vec<Digit>,
    /// Which of them is the largest and clearest.
    pub main: usize,
}

/// Finds the digits in an image and brings each into MNIST's form: 28 x 28 bytes, background 0, ink
/// up to 255.
///
/// A drawing has paper of one shade along its border, or with an even gradient of light; everything
/// darker or lighter is ink. In all other images the paper is estimated locally, so that shadows and the
/// table next to the page do not count as ink; frames and ink at the image's border are ignored unless
/// there is nothing else. The ink's box is scaled to a longer side of 20 pixels, thin strokes are
/// widened, faint ink is darkened, and the result is centred by mass. An image that is already in
/// MNIST's form (28 x 28, light on black, the ink's longer side 18 to 20 pixels, its centre of mass
/// within half a pixel of (14, 14)) stays as it is.
///
/// # Errors
/// `InvalidData` if nothing stands out from the background.
pub fn find_digits(image: &GreyImage) -> Result<Digits> {
    if let Some(pixels) = already_in_form(image) {
        return Ok(Digits { all: vec![Digit { pixels, doubt: None }], main: 0 });
    }
    let plain = find_ink(at_most(image, DRAWING_SIDE)?.as_ref());
    if let Some(digits) = plain.as_ref().ok().and_then(drawn) {
        return Ok(digits);
    }
    let small = at_most(image, PHOTO_SIDE)?;
    if let Some((found, main)) = find(&small.pixels, small.width) {
        let all: Vec<_> = found.iter().map(|digit| photographed(image, &small, digit)).collect();
        // On texture, nothing may remain of what looked like a digit in the small copy.
        if all.iter().all(|digit| digit.pixels != [0; MNIST_PIXELS]) {
            return Ok(Digits { all, main });
        }
    }
    let ink = plain?.image;
    let pieces = Pieces::of(&ink.pixels, ink.width, 1);
    let doubt =
        "nothing in it has the shape of a digit; used everything that differs from the background";
    let digit = Digit {
        pixels: formed(&ink_of(&ink, &pieces, &without_dust(&pieces))),
        doubt: Some(doubt.to_owned()),
    };
    Ok(Digits { all: vec![digit], main: 0 })
}

/// The largest and clearest digit of an image in MNIST's form: that of [`find_digits`].
///
/// # Errors
/// `InvalidData` if nothing stands out from the background.
pub fn to_mnist_form(image: &GreyImage) -> Result<[u8; MNIST_PIXELS]> {
    find_digits(image).map(|digits| digits.all[digits.main].pixels)
}

/// The image, scaled down to a longer side of at most `side`.
fn at_most(image: &GreyImage, side: usize) -> Result<std::borrow::Cow<'_, GreyImage>> {
    let longer = image.height.max(image.width);
    if longer <= side {
        return Ok(std::borrow::Cow::Borrowed(image));
    }
    let scaled = |length: usize| (length * side / longer).max(1);
    to_size(image, scaled(image.height), scaled(image.width)).map(std::borrow::Cow::Owned)
}

/// The digits of a drawing; `None` if this is not a drawing with digits in its middle.
fn drawn(Ink { image, clean }: &Ink) -> Option<Digits> {
    if !clean {
        return None;
    }
    let pieces = Pieces::of(&image.pixels, image.width, 1);
    let order = without_dust(&pieces);
    let bounds = |piece: &usize| &pieces.list[*piece].bounds;
    if order.iter().any(|piece| bounds(piece).touches_border(image.height, image.width)) {
        return None;
    }
    let least = least_height(image.height, image.width);
    let (mut found, frames) = groups(&pieces, order, least);
    let shaped = |group: &Vec<usize>| has_digits_shape(&pieces, group, MOST_FILL);
    let high = |group: &Vec<usize>| bounds(&group[0]).height;
    let highest = found.iter().map(high).max()?;
    if frames > 0 || !found.iter().any(|group| high(group) == highest && shaped(group)) {
        return None;
    }
    found.retain(|group| high(group) as f32 >= FURTHER * highest as f32 && shaped(group));
    found.sort_by_key(|group| bounds(&group[0]).left);
    let main = found.iter().position(|group| high(group) == highest)?;
    let digit = |group: &Vec<usize>| checked(formed(&ink_of(image, &pieces, group)), None);
    Some(Digits { all: found.iter().map(digit).collect(), main })
}

/// A digit of a photo that was searched at the size of `small`.
fn photographed(image: &GreyImage, small: &GreyImage, digit: &Candidate) -> Digit {
    let ink = cut_out(image, (small.height, small.width), digit);
    let doubt = if digit.is_cut_off() {
        Some("its ink touches the image's border and may be cut off")
    } else if digit.contrast < FAINT * LEAST_CONTRAST {
        Some("it hardly stands out from the paper")
    } else {
        None
    };
    checked(formed(&ink), doubt)
}

/// The digit, in doubt if it holds less or more ink than any of MNIST's.
fn checked(pixels: [u8; MNIST_PIXELS], doubt: Option<&str>) -> Digit {
    let sum: u32 = pixels.iter().map(|&value| u32::from(value)).sum();
    let share = sum as f32 / (255 * MNIST_PIXELS) as f32;
    let unusual = || match share {
        _ if share < USUAL_INK.0 => Some("it has less ink than any digit in MNIST"),
        _ if share > USUAL_INK.1 => Some("it is a solid shape rather than strokes"),
        _ => None,
    };
    Digit { pixels, doubt: doubt.or_else(unusual).map(str::to_owned) }
}

/// The pieces that are not dust.
fn without_dust(pieces: &Pieces) -> Vec<usize> {
    let total: u64 = pieces.list.iter().map(|piece| piece.mass).sum();
    let is_dust = |mass: u64| (mass as f32) < DUST_SHARE * total as f32;
    (0..pieces.list.len()).filter(|&piece| !is_dust(pieces.list[piece].mass)).collect()
}

/// The ink of some pieces alone.
fn ink_of(ink: &GreyImage, pieces: &Pieces, members: &[usize]) -> GreyImage {
    let mut pixels = vec![0; ink.pixels.len()];
    for run in pieces.runs_of(members) {
        let range = run.row * ink.width + run.start..run.row * ink.width + run.end;
        pixels[range.clone()].copy_from_slice(&ink.pixels[range]);
    }
    GreyImage { height: ink.height, width: ink.width, pixels }
}
