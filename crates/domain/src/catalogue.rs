//! Every metric Uptake publishes. A metric that is not declared here does not exist.
//!
//! `dashboards/metrics.json` and `docs/METRICS.md` are generated from [`ALL`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// CloudWatch accepts at most this many characters in a dimension value
/// (`PutMetricData` reference, read 2026-11-21: 1 to 1,024); ours are cut well below so that a legend stays readable, and
/// above the longest name of a repository, 39 + 1 + 100.
const DIMENSION_VALUE_CHARACTERS: usize = 160;
/// Distinct values that one datum may hold (`PutMetricData` reference, read 2026-11-22: "up to 150 unique values").
pub const MOST_VALUES: usize = 150;

/// A CloudWatch namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// `Uptake/Copilot`: GitHub Copilot seats.
    Copilot,
    /// `Uptake/Engagement`: how Microsoft 365 Copilot is taken up, day by day.
    Engagement,
    /// `Uptake/M365`: Microsoft 365 Copilot licences.
    M365,
    /// `Uptake/Pipeline`: how Uptake itself is doing.
    Pipeline,
    /// `Uptake/Workflows`: GitHub Actions workflow runs.
    Workflows,
}

impl Namespace {
    /// The name as CloudWatch spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copilot => "Uptake/Copilot",
            Self::Engagement => "Uptake/Engagement",
            Self::M365 => "Uptake/M365",
            Self::Pipeline => "Uptake/Pipeline",
            Self::Workflows => "Uptake/Workflows",
        }
    }
}

/// The unit of a metric, in CloudWatch's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A part of a hundred.
    Percent,
    /// A duration in seconds.
    Seconds,
    /// Neither of these: points of a score, a sum of money.
    None,
}

impl Unit {
    /// The name as CloudWatch spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Percent => "Percent",
            Self::Seconds => "Seconds",
            Self::None => "None",
        }
    }
}

/// How a metric is read. CloudWatch adds up what it is sent, so a repeated invocation would double a `Sum`:
/// a counter is one datum per series and window, and a repeat writes the same value, which `Maximum` shows once. What is
/// counted since it was last told, and is told by several processes, is never repeated and has to be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The largest value of the period.
    Maximum,
    /// All values of the period together, of whichever process: for counters that are never repeated.
    Sum,
    /// The smallest value of the period.
    Minimum,
    /// The mean of a distribution's values. A distribution repeated whole has the same mean.
    Average,
    /// What nine of ten values of a distribution do not exceed; any other percentile can be read as well. A distribution
    /// repeated whole has the same percentiles.
    P90,
}

impl Statistic {
    /// The name as CloudWatch spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maximum => "Maximum",
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Average => "Average",
            Self::P90 => "p90",
        }
    }
}

/// What a series of a metric is about. None of these is ever a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// Copilot: the assigning team's slug. Workflows: the team that `repositories.yml` gives the repository to.
    Team,
    /// The editor last used with Copilot.
    Editor,
    /// The Uptake function that publishes the figure.
    Function,
    /// A repository, as `owner/name`.
    Repository,
    /// How a run attempt ended, in GitHub's word.
    Conclusion,
    /// A department of the directory.
    Department,
    /// An app with Copilot in it, as tables name it.
    App,
}

impl Dimension {
    /// The name as CloudWatch spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Team => "Team",
            Self::Editor => "Editor",
            Self::Function => "Function",
            Self::Repository => "Repository",
            Self::Conclusion => "Conclusion",
            Self::Department => "Department",
            Self::App => "App",
        }
    }
}

/// One metric: everything a reader of it has to know.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Where it lies.
    pub namespace: Namespace,
    /// Its name, a noun.
    pub name: &'static str,
    /// What its value counts.
    pub unit: Unit,
    /// How to read it.
    pub statistic: Statistic,
    /// The dimension sets it is published under; the empty set is the overall figure.
    pub dimensions: &'static [&'static [Dimension]],
    /// Seconds between two values of a series.
    pub period_seconds: u32,
    /// What it means, for people.
    pub description: &'static str,
    /// For Uptake's operators rather than for the readers of its dashboards.
    pub internal: bool,
}

