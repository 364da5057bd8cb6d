//! The use case `mailer`: a stored report becomes one mail per person, at most once.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use uptake_domain::calendar::{Window, start_of};
use uptake_domain::catalogue::{MAILS_IN_DOUBT, MAILS_REFUSED, MAILS_SENT};
use uptake_domain::recipients::{self, Recipient};
use uptake_domain::seats_digest::digest;

use crate::config::MailerConfig;
use crate::copilot_seats;
use crate::deliveries::{self, Delivery, Mailing, State};
use crate::dry_run::{ReadOnly, Silent};
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::ports::{Letter, Mail, MailError, PortError, Ports, Written};
use crate::report_record::{self, Completeness, ReportRecord};
use crate::seats_mail::SeatsMail;
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;

/// The name of the function.
pub const FUNCTION: &str = "mailer";

/// The report this function mails, as `config/emails.json` names it under `reports`.
const REPORT: &str = copilot_seats::FUNCTION;
/// An incomplete report waits this far into its day for the hourly collection to complete it, and is then mailed as what
/// it is.
const INCOMPLETE_MAILED_AFTER: SignedDuration = SignedDuration::from_hours(20);
/// A hand-over is not begun with less time than this.
const TIME_FOR_ONE_MAIL: Duration = Duration::from_secs(15);

/// Mails the report of the day the trigger stands for.
pub async fn deliver(
    config: &MailerConfig,
    ports: Ports<'_>,
    mail: &dyn Mail,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let (ports, mail): (Ports<'_>, &dyn Mail) = if trigger.dry_run {
        let ports = Ports {
            files: &files,
            metrics: &Silent,
            ..ports
        };
        (ports, &Silent)
    } else {
        (ports, mail)
    };
    let mailer = Mailer {
        config,
        ports,
        mail,
        trigger,
        invocation,
        day: trigger.day()?,
    };
    let mut outcome = mailer.run().await?;
    if trigger.dry_run {
        outcome.counts.stored = 0;
        outcome.counts.published = 0;
        outcome.notes.push("dry run: nothing was sent or recorded".to_owned());
    }
    Ok(outcome)
}

struct Mailer<'a> {
    config: &'a MailerConfig,
    ports: Ports<'a>,
    mail: &'a dyn Mail,
    trigger: &'a Trigger,
    invocation: &'a Invocation,
    day: Date,
}

/// How the mails of one invocation ended.
#[derive(Default)]
struct Tally {
    sent: u64,
    sent_before: u64,
    refused: u64,
    in_doubt: u64,
    not_begun: u64,
}

