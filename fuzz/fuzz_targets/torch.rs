//! Models of PyTorch: archives of `torch.save` and TorchScript, pickles outside of an archive, and pickles and source
//! inside of one whose checksums are right, which no mutation of an archive would keep.
#![no_main]

use gradus::model_file::{self, ReadOptions};
use libfuzzer_sys::fuzz_target;

/// An archive of these entries, stored.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut table) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        // Version, flags, method, time, date, checksum, both sizes, length of the name, extra length.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(checksum(content).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        table.extend(b"PK\x01\x02\x14\0");
        table.extend(&common);
        table.extend([0; 10]);
        table.extend((file.len() as u32).to_le_bytes());
        table.extend(name.as_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*content);
    }
    let (start, count) = (file.len() as u32, entries.len() as u16);
    let size = table.len() as u32;
    file.extend(table);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(size.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// CRC-32 as zip archives have it.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), step))
}

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions::default();
    let _ = model_file::read(bytes, &options);
    let numbers = [0x3d; 512];
    let saved = [("m/data.pkl", bytes), ("m/byteorder", b"little"), ("m/data/0", &numbers)];
    let _ = model_file::read(&archive(&saved), &options);
    // What comes before the first zero byte is source, the rest a pickle.
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (source, pickle) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let script = [
        ("m/data.pkl", pickle),
        ("m/constants.pkl", b"\x80\x02)."),
        ("m/code/__torch__.py", source),
        ("m/data/0", &numbers),
    ];
    let _ = model_file::read(&archive(&script), &options);
});
