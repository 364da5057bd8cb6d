//! Pipeline health: whether Uptake itself runs, is complete and up to date, and what it takes.

use serde_json::json;
use uptake_domain::catalogue::{
    ATTEMPTS_PENDING, ATTEMPTS_TOO_OLD, CHECKS_FAILED, COLLECTIONS_COMPLETED, COLLECTIONS_INCOMPLETE, CONCEALED_NAMES,
    CONTENT_LOST, CREDENTIAL_DAYS_LEFT, Dimension, GRAFANA_AVAILABLE, LOG_EVENTS_REJECTED, MAILS_IN_DOUBT,
    MAILS_REFUSED, MAILS_SENT, MEMORY_USED, MetricSpec, NOTIFICATIONS_ACCEPTED, NOTIFICATIONS_REFUSED, PROCESSOR_USED,
    RATE_BUDGET_LEFT, RECORDS_QUARANTINED, RECORDS_QUARANTINED_SHARE, ROTATION_PAUSED, STALE_REPORTS,
    TRIGGERS_PAST_DUE, UPSTREAM_REQUESTS, USAGE_REPORT_AGE, WATERMARK_LAG,
};
use uptake_domain::functions::EVERY_FUNCTION;

use super::panel::{self, GREEN, ORANGE, Panel, RED};
use super::query::metric;
use super::{Dashboard, Section, detail, section, source};

const EACH_FUNCTION: &[(Dimension, &str)] = &[(Dimension::Function, "*")];

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "uptake-pipeline",
        title: "Uptake / Pipeline health",
        description: "Whether Uptake itself runs, is complete and up to date, and what it takes.",
        from: "now-7d",
        variables: vec![source()],
        introduction: panel::introduction(
            "Can the other dashboards be believed?",
            "For whoever runs Uptake. Alarms watch most of this and mail; here is what they saw, hour by hour and function by function. \
                     Functions are offered work every hour, and most of them have something to do once a day. What to do about each is in *docs/OPERATIONS.md*, under the alarm's name.",
        ),
        sections: vec![
            well(),
            complete(),
            data(),
            upstream(),
            detail("Memory and processor", resources()),
            detail("Mails and notifications", rare()),
        ],
    }
}

/// A line for each function.
fn by_function(title: &str, description: &str, spec: &MetricSpec) -> Panel {
    panel::lines(title, description, vec![metric(spec, EACH_FUNCTION)])
        .many()
        .hues(EVERY_FUNCTION)
        .legend(&["lastNotNull", "max"])
}

/// Bars, with a part for each function.
fn counted_by_function(title: &str, description: &str, spec: &MetricSpec) -> Panel {
    panel::bars(title, description, vec![metric(spec, EACH_FUNCTION)])
        .many()
        .hues(EVERY_FUNCTION)
        .decimals(0)
}

fn well() -> Section {
    let worst = |title: &str, description: &str, spec: &MetricSpec| {
        panel::tile(title, description, vec![metric(spec, EACH_FUNCTION)])
            .transformed(vec![
                json!({"id": "reduce", "options": {"mode": "seriesToRows", "reducers": ["max"]}}),
                json!({"id": "reduce", "options": {"mode": "reduceFields", "includeTimeField": false, "reducers": ["max"]}}),
            ])
            .only("/^Max$/")
            .without_change()
    };
    section(
        "Is everything well?",
        vec![
            worst(
                "Anything incomplete",
                "1 if any function ran in the time range and could not read or send something that should be there.",
                &COLLECTIONS_INCOMPLETE,
            )
            .thresholds(GREEN, &[(1.0, ORANGE)]),
            worst(
                "Furthest behind",
                "The longest time, in the time range, from the end of what a function had finished to the trigger it was given. A day is normal for functions of the day. From three days on it sets off the alarm falling-behind, for audit-events and workflow-metrics from six hours on: Behind the trigger tells one from the other.",
                &WATERMARK_LAG,
            )
            .unit("s")
            .thresholds(GREEN, &[(259_200.0, RED)]),
            worst(
                "Records set aside",
                "The largest share of an invocation's records that could not be understood. From 5 % on it sets off the alarm records-rejected.",
                &RECORDS_QUARANTINED_SHARE,
            )
            .percent()
            .decimals(1)
            .thresholds(GREEN, &[(5.0, RED)]),
            worst(
                "Checks not passed",
                "The most data-quality checks of one collection that ended with WARN or FAIL; gold_copilot_dq_results says which.",
                &CHECKS_FAILED,
            )
            .thresholds(GREEN, &[(1.0, ORANGE)]),
            worst(
                "Mails in doubt",
                "Mails whose hand-over was begun and never confirmed: not sent again until somebody says so.",
                &MAILS_IN_DOUBT,
            )
            .thresholds(GREEN, &[(1.0, RED)]),
            panel::tile(
                "Grafana answers",
                "Part of the time range in which Grafana answered its health check. Published where grafana-health is deployed.",
                vec![metric(&GRAFANA_AVAILABLE, &[]).label("answers")],
            )
            .reduced_by("mean")
            .unit("percentunit")
            .decimals(1)
            .thresholds(RED, &[(0.99, ORANGE), (0.999, GREEN)])
            .no_value("grafana-health is not deployed"),
        ],
    )
}

