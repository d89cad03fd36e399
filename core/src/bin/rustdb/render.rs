//! Rows as text, in one of several forms.

use crate::quote::{is_number, literal};
use rustdb::types::DataType;
use rustdb::{Column, Result, Rows};
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// Rows of a box that are shown before the middle is left out.
const MAX_BOX_ROWS: usize = 1000;

/// How rows are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Mode {
    /// A table with borders, names and types.
    Box,
    /// Columns of equal width.
    Column,
    /// Values with bars between them.
    List,
    /// A line for each value.
    Line,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonlines,
    /// A table of Markdown.
    Markdown,
    /// INSERT statements.
    Insert,
    /// SQL literals.
    Quote,
    /// Nothing.
    Null,
}

/// How results look.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) mode: Mode,
    pub(crate) header: bool,
    pub(crate) null: String,
}

type Cells = Vec<Option<String>>;

/// Prints a result to its end.
pub(crate) fn print(rows: &mut Rows, style: &Style, out: &mut dyn Write) -> Result<()> {
    let columns = rows.columns().to_vec();
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    match style.mode {
        Mode::Box | Mode::Column | Mode::Markdown => print_table(rows, &columns, style, out),
        _ => {
            let mut count = 0;
            before(&names, style, out);
            while let Some(row) = rows.next()? {
                let cells: Cells =
                    (0..columns.len()).map(|column| row.text(column)).collect::<Result<_>>()?;
                write_row(&names, &columns, &cells, count, style, out);
                count += 1;
            }
            if style.mode == Mode::Json {
                put(out, if count == 0 { "[]\n" } else { "]\n" });
            }
            Ok(())
        }
    }
}

/// A reader that has gone is told by the next statement's silence; nothing is lost by it.
fn put(out: &mut dyn Write, text: &str) {
    out.write_all(text.as_bytes()).ok();
}

fn before(names: &[&str], style: &Style, out: &mut dyn Write) {
    if !style.header {
        return;
    }
    let separator = match style.mode {
        Mode::List => "|",
        Mode::Csv => ",",
        Mode::Tsv => "\t",
        _ => return,
    };
    let quoted: Vec<String> = names
        .iter()
        .map(|name| if style.mode == Mode::Csv { csv(name) } else { (*name).to_owned() })
        .collect();
    put(out, &format!("{}\n", quoted.join(separator)));
}

fn write_row(
    names: &[&str],
    columns: &[Column],
    cells: &Cells,
    number: u64,
    style: &Style,
    out: &mut dyn Write,
) {
    let shown = |cell: &Option<String>| cell.clone().unwrap_or_else(|| style.null.clone());
    let line = match style.mode {
        Mode::List => cells.iter().map(shown).collect::<Vec<_>>().join("|"),
        Mode::Tsv => {
            cells.iter().map(|cell| shown(cell).replace(['\t', '\n'], " ")).collect::<Vec<_>>().join("\t")
        }
        Mode::Csv => {
            let field = |cell: &Option<String>| cell.as_deref().map_or_else(|| style.null.clone(), csv);
            cells.iter().map(field).collect::<Vec<_>>().join(",")
        }
        Mode::Line => {
            let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
            let lines = names
                .iter()
                .zip(cells)
                .map(|(name, cell)| format!("{}{name} = {}", " ".repeat(width - name.width()), shown(cell)));
            let gap = if number > 0 { "\n" } else { "" };
            format!("{gap}{}", lines.collect::<Vec<_>>().join("\n"))
        }
        Mode::Json | Mode::Jsonlines => {
            let member = |((name, column), cell): ((&&str, &Column), &Option<String>)| {
                format!("{}:{}", json(name), json_value(cell.as_deref(), &column.ty))
            };
            let members: Vec<String> = names.iter().zip(columns).zip(cells).map(member).collect();
            let begin = match style.mode {
                Mode::Jsonlines => "",
                _ if number == 0 => "[",
                _ => ",\n",
            };
            put(out, &format!("{begin}{{{}}}", members.join(",")));
            if style.mode == Mode::Jsonlines {
                put(out, "\n");
            }
            return;
        }
        Mode::Quote | Mode::Insert => {
            let values: Vec<String> = columns
                .iter()
                .zip(cells)
                .map(|(column, cell)| literal(cell.as_deref(), &column.ty))
                .collect();
            let values = values.join(",");
            if style.mode == Mode::Insert { format!("INSERT INTO tab VALUES({values});") } else { values }
        }
        Mode::Null | Mode::Box | Mode::Column | Mode::Markdown => return,
    };
    put(out, &format!("{line}\n"));
}

