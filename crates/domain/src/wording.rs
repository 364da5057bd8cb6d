//! Numbers as people read them in mails.

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How much more or less than before, in percent of before.
pub fn change_in_percent(now: u64, before: u64) -> String {
    match (now, before) {
        (now, before) if now == before => "no change".to_owned(),
        (_, 0) => "none before".to_owned(),
        (now, before) => {
            let change = now.abs_diff(before);
            let percent = (change * 100 + before / 2) / before;
            let sign = if now > before { '+' } else { '\u{2212}' };
            if percent == 0 {
                format!("{sign}less than 1 %")
            } else {
                format!("{sign}{} %", thousands(percent))
            }
        }
    }
}

/// How many points a percentage rose or fell.
pub fn change_in_points(now: Option<u64>, before: Option<u64>) -> String {
    match now.zip(before) {
        None => String::new(),
        Some((now, before)) if now == before => "no change".to_owned(),
        Some((now, before)) => {
            let sign = if now > before { '+' } else { '\u{2212}' };
            let points = now.abs_diff(before);
            let unit = if points == 1 { "point" } else { "points" };
            format!("{sign}{points} {unit}")
        }
    }
}

/// Seconds in the two largest units that say something.
pub fn duration(seconds: u64) -> String {
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{rest} s"),
        (0, minutes) if rest == 0 => format!("{minutes} min"),
        (0, minutes) => format!("{minutes} min {rest} s"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_change_is_told_with_its_sign() {
        for (now, before, text) in [
            (0, 0, "no change"),
            (5, 0, "none before"),
            (0, 5, "\u{2212}100 %"),
            (112, 100, "+12 %"),
            (1_000, 1_001, "\u{2212}less than 1 %"),
            (50_000, 1, "+4,999,900 %"),
        ] {
            assert_eq!(change_in_percent(now, before), text);
        }
        for (now, before, text) in [
            (None, Some(1), ""),
            (Some(92), Some(92), "no change"),
            (Some(92), Some(91), "+1 point"),
            (Some(80), Some(92), "\u{2212}12 points"),
        ] {
            assert_eq!(change_in_points(now, before), text);
        }
    }

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (95, "1 min 35 s"),
            (3_600, "1 h"),
            (93_780, "26 h 3 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
