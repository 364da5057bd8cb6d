//! The simulator's own account of the tenant, computed from the model and never through HTTP.

use jiff::civil::Date;
use serde::Serialize;

/// The directory as it is served on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantTruth {
    /// The day.
    pub day: Date,
    /// Everybody who is listed, in the order of the list.
    pub users: Vec<TenantUser>,
}

/// One account of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantUser {
    /// The object id: a person who returns has the same.
    pub id: String,
    /// The user principal name, spelled as it is served.
    pub upn: String,
    /// The name shown to people.
    pub display_name: String,
    /// The mail address.
    pub mail: Option<String>,
    /// The department.
    pub department: Option<String>,
    /// Whether the account can sign in.
    pub enabled: bool,
    /// The SKUs whose Copilot plans are in force; none means not licensed.
    pub skus: Vec<HeldSku>,
}

/// A SKU with Copilot plans that are in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldSku {
    /// The SKU.
    pub sku_id: String,
    /// The Copilot plans of it that are switched on, sorted.
    pub service_plans: Vec<String>,
    /// The UTC day of the earliest `assignedDateTime` of these plans, where there is one.
    pub assigned_on: Option<Date>,
    /// The UTC day of the earliest `lastUpdatedDateTime` of those assignments of the SKU that are in force.
    pub updated_on: Option<Date>,
}

/// One person in the Copilot usage report of a refresh date: the rows of a person merged, latest date and largest
/// figure of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageTruth {
    /// The user principal name in lower case, also where names are concealed.
    pub upn: String,
    /// The last day with any activity.
    pub last_activity_on: Option<Date>,
    /// The last day in teams, word, excel, powerpoint, outlook, onenote, loop and chat.
    pub apps: [Option<Date>; 8],
    /// The last day in Copilot Chat over work data.
    pub chat_work_on: Option<Date>,
    /// The last day in Copilot Chat over the web.
    pub chat_web_on: Option<Date>,
    /// The last day with an agent.
    pub agent_on: Option<Date>,
    /// The last day in Edge.
    pub edge_on: Option<Date>,
    /// Prompts in the 7 days that end with the refresh date.
    pub prompts_7: u64,
    /// Prompts in 28 days.
    pub prompts_28: u64,
    /// Days with activity in 7 days.
    pub active_days_7: u16,
    /// Days with activity in 28 days.
    pub active_days_28: u16,
}

/// One person in the active-user report of a refresh date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadTruth {
    /// The user principal name in lower case, also where names are concealed.
    pub upn: String,
    /// Whether the account has been deleted within 30 days.
    pub deleted: bool,
    /// The last day in Exchange.
    pub exchange_on: Option<Date>,
    /// The last day in `OneDrive`.
    pub onedrive_on: Option<Date>,
    /// The last day in `SharePoint`.
    pub sharepoint_on: Option<Date>,
    /// The last day in Teams.
    pub teams_on: Option<Date>,
}
