//! What the fields of a table become: numbers, values to learn, labels. Each says what is wrong with a
//! field, and the table adds where it stands.

use std::collections::HashMap;

use crate::Inputs;
use crate::array::MAX_CLASSES;
use crate::image_shape;

/// The numbers read so far: bytes until a value or the number of columns says otherwise.
pub(super) enum Numbers {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Numbers {
    pub(super) fn new(features: usize) -> Self {
        match image_shape(&[features]) {
            Some(_) => Numbers::Bytes(Vec::new()),
            None => Numbers::Floats(Vec::new()),
        }
    }

    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), String> {
        if let (Numbers::Bytes(values), Some(byte)) = (&mut *self, parse_byte(field)) {
            values.push(byte);
            return Ok(());
        }
        let value = number(field)?;
        match self {
            Numbers::Floats(values) => values.push(value),
            Numbers::Bytes(values) if value == f32::from(value as u8) => values.push(value as u8),
            Numbers::Bytes(values) => {
                let floats = values.iter().map(|&byte| f32::from(byte)).chain([value]).collect();
                *self = Numbers::Floats(floats);
            }
        }
        Ok(())
    }

    /// The numbers; zeros and ones alone are no grey levels.
    pub(super) fn finish(self) -> Inputs {
        match self {
            Numbers::Bytes(values) if values.iter().all(|&value| value <= 1) => {
                Inputs::Floats(values.into_iter().map(f32::from).collect())
            }
            Numbers::Bytes(values) => Inputs::Bytes(values),
            Numbers::Floats(values) => Inputs::Floats(values),
        }
    }
}

/// The number in a cell, or what is wrong with it.
fn number(field: &[u8]) -> Result<f32, String> {
    parse_number(field).ok_or_else(|| match field.trim_ascii() {
        [] => "is empty".to_owned(),
        text if text.contains(&b',') => format!(
            "{:?} is no number (decimals are written with a point)",
            String::from_utf8_lossy(text)
        ),
        text => format!("{:?} is no finite number", String::from_utf8_lossy(text)),
    })
}

/// The values read so far, row after row.
pub(super) struct Rows {
    width: usize,
    /// Of the row that is being read.
    set: usize,
    pub(super) values: Vec<f32>,
}

impl Rows {
    pub(super) fn new(width: usize) -> Self {
        Rows { width, set: 0, values: Vec::new() }
    }

    /// Sets the value at `place` of the row; with the last of them the row is complete.
    pub(super) fn set(&mut self, place: usize, field: &[u8]) -> Result<(), String> {
        if self.set == 0 {
            self.values.resize(self.values.len() + self.width, 0.0);
        }
        let start = self.values.len() - self.width;
        self.values[start + place] = number(field)?;
        self.set = (self.set + 1) % self.width;
        Ok(())
    }
}

/// The labels read so far.
#[derive(Default)]
pub(super) struct Labels {
    labels: Vec<u32>,
    /// Class names in the order in which they were met.
    class_names: Vec<String>,
    /// The index of each class by its name and by every way in which it was written.
    class_indices: HashMap<Vec<u8>, u32>,
}

impl Labels {
    pub(super) fn push(&mut self, field: &[u8]) -> Result<(), String> {
        let field = field.trim_ascii();
        if let Some(&index) = self.class_indices.get(field) {
            self.labels.push(index);
            return Ok(());
        }
        let text = String::from_utf8_lossy(field).into_owned();
        let name = match parse_number(field) {
            Some(number) if number.fract() != 0.0 => {
                return Err(format!(
                    "the label {text} has a fraction, so it is no class (`loss` squared learns values)"
                ));
            }
            // "3", "3.0" and "03" are one class.
            Some(number) if number.abs() < 1e7 => (number as i64).to_string(),
            _ if text.is_empty() => return Err("the label is empty".to_owned()),
            _ => text,
        };
        let known = self.class_indices.get(name.as_bytes()).copied();
        let index = known.unwrap_or(self.class_names.len() as u32);
        if index >= MAX_CLASSES {
            return Err(format!("more than {MAX_CLASSES} different labels"));
        }
        self.class_indices.insert(field.to_vec(), index);
        if known.is_none() {
            self.class_indices.insert(name.clone().into_bytes(), index);
            self.class_names.push(name);
        }
        self.labels.push(index);
        Ok(())
    }

    /// The labels and the names of the classes in order: by value where all are numbers, else by
    /// text.
    pub(super) fn sorted(self) -> (Vec<u32>, Vec<String>) {
        let names = self.class_names;
        let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
        let mut sorted: Vec<usize> = (0..names.len()).collect();
        match numbers {
            Some(numbers) => sorted.sort_by_key(|&at| numbers[at]),
            None => sorted.sort_by_key(|&at| &names[at]),
        }
        let mut new_index = vec![0; names.len()];
        sorted.iter().enumerate().for_each(|(new, &old)| new_index[old] = new as u32);
        let labels = self.labels.into_iter().map(|label| new_index[label as usize]).collect();
        (labels, sorted.into_iter().map(|at| names[at].clone()).collect())
    }
}

/// One to three digits that make a number up to 255: nearly every cell of a table of pixels.
fn parse_byte(field: &[u8]) -> Option<u8> {
    if field.is_empty() || field.len() > 3 {
        return None;
    }
    let mut number = 0_u32;
    for &digit in field {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u32::from(digit - b'0');
    }
    u8::try_from(number).ok()
}

/// A number, spaces around it allowed, infinity and NaN among them.
fn parse_any_number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}

/// A finite number, spaces around it allowed.
pub(super) fn parse_number(field: &[u8]) -> Option<f32> {
    parse_any_number(field).filter(|value| value.is_finite())
}

/// Neither a number of any kind nor a cell left empty.
pub(super) fn is_text(field: &[u8]) -> bool {
    parse_any_number(field).is_none() && !field.trim_ascii().is_empty()
}
