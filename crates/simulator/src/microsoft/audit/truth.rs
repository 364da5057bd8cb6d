//! The simulator's own account of the audit log, computed from the model and never through HTTP.

use jiff::Timestamp;
use serde::Serialize;

/// One interaction with Copilot that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditTruth {
    /// The record's id, the same in every copy.
    pub event_id: String,
    /// When it happened, to the second.
    pub event_at: Timestamp,
    /// The user principal name as of then, in lower case.
    pub upn: String,
    /// The object id of the person, also where the record has an older kind of id.
    pub user_id: String,
    /// The app as the record names it.
    pub app_host: String,
    /// The agent, if there was one: its `AgentId`, or the `AppIdentity` of one made with Copilot Studio.
    pub agent_id: Option<String>,
    /// Prompts in it, none where the record has answers only.
    pub prompts: u64,
    /// Whether the web was searched.
    pub web_search: bool,
    /// How many of the blobs that were read have it.
    pub copies: u64,
    /// `contentCreated` of the first of them, to the millisecond.
    pub first_created_at: Timestamp,
}

/// How much is in blobs of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditCounts {
    /// Blobs.
    pub blobs: u64,
    /// Records in them, every copy counted.
    pub records: u64,
    /// Interactions with Copilot that can be read, each counted once.
    pub events: u64,
    /// Records of interactions that cannot be read.
    pub undecodable: u64,
    /// Records of other operations.
    pub ignored: u64,
}
