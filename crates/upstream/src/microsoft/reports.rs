//! Who used what: the Copilot usage report, and the Microsoft 365 active-user report.
//!
//! Background: Microsoft moved the Copilot report once already, and the path of the preview has been dead since
//! (400 "Resource not found for the segment"). Choice: ask for the best form first, and where Microsoft has no such form,
//! for the next; what came is told by [`ReportForm`]. A missing permission, a limit or a cut body never leads to a lesser
//! form.

use bytes::Bytes;
use jiff::civil::Date;
use serde::Deserialize;
use uptake_domain::copilot_usage::{UsageRecord, WorkloadActivity};

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Answer, Resource, Route};
use crate::microsoft::pages::NextPage;
use crate::microsoft::table::{self, Body, Fault, Fields, Layout, Row, Rows, Rules};
use crate::microsoft::{Graph, read_json};

const REPORTS_GRANT: &str = "grant the application permission Reports.Read.All and let an administrator consent to it";
const NO_REPORT: &str = "check UPTAKE_GRAPH_URL";

static USAGE_V2: Route = Route {
    template: "GET /v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period,version='v2')",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static USAGE_V1: Route = Route {
    template: "GET /v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period,version='v1')",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static USAGE_BETA_V2: Route = Route {
    template: "GET /beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period,version='v2')",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static USAGE_BETA: Route = Route {
    template: "GET /beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period)",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static ACTIVITY: Route = Route {
    template: "GET /v1.0/reports/getOffice365ActiveUserDetail",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static ACTIVITY_BETA: Route = Route {
    template: "GET /beta/reports/getOffice365ActiveUserDetail",
    resource: Resource::Reports,
    grant: REPORTS_GRANT,
    not_found: NO_REPORT,
    is_download: true,
};
static SETTINGS: Route = Route {
    template: "GET /v1.0/admin/reportSettings",
    resource: Resource::Graph,
    grant: "grant the application permission ReportSettings.Read.All and let an administrator consent to it",
    not_found: NO_REPORT,
    is_download: false,
};

/// The days a usage report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The last 7 days.
    D7,
    /// The last 28 days; only version 2 of the report has them.
    D28,
}

impl Period {
    fn name(self) -> &'static str {
        match self {
            Self::D7 => "D7",
            Self::D28 => "D28",
        }
    }

    fn days(self) -> u16 {
        match self {
            Self::D7 => 7,
            Self::D28 => 28,
        }
    }
}

/// Whose activity is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityOf {
    /// People active on one day of the last 30.
    Day(Date),
    /// People active in the last seven days.
    LastSevenDays,
}

/// In which form a report came, as its content shows. Of the Copilot usage report, all but the first are fallbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportForm {
    /// CSV with columns that only version 2 has, such as prompts and active days.
    CsvV2,
    /// CSV without any of them. The active-user report has no versions: its CSV is told as this.
    CsvV1,
    /// The preview's JSON.
    BetaJson,
}

/// The rows of a report.
#[derive(Clone, Debug)]
pub struct DecodedRows<T> {
    /// The day up to which the report tells, the newest of its rows; rows of other days keep theirs. `None` when there are
    /// no rows: then the report is not ready, or nobody is in it.
    pub refresh_on: Option<Date>,
    /// One row a person. Of several, each field has the latest day or the largest count.
    pub rows: Vec<T>,
    /// Rows that could not be understood.
    pub rejected: Vec<RejectedRow>,
    /// Whether the tenant conceals names: then nobody in it can be told.
    pub concealed: bool,
    /// Rows merged into an earlier one of the same person.
    pub duplicates: u64,
}

/// A row that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The rule it breaks.
    pub rule: &'static str,
    /// How. It may quote the record: it goes where the record goes.
    pub reason: String,
    /// The row as received.
    pub record: String,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report<T> {
    /// As received, in order: one CSV, or the pages of JSON.
    pub bodies: Vec<Bytes>,
    /// In which form it came.
    pub form: ReportForm,
    /// Its rows.
    pub rows: DecodedRows<T>,
}

/// The Copilot usage report.
pub type UsageReport = Report<UsageRecord>;

/// The Microsoft 365 active-user report.
pub type ActivityReport = Report<WorkloadActivity>;

/// A form of a report, and where it is to be had.
struct Form {
    route: &'static Route,
    path: Vec<String>,
    query: Option<&'static str>,
}

/// A report that came.
struct Received<T> {
    bodies: Vec<Bytes>,
    layout: Layout,
    rows: Rows<T>,
}

impl Graph {
    /// Whether the tenant conceals names in its reports; `None` where this credential may not know, because the permission
    /// is only for saying so earlier.
    pub async fn conceals_names(&self, deadline: Deadline) -> Result<Option<bool>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Settings {
            display_concealed_names: Option<bool>,
        }
        let url = self.service.at(&["v1.0", "admin", "reportSettings"]);
        let read = |answer: &Answer| read_json::<Settings>(&SETTINGS, &answer.body);
        match self.service.get(&SETTINGS, url, deadline, read).await {
            Ok(settings) => Ok(settings.display_concealed_names),
            Err(ApiError::Forbidden { .. } | ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The Copilot usage of every licensed user. A period that Microsoft does not offer ends in
    /// [`ApiError::NotAvailable`]: version 1 has none of 28 days, and then the one of seven is what there is.
    pub async fn copilot_usage(&self, period: Period, deadline: Deadline) -> Result<UsageReport, ApiError> {
        let at = |route, version: &str, options: &str| Form {
            route,
            path: vec![
                version.to_owned(),
                "copilot".to_owned(),
                "reports".to_owned(),
                format!(
                    "getMicrosoft365CopilotUsageUserDetail(period='{}'{options})",
                    period.name()
                ),
            ],
            query: None,
        };
        let mut forms = vec![
            at(&USAGE_V2, "v1.0", ",version='v2'"),
            at(&USAGE_BETA_V2, "beta", ",version='v2'"),
        ];
        if period == Period::D7 {
            forms.insert(1, at(&USAGE_V1, "v1.0", ",version='v1'"));
            forms.push(at(&USAGE_BETA, "beta", ""));
        }
        let report = self.report(&forms, deadline, |fields| usage(fields, period)).await?;
        let form = match &report.layout {
            Layout::Json => ReportForm::BetaJson,
            layout @ Layout::Csv(_) if !V2_ONLY.iter().any(|name| layout.has_column(name)) => ReportForm::CsvV1,
            Layout::Csv(_) | Layout::Empty => ReportForm::CsvV2,
        };
        Ok(UsageReport {
            bodies: report.bodies,
            form,
            rows: report.rows.into_inner(),
        })
    }

    /// When each person was last seen in each workload. A day that is too long ago ends in [`ApiError::NotAvailable`].
    pub async fn active_users(&self, which: ActivityOf, deadline: Deadline) -> Result<ActivityReport, ApiError> {
        let at = |route, version: &str, query| Form {
            route,
            path: vec![
                version.to_owned(),
                "reports".to_owned(),
                match which {
                    ActivityOf::Day(date) => format!("getOffice365ActiveUserDetail(date={date})"),
                    ActivityOf::LastSevenDays => "getOffice365ActiveUserDetail(period='D7')".to_owned(),
                },
            ],
            query,
        };
        let forms = [
            at(&ACTIVITY, "v1.0", None),
            at(&ACTIVITY_BETA, "beta", Some("$format=application/json&$top=999")),
        ];
        let report = self.report(&forms, deadline, activity).await?;
        Ok(ActivityReport {
            bodies: report.bodies,
            form: match report.layout {
                Layout::Json => ReportForm::BetaJson,
                Layout::Csv(_) | Layout::Empty => ReportForm::CsvV1,
            },
            rows: report.rows.into_inner(),
        })
    }

    /// The report in the first form that Microsoft has.
    async fn report<T: Row>(
        &self,
        forms: &[Form],
        deadline: Deadline,
        decode: impl Fn(&Fields<'_>) -> Result<T, Fault>,
    ) -> Result<Received<T>, ApiError> {
        for form in forms {
            let path: Vec<&str> = form.path.iter().map(String::as_str).collect();
            let mut url = self.service.at(&path);
            url.set_query(form.query);
            let first = NextPage::first(url);
            match self.page(form.route, &first, deadline, &decode).await {
                Ok((bytes, body)) => return self.rest(form.route, first, (bytes, body), deadline, &decode).await,
                Err(error @ (ApiError::Refused { .. } | ApiError::NotFound { .. })) => {
                    tracing::warn!(%error, "the report is not to be had in this form");
                }
                Err(error) => return Err(error),
            }
        }
        Err(ApiError::NotAvailable {
            route: forms.first().map_or("", |form| form.route.template),
        })
    }

    /// The pages after the first.
    async fn rest<T: Row>(
        &self,
        route: &'static Route,
        first: NextPage,
        (bytes, body): (Bytes, Body<T>),
        deadline: Deadline,
        decode: &impl Fn(&Fields<'_>) -> Result<T, Fault>,
    ) -> Result<Received<T>, ApiError> {
        let mut report = Received {
            bodies: vec![bytes],
            layout: body.layout,
            rows: body.rows,
        };
        let mut next = first.after(body.next_link, self.service.origin(), route)?;
        while let Some(this) = next {
            let (bytes, body) = self.page(route, &this, deadline, decode).await?;
            report.bodies.push(bytes);
            report.rows = report.rows.and(body.rows);
            next = this.after(body.next_link, self.service.origin(), route)?;
        }
        Ok(report)
    }

    async fn page<T: Row>(
        &self,
        route: &'static Route,
        page: &NextPage,
        deadline: Deadline,
        decode: &impl Fn(&Fields<'_>) -> Result<T, Fault>,
    ) -> Result<(Bytes, Body<T>), ApiError> {
        self.service
            .get(route, page.url(), deadline, |answer| {
                let body = table::read(route, &answer.body, decode)?;
                answer.holds(body.rows.came());
                Ok((answer.body.clone(), body))
            })
            .await
    }
}

/// Columns of version 2 (learn.microsoft.com, copilotReportRoot: getMicrosoft365CopilotUsageUserDetail, read 2026-11-22).
/// Their names in JSON are not documented: both spellings are taken.
const PROMPTS: [&str; 2] = ["Prompts submitted for all apps", "Prompts submitted"];
const ACTIVE_DAYS: [&str; 2] = ["Active Usage Days for all apps", "Active Usage Days"];
const CHAT_WORK: &str = "Copilot Chat (work) Last Activity Date";
const CHAT_WEB: &str = "Copilot Chat (web) Last Activity Date";
const AGENT: &str = "Copilot Agent Last Activity Date";
const EDGE: &str = "Edge Last Activity Date";
const V2_ONLY: [&str; 6] = [PROMPTS[0], ACTIVE_DAYS[0], CHAT_WORK, CHAT_WEB, AGENT, EDGE];

/// The last day in each app, in the order of [`uptake_domain::copilot_usage::App::ALL`] without the last, which is Chat.
const APPS: [&str; 7] = [
    "Microsoft Teams Copilot Last Activity Date",
    "Word Copilot Last Activity Date",
    "Excel Copilot Last Activity Date",
    "PowerPoint Copilot Last Activity Date",
    "Outlook Copilot Last Activity Date",
    "OneNote Copilot Last Activity Date",
    "Loop Copilot Last Activity Date",
];

fn usage(fields: &Fields<'_>, period: Period) -> Result<UsageRecord, Fault> {
    let upn = fields.upn()?;
    let report_refresh_on = fields.refresh_on()?;
    let on = |column: &str| fields.date_until(column, report_refresh_on);
    let chat_work_on = on(CHAT_WORK)?;
    let chat_web_on = on(CHAT_WEB)?;
    let chat_on = on("Copilot Chat Last Activity Date")?
        .max(chat_work_on)
        .max(chat_web_on);
    let [teams, word, excel, powerpoint, outlook, onenote, loop_] = APPS;
    Ok(UsageRecord {
        upn,
        report_refresh_on,
        last_activity_on: on("Last Activity Date")?,
        apps: [
            on(teams)?,
            on(word)?,
            on(excel)?,
            on(powerpoint)?,
            on(outlook)?,
            on(onenote)?,
            on(loop_)?,
            chat_on,
        ],
        chat_work_on,
        chat_web_on,
        agent_on: on(AGENT)?,
        edge_on: on(EDGE)?,
        // A period written otherwise is the one that was asked for.
        period_days: fields.number("Report Period").ok().flatten().unwrap_or(period.days()),
        prompts: first_number(fields, PROMPTS)?,
        active_days: first_number(fields, ACTIVE_DAYS)?,
    })
}

fn first_number<N: std::str::FromStr>(fields: &Fields<'_>, [name, short]: [&str; 2]) -> Result<Option<N>, Fault> {
    Ok(match fields.number(name)? {
        None => fields.number(short)?,
        number => number,
    })
}

impl Row for UsageRecord {
    const REQUIRED: &'static [&'static str] = &["Report Refresh Date", "User Principal Name", "Last Activity Date"];
    const RULES: Rules = Rules {
        fields: "usage_fields",
        user: "usage_user",
        date: "usage_date",
        number: "usage_number",
    };

    fn upn(&self) -> &str {
        &self.upn
    }

    fn refresh_on(&self) -> Date {
        self.report_refresh_on
    }

    fn absorb(&mut self, other: Self) {
        self.report_refresh_on = self.report_refresh_on.max(other.report_refresh_on);
        self.last_activity_on = self.last_activity_on.max(other.last_activity_on);
        for (app, other) in self.apps.iter_mut().zip(other.apps) {
            *app = (*app).max(other);
        }
        self.chat_work_on = self.chat_work_on.max(other.chat_work_on);
        self.chat_web_on = self.chat_web_on.max(other.chat_web_on);
        self.agent_on = self.agent_on.max(other.agent_on);
        self.edge_on = self.edge_on.max(other.edge_on);
        self.period_days = self.period_days.max(other.period_days);
        self.prompts = self.prompts.max(other.prompts);
        self.active_days = self.active_days.max(other.active_days);
    }
}

fn activity(fields: &Fields<'_>) -> Result<WorkloadActivity, Fault> {
    let upn = fields.upn()?;
    let report_refresh_on = fields.refresh_on()?;
    let on = |column: &str| fields.date_until(column, report_refresh_on);
    Ok(WorkloadActivity {
        upn,
        report_refresh_on,
        exchange_on: on("Exchange Last Activity Date")?,
        onedrive_on: on("OneDrive Last Activity Date")?,
        sharepoint_on: on("SharePoint Last Activity Date")?,
        teams_on: on("Teams Last Activity Date")?,
    })
}

impl Row for WorkloadActivity {
    const REQUIRED: &'static [&'static str] = &["Report Refresh Date", "User Principal Name"];
    const RULES: Rules = Rules {
        fields: "activity_fields",
        user: "activity_user",
        date: "activity_date",
        number: "activity_number",
    };

    fn upn(&self) -> &str {
        &self.upn
    }

    fn refresh_on(&self) -> Date {
        self.report_refresh_on
    }

    fn absorb(&mut self, other: Self) {
        self.report_refresh_on = self.report_refresh_on.max(other.report_refresh_on);
        self.exchange_on = self.exchange_on.max(other.exchange_on);
        self.onedrive_on = self.onedrive_on.max(other.onedrive_on);
        self.sharepoint_on = self.sharepoint_on.max(other.sharepoint_on);
        self.teams_on = self.teams_on.max(other.teams_on);
    }
}

#[cfg(test)]
mod tests {
    use csv::{Terminator, WriterBuilder};
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    /// A row that tells all that a report can tell, column by column.
    const COLUMNS: [(&str, &str); 19] = [
        ("Report Refresh Date", "2026-11-20"),
        ("User Principal Name", "Adele@contoso.example"),
        ("Last Activity Date", "2026-11-19"),
        ("Copilot Chat Last Activity Date", "2026-11-01"),
        ("Copilot Chat (work) Last Activity Date", "2026-11-02"),
        ("Copilot Chat (web) Last Activity Date", "2026-11-03"),
        ("Microsoft Teams Copilot Last Activity Date", "2026-11-04"),
        ("Word Copilot Last Activity Date", "2026-11-05"),
        ("Excel Copilot Last Activity Date", "2026-11-06"),
        ("PowerPoint Copilot Last Activity Date", "2026-11-07"),
        ("Outlook Copilot Last Activity Date", "2026-11-08"),
        ("OneNote Copilot Last Activity Date", "2026-11-09"),
        ("Loop Copilot Last Activity Date", "2026-11-10"),
        ("Copilot Agent Last Activity Date", "2026-11-11"),
        ("Edge Last Activity Date", "2026-11-12"),
        ("Prompts submitted for all apps", "41"),
        ("Active Usage Days for all apps", "6"),
        ("Report Period", "28"),
        ("Display Name", "Vance, \"Adele\"\nthe first"),
    ];

    fn read(columns: &[(String, &str)], crlf: bool) -> UsageRecord {
        let terminator = if crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
        let mut csv = WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        csv.write_record(columns.iter().map(|(name, _)| name)).unwrap();
        csv.write_record(columns.iter().map(|(_, value)| value)).unwrap();
        let body = csv.into_inner().unwrap();
        let read = table::read(&USAGE_V2, &body, |fields| usage(fields, Period::D28)).unwrap_or_else(|verdict| {
            panic!("{verdict}: {}", String::from_utf8_lossy(&body));
        });
        let rows = read.rows.into_inner();
        assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
        rows.rows.into_iter().next().unwrap()
    }

    proptest! {
        #[test]
        fn neither_order_nor_case_nor_company_of_columns_matters(
            order in Just((0..COLUMNS.len()).collect::<Vec<_>>()).prop_shuffle(),
            unknown in prop::collection::vec(("Zz[a-z ,\"]{0,8}", "[a-z0-9,\"\n ]{0,8}"), 0..5),
            shouted in any::<bool>(),
            crlf in any::<bool>(),
        ) {
            let expected = read(&COLUMNS.map(|(name, value)| (name.to_owned(), value)), false);
            let mut columns: Vec<(String, &str)> = order
                .into_iter()
                .map(|index| COLUMNS[index])
                .map(|(name, value)| (if shouted { name.to_uppercase() } else { format!(" {name}") }, value))
                .collect();
            for (place, (name, value)) in unknown.iter().enumerate() {
                columns.insert(place * 3, (name.clone(), value));
            }
            prop_assert_eq!(read(&columns, crlf), expected);
        }

        #[test]
        fn a_column_that_is_not_there_costs_only_itself(
            optional in subsequence((3..COLUMNS.len()).collect::<Vec<_>>(), 0..COLUMNS.len() - 3),
        ) {
            let columns: Vec<(String, &str)> = (0..3)
                .chain(optional.iter().copied())
                .map(|index| (COLUMNS[index].0.to_owned(), COLUMNS[index].1))
                .collect();
            let row = read(&columns, true);
            let has = |index: usize| optional.contains(&index);
            prop_assert_eq!(row.last_activity_on, Some(jiff::civil::date(2026, 11, 19)));
            for (app, index) in (6..13).enumerate() {
                prop_assert_eq!(row.apps[app].is_some(), has(index));
            }
            prop_assert_eq!(row.apps[7].is_some(), has(3) || has(4) || has(5));
            prop_assert_eq!(row.prompts.is_some(), has(15));
            prop_assert_eq!(row.active_days.is_some(), has(16));
            prop_assert_eq!(row.period_days, 28);
        }
    }
}
