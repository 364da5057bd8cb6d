//! A mail ready to be addressed: subject, two bodies, and perhaps an attachment.

use std::io::{Cursor, Write};

use bytes::Bytes;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use uptake_domain::recipients::Recipient;
use uuid::Uuid;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::outcome::PipelineError;

/// The largest message SES takes through `SendRawEmail`, attachments encoded (SES quotas, read 2026-11-21: 10 MB by
/// default). Taken as the smaller of the two megabytes.
pub const MOST_MESSAGE_BYTES: usize = 10_000_000;
/// A larger report is attached as a zip: mailboxes are small and CSV shrinks to a fifth.
const ZIP_ABOVE_BYTES: usize = 1_000_000;
/// Room for headers and the two bodies beside the attachment.
const MESSAGE_WITHOUT_ATTACHMENT_BYTES: usize = 200_000;

/// A mail without sender and recipient.
pub struct ComposedMail {
    pub(crate) subject: String,
    pub(crate) html: String,
    pub(crate) text: String,
    pub(crate) attachment: Option<Attachment>,
    /// What the mail of one report, day and completeness is called, for message ids.
    pub(crate) name: String,
}

/// A file that comes with a mail.
#[derive(Clone)]
pub(crate) struct Attachment {
    pub(crate) name: String,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Bytes,
}

impl Attachment {
    /// The CSV of a store key as it is, zipped when large, or none when even that does not fit.
    pub(crate) fn csv(key: &str, csv: Bytes) -> zip::result::ZipResult<Option<Self>> {
        let name = key.rsplit('/').next().unwrap_or_default().to_owned();
        let attachment = if csv.len() <= ZIP_ABOVE_BYTES {
            Self {
                name,
                content_type: "text/csv",
                bytes: csv,
            }
        } else {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            zip.start_file(name.as_str(), options)?;
            zip.write_all(&csv)?;
            Self {
                name: format!("{}.zip", name.trim_end_matches(".csv")),
                content_type: "application/zip",
                bytes: zip.finish()?.into_inner().into(),
            }
        };
        let fits = encoded(attachment.bytes.len()) + MESSAGE_WITHOUT_ATTACHMENT_BYTES <= MOST_MESSAGE_BYTES;
        Ok(fits.then_some(attachment))
    }
}

/// The size in base64, with a line end after every 76 characters.
fn encoded(bytes: usize) -> usize {
    let characters = bytes.div_ceil(3) * 4;
    characters + characters.div_ceil(76) * 2
}

impl ComposedMail {
    /// The HTML body alone.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// The whole message to one person. The message id follows from report and person, so that a mail sent twice by an
    /// operator's decision is one mail to a client that looks.
    pub fn message(&self, sender: &Recipient, to: &Recipient, now: Timestamp) -> Result<Vec<u8>, PipelineError> {
        let id = Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("{}/{}", self.name, to.normalised()).as_bytes(),
        );
        let domain = sender.address().rsplit('@').next().unwrap_or_default();
        let mut message = MessageBuilder::new()
            .message_id(format!("{id}@{domain}"))
            .date(now.as_second())
            .from(sender.address())
            .to(to.address())
            .subject(self.subject.as_str())
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(self.text.as_str())
            .html_body(self.html.as_str());
        if let Some(attachment) = &self.attachment {
            message = message.attachment(
                attachment.content_type,
                attachment.name.as_str(),
                attachment.bytes.as_ref(),
            );
        }
        message
            .write_to_vec()
            .map_err(|error| PipelineError::Render(error.to_string()))
    }
}
