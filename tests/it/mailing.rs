//! `mailer` as a whole: complete reports only, one mail a person, and doubts left to people.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use uptake_cli::folder::Folder;
use uptake_domain::calendar::start_of;
use uptake_pipeline::deliveries::{self, Mailing, State};
use uptake_pipeline::outcome::{Outcome, Status};
use uptake_pipeline::ports::{Expected, File, Files, Letter, Mail, MailError, PortError, Written};
use uptake_pipeline::report_record::Completeness;
use uptake_pipeline::trigger::Trigger;

use crate::enterprise::{DAY, Enterprise, RECIPIENTS, morning, recipient};

const PAGE_FAILS: &str = include_str!("../../crates/simulator/scenarios/page-fails-for-good.toml");

/// The folder, but each hand-over ends as the script says first; what is not in the script goes well.
struct Scripted {
    folder: Folder,
    script: Mutex<VecDeque<Option<MailError>>>,
    attempts: Mutex<u32>,
}

impl Scripted {
    fn new(enterprise: &Enterprise, script: impl IntoIterator<Item = Option<MailError>>) -> Self {
        Self {
            folder: enterprise.folder.clone(),
            script: Mutex::new(script.into_iter().collect()),
            attempts: Mutex::new(0),
        }
    }

    fn attempts(&self) -> u32 {
        *self.attempts.lock().unwrap()
    }
}

#[async_trait]
impl Mail for Scripted {
    async fn send(&self, letter: Letter<'_>) -> Result<String, MailError> {
        *self.attempts.lock().unwrap() += 1;
        let scripted = self.script.lock().unwrap().pop_front().flatten();
        match scripted {
            Some(error) => Err(error),
            None => self.folder.send(letter).await,
        }
    }
}

fn refused() -> MailError {
    MailError::Refused("throttled".into())
}

fn in_doubt() -> MailError {
    MailError::InDoubt("no answer".into())
}

async fn mail(enterprise: &Enterprise, mail: &dyn Mail) -> Outcome {
    enterprise.run_mailer(mail, &Trigger::at(morning(DAY))).await.unwrap()
}

async fn mails(enterprise: &Enterprise, day: Date) -> Vec<String> {
    let keys = enterprise.folder.list(&format!("mail/{day}/")).await.unwrap();
    keys.into_iter().filter(|key| key.contains(".eml")).collect()
}

async fn state(enterprise: &Enterprise, address: &str) -> State {
    let mailing = Mailing {
        report: "copilot-seats",
        day: DAY,
        completeness: Completeness::Complete,
    };
    let (delivery, _) = deliveries::read(&enterprise.folder, &mailing.key(&recipient(address)))
        .await
        .unwrap()
        .unwrap();
    delivery.state
}

#[tokio::test]
async fn everybody_gets_the_report_once() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let first = mail(&enterprise, &enterprise.folder).await;
    assert_eq!((first.status, first.counts.published), (Status::Complete, 2));
    let again = mail(&enterprise, &enterprise.folder).await;
    assert_eq!((again.status, again.counts.published), (Status::NothingToDo, 0));
    enterprise.run_seats(DAY).await.unwrap();
    mail(&enterprise, &enterprise.folder).await;
    assert_eq!(
        mails(&enterprise, DAY).await,
        [
            "mail/2026-11-20/copilot-seats-1.eml",
            "mail/2026-11-20/copilot-seats-2.eml"
        ]
    );
    assert!(matches!(state(&enterprise, RECIPIENTS[0]).await, State::Sent { .. }));
}

