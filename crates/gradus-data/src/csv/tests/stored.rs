//! Files that keep types: every type, gaps, and what is damaged.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array,
    ListArray, RecordBatch, StringArray, Time64MicrosecondArray, TimestampNanosecondArray,
    UInt8Array,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use gradus_core::samples::{ColumnType, TEXT_GAP, TIME_GAP};

use super::*;

const ROWS: usize = 300;

/// A gap in every so many rows.
fn gaps<T>(every: usize, value: impl Fn(usize) -> T) -> Vec<Option<T>> {
    (0..ROWS).map(|row| (row % every > 0).then(|| value(row))).collect()
}

fn batch() -> RecordBatch {
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    gaps(7, |row| ["a", "b,\"c\"", "é"][row % 3])
        .into_iter()
        .for_each(|it| dictionary.append_option(it));
    let decimals = Decimal128Array::from(gaps(11, |row| 25 * row as i128 - 300));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("whole", Arc::new(Int64Array::from(gaps(5, |row| row as i64 - 20)))),
        ("byte", Arc::new(UInt8Array::from_iter_values((0..ROWS).map(|row| row as u8)))),
        ("single", Arc::new(Float32Array::from(gaps(6, |row| row as f32 / 8.0)))),
        ("price", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ("flag", Arc::new(BooleanArray::from(gaps(9, |row| row % 2 == 0)))),
        ("text", Arc::new(dictionary.finish())),
        ("code", Arc::new(StringArray::from(gaps(4, |row| format!("{:03}", row % 12))))),
        ("day", Arc::new(Date32Array::from(gaps(8, |row| row as i32)))),
        (
            "time",
            Arc::new(
                TimestampNanosecondArray::from(gaps(3, |row| row as i64 * 1_500_000_000))
                    .with_timezone("+02:00"),
            ),
        ),
        (
            "clock",
            Arc::new(Time64MicrosecondArray::from(gaps(10, |row| row as i64 * 1_800_000_000))),
        ),
        ("y", Arc::new(StringArray::from(gaps(100, |row| ["p", "q"][row % 2])))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn parquet(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(128))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_file(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    for start in (0..ROWS).step_by(100) {
        writer.write(&batch.slice(start, 100.min(batch.num_rows() - start))).unwrap();
    }
    writer.into_inner().unwrap()
}

fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// The batch in every kind of file.
fn files(batch: &RecordBatch) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("plain", parquet(batch, Compression::UNCOMPRESSED)),
        ("snappy", parquet(batch, Compression::SNAPPY)),
        ("zstd", parquet(batch, Compression::ZSTD(ZstdLevel::default()))),
        ("lz4", parquet(batch, Compression::LZ4_RAW)),
        ("file", arrow_file(batch, None)),
        ("file, lz4", arrow_file(batch, Some(CompressionType::LZ4_FRAME))),
        ("file, zstd", arrow_file(batch, Some(CompressionType::ZSTD))),
        ("stream", arrow_stream(batch)),
    ]
}

fn labelled(bytes: &[u8], options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
    Source::of_bytes(bytes, options)?.labelled(options)
}

#[test]
fn every_type_is_read_from_every_kind_of_file() {
    for (name, bytes) in files(&batch()) {
        let (data, warnings) = labelled(&bytes, &TableOptions::default()).unwrap();
        assert_eq!(data.len(), ROWS - 3, "{name}");
        assert!(warnings.contains(&"3 rows without a target left out".to_owned()), "{warnings:?}");
        let columns = raw_columns(&data);
        let kinds: Vec<_> = columns.iter().map(RawColumn::kind).collect();
        use ColumnType::{Number, Text, Time};
        assert_eq!(
            kinds,
            [Number, Number, Number, Number, Text, Text, Text, Time, Time, Number],
            "{name}"
        );
        // The first row has no target.
        let number = |column: usize, row: usize| match &columns[column] {
            RawColumn::Numbers(values) => values[row - 1],
            other => panic!("{other:?}"),
        };
        let text = |column: usize, row: usize| match &columns[column] {
            RawColumn::Text { codes, values, .. } => values.get(codes[row - 1] as usize).cloned(),
            other => panic!("{other:?}"),
        };
        let time = |column: usize, row: usize| match &columns[column] {
            RawColumn::Times(values) => values[row - 1],
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (number(0, 1), number(1, 7), number(2, 1), number(3, 1)),
            (-19.0, 7.0, 0.125, -2.75)
        );
        assert!(number(0, 5).is_nan() && number(3, 11).is_nan());
        assert_eq!(
            (text(4, 2), text(4, 1), text(4, 9)),
            (Some("true".into()), Some("false".into()), None)
        );
        assert_eq!(
            (text(5, 1), text(5, 8), text(5, 7)),
            (Some("b,\"c\"".into()), Some("é".into()), None)
        );
        // Codes keep their zeros.
        assert_eq!(text(6, 1), Some("001".into()));
        assert_eq!((time(7, 3), time(7, 8)), (3 * 86_400, TIME_GAP));
        // Seconds in UTC, without their parts.
        assert_eq!((time(8, 1), time(8, 2), time(8, 3)), (1, 3, TIME_GAP));
        assert_eq!(number(9, 3), 1.5);
        assert_eq!(data.class_names(), ["p", "q"]);
    }
}

#[test]
fn columns_become_what_a_model_takes_where_that_is_exact() {
    let bytes = parquet(&batch(), Compression::UNCOMPRESSED);
    let (data, _) = labelled(&bytes, &TableOptions::default()).unwrap();
    let known = data.columns.clone().unwrap();
    let mut types: Vec<ColumnType> = raw_columns(&data).iter().map(RawColumn::kind).collect();
    types[0] = ColumnType::Text;
    types[6] = ColumnType::Number;
    let read = |types: &[ColumnType]| {
        let options =
            TableOptions { columns: Some(&known), types: Some(types), ..TableOptions::default() };
        labelled(&bytes, &options)
    };
    // 001 is a code, not a number.
    let error = read(&types).unwrap_err().to_string();
    assert!(
        error.contains("row 2 (counted from 1), column 6 (\"code\"): \"001\" begins with 0"),
        "{error}"
    );
    types[6] = ColumnType::Text;
    let (data, _) = read(&types).unwrap();
    let RawColumn::Text { codes, values, .. } = &raw_columns(&data)[0] else { panic!() };
    assert_eq!((values[codes[0] as usize].as_str(), codes[4]), ("-19", TEXT_GAP));
    types[7] = ColumnType::Number;
    let error = read(&types).unwrap_err().to_string();
    assert!(error.contains("column 7 (\"day\"): a date, where a number is expected"), "{error}");
}

#[test]
fn numbers_alone_are_numbers_and_long_codes_keep_their_digits() {
    let long = i64::MAX - 1;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(Float64Array::from(vec![0.5, 1.5]))),
        ("id", Arc::new(Int64Array::from(vec![long, long + 1]))),
        ("y", Arc::new(StringArray::from(vec!["p", "q"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for (name, bytes) in files_of_two(&batch) {
        let drop = vec!["id".to_owned()];
        let options = TableOptions { drop: &drop, ..TableOptions::default() };
        assert_eq!(floats(&labelled(&bytes, &options).unwrap().0), [0.5, 1.5], "{name}");
        let (_, warnings) = labelled(&bytes, &TableOptions::default()).unwrap();
        assert!(
            warnings
                .iter()
                .any(|it| it.contains("column 1 (\"id\") has whole numbers beyond 2^53")),
            "{warnings:?}"
        );
        let options = TableOptions { categorical: &drop, ..TableOptions::default() };
        let (data, warnings) = labelled(&bytes, &options).unwrap();
        let RawColumn::Text { values, .. } = &raw_columns(&data)[1] else { panic!() };
        assert_eq!((values[0].clone(), values.len()), (long.to_string(), 2));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

fn files_of_two(batch: &RecordBatch) -> [(&'static str, Vec<u8>); 2] {
    [("parquet", parquet(batch, Compression::UNCOMPRESSED)), ("stream", arrow_stream(batch))]
}

#[test]
fn lists_are_refused_unless_they_are_left_out() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)]), Some([None])]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(Float64Array::from(vec![0.5, 1.5]))),
        ("all", Arc::new(lists)),
        ("y", Arc::new(StringArray::from(vec!["p", "q"]))),
    ];
    for (_, bytes) in files_of_two(&RecordBatch::try_from_iter(columns).unwrap()) {
        let error = labelled(&bytes, &TableOptions::default()).unwrap_err().to_string();
        assert!(error.contains("column 1 (\"all\") holds lists, expected one"), "{error}");
        let drop = vec!["all".to_owned()];
        let options = TableOptions { drop: &drop, ..TableOptions::default() };
        assert_eq!(floats(&labelled(&bytes, &options).unwrap().0), [0.5, 1.5]);
    }
}

