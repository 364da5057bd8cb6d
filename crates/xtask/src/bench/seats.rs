//! What 50,000 seats cost: the first day, the next one, and what a plain client would send.

use std::path::Path;

use anyhow::{Context, ensure};
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::{Bench, TOKEN, now};

const SEATS: u64 = 50_000;
const LATENCY_MS: u64 = 50;
const FIRST_DAY: Date = date(2026, 11, 19);
const NEXT_DAY: Date = date(2026, 11, 20);
/// The promises of the product, in requests.
const MOST_REQUESTS: [u64; 2] = [1_050, 550];
/// The two days pass within a minute here; GitHub's points a minute are meant for real ones.
const SCENARIO: &str = "secondary_limit = 5000\n";
/// The plain client to compare with: GitHub's default page size, one page and one person at a time.
const PLAIN_PAGE: u64 = 50;
/// Requests of the plain client that are really sent; the rest is this pace times their number.
const SAMPLE: u32 = 60;

/// What one collection cost.
struct Cost {
    requests: u64,
    seconds: f64,
    peak_mib: u64,
    people: u64,
}

pub(super) async fn run(uptake: &Path) -> anyhow::Result<()> {
    let flags = [
        ("--seats", SEATS.to_string()),
        ("--latency-ms", LATENCY_MS.to_string()),
        ("--today", FIRST_DAY.to_string()),
    ];
    let bench = Bench::start(uptake, SCENARIO, &flags).await?;
    let first = collect(&bench, FIRST_DAY).await?;
    bench.post("/_simulator/today", &json!({ "today": NEXT_DAY })).await?;
    let next = collect(&bench, NEXT_DAY).await?;
    let plain = plain_client(&bench, first.people).await?;
    report(&first, &next, &plain);
    for (cost, most) in [&first, &next].into_iter().zip(MOST_REQUESTS) {
        ensure!(cost.requests <= most, "{} requests, {most} are promised", cost.requests);
    }
    Ok(())
}

async fn collect(bench: &Bench, day: Date) -> anyhow::Result<Cost> {
    let enterprise = [("UPTAKE_GITHUB_ENTERPRISE", "octo-enterprise")];
    let invoked = bench
        .invoke(&["copilot-seats", "--date", &day.to_string()], &enterprise)
        .await?;
    Ok(Cost {
        requests: invoked.count("requests")?,
        people: invoked.count("stored")?,
        seconds: invoked.seconds,
        peak_mib: invoked.peak_mib,
    })
}

fn report(first: &Cost, next: &Cost, plain: &Cost) {
    println!("\n{SEATS} seats (duplicates included), {LATENCY_MS} ms latency, release build\n");
    println!("| | requests | promised | seconds | peak memory |");
    println!("|---|---|---|---|---|");
    for (name, cost, most) in [
        ("first day", first, MOST_REQUESTS[0]),
        ("next day", next, MOST_REQUESTS[1]),
    ] {
        println!(
            "| {name} | {} | {most} | {:.1} | {} MiB |",
            cost.requests, cost.seconds, cost.peak_mib
        );
    }
    println!(
        "| page by page, person by person (each day) | {} | | {:.0} | |",
        plain.requests, plain.seconds
    );
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let fewer = |cost: &Cost| plain.requests as f64 / cost.requests as f64;
    println!(
        "\nFirst day: {:.0} times fewer requests, {:.0} times faster. Next day: {:.0} times fewer, {:.0} times faster.",
        fewer(first),
        plain.seconds / first.seconds,
        fewer(next),
        plain.seconds / next.seconds
    );
    println!(
        "The plain client's time is the measured pace of {} of its requests, times their number.",
        2 * SAMPLE
    );
}

async fn plain_client(bench: &Bench, people: u64) -> anyhow::Result<Cost> {
    let pages = SEATS.div_ceil(PLAIN_PAGE);
    let ask = |path: String| {
        bench
            .client
            .get(format!("{}{path}", bench.url))
            .bearer_auth(TOKEN)
            .header("user-agent", "plain-client")
            .send()
    };
    let begun = now();
    let mut logins = Vec::new();
    for page in 1..=SAMPLE {
        let path = format!("/enterprises/octo-enterprise/copilot/billing/seats?page={page}");
        let body: Value = ask(path).await?.error_for_status()?.json().await?;
        let seats = body["seats"].as_array().context("a page has no seats")?;
        logins.extend(
            seats
                .iter()
                .filter_map(|seat| seat["assignee"]["login"].as_str().map(str::to_owned)),
        );
    }
    let for_a_page = begun.elapsed() / SAMPLE;
    let begun = now();
    for login in logins.iter().take(SAMPLE as usize) {
        ask(format!("/users/{login}")).await?.bytes().await?;
    }
    let for_a_person = begun.elapsed() / SAMPLE;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let seconds = for_a_page.as_secs_f64() * pages as f64 + for_a_person.as_secs_f64() * people as f64;
    Ok(Cost {
        requests: pages + people,
        seconds,
        peak_mib: 0,
        people,
    })
}
