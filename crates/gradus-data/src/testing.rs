//! Small files of every format for the tests.

use std::io::Write;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// An IDX file with these bytes after its header.
pub(crate) fn idx_file(code: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// The bytes as a gzip file.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A version 1 NPY file with this header and these values.
pub(crate) fn npy_file(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    while !(header.len() + 10).is_multiple_of(64) {
        header.insert(header.len() - 1, ' ');
    }
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

/// A zip archive with these entries, stored or deflated.
pub(crate) fn zip_file(entries: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let (mut archive, mut table) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let stored = match deflate {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            false => content.to_vec(),
        };
        let mut checksum = Crc::new();
        checksum.update(content);
        // Version, flags, method, time, date, checksum, both sizes, name length, extra length.
        let mut common = vec![20, 0, 0, 0, if deflate { 8 } else { 0 }, 0, 0, 0, 0, 0];
        common.extend(checksum.sum().to_le_bytes());
        common.extend((stored.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let offset = (archive.len() as u32).to_le_bytes();
        table.extend(
            [b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &offset, name.as_bytes()].concat(),
        );
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &stored].concat());
    }
    let start = (archive.len() as u32).to_le_bytes();
    let size = (table.len() as u32).to_le_bytes();
    let count = (entries.len() as u16).to_le_bytes();
    archive.extend(table);
    archive.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat());
    archive
}
