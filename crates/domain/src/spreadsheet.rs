//! Cells that a spreadsheet shows and does not run.

use std::borrow::Cow;

/// Puts a `'` before a cell that a spreadsheet would take for a formula
/// (OWASP, "CSV Injection", read 2026-11-21: `=`, `+`, `-`, `@`, tab and return).
pub fn inert(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}
