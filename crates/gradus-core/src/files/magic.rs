//! What a file is, judged by its first bytes: bytes in, a [`Magic`] and words for messages out. Every reader asks here,
//! so that a file is the same thing in every command and every message. Content is not checked.

/// What begins with certain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// No bytes at all.
    Empty,
    /// A zip archive: `.npz`, `.keras`, `.pt`, a packed table.
    Zip,
    /// Gzip: an IDX file or a packed table.
    Gzip,
    /// A NumPy array (`.npy`).
    Npy,
    /// An array of MNIST's kind (IDX).
    Idx,
    /// HDF5: Keras's `.h5`.
    Hdf5,
    /// A Python pickle.
    Pickle,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// TIFF.
    Tiff,
    /// BMP.
    Bmp,
    /// GIF.
    Gif,
    /// AVIF.
    Avif,
    /// HEIC.
    Heic,
    /// A table in Parquet.
    Parquet,
    /// A table in Arrow's own form: a file (Feather of version 2) or a stream.
    Arrow,
    /// Feather of version 1, the form before Arrow's.
    Feather,
    /// The old form of Office documents, such as `.xls`.
    OldOffice,
    /// Zstandard.
    Zstd,
    /// Xz.
    Xz,
    /// Bzip2.
    Bzip2,
    /// What Git keeps in place of a large file.
    GitLfs,
    /// PDF.
    Pdf,
    /// A web page.
    Html,
    /// Another text of tags.
    Xml,
    /// ASCII text.
    Text,
    /// Anything else.
    Unknown,
}

impl Magic {
    /// Number of first bytes that are enough to judge.
    pub const LENGTH: usize = 256;

    /// What a file with these first bytes is.
    pub fn of(start: &[u8]) -> Magic {
        match start {
            [] => Magic::Empty,
            [b'P', b'K', ..] => Magic::Zip,
            [0x1f, 0x8b, ..] => Magic::Gzip,
            [0x93, b'N', b'U', ..] => Magic::Npy,
            [0, 0, 8..=14, 1..=255, ..] => Magic::Idx,
            [0x89, b'H', b'D', b'F', ..] => Magic::Hdf5,
            [0x80, 2..=5, ..] => Magic::Pickle,
            [0x89] | [0x89, b'P', ..] => Magic::Png,
            [0xff, 0xd8, ..] => Magic::Jpeg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Magic::WebP,
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Magic::Tiff,
            // Two letters alone may begin a table; four reserved bytes are 0 here.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Magic::Bmp,
            [b'G', b'I', b'F', b'8', ..] => Magic::Gif,
            [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Magic::Avif,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Magic::Heic,
            [b'P', b'A', b'R', b'1', ..] => Magic::Parquet,
            [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Magic::Arrow,
            // A message, and its size of less than 16 MiB.
            [0xff, 0xff, 0xff, 0xff, _, _, _, 0, ..] => Magic::Arrow,
            [b'F', b'E', b'A', b'1', ..] => Magic::Feather,
            [0xd0, 0xcf, 0x11, 0xe0, ..] => Magic::OldOffice,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Magic::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Magic::Xz,
            [b'B', b'Z', b'h', ..] => Magic::Bzip2,
            [b'%', b'P', b'D', b'F', ..] => Magic::Pdf,
            _ if start.starts_with(b"version https://git-lfs") => Magic::GitLfs,
            _ => Magic::of_text(&start[..start.len().min(Magic::LENGTH)]),
        }
    }

    fn of_text(start: &[u8]) -> Magic {
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}').trim_start().to_lowercase();
        let is_plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        match text {
            text if text.starts_with("<!doctype html") || text.starts_with("<html") => Magic::Html,
            text if text.starts_with('<') => Magic::Xml,
            _ if start.iter().all(is_plain) => Magic::Text,
            _ => Magic::Unknown,
        }
    }

    /// Whether it is an image, of a format that is read or not.
    pub fn is_image(self) -> bool {
        use Magic::{Avif, Bmp, Gif, Heic, Jpeg, Png, Tiff, WebP};
        matches!(self, Png | Jpeg | WebP | Tiff | Bmp | Gif | Avif | Heic)
    }

    /// Whether it is an image of a format that is read.
    pub fn is_read_image(self) -> bool {
        matches!(self, Magic::Png | Magic::Jpeg | Magic::WebP | Magic::Bmp | Magic::Tiff)
    }

    /// Its name in messages: "the file is ...".
    pub fn name(self) -> &'static str {
        match self {
            Magic::Empty => "empty",
            Magic::Zip => "a zip archive (.npz, or PyTorch's .pt)",
            Magic::Gzip => "a gzip file",
            Magic::Npy => "a NumPy array (.npy)",
            Magic::Idx => "an IDX file",
            Magic::Hdf5 => "an HDF5 file (Keras's .h5)",
            Magic::Pickle => "a Python pickle",
            Magic::Png => "a PNG image",
            Magic::Jpeg => "a JPEG image",
            Magic::WebP => "a WebP image",
            Magic::Tiff => "a TIFF image",
            Magic::Bmp => "a BMP image",
            Magic::Gif => "a GIF image",
            Magic::Avif => "an AVIF image",
            Magic::Heic => "a HEIC image",
            Magic::Parquet => "a Parquet file",
            Magic::Arrow => "an Arrow file",
            Magic::Feather => "a Feather file of version 1",
            Magic::OldOffice => "an Excel workbook (.xls)",
            Magic::Zstd => "a zstd file",
            Magic::Xz => "an xz file",
            Magic::Bzip2 => "a bzip2 file",
            Magic::GitLfs => "a Git LFS pointer, not the file itself",
            Magic::Pdf => "a PDF document",
            Magic::Html => "an HTML page (an error or login page saved under the file's name?)",
            Magic::Xml => "an XML or HTML page (an error message saved under the file's name?)",
            Magic::Text => "plain text",
            Magic::Unknown => "of an unknown kind",
        }
    }
}

/// What a file that a reader cannot use is, for messages: "the file is ...".
pub fn describe(start: &[u8]) -> String {
    match Magic::of(start) {
        Magic::Unknown => {
            let bytes: Vec<_> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            format!("{}: it begins with the bytes {}", Magic::Unknown.name(), bytes.join(" "))
        }
        known => known.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_first_bytes() {
        for (start, words) in [
            (&b""[..], "empty"),
            (b"\n <!DOCTYPE html><html>", "HTML page"),
            (b"<?xml version", "XML"),
            (b"PK\x03\x04....", "zip archive"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS"),
            (b"label,0,1", "plain text"),
            (b"\x80\x02}q\x00.....", "pickle"),
            (b"\x00\x01\x02\x03\x04", "unknown kind: it begins with the bytes 00 01 02 03"),
            (b"\x89", "PNG"),
            (b"\x89HDF\r\n", "HDF5"),
            (b"\0\0\0\x18ftypheic", "HEIC"),
            (b"ARROW1\0\0", "Arrow"),
            (b"\xff\xff\xff\xff\x80\0\0\0", "Arrow"),
            (b"FEA1", "Feather"),
        ] {
            assert!(describe(start).contains(words), "{start:?}: {}", describe(start));
        }
        // Tables may begin with the letters of an image's format.
        for table in [&b"BMI,age\n21,40\n"[..], b"II,III\n1,2\n", b"MM,a\n1,2\n"] {
            assert_eq!(Magic::of(table), Magic::Text);
        }
        assert!(Magic::of(b"GIF89a").is_image() && !Magic::of(b"PK\x03\x04").is_image());
    }
}
