//! The scenario file: limits, withheld features and faults, as TOML that says what is wrong with it and where.

use jiff::{Timestamp, civil::Date};
use serde::Deserialize;

use crate::{
    actions::{repositories::MOST_REPOSITORIES, unusable},
    faults::Fault,
    settings::{FEWEST_SEATS, FEWEST_USERS, MOST_RUNS_PER_DAY, MOST_SEATS, MOST_USERS},
};

/// The most runs of all bursts together, so that no day has more of them than ids have room for.
const MOST_BURST_RUNS: u64 = 100_000;

/// The longest latency a scenario may ask for, so that a slip of the pen does not hang a test for a day.
const LONGEST_LATENCY_MS: u64 = 60_000;

/// The longest a report may be late, so that the one to serve is found quickly.
const LONGEST_LAG_DAYS: u64 = 30;

/// The most interactions a day; with more of them, blobs would not have names for all their parts.
const MOST_EVENTS_PER_DAY: u64 = 5_000_000;

/// How the simulator deviates from a healthy upstream. The default does not.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// A name for people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Seat objects; applied by [`crate::Settings::with_scenario`].
    pub seats: Option<u32>,
    /// Seed; applied by [`crate::Settings::with_scenario`].
    pub seed: Option<u64>,
    /// Repositories; applied by [`crate::Settings::with_scenario`].
    pub repositories: Option<u32>,
    /// Workflow runs on a weekday; applied by [`crate::Settings::with_scenario`].
    pub runs_per_day: Option<u32>,
    /// Places of people in the tenant; applied by [`crate::Settings::with_scenario`].
    pub tenant_users: Option<u32>,
    /// Latency of every answer; applied by [`crate::Settings::with_scenario`].
    pub latency_ms: Option<u64>,
    /// REST requests in a primary window.
    pub primary_limit: u64,
    /// GraphQL points in a primary window.
    pub graphql_limit: u64,
    /// Length of the primary window, an hour on GitHub.
    pub primary_window_seconds: u64,
    /// REST points in a secondary window; GET costs 1, anything else 5.
    pub secondary_limit: u64,
    /// GraphQL points in a secondary window.
    pub graphql_secondary_limit: u64,
    /// Length of the secondary window, a minute on GitHub.
    pub secondary_window_seconds: u64,
    /// Requests being answered at the same time.
    pub concurrent_limit: usize,
    /// Whether SAML identities can be read.
    pub saml: Saml,
    /// Whether GraphQL answers.
    pub graphql: GraphQl,
    /// Lifetime of an App's installation token, an hour on GitHub.
    pub app_token_seconds: u64,
    /// Repositories that are listed and cannot be read, as `owner/name`.
    pub forbidden_repositories: Vec<String>,
    /// Repositories that are not there any more, as `owner/name`.
    pub gone_repositories: Vec<String>,
    /// Whether lists of runs say no more than the number of runs that can be had.
    pub capped_total_count: bool,
    /// How long after its creation a run appears in lists; by itself it can be read at once.
    pub list_lag_seconds: u64,
    /// Lifetime of a token of the tenant's login, about an hour at Microsoft.
    pub graph_token_seconds: u64,
    /// Requests for reports as CSV in a window.
    pub reports_limit: u64,
    /// Requests for reports as JSON in a window.
    pub json_reports_limit: u64,
    /// Length of the window for reports, ten minutes at Microsoft.
    pub reports_window_seconds: u64,
    /// Resource units of users and SKUs in ten seconds.
    pub identity_limit: u64,
    /// Whether Copilot usage reports as CSV are there at once or at an address of their own.
    pub usage_report_delivery: Delivery,
    /// Which forms of the Copilot usage report there are.
    pub usage_report_versions: Vec<UsageReport>,
    /// How long the address of a report is good.
    pub download_seconds: u64,
    /// The day on which the client secret expires; without one, the application may not read itself.
    pub client_secret_ends_on: Option<Date>,
    /// When the GitHub token expires; without it, never.
    pub github_token_ends_at: Option<Timestamp>,
    /// Whether reports tell of people by names that nobody knows.
    pub concealed_names: bool,
    /// The fewest and the most days from a refresh date to its report.
    pub report_lag_days: [u64; 2],
    /// Refresh dates that are never reported.
    pub missing_report_days: Vec<Date>,
    /// How many more refresh dates are never reported, in a hundred.
    pub missing_report_percent: u64,
    /// How many days of a person are reported a day or two late, in a hundred.
    pub late_activity_percent: u64,
    /// Whether reports have rows that are doubled, broken or of nobody, and the audit log records that nobody can read.
    pub odd_rows: bool,
    /// What there is of a subscription to the content that Copilot is in, at the start.
    pub audit_subscription: AuditSubscription,
    /// How long a subscription cannot be started again, in simulated minutes; 0 is not at all.
    pub subscription_start_minutes: u64,
    /// Requests to the activity feed in a minute.
    pub activity_limit: u64,
    /// Blobs of content on a page of a list.
    pub audit_blobs_per_page: u64,
    /// Interactions in a blob, at most.
    pub events_per_blob: u64,
    /// How many interactions come days late, in a hundred.
    pub late_events_percent: u64,
    /// How many interactions come twice, in a hundred.
    pub duplicate_events_percent: u64,
    /// So many interactions a day, of anybody, in place of those that people have.
    pub events_per_day: Option<u32>,
    /// What becomes of a search of the audit log.
    pub audit_query: AuditQuery,
    /// How often one has to ask until it comes to an end.
    pub audit_query_polls: u64,
    /// How many people are on the list of those who are not to be counted.
    pub excluded_people: u64,
    /// Many more runs in a short time.
    #[serde(rename = "burst")]
    pub bursts: Vec<Burst>,
    /// What goes wrong, first match wins.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
}

