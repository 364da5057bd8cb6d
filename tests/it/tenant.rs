//! A made-up Microsoft 365 tenant and a folder: what tests of `m365-usage` and `scoring` start from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uptake_cli::folder::{Folder, NoParameters};
use uptake_domain::calendar::{Window, start_of};
use uptake_domain::identity::{KEY_BYTES, written};
use uptake_domain::tables::Table;
use uptake_lake::{Filter, Lake};
use uptake_pipeline::config::{Environment, Face, MicrosoftConfig};
use uptake_pipeline::engagement::{Identity, Lakes};
use uptake_pipeline::outcome::{Outcome, PipelineError};
use uptake_pipeline::ports::{Files, Ports, Progress, Unwatched};
use uptake_pipeline::trigger::{Invocation, Trigger};
use uptake_pipeline::{audit_events, engagement, m365_usage, scoring};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, Scenario, Settings, Simulator, TENANT};
use uptake_upstream::clock::{Deadline, SystemClock};
use uptake_upstream::http::Patience;
use uptake_upstream::microsoft::activity::ActivityFeed;
use uptake_upstream::microsoft::{Graph, Principal};
use uuid::Uuid;

use crate::enterprise::{PATIENCE, Standing};

/// A Tuesday.
pub(crate) const FIRST_DAY: Date = date(2026, 9, 1);

pub(crate) struct Tenant {
    pub(crate) simulator: Simulator,
    pub(crate) folder: Folder,
    variables: BTreeMap<&'static str, String>,
    _root: tempfile::TempDir,
}

