//! Run attempts: what is recorded of each, and how long it waited, ran and cost.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::calendar::to_seconds;

/// Conclusions GitHub documents (go-github and docs.github.com, "workflow runs", read 2026-11-22). Others are counted
/// under their own name; these are counted even when there are none.
pub const CONCLUSIONS: [&str; 9] = [
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "skipped",
    "stale",
    "startup_failure",
    "success",
    "timed_out",
];
/// Those that count as failed.
pub const FAILED: [&str; 3] = ["failure", "startup_failure", "timed_out"];
/// The one that counts as succeeded.
pub const SUCCESS: &str = "success";
const SKIPPED: &str = "skipped";

/// What a run ran for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branch {
    /// The repository's default branch.
    Default,
    /// A pull request, whatever its branch is called.
    PullRequest,
    /// Any other branch or tag.
    Other,
}

impl Branch {
    /// The class of a run. Names of branches go no further: they hold what people write.
    pub fn of(event: &str, head_branch: Option<&str>, default_branch: &str) -> Self {
        if ["pull_request", "pull_request_target"].contains(&event) {
            Self::PullRequest
        } else if head_branch == Some(default_branch) {
            Self::Default
        } else {
            Self::Other
        }
    }

    /// The name in log events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::PullRequest => "pull_request",
            Self::Other => "other",
        }
    }
}

/// Which attempt of which run. GitHub's run ids are unique across repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The run.
    pub run_id: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// One attempt of a workflow run that has ended. It names no person and holds nothing that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAttempt {
    /// Which one.
    #[serde(flatten)]
    pub id: AttemptId,
    /// When the attempt was started, which is when it began to wait.
    pub started_at: Timestamp,
    /// When its last job was done.
    pub ended_at: Timestamp,
    /// The repository's team when the attempt was recorded.
    pub team: String,
    /// The repository, as `owner/name`.
    pub repository: String,
    /// The repository's id, which outlives a change of name.
    pub repository_id: u64,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's id.
    pub workflow_id: u64,
    /// What started the run, in GitHub's word.
    pub event: String,
    /// What it ran for.
    pub branch: Branch,
    /// How it ended, in GitHub's word.
    pub conclusion: String,
    /// Seconds until its first job started; none if it had no jobs.
    pub queue_seconds: Option<u64>,
    /// Seconds from the first job's start to the last job's end.
    pub duration_seconds: u64,
    /// Minutes by runner label, each job rounded up to the minute, as GitHub bills them before multipliers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runner_minutes: BTreeMap<String, u64>,
    /// Where a person looks at the run.
    pub html_url: String,
}

impl RunAttempt {
    /// Whether it ended badly.
    pub fn is_failed(&self) -> bool {
        FAILED.contains(&self.conclusion.as_str())
    }

    /// Whether it ended well. Cancelled, skipped and undecided ones did neither.
    pub fn is_success(&self) -> bool {
        self.conclusion == SUCCESS
    }

    /// Whether it repeats an earlier attempt.
    pub fn is_rerun(&self) -> bool {
        self.id.attempt > 1
    }

    /// Minutes on all runners.
    pub fn minutes(&self) -> u64 {
        self.runner_minutes.values().sum()
    }

    /// The attempt as a log event: flat, in snake case, so that every field can be asked for by name. Minutes also stand
    /// by label, as `runner_minutes_<label>`.
    pub fn log_message(&self) -> Map<String, Value> {
        let Value::Object(mut message) = json!({
            "team": self.team,
            "repository": self.repository,
            "repository_id": self.repository_id,
            "workflow": self.workflow,
            "workflow_id": self.workflow_id,
            "run_id": self.id.run_id,
            "attempt": self.id.attempt,
            "event": self.event,
            "branch": self.branch.as_str(),
            "conclusion": self.conclusion,
            "failed": u8::from(self.is_failed()),
            "succeeded": u8::from(self.is_success()),
            "re_run": u8::from(self.is_rerun()),
            "started_at": to_seconds(self.started_at),
            "ended_at": to_seconds(self.ended_at),
            "duration_seconds": self.duration_seconds,
            "runner_minutes": self.minutes(),
            "html_url": self.html_url,
        }) else {
            return Map::new();
        };
        if let Some(seconds) = self.queue_seconds {
            message.insert("queue_seconds".to_owned(), seconds.into());
        }
        for (label, minutes) in &self.runner_minutes {
            // Labels that differ by a dot and a dash are one field.
            let field = format!("runner_minutes_{}", field_name(label));
            let before = message.get(&field).and_then(Value::as_u64).unwrap_or_default();
            message.insert(field, (before + minutes).into());
        }
        message
    }

    /// Which attempt a log event is about.
    pub fn id_in(message: &Map<String, Value>) -> Option<AttemptId> {
        Some(AttemptId {
            run_id: message.get("run_id")?.as_u64()?,
            attempt: u32::try_from(message.get("attempt")?.as_u64()?).ok()?,
        })
    }
}

