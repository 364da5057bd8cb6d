//! The weekly digest: what the mail says against the simulator's own account, when it is sent, and to whom.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};
use uptake_domain::calendar::{HOUR, Window, day_of};
use uptake_pipeline::outcome::{Outcome, Status};
use uptake_pipeline::ports::Files;
use uptake_pipeline::trigger::Trigger;
use uptake_simulator::RunAttemptTruth;

use crate::actions::{Actions, at, team};

const OWNER: &str = "delivery-lead@octo.example";

/// Collects day by day up to an instant.
async fn collect(actions: &Actions, from: &str, to: &str) {
    let mut now = at(from);
    while now <= at(to) {
        actions.deliver(&Trigger::at(now), now, &actions.folder).await.unwrap();
        now += HOUR * 24;
    }
}

async fn started() -> Actions {
    let actions = Actions::small(150, 7, "").await;
    let list = serde_json::json!({"emails": ["seats@octo.example"], "reports": {"weekly-digest": [OWNER]}});
    actions.write("config/emails.json", &list.to_string()).await;
    actions
}

async fn digests(actions: &Actions) -> Vec<String> {
    let keys = actions.folder.list("mail/").await.unwrap();
    keys.into_iter().filter(|key| key.contains("/weekly-digest-")).collect()
}

/// The mail as text lines, without the encoding of its transport.
async fn html(actions: &Actions, key: &str) -> String {
    actions.text(key).await.unwrap()
}

fn ended_in(truth: &[RunAttemptTruth], window: Window) -> impl Iterator<Item = &RunAttemptTruth> {
    truth.iter().filter(move |attempt| window.contains(attempt.ended_at))
}

fn week_to(end: Timestamp) -> Window {
    Window {
        from: end - HOUR * (7 * 24),
        to: end,
    }
}

#[tokio::test]
async fn the_digest_tells_the_week_of_each_team_once_to_whom_it_is_for() {
    let actions = started().await;
    collect(&actions, "2026-11-02T00:00:00Z", "2026-11-17T00:00:00Z").await;
    let monday = at("2026-11-16T07:00:00Z");
    let outcome = actions.mail(monday).await;
    assert_eq!(
        (outcome.status, outcome.counts.published),
        (Status::Complete, 1),
        "{outcome:?}"
    );
    let keys = digests(&actions).await;
    assert_eq!(
        keys,
        [
            "mail/2026-11-15/weekly-digest-1.eml",
            "mail/2026-11-15/weekly-digest-1.html"
        ]
    );
    let message = actions.text(&keys[0]).await.unwrap();
    assert!(message.contains(&format!("To: <{OWNER}>")), "{message}");

    let week = week_to(at("2026-11-16T00:00:00Z"));
    let before = week_to(week.from);
    let truth = actions.truth(at("2026-11-01T00:00:00Z"), week.to);
    let html = html(&actions, &keys[1]).await;
    let all = ended_in(&truth, week).count();
    assert!(
        message.contains(&format!(
            "Subject: Workflow runs 2026-11-09 to 2026-11-15: {all} attempts"
        )),
        "{message}"
    );
    for name in ["payments", "ledger", "unassigned"] {
        let section = html.split(&format!(">{name}</div>")).nth(1).unwrap();
        let section = section.split("border-top").next().unwrap();
        let count = |window| {
            ended_in(&truth, window)
                .filter(|attempt| team(&attempt.repository) == name)
                .count()
        };
        let (now, then) = (count(week), count(before));
        let change = match (now.abs_diff(then) * 100 + then / 2) / then {
            _ if now == then => "no change".to_owned(),
            0 => "less than 1 %".to_owned(),
            percent => format!("{percent} %"),
        };
        assert!(section.contains(&format!("<b>{now}</b>")), "{name} {now}: {section}");
        assert!(section.contains(&change), "{name} {now} after {then}: {section}");

        let mut failed: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        for attempt in ended_in(&truth, week).filter(|attempt| team(&attempt.repository) == name) {
            let counts = failed
                .entry((attempt.repository.clone(), attempt.workflow.clone()))
                .or_default();
            counts.0 += u64::from(["failure", "timed_out", "startup_failure"].contains(&attempt.conclusion.as_str()));
            counts.1 += 1;
        }
        let most = failed.values().map(|(failed, _)| *failed).max().unwrap();
        assert!(most > 0, "{name} has failures");
        let worst = section
            .split("Most failing")
            .nth(1)
            .unwrap()
            .split("<tr>")
            .nth(1)
            .unwrap();
        let is_worst = |((repository, workflow), (count, attempts)): (&(String, String), &(u64, u64))| {
            *count == most
                && worst.contains(&format!("{repository} · {workflow}"))
                && worst.contains(&format!(
                    "<b>{most}</b> <span style=\"color:#52606d\">of {attempts} failed"
                ))
        };
        assert!(failed.iter().any(is_worst), "{name}: {most} in {worst}");
    }

    for later in [monday + HOUR, monday + HOUR * 48] {
        let outcome = actions.mail(later).await;
        assert_eq!(outcome.counts.published, 0, "{outcome:?}");
    }
    assert_eq!(digests(&actions).await.len(), 2, "nobody gets it twice");
}

