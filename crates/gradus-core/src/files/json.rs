//! JSON from files: text in, a value out, if memory for it is in proportion to the text.
//!
//! A parsed number takes 32 bytes, an entry of an object about 100, however short their text is: `[0,0,0` of a
//! file of 60 MB would take 1 GB. So values are counted before they are parsed.

use serde::de::{DeserializeOwned, Error};

/// As many values as any file may have.
const FREE: usize = 1_000_000;

/// Further values need this many bytes of text each, as the figures of a history have.
const BYTES_PER_VALUE: usize = 8;

/// Parses a JSON text.
///
/// # Errors
/// If it is no JSON, is not a `T`, or has more than a million values and one for every eight bytes.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    parse_at_most(text, FREE + text.len() / BYTES_PER_VALUE)
}

/// As [`parse`], with a limit for the number of values.
///
/// # Errors
/// As [`parse`].
pub fn parse_at_most<T: DeserializeOwned>(text: &[u8], most: usize) -> serde_json::Result<T> {
    check_count(text, most)?;
    serde_json::from_slice(text)
}

/// Checks that a JSON text has no more than `most` values.
///
/// # Errors
/// If it has more.
pub fn check_count(text: &[u8], most: usize) -> serde_json::Result<()> {
    if text.len() > most && count(text) > most {
        return Err(Error::custom(format!("more than {most} values are in {} bytes", text.len())));
    }
    Ok(())
}

/// No fewer than the values, arrays, objects and keys in a JSON text: each but the first follows one of
/// these characters outside a string.
fn count(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for &byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b',' | b':' | b'[' | b'{') => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn values_are_counted_outside_strings() {
        for (text, expected) in
            [("0", 1), ("[0,0,0]", 4), (r#"{"a":1,"b":[]}"#, 6), (r#"["a,[{:\",\\",":"]"#, 3)]
        {
            assert_eq!(count(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn more_values_than_the_text_justifies_are_refused() {
        assert_eq!(parse::<Value>(b"[1, \"a\"]").unwrap(), json!([1, "a"]));
        assert!(parse_at_most::<Value>(b"[1,2]", 3).is_ok());
        let error = parse_at_most::<Value>(b"[1,2]", 2).unwrap_err().to_string();
        assert!(error.contains("more than 2 values are in 5 bytes"), "{error}");
        let text = format!("[{}0]", "0,".repeat(2_000_000));
        assert!(parse::<Value>(text.as_bytes()).is_err());
        let text = format!("[{}0]", "0.987654,".repeat(2_000_000));
        assert!(parse::<Vec<f64>>(text.as_bytes()).is_ok());
    }
}
