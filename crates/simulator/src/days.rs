//! Days as plain numbers, because a model that visits millions of them cannot afford calendar arithmetic.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Days since 1970-01-01, UTC.
pub(crate) fn number_of(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

pub(crate) fn date_of(day: i64) -> Date {
    EPOCH.saturating_add(SignedDuration::from_hours(day.saturating_mul(24)))
}

/// The instant that lies `second` seconds into a day.
pub(crate) fn instant(day: i64, second: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400 + second).unwrap_or_default()
}

/// The UTC day of an instant.
pub(crate) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// 1970-01-01 was a Thursday.
pub(crate) fn is_weekend(day: i64) -> bool {
    (day + 3).rem_euclid(7) >= 5
}

/// The first day of the month after this day's.
pub(crate) fn first_of_next_month(day: i64) -> i64 {
    number_of(date_of(day).last_of_month().saturating_add(1.day()))
}

/// The first day of this day's month.
pub(crate) fn first_of_month(day: i64) -> i64 {
    number_of(date_of(day).first_of_month())
}

/// An instant without its fraction, as APIs write it.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
