//! `workflow-metrics` as a whole: against the simulator's own account, over any order of invocations, and through faults.

use jiff::SignedDuration;
use proptest::prelude::*;
use uptake_domain::calendar::HOUR;
use uptake_pipeline::outcome::Status;
use uptake_pipeline::trigger::Trigger;

use crate::actions::{Actions, Mortal, assert_exact, at};

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
    // GitHub's lists are a little behind: a run may show up after the hour in which it was created was read.
    let actions = Actions::small(120, 7, "list_lag_seconds = 240").await;
    offer_hourly(&actions, "2026-11-18T00:00:00Z", "2026-11-20T00:00:00Z").await;
    assert_exact(&actions, at("2026-11-17T00:00:00Z"), at("2026-11-19T00:00:00Z"), true).await;
}

/// One delivery of a trigger in a random schedule.
#[derive(Clone, Debug)]
struct Delivery {
    /// Hours since the one before.
    after_hours: i64,
    /// Hours by which it is delivered late: other triggers may have come first.
    late_hours: i64,
    /// Writes after which the process dies, and whether the last one takes effect.
    dies_after: Option<(i64, bool)>,
    /// Whether it is delivered once more at once.
    repeated: bool,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let after_hours = prop_oneof![12 => Just(1_i64), 3 => 2_i64..8, 2 => 8_i64..72, 1 => 72_i64..250];
    let late_hours = prop_oneof![6 => Just(0_i64), 1 => 1_i64..30];
    let dies_after = prop_oneof![5 => Just(None), 2 => (0_i64..14, any::<bool>()).prop_map(Some)];
    (after_hours, late_hours, dies_after, prop::bool::weighted(0.1)).prop_map(
        |(after_hours, late_hours, dies_after, repeated)| Delivery {
            after_hours,
            late_hours,
            dies_after,
            repeated,
        },
    )
}

/// A month of deliveries in whatever order, then a day of calm: what is told must be what happened.
async fn live_through(seed: u64, deliveries: Vec<Delivery>) {
    const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
    let start = at("2026-10-12T00:00:00Z");
    let since = start - HOUR * 24;
    let actions = Actions::small(50, seed, "").await;
    // Longer than this without one that lives, and CloudWatch would not take all: its fourteen days reach back to the
    // beginning of a day, in which a re-run ended that is found a day later.
    let longest_silence = HOUR * (11 * 24);
    let (mut now, mut last_alive) = (start, start);
    actions
        .deliver(&Trigger::at(start), start, &actions.folder)
        .await
        .unwrap();
    for delivery in deliveries.iter().cycle() {
        let mut delivery = delivery.clone();
        now += HOUR * i32::try_from(delivery.after_hours).unwrap();
        if now > last_alive + longest_silence {
            now = last_alive + longest_silence;
            (delivery.late_hours, delivery.dies_after) = (0, None);
        }
        if now >= start + MONTH {
            break;
        }
        let trigger = Trigger::at(now - HOUR * i32::try_from(delivery.late_hours).unwrap());
        for _ in 0..=u8::from(delivery.repeated) {
            let ended = match delivery.dies_after {
                None => actions.deliver(&trigger, now, &actions.folder).await,
                Some((writes, takes_effect)) => {
                    let ports = Mortal::new(&actions.folder, writes, takes_effect);
                    actions.deliver(&trigger, now, &ports).await
                }
            };
            assert!(ended.is_ok() || delivery.dies_after.is_some(), "{ended:?}");
            if delivery.late_hours == 0 && ended.is_ok() {
                last_alive = now;
            }
        }
    }
    let end = start + MONTH;
    for hour in 0..=25 {
        let at = end + HOUR * hour;
        let outcome = actions.deliver(&Trigger::at(at), at, &actions.folder).await.unwrap();
        assert_eq!(outcome.watermark, Some(at), "{outcome:?}");
    }
    assert_exact(&actions, since, end, true).await;
}

#[test]
fn any_order_of_late_repeated_and_killed_invocations_tells_a_month_exactly() {
    let config = ProptestConfig {
        cases: 4,
        max_shrink_iters: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let schedules = (0_u64..1_000, prop::collection::vec(delivery(), 20..60));
    proptest::test_runner::TestRunner::new(config)
        .run(&schedules, |(seed, deliveries)| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(live_through(seed, deliveries));
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_process_killed_at_any_write_of_any_hour_leaves_nothing_behind_and_nothing_double() {
    const MOST_WRITES: i64 = 12;
    let actions = Actions::small(80, 11, "").await;
    let start = at("2026-11-18T00:00:00Z");
    actions
        .deliver(&Trigger::at(start), start, &actions.folder)
        .await
        .unwrap();
    let mut killed = 0;
    for hour in 1..=48 {
        let now = start + HOUR * hour;
        for writes in 0..MOST_WRITES {
            let ports = Mortal::new(&actions.folder, writes, (writes + i64::from(hour)) % 2 == 0);
            let ended = actions.deliver(&Trigger::at(now), now, &ports).await;
            killed += u32::from(ended.is_err());
        }
        let outcome = actions.deliver(&Trigger::at(now), now, &actions.folder).await.unwrap();
        assert_eq!(outcome.watermark, Some(now));
    }
    assert!(killed > 150, "{killed} were killed");
    assert_exact(&actions, start - HOUR * 24, start + HOUR * 24, true).await;
}