impl Tenant {
    pub(crate) async fn with(users: u32, seed: u64, scenario: &str) -> Self {
        // Weeks pass in seconds here; Microsoft's reports in ten minutes are meant for real ones.
        let scenario =
            format!("reports_limit = 1_000_000\nidentity_limit = 1_000_000\nactivity_limit = 1_000_000\n{scenario}");
        let mut settings = Settings::new(10, seed, FIRST_DAY);
        settings.tenant_users = users;
        let simulator = Simulator::start(settings.with_scenario(Scenario::parse(&scenario).unwrap()))
            .await
            .unwrap();
        let root = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("UPTAKE_LOGIN_URL", simulator.url()),
            ("UPTAKE_GRAPH_URL", simulator.url()),
            ("UPTAKE_MANAGEMENT_URL", simulator.url()),
            ("UPTAKE_IDENTITY_KEY", identity_key("first")),
            ("UPTAKE_TENANT_ID", TENANT.to_owned()),
            ("UPTAKE_CLIENT_ID", CLIENT_ID.to_owned()),
            ("UPTAKE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("UPTAKE_LICENSE_PRICE", "30".to_owned()),
            ("UPTAKE_SENDER", "uptake@tenant.example".to_owned()),
        ]);
        Self {
            folder: Folder::new(root.path().to_owned()),
            simulator,
            variables,
            _root: root,
        }
    }

    /// Reports on time, every day, without odd rows.
    pub(crate) async fn calm(users: u32) -> Self {
        let scenario =
            "report_lag_days = [1, 1]\nmissing_report_percent = 0\nlate_activity_percent = 0\nodd_rows = false";
        Self::with(users, 7, scenario).await
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    pub(crate) fn config<T>(&self, read: impl for<'a> FnOnce(&mut Environment<'a>) -> Option<T>) -> T {
        let get = |name: &str| self.variables.get(name).cloned();
        let mut environment = Environment::new(Face::CommandLine, &get);
        let config = read(&mut environment);
        environment.finish(config).unwrap()
    }

    /// The tables.
    pub(crate) fn lake(&self) -> Lake {
        self.folder.lake().unwrap()
    }

    pub(crate) async fn read<R: DeserializeOwned + Send + 'static>(&self, table: &'static Table) -> Vec<R> {
        self.lake().read(table, &[], &Filter::All).await.unwrap()
    }

    /// `m365-usage` as the scheduler would start it on a day, in a world that stands at that day.
    pub(crate) async fn offer_usage(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.collect_usage(&Trigger::at(evening(day))).await
    }

    /// `m365-usage` as a person would start it who asks for the day.
    pub(crate) async fn run_usage(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.collect_usage(&replacing(day)).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn collect_usage(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let config = self.config(|environment| environment.m365_usage());
        let microsoft = &config.microsoft;
        let principal = principal(microsoft).await;
        let patience = Patience { tries: 6, ..PATIENCE };
        let clock = Arc::new(SystemClock);
        let exclusions = config.exclusions.connect(&NoParameters, clock.clone()).await?;
        let graph = Graph::new(
            microsoft.login.clone(),
            microsoft.graph.clone(),
            principal,
            clock,
            patience,
        )
        .unwrap();
        let clock = Standing(trigger.scheduled_time);
        let ports = self.ports(&clock);
        m365_usage::collect(
            &graph,
            &self.lake(),
            &config,
            &exclusions,
            ports,
            trigger,
            &invocation(),
        )
        .await
    }

    /// `scoring` as the scheduler would start it on a day.
    pub(crate) async fn offer_scoring(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.score(&Trigger::at(evening(day))).await
    }

    /// `scoring` as a person would start it who asks for the day.
    pub(crate) async fn run_scoring(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.score(&replacing(day)).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn score(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let config = self.config(|environment| environment.scoring());
        let exclusions = config.exclusions.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let clock = Standing(trigger.scheduled_time);
        let ports = self.ports(&clock);
        scoring::score(
            &self.lake(),
            &config,
            &exclusions,
            ports,
            &self.folder,
            trigger,
            &invocation(),
        )
        .await
    }

    /// `audit-events` as the scheduler would start it at an instant, in a world that stands at that instant.
    pub(crate) async fn offer_audit(&self, at: Timestamp) -> Result<Outcome, PipelineError> {
        self.collect_audit(&Trigger::at(at)).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn collect_audit(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        self.simulator.set_now(trigger.scheduled_time);
        let config = self.config(|environment| environment.audit_events());
        let clock = Arc::new(Standing(trigger.scheduled_time));
        let exclusions = config.exclusions.connect(&NoParameters, clock.clone()).await?;
        let principal = principal(&config.microsoft).await;
        let patience = Patience { tries: 6, ..PATIENCE };
        let (login, management) = (config.microsoft.login.clone(), config.management.clone());
        let feed = ActivityFeed::new(login, management, principal, Arc::new(SystemClock), patience).unwrap();
        let ports = self.ports(&clock);
        audit_events::collect(&feed, &self.lake(), &config, &exclusions, ports, trigger, &invocation()).await
    }

    /// What the feed does not list any more, as a person would ask for it who waits for so long.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn backfill_audit(
        &self,
        window: Window,
        at: Timestamp,
        patience: Duration,
    ) -> Result<Outcome, PipelineError> {
        let config = self.config(|environment| environment.audit_events());
        let clock = Arc::new(Standing(at));
        let exclusions = config.exclusions.connect(&NoParameters, clock.clone()).await?;
        let graph = config.microsoft.connect(&NoParameters, Arc::new(SystemClock)).await?;
        let invocation = Invocation {
            deadline: Deadline::within(patience),
            ..invocation()
        };
        let ports = self.ports(&clock);
        audit_events::backfill(&graph, &self.lake(), &config, &exclusions, ports, window, &invocation).await
    }

    /// The engagement tables.
    pub(crate) fn engagement_lake(&self) -> Lake {
        self.folder.engagement_lake().unwrap()
    }

    /// `engagement` as the scheduler would start it on a day.
    pub(crate) async fn offer_engagement(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.derive(&Trigger::at(evening(day)), &Unwatched).await
    }

    /// `engagement` as a person would start it who asks for the day.
    pub(crate) async fn run_engagement(&self, day: Date) -> Result<Outcome, PipelineError> {
        self.derive(&replacing(day), &Unwatched).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn derive(&self, trigger: &Trigger, progress: &dyn Progress) -> Result<Outcome, PipelineError> {
        let config = self.config(|environment| environment.engagement());
        let clock = Arc::new(Standing(trigger.scheduled_time));
        let exclusions = config.exclusions.connect(&NoParameters, clock.clone()).await?;
        let identity = config.identity(&NoParameters).await?;
        let (silver, own) = (self.lake(), self.engagement_lake());
        let lakes = Lakes {
            silver: &silver,
            engagement: &own,
        };
        let ports = Ports {
            progress,
            ..self.ports(&clock)
        };
        engagement::derive(lakes, &config, &identity, &exclusions, ports, trigger, &invocation()).await
    }

    /// The key and the tenant that subjects are made with.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    pub(crate) async fn identity(&self) -> Identity {
        let config = self.config(|environment| environment.engagement());
        config.identity(&NoParameters).await.unwrap()
    }

    pub(crate) fn ports<'a>(&'a self, clock: &'a Standing) -> Ports<'a> {
        Ports {
            files: &self.folder,
            metrics: &self.folder,
            clock,
            progress: &Unwatched,
        }
    }

    /// The days from the first one on, each made the present one.
    pub(crate) fn days(&self, count: usize) -> impl Iterator<Item = Date> + '_ {
        FIRST_DAY
            .series(1.day())
            .take(count)
            .inspect(|day| self.simulator.set_today(*day))
    }

    /// Everything published for a day: series by name and department, the values in the order of publishing.
    pub(crate) async fn metrics(&self, day: Date) -> BTreeMap<(String, String), Vec<Value>> {
        let file = self
            .folder
            .read(&format!("cloudwatch/metrics/{day}.jsonl"))
            .await
            .unwrap();
        let text = file
            .map(|file| String::from_utf8(file.bytes.to_vec()).unwrap())
            .unwrap_or_default();
        let mut series: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
        for line in text.lines() {
            let mut datum: Value = serde_json::from_str(line).unwrap();
            let name = datum["metric_name"].as_str().unwrap().to_owned();
            let dimensions = datum["dimensions"].as_object().unwrap();
            let group = dimensions
                .values()
                .next()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            series.entry((name, group)).or_default().push(datum["value"].take());
        }
        series
    }
}

