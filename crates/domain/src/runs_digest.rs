//! What the weekly mail says about workflow runs: each team against the week before, its slowest and most failing workflows.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::calendar::{Window, day_of};
use crate::run_figures::Totals;
use crate::run_history::{Change, DayFigures, Period, WorkflowFigures, compare, p90, workflows_of};
use crate::wording::{change_in_percent, change_in_points, thousands};

/// Teams with a section of their own; the others stand in the log groups and on the dashboards.
pub const MOST_TEAMS: usize = 15;
/// Workflows in each of a team's two lists.
pub const MOST_WORKFLOWS: usize = 3;
/// A workflow that ran less often says little about how long it takes.
const FEWEST_ATTEMPTS: u64 = 3;

/// The content of the mail, before any markup.
#[derive(Debug, PartialEq, Eq)]
pub struct RunsDigest {
    /// Over all teams, week against week.
    pub overall: Change,
    /// Whether there is a whole week before to compare with.
    pub has_before: bool,
    /// The other periods that end with the week, where there is something to compare with.
    pub periods: Vec<(Period, Change)>,
    /// Sections by team, the busiest first.
    pub teams: Vec<TeamSection>,
    /// How many teams have no section.
    pub omitted: usize,
}

/// One team's week.
#[derive(Debug, PartialEq, Eq)]
pub struct TeamSection {
    /// The team.
    pub team: String,
    /// Week against week.
    pub change: Change,
    /// The workflows that take longest, by what nine of ten attempts do not exceed.
    pub slowest: Vec<WorkflowLine>,
    /// The workflows that failed most often.
    pub most_failing: Vec<WorkflowLine>,
}

/// One workflow's week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowLine {
    /// The repository.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// Attempts that ended.
    pub attempts: u64,
    /// Of those, ended badly.
    pub failed: u64,
    /// Seconds that nine of ten attempts did not exceed.
    pub p90_seconds: u64,
}

impl WorkflowLine {
    fn of(figures: &WorkflowFigures) -> Option<Self> {
        Some(Self {
            repository: figures.repository.clone(),
            workflow: figures.workflow.clone(),
            attempts: figures.totals.attempts,
            failed: figures.totals.failed,
            p90_seconds: p90(&figures.durations)?,
        })
    }
}

/// One figure, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it counts.
    pub label: &'static str,
    /// How much.
    pub value: String,
    /// Against the time before; empty without one.
    pub change: String,
}

/// A change in figures.
pub fn figures(change: &Change, has_before: bool) -> Vec<Figure> {
    let Change { now, before } = change;
    let percent = |totals: &Totals| totals.success_percent();
    let count = |label, now: u64, before: u64| Figure {
        label,
        value: thousands(now),
        change: change_in_percent(now, before),
    };
    let mut figures = vec![
        count("Run attempts", now.attempts, before.attempts),
        Figure {
            label: "Succeeded",
            value: percent(now).map_or_else(|| "none decided".to_owned(), |percent| format!("{percent} %")),
            change: change_in_points(percent(now), percent(before)),
        },
        count("Failed", now.failed, before.failed),
        count("Re-runs", now.reruns, before.reruns),
        count("Runner minutes", now.minutes, before.minutes),
    ];
    if !has_before {
        for figure in &mut figures {
            figure.change.clear();
        }
    }
    figures
}

/// Says what there is to say about a week of days. `days` also holds the days before it, as far as they are there.
pub fn digest(days: &BTreeMap<Date, DayFigures>, week: Window, first_day: Option<Date>) -> RunsDigest {
    let comparison = compare(days, week, first_day);
    let of_week = days
        .range(day_of(week.from)..day_of(week.to))
        .map(|(_, figures)| figures);
    let mut lines: BTreeMap<String, Vec<WorkflowLine>> = BTreeMap::new();
    for figures in workflows_of(of_week) {
        lines
            .entry(figures.team.clone())
            .or_default()
            .extend(WorkflowLine::of(&figures));
    }
    let mut teams: Vec<TeamSection> = comparison
        .teams
        .into_iter()
        .map(|(team, change)| {
            let lines = lines.remove(&team).unwrap_or_default();
            TeamSection {
                slowest: first(
                    &lines,
                    |line| line.attempts >= FEWEST_ATTEMPTS,
                    |line| (line.p90_seconds, 0),
                ),
                most_failing: first(
                    &lines,
                    |line| line.failed > 0,
                    |line| (line.failed, line.failed * 100 / line.attempts),
                ),
                team,
                change,
            }
        })
        .collect();
    teams.sort_by(|a, b| {
        let attempts = |section: &TeamSection| section.change.now.attempts;
        attempts(b).cmp(&attempts(a)).then_with(|| a.team.cmp(&b.team))
    });
    let omitted = teams.len().saturating_sub(MOST_TEAMS);
    teams.truncate(MOST_TEAMS);
    // What the last hour of a week changed is news for nobody a day later; it stands in the answer of the collection.
    let periods = [Period::Day, Period::Month]
        .into_iter()
        .map(|period| (period, compare(days, period.ending(week.to), first_day)))
        .filter(|(_, comparison)| comparison.has_before)
        .map(|(period, comparison)| (period, comparison.overall))
        .collect();
    RunsDigest {
        overall: comparison.overall,
        has_before: comparison.has_before,
        periods,
        teams,
        omitted,
    }
}