impl MetricSpec {
    /// One value of this metric for the window that begins at `window_start`.
    pub fn datum(&'static self, dimensions: Vec<(Dimension, String)>, window_start: Timestamp, value: f64) -> Datum {
        self.reading(dimensions, window_start, Reading::Value(value))
    }

    /// All values of this metric in the window that begins at `window_start`, each with how often it occurs, as few data
    /// as hold them. No values, no data: a percentile of nothing is nothing.
    pub fn distribution(
        &'static self,
        dimensions: &[(Dimension, String)],
        window_start: Timestamp,
        values: &BTreeMap<u64, u64>,
    ) -> Vec<Datum> {
        #[expect(clippy::cast_precision_loss, reason = "seconds and percents are far below 2^53")]
        let values: Vec<(f64, u64)> = values.iter().map(|(value, count)| (*value as f64, *count)).collect();
        values
            .chunks(MOST_VALUES)
            .map(|values| {
                self.reading(
                    dimensions.to_vec(),
                    window_start,
                    Reading::Distribution(values.to_vec()),
                )
            })
            .collect()
    }

    fn reading(
        &'static self,
        dimensions: Vec<(Dimension, String)>,
        window_start: Timestamp,
        reading: Reading,
    ) -> Datum {
        let dimensions = dimensions
            .into_iter()
            .map(|(dimension, value)| (dimension, dimension_value(&value)))
            .collect();
        Datum {
            spec: self,
            dimensions,
            timestamp: window_start,
            reading,
        }
    }
}

/// What a datum tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// One value.
    Value(f64),
    /// Distinct values, at most [`MOST_VALUES`], each with how often it occurs. Unlike a mean, it has percentiles.
    Distribution(Vec<(f64, u64)>),
}

/// One value, or part of the distribution, of one series, ready to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// The metric.
    pub spec: &'static MetricSpec,
    /// The series within the metric.
    pub dimensions: Vec<(Dimension, String)>,
    /// Start of the window the value is about.
    pub timestamp: Timestamp,
    /// What it tells, in the metric's unit.
    pub reading: Reading,
}

impl Datum {
    /// Whether the catalogue declares this metric with exactly these dimensions.
    pub fn is_catalogued(&self) -> bool {
        let dimensions: Vec<Dimension> = self.dimensions.iter().map(|(dimension, _)| *dimension).collect();
        ALL.contains(&self.spec) && self.spec.dimensions.contains(&dimensions.as_slice())
    }
}

/// CloudWatch takes printable ASCII that does not begin with a colon; upstream names may hold anything.
pub(crate) fn dimension_value(text: &str) -> String {
    let mut value: String = text
        .trim()
        .chars()
        .take(DIMENSION_VALUE_CHARACTERS)
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect();
    if value.is_empty() {
        value.push('?');
    }
    if value.starts_with(':') {
        value.replace_range(..1, "?");
    }
    value
}

const DAILY: u32 = 86_400;
const HOURLY: u32 = 3_600;

/// The dimension sets of a seat metric.
const BY_TEAM_AND_EDITOR: &[&[Dimension]] = &[&[], &[Dimension::Team], &[Dimension::Editor]];
/// The dimension sets of a metric of workflow runs.
const BY_TEAM: &[&[Dimension]] = &[&[], &[Dimension::Team]];
const BY_TEAM_AND_CONCLUSION: &[&[Dimension]] = &[&[], &[Dimension::Team], &[Dimension::Conclusion]];
const BY_TEAM_AND_REPOSITORY: &[&[Dimension]] = &[&[], &[Dimension::Team], &[Dimension::Repository]];
const BY_REPOSITORY: &[&[Dimension]] = &[&[Dimension::Repository]];
/// The dimension sets of a metric of Microsoft 365 licences.
const BY_DEPARTMENT: &[&[Dimension]] = &[&[], &[Dimension::Department]];
const BY_APP: &[&[Dimension]] = &[&[], &[Dimension::App]];
/// The dimension set of a metric of which there is one series.
const OVERALL: &[&[Dimension]] = &[&[]];
/// The dimension set of a metric about Uptake itself.
const BY_FUNCTION: &[&[Dimension]] = &[&[Dimension::Function]];

