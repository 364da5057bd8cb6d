//! Workflows: how GitHub Actions does, team by team, hour by hour or month by month.

use serde_json::{Value, json};
use uptake_domain::catalogue::{
    ACTIVE_WORKFLOWS, Dimension, FAILED_RUN_ATTEMPTS, INACTIVE_WORKFLOWS, QUEUE_TIME, RE_RUNS, RUN_ATTEMPTS,
    RUN_DURATION, RUNNER_MINUTES, STUCK_RUNS, SUCCESS_RATE,
};
use uptake_domain::log_events::WORKFLOW_RUNS;
use uptake_domain::run::{FAILED, SUCCESS};

use super::panel::{self, GREEN, GREY, ORANGE, Panel, RED};
use super::query::{Query, logs, metric};
use super::{Dashboard, Section, detail, section, source, step, values};

const DAY: u32 = 86_400;
const TEAM: &[(Dimension, &str)] = &[(Dimension::Team, "$team")];
/// Log events of the chosen team. For all of them Grafana puts `*` in, for one its name with the signs of patterns escaped:
/// with a blank before the name, `^.` makes the first match whatever there is and the second that name alone.
const IS_OF_TEAM: &str = r#"filter concat(" ", team) like /^.${team:regex}$/"#;
/// How many weeks ago an event was, counted back from now.
const WEEKS_AGO: &str = "floor((now() - toMillis(@timestamp) / 1000) / 604800)";
/// Two such weeks.
const TWO_WEEKS: &str = "14d";

/// A figure of a week: its column in the answer, how it is computed, and what its tile says.
pub(super) struct Figure {
    column: &'static str,
    expression: &'static str,
    title: &'static str,
    unit: &'static str,
    decimals: Option<u32>,
}

const fn figure(column: &'static str, expression: &'static str, title: &'static str) -> Figure {
    Figure {
        column,
        expression,
        title,
        unit: "locale",
        decimals: None,
    }
}

const ATTEMPTS: Figure = figure("attempts", "count(*)", "Run attempts");
const RATE: Figure = Figure {
    unit: "percent",
    decimals: Some(1),
    ..figure(
        "rate",
        "100 * sum(succeeded) / (sum(succeeded) + sum(failed))",
        "Success rate",
    )
};
const FAILURES: Figure = figure("failures", "sum(failed)", "Failed");
const SHARE: Figure = figure("share", "100 * sum(failed) / count(*)", "Share failed");
const AGAIN: Figure = figure("again", "sum(re_run)", "Re-runs");
const MINUTES: Figure = figure("minutes", "sum(runner_minutes)", "Runner minutes");
const MEDIAN: Figure = Figure {
    unit: "s",
    ..figure("median", "pct(duration_seconds, 50)", "Median duration")
};
const QUEUED: Figure = Figure {
    unit: "s",
    ..figure("queued", "pct(queue_seconds, 90)", "Queued, p90")
};
/// What [`week`] can tell, the most important first.
pub(super) const FIGURES: [Figure; 7] = [ATTEMPTS, RATE, FAILURES, AGAIN, MINUTES, MEDIAN, QUEUED];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-workflows",
        title: "Uptake / Workflows",
        description: "GitHub Actions, team by team: how much runs, how well, how long, and what has changed.",
        from: "now-28d",
        variables: vec![
            source(),
            values("team", "Team", &RUN_ATTEMPTS, Dimension::Team, true),
            step(),
        ],
        introduction: panel::introduction(
            "How much runs, how well, and how long does it take?",
            "Every attempt of every workflow run, within the hour in which it \
                     ended; a re-run is an attempt of its own. *Team* is whose repository it is by *repositories.yml*, *Step* the width of \
                     bars. Cancelled and skipped attempts neither fail nor succeed. Runner minutes are rounded up by job, before \
                     GitHub's multipliers.",
        ),
        sections: vec![
            this_week(),
            over_time(),
            speed(),
            teams(),
            in_use(),
            detail("Hour by hour, and failed attempts one by one", hourly()),
        ],
    }
}

