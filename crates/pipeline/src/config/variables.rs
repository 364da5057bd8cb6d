//! Every variable that can be set: `docs/CONFIGURATION.md` is generated from this list.

use uptake_domain::functions::EVERY_FUNCTION;

/// One environment variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The functions that read it.
    pub functions: &'static [&'static str],
    /// What it is when it is not set; `None` where that is an error or switches something off.
    pub default: Option<&'static str>,
    /// Something to start from.
    pub example: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const AUDIT: &[&str] = &["audit-events"];
const EXCLUDING: &[&str] = &["audit-events", "engagement", "m365-usage", "scoring"];
const ENGAGEMENT: &[&str] = &["engagement", "engagement-api", "identity-keys"];
const KEY_HOLDERS: &[&str] = &["engagement", "identity-keys"];
const WEBHOOK: &[&str] = &["activity-webhook"];
const GITHUB: &[&str] = &["copilot-seats", "workflow-metrics"];
const MICROSOFT: &[&str] = &["audit-events", "engagement", "m365-usage", "scoring"];
const TENANT: &[&str] = &[
    "activity-webhook",
    "audit-events",
    "engagement",
    "identity-keys",
    "m365-usage",
    "scoring",
];
const LICENSES: &[&str] = &["m365-usage", "scoring"];
const SCORING: &[&str] = &["scoring"];
const LOG_GROUPS: &[&str] = &["scoring", "workflow-metrics"];
const SEATS: &[&str] = &["copilot-seats"];
const WORKFLOWS: &[&str] = &["workflow-metrics"];
const MAILER: &[&str] = &["mailer"];
const GRAFANA: &[&str] = &["grafana-health"];
/// What no function reads, and a command does.
const PUSH: &[&str] = &[];

