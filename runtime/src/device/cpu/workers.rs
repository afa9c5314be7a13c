//! Persistent worker threads that run one program together.
//!
//! In: a closure that every worker runs with its own [`Worker`] handle (single program, multiple data). Out: nothing; the call
//! returns when the last worker has left the closure. What always holds: the calling thread is worker 0, a run allocates nothing,
//! idle workers sleep, and a panic in one worker reaches the caller instead of hanging the others at a barrier.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};

/// Polls with a pause instruction before a waiting thread starts giving its core away: some ten microseconds.
const SPINS_BEFORE_YIELD: usize = 1 << 8;
/// Polls, with the core given away between them, before an idle worker goes to sleep.
const POLLS_BEFORE_SLEEP: usize = SPINS_BEFORE_YIELD + (1 << 8);

/// What a closure is handed: who runs it, and where the workers meet.
#[derive(Clone, Copy)]
pub struct Worker<'a> {
    /// This worker's number, from 0.
    pub index: usize,
    /// How many workers run the closure.
    pub count: usize,
    barrier: &'a Barrier,
}

impl Worker<'_> {
    /// Waits until every worker has come here. All workers must make the same sequence of calls.
    ///
    /// What any worker wrote before the barrier is visible to all behind it. If a worker has panicked, this unwinds.
    #[inline]
    pub fn barrier(&self) {
        if self.count > 1 {
            self.barrier.wait(self.count);
        }
    }

    /// This worker's share of `0..total`, in whole units (the last one may be cut off): contiguous, in order of the workers.
    pub fn share(&self, total: usize, unit: usize) -> std::ops::Range<usize> {
        share(total, unit, self.index, self.count)
    }
}

/// The part of `0..total` that falls to one of `count` workers, in whole units of `unit` (the last one may be cut off).
pub fn share(total: usize, unit: usize, index: usize, count: usize) -> std::ops::Range<usize> {
    let units = total.div_ceil(unit.max(1));
    let (each, left) = (units / count, units % count);
    let start = index * each + index.min(left);
    let end = start + each + usize::from(index < left);
    (start * unit).min(total)..(end * unit).min(total)
}

