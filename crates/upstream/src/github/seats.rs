//! Copilot seats of an enterprise or an organisation.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;
use uptake_domain::seat::{Seat, team_slug};

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::github::{GitHub, Owner};
use crate::http::link::pages_between;
use crate::http::{Resource, Route};

static ENTERPRISE_SEATS: Route = Route {
    template: "GET /enterprises/{enterprise}/copilot/billing/seats",
    resource: Resource::Core,
    grant: "grant the token manage_billing:copilot or read:enterprise (a classic token; GitHub takes no App and no fine-grained token here)",
    not_found: "check UPTAKE_GITHUB_ENTERPRISE, and that the token has manage_billing:copilot or read:enterprise: GitHub hides what a token may not see",
    is_download: false,
};
static ORGANISATION_SEATS: Route = Route {
    template: "GET /orgs/{org}/copilot/billing/seats",
    resource: Resource::Core,
    grant: "grant the token manage_billing:copilot or read:org, or the App 'GitHub Copilot Business: read'",
    not_found: "check UPTAKE_GITHUB_ORGS, that the organisation has Copilot, and that the token has manage_billing:copilot or read:org",
    is_download: false,
};

/// A page of seats, each as GitHub wrote it: one that cannot be understood must not cost the other 99.
#[derive(Debug, Deserialize)]
pub struct SeatsPage {
    /// People with a seat, as of this page.
    pub total_seats: Option<u64>,
    /// The seats.
    pub seats: Vec<Box<RawValue>>,
    /// Pages still to come, where GitHub says.
    #[serde(skip)]
    pub pages_ahead: Option<usize>,
}

impl GitHub {
    /// Reads all seats, page by page. After an error the pages before it have been handed to `on_page`.
    pub async fn seats(
        &self,
        owner: &Owner,
        deadline: Deadline,
        mut on_page: impl FnMut(SeatsPage),
    ) -> Result<(), ApiError> {
        let (route, kind) = match owner {
            Owner::Enterprise(_) => (&ENTERPRISE_SEATS, "enterprises"),
            Owner::Organisation(_) => (&ORGANISATION_SEATS, "orgs"),
        };
        let path = [kind, owner.slug(), "copilot", "billing", "seats"];
        let decode = |body: &[u8]| {
            serde_json::from_slice::<SeatsPage>(body).map_err(|_| "the body is not a page of seats".to_owned())
        };
        self.list(owner, route, self.at(&path), deadline, decode, |page, links| {
            let pages_ahead = pages_between(links).map(|pages| pages.len());
            on_page(SeatsPage { pages_ahead, ..page });
        })
        .await
    }
}

#[derive(Deserialize)]
struct SeatRecord {
    created_at: Option<Timestamp>,
    pending_cancellation_date: Option<Date>,
    last_activity_at: Option<Timestamp>,
    last_activity_editor: Option<String>,
    plan_type: Option<String>,
    assignee: Option<AssigneeRecord>,
    assigning_team: Option<TeamRecord>,
}

#[derive(Deserialize)]
struct AssigneeRecord {
    id: Option<u64>,
    login: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct TeamRecord {
    slug: String,
}

/// Understands one seat, or says why not. The reason may quote the record: it goes where the record goes.
pub fn decode_seat(raw: &RawValue) -> Result<Seat, String> {
    let record: SeatRecord = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let assignee = record.assignee.ok_or("the seat has no assignee")?;
    if let Some(kind @ ("Team" | "Organization")) = assignee.kind.as_deref() {
        return Err(format!("the seat is assigned to a {kind}, not to a person"));
    }
    Ok(Seat {
        assignee_id: assignee.id.ok_or("the assignee has no id")?,
        login: assignee
            .login
            .filter(|login| !login.is_empty())
            .ok_or("the assignee has no login")?,
        created_at: record.created_at,
        last_activity_at: record.last_activity_at,
        last_activity_editor: record.last_activity_editor.filter(|editor| !editor.is_empty()),
        pending_cancellation_on: record.pending_cancellation_date,
        plan_type: record.plan_type,
        team: record.assigning_team.map(|team| team_slug(&team.slug).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn decode(json: &str) -> Result<Seat, String> {
        decode_seat(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn a_full_seat_is_understood_and_unknown_fields_are_ignored() {
        let seat = decode(
            r#"{"created_at":"2021-08-03T18:00:00-06:00","pending_cancellation_date":"2021-11-01","new_field":{"x":[1]},
                "last_activity_at":"2021-10-14T00:53:32-06:00","last_activity_editor":"vscode/1.77.3/copilot/1.86.82",
                "plan_type":"business","assignee":{"login":"octocat","id":1,"type":"User","site_admin":false},
                "assigning_team":{"id":1,"slug":"ent:justice-league","parent":null}}"#,
        )
        .unwrap();
        assert_eq!(seat.created_at, "2021-08-04T00:00:00Z".parse().ok());
        assert_eq!(seat.pending_cancellation_on, Some(date(2021, 11, 1)));
        assert_eq!(seat.team.as_deref(), Some("justice-league"));
    }

    #[test]
    fn a_seat_may_lack_everything_but_its_person() {
        let seat =
            decode(r#"{"assignee":{"login":"octocat","id":1},"assigning_team":null,"last_activity_at":null}"#).unwrap();
        assert_eq!((seat.assignee_id, seat.team, seat.last_activity_at), (1, None, None));
    }

    #[test]
    fn what_is_not_a_person_is_refused_with_a_reason() {
        for (json, expected) in [
            (r#"{"assignee":null}"#, "no assignee"),
            ("{}", "no assignee"),
            (r#"{"assignee":{"id":1}}"#, "no login"),
            (r#"{"assignee":{"id":1,"login":""}}"#, "no login"),
            (r#"{"assignee":{"login":"octocat"}}"#, "no id"),
            (
                r#"{"assignee":{"id":1,"name":"red","slug":"red","type":"Team"}}"#,
                "assigned to a Team",
            ),
            (
                r#"{"assignee":{"id":1,"login":"octo-org","type":"Organization"}}"#,
                "assigned to a Organization",
            ),
            (
                r#"{"assignee":{"id":1,"login":"octocat"},"last_activity_at":7}"#,
                "invalid type",
            ),
            ("7", "invalid type"),
        ] {
            let reason = decode(json).unwrap_err();
            assert!(reason.contains(expected), "{json}: {reason}");
        }
    }
}