/// Quick workflow runs in a row, evenly spaced in `[at, at + seconds)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// As `owner/name`.
    pub repository: String,
    /// When the first of them is created.
    pub at: Timestamp,
    /// How many there are.
    pub runs: u32,
    /// In how many seconds they are created.
    pub seconds: u32,
}

/// Access to SAML identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saml {
    /// Identities are there and may be read.
    #[default]
    Available,
    /// The token may not read them: null and an error of type FORBIDDEN.
    Forbidden,
    /// There is no provider: null and no error.
    Absent,
}

/// The state of the GraphQL endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphQl {
    /// It answers.
    #[default]
    Available,
    /// It answers 502 with an HTML page.
    Unavailable,
}

/// How a Copilot usage report as CSV is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// In the answer itself.
    #[default]
    Direct,
    /// By a redirect to an address on another origin, which wants no token.
    Redirect,
}

/// A form of the Copilot usage report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageReport {
    /// CSV of version 2, with prompts and active days.
    V2,
    /// CSV of version 1.
    V1,
    /// JSON under `/beta`, of the versions that are there.
    Beta,
}

/// A subscription to a content type of the activity feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditSubscription {
    /// Somebody has started it, without a webhook.
    #[default]
    Enabled,
    /// Somebody has stopped it.
    Disabled,
    /// Nobody has ever started it.
    Absent,
}

/// The end of a search of the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditQuery {
    /// Its records can be read.
    #[default]
    Succeeds,
    /// There is none, it runs for ever.
    Never,
    /// It fails.
    Failed,
}

