//! What becomes of a run: its attempts and their jobs, each known in full, shown as far as the time has come.

use super::{repositories::Repository, runs::Run};
use crate::dice::{Dice, Series, Topic};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The latest a re-run may start after its run was created.
const LATEST_RERUN: i64 = 7 * DAY - HOUR;

/// The days after its creation in which the last attempt of a run has surely ended.
pub(crate) const LONGEST_DAYS: i64 = 9;

/// The most jobs of a run that is no matrix.
const FEW: u64 = 6;

static LABELS: [&[&str]; 10] = [
    &["ubuntu-latest"],
    &["ubuntu-latest"],
    &["ubuntu-latest"],
    &["ubuntu-latest"],
    &["ubuntu-latest"],
    &["ubuntu-24.04-arm"],
    &["windows-latest"],
    &["macos-14"],
    &["self-hosted", "linux", "x64"],
    &["self-hosted", "linux", "x64"],
];

/// One attempt, from its start to its end.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) started: i64,
    pub(crate) updated: i64,
    pub(crate) conclusion: &'static str,
    pub(crate) jobs: Vec<Job>,
    /// What it says of itself until a job starts.
    waiting: &'static str,
}

/// One job of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) created: i64,
    pub(crate) started: i64,
    pub(crate) completed: i64,
    pub(crate) conclusion: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) had_runner: bool,
}

/// How an attempt goes.
#[derive(Clone, Copy)]
enum Course {
    StartupFailure,
    NothingToDo,
    AllSkipped,
    CancelledInQueue,
    Matrix,
    /// Waits so long, then runs; the first job takes so long where that is said.
    Runs {
        queue: i64,
        long: Option<i64>,
    },
    Quick,
}

impl Course {
    fn throw(series: &mut Series) -> Self {
        let ordinary = series.between(2, MINUTE);
        let (queue, long) = match series.below(1000) {
            0..=3 => return Self::StartupFailure,
            4..=6 => return Self::NothingToDo,
            7..=16 => return Self::AllSkipped,
            17..=28 => return Self::CancelledInQueue,
            29..=32 => return Self::Matrix,
            33..=34 => (series.between(24 * HOUR + MINUTE, 40 * HOUR), None),
            35..=54 => (series.between(20 * MINUTE, 4 * HOUR), None),
            55..=62 => (ordinary, Some(series.between(2 * HOUR, 30 * HOUR))),
            _ => (ordinary, None),
        };
        Self::Runs { queue, long }
    }
}

/// All attempts there will ever be, the first one first.
pub(crate) fn attempts(dice: Dice, repository: &Repository, run: &Run) -> Vec<Attempt> {
    let mut series = dice.series(Topic::Attempts, 0, run.key());
    let wanted = match series.below(1000) {
        _ if run.quick => 1,
        0..=4 => 4,
        5..=9 => 3,
        10..=69 => 2,
        _ => 1,
    };
    let labels = Labels {
        dice,
        workflow: u32::try_from(repository.workflows[run.workflow].id).unwrap_or_default(),
    };
    let mut attempts: Vec<Attempt> = Vec::with_capacity(1);
    let mut started = run.created;
    for number in 1..=wanted {
        let course = match number {
            _ if run.quick => Course::Quick,
            1 => Course::throw(&mut series),
            _ => Course::Runs {
                queue: series.between(2, MINUTE),
                long: None,
            },
        };
        let mut attempt = Attempt::new(&mut series, labels, number, started, course, number < wanted);
        // From the whole re-run, so that a partial one moves nothing that comes after it.
        started = next_start(&mut series, run.created, attempt.updated);
        if let Some(before) = attempts.last() {
            let mut throws = dice.series(Topic::PartialRerun, number, run.key());
            if before.has_failed_in_part() && throws.below(2) == 0 {
                attempt.repeat_the_failed_only(before, labels, &mut throws);
            }
        }
        attempts.push(attempt);
        if started > run.created + LATEST_RERUN {
            break;
        }
    }
    attempts
}

/// Mostly soon after the last attempt, sometimes days after the run was created.
fn next_start(series: &mut Series, created: i64, ended: i64) -> i64 {
    match series.below(10) {
        0..=4 => ended + series.between(MINUTE, 30 * MINUTE),
        5..=7 => ended + series.between(30 * MINUTE, 8 * HOUR),
        _ => (ended + MINUTE).max(created + series.between(DAY, LATEST_RERUN)),
    }
}

