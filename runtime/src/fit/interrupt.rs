//! Ctrl-C, and the request to terminate (SIGTERM, as schedulers and `kill` send it), while training: the first one asks the
//! running fits to finish their step and save, the second one ends the process, as does any while nothing is trained. A program
//! that handles one of these signals itself keeps its handler.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The exit status of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

static HANDLER: Once = Once::new();
static FITS: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicBool = AtomicBool::new(false);

/// A fit that listens for signals as long as this lives.
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
                if ends_the_process() {
                    std::process::exit(INTERRUPTED);
                }
            });
            #[cfg(unix)]
            termination::listen();
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

/// What a signal that has just come means: the end of the process, or (the first while training) of the fits.
fn ends_the_process() -> bool {
    FITS.load(Ordering::SeqCst) == 0 || ASKED.swap(true, Ordering::SeqCst)
}

/// SIGTERM has a handler of its own: the feature of `ctrlc` for it takes SIGHUP as well, and listens to nothing at all where
/// that is ignored, as under `nohup`.
#[cfg(unix)]
mod termination {
    use signal_hook::consts::SIGTERM;
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    pub(super) fn listen() {
        if is_taken() {
            return;
        }
        // Without the handler or the thread, the signal ends the process as it always did.
        let Ok(mut signals) = Signals::new([SIGTERM]) else { return };
        let wait = move || {
            for signal in signals.forever() {
                if super::ends_the_process() {
                    let _ = emulate_default_handler(signal);
                }
            }
        };
        let _ = std::thread::Builder::new().name("saddlepoint-signals".into()).spawn(wait);
    }

    /// Whether the program handles or ignores the signal already, where the kernel says so.
    fn is_taken() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
        };
        (mask("SigIgn:") | mask("SigCgt:")) & (1 << (SIGTERM - 1)) != 0
    }
}
