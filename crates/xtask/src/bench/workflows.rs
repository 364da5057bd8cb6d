//! What 30,000 workflow runs of a weekday cost, hour by hour, against the least that they can cost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::json;
use uptake_domain::calendar::{HOUR, Window, day_of, hours};
use uptake_domain::run::AttemptId;
use uptake_pipeline::ports::{Clock, SystemClock};

use super::least::{Account, Found, Least, RERUN_DAYS};
use super::{Bench, Invoked};

const REPOSITORIES: u32 = 300;
const RUNS_PER_DAY: u32 = 30_000;
const LATENCY_MS: u64 = 10;
/// The promise of the product: the day's requests, as a multiple of the least possible.
const MOST_OVER_LEAST: f64 = 1.2;
/// A day passes within a minute here; GitHub's limits are meant for real ones.
const SCENARIO: &str = "primary_limit = 10000000\nsecondary_limit = 10000000\n";
/// What the client keeps to towards GitHub, and not on loopback.
const REQUESTS_PER_MINUTE: u64 = 900;
const LIST: &str = "discover:\n  organisations: [octo-org, octo-labs]\n";
/// How long after the hour a scheduled start comes.
const START_DELAY: SignedDuration = SignedDuration::from_secs(10);

/// What an invocation, or several, sent.
#[derive(Clone, Debug, Default, Deserialize)]
struct Sent {
    by_route: BTreeMap<String, u64>,
    by_status: BTreeMap<u16, u64>,
}

impl Sent {
    fn since(mut self, before: &Self) -> Self {
        for (route, count) in &mut self.by_route {
            *count -= before.by_route.get(route).copied().unwrap_or_default();
        }
        for (status, count) in &mut self.by_status {
            *count -= before.by_status.get(status).copied().unwrap_or_default();
        }
        self
    }

    fn total(&self) -> u64 {
        self.by_route.values().sum()
    }

    /// Requests of a route, whose template begins differently for organisations and repositories.
    fn of(&self, route: &str) -> u64 {
        let below = format!("/repos/{{owner}}/{{repo}}{route}");
        let count = self.by_route.get(&below).or_else(|| self.by_route.get(route));
        count.copied().unwrap_or_default()
    }

    fn unchanged(&self) -> u64 {
        self.by_status.get(&304).copied().unwrap_or_default()
    }
}

/// An hourly start and what it sent.
struct Hour {
    invoked: Invoked,
    sent: Sent,
}

pub(super) async fn run(uptake: &Path) -> anyhow::Result<()> {
    let day = last_weekday();
    let flags = [
        ("--repositories", REPOSITORIES.to_string()),
        ("--runs-per-day", RUNS_PER_DAY.to_string()),
        ("--latency-ms", LATENCY_MS.to_string()),
    ];
    let bench = Bench::start(uptake, SCENARIO, &flags).await?;
    let list = bench.store().join("config/repositories.yml");
    fs::create_dir_all(list.parent().context("the list has no folder")?)?;
    fs::write(list, LIST)?;

    let Window { from, to } = Window::of_day(day);
    let first = collect(&bench, from).await?;
    let after_first = sent_so_far(&bench).await?;
    let mut of_day = Vec::new();
    for hour in hours(from, to) {
        of_day.push(collect(&bench, hour + HOUR).await?);
    }
    let sent = sent_so_far(&bench).await?.since(&after_first);

    let account = Account::read(&bench, day).await?;
    let found = account.compare(&logged(&bench, day)?)?;
    let least = account.least(&found);
    println!(
        "\n{REPOSITORIES} repositories, {} runs created on {day}, {LATENCY_MS} ms latency, release build\n",
        account.runs_of_the_day()
    );
    print_requests(&first.sent, &sent, &least);
    print_invocations(&first, &of_day);
    print_comparison(&sent, account.plain(), &found);
    let ratio = over(sent.total(), least.total());
    ensure!(
        ratio <= MOST_OVER_LEAST,
        "{ratio:.2} times the least possible requests, {MOST_OVER_LEAST} are promised"
    );
    Ok(())
}

/// The last weekday that is wholly over: CloudWatch takes nothing that is older than two weeks.
fn last_weekday() -> Date {
    let today = day_of(SystemClock.now());
    let is_weekday = |day: &Date| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let mut before = (1_i8..=3).map(|days| today.saturating_sub(days.days()));
    before.find(is_weekday).unwrap_or(today)
}

/// One scheduled start.
async fn collect(bench: &Bench, at: Timestamp) -> anyhow::Result<Hour> {
    let before = sent_so_far(bench).await?;
    bench
        .post("/_simulator/now", &json!({ "now": at + START_DELAY }))
        .await?;
    let invoked = bench
        .invoke(&["workflow-metrics", "--at", &at.to_string()], &[])
        .await?;
    let sent = sent_so_far(bench).await?.since(&before);
    ensure!(
        invoked.count("requests")? == sent.total(),
        "the answer counts other requests: {}",
        invoked.answer
    );
    Ok(Hour { invoked, sent })
}