async fn principal(microsoft: &MicrosoftConfig) -> Principal {
    Principal {
        tenant: microsoft.tenant.resolve(&NoParameters).await.unwrap().expose(),
        client_id: microsoft.client_id.resolve(&NoParameters).await.unwrap().expose(),
        client_secret: microsoft.client_secret.resolve(&NoParameters).await.unwrap(),
    }
}

/// A key for subjects, the same for the same name.
pub(crate) fn identity_key(id: &str) -> String {
    let seed = Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).into_bytes();
    let bytes: [u8; KEY_BYTES] =
        std::array::from_fn(|place| seed[place % 16].wrapping_add(u8::try_from(place).unwrap()));
    written(id, &bytes).unwrap()
}

trait Expose {
    fn expose(&self) -> String;
}

impl Expose for secrecy::SecretString {
    fn expose(&self) -> String {
        secrecy::ExposeSecret::expose_secret(self).to_owned()
    }
}

/// The trigger of a person who asks for a day, whether it is done or not.
pub(crate) fn replacing(day: Date) -> Trigger {
    Trigger {
        replace: true,
        ..Trigger::at(evening(day))
    }
}

pub(crate) fn evening(day: Date) -> jiff::Timestamp {
    start_of(day) + SignedDuration::from_hours(22)
}

pub(crate) fn invocation() -> Invocation {
    Invocation {
        id: Uuid::new_v4().to_string(),
        deadline: Deadline::within(Duration::from_mins(1)),
    }
}

/// A row of `gold_copilot_usage_scores`, as far as tests look.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct ScoredLicense {
    pub(crate) user_id: String,
    pub(crate) upn: String,
    pub(crate) department: Option<String>,
    pub(crate) assigned_on: Date,
    pub(crate) days_held: i64,
    pub(crate) last_activity_on: Option<Date>,
    pub(crate) score_on: Date,
    pub(crate) as_of_on: Date,
    pub(crate) revision: i64,
    pub(crate) score: i64,
    pub(crate) active_days: i64,
    pub(crate) apps_used_count: i64,
    pub(crate) underutilized: bool,
    pub(crate) new_assignment: bool,
}

/// A row of `gold_copilot_usage`, as far as tests look.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) user_id: String,
    pub(crate) day: Date,
    pub(crate) last_activity_on: Option<Date>,
    pub(crate) apps_used: Vec<String>,
    pub(crate) apps_used_count: i64,
    pub(crate) teams_on: Option<Date>,
    pub(crate) word_on: Option<Date>,
    pub(crate) excel_on: Option<Date>,
    pub(crate) powerpoint_on: Option<Date>,
    pub(crate) outlook_on: Option<Date>,
    pub(crate) onenote_on: Option<Date>,
    pub(crate) loop_on: Option<Date>,
    pub(crate) chat_on: Option<Date>,
    pub(crate) reported: bool,
}

impl Tenant {
    /// What is recorded of a day's collection.
    pub(crate) async fn record(&self, day: Date) -> Value {
        let file = self
            .folder
            .read(&format!("state/m365-usage/days/{day}.json"))
            .await
            .unwrap();
        file.map_or(Value::Null, |file| serde_json::from_slice(&file.bytes).unwrap())
    }
}