/// The labels of a workflow's jobs: the same for all its runs.
#[derive(Clone, Copy)]
struct Labels {
    dice: Dice,
    workflow: u32,
}

impl Labels {
    fn of(self, position: usize) -> &'static [&'static str] {
        let position = i64::try_from(position % 100).unwrap_or_default();
        self.dice
            .series(Topic::Labels, self.workflow, position)
            .pick(LABELS.as_slice())
    }
}

impl Attempt {
    fn new(series: &mut Series, labels: Labels, number: u32, started: i64, course: Course, is_repeated: bool) -> Self {
        let few = |series: &mut Series| usize::try_from(1 + series.below(FEW)).unwrap_or(1);
        let same = |count: usize, created: i64, ended: i64, conclusion: &'static str| {
            let job = |position| Job {
                created,
                started: ended,
                completed: ended,
                conclusion,
                labels: labels.of(position),
                had_runner: false,
            };
            (0..count).map(job).collect::<Vec<_>>()
        };
        let (conclusion, jobs) = match course {
            Course::StartupFailure => ("startup_failure", Vec::new()),
            Course::NothingToDo => ("skipped", Vec::new()),
            Course::AllSkipped => {
                let at = started + series.between(1, 4);
                ("skipped", same(few(series), at, at, "skipped"))
            }
            Course::CancelledInQueue => {
                let at = started + series.between(5, 2 * HOUR);
                ("cancelled", same(few(series), started, at, "cancelled"))
            }
            Course::Matrix => {
                let count = usize::try_from(series.between(105, 130)).unwrap_or_default();
                (conclusion(series, is_repeated), matrix(series, labels, started, count))
            }
            Course::Runs { queue, long } => {
                let positions: Vec<_> = (0..few(series)).collect();
                (
                    conclusion(series, is_repeated),
                    rows(series, labels, started, queue, long, &positions),
                )
            }
            Course::Quick => {
                let begun = started + series.between(2, 20);
                let length = series.between(3, 40);
                ("success", vec![Job::ran(labels, 0, started, begun, length)])
            }
        };
        let updated = match jobs.iter().map(|job| job.completed).max() {
            Some(last) => last + series.between(0, 5),
            None => started + series.between(1, 8),
        };
        let mut attempt = Self {
            number,
            started,
            updated,
            conclusion,
            jobs,
            waiting: series.pick(&["queued", "queued", "queued", "queued", "waiting", "pending"]),
        };
        attempt.blame();
        attempt
    }

    /// Where the attempt did not succeed, the last job that ran is the one to blame.
    fn blame(&mut self) {
        if let Some(job) = self.jobs.iter_mut().rfind(|job| job.had_runner) {
            job.conclusion = self.conclusion;
        }
    }

    /// Whether it failed while some of its jobs succeeded, so that the others can be run again alone.
    fn has_failed_in_part(&self) -> bool {
        ["failure", "timed_out", "cancelled"].contains(&self.conclusion)
            && self.jobs.iter().any(|job| job.conclusion == "success")
    }

    /// Makes of a whole re-run one of the failed jobs only. The successful ones of the attempt before stay in the list,
    /// each at its place, as they were; only that this attempt lists them is new.
    fn repeat_the_failed_only(&mut self, before: &Self, labels: Labels, series: &mut Series) {
        let last = |jobs: &[Job]| jobs.iter().map(|job| job.completed).max();
        let begun = self.jobs.iter().map(|job| job.started).min();
        let queue = begun.map_or(MINUTE, |begun| begun - self.started);
        let behind = last(&self.jobs).map_or(0, |last| self.updated - last);
        let failed: Vec<_> = (0..before.jobs.len())
            .filter(|position| before.jobs[*position].conclusion != "success")
            .collect();
        self.jobs = rows(series, labels, self.started, queue, None, &failed);
        self.updated = last(&self.jobs).map_or(self.updated, |last| last + behind);
        self.blame();
        let mut jobs = before.jobs.clone();
        for job in &mut jobs {
            job.created = self.started;
        }
        for (position, job) in failed.into_iter().zip(&self.jobs) {
            jobs[position] = *job;
        }
        self.jobs = jobs;
    }

    /// The jobs that ran in this attempt, without those it inherited.
    fn own_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.completed >= self.started)
    }

    /// The jobs a reader of figures looks at: of its own those that were not skipped, or all where all were.
    pub(crate) fn counted_jobs(&self) -> Vec<&Job> {
        let ran: Vec<_> = self.own_jobs().filter(|job| job.conclusion != "skipped").collect();
        if ran.is_empty() { self.own_jobs().collect() } else { ran }
    }

    pub(crate) fn is_completed(&self, now: i64) -> bool {
        self.updated <= now
    }

    pub(crate) fn status(&self, now: i64) -> &'static str {
        if self.is_completed(now) {
            "completed"
        } else if self.own_jobs().any(|job| job.started <= now) {
            "in_progress"
        } else {
            self.waiting
        }
    }

    pub(crate) fn conclusion(&self, now: i64) -> Option<&'static str> {
        self.is_completed(now).then_some(self.conclusion)
    }

    /// The latest change that has happened by now.
    pub(crate) fn changed(&self, now: i64) -> i64 {
        let of_jobs = self
            .jobs
            .iter()
            .flat_map(|job| [job.created, job.started, job.completed]);
        of_jobs
            .chain([self.started, self.updated])
            .filter(|at| *at <= now)
            .max()
            .unwrap_or(self.started)
    }
}