const fn seats(name: &'static str, description: &'static str) -> MetricSpec {
    MetricSpec {
        namespace: Namespace::Copilot,
        name,
        unit: Unit::Count,
        statistic: Statistic::Maximum,
        dimensions: BY_TEAM_AND_EDITOR,
        period_seconds: DAILY,
        description,
        internal: false,
    }
}

/// An hourly counter of workflow runs.
const fn workflows(
    name: &'static str,
    dimensions: &'static [&'static [Dimension]],
    description: &'static str,
) -> MetricSpec {
    MetricSpec {
        namespace: Namespace::Workflows,
        name,
        unit: Unit::Count,
        statistic: Statistic::Maximum,
        dimensions,
        period_seconds: HOURLY,
        description,
        internal: false,
    }
}

/// The same metric once a day and by repository: three hundred series an hour would cost as much as all others together.
const fn by_repository(hourly: &'static MetricSpec, description: &'static str) -> MetricSpec {
    MetricSpec {
        namespace: hourly.namespace,
        name: hourly.name,
        unit: hourly.unit,
        statistic: hourly.statistic,
        dimensions: BY_REPOSITORY,
        period_seconds: DAILY,
        description,
        internal: hourly.internal,
    }
}

/// A daily count of people in the directory.
const fn licenses(name: &'static str, description: &'static str) -> MetricSpec {
    MetricSpec {
        namespace: Namespace::M365,
        name,
        unit: Unit::Count,
        statistic: Statistic::Maximum,
        dimensions: BY_DEPARTMENT,
        period_seconds: DAILY,
        description,
        internal: false,
    }
}

/// A daily count of people or interactions, which grows for some days as late data arrives.
const fn engagement(
    name: &'static str,
    dimensions: &'static [&'static [Dimension]],
    description: &'static str,
) -> MetricSpec {
    MetricSpec {
        namespace: Namespace::Engagement,
        name,
        unit: Unit::Count,
        statistic: Statistic::Maximum,
        dimensions,
        period_seconds: DAILY,
        description,
        internal: false,
    }
}

const fn pipeline(name: &'static str, unit: Unit, statistic: Statistic, description: &'static str) -> MetricSpec {
    MetricSpec {
        namespace: Namespace::Pipeline,
        name,
        unit,
        statistic,
        dimensions: BY_FUNCTION,
        period_seconds: HOURLY,
        description,
        internal: true,
    }
}

/// People with a seat.
pub static SEATS: MetricSpec = seats(
    "Seats",
    "People who hold a GitHub Copilot seat. A person with several grants counts once; per team, once in each of their teams.",
);
/// People active in the last week.
pub static SEATS_ACTIVE_7_DAYS: MetricSpec = seats(
    "SeatsActive7Days",
    "Seats whose last Copilot activity falls on one of the 7 UTC dates ending with the day.",
);
/// People active in the last four weeks.
pub static SEATS_ACTIVE_28_DAYS: MetricSpec = seats(
    "SeatsActive28Days",
    "Seats whose last Copilot activity falls on one of the 28 UTC dates ending with the day.",
);
/// People who stopped.
pub static SEATS_IDLE: MetricSpec = seats(
    "SeatsIdle",
    "Seats used at least once, but not on any of the 28 UTC dates ending with the day.",
);
/// People who never started.
pub static SEATS_NEVER_USED: MetricSpec = seats(
    "SeatsNeverUsed",
    "Seats for which GitHub has no Copilot activity at all. Activity needs telemetry switched on in the editor.",
);
/// Seats about to end.
pub static SEATS_PENDING_CANCELLATION: MetricSpec = seats(
    "SeatsPendingCancellation",
    "Seats that end with the billing cycle: every grant of the person is cancelled.",
);

