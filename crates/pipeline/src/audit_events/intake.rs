//! Taking in records: excluded people's are dropped, the rest is kept as bytes, understood, and stored once.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::value::RawValue;
use uptake_domain::audit_event::AuditEvent;
use uptake_domain::calendar::day_of;
use uptake_domain::tables::{GOLD_AUDIT_EVENTS, SILVER_AUDIT_EVENTS};
use uptake_upstream::microsoft::activity::ContentBlob;
use uptake_upstream::microsoft::audit_records::{Peeked, decode, mentions, peek};

use super::{Findings, Reading, SOURCE, summary};
use crate::bronze::{Bronze, Form};
use crate::exclusions::Known;
use crate::outcome::PipelineError;
use crate::ports::Ports;
use crate::rejected::{self, RejectedRecord};
use crate::traced_lake::TracedLake;

/// Events in memory at a time. With their bytes, their rows and two tables' worth of columns it is some 40 MB.
const EVENTS_AT_A_TIME: usize = 6_000;

/// Content that was read and is not stored yet.
#[derive(Default)]
pub(super) struct Batch {
    blobs: Vec<ContentBlob>,
    records: Vec<(Peeked, Box<RawValue>)>,
}

impl Batch {
    /// Takes from a blob the records that are looked for.
    pub(super) fn add(
        &mut self,
        blob: ContentBlob,
        records: Vec<Box<RawValue>>,
        operations: &[String],
        findings: &mut Findings,
    ) {
        self.blobs.push(blob);
        self.records.extend(wanted(records, operations, findings));
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= EVENTS_AT_A_TIME
    }
}

/// The records that are looked for, and those that do not say what they are.
pub(super) fn wanted(
    records: Vec<Box<RawValue>>,
    operations: &[String],
    findings: &mut Findings,
) -> Vec<(Peeked, Box<RawValue>)> {
    let mut kept = Vec::with_capacity(records.len());
    for raw in records {
        let head = peek(&raw);
        let is_wanted = head
            .operation
            .as_deref()
            .is_none_or(|name| operations.iter().any(|operation| operation.eq_ignore_ascii_case(name)));
        if is_wanted {
            kept.push((head, raw));
        } else {
            findings.ignored += 1;
        }
    }
    kept
}

/// A row of `gold_copilot_audit_events`, which is one of `silver_audit_events` and the department.
#[derive(Serialize)]
struct EventRow {
    event_id: String,
    event_at: Timestamp,
    event_on: Date,
    upn: String,
    user_key: Option<String>,
    operation: String,
    record_type: i64,
    app: String,
    app_host: Option<String>,
    agent_id: Option<String>,
    agent_name: Option<String>,
    prompts: u64,
    web_search: bool,
    user_id: Option<String>,
    details: String,
    department: Option<String>,
}

impl EventRow {
    fn of(event: AuditEvent, named: &Named<'_>) -> Self {
        let users = &named.known.people.users;
        // An object id outlives every name.
        let by_key = event.user_key.as_ref().and_then(|key| users.get_key_value(key));
        let user_id = by_key
            .map(|(id, _)| id.as_str())
            .or_else(|| named.by_upn.get(event.upn.as_str()).copied());
        let user = user_id.and_then(|id| users.get(id));
        Self {
            event_on: day_of(event.event_at),
            user_id: user_id.map(str::to_owned),
            department: user.and_then(|user| user.department.clone()),
            details: serde_json::Value::Object(event.details).to_string(),
            event_id: event.event_id,
            event_at: event.event_at,
            upn: event.upn,
            user_key: event.user_key,
            operation: event.operation,
            record_type: event.record_type,
            app: event.app,
            app_host: event.app_host,
            agent_id: event.agent_id,
            agent_name: event.agent_name,
            prompts: event.prompts,
            web_search: event.web_search,
        }
    }
}

/// Who is known, who is excluded, and whose a name is: made once, as there are as many as people.
pub(super) struct Named<'k> {
    known: &'k Known,
    day: Date,
    by_upn: HashMap<&'k str, &'k str>,
}

