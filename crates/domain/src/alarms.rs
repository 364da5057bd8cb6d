//! Every alarm: what it watches, when it goes off, and how urgent it is. Terraform makes the alarms from this list
//! (`terraform/generated/alarms.json`), and each has a heading in `docs/OPERATIONS.md` with cause, check and remedy.

use crate::catalogue::{
    COLLECTIONS_COMPLETED, CONCEALED_NAMES, CONTENT_LOST, CREDENTIAL_DAYS_LEFT, GRAFANA_AVAILABLE, MAILS_IN_DOUBT,
    MEMORY_USED, MetricSpec, PROCESSOR_USED, RATE_BUDGET_LEFT, RECORDS_QUARANTINED_SHARE, ROTATION_PAUSED,
    STALE_REPORTS, WATERMARK_LAG,
};
use crate::functions::EVERY_FUNCTION;

/// An alarm for one function, each of several functions, or the deployment as a whole.
#[derive(Debug)]
pub struct Alarm {
    /// Its name, and its heading in `docs/OPERATIONS.md`.
    pub name: &'static str,
    /// The functions that have one each; nothing for an alarm of the whole.
    pub functions: &'static [&'static str],
    /// What is watched.
    pub watches: Watched,
    /// How the values of a period become one.
    pub statistic: &'static str,
    /// When the value is too bad.
    pub when: When,
    /// Seconds of one period.
    pub period_seconds: u32,
    /// Periods in a row that have to be bad.
    pub periods: u32,
    /// What a period without a value means.
    pub missing: Missing,
    /// What has happened, in one sentence for whoever is woken by it.
    pub tells: &'static str,
}

/// What an alarm watches.
#[derive(Clone, Copy, Debug)]
pub enum Watched {
    /// A metric of the catalogue, of the function where there is one.
    Own(&'static MetricSpec),
    /// A metric that Lambda publishes of the function.
    Lambda(&'static str),
    /// Messages in the queue of dead letters.
    DeadLetters,
}

/// When a value is too bad.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// This much, or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// This percentage, or more, of the function's timeout, in milliseconds.
    AtLeastPercentOfTimeout(f64),
}

/// What a period without a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: there was nothing to tell.
    Fine,
    /// The same as a bad one: silence is the fault.
    Bad,
}

const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;
/// Whatever is offered every hour and done once a day.
const DAILY: &[&str] = &["copilot-seats", "engagement", "m365-usage", "mailer", "scoring"];
/// Whatever is done every hour.
const HOURLY: &[&str] = &["audit-events", "workflow-metrics"];
/// Functions with an invocation at a time, none of which is turned away but where something is wrong. Not `audit-events`:
/// the hints of the webhook come in crowds, and all but one of them wait. Not those with a URL: strangers are turned away.
const NEVER_CROWDED: &[&str] = &[
    "copilot-seats",
    "engagement",
    "grafana-health",
    "identity-keys",
    "m365-usage",
    "mailer",
    "scoring",
    "workflow-metrics",
];
/// Functions that say at the end of an invocation what it took.
const MEASURED: &[&str] = &[
    "audit-events",
    "copilot-seats",
    "engagement",
    "identity-keys",
    "m365-usage",
    "mailer",
    "scoring",
    "workflow-metrics",
];

const fn alarm(
    name: &'static str,
    functions: &'static [&'static str],
    watches: Watched,
    when: When,
    tells: &'static str,
) -> Alarm {
    Alarm {
        name,
        functions,
        watches,
        statistic: match watches {
            Watched::Own(spec) => spec.statistic.as_str(),
            Watched::Lambda(_) => "Sum",
            Watched::DeadLetters => "Maximum",
        },
        when,
        period_seconds: HOUR,
        periods: 1,
        missing: Missing::Fine,
        tells,
    }
}

