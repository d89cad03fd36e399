//! Values from and to Python.

use crate::error::{OrRaise, raise};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyMemoryView, PyString, PyTuple};
use rustdb::types::datetime::{CivilDate, CivilTime, split_timestamp};
use rustdb::types::{Chunk, DataType, Decimal, Interval, TimeContext, Vector};
use rustdb::{Column, Value};

/// Days from 0001-01-01, where Python counts from, to 2000-01-01, where the engine does, as `date.toordinal`.
const EPOCH_ORDINAL: i32 = 730_120;

/// What is needed of Python's library.
struct Library {
    date: Py<PyAny>,
    time: Py<PyAny>,
    datetime: Py<PyAny>,
    timedelta: Py<PyAny>,
    utc: Py<PyAny>,
    decimal: Py<PyAny>,
    uuid: Py<PyAny>,
    interval: Py<PyAny>,
}

fn library(py: Python<'_>) -> PyResult<&Library> {
    static LIBRARY: PyOnceLock<Library> = PyOnceLock::new();
    LIBRARY.get_or_try_init(py, || {
        let datetime = py.import("datetime")?;
        let get = |name: &str| PyResult::Ok(datetime.getattr(name)?.unbind());
        Ok(Library {
            date: get("date")?,
            time: get("time")?,
            datetime: get("datetime")?,
            timedelta: get("timedelta")?,
            utc: datetime.getattr("timezone")?.getattr("utc")?.unbind(),
            decimal: py.import("decimal")?.getattr("Decimal")?.unbind(),
            uuid: py.import("uuid")?.getattr("UUID")?.unbind(),
            interval: py.import("rustdb.interval")?.getattr("Interval")?.unbind(),
        })
    })
}

/// The rows of a chunk that count, as tuples.
pub(crate) fn rows<'py>(
    py: Python<'py>,
    chunk: &Chunk,
    columns: &[Column],
    range: std::ops::Range<usize>,
) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let selected: Vec<usize> = chunk.rows().skip(range.start).take(range.len()).collect();
    let mut cells: Vec<std::vec::IntoIter<Bound<'py, PyAny>>> = Vec::with_capacity(columns.len());
    for (vector, column) in chunk.columns.iter().zip(columns) {
        cells.push(column_values(py, vector, column, &selected)?.into_iter());
    }
    let row = |_| PyTuple::new(py, cells.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>());
    selected.iter().map(row).collect()
}

fn column_values<'py>(
    py: Python<'py>,
    vector: &Vector,
    column: &Column,
    rows: &[usize],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let ty = column.value_type;
    if matches!(ty, DataType::Text | DataType::VarChar(_)) {
        let text = |&row: &usize| match vector.str_at(row) {
            Some(text) => PyString::new(py, text).into_any(),
            None => py.None().into_bound(py),
        };
        return Ok(rows.iter().map(text).collect());
    }
    rows.iter().map(|&row| to_python(py, vector.value_at(row, &ty), &column.ty)).collect()
}

/// A value as a Python object.
fn to_python<'py>(py: Python<'py>, value: Value, ty: &DataType) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Boolean(value) => PyBool::new(py, value).to_owned().into_any(),
        Value::SmallInt(value) => value.into_pyobject(py)?.into_any(),
        Value::Integer(value) => value.into_pyobject(py)?.into_any(),
        Value::BigInt(value) => value.into_pyobject(py)?.into_any(),
        Value::Real(value) => f64::from(value).into_pyobject(py)?.into_any(),
        Value::Double(value) => value.into_pyobject(py)?.into_any(),
        Value::Numeric(value) => library(py)?.decimal.bind(py).call1((value.to_string(),))?,
        text @ Value::Text(_) => {
            let text = text.to_text(ty, &TimeContext::default()).unwrap_or_default();
            PyString::new(py, &text).into_any()
        }
        Value::Bytea(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::Date(days) => {
            let ordinal = i64::from(days) + i64::from(EPOCH_ORDINAL);
            library(py)?
                .date
                .bind(py)
                .call_method1("fromordinal", (ordinal,))
                .map_err(|_| out_of_range(py, "date"))?
        }
        Value::Time(micros) => {
            let CivilTime { hour, minute, second, micros } = CivilTime::from_micros(micros);
            let time = library(py)?.time.bind(py).call1((hour, minute, second, micros));
            time.map_err(|_| out_of_range(py, "time"))?
        }
        Value::Timestamp(micros) => timestamp(py, micros, None)?,
        Value::TimestampTz(micros) => timestamp(py, micros, Some(library(py)?.utc.bind(py)))?,
        Value::Interval(Interval { months, days, micros }) => {
            library(py)?.interval.bind(py).call1((months, days, micros))?
        }
        Value::Uuid(bytes) => {
            let kwargs = pyo3::types::PyDict::new(py);
            kwargs.set_item("bytes", PyBytes::new(py, &bytes))?;
            library(py)?.uuid.bind(py).call((), Some(&kwargs))?
        }
    })
}

