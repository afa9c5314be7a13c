//! Batches for the next steps, gathered on a thread of their own while the current step runs.
//!
//! What always holds: a step gets the batches that [`Loader::load`] would give it, or the error; what was gathered for steps
//! that never come is dropped; buffers go round between the thread and the training loop and none is made after the first
//! steps; the thread ends when its [`Feed`] is dropped, also in a panic.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use super::loader::{Batches, Loader};
use crate::error::{Error, Result};

/// Where a training loop gets its batches from, step after step.
pub(crate) enum Feed<'a> {
    /// Gathered when they are asked for.
    Inline(Loader<'a>, Batches),
    /// Gathered ahead.
    Ahead(Ahead),
}

/// The training loop's end of the thread that gathers.
pub(crate) struct Ahead {
    filled: Receiver<Filled>,
    emptied: SyncSender<Batches>,
    current: Option<Batches>,
}

/// What the thread hands over: the batches of a step, or why there are none.
struct Filled {
    step: u64,
    outcome: Result<Batches>,
}

impl<'a> Feed<'a> {
    /// Begins to gather for these steps, up to `ahead` of them before they are asked for; with 0, not before.
    pub(crate) fn begin<'scope>(
        mut loader: Loader<'a>,
        scope: &'scope Scope<'scope, '_>,
        steps: Range<u64>,
        ahead: usize,
    ) -> Result<Feed<'a>>
    where
        'a: 'scope,
    {
        let first = loader.take_buffers();
        if ahead == 0 || steps.is_empty() {
            return Ok(Feed::Inline(loader, first));
        }
        // One set of buffers is with the running step; the others wait to be filled or to be fetched.
        let (hand_over, filled) = sync_channel(ahead + 1);
        let (emptied, to_fill) = sync_channel(ahead + 1);
        for set in (0..ahead).map(|_| loader.buffers()).chain([first]) {
            // There is room for all of them, and the other end is here.
            let _ = emptied.send(set);
        }
        let thread = Builder::new().name("saddlepoint-data".to_string());
        let work = move || gather_ahead(loader, steps, &to_fill, &hand_over);
        thread.spawn_scoped(scope, work).map_err(|error| Error::device(format!("no thread to load data: {error}")))?;
        Ok(Feed::Ahead(Ahead { filled, emptied, current: None }))
    }

    /// The batches of this step; steps are asked for in their order.
    pub(crate) fn next(&mut self, step: u64) -> Result<&Batches> {
        match self {
            Feed::Inline(loader, batches) => {
                loader.gather(step, batches)?;
                Ok(batches)
            }
            Feed::Ahead(ahead) => ahead.next(step),
        }
    }
}

impl Ahead {
    fn next(&mut self, step: u64) -> Result<&Batches> {
        if let Some(used) = self.current.take() {
            // The thread is gone when it has gathered for the last step.
            let _ = self.emptied.send(used);
        }
        match self.filled.recv() {
            Ok(filled) if filled.step == step => Ok(self.current.insert(filled.outcome?)),
            Ok(filled) => Err(Error::device(format!("step {step} was asked for, step {} gathered", filled.step))),
            Err(_) => Err(Error::device(format!("nothing more is gathered at step {step}"))),
        }
    }
}

