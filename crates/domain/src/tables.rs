//! Every table of the lake: its columns, what they mean, and what makes a row unique. A table that is not declared here
//! does not exist.

/// A table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, which is also its folder's.
    pub name: &'static str,
    /// The columns that tell rows apart. Empty for tables that are only appended to.
    pub key: &'static [&'static str],
    /// The columns whose values are folders.
    pub partitioned_by: &'static [&'static str],
    /// All columns but those that every table has ([`EVERYWHERE`]).
    pub columns: &'static [Column],
    /// What a row is, for people.
    pub description: &'static str,
    /// The functions that write it.
    pub written_by: &'static [&'static str],
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds. Every column but those of the key may be null.
    pub kind: Kind,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A UTC day.
    Date,
    /// An instant, in microseconds, UTC.
    Instant,
    /// A whole number of 64 bits.
    Integer,
    /// A floating-point number of 64 bits.
    Float,
    /// Yes or no.
    Boolean,
}

/// The columns that every table has after its own: when a row came to be as it is, and through which invocation.
pub const EVERYWHERE: &[Column] = &[
    column(
        "collected_at",
        Kind::Instant,
        "When the row was last changed, by the clock of the invocation that did.",
    ),
    column("invocation_id", Kind::Text, "The invocation that last changed the row."),
];

const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

impl Table {
    /// The names of its own columns in order.
    pub fn column_names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.name).collect()
    }

    /// All columns in order, those that every table has included.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain(EVERYWHERE)
    }
}

/// Who is in the directory, and who was.
pub static SILVER_USERS: Table = Table {
    name: "silver_users",
    key: &["user_id"],
    partitioned_by: &[],
    description: "One row for every account that is or was in the directory. Accounts that left stay, marked as departed.",
    written_by: &["m365-usage"],
    columns: &[
        column(
            "user_id",
            Kind::Text,
            "Object id of the account; stays when everything else changes.",
        ),
        column("upn", Kind::Text, "User principal name, lower case, as last seen."),
        column(
            "former_upns",
            Kind::Texts,
            "Names before that one, oldest first: reports are days old and still have them.",
        ),
        column(
            "first_upn",
            Kind::Text,
            "The first name the account was seen with: engagement knows the person by it.",
        ),
        column("display_name", Kind::Text, "Name shown to people, as last seen."),
        column("mail", Kind::Text, "Mail address, as last seen."),
        column("department", Kind::Text, "Department, as last seen."),
        column("job_title", Kind::Text, "Job title, as last seen."),
        column("company_name", Kind::Text, "Company, as last seen."),
        column("office_location", Kind::Text, "Office, as last seen."),
        column(
            "account_enabled",
            Kind::Boolean,
            "Whether the account can sign in; false once it is gone.",
        ),
        column("departed", Kind::Boolean, "Whether the account is disabled or gone."),
        column(
            "departed_on",
            Kind::Date,
            "First day on which it was seen to be; null for who is there or has returned.",
        ),
        column("first_seen_on", Kind::Date, "First day on which the account was seen."),
        column("last_seen_on", Kind::Date, "Last day on which the account was seen."),
    ],
};

/// Who holds which licence, and held it.
pub static SILVER_USER_LICENSES: Table = Table {
    name: "silver_user_licenses",
    key: &["user_id", "sku_id"],
    partitioned_by: &[],
    description: "One row for every person and SKU through which the person has or had a Copilot service plan in force.",
    written_by: &["m365-usage"],
    columns: &[
        column("user_id", Kind::Text, "The person."),
        column("sku_id", Kind::Text, "The SKU."),
        column(
            "service_plans",
            Kind::Texts,
            "Ids of its Copilot service plans that are, or last were, in force.",
        ),
        column(
            "assigned_on",
            Kind::Date,
            "First day of the present or last holding. Never moves forward while it lasts.",
        ),
        column(
            "assigned_source",
            Kind::Text,
            "`graph` where Graph dates the assignment, else `first_seen`.",
        ),
        column(
            "removed_on",
            Kind::Date,
            "First day on which it was seen not to be held any more; null while it is.",
        ),
        column("status", Kind::Text, "`assigned` or `removed`."),
        column(
            "earlier_holdings",
            Kind::Texts,
            "Holdings before this one, each as `first day/first day without`.",
        ),
    ],
};