#[test]
fn infinite_numbers_and_bytes_that_are_no_text_are_refused_with_their_place() {
    let y: ArrayRef = Arc::new(StringArray::from(vec!["p", "q"]));
    let infinite: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::INFINITY]));
    let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from_vec(vec![b"a", b"\xff"]));
    for (column, words) in
        [(infinite, "inf is not a finite number"), (bytes, "bytes that are not UTF-8")]
    {
        let batch = RecordBatch::try_from_iter([("x", column), ("y", y.clone())]).unwrap();
        for (_, bytes) in files_of_two(&batch) {
            let error = labelled(&bytes, &TableOptions::default()).unwrap_err().to_string();
            assert!(
                error.contains("row 2 (counted from 1), column 0 (\"x\")") && error.contains(words),
                "{error}"
            );
        }
    }
}

#[test]
fn damaged_files_are_errors() {
    let options = TableOptions::default();
    for (name, bytes) in files(&batch()) {
        for cut in [5, 9, 40, bytes.len() / 2, bytes.len() - 9] {
            let _ = labelled(&bytes[..cut], &options);
        }
        let error = labelled(&bytes[..bytes.len() / 2], &options).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{name}: {error}");
        // Whatever a flipped byte does, it is no panic.
        for (nth, at) in (0..bytes.len()).step_by(47).enumerate() {
            let mut bytes = bytes.clone();
            bytes[at] ^= [0x80, 0xff][nth % 2];
            let _ = labelled(&bytes, &options);
        }
    }
    assert!(labelled(b"\xff\xff\xff\xff\xff\xff\xff\0", &options).is_err());
    assert!(labelled(b"ARROW1\0\0", &options).is_err());
}

