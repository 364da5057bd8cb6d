//! Everything that is printed: answers to standard output, the rest to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one home of printing")]

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use uptake_pipeline::outcome::{Outcome, PipelineError};
use uptake_pipeline::ports::Progress;

/// Sends log lines to standard error, warnings only unless more is asked for.
pub fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Fails only when a test has set a subscriber before; that one serves as well.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        .try_init();
}

/// Prints lines of an answer.
pub fn say(text: &str) {
    println!("{text}");
}

/// Prints a step of long work.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Prints an error with all it knows.
pub fn error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Prints an answer for programs.
pub fn json(outcome: &Outcome) {
    println!("{}", json!(outcome));
}

/// Prints a failure for programs.
pub fn json_failure(error: &anyhow::Error) {
    let error_type = error
        .downcast_ref::<PipelineError>()
        .map_or("Configuration", PipelineError::error_type);
    println!(
        "{}",
        json!({"status": "failed", "error_type": error_type, "error": format!("{error:#}")})
    );
}

/// Prints an answer for people: what is worth a line, aligned.
pub fn table(outcome: &Outcome) {
    let mut rows: Vec<(String, String)> = Vec::new();
    let answer = json!(outcome);
    for (name, value) in answer.as_object().into_iter().flatten() {
        match value {
            Value::Null | Value::Array(_) => {}
            Value::Object(inner) if name == "window" => {
                let end = |name| inner.get(name).and_then(Value::as_str).unwrap_or_default();
                rows.push((name.clone(), format!("{} to {}", end("from"), end("to"))));
            }
            Value::Object(inner) => rows.extend(inner.iter().map(|(name, value)| (format!("  {name}"), plain(value)))),
            value => rows.push((name.replace('_', " "), plain(value))),
        }
    }
    print_rows(&rows);
    for note in &outcome.notes {
        println!("note: {note}");
    }
}

/// Prints two columns.
pub fn print_rows(rows: &[(String, String)]) {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    for (name, value) in rows {
        println!("{name:width$}  {value}");
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A bar on the terminal; nothing where standard error is a file.
#[derive(Debug)]
pub struct TerminalProgress {
    bar: ProgressBar,
    step: Mutex<&'static str>,
}

impl Default for TerminalProgress {
    fn default() -> Self {
        let bar = if stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            step: Mutex::new(""),
        }
    }
}

impl Progress for TerminalProgress {
    fn show(&self, step: &'static str, done: u64, total: Option<u64>) {
        if let Ok(mut shown) = self.step.lock()
            && *shown != step
        {
            *shown = step;
            self.bar.reset();
            self.bar.set_message(step);
            let style = match total {
                Some(_) => "{msg:>10} [{bar:32}] {pos} of {len}, {eta} left",
                None => "{spinner} {msg} {pos}",
            };
            if let Ok(style) = ProgressStyle::with_template(style) {
                self.bar.set_style(style.progress_chars("=> "));
            }
        }
        if let Some(total) = total {
            self.bar.set_length(total.max(done));
        }
        self.bar.set_position(done);
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