/// What the usage report said.
pub static SILVER_COPILOT_USAGE: Table = Table {
    name: "silver_copilot_usage",
    key: &["report_refresh_on", "upn"],
    partitioned_by: &["report_refresh_on"],
    description: "One row for every person and day up to which a Copilot usage report told. Last-activity dates are the report's and not \
                  limited to its period.",
    written_by: &["m365-usage"],
    columns: &[
        column(
            "user_id",
            Kind::Text,
            "The person, where the directory knew the name when the row was last changed.",
        ),
        column(
            "upn",
            Kind::Text,
            "User principal name, lower case, as the report has it.",
        ),
        column("report_refresh_on", Kind::Date, "The day up to which the report tells."),
        column(
            "last_activity_on",
            Kind::Date,
            "Last day of any Copilot use; null for none.",
        ),
        column("teams_on", Kind::Date, "Last day of use in Teams."),
        column("word_on", Kind::Date, "Last day of use in Word."),
        column("excel_on", Kind::Date, "Last day of use in Excel."),
        column("powerpoint_on", Kind::Date, "Last day of use in PowerPoint."),
        column("outlook_on", Kind::Date, "Last day of use in Outlook."),
        column("onenote_on", Kind::Date, "Last day of use in OneNote."),
        column("loop_on", Kind::Date, "Last day of use in Loop."),
        column(
            "chat_on",
            Kind::Date,
            "Last day of use of Copilot Chat, over work data or the web.",
        ),
        column(
            "chat_work_on",
            Kind::Date,
            "Last day of use of Copilot Chat over work data.",
        ),
        column(
            "chat_web_on",
            Kind::Date,
            "Last day of use of Copilot Chat over the web.",
        ),
        column("agent_on", Kind::Date, "Last day of use of an agent."),
        column("edge_on", Kind::Date, "Last day of use in Edge."),
        column(
            "period_days",
            Kind::Integer,
            "Days that `prompts` and `active_days_reported` are about: 28, or 7 where there was no 28-day report.",
        ),
        column(
            "prompts",
            Kind::Integer,
            "Prompts in the period; null where only version 1 of the report was to be had.",
        ),
        column(
            "active_days_reported",
            Kind::Integer,
            "Days of use in the period as the report counts them; null as for `prompts`.",
        ),
        column(
            "prompts_7_days",
            Kind::Integer,
            "Prompts in the 7 days that end with the report.",
        ),
        column(
            "active_days_7_days",
            Kind::Integer,
            "Days of use in the 7 days that end with the report.",
        ),
    ],
};

/// When people were last seen in Microsoft 365.
pub static SILVER_M365_ACTIVITY: Table = Table {
    name: "silver_m365_activity",
    key: &["report_refresh_on", "upn"],
    partitioned_by: &["report_refresh_on"],
    description: "One row for every person and day up to which a Microsoft 365 active-user report told.",
    written_by: &["m365-usage"],
    columns: &[
        column(
            "user_id",
            Kind::Text,
            "The person, where the directory knew the name when the row was last changed.",
        ),
        column(
            "upn",
            Kind::Text,
            "User principal name, lower case, as the report has it.",
        ),
        column("report_refresh_on", Kind::Date, "The day up to which the report tells."),
        column("exchange_on", Kind::Date, "Last day of activity in Exchange."),
        column("onedrive_on", Kind::Date, "Last day of activity in OneDrive."),
        column("sharepoint_on", Kind::Date, "Last day of activity in SharePoint."),
        column("teams_on", Kind::Date, "Last day of activity in Teams."),
        column(
            "report_kind",
            Kind::Text,
            "`day` for the report of that day, `last_7_days` where that had no data.",
        ),
    ],
};

/// Interactions with Copilot, as the audit log tells of them.
pub static SILVER_AUDIT_EVENTS: Table = Table {
    name: "silver_audit_events",
    key: &["event_on", "event_id"],
    partitioned_by: &["event_on"],
    description: "One row for every interaction that the audit log tells of, whoever had it. Rows are only inserted; the same event from another \
                  blob, source or collection is the row that is there.",
    written_by: &["audit-events"],
    columns: AUDIT_EVENT_COLUMNS,
};

