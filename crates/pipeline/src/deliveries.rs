//! Who got which mail: intent before the hand-over, delivery after it, so that nobody gets a report twice.
//!
//! Background: between handing a mail over and writing that down, anything can stop. Choice: the intent is written first,
//! with a conditional put; an intent without a delivery is *in doubt*, and a machine does not settle a doubt. Alternative:
//! writing only after the hand-over, which sends twice after every crash. Consequence: an operator looks at mails in doubt
//! and says `--resend`.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::recipients::Recipient;
use uuid::Uuid;

use crate::outcome::PipelineError;
use crate::ports::{Expected, File, Files, Version, Written};
use crate::report_record::Completeness;

/// What is known about one mail to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The address, as configured. The store may hold people; keys and logs do not.
    pub recipient: String,
    /// How far it came.
    #[serde(flatten)]
    pub state: State,
    /// When that was.
    pub at: Timestamp,
    /// Which invocation wrote it.
    pub invocation_id: String,
}

/// How far a mail came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum State {
    /// About to be handed over; found later, it is in doubt.
    Intent,
    /// The mail service took it.
    Sent {
        /// The service's id of the mail.
        message_id: String,
    },
    /// The mail service said no.
    Refused {
        /// What it said.
        reason: String,
    },
}

/// Which mail.
#[derive(Clone, Copy, Debug)]
pub struct Mailing<'a> {
    /// The report.
    pub report: &'a str,
    /// Its day.
    pub day: Date,
    /// A complete report is mailed once more after an incomplete one.
    pub completeness: Completeness,
}

impl Mailing<'_> {
    /// Where the delivery to a person is recorded. The hash keeps addresses out of keys, which show in access logs.
    pub fn key(&self, recipient: &Recipient) -> String {
        let person = Uuid::new_v5(&Uuid::NAMESPACE_OID, recipient.normalised().as_bytes());
        let Self {
            report,
            day,
            completeness,
        } = self;
        format!("state/mail/{report}/{day}/{}/{person}.json", completeness.as_str())
    }
}

/// The delivery recorded under a key, with the version a replacement has to name.
pub async fn read(files: &dyn Files, key: &str) -> Result<Option<(Delivery, Version)>, PipelineError> {
    let Some(File { bytes, version }) = files.read(key).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(|delivery| Some((delivery, version)))
        .map_err(|error| PipelineError::state(key, error))
}

/// Claims the mail for this invocation; a conflict means that another one has it.
pub async fn claim(
    files: &dyn Files,
    key: &str,
    intent: &Delivery,
    before: Option<Version>,
) -> Result<Written, PipelineError> {
    let expected = before.map_or(Expected::Absent, Expected::Unchanged);
    let bytes = serde_json::json!(intent).to_string();
    Ok(files.write_if(key, bytes.into(), expected).await?)
}

/// Records how the hand-over ended.
pub async fn record(files: &dyn Files, key: &str, delivery: &Delivery) -> Result<(), PipelineError> {
    let bytes = serde_json::json!(delivery).to_string();
    Ok(files.write(key, bytes.into()).await?)
}
