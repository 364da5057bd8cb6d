//! Configuration: read once, in `main`, through a lookup closure; every fault is reported together.
//!
//! [`VARIABLES`] is the one list of what can be set; `docs/CONFIGURATION.md` is generated from it.

mod values;
mod variables;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use uptake_domain::calendar::day_of;
use uptake_domain::log_groups;
use uptake_domain::recipients::Recipient;
use uptake_domain::seat::TeamFilter;
use uptake_domain::usage_score::LicenseRules;
use uptake_upstream::github::Owner;
use uptake_upstream::origin::Origin;

use crate::ports::{LogStream, PortError, Secrets};
use values::{Count, FirstDayOfWeek, Length, LogGroupPrefix, Operations, Points, Price, RetentionDays};
pub use variables::{VARIABLES, Variable};

/// Which face reads the configuration: it decides the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The command line on a folder.
    CommandLine,
    /// A Lambda.
    Lambda,
}

/// Where a Lambda keeps everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket.
    pub name: String,
    /// The prefix of every key, without slashes at its ends; empty for none.
    pub prefix: String,
}

/// Everything wrong with the environment, one sentence a fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFaults(Vec<String>);

impl ConfigFaults {
    /// A single fault found outside the environment.
    pub fn one(fault: String) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

/// A secret, or the SSM parameter that holds it.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The value itself.
    Value(SecretString),
    /// The name of a parameter.
    Parameter(String),
}

impl SecretSource {
    /// The value, read from the parameter store if need be. A line end that came with it is not part of it.
    pub async fn resolve(&self, secrets: &dyn Secrets) -> Result<SecretString, PortError> {
        let value = match self {
            Self::Value(value) => value.clone(),
            Self::Parameter(name) => secrets.read(name).await?,
        };
        Ok(value.expose_secret().trim().into())
    }
}

/// How Uptake proves to GitHub who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A personal access token.
    Token(SecretSource),
    /// A GitHub App.
    App {
        /// App id or client id.
        id: String,
        /// The private key.
        key: SecretSource,
    },
}

/// What `copilot-seats` needs.
#[derive(Clone, Debug)]
pub struct CopilotSeatsConfig {
    /// GitHub's API.
    pub api: Origin,
    /// Whose seats.
    pub owners: Vec<Owner>,
    /// Who asks.
    pub credential: Credential,
    /// Which teams.
    pub teams: TeamFilter,
    /// The smallest group shown by name.
    pub smallest_group: usize,
}

/// What `workflow-metrics` needs.
#[derive(Clone, Debug)]
pub struct WorkflowMetricsConfig {
    /// GitHub's API.
    pub api: Origin,
    /// Who asks.
    pub credential: Credential,
    /// Where the list of repositories lies.
    pub repositories: RepositoriesFile,
    /// Organisations to look at where there is no such list.
    pub organisations: Vec<String>,
    /// How long an attempt may be under way before it counts as stuck.
    pub stuck_after: SignedDuration,
    /// How long a workflow may do nothing before it counts as inactive.
    pub inactive_after: SignedDuration,
    /// The log groups.
    pub log_groups: LogGroups,
}

/// Where Microsoft is, and who asks.
#[derive(Clone, Debug)]
pub struct MicrosoftConfig {
    /// Where to sign in.
    pub login: Origin,
    /// Microsoft Graph.
    pub graph: Origin,
    /// The tenant.
    pub tenant: SecretSource,
    /// The app registration.
    pub client_id: SecretSource,
    /// Its secret.
    pub client_secret: SecretSource,
}

/// Where the list of excluded people lies.
#[derive(Clone, Debug)]
pub enum ExclusionConfig {
    /// A JSON list in the store.
    File {
        /// Its key.
        key: String,
        /// Whether somebody named it: then it has to be there.
        is_named: bool,
    },
    /// A SharePoint list.
    SharePoint {
        /// Who reads it.
        microsoft: Box<MicrosoftConfig>,
        /// The site's id.
        site_id: String,
        /// The list's id.
        list_id: String,
        /// The column with the user principal names.
        field: String,
        /// How long what was read is believed.
        ttl: SignedDuration,
    },
}

/// What `m365-usage` needs.
#[derive(Clone, Debug)]
pub struct M365UsageConfig {
    /// Microsoft.
    pub microsoft: MicrosoftConfig,
    /// Who is left out.
    pub exclusions: ExclusionConfig,
    /// Days for which a licence is a new assignment.
    pub new_license_days: i64,
}

