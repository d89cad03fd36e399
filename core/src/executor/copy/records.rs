//! Bytes to records, and records to fields.

use super::{ByteSource, CopyStyle, MAX_RECORD};
use crate::error::{DataError, Error, Result};
use memchr::{memchr, memchr2, memchr3};
use std::ops::Range;

/// How much is read at a time.
const BLOCK: usize = 1 << 20;

/// A field of the current record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    range: Range<usize>,
    /// It is in the scratch buffer, since it had quotes or escapes.
    unescaped: bool,
    /// Part of it was quoted.
    quoted: bool,
    /// It is the NULL of the text format, which is told from the same characters escaped.
    is_null: bool,
}

/// How lines end. Those of one source all end as the first does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Feed,
    Return,
    ReturnFeed,
}

/// The records of a source, one after the other.
pub(super) struct Records<S> {
    source: S,
    style: CopyStyle,
    buffer: Vec<u8>,
    /// What of the buffer is filled, and where the next record starts.
    filled: usize,
    at: usize,
    ended: bool,
    scratch: Vec<u8>,
    fields: Vec<Field>,
    line_end: Option<LineEnd>,
    /// The line that the current record starts on.
    line: u64,
    next_line: u64,
}

impl<S: ByteSource> Records<S> {
    pub(super) fn new(source: S, style: CopyStyle) -> Self {
        Self {
            source,
            style,
            buffer: vec![0; BLOCK],
            filled: 0,
            at: 0,
            ended: false,
            scratch: Vec::new(),
            fields: Vec::new(),
            line_end: None,
            line: 0,
            next_line: 1,
        }
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn style(&self) -> &CopyStyle {
        &self.style
    }

    /// The bytes of a field.
    pub(super) fn bytes(&self, field: &Field) -> &[u8] {
        let from = if field.unescaped { &self.scratch } else { &self.buffer };
        &from[field.range.clone()]
    }

    /// Whether a field of a column is NULL.
    pub(super) fn is_null(&self, field: &Field, column: usize) -> bool {
        if !self.style.csv {
            return field.is_null;
        }
        let counts =
            if field.quoted { self.style.force_null[column] } else { !self.style.force_not_null[column] };
        counts && *self.bytes(field) == *self.style.null
    }

    /// Finds the fields of the next record; false at the end.
    ///
    /// # Errors
    /// 22P04 for a quote that is never closed or a line that ends otherwise than the first, 54000 for a record that is
    /// too long; I/O errors.
    pub(super) fn next(&mut self) -> Result<bool> {
        self.line = self.next_line;
        loop {
            self.fields.clear();
            self.scratch.clear();
            let parsed = if self.style.csv { self.parse_csv()? } else { self.parse_text()? };
            match parsed {
                Some(Parsed { end, lines }) => {
                    let record = &self.buffer[self.at..end];
                    if is_end_mark(record) {
                        self.at = self.filled;
                        self.ended = true;
                        return Ok(false);
                    }
                    self.at = end;
                    self.next_line += lines;
                    return Ok(true);
                }
                None if self.ended => return Ok(false),
                None => self.fill()?,
            }
        }
    }

    /// Brings in the next block behind what is left of the record at hand.
    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.filled == self.buffer.len() {
            if self.filled >= MAX_RECORD {
                return Err(DataError::CopyRecordTooLong { limit: MAX_RECORD }.into());
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        let read = self.source.read(&mut self.buffer[self.filled..])?;
        self.filled += read;
        self.ended = read == 0;
        Ok(())
    }

    /// Where a line that ends at `at` (a line feed or carriage return) goes on; `None` if that is not known yet.
    ///
    /// # Errors
    /// 22P04 when it ends otherwise than the first.
    fn after_line(&mut self, at: usize) -> Result<Option<usize>> {
        let feed = self.buffer[at] == b'\n';
        let (found, end) = match self.buffer[..self.filled].get(at + 1) {
            _ if feed => (LineEnd::Feed, at + 1),
            Some(b'\n') if self.line_end != Some(LineEnd::Return) => (LineEnd::ReturnFeed, at + 2),
            None if !self.ended => return Ok(None),
            Some(_) | None => (LineEnd::Return, at + 1),
        };
        if *self.line_end.get_or_insert(found) != found {
            return Err(mixed_line_ends(self.style.csv, feed));
        }
        Ok(Some(end))
    }

    fn parse_csv(&mut self) -> Result<Option<Parsed>> {
        let (delimiter, quote) = (self.style.delimiter, self.style.quote);
        let mut start = self.at;
        let mut at = self.at;
        if at == self.filled {
            return Ok(None);
        }
        let mut lines = 1;
        loop {
            let data = &self.buffer[..self.filled];
            let stop = data[at..]
                .iter()
                .position(|&byte| byte == delimiter || byte == b'\n' || byte == b'\r' || byte == quote);
            let Some(stop) = stop.map(|stop| at + stop) else {
                if !self.ended {
                    return Ok(None);
                }
                self.plain(start..self.filled);
                return Ok(Some(Parsed { end: self.filled, lines }));
            };
            let byte = data[stop];
            if byte == quote {
                match self.quoted(start, stop, &mut lines)? {
                    None => return Ok(None),
                    Some(end) => {
                        // A quoted field has been pushed; what stands at `end` closes it.
                        let data = &self.buffer[..self.filled];
                        match data.get(end) {
                            None => return Ok(Some(Parsed { end, lines })),
                            Some(&byte) if byte == delimiter => {
                                start = end + 1;
                                at = start;
                            }
                            Some(_) => return Ok(self.after_line(end)?.map(|end| Parsed { end, lines })),
                        }
                    }
                }
                continue;
            }
            self.plain(start..stop);
            if byte == delimiter {
                start = stop + 1;
                at = start;
                continue;
            }
            return Ok(self.after_line(stop)?.map(|end| Parsed { end, lines }));
        }
    }

    fn plain(&mut self, range: Range<usize>) {
        self.fields.push(Field { range, unescaped: false, quoted: false, is_null: false });
    }

    /// Reads a field with quotes, from `start` on with the first quote at `first`. Returns where it ends; `None` if
    /// more is needed.
    fn quoted(&mut self, start: usize, first: usize, lines: &mut u64) -> Result<Option<usize>> {
        let CopyStyle { delimiter, quote, escape, .. } = self.style;
        let data = &self.buffer[..self.filled];
        let from = self.scratch.len();
        self.scratch.extend_from_slice(&data[start..first]);
        let mut at = first + 1;
        let mut inside = true;
        loop {
            let Some(&byte) = data.get(at) else {
                if !self.ended {
                    return Ok(None);
                }
                if inside {
                    return Err(DataError::CopyUnterminatedQuote.into());
                }
                break;
            };
            if inside {
                let run = if escape == quote {
                    memchr2(quote, b'\n', &data[at..])
                } else {
                    memchr3(quote, escape, b'\n', &data[at..])
                };
                let run = run.unwrap_or(data.len() - at);
                if run > 0 {
                    self.scratch.extend_from_slice(&data[at..at + run]);
                    at += run;
                    continue;
                }
                if byte == escape {
                    match data.get(at + 1) {
                        Some(&next) if next == quote || next == escape => {
                            self.scratch.push(next);
                            at += 2;
                            continue;
                        }
                        None if !self.ended => return Ok(None),
                        _ => {}
                    }
                }
                if byte == quote {
                    inside = false;
                } else {
                    *lines += u64::from(byte == b'\n');
                    self.scratch.push(byte);
                }
                at += 1;
            } else if byte == delimiter || byte == b'\n' || byte == b'\r' {
                break;
            } else if byte == quote {
                inside = true;
                at += 1;
            } else {
                self.scratch.push(byte);
                at += 1;
            }
        }
        let range = from..self.scratch.len();
        self.fields.push(Field { range, unescaped: true, quoted: true, is_null: false });
        Ok(Some(at))
    }

    fn parse_text(&mut self) -> Result<Option<Parsed>> {
        if self.at == self.filled {
            return Ok(None);
        }
        let data = &self.buffer[..self.filled];
        // A line ends at a line feed or carriage return that no backslash stands before.
        let mut at = self.at;
        let mut lines = 1;
        let stop = loop {
            match memchr3(b'\n', b'\r', b'\\', &data[at..]) {
                None if self.ended => break self.filled,
                None => return Ok(None),
                Some(found) if data[at + found] == b'\\' => {
                    at += found + 1;
                    let Some(&next) = data.get(at) else {
                        if self.ended { break self.filled } else { return Ok(None) }
                    };
                    lines += u64::from(next == b'\n');
                    at += 1;
                    if at > data.len() {
                        return Ok(None);
                    }
                }
                Some(found) => break at + found,
            }
        };
        let end = if stop == self.filled { Some(stop) } else { self.after_line(stop)? };
        let Some(end) = end else { return Ok(None) };
        let mut start = self.at;
        let delimiter = self.style.delimiter;
        loop {
            let mut cut = start;
            let field_end = loop {
                let data = &self.buffer[..stop];
                match memchr2(delimiter, b'\\', &data[cut..]) {
                    None => break stop,
                    Some(found) if data[cut + found] == b'\\' => cut = (cut + found + 2).min(stop),
                    Some(found) => break cut + found,
                }
            };
            self.text_field(start..field_end);
            if field_end == stop {
                return Ok(Some(Parsed { end, lines }));
            }
            start = field_end + 1;
        }
    }

    fn text_field(&mut self, range: Range<usize>) {
        let raw = &self.buffer[range.clone()];
        let is_null = *raw == *self.style.null;
        if is_null || memchr(b'\\', raw).is_none() {
            self.fields.push(Field { range, unescaped: false, quoted: false, is_null });
            return;
        }
        let from = self.scratch.len();
        unescape(raw, &mut self.scratch);
        let range = from..self.scratch.len();
        self.fields.push(Field { range, unescaped: true, quoted: false, is_null });
    }
}

#[cold]
fn mixed_line_ends(csv: bool, feed: bool) -> Error {
    let (what, escape) = if feed { ("newline", "\\n") } else { ("carriage return", "\\r") };
    let error = Error::from(DataError::CopyLineEnd { kind: if csv { "unquoted" } else { "literal" }, what });
    error.with_hint(if csv {
        format!("Use quoted CSV field to represent {what}.")
    } else {
        format!("Use \"{escape}\" to represent {what}.")
    })
}

struct Parsed {
    end: usize,
    lines: u64,
}

/// `\.` alone on its line ends the data.
fn is_end_mark(record: &[u8]) -> bool {
    matches!(record, b"\\." | b"\\.\n" | b"\\.\r\n" | b"\\.\r")
}

/// Takes the backslashes of the text format out.
fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < raw.len() {
        if raw[at] != b'\\' || at + 1 == raw.len() {
            out.push(raw[at]);
            at += 1;
            continue;
        }
        let byte = raw[at + 1];
        at += 2;
        let digits = |from: usize, most: usize, base: u32| {
            raw[from..].iter().take(most).take_while(|&&b| char::from(b).is_digit(base)).count()
        };
        let number = |range: Range<usize>, base: u32| {
            let text = std::str::from_utf8(&raw[range]).unwrap_or_default();
            (u32::from_str_radix(text, base).unwrap_or(0) & 0xff) as u8
        };
        match byte {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'0'..=b'7' => {
                let count = digits(at - 1, 3, 8);
                out.push(number(at - 1..at - 1 + count, 8));
                at += count - 1;
            }
            b'x' if digits(at, 2, 16) > 0 => {
                let count = digits(at, 2, 16);
                out.push(number(at..at + count, 16));
                at += count;
            }
            other => out.push(other),
        }
    }
}
