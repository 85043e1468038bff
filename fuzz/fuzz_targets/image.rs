//! Images: decoded, and searched for digits.
#![no_main]

use gradus::data::images;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A small file may hold an image of 256 MiB, which is allowed and slow.
    if let Ok(image) = images::parse_grey(bytes)
        && image.height() * image.width() <= 1 << 16
    {
        let _ = images::find_digits(&image);
        let _ = images::to_size(&image, 28, 28);
    }
});
