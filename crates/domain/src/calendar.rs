//! Days and windows in UTC: which stretch of time a trigger stands for, and whether it came too late.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// How often the scheduler offers a function its work, daily functions included.
pub const OFFERED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// An hour.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A stretch of time from `from` (included) to `to` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after.
    pub to: Timestamp,
}

/// A window that a daily function cannot take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the window {from} to {to} is not one whole UTC day; give one day, such as 2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z"
)]
pub struct NotOneDay {
    from: Timestamp,
    to: Timestamp,
}

/// A window that an hourly function cannot take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the window {from} to {to} is not one or more whole UTC hours; give such as 2026-11-20T00:00:00Z to 2026-11-20T06:00:00Z"
)]
pub struct NotWholeHours {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The whole UTC day.
    pub fn of_day(day: Date) -> Self {
        Self {
            from: start_of(day),
            to: start_of(day.saturating_add(1.day())),
        }
    }

    /// The whole UTC days from `first` to `last`.
    pub fn of_days(first: Date, last: Date) -> Self {
        Self {
            from: start_of(first),
            to: Self::of_day(last).to,
        }
    }

    /// The whole UTC hour that begins at `start`.
    pub fn of_hour(start: Timestamp) -> Self {
        Self {
            from: start,
            to: start + HOUR,
        }
    }

    /// Whether the instant lies in the window.
    pub fn contains(self, instant: Timestamp) -> bool {
        self.from <= instant && instant < self.to
    }

    /// The window itself, when it is one or more whole UTC hours.
    pub fn as_hours(self) -> Result<Self, NotWholeHours> {
        let Self { from, to } = self;
        if from < to && from == start_of_hour(from) && to == start_of_hour(to) {
            Ok(self)
        } else {
            Err(NotWholeHours { from, to })
        }
    }

    /// The day this window is, when it is exactly one UTC day.
    pub fn as_day(self) -> Result<Date, NotOneDay> {
        let day = day_of(self.from);
        if self == Self::of_day(day) {
            Ok(day)
        } else {
            Err(NotOneDay {
                from: self.from,
                to: self.to,
            })
        }
    }
}

/// The UTC day an instant falls on.
pub fn day_of(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date()
}

/// Midnight UTC at which a day begins.
pub fn start_of(day: Date) -> Timestamp {
    // Only the last days of the year 9999 have no instant; they stay the last.
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

/// Whole days from one instant to a later one; none where it has passed.
pub fn whole_days_until(later: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(later.duration_since(now).as_hours() / 24).unwrap_or(0)
}

/// The beginning of the UTC hour an instant falls into.
pub fn start_of_hour(instant: Timestamp) -> Timestamp {
    let midnight = start_of(day_of(instant));
    midnight + SignedDuration::from_hours(instant.duration_since(midnight).as_hours())
}

/// The hour of the UTC day an instant falls into, from 0.
pub fn hour_of_day(instant: Timestamp) -> i8 {
    instant.to_zoned(TimeZone::UTC).hour()
}

/// The beginnings of the whole hours from `from` to `to`, both of which begin one.
pub fn hours(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), |hour| Some(*hour + HOUR)).take_while(move |hour| *hour < to)
}

/// The first and the last day of the week that holds `day`, for weeks that begin with `starts_on`.
pub fn week_of(day: Date, starts_on: Weekday) -> (Date, Date) {
    let first = day.saturating_sub(i32::from(day.weekday().since(starts_on)).days());
    (first, first.saturating_add(6.days()))
}

/// Whether a trigger scheduled for `scheduled_at` came later than its period, so that the one after it was already due.
pub fn is_past_due(scheduled_at: Timestamp, delivered_at: Timestamp) -> bool {
    delivered_at.duration_since(scheduled_at) > OFFERED_EVERY
}

/// The days strictly between the end of the last finished window and `day`: those no trigger covered.
pub fn days_missed(watermark: Option<Timestamp>, day: Date) -> Vec<Date> {
    let Some(watermark) = watermark else {
        return Vec::new();
    };
    day_of(watermark)
        .series(1.day())
        .take_while(|missed| *missed < day)
        .collect()
}

