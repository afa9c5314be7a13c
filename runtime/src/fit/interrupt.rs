//! Ctrl-C while training: the first one asks the running fits to finish their step and save, the second one ends the process,
//! as does any while nothing is trained. A program that handles the signal itself keeps its handler.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The exit status of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

static HANDLER: Once = Once::new();
static FITS: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicBool = AtomicBool::new(false);

/// A fit that listens for Ctrl-C as long as this lives.
pub(super) struct Interrupt;

impl Interrupt {
    /// Begins to listen.
    pub(super) fn listen() -> Interrupt {
        if FITS.fetch_add(1, Ordering::SeqCst) == 0 {
            ASKED.store(false, Ordering::SeqCst);
        }
        HANDLER.call_once(|| {
            // An error means that the program has its own handler, which then decides; training simply does not listen.
            let _ = ctrlc::try_set_handler(|| {
                if FITS.load(Ordering::SeqCst) == 0 || ASKED.swap(true, Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED);
                }
            });
        });
        Interrupt
    }

    /// Whether this fit should stop after its step.
    pub(super) fn asked(&self) -> bool {
        ASKED.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        FITS.fetch_sub(1, Ordering::SeqCst);
    }
}
