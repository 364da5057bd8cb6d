//! `make bench`: what the functions cost, as the release binary runs them against a simulator in its own process.

mod audit;
mod least;
mod licenses;
mod seats;
mod workflows;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

const TOKEN: &str = "simulated-classic-token";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measurement {
    Seats,
    Workflows,
    Licenses,
    Audit,
}

/// Measures one thing, or all of them; what breaks a promise keeps nothing else from being measured.
pub(crate) async fn run(root: &Path, only: Option<Measurement>) -> anyhow::Result<()> {
    let uptake = root.join("target/release/uptake");
    ensure!(uptake.exists(), "{} is not built; use `make bench`", uptake.display());
    let mut faults = Vec::new();
    for measurement in Measurement::value_variants() {
        if only.is_some_and(|only| only != *measurement) {
            continue;
        }
        let measured = match measurement {
            Measurement::Seats => seats::run(&uptake).await,
            Measurement::Workflows => workflows::run(&uptake).await,
            Measurement::Licenses => licenses::run(&uptake).await,
            Measurement::Audit => audit::run(&uptake).await,
        };
        if let Err(error) = measured {
            faults.push(format!("{measurement:?}: {error:#}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// A simulator, and a folder to store into; both go with the measurement.
struct Bench {
    uptake: PathBuf,
    folder: TempDir,
    url: String,
    client: reqwest::Client,
    _simulator: Running,
}

/// Ends the simulator with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One invocation.
struct Invoked {
    answer: Value,
    seconds: f64,
    peak_mib: u64,
}

impl Bench {
    async fn start(uptake: &Path, scenario: &str, flags: &[(&str, String)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let scenario_file = folder.path().join("scenario.toml");
        fs::write(&scenario_file, scenario)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let simulator = Command::new(uptake)
            .args(["simulate", "--listen", &address.to_string()])
            .args(flags.iter().flat_map(|(flag, value)| [*flag, value.as_str()]))
            .arg("--scenario")
            .arg(&scenario_file)
            .stdout(Stdio::null())
            .spawn()?;
        let bench = Self {
            uptake: uptake.to_owned(),
            folder,
            url: format!("http://{address}"),
            client: reqwest::Client::new(),
            _simulator: Running(simulator),
        };
        bench.wait().await?;
        Ok(bench)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..100 {
            if self.get::<Value>("/_simulator/requests").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the simulator does not answer at {}", self.url)
    }

    /// Asks the simulator itself.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Tells the simulator itself.
    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Runs a function to its end, which has to be a complete one.
    async fn invoke(&self, arguments: &[&str], settings: &[(&str, &str)]) -> anyhow::Result<Invoked> {
        // An hour of the past is past due, and says so each time: told only where something is wrong.
        let messages = self.folder.path().join("stderr");
        let begun = now();
        let mut job = Command::new(&self.uptake)
            .args(["run", "--json"])
            .args(arguments)
            .env("UPTAKE_STORE", format!("file://{}", self.store().display()))
            .env("UPTAKE_GITHUB_API_URL", &self.url)
            .env("UPTAKE_GITHUB_TOKEN", TOKEN)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(File::create(&messages)?)
            .spawn()?;
        let mut peak_mib = 0;
        while job.try_wait()?.is_none() {
            peak_mib = peak_memory_mib(job.id()).unwrap_or(peak_mib).max(peak_mib);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let output = job.wait_with_output()?;
        let answer: Value = serde_json::from_slice(&output.stdout).context("the answer is not JSON")?;
        if answer["status"] != "complete" {
            bail!("{answer}\n{}", fs::read_to_string(messages)?);
        }
        Ok(Invoked {
            answer,
            seconds,
            peak_mib,
        })
    }
}

impl Invoked {
    fn count(&self, name: &str) -> anyhow::Result<u64> {
        self.answer["counts"][name].as_u64().context("a count is missing")
    }
}

/// The high-water mark of a process, as Linux keeps it.
fn peak_memory_mib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}
