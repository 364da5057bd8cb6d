//! `uptake demo`: a made-up enterprise, a week of days, and every job that a day brings.

use anyhow::{Context, bail};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::{Window, day_of, start_of};
use uptake_domain::engagement::Timeframe;
use uptake_domain::identity::IdentityKey;
use uptake_domain::{licenses_csv, seats_csv};
use uptake_pipeline::engagement::ALL_APPS;
use uptake_pipeline::engagement_queries::{Engagement, LeaderRow, Part, Question, Rows, When};
use uptake_pipeline::outcome::{Outcome, Status};
use uptake_pipeline::ports::{Clock, Files, SystemClock};
use uptake_pipeline::trigger::Trigger;
use uptake_pipeline::{copilot_seats, report_record, scoring};
use uptake_simulator::{CLIENT_ID, CLIENT_SECRET, ENTERPRISE, Scenario, Settings, Simulator, TENANT, TOKEN};

use crate::args::Demo;
use crate::folder::Folder;
use crate::run::Job;
use crate::terminal::{self, TerminalProgress};
use crate::{End, keys, store};

/// What the demo remembers: which folder is its own, and how far it came.
pub(crate) const STATE_KEY: &str = "state/demo.json";
const RECIPIENTS_KEY: &str = "config/emails.json";
const RECIPIENTS: &str = "{\"emails\": [\"licence-owner@octo.example\", \"platform@octo.example\"], \
     \"reports\": {\"license-digest\": [\"licence-owner@octo.example\"]}}\n";
