//! How a run talks to whoever started it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::{Fault, IgnoredLine, IntakeLine};

/// Hears how a run goes. Every method may be left out.
pub trait Progress: Send + Sync {
    /// So much is to be read.
    fn planned(&self, objects: u64, bytes: u64) {
        let _ = (objects, bytes);
    }

    /// So much more has been read and decoded (not yet committed). Bytes are as stored.
    fn advanced(&self, objects: u64, records: u64, bytes: u64) {
        let _ = (objects, records, bytes);
    }

    /// Something is wrong with an object or a folder. Every fault is told, also those beyond the
    /// number that a [`crate::Report`] keeps.
    fn fault(&self, fault: &Fault) {
        let _ = fault;
    }

    /// Something was passed over: a line of the intake record.
    fn ignored(&self, line: &IgnoredLine) {
        let _ = line;
    }

    /// An object is committed: a line of the intake record.
    fn taken_in(&self, line: &IntakeLine) {
        let _ = line;
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// Asks a run to stop. The round that is being committed is finished, the one that is being filled
/// is dropped: the lake is consistent, and the next run goes on where this one stopped.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks to stop, from any thread.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether somebody has asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
