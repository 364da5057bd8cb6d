//! What can be typed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use uptake_pipeline::engagement_api::MOST_NUMBER;
use uptake_pipeline::engagement_queries::{USUAL_INACTIVE_DAYS, USUAL_STREAK};

/// Tells whether the developer and AI tools you pay for are used.
///
/// Settings come from the environment (docs/CONFIGURATION.md); secrets never from flags.
#[derive(Debug, Parser)]
#[command(name = "uptake", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more: -v what was read and looked up, -vv every retry too
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show Uptake at work: simulator and jobs over several days, no account needed
    Demo(Demo),
    /// Run one function once, as its Lambda would; without --at a finished day is collected again
    Run(Run),
    /// Collect a stretch of days that was missed, or that lies before the first collection
    Backfill(Backfill),
    /// Erase what is recorded of the use of somebody who is excluded
    Erase(Erase),
    /// Look at the list of excluded people, or have it read anew
    Exclusions(Exclusions),
    /// Serve a made-up GitHub and Microsoft 365 on loopback
    Simulate(Simulate),
    /// Look at records that could not be understood
    Quarantine(Quarantine),
    /// Make a key for the subjects of engagement, and put one in the place of another
    Keys(Keys),
    /// Look at the tables of the lake
    Lake(Lake),
    /// Ask who keeps a streak, has completed something, is inactive or leads, and which agents are talked to
    Engagement(Engagement),
    /// Put made-up people into the engagement tables, or take them out again
    SeedTestData(SeedTestData),
    /// Start, end or list the subscription to the audit log that audit-events reads from
    Subscription(Subscription),
    /// Put the dashboards into a Grafana
    Grafana(Grafana),
}

/// `uptake grafana`.
#[derive(Debug, Args)]
pub struct Grafana {
    /// What to do
    #[command(subcommand)]
    pub command: GrafanaCommand,
}

/// What can be done to Grafana.
#[derive(Debug, Subcommand)]
pub enum GrafanaCommand {
    /// Folder, data sources and dashboards as they are in the repository; doing it again changes nothing
    Push {
        /// The folder of dashboards
        #[arg(long, default_value = "dashboards", value_name = "FOLDER")]
        dashboards: PathBuf,
        /// Tables, too: the workgroup to query them in (`terraform output athena`; needs Grafana's Athena plugin)
        #[arg(long, requires = "athena_database", value_name = "NAME")]
        athena_workgroup: Option<String>,
        /// The database they are in
        #[arg(long, requires = "athena_workgroup", value_name = "NAME")]
        athena_database: Option<String>,
    },
}

/// `uptake demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Days to run; a first demo runs a week, a later one adds a day
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub days: Option<u8>,
    /// Copilot seats of the simulated enterprise, and people of the simulated tenant
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub seats: u32,
}

/// The functions that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Function {
    /// What the audit log says of Copilot: bronze, silver and gold; --date reads the day's content again
    AuditEvents,
    /// Teams, seats and accounts from GitHub: CSV report and metrics
    CopilotSeats,
    /// Streaks, points and totals of people without names, from what the Microsoft functions stored
    Engagement,
    /// Whether Grafana answers: a metric
    GrafanaHealth,
    /// Directory, licences and usage reports from Microsoft 365: bronze, silver and gold
    #[value(name = "m365-usage")]
    M365Usage,
    /// One mail per report and person
    Mailer,
    /// Usage scores of Microsoft 365 Copilot licences: gold, metrics and the list of underutilised ones
    Scoring,
    /// Workflow runs from GitHub: log events, metrics and history; --date takes the day's 24 hours
    WorkflowMetrics,
}

