//! `workflow-metrics` when things go wrong: silence, limits, deadlines, refusals, bad input, and what it says about them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;
use uptake_domain::calendar::{HOUR, Window, start_of_hour};
use uptake_pipeline::outcome::{Outcome, PipelineError, Status};
use uptake_pipeline::ports::Files;
use uptake_pipeline::quarantine;
use uptake_pipeline::trigger::Trigger;
use uptake_simulator::{Scenario, Settings};
use uptake_upstream::clock::Deadline;

use crate::actions::{Actions, Picky, assert_exact, at, team};

const BUSY: &str = include_str!("../../crates/simulator/scenarios/busy-repository.toml");

async fn collect(actions: &Actions, scheduled: &str) -> Result<Outcome, PipelineError> {
    let at = at(scheduled);
    actions.deliver(&Trigger::at(at), at, &actions.folder).await
}

#[tokio::test]
async fn three_weeks_of_silence_are_made_up_for_and_what_is_too_old_is_reported() {
    let actions = Actions::small(60, 3, "").await;
    let (start, back) = (at("2026-10-26T00:00:00Z"), at("2026-11-16T00:00:00Z"));
    actions.offer("2026-10-26T00:00:00Z").await;
    let outcome = actions.offer("2026-11-16T00:00:00Z").await;
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    let taken_from = back - HOUR * (14 * 24 - 1);
    let too_old = actions.truth(start, taken_from).len();
    let sentence = format!("{too_old} run attempts ended more than 14 days ago");
    assert!(
        too_old > 100 && outcome.notes.iter().any(|note| note.starts_with(&sentence)),
        "{too_old}: {outcome:?}"
    );
    let metrics = actions.pipeline_figures(back).await;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let expected = too_old as f64;
    assert_eq!(metrics.get("AttemptsTooOld"), Some(&expected));
    let events = actions.events().await;
    let in_silence = events
        .iter()
        .filter(|(_, event)| at(event["timestamp"].as_str().unwrap()) >= start);
    let expected = actions.truth(taken_from, back).len();
    assert_eq!(in_silence.count(), expected, "the rest is published");

    let again = actions.offer("2026-11-16T01:00:00Z").await;
    assert!(
        !again.notes.iter().any(|note| note.contains("too old")),
        "reported once: {again:?}"
    );
}

#[tokio::test]
async fn more_runs_than_a_list_shows_are_read_in_slices() {
    let busy: String = BUSY.split("[[burst]]").take(2).collect::<Vec<_>>().join("[[burst]]");
    assert!(
        busy.contains("runs = 1200") && busy.contains("capped_total_count = true"),
        "{busy}"
    );
    let actions = Actions::small(20, 5, &without_limits(&busy)).await;
    actions.offer("2026-11-20T10:00:00Z").await;
    let outcome = actions.offer("2026-11-20T11:00:00Z").await;
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(outcome.counts.stored > 1_000, "{outcome:?}");
    actions.offer("2026-11-20T12:00:00Z").await;
    let hour = at("2026-11-20T10:00:00Z");
    let told = actions.series().await;
    let expected = actions.truth(hour, hour + HOUR).len();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let expected = expected as f64;
    assert_eq!(told[&("RunAttempts".to_owned(), hour)].as_f64(), Some(expected));
    let unprocessable = actions.simulator.requests().by_status.get(&422).copied();
    assert_eq!(unprocessable, None, "nothing beyond the list is asked for");
}

#[tokio::test]
async fn a_second_with_more_runs_than_a_list_shows_stops_its_repository_and_no_other() {
    let second = without_limits(BUSY)
        .split("[[burst]]")
        .last()
        .map(|burst| format!("[[burst]]{burst}"));
    let actions = Actions::small(60, 5, &second.unwrap()).await;
    actions.offer("2026-11-20T14:00:00Z").await;
    let outcome = actions.offer("2026-11-20T15:00:00Z").await;
    assert_eq!(outcome.status, Status::Incomplete);
    let reason = outcome.stopped_early.unwrap();
    assert!(
        reason.contains("octo-org/ledger-core") && reason.contains("2026-11-20T14:30:00Z"),
        "{reason}"
    );
    let told = actions.series().await;
    let hour = at("2026-11-20T14:00:00Z");
    let truth = actions.truth(hour, hour + HOUR);
    for name in ["payments", "unassigned"] {
        let of_team = truth.iter().filter(|attempt| team(&attempt.repository) == name).count();
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let expected = Some(of_team as f64);
        let series = format!("RunAttempts Team={name}");
        assert_eq!(told[&(series, hour)].as_f64(), expected, "{name}");
    }

    let later = actions.offer("2026-11-20T16:00:00Z").await;
    assert_eq!(
        later.status,
        Status::Incomplete,
        "it is not read past that second: {later:?}"
    );
}

