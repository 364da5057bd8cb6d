//! The least that collecting a day's workflow runs can cost, from the simulator's own account of that day.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::ensure;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use uptake_domain::calendar::{HOUR, Window, day_of, hours};
use uptake_domain::run::AttemptId;

use super::Bench;

/// Items a page: the most GitHub gives.
const PER_PAGE: u64 = 100;
/// Days whose runs may have been run again, and are looked at for that once a day.
pub(super) const RERUN_DAYS: i8 = 7;

/// The simulator's account of a day.
pub(super) struct Account {
    day: Window,
    /// Repositories by organisation, archived and disabled ones included.
    organisations: BTreeMap<String, u64>,
    /// Repositories that may have runs.
    open: BTreeSet<String>,
    runs: Vec<Run>,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    archived: bool,
    disabled: bool,
}

#[derive(Deserialize)]
struct Run {
    repository: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Attempt {
    #[serde(flatten)]
    id: AttemptId,
    started_at: Timestamp,
    ended_at: Timestamp,
}

/// Requests a day, by kind.
pub(super) struct Least {
    pub(super) repositories: u64,
    /// Of the runs of every hour.
    pub(super) runs: u64,
    /// Of the days before, for re-runs.
    pub(super) reruns: u64,
    pub(super) jobs: u64,
    pub(super) workflows: u64,
}

impl Least {
    pub(super) fn total(&self) -> u64 {
        self.repositories + self.runs + self.reruns + self.jobs + self.workflows
    }
}

/// How the log compares with the account.
pub(super) struct Found {
    pub(super) ended: u64,
    pub(super) logged: u64,
    /// Re-runs that began within the day and are looked for on the next.
    pub(super) later: u64,
}

impl Account {
    pub(super) async fn read(bench: &Bench, day: Date) -> anyhow::Result<Self> {
        let day = Window::of_day(day);
        let Window { from, to } = day;
        let repositories: Vec<Repository> = bench.get("/_simulator/repositories").await?;
        let first = Window::of_day(day_of(from).saturating_sub(RERUN_DAYS.days())).from;
        let runs = bench.get(&format!("/_simulator/runs?from={first}&to={to}")).await?;
        let mut attempts: Vec<Attempt> = bench
            .get(&format!("/_simulator/run_attempts?from={from}&to={to}"))
            .await?;
        attempts.retain(|attempt| day.contains(attempt.ended_at));
        let mut organisations = BTreeMap::new();
        for repository in &repositories {
            let organisation = repository.full_name.split('/').next().unwrap_or_default();
            *organisations.entry(organisation.to_owned()).or_default() += 1;
        }
        let open = repositories
            .into_iter()
            .filter(|repository| !repository.archived && !repository.disabled);
        Ok(Self {
            day,
            organisations,
            open: open.map(|repository| repository.full_name).collect(),
            runs,
            attempts,
        })
    }

    pub(super) fn runs_of_the_day(&self) -> usize {
        self.runs.iter().filter(|run| self.day.contains(run.created_at)).count()
    }

    /// What has to be asked, once: every page that is new, and the jobs of every attempt that was found.
    pub(super) fn least(&self, found: &Found) -> Least {
        let hours_a_day = hours(self.day.from, self.day.to).count() as u64;
        let pages: u64 = self.organisations.values().map(|count| count.div_ceil(PER_PAGE)).sum();
        let mut by_hour: HashMap<(&str, i64), u64> = HashMap::new();
        let mut by_day: HashMap<(&str, Date), u64> = HashMap::new();
        for run in &self.runs {
            if self.day.contains(run.created_at) {
                let hour = run.created_at.duration_since(self.day.from).as_hours();
                *by_hour.entry((&run.repository, hour)).or_default() += 1;
            } else {
                *by_day.entry((&run.repository, day_of(run.created_at))).or_default() += 1;
            }
        }
        // Where nothing was created, only a page says so.
        let further: u64 = by_hour.values().map(|count| count.div_ceil(PER_PAGE) - 1).sum();
        let repositories = self.open.len() as u64;
        Least {
            repositories: pages * hours_a_day,
            runs: repositories * hours_a_day + further,
            reruns: by_day.values().map(|count| count.div_ceil(PER_PAGE)).sum(),
            jobs: found.logged,
            workflows: repositories,
        }
    }