const AUDIT_EVENT_COLUMNS: &[Column] = &[
    column("event_id", Kind::Text, "Microsoft's id of the audit record."),
    column("event_at", Kind::Instant, "When it happened."),
    column("event_on", Kind::Date, "The day of `event_at`."),
    column(
        "upn",
        Kind::Text,
        "User principal name as the record has it, lower case.",
    ),
    column(
        "user_key",
        Kind::Text,
        "The record's other name of the person: an object id or an older kind of id.",
    ),
    column("operation", Kind::Text, "What was done, in Microsoft's word."),
    column(
        "record_type",
        Kind::Integer,
        "Microsoft's number of the kind of record.",
    ),
    column(
        "app",
        Kind::Text,
        "The app: one of the eight of the usage reports, or another by name (docs/GLOSSARY.md).",
    ),
    column("app_host", Kind::Text, "The app as the record names it."),
    column("agent_id", Kind::Text, "The agent that was talked to; null for none."),
    column("agent_name", Kind::Text, "Its name."),
    column(
        "prompts",
        Kind::Integer,
        "Prompts in it; 0 where the record holds answers only.",
    ),
    column("web_search", Kind::Boolean, "Whether the web was searched for it."),
    column(
        "user_id",
        Kind::Text,
        "The person, where the directory knew one of the two names when the row was written.",
    ),
    column(
        "details",
        Kind::Text,
        "Contexts, resources and models as JSON. Never what was asked or answered.",
    ),
];

/// What could not be understood.
pub static SILVER_REJECTED: Table = Table {
    name: "silver_rejected",
    key: &["source", "rejected_on", "record_id"],
    partitioned_by: &["source", "rejected_on"],
    description: "One row for every record that failed a schema or null check. The record is kept as it came.",
    written_by: &["audit-events", "m365-usage"],
    columns: &[
        column("source", Kind::Text, "What it came from, as in `bronze/<source>`."),
        column("rejected_on", Kind::Date, "The day it was collected for."),
        column(
            "record_id",
            Kind::Text,
            "Follows from source, rule and record: the same record twice on a day is one row.",
        ),
        column("rule", Kind::Text, "Which check failed."),
        column("error", Kind::Text, "What is wrong with it."),
        column("record", Kind::Text, "The record as received."),
    ],
};

/// The licence state of everybody.
pub static GOLD_LICENSE_SUMMARY: Table = Table {
    name: "gold_copilot_license_summary",
    key: &["user_id"],
    partitioned_by: &[],
    description: "One row for every account that is or was in the directory, as of the last collection.",
    written_by: &["m365-usage", "scoring"],
    columns: &[
        column("user_id", Kind::Text, "The person."),
        column("upn", Kind::Text, "User principal name, lower case."),
        column("display_name", Kind::Text, "Name shown to people."),
        column("mail", Kind::Text, "Mail address."),
        column("department", Kind::Text, "Department."),
        column("license_status", Kind::Text, "`assigned` or `not_assigned`."),
        column(
            "assigned_on",
            Kind::Date,
            "First day of the present holding, through whichever SKUs, or of the last one; null for who never held one.",
        ),
        column("removed_on", Kind::Date, "First day without, for who held one."),
        column(
            "days_held",
            Kind::Integer,
            "Days from `assigned_on` to the day of the collection; null without a licence.",
        ),
        column(
            "new_assignment",
            Kind::Boolean,
            "Held for fewer than `UPTAKE_NEW_LICENSE_DAYS` days.",
        ),
        column("departed", Kind::Boolean, "The account is disabled or gone."),
        column(
            "score",
            Kind::Integer,
            "The newest score, 0 to 100; null without a licence or before the first score.",
        ),
        column("underutilized", Kind::Boolean, "The newest flag; null as for `score`."),
        column(
            "last_activity_on",
            Kind::Date,
            "Last day of Copilot use that the newest score knew of.",
        ),
    ],
};