/// What `audit-events` needs.
#[derive(Clone, Debug)]
pub struct AuditEventsConfig {
    /// Microsoft.
    pub microsoft: MicrosoftConfig,
    /// The Management Activity API.
    pub management: Origin,
    /// Who is left out.
    pub exclusions: ExclusionConfig,
    /// Which records are kept.
    pub operations: Vec<String>,
}

/// What `engagement` needs.
#[derive(Clone, Debug)]
pub struct EngagementConfig {
    /// The tenant, which every subject is bound to.
    pub tenant: SecretSource,
    /// The key that subjects are made with.
    pub key: SecretSource,
    /// Who is left out.
    pub exclusions: ExclusionConfig,
    /// The smallest group shown by name.
    pub smallest_group: usize,
    /// First day of the week.
    pub week_starts_on: Weekday,
}

/// What `engagement-api` needs, and whoever asks on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngagementApiConfig {
    /// First day of the week.
    pub week_starts_on: Weekday,
}

/// What `identity-keys` needs.
#[derive(Clone, Debug)]
pub struct IdentityKeysConfig {
    /// The tenant, which every subject is bound to.
    pub tenant: SecretSource,
    /// The key in use.
    pub key: SecretSource,
    /// The key that is to take its place.
    pub next_key: Option<SecretSource>,
}

/// What `activity-webhook` needs.
#[derive(Clone, Debug)]
pub struct ActivityWebhookConfig {
    /// What Microsoft sends along to show that it is Microsoft.
    pub auth_id: SecretSource,
    /// The tenant whose notifications are meant.
    pub tenant: SecretSource,
}

/// What starting and stopping the subscription needs.
#[derive(Clone, Debug)]
pub struct SubscriptionConfig {
    /// Microsoft.
    pub microsoft: MicrosoftConfig,
    /// The Management Activity API.
    pub management: Origin,
    /// What Microsoft is to send along with notifications.
    pub auth_id: Option<SecretSource>,
}

/// What `scoring` needs.
#[derive(Clone, Debug)]
pub struct ScoringConfig {
    /// Who is left out.
    pub exclusions: ExclusionConfig,
    /// When a licence counts as new or underutilised.
    pub rules: LicenseRules,
    /// The smallest group shown by name.
    pub smallest_group: usize,
    /// What a licence costs.
    pub license_price: Option<f64>,
    /// The log groups.
    pub log_groups: LogGroups,
}

/// Where weekly log groups stand, and how they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroups {
    /// What their names begin with.
    pub prefix: String,
    /// Days for which new ones keep events.
    pub retention_days: u16,
    /// First day of the week.
    pub week_starts_on: Weekday,
}

impl LogGroups {
    /// The stream in which a function writes the events of the window that begins at `window_start`, in the week's group
    /// of that kind of events.
    pub fn stream(&self, kind: &str, function: &str, window_start: Timestamp) -> LogStream {
        LogStream {
            group: log_groups::weekly_group(&self.prefix, kind, day_of(window_start), self.week_starts_on),
            name: log_groups::stream_name(function, window_start),
            retention_days: self.retention_days,
        }
    }
}

/// Where `repositories.yml` lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoriesFile {
    /// In the store.
    Key(String),
    /// On the machine.
    Path(PathBuf),
}

/// What `mailer` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailerConfig {
    /// First day of the week.
    pub week_starts_on: Weekday,
    /// Store key of the list of recipients.
    pub recipients: String,
    /// The sender.
    pub sender: Recipient,
}

/// What `grafana-health` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrafanaHealthConfig {
    /// Grafana.
    pub grafana: Origin,
}

/// What `uptake grafana push` needs.
#[derive(Clone, Debug)]
pub struct GrafanaPushConfig {
    /// Grafana.
    pub grafana: Origin,
    /// How it is let in.
    pub access: GrafanaAccess,
    /// Where the metrics are.
    pub region: String,
}

/// How a push is let into Grafana.
#[derive(Clone, Debug)]
pub enum GrafanaAccess {
    /// By the token of a service account.
    Token(SecretString),
    /// By a token that is made for it, of a workspace of Amazon Managed Grafana.
    Workspace(String),
}

/// Reads variables and remembers every fault.
pub struct Environment<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    face: Face,
    faults: Vec<String>,
}

