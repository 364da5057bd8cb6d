//! Copilot seats and what an organisation pays for (UPSTREAM 3.2).

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use jiff::{Timestamp, tz::Offset};
use serde::Serialize;
use serde_json::{Value, json};

use super::{account::Account, caller::Caller, paging::Paging, refusal::Refusal};
use crate::{
    ORGANISATIONS,
    day::{Day, Holder, List, Seat, SeatFacts},
    days,
    people::{Defect, Grant, Model},
    teams::Team,
    world::World,
};

const PER_PAGE: usize = 50;

#[derive(Serialize)]
struct SeatPage {
    total_seats: usize,
    seats: Vec<SeatObject>,
}

#[derive(Serialize)]
struct SeatObject {
    created_at: String,
    updated_at: String,
    pending_cancellation_date: Option<String>,
    /// Text or null, unless the seat is one that must not decode.
    last_activity_at: Value,
    last_activity_editor: Option<String>,
    last_authenticated_at: Option<String>,
    plan_type: &'static str,
    assignee: Option<Assignee>,
    #[expect(
        clippy::option_option,
        reason = "null and absent both mean a direct seat, and both must be served"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    assigning_team: Option<Option<AssigningTeam>>,
    // Not in the documentation: a client must not mind.
    seat_origin: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Assignee {
    Account(Box<Account>),
    Team(Box<AssigningTeam>),
}

#[derive(Serialize)]
struct AssigningTeam {
    id: u32,
    node_id: String,
    url: String,
    html_url: String,
    name: &'static str,
    slug: String,
    description: String,
    privacy: &'static str,
    notification_setting: &'static str,
    permission: &'static str,
    members_url: String,
    repositories_url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    parent: Option<u32>,
}

impl From<&Team> for AssigningTeam {
    fn from(team: &Team) -> Self {
        let url = format!("https://api.github.example/teams/{}", team.id);
        Self {
            id: team.id,
            node_id: format!("T_simulated{}", team.id),
            html_url: format!("https://github.example/orgs/{}/teams/{}", ORGANISATIONS[0], team.slug),
            name: team.name,
            slug: team.slug.clone(),
            description: format!("Everyone who works on {}.", team.name),
            privacy: "closed",
            notification_setting: "notifications_enabled",
            permission: "pull",
            members_url: format!("{url}/members{{/member}}"),
            repositories_url: format!("{url}/repos"),
            url,
            kind: "Team",
            parent: None,
        }
    }
}

impl SeatObject {
    fn new(model: &Model, facts: SeatFacts) -> Self {
        let written = |at: Timestamp| match Offset::from_seconds(facts.offset_seconds) {
            Ok(offset) if !offset.is_zero() => at.display_with_offset(offset).to_string(),
            _ => at.to_string(),
        };
        let granted_at = written(facts.granted_at);
        let last_activity_at = facts.activity.as_ref().map(|activity| written(activity.at));
        let is_number = matches!(facts.holder, Holder::Undecodable(_, Defect::ActivityIsANumber));
        Self {
            created_at: granted_at.clone(),
            updated_at: granted_at,
            pending_cancellation_date: facts.pending_cancellation_on.map(|day| days::date_of(day).to_string()),
            last_authenticated_at: last_activity_at.clone(),
            last_activity_at: if is_number {
                Value::from(facts.granted_at.as_second())
            } else {
                last_activity_at.into()
            },
            last_activity_editor: facts.activity.and_then(|activity| activity.editor),
            plan_type: facts.plan,
            assignee: assignee(model, facts.holder),
            assigning_team: match facts.grant {
                Grant::Team(team) => Some(model.teams.get(team).map(AssigningTeam::from)),
                Grant::DirectNull => Some(None),
                Grant::DirectAbsent => None,
            },
            seat_origin: "simulated",
        }
    }
}

fn assignee(model: &Model, holder: Holder) -> Option<Assignee> {
    let account = |tenure| {
        let profile = model.profile(tenure);
        Account::new(profile.login, profile.id, "User")
    };
    match holder {
        Holder::Nobody => None,
        Holder::Person(tenure) | Holder::Undecodable(tenure, Defect::ActivityIsANumber) => {
            Some(Assignee::Account(Box::new(account(tenure))))
        }
        Holder::Undecodable(tenure, Defect::AssigneeIdIsText) => {
            let mut account = account(tenure);
            account.id = Value::from(format!("id-{}", account.id));
            Some(Assignee::Account(Box::new(account)))
        }
        Holder::Team => model.teams.get(0).map(|team| Assignee::Team(Box::new(team.into()))),
        Holder::Organisation => {
            let account = Account::new(ORGANISATIONS[0].to_owned(), 2001, "Organization");
            Some(Assignee::Account(Box::new(account)))
        }
    }
}

fn page(world: &World, day: &Day, list: &List, uri: &Uri) -> Response {
    let paging = Paging::of(uri, PER_PAGE);
    let object = |seat: &Seat| SeatObject::new(&world.model, seat.facts(&world.model, day.number));
    let seats = list.seats[paging.range(list.seats.len())].iter().map(object).collect();
    paging.answer(
        &world.url,
        uri,
        list.seats.len(),
        &SeatPage {
            total_seats: list.total,
            seats,
        },
    )
}

/// `GET /enterprises/{enterprise}/copilot/billing/seats`
pub(super) async fn enterprise_seats(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(enterprise): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    caller.may_read_enterprise(&enterprise)?;
    let day = world.today();
    Ok(page(&world, &day, day.enterprise(), &uri))
}

/// `GET /orgs/{org}/copilot/billing/seats`
pub(super) async fn organisation_seats(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let index = caller.may_read_organisation(&login)?;
    let day = world.today();
    Ok(page(&world, &day, day.organisation(index), &uri))
}

/// `GET /orgs/{org}/copilot/billing`
pub(super) async fn organisation_billing(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let index = caller.may_read_organisation(&login)?;
    let day = world.today();
    let list = day.organisation(index);
    let cycle = days::first_of_month(day.number);
    let (mut added, mut pending, mut active) = (0, 0, 0);
    for seat in &list.seats {
        let facts = seat.facts(&world.model, day.number);
        added += u64::from(days::day_of(facts.granted_at) >= cycle);
        pending += u64::from(facts.pending_cancellation_on.is_some());
        active += u64::from(
            facts
                .activity
                .is_some_and(|activity| days::day_of(activity.at) >= cycle),
        );
    }
    Ok(Json(json!({
        "seat_breakdown": {
            "total": list.total,
            "added_this_cycle": added,
            "pending_invitation": 0,
            "pending_cancellation": pending,
            "active_this_cycle": active,
            "inactive_this_cycle": u64::try_from(list.seats.len()).unwrap_or(u64::MAX).saturating_sub(active),
        },
        "seat_management_setting": "assign_selected",
        "ide_chat": "enabled",
        "platform_chat": "enabled",
        "cli": "enabled",
        "public_code_suggestions": "block",
        "plan_type": "business",
    })))
}