/// A scenario's own keys only: limits and names are the tests'.
fn without_limits(scenario: &str) -> String {
    scenario
        .lines()
        .filter(|line| !line.starts_with("name") && !line.starts_with("description"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn a_forbidden_and_a_gone_repository_are_reported_and_the_others_go_on() {
    let scenario = "forbidden_repositories = ['octo-org/ledger-ui']\ngone_repositories = ['octo-org/pay-mobile']";
    let actions = Actions::small(120, 7, scenario).await;
    let list =
        "discover: {organisations: [octo-org, octo-labs]}\nteams: {payments: [octo-org/pay-mobile, octo-org/pay-api]}";
    actions.write("config/repositories.yml", list).await;
    let outcome = actions.offer("2026-11-19T12:00:00Z").await;
    assert_eq!(outcome.status, Status::Incomplete);
    let reason = outcome.stopped_early.as_deref().unwrap();
    assert!(
        reason.starts_with("octo-org/ledger-ui: ") && reason.contains("Actions: read"),
        "{reason}"
    );
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.contains("octo-org/pay-mobile, which is gone")),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.watermark,
        Some(at("2026-11-19T12:00:00Z")),
        "nothing waits for them"
    );
    let truth = actions.truth(at("2026-11-18T12:00:00Z"), at("2026-11-19T12:00:00Z"));
    let readable = truth
        .iter()
        .filter(|attempt| attempt.repository != "octo-org/ledger-ui");
    assert_eq!(actions.events().await.len(), readable.count());
}

#[tokio::test]
async fn a_repository_that_is_gone_is_no_reason_to_be_incomplete() {
    let actions = Actions::small(60, 7, "gone_repositories = ['octo-org/pay-mobile']").await;
    let list = "teams: {payments: [octo-org/pay-mobile, octo-org/pay-api]}";
    actions.write("config/repositories.yml", list).await;
    let outcome = actions.offer("2026-11-19T12:00:00Z").await;
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(
        outcome.notes[0].contains("octo-org/pay-mobile, which is gone or hidden"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn without_any_permission_the_job_fails_and_says_what_to_grant() {
    let scenario = "[[fault]]\nroute = '/orgs/{org}/repos'\nevery = 1\nkind = 'forbidden'";
    let actions = Actions::small(60, 7, scenario).await;
    let list = "discover: {organisations: [octo-org, octo-labs]}";
    actions.write("config/repositories.yml", list).await;
    let error = collect(&actions, "2026-11-19T12:00:00Z").await.unwrap_err();
    assert_eq!(error.error_type(), "Permission");
    assert!(error.to_string().contains("grant the token repo"), "{error}");
}

#[tokio::test]
async fn an_organisation_that_cannot_be_listed_now_is_read_as_it_was_known() {
    // Two organisations an invocation: the third and the fourth request are the second invocation's.
    let scenario =
        "[[fault]]\nroute = '/orgs/{org}/repos'\non = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\nkind = 'server_error'";
    let actions = Actions::small(120, 7, scenario).await;
    actions.offer("2026-11-19T12:00:00Z").await;
    let outcome = actions.offer("2026-11-19T13:00:00Z").await;
    assert_eq!(outcome.status, Status::Incomplete);
    assert!(outcome.stopped_early.unwrap().contains("repositories of octo-"));
    assert!(outcome.counts.stored > 0, "runs are read all the same");
    assert_eq!(
        outcome.watermark,
        Some(at("2026-11-19T12:00:00Z")),
        "a new repository may have been missed"
    );
    let later = actions.offer("2026-11-19T14:00:00Z").await;
    assert_eq!(later.status, Status::Complete, "{later:?}");
    actions.offer("2026-11-20T00:00:00Z").await;
    assert_exact(&actions, at("2026-11-18T12:00:00Z"), at("2026-11-19T14:00:00Z"), false).await;
}

#[tokio::test]
async fn a_storm_of_passing_faults_changes_nothing() {
    const STORM: &str = "
        fault = [
            {route = '*', every = 11, kind = 'server_error', status = 502},
            {route = '*', every = 23, kind = 'truncated_body'},
            {route = '*', every = 31, kind = 'cut_json'},
            {route = '*', every = 57, times = 3, kind = 'secondary_with_retry_after'},
        ]";
    let actions = Actions::small(60, 9, STORM).await;
    for hour in ["2026-11-19T12:00:00Z", "2026-11-19T13:00:00Z", "2026-11-20T13:00:00Z"] {
        let outcome = actions.offer(hour).await;
        assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    }
    let statuses = actions.simulator.requests().by_status;
    assert!(statuses.keys().any(|status| *status >= 500), "{statuses:?}");
    assert_exact(&actions, at("2026-11-18T12:00:00Z"), at("2026-11-19T13:00:00Z"), false).await;
}

#[tokio::test]
async fn jobs_wait_while_a_fifth_of_the_rate_budget_is_left() {
    let settings = |limit: u32| {
        let scenario = format!("secondary_limit = 100_000\nprimary_limit = {limit}");
        let mut settings = Settings::new(10, 7, uptake_domain::calendar::day_of(at("2026-11-20T00:00:00Z")));
        settings.runs_per_day = 200;
        settings.with_scenario(Scenario::parse(&scenario).unwrap())
    };
    let actions = Actions::start(settings(400)).await;
    let outcome = collect(&actions, "2026-11-19T12:00:00Z").await.unwrap();
    assert_eq!(outcome.status, Status::Incomplete);
    let reason = outcome.stopped_early.as_deref().unwrap();
    assert!(
        reason.contains("wait for their jobs")
            && reason.contains("of 400 requests are left")
            && reason.contains("a fifth"),
        "{reason}"
    );
    assert!(
        outcome.counts.stored > 0 && outcome.counts.requests <= 330,
        "{outcome:?}"
    );
    let series = actions.series().await;
    let truth = actions.truth(at("2026-11-18T12:00:00Z"), at("2026-11-19T12:00:00Z"));
    for ((name, window), value) in &series {
        let ended = truth
            .iter()
            .filter(|attempt| start_of_hour(attempt.ended_at) == *window);
        if name == "RunAttempts" {
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let expected = ended.count() as f64;
            assert_eq!(
                value.as_f64(),
                Some(expected),
                "a part of an hour is not shown as the hour: {window}"
            );
        }
    }

    // The next hour's budget: the same store, asked again.
    let pending = actions.pipeline_figures(at("2026-11-19T12:00:00Z")).await["AttemptsPending"];
    assert!(pending > 0.0);
    let next = actions.with_another_simulator(settings(100_000)).await;
    let outcome = collect(&next, "2026-11-19T13:00:00Z").await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert_exact(&next, at("2026-11-18T12:00:00Z"), at("2026-11-19T13:00:00Z"), false).await;
}

#[tokio::test]
async fn an_invocation_that_nears_its_deadline_stores_what_it_has_and_the_next_resumes() {
    let mut actions = Actions::small(150, 7, "latency_ms = 15").await;
    let scheduled = "2026-11-19T12:00:00Z";
    let mut outcomes = Vec::new();
    // What is kept back for publishing is a minute; of the rest little is left, and a little more each time.
    for turn in 1..12 {
        actions.deadline = Deadline::within(Duration::from_mins(1) + Duration::from_millis(400) * turn);
        let outcome = collect(&actions, scheduled).await.unwrap();
        let is_complete = outcome.status == Status::Complete;
        outcomes.push(outcome);
        if is_complete {
            break;
        }
    }
    assert!(outcomes.len() >= 2, "{outcomes:?}");
    assert_eq!(outcomes[0].status, Status::Incomplete);
    assert_eq!(outcomes.last().unwrap().status, Status::Complete, "{outcomes:?}");
    let stored: u64 = outcomes.iter().map(|outcome| outcome.counts.stored).sum();
    let truth = actions.truth(at("2026-11-18T12:00:00Z"), at(scheduled)).len();
    assert!(stored >= truth as u64, "{stored} of {truth}");
    assert_eq!(actions.events().await.len(), truth);
}

#[tokio::test]
async fn a_malformed_list_of_repositories_names_line_and_fault_and_costs_no_request() {
    let actions = Actions::small(20, 7, "").await;
    for (text, expected) in [
        (
            "teams:\n  a: [octo-org/x]\n  b: [pay-api]\n",
            "line 3: 'pay-api' is no repository",
        ),
        ("team: {}\n", "line 1: unknown field"),
        ("teams:\n  a: [octo-org/x\n", "line "),
    ] {
        actions.write("config/repositories.yml", text).await;
        let error = collect(&actions, "2026-11-19T12:00:00Z").await.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        let message = error.to_string();
        assert!(
            message.contains("config/repositories.yml: ") && message.contains(expected),
            "{message}"
        );
    }
    actions.folder.delete("config/repositories.yml").await.unwrap();
    let message = collect(&actions, "2026-11-19T12:00:00Z").await.unwrap_err().to_string();
    assert!(message.contains("discover: {organisations: [your-org]}"), "{message}");
    assert_eq!(actions.simulator.requests().total(), 0);
}

#[tokio::test]
async fn without_a_list_the_named_organisations_are_looked_at() {
    let mut actions = Actions::small(60, 7, "").await;
    actions.folder.delete("config/repositories.yml").await.unwrap();
    actions.set("UPTAKE_GITHUB_ORGS", "Octo-Org");
    actions.offer("2026-11-19T12:00:00Z").await;
    let events = actions.events().await;
    assert!(!events.is_empty());
    for (_, event) in events {
        let repository = event["message"]["repository"].as_str().unwrap();
        assert!(repository.starts_with("octo-org/"), "{repository}");
        assert_eq!(event["message"]["team"], "unassigned");
    }
}

#[tokio::test]
async fn archived_disabled_and_excluded_repositories_are_not_asked() {
    let actions = Actions::small(60, 7, "").await;
    actions.offer("2026-11-19T00:00:00Z").await;
    let series = actions.series().await;
    let repositories: Vec<&str> = series
        .keys()
        .filter_map(|(name, _)| name.strip_prefix("RunAttempts Repository="))
        .collect();
    assert!(
        repositories.contains(&"octo-org/sandbox"),
        "what never runs gets its zeros: {repositories:?}"
    );
    // octo-labs/media-archive is excluded by its name and claimed by its whole name, which wins.
    assert!(repositories.contains(&"octo-labs/media-archive"));
    for name in ["octo-org/ledger-archive", "octo-labs/old-reports"] {
        assert!(!repositories.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let actions = Actions::small(60, 7, "").await;
    let before = actions.folder.list("").await.unwrap();
    let trigger = Trigger {
        dry_run: true,
        ..Trigger::at(at("2026-11-19T12:00:00Z"))
    };
    let outcome = actions
        .deliver(&trigger, trigger.scheduled_time, &actions.folder)
        .await
        .unwrap();
    assert!(outcome.counts.fetched > 0 && outcome.counts.stored == 0, "{outcome:?}");
    assert_eq!(actions.folder.list("").await.unwrap(), before);
}

#[tokio::test]
async fn a_day_asked_for_again_is_published_again_and_nothing_doubles() {
    let actions = Actions::small(80, 7, "").await;
    let day = Window::of_day(uptake_domain::calendar::day_of(at("2026-11-18T00:00:00Z")));
    let trigger = Trigger {
        window: Some(day),
        replace: true,
        ..Trigger::at(day.to - SignedDuration::from_secs(1))
    };
    let now = day.to + HOUR * 3;
    let first = actions.deliver(&trigger, now, &actions.folder).await.unwrap();
    assert_eq!(first.watermark, Some(day.to));
    let events = actions.events().await.len();
    let again = actions.deliver(&trigger, now, &actions.folder).await.unwrap();
    assert_eq!((again.status, again.counts.stored), (Status::Complete, 0), "{again:?}");
    assert!(again.counts.published > 0, "{again:?}");
    assert_eq!(actions.events().await.len(), events);
    assert_exact(&actions, day.from, day.to, true).await;
    let offered = actions.offer("2026-11-19T00:30:00Z").await;
    assert_eq!(offered.status, Status::NothingToDo, "{offered:?}");
    assert_eq!(offered.counts.requests, 0);
}

#[tokio::test]
async fn days_before_the_first_collection_can_be_had_as_long_as_cloudwatch_takes_them() {
    let actions = Actions::small(80, 7, "").await;
    let start = at("2026-11-18T00:00:00Z");
    for hour in 0..3 {
        let now = start + HOUR * hour;
        actions.deliver(&Trigger::at(now), now, &actions.folder).await.unwrap();
    }
    let days = Window {
        from: start - HOUR * (24 * 6),
        to: start - HOUR * (24 * 4),
    };
    let trigger = Trigger {
        window: Some(days),
        replace: true,
        ..Trigger::at(days.to)
    };
    let now = start + HOUR * 2;
    let outcome = actions.deliver(&trigger, now, &actions.folder).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert_eq!(outcome.watermark, Some(now), "it never goes back");
    for hour in 3..=26 {
        let now = start + HOUR * hour;
        actions.deliver(&Trigger::at(now), now, &actions.folder).await.unwrap();
    }
    assert_exact(&actions, days.from, start, true).await;
}

#[tokio::test]
async fn events_that_the_log_service_turns_down_are_counted_and_told() {
    let actions = Actions::small(120, 7, "").await;
    let now = at("2026-11-19T12:00:00Z");
    let outcome = actions
        .deliver_to(&Trigger::at(now), now, &actions.folder, &Picky(&actions.folder))
        .await
        .unwrap();
    let attempts = actions.truth(now - HOUR * 24, now);
    let mut hours: Vec<_> = attempts.iter().map(|attempt| start_of_hour(attempt.ended_at)).collect();
    hours.dedup();
    let told = format!(
        "CloudWatch Logs turned down {} events: {} too old",
        hours.len(),
        hours.len()
    );
    assert!(
        outcome.notes.iter().any(|note| note.starts_with(&told)),
        "{told}: {outcome:?}"
    );
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let rejected = hours.len() as f64;
    assert_eq!(actions.pipeline_figures(now).await["LogEventsRejected"], rejected);
    assert_eq!(actions.events().await.len(), attempts.len() - hours.len());
}

#[tokio::test]
async fn a_github_app_reads_what_it_was_installed_in() {
    let mut actions = Actions::small(80, 7, "app_token_seconds = 1").await;
    actions.ask_as_app();
    let (start, end) = (at("2026-11-18T12:00:00Z"), at("2026-11-19T12:00:00Z"));
    let outcome = actions.offer("2026-11-19T12:00:00Z").await;
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    actions.offer("2026-11-20T12:00:00Z").await;
    assert_exact(&actions, start, end, false).await;
    let requests = actions.simulator.requests().by_route;
    assert!(requests.contains_key("/installation/repositories") && !requests.contains_key("/orgs/{org}/repos"));
}

#[tokio::test]
async fn a_repository_first_seen_after_a_silence_is_read_from_where_everything_was() {
    let actions = Actions::small(80, 7, "").await;
    let payments = "teams: {payments: ['octo-org/pay-*']}";
    actions.write("config/repositories.yml", payments).await;
    actions.offer("2026-11-10T00:00:00Z").await;
    actions.offer("2026-11-11T00:00:00Z").await;
    actions
        .write("config/repositories.yml", "discover: {organisations: [octo-org]}")
        .await;
    actions.offer("2026-11-16T00:00:00Z").await;
    actions.offer("2026-11-17T00:00:00Z").await;
    let truth = actions.truth(at("2026-11-11T00:00:00Z"), at("2026-11-16T00:00:00Z"));
    let events = actions.events().await;
    for attempt in truth.iter().filter(|attempt| attempt.organisation == "octo-org") {
        let is_told = events.iter().any(|(_, event)| {
            event["message"]["run_id"] == attempt.run_id && event["message"]["attempt"] == attempt.attempt
        });
        assert!(is_told, "{attempt:?}");
    }
}

#[tokio::test]
async fn of_a_day_that_grows_only_the_repositories_that_grew_are_published_again() {
    let actions = Actions::small(150, 7, "").await;
    let start = at("2026-11-18T00:00:00Z");
    for hour in 0..=48 {
        let now = start + HOUR * hour;
        actions.deliver(&Trigger::at(now), now, &actions.folder).await.unwrap();
    }
    let day = start;
    let text = actions.text("cloudwatch/metrics/2026-11-18.jsonl").await.unwrap();
    let mut published: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in text.lines() {
        let datum: Value = serde_json::from_str(line).unwrap();
        let repository = datum["dimensions"]["Repository"].as_str().unwrap_or_default();
        if datum["metric_name"] == "RunAttempts" && !repository.is_empty() {
            assert_eq!(at(datum["timestamp"].as_str().unwrap()), day);
            published
                .entry(repository.to_owned())
                .or_default()
                .push(datum["value"].as_f64().unwrap());
        }
    }
    assert!(published.len() > 5, "{published:?}");
    for (repository, values) in &published {
        assert!(
            values.is_sorted_by(|a, b| a < b),
            "{repository} is published again without having grown: {values:?}"
        );
    }
    assert!(
        published.values().any(|values| values.len() > 1),
        "a re-run was found late: {published:?}"
    );
}

#[tokio::test]
async fn what_left_something_out_is_done_again_when_asked_and_a_list_that_changed_too() {
    let actions = Actions::small(80, 7, "").await;
    let scheduled = "2026-11-19T12:00:00Z";
    actions
        .write(
            "config/repositories.yml",
            "discover: {organisations: [octo-org, octo-nowhere]}",
        )
        .await;
    for _ in 0..2 {
        let outcome = actions.offer(scheduled).await;
        assert_eq!(outcome.status, Status::Incomplete, "{outcome:?}");
        assert!(outcome.stopped_early.unwrap().contains("octo-nowhere"));
        assert_eq!(
            outcome.watermark,
            Some(at(scheduled)),
            "what nobody can list holds nothing back"
        );
    }
    actions
        .write(
            "config/repositories.yml",
            "discover: {organisations: [octo-org, octo-labs]}",
        )
        .await;
    let outcome = actions.offer(scheduled).await;
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(outcome.counts.stored > 0);
    assert_eq!(actions.offer(scheduled).await.status, Status::NothingToDo);
    let truth = actions.truth(at("2026-11-18T12:00:00Z"), at(scheduled));
    assert_eq!(actions.events().await.len(), truth.len());
}

#[tokio::test]
async fn a_window_in_the_future_and_a_list_of_nothing_are_refused() {
    let actions = Actions::small(20, 7, "").await;
    let trigger = Trigger {
        window: Some(Window::of_hour(at("2026-11-20T12:00:00Z"))),
        ..Trigger::at(at("2026-11-20T13:00:00Z"))
    };
    let now = at("2026-11-19T12:00:00Z");
    let error = actions.deliver(&trigger, now, &actions.folder).await.unwrap_err();
    assert!(
        error.is_configuration() && error.to_string().contains("lies in the future"),
        "{error}"
    );
    assert!(actions.folder.list("cloudwatch/").await.unwrap().is_empty());
    actions
        .write("config/repositories.yml", "teams: {a: [octo-org/nix]}")
        .await;
    let error = collect(&actions, "2026-11-19T12:00:00Z").await.unwrap_err();
    assert_eq!(error.error_type(), "Permission");
    assert!(error.to_string().contains("no repository"), "{error}");
}

#[tokio::test]
async fn an_hour_that_is_not_over_waits() {
    let actions = Actions::small(20, 7, "").await;
    let hour = Window::of_hour(at("2026-11-19T12:00:00Z"));
    let trigger = Trigger {
        window: Some(hour),
        ..Trigger::at(hour.from)
    };
    let outcome = actions
        .deliver(&trigger, hour.from + SignedDuration::from_mins(30), &actions.folder)
        .await
        .unwrap();
    assert_eq!(outcome.status, Status::NothingToDo);
    assert!(outcome.notes[0].contains("is not over"), "{outcome:?}");
}

#[tokio::test]
async fn runs_that_cannot_be_understood_are_kept_with_their_bytes_and_the_rest_goes_on() {
    // A page cut in the middle is no matter of one record: it is read again.
    let actions = Actions::small(60, 7, "").await;
    let odd = actions.with_odd_runs().await;
    let outcome = collect(&odd, "2026-11-19T12:00:00Z").await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(
        outcome.counts.quarantined > 0 && outcome.counts.stored > 0,
        "{outcome:?}"
    );
    let key = quarantine::key(
        "workflow-metrics",
        uptake_domain::calendar::day_of(at("2026-11-19T11:00:00Z")),
    );
    let kept = quarantine::read(&odd.folder, &key).await.unwrap();
    assert_eq!(kept.len() as u64, outcome.counts.quarantined);
    assert!(
        kept.iter()
            .all(|record| record.rule == "workflow_run" && record.record.contains("\"id\""))
    );
}

#[tokio::test]
async fn nothing_told_names_a_person() {
    let actions = Actions::small(150, 7, "").await;
    let first = actions.offer("2026-11-18T12:00:00Z").await;
    let mut told = format!("{first:?} {:?}", actions.offer("2026-11-19T12:00:00Z").await);
    for key in actions.folder.list("").await.unwrap() {
        if key.starts_with("cloudwatch/") {
            told += &actions.text(&key).await.unwrap();
        }
    }
    let events = actions.events().await;
    assert!(events.len() > 100);
    for identity in crate::enterprise::identities(&actions.simulator) {
        assert!(!told.contains(&identity), "{identity}");
    }
}

#[tokio::test]
async fn events_lie_in_the_group_of_their_week_and_the_stream_of_their_hour() {
    let mut actions = Actions::small(80, 7, "").await;
    actions.set("UPTAKE_LOG_GROUP_PREFIX", "/octo/prod");
    actions.set("UPTAKE_WEEK_STARTS_ON", "wednesday");
    actions.offer("2026-11-18T06:00:00Z").await;
    let events = actions.events().await;
    let (mut before, mut after) = (0, 0);
    for (key, event) in &events {
        let ended_at = at(event["timestamp"].as_str().unwrap());
        let week = if ended_at < at("2026-11-18T00:00:00Z") {
            before += 1;
            "2026-11-11_2026-11-17"
        } else {
            after += 1;
            "2026-11-18_2026-11-24"
        };
        let hour = start_of_hour(ended_at).strftime("%Y%m%dT%H%M%SZ").to_string();
        let expected = format!("cloudwatch/logs/octo/prod/workflow-runs-{week}/{hour}-");
        assert!(key.starts_with(&expected), "{key} does not begin with {expected}");
        assert!(
            event["message"]
                .as_object()
                .unwrap()
                .values()
                .all(|value| !value.is_object())
        );
    }
    assert!(before > 0 && after > 0, "both weeks have events");
}

#[tokio::test]
async fn durations_and_queues_are_whole_distributions_and_stuck_runs_are_counted() {
    let actions = Actions::small(300, 7, "").await;
    let since = at("2026-11-17T00:00:00Z");
    let to = since + HOUR * 48;
    actions
        .deliver(&Trigger::at(since + HOUR * 24), since + HOUR * 24, &actions.folder)
        .await
        .unwrap();
    let mut hour = since + HOUR * 25;
    while hour <= to + HOUR * 24 {
        actions
            .deliver(&Trigger::at(hour), hour, &actions.folder)
            .await
            .unwrap();
        hour += HOUR;
    }
    let (series, truth) = (actions.series().await, actions.truth(since, to));
    let mut stuck_seen = 0.0;
    for window in uptake_domain::calendar::hours(since + HOUR * 24, to) {
        let ended: Vec<_> = truth
            .iter()
            .filter(|attempt| start_of_hour(attempt.ended_at) == window)
            .collect();
        let samples = |name: &str| -> u64 {
            let datum = series.get(&(name.to_owned(), window));
            let counts = datum.and_then(|datum| datum["counts"].as_array());
            counts.into_iter().flatten().filter_map(Value::as_u64).sum()
        };
        assert_eq!(samples("RunDuration"), ended.len() as u64, "{window}");
        let queued = ended.iter().filter(|attempt| attempt.queue_seconds.is_some()).count();
        assert_eq!(samples("QueueTime"), queued as u64, "{window}");
        let payments = ended
            .iter()
            .filter(|attempt| team(&attempt.repository) == "payments")
            .count();
        assert_eq!(samples("RunDuration Team=payments"), payments as u64, "{window}");
        let end = window + HOUR;
        let all = actions.simulator.run_attempts(end, end + HOUR);
        let stuck = all.iter().filter(|attempt| {
            attempt.ended_at >= end && end.duration_since(attempt.started_at) > SignedDuration::from_hours(2)
        });
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let stuck = stuck.count() as f64;
        assert_eq!(
            series[&("StuckRuns".to_owned(), window)].as_f64(),
            Some(stuck),
            "{window}"
        );
        stuck_seen += stuck;
    }
    assert!(stuck_seen > 0.0, "the data set has runs that hang");
    let superseded = truth
        .iter()
        .filter(|attempt| attempt.conclusion == "superseded")
        .count();
    let told: f64 = series
        .iter()
        .filter(|((name, window), _)| name == "RunAttempts Conclusion=superseded" && *window < to)
        .filter_map(|(_, value)| value.as_f64())
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let expected = superseded as f64;
    assert_eq!(told, expected, "a word nobody knows is counted under its own name");
    assert!(superseded > 0, "the data set has such a word");
}