/// Collections that finished with everything.
pub static COLLECTIONS_COMPLETED: MetricSpec = pipeline(
    "CollectionsCompleted",
    Unit::Count,
    Statistic::Maximum,
    "1 for the hour in which the function stored everything its window holds, 0 when it ran and could not.",
);
/// Collections that finished without everything.
pub static COLLECTIONS_INCOMPLETE: MetricSpec = pipeline(
    "CollectionsIncomplete",
    Unit::Count,
    Statistic::Maximum,
    "1 for the hour in which the function ran but something that should be there could not be read or sent.",
);
/// Records set aside.
pub static RECORDS_QUARANTINED: MetricSpec = pipeline(
    "RecordsQuarantined",
    Unit::Count,
    Statistic::Maximum,
    "Upstream records that could not be understood; their bytes are kept, under state/quarantine or in `silver_rejected`.",
);
/// How much of everything that was.
pub static RECORDS_QUARANTINED_SHARE: MetricSpec = pipeline(
    "RecordsQuarantinedShare",
    Unit::Percent,
    Statistic::Maximum,
    "Records set aside, of all that the collection was sent.",
);
/// Requests sent.
pub static UPSTREAM_REQUESTS: MetricSpec = pipeline(
    "UpstreamRequests",
    Unit::Count,
    Statistic::Maximum,
    "HTTP requests the invocation sent to GitHub or Microsoft, retries and unchanged pages included.",
);
/// Rate budget.
pub static RATE_BUDGET_LEFT: MetricSpec = pipeline(
    "RateBudgetLeft",
    Unit::Count,
    Statistic::Minimum,
    "Requests GitHub's primary rate limit still allows this hour, as its last answer said.",
);
/// Distance to the present.
pub static WATERMARK_LAG: MetricSpec = pipeline(
    "WatermarkLag",
    Unit::Seconds,
    Statistic::Maximum,
    "Seconds from the end of the last finished window to the trigger's scheduled time; 0 when the current window is done.",
);
/// Late triggers.
pub static TRIGGERS_PAST_DUE: MetricSpec = pipeline(
    "TriggersPastDue",
    Unit::Count,
    Statistic::Maximum,
    "1 when the trigger was delivered more than its period after its scheduled time, else 0.",
);
/// Attempts whose jobs are not read yet.
pub static ATTEMPTS_PENDING: MetricSpec = pipeline(
    "AttemptsPending",
    Unit::Count,
    Statistic::Maximum,
    "Run attempts that have ended and whose jobs are not read yet: the rate budget keeps a fifth in reserve, or the deadline came first.",
);
/// Attempts that came too late for CloudWatch.
pub static ATTEMPTS_TOO_OLD: MetricSpec = pipeline(
    "AttemptsTooOld",
    Unit::Count,
    Statistic::Maximum,
    "Run attempts recorded by the invocation that ended longer ago than CloudWatch takes data for (14 days): they are kept in the store and missing in metrics and log groups.",
);
/// Events the log service turned down.
pub static LOG_EVENTS_REJECTED: MetricSpec = pipeline(
    "LogEventsRejected",
    Unit::Count,
    Statistic::Maximum,
    "Log events that CloudWatch Logs turned down one by one, for their age or their time.",
);
/// Mails handed over.
pub static MAILS_SENT: MetricSpec = pipeline(
    "MailsSent",
    Unit::Count,
    Statistic::Maximum,
    "Mails the mail service accepted during the invocation.",
);
/// Mails turned down.
pub static MAILS_REFUSED: MetricSpec = pipeline(
    "MailsRefused",
    Unit::Count,
    Statistic::Maximum,
    "Mails the mail service turned down during the invocation; the next offering tries them again.",
);
/// Mails nobody knows about.
pub static MAILS_IN_DOUBT: MetricSpec = pipeline(
    "MailsInDoubt",
    Unit::Count,
    Statistic::Maximum,
    "Mails of the report whose hand-over was begun and never confirmed. They are not sent again until an operator says so.",
);

