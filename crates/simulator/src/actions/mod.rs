//! GitHub Actions without HTTP: repositories, the runs of a day, what becomes of them, who is named in them.
//!
//! Everything is thrown from (seed, repository, day) and known to its end when it is made; the routes show of it what has
//! happened by now. That is why now may move either way.

pub(crate) mod attempts;
pub(crate) mod repositories;
pub(crate) mod runs;
pub(crate) mod truth;

use std::{
    collections::{HashMap, HashSet},
    ops::{Range, RangeInclusive},
    sync::{Arc, Mutex},
};

use self::{
    attempts::Attempt,
    repositories::{Access, Life, Repository, position},
    runs::{Branch, Bursts, Event, FIRST_DAY, LAST_DAY, MILLION, Run, place_of},
};
use crate::{
    Settings, days,
    dice::{Dice, Series, Topic},
    people::{Model, Profile, Role, Tenure},
    scenario::Scenario,
    world::lock,
};

/// How long GitHub keeps runs.
const KEPT_DAYS: i64 = 400;
/// How many seat slots hold people who write code.
const MOST_DEVELOPERS: u32 = 200;
/// Days of repositories that are kept before they are made anew.
const MOST_CACHED: usize = 10_000;
/// The most a quiet repository runs on a weekday, in millionths.
const QUIET: u64 = 800_000;

/// The runs of repositories and days that have been asked for.
type Made = HashMap<(u32, i64), Arc<Vec<Run>>>;

/// The repositories of a data set and their runs.
#[derive(Debug)]
pub(crate) struct Actions {
    repositories: Vec<Repository>,
    by_name: HashMap<String, usize>,
    /// Usual runs of a weekday by repository, in millionths.
    means: Vec<u64>,
    bursts: Bursts,
    developers: u32,
    dice: Dice,
    made: Mutex<Made>,
}

impl Actions {
    pub(crate) fn new(settings: &Settings) -> Self {
        let scenario = &settings.scenario;
        let mut repositories: Vec<_> = (0..settings.repositories).map(Repository::new).collect();
        for (names, access) in [
            (&scenario.forbidden_repositories, Access::Forbidden),
            (&scenario.gone_repositories, Access::Gone),
        ] {
            let named: HashSet<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
            for repository in &mut repositories {
                if named.contains(&repository.full_name.to_ascii_lowercase()) {
                    repository.access = access;
                }
            }
        }
        Self {
            means: means(&repositories, settings.runs_per_day),
            by_name: repositories
                .iter()
                .enumerate()
                .map(|(index, repository)| (repository.full_name.to_ascii_lowercase(), index))
                .collect(),
            bursts: bursts(scenario, settings.repositories),
            developers: settings.seats.min(MOST_DEVELOPERS),
            dice: Dice::new(settings.seed),
            made: Mutex::default(),
            repositories,
        }
    }

