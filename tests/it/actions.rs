//! Made-up repositories with their workflow runs, a folder, and ports that die: what tests of `workflow-metrics` start from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uptake_cli::folder::{Folder, NoParameters};
use uptake_domain::calendar::day_of;
use uptake_domain::catalogue::Datum;
use uptake_pipeline::config::{Environment, Face, WorkflowMetricsConfig};
use uptake_pipeline::outcome::{Outcome, PipelineError};
use uptake_pipeline::ports::{
    Expected, File, Files, LogEvent, LogStream, Logs, Metrics, PortError, Ports, RejectedEvents, Unwatched, Written,
};
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_pipeline::{mailer, workflow_metrics};
use uptake_simulator::{APP_ID, APP_KEY, RunAttemptTruth, Scenario, Settings, Simulator, TOKEN};
use uptake_upstream::clock::{Deadline, SystemClock};
use uptake_upstream::github::{GitHub, Identity};

use crate::enterprise::{PATIENCE, Standing};

/// Everything of both organisations, on three teams.
pub(crate) const REPOSITORIES: &str = "
discover: {organisations: [octo-org, octo-labs], exclude: ['*-archive']}
teams:
  payments: ['octo-org/pay-*', octo-labs/media-archive]
  ledger: ['octo-org/ledger-*']
";

pub(crate) struct Actions {
    pub(crate) simulator: Simulator,
    pub(crate) folder: Folder,
    pub(crate) deadline: Deadline,
    variables: BTreeMap<&'static str, String>,
    _root: tempfile::TempDir,
}

impl Actions {
    pub(crate) async fn start(settings: Settings) -> Self {
        let simulator = Simulator::start(settings).await.unwrap();
        let root = tempfile::tempdir().unwrap();
        let actions = Self {
            folder: Folder::new(root.path().to_owned()),
            variables: BTreeMap::from([
                ("UPTAKE_GITHUB_API_URL", simulator.url()),
                ("UPTAKE_GITHUB_TOKEN", TOKEN.to_owned()),
                ("UPTAKE_SENDER", "uptake@octo.example".to_owned()),
            ]),
            simulator,
            deadline: Deadline::NONE,
            _root: root,
        };
        actions.write("config/repositories.yml", REPOSITORIES).await;
        actions
    }