/// Run attempts.
pub static RUN_ATTEMPTS: MetricSpec = workflows(
    "RunAttempts",
    BY_TEAM_AND_CONCLUSION,
    "Attempts of workflow runs that ended in the hour; a re-run is an attempt of its own. By `Conclusion` in GitHub's own words, also those Uptake does not know.",
);
/// The same by repository.
pub static REPOSITORY_RUN_ATTEMPTS: MetricSpec = by_repository(
    &RUN_ATTEMPTS,
    "Attempts of the repository's workflow runs that ended on the day.",
);
/// Run attempts that ended badly.
pub static FAILED_RUN_ATTEMPTS: MetricSpec = workflows(
    "FailedRunAttempts",
    BY_TEAM,
    "Run attempts that ended in the hour with `failure`, `timed_out` or `startup_failure`.",
);
/// The same by repository.
pub static REPOSITORY_FAILED_RUN_ATTEMPTS: MetricSpec = by_repository(
    &FAILED_RUN_ATTEMPTS,
    "The repository's run attempts that ended on the day with `failure`, `timed_out` or `startup_failure`.",
);
/// Second and later attempts.
pub static RE_RUNS: MetricSpec = workflows(
    "ReRuns",
    BY_TEAM,
    "Second and later attempts among the run attempts of the hour.",
);
/// The same by repository.
pub static REPOSITORY_RE_RUNS: MetricSpec = by_repository(
    &RE_RUNS,
    "Second and later attempts among the repository's run attempts of the day.",
);
/// Minutes on runners.
pub static RUNNER_MINUTES: MetricSpec = workflows(
    "RunnerMinutes",
    BY_TEAM,
    "Minutes that jobs of the hour's run attempts ran, each job rounded up as GitHub bills it, before multipliers; self-hosted runners included. All minutes of an attempt count in the hour in which it ended.",
);
/// The same by repository.
pub static REPOSITORY_RUNNER_MINUTES: MetricSpec = by_repository(
    &RUNNER_MINUTES,
    "Minutes that jobs of the repository's run attempts of the day ran, each job rounded up.",
);
/// Runs that hang.
pub static STUCK_RUNS: MetricSpec = workflows(
    "StuckRuns",
    BY_TEAM,
    "Run attempts that at the end of the hour had been in the queue, in progress or waiting for an approval for more than `UPTAKE_STUCK_MINUTES`.",
);
/// The same by repository.
pub static REPOSITORY_STUCK_RUNS: MetricSpec = by_repository(
    &STUCK_RUNS,
    "The most run attempts of the repository that were stuck at the end of one hour of the day.",
);
/// Part that ended well.
pub static SUCCESS_RATE: MetricSpec = MetricSpec {
    unit: Unit::Percent,
    statistic: Statistic::Average,
    ..workflows(
        "SuccessRate",
        BY_TEAM,
        "Of the hour's run attempts that succeeded or failed, the percentage that succeeded; cancelled and skipped ones are neither. A distribution of 100 and 0, so that `Average` over any span weighs every attempt alike. No value when nothing was decided.",
    )
};
/// The same by repository.
pub static REPOSITORY_SUCCESS_RATE: MetricSpec = by_repository(
    &SUCCESS_RATE,
    "Of the repository's run attempts of the day that succeeded or failed, the percentage that succeeded. No value when nothing was decided.",
);
/// How long runs take.
pub static RUN_DURATION: MetricSpec = MetricSpec {
    unit: Unit::Seconds,
    statistic: Statistic::P90,
    ..workflows(
        "RunDuration",
        BY_TEAM,
        "Seconds from the start of the first job to the end of the last one, of each run attempt that ended in the hour: a distribution, for any percentile. No value when nothing ended.",
    )
};
/// The same by repository.
pub static REPOSITORY_RUN_DURATION: MetricSpec = by_repository(
    &RUN_DURATION,
    "Seconds from the start of the first job to the end of the last one, of each of the repository's run attempts of the day.",
);
/// How long runs wait.
pub static QUEUE_TIME: MetricSpec = MetricSpec {
    unit: Unit::Seconds,
    statistic: Statistic::P90,
    ..workflows(
        "QueueTime",
        BY_TEAM,
        "Seconds from the start of the attempt to the start of its first job, of each run attempt with jobs that ended in the hour: a distribution, for any percentile.",
    )
};
/// The same by repository.
pub static REPOSITORY_QUEUE_TIME: MetricSpec = by_repository(
    &QUEUE_TIME,
    "Seconds from the start of the attempt to the start of its first job, of each of the repository's run attempts of the day.",
);
/// Workflows in use.
pub static ACTIVE_WORKFLOWS: MetricSpec = MetricSpec {
    period_seconds: DAILY,
    ..workflows(
        "ActiveWorkflows",
        BY_TEAM_AND_REPOSITORY,
        "Enabled workflows with a run in the `UPTAKE_INACTIVE_DAYS` days that end with the day.",
    )
};
/// Workflows not in use.
pub static INACTIVE_WORKFLOWS: MetricSpec = MetricSpec {
    period_seconds: DAILY,
    ..workflows(
        "InactiveWorkflows",
        BY_TEAM_AND_REPOSITORY,
        "Enabled workflows without a run in the `UPTAKE_INACTIVE_DAYS` days that end with the day.",
    )
};

