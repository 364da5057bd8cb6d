//! Figures of workflow runs: what is published for an hour and for a day.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calendar::{HOUR, Window, hours};
use crate::catalogue::{
    ACTIVE_WORKFLOWS, Datum, Dimension, FAILED_RUN_ATTEMPTS, INACTIVE_WORKFLOWS, MetricSpec, QUEUE_TIME, RE_RUNS,
    REPOSITORY_FAILED_RUN_ATTEMPTS, REPOSITORY_QUEUE_TIME, REPOSITORY_RE_RUNS, REPOSITORY_RUN_ATTEMPTS,
    REPOSITORY_RUN_DURATION, REPOSITORY_RUNNER_MINUTES, REPOSITORY_STUCK_RUNS, REPOSITORY_SUCCESS_RATE, RUN_ATTEMPTS,
    RUN_DURATION, RUNNER_MINUTES, STUCK_RUNS, SUCCESS_RATE,
};
use crate::run::{CONCLUSIONS, RunAttempt};

/// Sums over run attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Attempts that ended.
    pub attempts: u64,
    /// Of those, ended badly.
    pub failed: u64,
    /// Of those, ended well.
    pub succeeded: u64,
    /// Of those, second and later attempts of their run.
    pub reruns: u64,
    /// Minutes on runners.
    pub minutes: u64,
}

impl Totals {
    /// Adds one attempt.
    pub fn count(&mut self, attempt: &RunAttempt) {
        self.attempts += 1;
        self.failed += u64::from(attempt.is_failed());
        self.succeeded += u64::from(attempt.is_success());
        self.reruns += u64::from(attempt.is_rerun());
        self.minutes += attempt.minutes();
    }

    /// Adds other sums.
    pub fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.succeeded += other.succeeded;
        self.reruns += other.reruns;
        self.minutes += other.minutes;
    }

    /// Percent of the attempts that ended well or badly which ended well, rounded; `None` if none did either.
    pub fn success_percent(self) -> Option<u64> {
        let decided = self.succeeded + self.failed;
        (decided > 0).then(|| (self.succeeded * 100 + decided / 2) / decided)
    }
}

/// Everything counted of a group of attempts.
#[derive(Clone, Debug, Default)]
struct Tally {
    totals: Totals,
    conclusions: BTreeMap<String, u64>,
    durations: BTreeMap<u64, u64>,
    queues: BTreeMap<u64, u64>,
}

impl Tally {
    fn of<'a>(attempts: impl IntoIterator<Item = &'a RunAttempt>) -> Self {
        let mut tally = Self::default();
        for attempt in attempts {
            tally.totals.count(attempt);
            *tally.conclusions.entry(attempt.conclusion.clone()).or_default() += 1;
            *tally.durations.entry(attempt.duration_seconds).or_default() += 1;
            if let Some(seconds) = attempt.queue_seconds {
                *tally.queues.entry(seconds).or_default() += 1;
            }
        }
        tally
    }

    /// Successes as 100 and failures as 0: the mean of this distribution is the success rate, over any span of time, and a
    /// repeat of the whole does not change it.
    fn verdicts(&self) -> BTreeMap<u64, u64> {
        [(0, self.totals.failed), (100, self.totals.succeeded)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// When an attempt was under way, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The team.
    pub team: String,
    /// The repository.
    pub repository: String,
    /// When it began to wait.
    pub started_at: Timestamp,
    /// When it ended; `None` while it has not.
    pub ended_at: Option<Timestamp>,
}

impl Span {
    /// Whether, at an instant, it had been waiting or running for longer than it should.
    fn is_stuck(&self, at: Timestamp, limit: SignedDuration) -> bool {
        at.duration_since(self.started_at) > limit && self.ended_at.is_none_or(|end| end >= at)
    }
}

/// What figures of a window are made from, beside the attempts that ended in it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Teams that get a zero when nothing of theirs ended.
    pub teams: &'a BTreeSet<String>,
    /// Repositories that get a zero when nothing of theirs ended.
    pub repositories: &'a BTreeSet<String>,
    /// Attempts under way around the window.
    pub spans: &'a [Span],
    /// How long an attempt may be under way before it counts as stuck.
    pub stuck_after: SignedDuration,
}

