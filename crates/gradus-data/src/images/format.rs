//! Formats of image files, told by their first bytes.
//!
//! In come the first bytes of a file; out go the name of its format and whether it is read.

/// Whether bytes begin as an image file does, of a format that is read or of one that is known but
/// not read (GIF, HEIC, AVIF), for which [`parse_grey`](super::parse_grey) has a message.
pub fn is_image(bytes: &[u8]) -> bool {
    known_format(bytes).is_some()
}

/// The format that the first bytes belong to, and whether it is read.
pub(super) fn known_format(bytes: &[u8]) -> Option<(&'static str, bool)> {
    match bytes {
        [0x89, ..] => Some(("PNG", true)),
        [0xff, 0xd8, ..] => Some(("JPEG", true)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("WebP", true)),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(("TIFF", true)),
        // Two letters alone may begin a table; four reserved bytes are 0 here.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(("BMP", true)),
        [b'G', b'I', b'F', b'8', ..] => Some(("GIF", false)),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Some(("AVIF", false)),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(("HEIC", false)),
        _ => None,
    }
}