    /// A few repositories with so many runs a day.
    pub(crate) async fn small(runs_per_day: u32, seed: u64, scenario: &str) -> Self {
        // Weeks pass in seconds here; GitHub's points a minute are meant for real ones.
        let scenario = format!("secondary_limit = 1_000_000\nprimary_limit = 1_000_000\n{scenario}");
        let scenario = Scenario::parse(&scenario).unwrap();
        let mut settings = Settings::new(10, seed, day_of(at("2026-11-20T00:00:00Z")));
        settings.runs_per_day = runs_per_day;
        Self::start(settings.with_scenario(scenario)).await
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    /// Asks as a GitHub App in place of the holder of a token.
    pub(crate) fn ask_as_app(&mut self) {
        self.variables.remove("UPTAKE_GITHUB_TOKEN");
        self.set("UPTAKE_GITHUB_APP_ID", APP_ID);
        self.set("UPTAKE_GITHUB_APP_KEY", APP_KEY);
    }

    pub(crate) async fn write(&self, key: &str, text: &str) {
        self.folder.write(key, text.to_owned().into()).await.unwrap();
    }

    fn config(&self) -> WorkflowMetricsConfig {
        let get = |name: &str| self.variables.get(name).cloned();
        let mut environment = Environment::new(Face::CommandLine, &get);
        let config = environment.workflow_metrics();
        environment.finish(config).unwrap()
    }

    async fn github(&self, config: &WorkflowMetricsConfig) -> GitHub {
        if self.variables.contains_key("UPTAKE_GITHUB_APP_ID") {
            return config.connect(&NoParameters, Arc::new(SystemClock)).await.unwrap();
        }
        let identity = Identity::Token(self.variables["UPTAKE_GITHUB_TOKEN"].as_str().into());
        GitHub::new(config.api.clone(), identity, Arc::new(SystemClock), PATIENCE).unwrap()
    }

    /// What the scheduler's trigger of an instant does when it is delivered in time.
    pub(crate) async fn offer(&self, scheduled: &str) -> Outcome {
        let scheduled = at(scheduled);
        self.deliver(&Trigger::at(scheduled), scheduled, &self.folder)
            .await
            .unwrap()
    }

    /// What a trigger does at a time of its own, on ports that may die.
    pub(crate) async fn deliver<P: Files + Metrics + Logs>(
        &self,
        trigger: &Trigger,
        now: Timestamp,
        ports: &P,
    ) -> Result<Outcome, PipelineError> {
        self.deliver_to(trigger, now, ports, ports).await
    }

    /// The same with log groups of their own.
    pub(crate) async fn deliver_to<P: Files + Metrics>(
        &self,
        trigger: &Trigger,
        now: Timestamp,
        ports: &P,
        logs: &dyn Logs,
    ) -> Result<Outcome, PipelineError> {
        self.simulator.set_now(now);
        let config = self.config();
        let github = self.github(&config).await;
        let clock = Standing(now);
        let invocation = Invocation {
            id: "test".to_owned(),
            deadline: self.deadline,
        };
        let files = Ports {
            files: ports,
            metrics: ports,
            clock: &clock,
            progress: &Unwatched,
        };
        workflow_metrics::collect(&github, &config, files, logs, trigger, &invocation).await
    }

    /// What the mailer does at an hour.
    pub(crate) async fn mail(&self, scheduled: Timestamp) -> Outcome {
        self.mail_as(&Trigger::at(scheduled)).await
    }

    pub(crate) async fn mail_as(&self, trigger: &Trigger) -> Outcome {
        let get = |name: &str| self.variables.get(name).cloned();
        let mut environment = Environment::new(Face::CommandLine, &get);
        let config = environment.mailer();
        let config = environment.finish(config).unwrap();
        let clock = Standing(trigger.scheduled_time);
        let ports = Ports {
            files: &self.folder,
            metrics: &self.folder,
            clock: &clock,
            progress: &Unwatched,
        };
        let invocation = Invocation {
            id: "test".to_owned(),
            deadline: Deadline::NONE,
        };
        mailer::deliver(&config, ports, &self.folder, trigger, &invocation)
            .await
            .unwrap()
    }

    /// Every attempt that ended in the window, as the simulator knows it. One that was begun again before anybody looked, of
    /// a run older than a week, is not looked for.
    pub(crate) fn truth(&self, since: Timestamp, to: Timestamp) -> Vec<RunAttemptTruth> {
        let week = SignedDuration::from_hours(7 * 24);
        let attempts = self.simulator.run_attempts(since, to).into_iter();
        attempts
            .filter(|attempt| since <= attempt.ended_at && attempt.ended_at < to)
            .filter(|attempt| attempt.started_at >= since || attempt.run_created_at >= since - week)
            .collect()
    }

    /// The same store and settings with another simulator behind them.
    pub(crate) async fn with_another_simulator(mut self, settings: Settings) -> Self {
        self.simulator = Simulator::start(settings).await.unwrap();
        let url = self.simulator.url();
        self.set("UPTAKE_GITHUB_API_URL", &url);
        self
    }

    /// The same behind a server that takes the time of creation out of every seventh run.
    pub(crate) async fn with_odd_runs(mut self) -> Self {
        let url = crate::odd_runs::serve(self.simulator.url()).await;
        self.set("UPTAKE_GITHUB_API_URL", &url);
        self
    }

    /// What the function said of itself in the hour of a trigger.
    pub(crate) async fn pipeline_figures(&self, scheduled: Timestamp) -> BTreeMap<String, f64> {
        let text = self
            .text(&format!("cloudwatch/metrics/{}.jsonl", day_of(scheduled)))
            .await
            .unwrap();
        let data = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        data.filter(|datum| {
            datum["namespace"] == "Uptake/Pipeline" && at(datum["timestamp"].as_str().unwrap()) == scheduled
        })
        .map(|datum| {
            let name = datum["metric_name"].as_str().unwrap().to_owned();
            (name, datum["value"].as_f64().unwrap())
        })
        .collect()
    }

    /// Every log event written, with its group and stream.
    pub(crate) async fn events(&self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        for key in self.folder.list("cloudwatch/logs/").await.unwrap() {
            let text = self.text(&key).await.unwrap();
            events.extend(
                text.lines()
                    .map(|line| (key.clone(), serde_json::from_str(line).unwrap())),
            );
        }
        events
    }

    pub(crate) async fn text(&self, key: &str) -> Option<String> {
        let file = self.folder.read(key).await.unwrap()?;
        Some(String::from_utf8(file.bytes.to_vec()).unwrap())
    }

    /// Every datum of workflows, as CloudWatch shows it: by series and instant the largest value, or the distribution
    /// published last.
    pub(crate) async fn series(&self) -> BTreeMap<(String, Timestamp), Value> {
        let mut series: BTreeMap<(String, Timestamp), Value> = BTreeMap::new();
        for key in self.folder.list("cloudwatch/metrics/").await.unwrap() {
            for line in self.text(&key).await.unwrap().lines() {
                let datum: Value = serde_json::from_str(line).unwrap();
                if datum["namespace"] != "Uptake/Workflows" {
                    continue;
                }
                let dimensions = datum["dimensions"].as_object().unwrap().iter();
                let dimensions: Vec<String> = dimensions
                    .map(|(name, value)| format!(" {name}={}", value.as_str().unwrap()))
                    .collect();
                let name = format!("{}{}", datum["metric_name"].as_str().unwrap(), dimensions.concat());
                let shown = series.entry((name, at(datum["timestamp"].as_str().unwrap())));
                let shown = shown.or_insert(Value::from(0.0));
                match datum["value"].as_f64() {
                    Some(value) => *shown = value.max(shown.as_f64().unwrap()).into(),
                    None => *shown = datum,
                }
            }
        }
        series
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The team that [`REPOSITORIES`] gives a repository to.
pub(crate) fn team(repository: &str) -> &'static str {
    match repository {
        name if name.starts_with("octo-org/pay-") || name == "octo-labs/media-archive" => "payments",
        name if name.starts_with("octo-org/ledger-") => "ledger",
        _ => "unassigned",
    }
}

/// What of a log event the simulator knows as well.
pub(crate) fn known(event: &Value) -> BTreeMap<String, Value> {
    let message = event["message"].as_object().unwrap();
    message
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a log event of an attempt must say.
pub(crate) fn expected(attempt: &RunAttemptTruth) -> BTreeMap<String, Value> {
    let is_failed = ["failure", "timed_out", "startup_failure"].contains(&attempt.conclusion.as_str());
    let instant = |at: Timestamp| Value::from(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let mut fields: BTreeMap<String, Value> = [
        ("team", team(&attempt.repository).into()),
        ("repository", attempt.repository.clone().into()),
        ("repository_id", attempt.repository_id.into()),
        ("workflow", attempt.workflow.clone().into()),
        ("workflow_id", attempt.workflow_id.into()),
        ("run_id", attempt.run_id.into()),
        ("attempt", attempt.attempt.into()),
        ("event", attempt.event.clone().into()),
        ("branch", attempt.branch.into()),
        ("conclusion", attempt.conclusion.clone().into()),
        ("failed", u8::from(is_failed).into()),
        ("succeeded", u8::from(attempt.conclusion == "success").into()),
        ("re_run", u8::from(attempt.attempt > 1).into()),
        ("started_at", instant(attempt.started_at)),
        ("ended_at", instant(attempt.ended_at)),
        ("duration_seconds", attempt.duration_seconds.into()),
        ("runner_minutes", attempt.runner_minutes.values().sum::<u64>().into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    fields.extend(
        attempt
            .queue_seconds
            .map(|seconds| ("queue_seconds".to_owned(), seconds.into())),
    );
    for (label, minutes) in &attempt.runner_minutes {
        let label = label.replace(['-', '+', '.'], "_").to_lowercase();
        fields.insert(format!("runner_minutes_{label}"), (*minutes).into());
    }
    fields
}

/// How often each series and window must count, from the simulator's account.
pub(crate) fn expected_counters(attempts: &[RunAttemptTruth]) -> BTreeMap<(String, Timestamp), u64> {
    let mut counters: BTreeMap<(String, Timestamp), u64> = BTreeMap::new();
    for attempt in attempts {
        let hour = uptake_domain::calendar::start_of_hour(attempt.ended_at);
        let day = uptake_domain::calendar::start_of(day_of(attempt.ended_at));
        let is_failed = ["failure", "timed_out", "startup_failure"].contains(&attempt.conclusion.as_str());
        let figures = [
            ("RunAttempts", 1),
            ("FailedRunAttempts", u64::from(is_failed)),
            ("ReRuns", u64::from(attempt.attempt > 1)),
            ("RunnerMinutes", attempt.runner_minutes.values().sum()),
        ];
        for (name, value) in figures {
            for (series, at) in [
                (name.to_owned(), hour),
                (format!("{name} Team={}", team(&attempt.repository)), hour),
                (format!("{name} Repository={}", attempt.repository), day),
            ] {
                *counters.entry((series, at)).or_default() += value;
            }
        }
        let by_conclusion = format!("RunAttempts Conclusion={}", attempt.conclusion);
        *counters.entry((by_conclusion, hour)).or_default() += 1;
    }
    counters
}

/// Names of the fields that only Uptake knows.
pub(crate) fn without_address(mut fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    assert!(fields.remove("html_url").is_some(), "{fields:?}");
    fields
}

/// Ids in both accounts, to compare which attempts there are before what they say.
pub(crate) fn ids<'a>(fields: impl IntoIterator<Item = &'a BTreeMap<String, Value>>) -> BTreeSet<(u64, u64)> {
    let id =
        |fields: &BTreeMap<String, Value>| (fields["run_id"].as_u64().unwrap(), fields["attempt"].as_u64().unwrap());
    fields.into_iter().map(id).collect()
}

/// Asserts that log events and counters say exactly what the simulator knows of the time from `since` to `to`; figures by
/// day only where both ends are those of whole days.
pub(crate) async fn assert_exact(actions: &Actions, since: Timestamp, to: Timestamp, whole_days: bool) {
    let truth = actions.truth(since, to);
    assert!(!truth.is_empty());
    let events = actions.events().await;
    let told: Vec<BTreeMap<String, Value>> = events
        .iter()
        .filter(|(_, event)| at(event["timestamp"].as_str().unwrap()) < to)
        .map(|(_, event)| without_address(known(event)))
        .collect();
    let expected_events: Vec<BTreeMap<String, Value>> = truth.iter().map(expected).collect();
    let (told_ids, expected_ids) = (ids(&told), ids(&expected_events));
    let lost: BTreeSet<_> = expected_ids.difference(&told_ids).collect();
    let invented: BTreeSet<_> = told_ids.difference(&expected_ids).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "lost {lost:?}, invented {invented:?}"
    );
    assert_eq!(told.len(), told_ids.len(), "nothing is told twice");
    let by_id = |fields: Vec<BTreeMap<String, Value>>| {
        let ids = fields.into_iter().map(|fields| (ids([&fields]), fields));
        ids.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_id(told), by_id(expected_events));

    let series = actions.series().await;
    let counters = expected_counters(&truth);
    let is_compared = |name: &str| whole_days || !name.contains("Repository=");
    for ((name, window), expected) in counters.iter().filter(|((name, _), _)| is_compared(name)) {
        let told = series.get(&(name.clone(), *window)).and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let expected = Some(*expected as f64);
        assert_eq!(told, expected, "{name} at {window}");
    }
    for ((name, window), value) in &series {
        let is_counter = ["RunAttempts", "FailedRunAttempts", "ReRuns", "RunnerMinutes"]
            .iter()
            .any(|counter| name.split(' ').next() == Some(counter));
        if is_counter && is_compared(name) && *window < to && !counters.contains_key(&(name.clone(), *window)) {
            assert_eq!(value.as_f64(), Some(0.0), "{name} at {window}");
        }
    }
}

/// Ports of a process that dies after so many writes: the last one may or may not have taken effect, and none that
/// follows does.
pub(crate) struct Mortal<'a> {
    folder: &'a Folder,
    writes_left: AtomicI64,
    last_write_takes_effect: bool,
}

impl<'a> Mortal<'a> {
    pub(crate) fn new(folder: &'a Folder, writes: i64, last_write_takes_effect: bool) -> Self {
        Self {
            folder,
            writes_left: AtomicI64::new(writes),
            last_write_takes_effect,
        }
    }

    /// Whether a write is made, and whether anybody lives to see it.
    fn spend(&self) -> (bool, Result<(), PortError>) {
        let left = self.writes_left.fetch_sub(1, Ordering::Relaxed);
        let dead = || {
            Err(PortError::Unavailable {
                what: "the process".to_owned(),
                reason: "it was killed".to_owned(),
            })
        };
        match left {
            1.. => (true, Ok(())),
            0 => (self.last_write_takes_effect, dead()),
            _ => (false, dead()),
        }
    }
}

#[async_trait]
impl Files for Mortal<'_> {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        self.folder.read(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        let (is_made, end) = self.spend();
        if is_made {
            self.folder.write(key, bytes).await?;
        }
        end
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
        let (is_made, end) = self.spend();
        let written = if is_made {
            self.folder.write_if(key, bytes, expected).await?
        } else {
            Written::Conflict
        };
        end.map(|()| written)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        self.folder.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let (is_made, end) = self.spend();
        if is_made {
            self.folder.delete(key).await?;
        }
        end
    }

    fn location(&self, key: &str) -> String {
        self.folder.location(key)
    }
}

#[async_trait]
impl Metrics for Mortal<'_> {
    async fn publish(&self, data: &[Datum]) -> Result<(), PortError> {
        let (is_made, end) = self.spend();
        if is_made {
            self.folder.publish(data).await?;
        }
        end
    }
}