/// The metrics of one hour: overall, by team and by conclusion.
pub fn hour_data(start: Timestamp, attempts: &[&RunAttempt], around: Surroundings<'_>) -> Vec<Datum> {
    let end = start + HOUR;
    let stuck: Vec<&Span> = around
        .spans
        .iter()
        .filter(|span| span.is_stuck(end, around.stuck_after))
        .collect();
    let overall = Tally::of(attempts.iter().copied());
    let mut data = Series {
        specs: &HOURLY,
        dimensions: vec![],
        at: start,
    }
    .data(&overall, stuck.len());
    let known = CONCLUSIONS.iter().map(|name| ((*name).to_owned(), 0));
    let mut by_conclusion: BTreeMap<String, u64> = known.collect();
    by_conclusion.extend(overall.conclusions);
    for (conclusion, count) in by_conclusion {
        data.push(RUN_ATTEMPTS.datum(vec![(Dimension::Conclusion, conclusion)], start, number(count)));
    }
    for (team, attempts) in grouped(attempts, around.teams, |attempt| &attempt.team) {
        let stuck = stuck.iter().filter(|span| span.team == team).count();
        let series = Series {
            specs: &HOURLY,
            dimensions: vec![(Dimension::Team, team)],
            at: start,
        };
        data.extend(series.data(&Tally::of(attempts), stuck));
    }
    data
}

/// The metrics of one day, by repository.
pub fn day_data(day: Date, attempts: &[&RunAttempt], around: Surroundings<'_>) -> Vec<Datum> {
    let Window { from, to } = Window::of_day(day);
    let mut data = Vec::new();
    for (repository, attempts) in grouped(attempts, around.repositories, |attempt| &attempt.repository) {
        let spans = || around.spans.iter().filter(|span| span.repository == repository);
        let most_stuck = hours(from, to)
            .map(|hour| {
                spans()
                    .filter(|span| span.is_stuck(hour + HOUR, around.stuck_after))
                    .count()
            })
            .max();
        let series = Series {
            specs: &DAILY,
            dimensions: vec![(Dimension::Repository, repository.clone())],
            at: from,
        };
        data.extend(series.data(&Tally::of(attempts), most_stuck.unwrap_or_default()));
    }
    data
}

/// A workflow, as far as it matters whether it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowUse {
    /// The repository's team.
    pub team: String,
    /// The repository.
    pub repository: String,
    /// When it last ran, if it ever did.
    pub last_run_at: Option<Timestamp>,
}

/// How many workflows are in use at the end of a day, and how many are not: overall, by team and by repository.
pub fn workflow_data(
    day: Date,
    workflows: &[WorkflowUse],
    inactive_after: SignedDuration,
    around: Surroundings<'_>,
) -> Vec<Datum> {
    let Window { from, to } = Window::of_day(day);
    let mut counts: BTreeMap<Vec<(Dimension, String)>, [u64; 2]> = BTreeMap::from([(vec![], [0; 2])]);
    for team in around.teams {
        counts.insert(vec![(Dimension::Team, team.clone())], [0; 2]);
    }
    for repository in around.repositories {
        counts.insert(vec![(Dimension::Repository, repository.clone())], [0; 2]);
    }
    for workflow in workflows {
        let is_active = workflow
            .last_run_at
            .is_some_and(|at| to.duration_since(at) <= inactive_after);
        for series in [
            vec![],
            vec![(Dimension::Team, workflow.team.clone())],
            vec![(Dimension::Repository, workflow.repository.clone())],
        ] {
            counts.entry(series).or_default()[usize::from(!is_active)] += 1;
        }
    }
    let data = counts.into_iter().flat_map(|(series, [active, inactive])| {
        [
            ACTIVE_WORKFLOWS.datum(series.clone(), from, number(active)),
            INACTIVE_WORKFLOWS.datum(series, from, number(inactive)),
        ]
    });
    data.collect()
}

/// The metrics that one series of figures has, under the specification of its period.
struct Specs {
    attempts: &'static MetricSpec,
    failed: &'static MetricSpec,
    reruns: &'static MetricSpec,
    minutes: &'static MetricSpec,
    stuck: &'static MetricSpec,
    success_rate: &'static MetricSpec,
    duration: &'static MetricSpec,
    queue: &'static MetricSpec,
}