fn out_of_range(py: Python<'_>, what: &str) -> PyErr {
    raise(py, "DataError", &format!("a {what} is beyond what Python's {what} can be; cast it to text"))
}

fn timestamp<'py>(
    py: Python<'py>,
    micros: i64,
    zone: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (days, time) = split_timestamp(micros);
    let CivilDate { year, month, day } = CivilDate::from_days(days);
    let CivilTime { hour, minute, second, micros } = CivilTime::from_micros(time);
    let made = library(py)?.datetime.bind(py).call1((year, month, day, hour, minute, second, micros, zone));
    made.map_err(|_| out_of_range(py, "datetime"))
}

/// A Python object as a value.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::Text(text.to_cow()?.into_owned().into()));
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Value::Boolean(value.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return match object.extract::<i64>() {
            Ok(value) => Ok(i32::try_from(value).map_or(Value::BigInt(value), Value::Integer)),
            Err(error) if error.is_instance_of::<PyOverflowError>(py) => decimal(object),
            Err(error) => Err(error),
        };
    }
    if let Ok(value) = object.cast::<PyFloat>() {
        return Ok(Value::Double(value.value()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytea(bytes.as_bytes().into()));
    }
    if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        let bytes = py.get_type::<PyBytes>().call1((object,))?;
        return Ok(Value::Bytea(bytes.cast::<PyBytes>()?.as_bytes().into()));
    }
    other_from_python(object)
}

fn decimal(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let text = object.str()?;
    let parsed = text.to_cow()?.parse::<Decimal>();
    parsed.map(Value::Numeric).or_raise(object.py())
}

fn other_from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    let library = library(py)?;
    let number = |name: &str| object.getattr(name)?.extract::<i64>();
    let time = || {
        PyResult::Ok(
            ((number("hour")? * 60 + number("minute")?) * 60 + number("second")?) * 1_000_000
                + number("microsecond")?,
        )
    };
    let days = || PyResult::Ok(object.call_method0("toordinal")?.extract::<i32>()? - EPOCH_ORDINAL);
    if object.is_instance(library.decimal.bind(py))? {
        return decimal(object);
    }
    if object.is_instance(library.datetime.bind(py))? {
        let local = i64::from(days()?) * 86_400_000_000 + time()?;
        let offset = object.call_method0("utcoffset")?;
        if offset.is_none() {
            return Ok(Value::Timestamp(local));
        }
        return Ok(Value::TimestampTz(local - delta_micros(&offset)?));
    }
    if object.is_instance(library.date.bind(py))? {
        return Ok(Value::Date(days()?));
    }
    if object.is_instance(library.time.bind(py))? {
        return Ok(Value::Time(time()?));
    }
    if object.is_instance(library.timedelta.bind(py))? {
        let days = i32::try_from(number("days")?)?;
        let micros = number("seconds")? * 1_000_000 + number("microseconds")?;
        return Ok(Value::Interval(Interval::new(0, days, micros)));
    }
    if object.is_instance(library.uuid.bind(py))? {
        return Ok(Value::Uuid(object.getattr("bytes")?.extract()?));
    }
    if object.is_instance(library.interval.bind(py))? {
        let (months, days) = (object.getattr("months")?.extract()?, object.getattr("days")?.extract()?);
        return Ok(Value::Interval(Interval::new(months, days, number("microseconds")?)));
    }
    let message = format!("cannot adapt type '{}'", object.get_type().name()?);
    Err(raise(py, "ProgrammingError", &message))
}

fn delta_micros(delta: &Bound<'_, PyAny>) -> PyResult<i64> {
    let number = |name: &str| delta.getattr(name)?.extract::<i64>();
    Ok((number("days")? * 86_400 + number("seconds")?) * 1_000_000 + number("microseconds")?)
}
