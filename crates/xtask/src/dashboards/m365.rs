//! Microsoft 365 Copilot: licences, how much they are used, what idle ones cost, by department.

use serde_json::json;
use uptake_domain::catalogue::{
    Dimension, IDLE_LICENSE_COST, LICENSES, LICENSES_ACTIVE, LICENSES_NEW, LICENSES_UNDERUTILIZED, USAGE_SCORE, USERS,
};
use uptake_domain::log_events::LICENSE_USAGE;

use super::panel::{self, BLUE, GREEN, GREY, ORANGE, PURPLE, Panel, RED};
use super::query::{logs, math, metric};
use super::{Dashboard, Section, detail, section, source, values};

const DEPARTMENT: &[(Dimension, &str)] = &[(Dimension::Department, "$department")];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-m365",
        title: "Uptake / Microsoft 365 Copilot",
        description: "Microsoft 365 Copilot licences: held, used, new, underutilised, what they cost, by department.",
        from: "now-28d",
        variables: vec![
            source(),
            values("department", "Department", &LICENSES, Dimension::Department, true),
        ],
        introduction: panel::introduction(
            "Which Microsoft 365 Copilot licences are used?",
            "Every licence gets a usage score from 0 to 100 a day: half for how recently Copilot was used, three tenths for how often in 30 days, \
                     two tenths for in how many of eight apps. A licence that is held long enough and has a low score is *underutilised*, a younger one is *new*. Scores come \
                     as Microsoft's usage reports do, one to three days late.",
        ),
        sections: vec![all_licenses(), over_time(), departments(), detail("Scores", scores())],
    }
}

pub(super) fn licenses() -> Panel {
    panel::tile(
        "M365 licences",
        "People with at least one Microsoft 365 Copilot service plan in force on the newest scored day.",
        vec![metric(&LICENSES, &[]).label("licences")],
    )
    .color(PURPLE)
    .no_value("No licences: does scoring run?")
}

pub(super) fn used() -> Panel {
    panel::tile(
        "Used in 30 days",
        "Part of the licences with any Copilot use on the 30 dates that end with the newest usage report. Below 70 % it is worth asking who needs a licence, below 50 % more are unused than used.",
        vec![
            metric(&LICENSES, &[]).named("licenses"),
            metric(&LICENSES_ACTIVE, &[]).named("active"),
            math("100 * active / licenses", "used", LICENSES.period_seconds),
        ],
    )
    .percent()
    .thresholds(RED, &[(50.0, ORANGE), (70.0, GREEN)])
}

pub(super) fn idle_cost() -> Panel {
    panel::tile(
        "Cost of idle licences",
        "Underutilised licences times UPTAKE_LICENSE_PRICE, in the currency and for the time that price is given for.",
        vec![metric(&IDLE_LICENSE_COST, &[]).label("cost")],
    )
    .color(ORANGE)
    .decimals(0)
    .no_value("Set UPTAKE_LICENSE_PRICE")
}

fn all_licenses() -> Section {
    section(
        "All licences",
        vec![
            licenses(),
            used(),
            panel::tile(
                "Mean usage score",
                "Mean of all licences' scores, 0 to 100.",
                vec![metric(&USAGE_SCORE, &[]).label("score")],
            )
            .decimals(1)
            .color(BLUE),
            panel::tile(
                "Underutilised",
                "Licences held for UPTAKE_NEW_LICENSE_DAYS days (14 if not set) or more with a score of UPTAKE_UNDERUTILIZED_THRESHOLD (20) or less. The weekly mail lists them.",
                vec![metric(&LICENSES_UNDERUTILIZED, &[]).label("underutilised")],
            )
            .color(ORANGE),
            panel::tile(
                "New",
                "Licences held for fewer than UPTAKE_NEW_LICENSE_DAYS days: too new to judge.",
                vec![metric(&LICENSES_NEW, &[]).label("new")],
            )
            .color(GREY),
            idle_cost(),
        ],
    )
}