static HOURLY: Specs = Specs {
    attempts: &RUN_ATTEMPTS,
    failed: &FAILED_RUN_ATTEMPTS,
    reruns: &RE_RUNS,
    minutes: &RUNNER_MINUTES,
    stuck: &STUCK_RUNS,
    success_rate: &SUCCESS_RATE,
    duration: &RUN_DURATION,
    queue: &QUEUE_TIME,
};
static DAILY: Specs = Specs {
    attempts: &REPOSITORY_RUN_ATTEMPTS,
    failed: &REPOSITORY_FAILED_RUN_ATTEMPTS,
    reruns: &REPOSITORY_RE_RUNS,
    minutes: &REPOSITORY_RUNNER_MINUTES,
    stuck: &REPOSITORY_STUCK_RUNS,
    success_rate: &REPOSITORY_SUCCESS_RATE,
    duration: &REPOSITORY_RUN_DURATION,
    queue: &REPOSITORY_QUEUE_TIME,
};

/// One group's place among the series.
struct Series {
    specs: &'static Specs,
    dimensions: Vec<(Dimension, String)>,
    at: Timestamp,
}

impl Series {
    fn data(&self, tally: &Tally, stuck: usize) -> Vec<Datum> {
        let Totals {
            attempts,
            failed,
            reruns,
            minutes,
            ..
        } = tally.totals;
        let counters = [
            (self.specs.attempts, attempts),
            (self.specs.failed, failed),
            (self.specs.reruns, reruns),
            (self.specs.minutes, minutes),
            (self.specs.stuck, stuck as u64),
        ];
        let distributions = [
            (self.specs.success_rate, &tally.verdicts()),
            (self.specs.duration, &tally.durations),
            (self.specs.queue, &tally.queues),
        ];
        let counters = counters
            .into_iter()
            .map(|(spec, count)| spec.datum(self.dimensions.clone(), self.at, number(count)));
        let distributions = distributions
            .into_iter()
            .flat_map(|(spec, values)| spec.distribution(&self.dimensions, self.at, values));
        counters.chain(distributions).collect()
    }
}