    /// All repositories that exist.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories
            .iter()
            .filter(|repository| repository.access != Access::Gone)
    }

    /// The repository that goes by this name; GitHub does not mind the case.
    pub(crate) fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        let index = self.by_name.get(&format!("{owner}/{name}").to_ascii_lowercase())?;
        Some(&self.repositories[*index]).filter(|repository| repository.access != Access::Gone)
    }

    /// All runs of a day, oldest first, whether or not they have been started by now.
    pub(crate) fn day(&self, repository: &Repository, day: i64) -> Arc<Vec<Run>> {
        let key = (repository.index, day);
        if let Some(runs) = lock(&self.made).get(&key) {
            return Arc::clone(runs);
        }
        let usual = runs::usual(self.dice, repository, self.mean(repository), day);
        let runs = Arc::new(runs::of_day(self.dice, repository, day, usual, self.burst(key)));
        let mut made = lock(&self.made);
        if made.len() >= MOST_CACHED {
            made.clear();
        }
        made.insert(key, Arc::clone(&runs));
        runs
    }

    /// The number of these runs, without making them.
    fn count(&self, repository: &Repository, day: i64) -> usize {
        runs::usual(self.dice, repository, self.mean(repository), day) + self.burst((repository.index, day)).len()
    }

    fn mean(&self, repository: &Repository) -> u64 {
        usize::try_from(repository.index).map_or(0, |index| self.means[index])
    }

    fn burst(&self, key: (u32, i64)) -> &[i64] {
        self.bursts.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Of the runs that can be seen now and were created in this span, newest first: how many of them are kept by the
    /// filter, and those at the places of a page.
    pub(crate) fn page(
        &self,
        repository: &Repository,
        span: &RangeInclusive<i64>,
        filter: Option<&dyn Fn(&Run) -> bool>,
        page: &Range<usize>,
        now: i64,
    ) -> (usize, Vec<Run>) {
        let from = (*span.start()).max(first_kept(now));
        let until = (*span.end()).min(now);
        let (mut total, mut shown) = (0, Vec::new());
        if from > until {
            return (total, shown);
        }
        for day in (from.div_euclid(DAY)..=until.div_euclid(DAY)).rev() {
            let is_whole = from <= day * DAY && (day + 1) * DAY - 1 <= until;
            if filter.is_none() && is_whole {
                let count = self.count(repository, day);
                if total >= page.end || total + count <= page.start {
                    total += count;
                    continue;
                }
            }
            let runs = self.day(repository, day);
            let first = runs.partition_point(|run| run.created < from);
            let behind = runs.partition_point(|run| run.created <= until);
            for run in runs[first..behind].iter().rev() {
                if filter.is_none_or(|keeps| keeps(run)) {
                    if page.contains(&total) {
                        shown.push(*run);
                    }
                    total += 1;
                }
            }
        }
        (total, shown)
    }

    /// The run of this id, where it can be seen now.
    pub(crate) fn run(&self, repository: &Repository, id: u64, now: i64) -> Option<Run> {
        let (day, position) = place_of(id, repository)?;
        if !(first_kept(now).div_euclid(DAY)..=now.div_euclid(DAY)).contains(&day) {
            return None;
        }
        let run = *self.day(repository, day).get(position)?;
        (first_kept(now)..=now).contains(&run.created).then_some(run)
    }

    /// The instant of the last push: that of a run, or where nothing has run for weeks, one of long ago.
    pub(crate) fn pushed(&self, repository: &Repository, now: i64) -> i64 {
        let today = now.div_euclid(DAY);
        let pushed = |day| {
            if self.count(repository, day) == 0 {
                return None;
            }
            let runs = self.day(repository, day);
            let mut newest = runs.iter().rev();
            newest
                .find(|run| run.event == Event::Push && run.created <= now)
                .map(|run| run.created)
        };
        let recent = (today - 30..=today).rev().find_map(pushed);
        recent.unwrap_or_else(|| (repository.created_on + 500) * DAY + repository.id.cast_signed() % DAY)
    }

    /// All attempts there will ever be of a run.
    pub(crate) fn attempts(&self, repository: &Repository, run: &Run) -> Vec<Attempt> {
        attempts::attempts(self.dice, repository, run)
    }

    /// The words of a run: what it is called, who is named in it.
    pub(crate) fn words(&self, run: &Run) -> Series {
        self.dice.series(Topic::RunWords, 0, run.key())
    }

    /// One of the people who hold a seat on that day.
    pub(crate) fn developer(&self, model: &Model, series: &mut Series, day: i64) -> Profile {
        let first = u32::try_from(series.below(u64::from(self.developers))).unwrap_or_default();
        let slots = (first..self.developers).chain(0..first);
        let person = slots
            .map(|slot| model.tenure(slot, day))
            .find(|tenure| model.role(*tenure, day) == Role::Person);
        model.profile(person.unwrap_or_else(|| model.tenure(0, day)))
    }

    /// Everybody whom a run may name that is seen within this many days around now.
    pub(crate) fn named(&self, model: &Model, now: i64) -> Vec<Profile> {
        let (first, last) = (now.div_euclid(DAY) - KEPT_DAYS - 1, now.div_euclid(DAY) + KEPT_DAYS);
        let holders = |slot| {
            let next = move |tenure: &Tenure| (tenure.ends_on <= last).then(|| model.tenure(slot, tenure.ends_on));
            std::iter::successors(Some(model.tenure(slot, first)), next)
        };
        (0..self.developers)
            .flat_map(holders)
            .map(|tenure| model.profile(tenure))
            .collect()
    }

    /// The name of the branch a run is for.
    pub(crate) fn head_branch(&self, model: &Model, repository: &Repository, run: &Run) -> String {
        const SUBJECTS: [&str; 8] = [
            "retry-payments",
            "faster-search",
            "new-login",
            "typo",
            "bump-dependencies",
            "dark-mode",
            "less-logging",
            "fix-rounding",
        ];
        let subject = |number: u32| SUBJECTS[usize::try_from(number % 8).unwrap_or_default()];
        let default = repository.default_branch;
        match run.branch {
            Branch::Default | Branch::Fork => default.to_owned(),
            Branch::Topic(number) => format!("feature/{}-{number}", subject(number)),
            Branch::Personal(number) => {
                // Whose branch it is, the branch decides: the words of the run belong to the run.
                let mut series = self.dice.series(Topic::RunWords, repository.index, i64::from(number));
                let login = self.developer(model, &mut series, run.day()).login;
                format!("{login}/{}", subject(number))
            }
            Branch::Queue(number) => format!("gh-readonly-queue/{default}/pr-{number}-{:016x}", run.id),
        }
    }
}