impl Mailer<'_> {
    async fn run(&self) -> Result<Outcome, PipelineError> {
        let files = self.ports.files;
        let mut outcome = Outcome {
            function: FUNCTION,
            status: Status::NothingToDo,
            window: Window::of_day(self.day),
            counts: Counts::default(),
            watermark: watermark::read(files, FUNCTION).await?,
            stopped_early: None,
            past_due: telemetry::note_past_due(FUNCTION, self.trigger, self.ports.clock),
            in_doubt: None,
            notes: Vec::new(),
        };
        // Read even when there is nothing to mail yet: a fault in the list should not wait for a report to show.
        let recipients = self.recipients().await?;
        let mut tally = Tally::default();
        match report_record::read(files, REPORT, self.day).await? {
            None => outcome
                .notes
                .push(format!("there is no report of {} yet; {REPORT} writes it", self.day)),
            Some(record) if self.waits_for_completion(&record) => {
                outcome.notes.push(format!(
                    "the report of {} is incomplete; it is mailed as such at the end of the day",
                    self.day
                ));
            }
            Some(_) if recipients.is_empty() => outcome.notes.push("nobody is to get this report".to_owned()),
            Some(record) => {
                outcome.counts.fetched = recipients.len() as u64;
                tally = self.deliver_to_all(&record, &recipients).await?;
                self.conclude(&mut outcome, &record, &tally).await?;
            }
        }
        let counts = [
            (&MAILS_SENT, tally.sent),
            (&MAILS_REFUSED, tally.refused),
            (&MAILS_IN_DOUBT, tally.in_doubt),
        ];
        self.ports
            .metrics
            .publish(&telemetry::describe(&outcome, self.trigger, &counts))
            .await?;
        Ok(outcome)
    }

    async fn recipients(&self) -> Result<Vec<Recipient>, PipelineError> {
        let key = &self.config.recipients;
        let Some(file) = self.ports.files.read(key).await? else {
            return Err(PipelineError::Port(PortError::Missing {
                what: self.ports.files.location(key),
                remedy: r#"put {"emails": ["name@example.com"]} there"#.to_owned(),
            }));
        };
        recipients::parse(&file.bytes, REPORT).map_err(|faults| PipelineError::Recipients {
            key: key.clone(),
            faults,
        })
    }

    fn waits_for_completion(&self, record: &ReportRecord) -> bool {
        record.completeness == Completeness::Incomplete
            && self.trigger.scheduled_time < start_of(self.day) + INCOMPLETE_MAILED_AFTER
    }

    async fn deliver_to_all(&self, record: &ReportRecord, recipients: &[Recipient]) -> Result<Tally, PipelineError> {
        let mailing = Mailing {
            report: REPORT,
            day: self.day,
            completeness: record.completeness,
        };
        let mut tally = Tally::default();
        let mut mail = None;
        for (done, recipient) in (1..).zip(recipients) {
            let key = mailing.key(recipient);
            let before = match deliveries::read(self.ports.files, &key).await? {
                Some((delivery, version)) => match delivery.state {
                    State::Sent { .. } => {
                        tally.sent_before += 1;
                        continue;
                    }
                    State::Intent if !self.trigger.resend => {
                        tally.in_doubt += 1;
                        continue;
                    }
                    State::Intent | State::Refused { .. } => Some(version),
                },
                None => None,
            };
            if !self.invocation.deadline.allows(TIME_FOR_ONE_MAIL) {
                tally.not_begun += 1;
                continue;
            }
            let mail = match &mut mail {
                Some(mail) => mail,
                none => none.insert(self.compose(record).await?),
            };
            let claim = self.delivery(recipient, State::Intent);
            if deliveries::claim(self.ports.files, &key, &claim, before).await? == Written::Conflict {
                // Another invocation has it; how it ends is for that one to say.
                tally.in_doubt += 1;
                continue;
            }
            self.hand_over(mail, recipient, &key, &mut tally).await?;
            self.ports.progress.show("mails", done, Some(recipients.len() as u64));
        }
        Ok(tally)
    }

    async fn compose(&self, record: &ReportRecord) -> Result<SeatsMail, PipelineError> {
        let files = self.ports.files;
        let csv = files.read(&record.csv_key).await?.ok_or_else(|| PipelineError::State {
            key: record.csv_key.clone(),
            reason: "the report's record names it, and it is not there".to_owned(),
        })?;
        let previous = report_record::latest_complete_before(files, REPORT, self.day).await?;
        let digest = digest(
            &record.summary,
            previous.as_ref().map(|previous| (previous.day, &previous.summary)),
        );
        SeatsMail::compose(record, &digest, csv.bytes, &files.location(&record.csv_key))
    }

    async fn hand_over(
        &self,
        mail: &SeatsMail,
        recipient: &Recipient,
        key: &str,
        tally: &mut Tally,
    ) -> Result<(), PipelineError> {
        let message = mail.message(&self.config.sender, recipient, self.ports.clock.now())?;
        let letter = Letter {
            report: REPORT,
            day: self.day,
            sender: &self.config.sender,
            recipient,
            message: &message,
            html: mail.html(),
        };
        let state = match self.mail.send(letter).await {
            Ok(message_id) => State::Sent { message_id },
            Err(MailError::Refused(reason)) => State::Refused { reason },
            Err(MailError::InDoubt(reason)) => {
                tracing::error!(%reason, delivery = key, "a mail is in doubt");
                tally.in_doubt += 1;
                return Ok(());
            }
        };
        match &state {
            State::Refused { reason } => {
                tracing::error!(%reason, delivery = key, "a mail was refused");
                tally.refused += 1;
            }
            _ => tally.sent += 1,
        }
        if let Err(error) = deliveries::record(self.ports.files, key, &self.delivery(recipient, state)).await {
            // The mail is out and its intent stays: the next invocation finds it in doubt and does not send it again.
            tracing::error!(%error, delivery = key, "a delivery could not be recorded");
            tally.in_doubt += 1;
        }
        Ok(())
    }

    fn delivery(&self, recipient: &Recipient, state: State) -> Delivery {
        Delivery {
            recipient: recipient.address().to_owned(),
            state,
            at: self.ports.clock.now(),
            invocation_id: self.invocation.id.clone(),
        }
    }

    async fn conclude(&self, outcome: &mut Outcome, record: &ReportRecord, tally: &Tally) -> Result<(), PipelineError> {
        let Tally {
            sent,
            sent_before,
            refused,
            in_doubt,
            not_begun,
        } = tally;
        outcome.counts.stored = sent + refused;
        outcome.counts.published = *sent;
        outcome.in_doubt = Some(*in_doubt);
        let unsettled = refused + in_doubt + not_begun;
        outcome.status = match (unsettled, sent) {
            (0, 0) => Status::NothingToDo,
            (0, _) => Status::Complete,
            _ => Status::Incomplete,
        };
        if *sent_before > 0 {
            outcome.notes.push(format!("{sent_before} had the report already"));
        }
        if record.completeness == Completeness::Incomplete {
            outcome
                .notes
                .push("the report is incomplete and was mailed as such".to_owned());
        }
        if *refused > 0 {
            outcome.notes.push(format!(
                "{refused} refused by the mail service; the next offering tries again"
            ));
        }
        if *in_doubt > 0 {
            outcome.notes.push(format!(
                "{in_doubt} in doubt: begun and never confirmed; look at what the mail service says, then send again with --resend"
            ));
        }
        if *not_begun > 0 {
            outcome.stopped_early = Some(format!(
                "the deadline is near; {not_begun} mails are left to the next offering"
            ));
        }
        if unsettled == 0 && record.completeness == Completeness::Complete {
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, outcome.window.to).await?);
        }
        Ok(())
    }
}
