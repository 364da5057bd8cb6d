//! The list of underutilised licences as CSV, for the people who decide about them.

use jiff::civil::Date;

use crate::spreadsheet::inert;

/// One underutilised licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleLicense<'a> {
    /// The user principal name.
    pub upn: &'a str,
    /// The name shown to people.
    pub display_name: Option<&'a str>,
    /// The mail address.
    pub mail: Option<&'a str>,
    /// The department.
    pub department: Option<&'a str>,
    /// Whether the account is disabled or gone.
    pub departed: bool,
    /// 0 to 100.
    pub score: i64,
    /// The last day of use.
    pub last_activity_on: Option<Date>,
    /// First day of the holding.
    pub assigned_on: Date,
    /// Days from then.
    pub days_held: i64,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

const HEADER: [&str; 9] = [
    "User Principal Name",
    "Display Name",
    "Mail",
    "Department",
    "Account",
    "Score",
    "Last Activity",
    "Assigned On",
    "Days Held",
];

/// What the name of every list begins with.
pub const NAME: &str = "underutilized_licenses_";
const DAY: &str = "%Y_%m_%d";

/// The name of a day's list.
pub fn file_name(day: Date) -> String {
    format!("{NAME}{}.csv", day.strftime(DAY))
}

/// The day of the list of a name.
pub fn day_of(file_name: &str) -> Option<Date> {
    let day = file_name.strip_prefix(NAME)?.strip_suffix(".csv")?;
    Date::strptime(DAY, day).ok()
}

/// The list: departed people first, because their licences can be had at once, then the lowest scores, then who has held
/// the licence longest.
pub fn render(mut licenses: Vec<IdleLicense<'_>>) -> Result<Vec<u8>, csv::Error> {
    licenses
        .sort_by(|a, b| (!a.departed, a.score, -a.days_held, a.upn).cmp(&(!b.departed, b.score, -b.days_held, b.upn)));
    // Without it, spreadsheets take names that are not ASCII for something else.
    let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(HEADER)?;
    for license in licenses {
        let text = |text: Option<&str>| inert(text.unwrap_or_default()).into_owned();
        writer.write_record([
            text(Some(license.upn)),
            text(license.display_name),
            text(license.mail),
            text(license.department),
            if license.departed { "departed" } else { "active" }.to_owned(),
            license.score.to_string(),
            license
                .last_activity_on
                .map_or_else(|| "never".to_owned(), |on| on.to_string()),
            license.assigned_on.to_string(),
            license.days_held.to_string(),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn who_left_comes_first_and_no_cell_begins_a_formula() {
        let license = |upn, departed, score, days_held| IdleLicense {
            upn,
            display_name: Some("=cmd()"),
            mail: None,
            department: Some("R&D, West"),
            departed,
            score,
            last_activity_on: None,
            assigned_on: date(2026, 1, 1),
            days_held,
        };
        let csv = render(vec![
            license("c@x", false, 0, 20),
            license("b@x", false, 0, 300),
            license("d@x", false, 7, 300),
            license("a@x", true, 20, 15),
        ]);
        let text = String::from_utf8(csv.unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("\u{feff}{}", HEADER.join(",")));
        assert_eq!(lines[1], r#"a@x,'=cmd(),,"R&D, West",departed,20,never,2026-01-01,15"#);
        let order: Vec<&str> = lines[1..].iter().map(|line| &line[..1]).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert_eq!(file_name(date(2026, 11, 20)), "underutilized_licenses_2026_11_20.csv");
    }
}
