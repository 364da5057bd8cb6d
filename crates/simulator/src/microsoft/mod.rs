//! A Microsoft 365 tenant as Uptake needs it: login, directory, licences, usage reports, the audit log and a list.

mod active_users;
mod activity;
mod application;
mod assignments;
mod audit;
mod audit_query;
mod cache;
mod cast;
mod csv;
mod downloads;
pub(crate) mod feed;
mod functions;
mod gate;
mod identities;
mod licences;
mod limits;
mod lists;
mod login;
mod names;
pub(crate) mod pages;
pub(crate) mod publication;
mod refusal;
mod skus;
mod tenant;
pub(crate) mod truth;
mod usage;
mod usage_report;
mod users;
mod workloads;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use bytes::Bytes;

use self::{
    audit::Log,
    audit_query::Queries,
    cache::Cache,
    downloads::{Downloads, File},
    feed::{content, delivery, delivery::Courier, subscriptions, subscriptions::Subscriptions},
    limits::Limits,
    lists::Exclusions,
    login::Tokens,
    refusal::Door,
    tenant::Tenant,
    truth::{HeldSku, TenantTruth, TenantUser, UsageTruth, WorkloadTruth},
    usage::Period,
};
pub use self::{
    audit::truth::{AuditCounts, AuditTruth},
    feed::delivery::Deliveries,
    lists::{EXCLUSION_LIST_ID, EXCLUSION_SITE_ID},
};
use crate::{Settings, world::World};

/// The tenant, and what its name is in addresses.
pub const TENANT: &str = "6f1c3d8e-52a7-4b90-9d24-7e0b8c5fa113";
/// The one application that may log in.
pub const CLIENT_ID: &str = "c0b7e4a2-19d5-4f6e-8a33-d2915b60f7ce";
/// Its secret: made for the simulator, good for nothing else.
pub const CLIENT_SECRET: &str = "simulated-client-secret";

const TOKEN: &str = "/{tenant}/oauth2/v2.0/token";
const USERS: &str = "/v1.0/users";
const SUBSCRIBED_SKUS: &str = "/v1.0/subscribedSkus";
const APPLICATION: &str = "/v1.0/{entity}";
const REPORT_SETTINGS: &str = "/v1.0/admin/reportSettings";
const USAGE: &str = "/v1.0/copilot/reports/{function}";
const BETA_USAGE: &str = "/beta/copilot/reports/{function}";
const REPORTS: &str = "/v1.0/reports/{function}";
const BETA_REPORTS: &str = "/beta/reports/{function}";
const DOWNLOADS: &str = "/_downloads/{token}";
const LIST_ITEMS: &str = "/v1.0/sites/{site}/lists/{list}/items";
const QUERIES: &str = "/v1.0/security/auditLog/queries";
const QUERY: &str = "/v1.0/security/auditLog/queries/{query_id}";
const QUERY_RECORDS: &str = "/v1.0/security/auditLog/queries/{query_id}/records";
const BETA_QUERIES: &str = "/beta/security/auditLog/queries";
const BETA_QUERY: &str = "/beta/security/auditLog/queries/{query_id}";
const BETA_QUERY_RECORDS: &str = "/beta/security/auditLog/queries/{query_id}/records";

/// Every route, as it is counted and as scenario files name it.
pub(crate) const ROUTES: [&str; 22] = [
    TOKEN,
    USERS,
    SUBSCRIBED_SKUS,
    REPORT_SETTINGS,
    USAGE,
    BETA_USAGE,
    REPORTS,
    BETA_REPORTS,
    DOWNLOADS,
    LIST_ITEMS,
    QUERIES,
    QUERY,
    QUERY_RECORDS,
    BETA_QUERIES,
    BETA_QUERY,
    BETA_QUERY_RECORDS,
    feed::START,
    feed::STOP,
    feed::LIST,
    feed::CONTENT,
    feed::NOTIFICATIONS,
    feed::AUDIT,
];

/// The tenant, and what Microsoft remembers between requests.
#[derive(Debug)]
pub(crate) struct Microsoft {
    pub(crate) tenant: Tenant,
    pub(crate) log: Log,
    pub(crate) exclusions: Exclusions,
    subscriptions: Subscriptions,
    courier: Courier,
    queries: Queries,
    tokens: Tokens,
    limits: Limits,
    downloads: Downloads,
    usage: Cache<(i64, Period), Arc<usage::Report>>,
    workloads: Cache<(i64, active_users::Asked), Arc<workloads::Report>>,
    files: Cache<File, Bytes>,
}

