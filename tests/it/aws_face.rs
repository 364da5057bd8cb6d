//! The AWS face as it is deployed: the release binaries under a Runtime API, against moto and the simulator.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use uptake_domain::calendar::{Window, day_of};
use uptake_pipeline::config::VARIABLES;
use uptake_pipeline::ports::{Clock, SystemClock};
use uptake_simulator::{CLIENT_SECRET, ENTERPRISE, Scenario, Settings, Simulator, TOKEN};

use crate::actions::REPOSITORIES;
use crate::moto::Moto;
use crate::runtime_api::{Function, RuntimeApi};

pub(crate) const BUCKET: &str = "octo-uptake";
pub(crate) const STORE: &str = "s3://octo-uptake/prod";
const TOKEN_PARAMETER: &str = "/uptake/github-token";
pub(crate) const SENDER: &str = "uptake@octo.example";
pub(crate) const RECIPIENTS: [&str; 3] = [
    "finance@octo.example",
    "platform-lead@octo.example",
    "tools@contoso.example",
];
const CSV_HEADER: &str =
    "Username,Email,Created At,Last Activity At,Last Active Editor,Editor Version,Plugin,Plugin Version,Team Slug";

/// Everything a deployment has: AWS with a token, recipients and a list of repositories, GitHub, and a platform that runs
/// functions.
pub(crate) struct Deployment {
    pub(crate) moto: Moto,
    pub(crate) simulator: Simulator,
    platform: RuntimeApi,
    pub(crate) now: Timestamp,
}

impl Deployment {
    async fn start() -> Self {
        Self::of(300, 100).await
    }

    /// With so many seats, and workflow runs a day.
    pub(crate) async fn of(seats: u32, runs_per_day: u32) -> Self {
        let now = SystemClock.now();
        // Hours pass in seconds here; GitHub's points a minute are meant for real ones.
        let scenario = Scenario::parse("secondary_limit = 1_000_000\nprimary_limit = 1_000_000").unwrap();
        let mut settings = Settings::new(seats, 11, day_of(now)).with_scenario(scenario);
        settings.runs_per_day = runs_per_day;
        Self::with(settings, now).await
    }

    /// In a world of one's own.
    pub(crate) async fn with(settings: Settings, now: Timestamp) -> Self {
        Self::on(Moto::start().await, settings, now).await
    }

    /// On an AWS of one's own.
    pub(crate) async fn on(moto: Moto, settings: Settings, now: Timestamp) -> Self {
        let (simulator, platform) = tokio::join!(Simulator::start(settings), RuntimeApi::start());
        moto.call(&json!([
            ["s3", "create_bucket", {"Bucket": BUCKET}],
            ["s3", "put_object", {
                "Bucket": BUCKET, "Key": "prod/config/emails.json", "Body": json!({"emails": RECIPIENTS}).to_string(),
            }],
            ["s3", "put_object", {"Bucket": BUCKET, "Key": "prod/config/repositories.yml", "Body": REPOSITORIES}],
            ["ssm", "put_parameter", {"Name": TOKEN_PARAMETER, "Value": TOKEN, "Type": "SecureString"}],
            ["ses", "verify_email_identity", {"EmailAddress": SENDER}],
        ]));
        Self {
            moto,
            simulator: simulator.unwrap(),
            platform,
            now,
        }
    }

    /// Starts a function as Terraform sets it up, except for `changes`. Its log asks for everything there is.
    pub(crate) fn function(&self, name: &str, changes: &[(&str, &str)]) -> Function {
        let github = self.simulator.url();
        let mut environment: Vec<(&str, &str)> = self.moto.environment().to_vec();
        environment.extend([
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
            ("RUST_LOG", "trace"),
            ("UPTAKE_STORE", STORE),
            ("UPTAKE_GITHUB_API_URL", &github),
            ("UPTAKE_GITHUB_ENTERPRISE", ENTERPRISE),
            ("UPTAKE_GITHUB_TOKEN_PARAMETER", TOKEN_PARAMETER),
            ("UPTAKE_SENDER", SENDER),
        ]);
        environment.extend(changes);
        self.platform.function(name, &environment)
    }

    pub(crate) fn trigger(&self) -> Value {
        json!({"scheduled_time": self.now})
    }

    pub(crate) fn object(&self, key: &str) -> String {
        let object = self.moto.call_one(
            "s3",
            "get_object",
            &json!({"Bucket": BUCKET, "Key": format!("prod/{key}")}),
        );
        object["Body"].as_str().unwrap().to_owned()
    }

