//! The active-user report as it is served: CSV behind a redirect, and JSON in pages (UPSTREAM 4.4).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::{
    activity::WORKLOADS,
    csv::{self, Field},
    downloads::File,
    functions::{self, Call},
    pages::Place,
    publication::Kind,
    refusal::Refusal,
    workloads::{Line, Report},
};
use crate::{days, world::World};

const FUNCTION: &str = "getOffice365ActiveUserDetail";

/// How long ago a day may be that is asked for by its date.
const OLDEST_DAYS: i64 = 30;

/// Rows of a page of JSON, where `$top` does not say.
const ROWS_PER_PAGE: usize = 200;

/// The products of which the report says who has them, and the place of their workload, where it is one of ours. Nobody
/// has the others.
const PRODUCTS: [(&str, &str, Option<usize>); 6] = [
    ("Exchange", "exchange", Some(0)),
    ("OneDrive", "oneDrive", Some(1)),
    ("SharePoint", "sharePoint", Some(2)),
    ("Skype For Business", "skypeForBusiness", None),
    ("Yammer", "yammer", None),
    ("Teams", "teams", Some(3)),
];

/// Which report is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The newest one.
    Newest,
    /// That of one day, and only who was seen on it.
    Day(i64),
}

impl Asked {
    fn of(call: &Call<'_>, today: i64) -> Result<Self, Refusal> {
        if call.name != FUNCTION {
            return Err(Refusal::NoSegment(call.name.to_owned()));
        }
        if let Some(given) = call.argument("date") {
            let day = given.parse::<Date>().ok().map(days::number_of);
            let is_known = |day: &i64| (today - OLDEST_DAYS..=today).contains(day);
            return day.filter(is_known).map(Self::Day).ok_or_else(|| {
                Refusal::BadRequest(format!(
                    "Invalid date value specified: {given}. Take one of the last 30 days."
                ))
            });
        }
        match call.argument("period") {
            Some("D7" | "D30" | "D90" | "D180") => Ok(Self::Newest),
            other => Err(Refusal::BadRequest(format!(
                "Invalid period value specified: {}.",
                other.unwrap_or_default()
            ))),
        }
    }

    /// The refresh date of what is served on a day; none where nothing has come out.
    fn refresh(self, world: &World, today: i64) -> Option<i64> {
        let tenant = &world.microsoft.tenant;
        match self {
            Self::Newest => tenant.served(Kind::Workloads, today),
            Self::Day(day) => {
                let out = tenant.published_on(Kind::Workloads, day);
                out.filter(|out| *out <= today).map(|_| day)
            }
        }
    }
}

/// `GET /v1.0/reports/{function}`
pub(super) async fn csv(State(world): State<Arc<World>>, Path(function): Path<String>) -> Result<Response, Refusal> {
    redirect(&world, &function)
}

/// `GET /beta/reports/{function}`, where a format can be chosen.
pub(super) async fn json_or_csv(
    State(world): State<Arc<World>>,
    Path(function): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = functions::query(&uri);
    if query.get("$format").map(String::as_str) != Some("application/json") {
        return redirect(&world, &function);
    }
    let today = world.today().number;
    let asked = Asked::of(&Call::parse(&function)?, today)?;
    let first_page = |list| Place {
        first: 0,
        list,
        page: 1,
    };
    let place = Place::of(&uri)?.or_else(|| asked.refresh(&world, today).map(first_page));
    let mut answer = json!({
        "@odata.context": format!("{}/beta/$metadata#Collection(microsoft.graph.office365ActiveUserDetail)", world.url),
        "value": [],
    });
    if let Some(place) = place {
        let report = world.microsoft.workloads(place.list, asked);
        let first = usize::try_from(place.first)
            .unwrap_or(usize::MAX)
            .min(report.lines.len());
        let top = query.get("$top").and_then(|top| top.parse().ok());
        let behind = first
            .saturating_add(top.unwrap_or(ROWS_PER_PAGE).max(1))
            .min(report.lines.len());
        let concealed = world.settings.scenario.concealed_names;
        let rows = report.lines[first..behind].iter();
        answer["value"] = rows.map(|line| row(line, report.refresh, concealed)).collect();
        if behind < report.lines.len() {
            let next = Place {
                first: u32::try_from(behind).unwrap_or(u32::MAX),
                page: place.page.saturating_add(1),
                ..place
            };
            answer["@odata.nextLink"] = next.link(&world.url, &uri).into();
        }
    }
    Ok(Json(answer).into_response())
}

