//! The use case `mailer`: a stored report, and once a week two digests, become one mail per person, at most once.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use uptake_domain::calendar::{Window, day_of, start_of, week_of};
use uptake_domain::catalogue::{MAILS_IN_DOUBT, MAILS_REFUSED, MAILS_SENT};
use uptake_domain::recipients::{self, Recipient};
use uptake_domain::seats_digest::digest;

use crate::composed_mail::ComposedMail;
use crate::config::MailerConfig;
use crate::copilot_seats;
use crate::deliveries::{self, Delivery, Mailing, State};
use crate::dry_run::{self, ReadOnly, Silent};
use crate::licenses_mail::{self, WeekOfLicenses};
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::ports::{Letter, Mail, MailError, PortError, Ports, Written};
use crate::report_record::{self, Completeness, ReportRecord};
use crate::runs_mail::{self, WeekOfRuns};
use crate::scoring::scored_day;
use crate::seats_mail;
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;

/// The name of the function.
pub const FUNCTION: &str = "mailer";

/// The reports this function mails, as `config/emails.json` names them under `reports`.
const SEATS: &str = copilot_seats::FUNCTION;
const DIGEST: &str = runs_mail::REPORT;
const LICENSE_DIGEST: &str = licenses_mail::REPORT;
/// An incomplete report waits this far into its day, and an incomplete week this far into the next, for the hourly
/// collection to complete it, and is then mailed as what it is.
const INCOMPLETE_MAILED_AFTER: SignedDuration = SignedDuration::from_hours(20);
/// Unsettled days before the present one are looked at this far back.
const LOOKBACK_DAYS: i32 = 3;
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
        (dry_run::ports(ports, &files), &Silent)
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
        dry_run::correct(&mut outcome, ports.files).await?;
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

/// How mails ended.
#[derive(Clone, Copy, Default)]
struct Tally {
    recipients: u64,
    recorded: u64,
    sent: u64,
    sent_before: u64,
    refused: u64,
    in_doubt: u64,
    not_begun: u64,
    /// Earlier days whose report could not be read.
    failed_days: u64,
}

impl Tally {
    fn unsettled(self) -> u64 {
        self.refused + self.in_doubt + self.not_begun + self.failed_days
    }

    fn add(&mut self, other: Self) {
        self.recipients += other.recipients;
        self.recorded += other.recorded;
        self.sent += other.sent;
        self.sent_before += other.sent_before;
        self.refused += other.refused;
        self.in_doubt += other.in_doubt;
        self.not_begun += other.not_begun;
        self.failed_days += other.failed_days;
    }
}