/// Every variable, in the order people set them.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "UPTAKE_STORE",
        functions: EVERY_FUNCTION,
        default: Some("command line: ./uptake-data"),
        example: "s3://contoso-uptake/prod",
        meaning: "Where everything is kept: `file:///absolute/folder` for the command line, `s3://bucket[/prefix]` for a Lambda.",
    },
    Variable {
        name: "UPTAKE_SINKS",
        functions: EVERY_FUNCTION,
        default: Some("command line: local, Lambda: aws"),
        example: "local",
        meaning: "Where metrics and mails go: `local` writes JSON lines and .eml files into the store, `aws` uses CloudWatch and SES.",
    },
    Variable {
        name: "UPTAKE_GITHUB_API_URL",
        functions: GITHUB,
        default: Some("https://api.github.com"),
        example: "https://api.octocorp.ghe.com",
        meaning: "GitHub's API: scheme and host, no path. Plain HTTP only on loopback.",
    },
    Variable {
        name: "UPTAKE_GITHUB_ENTERPRISE",
        functions: SEATS,
        default: None,
        example: "octo-enterprise",
        meaning: "Slug of the enterprise (enterprise mode). Wins over `UPTAKE_GITHUB_ORGS`.",
    },
    Variable {
        name: "UPTAKE_GITHUB_ORGS",
        functions: GITHUB,
        default: None,
        example: "octo-org,octo-labs",
        meaning: "Comma list of organisations (organisation mode). `workflow-metrics` looks at all their repositories where there is no `repositories.yml`.",
    },
    Variable {
        name: "UPTAKE_GITHUB_TOKEN",
        functions: GITHUB,
        default: None,
        example: "(secret)",
        meaning: "Personal access token. Enterprise mode: a classic one with `manage_billing:copilot`, `read:enterprise`, `read:user` and `user:email`; `workflow-metrics`: `repo`, or a fine-grained one with Actions and Metadata, read (SECURITY.md says what for).",
    },
    Variable {
        name: "UPTAKE_GITHUB_TOKEN_PARAMETER",
        functions: GITHUB,
        default: None,
        example: "/uptake/github-token",
        meaning: "SSM SecureString that holds the token; Lambda only.",
    },
    Variable {
        name: "UPTAKE_GITHUB_APP_ID",
        functions: GITHUB,
        default: None,
        example: "123456",
        meaning: "GitHub App instead of a token; for seats in organisation mode only. Permissions: GitHub Copilot Business, Actions and Metadata, read.",
    },
    Variable {
        name: "UPTAKE_GITHUB_APP_KEY",
        functions: GITHUB,
        default: None,
        example: "(secret)",
        meaning: "The App's private key, as PEM text.",
    },
    Variable {
        name: "UPTAKE_GITHUB_APP_KEY_PARAMETER",
        functions: GITHUB,
        default: None,
        example: "/uptake/github-app-key",
        meaning: "SSM SecureString that holds the private key; Lambda only.",
    },
    Variable {
        name: "UPTAKE_TEAMS",
        functions: SEATS,
        default: Some("(all seats)"),
        example: "payments,platform",
        meaning: "Comma list of team slugs to report. Set, it leaves out direct seats; empty, everything is reported.",
    },
    Variable {
        name: "UPTAKE_LOGIN_URL",
        functions: MICROSOFT,
        default: Some("https://login.microsoftonline.com"),
        example: "https://login.microsoftonline.us",
        meaning: "Where Uptake signs in to Microsoft: scheme and host, no path. Plain HTTP only on loopback.",
    },
    Variable {
        name: "UPTAKE_GRAPH_URL",
        functions: MICROSOFT,
        default: Some("https://graph.microsoft.com"),
        example: "https://graph.microsoft.us",
        meaning: "Microsoft Graph: scheme and host, no path. Plain HTTP only on loopback.",
    },
    Variable {
        name: "UPTAKE_TENANT_ID",
        functions: TENANT,
        default: None,
        example: "11111111-2222-3333-4444-555555555555",
        meaning: "The tenant: its id or a domain of it. Subjects of engagement are bound to what is written here: do not change one for the other.",
    },
    Variable {
        name: "UPTAKE_TENANT_ID_PARAMETER",
        functions: TENANT,
        default: None,
        example: "/uptake/tenant-id",
        meaning: "SSM parameter that holds it; Lambda only.",
    },
    Variable {
        name: "UPTAKE_CLIENT_ID",
        functions: MICROSOFT,
        default: None,
        example: "66666666-7777-8888-9999-000000000000",
        meaning: "The app registration's application (client) id. Application permissions, with admin consent: `User.Read.All`, `LicenseAssignment.Read.All`, `Reports.Read.All`, and `ReportSettings.Read.All` and `Application.Read.All` if you can (SECURITY.md says what for).",
    },
    Variable {
        name: "UPTAKE_CLIENT_ID_PARAMETER",
        functions: MICROSOFT,
        default: None,
        example: "/uptake/client-id",
        meaning: "SSM parameter that holds it; Lambda only.",
    },
    Variable {
        name: "UPTAKE_CLIENT_SECRET",
        functions: MICROSOFT,
        default: None,
        example: "(secret)",
        meaning: "The value of a client secret of the app registration, not its id.",
    },
    Variable {
        name: "UPTAKE_CLIENT_SECRET_PARAMETER",
        functions: MICROSOFT,
        default: None,
        example: "/uptake/client-secret",
        meaning: "SSM SecureString that holds it; Lambda only.",
    },
    Variable {
        name: "UPTAKE_MANAGEMENT_URL",
        functions: AUDIT,
        default: Some("https://manage.office.com"),
        example: "https://manage.office365.us",
        meaning: "The Office 365 Management Activity API: scheme and host, no path. Plain HTTP only on loopback. Application permission `ActivityFeed.Read`, with admin consent.",
    },
    Variable {
        name: "UPTAKE_AUDIT_OPERATIONS",
        functions: AUDIT,
        default: Some("CopilotInteraction"),
        example: "CopilotInteraction,AIAppInteraction",
        meaning: "Comma list of the audit operations that are kept, of whatever record type.",
    },
    Variable {
        name: "UPTAKE_EXCLUSIONS",
        functions: EXCLUDING,
        default: Some("config/exclusions.json"),
        example: "config/exclusions.json",
        meaning: "Store key of a JSON list of user principal names of whom no use is recorded. Set, it has to be there; not set, nobody is excluded where there is none.",
    },
    Variable {
        name: "UPTAKE_EXCLUSION_SITE_ID",
        functions: EXCLUDING,
        default: None,
        example: "contoso.sharepoint.com,11111111-2222-3333-4444-555555555555,66666666-7777-8888-9999-000000000000",
        meaning: "Id of the SharePoint site with a list of such people, in place of `UPTAKE_EXCLUSIONS`. Application permission `Sites.Selected`, with read on that site.",
    },
    Variable {
        name: "UPTAKE_EXCLUSION_LIST_ID",
        functions: EXCLUDING,
        default: None,
        example: "22222222-3333-4444-5555-666666666666",
        meaning: "Id of that list.",
    },
    Variable {
        name: "UPTAKE_EXCLUSION_FIELD",
        functions: EXCLUDING,
        default: Some("Title"),
        example: "Email",
        meaning: "Internal name of its column with user principal names. A column of persons gives mail addresses, which mean nobody whom the directory does not show yet.",
    },
    Variable {
        name: "UPTAKE_EXCLUSION_TTL_MINUTES",
        functions: EXCLUDING,
        default: Some("30"),
        example: "5",
        meaning: "Minutes for which a list read from SharePoint is believed; `uptake exclusions refresh` forgets it at once.",
    },
    Variable {
        name: "UPTAKE_ENGAGEMENT_STORE",
        functions: ENGAGEMENT,
        default: Some("<UPTAKE_STORE>/engagement"),
        example: "s3://contoso-uptake-engagement/prod",
        meaning: "Root of the engagement tables. A bucket for them alone keeps their encryption key and their readers apart from the rest.",
    },
    Variable {
        name: "UPTAKE_IDENTITY_KEY",
        functions: KEY_HOLDERS,
        default: None,
        example: "(secret)",
        meaning: "The key that subjects are made with: `<key id>:<base64 of 64 bytes>`; `uptake keys generate <key id>` prints one.",
    },
    Variable {
        name: "UPTAKE_IDENTITY_KEY_PARAMETER",
        functions: KEY_HOLDERS,
        default: None,
        example: "/uptake/identity-key",
        meaning: "SSM SecureString that holds it, as it is or wrapped as `kms:<base64 of what kms encrypt gives>`; Lambda only.",
    },
    Variable {
        name: "UPTAKE_NEXT_IDENTITY_KEY",
        functions: &["identity-keys"],
        default: None,
        example: "(secret)",
        meaning: "The key that is to take its place; for `uptake keys prepare` and `confirm`.",
    },
    Variable {
        name: "UPTAKE_NEXT_IDENTITY_KEY_PARAMETER",
        functions: &["identity-keys"],
        default: None,
        example: "/uptake/next-identity-key",
        meaning: "SSM SecureString that holds it, in the same forms; Lambda only.",
    },
    Variable {
        name: "UPTAKE_WEBHOOK_AUTH_ID",
        functions: WEBHOOK,
        default: None,
        example: "(secret)",
        meaning: "What Microsoft sends along with notifications, in `Webhook-AuthID`; of your choice, long and by chance.",
    },
    Variable {
        name: "UPTAKE_WEBHOOK_AUTH_ID_PARAMETER",
        functions: WEBHOOK,
        default: None,
        example: "/uptake/webhook-auth-id",
        meaning: "SSM SecureString that holds it; Lambda only.",
    },
    Variable {
        name: "UPTAKE_ACTIVITY_QUEUE_URL",
        functions: WEBHOOK,
        default: None,
        example: "https://sqs.eu-central-1.amazonaws.com/123456789012/uptake-activity",
        meaning: "The SQS queue in which notifications wait for `audit-events`; Lambda only.",
    },
    Variable {
        name: "UPTAKE_UNDERUTILIZED_THRESHOLD",
        functions: SCORING,
        default: Some("20"),
        example: "30",
        meaning: "Usage score, 0 to 100, at or below which a licence counts as underutilised.",
    },
    Variable {
        name: "UPTAKE_NEW_LICENSE_DAYS",
        functions: LICENSES,
        default: Some("14"),
        example: "30",
        meaning: "Days for which a licence is a new assignment and too new to judge; 0 judges from the first day.",
    },
    Variable {
        name: "UPTAKE_LICENSE_PRICE",
        functions: SCORING,
        default: None,
        example: "30",
        meaning: "What a Copilot licence costs, usually a month, in a currency of your choice; without it there is no `IdleLicenseCost`.",
    },
    Variable {
        name: "UPTAKE_SMALLEST_GROUP",
        functions: &["copilot-seats", "engagement", "scoring"],
        default: Some("5"),
        example: "10",
        meaning: "Groups of fewer people fold into `other` in every metric dimension; 0 and 1 fold nobody.",
    },
    Variable {
        name: "UPTAKE_REPOSITORIES",
        functions: WORKFLOWS,
        default: Some("config/repositories.yml"),
        example: "config/repositories.yml",
        meaning: "Store key of the list of repositories and their teams, or a path that begins with `/` or `.`.",
    },
    Variable {
        name: "UPTAKE_STUCK_MINUTES",
        functions: WORKFLOWS,
        default: Some("120"),
        example: "60",
        meaning: "Minutes in the queue or in progress after which a run counts as stuck.",
    },
    Variable {
        name: "UPTAKE_INACTIVE_DAYS",
        functions: WORKFLOWS,
        default: Some("14"),
        example: "30",
        meaning: "Days without a run after which a workflow counts as inactive.",
    },
    Variable {
        name: "UPTAKE_LOG_GROUP_PREFIX",
        functions: LOG_GROUPS,
        default: Some("/uptake"),
        example: "/contoso/uptake",
        meaning: "Weekly log groups are called `<prefix>/workflow-runs-<first day>_<last day>`, and `license-usage` in place of `workflow-runs`. After a change, hours that are published again are written whole to the new group.",
    },
    Variable {
        name: "UPTAKE_LOG_RETENTION_DAYS",
        functions: LOG_GROUPS,
        default: Some("400"),
        example: "90",
        meaning: "Days for which weekly log groups keep their events: a value CloudWatch knows, from 14 up. The group of the present week gets it with every hour.",
    },
    Variable {
        name: "UPTAKE_WEEK_STARTS_ON",
        functions: &["engagement", "engagement-api", "mailer", "scoring", "workflow-metrics"],
        default: Some("monday"),
        example: "sunday",
        meaning: "First day of the week, of log groups and of the weekly digest. After a change, hours that are published again are written whole to the group of the new week.",
    },
    Variable {
        name: "UPTAKE_RECIPIENTS",
        functions: MAILER,
        default: Some("config/emails.json"),
        example: "config/emails.json",
        meaning: "Store key of the list of recipients: `{\"emails\": [...], \"reports\": {\"copilot-seats\": [...], \"license-digest\": [...], \"weekly-digest\": [...]}}`, `reports` optional.",
    },
    Variable {
        name: "UPTAKE_SENDER",
        functions: MAILER,
        default: None,
        example: "uptake@octo.example",
        meaning: "Sender of every mail; on AWS an address or domain verified with SES.",
    },
    Variable {
        name: "UPTAKE_GRAFANA_URL",
        functions: GRAFANA,
        default: None,
        example: "https://g-0123456789.grafana-workspace.eu-central-1.amazonaws.com",
        meaning: "Grafana's address: scheme and host, no path. Plain HTTP only on loopback. Also for `uptake grafana push`.",
    },
    Variable {
        name: "UPTAKE_GRAFANA_TOKEN",
        functions: PUSH,
        default: None,
        example: "(secret)",
        meaning: "For `uptake grafana push`: the token of a service account with the role Admin.",
    },
    Variable {
        name: "UPTAKE_GRAFANA_WORKSPACE",
        functions: PUSH,
        default: None,
        example: "g-0123456789",
        meaning: "For `uptake grafana push`, in place of a token: the id of a workspace of Amazon Managed Grafana. A token is made for the push and deleted after it.",
    },
];
