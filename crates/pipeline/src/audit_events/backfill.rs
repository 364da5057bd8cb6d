//! Backfill: what the feed does not list any more, from a search of the audit log that takes minutes to hours.
//!
//! The search runs at Microsoft; its id is kept, so that whoever is ended, or has no time left, goes on with the same one.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::{Window, day_of, to_seconds};
use uptake_lake::Lake;
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::Graph;
use uptake_upstream::microsoft::audit_query::{QueryId, QueryStatus};

use super::intake::{Intake, Named, wanted};
use super::{FUNCTION, Findings, SOURCE, known, summary};
use crate::bronze::Bronze;
use crate::config::AuditEventsConfig;
use crate::exclusions::{Exclusions, Known, WITHOUT_DIRECTORY};
use crate::outcome::{Outcome, PipelineError, Status};
use crate::ports::Ports;
use crate::state;
use crate::traced_lake::TracedLake;
use crate::trigger::Invocation;
use crate::watermark;

/// Between two looks at a search, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// A search that takes longer than this is left to itself; the same command goes on with it.
const LONGEST_WAIT: Duration = Duration::from_hours(2);

/// A search under way.
#[derive(Serialize, Deserialize)]
struct Search {
    id: String,
    begun_at: Timestamp,
}

fn key(window: Window) -> String {
    format!(
        "state/audit-events/searches/{}_{}.json",
        to_seconds(window.from),
        to_seconds(window.to)
    )
}

/// Searches the audit log for a window and stores what the tables lack of it. The watermark stays: it is the feed's.
pub async fn backfill(
    graph: &Graph,
    lake: &Lake,
    config: &AuditEventsConfig,
    exclusions: &Exclusions,
    ports: Ports<'_>,
    window: Window,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let intake = Intake {
        lake: TracedLake::new(lake, FUNCTION, ports.clock, invocation, false),
        ports,
    };
    let mut findings = Findings::default();
    let job = Job {
        graph,
        intake: &intake,
        config,
        exclusions,
        window,
        invocation,
    };
    let ending = job.run(&mut findings).await;
    intake.lake.note_calls(exclusions.take_calls());
    intake.lake.note_calls(graph.take_calls());
    let ending = match ending {
        Ok(is_done) => {
            let watermark = watermark::read(ports.files, FUNCTION).await?;
            let mut outcome = Outcome::of_nothing(FUNCTION, window, watermark, false);
            outcome.status = if is_done { Status::Complete } else { Status::Incomplete };
            findings.counts.requests = graph.requests();
            outcome.counts = findings.counts;
            outcome.tell(findings.missing, findings.notes);
            Ok(outcome)
        }
        Err(error) => Err(error),
    };
    intake.lake.leave_trace(ending).await
}

/// A search of a window, and what it takes.
struct Job<'a> {
    graph: &'a Graph,
    intake: &'a Intake<'a>,
    config: &'a AuditEventsConfig,
    exclusions: &'a Exclusions,
    window: Window,
    invocation: &'a Invocation,
}

impl Job<'_> {
    /// Finds the search, or begins one, and goes on with it; tells whether it is done with.
    async fn run(&self, findings: &mut Findings) -> Result<bool, PipelineError> {
        let (ports, deadline) = (self.intake.ports, self.invocation.deadline);
        let known = known(self.exclusions, &self.intake.lake, ports, self.invocation).await?;
        if known.is_blind() {
            findings.missing.push(WITHOUT_DIRECTORY.to_owned());
            return Ok(false);
        }
        let key = key(self.window);
        let search = if let Some(search) = state::read::<Search>(ports.files, &key).await? {
            search
        } else {
            let query = self
                .graph
                .start_audit_query(self.window, &self.config.operations, deadline);
            let search = Search {
                id: query.await?.to_string(),
                begun_at: ports.clock.now(),
            };
            state::write(ports.files, &key, &search).await?;
            search
        };
        let lost = match self.follow(&QueryId::new(search.id), &known, findings).await {
            Ok(QueryStatus::Running) => {
                findings
                    .missing
                    .push("Microsoft is still searching the audit log; the same command goes on with it".to_owned());
                return Ok(false);
            }
            Ok(QueryStatus::Succeeded) => None,
            Ok(QueryStatus::Failed) => Some("Microsoft gave the search of the audit log up".to_owned()),
            Err(PipelineError::Upstream(ApiError::NotFound { .. } | ApiError::Gone { .. })) => Some(format!(
                "Microsoft no longer has the search of the audit log that was begun at {}",
                to_seconds(search.begun_at)
            )),
            Err(error) => return Err(error),
        };
        summary::bring_up_to_date(&self.intake.lake, ports.files, findings).await?;
        // A search is good for once; asked for again, the log is searched again.
        ports.files.delete(&key).await?;
        let is_done = lost.is_none();
        findings
            .missing
            .extend(lost.map(|lost| format!("{lost}; the same command begins another one")));
        Ok(is_done)
    }

    /// Waits for a search and takes in what it found; tells how far it came.
    async fn follow(
        &self,
        query: &QueryId,
        known: &Known,
        findings: &mut Findings,
    ) -> Result<QueryStatus, PipelineError> {
        let (ports, deadline) = (self.intake.ports, self.invocation.deadline);
        let (mut look, mut waited) = (FIRST_LOOK, Duration::ZERO);
        loop {
            match self.graph.audit_query_status(query, deadline).await? {
                QueryStatus::Succeeded => break,
                QueryStatus::Running if waited < LONGEST_WAIT && deadline.allows(look) => {
                    ports.progress.show("seconds of search", waited.as_secs(), None);
                    tokio::time::sleep(look).await;
                    waited += look;
                    look = (look * 2).min(LONGEST_LOOK);
                }
                ending => return Ok(ending),
            }
        }
        let named = Named::of(known, ports.clock.now());
        let mut bronze = Bronze::new(ports.files, SOURCE, day_of(self.window.from), &self.invocation.id);
        let mut next = None;
        loop {
            let page = self.graph.audit_query_page(query, next, deadline).await?;
            let records = wanted(page.records, &self.config.operations, findings);
            self.intake
                .store_records(records, &named, &mut bronze, findings)
                .await?;
            ports.progress.show("records found", findings.counts.fetched, None);
            next = page.next;
            if next.is_none() {
                return Ok(QueryStatus::Succeeded);
            }
        }
    }
}
