//! What the use cases write through: the few things that differ between AWS and a folder on a laptop.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value};
use uptake_domain::catalogue::Datum;
use uptake_domain::recipients::Recipient;
pub use uptake_upstream::clock::{Clock, SystemClock};

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The role or user may not do this.
    #[error("{what}: access denied; grant {grant}")]
    Denied {
        /// What was tried.
        what: String,
        /// The permission that is missing.
        grant: String,
    },
    /// Something that a setting names does not exist.
    #[error("{what} does not exist; {remedy}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// Something is there and is not what it should be.
    #[error("{what} cannot be used; {remedy}")]
    Unusable {
        /// What was looked at.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// It did not work now; the next invocation tries again.
    #[error("{what}: {reason}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// What the other side said.
        reason: String,
    },
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its content.
    pub bytes: Bytes,
    /// What [`Files::write_if`] compares with.
    pub version: Version,
}

/// Which content an object has, as an opaque word (an `ETag` on S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// What a conditional write expects to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing under the key.
    Absent,
    /// The object as it was read.
    Unchanged(Version),
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The object is stored.
    Stored,
    /// Somebody else was faster; nothing is stored.
    Conflict,
}

/// The store: objects under keys such as `reports/x.csv`. A write replaces the whole object or nothing of it.
#[async_trait]
pub trait Files: Send + Sync {
    /// The object, or `None` where there is none.
    async fn read(&self, key: &str) -> Result<Option<File>, PortError>;

    /// Stores or replaces the object.
    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError>;

    /// Stores the object only if the key holds what is expected.
    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError>;

    /// The keys that begin with `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError>;

    /// Removes the object; it is no error when there is none.
    async fn delete(&self, key: &str) -> Result<(), PortError>;

    /// Where a person finds the object: an address to put in a mail.
    fn location(&self, key: &str) -> String;
}

/// What a store still knows of objects that are gone or were replaced.
#[async_trait]
pub trait Versions: Send + Sync {
    /// Leaves of the objects whose keys begin with `prefix` nothing but what they are now; how many earlier ones that were.
    async fn forget(&self, prefix: &str) -> Result<u64, PortError>;
}

/// How old a figure or an event may be: CloudWatch takes them up to two weeks old (`PutMetricData` and `PutLogEvents`
/// references, read 2026-11-22); an hour less, because it looks when they arrive.
pub(crate) const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(14 * 24 - 1);

/// Where figures go: CloudWatch, or JSON lines of the same shape.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Publishes every datum, or says that it could not.
    async fn publish(&self, data: &[Datum]) -> Result<(), PortError>;
}

/// A log stream: where it lies, and how long its group keeps events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// The group, such as `/uptake/workflow-runs-2026-11-16_2026-11-22`.
    pub group: String,
    /// The stream within it.
    pub name: String,
    /// Days the group keeps events, if it is made for this stream.
    pub retention_days: u16,
}

/// One event: an instant and a flat JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEvent {
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub message: Map<String, Value>,
}

/// Events that the log service turned down one by one while it took the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RejectedEvents {
    /// More than 14 days old.
    pub too_old: u64,
    /// Too far in the future.
    pub too_new: u64,
    /// Older than the group keeps events.
    pub expired: u64,
}

impl RejectedEvents {
    /// All of them.
    pub fn total(self) -> u64 {
        self.too_old + self.too_new + self.expired
    }

    /// These and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            too_old: self.too_old + other.too_old,
            too_new: self.too_new + other.too_new,
            expired: self.expired + other.expired,
        }
    }
}

/// Where events go: CloudWatch Logs, or JSON lines of the same shape.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The events of a stream in order of time; none where there is no such stream.
    async fn events(&self, stream: &LogStream) -> Result<Vec<LogEvent>, PortError>;

    /// Appends the events, and makes group and stream first where they are missing.
    async fn append(&self, stream: &LogStream, events: &[LogEvent]) -> Result<RejectedEvents, PortError>;
}

/// A mail to one person, ready to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The report it carries, such as `copilot-seats`.
    pub report: &'a str,
    /// The day of that report.
    pub day: Date,
    /// The verified sender.
    pub sender: &'a Recipient,
    /// Who gets it.
    pub recipient: &'a Recipient,
    /// The whole message as RFC 5322 bytes.
    pub message: &'a [u8],
    /// The HTML body alone, for people who look at files.
    pub html: &'a str,
}

/// A mail that was not, or may not have been, handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The service said no: nothing was sent, and the next offering may try again.
    #[error("the mail service refused the mail: {0}")]
    Refused(String),
    /// The service gave no answer: the mail may or may not be on its way.
    #[error("the mail service gave no answer: {0}")]
    InDoubt(String),
}

/// Where mails go: SES, or `.eml` files.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Hands the mail over once, without any retry, and returns the service's id for it.
    async fn send(&self, letter: Letter<'_>) -> Result<String, MailError>;
}

/// Where one function leaves a hint for another: SQS, or files. A hint says that it is worth looking, and nothing else.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Leaves a message. It may arrive more than once.
    async fn send(&self, message: &str) -> Result<(), PortError>;
}

/// Where secrets come from: SSM parameters. On a laptop they come with the environment instead.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The decrypted value of a parameter.
    async fn read(&self, parameter: &str) -> Result<SecretString, PortError>;
}

/// Where long work shows how far it has come.
pub trait Progress: Send + Sync {
    /// `done` of `total` (if known) are finished in the step called `step`.
    fn show(&self, step: &'static str, done: u64, total: Option<u64>);
}

/// Shows nothing: nobody watches a Lambda.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn show(&self, _step: &'static str, _done: u64, _total: Option<u64>) {}
}

/// The ports every use case needs.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The store.
    pub files: &'a dyn Files,
    /// The figures.
    pub metrics: &'a dyn Metrics,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The watcher.
    pub progress: &'a dyn Progress,
}