/// A label as part of a field's name: what Logs Insights needs no quotes for.
fn field_name(label: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    label.chars().map(plain).collect()
}

/// A job, as far as it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// What it asked of a runner.
    pub labels: Vec<String>,
    /// How it ended.
    pub conclusion: Option<String>,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
}

/// What the jobs of an attempt tell about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// As in [`RunAttempt`].
    pub queue_seconds: Option<u64>,
    /// As in [`RunAttempt`].
    pub duration_seconds: u64,
    /// As in [`RunAttempt`].
    pub ended_at: Timestamp,
    /// As in [`RunAttempt`].
    pub runner_minutes: BTreeMap<String, u64>,
}

/// How long an attempt waited, ran and cost. A job that was skipped started on no runner, so it says when the attempt
/// began or ended only where there is no other. A job that was done before the attempt started belongs to an earlier one:
/// when only failed jobs are run again, GitHub lists the others as they were.
pub fn timing(started_at: Timestamp, updated_at: Timestamp, jobs: &[Job]) -> Timing {
    let is_own = |job: &&Job| job.completed_at.is_none_or(|end| end >= started_at);
    let has_run = |job: &&Job| job.conclusion.as_deref() != Some(SKIPPED);
    let any_has_run = jobs.iter().filter(is_own).any(|job| has_run(&job));
    let spans: Vec<(&Job, Timestamp, Timestamp)> = jobs
        .iter()
        .filter(is_own)
        .filter(|job| !any_has_run || has_run(job))
        .filter_map(|job| Some((job, job.started_at?, job.completed_at?)))
        .collect();
    let first_start = spans.iter().map(|(_, start, _)| *start).min();
    let last_end = spans.iter().map(|(_, _, end)| *end).max();
    let (Some(first_start), Some(ended_at)) = (first_start, last_end) else {
        return Timing {
            queue_seconds: None,
            duration_seconds: seconds_between(started_at, updated_at),
            ended_at: updated_at,
            runner_minutes: BTreeMap::new(),
        };
    };
    let mut runner_minutes: BTreeMap<String, u64> = BTreeMap::new();
    for (job, start, end) in spans {
        let minutes = seconds_between(start, end).div_ceil(60);
        if minutes > 0 {
            *runner_minutes.entry(runner_label(&job.labels)).or_default() += minutes;
        }
    }
    Timing {
        queue_seconds: Some(seconds_between(started_at, first_start)),
        duration_seconds: seconds_between(first_start, ended_at),
        ended_at,
        runner_minutes,
    }
}