/// `uptake run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The function
    pub function: Function,
    /// The UTC day to work on, as if asked at its end; without --date and --at: today, now
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "at")]
    pub date: Option<Date>,
    /// Do what the scheduler's trigger of this instant would do: leave a finished day alone, settle earlier ones
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SSZ")]
    pub at: Option<Timestamp>,
    /// Do everything but write, publish and send
    #[arg(long)]
    pub dry_run: bool,
    /// mailer: send mails in doubt again; their recipients may get them twice
    #[arg(long)]
    pub resend: bool,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `uptake backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// The function; only audit-events and workflow-metrics can look back
    pub function: Function,
    /// First UTC day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// Last UTC day
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Date,
    /// Do everything but write and publish
    #[arg(long)]
    pub dry_run: bool,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `uptake erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// The user principal name, as it is or was; it has to be on the list of excluded people
    pub name: String,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `uptake exclusions`.
#[derive(Debug, Args)]
pub struct Exclusions {
    /// What to do.
    #[command(subcommand)]
    pub command: ExclusionsCommand,
}

/// The commands below `uptake exclusions`.
#[derive(Debug, Subcommand)]
pub enum ExclusionsCommand {
    /// Forget what was read from `SharePoint`, so that the next function reads the list anew
    Refresh,
    /// Read the list and say how many are on it, and how many of them the directory knows
    Check,
}

/// `uptake simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Where to listen; loopback only
    #[arg(long, default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// Copilot seats of the enterprise
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub seats: u32,
    /// Repositories of its two organisations
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub repositories: u32,
    /// Workflow runs on a weekday, about
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub runs_per_day: u32,
    /// People of the Microsoft 365 tenant
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub tenant_users: u32,
    /// Same seed, same people, same runs
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// The simulated day [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub today: Option<Date>,
    /// Milliseconds before each answer
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,
    /// Scenario file with faults and limits (crates/simulator/scenarios)
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
}

/// `uptake quarantine`.
#[derive(Debug, Args)]
pub struct Quarantine {
    /// What to look at.
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

/// The commands below `uptake quarantine`.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List functions or sources, and days, with quarantined records
    List,
    /// Show the records of one of them, with their bytes
    Show {
        /// The function or the source, as `list` has it
        function: String,
        /// The day
        day: Date,
    },
}

