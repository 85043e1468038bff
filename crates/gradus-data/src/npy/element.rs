//! The types of the values in NPY files: a type's name in, its size and its conversion out.

use crate::array::Values;
use crate::error::{Result, invalid};
use crate::idx::numbers;

/// From bytes to values.
pub(super) type Decode = fn(&[u8]) -> Result<Values>;

/// Bytes of one value of the type `descr`, and the conversion from bytes to values.
pub(super) fn element_type(descr: &str) -> Result<(usize, Decode)> {
    /// Chooses the conversion from little-endian or big-endian bytes, and the type of the result.
    macro_rules! either {
        ($from:ty as $to:ty, $variant:ident) => {
            match descr.starts_with('>') {
                true => |bytes| {
                    Ok(Values::$variant(numbers(bytes, |b| <$from>::from_be_bytes(b) as $to)))
                },
                false => |bytes| {
                    Ok(Values::$variant(numbers(bytes, |b| <$from>::from_le_bytes(b) as $to)))
                },
            }
        };
    }
    let kind = descr.strip_prefix(['<', '>', '|', '=']).unwrap_or(descr);
    Ok(match kind {
        "u1" => (1, |bytes| Ok(Values::U8(bytes.to_vec()))),
        "b1" | "?" => {
            (1, |bytes| Ok(Values::U8(bytes.iter().map(|&b| u8::from(b != 0)).collect())))
        }
        "i1" => (1, |bytes| Ok(Values::I8(numbers(bytes, i8::from_le_bytes)))),
        "i2" => (2, either!(i16 as i16, I16)),
        "i4" => (4, either!(i32 as i32, I32)),
        "i8" => (8, either!(i64 as i64, I64)),
        "u2" => (2, either!(u16 as i32, I32)),
        "u4" => (4, either!(u32 as i64, I64)),
        "u8" => match descr.starts_with('>') {
            true => (8, |bytes| signed(numbers(bytes, u64::from_be_bytes))),
            false => (8, |bytes| signed(numbers(bytes, u64::from_le_bytes))),
        },
        "f2" => match descr.starts_with('>') {
            true => (2, |bytes| Ok(Values::F32(numbers(bytes, |b| half(u16::from_be_bytes(b)))))),
            false => (2, |bytes| Ok(Values::F32(numbers(bytes, |b| half(u16::from_le_bytes(b)))))),
        },
        "f4" => (4, either!(f32 as f32, F32)),
        "f8" => (8, either!(f64 as f64, F64)),
        _ => {
            let what = match kind.as_bytes().first() {
                Some(b'O' | b'T') => {
                    return Err(invalid(format!(
                        "the array holds Python objects (type {descr:?}), which are pickles and are never \
                         loaded, because a pickle can run any program: save numbers with \
                         .astype(\"float32\"), and class names with .astype(str)"
                    )));
                }
                Some(b'U' | b'S') => "only labels may be text",
                Some(b'M' | b'm') => "save dates as numbers, such as days",
                _ => "convert it in NumPy with .astype(\"float32\")",
            };
            return Err(invalid(format!(
                "the .npy file holds values of type {descr:?}: expected bool, int8 to int64, uint8 \
                 to uint64, float16, float32 or float64; {what}"
            )));
        }
    })
}

/// The number that the bits of a half-precision float stand for: sign, five bits of exponent, ten of mantissa.
#[doc(hidden)] // for the other crates of gradus
pub fn half(bits: u16) -> f32 {
    let (exponent, mantissa) = (u32::from((bits >> 10) & 0x1f), u32::from(bits & 0x3ff));
    let magnitude = match exponent {
        // Steps of 2^-24 below the smallest normal number.
        0 => mantissa as f32 * f32::from_bits(0x3380_0000),
        0x1f if mantissa == 0 => f32::INFINITY,
        0x1f => f32::NAN,
        // The exponents of both types count from different numbers: 15 and 127.
        _ => f32::from_bits(((exponent + 112) << 23) | (mantissa << 13)),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

fn signed(values: Vec<u64>) -> Result<Values> {
    let signed: Option<_> = values.into_iter().map(|value| i64::try_from(value).ok()).collect();
    signed.map(Values::I64).ok_or_else(|| {
        invalid("the .npy file contains uint64 values above 2^63, which are not supported")
    })
}
