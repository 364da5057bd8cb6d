//! `make bench`: what 50,000 seats cost, as the release binary runs them against the simulator in a process of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use jiff::civil::{Date, date};
use serde_json::{Value, json};

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

/// Ends the simulator with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn run(root: &Path) -> anyhow::Result<()> {
    let uptake = root.join("target/release/uptake");
    ensure!(uptake.exists(), "{} is not built; use `make bench`", uptake.display());
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("scenario.toml");
    fs::write(&scenario, SCENARIO)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("http://127.0.0.1:{port}");
    let simulator = Command::new(&uptake)
        .arg("simulate")
        .args(["--listen", &format!("127.0.0.1:{port}"), "--seats", &SEATS.to_string()])
        .args([
            "--latency-ms",
            &LATENCY_MS.to_string(),
            "--today",
            &FIRST_DAY.to_string(),
        ])
        .arg("--scenario")
        .arg(&scenario)
        .stdout(Stdio::null())
        .spawn()?;
    let _simulator = Running(simulator);
    wait_for(&url).await?;

    let job = Job {
        uptake,
        store: format!("file://{}", folder.path().join("store").display()),
        url: url.clone(),
    };
    let first = job.collect(FIRST_DAY).await?;
    let client = reqwest::Client::new();
    client
        .post(format!("{url}/_simulator/today"))
        .json(&json!({ "today": NEXT_DAY }))
        .send()
        .await?
        .error_for_status()?;
    let next = job.collect(NEXT_DAY).await?;
    let plain = plain_client(&client, &url, first.people).await?;
    report(&first, &next, &plain);
    for (cost, most) in [&first, &next].into_iter().zip(MOST_REQUESTS) {
        ensure!(cost.requests <= most, "{} requests, {most} are promised", cost.requests);
    }
    Ok(())
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

struct Job {
    uptake: PathBuf,
    store: String,
    url: String,
}

impl Job {
    async fn collect(&self, day: Date) -> anyhow::Result<Cost> {
        let begun = now();
        let mut job = Command::new(&self.uptake)
            .args(["run", "copilot-seats", "--json", "--date", &day.to_string()])
            .env("UPTAKE_STORE", &self.store)
            .env("UPTAKE_GITHUB_API_URL", &self.url)
            .env("UPTAKE_GITHUB_ENTERPRISE", "octo-enterprise")
            .env("UPTAKE_GITHUB_TOKEN", "simulated-classic-token")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut peak_mib = 0;
        while job.try_wait()?.is_none() {
            peak_mib = peak_memory_mib(job.id()).unwrap_or(peak_mib).max(peak_mib);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let output = job.wait_with_output()?;
        let answer: Value = serde_json::from_slice(&output.stdout).context("the answer is not JSON")?;
        ensure!(answer["status"] == "complete", "{answer}");
        let count = |name: &str| answer["counts"][name].as_u64().context("a count is missing");
        Ok(Cost {
            requests: count("requests")?,
            people: count("stored")?,
            seconds,
            peak_mib,
        })
    }
}

/// The high-water mark of a process, as Linux keeps it.
fn peak_memory_mib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024)
}

async fn plain_client(client: &reqwest::Client, url: &str, people: u64) -> anyhow::Result<Cost> {
    let pages = SEATS.div_ceil(PLAIN_PAGE);
    let ask = |path: String| {
        client
            .get(format!("{url}{path}"))
            .bearer_auth("simulated-classic-token")
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

async fn wait_for(url: &str) -> anyhow::Result<()> {
    for _ in 0..100 {
        if reqwest::get(format!("{url}/_simulator/requests")).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the simulator does not answer at {url}")
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}
