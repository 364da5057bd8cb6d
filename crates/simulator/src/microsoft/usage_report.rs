//! The Copilot usage report as it is served: CSV of two versions, and JSON in pages (UPSTREAM 4.3).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    activity::{AGENT, CHAT_WEB, CHAT_WORK, EDGE},
    csv::{self, Field},
    downloads::File,
    functions::Call,
    pages::Place,
    publication::Kind,
    refusal::Refusal,
    usage::{Flaw, Line, Period, Report},
};
use crate::{Delivery, UsageReport, days, world::World};

pub(super) const FUNCTION: &str = "getMicrosoft365CopilotUsageUserDetail";

/// Rows of a page of JSON.
const ROWS_PER_PAGE: usize = 200;

/// A date that no calendar has.
const WRONG_DATE: &str = "2026-13-40";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Which report is asked for, of whatever day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    version: Version,
    period: Period,
}

impl Asked {
    pub(super) fn period(self) -> Period {
        self.period
    }

    fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        if call.name != FUNCTION {
            return Err(Refusal::NoSegment(call.name.to_owned()));
        }
        let version = match call.argument("version") {
            None | Some("v1") => Version::V1,
            Some("v2") => Version::V2,
            Some(other) => {
                return Err(Refusal::BadRequest(format!(
                    "Invalid version value specified: {other}."
                )));
            }
        };
        let named = call.argument("period").unwrap_or_default();
        // Each version has its own idea of a month.
        let other_month = match version {
            Version::V1 => Period::D28,
            Version::V2 => Period::D30,
        };
        let period = Period::named(named).filter(|period| *period != other_month);
        let period = period.ok_or_else(|| Refusal::BadRequest(format!("Invalid period value specified: {named}.")))?;
        Ok(Self { version, period })
    }
}

/// `GET /v1.0/copilot/reports/{function}`
pub(super) async fn csv(State(world): State<Arc<World>>, Path(function): Path<String>) -> Result<Response, Refusal> {
    let asked = Asked::of(&Call::parse(&function)?)?;
    let form = match asked.version {
        Version::V1 => UsageReport::V1,
        Version::V2 => UsageReport::V2,
    };
    available(&world, form, &function)?;
    let refresh = world.microsoft.tenant.served(Kind::Usage, world.today().number);
    let file = File::Usage { refresh, asked };
    match world.settings.scenario.usage_report_delivery {
        Delivery::Redirect => Ok(world.microsoft.downloads.redirect(file, &world)),
        Delivery::Direct => {
            let body = world.microsoft.file(file);
            Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
        }
    }
}

/// `GET /beta/copilot/reports/{function}`
pub(super) async fn json(
    State(world): State<Arc<World>>,
    Path(function): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    let asked = Asked::of(&Call::parse(&function)?)?;
    available(&world, UsageReport::Beta, &function)?;
    if asked.version == Version::V2 {
        available(&world, UsageReport::V2, &function)?;
    }
    let place = match Place::of(&uri)? {
        Some(place) => Some(place),
        None => world
            .microsoft
            .tenant
            .served(Kind::Usage, world.today().number)
            .map(|list| Place {
                first: 0,
                list,
                page: 1,
            }),
    };
    let mut answer = json!({
        "@odata.context": format!("{}/beta/$metadata#Collection(microsoft.graph.copilotUsageUserDetail)", world.url),
        "value": [],
    });
    // Where no report has come out yet there is nothing to list.
    let Some(place) = place else {
        return Ok(Json(answer));
    };
    let report = world.microsoft.usage(place.list, asked.period);
    let first = usize::try_from(place.first)
        .unwrap_or(usize::MAX)
        .min(report.lines.len());
    let behind = (first + ROWS_PER_PAGE).min(report.lines.len());
    let concealed = world.settings.scenario.concealed_names;
    let rows = report.lines[first..behind].iter();
    answer["value"] = rows.map(|line| row(line, report.refresh, asked, concealed)).collect();
    if behind < report.lines.len() {
        let next = Place {
            first: u32::try_from(behind).unwrap_or(u32::MAX),
            page: place.page.saturating_add(1),
            ..place
        };
        answer["@odata.nextLink"] = next.link(&world.url, &uri).into();
    }
    Ok(Json(answer))
}

fn available(world: &World, form: UsageReport, function: &str) -> Result<(), Refusal> {
    if world.settings.scenario.usage_report_versions.contains(&form) {
        Ok(())
    } else {
        Err(Refusal::NoSegment(function.to_owned()))
    }
}

const COLUMNS_1: [&str; 13] = [
    "Report Refresh Date",
    "User Principal Name",
    "Display Name",
    "Last Activity Date",
    "Copilot Chat Last Activity Date",
    "Microsoft Teams Copilot Last Activity Date",
    "Word Copilot Last Activity Date",
    "Excel Copilot Last Activity Date",
    "PowerPoint Copilot Last Activity Date",
    "Outlook Copilot Last Activity Date",
    "OneNote Copilot Last Activity Date",
    "Loop Copilot Last Activity Date",
    "Report Period",
];