/// Labels of a self-hosted runner are a set: sorted and joined they are one name.
fn runner_label(labels: &[String]) -> String {
    if labels.is_empty() {
        return "none".to_owned();
    }
    let mut labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    labels.sort_unstable();
    labels.join("+")
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    let length = to.duration_since(from).max(SignedDuration::ZERO);
    length.as_secs().unsigned_abs()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::log_events::WORKFLOW_RUNS;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn job(label: &str, conclusion: &str, start: i64, end: i64) -> Job {
        Job {
            labels: vec![label.to_owned()],
            conclusion: Some(conclusion.to_owned()),
            started_at: Some(at(start)),
            completed_at: Some(at(end)),
        }
    }

    /// An attempt to change one thing of.
    pub(crate) fn attempt(run_id: u64, attempt: u32, conclusion: &str, ended_at: Timestamp) -> RunAttempt {
        RunAttempt {
            id: AttemptId { run_id, attempt },
            started_at: ended_at - SignedDuration::from_secs(90),
            ended_at,
            team: "payments".into(),
            repository: "octo-org/pay-api".into(),
            repository_id: 7,
            workflow: "CI".into(),
            workflow_id: 70,
            event: "push".into(),
            branch: Branch::Default,
            conclusion: conclusion.into(),
            queue_seconds: Some(30),
            duration_seconds: 60,
            runner_minutes: BTreeMap::from([("ubuntu-latest".to_owned(), 1)]),
            html_url: format!("https://github.example/octo-org/pay-api/actions/runs/{run_id}"),
        }
    }

    #[test]
    fn an_attempt_is_timed_by_its_jobs() {
        for (name, jobs, queue, duration, end, minutes) in [
            ("no jobs at all", vec![], None, 500, 500, vec![]),
            (
                "one job",
                vec![job("l", "success", 10, 71)],
                Some(10),
                61,
                71,
                vec![("l", 2)],
            ),
            (
                "jobs side by side and after one another",
                vec![
                    job("l", "success", 10, 70),
                    job("l", "failure", 40, 41),
                    job("w", "success", 80, 260),
                ],
                Some(10),
                250,
                260,
                vec![("l", 2), ("w", 3)],
            ),
            (
                "a skipped job neither starts nor ends the attempt",
                vec![
                    job("l", "skipped", 1, 1),
                    job("l", "success", 300, 360),
                    job("l", "skipped", 400, 400),
                ],
                Some(300),
                60,
                360,
                vec![("l", 1)],
            ),
            (
                "jobs of the attempt before are listed as they were",
                vec![
                    job("l", "success", -900, -60),
                    job("l", "skipped", -50, -50),
                    job("l", "success", 20, 50),
                ],
                Some(20),
                30,
                50,
                vec![("l", 1)],
            ),
            (
                "all are skipped",
                vec![job("l", "skipped", 1, 1)],
                Some(1),
                0,
                1,
                vec![],
            ),
            (
                "started before it was asked for",
                vec![job("l", "success", -5, 5)],
                Some(0),
                10,
                5,
                vec![("l", 1)],
            ),
        ] {
            let timing = timing(at(0), at(500), &jobs);
            let minutes = minutes
                .into_iter()
                .map(|(label, minutes)| (label.to_owned(), minutes))
                .collect();
            assert_eq!(
                timing,
                Timing {
                    queue_seconds: queue,
                    duration_seconds: duration,
                    ended_at: at(end),
                    runner_minutes: minutes
                },
                "{name}"
            );
        }
    }

    #[test]
    fn labels_of_one_runner_are_one_name() {
        let job = Job {
            labels: vec!["x64".into(), "self-hosted".into(), "linux".into()],
            ..job("", "success", 0, 1)
        };
        let timing = timing(at(0), at(1), &[job]);
        assert_eq!(
            timing.runner_minutes,
            BTreeMap::from([("linux+self-hosted+x64".to_owned(), 1)])
        );
    }

    #[test]
    fn branches_are_classes_and_not_names() {
        for (event, branch, class) in [
            ("push", Some("main"), Branch::Default),
            ("schedule", Some("main"), Branch::Default),
            ("push", Some("feature/octocat"), Branch::Other),
            ("push", None, Branch::Other),
            ("pull_request", Some("main"), Branch::PullRequest), // from a fork
            ("pull_request_target", Some("x"), Branch::PullRequest),
            ("merge_group", Some("gh-readonly-queue/main/pr-1"), Branch::Other),
        ] {
            assert_eq!(Branch::of(event, branch, "main"), class, "{event} {branch:?}");
        }
    }

    #[test]
    fn a_log_event_is_flat_and_tells_which_attempt_it_is_about() {
        let mut one = attempt(5, 2, "timed_out", at(0));
        one.runner_minutes.insert("linux+self-hosted".into(), 3);
        one.runner_minutes.insert("linux.self-hosted".into(), 1);
        let message = one.log_message();
        assert_eq!(WORKFLOW_RUNS.faults(&message), Vec::<String>::new());
        assert_eq!(message["runner_minutes"], 5);
        assert_eq!(message["runner_minutes_linux_self_hosted"], 4);
        assert_eq!((&message["failed"], &message["branch"]), (&json!(1), &json!("default")));
        assert_eq!((&message["succeeded"], &message["re_run"]), (&json!(0), &json!(1)));
        assert_eq!(RunAttempt::id_in(&message), Some(one.id));
        let waited = RunAttempt {
            queue_seconds: None,
            ..one
        };
        let message = waited.log_message();
        assert!(!message.contains_key("queue_seconds"), "no queue time is not zero");
        assert_eq!(WORKFLOW_RUNS.faults(&message), Vec::<String>::new());
    }

    #[test]
    fn an_attempt_reads_back_as_it_was_written() {
        let one = attempt(5, 2, "success", at(0));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<RunAttempt>(&text).unwrap(), one);
    }

    proptest! {
        #[test]
        fn an_attempt_ends_after_its_first_job_started_and_costs_what_its_jobs_cost(
            jobs in proptest::collection::vec((0_i64..5_000, 0_i64..5_000, 0..3_u8), 1..20),
        ) {
            let jobs: Vec<Job> = jobs
                .into_iter()
                .map(|(start, length, kind)| {
                    job("l", ["success", "failure", "skipped"][usize::from(kind)], start, start + length)
                })
                .collect();
            let timing = timing(at(0), at(9), &jobs);
            let lengths = jobs.iter().filter_map(|job| Some((job.started_at?, job.completed_at?)));
            prop_assert!(lengths.clone().any(|(_, end)| end == timing.ended_at));
            let longest = lengths.map(|(start, end)| seconds_between(start, end)).max().unwrap_or_default();
            prop_assert!(jobs.iter().any(|job| job.conclusion.as_deref() == Some("skipped")) || timing.duration_seconds >= longest);
            prop_assert!(timing.runner_minutes.values().sum::<u64>() <= jobs.len() as u64 * longest.div_ceil(60));
        }
    }
}
