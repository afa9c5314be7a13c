//! Work in pieces on all cores.
//!
//! What always holds: the pieces follow from the problem, never from the number of threads, and results come in the order of
//! the pieces; so every metric has the same bits on one core as on many.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};

/// Numbers that a piece of work may hold in a tile: 8 MiB of them.
const TILE: usize = 1 << 20;

/// How many of `rows` fit into one tile, each beside `columns` others.
pub(super) fn rows_a_tile(columns: usize) -> usize {
    (TILE / columns.max(1)).clamp(1, 256)
}

/// `work` for the pieces of `0..items`, each of `piece` items but the last one.
///
/// # Errors
/// The first that a piece has.
pub(super) fn pieces<T: Send>(
    items: usize,
    piece: usize,
    work: impl Fn(Range<usize>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let count = items.div_ceil(piece);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index * piece..items.min((index + 1) * piece))));
        }
    };
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads().min(count)).map(|_| scope.spawn(worker)).collect();
        let mut all = worker();
        for other in others {
            all.extend(other.join().map_err(|_| Error::device("a thread of a metric panicked"))?);
        }
        Ok::<_, Error>(all)
    })?;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(not(test))]
fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
thread_local! {
    /// How many threads the metrics take that this thread calls.
    static THREADS: std::cell::Cell<usize> = const { std::cell::Cell::new(2) };
}

#[cfg(test)]
fn threads() -> usize {
    THREADS.get()
}

/// `work`, with this many threads for its metrics.
#[cfg(test)]
pub(super) fn on_threads<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    let before = THREADS.replace(threads);
    let result = work();
    THREADS.set(before);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 7] {
            let ranges = on_threads(threads, || pieces(10, 3, Ok)).unwrap();
            assert_eq!(ranges, [0..3, 3..6, 6..9, 9..10]);
        }
        assert!(pieces(0, 3, Ok).unwrap().is_empty());
        let refused = pieces(10, 1, |at| if at.start < 4 { Ok(()) } else { Err(Error::device(at.start.to_string())) });
        assert!(refused.unwrap_err().to_string().ends_with('4'));
    }

    #[test]
    fn tiles_stay_small_beside_many_columns() {
        for columns in [0, 1, 100, 10_000, 1 << 19, 1 << 30] {
            let rows = rows_a_tile(columns);
            assert!((1..=256).contains(&rows) && (rows == 1 || rows * columns <= TILE));
        }
    }
}