/// Figures of the last seven days, each with its change from the seven before.
pub(super) fn week(title: &str, filter: Option<&str>, figures: &[Figure]) -> Panel {
    let expression = format!(
        "{}fields {WEEKS_AGO} as weeks_ago
         | filter weeks_ago < 2
         | stats {} by weeks_ago
         | sort weeks_ago desc
         | limit 3",
        before(filter),
        columns(figures)
    );
    let tiles = panel::tiles(
        title,
        "Counted back from now, for any range that ends now: the last 7 times 24 hours, and the percentage by which that is more or less than the 7 before. \
         Where nothing ended in the last 7, it shows the 7 before. Success rate: attempts that succeeded, of those that succeeded or failed.",
        logs(&WORKFLOW_RUNS, &expression, &[]),
    )
    .only("/^[A-Z]/")
    .always(TWO_WEEKS)
    .no_value("No run attempts in two weeks");
    figures.iter().fold(tiles, |tiles, figure| {
        let mut shown = vec![("displayName", json!(figure.title)), ("unit", json!(figure.unit))];
        shown.extend(figure.decimals.map(|decimals| ("decimals", json!(decimals))));
        tiles.field(figure.column, &shown)
    })
}

/// What `stats` is to compute.
fn columns(figures: &[Figure]) -> String {
    let columns: Vec<String> = figures
        .iter()
        .map(|figure| format!("{} as {}", figure.expression, figure.column))
        .collect();
    columns.join(", ")
}

/// A value for each step and group: what bars are drawn from.
pub(super) fn in_steps(value: &str, filter: Option<&str>, step: &str, by: &str) -> Query {
    let expression = format!(
        "{}stats {value} as Value by bin({step}) as time, {by}\n| sort time desc\n| limit 10000",
        before(filter)
    );
    logs(&WORKFLOW_RUNS, &expression, &["time", by])
}

/// A filter as the first step of a query.
fn before(filter: Option<&str>) -> String {
    filter.map(|filter| format!("{filter}\n| ")).unwrap_or_default()
}

/// Attempts as bars, in the colours of how they ended.
pub(super) fn by_conclusion(title: &str, filter: Option<&str>, step: &str) -> Panel {
    colored_by_conclusion(
        panel::bars(
            title,
            "Run attempts by how they ended, in GitHub's words, in the step in which they ended.",
            vec![in_steps("count(*)", filter, step, "conclusion")],
        )
        .many()
        .no_value("No run attempts in this time range"),
    )
}

/// What needs nobody is grey, as are conclusions that GitHub has not documented.
fn colored_by_conclusion(panel: Panel) -> Panel {
    panel
        .series(".", GREY)
        .series(&format!("^{SUCCESS}$"), GREEN)
        .series(&format!("^({})$", FAILED.join("|")), RED)
        .series("^action_required$", ORANGE)
}

/// A table of the workflows that failed most, each leading to its repository.
pub(super) fn failing(title: &str, filter: Option<&str>, most: u32) -> Panel {
    let expression = format!(
        "{}stats {} by repository, workflow
         | filter failures > 0
         | sort failures desc
         | limit {most}",
        before(filter),
        columns(&[FAILURES, ATTEMPTS, SHARE, MINUTES])
    );
    panel::table(
        title,
        "Failed: attempts that ended with failure, timed_out or startup_failure. Share: of all attempts of the workflow. A click on the repository opens it.",
        logs(&WORKFLOW_RUNS, &expression, &[]),
    )
    .no_value("Nothing failed in this time range")
    .field("repository", &[("displayName", json!("Repository")), ("links", repository_link()), ("custom.width", json!(300))])
    .field("workflow", &[("displayName", json!("Workflow"))])
    .field("failures", &[("displayName", json!("Failed")), ("custom.width", json!(110))])
    .field("attempts", &[("displayName", json!("Attempts")), ("custom.width", json!(110))])
    .field("share", &[("displayName", json!("Share failed")), ("unit", json!("percent")), ("decimals", json!(0)), ("custom.width", json!(130))])
    .field("minutes", &[("displayName", json!("Runner minutes")), ("decimals", json!(0))])
}

/// Leads from a repository's name to its dashboard.
fn repository_link() -> Value {
    json!([{
        "title": "Look at this repository", "targetBlank": false,
        "url": "/d/uptake-workflow?var-datasource=${datasource}&var-repository=${__value.raw:percentencode}&${__url_time_range}",
    }])
}

