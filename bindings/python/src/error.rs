//! The engine's errors as exceptions of `rustdb.exceptions`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// `rustdb.exceptions.from_engine`, which chooses the class by the SQLSTATE.
fn factory(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FACTORY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let factory = FACTORY.get_or_try_init(py, || {
        PyResult::Ok(py.import("rustdb.exceptions")?.getattr("from_engine")?.unbind())
    })?;
    Ok(factory.bind(py))
}

/// The exception for an error.
pub(crate) fn exception(py: Python<'_>, error: &rustdb::Error) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let fields = PyDict::new(py);
        fields.set_item("message", error.to_string())?;
        fields.set_item("sqlstate", error.sqlstate().0)?;
        fields.set_item("detail", error.detail())?;
        fields.set_item("hint", error.hint())?;
        fields.set_item("context", error.context())?;
        fields.set_item("position", error.position())?;
        fields.set_item("constraint_name", error.constraint())?;
        fields.set_item("table_name", error.table())?;
        fields.set_item("column_name", error.column())?;
        Ok(PyErr::from_value(factory(py)?.call((), Some(&fields))?))
    };
    made().unwrap_or_else(|failed| failed)
}

/// The exception `InterfaceError` or one of its sisters, with a message.
pub(crate) fn raise(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let class = py.import("rustdb.exceptions")?.getattr(class)?;
        Ok(PyErr::from_value(class.call1((message,))?))
    };
    made().unwrap_or_else(|failed| failed)
}

/// Turns the engine's results into Python's.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for rustdb::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