const DAY: i64 = 86_400;

fn first_kept(now: i64) -> i64 {
    (now - KEPT_DAYS * DAY).max(FIRST_DAY * DAY)
}

/// Quiet repositories have what they have; the busy ones share the rest, each half, a third, a quarter... of the first.
fn means(repositories: &[Repository], runs_per_day: u32) -> Vec<u64> {
    let all = u64::from(runs_per_day) * MILLION;
    let count = repositories.len() as u64;
    let of = |life: Life| repositories.iter().filter(move |repository| repository.life == life);
    let quiet = |repository: &Repository| (QUIET - u64::from(repository.index % 4) * 150_000).min(all / (4 * count));
    let left = all - of(Life::Quiet).map(quiet).sum::<u64>();
    let parts: u64 = (1..).zip(of(Life::Busy)).map(|(rank, _)| MILLION / rank).sum();
    let mut rank = 0;
    repositories
        .iter()
        .map(|repository| match repository.life {
            Life::Quiet => quiet(repository),
            Life::Busy => {
                rank += 1;
                left * (MILLION / rank) / parts
            }
            Life::Silent | Life::Archived | Life::Disabled => 0,
        })
        .collect()
}

fn bursts(scenario: &Scenario, repositories: u32) -> Bursts {
    let mut bursts = Bursts::new();
    for burst in &scenario.bursts {
        let Some(index) = position(&burst.repository, repositories) else {
            continue;
        };
        for number in 0..i64::from(burst.runs) {
            let created = burst.at.as_second() + number * i64::from(burst.seconds) / i64::from(burst.runs);
            bursts
                .entry((index, created.div_euclid(DAY)))
                .or_default()
                .push(created);
        }
    }
    bursts
}

/// What of the repositories a scenario names cannot be meant, if anything: the name, and why.
pub(crate) fn unusable(scenario: &Scenario, repositories: u32) -> Option<(&str, String)> {
    let listed = scenario
        .forbidden_repositories
        .iter()
        .chain(&scenario.gone_repositories);
    let named = listed.chain(scenario.bursts.iter().map(|burst| &burst.repository));
    for name in named {
        if position(name, repositories).is_none() {
            let message = format!(
                "no repository is called {name:?}, with {repositories} of them take one that \
                 /orgs/{{org}}/repos lists"
            );
            return Some((name, message));
        }
    }
    scenario.bursts.iter().find_map(|burst| {
        let name = &burst.repository;
        let day = days::day_of(burst.at);
        if !position(name, repositories).is_some_and(|index| Repository::new(index).has_runs()) {
            let message = format!("{name} is archived or disabled and has no runs, take another for the burst");
            Some((name.as_str(), message))
        } else if !(FIRST_DAY..LAST_DAY).contains(&day) {
            let message = format!(
                "{name} cannot have a burst at {}, take a time from 2019 to 2089",
                burst.at
            );
            Some((name.as_str(), message))
        } else {
            None
        }
    })
}
