//! Names of weekly log groups and of the streams in them, such that the same window always has the same names.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use uuid::Uuid;

use crate::calendar::week_of;

/// The most characters of a group's name (`CreateLogGroup` reference, read 2026-11-22: 512), less what the longest
/// stream and the two dates add to the prefix.
const MOST_PREFIX_CHARACTERS: usize = 400;

/// Days for which a group may keep its events and still take all that others take: `PutRetentionPolicy` knows these
/// values only (reference, read 2026-11-22), and one below 14 days would turn down events that are late.
pub const RETENTION_DAYS: [u16; 18] = [
    14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// The group of the week that holds `day`: `<prefix>/<stream>-<first day>_<last day>`.
pub fn weekly_group(prefix: &str, stream: &str, day: Date, week_starts_on: Weekday) -> String {
    let (first, last) = week_of(day, week_starts_on);
    format!("{prefix}/{stream}-{first}_{last}")
}

/// The stream in which a function writes the events of a window: `<window start>-<uuid>`. Its UUID follows from function
/// and window, so whoever writes the window again finds what is there. Colons are not allowed in a stream's name.
pub fn stream_name(function: &str, window_start: Timestamp) -> String {
    let start = window_start.strftime("%Y%m%dT%H%M%SZ");
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{function}/{start}").as_bytes());
    format!("{start}-{id}")
}

/// What is wrong with a prefix, if anything is.
pub fn prefix_fault(prefix: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if prefix.is_empty() || !prefix.chars().all(allowed) {
        Some("must hold letters, digits and _ - / . # only")
    } else if prefix.starts_with("aws/") {
        Some("must not begin with aws/, which is reserved")
    } else if prefix.ends_with('/') {
        Some("must not end with a slash, which is put in")
    } else if prefix
        .trim_start_matches('/')
        .split('/')
        .any(|part| ["", ".", ".."].contains(&part))
    {
        Some("must not hold empty parts, . or .. between slashes")
    } else if prefix.len() > MOST_PREFIX_CHARACTERS {
        Some("must not be longer than 400 characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_group_is_named_by_its_week() {
        let name = |day, starts_on| weekly_group("/uptake", "workflow-runs", day, starts_on);
        assert_eq!(
            name(date(2026, 11, 22), Weekday::Monday),
            "/uptake/workflow-runs-2026-11-16_2026-11-22"
        );
        assert_eq!(
            name(date(2026, 11, 22), Weekday::Sunday),
            "/uptake/workflow-runs-2026-11-22_2026-11-28"
        );
    }

    #[test]
    fn a_stream_is_named_by_function_and_window_alone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let name = stream_name("workflow-metrics", at("2026-11-20T06:00:00Z"));
        assert!(name.starts_with("20261120T060000Z-") && name.len() == 17 + 36, "{name}");
        assert!(!name.contains([':', '*']));
        assert_eq!(name, stream_name("workflow-metrics", at("2026-11-20T07:00:00+01:00")));
        assert_ne!(name, stream_name("workflow-metrics", at("2026-11-20T07:00:00Z")));
        assert_ne!(name, stream_name("audit-events", at("2026-11-20T06:00:00Z")));
    }

    #[test]
    fn a_prefix_is_what_cloudwatch_accepts() {
        for (prefix, fits) in [
            ("/uptake", true),
            ("octo/uptake.prod#1", true),
            ("", false),
            ("/uptake/", false),
            ("aws/x", false),
            ("with space", false),
            ("a:b", false),
            ("/../x", false),
            ("/a//b", false),
            ("/a/./b", false),
        ] {
            assert_eq!(prefix_fault(prefix).is_none(), fits, "{prefix}");
        }
        assert!(prefix_fault(&"x".repeat(401)).is_some());
    }
}