#[test]
fn tables_are_written_again_as_they_were() {
    let bytes = arrow_file(&batch(), None);
    let columns = read_columns(&bytes, &TableOptions::default(), false).unwrap();
    let column =
        |name: &str| columns.iter().find(|it| it.0 == name).map(|it| it.1.clone()).unwrap();
    let Column::Whole(whole) = column("whole") else { panic!() };
    assert_eq!(whole[..2], [None, Some(-19)]);
    let Column::Truth(flags) = column("flag") else { panic!() };
    assert_eq!(flags[..3], [None, Some(false), Some(true)]);
    let Column::Time(times) = column("time") else { panic!() };
    assert_eq!(times[..2], [None, Some(1_500_000)]);
    let names = ["p".to_owned()];
    let mut out = Vec::new();
    let write = &mut |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    extend(
        &bytes,
        &TableOptions::default(),
        TextForm::default(),
        &names,
        |row| [Cell::Count(row)],
        write,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next().unwrap(),
        "\"whole\",\"byte\",\"single\",\"price\",\"flag\",\"text\",\"code\",\"day\",\"time\",\"clock\",\"y\",p"
    );
    assert_eq!(
        lines.nth(1).unwrap(),
        "-19,1,0.125,-2.75,false,\"b,\"\"c\"\"\",\"001\",1970-01-02,1970-01-01 00:00:01.500000,0.5,\"q\",1"
    );
}

#[test]
fn an_index_is_left_out() {
    let at = |row: usize| row as i64;
    let index = |first: &dyn Fn(usize) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..ROWS).map(first)))
    };
    let labels: ArrayRef = Arc::new(StringArray::from(gaps(10, |row| ["p", "q"][row % 2])));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..ROWS).map(|it| it as f64)));
    let table = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).unwrap();
    let both = [("x", values), ("kind", labels)];
    // Rows without a target are counted, the first one among them.
    let first = table([vec![("Unnamed: 0", index(&at))], both.to_vec()].concat());
    // The name that pandas gives the index in Parquet, whatever it holds.
    let drawn = index(&|row| (row as i64 * 7) % 300);
    let last = table([both.to_vec(), vec![("__index_level_0__", drawn)]].concat());
    for (batch, words, dropped) in [(first, "counts the rows", 0), (last, "index of a pandas", 2)] {
        for (name, bytes) in files(&batch) {
            let (data, warnings) = labelled(&bytes, &TableOptions::default()).unwrap();
            assert!(warnings.iter().any(|it| it.contains(words)), "{name}: {warnings:?}");
            assert_eq!((data.features(), data.len()), (1, ROWS - ROWS / 10), "{name}");
            assert_eq!(data.columns.unwrap().dropped(), [dropped], "{name}");
        }
    }
    // Asked for, it is a column like any other.
    let values = [("x", both[0].1.clone()), ("__index_level_0__", index(&at))].to_vec();
    let column = Some("__index_level_0__");
    let options = TableOptions { values: true, label_column: column, ..TableOptions::default() };
    let (data, _) = labelled(&files(&table(values))[0].1, &options).unwrap();
    assert_eq!(data.features(), 1);
}
