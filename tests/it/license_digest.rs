//! The licence digest: figures, trends and the list of underutilised licences, to whom it is for, once.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use uptake_domain::calendar::start_of;
use uptake_domain::tables::GOLD_USAGE_SCORES;
use uptake_pipeline::mailer;
use uptake_pipeline::outcome::{Outcome, PipelineError, Status};
use uptake_pipeline::ports::Files;
use uptake_pipeline::trigger::Trigger;

use crate::enterprise::Standing;
use crate::tenant::{FIRST_DAY, ScoredLicense, Tenant, invocation};

const OWNER: &str = "licence-owner@tenant.example";

impl Tenant {
    /// The mailer as the scheduler would start it on the morning of a day.
    async fn mail(&self, day: Date) -> Outcome {
        let trigger = Trigger::at(start_of(day) + SignedDuration::from_hours(7));
        self.deliver(&trigger).await.unwrap()
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    async fn deliver(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let config = self.config(|environment| environment.mailer());
        let clock = Standing(trigger.scheduled_time);
        mailer::deliver(&config, self.ports(&clock), &self.folder, trigger, &invocation()).await
    }

    async fn text(&self, key: &str) -> String {
        let file = self.folder.read(key).await.unwrap().unwrap();
        String::from_utf8(file.bytes.to_vec()).unwrap()
    }
}

async fn started() -> Tenant {
    let tenant = Tenant::calm(120).await;
    let list = serde_json::json!({"emails": ["platform@tenant.example"], "reports": {"license-digest": [OWNER]}});
    tenant
        .folder
        .write("config/emails.json", list.to_string().into())
        .await
        .unwrap();
    tenant
}

async fn run_days(tenant: &Tenant, count: usize) {
    for day in tenant.days(count) {
        tenant.offer_usage(day).await.unwrap();
        tenant.offer_scoring(day).await.unwrap();
    }
}

fn day(number: i32) -> Date {
    FIRST_DAY.saturating_add((number - 1).days())
}

#[tokio::test]
async fn the_digest_tells_figures_trends_and_who_to_look_at_once() {
    let tenant = started().await;
    // Two weeks that end with a Sunday: 6 and 13 September 2026.
    run_days(&tenant, 13).await;
    let outcome = tenant.mail(day(14)).await;
    assert_eq!(
        (outcome.status, outcome.counts.published),
        (Status::Complete, 1),
        "{outcome:?}"
    );
    let last = day(13);
    let rows: Vec<ScoredLicense> = tenant.read(&GOLD_USAGE_SCORES).await;
    let of_day: Vec<&ScoredLicense> = rows.iter().filter(|row| row.score_on == last).collect();
    let idle: BTreeSet<&str> = of_day
        .iter()
        .filter(|row| row.underutilized)
        .map(|row| row.upn.as_str())
        .collect();
    let message = tenant.text(&format!("mail/{last}/license-digest-1.eml")).await;
    assert!(message.contains(&format!("To: <{OWNER}>")), "{message}");
    let subject = format!(
        "Subject: Copilot licences {last}: {} of {} underutilised",
        idle.len(),
        of_day.len()
    );
    assert!(message.contains(&subject), "{subject} not in {message}");
    assert!(
        message.contains(r#"filename="underutilized_licenses_2026_09_13.csv""#),
        "{message}"
    );

    let csv = tenant.text("reports/underutilized_licenses_2026_09_13.csv").await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let listed: BTreeSet<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    assert_eq!(
        listed.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        idle,
        "every one of them, and nobody else"
    );

    let html = tenant.text(&format!("mail/{last}/license-digest-1.html")).await;
    let week_before = rows.iter().filter(|row| row.score_on == day(6)).count();
    assert!(week_before > 0);
    assert!(html.contains(&format!("Changes are against {}", day(6))), "{html}");
    assert!(html.contains("no scores of four weeks ago"), "{html}");
    assert!(
        !html.contains("<script") && !html.contains("http"),
        "nothing to load or run"
    );

    let again = tenant.mail(day(14)).await;
    assert_eq!(again.counts.published, 0, "once");
}

#[tokio::test]
async fn a_week_whose_last_day_has_no_scores_waits_and_is_then_told_as_incomplete() {
    let tenant = started().await;
    run_days(&tenant, 5).await;
    let morning = tenant.mail(day(7)).await;
    assert_eq!(morning.counts.published, 0, "{morning:?}");
    assert!(
        morning.notes.iter().any(|note| note.contains("license-digest waits")),
        "{morning:?}"
    );
    let evening = Trigger::at(start_of(day(7)) + SignedDuration::from_hours(21));
    let outcome = tenant.deliver(&evening).await.unwrap();
    assert_eq!(outcome.counts.published, 1, "{outcome:?}");
    let message = tenant.text(&format!("mail/{}/license-digest-1.eml", day(6))).await;
    assert!(
        message.contains("Subject: INCOMPLETE: Copilot licences 2026-09-05"),
        "{message}"
    );
}