    /// What a dashboard reads for a day, one figure per `(metric, dimensions)`.
    fn figures(&self, series: &[(String, Value)], day: Date) -> Vec<Option<f64>> {
        let Window { from, to } = Window::of_day(day);
        let calls: Vec<Value> = series
            .iter()
            .map(|(metric, dimensions)| {
                json!(["cloudwatch", "get_metric_statistics", {
                    "Namespace": "Uptake/Copilot", "MetricName": metric, "Dimensions": dimensions,
                    "StartTime": from, "EndTime": to, "Period": 86_400, "Statistics": ["Maximum"],
                }])
            })
            .collect();
        let answers = self.moto.call(&calls.into());
        answers
            .iter()
            .map(|answer| answer["Datapoints"][0]["Maximum"].as_f64())
            .collect()
    }

    /// Asserts that `text` names nobody and holds no credential.
    pub(crate) fn assert_names_nobody(&self, text: &str) {
        let identities = self.simulator.identities();
        let secrets = RECIPIENTS
            .iter()
            .copied()
            .chain([TOKEN, CLIENT_SECRET])
            .map(str::to_owned);
        for secret in identities.into_iter().chain(secrets) {
            assert!(!text.contains(&secret), "'{secret}' stands in:\n{text}");
        }
    }
}

