//! Arrow files (`.arrow`, `.feather`) and streams (`.arrows`): bytes in, batches of Arrow arrays out.
//!
//! A file is a stream of messages between two marks, behind which is a table of contents that is not needed to read it from
//! the beginning. Sizes that messages state are checked against the bytes that are there before anything is decoded.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{MessageHeader, RecordBatch as BatchMessage, root_as_message};
use arrow_schema::{ArrowError, Schema};

use crate::error::{Error, Result};
use crate::invalid;

/// How a file begins, with zeros behind it; a stream has no mark.
const MARK: &[u8] = b"ARROW1\0\0";

/// In front of the size of a message.
const CONTINUES: u32 = u32::MAX;

/// Compressed bytes become at most so many times as many, ...
const EXPANSION: u64 = 1 << 10;

/// ... or so many, if that is more.
const ALWAYS_EXPANDED: u64 = 1 << 22;

/// A stream of which all messages have been looked at.
pub(super) struct ArrowFile {
    stream: Buffer,
    schema: Arc<Schema>,
    rows: u64,
}

impl ArrowFile {
    /// Looks at all messages, but decodes only the description of the columns.
    ///
    /// # Errors
    /// `InvalidData` if the bytes are damaged.
    pub(super) fn open(bytes: Vec<u8>) -> Result<ArrowFile> {
        let start = match bytes.starts_with(MARK) {
            true => bytes.iter().position(|&byte| byte == CONTINUES as u8).unwrap_or(MARK.len()),
            false => 0,
        };
        let whole = Buffer::from_vec(bytes);
        let (length, rows, first) = check(&whole[start..])?;
        let stream = whole.slice_with_length(start, length);
        let mut decoder = StreamDecoder::new();
        // A message is decoded once the next one begins.
        let first = stream.len().min(first + 1);
        decoder.decode(&mut stream.slice_with_length(0, first)).map_err(unreadable)?;
        let schema = decoder.schema().ok_or_else(|| broken("it does not describe its columns"))?;
        Ok(ArrowFile { stream, schema, rows })
    }

    /// The columns.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of rows that the messages say they have.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The bytes of all messages.
    pub(super) fn size(&self) -> u64 {
        self.stream.len() as u64
    }

    /// All columns, some rows at a time.
    pub(super) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch>> + use<> {
        let (mut decoder, mut rest) = (StreamDecoder::new(), self.stream.clone());
        std::iter::from_fn(move || decoder.decode(&mut rest).map_err(unreadable).transpose())
    }
}

/// Checks all messages: the bytes up to their end, the rows of all batches, and the bytes of the first message.
fn check(stream: &[u8]) -> Result<(usize, u64, usize)> {
    let (mut at, mut rows, mut first) = (0, 0_u64, None);
    loop {
        let (size, start) = match number(stream, at) {
            Some(CONTINUES) => (number(stream, at + 4), at + 8),
            size => (size, at + 4),
        };
        let size = match size {
            // A stream may end without a mark.
            None if at == stream.len() => break,
            None => return Err(broken("it breaks off")),
            Some(0) => {
                at = start;
                break;
            }
            Some(size) => size as usize,
        };
        let message = stream.get(start..).and_then(|rest| rest.get(..size));
        let message = message.ok_or_else(|| broken("a message is longer than the file"))?;
        let message = root_as_message(message).map_err(|error| broken(&error.to_string()))?;
        let body = stream[start + size..].len() as u64;
        let length = u64::try_from(message.bodyLength()).ok().filter(|length| *length <= body);
        let length = length.ok_or_else(|| broken("a message has more bytes than the file"))?;
        let body = &stream[start + size..][..length as usize];
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch();
                let found = batch.and_then(|batch| u64::try_from(batch.length()).ok());
                let found = found.ok_or_else(|| broken("a batch has no number of rows"))?;
                rows = rows.saturating_add(found);
                batch
            }
            MessageHeader::DictionaryBatch => {
                message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data())
            }
            _ => None,
        };
        if let Some(batch) = batch {
            check_buffers(&batch, body)?;
        }
        at = start + size + body.len();
        first.get_or_insert(at);
    }
    Ok((at, rows, first.ok_or_else(|| broken("it has no message"))?))
}

/// Checks that the buffers of a batch lie within its bytes, and how many bytes they state to become.
fn check_buffers(batch: &BatchMessage, body: &[u8]) -> Result<()> {
    let is_compressed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let range = |offset: i64, length: i64| {
            let start = usize::try_from(offset).ok()?;
            body.get(start..)?.get(..usize::try_from(length).ok()?)
        };
        let bytes = range(buffer.offset(), buffer.length());
        let bytes = bytes.ok_or_else(|| broken("a column has bytes outside of its batch"))?;
        if !is_compressed || bytes.is_empty() {
            continue;
        }
        let Some(stated) = bytes.first_chunk().map(|start| i64::from_le_bytes(*start)) else {
            return Err(broken("a compressed column has no size"));
        };
        // -1 stands for bytes that are not compressed.
        let most = (bytes.len() as u64 * EXPANSION).max(ALWAYS_EXPANDED);
        if stated < -1 || stated > 0 && stated as u64 > most {
            return Err(broken(&format!(
                "{} compressed bytes cannot be {stated} bytes",
                bytes.len()
            )));
        }
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn broken(why: &str) -> Error {
    invalid(format!("an Arrow file that cannot be read: {why}"))
}

fn unreadable(error: ArrowError) -> Error {
    broken(&error.to_string())
}
