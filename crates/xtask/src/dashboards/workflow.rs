//! Workflow detail: the workflows of one repository.

use uptake_domain::catalogue::{
    ACTIVE_WORKFLOWS, Dimension, INACTIVE_WORKFLOWS, MetricSpec, REPOSITORY_FAILED_RUN_ATTEMPTS, REPOSITORY_QUEUE_TIME,
    REPOSITORY_RE_RUNS, REPOSITORY_RUN_ATTEMPTS, REPOSITORY_RUN_DURATION, REPOSITORY_RUNNER_MINUTES,
    REPOSITORY_STUCK_RUNS, REPOSITORY_SUCCESS_RATE,
};

use super::panel::{self, BLUE, GREEN, GREY, ORANGE, PURPLE, Panel, RED};
use super::query::metric;
use super::{Dashboard, Section, detail, section, source, step, values, workflows};

const REPOSITORY: &[(Dimension, &str)] = &[(Dimension::Repository, "$repository")];
const IS_CHOSEN: &str = "filter repository = \"${repository:raw}\"";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-workflow",
        title: "Uptake / Workflow detail",
        description: "The workflows of one repository: how often, how well, how long, at what price in minutes.",
        from: "now-28d",
        variables: vec![
            source(),
            values(
                "repository",
                "Repository",
                &REPOSITORY_RUN_ATTEMPTS,
                Dimension::Repository,
                false,
            ),
            step(),
        ],
        introduction: panel::introduction(
            "How do the workflows of one repository do?",
            "Figures of this week, bars by step and tables are drawn from the log events of single attempts, within the hour in which they ended; the others are \
                     figures of days, complete a little after midnight (UTC). In *Failed attempts* a click on the workflow opens the run on GitHub.",
        ),
        sections: vec![
            this_week(),
            over_time(),
            each_workflow(),
            detail("Day by day, and what started the runs", day_by_day()),
        ],
    }
}

fn this_week() -> Section {
    section(
        "This week",
        vec![
            workflows::week(
                "The last 7 days, and the change from the 7 days before",
                Some(IS_CHOSEN),
                &workflows::FIGURES,
            )
            .size(20, 5),
            panel::tile(
                "Stuck at most",
                "The most attempts that hung at the end of one hour of a day: queued, in progress or waiting for longer than UPTAKE_STUCK_MINUTES.",
                vec![metric(&REPOSITORY_STUCK_RUNS, REPOSITORY).label("stuck")],
            )
            .reduced_by("max")
            .thresholds(GREEN, &[(1.0, ORANGE)]),
        ],
    )
}

fn over_time() -> Section {
    section(
        "How it goes",
        vec![
            workflows::by_conclusion("Run attempts by how they ended", Some(IS_CHOSEN), "$step"),
            panel::bars(
                "Runner minutes by workflow",
                "Minutes that jobs ran, each job rounded up; in the step in which the attempt ended.",
                vec![workflows::in_steps(
                    "sum(runner_minutes)",
                    Some(IS_CHOSEN),
                    "$step",
                    "workflow",
                )],
            )
            .many(),
            half_and_nine_of_ten(
                "Duration",
                "How long attempts of the day took, from the start of the first job to the end of the last: the middle one, and what nine of ten did not exceed.",
                &REPOSITORY_RUN_DURATION,
            ),
            half_and_nine_of_ten(
                "Queue time",
                "How long attempts of the day waited for their first job: the middle one, and what nine of ten did not exceed.",
                &REPOSITORY_QUEUE_TIME,
            ),
        ],
    )
}

fn half_and_nine_of_ten(title: &str, description: &str, spec: &MetricSpec) -> Panel {
    let of_repository = || metric(spec, REPOSITORY);
    panel::lines(
        title,
        description,
        vec![
            of_repository().statistic("p50").label("half of them"),
            of_repository().label("nine of ten"),
        ],
    )
    .unit("s")
    .series("half", GREEN)
    .series("nine", BLUE)
    .legend(&["mean", "lastNotNull"])
}

fn each_workflow() -> Section {
    section(
        "Workflow by workflow",
        vec![
            workflows::summary("Workflows", IS_CHOSEN, "workflow"),
            panel::lines(
                "Active and inactive workflows",
                "Enabled workflows with and without a run in the UPTAKE_INACTIVE_DAYS days (14 if not set) that end with the day.",
                vec![
                    metric(&ACTIVE_WORKFLOWS, REPOSITORY).label("active"),
                    metric(&INACTIVE_WORKFLOWS, REPOSITORY).label("inactive"),
                ],
            )
            .size(8, 8)
            .decimals(0)
            .legend(&["lastNotNull"])
            .series("^active", GREEN)
            .series("^inactive", GREY),
            workflows::attempts(&format!("{IS_CHOSEN}\n| filter failed = 1")),
        ],
    )
}

/// The daily metrics as they are published: what alarms of one's own would watch.
fn day_by_day() -> Vec<Panel> {
    vec![
        panel::lines(
            "Run attempts a day",
            "Attempts that ended on the day, re-runs included, and those of them that ended with failure, timed_out or startup_failure.",
            vec![
                metric(&REPOSITORY_RUN_ATTEMPTS, REPOSITORY).label("ended"),
                metric(&REPOSITORY_FAILED_RUN_ATTEMPTS, REPOSITORY).label("failed"),
            ],
        )
        .size(8, 9)
        .series("^ended", BLUE)
        .series("^failed", RED),
        panel::lines(
            "Success rate a day",
            "Of the day's attempts that succeeded or failed, the percentage that succeeded. Below 80 % every fifth run is lost.",
            vec![metric(&REPOSITORY_SUCCESS_RATE, REPOSITORY).label("succeeded")],
        )
        .size(8, 9)
        .percent()
        .color(GREEN)
        .legend(&["mean", "lastNotNull"]),
        panel::bars(
            "Re-runs a day",
            "Second and later attempts: what somebody tried again.",
            vec![metric(&REPOSITORY_RE_RUNS, REPOSITORY).label("re-runs")],
        )
        .size(8, 9)
        .color(ORANGE),
        panel::bars(
            "Runner minutes a day",
            "Minutes that jobs ran, each job rounded up, before GitHub's multipliers.",
            vec![metric(&REPOSITORY_RUNNER_MINUTES, REPOSITORY).label("minutes")],
        )
        .color(PURPLE),
        panel::bars(
            "What started them",
            "Run attempts by the event that started the run, in GitHub's words, in the step in which they ended.",
            vec![workflows::in_steps("count(*)", Some(IS_CHOSEN), "$step", "event")],
        )
        .many(),
    ]
}
