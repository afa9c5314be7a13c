//! Calls into code of the user's: a panic there becomes an error here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};

/// What `work` gives; where it panics, an error that names `source` and the panic's message.
///
/// What `work` was writing to may be half written after a panic: callers drop it or write all of it again.
pub(crate) fn guarded<T>(source: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        let found = format!("a panic: {}", text.unwrap_or("without a message"));
        Err(Error::data(source, "its values", found))
    })
}