/// The thread: fills what is empty until the steps are over, a step fails, or nobody listens.
fn gather_ahead(mut loader: Loader<'_>, steps: Range<u64>, to_fill: &Receiver<Batches>, hand_over: &SyncSender<Filled>) {
    for step in steps {
        let Ok(mut batches) = to_fill.recv() else { return };
        let outcome = loader.gather(step, &mut batches).map(|()| batches);
        let failed = outcome.is_err();
        if hand_over.send(Filled { step, outcome }).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::array::{Column, Kind};
    use crate::source::loader::{FieldSpec, GroupSpec};
    use crate::source::{ColumnSpec, Source};
    use crate::tensor::Tensor;

    /// Numbers, with a message for every batch that is asked for; a bad batch panics.
    struct Watched {
        numbers: Tensor,
        gathered: Option<Mutex<Sender<usize>>>,
        batches: AtomicUsize,
        panics_at: usize,
    }

    fn watched(numbers: Tensor) -> Watched {
        Watched { numbers, gathered: None, batches: AtomicUsize::new(0), panics_at: usize::MAX }
    }

    impl Source for Watched {
        fn len(&self) -> usize {
            self.numbers.rows()
        }

        fn columns(&self) -> Vec<ColumnSpec> {
            self.numbers.columns()
        }

        fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
            let batch = self.batches.fetch_add(1, Ordering::SeqCst);
            assert!(batch != self.panics_at, "no more paper at batch {batch}");
            if let Some(gathered) = &self.gathered {
                let _ = gathered.lock().unwrap().send(batch);
            }
            self.numbers.copy_numbers(column, rows, out)
        }

        fn copy_classes(&self, _: usize, _: &[usize], _: &mut [i32]) -> Result<()> {
            unreachable!("there are only numbers")
        }
    }

    fn numbers() -> Tensor {
        Tensor::from_fn(23, |row| row as f32)
    }

    fn loader<'a>(source: &'a dyn Source) -> Loader<'a> {
        let x = FieldSpec { name: "x".into(), kind: Kind::Tensor, shape: vec![], needed: true };
        Loader::new(&[GroupSpec { name: "x".into(), fields: vec![x] }], &[source], 4, 2, 7).unwrap()
    }

    /// The numbers of every step, the addresses of their buffers, and the error that ended them.
    fn run(source: &dyn Source, steps: Range<u64>, ahead: usize) -> (Vec<Vec<f32>>, BTreeSet<usize>, Option<Error>) {
        std::thread::scope(|scope| {
            let mut feed = Feed::begin(loader(source), scope, steps.clone(), ahead).unwrap();
            let (mut seen, mut buffers) = (Vec::new(), BTreeSet::new());
            for step in steps {
                let batches = match feed.next(step) {
                    Ok(batches) => batches.columns(),
                    Err(error) => return (seen, buffers, Some(error)),
                };
                let mut numbers = Vec::new();
                for batch in &batches {
                    let Column::Tensor(x) = batch[0][0] else { panic!("x is numbers") };
                    numbers.extend(x.as_slice());
                    buffers.insert(x.as_slice().as_ptr() as usize);
                }
                seen.push(numbers);
            }
            (seen, buffers, None)
        })
    }

    #[test]
    fn batches_are_the_same_however_far_ahead_they_are_gathered() {
        let x = numbers();
        let (expected, ..) = run(&x, 0..30, 0);
        assert_eq!(expected.len(), 30);
        for ahead in [1, 2, 5, 40] {
            assert_eq!(run(&x, 0..30, ahead).0, expected);
            assert_eq!(run(&x, 11..30, ahead).0, expected[11..]);
        }
        assert!(run(&x, 5..5, 2).0.is_empty());
    }

    #[test]
    fn buffers_go_round() {
        // Two batches a step; one set with the step, the others on the way.
        for (ahead, sets) in [(0, 1), (1, 2), (2, 3)] {
            let (seen, buffers, _) = run(&numbers(), 0..50, ahead);
            assert_eq!(seen.len(), 50);
            assert!(buffers.len() <= 2 * sets, "{} buffers for {sets} sets", buffers.len());
        }
    }

    #[test]
    fn the_next_batches_are_gathered_while_a_step_runs() {
        let (gathered, told) = channel();
        let source = Watched { gathered: Some(Mutex::new(gathered)), ..watched(numbers()) };
        std::thread::scope(|scope| {
            let mut feed = Feed::begin(loader(&source), scope, 0..9, 1).unwrap();
            for step in 0..8 {
                feed.next(step).unwrap();
                // The step runs, and does not end before the second batch of the next one is there. Gathering only when the
                // batches are asked for would never send this.
                while told.recv_timeout(Duration::from_secs(60)).unwrap() != 2 * (step as usize + 1) + 1 {}
            }
        });
    }

    #[test]
    fn an_error_comes_at_the_step_whose_batches_it_spoils() {
        let mut x = numbers();
        let (rows, ..) = run(&x, 0..4, 0);
        let step = rows.iter().position(|rows| rows.contains(&11.0)).unwrap();
        x.as_mut_slice()[11] = f32::NAN;
        for ahead in [0, 1, 3] {
            let (seen, _, error) = run(&x, 0..9, ahead);
            assert_eq!((seen.as_slice(), seen.len()), (&rows[..step], step));
            let error = error.unwrap();
            assert!(matches!(&error, Error::Data { row: Some(11), .. }), "{error}");
        }
    }

    #[test]
    fn a_panic_in_a_source_is_an_error_at_its_step() {
        for ahead in [0, 2] {
            let source = Watched { panics_at: 7, ..watched(numbers()) };
            let (seen, _, error) = run(&source, 0..9, ahead);
            assert_eq!(seen.len(), 3);
            let text = error.unwrap().to_string();
            assert!(text.contains("the data group `x`") && text.contains("a panic: no more paper at batch 7"), "{text}");
        }
    }

    #[test]
    fn the_thread_ends_with_its_feed() {
        let source = watched(numbers());
        // Each scope waits for its thread: that this test ends is what it shows.
        for read in [0, 1, 4] {
            std::thread::scope(|scope| {
                let mut feed = Feed::begin(loader(&source), scope, 0..u64::MAX, 2).unwrap();
                for step in 0..read {
                    feed.next(step).unwrap();
                }
            });
        }
        let panicked = std::panic::catch_unwind(|| {
            std::thread::scope(|scope| {
                let mut feed = Feed::begin(loader(&source), scope, 0..u64::MAX, 2).unwrap();
                feed.next(0).unwrap();
                panic!("a step that fails")
            })
        });
        assert!(panicked.is_err());
    }
}