/// People of the directory.
pub static USERS: MetricSpec = licenses(
    "Users",
    "People in the directory who have not departed, with or without a licence.",
);
/// People with a licence.
pub static LICENSES: MetricSpec = licenses(
    "Licenses",
    "People with at least one Microsoft 365 Copilot service plan in force on the day.",
);
/// Licences in use.
pub static LICENSES_ACTIVE: MetricSpec = licenses(
    "LicensesActive",
    "Licences with any Copilot use on one of the 30 dates that end with the newest usage report.",
);
/// Licences not used enough.
pub static LICENSES_UNDERUTILIZED: MetricSpec = licenses(
    "LicensesUnderutilized",
    "Licences held for `UPTAKE_NEW_LICENSE_DAYS` days or more whose usage score is `UPTAKE_UNDERUTILIZED_THRESHOLD` or less.",
);
/// Licences too new to judge.
pub static LICENSES_NEW: MetricSpec = licenses(
    "LicensesNew",
    "Licences held for fewer than `UPTAKE_NEW_LICENSE_DAYS` days, whatever their score.",
);
/// How much licences are used.
pub static USAGE_SCORE: MetricSpec = MetricSpec {
    unit: Unit::None,
    statistic: Statistic::Average,
    ..licenses(
        "UsageScore",
        "Usage scores, 0 to 100, of all licences: a distribution, for the mean and any percentile. No value without licences.",
    )
};
/// What licences not used enough cost.
pub static IDLE_LICENSE_COST: MetricSpec = MetricSpec {
    unit: Unit::None,
    ..licenses(
        "IdleLicenseCost",
        "Underutilised licences times `UPTAKE_LICENSE_PRICE`, in the currency and for the time that price is given for. Not published where no price is set.",
    )
};
/// Age of the newest report.
pub static USAGE_REPORT_AGE: MetricSpec = pipeline(
    "UsageReportAge",
    Unit::Seconds,
    Statistic::Maximum,
    "Seconds from the end of the day up to which the newest Copilot usage report tells to the end of the day it is collected for.",
);
/// Whether that is too old.
pub static STALE_REPORTS: MetricSpec = pipeline(
    "StaleReports",
    Unit::Count,
    Statistic::Maximum,
    "1 when the newest Copilot usage report is more than 48 hours old and therefore kept out of gold, else 0.",
);
/// Whether names are concealed.
pub static CONCEALED_NAMES: MetricSpec = pipeline(
    "ConcealedNames",
    Unit::Count,
    Statistic::Maximum,
    "1 when the tenant conceals names in its usage reports, so that nothing can be collected until an administrator shows them; else 0.",
);
/// People who use Copilot.
pub static ACTIVE_SUBJECTS: MetricSpec = engagement(
    "ActiveSubjects",
    BY_APP,
    "People with any Copilot use on the day, by audit log or usage report. Grows for up to a week as late data arrives; excluded people never count.",
);
/// How much they use it.
pub static INTERACTIONS: MetricSpec = engagement(
    "Interactions",
    BY_APP,
    "Interactions with Copilot on the day that the audit log told of. Grows as `ActiveSubjects` does.",
);
/// How much of that is with agents.
pub static AGENT_INTERACTIONS: MetricSpec = engagement(
    "AgentInteractions",
    BY_APP,
    "Those of the day's interactions that were with an agent.",
);
/// People with a habit.
pub static STREAKS_OF_5_DAYS: MetricSpec = engagement(
    "StreaksOf5Days",
    BY_APP,
    "People whose streak of active days had reached 5 or more at the end of the day, weekends and absences left out.",
);
/// Hints that were taken.
pub static NOTIFICATIONS_ACCEPTED: MetricSpec = pipeline(
    "NotificationsAccepted",
    Unit::Count,
    Statistic::Sum,
    "Notifications of new audit content that the webhook took and handed on. Each datum is of those since the one before and is never repeated, so they add up. A lower bound: of the last minute of a burst up to nine tenths may never be told.",
);
/// Requests that were none.
pub static NOTIFICATIONS_REFUSED: MetricSpec = pipeline(
    "NotificationsRefused",
    Unit::Count,
    Statistic::Sum,
    "Requests to the webhook that were not Microsoft's, or not understood. Each datum is of those since the one before and is never repeated, so they add up. A lower bound: of the last minute of a burst up to nine tenths may never be told.",
);
/// Whether engagement stands still.
pub static ROTATION_PAUSED: MetricSpec = pipeline(
    "RotationPaused",
    Unit::Count,
    Statistic::Maximum,
    "1 while a key rotation that was prepared and not confirmed keeps engagement paused, else 0.",
);
/// Audit content that was lost.
pub static CONTENT_LOST: MetricSpec = pipeline(
    "ContentLost",
    Unit::Count,
    Statistic::Maximum,
    "Blobs of audit content that had expired before they were read: their events are missing until a backfill brings them.",
);
/// Checks that did not pass.
pub static CHECKS_FAILED: MetricSpec = pipeline(
    "ChecksFailed",
    Unit::Count,
    Statistic::Maximum,
    "Data-quality checks of the collection that ended with WARN or FAIL; `gold_copilot_dq_results` says which.",
);