/// Daily usage snapshots.
pub static GOLD_COPILOT_USAGE: Table = Table {
    name: "gold_copilot_usage",
    key: &["day", "user_id"],
    partitioned_by: &["day"],
    description: "One row for every licensed person and day up to which a fresh usage report told, without use included. A day that no \
                  report told of has no rows.",
    written_by: &["m365-usage"],
    columns: &[
        column("user_id", Kind::Text, "The person."),
        column("upn", Kind::Text, "User principal name, lower case."),
        column("display_name", Kind::Text, "Name shown to people."),
        column("mail", Kind::Text, "Mail address."),
        column("department", Kind::Text, "Department."),
        column("day", Kind::Date, "The day up to which the report tells."),
        column(
            "last_activity_on",
            Kind::Date,
            "Last day of any Copilot use; null for none.",
        ),
        column(
            "apps_used",
            Kind::Texts,
            "Apps used on one of the 30 dates that end with the day.",
        ),
        column("apps_used_count", Kind::Integer, "How many these are, of eight."),
        column("teams_on", Kind::Date, "Last day of use in Teams."),
        column("word_on", Kind::Date, "Last day of use in Word."),
        column("excel_on", Kind::Date, "Last day of use in Excel."),
        column("powerpoint_on", Kind::Date, "Last day of use in PowerPoint."),
        column("outlook_on", Kind::Date, "Last day of use in Outlook."),
        column("onenote_on", Kind::Date, "Last day of use in OneNote."),
        column("loop_on", Kind::Date, "Last day of use in Loop."),
        column("chat_on", Kind::Date, "Last day of use of Copilot Chat."),
        column(
            "reported",
            Kind::Boolean,
            "Whether the report had the person; where not, the dates say nothing.",
        ),
    ],
};

/// Scores, one a person and day, for ever.
pub static GOLD_USAGE_SCORES: Table = Table {
    name: "gold_copilot_usage_scores",
    key: &["score_on", "user_id"],
    partitioned_by: &["score_on"],
    description: "One row for every licensed person and scored day. Name, department and licence are as of the first scoring of the day. A score may \
                  change for 7 days as late data arrives and is then frozen.",
    written_by: &["scoring"],
    columns: &[
        column("user_id", Kind::Text, "The person."),
        column("upn", Kind::Text, "User principal name, lower case."),
        column("display_name", Kind::Text, "Name shown to people."),
        column("mail", Kind::Text, "Mail address."),
        column("department", Kind::Text, "Department."),
        column("license_status", Kind::Text, "`assigned`: only licences are scored."),
        column("assigned_on", Kind::Date, "First day of the holding."),
        column("days_held", Kind::Integer, "Days from then to `score_on`."),
        column(
            "last_activity_on",
            Kind::Date,
            "Last day of use up to `as_of_on`; null for none.",
        ),
        column("score_on", Kind::Date, "The day the score is for."),
        column(
            "as_of_on",
            Kind::Date,
            "The day up to which the newest report told that the score could use.",
        ),
        column(
            "revision",
            Kind::Integer,
            "1, and one more for every recompute on demand that changed something.",
        ),
        column(
            "score",
            Kind::Integer,
            "0 to 100: half recency, three tenths frequency, two tenths breadth, halves rounded up; 0 without use in 30 days.",
        ),
        column("recency", Kind::Float, "0 to 100, not rounded."),
        column("frequency", Kind::Float, "0 to 100, not rounded."),
        column("breadth", Kind::Float, "0 to 100, not rounded."),
        column(
            "days_since_last_activity",
            Kind::Integer,
            "`as_of_on` less `last_activity_on`; null without use.",
        ),
        column(
            "active_days",
            Kind::Integer,
            "Days of use among the 30 dates that end with `as_of_on`, or the report's own figure where that is more.",
        ),
        column(
            "apps_used_count",
            Kind::Integer,
            "Apps used on one of these dates, of eight.",
        ),
        column(
            "underutilized",
            Kind::Boolean,
            "Score at or below `UPTAKE_UNDERUTILIZED_THRESHOLD`, and not a new assignment.",
        ),
        column(
            "new_assignment",
            Kind::Boolean,
            "Held for fewer than `UPTAKE_NEW_LICENSE_DAYS` days.",
        ),
        column("rubric_version", Kind::Integer, "Version of the rules."),
    ],
};