/// `uptake keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// The commands below `uptake keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Print a new key, made by chance
    Generate {
        /// Its name, such as k-2026: lower-case letters, digits and hyphens
        key_id: String,
    },
    /// Pause engagement and bring its tables under the next key, or go on with that
    Prepare {
        /// Take tables as they are, that hold something else than when this began: after a look at the difference
        #[arg(long)]
        accept: bool,
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check the tables, take away everything that still holds old subjects, and let engagement go on
    Confirm {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tell which key is in use, whether engagement is paused, and under which keys rows are
    Status {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `uptake lake`.
#[derive(Debug, Args)]
pub struct Lake {
    /// What to look at.
    #[command(subcommand)]
    pub command: LakeCommand,
}

/// `uptake subscription`.
#[derive(Debug, Args)]
pub struct Subscription {
    /// What to do.
    #[command(subcommand)]
    pub command: SubscriptionCommand,
}

/// The commands below `uptake subscription`.
#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// Subscribe, or subscribe again; with a webhook as given and without one otherwise
    Start {
        /// Who is to be notified: the URL of activity-webhook; `UPTAKE_WEBHOOK_AUTH_ID` has to be set
        #[arg(long, value_name = "URL")]
        webhook: Option<String>,
    },
    /// End the subscription
    Stop,
    /// List the subscriptions, and whether their webhooks are notified
    List {
        /// Answer with one JSON array
        #[arg(long)]
        json: bool,
    },
}

/// The commands below `uptake lake`.
#[derive(Debug, Subcommand)]
pub enum LakeCommand {
    /// List the tables: rows, files, size
    Tables {
        /// Answer with one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show the columns of a table and some of its rows
    Show {
        /// The table
        table: String,
        /// Only rows of this partition, as COLUMN=VALUE
        #[arg(long = "where", value_name = "COLUMN=VALUE")]
        partition: Option<String>,
        /// Rows to show
        #[arg(long, default_value_t = 3)]
        rows: usize,
        /// Answer with one JSON object a row
        #[arg(long)]
        json: bool,
    },
}

/// `uptake engagement`.
#[derive(Debug, Args)]
pub struct Engagement {
    /// What is asked.
    #[command(subcommand)]
    pub command: EngagementCommand,
}

/// The commands below `uptake engagement`.
#[derive(Debug, Subcommand)]
pub enum EngagementCommand {
    /// Who has a streak that is long enough, and unbroken, in every one of some apps
    Streaks {
        /// Comma list of apps
        #[arg(long, value_name = "APPS", default_value = "all")]
        apps: AppList,
        /// Active days in a row
        #[arg(long, default_value_t = USUAL_STREAK, value_parser = clap::value_parser!(u64).range(1..=MOST_NUMBER))]
        count: u64,
        /// How to answer.
        #[command(flatten)]
        answering: Answering,
    },
    /// Who has done enough within a week, a month or ever, in every one of some apps
    Completed {
        /// Comma list of apps
        #[arg(long, value_name = "APPS", default_value = "all")]
        apps: AppList,
        /// Active days
        #[arg(long, required_unless_present = "interactions", value_parser = clap::value_parser!(u64).range(1..=MOST_NUMBER))]
        days: Option<u64>,
        /// Interactions
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_NUMBER))]
        interactions: Option<u64>,
        /// When.
        #[command(flatten)]
        stretch: Stretch,
        /// How to answer.
        #[command(flatten)]
        answering: Answering,
    },
    /// Who holds a licence and has not used it lately, or ever
    Inactive {
        /// Days without use
        #[arg(long, default_value_t = USUAL_INACTIVE_DAYS, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
        /// How to answer.
        #[command(flatten)]
        answering: Answering,
    },
    /// Who has most points
    Leaderboard {
        /// One app
        #[arg(long, value_name = "APP", default_value = "all")]
        app: String,
        /// Places
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        top: u16,
        /// When.
        #[command(flatten)]
        stretch: Stretch,
        /// How to answer.
        #[command(flatten)]
        answering: Answering,
    },
    /// How much agents are talked to
    Agents {
        /// When.
        #[command(flatten)]
        stretch: Stretch,
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Read an answer of the deployed API from standard input and print it with names; needs the key
    Resolve {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// How `uptake engagement` answers.
#[derive(Clone, Copy, Debug, Args)]
pub struct Answering {
    /// Say who the subjects are, by the key and the tenant of the environment
    #[arg(long)]
    pub resolve: bool,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which stretch of time is meant.
#[derive(Clone, Copy, Debug, Args)]
pub struct Stretch {
    /// Week, month or all time
    #[arg(long, value_enum, default_value_t = TimeframeWord::Week)]
    pub timeframe: TimeframeWord,
    /// Any day of the week or month; without it, the newest one with anything in it
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub start: Option<Date>,
}

/// A timeframe as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeframeWord {
    /// A week
    Week,
    /// A calendar month
    Month,
    /// Since anything is known
    #[value(name = "all_time")]
    AllTime,
}

/// Apps as they are typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppList(pub BTreeSet<String>);

impl FromStr for AppList {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let apps: BTreeSet<String> = text.split(',').map(|app| app.trim().to_lowercase()).collect();
        if apps.contains("") {
            return Err("give app names with commas between them, such as teams,word");
        }
        Ok(Self(apps))
    }
}

/// `uptake seed-test-data`.
#[derive(Debug, Args)]
pub struct SeedTestData {
    /// How many people
    #[arg(long, required_unless_present = "remove", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub users: Option<u32>,
    /// How many weeks of theirs, the last of which ends yesterday
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=104))]
    pub weeks: u16,
    /// Take them out again, and nothing else
    #[arg(long, conflicts_with_all = ["users", "into_real_data"])]
    pub remove: bool,
    /// Put them beside real people, and let real ones come beside them
    #[arg(long)]
    pub into_real_data: bool,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}
