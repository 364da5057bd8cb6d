//! Everybody in the directory, page by page, with what they hold.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uptake_domain::directory::{AssignedLicense, AssignedPlan, AssignmentState, DirectoryUser};

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Resource, Route};
use crate::microsoft::pages::{NextPage, Page};
use crate::microsoft::{Graph, read_json};

/// What is asked about each, and the most users a page (learn.microsoft.com, "List users", read 2026-11-22: 999).
const QUERY: &str = "$select=id,userPrincipalName,displayName,mail,department,jobTitle,companyName,officeLocation,accountEnabled,userType,usageLocation,assignedLicenses,assignedPlans,licenseAssignmentStates&$top=999";

static USERS: Route = Route {
    template: "GET /v1.0/users",
    resource: Resource::Graph,
    grant: "grant the application permission User.Read.All and let an administrator consent to it",
    not_found: "check UPTAKE_GRAPH_URL",
    is_download: false,
};

/// A page of users, each as Graph wrote it: one that cannot be understood must not cost the other 998.
#[derive(Debug)]
pub struct UsersPage {
    /// As received.
    pub body: Bytes,
    /// The users.
    pub users: Vec<Box<RawValue>>,
    /// The page after this one.
    pub next: Option<NextPage>,
}

/// A user that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecoded {
    /// The object id in lower case, where one can be made out: somebody with a record is not gone.
    pub id: Option<String>,
    /// Why not. It may quote the record: it goes where the record goes.
    pub reason: String,
}

impl Graph {
    /// A page of everybody: the first, or the one that the page before names.
    pub async fn users_page(&self, next: Option<NextPage>, deadline: Deadline) -> Result<UsersPage, ApiError> {
        let this = next.unwrap_or_else(|| {
            let mut url = self.service.at(&["v1.0", "users"]);
            url.set_query(Some(QUERY));
            NextPage::first(url)
        });
        let (body, page) = self
            .service
            .get(&USERS, this.url(), deadline, |answer| {
                let page: Page = read_json(&USERS, &answer.body)?;
                answer.holds(page.value.len());
                Ok((answer.body.clone(), page))
            })
            .await?;
        Ok(UsersPage {
            body,
            users: page.value,
            next: this.after(page.next_link, self.service.origin(), &USERS)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserRecord {
    id: Option<String>,
    user_principal_name: Option<String>,
    display_name: Option<String>,
    mail: Option<String>,
    department: Option<String>,
    job_title: Option<String>,
    company_name: Option<String>,
    office_location: Option<String>,
    account_enabled: Option<bool>,
    assigned_licenses: Option<Vec<LicenseRecord>>,
    assigned_plans: Option<Vec<PlanRecord>>,
    license_assignment_states: Option<Vec<StateRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LicenseRecord {
    sku_id: String,
    disabled_plans: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanRecord {
    service_plan_id: String,
    assigned_date_time: Option<String>,
    capability_status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateRecord {
    sku_id: String,
    state: Option<String>,
    last_updated_date_time: Option<String>,
}

/// Understands one user, or says why not.
///
/// An account that does not say whether it is enabled is taken as enabled: nobody's licence is to look unused, and nobody
/// is to look gone, for a word that is missing. An instant that cannot be read is as one that is missing: there is a day on
/// which the licence was first seen. A licence or a plan without its id is refused, because what a person holds must not
/// become less in silence.
pub fn decode_user(raw: &RawValue) -> Result<DirectoryUser, Undecoded> {
    decode(raw).map_err(|reason| Undecoded {
        id: serde_json::from_str::<Value>(raw.get())
            .ok()
            .and_then(|user| user.get("id")?.as_str().and_then(identifier)),
        reason,
    })
}

fn decode(raw: &RawValue) -> Result<DirectoryUser, String> {
    let record: UserRecord = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let id = record.id.as_deref().and_then(identifier);
    let upn = record.user_principal_name.as_deref().and_then(identifier);
    Ok(DirectoryUser {
        id: id.ok_or("the user has no id")?,
        upn: upn.ok_or("the user has no userPrincipalName")?,
        display_name: words(record.display_name),
        mail: words(record.mail),
        department: words(record.department),
        job_title: words(record.job_title),
        company_name: words(record.company_name),
        office_location: words(record.office_location),
        account_enabled: record.account_enabled.unwrap_or(true),
        licenses: list(record.assigned_licenses, |license| AssignedLicense {
            sku_id: license.sku_id.to_lowercase(),
            disabled_plans: list(license.disabled_plans, |plan| plan.to_lowercase()),
        }),
        plans: list(record.assigned_plans, |plan| AssignedPlan {
            plan_id: plan.service_plan_id.to_lowercase(),
            assigned_at: instant(plan.assigned_date_time.as_deref()),
            capability_status: plan.capability_status,
        }),
        states: list(record.license_assignment_states, |state| AssignmentState {
            sku_id: state.sku_id.to_lowercase(),
            state: state.state,
            updated_at: instant(state.last_updated_date_time.as_deref()),
        }),
    })
}

fn list<T, U>(records: Option<Vec<T>>, decode: impl FnMut(T) -> U) -> Vec<U> {
    records.unwrap_or_default().into_iter().map(decode).collect()
}

fn identifier(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_lowercase())
}

fn words(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// An instant, unless it is Microsoft's word for none, the first of the year 1.
fn instant(text: Option<&str>) -> Option<Timestamp> {
    let at: Timestamp = text?.parse().ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}