impl Default for Scenario {
    /// The documented limits of GitHub Enterprise Cloud, of Microsoft Graph for a small tenant and of the activity feed
    /// (UPSTREAM 3.8, 4.5 and 4.8, read November 2026) and no faults.
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            seats: None,
            seed: None,
            repositories: None,
            runs_per_day: None,
            tenant_users: None,
            latency_ms: None,
            primary_limit: 15_000,
            graphql_limit: 10_000,
            primary_window_seconds: 3600,
            secondary_limit: 900,
            graphql_secondary_limit: 2000,
            secondary_window_seconds: 60,
            concurrent_limit: 100,
            saml: Saml::default(),
            graphql: GraphQl::default(),
            app_token_seconds: 3600,
            forbidden_repositories: Vec::new(),
            gone_repositories: Vec::new(),
            capped_total_count: false,
            list_lag_seconds: 0,
            graph_token_seconds: 3599,
            reports_limit: 14,
            json_reports_limit: 100,
            reports_window_seconds: 600,
            identity_limit: 3500,
            usage_report_delivery: Delivery::default(),
            usage_report_versions: vec![UsageReport::V2, UsageReport::V1, UsageReport::Beta],
            download_seconds: 300,
            client_secret_ends_on: None,
            github_token_ends_at: None,
            concealed_names: false,
            report_lag_days: [1, 3],
            missing_report_days: Vec::new(),
            missing_report_percent: 3,
            late_activity_percent: 2,
            odd_rows: true,
            audit_subscription: AuditSubscription::default(),
            subscription_start_minutes: 0,
            activity_limit: 2000,
            audit_blobs_per_page: 50,
            events_per_blob: 200,
            late_events_percent: 3,
            duplicate_events_percent: 5,
            events_per_day: None,
            audit_query: AuditQuery::default(),
            audit_query_polls: 2,
            excluded_people: 0,
            bursts: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("scenario{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct ScenarioError {
    /// The line of the file, from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Scenario {
    /// Reads a scenario file.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError {
            line: error.span().map(|span| text[..span.start].matches('\n').count() + 1),
            message: error.message().to_owned(),
        })?;
        if let Some((key, message)) = scenario.out_of_bounds() {
            let line = line_of(text, key);
            return Err(ScenarioError { line, message });
        }
        // Without a number of its own, a name may be meant for the largest data set; the start looks again.
        if let Some((name, message)) = unusable(&scenario, scenario.repositories.unwrap_or(MOST_REPOSITORIES)) {
            let line = text.lines().position(|line| line.contains(name)).map(|index| index + 1);
            return Err(ScenarioError { line, message });
        }
        Ok(scenario)
    }

    fn out_of_bounds(&self) -> Option<(&'static str, String)> {
        let bounded = [
            (
                "seats",
                self.seats.map(u64::from),
                u64::from(FEWEST_SEATS),
                u64::from(MOST_SEATS),
            ),
            (
                "repositories",
                self.repositories.map(u64::from),
                1,
                u64::from(MOST_REPOSITORIES),
            ),
            (
                "runs_per_day",
                self.runs_per_day.map(u64::from),
                0,
                u64::from(MOST_RUNS_PER_DAY),
            ),
            (
                "runs",
                Some(self.bursts.iter().map(|burst| u64::from(burst.runs)).sum()),
                0,
                MOST_BURST_RUNS,
            ),
            (
                "seconds",
                self.bursts.iter().map(|burst| u64::from(burst.seconds)).min(),
                1,
                u64::from(u32::MAX),
            ),
            ("latency_ms", self.latency_ms, 0, LONGEST_LATENCY_MS),
            ("primary_window_seconds", Some(self.primary_window_seconds), 1, 86_400),
            (
                "secondary_window_seconds",
                Some(self.secondary_window_seconds),
                1,
                86_400,
            ),
            ("concurrent_limit", u64::try_from(self.concurrent_limit).ok(), 1, 10_000),
            ("app_token_seconds", Some(self.app_token_seconds), 0, 86_400),
            ("list_lag_seconds", Some(self.list_lag_seconds), 0, 86_400),
            (
                "tenant_users",
                self.tenant_users.map(u64::from),
                u64::from(FEWEST_USERS),
                u64::from(MOST_USERS),
            ),
            ("graph_token_seconds", Some(self.graph_token_seconds), 1, 86_400),
            ("reports_window_seconds", Some(self.reports_window_seconds), 1, 86_400),
            ("download_seconds", Some(self.download_seconds), 0, 86_400),
            ("missing_report_percent", Some(self.missing_report_percent), 0, 100),
            ("late_activity_percent", Some(self.late_activity_percent), 0, 100),
            (
                "subscription_start_minutes",
                Some(self.subscription_start_minutes),
                0,
                1440,
            ),
            ("audit_blobs_per_page", Some(self.audit_blobs_per_page), 1, 10_000),
            ("events_per_blob", Some(self.events_per_blob), 1, 10_000),
            ("late_events_percent", Some(self.late_events_percent), 0, 100),
            ("duplicate_events_percent", Some(self.duplicate_events_percent), 0, 100),
            (
                "events_per_day",
                self.events_per_day.map(u64::from),
                0,
                MOST_EVENTS_PER_DAY,
            ),
            ("audit_query_polls", Some(self.audit_query_polls), 0, 1000),
            ("excluded_people", Some(self.excluded_people), 0, u64::from(MOST_USERS)),
            (
                "report_lag_days",
                Some(self.report_lag_days[1]),
                self.report_lag_days[0],
                LONGEST_LAG_DAYS,
            ),
        ];
        bounded.into_iter().find_map(|(key, value, least, most)| {
            let value = value?;
            let message = format!("{key} = {value} is out of bounds, set it between {least} and {most}");
            (!(least..=most).contains(&value)).then_some((key, message))
        })
    }
}

