//! The runs of one repository on one day, as they were started. What becomes of them is `attempts.rs`.

use std::collections::BTreeMap;

use super::repositories::Repository;
use crate::{
    days,
    dice::{Dice, Series, Topic},
};

/// 2019-01-01: nothing ran before. Counting from here keeps the ids as long as GitHub's.
pub(crate) const FIRST_DAY: i64 = 17_897;

/// 2089-12-31: after it the ids of jobs would not fit into the numbers of JavaScript any more.
pub(crate) const LAST_DAY: i64 = 43_829;

/// How an id is put together: day, number within the day, repository. Later runs have higher ids.
const REPOSITORY_BITS: u32 = 10;
const NUMBER_BITS: u32 = 18;

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Push,
    PullRequest,
    PullRequestTarget,
    Schedule,
    WorkflowDispatch,
    MergeGroup,
}

impl Event {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::PullRequest => "pull_request",
            Self::PullRequestTarget => "pull_request_target",
            Self::Schedule => "schedule",
            Self::WorkflowDispatch => "workflow_dispatch",
            Self::MergeGroup => "merge_group",
        }
    }

    pub(crate) fn is_pull_request(self) -> bool {
        matches!(self, Self::PullRequest | Self::PullRequestTarget)
    }
}

/// The branch a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    Default,
    /// A topic branch of this number.
    Topic(u32),
    /// A topic branch that begins with somebody's login.
    Personal(u32),
    /// The default branch of somebody's fork, which has the same name.
    Fork,
    /// A branch of the merge queue for the pull request of this number.
    Queue(u32),
}

/// One run, as light as it can be: its words are thrown when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) id: u64,
    /// Seconds since 1970, like every instant of this model.
    pub(crate) created: i64,
    /// The position of its workflow in the repository.
    pub(crate) workflow: usize,
    pub(crate) event: Event,
    pub(crate) branch: Branch,
    /// Part of a burst: one short job, never run again.
    pub(crate) quick: bool,
}

impl Run {
    pub(crate) fn day(&self) -> i64 {
        self.created.div_euclid(86_400)
    }

    /// As a time for the dice: every run throws its own.
    pub(crate) fn key(&self) -> i64 {
        self.id.cast_signed()
    }

    /// Counts up within a workflow, though not by ones.
    pub(crate) fn number(&self) -> u64 {
        self.id >> REPOSITORY_BITS
    }

    fn numbered(mut self, repository: &Repository, number: u64) -> Self {
        let day = (self.day() - FIRST_DAY).cast_unsigned();
        self.id = ((day << NUMBER_BITS | number) << REPOSITORY_BITS) | u64::from(repository.index);
        self
    }
}

/// The day and the position in it that an id of this repository stands for.
pub(crate) fn place_of(id: u64, repository: &Repository) -> Option<(i64, usize)> {
    let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
    if low(id, REPOSITORY_BITS) != u64::from(repository.index) {
        return None;
    }
    let number = id >> REPOSITORY_BITS;
    let day = i64::try_from(number >> NUMBER_BITS).ok()?;
    Some((day + FIRST_DAY, usize::try_from(low(number, NUMBER_BITS)).ok()?))
}

/// All runs of the day, oldest first: so many as usual, and one at each of the instants of a burst.
pub(crate) fn of_day(dice: Dice, repository: &Repository, day: i64, usual: usize, burst: &[i64]) -> Vec<Run> {
    let mut series = dice.series(Topic::Runs, repository.index, day);
    let mut runs: Vec<Run> = (0..usual)
        .map(|_| {
            let (workflow, event) = started_by(&mut series, repository);
            Run {
                id: 0,
                created: day * 86_400 + second_of_day(&mut series, event),
                workflow,
                event,
                branch: branch(&mut series, event),
                quick: false,
            }
        })
        .collect();
    runs.extend(burst.iter().map(|created| Run {
        id: 0,
        created: *created,
        workflow: 0,
        event: Event::Push,
        branch: Branch::Default,
        quick: true,
    }));
    runs.sort_by_key(|run| run.created);
    runs.into_iter()
        .zip(0..)
        .map(|(run, number)| run.numbered(repository, number))
        .collect()
}

fn started_by(series: &mut Series, repository: &Repository) -> (usize, Event) {
    let choices = || {
        let numbered = repository.workflows.iter().enumerate();
        numbered.flat_map(|(position, workflow)| {
            let events = workflow.template.events.iter();
            events.map(move |(event, weight)| (position, *event, *weight))
        })
    };
    let mut thrown = series.below(choices().map(|(_, _, weight)| weight).sum::<u64>().max(1));
    for (position, event, weight) in choices() {
        if thrown < weight {
            return (position, event);
        }
        thrown -= weight;
    }
    (0, Event::Push)
}

/// Office hours for nine in ten, any hour for the rest; what a clock starts, it starts mostly at night.
fn second_of_day(series: &mut Series, event: Event) -> i64 {
    const HOUR: i64 = 3600;
    match (event, series.below(10)) {
        (Event::Schedule, 0..=6) => series.between(0, 5) * HOUR + 17 * 60 + series.between(0, 299),
        (Event::Schedule, _) => series.between(6, 23) * HOUR + 17 * 60 + series.between(0, 299),
        (_, 0) => series.between(0, 24 * HOUR - 1),
        _ => 5 * HOUR + i64::midpoint(series.between(0, 15 * HOUR), series.between(0, 15 * HOUR)),
    }
}

fn branch(series: &mut Series, event: Event) -> Branch {
    let (sort, number) = (series.below(12), 1 + series.below(4000));
    let number = u32::try_from(number).unwrap_or_default();
    match (event, sort) {
        (Event::Schedule, _) | (Event::Push, 0..=5) | (Event::WorkflowDispatch, 0..=7) => Branch::Default,
        (Event::PullRequest | Event::PullRequestTarget, 0) => Branch::Fork,
        (Event::MergeGroup, _) => Branch::Queue(number),
        (_, 11) => Branch::Personal(number),
        _ => Branch::Topic(number),
    }
}

/// Means are counted in millionths of a run.
pub(crate) const MILLION: u64 = 1_000_000;

/// The number of usual runs on a day: the mean, a tenth more or less, and a fifth of it at weekends.
pub(crate) fn usual(dice: Dice, repository: &Repository, mean_millionths: u64, day: i64) -> usize {
    if !(FIRST_DAY..LAST_DAY).contains(&day) {
        return 0;
    }
    let mean = if days::is_weekend(day) {
        mean_millionths / 5
    } else {
        mean_millionths
    };
    let mut series = dice.series(Topic::RunCount, repository.index, day);
    let varied = mean * (900 + series.below(201)) / 1000;
    usize::try_from((varied + series.below(MILLION)) / MILLION).unwrap_or_default()
}

/// The instants of all bursts, by repository and day.
pub(crate) type Bursts = BTreeMap<(u32, i64), Vec<i64>>;