async fn sent_so_far(bench: &Bench) -> anyhow::Result<Sent> {
    bench.get("/_simulator/requests").await
}

/// The attempts in the log that ended on the day.
fn logged(bench: &Bench, day: Date) -> anyhow::Result<Vec<AttemptId>> {
    #[derive(Deserialize)]
    struct Line {
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        #[serde(flatten)]
        id: AttemptId,
        ended_at: Timestamp,
    }
    let mut found = Vec::new();
    let mut folders = vec![bench.store().join("cloudwatch/logs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in fs::read_to_string(&path)?.lines() {
                let Line { message } = serde_json::from_str(line).with_context(|| path.display().to_string())?;
                if day_of(message.ended_at) == day {
                    found.push(message.id);
                }
            }
        }
    }
    Ok(found)
}

fn print_requests(first: &Sent, sent: &Sent, least: &Least) {
    let rows = [
        (
            "repositories of both organisations",
            "/orgs/{org}/repos",
            least.repositories,
        ),
        ("lists of runs", "/actions/runs", least.runs + least.reruns),
        (
            "jobs of attempts that ended",
            "/actions/runs/{run_id}/attempts/{attempt}/jobs",
            least.jobs,
        ),
        ("runs still under way, one by one", "/actions/runs/{run_id}", 0),
        (
            "earlier attempts of re-runs",
            "/actions/runs/{run_id}/attempts/{attempt}",
            0,
        ),
        ("workflows", "/actions/workflows", least.workflows),
        (
            "last run of a workflow nobody saw run",
            "/actions/workflows/{workflow_id}/runs",
            0,
        ),
    ];
    println!("| requests | least | the day | first start |");
    println!("|---|---|---|---|");
    for (kind, route, least) in rows {
        println!("| {kind} | {least} | {} | {} |", sent.of(route), first.of(route));
    }
    println!("| all | {} | {} | {} |", least.total(), sent.total(), first.total());
    println!(
        "| of them unchanged (304), which GitHub does not count | | {} | {} |",
        sent.unchanged(),
        first.unchanged()
    );
    println!(
        "\nThe day took {:.3} times the least, {MOST_OVER_LEAST} is promised; {:.1} % of it was unchanged. The least is, every \
         hour, the\npages of 100 repositories and those of 100 runs created in the hour, one a repository where there are none \
         ({});\nonce a day, the pages of the {RERUN_DAYS} days before that hold runs, for re-runs ({}), and the workflows; once, \
         the jobs of\nevery attempt in the log (a second page of them, or a window cut in halves, is not in the least).",
        over(sent.total(), least.total()),
        100.0 * over(sent.unchanged(), sent.total()),
        least.runs,
        least.reruns
    );
}

fn print_invocations(first: &Hour, of_day: &[Hour]) {
    let mut by_time: Vec<&Hour> = of_day.iter().collect();
    by_time.sort_by(|one, other| one.invoked.seconds.total_cmp(&other.invoked.seconds));
    let median = by_time.get(by_time.len() / 2).copied();
    println!(
        "\n| invocation | requests | counted by GitHub | seconds | waits at GitHub's pace, seconds | peak memory |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, hour) in [
        ("first start", Some(first)),
        ("an hour: the median", median),
        ("an hour: the slowest", by_time.last().copied()),
        (
            "an hour: the busiest",
            of_day.iter().max_by_key(|hour| hour.sent.total()),
        ),
    ] {
        if let Some(Hour { invoked, sent }) = hour {
            println!(
                "| {name} | {} | {} | {:.1} | {} | {} MiB |",
                sent.total(),
                sent.total() - sent.unchanged(),
                invoked.seconds,
                (sent.total().saturating_sub(1) / REQUESTS_PER_MINUTE) * 60,
                invoked.peak_mib
            );
        }
    }
    let peak = of_day
        .iter()
        .map(|hour| hour.invoked.peak_mib)
        .max()
        .unwrap_or_default();
    println!(
        "\nMost memory of any hour: {peak} MiB. On loopback the client does not wait; GitHub takes {REQUESTS_PER_MINUTE} requests \
         a minute."
    );
}

fn print_comparison(sent: &Sent, plain: u64, found: &Found) {
    let Found { ended, logged, later } = found;
    println!(
        "A plain client that every hour lists the last 24 hours and asks for each run and its jobs would send {plain} requests,\n\
         {:.0} times as many (computed, not run).",
        over(plain, sent.total())
    );
    println!(
        "{ended} attempts ended that day: {logged} are in the log, each once, and {later} re-runs that began on it are still \
         to be found;\nre-runs are looked for once a day."
    );
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn over(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
