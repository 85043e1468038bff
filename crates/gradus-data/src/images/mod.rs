//! Images: files to grey bytes and back, and digits in them.
//!
//! In: files or bytes. Out: [`GreyImage`]s; from `folder` a whole [`Dataset`](super::Dataset); from
//! `mnist_form` an image in MNIST's form. For the latter, `find` looks for digits among `pieces` of ink on
//! local `paper`, and `photo` cuts them out.

mod bounds;
#[cfg(feature = "images")]
mod codec;
mod decode;
mod find;
mod folder;
mod grey;
mod ink;
pub(super) mod mnist_form;
mod form;
mod paper;
mod photo;
mod pieces;
mod reading;
mod resize;

#[cfg(feature = "images")]
pub use codec::encode_png;
pub(crate) use decode::is_read_image;
pub use decode::{is_image, parse_grey, parse_size, read_grey};
pub(crate) use folder::{ImageFolder, load_with_warnings};
pub use folder::{images_below, load_folder};
pub use form::is_in_mnist_form;
pub use grey::{GreyImage, MAX_SIDE};
pub use mnist_form::{MNIST_PIXELS, MNIST_SIDE};
pub use reading::{Digit, Digits, find_digits, to_mnist_form};
pub use resize::to_size;

use decode::{magic_of, read_size};
use grey::check_size;
