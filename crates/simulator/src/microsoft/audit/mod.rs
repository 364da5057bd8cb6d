//! What the audit log knows of a tenant: who met Copilot where, and in which blobs of content it is handed out.
//!
//! All of it is thrown from (seed, place, day), as everything else of the tenant: what a person did according to the
//! usage reports is here too, prompt by prompt. Nothing is kept but which blobs there are, and who did what on some days.

mod blobs;
mod day;
mod others;
mod records;
pub(crate) mod truth;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub(super) use self::blobs::{Blob, Key};
use self::{
    blobs::LONGEST_DAYS,
    day::Day,
    records::Record,
    truth::{AuditCounts, AuditTruth},
};
use super::{cache::Cache, tenant::Tenant};
use crate::{Settings, days, dice::Topic};

/// How many days are kept of what was made last: those that a blob of one day can have something of, twice.
const KEPT_DAYS: usize = 16;

/// How many days of content there are on the first day, that one included: all that can be asked for.
const FIRST_DAYS: i64 = 7;

const DAY_MILLISECONDS: i64 = 86_400_000;

/// The audit log of the tenant.
#[derive(Debug)]
pub(crate) struct Log {
    tenant: Tenant,
    /// From when on there are blobs, in milliseconds since 1970.
    pub(super) since: i64,
    days: Cache<i64, Arc<Day>>,
    created: Cache<i64, Arc<Vec<Blob>>>,
}

/// One record, and what lists say about it without opening it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) id: String,
    pub(super) operation: &'static str,
    pub(super) record_type: u16,
    pub(super) workload: &'static str,
    /// As the record spells it.
    pub(super) upn: String,
    pub(super) client_ip: String,
    pub(super) body: Body,
}

/// A record as it is served.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Interaction(Box<Record>),
    Other(Value),
}

impl Entry {
    fn of(record: Record, at: i64) -> Self {
        Self {
            at,
            id: record.id.clone(),
            operation: records::OPERATION,
            record_type: record.kind,
            workload: record.workload,
            upn: record.user_id.clone(),
            client_ip: record.client_ip.clone(),
            body: Body::Interaction(Box::new(record)),
        }
    }
}

