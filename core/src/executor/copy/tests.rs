use super::*;
use crate::executor::ChunkSource;
use crate::parser::{ast::StatementKind, parse};
use crate::types::{Chunk, DataType, TimeContext};

/// Gives its bytes a few at a time.
struct Trickle<'a>(&'a [u8], usize);

impl ByteSource for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn options(text: &str) -> CopyOptions {
    let statement = parse(&format!("COPY t FROM 'f' ({text})")).unwrap().remove(0);
    match statement.kind {
        StatementKind::Copy(copy) => copy.options,
        other => panic!("{other:?}"),
    }
}

/// The rows of `data` with columns a text, b text, or the error with its context.
fn read(data: &str, with: &str) -> String {
    let one = read_in_pieces(data, with, usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(read_in_pieces(data, with, piece), one, "in pieces of {piece}");
    }
    one
}

fn read_in_pieces(data: &str, with: &str, piece: usize) -> String {
    let columns = [("a".to_owned(), DataType::Text), ("b".to_owned(), DataType::Text)];
    let style = CopyStyle::new(&options(with), &["a", "b"]);
    let mut reader =
        CopyReader::new(Trickle(data.as_bytes(), piece), style, "t", columns, TimeContext::default());
    let mut out = Vec::new();
    let mut chunk = Chunk::default();
    loop {
        match reader.next(&mut chunk) {
            Ok(false) => return out.join(";"),
            Ok(true) => {}
            Err(error) => return format!("{} {error} {}", error.sqlstate().0, error.context().unwrap_or("")),
        }
        for row in 0..chunk.len {
            let field = |column: usize| {
                chunk.columns[column]
                    .str_at(row)
                    .map_or_else(|| "NULL".to_owned(), |text| format!("<{text}>"))
            };
            out.push(field(0) + &field(1));
        }
    }
}

#[test]
fn csv_is_read_as_postgresql_reads_it() {
    for (data, with, expected) in [
        ("1,2\n3,4\n", "format csv", "<1><2>;<3><4>"),
        ("1,2\r\n3,4", "format csv", "<1><2>;<3><4>"),
        ("a,b\n1,2\n", "format csv, header", "<1><2>"),
        ("1,\n,2\n", "format csv", "<1>NULL;NULL<2>"),
        ("\"\",\"x\"\n", "format csv", "<><x>"),
        ("\"a\"\"b\",\"c,d\ne\"\n", "format csv", "<a\"b><c,d\ne>"),
        ("x\"y\"z,2\n", "format csv", "<xyz><2>"),
        ("'a\\'b',2\n", "format csv, quote '''', escape '\\'", "<a'b><2>"),
        ("NA,1\n\"NA\",2\n", "format csv, null 'NA'", "NULL<1>;<NA><2>"),
        ("\"NA\",NA\n", "format csv, null 'NA', force_null (a), force_not_null (b)", "NULL<NA>"),
        ("1|2\n", "format csv, delimiter '|'", "<1><2>"),
        ("1,2\n\\.\n3,4\n", "format csv", "<1><2>"),
        ("", "format csv", ""),
        ("a,b", "format csv, header", ""),
        ("1\n", "format csv", "22P04 missing data for column \"b\" COPY t, line 1"),
        ("1,2\n1,2,3\n", "format csv", "22P04 extra data after last expected column COPY t, line 2"),
        ("\"x\ny\",2\n1\n", "format csv", "22P04 missing data for column \"b\" COPY t, line 3"),
        ("a,b\r\n1,\"x\ny\"\r\n", "format csv, header", "<1><x\ny>"),
        ("a,b\r1,2\r3,4", "format csv, header", "<1><2>;<3><4>"),
        ("a,b\n1,2\r\n", "format csv, header", "22P04 unquoted carriage return found in data COPY t, line 2"),
        ("a,b\r\n1,2\n", "format csv, header", "22P04 unquoted newline found in data COPY t, line 2"),
        ("a,b\r1,2\r\n", "format csv, header", "22P04 unquoted newline found in data COPY t, line 3"),
        ("a,b\r\n1,2\r3,4\r\n", "format csv", "22P04 unquoted carriage return found in data COPY t, line 2"),
        (
            "a\0,b\n1,2\n",
            "format csv, header",
            "22021 invalid byte sequence for encoding \"UTF8\" COPY t, line 1",
        ),
        ("1,\"2\n", "format csv", "22P04 unterminated CSV quoted field COPY t, line 1"),
        (
            "a,c\n",
            "format csv, header match",
            "22P04 column name mismatch in header line field 2: got \"c\", expected \"b\" COPY t, line 1",
        ),
    ] {
        assert_eq!(read(data, with), expected, "{data:?} with {with}");
    }
}

#[test]
fn text_is_read_as_postgresql_reads_it() {
    for (data, with, expected) in [
        ("1\t2\n", "format text", "<1><2>"),
        ("\\N\tx\\ty\n", "format text", "NULL<x\ty>"),
        ("\\\\N\t\n", "format text", "<\\N><>"),
        ("a\\\nb\tc\n", "format text", "<a\nb><c>"),
        ("\\101\\x42\t\\q\n", "format text", "<AB><q>"),
        ("1|2\n\\.\nrest", "format text, delimiter '|'", "<1><2>"),
        ("1\t2\r\n", "format text", "<1><2>"),
        ("a\tb\n1\t2\r\n", "format text", "22P04 literal carriage return found in data COPY t, line 2"),
        ("a\tb\r1\t2\n", "format text", "22P04 literal newline found in data COPY t, line 2"),
        ("1\n", "format text", "22P04 missing data for column \"b\" COPY t, line 1"),
    ] {
        assert_eq!(read(data, with), expected, "{data:?} with {with}");
    }
}

#[test]
fn numbers_and_dates_come_from_their_bytes_as_from_their_text() {
    let cases: [(DataType, &[&str]); 4] = [
        (
            DataType::Integer,
            &[
                "0",
                "-5",
                "2147483647",
                "-2147483648",
                "2147483648",
                " 7 ",
                "+3",
                "",
                "1e3",
                "99999999999999999999",
            ],
        ),
        (DataType::BigInt, &["123456789012345678", "-1", "9223372036854775807", "9223372036854775808"]),
        (
            DataType::Numeric { precision: 6, scale: 2 },
            &["1", "1.5", "-1.25", "1.005", "9999.99", "10000", ".5", "5.", "-", "1.2.3", "NaN", "0.001"],
        ),
        (DataType::Date, &["2000-01-31", "1999-02-28", "2001-02-29", "2000-1-1", "infinity", "0000-01-01"]),
    ];
    let times = TimeContext::default();
    for (ty, texts) in cases {
        for text in texts {
            let mut chunk = Chunk::of_types(&[ty]);
            let pushed = fields::push(text.as_bytes(), &ty, &times, chunk.columns[0].writer());
            let parsed = crate::types::Value::parse(text, &ty, &times);
            match (pushed, parsed) {
                (Ok(()), Ok(value)) => assert_eq!(
                    chunk.columns[0].value_at(0, &ty).to_text(&ty, &times),
                    value.to_text(&ty, &times),
                    "{text} as {ty}"
                ),
                (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string()),
                (pushed, parsed) => panic!("{text} as {ty}: {pushed:?} {parsed:?}"),
            }
        }
    }
}
