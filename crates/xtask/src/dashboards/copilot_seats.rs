//! Copilot seats: who holds them by team and editor, and how many are used.

use uptake_domain::catalogue::{
    Dimension, SEATS, SEATS_ACTIVE_7_DAYS, SEATS_ACTIVE_28_DAYS, SEATS_IDLE, SEATS_NEVER_USED,
    SEATS_PENDING_CANCELLATION,
};

use super::panel::{self, BLUE, GREEN, GREY, ORANGE, PURPLE, Panel, RED};
use super::query::{math, metric};
use super::{Dashboard, Section, detail, section, source, values};

const TEAM: &[(Dimension, &str)] = &[(Dimension::Team, "$assigning_team")];
const EDITOR: &[(Dimension, &str)] = &[(Dimension::Editor, "*")];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-copilot-seats",
        title: "Uptake / Copilot seats",
        description: "GitHub Copilot seats: held, used, idle, never used, by team and editor.",
        from: "now-28d",
        variables: vec![
            source(),
            values("assigning_team", "Assigning team", &SEATS, Dimension::Team, true),
        ],
        introduction: panel::introduction(
            "Which Copilot seats are used?",
            "Counted once a day. GitHub tells the last activity of a seat and needs telemetry switched on in the \
                     editor to know of any: *never used* may mean *never told*. *Assigning team* is the team that a seat was given through; whoever has a seat through \
                     several teams counts in each, so teams add up to more than all seats.",
        ),
        sections: vec![all_seats(), over_time(), by_team(), detail("By editor", by_editor())],
    }
}

pub(super) fn seats() -> Panel {
    panel::tile(
        "Copilot seats",
        "People who hold a GitHub Copilot seat, a person with several grants once.",
        vec![metric(&SEATS, &[]).label("seats")],
    )
    .no_value("No seats: does copilot-seats run?")
}

pub(super) fn used() -> Panel {
    panel::tile(
        "Used in 28 days",
        "Part of the seats whose last Copilot activity GitHub knows of falls in the 28 days up to then. Below 70 % it is worth asking who needs a seat, below 50 % more are unused than used.",
        vec![
            metric(&SEATS, &[]).named("seats"),
            metric(&SEATS_ACTIVE_28_DAYS, &[]).named("active"),
            math("100 * active / seats", "used", SEATS.period_seconds),
        ],
    )
    .percent()
    .thresholds(RED, &[(50.0, ORANGE), (70.0, GREEN)])
}

pub(super) fn held_and_used() -> Panel {
    panel::lines(
        "Copilot seats, held and used",
        "Seats day by day; of them, those used in 28 and in 7 days.",
        vec![
            metric(&SEATS, &[]).label("held"),
            metric(&SEATS_ACTIVE_28_DAYS, &[]).label("used in 28 days"),
            metric(&SEATS_ACTIVE_7_DAYS, &[]).label("used in 7 days"),
        ],
    )
    .series("^held$", BLUE)
    .series("28 days", GREEN)
    .series(" 7 days", PURPLE)
}

fn all_seats() -> Section {
    let count = |title, description, spec, label| panel::tile(title, description, vec![metric(spec, &[]).label(label)]);
    section(
        "All seats",
        vec![
            seats(),
            used(),
            count(
                "Used in 7 days",
                "Seats whose last activity falls in the 7 days up to then.",
                &SEATS_ACTIVE_7_DAYS,
                "used",
            )
            .color(GREEN),
            count(
                "Idle",
                "Seats that were used once, but not in 28 days.",
                &SEATS_IDLE,
                "idle",
            )
            .color(ORANGE),
            count(
                "Never used",
                "Seats of which GitHub knows no activity at all.",
                &SEATS_NEVER_USED,
                "never used",
            )
            .color(ORANGE),
            count(
                "Ending",
                "Seats that end with the billing cycle: every grant of the person is cancelled.",
                &SEATS_PENDING_CANCELLATION,
                "ending",
            )
            .color(GREY),
        ],
    )
}

fn over_time() -> Section {
    section(
        "How it goes",
        vec![
            held_and_used(),
            panel::bars(
                "What every seat is",
                "Each seat is one of three: used in 28 days, idle, or never used.",
                vec![
                    metric(&SEATS_ACTIVE_28_DAYS, &[]).label("used in 28 days"),
                    metric(&SEATS_IDLE, &[]).label("idle"),
                    metric(&SEATS_NEVER_USED, &[]).label("never used"),
                ],
            )
            .legend(&["lastNotNull"])
            .series("28 days", GREEN)
            .series("^idle", ORANGE)
            .series("^never", GREY),
        ],
    )
}

fn by_team() -> Section {
    section(
        "By team",
        vec![
            panel::lines(
                "Seats by team",
                "People with a seat through the team.",
                vec![metric(&SEATS, TEAM)],
            )
            .many()
            .legend(&["lastNotNull"]),
            panel::lines(
                "Used in 28 days by team",
                "Those of them whose last activity falls in the 28 days up to then.",
                vec![metric(&SEATS_ACTIVE_28_DAYS, TEAM)],
            )
            .many()
            .legend(&["lastNotNull"]),
            panel::ranking(
                "Idle seats",
                "Seats through the team that were used once, but not in 28 days. The ten teams with most; the newest value of each.",
                metric(&SEATS_IDLE, TEAM),
            )
            .color(ORANGE),
            panel::ranking(
                "Seats never used",
                "Seats through the team of which GitHub knows no activity. The ten teams with most; the newest value of each.",
                metric(&SEATS_NEVER_USED, TEAM),
            )
            .color(GREY),
        ],
    )
}

fn by_editor() -> Vec<Panel> {
    vec![
            panel::ranking(
                "Seats by editor last used with Copilot",
                "The editor of the seat's last activity; none for seats without any. The ten with most; the newest value of each.",
                metric(&SEATS, EDITOR),
            )
            .color(BLUE),
            panel::ranking(
                "Used in 7 days by editor",
                "Seats whose last activity falls in the 7 days up to then, by its editor. The ten with most; the newest value of each.",
                metric(&SEATS_ACTIVE_7_DAYS, EDITOR),
            )
            .color(GREEN),
        ]
}