type Job<'a> = &'a (dyn Fn(Worker<'_>) + Sync);

/// Threads kept for running closures on all of them at once.
pub struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Handles for waking, apart from the join handles so that waking borrows nothing else.
    sleepers: Vec<Thread>,
    /// Held during a run: one at a time.
    turn: Mutex<()>,
}

struct Shared {
    count: usize,
    /// Number of runs begun; a change tells the workers that `job` is theirs to run.
    runs: AtomicUsize,
    job: UnsafeCell<Option<Job<'static>>>,
    /// Workers, without the caller, that have not left the closure yet.
    busy: AtomicUsize,
    asleep: Vec<AtomicBool>,
    stop: AtomicBool,
    barrier: Barrier,
    /// What the first worker that panicked threw.
    thrown: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written only by the caller of a run, before it publishes the run with a release store to `runs` and after the
// previous run has been waited for; workers read it only after an acquire load of `runs` and before they report themselves done.
unsafe impl Sync for Shared {}
// SAFETY: as above; the reference inside `job` is to a `Sync` closure, and is not used outside a run.
unsafe impl Send for Shared {}

/// Thrown by a barrier that another worker's panic has made useless; never shown, the original panic is.
struct Abandoned;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Workers {
    /// `count` workers, of which the calling thread of each run is one; at least one.
    pub fn new(count: usize) -> io::Result<Self> {
        let count = count.max(1);
        let shared = Arc::new(Shared {
            count,
            runs: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            busy: AtomicUsize::new(0),
            asleep: (0..count).map(|_| AtomicBool::new(false)).collect(),
            stop: AtomicBool::new(false),
            barrier: Barrier::default(),
            thrown: Mutex::new(None),
        });
        let mut workers = Self { shared, threads: Vec::new(), sleepers: Vec::new(), turn: Mutex::new(()) };
        for index in 1..count {
            let shared = Arc::clone(&workers.shared);
            // On failure `workers` is dropped, which ends those already started.
            let thread = thread::Builder::new().name(format!("saddlepoint-{index}")).spawn(move || shared.serve(index))?;
            workers.sleepers.push(thread.thread().clone());
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// How many workers there are, the caller included.
    pub fn count(&self) -> usize {
        self.shared.count
    }

    /// Runs `job` once on every worker and returns when all have finished. Calls from several threads take turns.
    ///
    /// # Panics
    /// If `job` panics on any worker (with that worker's panic), or if called from inside a run of any workers.
    pub fn run(&self, job: &(dyn Fn(Worker<'_>) + Sync)) {
        assert!(!INSIDE.get(), "workers cannot be run from inside a run");
        let _turn = lock(&self.turn);
        let shared = &*self.shared;
        if shared.count > 1 {
            // SAFETY: only the lifetime is changed; this function returns, normally or by unwinding, only after `busy` has come
            // back to zero, when no worker holds the reference any more. For the write see `Sync for Shared`.
            unsafe { *shared.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(job)) };
            shared.busy.store(shared.count - 1, Ordering::Relaxed);
            shared.runs.fetch_add(1, Ordering::SeqCst);
            for (sleeper, asleep) in self.sleepers.iter().zip(&shared.asleep[1..]) {
                if asleep.swap(false, Ordering::SeqCst) {
                    sleeper.unpark();
                }
            }
        }
        shared.work(0, job);
        let mut polls = 0;
        while shared.busy.load(Ordering::Acquire) != 0 {
            pause(&mut polls);
        }
        if shared.barrier.abandoned.load(Ordering::Relaxed) {
            shared.barrier.reset();
            if let Some(thrown) = lock(&shared.thrown).take() {
                resume_unwind(thrown);
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for sleeper in &self.sleepers {
            sleeper.unpark();
        }
        for thread in self.threads.drain(..) {
            // A worker's panic has already been handed to the caller of its run.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The life of worker `index`.
    fn serve(&self, index: usize) {
        let mut done = 0;
        while self.wait_for_run(index, done) {
            done += 1;
            // SAFETY: see `Sync for Shared`; the run has been published and cannot end before `busy` is decremented below.
            if let Some(job) = unsafe { *self.job.get() } {
                self.work(index, job);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for run number `done`, first spinning, then yielding, then asleep; false when the workers are to end.
    fn wait_for_run(&self, index: usize, done: usize) -> bool {
        let mut polls = 0;
        loop {
            if self.runs.load(Ordering::SeqCst) != done {
                return true;
            }
            if self.stop.load(Ordering::SeqCst) {
                return false;
            }
            if polls < POLLS_BEFORE_SLEEP {
                pause(&mut polls);
                continue;
            }
            self.asleep[index].store(true, Ordering::SeqCst);
            // Either this sees the new run, or the caller sees the flag and wakes this thread.
            if self.runs.load(Ordering::SeqCst) == done && !self.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            self.asleep[index].store(false, Ordering::SeqCst);
        }
    }

    /// Runs the job as worker `index`, keeping what it throws.
    fn work(&self, index: usize, job: Job<'_>) {
        INSIDE.set(true);
        let worker = Worker { index, count: self.count, barrier: &self.barrier };
        // A panic ends the run on all workers and goes on in the caller, who judges what the closure's captures are worth.
        let outcome = catch_unwind(AssertUnwindSafe(|| job(worker)));
        INSIDE.set(false);
        if let Err(thrown) = outcome {
            if !thrown.is::<Abandoned>() {
                lock(&self.thrown).get_or_insert(thrown);
            }
            self.barrier.abandoned.store(true, Ordering::SeqCst);
        }
    }
}

/// A spin barrier; the generation number plays the part of the reversing sense.
#[derive(Default)]
struct Barrier {
    arrived: AtomicUsize,
    generation: AtomicUsize,
    abandoned: AtomicBool,
}

impl Barrier {
    fn wait(&self, count: usize) {
        let generation = self.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == count {
            // Nobody can arrive anew before the generation changes.
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.store(generation.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut polls = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            if self.abandoned.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Abandoned));
            }
            pause(&mut polls);
        }
    }

    /// Makes an abandoned barrier usable again; only when no worker is inside a run.
    fn reset(&self) {
        self.arrived.store(0, Ordering::SeqCst);
        self.abandoned.store(false, Ordering::SeqCst);
    }
}

/// One poll's pause: short while the wait is young, then the core goes to whoever else wants it.
#[inline]
fn pause(polls: &mut usize) {
    if *polls < SPINS_BEFORE_YIELD {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
    *polls += 1;
}

/// Locks; a panic elsewhere while it was held leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn shares_cover_everything_once_in_whole_units() {
        for total in 0..40 {
            for unit in 1..7 {
                for count in 1..5 {
                    let mut next = 0;
                    for index in 0..count {
                        let share = share(total, unit, index, count);
                        assert_eq!(share.start, next);
                        assert!(share.end == total || share.end.is_multiple_of(unit));
                        next = share.end;
                    }
                    assert_eq!(next, total);
                }
            }
        }
    }

    #[test]
    fn every_worker_runs_once() {
        for count in 1..=4 {
            let workers = Workers::new(count).unwrap();
            let seen: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..50 {
                workers.run(&|worker| {
                    assert_eq!(worker.count, count);
                    seen[worker.index].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(seen.iter().all(|s| s.load(Ordering::Relaxed) == 50));
        }
    }

    /// Each round every worker reads what its neighbour wrote in the round before: a barrier that lets anyone through early, or
    /// does not publish writes, is caught.
    #[test]
    fn barriers_separate_rounds() {
        for count in 1..=4 {
            let workers = Workers::new(count).unwrap();
            let cells: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
            for _ in 0..20 {
                cells.iter().for_each(|c| c.store(0, Ordering::Relaxed));
                workers.run(&|worker| {
                    for round in 0..200 {
                        assert_eq!(cells[(worker.index + 1) % count].load(Ordering::Relaxed), round);
                        worker.barrier();
                        cells[worker.index].store(round + 1, Ordering::Relaxed);
                        worker.barrier();
                    }
                });
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_workers_usable() {
        let workers = Workers::new(3).unwrap();
        for culprit in 0..3 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                workers.run(&|worker| {
                    if worker.index == culprit {
                        resume_unwind(Box::new(culprit));
                    }
                    worker.barrier();
                });
            }));
            assert_eq!(*outcome.unwrap_err().downcast::<usize>().unwrap(), culprit);
            let total = AtomicUsize::new(0);
            workers.run(&|worker| {
                worker.barrier();
                total.fetch_add(worker.index + 1, Ordering::Relaxed);
            });
            assert_eq!(total.into_inner(), 6);
        }
    }

    #[test]
    fn sleeping_workers_wake() {
        let workers = Workers::new(2).unwrap();
        let total = AtomicUsize::new(0);
        for _ in 0..3 {
            while !workers.shared.asleep[1].load(Ordering::SeqCst) {
                thread::yield_now();
            }
            workers.run(&|_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(total.into_inner(), 6);
    }
}
