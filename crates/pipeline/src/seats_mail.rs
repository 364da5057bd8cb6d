//! The mail about seats: figures, comparison and bars as HTML and text, with the report attached.

use askama::Template;
use bytes::Bytes;
use jiff::civil::Date;
use uptake_domain::calendar::day_of;
use uptake_domain::seats_digest::{Bars, SeatsDigest};
use uptake_domain::wording::thousands;

use crate::composed_mail::{Attachment, ComposedMail};
use crate::outcome::PipelineError;
use crate::report_record::{Completeness, ReportRecord};

#[derive(Template)]
#[template(path = "seats_mail.html")]
struct Html<'a> {
    content: &'a Content<'a>,
}

#[derive(Template)]
#[template(path = "seats_mail.txt")]
struct Text<'a> {
    content: &'a Content<'a>,
}

/// What both bodies say.
struct Content<'a> {
    subject: &'a str,
    day: Date,
    digest: &'a SeatsDigest,
    tables: [(&'static str, &'a Bars); 2],
    missing: &'a [String],
    is_complete: bool,
    listed: u64,
    rows: u64,
    quarantined: u64,
    collected_at: String,
    /// The upstream tells only the present, so a report collected on another day says so.
    collected_late: bool,
    attachment: Option<&'a str>,
    location: &'a str,
}

/// Writes the mail about a report. `location` is where the report lies, for the case that it is too large to attach.
pub fn compose(
    record: &ReportRecord,
    digest: &SeatsDigest,
    csv: Bytes,
    location: &str,
) -> Result<ComposedMail, PipelineError> {
    let attachment = Attachment::csv(&record.csv_key, csv).map_err(|error| PipelineError::Render(error.to_string()))?;
    let is_complete = record.completeness == Completeness::Complete;
    let overall = record.summary.overall;
    let warning = if is_complete { "" } else { "INCOMPLETE: " };
    let subject = if is_complete || record.rows > 0 {
        let (active, seats) = (thousands(overall.active_28_days), thousands(overall.seats));
        format!(
            "{warning}Copilot seats {}: {active} of {seats} active in 28 days",
            record.day
        )
    } else {
        format!("{warning}Copilot seats {}: nothing could be read", record.day)
    };
    let content = Content {
        subject: &subject,
        day: record.day,
        digest,
        tables: [("Teams", &digest.teams), ("Editors", &digest.editors)],
        missing: &record.missing,
        is_complete,
        listed: record.listed,
        rows: record.rows,
        quarantined: record.quarantined,
        collected_at: record.collected_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        collected_late: day_of(record.collected_at) > record.day,
        attachment: attachment.as_ref().map(|attachment| attachment.name.as_str()),
        location,
    };
    let render = |result: askama::Result<String>| result.map_err(|error| PipelineError::Render(error.to_string()));
    Ok(ComposedMail {
        html: render(Html { content: &content }.render())?,
        text: render(Text { content: &content }.render())?,
        name: format!("copilot-seats/{}/{}", record.day, record.completeness.as_str()),
        subject,
        attachment,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composed_mail::MOST_MESSAGE_BYTES;
    use jiff::civil::date;
    use std::collections::BTreeMap;
    use uptake_domain::seat_figures::{SeatFigures, SeatSummary};
    use uptake_domain::seats_csv;
    use uptake_domain::seats_digest::digest;

    fn record(completeness: Completeness) -> ReportRecord {
        let figures = SeatFigures {
            seats: 1_250,
            active_7_days: 700,
            active_28_days: 812,
            idle: 238,
            never_used: 200,
            pending_cancellation: 3,
        };
        ReportRecord {
            day: date(2026, 11, 20),
            completeness,
            missing: match completeness {
                Completeness::Complete => vec![],
                Completeness::Incomplete => vec!["enterprise octo: the rate <limit> is reached".into()],
            },
            csv_key: format!("reports/{}", seats_csv::file_name(date(2026, 11, 20))),
            listed: 1_300,
            rows: 1_250,
            quarantined: 2,
            collected_at: "2026-11-20T06:00:00Z".parse().unwrap(),
            invocation_id: "i".into(),
            summary: SeatSummary {
                overall: figures,
                teams: BTreeMap::from([("a<b".to_owned(), figures)]),
                editors: BTreeMap::from([("vscode".to_owned(), figures)]),
            },
        }
    }

    fn compose(completeness: Completeness, csv: Vec<u8>) -> (ComposedMail, String) {
        let record = record(completeness);
        let mail = super::compose(&record, &digest(&record.summary, None), csv.into(), "s3://b/r.csv").unwrap();
        let message = mail
            .message(
                &"uptake@octo.example".parse().unwrap(),
                &"owner@octo.example".parse().unwrap(),
                "2026-11-20T07:00:00Z".parse().unwrap(),
            )
            .unwrap();
        (mail, String::from_utf8(message).unwrap())
    }

    /// Bytes that no compression shrinks.
    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(bytes.div_ceil(8))
        .flatten()
        .collect()
    }

    #[test]
    fn a_mail_tells_the_figures_and_carries_the_report() {
        let (mail, message) = compose(Completeness::Complete, b"Username\nocto\n".to_vec());
        assert!(
            message.contains("Subject: Copilot seats 2026-11-20: 812 of 1,250 active in 28 days"),
            "{message}"
        );
        assert!(
            message.contains(r#"filename="copilot_billing_seats_2026_11_20.csv""#),
            "{message}"
        );
        assert!(mail.html.contains("a&#60;b"), "names are escaped: {}", mail.html);
        assert!(mail.text.contains("the first report"));
        assert!(mail.html.contains("1,300 seats") && mail.text.contains("1,300 seats"));
        assert!(mail.html.contains("2 could not be understood"), "{}", mail.html);
        assert!(
            !mail.html.to_lowercase().contains("<script") && !mail.html.contains("http"),
            "nothing to load or run"
        );
    }

    #[test]
    fn an_incomplete_report_says_so_first_everywhere() {
        let (mail, message) = compose(Completeness::Incomplete, b"Username\n".to_vec());
        assert!(message.contains("Subject: INCOMPLETE: "));
        assert!(
            mail.html.contains("This report is incomplete")
                && mail.html.contains("the rate &#60;limit&#62; is reached")
        );
        assert!(mail.text.contains("THIS REPORT IS INCOMPLETE") && mail.text.contains("the rate <limit> is reached"));
    }

    #[test]
    fn a_large_report_is_zipped_and_a_huge_one_is_pointed_to() {
        let rows = "octocat,octocat@octo.example,N/A\n".repeat(100_000).into_bytes();
        let (_, message) = compose(Completeness::Complete, rows);
        assert!(message.contains(r#"filename="copilot_billing_seats_2026_11_20.zip""#));
        assert!(message.len() < 200_000, "{}", message.len());

        for (size, attached) in [(7_000_000, true), (7_300_000, false)] {
            let (mail, message) = compose(Completeness::Complete, noise(size));
            assert_eq!(message.contains("application/zip"), attached, "{size}");
            assert_eq!(mail.html.contains("s3://b/r.csv"), !attached, "{size}");
            assert!(message.len() <= MOST_MESSAGE_BYTES, "{} for {size}", message.len());
        }
    }
}
