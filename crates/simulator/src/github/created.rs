//! The `created` filter of run lists: a span of seconds, or one that GitHub cannot read.

use std::ops::RangeInclusive;

use jiff::{Timestamp, civil::Date};

use super::refusal::Refusal;
use crate::days;

/// What a list without the filter spans.
pub(super) const ALWAYS: RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// The seconds a filter lets through, both ends included.
pub(super) fn span(filter: &str) -> Result<RangeInclusive<i64>, Refusal> {
    if let Some((from, until)) = filter.split_once("..") {
        return Ok(*point(from)?.start()..=*point(until)?.end());
    }
    Ok(if let Some(from) = filter.strip_prefix(">=") {
        *point(from)?.start()..=i64::MAX
    } else if let Some(before) = filter.strip_prefix('>') {
        *point(before)?.end() + 1..=i64::MAX
    } else if let Some(until) = filter.strip_prefix("<=") {
        i64::MIN..=*point(until)?.end()
    } else if let Some(behind) = filter.strip_prefix('<') {
        i64::MIN..=*point(behind)?.start() - 1
    } else {
        point(filter)?
    })
}

/// A whole day, or a second.
fn point(written: &str) -> Result<RangeInclusive<i64>, Refusal> {
    if written.len() == "2026-11-20".len() {
        let day: Date = written.parse().map_err(|_| Refusal::ValidationFailed)?;
        let first = days::instant(days::number_of(day), 0).as_second();
        return Ok(first..=first + 86_399);
    }
    let second = written
        .parse::<Timestamp>()
        .map_err(|_| Refusal::ValidationFailed)?
        .as_second();
    Ok(second..=second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_spans_whole_seconds_and_whole_days() {
        let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let (midnight, ten) = (second("2026-11-20T00:00:00Z"), second("2026-11-20T10:00:00Z"));
        for (filter, expected) in [
            ("2026-11-20T00:00:00Z..2026-11-20T10:00:00Z", midnight..=ten),
            ("2026-11-20..2026-11-21", midnight..=midnight + 2 * 86_400 - 1),
            ("2026-11-20", midnight..=midnight + 86_399),
            ("2026-11-20T10:00:00Z", ten..=ten),
            (">=2026-11-20T10:00:00Z", ten..=i64::MAX),
            (">2026-11-20T10:00:00Z", ten + 1..=i64::MAX),
            (">2026-11-20", midnight + 86_400..=i64::MAX),
            ("<=2026-11-20T10:00:00Z", i64::MIN..=ten),
            ("<2026-11-20T10:00:00Z", i64::MIN..=ten - 1),
            ("<2026-11-20", i64::MIN..=midnight - 1),
        ] {
            assert_eq!(span(filter).unwrap(), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_no_span_cannot_be_read() {
        for filter in ["", "yesterday", "..", "2026-11-20..", "2026-13-01", ">=", "=2026-11-20"] {
            assert!(span(filter).is_err(), "{filter}");
        }
    }
}
