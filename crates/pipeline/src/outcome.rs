//! What a collection answers, whichever face started it, and why one fails.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uptake_domain::calendar::{NotOneDay, NotWholeHours, Window};
use uptake_domain::exclusions::ExclusionFault;
use uptake_domain::recipients::RecipientFaults;
use uptake_lake::LakeError;
use uptake_upstream::error::ApiError;

use crate::engagement::test_data::TestDataError;
use crate::identity_state::IdentityError;
use crate::ports::PortError;

/// How a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything the window holds is stored.
    Complete,
    /// Something that should be there could not be read or sent.
    Incomplete,
    /// The window is done already, or its inputs are not there yet.
    NothingToDo,
}

/// What a collection handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records read: seats, runs, recipients.
    pub fetched: u64,
    /// Records stored: report rows, run attempts, recorded deliveries.
    pub stored: u64,
    /// Records set aside because they could not be understood.
    pub quarantined: u64,
    /// Metric values, log events or mails that went out.
    pub published: u64,
    /// HTTP requests sent upstream.
    pub requests: u64,
}

/// The answer of every collection. It names no person: Lambda logs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The function.
    pub function: &'static str,
    /// How it ended.
    pub status: Status,
    /// The window it worked on.
    pub window: Window,
    /// What it handled.
    pub counts: Counts,
    /// End of the newest finished window, after this collection.
    pub watermark: Option<Timestamp>,
    /// Why it ended before it was through, if it did.
    pub stopped_early: Option<String>,
    /// Whether the trigger was delivered later than its period.
    pub past_due: bool,
    /// Mails whose hand-over was never confirmed; `mailer` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<u64>,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Before anything is done.
    pub(crate) fn of_nothing(
        function: &'static str,
        window: Window,
        watermark: Option<Timestamp>,
        past_due: bool,
    ) -> Self {
        Self {
            function,
            status: Status::NothingToDo,
            window,
            counts: Counts::default(),
            watermark,
            stopped_early: None,
            past_due,
            in_doubt: None,
            notes: Vec::new(),
        }
    }

    /// Tells what is missing, the first of it as the reason for ending early, and what else a person should know.
    pub(crate) fn tell(&mut self, missing: Vec<String>, notes: Vec<String>) {
        let mut reasons = missing.into_iter();
        self.stopped_early = reasons.next();
        self.notes.extend(notes);
        self.notes.extend(reasons);
    }
}

/// Why a collection failed: nothing of its window can be had or written.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The upstream said no, or nothing.
    #[error(transparent)]
    Upstream(#[from] ApiError),
    /// The same, of something that the list of repositories names.
    #[error("{name}: {error}")]
    Unreadable {
        /// The repository or organisation.
        name: String,
        /// Why it cannot be read.
        error: ApiError,
    },
    /// The credential sees nothing of what is to be looked at.
    #[error(
        "no repository that is to be looked at can be seen with this token; let it reach them, or correct repositories.yml"
    )]
    NoRepository,
    /// The window has not begun.
    #[error("the window begins at {0}, which lies in the future; give one that is over")]
    Future(Timestamp),
    /// The store, the metrics or the secrets did not answer.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A table could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The trigger asks for a window the function cannot take.
    #[error(transparent)]
    Window(#[from] NotOneDay),
    /// The same, of an hourly function.
    #[error(transparent)]
    Hours(#[from] NotWholeHours),
    /// The team filter leaves nobody.
    #[error("UPTAKE_TEAMS names no team that GitHub lists; give slugs, as they stand in the addresses of teams")]
    NoSuchTeam,
    /// The list of recipients is wrong.
    #[error("{key}: {faults}")]
    Recipients {
        /// Where the list lies.
        key: String,
        /// What is wrong with it.
        faults: RecipientFaults,
    },
    /// The list of excluded people is wrong; nothing of anybody is recorded until it is right.
    #[error("{place}: {fault}")]
    Exclusions {
        /// Where the list lies.
        place: String,
        /// What is wrong with it.
        fault: ExclusionFault,
    },
    /// The key of engagement cannot be used now.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Made-up people and real ones do not go together.
    #[error(transparent)]
    TestData(#[from] TestDataError),
    /// The list of repositories is wrong.
    #[error("{place}: {fault}")]
    Repositories {
        /// Where the list lies.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Another invocation of the same function was at work at the same time.
    #[error("another invocation of this function finished first; what this one recorded is kept, and the next goes on")]
    Overlap,
    /// Something Uptake stored itself does not read back.
    #[error("{key} does not read back ({reason}); restore an earlier version of it or delete it")]
    State {
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A report could not be written out.
    #[error("the report could not be rendered: {0}")]
    Render(String),
}

impl PipelineError {
    /// Something stored under `key` cannot be used.
    pub(crate) fn state(key: &str, reason: impl fmt::Display) -> Self {
        Self::State {
            key: key.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// One stable word that alarms group by.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Upstream(error) | Self::Unreadable { error, .. } => error.error_type(),
            Self::Port(PortError::Denied { .. }) | Self::NoRepository | Self::Lake(LakeError::Denied { .. }) => {
                "Permission"
            }
            Self::Port(PortError::Unavailable { .. })
            | Self::Overlap
            | Self::Lake(LakeError::Unavailable { .. } | LakeError::Conflict { .. }) => "Retryable",
            Self::Port(PortError::Missing { .. } | PortError::Unusable { .. })
            | Self::Window(_)
            | Self::Hours(_)
            | Self::Future(_)
            | Self::NoSuchTeam
            | Self::Recipients { .. }
            | Self::Exclusions { .. }
            | Self::Identity(
                IdentityError::OtherKey { .. }
                | IdentityError::Unusable { .. }
                | IdentityError::NoNextKey
                | IdentityError::SameKey
                | IdentityError::OtherChange { .. }
                | IdentityError::NotOffered { .. },
            )
            | Self::TestData(_)
            | Self::Repositories { .. }
            | Self::Lake(LakeError::Settings { .. }) => "Configuration",
            Self::Identity(IdentityError::Paused { .. } | IdentityError::Rotation(_)) => "Paused",
            Self::State { .. }
            | Self::Identity(IdentityError::Unresolved { .. })
            | Self::Lake(LakeError::Foreign { .. }) => "State",
            Self::Render(_) | Self::Lake(LakeError::Contract { .. }) => "Bug",
        }
    }

    /// Whether a person has to change a setting rather than wait.
    pub fn is_configuration(&self) -> bool {
        self.error_type() == "Configuration"
    }
}
