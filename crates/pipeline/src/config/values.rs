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

/// Records of the audit log that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOperation {
    /// What was done, in Microsoft's word.
    pub name: String,
    /// Microsoft's number of the kind of record; `None` takes any.
    pub record_type: Option<i64>,
}

impl AuditOperation {
    /// Whether a record is one of these. One whose type cannot be read is: nothing is lost for a word that is missing.
    pub fn takes(&self, operation: &str, record_type: Option<i64>) -> bool {
        let is_of_type = self.record_type.is_none() || record_type.is_none() || self.record_type == record_type;
        self.name.eq_ignore_ascii_case(operation) && is_of_type
    }
}

/// The operation that every Copilot app reports under, and the number of its records
/// (learn.microsoft.com, Office 365 Management Activity API schema, `AuditLogRecordType`, read 2026-11-22).
const COPILOT_INTERACTION: (&str, i64) = ("CopilotInteraction", 261);

/// Operations, as a comma list.
pub(super) struct Operations(pub(super) Vec<AuditOperation>);

impl FromStr for Operations {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let operations: Vec<AuditOperation> = entries.map(operation).collect::<Option<_>>().unwrap_or_default();
        if operations.is_empty() {
            return Err(
                "must be a comma list of operations, each alone or as <record type>:<operation>, such as CopilotInteraction",
            );
        }
        Ok(Self(operations))
    }
}

fn operation(entry: &str) -> Option<AuditOperation> {
    let (record_type, name) = match entry.split_once(':') {
        Some((number, name)) => (Some(number.trim().parse().ok()?), name.trim()),
        None if entry.eq_ignore_ascii_case(COPILOT_INTERACTION.0) => (Some(COPILOT_INTERACTION.1), entry),
        None => (None, entry),
    };
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|sign| sign.is_ascii_alphanumeric() || "-_.".contains(sign));
    is_name.then(|| AuditOperation {
        name: name.to_owned(),
        record_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_named_alone_or_with_their_record_type() {
        let parse = |text: &str| text.parse::<Operations>().map(|operations| operations.0);
        let takes = |text: &str, operation: &str, kind: Option<i64>| {
            parse(text).unwrap().iter().any(|wanted| wanted.takes(operation, kind))
        };
        assert!(takes("CopilotInteraction", "CopilotInteraction", Some(261)));
        assert!(!takes("CopilotInteraction", "CopilotInteraction", Some(334)));
        assert!(takes("CopilotInteraction", "CopilotInteraction", None));
        assert!(takes(
            "261:CopilotInteraction, 334:CopilotInteraction",
            "copilotinteraction",
            Some(334)
        ));
        assert!(takes("CopilotInteraction,AIAppInteraction", "AIAppInteraction", None));
        assert!(!takes("CopilotInteraction", "FileAccessed", Some(261)));
        for text in ["", ",", "x:CopilotInteraction", "261:", "a b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
