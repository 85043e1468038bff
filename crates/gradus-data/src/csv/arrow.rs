//! Columns of Arrow arrays, in which Parquet and Arrow files are read: arrays in, numbers, text or times out.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use gradus_core::samples::{ColumnType, RawColumn, TEXT_GAP, TIME_GAP};

const SECONDS_OF_DAY: i64 = 86_400;

/// Whole numbers of this size and above are not all told apart in double precision.
const EXACT: u64 = 1 << 53;

/// The type that the values of an Arrow type have.
///
/// # Errors
/// What such a column holds, if it cannot be read.
pub(super) fn type_of(stored: &DataType) -> Result<ColumnType, String> {
    use DataType as D;
    Ok(match stored {
        D::Null | D::Int8 | D::Int16 | D::Int32 | D::Int64 => ColumnType::Number,
        D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => ColumnType::Number,
        D::Float16 | D::Float32 | D::Float64 | D::Time32(_) | D::Time64(_) => ColumnType::Number,
        D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
            ColumnType::Number
        }
        D::Duration(_) => ColumnType::Number,
        D::Date32 | D::Date64 | D::Timestamp(..) => ColumnType::Time,
        D::Boolean | D::Utf8 | D::LargeUtf8 | D::Utf8View => ColumnType::Text,
        D::Binary | D::LargeBinary | D::BinaryView => ColumnType::Text,
        D::Dictionary(key, value) if key.is_integer() && !matches!(**value, D::Dictionary(..)) => {
            type_of(value)?
        }
        D::List(_)
        | D::LargeList(_)
        | D::ListView(_)
        | D::LargeListView(_)
        | D::FixedSizeList(..) => {
            return Err("lists".to_owned());
        }
        D::Struct(_) | D::Map(..) | D::Union(..) => return Err("groups of values".to_owned()),
        other => return Err(format!("values of the type {other}")),
    })
}

/// The row within an array, and what is wrong with its value.
pub(super) type Misfit = (usize, String);

/// A column that grows array by array.
pub(super) struct Growing {
    values: Values,
    /// Whether a whole number was rounded to double precision.
    pub(super) is_rounded: bool,
}

/// The seconds from 1970 to the beginning of the year 1.
const FIRST_TIME: i64 = -719_162 * SECONDS_OF_DAY;

/// The seconds from 1970 to the end of the year 9999.
const LAST_TIME: i64 = 2_932_897 * SECONDS_OF_DAY;

const NO_TEXT: &str = "bytes that are not UTF-8 text";

enum Values {
    Numbers(Vec<f64>),
    Times(Vec<i64>),
    Text { codes: Vec<u32>, values: Vec<String>, places: HashMap<String, u32> },
}

impl Growing {
    pub(super) fn new(kind: ColumnType) -> Growing {
        let values = match kind {
            ColumnType::Number => Values::Numbers(Vec::new()),
            ColumnType::Time => Values::Times(Vec::new()),
            ColumnType::Text => {
                Values::Text { codes: Vec::new(), values: Vec::new(), places: HashMap::new() }
            }
        };
        Growing { values, is_rounded: false }
    }

    /// Adds the values of an array of a type of which [`type_of`] says this kind.
    ///
    /// # Errors
    /// The row within the array, and what is wrong with its value.
    pub(super) fn push(&mut self, array: &dyn Array) -> Result<(), Misfit> {
        if let DataType::Dictionary(..) = array.data_type() {
            return self.push_dictionary(array);
        }
        let Growing { values, is_rounded } = self;
        match values {
            Values::Numbers(values) => push_numbers(values, is_rounded, array),
            Values::Times(values) => push_times(values, array),
            Values::Text { codes, values, places } if array.data_type().is_integer() => {
                let code =
                    |text: String| code_of(text.as_bytes(), values, places).unwrap_or(TEXT_GAP);
                push_digits(codes, array, code);
                Ok(())
            }
            Values::Text { codes, values, places } => {
                // The same text often comes again in the next row.
                let mut last: Option<(&[u8], u32)> = None;
                each_text(array, |row, text| {
                    let code = match (text, last) {
                        (None, _) => TEXT_GAP,
                        (Some(text), Some((known, code))) if text == known => code,
                        (Some(text), _) => {
                            let code = code_of(text, values, places)
                                .ok_or_else(|| (row, NO_TEXT.to_owned()))?;
                            last = Some((text, code));
                            code
                        }
                    };
                    codes.push(code);
                    Ok(())
                })
            }
        }
    }