/// Attempts one by one, with the way to GitHub.
pub(super) fn attempts(filters: &str) -> Panel {
    panel::table(
        "Failed attempts",
        "The newest hundred attempts that failed. A click on the workflow opens the run on GitHub.",
        logs(
            &WORKFLOW_RUNS,
            &format!(
                "{filters}
                 | fields @timestamp, repository, workflow, branch, conclusion, attempt, duration_seconds, html_url
                 | sort @timestamp desc
                 | limit 100"
            ),
            &[],
        ),
    )
    .size(24, 12)
    .no_value("Nothing failed in this time range")
    .sorted_by("Ended")
    .field(
        "@timestamp",
        &[
            ("displayName", json!("Ended")),
            ("unit", json!("dateTimeAsIso")),
            ("custom.width", json!(180)),
        ],
    )
    .field(
        "repository",
        &[
            ("displayName", json!("Repository")),
            ("links", repository_link()),
            ("custom.width", json!(260)),
        ],
    )
    .field(
        "workflow",
        &[
            ("displayName", json!("Workflow")),
            (
                "links",
                json!([{"title": "Open the run on GitHub", "url": "${__data.fields.html_url}", "targetBlank": true}]),
            ),
        ],
    )
    .field(
        "branch",
        &[("displayName", json!("Branch")), ("custom.width", json!(130))],
    )
    .field(
        "conclusion",
        &[("displayName", json!("Ended with")), ("custom.width", json!(140))],
    )
    .field(
        "attempt",
        &[("displayName", json!("Attempt")), ("custom.width", json!(100))],
    )
    .field(
        "duration_seconds",
        &[
            ("displayName", json!("Duration")),
            ("unit", json!("s")),
            ("custom.width", json!(120)),
        ],
    )
    .field("html_url", &[("custom.hideFrom.viz", json!(true))])
}

fn this_week() -> Section {
    section(
        "This week",
        vec![week(
            "The last 7 days, and the change from the 7 days before",
            Some(IS_OF_TEAM),
            &FIGURES,
        )],
    )
}

fn over_time() -> Section {
    section(
        "How it goes",
        vec![
            by_conclusion(
                "Run attempts by how they ended",
                Some(IS_OF_TEAM),
                "$step",
            ),
            panel::lines(
                "Success rate by team",
                "Of the day's attempts that succeeded or failed, the percentage that succeeded. A team below 80 % loses every fifth run.",
                vec![metric(&SUCCESS_RATE, TEAM).every(DAY)],
            )
            .many()
            .percent()
            .legend(&["mean", "lastNotNull"]),
            panel::bars(
                "Runner minutes by team",
                "Minutes that jobs ran, each job rounded up as GitHub bills it, before multipliers, self-hosted runners included; in the step in which the attempt ended.",
                vec![in_steps("sum(runner_minutes)", Some(IS_OF_TEAM), "$step", "team")],
            )
            .many()
            .no_value("No run attempts in this time range"),
            panel::lines(
                "Stuck runs by team",
                "Attempts that at the end of the hour had been queued, in progress or waiting for longer than UPTAKE_STUCK_MINUTES (120 if not set). Anything above 0 wants a look at runners and approvals.",
                vec![metric(&STUCK_RUNS, TEAM)],
            )
            .many()
            .decimals(0)
            .legend(&["max", "lastNotNull"]),
        ],
    )
}

fn speed() -> Section {
    section(
        "How long it takes",
        vec![
            panel::lines(
                "Duration by team, nine of ten attempts",
                "Nine of ten attempts of the day took no longer: from the start of the first job to the end of the last.",
                vec![metric(&RUN_DURATION, TEAM).every(DAY)],
            )
            .many()
            .unit("s")
            .legend(&["mean", "lastNotNull"]),
            panel::lines(
                "Queue time by team, nine of ten attempts",
                "Nine of ten attempts of the day waited no longer for their first job. More than a few minutes means too few runners.",
                vec![metric(&QUEUE_TIME, TEAM).every(DAY)],
            )
            .many()
            .unit("s")
            .legend(&["mean", "lastNotNull"]),
        ],
    )
}

fn teams() -> Section {
    section(
        "Team by team",
        vec![
            summary("The whole time range", IS_OF_TEAM, "team"),
            old_against_new(),
            failing("Workflows that failed most", Some(IS_OF_TEAM), 20),
        ],
    )
}

