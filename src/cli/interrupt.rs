//! Requests to end a run: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed.

use std::sync::atomic::{AtomicBool, Ordering};

use super::terminal;
use crate::error::INTERRUPTED;

/// Set by a request to stop; the flow reads it between groups of steps.
static STOP: AtomicBool = AtomicBool::new(false);

/// Handles requests to stop from now on; returns the flag that they set.
pub fn listen() -> &'static AtomicBool {
    #[cfg(unix)]
    let hangs_up = unix::is_hangup_heeded();
    // A second handler cannot be set in one process; the first serves as well.
    let _ = ctrlc::set_handler(on_interrupt);
    #[cfg(unix)]
    unix::listen(hangs_up);
    &STOP
}

/// The first request stops the run after the current group of steps; a second one ends the process at once,
/// as solves and steps may be long. Files are replaced atomically, so none is left half written.
fn on_interrupt() {
    if STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(INTERRUPTED.into());
    }
    terminal::say("stopping as soon as what is in hand is done; Ctrl-C again stops at once");
}

#[cfg(unix)]
mod unix {
    use nix::libc::c_int;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::{Ordering, STOP};

    fn set(signal: Signal, handler: SigHandler) -> Option<SigHandler> {
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handlers given here are the system's own and `on_request`, which only stores
        // to an atomic.
        let old = unsafe { sigaction(signal, &action) };
        old.ok().map(|old| old.handler())
    }

    /// Whether closing the terminal ends this process: not under nohup, which ignores SIGHUP.
    pub fn is_hangup_heeded() -> bool {
        let old = set(Signal::SIGHUP, SigHandler::SigIgn);
        !matches!(old, Some(SigHandler::SigIgn))
    }

    /// Treats SIGTERM and SIGHUP as requests that may be repeated: a shell that exits and its terminal each
    /// send one, and the checkpoint must still be written.
    pub fn listen(hangs_up: bool) {
        set(Signal::SIGTERM, SigHandler::Handler(on_request));
        let handler = match hangs_up {
            true => SigHandler::Handler(on_request),
            false => SigHandler::SigIgn,
        };
        set(Signal::SIGHUP, handler);
    }

    extern "C" fn on_request(_: c_int) {
        STOP.store(true, Ordering::Relaxed);
    }
}