    /// Adds the values that the keys of a dictionary stand for.
    fn push_dictionary(&mut self, array: &dyn Array) -> Result<(), Misfit> {
        let dictionary = array.as_any_dictionary();
        // The values on their own, of the same kind; texts with the codes that they have so far.
        let mut alone = Growing::new(self.kind());
        if let (
            Values::Text { values, places, .. },
            Values::Text { values: known, places: of_known, .. },
        ) = (&mut alone.values, &mut self.values)
        {
            std::mem::swap(values, known);
            std::mem::swap(places, of_known);
        }
        alone.push(dictionary.values().as_ref()).map_err(|(_, problem)| (0, problem))?;
        self.is_rounded |= alone.is_rounded;
        let keys = match dictionary.values().is_empty() {
            true => vec![0; array.len()],
            false => dictionary.normalized_keys(),
        };
        let has_value =
            |row: usize| dictionary.keys().is_valid(row) && !dictionary.values().is_empty();
        let keys = keys.into_iter().enumerate().map(|(row, key)| has_value(row).then_some(key));
        match (&mut self.values, alone.values) {
            (Values::Numbers(all), Values::Numbers(values)) => {
                all.extend(keys.map(|key| key.map_or(f64::NAN, |key| values[key])));
            }
            (Values::Times(all), Values::Times(values)) => {
                all.extend(keys.map(|key| key.map_or(TIME_GAP, |key| values[key])));
            }
            (
                Values::Text { codes: all, values, places },
                Values::Text { codes, values: known, places: of_known },
            ) => {
                (*values, *places) = (known, of_known);
                all.extend(keys.map(|key| key.map_or(TEXT_GAP, |key| codes[key])));
            }
            _ => unreachable!("both are of one kind"),
        }
        Ok(())
    }

    fn kind(&self) -> ColumnType {
        match self.values {
            Values::Numbers(_) => ColumnType::Number,
            Values::Times(_) => ColumnType::Time,
            Values::Text { .. } => ColumnType::Text,
        }
    }

    pub(super) fn finish(self) -> RawColumn {
        match self.values {
            Values::Numbers(values) => RawColumn::Numbers(values),
            Values::Times(values) => RawColumn::Times(values),
            Values::Text { codes, values, .. } => {
                RawColumn::Text { codes, values: values.into(), is_chosen: false }
            }
        }
    }
}

/// The code of a text; none if it is not UTF-8.
fn code_of(
    text: &[u8],
    values: &mut Vec<String>,
    places: &mut HashMap<String, u32>,
) -> Option<u32> {
    let text = str::from_utf8(text).ok()?;
    if let Some(&code) = places.get(text) {
        return Some(code);
    }
    let code = values.len() as u32;
    values.push(text.to_owned());
    places.insert(text.to_owned(), code);
    Some(code)
}

