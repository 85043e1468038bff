//! Images in the form that models take, by the same functions as `gradus predict`.

use std::path::PathBuf;

use gradus::Result;
use gradus::data::images::{self as library, GreyImage, MNIST_SIDE};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::guarded;

/// The source of an image.
#[derive(FromPyObject)]
pub(crate) enum Source<'py> {
    Pixels(PyReadonlyArray2<'py, u8>),
    File(PathBuf),
}

/// An image in MNIST's form, or only scaled to a height and width.
#[pyfunction]
#[pyo3(signature = (source, size=None))]
pub(crate) fn image<'py>(
    py: Python<'py>,
    source: Source<'py>,
    size: Option<(usize, usize)>,
) -> PyResult<Bound<'py, PyArray2<u8>>> {
    let pixels = match source {
        Source::File(path) => py.detach(|| {
            guarded(|| {
                let image = library::read_grey(&path)?;
                in_form(&image, size).map_err(|error| error.context(path.display()))
            })
        })?,
        Source::Pixels(array) => {
            let (height, width) = (array.shape()[0], array.shape()[1]);
            let pixels: Vec<u8> = array.as_array().iter().copied().collect();
            py.detach(|| guarded(|| in_form(&GreyImage::new(height, width, pixels)?, size)))?
        }
    };
    let (height, width) = size.unwrap_or((MNIST_SIDE, MNIST_SIDE));
    pixels.into_pyarray(py).reshape([height, width])
}

fn in_form(image: &GreyImage, size: Option<(usize, usize)>) -> Result<Vec<u8>> {
    match size {
        Some((height, width)) => Ok(library::to_size(image, height, width)?.into_pixels()),
        None => library::to_mnist_form(image).map(Vec::from),
    }
}
