//! The border to C. Every entry point runs its body in [`enter`], where an error becomes a status with an object
//! and a panic ends; arguments become references and slices here and nowhere else.

use crate::error::Error;
use crate::status::Status;
use rustdb::error::StatementError;
use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// As a length: the text ends at its NUL. The header has it from cbindgen.toml, since C spells the number its way.
pub(crate) const RUSTDB_NUL_TERMINATED: usize = usize::MAX;

/// Why a call does not end with `RUSTDB_OK`.
pub(crate) enum Failure {
    /// The engine refused.
    Engine(rustdb::Error),
    /// The caller broke a rule of the header.
    Misuse(&'static str),
    /// There is no parameter or column of this number.
    Range { what: &'static str, number: usize, count: usize },
    /// A handle with children.
    Busy(&'static str),
    /// A fault of ours, with the panic's message.
    Internal(String),
}

impl From<rustdb::Error> for Failure {
    fn from(error: rustdb::Error) -> Self {
        Self::Engine(error)
    }
}

impl Failure {
    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Internal(message.unwrap_or_else(|| "a panic without a message".to_owned()))
    }
}

/// Runs the body of an entry point. `err` is set: to null, or to the error that goes with the status.
///
/// # Safety
/// `err` is null or may be written to.
pub(crate) unsafe fn enter(err: *mut *mut Error, body: impl FnOnce() -> Result<Status, Failure>) -> Status {
    let caught = catch_unwind(AssertUnwindSafe(body));
    let outcome = caught.unwrap_or_else(|panic| Err(Failure::of_panic(panic.as_ref())));
    let (status, error) = match outcome {
        Ok(status) => (status, ptr::null_mut()),
        Err(failure) => {
            let error = Error::new(&failure);
            let status = error.status;
            (status, if err.is_null() { ptr::null_mut() } else { Box::into_raw(Box::new(error)) })
        }
    };
    // SAFETY: the caller vouches for `err`.
    unsafe { write(err, error) };
    status
}

/// Runs the body of an entry point that cannot fail; a panic gives `fallback`.
pub(crate) fn enter_infallible<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Writes through an out-pointer, if there is one.
///
/// # Safety
/// `out` is null or may be written to.
pub(crate) unsafe fn write<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { out.write(value) };
    }
}

/// Gives a new object to the caller through `out`.
///
/// # Safety
/// `out` may be written to.
pub(crate) unsafe fn hand_out<T>(out: *mut *mut T, object: T) {
    // SAFETY: the caller vouches for `out`.
    unsafe { out.write(Box::into_raw(Box::new(object))) };
}

/// Checks an out-pointer that must be given, and sets it to null until there is a result.
///
/// # Safety
/// `out` is null or may be written to.
pub(crate) unsafe fn require_out<T>(out: *mut *mut T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::Misuse("the out-pointer is null"));
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { out.write(ptr::null_mut()) };
    Ok(())
}

/// The object behind a handle.
///
/// # Safety
/// `handle` is null or came from this library and was not freed.
pub(crate) unsafe fn object<'a, T>(handle: *const T) -> Result<&'a T, Failure> {
    // SAFETY: the caller vouches for it.
    unsafe { handle.as_ref() }.ok_or(Failure::Misuse("the handle is null"))
}

/// The object behind a handle that one thread uses at a time.
///
/// # Safety
/// As [`object`], and no other call uses the handle meanwhile.
pub(crate) unsafe fn object_mut<'a, T>(handle: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller vouches for it.
    unsafe { handle.as_mut() }.ok_or(Failure::Misuse("the handle is null"))
}

/// The text of an argument.
///
/// # Safety
/// `text` is null, or has `length` bytes, or ends at a NUL if `length` is [`RUSTDB_NUL_TERMINATED`].
pub(crate) unsafe fn text<'a>(text: *const c_char, length: usize) -> Result<&'a str, Failure> {
    let bytes = if length == RUSTDB_NUL_TERMINATED && !text.is_null() {
        // SAFETY: not null, and the caller vouches for the NUL.
        unsafe { CStr::from_ptr(text) }.to_bytes()
    } else {
        // SAFETY: the caller vouches for the length.
        unsafe { bytes(text.cast(), length) }?
    };
    std::str::from_utf8(bytes)
        .map_err(|_| Failure::Engine(StatementError::InvalidEncoding { encoding: "UTF8" }.into()))
}

/// The bytes of an argument; a null pointer is right for none.
///
/// # Safety
/// `data` is null or has `length` bytes.
pub(crate) unsafe fn bytes<'a>(data: *const u8, length: usize) -> Result<&'a [u8], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::Misuse("the data is null"));
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::Misuse("the length is beyond any object's"));
    }
    // SAFETY: not null, a possible length, and the caller vouches for the bytes.
    Ok(unsafe { std::slice::from_raw_parts(data, length) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{rustdb_error_free, rustdb_error_message, rustdb_error_sqlstate};

    #[test]
    fn a_panic_ends_at_the_border() {
        let mut error = ptr::null_mut();
        // SAFETY: the pointer may be written to.
        let status = unsafe { enter(&raw mut error, || panic!("number {}", 7)) };
        assert_eq!(status, Status::RustdbInternal);
        // SAFETY: the error was just made, and is freed once.
        unsafe {
            assert_eq!(CStr::from_ptr(rustdb_error_sqlstate(error)), c"XX000");
            assert_eq!(CStr::from_ptr(rustdb_error_message(error)), c"number 7");
            rustdb_error_free(error);
        }
        assert_eq!(enter_infallible(3, || panic!("lost")), 3);
    }

    #[test]
    fn success_clears_the_error() {
        let mut error = ptr::dangling_mut();
        // SAFETY: the pointer may be written to.
        let status = unsafe { enter(&raw mut error, || Ok(Status::RustdbOk)) };
        assert!(status == Status::RustdbOk && error.is_null());
    }
}