/// How long a credential still serves.
pub static CREDENTIAL_DAYS_LEFT: MetricSpec = pipeline(
    "CredentialDaysLeft",
    Unit::Count,
    Statistic::Minimum,
    "Whole days until the GitHub token or the client secret that the function uses expires. None for a token without an end, and where the app registration may not read itself.",
);
/// Whether Grafana answers.
pub static GRAFANA_AVAILABLE: MetricSpec = MetricSpec {
    namespace: Namespace::Pipeline,
    name: "GrafanaAvailable",
    unit: Unit::Count,
    statistic: Statistic::Minimum,
    dimensions: OVERALL,
    period_seconds: 300,
    description: "1 when Grafana answered its health check and said that its database is well, else 0.",
    internal: true,
};
/// Memory.
pub static MEMORY_USED: MetricSpec = pipeline(
    "MemoryUsed",
    Unit::Percent,
    Statistic::Maximum,
    "The most memory the function's process has held since it began, of what the function is given.",
);
/// Processor.
pub static PROCESSOR_USED: MetricSpec = pipeline(
    "ProcessorUsed",
    Unit::Percent,
    Statistic::Maximum,
    "Processor time of an invocation, of what Lambda gives a function of that memory (one processor for 1,769 MB) in the time it took.",
);

/// The whole catalogue, in the order of `dashboards/metrics.json`: by namespace, then by name, then by period.
pub static ALL: &[&MetricSpec] = &[
    &SEATS,
    &SEATS_ACTIVE_28_DAYS,
    &SEATS_ACTIVE_7_DAYS,
    &SEATS_IDLE,
    &SEATS_NEVER_USED,
    &SEATS_PENDING_CANCELLATION,
    &ACTIVE_SUBJECTS,
    &AGENT_INTERACTIONS,
    &INTERACTIONS,
    &STREAKS_OF_5_DAYS,
    &IDLE_LICENSE_COST,
    &LICENSES,
    &LICENSES_ACTIVE,
    &LICENSES_NEW,
    &LICENSES_UNDERUTILIZED,
    &USAGE_SCORE,
    &USERS,
    &ATTEMPTS_PENDING,
    &ATTEMPTS_TOO_OLD,
    &CHECKS_FAILED,
    &COLLECTIONS_COMPLETED,
    &COLLECTIONS_INCOMPLETE,
    &CONCEALED_NAMES,
    &CONTENT_LOST,
    &CREDENTIAL_DAYS_LEFT,
    &GRAFANA_AVAILABLE,
    &LOG_EVENTS_REJECTED,
    &MAILS_IN_DOUBT,
    &MAILS_REFUSED,
    &MAILS_SENT,
    &MEMORY_USED,
    &NOTIFICATIONS_ACCEPTED,
    &NOTIFICATIONS_REFUSED,
    &PROCESSOR_USED,
    &RATE_BUDGET_LEFT,
    &RECORDS_QUARANTINED,
    &RECORDS_QUARANTINED_SHARE,
    &ROTATION_PAUSED,
    &STALE_REPORTS,
    &TRIGGERS_PAST_DUE,
    &UPSTREAM_REQUESTS,
    &USAGE_REPORT_AGE,
    &WATERMARK_LAG,
    &ACTIVE_WORKFLOWS,
    &FAILED_RUN_ATTEMPTS,
    &REPOSITORY_FAILED_RUN_ATTEMPTS,
    &INACTIVE_WORKFLOWS,
    &QUEUE_TIME,
    &REPOSITORY_QUEUE_TIME,
    &RE_RUNS,
    &REPOSITORY_RE_RUNS,
    &RUN_ATTEMPTS,
    &REPOSITORY_RUN_ATTEMPTS,
    &RUN_DURATION,
    &REPOSITORY_RUN_DURATION,
    &RUNNER_MINUTES,
    &REPOSITORY_RUNNER_MINUTES,
    &STUCK_RUNS,
    &REPOSITORY_STUCK_RUNS,
    &SUCCESS_RATE,
    &REPOSITORY_SUCCESS_RATE,
];

