//! What 500,000 events a day cost `audit-events`, hour by hour and a day at once, and what `engagement` makes of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;
use uptake_domain::calendar::{day_of, start_of};
use uptake_domain::identity::{KEY_BYTES, written};
use uptake_pipeline::ports::{Clock, SystemClock};

use super::{Bench, Invoked};

/// Places of people; about two in a hundred are empty at a time.
const PLACES: u32 = 51_200;
const LATENCY_MS: u64 = 50;
const EVENTS_PER_DAY: u64 = 500_000;
const HOURS: i64 = 24;
/// The promise of the product.
const MOST_MIB: u64 = 256;
/// As its README has it set: threads that each keep freed memory to themselves would hold a third more.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "1");
/// Weeks pass within minutes here; Microsoft's limits are meant for real ones.
const SCENARIO: &str = "\
reports_limit = 10000000
identity_limit = 10000000
activity_limit = 10000000
report_lag_days = [1, 1]
missing_report_percent = 0
audit_blobs_per_page = 200
events_per_day = 500000
";
/// Who may log in at the simulator.
const TENANT: &str = "6f1c3d8e-52a7-4b90-9d24-7e0b8c5fa113";
const CLIENT_ID: &str = "c0b7e4a2-19d5-4f6e-8a33-d2915b60f7ce";
const CLIENT_SECRET: &str = "simulated-client-secret";

struct Tenant {
    bench: Bench,
    /// The day that is read hour by hour.
    day: Date,
    key: String,
}

pub(super) async fn run(uptake: &Path) -> anyhow::Result<()> {
    let flags = [
        ("--tenant-users", PLACES.to_string()),
        ("--latency-ms", LATENCY_MS.to_string()),
    ];
    let tenant = Tenant {
        bench: Bench::start(uptake, SCENARIO, &flags).await?,
        day: day_of(SystemClock.now()).saturating_sub(2.days()),
        key: written(
            "bench",
            &std::array::from_fn::<u8, KEY_BYTES, _>(|place| u8::try_from(place).unwrap_or(0)),
        )?,
    };
    tenant.begin_at(start_of(tenant.day.saturating_sub(1.days())))?;
    tenant.usage(tenant.day).await?;
    // The day before, and the one before that, which overlaps.
    tenant.events(start_of(tenant.day)).await?;
    let mut hours = Vec::new();
    for hour in 1..=HOURS {
        hours.push(
            tenant
                .events(start_of(tenant.day) + SignedDuration::from_hours(hour))
                .await?,
        );
    }
    let next = tenant.day.saturating_add(1.day());
    let at_once = tenant
        .events(start_of(next) + SignedDuration::from_hours(HOURS))
        .await?;
    let first = tenant.engagement(tenant.day).await?;
    tenant.usage(next).await?;
    let second = tenant.engagement(next).await?;
    report(&hours, &at_once, &first, &second)
}

impl Tenant {
    /// Has the first poll reach back to a day and not to a week.
    fn begin_at(&self, watermark: Timestamp) -> anyhow::Result<()> {
        let folder = self.bench.store().join("state/watermarks");
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join("audit-events.json"),
            json!({ "watermark": watermark }).to_string(),
        )?;
        Ok(())
    }

    async fn invoke(&self, function: &str, at: Timestamp) -> anyhow::Result<Invoked> {
        let url = self.bench.url.as_str();
        let settings = [
            ("UPTAKE_LOGIN_URL", url),
            ("UPTAKE_GRAPH_URL", url),
            ("UPTAKE_MANAGEMENT_URL", url),
            ("UPTAKE_TENANT_ID", TENANT),
            ("UPTAKE_CLIENT_ID", CLIENT_ID),
            ("UPTAKE_CLIENT_SECRET", CLIENT_SECRET),
            ("UPTAKE_IDENTITY_KEY", self.key.as_str()),
            ARENAS,
        ];
        self.bench.invoke(&[function, "--at", &at.to_string()], &settings).await
    }

    async fn events(&self, at: Timestamp) -> anyhow::Result<Invoked> {
        self.bench.post("/_simulator/now", &json!({ "now": at })).await?;
        self.invoke("audit-events", at).await
    }

    async fn usage(&self, day: Date) -> anyhow::Result<Invoked> {
        self.bench.post("/_simulator/today", &json!({ "today": day })).await?;
        self.invoke("m365-usage", start_of(day) + SignedDuration::from_hours(20))
            .await
    }

    async fn engagement(&self, day: Date) -> anyhow::Result<Invoked> {
        self.invoke("engagement", start_of(day) + SignedDuration::from_hours(21))
            .await
    }
}

fn report(hours: &[Invoked], at_once: &Invoked, first: &Invoked, second: &Invoked) -> anyhow::Result<()> {
    println!("\n{EVENTS_PER_DAY} events a day of {PLACES} places of people, {LATENCY_MS} ms latency, release build\n");
    println!("| invocation | requests | events read | rows written | seconds | peak memory |");
    println!("|---|---|---|---|---|---|");
    let line = |what: &str, invoked: &Invoked| -> anyhow::Result<()> {
        println!(
            "| {what} | {} | {} | {} | {:.1} | {} MiB |",
            invoked.count("requests")?,
            invoked.count("fetched")?,
            invoked.count("stored")?,
            invoked.seconds,
            invoked.peak_mib
        );
        Ok(())
    };
    let mut by_time: Vec<&Invoked> = hours.iter().collect();
    by_time.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let (median, slowest) = by_time
        .get(by_time.len() / 2)
        .zip(by_time.last())
        .context("no hour was read")?;
    line("`audit-events`, an hour: the median", median)?;
    line("`audit-events`, an hour: the slowest", slowest)?;
    line("`audit-events`, a day at once", at_once)?;
    line("`engagement`, the first day", first)?;
    line("`engagement`, the next day", second)?;
    let read: u64 = hours
        .iter()
        .map(|hour| hour.count("fetched"))
        .sum::<anyhow::Result<u64>>()?;
    let peak_mib = hours
        .iter()
        .chain([at_once])
        .map(|invoked| invoked.peak_mib)
        .max()
        .unwrap_or(0);
    println!(
        "\nThe day was read in {:.0} s in all, {read} records. The most memory of `audit-events` was {peak_mib} MiB, {MOST_MIB} are promised.",
        hours.iter().map(|hour| hour.seconds).sum::<f64>()
    );
    ensure!(read >= EVENTS_PER_DAY / 2, "{read} records are no busy day");
    ensure!(peak_mib <= MOST_MIB, "{peak_mib} MiB, {MOST_MIB} are promised");
    Ok(())
}
