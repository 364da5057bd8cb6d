//! The command as people type it: the real binary, its output and its exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod engagement;
mod subscription;

mod keys;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde_json::Value;
use tokio::process::Command;
use uptake_domain::calendar::{Window, day_of};
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, ENTERPRISE, Scenario, Settings, Simulator, TENANT, TOKEN};

const DAY: Date = date(2026, 11, 20);
const STORM: &str = include_str!("../../../simulator/scenarios/storm.toml");
const NO_GRAPHQL: &str = include_str!("../../../simulator/scenarios/no-graphql.toml");
const FORBIDDEN: &str = include_str!("../../../simulator/scenarios/missing-permission.toml");

/// A folder, an environment and nothing else: the process sees no variable of the machine.
struct Laptop {
    folder: tempfile::TempDir,
    variables: BTreeMap<&'static str, String>,
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Laptop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("file://{}", folder.path().display());
        Self {
            folder,
            variables: BTreeMap::from([("UPTAKE_STORE", store)]),
        }
    }

    fn with_github(simulator: &Simulator) -> Self {
        let mut laptop = Self::new();
        laptop.set("UPTAKE_GITHUB_API_URL", &simulator.url());
        laptop.set("UPTAKE_GITHUB_ENTERPRISE", ENTERPRISE);
        laptop.set("UPTAKE_GITHUB_TOKEN", TOKEN);
        laptop.set("UPTAKE_SENDER", "uptake@octo.example");
        laptop
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(key)
    }

    fn write(&self, key: &str, text: &str) {
        fs::create_dir_all(self.path(key).parent().unwrap()).unwrap();
        fs::write(self.path(key), text).unwrap();
    }

    async fn uptake(&self, line: &str) -> Ended {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_uptake"))
            .args(line.split_whitespace())
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.folder.path())
            .output()
            .await
            .unwrap();
        Ended {
            code: status.code().unwrap(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

async fn simulator(seats: u32, scenario: &str) -> Simulator {
    let settings = Settings::new(seats, 7, DAY).with_scenario(Scenario::parse(scenario).unwrap());
    Simulator::start(settings).await.unwrap()
}

#[tokio::test]
async fn a_report_and_its_mail_come_from_two_commands() {
    let simulator = simulator(60, "").await;
    let laptop = Laptop::with_github(&simulator);
    laptop.write("config/emails.json", r#"{"emails": ["owner@octo.example"]}"#);

    let seats = laptop.uptake("run copilot-seats --date 2026-11-20 --json").await;
    assert_eq!(seats.code, 0, "{}", seats.stderr);
    let answer: Value = serde_json::from_str(&seats.stdout).unwrap();
    assert_eq!(answer["status"], "complete");
    assert_eq!(answer["window"]["from"], "2026-11-20T00:00:00Z");
    assert_eq!(answer["counts"]["stored"], simulator.truth().seats);
    assert!(laptop.path("reports/copilot_billing_seats_2026_11_20.csv").exists());
    assert!(laptop.path("cloudwatch/metrics/2026-11-20.jsonl").exists());

    let mail = laptop.uptake("run mailer --date 2026-11-20").await;
    assert_eq!(mail.code, 0, "{}", mail.stderr);
    assert!(
        mail.stdout.contains("complete") && mail.stdout.contains("published"),
        "{}",
        mail.stdout
    );
    assert!(laptop.path("mail/2026-11-20/copilot-seats-1.eml").exists());

    let quarantine = laptop.uptake("quarantine list").await;
    assert!(
        quarantine.stdout.contains("copilot-seats 2026-11-20"),
        "{}",
        quarantine.stdout
    );
    let shown = laptop.uptake("quarantine show copilot-seats 2026-11-20").await;
    assert!(shown.stdout.contains("the seat has no assignee"), "{}", shown.stdout);
    assert_eq!(laptop.uptake("quarantine show copilot-seats 2026-11-19").await.code, 1);
}

#[tokio::test]
async fn the_scheduler_leaves_a_finished_day_alone() {
    let simulator = simulator(60, "").await;
    let laptop = Laptop::with_github(&simulator);
    for expected in ["complete", "nothing_to_do"] {
        let ended = laptop
            .uptake("run copilot-seats --at 2026-11-20T06:00:00Z --json")
            .await;
        let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, answer["status"].as_str()), (0, Some(expected)));
    }
}

#[tokio::test]
async fn each_ending_has_its_exit_code() {
    let incomplete = "[[fault]]\nroute = \"/enterprises/{enterprise}/teams\"\nevery = 1\nkind = \"forbidden\"\n";
    let simulator = simulator(60, incomplete).await;
    let mut laptop = Laptop::with_github(&simulator);
    let run = "run copilot-seats --date 2026-11-20";

    let ended = laptop.uptake(run).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stdout.contains("read:enterprise"), "{}", ended.stdout);

    laptop.set("UPTAKE_GITHUB_TOKEN", "wrong");
    let ended = laptop.uptake(run).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("renew the token"), "{}", ended.stderr);
    let ended = laptop.uptake(&format!("{run} --json")).await;
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (answer["status"].as_str(), answer["error_type"].as_str()),
        (Some("failed"), Some("Credentials"))
    );

    laptop.set("UPTAKE_GITHUB_API_URL", "http://api.github.com");
    laptop.set("UPTAKE_GITHUB_TOKEN", "");
    laptop.set("UPTAKE_SMALLEST_GROUP", "few");
    let store = laptop.variables["UPTAKE_STORE"].clone();
    laptop.set("UPTAKE_STORE", "s3://bucket");
    let ended = laptop.uptake(run).await;
    laptop.set("UPTAKE_STORE", &store);
    assert_eq!(ended.code, 2);
    for fault in [
        "UPTAKE_STORE",
        "UPTAKE_GITHUB_API_URL",
        "UPTAKE_GITHUB_TOKEN is not set",
        "UPTAKE_SMALLEST_GROUP",
    ] {
        assert!(ended.stderr.contains(fault), "{fault} not in {}", ended.stderr);
    }

    let ended = laptop.uptake("run mailer --date 2026-11-20").await;
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("config/emails.json"), "{}", ended.stderr);

    assert_eq!(laptop.uptake("run nothing").await.code, 2);
    assert_eq!(laptop.uptake("run copilot-seats --date soon").await.code, 2);
}