impl Microsoft {
    pub(crate) fn new(settings: &Settings) -> Self {
        let log = Log::new(settings);
        Self {
            tenant: Tenant::new(settings),
            exclusions: Exclusions::default(),
            subscriptions: Subscriptions::new(&settings.scenario, log.since),
            log,
            courier: Courier::default(),
            queries: Queries::default(),
            tokens: Tokens::default(),
            limits: Limits::new(&settings.scenario),
            downloads: Downloads::default(),
            usage: Cache::default(),
            workloads: Cache::default(),
            files: Cache::default(),
        }
    }

    /// The Copilot usage report of a refresh date, good for this period.
    fn usage(&self, refresh: i64, period: Period) -> Arc<usage::Report> {
        let reach = period.reach();
        self.usage.get((refresh, reach), || {
            Arc::new(usage::Report::new(&self.tenant, refresh, reach))
        })
    }

    fn workloads(&self, refresh: i64, asked: active_users::Asked) -> Arc<workloads::Report> {
        self.workloads.get((refresh, asked), || {
            let report = workloads::Report::new(&self.tenant, refresh);
            Arc::new(match asked {
                active_users::Asked::Newest => report,
                active_users::Asked::Day(_) => report.of_the_day(),
            })
        })
    }

    /// A report as CSV.
    fn file(&self, file: File) -> Bytes {
        let concealed = self.tenant.scenario.concealed_names;
        self.files.get(file, || match file {
            File::Usage { refresh, asked } => {
                let report = refresh.map(|refresh| self.usage(refresh, asked.period()));
                usage_report::write(report.as_deref(), asked, concealed)
            }
            File::ActiveUsers { refresh, asked } => {
                let report = refresh.map(|refresh| self.workloads(refresh, asked));
                active_users::write(report.as_deref(), concealed)
            }
        })
    }

    pub(crate) fn usage_truths(&self, refresh: i64) -> Vec<UsageTruth> {
        self.usage(refresh, Period::D28).truths()
    }

    pub(crate) fn rejected_usage_rows(&self, refresh: i64) -> u64 {
        self.usage(refresh, Period::D28).rejected()
    }

    pub(crate) fn workload_truths(&self, refresh: i64) -> Vec<WorkloadTruth> {
        self.workloads(refresh, active_users::Asked::Newest).truths()
    }
}

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let behind = |door| middleware::from_fn_with_state((Arc::clone(world), door), gate::gate);
    let login = Router::new()
        .route(TOKEN, post(login::token))
        .layer(behind(Door::Login));
    let feed = Router::new()
        .route(feed::START, post(subscriptions::start))
        .route(feed::STOP, post(subscriptions::stop))
        .route(feed::LIST, get(subscriptions::list))
        .route(feed::CONTENT, get(content::list))
        .route(feed::NOTIFICATIONS, get(delivery::list))
        .route(feed::AUDIT, get(content::blob))
        .layer(behind(Door::Feed));
    Router::new()
        .route(USERS, get(users::users))
        .route(SUBSCRIBED_SKUS, get(users::subscribed_skus))
        .route(APPLICATION, get(application::application))
        .route(REPORT_SETTINGS, get(users::report_settings))
        .route(USAGE, get(usage_report::csv))
        .route(BETA_USAGE, get(usage_report::json))
        .route(REPORTS, get(active_users::csv))
        .route(BETA_REPORTS, get(active_users::json_or_csv))
        .route(LIST_ITEMS, get(lists::items))
        .route(QUERIES, post(audit_query::create))
        .route(QUERY, get(audit_query::status))
        .route(QUERY_RECORDS, get(audit_query::records))
        .route(BETA_QUERIES, post(audit_query::create))
        .route(BETA_QUERY, get(audit_query::status))
        .route(BETA_QUERY_RECORDS, get(audit_query::records))
        .layer(behind(Door::Graph))
        .merge(login)
        .merge(feed)
}

/// What listens on the second origin.
pub(crate) fn downloads_router(world: &Arc<World>) -> Router<Arc<World>> {
    let behind = middleware::from_fn_with_state((Arc::clone(world), Door::Downloads), gate::gate);
    Router::new().route(DOWNLOADS, get(downloads::download)).layer(behind)
}