#[async_trait]
impl Logs for Mortal<'_> {
    async fn events(&self, stream: &LogStream) -> Result<Vec<LogEvent>, PortError> {
        self.folder.events(stream).await
    }

    async fn append(&self, stream: &LogStream, events: &[LogEvent]) -> Result<RejectedEvents, PortError> {
        let (is_made, end) = self.spend();
        // A batch that breaks off in the middle leaves what went before.
        let part = if end.is_err() {
            &events[..events.len() / 2]
        } else {
            events
        };
        if is_made {
            self.folder.append(stream, part).await?;
        }
        end.map(|()| RejectedEvents::default())
    }
}

/// Log groups that turn down the first event of every batch.
pub(crate) struct Picky<'a>(pub(crate) &'a Folder);

#[async_trait]
impl Logs for Picky<'_> {
    async fn events(&self, stream: &LogStream) -> Result<Vec<LogEvent>, PortError> {
        self.0.events(stream).await
    }

    async fn append(&self, stream: &LogStream, events: &[LogEvent]) -> Result<RejectedEvents, PortError> {
        self.0.append(stream, events.get(1..).unwrap_or_default()).await?;
        Ok(RejectedEvents {
            too_old: u64::from(!events.is_empty()),
            ..RejectedEvents::default()
        })
    }
}