impl Job {
    fn ran(labels: Labels, position: usize, created: i64, started: i64, length: i64) -> Self {
        Self {
            created,
            started,
            completed: started + length,
            conclusion: "success",
            labels: labels.of(position),
            had_runner: true,
        }
    }

    pub(crate) fn status(&self, now: i64) -> &'static str {
        if self.completed <= now {
            "completed"
        } else if self.started <= now {
            "in_progress"
        } else {
            "queued"
        }
    }
}

/// How an attempt ends that runs its jobs. What is run again has mostly failed.
fn conclusion(series: &mut Series, is_repeated: bool) -> &'static str {
    match series.below(1000) {
        0..=699 if is_repeated => "failure",
        0..=879 => "success",
        880..=944 => "failure",
        945..=970 => "cancelled",
        971..=980 => "timed_out",
        981..=986 => "action_required",
        987..=991 => "neutral",
        992..=995 => "stale",
        // No documentation knows this one: a client must not mind.
        _ => "superseded",
    }
}

/// Many jobs that start as runners become free, twenty at a time.
fn matrix(series: &mut Series, labels: Labels, started: i64, count: usize) -> Vec<Job> {
    let mut begins = started + series.between(5, 40);
    (0..count)
        .map(|position| {
            if position > 0 && position.is_multiple_of(20) {
                begins += series.between(30, 90);
            }
            let start = begins + series.between(0, 9);
            Job::ran(labels, position, started + 1, start, series.between(20, 110))
        })
        .collect()
}

/// A few jobs, some beside each other, some waiting for all before them; now and then the last one is skipped. Their
/// positions say which jobs of the workflow they are.
fn rows(
    series: &mut Series,
    labels: Labels,
    started: i64,
    queue: i64,
    long: Option<i64>,
    positions: &[usize],
) -> Vec<Job> {
    let (mut created, mut begins) = (started + series.between(0, 1), started + queue);
    let mut ends = started;
    let mut jobs: Vec<Job> = Vec::with_capacity(positions.len());
    for position in positions {
        let is_first = jobs.is_empty();
        if !is_first && series.below(2) == 0 {
            created = ends + series.between(0, 3);
            begins = match series.below(12) {
                0 => created + series.between(5 * MINUTE, 15 * MINUTE),
                _ => created + series.between(2, 40),
            };
        }
        let length = match (series.below(60), long) {
            (_, Some(long)) if is_first => long,
            (0, _) => 0,
            (1..=39, _) => series.between(15, 2 * MINUTE),
            _ => series.between(MINUTE, 6 * MINUTE),
        };
        let start = begins + series.between(0, 2);
        jobs.push(Job::ran(labels, *position, created, start, length));
        ends = ends.max(start + length);
    }
    if let [_, .., last] = positions
        && series.below(12) == 0
    {
        jobs.pop();
        let at = jobs.iter().map(|job| job.completed).max().unwrap_or(ends);
        jobs.push(Job {
            created: at,
            started: at,
            completed: at,
            conclusion: "skipped",
            labels: labels.of(*last),
            had_runner: false,
        });
    }
    jobs
}
