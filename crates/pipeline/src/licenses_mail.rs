//! The licence digest: a week's last scores against last week and last month, with the list of underutilised licences.

use askama::Template;
use jiff::ToSpan;
use jiff::civil::Date;
use uptake_domain::calendar::{Window, day_of};
use uptake_domain::licenses_digest::{LicensesDigest, digest};
use uptake_domain::wording::thousands;

use crate::composed_mail::{Attachment, ComposedMail};
use crate::outcome::PipelineError;
use crate::ports::Files;
use crate::report_record::Completeness;
use crate::scoring::scored_day::{self, ScoredDay};

/// The name of the report, as `config/emails.json` has it.
pub const REPORT: &str = "license-digest";
/// A comparison reaches this many days further back where its own day has no scores.
const NEAR_ENOUGH_DAYS: i32 = 3;

/// A week with scores.
pub struct WeekOfLicenses {
    week: Window,
    /// The last scored day of the week.
    scored: ScoredDay,
}

impl WeekOfLicenses {
    /// The week, if any day of it is scored.
    pub async fn read(files: &dyn Files, week: Window) -> Result<Option<Self>, PipelineError> {
        let last = day_of(week.to).saturating_sub(1.day());
        let scored = scored_day::newest_between(files, day_of(week.from), last).await?;
        Ok(scored.map(|scored| Self { week, scored }))
    }

    /// The last day of the week.
    pub fn last_day(&self) -> Date {
        day_of(self.week.to).saturating_sub(1.day())
    }

    /// Whether the week's last day is scored.
    pub fn completeness(&self) -> Completeness {
        if self.scored.day == self.last_day() {
            Completeness::Complete
        } else {
            Completeness::Incomplete
        }
    }

    /// Writes the mail.
    pub async fn compose(&self, files: &dyn Files) -> Result<ComposedMail, PipelineError> {
        let scored = &self.scored;
        let csv = files.read(&scored.csv_key).await?.ok_or_else(|| {
            PipelineError::state(
                &scored.csv_key,
                "the record of the scored day names it, and it is not there",
            )
        })?;
        let week = self.before(files, 7).await?;
        let month = self.before(files, 28).await?;
        let week = week.as_ref().map(|before| (before.day, &before.summary));
        let month = month.as_ref().map(|before| (before.day, &before.summary));
        let digest = digest(&scored.summary, week, month, scored.license_price);
        render(self, &digest, csv.bytes, &files.location(&scored.csv_key))
    }

    async fn before(&self, files: &dyn Files, days: i32) -> Result<Option<ScoredDay>, PipelineError> {
        let day = self.scored.day.saturating_sub(days.days());
        scored_day::newest_between(files, day.saturating_sub(NEAR_ENOUGH_DAYS.days()), day).await
    }
}

#[derive(Template)]
#[template(path = "licenses_mail.html")]
struct Html<'a> {
    content: &'a Content<'a>,
}

#[derive(Template)]
#[template(path = "licenses_mail.txt")]
struct Text<'a> {
    content: &'a Content<'a>,
}

/// What both bodies say.
struct Content<'a> {
    subject: &'a str,
    day: Date,
    as_of_on: Date,
    digest: &'a LicensesDigest,
    /// What the figures are held against.
    compared: String,
    /// Why the week is incomplete, if it is.
    incomplete: Option<String>,
    threshold: i64,
    new_license_days: i64,
    attachment: Option<&'a str>,
    location: &'a str,
}

fn render(
    week: &WeekOfLicenses,
    digest: &LicensesDigest,
    csv: bytes::Bytes,
    location: &str,
) -> Result<ComposedMail, PipelineError> {
    let scored = &week.scored;
    let attachment = Attachment::csv(&scored.csv_key, csv).map_err(|error| PipelineError::Render(error.to_string()))?;
    let is_complete = week.completeness() == Completeness::Complete;
    let warning = if is_complete { "" } else { "INCOMPLETE: " };
    let figures = &scored.summary.overall;
    let subject = format!(
        "{warning}Copilot licences {}: {} of {} underutilised",
        scored.day,
        thousands(figures.underutilized),
        thousands(figures.licenses)
    );
    let content = Content {
        subject: &subject,
        day: scored.day,
        as_of_on: scored.as_of_on,
        digest,
        compared: compared(digest),
        incomplete: (!is_complete).then(|| {
            format!(
                "The last day with scores is {}: there was no fresh usage report for {}. Once there is, you get the complete digest as well.",
                scored.day,
                week.last_day()
            )
        }),
        threshold: scored.rules.threshold,
        new_license_days: scored.rules.new_license_days,
        attachment: attachment.as_ref().map(|attachment| attachment.name.as_str()),
        location,
    };
    let rendered = |result: askama::Result<String>| result.map_err(|error| PipelineError::Render(error.to_string()));
    Ok(ComposedMail {
        html: rendered(Html { content: &content }.render())?,
        text: rendered(Text { content: &content }.render())?,
        name: format!("{REPORT}/{}/{}", week.last_day(), week.completeness().as_str()),
        subject,
        attachment,
    })
}

fn compared(digest: &LicensesDigest) -> String {
    match (digest.week_before, digest.month_before) {
        (Some(week), Some(month)) => format!("Changes are against {week} and {month}."),
        (Some(week), None) => format!("Changes are against {week}; there are no scores of four weeks ago yet."),
        (None, Some(month)) => format!("Changes are against {month}; there are no scores of a week ago."),
        (None, None) => "There are no scores of a week or of four weeks ago to compare with yet.".to_owned(),
    }
}