impl Serialize for MetricSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            namespace: &'a str,
            name: &'a str,
            unit: &'a str,
            statistic: &'a str,
            dimensions: Vec<Vec<&'a str>>,
            period_seconds: u32,
            description: &'a str,
            internal: bool,
        }
        Entry {
            namespace: self.namespace.as_str(),
            name: self.name,
            unit: self.unit.as_str(),
            statistic: self.statistic.as_str(),
            dimensions: self
                .dimensions
                .iter()
                .map(|set| set.iter().map(|dimension| dimension.as_str()).collect())
                .collect(),
            period_seconds: self.period_seconds,
            description: self.description,
            internal: self.internal,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_lists_every_declared_metric_once_and_in_order() {
        let declared = include_str!("catalogue.rs").matches("\npub static ").count() - 1;
        assert_eq!(ALL.len(), declared, "add the new metric to ALL");
        let names: Vec<_> = ALL
            .iter()
            .map(|spec| (spec.namespace, spec.name, spec.period_seconds))
            .collect();
        assert!(
            names.is_sorted_by(|a, b| a < b),
            "keep ALL sorted by namespace, name and period, each once"
        );
    }

    #[test]
    fn a_datum_under_an_undeclared_dimension_is_not_catalogued() {
        let at = Timestamp::UNIX_EPOCH;
        assert!(SEATS.datum(vec![], at, 1.0).is_catalogued());
        assert!(
            SEATS
                .datum(vec![(Dimension::Team, "a".into())], at, 1.0)
                .is_catalogued()
        );
        assert!(
            !SEATS
                .datum(vec![(Dimension::Function, "a".into())], at, 1.0)
                .is_catalogued()
        );
    }

    #[test]
    fn dimension_values_are_what_cloudwatch_accepts() {
        for (given, expected) in [
            ("vscode", "vscode"),
            ("  Visual Studio ", "Visual Studio"),
            ("", "?"),
            (":colon", "?colon"),
            ("tab\tsnow☃", "tab?snow?"),
        ] {
            assert_eq!(dimension_value(given), expected);
        }
        assert_eq!(dimension_value(&"x".repeat(5_000)).len(), DIMENSION_VALUE_CHARACTERS);
    }
}
