//! The dashboards as people see them: drawn by Grafana's components in a real browser, over what the jobs wrote in the demo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::machine::lacks;

/// Days of the demo: two weeks, so that one can be compared with the other.
const DAYS: &str = "15";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn preview() -> PathBuf {
    root().join("dashboards/preview")
}

/// Whether everything is there that a test wants beyond Rust; said aloud where it is not.
fn has(what: &[(&str, bool)], or_else: &str) -> bool {
    let lacking: Vec<&str> = what
        .iter()
        .filter(|(_, is_there)| !is_there)
        .map(|(name, _)| *name)
        .collect();
    if !lacking.is_empty() {
        lacks(&lacking.join(", no "), or_else);
    }
    lacking.is_empty()
}

fn npm() -> (&'static str, bool) {
    let has_node = Command::new("node").arg("--version").output().is_ok();
    let has_packages = preview().join("node_modules/.package-lock.json").is_file();
    (
        "Node with npm, or no dashboards/preview/node_modules (`make setup` makes it)",
        has_node && has_packages,
    )
}

fn chromium() -> (&'static str, bool) {
    let usual = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
        "/snap/bin/chromium",
    ];
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of Uptake")]
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let mut places = usual.iter().map(PathBuf::from).chain(named);
    (
        "Chromium (Debian's package chromium; CHROMIUM names another)",
        places.any(|path| path.is_file()),
    )
}

/// Runs tests of the preview, over a store if there is one.
fn run(tests: &[&str], store: Option<&Path>) {
    let mut command = Command::new("node");
    command
        .current_dir(preview())
        .args([
            "--import",
            "tsx",
            "--test",
            "--test-concurrency=1",
            "--test-reporter",
            "spec",
        ])
        .args(tests);
    if let Some(store) = store {
        command.env("UPTAKE_STORE", format!("file://{}", store.display()));
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let printed = [&output.stdout, &output.stderr]
        .map(|stream| String::from_utf8_lossy(stream).into_owned())
        .concat();
    assert!(output.status.success(), "{printed}");
}

/// What the demo writes, by the command that a newcomer gives.
fn demo() -> TempDir {
    let store = tempfile::tempdir().unwrap();
    let output = Command::new(root().join("target/release/uptake"))
        .args(["demo", "--days", DAYS])
        .env("UPTAKE_STORE", format!("file://{}", store.path().display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    store
}

#[test]
fn the_evaluator_is_what_it_says_and_the_dashboards_are_what_grafana_takes() {
    if !has(&[npm()], "no dashboard was held against Grafana's types") {
        return;
    }
    run(
        &[
            "test/arithmetic.test.ts",
            "test/insights.test.ts",
            "test/metrics.test.ts",
            "test/panels.test.ts",
            "test/types.test.ts",
        ],
        None,
    );
}

#[test]
fn every_dashboard_is_drawn_over_what_the_demo_wrote() {
    if !has(&[npm(), chromium()], "no dashboard was looked at") {
        return;
    }
    let store = demo();
    run(&["test/rendering.test.ts", "test/preview.test.ts"], Some(store.path()));
}