impl<'a> Environment<'a> {
    /// Reads through `get`; `main` passes the process's environment.
    pub fn new(face: Face, get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            get,
            face,
            faults: Vec::new(),
        }
    }

    /// How it is read.
    pub fn face(&self) -> Face {
        self.face
    }

    /// The configuration, if nothing read through this environment was at fault.
    pub fn finish<T>(self, config: Option<T>) -> Result<T, ConfigFaults> {
        config
            .filter(|_| self.faults.is_empty())
            .ok_or(ConfigFaults(self.faults))
    }

    /// Where the command line keeps everything: a folder, relative only as its default.
    pub fn folder(&mut self) -> Option<PathBuf> {
        self.sinks(
            "local",
            "the command line writes local sinks only; run the Lambda for AWS, or unset it",
        );
        let Some(text) = self.text("UPTAKE_STORE") else {
            return Some(PathBuf::from("uptake-data"));
        };
        parse_folder(&text)
            .map_err(|reason| self.fault(format!("UPTAKE_STORE={text}: {reason}")))
            .ok()
    }

    /// Where the command line keeps the engagement tables: a folder of their own, by default below the others.
    pub fn engagement_folder(&mut self, store: &std::path::Path) -> Option<PathBuf> {
        let Some(text) = self.text("UPTAKE_ENGAGEMENT_STORE") else {
            return Some(store.join("engagement"));
        };
        parse_folder(&text)
            .map_err(|reason| self.fault(format!("UPTAKE_ENGAGEMENT_STORE={text}: {reason}")))
            .ok()
    }

    /// Where a Lambda keeps the engagement tables: a bucket or prefix of their own, by default below the others.
    pub fn engagement_bucket(&mut self, store: &Bucket) -> Option<Bucket> {
        let Some(text) = self.text("UPTAKE_ENGAGEMENT_STORE") else {
            let prefix = format!("{}/engagement", store.prefix);
            return Some(Bucket {
                name: store.name.clone(),
                prefix: prefix.trim_matches('/').to_owned(),
            });
        };
        parse_bucket(&text)
            .map_err(|reason| self.fault(format!("UPTAKE_ENGAGEMENT_STORE={text}: {reason}")))
            .ok()
    }

    /// Where a Lambda keeps everything: a bucket.
    pub fn bucket(&mut self) -> Option<Bucket> {
        self.sinks(
            "aws",
            "a Lambda has no folder to keep; use the command line for local sinks, or unset it",
        );
        let Some(text) = self.text("UPTAKE_STORE") else {
            self.fault("UPTAKE_STORE is not set; set it to s3://bucket or s3://bucket/prefix".into());
            return None;
        };
        parse_bucket(&text)
            .map_err(|reason| self.fault(format!("UPTAKE_STORE={text}: {reason}")))
            .ok()
    }

    /// What `copilot-seats` needs.
    pub fn copilot_seats(&mut self) -> Option<CopilotSeatsConfig> {
        let api = self.parsed("UPTAKE_GITHUB_API_URL", Some("https://api.github.com"));
        let owners = self.owners();
        let credential = self.credential(&owners);
        let teams = TeamFilter::new(self.list("UPTAKE_TEAMS"));
        let smallest_group = self.smallest_group();
        Some(CopilotSeatsConfig {
            api: api?,
            owners: (!owners.is_empty()).then_some(owners)?,
            credential: credential?,
            teams,
            smallest_group: smallest_group?,
        })
    }

    /// What `workflow-metrics` needs.
    pub fn workflow_metrics(&mut self) -> Option<WorkflowMetricsConfig> {
        let api = self.parsed("UPTAKE_GITHUB_API_URL", Some("https://api.github.com"));
        // No enterprise is asked for anything here, so an App is as good as a token.
        let credential = self.credential(&[]);
        let named = self.text("UPTAKE_REPOSITORIES");
        // A list that somebody names and that is not there is a mistake, and not a wish for everything.
        let organisations = if named.is_some() {
            Vec::new()
        } else {
            self.list("UPTAKE_GITHUB_ORGS")
        };
        let repositories = named.unwrap_or_else(|| "config/repositories.yml".to_owned());
        let repositories = if repositories.starts_with(['/', '.']) {
            RepositoriesFile::Path(repositories.into())
        } else {
            RepositoriesFile::Key(repositories)
        };
        let stuck_after = self.parsed::<Length>("UPTAKE_STUCK_MINUTES", Some("120"));
        let inactive_after = self.parsed::<Length>("UPTAKE_INACTIVE_DAYS", Some("14"));
        let log_groups = self.log_groups();
        Some(WorkflowMetricsConfig {
            api: api?,
            credential: credential?,
            repositories,
            organisations,
            stuck_after: SignedDuration::from_mins(stuck_after?.0),
            inactive_after: SignedDuration::from_hours(24 * inactive_after?.0),
            log_groups: log_groups?,
        })
    }

    /// What `m365-usage` needs.
    pub fn m365_usage(&mut self) -> Option<M365UsageConfig> {
        let microsoft = self.microsoft();
        let exclusions = self.exclusions();
        let new_license_days = self.new_license_days();
        Some(M365UsageConfig {
            microsoft: microsoft?,
            exclusions: exclusions?,
            new_license_days: new_license_days?,
        })
    }

    /// What `audit-events` needs.
    pub fn audit_events(&mut self) -> Option<AuditEventsConfig> {
        let microsoft = self.microsoft();
        let management = self.management();
        let exclusions = self.exclusions();
        let operations = self.parsed::<Operations>("UPTAKE_AUDIT_OPERATIONS", Some("CopilotInteraction"));
        Some(AuditEventsConfig {
            microsoft: microsoft?,
            management: management?,
            exclusions: exclusions?,
            operations: operations?.0,
        })
    }

    /// What `engagement` needs.
    pub fn engagement(&mut self) -> Option<EngagementConfig> {
        let exclusions = self.exclusions();
        let tenant = self.tenant();
        let key = self.identity_key();
        let smallest_group = self.smallest_group();
        let week = self.week();
        Some(EngagementConfig {
            tenant: tenant?,
            key: key?,
            exclusions: exclusions?,
            smallest_group: smallest_group?,
            week_starts_on: week?,
        })
    }

    /// What `engagement-api` needs.
    pub fn engagement_api(&mut self) -> Option<EngagementApiConfig> {
        Some(EngagementApiConfig {
            week_starts_on: self.week()?,
        })
    }

    /// What `identity-keys` needs.
    pub fn identity_keys(&mut self) -> Option<IdentityKeysConfig> {
        let tenant = self.tenant();
        let key = self.identity_key();
        let next_key = self.secret("UPTAKE_NEXT_IDENTITY_KEY", "UPTAKE_NEXT_IDENTITY_KEY_PARAMETER");
        Some(IdentityKeysConfig {
            tenant: tenant?,
            key: key?,
            next_key,
        })
    }

    /// What `activity-webhook` needs.
    pub fn activity_webhook(&mut self) -> Option<ActivityWebhookConfig> {
        let auth_id = self.needed_secret("UPTAKE_WEBHOOK_AUTH_ID", "UPTAKE_WEBHOOK_AUTH_ID_PARAMETER");
        let tenant = self.tenant();
        Some(ActivityWebhookConfig {
            auth_id: auth_id?,
            tenant: tenant?,
        })
    }

    /// Where the webhook leaves its hints.
    pub fn activity_queue(&mut self) -> Option<String> {
        self.parsed::<String>("UPTAKE_ACTIVITY_QUEUE_URL", None)
    }

    /// What starting and stopping the subscription needs.
    pub fn subscription(&mut self) -> Option<SubscriptionConfig> {
        let microsoft = self.microsoft();
        let management = self.management();
        let auth_id = self.secret("UPTAKE_WEBHOOK_AUTH_ID", "UPTAKE_WEBHOOK_AUTH_ID_PARAMETER");
        Some(SubscriptionConfig {
            microsoft: microsoft?,
            management: management?,
            auth_id,
        })
    }

    fn microsoft(&mut self) -> Option<MicrosoftConfig> {
        let login = self.parsed("UPTAKE_LOGIN_URL", Some("https://login.microsoftonline.com"));
        let graph = self.parsed("UPTAKE_GRAPH_URL", Some("https://graph.microsoft.com"));
        let tenant = self.tenant();
        let client_id = self.needed_secret("UPTAKE_CLIENT_ID", "UPTAKE_CLIENT_ID_PARAMETER");
        let client_secret = self.needed_secret("UPTAKE_CLIENT_SECRET", "UPTAKE_CLIENT_SECRET_PARAMETER");
        Some(MicrosoftConfig {
            login: login?,
            graph: graph?,
            tenant: tenant?,
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }

    fn management(&mut self) -> Option<Origin> {
        self.parsed("UPTAKE_MANAGEMENT_URL", Some("https://manage.office.com"))
    }

    fn tenant(&mut self) -> Option<SecretSource> {
        self.needed_secret("UPTAKE_TENANT_ID", "UPTAKE_TENANT_ID_PARAMETER")
    }

    fn identity_key(&mut self) -> Option<SecretSource> {
        self.needed_secret("UPTAKE_IDENTITY_KEY", "UPTAKE_IDENTITY_KEY_PARAMETER")
    }

    /// Where the list of excluded people lies.
    pub fn exclusions(&mut self) -> Option<ExclusionConfig> {
        let ttl = self.parsed::<Length>("UPTAKE_EXCLUSION_TTL_MINUTES", Some("30"));
        let site = self.text("UPTAKE_EXCLUSION_SITE_ID");
        let list = self.text("UPTAKE_EXCLUSION_LIST_ID");
        let field = self.text("UPTAKE_EXCLUSION_FIELD");
        let file = self.text("UPTAKE_EXCLUSIONS");
        match (site, list, field, file) {
            (None, None, None, file) => Some(ExclusionConfig::File {
                is_named: file.is_some(),
                key: file.unwrap_or_else(|| "config/exclusions.json".to_owned()),
            }),
            (Some(site_id), Some(list_id), field, None) => Some(ExclusionConfig::SharePoint {
                microsoft: Box::new(self.microsoft()?),
                site_id,
                list_id,
                field: field.unwrap_or_else(|| "Title".to_owned()),
                ttl: SignedDuration::from_mins(ttl?.0),
            }),
            (_, _, _, Some(_)) => {
                self.fault(
                    "UPTAKE_EXCLUSIONS is set, and UPTAKE_EXCLUSION_SITE_ID, _LIST_ID or _FIELD as well; keep the list in one place"
                        .into(),
                );
                None
            }
            (site, _, _, None) => {
                let missing = if site.is_none() { "SITE_ID" } else { "LIST_ID" };
                self.fault(format!(
                    "UPTAKE_EXCLUSION_{missing} is not set; a SharePoint list needs UPTAKE_EXCLUSION_SITE_ID and UPTAKE_EXCLUSION_LIST_ID"
                ));
                None
            }
        }
    }

    fn week(&mut self) -> Option<Weekday> {
        let week = self.parsed::<FirstDayOfWeek>("UPTAKE_WEEK_STARTS_ON", Some("monday"))?;
        Some(week.0)
    }

    /// What `scoring` needs.
    pub fn scoring(&mut self) -> Option<ScoringConfig> {
        let threshold = self.parsed::<Points>("UPTAKE_UNDERUTILIZED_THRESHOLD", Some("20"));
        let new_license_days = self.new_license_days();
        let smallest_group = self.smallest_group();
        let price = self.text("UPTAKE_LICENSE_PRICE").is_some();
        let price = price.then(|| self.parsed::<Price>("UPTAKE_LICENSE_PRICE", None));
        let log_groups = self.log_groups();
        let exclusions = self.exclusions();
        Some(ScoringConfig {
            exclusions: exclusions?,
            rules: LicenseRules {
                threshold: threshold?.0,
                new_license_days: new_license_days?,
            },
            smallest_group: smallest_group?,
            license_price: match price {
                Some(price) => Some(price?.0),
                None => None,
            },
            log_groups: log_groups?,
        })
    }

    fn smallest_group(&mut self) -> Option<usize> {
        Some(self.parsed::<Count>("UPTAKE_SMALLEST_GROUP", Some("5"))?.0)
    }

    fn new_license_days(&mut self) -> Option<i64> {
        let days = self.parsed::<Count>("UPTAKE_NEW_LICENSE_DAYS", Some("14"))?;
        i64::try_from(days.0).ok()
    }

    fn log_groups(&mut self) -> Option<LogGroups> {
        let prefix = self.parsed::<LogGroupPrefix>("UPTAKE_LOG_GROUP_PREFIX", Some("/uptake"));
        let retention = self.parsed::<RetentionDays>("UPTAKE_LOG_RETENTION_DAYS", Some("400"));
        let week = self.week();
        Some(LogGroups {
            prefix: prefix?.0,
            retention_days: retention?.0,
            week_starts_on: week?,
        })
    }

    /// What `grafana-health` needs.
    pub fn grafana_health(&mut self) -> Option<GrafanaHealthConfig> {
        let grafana = self.parsed("UPTAKE_GRAFANA_URL", None)?;
        Some(GrafanaHealthConfig { grafana })
    }

    /// What `uptake grafana push` needs.
    pub fn grafana_push(&mut self) -> Option<GrafanaPushConfig> {
        let grafana = self.parsed("UPTAKE_GRAFANA_URL", None);
        let token = self.text("UPTAKE_GRAFANA_TOKEN");
        let workspace = self.text("UPTAKE_GRAFANA_WORKSPACE");
        let access = match (token, workspace) {
            (Some(token), _) => Some(GrafanaAccess::Token(token.into())),
            (None, Some(workspace)) => Some(GrafanaAccess::Workspace(workspace)),
            (None, None) => {
                self.fault("neither UPTAKE_GRAFANA_TOKEN nor UPTAKE_GRAFANA_WORKSPACE is set; set the token of a service account, or the id of the workspace of Amazon Managed Grafana".into());
                None
            }
        };
        let region = self.text("AWS_REGION");
        if region.is_none() {
            self.fault("AWS_REGION is not set; set it to the region that Uptake is deployed to".into());
        }
        Some(GrafanaPushConfig {
            grafana: grafana?,
            access: access?,
            region: region?,
        })
    }

    /// What `mailer` needs.
    pub fn mailer(&mut self) -> Option<MailerConfig> {
        let week = self.week();
        let recipients = self
            .text("UPTAKE_RECIPIENTS")
            .unwrap_or_else(|| "config/emails.json".to_owned());
        let sender = self.parsed("UPTAKE_SENDER", None);
        Some(MailerConfig {
            week_starts_on: week?,
            recipients,
            sender: sender?,
        })
    }

    /// Each face has its own sinks; naming the other's is a mistake worth a sentence.
    fn sinks(&mut self, own: &str, otherwise: &str) {
        match self.text("UPTAKE_SINKS").as_deref() {
            Some(sinks @ ("local" | "aws")) if sinks != own => {
                self.fault(format!("UPTAKE_SINKS={sinks}: {otherwise}"));
            }
            Some(sinks) if sinks != own => self.fault(format!("UPTAKE_SINKS={sinks}: must be local or aws")),
            _ => {}
        }
    }

    fn owners(&mut self) -> Vec<Owner> {
        let (name, slugs, owner): (_, BTreeSet<String>, fn(String) -> Owner) =
            if let Some(enterprise) = self.text("UPTAKE_GITHUB_ENTERPRISE") {
                (
                    "UPTAKE_GITHUB_ENTERPRISE",
                    BTreeSet::from([enterprise]),
                    Owner::Enterprise,
                )
            } else {
                let organisations = self.list("UPTAKE_GITHUB_ORGS");
                let distinct = organisations.iter().map(|slug| slug.to_lowercase()).collect();
                ("UPTAKE_GITHUB_ORGS", distinct, Owner::Organisation)
            };
        if slugs.is_empty() {
            self.fault(
                "neither UPTAKE_GITHUB_ENTERPRISE nor UPTAKE_GITHUB_ORGS is set; name the enterprise or the organisations".into(),
            );
        }
        let is_slug = |slug: &str| slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        for slug in slugs.iter().filter(|slug| !is_slug(slug)) {
            self.fault(format!(
                "{name}: '{slug}' is not a slug; give it as it stands in GitHub's addresses"
            ));
        }
        slugs.into_iter().map(owner).collect()
    }

    fn credential(&mut self, owners: &[Owner]) -> Option<Credential> {
        let token = self.secret("UPTAKE_GITHUB_TOKEN", "UPTAKE_GITHUB_TOKEN_PARAMETER");
        let app = self.text("UPTAKE_GITHUB_APP_ID");
        let key = self.secret("UPTAKE_GITHUB_APP_KEY", "UPTAKE_GITHUB_APP_KEY_PARAMETER");
        let of_enterprise = owners.iter().any(|owner| matches!(owner, Owner::Enterprise(_)));
        match (token, app, key) {
            (None, Some(_), _) if of_enterprise => {
                self.fault(
                    "UPTAKE_GITHUB_APP_ID: GitHub accepts no App for an enterprise's seats; set UPTAKE_GITHUB_TOKEN to a classic \
                     token with manage_billing:copilot and read:enterprise, or name organisations instead"
                        .into(),
                );
                None
            }
            (_, Some(id), Some(key)) if !of_enterprise => Some(Credential::App { id, key }),
            (Some(token), _, _) => Some(Credential::Token(token)),
            (None, Some(_), None) => {
                self.fault("UPTAKE_GITHUB_APP_ID is set but not its key; set UPTAKE_GITHUB_APP_KEY or UPTAKE_GITHUB_APP_KEY_PARAMETER".into());
                None
            }
            (None, _, _) => {
                self.fault(match self.face {
                    Face::CommandLine => {
                        "UPTAKE_GITHUB_TOKEN is not set; create a token and put it into the environment".into()
                    }
                    Face::Lambda => {
                        "UPTAKE_GITHUB_TOKEN_PARAMETER is not set; name the SSM SecureString that holds the token"
                            .into()
                    }
                });
                None
            }
        }
    }

    fn secret(&mut self, value_name: &str, parameter_name: &str) -> Option<SecretSource> {
        let parameter = self.text(parameter_name);
        if parameter.is_some() && self.face == Face::CommandLine {
            self.fault(format!(
                "{parameter_name}: the command line reads no SSM parameters; set {value_name} instead"
            ));
        }
        self.text(value_name)
            .map(|value| SecretSource::Value(value.into()))
            .or(parameter.map(SecretSource::Parameter))
    }

    fn needed_secret(&mut self, value_name: &str, parameter_name: &str) -> Option<SecretSource> {
        let secret = self.secret(value_name, parameter_name);
        if secret.is_none() {
            let name = match self.face {
                Face::CommandLine => value_name,
                Face::Lambda => parameter_name,
            };
            self.fault(format!("{name} is not set; it is needed: {}", meaning(name)));
        }
        secret
    }

    /// Faults name the variable and not its value: an address or a password in the wrong place must not reach a log.
    fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, default: Option<&str>) -> Option<T> {
        let Some(text) = self.text(name).or(default.map(str::to_owned)) else {
            self.fault(format!("{name} is not set; it is needed: {}", meaning(name)));
            return None;
        };
        text.parse()
            .map_err(|error| self.fault(format!("{name}: {error}")))
            .ok()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    }

    /// A variable set to nothing is a variable not set: Terraform cannot leave one out of a map.
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }

    /// What two settings need is missed once.
    fn fault(&mut self, fault: String) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

