//! Everything that is printed: answers to standard output, the rest to standard error.
#![expect(clippy::print_stderr, reason = "the one home of printing")]

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use uptake_domain::calendar::day_of;
use uptake_pipeline::outcome::{Outcome, PipelineError, Status};
use uptake_pipeline::ports::Progress;

/// Sends log lines to standard error, warnings only unless more is asked for.
pub fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Only what Uptake itself has to say: HTTP clients print addresses, and those hold logins.
    let ours = Targets::new().with_target("uptake", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        .without_time();
    tracing_subscriber::registry().with(lines).with(ours).init();
}

/// Prints to standard output. A reader that has seen enough and closed the pipe is no error.
fn print_line(line: &str) {
    let _ = writeln!(stdout().lock(), "{line}");
}

/// Prints lines of an answer.
pub fn say(text: &str) {
    print_line(text);
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
    print_line(&json!(outcome).to_string());
}

/// Prints a failure for programs.
pub fn json_failure(error: &anyhow::Error) {
    let error_type = error
        .downcast_ref::<PipelineError>()
        .map_or("Configuration", PipelineError::error_type);
    let answer = json!({"status": "failed", "error_type": error_type, "error": format!("{error:#}")});
    print_line(&answer.to_string());
}

/// Prints an answer for people: how it ended first, then what it handled.
pub fn table(outcome: &Outcome) {
    let status = match outcome.status {
        Status::Complete => "complete",
        Status::Incomplete => "incomplete",
        Status::NothingToDo => "nothing to do",
    };
    let (first, last) = (
        day_of(outcome.window.from),
        day_of(outcome.window.to - SignedDuration::from_secs(1)),
    );
    let days = if first == last {
        first.to_string()
    } else {
        format!("{first} to {last}")
    };
    print_line(&format!("{} {days}: {status}", outcome.function));
    let counts = outcome.counts;
    let counts = [
        ("fetched", counts.fetched),
        ("stored", counts.stored),
        ("quarantined", counts.quarantined),
        ("published", counts.published),
        ("requests", counts.requests),
        ("in doubt", outcome.in_doubt.unwrap_or_default()),
    ];
    let mut rows: Vec<(String, String)> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (format!("  {name}"), count.to_string()))
        .collect();
    if let Some(reason) = &outcome.stopped_early {
        rows.push(("  missing".to_owned(), reason.clone()));
    }
    rows.extend(outcome.notes.iter().map(|note| ("  note".to_owned(), note.clone())));
    print_rows(&rows);
}

/// Prints two columns.
pub fn print_rows(rows: &[(String, String)]) {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    for (name, value) in rows {
        print_line(&format!("{name:width$}  {value}"));
    }
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