/// What a Microsoft 365 Copilot licence costs a month, for the demo's sums.
const LICENSE_PRICE: &str = "30";
/// Weeks pass in seconds here; GitHub's limits are meant for real ones.
const NO_LIMIT: u64 = 1_000_000;
const FIRST_DAYS: u8 = 7;
/// The smallest tenant there is.
const FEWEST_PEOPLE: u32 = 30;
const SEED: u64 = 7;
const REPOSITORIES_KEY: &str = "config/repositories.yml";
const REPOSITORIES: &str = "\
# Which repositories are looked at, and whose they are. What no team claims is 'unassigned'.
discover: {organisations: [octo-org, octo-labs], exclude: [\"*-archive\"]}
teams:
  payments: [\"octo-org/pay-*\"]
  ledger: [\"octo-org/ledger-*\"]
  storefront: [octo-labs/web-shop, octo-org/search-index]
";
const RUNS_PER_DAY: u32 = 120;
/// GitHub still tells of runs before the first day: so the first week has one to be compared with. Two weeks back is as
/// far as CloudWatch takes them.
const RUNS_BEFORE: SignedDuration = SignedDuration::from_hours(13 * 24);
/// When a day's jobs are started: late, so that the day has something to tell.
const EVENING: SignedDuration = SignedDuration::from_hours(22);
/// When the day's runs are collected: a little after midnight, when its last hour is over.
const AFTER_MIDNIGHT: SignedDuration = SignedDuration::from_mins(24 * 60 + 5);

#[derive(Serialize, Deserialize)]
struct State {
    /// The key of its subjects, who are as made up as everybody else: a real one has no place in a file.
    identity_key: String,
    seats: u32,
    first_day: Date,
    /// The last day that went well; none before the first did.
    last_day: Option<Date>,
}

/// The demo's days pass in seconds: each job is told when it is.
struct Told(Timestamp);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        self.0
    }
}

pub(crate) async fn execute(demo: &Demo, get: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<End> {
    let folder = store(get)?;
    let (mut state, days) = plan(&folder, demo).await?;
    let settings = Settings {
        runs_per_day: RUNS_PER_DAY,
        tenant_users: state.seats.max(FEWEST_PEOPLE),
        scenario: Scenario {
            secondary_limit: NO_LIMIT,
            primary_limit: NO_LIMIT,
            reports_limit: NO_LIMIT,
            identity_limit: NO_LIMIT,
            activity_limit: NO_LIMIT,
            // A report that does not come in time would end the demo on a day that is incomplete.
            report_lag_days: [1, 2],
            missing_report_percent: 0,
            ..Scenario::default()
        },
        ..Settings::new(state.seats, SEED, state.first_day)
    };
    let simulator = Simulator::start(settings)
        .await
        .context("the simulator could not start")?;
    let url = simulator.url();
    let identity_key = state.identity_key.clone();
    let environment = |name: &str| match name {
        "UPTAKE_GITHUB_API_URL" | "UPTAKE_LOGIN_URL" | "UPTAKE_GRAPH_URL" | "UPTAKE_MANAGEMENT_URL" => {
            Some(url.clone())
        }
        "UPTAKE_GITHUB_ENTERPRISE" => Some(ENTERPRISE.to_owned()),
        "UPTAKE_GITHUB_TOKEN" => Some(TOKEN.to_owned()),
        "UPTAKE_TENANT_ID" => Some(TENANT.to_owned()),
        "UPTAKE_CLIENT_ID" => Some(CLIENT_ID.to_owned()),
        "UPTAKE_CLIENT_SECRET" => Some(CLIENT_SECRET.to_owned()),
        "UPTAKE_IDENTITY_KEY" => Some(identity_key.clone()),
        "UPTAKE_LICENSE_PRICE" => Some(LICENSE_PRICE.to_owned()),
        "UPTAKE_SENDER" => Some("uptake@octo.example".to_owned()),
        "UPTAKE_STORE" => get(name),
        _ => None,
    };
    terminal::note(&format!(
        "A made-up enterprise with {} GitHub Copilot seats, a dozen repositories and a Microsoft 365 tenant, day by day:",
        state.seats
    ));
    for day in days {
        simulator.set_today(day);
        simulator.set_now(start_of(day) + AFTER_MIDNIGHT);
        run_day(day, state.last_day.is_none(), &environment).await?;
        state.last_day = Some(day);
        folder
            .write(STATE_KEY, serde_json::json!(state).to_string().into())
            .await?;
    }
    summarise(&folder, &state).await?;
    Ok(End::Done)
}

/// The days to run: a week up to today the first time, the next day after that.
async fn plan(folder: &Folder, demo: &Demo) -> anyhow::Result<(State, Vec<Date>)> {
    let state = match folder.read(STATE_KEY).await? {
        Some(file) => serde_json::from_slice(&file.bytes).context("state/demo.json does not read back")?,
        None if folder.list("").await?.is_empty() => {
            let days = i32::from(demo.days.unwrap_or(FIRST_DAYS));
            let state = State {
                identity_key: keys::new_key("demo")?,
                seats: demo.seats,
                first_day: day_of(SystemClock.now()).saturating_sub((days - 1).days()),
                last_day: None,
            };
            folder.write(RECIPIENTS_KEY, RECIPIENTS.into()).await?;
            folder.write(REPOSITORIES_KEY, REPOSITORIES.into()).await?;
            folder
                .write(STATE_KEY, serde_json::json!(state).to_string().into())
                .await?;
            state
        }
        None => bail!(
            "{} holds something that is no demo, and made-up data has no place beside it; set UPTAKE_STORE to another folder",
            folder.location("")
        ),
    };
    let (from, days) = match state.last_day {
        None => (state.first_day, demo.days.unwrap_or(FIRST_DAYS)),
        Some(last_day) => (last_day.saturating_add(1.day()), demo.days.unwrap_or(1)),
    };
    let days = from.series(1.day()).take(usize::from(days)).collect();
    Ok((state, days))
}

async fn run_day(day: Date, is_first: bool, environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let evening = start_of(day) + EVENING;
    let progress = TerminalProgress::default();
    let job = Job {
        trigger: Trigger {
            replace: true,
            ..Trigger::at(evening)
        },
        clock: &Told(evening),
        progress: &progress,
    };
    let of_day = Window::of_day(day);
    let after_midnight = Job {
        trigger: Trigger {
            window: Some(Window {
                from: if is_first {
                    of_day.from - RUNS_BEFORE
                } else {
                    of_day.from
                },
                ..of_day
            }),
            ..Trigger::at(of_day.to)
        },
        clock: &Told(start_of(day) + AFTER_MIDNIGHT),
        progress: &progress,
    };
    let seats = job.copilot_seats(environment).await?;
    let runs = after_midnight.workflow_metrics(environment).await?;
    let usage = job.m365_usage(environment).await?;
    let events = after_midnight.audit_events(environment).await?;
    let engagement = job.engagement(environment).await?;
    let scores = job.scoring(environment).await?;
    let mails = job.mailer(environment).await?;
    drop(progress);
    let outcomes = [&seats, &runs, &usage, &events, &engagement, &scores, &mails];
    for outcome in outcomes {
        complete(outcome)?;
    }
    let requests: u64 = outcomes.iter().map(|outcome| outcome.counts.requests).sum();
    terminal::note(&format!(
        "  {day}  {:>4} seats, {:>4} run attempts, {:>4} licences scored, {:>5} interactions, {requests:>4} requests, {} mails",
        seats.counts.stored, runs.counts.stored, scores.counts.fetched, events.counts.fetched, mails.counts.published
    ));
    Ok(())
}

fn complete(outcome: &Outcome) -> anyhow::Result<()> {
    if outcome.status == Status::Incomplete {
        bail!(
            "{} was incomplete: {}",
            outcome.function,
            outcome.stopped_early.as_deref().unwrap_or_default()
        );
    }
    Ok(())
}

/// How many lead the board in the summary.
const LEADERS: usize = 3;

/// Who has most points of the month, by name.
async fn leaders(folder: &Folder, state: &State, today: Date) -> anyhow::Result<Vec<(String, String)>> {
    let lake = folder.engagement_lake()?;
    let engagement = Engagement {
        lake: &lake,
        files: folder,
        week_starts_on: Weekday::Monday,
        today,
    };
    let question = Question::Leaderboard {
        app: ALL_APPS.to_owned(),
        when: When {
            timeframe: Timeframe::Month,
            day: None,
        },
        top: LEADERS,
    };
    let answer = engagement.ask(&question, &Part::WHOLE).await?;
    let Rows::Leaderboard(leaders) = answer.rows else {
        return Ok(Vec::new());
    };
    let key = IdentityKey::parse(&state.identity_key)?;
    let name = |subject: &str| key.resolve(TENANT, subject).unwrap_or_default();
    let row = |leader: &LeaderRow| {
        (
            format!("  {}", name(&leader.subject)),
            format!(
                "{:>4} points, {} active days, {} in a row at best, {} interactions",
                leader.points, leader.active_days, leader.best_streak, leader.interactions
            ),
        )
    };
    Ok(leaders.iter().map(row).collect())
}

async fn summarise(folder: &Folder, state: &State) -> anyhow::Result<()> {
    let day = state.last_day.context("the demo has run no day")?;
    let record = report_record::read(folder, copilot_seats::FUNCTION, day)
        .await?
        .context("the last day has no report")?;
    let figures = record.summary.overall;
    let licenses = scoring::figures(folder, day)
        .await?
        .context("the last day has no scores")?;
    let row = |name: &str, value: String| (format!("  {name}"), value);
    terminal::say(&format!(
        "\nDemo of {} to {day} (everything in it is made up).\n",
        state.first_day
    ));
    terminal::print_rows(&[
        row(
            "people with a seat",
            format!("{} (GitHub listed {} seats)", figures.seats, record.listed),
        ),
        row("active in 7 days", figures.active_7_days.to_string()),
        row("active in 28 days", figures.active_28_days.to_string()),
        row("idle for 28 days", figures.idle.to_string()),
        row("never used", figures.never_used.to_string()),
        row(
            "Microsoft 365 licences",
            format!(
                "{}, of which {} underutilised and {} too new to judge",
                licenses.licenses, licenses.underutilized, licenses.new
            ),
        ),
    ]);
    terminal::say(
        "\nMost points in Microsoft 365 Copilot this month (the tables hold no names; whoever has the key sees them)",
    );
    terminal::print_rows(&leaders(folder, state, day).await?);
    let mails = folder.list("mail/").await?;
    let newest = |ending: &str| mails.iter().rfind(|key| key.ends_with(ending));
    let mut places = vec![
        row(
            "report",
            folder.location(&format!("reports/{}", seats_csv::file_name(day))),
        ),
        row("mail", folder.location(&format!("mail/{day}/copilot-seats-1.html"))),
        row("metrics", folder.location(&format!("cloudwatch/metrics/{day}.jsonl"))),
        row("run attempts", folder.location("cloudwatch/logs/uptake")),
    ];
    places.push(row(
        "idle licences",
        folder.location(&format!("reports/{}", licenses_csv::file_name(day))),
    ));
    for (name, ending) in [
        ("weekly digest", "/weekly-digest-1.html"),
        ("licence digest", "/license-digest-1.html"),
    ] {
        places.extend(newest(ending).map(|key| row(name, folder.location(key))));
    }
    terminal::say("\nOpen");
    terminal::print_rows(&places);
    terminal::say(
        "\nNext\n  make preview                                   shows the dashboards over this, in a browser\n  \
         make demo                                      adds the next day\n  \
         target/debug/uptake quarantine list            shows records that could not be understood\n  \
         target/debug/uptake lake tables                shows the tables, `lake show TABLE` what is in one\n  \
         target/debug/uptake engagement streaks         shows who has a habit, as subjects\n  \
         target/debug/uptake run copilot-seats --help   with your own token: docs/LAPTOP.md",
    );
    Ok(())
}