/// Calls `take` with the text in each row, which is none for a gap.
fn each_text<'a>(
    array: &'a dyn Array,
    mut take: impl FnMut(usize, Option<&'a [u8]>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let rows = 0..array.len();
    let mut each = |text: &dyn Fn(usize) -> &'a [u8]| {
        rows.clone().try_for_each(|row| take(row, array.is_valid(row).then(|| text(row))))
    };
    match array.data_type() {
        DataType::Utf8 => each(&|row| array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => each(&|row| array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => each(&|row| array.as_string_view().value(row).as_bytes()),
        DataType::Binary => each(&|row| array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => each(&|row| array.as_binary::<i64>().value(row)),
        DataType::BinaryView => each(&|row| array.as_binary_view().value(row)),
        DataType::Boolean => {
            each(&|row| if array.as_boolean().value(row) { b"true" } else { b"false" })
        }
        other => unreachable!("{other} is not text"),
    }
}

/// Adds the values of an array, converted; `gap` stands for a gap.
fn extend<T: ArrowPrimitiveType, V: Copy>(
    values: &mut Vec<V>,
    array: &dyn Array,
    gap: V,
    mut convert: impl FnMut(T::Native) -> V,
) {
    let array = array.as_primitive::<T>();
    match array.null_count() {
        0 => values.extend(array.values().iter().map(|&value| convert(value))),
        _ => values.extend(array.iter().map(|value| value.map_or(gap, &mut convert))),
    }
}

fn push_numbers(
    values: &mut Vec<f64>,
    is_rounded: &mut bool,
    array: &dyn Array,
) -> Result<(), Misfit> {
    use DataType as D;
    const GAP: f64 = f64::NAN;
    let start = values.len();
    match array.data_type() {
        D::Null => values.resize(start + array.len(), GAP),
        D::Int8 => extend::<Int8Type, _>(values, array, GAP, f64::from),
        D::Int16 => extend::<Int16Type, _>(values, array, GAP, f64::from),
        D::Int32 => extend::<Int32Type, _>(values, array, GAP, f64::from),
        D::Int64 => extend::<Int64Type, _>(values, array, GAP, |value| {
            *is_rounded |= value.unsigned_abs() > EXACT;
            value as f64
        }),
        D::UInt8 => extend::<UInt8Type, _>(values, array, GAP, f64::from),
        D::UInt16 => extend::<UInt16Type, _>(values, array, GAP, f64::from),
        D::UInt32 => extend::<UInt32Type, _>(values, array, GAP, f64::from),
        D::UInt64 => extend::<UInt64Type, _>(values, array, GAP, |value| {
            *is_rounded |= value > EXACT;
            value as f64
        }),
        D::Float16 => extend::<Float16Type, _>(values, array, GAP, |value| value.to_f64()),
        D::Float32 => extend::<Float32Type, _>(values, array, GAP, f64::from),
        D::Float64 => extend::<Float64Type, _>(values, array, GAP, |value| value),
        D::Decimal32(_, scale) => push_decimals::<Decimal32Type>(values, array, *scale),
        D::Decimal64(_, scale) => push_decimals::<Decimal64Type>(values, array, *scale),
        D::Decimal128(_, scale) => push_decimals::<Decimal128Type>(values, array, *scale),
        D::Decimal256(_, scale) => push_decimals::<Decimal256Type>(values, array, *scale),
        // Hours since midnight.
        D::Time32(TimeUnit::Second) => {
            extend::<Time32SecondType, _>(values, array, GAP, |it| f64::from(it) / 3.6e3);
        }
        D::Time32(_) => {
            extend::<Time32MillisecondType, _>(values, array, GAP, |it| f64::from(it) / 3.6e6)
        }
        D::Time64(TimeUnit::Nanosecond) => {
            extend::<Time64NanosecondType, _>(values, array, GAP, |it| it as f64 / 3.6e12);
        }
        D::Time64(_) => {
            extend::<Time64MicrosecondType, _>(values, array, GAP, |it| it as f64 / 3.6e9)
        }
        // Seconds.
        D::Duration(unit) => {
            let seconds = |per_second: f64| move |value: i64| value as f64 / per_second;
            match unit {
                TimeUnit::Second => {
                    extend::<DurationSecondType, _>(values, array, GAP, seconds(1.0))
                }
                TimeUnit::Millisecond => {
                    extend::<DurationMillisecondType, _>(values, array, GAP, seconds(1e3))
                }
                TimeUnit::Microsecond => {
                    extend::<DurationMicrosecondType, _>(values, array, GAP, seconds(1e6))
                }
                TimeUnit::Nanosecond => {
                    extend::<DurationNanosecondType, _>(values, array, GAP, seconds(1e9))
                }
            }
        }
        other => unreachable!("{other} is no number"),
    }
    // A gap is NaN, and so is a value that a file calls so.
    let infinite = |value: &f64| !value.is_nan() && !(*value as f32).is_finite();
    match values[start..].iter().position(infinite) {
        Some(row) => {
            let value = values[start + row];
            Err((row, format!("{value} is not a finite number in single precision")))
        }
        None => Ok(()),
    }
}

/// Adds whole numbers of 64 bits as text with all their digits.
fn push_digits(codes: &mut Vec<u32>, array: &dyn Array, mut code: impl FnMut(String) -> u32) {
    match array.data_type() {
        DataType::Int64 => {
            extend::<Int64Type, _>(codes, array, TEXT_GAP, |it| code(it.to_string()))
        }
        DataType::UInt64 => {
            extend::<UInt64Type, _>(codes, array, TEXT_GAP, |it| code(it.to_string()))
        }
        other => unreachable!("{other} has fewer bits"),
    }
}

/// Adds decimals, each the double that is nearest to it.
fn push_decimals<T: DecimalType>(values: &mut Vec<f64>, array: &dyn Array, scale: i8) {
    let array = array.as_primitive::<T>();
    let number = |row: usize| match array.is_valid(row) {
        true => {
            T::format_decimal(array.value(row), T::MAX_PRECISION, scale).parse().unwrap_or(f64::NAN)
        }
        false => f64::NAN,
    };
    values.extend((0..array.len()).map(number));
}

/// Adds points in time, as seconds since 1970; of one in a time zone, those since 1970 in UTC. Parts of a second are cut off.
fn push_times(values: &mut Vec<i64>, array: &dyn Array) -> Result<(), Misfit> {
    const GAP: i64 = TIME_GAP;
    let start = values.len();
    let seconds = |per_second: i64| move |value: i64| value.div_euclid(per_second);
    match array.data_type() {
        DataType::Date32 => {
            extend::<Date32Type, _>(values, array, GAP, |days| i64::from(days) * SECONDS_OF_DAY);
        }
        DataType::Date64 => extend::<Date64Type, _>(values, array, GAP, seconds(1000)),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => extend::<TimestampSecondType, _>(values, array, GAP, seconds(1)),
            TimeUnit::Millisecond => {
                extend::<TimestampMillisecondType, _>(values, array, GAP, seconds(1000))
            }
            TimeUnit::Microsecond => {
                extend::<TimestampMicrosecondType, _>(values, array, GAP, seconds(1_000_000));
            }
            TimeUnit::Nanosecond => {
                extend::<TimestampNanosecondType, _>(values, array, GAP, seconds(1_000_000_000));
            }
        },
        other => unreachable!("{other} is no point in time"),
    }
    let is_known = |value: &i64| *value == GAP || (FIRST_TIME..LAST_TIME).contains(value);
    match values[start..].iter().position(|value| !is_known(value)) {
        Some(row) => Err((row, "a point in time outside of the years 1 to 9999".to_owned())),
        None => Ok(()),
    }
}
