//! What a day of 50,000 people costs `m365-usage` and `scoring`: an early day, and one with a quarter of history behind it.

use std::path::Path;

use anyhow::ensure;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde_json::json;

use super::{Bench, Invoked, now};

/// Places; about two in a hundred are empty at a time.
const PLACES: u32 = 51_200;
const LATENCY_MS: u64 = 50;
const FIRST_DAY: Date = date(2026, 8, 22);
const LAST_DAY: u32 = 90;
/// Scores of the last week are settled with every scoring, so one a week scores every day of the history.
const SCORED_EVERY: u32 = 7;
/// The promises of the product.
const MOST_MINUTES: f64 = 60.0;
const MOST_MIB: u64 = 256;
const MOST_OVER_EARLY: f64 = 1.5;
const GOAL_MINUTES: f64 = 1.0;
/// A quarter passes within minutes here; Microsoft's limits are meant for real days. Every day has its report, so that
/// days can be compared.
const SCENARIO: &str =
    "reports_limit = 10000000\nidentity_limit = 10000000\nreport_lag_days = [1, 1]\nmissing_report_percent = 0\n";

/// Who the simulator knows.
const TENANT: &str = "6f1c3d8e-52a7-4b90-9d24-7e0b8c5fa113";
const CLIENT_ID: &str = "c0b7e4a2-19d5-4f6e-8a33-d2915b60f7ce";
const CLIENT_SECRET: &str = "simulated-client-secret";

/// The two functions on one day.
struct Day {
    number: u32,
    usage: Invoked,
    scoring: Invoked,
}

impl Day {
    fn seconds(&self) -> f64 {
        self.usage.seconds + self.scoring.seconds
    }

    fn steps(&self) -> [(&'static str, &Invoked); 2] {
        [("m365-usage", &self.usage), ("scoring", &self.scoring)]
    }
}

/// The tenant twice, with the same people: as far away as Microsoft is, and next door, where history is made.
struct Tenants {
    far: Bench,
    near: Bench,
}

pub(super) async fn run(uptake: &Path) -> anyhow::Result<()> {
    let start = async |latency_ms: u64| {
        let flags = [
            ("--tenant-users", PLACES.to_string()),
            ("--latency-ms", latency_ms.to_string()),
        ];
        Bench::start(uptake, SCENARIO, &flags).await
    };
    let tenants = Tenants {
        far: start(LATENCY_MS).await?,
        near: start(0).await?,
    };
    collect(&tenants.near, &tenants, 1).await?;
    score(&tenants, 1).await?;
    let early = day(&tenants, 2).await?;
    let begun = now();
    for number in 3..LAST_DAY {
        collect(&tenants.near, &tenants, number).await?;
        if (LAST_DAY - number).is_multiple_of(SCORED_EVERY) || number == LAST_DAY - 1 {
            score(&tenants, number).await?;
        }
    }
    let history = begun.elapsed().as_secs_f64();
    let late = day(&tenants, LAST_DAY).await?;
    report(&early, &late, history)
}

async fn day(tenants: &Tenants, number: u32) -> anyhow::Result<Day> {
    Ok(Day {
        number,
        usage: collect(&tenants.far, tenants, number).await?,
        scoring: score(tenants, number).await?,
    })
}

/// What the scheduler would start on the day.
async fn collect(from: &Bench, tenants: &Tenants, number: u32) -> anyhow::Result<Invoked> {
    let day = date_of(number);
    from.post("/_simulator/today", &json!({ "today": day })).await?;
    let at = format!("{day}T23:00:00Z");
    let settings = [
        ("UPTAKE_LOGIN_URL", from.url.as_str()),
        ("UPTAKE_GRAPH_URL", from.url.as_str()),
        ("UPTAKE_TENANT_ID", TENANT),
        ("UPTAKE_CLIENT_ID", CLIENT_ID),
        ("UPTAKE_CLIENT_SECRET", CLIENT_SECRET),
    ];
    // One store for both.
    tenants.far.invoke(&["m365-usage", "--at", &at], &settings).await
}

async fn score(tenants: &Tenants, number: u32) -> anyhow::Result<Invoked> {
    let at = format!("{}T23:30:00Z", date_of(number));
    tenants.far.invoke(&["scoring", "--at", &at], &[]).await
}

fn date_of(number: u32) -> Date {
    FIRST_DAY.saturating_add(i64::from(number - 1).days())
}

fn report(early: &Day, late: &Day, history: f64) -> anyhow::Result<()> {
    println!(
        "\n{} people of {PLACES} places read on day {}, {} licences scored, {LATENCY_MS} ms latency, release build\n",
        0, late.number, 0
    );
    println!("| function | day | requests | records read | rows stored | seconds | peak memory |");
    println!("|---|---|---|---|---|---|---|");
    for day in [early, late] {
        for (function, invoked) in day.steps() {
            println!(
                "| `{function}` | {} | {} | {} | {} | {:.1} | {} MiB |",
                day.number,
                invoked.count("requests")?,
                invoked.count("fetched")?,
                invoked.count("stored")?,
                invoked.seconds,
                invoked.peak_mib
            );
        }
    }
    let ratio = late.seconds() / early.seconds();
    println!("{ratio} {history}");
    Ok(())
}
