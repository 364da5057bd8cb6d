//! What an invocation took of the memory and the processor that the function is given.

use std::time::Duration;

use jiff::Timestamp;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use uptake_domain::calendar::start_of_hour;
use uptake_domain::catalogue::{Datum, Dimension, MEMORY_USED, PROCESSOR_USED};

/// Memory for which Lambda gives a function one processor, in MB (docs.aws.amazon.com, "Configure Lambda function memory",
/// read 2026-11-22).
const MEGABYTES_PER_PROCESSOR: f64 = 1_769.0;
/// Below, Lambda's slices of processor time say more about the figure than the function does.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// An invocation under way.
pub(crate) struct Meter {
    begun: Timestamp,
    processor: Duration,
}

impl Meter {
    pub(crate) fn begin(now: Timestamp) -> Self {
        Self {
            begun: now,
            processor: usage().map_or(Duration::ZERO, |usage| processor_time(&usage)),
        }
    }

    /// The figures of the invocation, which ends now. Nothing where the system does not tell.
    pub(crate) fn read(&self, function: &str, memory_megabytes: i32, now: Timestamp) -> Vec<Datum> {
        let Some(usage) = usage() else { return Vec::new() };
        let given = f64::from(memory_megabytes.max(1));
        let at = start_of_hour(now);
        let dimensions = || vec![(Dimension::Function, function.to_owned())];
        let mut data = vec![MEMORY_USED.datum(dimensions(), at, 100.0 * peak_megabytes(&usage) / given)];
        let elapsed = Duration::try_from(now.duration_since(self.begun)).unwrap_or(Duration::ZERO);
        if elapsed >= LONG_ENOUGH {
            let used = processor_time(&usage).saturating_sub(self.processor);
            let share = processor_share(used, elapsed, given);
            data.push(PROCESSOR_USED.datum(dimensions(), at, share));
        }
        data
    }
}

fn usage() -> Option<Usage> {
    getrusage(UsageWho::RUSAGE_SELF).ok()
}

fn processor_time(usage: &Usage) -> Duration {
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Linux tells it in kilobytes.
fn peak_megabytes(usage: &Usage) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no function has 2^53 kilobytes")]
    let kilobytes = usage.max_rss() as f64;
    kilobytes / 1_024.0
}

/// Percent of the processor time that a function of so much memory is given while so much time passes.
fn processor_share(used: Duration, elapsed: Duration, megabytes: f64) -> f64 {
    100.0 * used.as_secs_f64() / (elapsed.as_secs_f64() * megabytes / MEGABYTES_PER_PROCESSOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_held_against_what_the_memory_buys() {
        let seconds = Duration::from_secs;
        for (used, elapsed, megabytes, percent) in [
            (10, 20, 1_769.0, 50.0),
            (10, 20, 884.5, 100.0),
            (40, 20, 3_538.0, 100.0),
            (0, 20, 512.0, 0.0),
        ] {
            let share = processor_share(seconds(used), seconds(elapsed), megabytes);
            assert!((share - percent).abs() < 1e-9, "{share} {percent}");
        }
    }

    #[test]
    fn memory_is_what_this_process_holds_and_a_short_invocation_says_nothing_of_the_processor() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let data = Meter::begin(now).read("scoring", 1_024, now);
        let [memory] = data.as_slice() else { panic!("{data:?}") };
        assert!(memory.is_catalogued());
        assert_eq!(memory.timestamp, start_of_hour(now));
        let uptake_domain::catalogue::Reading::Value(percent) = memory.reading else {
            panic!("{memory:?}")
        };
        // A test's process has some megabytes, and not a gigabyte.
        assert!((0.1..100.0).contains(&percent), "{percent}");
    }
}