/// The attempts of each group, and of each of `always` even when it has none.
fn grouped<'a>(
    attempts: &[&'a RunAttempt],
    always: &BTreeSet<String>,
    name: impl Fn(&'a RunAttempt) -> &'a String,
) -> BTreeMap<String, Vec<&'a RunAttempt>> {
    let mut groups: BTreeMap<String, Vec<&RunAttempt>> = always.iter().map(|name| (name.clone(), vec![])).collect();
    for attempt in attempts {
        groups.entry(name(attempt).clone()).or_default().push(attempt);
    }
    groups
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs are far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Reading;
    use crate::run::tests::attempt;
    use jiff::civil::date;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// `RunAttempts Team=payments` and what it tells.
    fn table(data: &[Datum]) -> BTreeMap<String, Reading> {
        for datum in data {
            assert!(datum.is_catalogued(), "{datum:?}");
        }
        let series = |datum: &Datum| {
            let dimensions = datum.dimensions.iter();
            let dimensions: Vec<String> = dimensions
                .map(|(dimension, value)| format!(" {}={value}", dimension.as_str()))
                .collect();
            format!("{}{}", datum.spec.name, dimensions.concat())
        };
        let table: BTreeMap<_, _> = data
            .iter()
            .map(|datum| (series(datum), datum.reading.clone()))
            .collect();
        assert_eq!(table.len(), data.len(), "every series has one datum");
        table
    }

    fn span(team: &str, started_at: &str, ended_at: Option<&str>) -> Span {
        Span {
            team: team.to_owned(),
            repository: "octo-org/pay-api".to_owned(),
            started_at: at(started_at),
            ended_at: ended_at.map(at),
        }
    }

    #[test]
    fn an_hour_counts_what_ended_in_it_and_says_zero_where_nothing_did() {
        let hour = at("2026-11-20T06:00:00Z");
        let end = at("2026-11-20T06:30:00Z");
        let attempts = [
            attempt(1, 1, "success", end),
            attempt(2, 3, "failure", end),
            attempt(3, 1, "superseded", end),
        ];
        let attempts: Vec<&RunAttempt> = attempts.iter().collect();
        let spans = [
            span("payments", "2026-11-20T04:00:00Z", None),
            span("payments", "2026-11-20T05:00:01Z", None), // not yet
            span("payments", "2026-11-20T01:00:00Z", Some("2026-11-20T06:59:59Z")), // not any more
            span("platform", "2026-11-20T01:00:00Z", Some("2026-11-20T07:00:00Z")),
        ];
        let around = Surroundings {
            teams: &names(&["payments", "platform"]),
            repositories: &names(&[]),
            spans: &spans,
            stuck_after: SignedDuration::from_mins(120),
        };
        let table = table(&hour_data(hour, &attempts, around));
        for (series, value) in [
            ("RunAttempts", 3.0),
            ("RunAttempts Team=payments", 3.0),
            ("RunAttempts Team=platform", 0.0),
            ("RunAttempts Conclusion=success", 1.0),
            ("RunAttempts Conclusion=timed_out", 0.0),
            ("RunAttempts Conclusion=superseded", 1.0),
            ("FailedRunAttempts", 1.0),
            ("FailedRunAttempts Team=platform", 0.0),
            ("ReRuns", 1.0),
            ("RunnerMinutes Team=payments", 3.0),
            ("StuckRuns", 2.0),
            ("StuckRuns Team=payments", 1.0),
            ("StuckRuns Team=platform", 1.0),
        ] {
            assert_eq!(table.get(series), Some(&Reading::Value(value)), "{series}");
        }
        let verdicts = Reading::Distribution(vec![(0.0, 1), (100.0, 1)]);
        assert_eq!(table.get("SuccessRate"), Some(&verdicts));
        assert_eq!(table.get("RunDuration"), Some(&Reading::Distribution(vec![(60.0, 3)])));
        assert_eq!(
            table.get("SuccessRate Team=platform"),
            None,
            "a rate of nothing is nothing"
        );
        assert_eq!(table.get("QueueTime Team=platform"), None);
    }

    #[test]
    fn a_day_is_counted_by_repository() {
        let attempts = [attempt(1, 1, "success", at("2026-11-20T06:30:00Z"))];
        let attempts: Vec<&RunAttempt> = attempts.iter().collect();
        let spans = [span("payments", "2026-11-20T01:00:00Z", Some("2026-11-20T09:00:00Z"))];
        let around = Surroundings {
            teams: &names(&[]),
            repositories: &names(&["octo-org/pay-api", "octo-org/quiet"]),
            spans: &spans,
            stuck_after: SignedDuration::from_mins(120),
        };
        let table = table(&day_data(date(2026, 11, 20), &attempts, around));
        let value = |series: &str| table.get(series).cloned();
        assert_eq!(
            value("RunAttempts Repository=octo-org/pay-api"),
            Some(Reading::Value(1.0))
        );
        assert_eq!(
            value("RunAttempts Repository=octo-org/quiet"),
            Some(Reading::Value(0.0))
        );
        assert_eq!(
            value("StuckRuns Repository=octo-org/pay-api"),
            Some(Reading::Value(1.0))
        );
        assert_eq!(value("RunAttempts"), None, "the total is published by the hour");
    }

    #[test]
    fn a_workflow_is_active_when_it_ran_lately() {
        let workflow = |team: &str, last_run_at: Option<&str>| WorkflowUse {
            team: team.to_owned(),
            repository: "octo-org/pay-api".to_owned(),
            last_run_at: last_run_at.map(at),
        };
        let workflows = [
            workflow("payments", Some("2026-11-07T00:00:00Z")),
            workflow("payments", Some("2026-11-06T23:59:59Z")),
            workflow("platform", None),
        ];
        let around = Surroundings {
            teams: &names(&["idle"]),
            repositories: &names(&[]),
            spans: &[],
            stuck_after: SignedDuration::ZERO,
        };
        let data = workflow_data(
            date(2026, 11, 20),
            &workflows,
            SignedDuration::from_hours(14 * 24),
            around,
        );
        let table = table(&data);
        for (series, value) in [
            ("ActiveWorkflows", 1.0),
            ("InactiveWorkflows", 2.0),
            ("ActiveWorkflows Team=payments", 1.0),
            ("InactiveWorkflows Team=payments", 1.0),
            ("ActiveWorkflows Team=platform", 0.0),
            ("InactiveWorkflows Team=idle", 0.0),
            ("InactiveWorkflows Repository=octo-org/pay-api", 2.0),
        ] {
            assert_eq!(table.get(series), Some(&Reading::Value(value)), "{series}");
        }
    }

    #[test]
    fn more_values_than_a_datum_holds_become_several_data() {
        let hour = at("2026-11-20T06:00:00Z");
        let values: BTreeMap<u64, u64> = (0..400).map(|second| (second, 2)).collect();
        let data = RUN_DURATION.distribution(&[], hour, &values);
        assert_eq!(data.len(), 3);
        let counts = data.iter().map(|datum| match &datum.reading {
            Reading::Distribution(values) => values.iter().map(|(_, count)| count).sum(),
            Reading::Value(_) => 0,
        });
        assert_eq!(counts.sum::<u64>(), 800);
    }
}
