//! The weekly digest: a week of workflow runs, team by team, as HTML and text.

use askama::Template;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uptake_domain::calendar::{Window, day_of, to_seconds};
use uptake_domain::run_history::Period;
use uptake_domain::runs_digest::{Figure, RunsDigest, TeamSection, WorkflowLine, digest, figures};
use uptake_domain::wording::{duration, thousands};

use crate::composed_mail::ComposedMail;
use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::report_record::Completeness;
use crate::watermark;
use crate::workflow_metrics::{self, ledger, repository_state};

/// The name of the report, as `config/emails.json` has it.
pub const REPORT: &str = "weekly-digest";
/// Repositories named as missing.
const MOST_NAMED: usize = 5;
/// Days of history that the longest comparison needs.
const DAYS_COMPARED: i32 = 2 * 28;

/// A week of which there is something to tell.
pub struct WeekOfRuns {
    week: Window,
    /// Up to where runs are recorded and published.
    recorded_to: Timestamp,
    /// Repositories of which some of the week is not recorded.
    missing: Vec<String>,
    /// When looking began.
    since: Timestamp,
    /// The first day with figures from beginning to end.
    first_whole_day: Date,
}

impl WeekOfRuns {
    /// Finds out whether there is something to tell about the week: not before `workflow-metrics` has run in it.
    pub async fn read(files: &dyn Files, week: Window) -> Result<Option<Self>, PipelineError> {
        let recorded_to = watermark::read(files, workflow_metrics::FUNCTION).await?;
        let Some((recorded_to, coverage)) = recorded_to.zip(repository_state::coverage(files).await?) else {
            return Ok(None);
        };
        let (since, first_whole_day) = (coverage.since, coverage.first_whole_day());
        let is_there = recorded_to > week.from && first_whole_day < day_of(week.to);
        // Figures do not wait for ever for a repository that cannot be read; the digest says that it is missing.
        let missing = coverage
            .repositories
            .into_iter()
            .filter(|(_, recorded_to)| *recorded_to < week.to);
        Ok(is_there.then(|| Self {
            week,
            recorded_to,
            missing: missing.map(|(name, _)| name).collect(),
            since,
            first_whole_day,
        }))
    }

    /// The last day of the week.
    pub fn last_day(&self) -> Date {
        day_of(self.week.to).saturating_sub(1.day())
    }

    /// Whether all of the week is recorded.
    pub fn completeness(&self) -> Completeness {
        if self.recorded_to >= self.week.to && self.missing.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Incomplete
        }
    }

    fn what_is_missing(&self) -> String {
        if self.recorded_to < self.week.to {
            return format!("Runs are recorded up to {} only", to_seconds(self.recorded_to));
        }
        let named = self.missing.iter().take(MOST_NAMED).map(String::as_str);
        let named = named.collect::<Vec<_>>().join(", ");
        match self.missing.len().saturating_sub(MOST_NAMED) {
            0 => format!("Not all runs of {named} could be read"),
            more => format!("Not all runs of {named} and {more} more repositories could be read"),
        }
    }

    /// Writes the mail.
    pub async fn compose(&self, files: &dyn Files) -> Result<ComposedMail, PipelineError> {
        let first = self.last_day().saturating_sub((DAYS_COMPARED - 1).days());
        let days = ledger::history(files, first, self.last_day()).await?;
        // A part compared with a whole would show changes that are none.
        let compared_from = match self.completeness() {
            Completeness::Complete => Some(self.first_whole_day),
            Completeness::Incomplete => None,
        };
        render(self, &digest(&days, self.week, compared_from))
    }
}

#[derive(Template)]
#[template(path = "runs_mail.html")]
struct Html<'a> {
    content: &'a Content<'a>,
}

#[derive(Template)]
#[template(path = "runs_mail.txt")]
struct Text<'a> {
    content: &'a Content<'a>,
}

/// What both bodies say.
struct Content<'a> {
    subject: &'a str,
    first: Date,
    last: Date,
    tiles: Vec<Figure>,
    periods: Vec<(&'static str, Vec<Figure>)>,
    teams: Vec<Team<'a>>,
    omitted: usize,
    has_before: bool,
    /// Why the week is incomplete, if it is.
    incomplete: Option<String>,
    /// When looking began, where that was within the week.
    began_on: Option<Date>,
}

struct Team<'a> {
    name: &'a str,
    figures: Vec<Figure>,
    slowest: &'a [WorkflowLine],
    most_failing: &'a [WorkflowLine],
}

impl<'a> Team<'a> {
    fn of(section: &'a TeamSection, has_before: bool) -> Self {
        Self {
            name: &section.team,
            figures: figures(&section.change, has_before),
            slowest: &section.slowest,
            most_failing: &section.most_failing,
        }
    }
}

fn render(week: &WeekOfRuns, digest: &RunsDigest) -> Result<ComposedMail, PipelineError> {
    let (first, last) = (day_of(week.week.from), week.last_day());
    let is_complete = week.completeness() == Completeness::Complete;
    let warning = if is_complete { "" } else { "INCOMPLETE: " };
    let attempts = thousands(digest.overall.now.attempts);
    let succeeded = digest.overall.now.success_percent();
    let succeeded = succeeded.map_or_else(String::new, |percent| format!(", {percent} % succeeded"));
    let subject = format!("{warning}Workflow runs {first} to {last}: {attempts} attempts{succeeded}");
    let content = Content {
        subject: &subject,
        first,
        last,
        tiles: figures(&digest.overall, digest.has_before),
        periods: digest
            .periods
            .iter()
            .map(|(period, change)| (name(*period), figures(change, true)))
            .collect(),
        teams: digest
            .teams
            .iter()
            .map(|section| Team::of(section, digest.has_before))
            .collect(),
        omitted: digest.omitted,
        has_before: digest.has_before,
        incomplete: (!is_complete).then(|| week.what_is_missing()),
        began_on: (week.since > week.week.from).then(|| day_of(week.since)),
    };
    let rendered = |result: askama::Result<String>| result.map_err(|error| PipelineError::Render(error.to_string()));
    Ok(ComposedMail {
        html: rendered(Html { content: &content }.render())?,
        text: rendered(Text { content: &content }.render())?,
        name: format!("{REPORT}/{last}/{}", week.completeness().as_str()),
        subject,
        attachment: None,
    })
}

fn name(period: Period) -> &'static str {
    match period {
        Period::Hour => "The last hour, against the hour before",
        Period::Day => "Last day of the week, against the day before",
        Period::Week => "The week, against the week before",
        Period::Month => "Last 28 days, against the 28 days before",
    }
}