fn meaning(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .map_or("", |variable| variable.meaning)
}

fn parse_folder(text: &str) -> Result<PathBuf, &'static str> {
    match text.strip_prefix("file://").map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path),
        Some(_) => Err("a folder is written file:///absolute/folder, with three slashes"),
        None if text.starts_with("s3://") => {
            Err("the command line works on file:///absolute/folder; a bucket belongs to the Lambdas")
        }
        None => Err("must be file:///absolute/folder"),
    }
}

fn parse_bucket(text: &str) -> Result<Bucket, &'static str> {
    let Some(rest) = text.strip_prefix("s3://") else {
        return Err("a Lambda works on s3://bucket or s3://bucket/prefix");
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if name.is_empty() {
        return Err("the bucket is missing; write s3://bucket or s3://bucket/prefix");
    }
    Ok(Bucket {
        name: name.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
    })
}

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method's path is tied to one lifetime, `with` needs all of them"
)]
mod tests {
    use super::*;

    fn with<T>(
        face: Face,
        variables: &[(&str, &str)],
        read: impl FnOnce(&mut Environment<'_>) -> Option<T>,
    ) -> Result<T, ConfigFaults> {
        let get = |name: &str| {
            variables
                .iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut environment = Environment::new(face, &get);
        let config = read(&mut environment);
        environment.finish(config)
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let message = with(
            Face::Lambda,
            &[
                ("UPTAKE_STORE", "bucket"),
                ("UPTAKE_SINKS", "paper"),
                ("UPTAKE_GITHUB_API_URL", "http://api.github.com"),
                ("UPTAKE_GITHUB_ORGS", "fine, not a slug"),
                ("UPTAKE_GITHUB_APP_ID", "1"),
                ("UPTAKE_SMALLEST_GROUP", "few"),
            ],
            |environment| {
                let store = environment.bucket();
                let seats = environment.copilot_seats();
                let mailer = environment.mailer();
                Some((store?, seats?, mailer?))
            },
        )
        .unwrap_err()
        .to_string();
        for fault in [
            "UPTAKE_STORE=bucket",
            "UPTAKE_SINKS=paper",
            "UPTAKE_GITHUB_API_URL",
            "'not a slug'",
            "UPTAKE_GITHUB_APP_KEY",
            "UPTAKE_SMALLEST_GROUP: must be a whole number",
            "UPTAKE_SENDER is not set",
        ] {
            assert!(message.contains(fault), "{fault} not in {message}");
        }
    }

    #[test]
    fn a_store_is_a_folder_here_and_a_bucket_there() {
        let folder = |value| {
            with(Face::CommandLine, &[("UPTAKE_STORE", value)], |environment| {
                environment.folder()
            })
        };
        assert_eq!(folder("file:///data"), Ok("/data".into()));
        assert_eq!(folder(""), Ok("uptake-data".into()));
        let bucket = |value| {
            with(Face::Lambda, &[("UPTAKE_STORE", value)], |environment| {
                environment.bucket()
            })
        };
        let expected = |prefix: &str| {
            Ok(Bucket {
                name: "b".into(),
                prefix: prefix.into(),
            })
        };
        assert_eq!(bucket("s3://b"), expected(""));
        assert_eq!(bucket("s3://b/p/q/"), expected("p/q"));
        for value in ["s3://b", "file://data", "data"] {
            assert!(folder(value).is_err(), "{value}");
        }
        for value in ["file:///data", "", "s3:///p", "b"] {
            assert!(bucket(value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_sinks_of_the_other_face_are_refused() {
        let folder = |value| {
            with(Face::CommandLine, &[("UPTAKE_SINKS", value)], |environment| {
                environment.folder()
            })
        };
        assert!(folder("local").is_ok());
        assert!(
            folder("aws")
                .unwrap_err()
                .to_string()
                .contains("run the Lambda for AWS")
        );
        assert!(
            folder("paper")
                .unwrap_err()
                .to_string()
                .contains("must be local or aws")
        );
    }

    #[test]
    fn an_app_serves_organisations_and_a_token_serves_the_enterprise() {
        let seats =
            |variables: &[(&str, &str)]| with(Face::CommandLine, variables, |environment| environment.copilot_seats());
        let app = ("UPTAKE_GITHUB_APP_ID", "1");
        let key = ("UPTAKE_GITHUB_APP_KEY", "pem");
        let token = ("UPTAKE_GITHUB_TOKEN", "t");
        let enterprise = ("UPTAKE_GITHUB_ENTERPRISE", "octo-enterprise");
        let organisations = ("UPTAKE_GITHUB_ORGS", "octo-org,Octo-Labs,octo-org");
        assert!(matches!(
            seats(&[enterprise, token, app, key]).unwrap().credential,
            Credential::Token(_)
        ));
        assert!(matches!(
            seats(&[organisations, token, app, key]).unwrap().credential,
            Credential::App { .. }
        ));
        assert_eq!(seats(&[organisations, token]).unwrap().owners.len(), 2);
        let message = seats(&[enterprise, app, key]).unwrap_err().to_string();
        assert!(message.contains("manage_billing:copilot"), "{message}");
    }

    #[test]
    fn the_command_line_says_that_it_reads_no_parameters() {
        let variables = [
            ("UPTAKE_GITHUB_ENTERPRISE", "e"),
            ("UPTAKE_GITHUB_TOKEN_PARAMETER", "/p"),
        ];
        let message = with(Face::CommandLine, &variables, |environment| environment.copilot_seats())
            .unwrap_err()
            .to_string();
        assert!(message.contains("set UPTAKE_GITHUB_TOKEN instead"), "{message}");
    }

    #[test]
    fn every_variable_that_is_read_is_documented() {
        let source = include_str!("mod.rs");
        let code = &source[source.find("impl<'a> Environment").unwrap()..source.find("#[cfg(test)]").unwrap()];
        let names = code
            .split('"')
            .filter(|text| text.starts_with("UPTAKE_") && text.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        let read: BTreeSet<&str> = names.collect();
        let documented: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        assert_eq!(read, documented);
    }

    #[test]
    fn a_fault_does_not_quote_what_may_be_a_secret_or_a_person() {
        let message = with(
            Face::CommandLine,
            &[
                ("UPTAKE_GITHUB_API_URL", "https://me:hush@ghe.example"),
                ("UPTAKE_SENDER", "Jane <jane@octo.example>"),
            ],
            |environment| environment.copilot_seats().zip(environment.mailer()),
        )
        .unwrap_err()
        .to_string();
        assert!(
            message.contains("UPTAKE_GITHUB_API_URL") && message.contains("UPTAKE_SENDER"),
            "{message}"
        );
        assert!(!message.contains("hush") && !message.contains("jane"), "{message}");
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let config = with(
            Face::CommandLine,
            &[("UPTAKE_GITHUB_ENTERPRISE", "e"), ("UPTAKE_GITHUB_TOKEN", "hush")],
            |environment| environment.copilot_seats(),
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