#[tokio::test]
async fn a_mail_carries_the_report_to_one_person() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    mail(&enterprise, &enterprise.folder).await;
    let message = enterprise.text("mail/2026-11-20/copilot-seats-1.eml").await.unwrap();
    assert!(
        message.contains("To: <owner@octo.example>") && !message.contains(RECIPIENTS[1]),
        "{message}"
    );
    assert!(message.contains("From: <uptake@octo.example>"));
    assert!(message.contains(r#"filename="copilot_billing_seats_2026_11_20.csv""#));
    let html = enterprise.text("mail/2026-11-20/copilot-seats-1.html").await.unwrap();
    let truth = enterprise.simulator.truth();
    assert!(html.contains(&format!(">{}<", truth.seats)) && html.contains("the first report"));
}

#[tokio::test]
async fn the_next_report_is_compared_with_the_one_before() {
    let enterprise = Enterprise::healthy(300).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let next = DAY.saturating_add(1.day());
    enterprise.simulator.set_today(next);
    enterprise.offer_seats(next).await.unwrap();
    enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(next)))
        .await
        .unwrap();
    let html = enterprise
        .text(&format!("mail/{next}/copilot-seats-1.html"))
        .await
        .unwrap();
    assert!(html.contains("against the report of 2026-11-20"), "{html}");
}

#[tokio::test]
async fn without_a_report_there_is_nothing_to_mail() {
    let enterprise = Enterprise::healthy(60).await;
    let outcome = mail(&enterprise, &enterprise.folder).await;
    assert_eq!(outcome.status, Status::NothingToDo);
    assert!(
        outcome.notes[0].contains("copilot-seats writes it"),
        "{:?}",
        outcome.notes
    );
}

#[tokio::test]
async fn an_incomplete_report_waits_and_is_then_mailed_as_what_it_is() {
    let fails_at_first = format!("{PAGE_FAILS}\ntimes = 5\n");
    let enterprise = Enterprise::with(300, &fails_at_first).await;
    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::Incomplete);
    assert_eq!(mail(&enterprise, &enterprise.folder).await.status, Status::NothingToDo);

    let evening = Trigger::at(start_of(DAY) + SignedDuration::from_hours(21));
    let outcome = enterprise.run_mailer(&enterprise.folder, &evening).await.unwrap();
    assert_eq!(outcome.counts.published, 2);
    assert_eq!(outcome.watermark, Some(start_of(DAY)), "the day is not settled");
    let message = enterprise.text("mail/2026-11-20/copilot-seats-1.eml").await.unwrap();
    assert!(
        message.contains("Subject: INCOMPLETE: ") && message.contains(".incomplete.csv"),
        "{message}"
    );
    assert!(message.contains("THIS REPORT IS INCOMPLETE"));
    assert!(!message.contains("Changes are against") && !message.contains("the first report"));

    assert_eq!(enterprise.offer_seats(DAY).await.unwrap().status, Status::Complete);
    let outcome = enterprise.run_mailer(&enterprise.folder, &evening).await.unwrap();
    assert_eq!(outcome.counts.published, 2, "the complete report is mailed once more");
    let message = enterprise.text("mail/2026-11-20/copilot-seats-3.eml").await.unwrap();
    assert!(!message.contains("INCOMPLETE"));
}

#[tokio::test]
async fn a_refused_mail_is_tried_again_by_itself() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let service = Scripted::new(&enterprise, [Some(refused())]);
    let outcome = mail(&enterprise, &service).await;
    assert_eq!((outcome.status, outcome.counts.published), (Status::Incomplete, 1));
    assert!(matches!(state(&enterprise, RECIPIENTS[0]).await, State::Refused { .. }));
    let outcome = mail(&enterprise, &service).await;
    assert_eq!((outcome.status, outcome.counts.published), (Status::Complete, 1));
    assert_eq!(service.attempts(), 3);
    assert_eq!(mails(&enterprise, DAY).await.len(), 2);
}

