//! Overview: what is paid for, what of it is used, and what changed since last week.

use serde_json::json;
use uptake_domain::catalogue::{
    ACTIVE_SUBJECTS, Dimension, LICENSES, LICENSES_ACTIVE, LICENSES_UNDERUTILIZED, SEATS, SEATS_IDLE, SEATS_NEVER_USED,
};

use super::panel::{self, BLUE, GREEN, ORANGE, PURPLE};
use super::query::{math, metric};
use super::{Dashboard, Section, copilot_seats, engagement, m365, section, source, workflows};

/// A day of this week and the same of the last, for figures of days.
const SINCE_LAST_WEEK: &str = "8d";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-overview",
        title: "Uptake / Overview",
        description: "What is paid for, what of it is used, and what changed since last week.",
        from: "now-28d",
        variables: vec![source()],
        introduction: panel::introduction(
            "What do we pay for, what of it is used, and what changed?",
            "Seats and licences are counted once a day, workflow runs within the hour, use of Microsoft 365 Copilot as Microsoft tells of it, one to three \
                     days late. What is paid for is told with its change since last week, Actions as the last seven days; lines and tables are of the time range. Nobody is named anywhere, and \
                     small groups count under *other*.",
        ),
        sections: vec![paid_for(), used_this_week(), trends(), where_to_look()],
    }
}

fn paid_for() -> Section {
    section(
        "What we pay for, and the change since last week",
        vec![
            copilot_seats::seats().always(SINCE_LAST_WEEK),
            copilot_seats::used().always(SINCE_LAST_WEEK),
            panel::tile(
                "Seats to reclaim",
                "Seats that were not used in 28 days, or never: what could be cancelled today.",
                vec![
                    metric(&SEATS_IDLE, &[]).named("idle"),
                    metric(&SEATS_NEVER_USED, &[]).named("unused"),
                    math("idle + unused", "to reclaim", SEATS.period_seconds),
                ],
            )
            .color(ORANGE)
            .always(SINCE_LAST_WEEK),
            m365::licenses().always(SINCE_LAST_WEEK),
            m365::used().always(SINCE_LAST_WEEK),
            m365::idle_cost().always(SINCE_LAST_WEEK),
        ],
    )
}

fn used_this_week() -> Section {
    section(
        "What is used",
        vec![
            workflows::week(
                "GitHub Actions: the last 7 days, and the change from the 7 days before",
                None,
                &workflows::FIGURES[..5],
            )
            .size(16, 5),
            panel::tile(
                "People on a day",
                "Mean of the last 7 days: people with any Microsoft 365 Copilot use on the day, by audit log or usage report. The newest days still grow.",
                vec![metric(&ACTIVE_SUBJECTS, &[]).label("people")],
            )
            .reduced_by("mean")
            .decimals(0)
            .color(PURPLE)
            .no_value("No engagement yet")
            .always("7d"),
            engagement::habit().always(SINCE_LAST_WEEK),
        ],
    )
}

fn trends() -> Section {
    section(
        "How it goes",
        vec![
            copilot_seats::held_and_used(),
            panel::lines(
                "Microsoft 365 Copilot licences, held and used",
                "Licences on each scored day; of them, those used in 30 days, and those whose score says that they are underutilised.",
                vec![
                    metric(&LICENSES, &[]).label("held"),
                    metric(&LICENSES_ACTIVE, &[]).label("used in 30 days"),
                    metric(&LICENSES_UNDERUTILIZED, &[]).label("underutilised"),
                ],
            )
            .series("^held$", BLUE)
            .series("30 days", GREEN)
            .series("underutilised", ORANGE),
            workflows::by_conclusion(
                "GitHub Actions run attempts a day",
                None,
                "1d",
            ),
            engagement::people_by_app(),
        ],
    )
}

fn where_to_look() -> Section {
    section(
        "Where to look",
        vec![
            panel::ranking(
                "Teams with most idle Copilot seats",
                "Seats of the team that were used once, but not in 28 days. The ten teams with most; the newest value of each.",
                metric(&SEATS_IDLE, &[(Dimension::Team, "*")]),
            )
            .color(ORANGE),
            panel::ranking(
                "Departments with most underutilised licences",
                "Licences of the department that are held long enough and scored at or below the threshold. The ten departments with most; the newest value of each.",
                metric(&LICENSES_UNDERUTILIZED, &[(Dimension::Department, "*")]),
            )
            .color(ORANGE),
            workflows::failing("Workflows that failed most", None, 6)
            .size(24, 8)
            .field("minutes", &[("custom.width", json!(160))]),
        ],
    )
}
