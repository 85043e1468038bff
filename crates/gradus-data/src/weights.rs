//! Sample weights: a file of one number for each training sample.

use std::path::Path;

use super::npy::parse_npy;
use crate::error::{Error, Result};
use crate::reading;

/// Reads the weights of the samples in the loss: an `.npy` file with one dimension, or a text file with
/// one number per line. [`super::Dataset::with_sample_weights`] checks them against the data.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read, `InvalidData` if it has other content.
pub fn read_sample_weights(path: &Path) -> Result<Vec<f32>> {
    let bytes = reading::read(path)?;
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
        let array = parse_npy(&bytes).map_err(|error| error.context(path.display()))?;
        return match array.shape[..] {
            [_] => Ok(array.values.to_f32()),
            _ => Err(Error::data(
                path,
                format!("an array of shape {:?}; expected one weight for each sample", array.shape),
            )),
        };
    }
    let text = String::from_utf8_lossy(&bytes);
    let number = |(at, line): (usize, &str)| {
        line.trim().parse().map_err(|_| {
            let at = at + 1;
            Error::data(path, format!("line {at} is '{line}'; expected one number on each line"))
        })
    };
    text.lines().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_from_text_and_numpy_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let text = file("weights.txt", b"1\n0.5\r\n2e1\n");
        assert_eq!(read_sample_weights(&text).unwrap(), [1.0, 0.5, 20.0]);
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
        let header = format!("{header:<117}\n");
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header.as_bytes());
        npy.extend([0.25f64, 3.0].iter().flat_map(|x| x.to_le_bytes()));
        assert_eq!(read_sample_weights(&file("w.npy", &npy)).unwrap(), [0.25, 3.0]);

        let wrong = read_sample_weights(&file("weights.csv", b"1\nx\n")).unwrap_err().to_string();
        assert!(wrong.contains("line 2 is 'x'"), "{wrong}");
        assert!(read_sample_weights(&folder.path().join("none.txt")).is_err());
        assert!(read_sample_weights(&file("damaged.npy", b"\x93NUMPY")).is_err());
    }
}
