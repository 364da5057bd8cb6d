//! The scenario file: limits, withheld features and faults, as TOML that says what is wrong with it and where.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    actions::{repositories::MOST_REPOSITORIES, unusable},
    faults::Fault,
    settings::{FEWEST_SEATS, MOST_RUNS_PER_DAY, MOST_SEATS},
};

/// The most runs of all bursts together, so that no day has more of them than ids have room for.
const MOST_BURST_RUNS: u64 = 100_000;

/// The longest latency a scenario may ask for, so that a slip of the pen does not hang a test for a day.
const LONGEST_LATENCY_MS: u64 = 60_000;

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

impl Default for Scenario {
    /// GitHub Enterprise Cloud's documented limits (UPSTREAM 3.8, read November 2026) and no faults.
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            seats: None,
            seed: None,
            repositories: None,
            runs_per_day: None,
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
