//! A made-up enterprise and a folder: what most tests of whole jobs start from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uptake_cli::folder::{Folder, NoParameters};
use uptake_domain::calendar::start_of;
use uptake_domain::recipients::Recipient;
use uptake_domain::seats_csv::file_name;
use uptake_pipeline::config::{CopilotSeatsConfig, Environment, Face, MailerConfig};
use uptake_pipeline::outcome::{Outcome, PipelineError};
use uptake_pipeline::ports::{Clock, Files, Mail, Ports, Unwatched};
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_pipeline::{copilot_seats, mailer};
use uptake_simulator::{APP_ID, APP_KEY, ENTERPRISE, Scenario, Settings, Simulator, TOKEN};
use uptake_upstream::clock::{Deadline, SystemClock};
use uptake_upstream::github::{GitHub, Identity};
use uptake_upstream::http::Patience;

/// A Friday.
pub(crate) const DAY: Date = date(2026, 11, 20);
/// In the order of the configured list.
pub(crate) const RECIPIENTS: [&str; 2] = ["owner@octo.example", "platform@octo.example"];

/// Waits a twentieth as long as in earnest, so that a storm passes in seconds.
pub(crate) const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(3),
    silence: Duration::from_millis(1_500),
    first_delay: Duration::from_millis(20),
    longest_delay: Duration::from_millis(200),
    tries: 5,
    secondary_wait: Duration::from_millis(300),
    secondary_window: Duration::ZERO,
};

