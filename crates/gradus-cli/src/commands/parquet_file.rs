//! Columns as a Parquet file, and the names of the columns of one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use gradus::Error;
use gradus::data::csv::Column;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

/// Rows of a row group: readers take a whole one into memory.
const ROWS_OF_A_GROUP: usize = 1 << 20;

/// Writes the columns, all of the same length, and returns `out`.
///
/// # Errors
/// Those of writing to `out`.
pub(super) fn write<W: Write + Send>(out: W, columns: &[(String, Column)]) -> Result<W> {
    let fields = columns.iter().map(|(name, column)| field(name, column));
    let schema = Type::group_type_builder("schema").with_fields(fields.collect::<Result<_>>()?);
    let properties = WriterProperties::builder()
        .set_created_by(concat!("gradus ", env!("CARGO_PKG_VERSION")).into());
    let mut file =
        SerializedFileWriter::new(out, Arc::new(schema.build()?), Arc::new(properties.build()))?;
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    for start in (0..rows).step_by(ROWS_OF_A_GROUP) {
        let rows = start..(start + ROWS_OF_A_GROUP).min(rows);
        let mut group = file.next_row_group()?;
        for (_, column) in columns {
            let Some(mut writer) = group.next_column()? else { break };
            match column {
                Column::Whole(values) => {
                    values_or_gaps::<Int64Type, _>(&mut writer, &values[rows.clone()], |&it| it)?
                }
                Column::Double(values) => {
                    values_or_gaps::<DoubleType, _>(&mut writer, &values[rows.clone()], |&it| it)?
                }
                Column::Text(values) => {
                    let bytes = |text: &String| ByteArray::from(text.as_str());
                    values_or_gaps::<ByteArrayType, _>(&mut writer, &values[rows.clone()], bytes)?
                }
                Column::Truth(values) => {
                    values_or_gaps::<BoolType, _>(&mut writer, &values[rows.clone()], |&it| it)?
                }
                Column::Time(values) => {
                    values_or_gaps::<Int64Type, _>(&mut writer, &values[rows.clone()], |&it| it)?
                }
                Column::Single(values) => {
                    writer.typed::<FloatType>().write_batch(&values[rows.clone()], None, None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
    }
    file.into_inner()
}

/// The column in the schema.
fn field(name: &str, column: &Column) -> Result<TypePtr> {
    let (physical, logical) = match column {
        Column::Whole(_) => (PhysicalType::INT64, None),
        Column::Double(_) => (PhysicalType::DOUBLE, None),
        Column::Single(_) => (PhysicalType::FLOAT, None),
        Column::Text(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Column::Truth(_) => (PhysicalType::BOOLEAN, None),
        Column::Time(_) => {
            (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        }
    };
    let repetition = match column {
        Column::Single(_) => Repetition::REQUIRED,
        _ => Repetition::OPTIONAL,
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    Ok(Arc::new(field.build()?))
}

/// Writes values of which some are missing: a definition level of 1 for each that is there, 0 for each gap.
fn values_or_gaps<T: DataType, V>(
    writer: &mut SerializedColumnWriter,
    values: &[Option<V>],
    convert: impl Fn(&V) -> T::T,
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.iter().flatten().map(convert).collect();
    writer.typed::<T>().write_batch(&present, Some(&levels), None)?;
    Ok(())
}

/// An error of [`write`] on a file.
pub(super) fn explain(error: ParquetError, path: &Path) -> Error {
    let error = match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    };
    Error::io("write", path, error)
}

/// The names of the columns of a Parquet file; none if it is not one.
pub(super) fn column_names(path: &Path) -> Option<Vec<String>> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    Some(fields.iter().map(|field| field.name().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use parquet::record::Field;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn values_gaps_and_names_are_read_back() {
        let columns = [
            ("n".to_owned(), Column::Whole(vec![Some(i64::MAX), None, Some(-1)])),
            ("x, \"y\"".to_owned(), Column::Double(vec![None, Some(0.1), Some(2.0)])),
            ("p".to_owned(), Column::Single(vec![0.25, 1.0, 0.1])),
            ("é".to_owned(), Column::Text(vec![Some("猫\n".into()), Some(String::new()), None])),
            ("t".to_owned(), Column::Time(vec![Some(-1), None, Some(1_700_000_000_000_000)])),
            ("b".to_owned(), Column::Truth(vec![None, Some(true), Some(false)])),
        ];
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("t.parquet");
        write(File::create(&path).unwrap(), &columns).unwrap();
        assert_eq!(column_names(&path).unwrap(), ["n", "x, \"y\"", "p", "é", "t", "b"]);
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let rows: Vec<Vec<Field>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_column_iter().map(|(_, field)| field.clone()).collect())
            .collect();
        let text = |text: &str| Field::Str(text.to_owned());
        assert_eq!(
            rows,
            [
                vec![
                    Field::Long(i64::MAX),
                    Field::Null,
                    Field::Float(0.25),
                    text("猫\n"),
                    Field::TimestampMicros(-1),
                    Field::Null,
                ],
                vec![
                    Field::Null,
                    Field::Double(0.1),
                    Field::Float(1.0),
                    text(""),
                    Field::Null,
                    Field::Bool(true),
                ],
                vec![
                    Field::Long(-1),
                    Field::Double(2.0),
                    Field::Float(0.1),
                    Field::Null,
                    Field::TimestampMicros(1_700_000_000_000_000),
                    Field::Bool(false),
                ],
            ]
        );
        std::fs::write(&path, "no parquet").unwrap();
        assert_eq!(column_names(&path), None);
    }
}
