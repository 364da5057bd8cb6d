//! What starts an invocation: the scheduler's payload, or the same thing written by a person.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::{HOUR, NotOneDay, NotWholeHours, Window, day_of, start_of_hour};
use uptake_upstream::clock::Deadline;

/// The payload of a scheduled function.
///
/// Unknown fields are refused: a mistyped `dry_run` must not become a real run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// When the scheduler meant to start this. Windows derive from it and never from the present, so that a late or
    /// repeated delivery does the same work.
    pub scheduled_time: Timestamp,
    /// The stretch of time to work on, where it is not the one that follows from `scheduled_time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Do everything but write, publish and send.
    #[serde(default)]
    pub dry_run: bool,
    /// Collect again although the window is done, and replace what is stored.
    #[serde(default)]
    pub replace: bool,
    /// `mailer`: send mails in doubt again; their recipients may get them twice.
    #[serde(default)]
    pub resend: bool,
}

impl Trigger {
    /// The trigger the scheduler would send at this instant.
    pub fn at(scheduled_time: Timestamp) -> Self {
        Self {
            scheduled_time,
            window: None,
            dry_run: false,
            replace: false,
            resend: false,
        }
    }

    /// The UTC day a daily function works on.
    pub fn day(&self) -> Result<Date, NotOneDay> {
        self.window.map_or(Ok(day_of(self.scheduled_time)), Window::as_day)
    }

    /// The whole hours an hourly function works on: the last one that was over when it was to start.
    pub fn hours(&self) -> Result<Window, NotWholeHours> {
        let end = start_of_hour(self.scheduled_time);
        self.window.map_or(Ok(Window::of_hour(end - HOUR)), Window::as_hours)
    }
}

/// One start of a function: what it is called in records, and how long it may take.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Unique; on AWS the request id.
    pub id: String,
    /// When the platform ends it.
    pub deadline: Deadline,
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn parse(json: &str) -> Result<Trigger, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_day_follows_from_the_schedule_unless_a_window_says_otherwise() {
        let scheduled = parse(r#"{"scheduled_time": "2026-11-20T23:59:59Z"}"#).unwrap();
        assert_eq!(scheduled.day(), Ok(date(2026, 11, 20)));
        let windowed = parse(
            r#"{"scheduled_time": "2026-11-20T23:59:59Z",
                "window": {"from": "2026-11-18T00:00:00Z", "to": "2026-11-19T00:00:00Z"}, "dry_run": true}"#,
        )
        .unwrap();
        assert_eq!(windowed.day(), Ok(date(2026, 11, 18)));
        assert!(windowed.dry_run);
    }

    #[test]
    fn an_hourly_function_takes_the_last_hour_that_was_over() {
        let at = |text: &str| text.parse().unwrap();
        let scheduled = parse(r#"{"scheduled_time": "2026-11-20T06:05:00Z"}"#).unwrap();
        assert_eq!(scheduled.hours(), Ok(Window::of_hour(at("2026-11-20T05:00:00Z"))));
        let windowed = |from: &str, to: &str| Trigger {
            window: Some(Window {
                from: at(from),
                to: at(to),
            }),
            ..scheduled.clone()
        };
        assert!(windowed("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z").hours().is_ok());
        for (from, to) in [
            ("2026-11-20T00:00:00Z", "2026-11-20T00:30:00Z"),
            ("2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z"),
        ] {
            let message = windowed(from, to).hours().unwrap_err().to_string();
            assert!(message.contains("whole UTC hours"), "{message}");
        }
    }

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let message = parse(r#"{"scheduled_time": "2026-11-20T06:00:00Z", "dryrun": true}"#)
            .unwrap_err()
            .to_string();
        assert!(message.contains("dryrun") && message.contains("dry_run"), "{message}");
    }
}
