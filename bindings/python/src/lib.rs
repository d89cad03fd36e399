//! The native half of the Python package `rustdb`: connections and cursors, and values both ways. Exceptions, type
//! objects and everything that needs no speed are Python, in `python/rustdb`.

mod connection;
mod cursor;
mod error;
mod lock;
mod value;

use pyo3::prelude::*;

/// The native half of the package.
#[pymodule(gil_used = false)]
fn _rustdb(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<cursor::Cursor>()
}
