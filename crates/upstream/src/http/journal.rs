//! The journal: one record per exchange, for the table that tells what was asked of an upstream and what came of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// One exchange with an upstream. It names no person and no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// When it was sent.
    pub at: Timestamp,
    /// The route template.
    pub route: &'static str,
    /// The status of the answer, after redirects; `None` when there was none.
    pub http_status: Option<u16>,
    /// From sending to the end of the body.
    pub duration: Duration,
    /// Records in the answer, where they were counted.
    pub records: Option<u64>,
    /// What was wrong with the answer.
    pub error: Option<String>,
}

/// The exchanges since the journal was last taken.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<CallRecord>>);

impl Journal {
    pub(super) fn add(&self, call: CallRecord) {
        // A poisoned lock means another task panicked; the records are still records.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(super) fn take(&self) -> Vec<CallRecord> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small_enough_for_each_of_thousands_of_blobs() {
        assert!(size_of::<CallRecord>() <= 96, "{}", size_of::<CallRecord>());
    }
}