/// A line for each team or workflow, all attempts of the time range together.
pub(super) fn summary(title: &str, filter: &str, by: &str) -> Panel {
    let (width, called) = ("custom.width", by[..1].to_uppercase() + &by[1..]);
    panel::table(
        title,
        &format!("Everything that ended in the time range, by {by}. Median: half of the attempts took no longer. Queued: nine of ten attempts waited no longer."),
        logs(
            &WORKFLOW_RUNS,
            &format!(
                "{filter}
                 | stats {} by {by}
                 | sort minutes desc
                 | limit 100",
                columns(&[ATTEMPTS, RATE, AGAIN, MEDIAN, QUEUED, MINUTES])
            ),
            &[],
        ),
    )
    .size(16, 8)
    .field(by, &[("displayName", json!(called))])
    .field("attempts", &[("displayName", json!("Attempts")), (width, json!(100))])
    .field("rate", &[("displayName", json!("Success rate")), ("unit", json!("percent")), ("decimals", json!(1)), (width, json!(125))])
    .field("again", &[("displayName", json!("Re-runs")), (width, json!(95))])
    .field("median", &[("displayName", json!("Median")), ("unit", json!("s")), (width, json!(110))])
    .field("queued", &[("displayName", json!("Queued")), ("unit", json!("s")), (width, json!(110))])
    .field("minutes", &[("displayName", json!("Runner minutes")), ("decimals", json!(1)), (width, json!(150))])
}

/// Attempts of each team in the last two weeks, one column a week.
fn old_against_new() -> Panel {
    panel::table(
        "Run attempts, this week against the last",
        "Attempts that ended in the last 7 days and in the 7 days before, counted back from now, for any range that ends now.",
        logs(
            &WORKFLOW_RUNS,
            &format!(
                "{IS_OF_TEAM}
                 | fields {WEEKS_AGO} as weeks_ago
                 | filter weeks_ago < 2
                 | stats count(*) as attempts by team, weeks_ago
                 | sort weeks_ago asc
                 | limit 500"
            ),
            &[],
        ),
    )
    .size(8, 8)
    .always(TWO_WEEKS)
    .transformed(vec![
        json!({"id": "groupingToMatrix", "options": {"rowField": "team", "columnField": "weeks_ago", "valueField": "attempts"}}),
        json!({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "0", "desc": true}]}}),
    ])
    .field("team\\weeks_ago", &[("displayName", json!("Team"))])
    .field("0", &[("displayName", json!("This week")), ("custom.width", json!(110))])
    .field("1", &[("displayName", json!("Week before")), ("custom.width", json!(120))])
}

/// The hourly metrics as they are published: what alarms of one's own would watch.
fn hourly() -> Vec<Panel> {
    vec![
        colored_by_conclusion(
            panel::bars(
                "Run attempts by conclusion, all teams",
                "Attempts that ended in the hour, in GitHub's words.",
                vec![metric(&RUN_ATTEMPTS, &[(Dimension::Conclusion, "*")])],
            )
            .many(),
        ),
        panel::bars(
            "Failed attempts by team",
            "Attempts of the hour that ended with failure, timed_out or startup_failure.",
            vec![metric(&FAILED_RUN_ATTEMPTS, TEAM)],
        )
        .many(),
        panel::bars(
            "Re-runs by team",
            "Second and later attempts among those of the hour.",
            vec![metric(&RE_RUNS, TEAM)],
        )
        .many(),
        panel::bars(
            "Runner minutes by team and hour",
            "Minutes that jobs of the hour's attempts ran, each job rounded up.",
            vec![metric(&RUNNER_MINUTES, TEAM)],
        )
        .many(),
        attempts(&format!("{IS_OF_TEAM}\n| filter failed = 1")),
    ]
}

fn in_use() -> Section {
    section(
        "Workflows in use",
        vec![
            panel::lines(
                "Active workflows by team",
                "Enabled workflows with a run in the UPTAKE_INACTIVE_DAYS days (14 if not set) that end with the day.",
                vec![metric(&ACTIVE_WORKFLOWS, TEAM)],
            )
            .many()
            .size(8, 9)
            .legend(&["lastNotNull"]),
            panel::lines(
                "Inactive workflows by team",
                "Enabled workflows without a run in these days: candidates for switching off.",
                vec![metric(&INACTIVE_WORKFLOWS, TEAM)],
            )
            .many()
            .size(8, 9)
            .legend(&["lastNotNull"]),
            panel::ranking(
                "Repositories with most inactive workflows",
                "Enabled workflows without a run in these days, by repository, all teams together. The ten with most of the 100 repositories that Grafana asks for at most.",
                metric(&INACTIVE_WORKFLOWS, &[(Dimension::Repository, "*")]),
            )
            .size(8, 9)
            .color(ORANGE),
        ],
    )
}