#[tokio::test]
async fn a_day_on_aws_ends_with_a_report_figures_and_one_mail_each() {
    let deployment = Deployment::start().await;
    let day = day_of(deployment.now);
    let truth = deployment.simulator.truth();
    let seats = deployment.function("copilot-seats", &[]);
    let mailer = deployment.function("mailer", &[]);

    let answer = seats.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert_eq!(answer["counts"]["stored"], truth.seats, "{answer}");
    assert_eq!(answer["counts"]["quarantined"], truth.undecodable, "{answer}");

    let csv = deployment.object(&format!(
        "reports/copilot_billing_seats_{}.csv",
        day.strftime("%Y_%m_%d")
    ));
    let (header, rows) = csv.split_once("\r\n").or(csv.split_once('\n')).unwrap();
    assert_eq!(header, CSV_HEADER);
    let logins: BTreeSet<&str> = rows.lines().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(logins, truth.people.keys().map(String::as_str).collect());
    assert_eq!(rows.lines().count() as u64, truth.seats);

    let overall = [
        ("Seats", truth.seats),
        ("SeatsActive7Days", truth.active_7_days),
        ("SeatsActive28Days", truth.active_28_days),
        ("SeatsIdle", truth.idle),
        ("SeatsNeverUsed", truth.never_used),
        ("SeatsPendingCancellation", truth.pending_cancellation),
    ];
    let mut series: Vec<(String, Value)> = overall
        .iter()
        .map(|(name, _)| ((*name).to_owned(), json!([])))
        .collect();
    let mut expected: Vec<u64> = overall.iter().map(|(_, value)| *value).collect();
    let listed = deployment.moto.call_one("cloudwatch", "list_metrics", &json!({}));
    for metric in listed["Metrics"].as_array().unwrap() {
        let team = metric["Dimensions"][0]["Value"]
            .as_str()
            .and_then(|team| truth.by_team.get(team));
        if let Some(team) = team.filter(|_| metric["MetricName"] == "Seats") {
            series.push(("Seats".to_owned(), metric["Dimensions"].clone()));
            expected.push(team.seats);
        }
    }
    assert!(series.len() > overall.len(), "no team is shown by name: {listed}");
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let expected: Vec<Option<f64>> = expected.into_iter().map(|value| Some(value as f64)).collect();
    assert_eq!(deployment.figures(&series, day), expected, "{series:?}");

    let again = seats.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(again["status"], "nothing_to_do", "{again}");

    let answer = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert_eq!(answer["counts"]["published"], RECIPIENTS.len(), "{answer}");
    let again = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(again["status"], "nothing_to_do", "{again}");
    let mails = deployment.moto.mails().await;
    assert_eq!(mails.len(), RECIPIENTS.len());
    for (recipient, mail) in RECIPIENTS.iter().zip(&mails) {
        assert_eq!(mail["source"], SENDER);
        let destinations = mail["destinations"].as_array().unwrap();
        assert!(
            destinations.iter().all(|destination| destination == recipient),
            "{destinations:?}"
        );
        assert!(
            mail["raw_data"].as_str().unwrap().contains("copilot_billing_seats_"),
            "no report attached"
        );
    }

    for function in [&seats, &mailer] {
        let written = function.written();
        assert!(
            written.contains(r#""status":"complete""#) && written.contains(r#""status":"nothing_to_do""#),
            "{written}"
        );
        deployment.assert_names_nobody(&written);
    }
    let listed = deployment.moto.call_one("cloudwatch", "list_metrics", &json!({}));
    deployment.assert_names_nobody(&listed.to_string());
}

#[tokio::test]
async fn the_next_day_moves_every_record_forward() {
    let deployment = Deployment::start().await;
    let seats = deployment.function("copilot-seats", &[]);
    let yesterday = deployment.now - jiff::SignedDuration::from_hours(24);
    deployment.simulator.set_today(day_of(yesterday));
    let first = seats.invoke(json!({"scheduled_time": yesterday})).await.unwrap();
    assert_eq!(first["status"], "complete", "{first}");
    assert_eq!(first["past_due"], true, "{first}");
    deployment.simulator.set_today(day_of(deployment.now));
    let second = seats.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(second["status"], "complete", "{second}");
    assert_eq!(second["past_due"], false, "{second}");
    assert_eq!(
        second["watermark"],
        json!(Window::of_day(day_of(deployment.now)).to),
        "{second}"
    );
    assert!(
        second["counts"]["requests"].as_u64() < first["counts"]["requests"].as_u64(),
        "{first} {second}"
    );
}

#[tokio::test]
async fn faulty_settings_are_listed_together_by_every_invocation_of_a_process_that_lives_on() {
    let platform = RuntimeApi::start().await;
    let settings = [
        ("UPTAKE_STORE", "file:///data"),
        ("UPTAKE_SINKS", "paper"),
        ("UPTAKE_GITHUB_API_URL", "http://api.github.com"),
        ("UPTAKE_LOG_RETENTION_DAYS", "7"),
    ];
    for (name, faults) in [
        (
            "copilot-seats",
            [
                "UPTAKE_STORE",
                "UPTAKE_SINKS",
                "UPTAKE_GITHUB_API_URL",
                "UPTAKE_GITHUB_ENTERPRISE",
            ],
        ),
        ("mailer", ["UPTAKE_STORE", "UPTAKE_SINKS", "UPTAKE_SENDER", ""]),
        (
            "workflow-metrics",
            [
                "UPTAKE_STORE",
                "UPTAKE_SINKS",
                "UPTAKE_GITHUB_API_URL",
                "UPTAKE_LOG_RETENTION_DAYS",
            ],
        ),
        (
            "m365-usage",
            [
                "UPTAKE_STORE",
                "UPTAKE_TENANT_ID_PARAMETER is not set",
                "UPTAKE_CLIENT_ID_PARAMETER is not set",
                "UPTAKE_CLIENT_SECRET_PARAMETER is not set",
            ],
        ),
        (
            "scoring",
            ["UPTAKE_STORE", "UPTAKE_SINKS", "UPTAKE_LOG_RETENTION_DAYS", ""],
        ),
        (
            "audit-events",
            [
                "UPTAKE_STORE",
                "UPTAKE_TENANT_ID_PARAMETER is not set",
                "UPTAKE_CLIENT_ID_PARAMETER is not set",
                "UPTAKE_CLIENT_SECRET_PARAMETER is not set",
            ],
        ),
    ] {
        let function = platform.function(name, &settings);
        for _ in 0..2 {
            let error = function
                .invoke(json!({"scheduled_time": "2026-11-20T06:00:00Z"}))
                .await
                .unwrap_err();
            assert_eq!(error["errorType"], "Configuration");
            let message = error["errorMessage"].as_str().unwrap();
            assert!(faults.iter().all(|fault| message.contains(fault)), "{name}: {message}");
        }
        let written = function.written();
        assert!(
            written.contains("ERROR") && faults.iter().all(|fault| written.contains(fault)),
            "{written}"
        );
    }
}

#[tokio::test]
async fn a_payload_that_is_no_trigger_is_refused_by_name() {
    let deployment = Deployment::start().await;
    let mailer = deployment.function("mailer", &[]);
    let error = mailer
        .invoke(json!({"scheduled_time": deployment.now, "dryrun": true}))
        .await
        .unwrap_err();
    assert_eq!(error["errorType"], "Configuration");
    assert!(error["errorMessage"].as_str().unwrap().contains("`dryrun`"), "{error}");
    assert_eq!(deployment.moto.mails().await.len(), 0);
}

#[tokio::test]
async fn a_token_github_does_not_know_is_a_matter_of_credentials() {
    const WRONG: &str = "not-the-simulated-token";
    let deployment = Deployment::start().await;
    let put = |token: &str| {
        let parameter = json!({"Name": TOKEN_PARAMETER, "Value": token, "Type": "SecureString", "Overwrite": true});
        deployment.moto.call_one("ssm", "put_parameter", &parameter);
    };
    for name in ["copilot-seats", "workflow-metrics"] {
        put(WRONG);
        let function = deployment.function(name, &[]);
        let error = function.invoke(deployment.trigger()).await.unwrap_err();
        assert_eq!(error["errorType"], "Credentials", "{error}");
        let written = function.written();
        assert!(written.contains("Credentials"), "{written}");
        assert!(
            !written.contains(WRONG) && !error.to_string().contains(WRONG),
            "{written}"
        );
        deployment.assert_names_nobody(&written);

        // The right token helps without a new deployment.
        put(TOKEN);
        let answer = function.invoke(deployment.trigger()).await.unwrap();
        assert_eq!(answer["status"], "complete", "{answer}");
    }
}

#[tokio::test]
async fn what_is_missing_on_aws_is_named_with_what_to_do() {
    let deployment = Deployment::start().await;
    for (name, change, expected) in [
        (
            "copilot-seats",
            ("UPTAKE_GITHUB_TOKEN_PARAMETER", "/nothing"),
            ["SSM parameter /nothing", "create it"],
        ),
        (
            "mailer",
            ("UPTAKE_STORE", "s3://nobodys-bucket"),
            ["s3://nobodys-bucket/", "create the bucket, or correct UPTAKE_STORE"],
        ),
        (
            "copilot-seats",
            ("UPTAKE_STORE", "s3://nobodys-bucket"),
            ["s3://nobodys-bucket/", "create the bucket, or correct UPTAKE_STORE"],
        ),
        (
            "workflow-metrics",
            ("UPTAKE_STORE", "s3://nobodys-bucket"),
            ["s3://nobodys-bucket/", "create the bucket, or correct UPTAKE_STORE"],
        ),
    ] {
        let function = deployment.function(name, &[change]);
        let error = function.invoke(deployment.trigger()).await.unwrap_err();
        let message = error["errorMessage"].as_str().unwrap();
        assert!(expected.iter().all(|part| message.contains(part)), "{name}: {error}");
        deployment.assert_names_nobody(&function.written());
    }
}

#[tokio::test]
async fn a_sender_ses_does_not_know_leaves_the_mails_to_the_next_offering() {
    let deployment = Deployment::start().await;
    let seats = deployment.function("copilot-seats", &[]);
    seats.invoke(deployment.trigger()).await.unwrap();
    let mailer = deployment.function("mailer", &[("UPTAKE_SENDER", "nobody@octo.example")]);
    let answer = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "incomplete", "{answer}");
    let written = mailer.written();
    assert!(written.contains("verify the sender"), "{written}");
    deployment.assert_names_nobody(&(written + &answer.to_string()));
    drop(mailer);

    let mailer = deployment.function("mailer", &[]);
    let answer = mailer.invoke(deployment.trigger()).await.unwrap();
    assert_eq!(answer["status"], "complete", "{answer}");
    assert_eq!(deployment.moto.mails().await.len(), RECIPIENTS.len());
}

#[test]
fn the_readme_of_a_function_lists_the_settings_it_reads() {
    for function in [
        "activity-webhook",
        "audit-events",
        "copilot-seats",
        "engagement",
        "engagement-api",
        "identity-keys",
        "m365-usage",
        "mailer",
        "scoring",
        "workflow-metrics",
    ] {
        let readme = format!("{}/../lambdas/{function}/README.md", env!("CARGO_MANIFEST_DIR"));
        let readme = std::fs::read_to_string(readme).unwrap();
        let listed: BTreeSet<&str> = readme
            .lines()
            .filter_map(|line| line.strip_prefix("| `UPTAKE_")?.split('`').next())
            .collect();
        let read = VARIABLES
            .iter()
            .filter(|variable| variable.functions.contains(&function));
        assert_eq!(
            listed,
            read.filter_map(|variable| variable.name.strip_prefix("UPTAKE_"))
                .collect(),
            "{function}"
        );
    }
}