fn redirect(world: &World, function: &str) -> Result<Response, Refusal> {
    let today = world.today().number;
    let asked = Asked::of(&Call::parse(function)?, today)?;
    let refresh = asked.refresh(world, today);
    Ok(world
        .microsoft
        .downloads
        .redirect(File::ActiveUsers { refresh, asked }, world))
}

/// The whole report, its columns only where there is none yet.
pub(super) fn write(report: Option<&Report>, concealed: bool) -> Bytes {
    let mut columns: Vec<String> = [
        "Report Refresh Date",
        "User Principal Name",
        "Display Name",
        "Is Deleted",
    ]
    .map(str::to_owned)
    .into();
    columns.push("Deleted Date".to_owned());
    columns.extend(PRODUCTS.map(|(name, ..)| format!("Has {name} License")));
    columns.extend(PRODUCTS.map(|(name, ..)| format!("{name} Last Activity Date")));
    columns.extend(PRODUCTS.map(|(name, ..)| format!("{name} License Assign Date")));
    columns.push("Assigned Products".to_owned());
    columns.push("Report Period".to_owned());
    let mut text = csv::begin(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (refresh, line) in report
        .iter()
        .flat_map(|report| report.lines.iter().map(|line| (report.refresh, line)))
    {
        let (upn, name) = names(line, concealed);
        let products = line.products.join("+");
        let has = |place: Option<usize>| place.is_some() && line.office_since.is_some();
        let mut fields = vec![
            Field::Day(Some(refresh)),
            Field::Text(&upn),
            Field::Text(&name),
            Field::Flag(line.deleted_on.is_some()),
            Field::Day(line.deleted_on),
        ];
        fields.extend(PRODUCTS.map(|(.., place)| Field::Flag(has(place))));
        fields.extend(PRODUCTS.map(|(.., place)| Field::Day(seen(line, place))));
        fields.extend(PRODUCTS.map(|(.., place)| Field::Day(line.office_since.filter(|_| has(place)))));
        fields.push(Field::Text(&products));
        fields.push(Field::Number(7));
        csv::add(&mut text, &fields);
    }
    text.into()
}

fn seen(line: &Line, place: Option<usize>) -> Option<i64> {
    let seen: &[Option<i64>; WORKLOADS] = &line.seen;
    place.and_then(|place| seen[place])
}

fn names(line: &Line, concealed: bool) -> (String, String) {
    if concealed {
        (csv::concealed(&line.upn), csv::concealed(&line.display_name))
    } else {
        (line.upn.clone(), line.display_name.clone())
    }
}

fn row(line: &Line, refresh: i64, concealed: bool) -> Value {
    let date = |day: Option<i64>| day.map(|day| days::date_of(day).to_string());
    let (upn, name) = names(line, concealed);
    let mut row = Map::new();
    row.insert("reportRefreshDate".to_owned(), date(Some(refresh)).into());
    row.insert("userPrincipalName".to_owned(), upn.into());
    row.insert("displayName".to_owned(), name.into());
    row.insert("isDeleted".to_owned(), line.deleted_on.is_some().into());
    row.insert("deletedDate".to_owned(), date(line.deleted_on).into());
    for (name, field, place) in PRODUCTS {
        let has = place.is_some() && line.office_since.is_some();
        let since = line.office_since.filter(|_| has);
        row.insert(format!("has{}License", name.replace(' ', "")), has.into());
        row.insert(format!("{field}LastActivityDate"), date(seen(line, place)).into());
        row.insert(format!("{field}LicenseAssignDate"), date(since).into());
    }
    row.insert("assignedProducts".to_owned(), json!(line.products));
    Value::Object(row)
}