/// A clock that stands.
pub(crate) struct Standing(pub(crate) Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub(crate) struct Enterprise {
    pub(crate) simulator: Simulator,
    pub(crate) folder: Folder,
    pub(crate) patience: Patience,
    pub(crate) deadline: Deadline,
    variables: BTreeMap<&'static str, String>,
    _root: tempfile::TempDir,
}

impl Enterprise {
    pub(crate) async fn with(seats: u32, scenario: &str) -> Self {
        let scenario = Scenario::parse(scenario).unwrap();
        let settings = Settings::new(seats, 7, DAY).with_scenario(scenario);
        let simulator = Simulator::start(settings).await.unwrap();
        let root = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("UPTAKE_GITHUB_API_URL", simulator.url()),
            ("UPTAKE_GITHUB_ENTERPRISE", ENTERPRISE.to_owned()),
            ("UPTAKE_GITHUB_TOKEN", TOKEN.to_owned()),
            ("UPTAKE_SENDER", "uptake@octo.example".to_owned()),
        ]);
        let enterprise = Self {
            folder: Folder::new(root.path().to_owned()),
            simulator,
            patience: PATIENCE,
            deadline: Deadline::NONE,
            variables,
            _root: root,
        };
        let recipients = serde_json::json!({ "emails": RECIPIENTS }).to_string();
        enterprise
            .folder
            .write("config/emails.json", recipients.into())
            .await
            .unwrap();
        enterprise
    }

    pub(crate) async fn healthy(seats: u32) -> Self {
        Self::with(seats, "").await
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    /// Organisation mode with a GitHub App in place of the enterprise's token.
    pub(crate) fn ask_as_app(&mut self, organisations: &str) {
        self.variables.remove("UPTAKE_GITHUB_ENTERPRISE");
        self.variables.remove("UPTAKE_GITHUB_TOKEN");
        self.set("UPTAKE_GITHUB_ORGS", organisations);
        self.set("UPTAKE_GITHUB_APP_ID", APP_ID);
        self.set("UPTAKE_GITHUB_APP_KEY", APP_KEY);
    }

    fn config<T>(&self, read: impl for<'a> FnOnce(&mut Environment<'a>) -> Option<T>) -> T {
        let get = |name: &str| self.variables.get(name).cloned();
        let mut environment = Environment::new(Face::CommandLine, &get);
        let config = read(&mut environment);
        environment.finish(config).unwrap()
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) fn seats_config(&self) -> CopilotSeatsConfig {
        self.config(|environment| environment.copilot_seats())
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    fn mailer_config(&self) -> MailerConfig {
        self.config(|environment| environment.mailer())
    }

    async fn github(&self, config: &CopilotSeatsConfig) -> GitHub {
        if self.variables.contains_key("UPTAKE_GITHUB_APP_ID") {
            return config.connect(&NoParameters, Arc::new(SystemClock)).await.unwrap();
        }
        let identity = Identity::Token(self.variables["UPTAKE_GITHUB_TOKEN"].as_str().into());
        let github = GitHub::new(config.api.clone(), identity, Arc::new(SystemClock), self.patience).unwrap();
        github.with_journal()
    }

    /// Runs `copilot-seats` as the scheduler would on the morning of the day.
    pub(crate) async fn offer_seats(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.collect_seats(&Trigger::at(morning(day))).await
    }

    /// Runs `copilot-seats` as a person would who asks for the day.
    pub(crate) async fn run_seats(&self, day: Date) -> Result<Outcome, PipelineError> {
        let trigger = Trigger {
            replace: true,
            ..Trigger::at(morning(day))
        };
        self.collect_seats(&trigger).await
    }

    pub(crate) async fn collect_seats(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        self.collect_at(&Standing(trigger.scheduled_time), trigger).await
    }

    /// Runs `copilot-seats` at a time that is not the one it was meant for.
    pub(crate) async fn collect_at(&self, clock: &dyn Clock, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        self.collect(&self.seats_config(), clock, trigger).await
    }

    /// Runs `copilot-seats` with settings of another's.
    pub(crate) async fn collect_with(&self, config: CopilotSeatsConfig) -> Result<Outcome, PipelineError> {
        let trigger = Trigger::at(morning(DAY));
        self.collect(&config, &Standing(trigger.scheduled_time), &trigger).await
    }

    async fn collect(
        &self,
        config: &CopilotSeatsConfig,
        clock: &dyn Clock,
        trigger: &Trigger,
    ) -> Result<Outcome, PipelineError> {
        let github = self.github(config).await;
        let lake = self.folder.lake().unwrap();
        copilot_seats::collect(&github, &lake, config, self.ports(clock), trigger, &self.invocation()).await
    }

    pub(crate) async fn run_mailer(&self, mail: &dyn Mail, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        self.run_mailer_on(&self.folder, mail, trigger).await
    }

    /// The mailer on a store that is not quite the folder.
    pub(crate) async fn run_mailer_on(
        &self,
        files: &dyn Files,
        mail: &dyn Mail,
        trigger: &Trigger,
    ) -> Result<Outcome, PipelineError> {
        let clock = Standing(trigger.scheduled_time);
        let ports = Ports {
            files,
            ..self.ports(&clock)
        };
        mailer::deliver(&self.mailer_config(), ports, mail, trigger, &self.invocation()).await
    }

    pub(crate) fn ports<'a>(&'a self, clock: &'a dyn Clock) -> Ports<'a> {
        Ports {
            files: &self.folder,
            metrics: &self.folder,
            clock,
            progress: &Unwatched,
        }
    }

    fn invocation(&self) -> Invocation {
        Invocation {
            id: "test".to_owned(),
            deadline: self.deadline,
        }
    }

    pub(crate) async fn text(&self, key: &str) -> Option<String> {
        let file = self.folder.read(key).await.unwrap()?;
        Some(String::from_utf8(file.bytes.to_vec()).unwrap())
    }

    /// The day's report as rows of cells, or nothing if there is none.
    pub(crate) async fn rows(&self, day: Date) -> Option<Vec<Vec<String>>> {
        let text = self.text(&format!("reports/{}", file_name(day))).await?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        Some(
            reader
                .records()
                .map(|row| row.unwrap().iter().map(str::to_owned).collect())
                .collect(),
        )
    }

    /// Everything published for a day, as a reader of CloudWatch sees it: the largest value of each series.
    pub(crate) async fn metrics(&self, day: Date) -> BTreeMap<String, f64> {
        let text = self
            .text(&format!("cloudwatch/metrics/{day}.jsonl"))
            .await
            .unwrap_or_default();
        let mut series = BTreeMap::new();
        for line in text.lines() {
            let datum: Value = serde_json::from_str(line).unwrap();
            let dimensions: Vec<String> = datum["dimensions"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| format!(" {name}={}", value.as_str().unwrap()))
                .collect();
            let name = format!("{}{}", datum["metric_name"].as_str().unwrap(), dimensions.concat());
            let value = datum["value"].as_f64().unwrap();
            series
                .entry(name)
                .and_modify(|largest: &mut f64| *largest = largest.max(value))
                .or_insert(value);
        }
        series
    }
}

pub(crate) fn morning(day: Date) -> Timestamp {
    start_of(day) + SignedDuration::from_hours(6)
}

pub(crate) fn recipient(address: &str) -> Recipient {
    address.parse().unwrap()
}

/// Whatever the simulator could tell of people, without what could stand in a figure by chance.
pub(crate) fn identities(simulator: &Simulator) -> BTreeSet<String> {
    simulator
        .identities()
        .into_iter()
        .filter(|identity| identity.len() > 3)
        .collect()
}
