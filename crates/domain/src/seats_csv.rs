//! The CSV report of seats: fixed columns, one row per assignee, and no cell that a spreadsheet would run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::to_seconds;
use crate::seat::Assignee;
use crate::spreadsheet::inert;

/// The columns, in order. Readers rely on them.
pub const COLUMNS: [&str; 9] = [
    "Username",
    "Email",
    "Created At",
    "Last Activity At",
    "Last Active Editor",
    "Editor Version",
    "Plugin",
    "Plugin Version",
    "Team Slug",
];

/// What a cell says when the datum cannot be had.
pub const NOT_AVAILABLE: &str = "N/A";

/// What a person's account tells beyond the seat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDetails {
    /// The public mail address, or else the name id the person signs in with.
    pub email: Option<String>,
    /// When the account was made.
    pub created_at: Option<Timestamp>,
}

/// The file name of a day's report, `copilot_billing_seats_YYYY_MM_DD.csv`.
pub fn file_name(day: Date) -> String {
    format!("copilot_billing_seats_{}.csv", day.strftime("%Y_%m_%d"))
}

/// Writes the report. Details are looked up by the assignee's id; who has none gets `N/A`.
pub fn render(people: &[Assignee], details: &BTreeMap<u64, AccountDetails>) -> Result<Vec<u8>, csv::Error> {
    let unknown = AccountDetails::default();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(COLUMNS)?;
    for person in people {
        let account = details.get(&person.id).unwrap_or(&unknown);
        let teams: Vec<&str> = person.teams.iter().map(String::as_str).collect();
        csv.write_record(
            [
                person.login.clone(),
                or_not_available(account.email.as_deref()),
                instant(account.created_at),
                instant(person.last_activity_at),
                or_not_available(person.editor.name.as_deref()),
                or_not_available(person.editor.version.as_deref()),
                or_not_available(person.editor.plugin.as_deref()),
                or_not_available(person.editor.plugin_version.as_deref()),
                teams.join(";"),
            ]
            .iter()
            .map(|cell| inert(cell).into_owned()),
        )?;
    }
    csv.into_inner().map_err(|error| error.into_error().into())
}

fn or_not_available(text: Option<&str>) -> String {
    text.unwrap_or(NOT_AVAILABLE).to_owned()
}

fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NOT_AVAILABLE.to_owned(), to_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seat::tests::seat;
    use crate::seat::{Seat, assignees};
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn the_file_is_named_after_the_day() {
        assert_eq!(file_name(date(2026, 1, 9)), "copilot_billing_seats_2026_01_09.csv");
    }

    #[test]
    fn a_report_has_a_row_for_each_person_and_says_what_it_does_not_know() {
        let people = assignees([
            Seat {
                last_activity_at: Some("2021-10-14T00:53:32-06:00".parse().unwrap()),
                last_activity_editor: Some("vscode/1.77.3/copilot/1.86.82".into()),
                team: Some("red".into()),
                ..seat(1)
            },
            Seat {
                team: Some("blue".into()),
                ..seat(1)
            },
            seat(2),
        ]);
        let details = BTreeMap::from([(
            1,
            AccountDetails {
                email: Some("octocat@octo.example".into()),
                created_at: Some("2011-01-25T18:44:36Z".parse().unwrap()),
            },
        )]);
        let text = String::from_utf8(render(&people, &details).unwrap()).unwrap();
        assert_eq!(
            text,
            "Username,Email,Created At,Last Activity At,Last Active Editor,Editor Version,Plugin,Plugin Version,Team Slug\n\
             octocat-1,octocat@octo.example,2011-01-25T18:44:36Z,2021-10-14T06:53:32Z,vscode,1.77.3,copilot,1.86.82,blue;red\n\
             octocat-2,N/A,N/A,N/A,N/A,N/A,N/A,N/A,\n"
        );
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula_and_every_cell_reads_back(login in "[=+@\\-\\t\\r\\na-z,\"' ]{0,12}") {
            let people = assignees([Seat { login: login.clone(), ..seat(1) }]);
            let bytes = render(&people, &BTreeMap::new()).unwrap();
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let row = reader.records().next().unwrap().unwrap();
            let cell = row.get(0).unwrap();
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            prop_assert_eq!(cell.strip_prefix('\'').filter(|_| !login.starts_with('\'')).unwrap_or(cell), login);
        }
    }
}