/// Nothing says in which order they come, so they come in another one than those of version 1.
const COLUMNS_2: [&str; 22] = [
    "Report Refresh Date",
    "User Principal Name",
    "Display Name",
    "Last Activity Date",
    "Prompts submitted for all apps",
    "Prompts submitted for Copilot Chat (work)",
    "Prompts submitted for Copilot Chat (web)",
    "Active Usage Days for all apps",
    "Microsoft 365 Copilot Last Activity Date",
    "Copilot Chat Last Activity Date",
    "Copilot Chat (work) Last Activity Date",
    "Copilot Chat (web) Last Activity Date",
    "Microsoft Teams Copilot Last Activity Date",
    "Outlook Copilot Last Activity Date",
    "Word Copilot Last Activity Date",
    "Excel Copilot Last Activity Date",
    "PowerPoint Copilot Last Activity Date",
    "OneNote Copilot Last Activity Date",
    "Loop Copilot Last Activity Date",
    "Edge Last Activity Date",
    "Copilot Agent Last Activity Date",
    "Report Period",
];

/// The whole report, its columns only where there is none yet.
pub(super) fn write(report: Option<&Report>, asked: Asked, concealed: bool) -> Bytes {
    let mut text = csv::begin(match asked.version {
        Version::V1 => &COLUMNS_1,
        Version::V2 => &COLUMNS_2,
    });
    for (refresh, line) in report
        .iter()
        .flat_map(|report| report.lines.iter().map(|line| (report.refresh, line)))
    {
        write_line(&mut text, line, refresh, asked, concealed);
    }
    text.into()
}

fn write_line(text: &mut String, line: &Line, refresh: i64, asked: Asked, concealed: bool) {
    let (upn, name) = names(line, concealed);
    let last = if line.flaw == Some(Flaw::WrongDate) {
        Field::Text(WRONG_DATE)
    } else {
        Field::Day(line.last)
    };
    let head = [Field::Day(Some(refresh)), Field::Text(&upn), Field::Text(&name), last];
    if line.flaw == Some(Flaw::TooFewFields) {
        return csv::add(text, &head);
    }
    let [teams, word, excel, powerpoint, outlook, onenote, loop_, chat] = line.apps().map(Field::Day);
    let period = Field::Text(asked.period.written());
    let [date, upn, name, last] = head;
    match asked.version {
        Version::V1 => {
            let apps = [chat, teams, word, excel, powerpoint, outlook, onenote, loop_];
            let fields: Vec<_> = [date, upn, name, last]
                .into_iter()
                .chain(apps)
                .chain([period])
                .collect();
            csv::add(text, &fields);
        }
        Version::V2 => {
            let counts = line.counts(asked.period);
            let fields = [
                date,
                upn,
                name,
                last,
                Field::Number(counts.prompts),
                Field::Number(counts.work_prompts),
                Field::Number(counts.web_prompts),
                Field::Number(counts.active_days.into()),
                Field::Day(line.chat()),
                chat,
                Field::Day(line.surfaces[CHAT_WORK]),
                Field::Day(line.surfaces[CHAT_WEB]),
                teams,
                outlook,
                word,
                excel,
                powerpoint,
                onenote,
                loop_,
                Field::Day(line.surfaces[EDGE]),
                Field::Day(line.surfaces[AGENT]),
                period,
            ];
            csv::add(text, &fields);
        }
    }
}

fn names(line: &Line, concealed: bool) -> (String, String) {
    if concealed {
        (csv::concealed(&line.upn), csv::concealed(&line.display_name))
    } else {
        (line.upn.clone(), line.display_name.clone())
    }
}

/// A line as JSON. One with too few fields lacks the name of the user.
fn row(line: &Line, refresh: i64, asked: Asked, concealed: bool) -> Value {
    let date = |day: Option<i64>| day.map(|day| days::date_of(day).to_string()).unwrap_or_default();
    let (upn, name) = names(line, concealed);
    let [teams, word, excel, powerpoint, outlook, onenote, loop_, chat] = line.apps().map(date);
    let last = match line.flaw {
        Some(Flaw::WrongDate) => WRONG_DATE.to_owned(),
        _ => date(line.last),
    };
    let period = match asked.period.written().parse::<u64>() {
        Ok(days) => Value::from(days),
        Err(_) => Value::from(asked.period.written()),
    };
    let mut row = json!({
        "reportRefreshDate": date(Some(refresh)),
        "userPrincipalName": upn,
        "displayName": name,
        "lastActivityDate": last,
        "copilotChatLastActivityDate": chat,
        "microsoftTeamsCopilotLastActivityDate": teams,
        "wordCopilotLastActivityDate": word,
        "excelCopilotLastActivityDate": excel,
        "powerPointCopilotLastActivityDate": powerpoint,
        "outlookCopilotLastActivityDate": outlook,
        "oneNoteCopilotLastActivityDate": onenote,
        "loopCopilotLastActivityDate": loop_,
        "copilotActivityUserDetailsByPeriod": [{"reportPeriod": period}],
    });
    if asked.version == Version::V2 {
        let counts = line.counts(asked.period);
        row["promptsSubmittedForAllApps"] = counts.prompts.into();
        row["promptsSubmittedForCopilotChatWork"] = counts.work_prompts.into();
        row["promptsSubmittedForCopilotChatWeb"] = counts.web_prompts.into();
        row["activeUsageDaysForAllApps"] = counts.active_days.into();
        row["copilotChatWorkLastActivityDate"] = date(line.surfaces[CHAT_WORK]).into();
        row["copilotChatWebLastActivityDate"] = date(line.surfaces[CHAT_WEB]).into();
        row["microsoft365CopilotLastActivityDate"] = date(line.chat()).into();
        row["edgeLastActivityDate"] = date(line.surfaces[EDGE]).into();
        row["copilotAgentLastActivityDate"] = date(line.surfaces[AGENT]).into();
    }
    if line.flaw == Some(Flaw::TooFewFields)
        && let Some(fields) = row.as_object_mut()
    {
        fields.remove("userPrincipalName");
    }
    row
}
