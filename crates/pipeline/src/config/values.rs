//! Values as people write them, and what is wrong with one.

use std::str::FromStr;

use jiff::civil::Weekday;
use uptake_domain::log_groups;

/// A whole number.
pub(super) struct Count(pub(super) usize);

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self).map_err(|_| "must be a whole number")
    }
}

/// A score.
pub(super) struct Points(pub(super) i64);

impl FromStr for Points {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let points = text.parse().ok().filter(|points| (0..=100).contains(points));
        points.map(Self).ok_or("must be a whole number, 0 to 100")
    }
}

/// An amount of money.
pub(super) struct Price(pub(super) f64);

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let price = text
            .parse()
            .ok()
            .filter(|price: &f64| price.is_finite() && *price >= 0.0);
        price
            .map(Self)
            .ok_or("must be a number, 0 or more, without a currency, such as 30 or 28.50")
    }
}

/// A length of time, in whole minutes or days.
pub(super) struct Length(pub(super) i64);

impl FromStr for Length {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        // No calendar exceeds a million days.
        let length = text.parse().ok().filter(|length| (1..=1_000_000).contains(length));
        length.map(Self).ok_or("must be a whole number, 1 or more")
    }
}

/// What names of log groups begin with.
pub(super) struct LogGroupPrefix(pub(super) String);

impl FromStr for LogGroupPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match log_groups::prefix_fault(text) {
            Some(fault) => Err(fault),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// Days for which a log group keeps its events.
pub(super) struct RetentionDays(pub(super) u16);

impl FromStr for RetentionDays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text
            .parse()
            .ok()
            .filter(|days| log_groups::RETENTION_DAYS.contains(days));
        days.map(Self).ok_or_else(|| {
            let known: Vec<String> = log_groups::RETENTION_DAYS.iter().map(u16::to_string).collect();
            format!("must be one of {}", known.join(", "))
        })
    }
}

/// First day of the week.
pub(super) struct FirstDayOfWeek(pub(super) Weekday);

impl FromStr for FirstDayOfWeek {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let days = [
            ("monday", Weekday::Monday),
            ("tuesday", Weekday::Tuesday),
            ("wednesday", Weekday::Wednesday),
            ("thursday", Weekday::Thursday),
            ("friday", Weekday::Friday),
            ("saturday", Weekday::Saturday),
            ("sunday", Weekday::Sunday),
        ];
        let day = days.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        day.map(|(_, day)| Self(day))
            .ok_or("must be a day of the week, such as monday")
    }
}

/// Operations of the audit log, as a comma list.
pub(super) struct Operations(pub(super) Vec<String>);

impl FromStr for Operations {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let is_usual = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
        if names.is_empty() || names.iter().any(|name| !name.chars().all(is_usual)) {
            return Err("must be a comma list of operations, such as CopilotInteraction");
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }
}
