//! A mail ready to be addressed: subject, two bodies, and perhaps an attachment.

use bytes::Bytes;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use uptake_domain::recipients::Recipient;
use uuid::Uuid;

use crate::outcome::PipelineError;

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