/// An instant as reports print it, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn to_seconds(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_window_covers_every_second_of_the_day_once() {
        let window = Window::of_day(date(2026, 11, 20));
        assert_eq!(window.from, at("2026-11-20T00:00:00Z"));
        assert_eq!(window.to, at("2026-11-21T00:00:00Z"));
        assert_eq!(window.as_day(), Ok(date(2026, 11, 20)));
    }

    #[test]
    fn only_whole_days_are_taken() {
        let half = Window {
            from: at("2026-11-20T00:00:00Z"),
            to: at("2026-11-20T12:00:00Z"),
        };
        assert!(half.as_day().unwrap_err().to_string().contains("not one whole UTC day"));
    }

    #[test]
    fn a_trigger_is_past_due_after_its_period_only() {
        let scheduled = at("2026-11-20T06:00:00Z");
        for (delivered, expected) in [
            ("2026-11-20T05:59:59Z", false),
            ("2026-11-20T06:00:02Z", false),
            ("2026-11-20T07:00:00Z", false),
            ("2026-11-20T07:00:01Z", true),
            ("2026-11-23T06:00:00Z", true),
        ] {
            assert_eq!(is_past_due(scheduled, at(delivered)), expected, "{delivered}");
        }
    }

    #[test]
    fn missed_days_lie_between_the_watermark_and_the_day() {
        let day = date(2026, 11, 20);
        assert_eq!(days_missed(None, day), []);
        assert_eq!(days_missed(Some(at("2026-11-20T00:00:00Z")), day), []);
        assert_eq!(days_missed(Some(at("2026-11-25T00:00:00Z")), day), []);
        assert_eq!(
            days_missed(Some(at("2026-11-18T00:00:00Z")), day),
            [date(2026, 11, 18), date(2026, 11, 19)]
        );
    }

    #[test]
    fn a_week_holds_its_day_and_begins_where_it_is_told_to() {
        let sunday = date(2026, 11, 22);
        for (starts_on, first, last) in [
            (Weekday::Monday, date(2026, 11, 16), date(2026, 11, 22)),
            (Weekday::Sunday, date(2026, 11, 22), date(2026, 11, 28)),
            (Weekday::Saturday, date(2026, 11, 21), date(2026, 11, 27)),
        ] {
            assert_eq!(week_of(sunday, starts_on), (first, last), "{starts_on:?}");
        }
    }

    #[test]
    fn hours_begin_on_the_hour() {
        assert_eq!(start_of_hour(at("2026-11-20T06:59:59.9Z")), at("2026-11-20T06:00:00Z"));
        assert_eq!(start_of_hour(at("2026-11-20T06:00:00Z")), at("2026-11-20T06:00:00Z"));
        let listed: Vec<_> = hours(at("2026-11-20T22:00:00Z"), at("2026-11-21T01:00:00Z")).collect();
        assert_eq!(
            listed,
            [
                at("2026-11-20T22:00:00Z"),
                at("2026-11-20T23:00:00Z"),
                at("2026-11-21T00:00:00Z")
            ]
        );
        assert_eq!(hours(at("2026-11-20T22:00:00Z"), at("2026-11-20T22:00:00Z")).count(), 0);
    }

    #[test]
    fn instants_print_in_utc_with_seconds() {
        assert_eq!(to_seconds(at("2021-10-14T00:53:32.5-06:00")), "2021-10-14T06:53:32Z");
    }

    proptest! {
        #[test]
        fn windows_of_consecutive_days_tile(days in 0_i32..20_000) {
            let day = date(1990, 1, 1).saturating_add(days.days());
            let next = day.tomorrow().unwrap();
            prop_assert_eq!(Window::of_day(day).to, Window::of_day(next).from);
            prop_assert_eq!(day_of(Window::of_day(day).from), day);
        }
    }
}