fn complete() -> Section {
    section(
        "Complete and up to date",
        vec![
            counted_by_function("Collections completed", "1 for every hour in which the function stored everything its window holds. A function of the day has one a day; none for a day and a half, or for six hours from a function of the hour, sets off the alarm no-success.", &COLLECTIONS_COMPLETED),
            by_function(
                "Behind the trigger",
                "Seconds from the end of the last finished window to the trigger's scheduled time; 0 when the window is done.",
                &WATERMARK_LAG,
            )
            .unit("s"),
            counted_by_function("Collections incomplete", "1 for every hour in which something that should be there could not be read or sent. The next hour tries again.", &COLLECTIONS_INCOMPLETE),
            counted_by_function("Triggers past due", "1 for a trigger that came more than its period after its scheduled time.", &TRIGGERS_PAST_DUE),
        ],
    )
}

fn data() -> Section {
    section(
        "What came in",
        vec![
            by_function(
                "Age of Microsoft's usage report",
                "Seconds from the end of what the newest report tells to the end of the day. Beyond 48 hours it is stale and kept out of gold.",
                &USAGE_REPORT_AGE,
            )
            .unit("s"),
            panel::lines(
                "Reports that cannot be used",
                "1 when the newest usage report is stale, and 1 when the tenant conceals names in it.",
                vec![
                    metric(&STALE_REPORTS, EACH_FUNCTION).label("stale"),
                    metric(&CONCEALED_NAMES, EACH_FUNCTION).label("names concealed"),
                ],
            )
            .decimals(0)
            .series("stale", ORANGE)
            .series("concealed", RED),
            by_function(
                "Records set aside",
                "Upstream records that could not be understood; their bytes are kept.",
                &RECORDS_QUARANTINED,
            )
            .decimals(0),
            by_function(
                "Run attempts still to be read",
                "Attempts that have ended and whose jobs are not read yet: GitHub's rate budget keeps a fifth in reserve, or the deadline came first.",
                &ATTEMPTS_PENDING,
            )
            .decimals(0),
            panel::bars(
                "Lost for CloudWatch",
                "Attempts that ended more than 14 days before they were recorded, log events that CloudWatch turned down, audit content that had expired: in the store or to be had by a backfill, but not on these dashboards.",
                vec![
                    metric(&ATTEMPTS_TOO_OLD, EACH_FUNCTION).label("attempts too old"),
                    metric(&LOG_EVENTS_REJECTED, EACH_FUNCTION).label("log events rejected, ${PROP('Dim.Function')}"),
                    metric(&CONTENT_LOST, EACH_FUNCTION).label("audit content lost"),
                ],
            )
            .many(),
            by_function(
                "Checks not passed",
                "Data-quality checks of the collection that ended with WARN or FAIL.",
                &CHECKS_FAILED,
            )
            .decimals(0),
        ],
    )
}

fn upstream() -> Section {
    section(
        "GitHub and Microsoft",
        vec![
            counted_by_function("Requests", "HTTP requests to GitHub or Microsoft, retries and unchanged pages included.", &UPSTREAM_REQUESTS),
            by_function(
                "GitHub's budget left",
                "Requests that GitHub's primary rate limit still allowed in the hour, as its last answer said.",
                &RATE_BUDGET_LEFT,
            )
            .legend(&["lastNotNull", "min"]),
            by_function(
                "Days until a credential expires",
                "Whole days until the GitHub token or client secret that the function uses expires. Below 14 it sets off the alarm credential-expiring.",
                &CREDENTIAL_DAYS_LEFT,
            )

            .decimals(0)
            .legend(&["lastNotNull"])
            .size(12, 6)
            .no_value("No credential with an end"),
            by_function(
                "Key rotation paused",
                "1 while a key rotation that was prepared and not confirmed keeps engagement paused.",
                &ROTATION_PAUSED,
            )
            .decimals(0)
            .size(12, 6)
            .no_value("identity-keys is not deployed"),
        ],
    )
}

fn resources() -> Vec<Panel> {
    vec![
            by_function(
                "Memory",
                "The most memory that the function's process has held, of what the function is given. From 85 % on it sets off the alarm near-memory-limit.",
                &MEMORY_USED,
            )
            .percent()
            .no_value("Measured on AWS only"),
            by_function(
                "Processor",
                "Processor time of an invocation, of what Lambda gives a function of that memory in the time it took.",
                &PROCESSOR_USED,
            )
            .percent()
            .no_value("Measured on AWS only"),
        ]
}

fn rare() -> Vec<Panel> {
    vec![
        panel::bars(
            "Mails",
            "Mails that the mail service accepted and turned down.",
            vec![
                metric(&MAILS_SENT, EACH_FUNCTION).label("sent"),
                metric(&MAILS_REFUSED, EACH_FUNCTION).label("refused"),
            ],
        )
        .series("^sent", GREEN)
        .series("^refused", RED),
        panel::bars(
            "Notifications of new audit content",
            "Notifications that the webhook took, and requests that were not Microsoft's or not understood. Lower bounds.",
            vec![
                metric(&NOTIFICATIONS_ACCEPTED, EACH_FUNCTION).label("taken"),
                metric(&NOTIFICATIONS_REFUSED, EACH_FUNCTION).label("refused"),
            ],
        )
        .series("^taken", GREEN)
        .series("^refused", RED)
        .no_value("activity-webhook is not deployed"),
    ]
}
