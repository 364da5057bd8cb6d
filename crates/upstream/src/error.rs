//! Why an upstream call failed. Each variant is something a caller does next.

use jiff::Timestamp;

/// A failed upstream call. `route` is a route template: addresses hold logins, errors must not.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// The credential is wrong, expired or revoked.
    #[error("{route}: the credential was not accepted; {hint}")]
    Unauthorized {
        /// The route.
        route: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// The credential is good but may not do this.
    #[error("{route}: forbidden (403); {grant}")]
    Forbidden {
        /// The route.
        route: &'static str,
        /// Which permission to grant.
        grant: &'static str,
    },
    /// There is no such thing, or the credential may not know that there is.
    #[error("{route}: not found (404); {hint}")]
    NotFound {
        /// The route.
        route: &'static str,
        /// What is usually wrong.
        hint: &'static str,
    },
    /// The request itself is at fault.
    #[error("{route}: {upstream} refused the request with status {status}; this is for Uptake's maintainers")]
    Refused {
        /// The route.
        route: &'static str,
        /// Who refused.
        upstream: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// A rate limit, and waiting for it does not fit before the deadline.
    #[error(
        "{route}: the rate limit is reached until {until}, which is past the deadline; the next invocation goes on"
    )]
    RateLimited {
        /// The route.
        route: &'static str,
        /// When it may be retried.
        until: Timestamp,
    },
    /// The deadline came first.
    #[error("{route}: stopped before the deadline; the next invocation goes on")]
    DeadlineReached {
        /// The route.
        route: &'static str,
    },
    /// No good answer in several tries.
    #[error("{route}: no good answer in {tries} tries, the last was: {reason}; the next invocation tries again")]
    Unavailable {
        /// The route.
        route: &'static str,
        /// How often it was tried.
        tries: usize,
        /// What went wrong the last time.
        reason: String,
    },
    /// The answer is not what the API promises.
    #[error("{route}: the answer is not what the API promises: {reason}")]
    Contract {
        /// The route.
        route: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The upstream has no such report for this tenant, in no form that is read here.
    #[error("{route}: Microsoft offers this report in no form that Uptake reads; what can be told without it still is")]
    NotAvailable {
        /// The route asked first.
        route: &'static str,
    },
    /// Content of the audit feed that was listed is no longer to be had: it has expired, or there never was any by its id.
    #[error("{route}: the content is no longer there; Microsoft keeps it for seven days, and nothing brings it back")]
    Gone {
        /// The route.
        route: &'static str,
    },
    /// The application has no subscription to the audit feed.
    #[error(
        "{route}: there is no subscription to the audit feed; run `uptake subscription start` (the first content can take 12 hours)"
    )]
    NotSubscribed {
        /// The route.
        route: &'static str,
    },
    /// Somebody has disabled the subscription to the audit feed, or the tenant's audit log is off.
    #[error(
        "{route}: the subscription to the audit feed is disabled; check in Purview that auditing is turned on for the tenant, then run `uptake subscription start`, which enables it again"
    )]
    SubscriptionDisabled {
        /// The route.
        route: &'static str,
    },
    /// The tenant conceals names in its reports: nobody in them can be told from anybody else.
    #[error(
        "the tenant conceals names in its reports, so nobody's usage can be told; in the Microsoft 365 admin center, under Settings > Org settings > Reports, clear \"Display concealed user, group, and site names in all reports\""
    )]
    Concealed,
    /// A setting is unusable.
    #[error("{0}")]
    Configuration(String),
}

impl ApiError {
    /// One stable word that alarms group by.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "Credentials",
            Self::Forbidden { .. } | Self::NotFound { .. } => "Permission",
            Self::Refused { .. } | Self::Contract { .. } | Self::NotAvailable { .. } => "Contract",
            Self::Gone { .. } => "Gone",
            Self::NotSubscribed { .. } | Self::SubscriptionDisabled { .. } => "Subscription",
            Self::Concealed => "Concealed",
            Self::RateLimited { .. } => "Throttled",
            Self::DeadlineReached { .. } | Self::Unavailable { .. } => "Retryable",
            Self::Configuration(_) => "Configuration",
        }
    }

    /// Whether a later invocation can go on by itself, without anybody granting or changing anything.
    pub fn passes_by_itself(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::DeadlineReached { .. }
                | Self::Unavailable { .. }
                | Self::Contract { .. }
                | Self::Gone { .. }
        )
    }
}