fn line_of(text: &str, key: &str) -> Option<usize> {
    let names_key = |line: &str| line.split('=').next().is_some_and(|name| name.trim() == key);
    text.lines().position(names_key).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_parses() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 6);
        for file in files {
            let scenario = Scenario::parse(&std::fs::read_to_string(&file).unwrap());
            let scenario = scenario.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(
                scenario.name.is_some() && scenario.description.is_some(),
                "{}",
                file.display()
            );
        }
    }

    #[test]
    fn a_fault_in_the_file_names_its_line_and_what_would_be_right() {
        let cases = [
            ("saml = 'perhaps'", 1, "expected one of `available`"),
            ("\nlatency = 5", 2, "expected one of"),
            ("seed = 1\nseats = 5", 2, "between 10 and 100000"),
            ("list_lag_seconds = 86401", 1, "between 0 and 86400"),
            (
                "[[fault]]\nroute = '/nowhere'\nevery = 1\nkind = 'not_found'",
                1,
                "no such route",
            ),
            (
                "seed = 1\n[[fault]]\nroute = '*'\nkind = 'not_found'",
                2,
                "exactly one of",
            ),
            (
                "[[fault]]\nroute = '*'\non = [0]\nkind = 'not_found'",
                1,
                "counted from 1",
            ),
            (
                "[[fault]]\nroute = '*'\nevery = 1\npage = 2\nkind = 'not_found'",
                1,
                "exactly one of",
            ),
            (
                "[[fault]]\nroute = '*'\nevery = 1\nkind = 'not_found'\nstatus = 500",
                1,
                "`status` means nothing",
            ),
            (
                "[[fault]]\nroute = '*'\nevery = 1\nkind = 'stalled'\nseconds = 99999",
                1,
                "at most 3600",
            ),
            (
                "[[fault]]\nroute = '*'\nevery = 1\nkind = 'server_error'\nstatus = 200",
                1,
                "between 500 and 599",
            ),
            (
                "seed = 1\nforbidden_repositories = [\n'octo-org/pay-api',\n'octo-org/nothing']",
                4,
                "no repository is called",
            ),
            (
                "repositories = 3\ngone_repositories = ['octo-org/ledger-ui']",
                2,
                "no repository is called",
            ),
            (
                "[[burst]]\nrepository = 'octo-org/ledger-archive'\nat = '2026-11-20T10:00:00Z'\nruns = 5\nseconds = 1",
                2,
                "archived or disabled",
            ),
            (
                "[[burst]]\nrepository = 'octo-org/pay-api'\nat = '2026-11-20T10:00:00Z'\nruns = 5\nseconds = 0",
                5,
                "out of bounds",
            ),
            ("seed = 1\ntenant_users = 29", 2, "between 30 and 100000"),
            ("report_lag_days = [3, 1]", 1, "between 3 and 30"),
            ("report_lag_days = [3]", 1, "length 2"),
            ("late_activity_percent = 101", 1, "between 0 and 100"),
            ("\nusage_report_versions = ['v3']", 2, "expected one of"),
            ("missing_report_days = ['2026-13-40']", 1, "month"),
            ("\naudit_blobs_per_page = 0", 2, "between 1 and 10000"),
            ("events_per_day = 5_000_001", 1, "between 0 and 5000000"),
            ("audit_query = 'sometimes'", 1, "expected one of"),
            (
                "[[fault]]\nroute = '*'\nevery = 1\nkind = 'meteor'",
                4,
                "expected one of",
            ),
        ];
        for (text, line, hint) in cases {
            let error = Scenario::parse(text).unwrap_err();
            assert!(error.message.contains(hint), "{text}: {error}");
            assert_eq!(error.line, Some(line), "{text}: {error}");
        }
    }
}