fn over_time() -> Section {
    section(
        "How it goes",
        vec![
            panel::lines(
                "People and licences",
                "People in the directory who have not departed; those with a licence; those of them who use it.",
                vec![
                    metric(&USERS, &[]).label("people"),
                    metric(&LICENSES, &[]).label("licences"),
                    metric(&LICENSES_ACTIVE, &[]).label("used in 30 days"),
                ],
            )
            .series("^people", GREY)
            .series("^licences", PURPLE)
            .series("30 days", GREEN),
            panel::lines(
                "Licences that need a look",
                "Underutilised ones, and new ones that are not judged yet.",
                vec![
                    metric(&LICENSES_UNDERUTILIZED, &[]).label("underutilised"),
                    metric(&LICENSES_NEW, &[]).label("new"),
                ],
            )
            .series("underutilised", ORANGE)
            .series("^new", GREY),
        ],
    )
}

fn departments() -> Section {
    section(
        "By department, and what idle licences cost",
        vec![
            panel::ranking(
                "Underutilised licences",
                "Licences of the department that are held long enough and scored at or below the threshold. The ten departments with most; the newest value of each.",
                metric(&LICENSES_UNDERUTILIZED, DEPARTMENT),
            )
            .color(ORANGE),
            panel::lines(
                "Cost of idle licences",
                "Underutilised licences times UPTAKE_LICENSE_PRICE.",
                vec![metric(&IDLE_LICENSE_COST, &[]).label("cost")],
            )
            .color(ORANGE)
            .size(12, 8)
            .no_value("Set UPTAKE_LICENSE_PRICE"),
            panel::table(
                "All departments on the newest scored day",
                "The newest event of each department, whichever is chosen above. Departments of fewer than UPTAKE_SMALLEST_GROUP people are together in other.",
                logs(
                    &LICENSE_USAGE,
                    "filter scope = \"department\"
                     | stats latest(users) as people, latest(licenses) as held, latest(active) as used, latest(underutilized) as idle, latest(new) as young,
                       latest(mean_score) as score, latest(idle_license_cost) as cost, latest(as_of_on) as told by department
                     | sort held desc
                     | limit 200",
                    &[],
                ),
            )
            .size(24, 12)
            .no_value("No scored day in this time range")
            .field("department", &[("displayName", json!("Department")), ("custom.width", json!(280))])
            .field("people", &[("displayName", json!("People"))])
            .field("held", &[("displayName", json!("Licences"))])
            .field("used", &[("displayName", json!("Used in 30 days"))])
            .field("idle", &[("displayName", json!("Underutilised"))])
            .field("young", &[("displayName", json!("New"))])
            .field("score", &[("displayName", json!("Mean score")), ("decimals", json!(1))])
            .field("cost", &[("displayName", json!("Cost of idle ones")), ("decimals", json!(0))])
            .field("told", &[("displayName", json!("Report up to"))]),
        ],
    )
}

fn scores() -> Vec<Panel> {
    vec![
        panel::lines(
            "Usage scores",
            "The mean of all licences, the middle licence, and what one in ten exceeds.",
            vec![
                metric(&USAGE_SCORE, &[]).label("mean"),
                metric(&USAGE_SCORE, &[]).statistic("p50").label("middle"),
                metric(&USAGE_SCORE, &[]).statistic("p90").label("best tenth from"),
            ],
        )
        .decimals(0)
        .legend(&["lastNotNull"])
        .series("^mean", BLUE)
        .series("^middle", PURPLE)
        .series("^best", GREEN),
        panel::lines(
            "Mean usage score by department",
            "Mean of the scores of the department's licences.",
            vec![metric(&USAGE_SCORE, DEPARTMENT)],
        )
        .many()
        .decimals(0)
        .legend(&["lastNotNull"]),
    ]
}