impl<'k> Named<'k> {
    pub(super) fn of(known: &'k Known, now: Timestamp) -> Self {
        let day = day_of(now);
        Self {
            known,
            day,
            by_upn: known.people.by_upn(day),
        }
    }

    /// Whether a record is of somebody who is excluded, or cannot be understood and names somebody who is.
    fn leaves_out(&self, head: &Peeked, raw: &RawValue, is_understood: bool) -> bool {
        let excluded = &self.known.excluded;
        if excluded.is_empty() {
            return false;
        }
        let is_meant = |name: &str| excluded.has_name(name) || excluded.has_user(name);
        let is_named = head.user_id.iter().chain(&head.user_key).any(|name| is_meant(name));
        is_named || (!is_understood && mentions(raw, &is_meant))
    }
}

/// Where records go.
pub(super) struct Intake<'a> {
    pub(super) lake: TracedLake<'a>,
    pub(super) ports: Ports<'a>,
}

impl Intake<'_> {
    /// Stores what is read: bytes, then rows, then that its content has been read.
    pub(super) async fn take_in(
        &self,
        reading: &mut Reading<'_>,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let Reading {
            named,
            read,
            bronze,
            batch,
        } = reading;
        let Batch { blobs, records } = std::mem::take(batch);
        self.store_records(records, named, bronze, findings).await?;
        for blob in &blobs {
            read.note(blob);
        }
        self.ports.progress.show("content read", findings.counts.fetched, None);
        read.save(self.ports.files).await
    }

    /// Keeps records as bytes and stores the events in them; those of excluded people are dropped before anything else.
    pub(super) async fn store_records(
        &self,
        records: Vec<(Peeked, Box<RawValue>)>,
        named: &Named<'_>,
        bronze: &mut Bronze<'_>,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let mut kept: Vec<Box<RawValue>> = Vec::with_capacity(records.len());
        let mut understood = Vec::with_capacity(records.len());
        for (head, raw) in records {
            let event = decode(&raw);
            if !named.leaves_out(&head, &raw, event.is_ok()) {
                understood.push(event);
                kept.push(raw);
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        findings.counts.fetched += kept.len() as u64;
        bronze.keep(Form::Json, &lines(&kept)).await?;
        let mut rejected = Vec::new();
        // The same event comes in several blobs.
        let mut rows: HashMap<(Date, String), EventRow> = HashMap::with_capacity(kept.len());
        for (raw, event) in kept.into_iter().zip(understood) {
            match event {
                Ok(event) => {
                    let row = EventRow::of(event, named);
                    rows.entry((row.event_on, row.event_id.clone())).or_insert(row);
                }
                Err(fault) => rejected.push(RejectedRecord::new(
                    SOURCE,
                    named.day,
                    fault.rule,
                    fault.reason,
                    raw.get().to_owned(),
                )),
            }
        }
        rejected::store(&self.lake, &mut rejected).await?;
        findings.counts.quarantined += rejected.len() as u64;
        let rows: Vec<EventRow> = rows.into_values().collect();
        findings.newest_event = findings.newest_event.max(rows.iter().map(|row| row.event_at).max());
        // Whatever happens from here on, these days are counted anew.
        summary::remember(self.ports.files, rows.iter().map(|row| row.event_on).collect()).await?;
        let written = self.lake.insert(&SILVER_AUDIT_EVENTS, &rows).await?;
        self.lake.insert(&GOLD_AUDIT_EVENTS, &rows).await?;
        findings.counts.stored += written.inserted;
        findings.of_strangers += rows.iter().filter(|row| row.user_id.is_none()).count() as u64;
        Ok(())
    }
}

/// One record a line. Microsoft writes them without line ends; one that has some is written anew.
fn lines(records: &[Box<RawValue>]) -> Bytes {
    let mut text = String::new();
    for raw in records {
        if raw.get().contains('\n') {
            text.extend(raw.get().lines().map(str::trim));
        } else {
            text.push_str(raw.get());
        }
        text.push('\n');
    }
    text.into()
}
