//! Parquet files: a file or its bytes in, Arrow arrays of single columns out, so that only those columns are read that are
//! wanted.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;

use crate::error::Result;
use crate::invalid;

/// Rows of an array.
const ROWS: usize = 1 << 13;

/// The content of a Parquet file.
#[derive(Clone)]
pub(super) enum Content {
    /// All of its bytes.
    Bytes(Bytes),
    /// An open file, of which the parts that are needed are read.
    File(Arc<Mutex<File>>, u64),
}

/// A Parquet file whose description of its columns has been read.
pub(super) struct ParquetFile {
    content: Content,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Reads the description.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged.
    pub(super) fn open(content: Content) -> Result<ParquetFile> {
        // What Arrow noted of its own types says no more than the types in the file.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let found = ArrowReaderMetadata::load(&content, options.clone()).map_err(unreadable)?;
        // Views share the texts of a page: none is copied for each row that has it.
        let fields = found.schema().fields().iter().map(|field| {
            let view = match field.data_type() {
                DataType::Utf8 => DataType::Utf8View,
                DataType::Binary => DataType::BinaryView,
                other => other.clone(),
            };
            Field::clone(field).with_data_type(view)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let metadata = ArrowReaderMetadata::try_new(
            found.metadata().clone(),
            options.with_schema(Arc::new(schema)),
        );
        Ok(ParquetFile { content, metadata: metadata.map_err(unreadable)? })
    }

    /// The columns.
    pub(super) fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// The number of rows that the file says it has.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(u64::MAX)
    }

    /// The bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.content.len()
    }

    /// These columns, in the order of the file, some rows at a time.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged, or is compressed in a way that is not read.
    pub(super) fn batches(&self, columns: &[usize]) -> Result<ParquetRecordBatchReader> {
        let metadata = self.metadata.clone();
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.content.clone(), metadata);
        let wanted = ProjectionMask::roots(reader.parquet_schema(), columns.iter().copied());
        reader.with_projection(wanted).with_batch_size(ROWS).build().map_err(unreadable)
    }
}

fn unreadable(error: ParquetError) -> crate::error::Error {
    invalid(format!("a Parquet file that cannot be read: {error}"))
}

impl Content {
    /// Of an open file.
    pub(super) fn of_file(file: File) -> io::Result<Content> {
        let size = file.metadata()?.len();
        Ok(Content::File(Arc::new(Mutex::new(file)), size))
    }
}

impl Length for Content {
    fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(_, size) => *size,
        }
    }
}

impl ChunkReader for Content {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(From { content: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.len());
        let Some(end) = end else {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.len())));
        };
        match self {
            Content::Bytes(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Content::File(..) => {
                let mut bytes = vec![0; length];
                From { content: self.clone(), at: start }.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// Reads from a position on. Several of them may share a file.
pub(super) struct From {
    content: Content,
    at: u64,
}

impl Read for From {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match &self.content {
            Content::Bytes(bytes) => {
                let rest = bytes.get(self.at as usize..).unwrap_or_default();
                Cursor::new(rest).read(out)?
            }
            Content::File(file, _) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.at))?;
                file.read(out)?
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}
