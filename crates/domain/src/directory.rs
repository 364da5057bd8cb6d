//! The directory as Microsoft Entra tells it: people, what they hold, and what the tenant has bought.

use jiff::Timestamp;

/// One account of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The object id: stays when everything else about a person changes.
    pub id: String,
    /// The user principal name in lower case, as joins need it.
    pub upn: String,
    /// The name shown to people.
    pub display_name: Option<String>,
    /// The mail address.
    pub mail: Option<String>,
    /// The department.
    pub department: Option<String>,
    /// The job title.
    pub job_title: Option<String>,
    /// The company.
    pub company_name: Option<String>,
    /// The office.
    pub office_location: Option<String>,
    /// Whether the account can sign in.
    pub account_enabled: bool,
    /// What is assigned to it, by itself or through a group.
    pub licenses: Vec<AssignedLicense>,
    /// The services that come with it.
    pub plans: Vec<AssignedPlan>,
    /// How each assignment stands: several of one SKU where it came in several ways.
    pub states: Vec<AssignmentState>,
}

/// A SKU that is assigned to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedLicense {
    /// The SKU, lower case.
    pub sku_id: String,
    /// Service plans of it that are switched off, lower case.
    pub disabled_plans: Vec<String>,
}

/// A service plan that a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedPlan {
    /// The service plan, lower case.
    pub plan_id: String,
    /// When it was assigned.
    pub assigned_at: Option<Timestamp>,
    /// `Enabled`, `Warning`, `Suspended`, `LockedOut`, `Deleted`, or a word not known yet.
    pub capability_status: Option<String>,
}

/// How one assignment of a SKU stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentState {
    /// The SKU, lower case.
    pub sku_id: String,
    /// `Active`, `ActiveWithError`, `Disabled`, `Error`, or a word not known yet.
    pub state: Option<String>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

/// A SKU the tenant has bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribedSku {
    /// The SKU, lower case.
    pub sku_id: String,
    /// Its service plans, lower case.
    pub plan_ids: Vec<String>,
}
