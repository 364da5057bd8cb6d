//! What can be typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;

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
    /// Serve a made-up GitHub and Microsoft 365 on loopback
    Simulate(Simulate),
    /// Look at records that could not be understood
    Quarantine(Quarantine),
    /// Look at the tables of the lake
    Lake(Lake),
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
    /// Teams, seats and accounts from GitHub: CSV report and metrics
    CopilotSeats,
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
    /// The function; only workflow-metrics can look back
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

/// `uptake lake`.
#[derive(Debug, Args)]
pub struct Lake {
    /// What to look at.
    #[command(subcommand)]
    pub command: LakeCommand,
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
