//! Engagement: how Microsoft 365 Copilot is taken up, day by day and app by app, in sums alone.

use uptake_domain::catalogue::{
    ACTIVE_SUBJECTS, AGENT_INTERACTIONS, Dimension, INTERACTIONS, LICENSES, STREAKS_OF_5_DAYS,
};
use uptake_domain::copilot_usage::App;

use super::panel::{self, BLUE, GREEN, PURPLE, Panel};
use super::query::{math, metric};
use super::{Dashboard, Section, detail, section, source};

const EACH_APP: &[(Dimension, &str)] = &[(Dimension::App, "*")];

/// What is most on a chart has the strongest colours.
const MOST_USED_FIRST: [App; 8] = [
    App::Chat,
    App::Teams,
    App::Outlook,
    App::Word,
    App::Excel,
    App::PowerPoint,
    App::OneNote,
    App::Loop,
];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-engagement",
        title: "Uptake / Engagement",
        description: "How Microsoft 365 Copilot is taken up: people, interactions, agents and habits, by day and app. Nobody is named.",
        from: "now-28d",
        variables: vec![source()],
        introduction: panel::introduction(
            "Does use of Copilot become a habit?",
            "Sums of days, told by the audit log and by usage reports. The newest days still grow, for up to a week, \
                     as late data comes; weekends are low because few people work. Nothing here is about a person: streaks and points are kept under \
                     encrypted names in tables of their own, for those who may read them.",
        ),
        sections: vec![
            at_a_glance(),
            over_time(),
            by_app(),
            detail("Agents and habits, app by app", agents_and_habits()),
        ],
    }
}

pub(super) fn habit() -> Panel {
    panel::tile(
        "People with a habit",
        "People whose streak of active days had reached five or more at the end of the newest day, weekends and absences left out.",
        vec![metric(&STREAKS_OF_5_DAYS, &[]).label("people")],
    )
    .color(PURPLE)
    .no_value("No engagement yet")
}

fn at_a_glance() -> Section {
    section(
        "At a glance",
        vec![
            panel::tile(
                "People on a day, mean",
                "Mean of the days of the time range: people with any use on the day.",
                vec![metric(&ACTIVE_SUBJECTS, &[]).label("people")],
            )
            .size(6, 5)
            .reduced_by("mean")
            .decimals(0)
            .no_value("No engagement: does the function run?"),
            panel::tile(
                "People on the best day",
                "The most people with any use on one day of the time range.",
                vec![metric(&ACTIVE_SUBJECTS, &[]).label("people")],
            )
            .size(6, 5)
            .reduced_by("max"),
            panel::tile(
                "Interactions",
                "Interactions with Copilot on all days of the time range that the audit log told of.",
                vec![metric(&INTERACTIONS, &[]).label("interactions")],
            )
            .size(6, 5)
            .reduced_by("sum")
            .color(PURPLE),
            habit().size(6, 5).color(GREEN),
        ],
    )
}

fn over_time() -> Section {
    section(
        "How it goes",
        vec![
            panel::lines(
                "People, and those with a habit",
                "People with any use on the day, and people whose streak had reached five active days.",
                vec![
                    metric(&ACTIVE_SUBJECTS, &[]).label("people"),
                    metric(&STREAKS_OF_5_DAYS, &[]).label("with a habit"),
                ],
            )
            .series("^people", BLUE)
            .series("habit", GREEN)
            .legend(&["mean", "max"]),
            panel::lines(
                "Part of licences used on the day",
                "People with any use on the day, of those with a licence on that day. Days that are not scored yet have none.",
                vec![
                    metric(&ACTIVE_SUBJECTS, &[]).named("people"),
                    metric(&LICENSES, &[]).named("licenses"),
                    math("100 * people / licenses", "used on the day", LICENSES.period_seconds),
                ],
            )
            .percent()
            .color(GREEN)
            .legend(&["mean", "max"]),
            panel::bars(
                "Interactions",
                "Interactions of the day, with agents and without.",
                vec![
                    metric(&INTERACTIONS, &[]).named("all"),
                    metric(&AGENT_INTERACTIONS, &[]).named("agents"),
                    math("all - agents", "without an agent", INTERACTIONS.period_seconds),
                    math("agents * 1", "with an agent", INTERACTIONS.period_seconds),
                ],
            )
            .series("^without", BLUE)
            .series("^with an", PURPLE),
            panel::lines(
                "Interactions for each person",
                "Interactions of the day divided by the people with any use on it.",
                vec![
                    metric(&INTERACTIONS, &[]).named("interactions"),
                    metric(&ACTIVE_SUBJECTS, &[]).named("people"),
                    math("interactions / people", "for each person", INTERACTIONS.period_seconds),
                ],
            )
            .decimals(1)
            .color(PURPLE)
            .legend(&["mean", "max"]),
        ],
    )
}

pub(super) fn people_by_app() -> Panel {
    panel::lines(
        "People using Copilot, by app",
        "People with any use of Copilot in the app on the day. Somebody who uses three apps counts in each.",
        vec![metric(&ACTIVE_SUBJECTS, EACH_APP)],
    )
    .many()
    .hues(&MOST_USED_FIRST.map(App::as_str))
    .legend(&["mean", "max"])
    .no_value("No engagement yet")
}

fn by_app() -> Section {
    section(
        "By app",
        vec![
            people_by_app(),
            panel::bars(
                "Interactions by app",
                "Interactions of the day by the app they happened in.",
                vec![metric(&INTERACTIONS, EACH_APP)],
            )
            .many()
            .hues(&MOST_USED_FIRST.map(App::as_str)),
        ],
    )
}

fn agents_and_habits() -> Vec<Panel> {
    vec![
        panel::bars(
            "Interactions with agents by app",
            "Those of them that were with an agent.",
            vec![metric(&AGENT_INTERACTIONS, EACH_APP)],
        )
        .many()
        .hues(&MOST_USED_FIRST.map(App::as_str)),
        panel::lines(
            "People with a habit by app",
            "People whose streak of days with use of the app had reached five or more.",
            vec![metric(&STREAKS_OF_5_DAYS, EACH_APP)],
        )
        .many()
        .hues(&MOST_USED_FIRST.map(App::as_str))
        .legend(&["lastNotNull", "max"]),
    ]
}