/// The few lines that come first by a measure, of those that count.
fn first(
    lines: &[WorkflowLine],
    counts: impl Fn(&WorkflowLine) -> bool,
    measure: impl Fn(&WorkflowLine) -> (u64, u64),
) -> Vec<WorkflowLine> {
    let mut lines: Vec<WorkflowLine> = lines.iter().filter(|line| counts(line)).cloned().collect();
    lines.sort_by(|a, b| {
        let name = |line: &WorkflowLine| (line.repository.clone(), line.workflow.clone());
        measure(b).cmp(&measure(a)).then_with(|| name(a).cmp(&name(b)))
    });
    lines.truncate(MOST_WORKFLOWS);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::start_of;
    use crate::run::RunAttempt;
    use crate::run::tests::attempt;
    use crate::run_history::tests::days;
    use jiff::SignedDuration;
    use jiff::civil::date;

    fn ended(run_id: u64, day: Date, workflow: &str, conclusion: &str, duration_seconds: u64) -> RunAttempt {
        RunAttempt {
            workflow: workflow.to_owned(),
            workflow_id: workflow.len() as u64,
            duration_seconds,
            ..attempt(run_id, 1, conclusion, start_of(day) + SignedDuration::from_hours(9))
        }
    }

    #[test]
    fn a_team_is_compared_with_its_week_before_and_its_worst_workflows_are_named() {
        let (before, now) = (date(2026, 11, 10), date(2026, 11, 18));
        let mut attempts = vec![ended(1, before, "CI", "success", 60)];
        for id in 10..14 {
            attempts.push(ended(id, now, "CI", "success", 60));
            attempts.push(ended(id + 10, now, "Nightly", "failure", 3_600));
            attempts.push(ended(id + 20, now, "Deploy", "success", 600));
        }
        attempts.push(ended(50, now, "Rare!", "failure", 90_000));
        let week = Window {
            from: start_of(date(2026, 11, 16)),
            to: start_of(date(2026, 11, 23)),
        };
        let digest = digest(&days(&attempts), week, Some(date(2026, 11, 9)));
        assert!(digest.has_before);
        assert_eq!((digest.overall.now.attempts, digest.overall.before.attempts), (13, 1));
        let team = &digest.teams[0];
        assert_eq!(team.team, "payments");
        let names = |lines: &[WorkflowLine]| lines.iter().map(|line| line.workflow.clone()).collect::<Vec<_>>();
        assert_eq!(
            names(&team.slowest),
            ["Nightly", "Deploy", "CI"],
            "what ran once is not slow, it is rare"
        );
        assert_eq!(names(&team.most_failing), ["Nightly", "Rare!"]);
        assert_eq!(team.slowest[0].p90_seconds, 3_600);
    }

    #[test]
    fn figures_are_told_with_their_change_only_where_there_is_one() {
        let totals = |attempts, failed, succeeded| Totals {
            attempts,
            failed,
            succeeded,
            reruns: 0,
            minutes: 1_200,
        };
        let change = Change {
            now: totals(1_100, 20, 980),
            before: totals(1_000, 50, 950),
        };
        let told = |has_before| -> Vec<String> {
            let figures = figures(&change, has_before).into_iter();
            figures
                .map(|figure| format!("{} {} {}", figure.label, figure.value, figure.change))
                .collect()
        };
        assert_eq!(
            told(true)[..2],
            ["Run attempts 1,100 +10 %", "Succeeded 98 % +3 points"]
        );
        assert_eq!(told(false)[0], "Run attempts 1,100 ");
    }

    #[test]
    fn a_first_week_has_nothing_to_compare_with() {
        let week = Window {
            from: start_of(date(2026, 11, 16)),
            to: start_of(date(2026, 11, 23)),
        };
        let digest = digest(&BTreeMap::new(), week, Some(date(2026, 11, 16)));
        assert!(!digest.has_before);
        assert_eq!(digest.teams, []);
        assert_eq!(
            digest.periods.iter().map(|(period, _)| *period).collect::<Vec<_>>(),
            [Period::Day]
        );
    }
}