    /// What a plain client would send: every hour all pages of the last 24 hours, and for each run on them the run and
    /// its jobs.
    pub(super) fn plain(&self) -> u64 {
        let mut requests = 0;
        for hour in hours(self.day.from, self.day.to) {
            let to = hour + HOUR;
            let window = Window {
                from: to - HOUR * 24,
                to,
            };
            let mut by_repository: HashMap<&str, u64> = HashMap::new();
            for run in self.runs.iter().filter(|run| window.contains(run.created_at)) {
                *by_repository.entry(&run.repository).or_default() += 1;
            }
            let further: u64 = by_repository.values().map(|count| count.div_ceil(PER_PAGE) - 1).sum();
            let runs: u64 = by_repository.values().sum();
            requests += self.open.len() as u64 + further + 2 * runs;
        }
        requests
    }

    /// Every attempt in the log ended on the day, each once; every one that ended is in the log, but for re-runs that
    /// began on it: those are looked for once a day.
    pub(super) fn compare(&self, logged: &[AttemptId]) -> anyhow::Result<Found> {
        let ended: HashSet<AttemptId> = self.attempts.iter().map(|one| one.id).collect();
        let there: HashSet<AttemptId> = logged.iter().copied().collect();
        let twice = logged.len() - there.len();
        ensure!(twice == 0, "{twice} attempts are in the log twice");
        let foreign = there.difference(&ended).count();
        ensure!(
            foreign == 0,
            "{foreign} attempts are in the log and did not end on the day"
        );
        let mut later = 0;
        for one in self.attempts.iter().filter(|one| !there.contains(&one.id)) {
            let is_rerun = one.id.attempt > 1 && self.day.contains(one.started_at);
            ensure!(is_rerun, "{:?} is missing in the log", one.id);
            later += 1;
        }
        Ok(Found {
            ended: ended.len() as u64,
            logged: there.len() as u64,
            later,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Two repositories, one of them quiet; a hundred and one runs in an hour, one run the day before.
    fn account() -> Account {
        let run = |created_at: &str| Run {
            repository: "octo-org/pay-api".to_owned(),
            created_at: at(created_at),
        };
        let attempt = |attempt, started_at: &str| Attempt {
            id: AttemptId { run_id: 1, attempt },
            started_at: at(started_at),
            ended_at: at("2026-11-20T12:00:00Z"),
        };
        let mut runs = vec![run("2026-11-19T10:00:00Z")];
        runs.extend((0..101).map(|_| run("2026-11-20T10:00:00Z")));
        Account {
            day: Window::of_day(date(2026, 11, 20)),
            organisations: BTreeMap::from([("octo-org".to_owned(), 101)]),
            open: BTreeSet::from(["octo-org/pay-api".to_owned(), "octo-org/sandbox".to_owned()]),
            runs,
            attempts: vec![attempt(1, "2026-11-20T10:00:00Z"), attempt(2, "2026-11-20T11:00:00Z")],
        }
    }

    #[test]
    fn every_page_is_in_the_least_once() {
        let found = Found {
            ended: 2,
            logged: 2,
            later: 0,
        };
        let least = account().least(&found);
        assert_eq!((least.repositories, least.runs, least.reruns), (48, 49, 1));
        assert_eq!((least.jobs, least.workflows, least.total()), (2, 2, 102));
        // A page of each an hour, a second one from 11:00 on; 101 runs from then on, before it one of the day before.
        assert_eq!(account().plain(), 48 + 14 + 2 * (14 * 101 + 10));
    }

    #[test]
    fn only_a_rerun_of_the_day_may_be_missing_in_the_log() {
        let [first, second] = [1, 2].map(|attempt| AttemptId { run_id: 1, attempt });
        let found = account().compare(&[first]).unwrap();
        assert_eq!((found.ended, found.logged, found.later), (2, 1, 1));
        for (log, fault) in [
            (vec![second], "is missing"),
            (vec![first, first, second], "1 attempts are in the log twice"),
            (
                vec![first, AttemptId { run_id: 2, attempt: 1 }],
                "did not end on the day",
            ),
        ] {
            let error = account().compare(&log).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