#[tokio::test]
async fn an_incomplete_week_waits_for_the_evening_and_says_so_first() {
    let actions = started().await;
    collect(&actions, "2026-11-07T00:00:00Z", "2026-11-14T00:00:00Z").await;
    let monday = at("2026-11-16T00:00:00Z");
    let outcome = actions.mail(monday + HOUR * 7).await;
    assert_eq!(outcome.counts.published, 0);
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.contains("the week to 2026-11-15 is not complete yet")),
        "{outcome:?}"
    );

    let outcome = actions.mail(monday + HOUR * 20).await;
    assert_eq!(outcome.counts.published, 1, "{outcome:?}");
    let page = html(&actions, "mail/2026-11-15/weekly-digest-1.html").await;
    assert!(
        page.contains("This week is incomplete.") && page.contains("2026-11-14T00:00:00Z"),
        "{page}"
    );
    assert!(
        !page.contains("against the week before"),
        "a part compared with a whole would show changes that are none"
    );
    let message = actions.text("mail/2026-11-15/weekly-digest-1.eml").await.unwrap();
    assert!(message.contains("INCOMPLETE:_Workflow_runs"), "{message}");

    collect(&actions, "2026-11-16T21:00:00Z", "2026-11-16T21:00:00Z").await;
    let outcome = actions.mail(monday + HOUR * 22).await;
    assert_eq!(
        outcome.counts.published, 1,
        "completed, it is mailed as well: {outcome:?}"
    );
    let page = html(&actions, "mail/2026-11-15/weekly-digest-2.html").await;
    assert!(!page.contains("incomplete"));
}

#[tokio::test]
async fn a_week_without_a_repository_that_could_not_be_read_is_incomplete_and_names_it() {
    let actions = Actions::small(60, 7, "forbidden_repositories = ['octo-org/ledger-ui']").await;
    actions
        .write("config/emails.json", &format!(r#"{{"emails": ["{OWNER}"]}}"#))
        .await;
    let first = actions.offer("2026-11-07T00:00:00Z").await;
    assert_eq!(first.status, Status::Incomplete);
    collect(&actions, "2026-11-08T00:00:00Z", "2026-11-16T00:00:00Z").await;
    let monday = at("2026-11-16T00:00:00Z");
    assert_eq!(actions.mail(monday + HOUR * 7).await.counts.published, 0);
    assert_eq!(actions.mail(monday + HOUR * 20).await.counts.published, 1);
    let page = html(&actions, "mail/2026-11-15/weekly-digest-1.html").await;
    assert!(
        page.contains("Not all runs of octo-org/ledger-ui could be read"),
        "{page}"
    );
}

#[tokio::test]
async fn there_is_no_digest_of_a_week_in_which_nobody_looked() {
    let actions = started().await;
    let outcome: Outcome = actions.mail(at("2026-11-16T07:00:00Z")).await;
    assert_eq!(outcome.status, Status::NothingToDo, "{outcome:?}");
    collect(&actions, "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z").await;
    let outcome = actions.mail(at("2026-11-19T07:00:00Z")).await;
    assert_eq!(outcome.counts.published, 0, "the week is not over: {outcome:?}");
    assert!(digests(&actions).await.is_empty());
}

#[tokio::test]
async fn a_person_gets_the_digest_of_the_week_that_ends_with_the_day_they_name() {
    let mut actions = started().await;
    actions.set("UPTAKE_WEEK_STARTS_ON", "thursday");
    collect(&actions, "2026-11-02T00:00:00Z", "2026-11-17T00:00:00Z").await;
    let wednesday = day_of(at("2026-11-11T00:00:00Z"));
    let asked = |day| Trigger {
        replace: true,
        ..Trigger::at(uptake_domain::calendar::start_of(day) + HOUR * 24 - SignedDuration::from_secs(1))
    };
    let outcome = actions.mail_as(&asked(wednesday.saturating_sub(1.day()))).await;
    assert_eq!(outcome.counts.published, 0, "{outcome:?}");
    let outcome = actions.mail_as(&asked(wednesday)).await;
    assert_eq!(outcome.counts.published, 1, "{outcome:?}");
    let page = html(&actions, "mail/2026-11-11/weekly-digest-1.html").await;
    assert!(page.contains("2026-11-05 to 2026-11-11"), "{page}");
}