/// Every alarm.
pub static ALARMS: &[Alarm] = &[
    alarm(
        "function-failed",
        EVERY_FUNCTION,
        Watched::Lambda("Errors"),
        When::AtLeast(1.0),
        "An invocation failed within the last hour.",
    ),
    Alarm {
        periods: 3,
        ..alarm(
            "function-throttled",
            NEVER_CROWDED,
            Watched::Lambda("Throttles"),
            When::AtLeast(1.0),
            "Lambda turned invocations away for three hours.",
        )
    },
    Alarm {
        statistic: "Maximum",
        ..alarm(
            "near-timeout",
            EVERY_FUNCTION,
            Watched::Lambda("Duration"),
            When::AtLeastPercentOfTimeout(90.0),
            "An invocation took nine tenths of its timeout or more, and may have left work to the next one.",
        )
    },
    alarm(
        "near-memory-limit",
        MEASURED,
        Watched::Own(&MEMORY_USED),
        When::AtLeast(85.0),
        "The function has used 85 % of its memory or more; beyond all of it, it is killed.",
    ),
    Alarm {
        periods: 3,
        ..alarm(
            "processor-saturated",
            MEASURED,
            Watched::Own(&PROCESSOR_USED),
            When::AtLeast(95.0),
            "For three hours, an invocation used all the processor time that its memory size is given.",
        )
    },
    Alarm {
        period_seconds: 6 * HOUR,
        periods: 6,
        missing: Missing::Bad,
        ..alarm(
            "no-success",
            DAILY,
            Watched::Own(&COLLECTIONS_COMPLETED),
            When::Below(1.0),
            "The function has not completed a day for 36 hours.",
        )
    },
    Alarm {
        periods: 6,
        missing: Missing::Bad,
        ..alarm(
            "no-success",
            HOURLY,
            Watched::Own(&COLLECTIONS_COMPLETED),
            When::Below(1.0),
            "The function has not completed an hour for six hours.",
        )
    },
    alarm(
        "dead-letters",
        &[],
        Watched::DeadLetters,
        When::AtLeast(1.0),
        "A trigger failed all its retries, or could not be delivered, and lies in the queue of dead letters.",
    ),
    Alarm {
        period_seconds: DAY,
        ..alarm(
            "stale-data",
            &["m365-usage"],
            Watched::Own(&STALE_REPORTS),
            When::AtLeast(1.0),
            "Microsoft's newest usage report is more than 48 hours old: it is kept out of gold, and the day has no scores.",
        )
    },
    Alarm {
        period_seconds: DAY,
        ..alarm(
            "falling-behind",
            DAILY,
            Watched::Own(&WATERMARK_LAG),
            When::AtLeast(259_200.0),
            "What the function has completed ends three days ago or earlier.",
        )
    },
    alarm(
        "falling-behind",
        HOURLY,
        Watched::Own(&WATERMARK_LAG),
        When::AtLeast(21_600.0),
        "What the function has completed ends six hours ago or earlier.",
    ),
    Alarm {
        period_seconds: DAY,
        ..alarm(
            "concealed-names",
            &["m365-usage"],
            Watched::Own(&CONCEALED_NAMES),
            When::AtLeast(1.0),
            "The tenant conceals names in its usage reports, so that nobody can be scored.",
        )
    },
    alarm(
        "records-rejected",
        &["audit-events", "copilot-seats", "m365-usage", "workflow-metrics"],
        Watched::Own(&RECORDS_QUARANTINED_SHARE),
        When::AtLeast(5.0),
        "One record in twenty or more was not understood and set aside.",
    ),
    Alarm {
        period_seconds: DAY,
        ..alarm(
            "credential-expiring",
            &["copilot-seats", "m365-usage", "workflow-metrics"],
            Watched::Own(&CREDENTIAL_DAYS_LEFT),
            When::Below(14.0),
            "The token or client secret that the function uses expires within two weeks.",
        )
    },
    alarm(
        "mails-in-doubt",
        &["mailer"],
        Watched::Own(&MAILS_IN_DOUBT),
        When::AtLeast(1.0),
        "It is not known whether a mail was sent, and it is not sent again until somebody says so.",
    ),
    Alarm {
        periods: 2,
        ..alarm(
            "rotation-paused",
            &["identity-keys"],
            Watched::Own(&ROTATION_PAUSED),
            When::AtLeast(1.0),
            "A key rotation was prepared and not confirmed, and engagement stands still.",
        )
    },
    alarm(
        "content-lost",
        &["audit-events"],
        Watched::Own(&CONTENT_LOST),
        When::AtLeast(1.0),
        "Audit content expired before it was read: its events are missing.",
    ),
    Alarm {
        period_seconds: 300,
        periods: 3,
        missing: Missing::Bad,
        ..alarm(
            "grafana-unreachable",
            &["grafana-health"],
            Watched::Own(&GRAFANA_AVAILABLE),
            When::Below(1.0),
            "Grafana has not answered for 15 minutes.",
        )
    },
    alarm(
        "rate-budget-low",
        &["copilot-seats", "workflow-metrics"],
        Watched::Own(&RATE_BUDGET_LEFT),
        When::Below(500.0),
        "Fewer than 500 requests are left of the hour's budget at GitHub, which others who use the token share.",
    ),
];
