//! `workflow-metrics` as a whole: against the simulator's own account, over any order of invocations, and through faults.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uptake_domain::calendar::HOUR;
use uptake_pipeline::outcome::Status;
use uptake_pipeline::trigger::Trigger;

use crate::actions::{Actions, at, expected, expected_counters, ids, known, without_address};

/// Asserts that log events and counters say exactly what the simulator knows of the time from `since` to `to`.
async fn assert_exact(actions: &Actions, since: Timestamp, to: Timestamp) {
    let truth = actions.truth(since, to);
    assert!(!truth.is_empty());
    let events = actions.events().await;
    let told: Vec<BTreeMap<String, Value>> = events
        .iter()
        .filter(|(_, event)| at(event["timestamp"].as_str().unwrap()) < to)
        .map(|(_, event)| without_address(known(event)))
        .collect();
    let expected_events: Vec<BTreeMap<String, Value>> = truth.iter().map(expected).collect();
    let (told_ids, expected_ids) = (ids(&told), ids(&expected_events));
    let lost: BTreeSet<_> = expected_ids.difference(&told_ids).collect();
    let invented: BTreeSet<_> = told_ids.difference(&expected_ids).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "lost {lost:?}, invented {invented:?}"
    );
    assert_eq!(told.len(), told_ids.len(), "nothing is told twice");
    let by_id = |fields: Vec<BTreeMap<String, Value>>| {
        let ids = fields.into_iter().map(|fields| (ids([&fields]), fields));
        ids.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_id(told), by_id(expected_events));

    let series = actions.series().await;
    let counters = expected_counters(&truth);
    for ((name, window), expected) in &counters {
        let told = series.get(&(name.clone(), *window)).and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let expected = Some(*expected as f64);
        assert_eq!(told, expected, "{name} at {window}");
    }
    for ((name, window), value) in &series {
        let is_counter = ["RunAttempts", "FailedRunAttempts", "ReRuns", "RunnerMinutes"]
            .iter()
            .any(|counter| name.split(' ').next() == Some(counter));
        if is_counter && *window < to && !counters.contains_key(&(name.clone(), *window)) {
            assert_eq!(value.as_f64(), Some(0.0), "{name} at {window}");
        }
    }
}

/// Offers every hour from one instant to another.
async fn offer_hourly(actions: &Actions, from: &str, to: &str) {
    let mut hour = at(from);
    while hour <= at(to) {
        let outcome = actions
            .deliver(&Trigger::at(hour), hour, &actions.folder)
            .await
            .unwrap();
        assert_eq!(outcome.status, Status::Complete, "{hour}: {outcome:?}");
        assert_eq!(outcome.watermark, Some(hour), "{outcome:?}");
        hour += HOUR;
    }
}

#[tokio::test]
async fn two_days_of_hourly_offerings_record_every_attempt_once() {
    let actions = Actions::small(120, 7, "").await;
    offer_hourly(&actions, "2026-11-18T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert_exact(&actions, at("2026-11-17T00:00:00Z"), at("2026-11-19T00:00:00Z")).await;
}