/// GitHub Copilot seats, day by day.
pub static GOLD_COPILOT_SEATS: Table = Table {
    name: "gold_copilot_seats",
    key: &["day", "assignee_id"],
    partitioned_by: &["day"],
    description: "One row for every person with a GitHub Copilot seat and day with a complete report.",
    written_by: &["copilot-seats"],
    columns: &[
        column("day", Kind::Date, "The day of the report."),
        column("assignee_id", Kind::Integer, "GitHub's id of the person."),
        column("login", Kind::Text, "GitHub's name of the person."),
        column("email", Kind::Text, "Mail address, where GitHub or SAML tells one."),
        column("account_created_at", Kind::Instant, "When the account was made."),
        column("seat_created_at", Kind::Instant, "When the person first got the seat."),
        column(
            "last_activity_at",
            Kind::Instant,
            "Last Copilot activity; null for none.",
        ),
        column("editor", Kind::Text, "Editor of that activity."),
        column("editor_version", Kind::Text, "Its version."),
        column("plugin", Kind::Text, "Copilot plugin of that activity."),
        column("plugin_version", Kind::Text, "Its version."),
        column(
            "team_slugs",
            Kind::Texts,
            "Teams through which the person has the seat; empty for a direct one.",
        ),
        column(
            "plan_type",
            Kind::Text,
            "`business`, `enterprise` or another word of GitHub's.",
        ),
        column(
            "pending_cancellation_on",
            Kind::Date,
            "When the seat ends, where that is settled.",
        ),
    ],
};

/// The same, for people who ask about departments.
pub static GOLD_AUDIT_EVENTS: Table = Table {
    name: "gold_copilot_audit_events",
    key: &["event_on", "event_id"],
    partitioned_by: &["event_on"],
    description: "The rows of `silver_audit_events`, each with the department that the person was in when it was written.",
    written_by: &["audit-events"],
    columns: GOLD_AUDIT_EVENT_COLUMNS,
};

const GOLD_AUDIT_EVENT_COLUMNS: &[Column] = &{
    let mut columns = [AUDIT_EVENT_COLUMNS[0]; AUDIT_EVENT_COLUMNS.len() + 1];
    let mut at = 0;
    while at < AUDIT_EVENT_COLUMNS.len() {
        columns[at] = AUDIT_EVENT_COLUMNS[at];
        at += 1;
    }
    columns[at] = column(
        "department",
        Kind::Text,
        "Department, as known when the row was written.",
    );
    columns
};

/// Interactions by person, day and app.
pub static GOLD_AUDIT_SUMMARY: Table = Table {
    name: "gold_copilot_audit_summary",
    key: &["day", "upn", "app"],
    partitioned_by: &["day"],
    description: "One row for every person, day and app with an interaction.",
    written_by: &["audit-events"],
    columns: &[
        column(
            "upn",
            Kind::Text,
            "User principal name as the records have it, lower case.",
        ),
        column("user_id", Kind::Text, "The person, as in `silver_audit_events`."),
        column("day", Kind::Date, "The day."),
        column("app", Kind::Text, "The app."),
        column("events", Kind::Integer, "Interactions."),
        column("prompts", Kind::Integer, "Prompts in them."),
        column("agent_events", Kind::Integer, "Interactions with an agent."),
    ],
};

/// How good the data is.
pub static GOLD_DQ_RESULTS: Table = Table {
    name: "gold_copilot_dq_results",
    key: &["check_on", "check_id"],
    partitioned_by: &["check_on"],
    description: "One row for every data-quality check of every collection.",
    written_by: &["audit-events", "m365-usage", "scoring"],
    columns: &[
        column(
            "check_id",
            Kind::Text,
            "Unique; follows from invocation, table and check.",
        ),
        column("check_on", Kind::Date, "The day of the collection."),
        column("table_name", Kind::Text, "What was checked."),
        column("check_name", Kind::Text, "What was checked of it."),
        column("status", Kind::Text, "`PASS`, `WARN` or `FAIL`."),
        column("value", Kind::Float, "What was found."),
        column("threshold", Kind::Float, "What it was held against."),
        column(
            "details",
            Kind::Text,
            "What that means, in a sentence that names nobody.",
        ),
    ],
};