#[tokio::test]
async fn no_person_and_no_token_is_in_any_log_line() {
    let wrong_token = "hush-this-is-no-token";
    let mut said = String::new();
    let mut identities = vec![TOKEN.to_owned(), wrong_token.to_owned(), "licence-owner".to_owned()];
    for scenario in [STORM, NO_GRAPHQL, FORBIDDEN] {
        let simulator = simulator(300, scenario).await;
        let mut laptop = Laptop::with_github(&simulator);
        laptop.write("config/emails.json", r#"{"emails": ["licence-owner@octo.example"]}"#);
        for line in [
            "-vv run copilot-seats --date 2026-11-20",
            "-vv run copilot-seats --date 2026-11-20 --json",
            "-vv run mailer --date 2026-11-20",
        ] {
            let ended = laptop.uptake(line).await;
            said += &(ended.stdout + &ended.stderr);
        }
        laptop.set("UPTAKE_GITHUB_TOKEN", wrong_token);
        laptop.set("UPTAKE_SENDER", "licence-owner at octo.example");
        laptop.write("config/emails.json", r#"{"emails": ["licence-owner octo.example"]}"#);
        for line in [
            "-vv run copilot-seats --date 2026-11-20",
            "-vv run mailer --date 2026-11-20",
        ] {
            let ended = laptop.uptake(line).await;
            said += &(ended.stdout + &ended.stderr);
        }
        identities.extend(simulator.identities());
    }
    for trace in [
        "rate limit is reached",
        "one by one",
        "manage_billing:copilot",
        "renew the token",
        "UPTAKE_SENDER",
    ] {
        assert!(said.contains(trace), "{trace} is not in {said}");
    }
    assert!(identities.len() > 1_000);
    for identity in identities.iter().filter(|identity| identity.len() > 3) {
        assert!(!said.contains(identity.as_str()), "{identity}");
    }
}

/// A GitHub as of now, a token for it, and a list of repositories.
async fn with_repositories(scenario: &str) -> (Simulator, Laptop, Date) {
    let yesterday = day_of(SystemClock.now()).yesterday().unwrap();
    let scenario = format!("secondary_limit = 100_000\n{scenario}");
    let settings = Settings {
        runs_per_day: 60,
        ..Settings::new(60, 7, yesterday)
    };
    let settings = settings.with_scenario(Scenario::parse(&scenario).unwrap());
    let simulator = Simulator::start(settings).await.unwrap();
    let laptop = Laptop::with_github(&simulator);
    let list = "discover: {organisations: [octo-org]}\nteams: {payments: ['octo-org/pay-*']}\n";
    laptop.write("config/repositories.yml", list);
    (simulator, laptop, yesterday)
}

#[tokio::test]
async fn a_day_of_workflow_runs_comes_from_one_command_and_earlier_days_from_another() {
    let (simulator, laptop, yesterday) = with_repositories("").await;
    let ended = laptop.uptake(&format!("run workflow-metrics --date {yesterday}")).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for told in ["workflow-metrics", "complete", "run attempts", "cloudwatch/logs"] {
        assert!(ended.stdout.contains(told), "{told} is not in {}", ended.stdout);
    }
    let before = yesterday.saturating_sub(2.days());
    let line = format!("backfill workflow-metrics --from {before} --to {before} --json");
    let ended = laptop.uptake(&line).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    let window = Window::of_day(before);
    assert_eq!(answer["window"]["from"], window.from.to_string());
    let attempts = simulator
        .run_attempts(window.from, Window::of_day(yesterday).from)
        .into_iter();
    let attempts = attempts.filter(|attempt| attempt.organisation == "octo-org");
    let attempts = attempts.filter(|attempt| {
        let two_days = window.from..Window::of_day(yesterday).from;
        two_days.contains(&attempt.ended_at)
    });
    assert_eq!(
        answer["counts"]["stored"],
        attempts.count(),
        "the day between is made up for as well"
    );

    for (line, code, told) in [
        (
            "backfill copilot-seats --from 2026-11-01 --to 2026-11-02",
            2,
            "present seats only",
        ),
        (
            "backfill workflow-metrics --from 2026-11-02 --to 2026-11-01",
            2,
            "--from is after --to",
        ),
        ("backfill workflow-metrics --from 2026-11-02", 2, "--to"),
    ] {
        let ended = laptop.uptake(line).await;
        assert_eq!(ended.code, code, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(told), "{line}: {}", ended.stderr);
    }
    laptop.write("config/repositories.yml", "teams:\n  payments: [pay-api]\n");
    let ended = laptop.uptake("run workflow-metrics").await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("line 2: 'pay-api' is no repository"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn no_log_line_about_workflow_runs_names_a_person() {
    let mut said = String::new();
    let mut identities = vec![TOKEN.to_owned()];
    for scenario in [
        "[[fault]]\nroute = '*'\nevery = 9\nkind = 'server_error'",
        "forbidden_repositories = ['octo-org/pay-api']",
    ] {
        let (simulator, laptop, yesterday) = with_repositories(scenario).await;
        let ended = laptop
            .uptake(&format!("-vv run workflow-metrics --date {yesterday}"))
            .await;
        said += &(ended.stdout + &ended.stderr);
        identities.extend(simulator.identities());
    }
    for trace in ["trying again", "Actions: read", "octo-org/pay-api"] {
        assert!(said.contains(trace), "{trace} is not in {said}");
    }
    for identity in identities.iter().filter(|identity| identity.len() > 3) {
        assert!(!said.contains(identity.as_str()), "{identity}");
    }
}

async fn with_tenant(scenario: &str) -> (Simulator, Laptop) {
    let mut settings = Settings::new(10, 7, DAY);
    settings.tenant_users = 60;
    let simulator = Simulator::start(settings.with_scenario(Scenario::parse(scenario).unwrap()))
        .await
        .unwrap();
    let mut laptop = Laptop::new();
    laptop.set("UPTAKE_LOGIN_URL", &simulator.url());
    laptop.set("UPTAKE_GRAPH_URL", &simulator.url());
    laptop.set("UPTAKE_TENANT_ID", TENANT);
    laptop.set("UPTAKE_CLIENT_ID", CLIENT_ID);
    laptop.set("UPTAKE_CLIENT_SECRET", CLIENT_SECRET);
    (simulator, laptop)
}

#[tokio::test]
async fn licences_are_scored_and_shown_by_three_commands() {
    let (simulator, laptop) = with_tenant("report_lag_days = [1, 1]\nmissing_report_percent = 0").await;
    // A day whose report has a row that cannot be read.
    let day = DAY
        .series(1.day())
        .find(|day| simulator.rejected_usage_rows(day.yesterday().unwrap()) > 0);
    let day = day.unwrap();
    simulator.set_today(day);
    let usage = laptop.uptake(&format!("run m365-usage --date {day} --json")).await;
    assert_eq!(usage.code, 0, "{}", usage.stderr);
    let answer: Value = serde_json::from_str(&usage.stdout).unwrap();
    assert_eq!(answer["status"], "complete");
    let people = simulator.tenant(day).users;
    let licensed = people.iter().filter(|user| !user.skus.is_empty()).count();
    let scores = laptop.uptake(&format!("run scoring --date {day}")).await;
    assert_eq!(scores.code, 0, "{}", scores.stderr);
    assert!(
        scores.stdout.contains("reports/underutilized_licenses_"),
        "{}",
        scores.stdout
    );

    let shown = laptop
        .uptake("lake show gold_copilot_usage_scores --rows 1000 --json")
        .await;
    let rows: Vec<Value> = shown
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), licensed);
    assert!(rows.iter().all(|row| row["score_on"] == day.to_string()));
    let one = laptop
        .uptake("lake show silver_rejected --where rejected_on=2026-11-20")
        .await;
    assert_eq!(one.code, 0, "{}", one.stderr);
    assert!(one.stdout.contains("Which check failed."), "{}", one.stdout);
    let quarantine = laptop.uptake("quarantine list").await;
    assert!(
        quarantine.stdout.contains(&format!("m365_copilot_usage_d7 {day}")),
        "{}",
        quarantine.stdout
    );
    let record = laptop
        .uptake(&format!("quarantine show m365_copilot_usage_d7 {day}"))
        .await;
    assert!(record.stdout.contains("usage_"), "{}", record.stdout);
    for (line, code, told) in [
        ("lake show nothing", 2, "lake tables"),
        ("lake show gold_copilot_seats", 1, "not there yet"),
        ("lake show silver_users --where upn=x", 2, "leave --where out"),
        ("lake show gold_copilot_usage --where upn=x", 2, "day=VALUE"),
        (
            "backfill m365-usage --from 2026-11-01 --to 2026-11-02",
            2,
            "present directory only",
        ),
        ("backfill scoring --from 2026-11-01 --to 2026-11-02", 2, "--date"),
    ] {
        let ended = laptop.uptake(line).await;
        assert_eq!(ended.code, code, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(told), "{line}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn what_is_missing_for_microsoft_is_told_at_once_and_a_wrong_secret_says_what_to_do() {
    let (_simulator, mut laptop) = with_tenant("").await;
    laptop.set("UPTAKE_CLIENT_SECRET", "not-the-secret");
    let ended = laptop.uptake("run m365-usage --date 2026-11-20").await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("secret") && !ended.stderr.contains("not-the-secret"),
        "{}",
        ended.stderr
    );
    let none = Laptop::new().uptake("run m365-usage").await;
    assert_eq!(none.code, 2);
    for name in ["UPTAKE_TENANT_ID", "UPTAKE_CLIENT_ID", "UPTAKE_CLIENT_SECRET"] {
        assert!(none.stderr.contains(name), "{name}: {}", none.stderr);
    }
    laptop.set("UPTAKE_LICENSE_PRICE", "30 dollars");
    laptop.set("UPTAKE_UNDERUTILIZED_THRESHOLD", "120");
    let faults = laptop.uptake("run scoring").await;
    assert_eq!(faults.code, 2);
    for told in [
        "UPTAKE_LICENSE_PRICE: must be a number",
        "UPTAKE_UNDERUTILIZED_THRESHOLD: must be",
    ] {
        assert!(faults.stderr.contains(told), "{told}: {}", faults.stderr);
    }
}

#[tokio::test]
async fn no_log_line_about_licences_names_a_person() {
    let mut said = String::new();
    let mut identities = vec![CLIENT_SECRET.to_owned()];
    for scenario in [
        "[[fault]]\nroute = '*'\nevery = 5\nkind = 'server_error'",
        "[[fault]]\nroute = '/v1.0/users'\nevery = 1\nkind = 'forbidden'",
        "usage_report_delivery = 'redirect'",
    ] {
        let (simulator, laptop) = with_tenant(scenario).await;
        for line in [
            "-vv run m365-usage --date 2026-11-20",
            "-vv run scoring --date 2026-11-20",
        ] {
            let ended = laptop.uptake(line).await;
            said += &(ended.stdout + &ended.stderr);
        }
        identities.extend(simulator.identities());
    }
    for trace in ["trying again", "User.Read.All", "directory stored"] {
        assert!(said.contains(trace), "{trace} is not in {said}");
    }
    for identity in identities.iter().filter(|identity| identity.len() > 4) {
        assert!(!said.contains(identity.as_str()), "{identity}");
    }
    assert!(
        !said.contains("_downloads/"),
        "the address of a download is a credential"
    );
}

#[tokio::test]
async fn the_demo_runs_a_week_and_then_a_day_and_keeps_off_real_data() {
    let laptop = Laptop::new();
    let first = laptop.uptake("demo --seats 60").await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    let reports = || fs::read_dir(laptop.path("reports")).unwrap().count();
    assert_eq!(reports(), 14, "seats and idle licences of seven days");
    for name in [
        "report ",
        "mail ",
        "metrics ",
        "run attempts ",
        "idle licences ",
        "weekly digest ",
        "licence digest ",
    ] {
        let line = first
            .stdout
            .lines()
            .find(|line| line.trim_start().starts_with(name))
            .unwrap();
        let path = line.split_whitespace().last().unwrap();
        assert!(PathBuf::from(path).exists(), "{path}");
    }
    let tables = laptop.uptake("lake tables").await;
    assert!(
        tables.stdout.contains("gold_copilot_usage_scores") && !tables.stdout.contains("not there yet"),
        "every table has been written: {}",
        tables.stdout
    );
    let kept = fs::read(laptop.path("state/demo.json")).unwrap();
    assert_eq!(laptop.uptake("demo").await.code, 0);
    assert_eq!(reports(), 16);
    assert_ne!(fs::read(laptop.path("state/demo.json")).unwrap(), kept);

    fs::remove_file(laptop.path("state/demo.json")).unwrap();
    let refused = laptop.uptake("demo").await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("set UPTAKE_STORE"), "{}", refused.stderr);
    assert_eq!(reports(), 16);
}

#[tokio::test]
async fn the_simulator_refuses_what_is_not_loopback_and_explains_a_bad_scenario() {
    let laptop = Laptop::new();
    let ended = laptop.uptake("simulate --listen 0.0.0.0:0").await;
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("bind it to 127.0.0.1"), "{}", ended.stderr);
    laptop.write(
        "bad.toml",
        "seats = 100\n[[fault]]\nroute = \"*\"\nkind = \"typo\"\nevery = 1\n",
    );
    let ended = laptop.uptake("simulate --scenario bad.toml").await;
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("bad.toml") && ended.stderr.contains("typo"),
        "{}",
        ended.stderr
    );
}