#[tokio::test]
async fn a_mail_in_doubt_is_counted_and_settled_by_a_person_only() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let service = Scripted::new(&enterprise, [None, Some(in_doubt())]);
    for _ in 0..3 {
        let outcome = mail(&enterprise, &service).await;
        assert_eq!((outcome.status, outcome.in_doubt), (Status::Incomplete, Some(1)));
        assert!(
            outcome.notes.iter().any(|note| note.contains("--resend")),
            "{:?}",
            outcome.notes
        );
    }
    assert_eq!(service.attempts(), 2, "a machine does not settle a doubt");
    assert_eq!(enterprise.metrics(DAY).await["MailsInDoubt Function=mailer"], 1.0);
    assert_eq!(state(&enterprise, RECIPIENTS[1]).await, State::Intent);

    let resend = Trigger {
        resend: true,
        ..Trigger::at(morning(DAY))
    };
    let outcome = enterprise.run_mailer(&service, &resend).await.unwrap();
    assert_eq!((outcome.status, outcome.in_doubt), (Status::Complete, Some(0)));
    assert_eq!(service.attempts(), 3);
    assert!(matches!(state(&enterprise, RECIPIENTS[1]).await, State::Sent { .. }));
}

/// A store that yields before each call, so that two invocations really interleave, and that can refuse deliveries.
struct Store<'a> {
    folder: &'a Folder,
    takes_deliveries: bool,
}

#[async_trait]
impl Files for Store<'_> {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        tokio::task::yield_now().await;
        self.folder.read(key).await
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        tokio::task::yield_now().await;
        if !self.takes_deliveries && key.starts_with("state/mail/") {
            return Err(PortError::Unavailable {
                what: key.to_owned(),
                reason: "the store is gone".to_owned(),
            });
        }
        self.folder.write(key, bytes).await
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
        tokio::task::yield_now().await;
        self.folder.write_if(key, bytes, expected).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        self.folder.list(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.folder.delete(key).await
    }

    fn location(&self, key: &str) -> String {
        self.folder.location(key)
    }
}

/// The mail is out, and the store no longer takes the record of it: a crash after the hand-over looks the same.
#[tokio::test]
async fn a_crash_after_the_hand_over_sends_nothing_twice() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let service = Scripted::new(&enterprise, []);
    let broken = Store {
        folder: &enterprise.folder,
        takes_deliveries: false,
    };
    let trigger = Trigger::at(morning(DAY));
    let crashed = enterprise.run_mailer_on(&broken, &service, &trigger).await.unwrap();
    assert_eq!(
        (crashed.status, crashed.counts.published, crashed.in_doubt),
        (Status::Incomplete, 0, Some(2))
    );
    let later = mail(&enterprise, &service).await;
    assert_eq!((later.counts.published, later.in_doubt), (0, Some(2)));
    assert_eq!(service.attempts(), 2, "both are out, and neither goes out again");
}

#[tokio::test]
async fn two_mailers_at_once_send_one_mail_a_person() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let service = Scripted::new(&enterprise, []);
    let store = Store {
        folder: &enterprise.folder,
        takes_deliveries: true,
    };
    let trigger = Trigger::at(morning(DAY));
    let (one, two) = tokio::join!(
        enterprise.run_mailer_on(&store, &service, &trigger),
        enterprise.run_mailer_on(&store, &service, &trigger)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(
        one.in_doubt.unwrap() + two.in_doubt.unwrap() > 0,
        "they met: {one:?} {two:?}"
    );
    assert_eq!(service.attempts(), 2);
    assert_eq!(mails(&enterprise, DAY).await.len(), 2);
}

#[tokio::test]
async fn what_a_day_left_unsettled_is_settled_the_next_day() {
    let enterprise = Enterprise::healthy(60).await;
    let before = DAY.saturating_sub(1.day());
    enterprise.offer_seats(before).await.unwrap();
    enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(before)))
        .await
        .unwrap();

    // The day's report is completed after the last offering of the mailer; one mail of the next day is refused.
    enterprise.offer_seats(DAY).await.unwrap();
    let next = DAY.saturating_add(1.day());
    let service = Scripted::new(&enterprise, [None, refused().into()]);
    let outcome = enterprise
        .run_mailer(&service, &Trigger::at(morning(next)))
        .await
        .unwrap();
    assert_eq!((outcome.counts.published, outcome.status), (1, Status::Incomplete));
    assert_eq!(outcome.watermark, Some(start_of(DAY)), "not past what is unsettled");
    let outcome = enterprise
        .run_mailer(&service, &Trigger::at(morning(next)))
        .await
        .unwrap();
    assert_eq!(outcome.counts.published, 1);
    assert_eq!(outcome.watermark, Some(start_of(next)));
    assert_eq!(mails(&enterprise, DAY).await.len(), 2);
    assert_eq!(service.attempts(), 3, "nobody got it twice");
}