/// What was asked and written.
pub static GOLD_AUDIT_LOG: Table = Table {
    name: "gold_copilot_audit_log",
    key: &[],
    partitioned_by: &["logged_on"],
    description: "One row for every call to an upstream and every write to a table, and for every failure, of the Microsoft functions and of \
                  `copilot-seats`. Only appended to.",
    written_by: &["audit-events", "copilot-seats", "m365-usage", "scoring"],
    columns: &[
        column(
            "log_id",
            Kind::Text,
            "Unique; follows from the invocation and its count.",
        ),
        column("logged_on", Kind::Date, "The day of `logged_at`."),
        column("logged_at", Kind::Instant, "When it began."),
        column("function", Kind::Text, "The function."),
        column("operation", Kind::Text, "`API_CALL`, `TABLE_WRITE` or `ERROR`."),
        column(
            "target",
            Kind::Text,
            "Route template, table, or for `ERROR` the function; never an identity.",
        ),
        column("status", Kind::Text, "`ok` or `failed`."),
        column(
            "records",
            Kind::Integer,
            "Records received by a call; rows inserted or updated by a write.",
        ),
        column("duration_ms", Kind::Integer, "How long it took."),
        column("http_status", Kind::Integer, "Of a call that was answered."),
        column("error", Kind::Text, "What went wrong."),
    ],
};

const SUBJECT: Column = column(
    "subject",
    Kind::Text,
    "Who: the encrypted first user principal name of the account, always the same for one person and key.",
);
const KEY_ID: Column = column("key_id", Kind::Text, "The key that made the subject.");

/// The ledger: what engagement is computed from.
pub static GOLD_ENGAGEMENT_DAILY: Table = Table {
    name: "gold_engagement_daily",
    key: &["day", "subject", "app", "agent_id"],
    partitioned_by: &["day"],
    description: "One row for every subject, day, app and agent with an interaction, and for every app that a usage report dates to the day; and one \
                  with the app `all` that says what the day was, for every subject who used Copilot and every licensed one on a decided day.",
    written_by: &["engagement", "identity-keys"],
    columns: &[
        SUBJECT,
        KEY_ID,
        column("day", Kind::Date, "The UTC day."),
        column("app", Kind::Text, "The app, or `all`."),
        column(
            "agent_id",
            Kind::Text,
            "The agent whose interactions the row counts; empty for those without one, and with `all` for all of them.",
        ),
        column(
            "interactions",
            Kind::Integer,
            "Interactions that the audit log told of; 0 where only a usage report tells of use.",
        ),
        column("state", Kind::Text, "`active`, `inactive` or `neutral`."),
    ],
};

/// Streaks, active days and points.
pub static GOLD_ENGAGEMENT_TOTALS: Table = Table {
    name: "gold_engagement_totals",
    key: &["timeframe", "start_on", "subject", "app"],
    partitioned_by: &["timeframe", "start_on"],
    description: "One row for every subject, app and week, month or all time in which the subject used it. Computed from the ledger.",
    written_by: &["engagement", "identity-keys"],
    columns: &[
        SUBJECT,
        KEY_ID,
        column("app", Kind::Text, "The app, or `all`."),
        column("timeframe", Kind::Text, "`week`, `month` or `all_time`."),
        column(
            "start_on",
            Kind::Date,
            "First day of the stretch; 1970-01-01 for all time.",
        ),
        column("active_days", Kind::Integer, "Days with use."),
        column(
            "current_streak",
            Kind::Integer,
            "Active days since the last inactive one within the stretch, or since a day before the first report of which nothing is known.",
        ),
        column("best_streak", Kind::Integer, "The longest such streak within it."),
        column(
            "interactions",
            Kind::Integer,
            "Interactions that the audit log told of.",
        ),
        column("points", Kind::Integer, "Points by the rubric (docs/GLOSSARY.md)."),
        column("rubric_version", Kind::Integer, "Version of that rubric."),
        column(
            "last_active_on",
            Kind::Date,
            "The last day with use within the stretch.",
        ),
    ],
};