impl Log {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            tenant: Tenant::new(settings),
            since: (days::number_of(settings.today) - FIRST_DAYS + 1) * DAY_MILLISECONDS,
            days: Cache::keeping(KEPT_DAYS),
            created: Cache::keeping(KEPT_DAYS),
        }
    }

    /// From when on there are blobs.
    pub(crate) fn since(&self) -> Timestamp {
        instant(self.since)
    }

    fn day(&self, number: i64) -> Arc<Day> {
        self.days.get(number, || Arc::new(Day::new(&self.tenant, number)))
    }

    /// The blobs made on a day, in the order in which they were made.
    fn created_on(&self, day: i64) -> Arc<Vec<Blob>> {
        self.created.get(day, || Arc::new(self.make_blobs(day)))
    }

    fn make_blobs(&self, created_on: i64) -> Vec<Blob> {
        let mut blobs = Vec::new();
        for number in created_on - LONGEST_DAYS..=created_on {
            let day = self.day(number);
            // What comes in time comes on the next day at the latest.
            let soon = self.tenant.soon(&day).filter(|_| number + 1 >= created_on);
            let made = |key: Key| Blob {
                created: self.tenant.created(&day, key),
                key,
            };
            let candidates = soon.chain(self.tenant.straggling(&day)).map(made);
            blobs.extend(candidates.filter(|blob| {
                blob.created.div_euclid(DAY_MILLISECONDS) == created_on && self.tenant.is_there(&day, blob.key)
            }));
        }
        blobs.sort_unstable();
        blobs
    }

    /// The blobs made in `[from, until)`, milliseconds since 1970, in the order in which they were made.
    pub(super) fn blobs(&self, from: i64, until: i64) -> Vec<Blob> {
        let mut blobs = Vec::new();
        for day in from.div_euclid(DAY_MILLISECONDS)..=(until - 1).div_euclid(DAY_MILLISECONDS) {
            let made = self.created_on(day);
            let place = |instant: i64| made.partition_point(|blob| blob.created < instant);
            let (first, behind) = (place(from), place(until));
            blobs.extend_from_slice(made.get(first..behind).unwrap_or_default());
        }
        blobs
    }

    /// The blob of a key, where there is one.
    pub(super) fn blob(&self, key: Key) -> Option<Blob> {
        let day = self.day(key.day());
        self.tenant.is_there(&day, key).then(|| Blob {
            created: self.tenant.created(&day, key),
            key,
        })
    }

    /// Everything in a blob, in no order.
    pub(super) fn entries(&self, blob: Blob) -> Vec<Entry> {
        let day = self.day(blob.key.day());
        let mut entries: Vec<_> = self
            .tenant
            .numbers(&day, blob.key)
            .map(|number| self.entry(&day, number))
            .collect();
        entries.extend(self.tenant.other_entries(&day, blob.key));
        let mut throws = blob.key.throws(&self.tenant, Topic::AuditOrder);
        for last in (1..entries.len()).rev() {
            let other = throws.below(last as u64 + 1);
            entries.swap(last, usize::try_from(other).unwrap_or_default());
        }
        entries
    }

    fn entry(&self, day: &Day, number: u32) -> Entry {
        let interaction = day.interaction(&self.tenant, number);
        Entry::of(Record::of(&self.tenant, &interaction), interaction.at)
    }

    /// The parts in which a search goes through everything that happened in `[from, until)`, seconds since 1970.
    pub(super) fn parts(&self, from: i64, until: i64) -> Vec<Key> {
        let mut parts = Vec::new();
        for number in from.div_euclid(86_400)..=(until - 1).div_euclid(86_400) {
            let day = self.day(number);
            let meets = |key: &Key| {
                let Key::Soon { quarter, .. } = key else { return false };
                let start = number * 86_400 + day::start_of(usize::from(*quarter));
                start < until && from < start + day::QUARTER_SECONDS
            };
            parts.extend(self.tenant.soon(&day).filter(meets));
        }
        parts
    }

    /// What a search that was started at an instant, in milliseconds since 1970, finds in one of its parts: also what is
    /// handed out days late, but nothing that the log did not have by then.
    pub(super) fn found(&self, part: Key, asked_at: i64) -> Vec<Entry> {
        let day = self.day(part.day());
        let is_known = |number: &u32| self.tenant.first_created(&day, *number) <= asked_at;
        let numbers = self.tenant.range(&day, part).filter(is_known);
        let mut entries: Vec<_> = numbers.map(|number| self.entry(&day, number)).collect();
        if self.tenant.created(&day, part) <= asked_at {
            entries.extend(self.tenant.other_entries(&day, part));
        }
        entries
    }

    /// The interactions in the blobs made in `[from, until)`: how often each is there, and in which blob first.
    fn copies(&self, from: i64, until: i64) -> HashMap<(i64, u32), (u64, i64)> {
        let mut copies = HashMap::new();
        for blob in self.blobs(from, until) {
            let day = self.day(blob.key.day());
            for number in self.tenant.numbers(&day, blob.key) {
                // Blobs come in the order in which they were made, so the first one stays.
                copies.entry((day.number, number)).or_insert((0, blob.created)).0 += 1;
            }
        }
        copies
    }

    pub(crate) fn truths(&self, from: Timestamp, until: Timestamp) -> Vec<AuditTruth> {
        let copies = self.copies(milliseconds(from), milliseconds(until));
        let truth = |((day, number), (copies, first)): ((i64, u32), (u64, i64))| {
            let interaction = self.day(day).interaction(&self.tenant, number);
            let record = Record::of(&self.tenant, &interaction);
            AuditTruth {
                event_at: days::instant(0, interaction.at),
                upn: record.user_id.to_lowercase(),
                user_id: self.tenant.id(interaction.tenure),
                app_host: record.app_host().to_owned(),
                agent_id: record.agent().map(str::to_owned),
                prompts: record.prompts(),
                web_search: record.has_web_search(),
                copies,
                first_created_at: instant(first),
                event_id: record.id,
            }
        };
        let mut truths: Vec<_> = copies.into_iter().map(truth).collect();
        truths.sort_unstable_by(|one, other| (one.event_at, &one.event_id).cmp(&(other.event_at, &other.event_id)));
        truths
    }

    pub(crate) fn counts(&self, from: Timestamp, until: Timestamp) -> AuditCounts {
        let (from, until) = (milliseconds(from), milliseconds(until));
        let copies = self.copies(from, until);
        let mut counts = AuditCounts {
            events: copies.len() as u64,
            records: copies.values().map(|(copies, _)| copies).sum(),
            ..AuditCounts::default()
        };
        for blob in self.blobs(from, until) {
            let others = self.tenant.others(blob.key);
            counts.blobs += 1;
            counts.ignored += others.ignored;
            counts.undecodable += others.undecodable;
            counts.records += others.ignored + others.undecodable;
        }
        counts
    }
}

/// An instant in milliseconds since 1970, rounded up, so that what lies before it lies before it still.
pub(super) fn milliseconds(at: Timestamp) -> i64 {
    let whole = at.as_millisecond();
    whole + i64::from(at.subsec_nanosecond().rem_euclid(1_000_000) != 0)
}

/// The instant that lies so many milliseconds behind 1970.
pub(super) fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