/// The evening mail says that a part is missing; a trigger that is delivered late makes it whole after midnight.
#[tokio::test]
async fn a_report_completed_after_its_day_is_still_mailed() {
    let fails_at_first = format!("{PAGE_FAILS}\ntimes = 5\n");
    let enterprise = Enterprise::with(300, &fails_at_first).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let evening = Trigger::at(start_of(DAY) + SignedDuration::from_hours(21));
    enterprise.run_mailer(&enterprise.folder, &evening).await.unwrap();
    let next = DAY.saturating_add(1.day());
    let midnight = Trigger::at(start_of(next));
    assert_eq!(
        enterprise
            .run_mailer(&enterprise.folder, &midnight)
            .await
            .unwrap()
            .counts
            .published,
        0
    );
    enterprise.offer_seats(DAY).await.unwrap();
    let outcome = enterprise.run_mailer(&enterprise.folder, &midnight).await.unwrap();
    assert_eq!(outcome.counts.published, 2);
    assert_eq!(outcome.watermark, Some(start_of(next)));
}

#[tokio::test]
async fn a_fault_of_an_earlier_day_does_not_cost_the_present_one_its_mails() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(DAY)))
        .await
        .unwrap();
    enterprise.offer_seats(DAY).await.unwrap();
    let next = DAY.saturating_add(1.day());
    enterprise.offer_seats(next).await.unwrap();
    let csv = format!("reports/{}", uptake_domain::seats_csv::file_name(DAY));
    enterprise.folder.delete(&csv).await.unwrap();
    let outcome = enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(next)))
        .await
        .unwrap();
    assert_eq!((outcome.status, outcome.counts.published), (Status::Incomplete, 2));
    assert!(outcome.notes[0].contains("does not read back"), "{:?}", outcome.notes);
    assert_eq!(outcome.watermark, Some(start_of(DAY)));
    assert_eq!(enterprise.metrics(next).await["MailsSent Function=mailer"], 2.0);
}

#[tokio::test]
async fn a_report_of_a_day_that_has_not_begun_is_not_mailed() {
    let enterprise = Enterprise::healthy(60).await;
    let tomorrow = DAY.saturating_add(1.day());
    let clock = crate::enterprise::Standing(morning(DAY));
    enterprise
        .collect_at(&clock, &Trigger::at(morning(tomorrow)))
        .await
        .unwrap();
    let outcome = enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(tomorrow)))
        .await
        .unwrap();
    assert_eq!(outcome.status, Status::NothingToDo);
    assert!(mails(&enterprise, tomorrow).await.is_empty());
}

#[tokio::test]
async fn a_bad_list_of_recipients_names_every_entry_and_sends_nothing() {
    let enterprise = Enterprise::healthy(60).await;
    enterprise.offer_seats(DAY).await.unwrap();
    let list = r#"{"emails": ["owner@octo.example", "not an address", 7]}"#;
    enterprise
        .folder
        .write("config/emails.json", list.into())
        .await
        .unwrap();
    let error = enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(DAY)))
        .await
        .unwrap_err();
    assert!(error.is_configuration());
    let message = error.to_string();
    assert!(
        message.contains("emails[1]") && message.contains("emails[2]"),
        "{message}"
    );
    assert!(mails(&enterprise, DAY).await.is_empty());

    enterprise.folder.delete("config/emails.json").await.unwrap();
    let error = enterprise
        .run_mailer(&enterprise.folder, &Trigger::at(morning(DAY)))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("config/emails.json does not exist"),
        "{error}"
    );
}