fn print_table(rows: &mut Rows, columns: &[Column], style: &Style, out: &mut dyn Write) -> Result<()> {
    let mut cells: Vec<Cells> = Vec::new();
    let mut count = 0_u64;
    while let Some(row) = rows.next()? {
        count += 1;
        if cells.len() < MAX_BOX_ROWS || style.mode != Mode::Box {
            cells.push((0..columns.len()).map(|column| row.text(column)).collect::<Result<_>>()?);
        }
    }
    let shown = |cell: &Option<String>| match cell {
        Some(text) => text.replace('\n', "\\n"),
        None => style.null.clone(),
    };
    let boxed = style.mode == Mode::Box;
    let null = |cell: &Option<String>| {
        if boxed && cell.is_none() && style.null.is_empty() { "NULL".to_owned() } else { shown(cell) }
    };
    let table: Vec<Vec<String>> = cells.iter().map(|row| row.iter().map(null).collect()).collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
    let types: Vec<String> = columns.iter().map(|column| column.ty.to_string()).collect();
    if boxed {
        widths.iter_mut().zip(&types).for_each(|(width, ty)| *width = (*width).max(ty.width()));
    }
    for row in &table {
        widths.iter_mut().zip(row).for_each(|(width, text)| *width = (*width).max(text.width()));
    }
    let numeric: Vec<bool> = columns.iter().map(|column| is_number(&column.ty)).collect();
    let line = |texts: Vec<&str>, edge: &str, right: bool| {
        let padded = texts.iter().zip(&widths).zip(&numeric).map(|((text, width), numeric)| {
            let space = " ".repeat(width.saturating_sub(text.width()));
            if right && *numeric { format!("{space}{text}") } else { format!("{text}{space}") }
        });
        let joined = padded.collect::<Vec<_>>().join(&format!(" {edge} "));
        if edge.trim().is_empty() {
            format!("{}\n", joined.trim_end())
        } else {
            format!("{edge} {joined} {edge}\n")
        }
    };
    let rule = |left: char, middle: &str, right: char, dash: &str| {
        let dashes: Vec<String> = widths.iter().map(|width| dash.repeat(width + 2)).collect();
        format!("{left}{}{right}\n", dashes.join(middle))
    };
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    match style.mode {
        Mode::Box => {
            put(out, &rule('\u{250c}', "\u{252c}", '\u{2510}', "\u{2500}"));
            put(out, &line(names, "\u{2502}", false));
            put(out, &line(types.iter().map(String::as_str).collect(), "\u{2502}", false));
            put(out, &rule('\u{251c}', "\u{253c}", '\u{2524}', "\u{2500}"));
        }
        Mode::Markdown => {
            put(out, &line(names, "|", false));
            put(out, &rule('|', "|", '|', "-"));
        }
        _ if style.header => {
            put(out, &line(names, "", false));
            let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            put(out, &format!("{}\n", dashes.join("  ")));
        }
        _ => {}
    }
    let edge = match style.mode {
        Mode::Box => "\u{2502}",
        Mode::Markdown => "|",
        _ => "",
    };
    for row in &table {
        put(out, &line(row.iter().map(String::as_str).collect(), edge, true));
    }
    if boxed {
        put(out, &rule('\u{2514}', "\u{2534}", '\u{2518}', "\u{2500}"));
        let left_out = count - table.len() as u64;
        let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        put(
            out,
            &if left_out > 0 { format!("{rows} ({left_out} not shown)\n") } else { format!("{rows}\n") },
        );
    }
    Ok(())
}

fn csv(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn json_value(cell: Option<&str>, ty: &DataType) -> String {
    match cell {
        None => "null".to_owned(),
        Some(text) if *ty == DataType::Boolean => if text == "t" { "true" } else { "false" }.to_owned(),
        Some(text) if is_number(ty) && text.parse::<f64>().is_ok_and(f64::is_finite) => text.to_owned(),
        Some(text) => json(text),
    }
}
