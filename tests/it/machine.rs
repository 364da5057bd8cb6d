//! What this machine lacks: a test that wants it says aloud that it was skipped, and CI insists on it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// Skips a test, or fails it in CI. What a test that passes prints is not shown, so `make test` shows this file at its end.
pub(crate) fn lacks(what: &str, so: &str) {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of Uptake")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "there is no {what}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&folder).unwrap();
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("skipped.txt"))
        .unwrap();
    // At once: tests run side by side.
    let line = format!("*** SKIPPED, {so}: there is no {what} ***\n");
    file.write_all(line.as_bytes()).unwrap();
}