impl Mailer<'_> {
    async fn run(&self) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, self.trigger, self.ports.clock);
        let mut tally = Tally::default();
        let outcome = self.offer(past_due, &mut tally).await;
        let counts = [
            (&MAILS_SENT, tally.sent),
            (&MAILS_REFUSED, tally.refused),
            (&MAILS_IN_DOUBT, tally.in_doubt),
        ];
        telemetry::publish(self.ports.metrics, FUNCTION, self.trigger, past_due, outcome, &counts).await
    }

    async fn offer(&self, past_due: bool, tally: &mut Tally) -> Result<Outcome, PipelineError> {
        let files = self.ports.files;
        let watermark = watermark::read(files, FUNCTION).await?;
        let mut outcome = Outcome::of_nothing(FUNCTION, Window::of_day(self.day), watermark, past_due);
        // Read even when there is nothing to mail yet: a fault in the list should not wait for a report to show.
        let recipients = self.recipients(SEATS).await?;
        let seats = self.mail_days(&recipients, &mut outcome, tally).await;
        // Neither costs the others their mails.
        self.mail_digests(&mut outcome.notes, tally).await?;
        seats?;
        outcome.counts = Counts {
            fetched: tally.recipients,
            stored: tally.recorded,
            published: tally.sent,
            ..Counts::default()
        };
        outcome.in_doubt = Some(tally.in_doubt);
        outcome.status = match (tally.unsettled(), tally.sent) {
            (0, 0) => Status::NothingToDo,
            (0, _) => Status::Complete,
            _ => Status::Incomplete,
        };
        if tally.not_begun > 0 {
            outcome.stopped_early = Some(format!(
                "the deadline is near; {} mails are left to the next offering",
                tally.not_begun
            ));
        }
        Ok(outcome)
    }

    /// Mails the reports of the day and of those before it that are not settled.
    async fn mail_days(
        &self,
        recipients: &[Recipient],
        outcome: &mut Outcome,
        tally: &mut Tally,
    ) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let watermark = outcome.watermark;
        if watermark.is_none() && !self.is_asked_for_one_day() {
            // From the first offering on, nothing is left behind.
            outcome.watermark = Some(watermark::advance(files, FUNCTION, outcome.window.from).await?);
        }
        let mut nothing_left_before =
            !self.is_asked_for_one_day() || watermark.is_none_or(|end| day_of(end) >= self.day);
        for day in self.days(outcome.watermark) {
            let settled = match self.mail_day(day, recipients, &mut outcome.notes, tally).await {
                Ok(settled) => settled,
                // A fault of an earlier day must not cost the present one its mails.
                Err(error) if day < self.day => {
                    tracing::error!(%error, %day, "an earlier day could not be mailed");
                    outcome.notes.push(format!("{day}: {error}"));
                    tally.failed_days += 1;
                    false
                }
                Err(error) => return Err(error),
            };
            nothing_left_before &= settled;
            if nothing_left_before {
                outcome.watermark = Some(watermark::advance(files, FUNCTION, Window::of_day(day).to).await?);
            }
        }
        Ok(())
    }

    /// The day itself, and before it the days that the last offerings left unsettled: a report that was completed in
    /// the last minutes of its day, a mail refused all evening.
    fn days(&self, watermark: Option<Timestamp>) -> impl Iterator<Item = Date> {
        let first = match watermark {
            Some(end) if !self.is_asked_for_one_day() => {
                day_of(end).clamp(self.day.saturating_sub(LOOKBACK_DAYS.days()), self.day)
            }
            _ => self.day,
        };
        let last = self.day;
        first.series(1.day()).take_while(move |day| *day <= last)
    }

    /// A person who names a day means that day.
    fn is_asked_for_one_day(&self) -> bool {
        self.trigger.replace || self.trigger.window.is_some()
    }

    async fn recipients(&self, report: &str) -> Result<Vec<Recipient>, PipelineError> {
        let key = &self.config.recipients;
        let Some(file) = self.ports.files.read(key).await? else {
            return Err(PipelineError::Port(PortError::Missing {
                what: self.ports.files.location(key),
                remedy: r#"put {"emails": ["name@example.com"]} there"#.to_owned(),
            }));
        };
        recipients::parse(&file.bytes, report).map_err(|faults| PipelineError::Recipients {
            key: key.clone(),
            faults,
        })
    }

    /// Mails one day's report; whether nothing is left to do for that day.
    async fn mail_day(
        &self,
        day: Date,
        recipients: &[Recipient],
        notes: &mut Vec<String>,
        tally: &mut Tally,
    ) -> Result<bool, PipelineError> {
        // A report may still come, or be completed, by a trigger that is delivered late.
        let is_given_up = day <= self.day.saturating_sub(LOOKBACK_DAYS.days());
        let record = report_record::read(self.ports.files, SEATS, day).await?;
        let record = record.filter(|record| record.completeness == Completeness::Incomplete || record.is_of_its_day());
        let Some(record) = record else {
            // Who only looks at licences never has one.
            if day == self.day && !self.has_scores().await? {
                notes.push(format!("there is no report of {day} yet; {SEATS} writes it"));
            }
            return Ok(is_given_up);
        };
        if self.waits_for_completion(&record) {
            notes.push(format!(
                "the report of {day} is incomplete; it is mailed as such in the evening (UTC)"
            ));
            return Ok(false);
        }
        if recipients.is_empty() {
            notes.push("nobody is to get this report".to_owned());
            return Ok(true);
        }
        let mailing = Mailing {
            report: SEATS,
            day,
            completeness: record.completeness,
        };
        let compose = async || self.compose_seats(&record).await;
        let of_day = self.deliver_to_all(mailing, recipients, compose, notes, tally).await?;
        Ok(of_day.unsettled() == 0 && (is_given_up || record.completeness == Completeness::Complete))
    }

    /// Whether licences have been scored lately.
    async fn has_scores(&self) -> Result<bool, PipelineError> {
        let from = self.day.saturating_sub(7.days());
        Ok(scored_day::newest_between(self.ports.files, from, self.day)
            .await?
            .is_some())
    }

    fn waits_for_completion(&self, record: &ReportRecord) -> bool {
        record.completeness == Completeness::Incomplete
            && self.trigger.scheduled_time < start_of(record.day) + INCOMPLETE_MAILED_AFTER
    }

    /// Mails the digests of the last week that is over, or of the week that ends with the day a person names.
    async fn mail_digests(&self, notes: &mut Vec<String>, tally: &mut Tally) -> Result<(), PipelineError> {
        let (first, last) = week_of(self.day, self.config.week_starts_on);
        let week = if last == self.day && self.is_asked_for_one_day() {
            Window::of_days(first, last)
        } else if self.is_asked_for_one_day() {
            return Ok(());
        } else {
            Window::of_days(first.saturating_sub(7.days()), first.saturating_sub(1.day()))
        };
        let files = self.ports.files;
        let runs = self.mail_runs(week, notes, tally).await;
        if let Some(digest) = WeekOfLicenses::read(files, week).await? {
            let mailing = Mailing {
                report: LICENSE_DIGEST,
                day: digest.last_day(),
                completeness: digest.completeness(),
            };
            let compose = async || digest.compose(files).await;
            self.mail_digest(mailing, week, compose, notes, tally).await?;
        }
        runs
    }

    async fn mail_runs(&self, week: Window, notes: &mut Vec<String>, tally: &mut Tally) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let Some(digest) = WeekOfRuns::read(files, week).await? else {
            return Ok(());
        };
        let mailing = Mailing {
            report: DIGEST,
            day: digest.last_day(),
            completeness: digest.completeness(),
        };
        let compose = async || digest.compose(files).await;
        self.mail_digest(mailing, week, compose, notes, tally).await
    }

    /// Mails a digest, an incomplete one not before the evening of the day after its week.
    async fn mail_digest(
        &self,
        mailing: Mailing<'_>,
        week: Window,
        compose: impl AsyncFn() -> Result<ComposedMail, PipelineError>,
        notes: &mut Vec<String>,
        tally: &mut Tally,
    ) -> Result<(), PipelineError> {
        let waits = self.trigger.scheduled_time < week.to + INCOMPLETE_MAILED_AFTER;
        if mailing.completeness == Completeness::Incomplete && waits {
            notes.push(format!(
                "the week to {} is not complete yet; its {} waits until the evening (UTC) of the day after",
                mailing.day, mailing.report
            ));
            return Ok(());
        }
        let recipients = self.recipients(mailing.report).await?;
        self.deliver_to_all(mailing, &recipients, compose, notes, tally).await?;
        Ok(())
    }

    /// Mails one report to everybody who has not got it, and says what a person should know about that.
    async fn deliver_to_all(
        &self,
        mailing: Mailing<'_>,
        recipients: &[Recipient],
        compose: impl AsyncFn() -> Result<ComposedMail, PipelineError>,
        notes: &mut Vec<String>,
        tally: &mut Tally,
    ) -> Result<Tally, PipelineError> {
        let mut own = Tally::default();
        let end = self.deliver_each(mailing, recipients, compose, &mut own).await;
        tally.add(own);
        notes.extend(explain(mailing, own));
        end.map(|()| own)
    }

    async fn deliver_each(
        &self,
        mailing: Mailing<'_>,
        recipients: &[Recipient],
        compose: impl AsyncFn() -> Result<ComposedMail, PipelineError>,
        tally: &mut Tally,
    ) -> Result<(), PipelineError> {
        tally.recipients += recipients.len() as u64;
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
                none => none.insert(compose().await?),
            };
            let message = mail.message(&self.config.sender, recipient, self.ports.clock.now())?;
            let intent = self.delivery(recipient, State::Intent);
            if deliveries::claim(self.ports.files, &key, &intent, before).await? == Written::Conflict {
                // Another invocation has it; how it ends is for that one to say.
                tally.in_doubt += 1;
                continue;
            }
            let letter = Letter {
                report: mailing.report,
                day: mailing.day,
                sender: &self.config.sender,
                recipient,
                message: &message,
                html: mail.html(),
            };
            self.hand_over(letter, &key, tally).await;
            self.ports.progress.show("mails", done, Some(recipients.len() as u64));
        }
        Ok(())
    }

    async fn compose_seats(&self, record: &ReportRecord) -> Result<ComposedMail, PipelineError> {
        let files = self.ports.files;
        let csv = files.read(&record.csv_key).await?.ok_or_else(|| {
            PipelineError::state(&record.csv_key, "the report's record names it, and it is not there")
        })?;
        // A part compared with a whole would show changes that are none.
        let previous = match record.completeness {
            Completeness::Complete => report_record::latest_complete_before(files, SEATS, record.day).await?,
            Completeness::Incomplete => None,
        };
        let digest = digest(
            &record.summary,
            previous.as_ref().map(|previous| (previous.day, &previous.summary)),
        );
        seats_mail::compose(record, &digest, csv.bytes, &files.location(&record.csv_key))
    }

    async fn hand_over(&self, letter: Letter<'_>, key: &str, tally: &mut Tally) {
        let (state, ending) = match self.mail.send(letter).await {
            Ok(message_id) => (State::Sent { message_id }, &mut tally.sent),
            Err(MailError::Refused(reason)) => {
                tracing::error!(%reason, delivery = key, "a mail was refused");
                (State::Refused { reason }, &mut tally.refused)
            }
            Err(MailError::InDoubt(reason)) => {
                tracing::error!(%reason, delivery = key, "a mail is in doubt");
                tally.in_doubt += 1;
                return;
            }
        };
        match deliveries::record(self.ports.files, key, &self.delivery(letter.recipient, state)).await {
            Ok(()) => {
                *ending += 1;
                tally.recorded += 1;
            }
            // Its intent stays: the next invocation finds the mail in doubt and does not send it again.
            Err(error) => {
                tracing::error!(%error, delivery = key, "how a mail ended could not be recorded; it is in doubt");
                tally.in_doubt += 1;
            }
        }
    }

    fn delivery(&self, recipient: &Recipient, state: State) -> Delivery {
        Delivery {
            recipient: recipient.address().to_owned(),
            state,
            at: self.ports.clock.now(),
            invocation_id: self.invocation.id.clone(),
        }
    }
}

/// What a person should know about the mails of one report.
fn explain(mailing: Mailing<'_>, tally: Tally) -> Vec<String> {
    let Mailing { report, day, .. } = mailing;
    let mut notes = Vec::new();
    if tally.sent_before > 0 {
        notes.push(format!("{report} {day}: {} had the report already", tally.sent_before));
    }
    if mailing.completeness == Completeness::Incomplete && tally.sent > 0 {
        notes.push(format!(
            "{report} {day}: the report is incomplete and was mailed as such"
        ));
    }
    if tally.refused > 0 {
        notes.push(format!(
            "{report} {day}: {} refused by the mail service; the next offering tries again",
            tally.refused
        ));
    }
    if tally.in_doubt > 0 {
        notes.push(format!(
            "{report} {day}: {} in doubt: begun and never confirmed; look at what the mail service says, then settle them \
             with `uptake run mailer --date {day} --resend`, or \"resend\": true for the Lambda",
            tally.in_doubt
        ));
    }
    notes
}