/// Where all time stood at the end of a month.
pub static GOLD_ENGAGEMENT_CLOSINGS: Table = Table {
    name: "gold_engagement_closings",
    key: &["closed_on", "subject", "app", "agent_id"],
    partitioned_by: &["closed_on"],
    description: "All time as it stood at the end of a month, so that what follows need not be computed from the beginning.",
    written_by: &["engagement", "identity-keys"],
    columns: &[
        SUBJECT,
        KEY_ID,
        column("closed_on", Kind::Date, "Last day that is counted in."),
        column("app", Kind::Text, "The app, or `all`; empty in rows of an agent."),
        column(
            "agent_id",
            Kind::Text,
            "The agent, in rows that count its interactions only.",
        ),
        column("active_days", Kind::Integer, "Days with use."),
        column(
            "current_streak",
            Kind::Integer,
            "Active days since the last inactive one, or since a day before the first report of which nothing is known.",
        ),
        column("best_streak", Kind::Integer, "The longest streak."),
        column("interactions", Kind::Integer, "Interactions."),
        column("points", Kind::Integer, "Points."),
        column("rubric_version", Kind::Integer, "Version of the rubric."),
        column("last_active_on", Kind::Date, "The last day with use."),
    ],
};

/// How much agents are used.
pub static GOLD_AGENT_TOTALS: Table = Table {
    name: "gold_agent_totals",
    key: &["timeframe", "start_on", "agent_id"],
    partitioned_by: &["timeframe"],
    description: "One row for every agent and week, month or all time in which it was talked to.",
    written_by: &["engagement"],
    columns: &[
        column("agent_id", Kind::Text, "Microsoft's id of the agent."),
        column("agent_name", Kind::Text, "Its name, as last seen."),
        column("timeframe", Kind::Text, "`week`, `month` or `all_time`."),
        column(
            "start_on",
            Kind::Date,
            "First day of the stretch; 1970-01-01 for all time.",
        ),
        column("interactions", Kind::Integer, "Interactions with it."),
        column("subjects", Kind::Integer, "How many people had them."),
    ],
};

/// The tables that lie in `UPTAKE_ENGAGEMENT_STORE`, sorted by name: nobody is named in them.
pub static ENGAGEMENT: &[&Table] = &[
    &GOLD_AGENT_TOTALS,
    &GOLD_ENGAGEMENT_CLOSINGS,
    &GOLD_ENGAGEMENT_DAILY,
    &GOLD_ENGAGEMENT_TOTALS,
];

/// The tables that lie in `UPTAKE_STORE/lake`, sorted by name.
pub static LAKE: &[&Table] = &[
    &GOLD_AUDIT_EVENTS,
    &GOLD_AUDIT_LOG,
    &GOLD_AUDIT_SUMMARY,
    &GOLD_DQ_RESULTS,
    &GOLD_LICENSE_SUMMARY,
    &GOLD_COPILOT_SEATS,
    &GOLD_COPILOT_USAGE,
    &GOLD_USAGE_SCORES,
    &SILVER_AUDIT_EVENTS,
    &SILVER_COPILOT_USAGE,
    &SILVER_M365_ACTIVITY,
    &SILVER_REJECTED,
    &SILVER_USER_LICENSES,
    &SILVER_USERS,
];

/// The whole catalogue, what is about nobody by name first.
pub fn all() -> impl Iterator<Item = &'static Table> {
    ENGAGEMENT.iter().chain(LAKE).copied()
}

/// The table of a name.
pub fn find(name: &str) -> Option<&'static Table> {
    all().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_lists_every_declared_table_once_and_in_order() {
        let declared = include_str!("tables.rs").matches(": Table = Table {").count() - 1;
        assert_eq!(all().count(), declared, "add the new table to LAKE or ENGAGEMENT");
        for list in [LAKE, ENGAGEMENT] {
            assert!(list.is_sorted_by(|a, b| a.name < b.name));
        }
    }

    #[test]
    fn keys_and_partitions_are_columns_and_names_occur_once() {
        for table in all() {
            assert!(!table.written_by.is_empty(), "{}: written by nobody", table.name);
            let names: Vec<&str> = table.all_columns().map(|column| column.name).collect();
            for name in table.key.iter().chain(table.partitioned_by) {
                assert!(names.contains(name), "{}: {name}", table.name);
            }
            for (index, name) in names.iter().enumerate() {
                assert!(!names[..index].contains(name), "{}: {name} twice", table.name);
            }
            if !table.key.is_empty() {
                let in_key = |name: &&str| table.key.contains(name);
                assert!(
                    table.partitioned_by.iter().all(in_key),
                    "{}: a row stays in its partition",
                    table.name
                );
            }
        }
    }
}
