//! The use case `engagement`: what silver tells of people's use becomes the ledger, and the ledger becomes streaks, points
//! and totals. Nobody is named in what it writes.
//!
//! Facts only ever accumulate: a day with use stays one. So a day is brought up to date from what is stored of it, from
//! reports that changed since, and from a new count of its events if there are other ones; and totals are computed anew
//! from the last closing before the first day that may have changed.

mod days;
mod evidence;
pub(crate) mod exclusion;
mod fold;
mod presence;
mod publishing;
pub(crate) mod subjects;
pub mod test_data;
pub(crate) mod totals;

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uptake_domain::calendar::{Window, start_of};
use uptake_domain::engagement::UNDECIDED_FOR_DAYS;
use uptake_domain::identity::IdentityKey;
use uptake_domain::tables::{self, SILVER_AUDIT_EVENTS, SILVER_COPILOT_USAGE, SILVER_M365_ACTIVITY};
use uptake_lake::{Lake, Stamp};

use crate::audit_events;
use crate::config::{EngagementConfig, SecretSource};
use crate::dry_run::{self, ReadOnly};
use crate::exclusions::{Excluded, Exclusions};
use crate::identity_state::{self, IdentityError};
use crate::m365_usage;
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::people::People;
use crate::ports::{Ports, Secrets};
use crate::state;
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;
pub use days::ALL_APPS;
use days::Grounds;
use evidence::Evidence;
use subjects::Subjects;
use totals::Totals;

/// The name of the function.
pub const FUNCTION: &str = "engagement";
/// What was processed so far.
const STATE_KEY: &str = "state/engagement/processed.json";
/// The first day of the ledger that changed and that totals do not hold yet.
const OWED_KEY: &str = "state/engagement/owed.json";
/// Days whose state may still change without a new report or event: how long one may be undecidable, and a day on which
/// nobody looked.
const UNSETTLED_DAYS: i32 = UNDECIDED_FOR_DAYS + 2;
/// An active-user report of seven days tells of the days before it, too.
const DAYS_OF_AN_ACTIVITY_REPORT: i32 = 7;

/// The key that subjects are made with, and the tenant they belong to.
pub struct Identity {
    /// The key.
    pub key: IdentityKey,
    /// The tenant.
    pub tenant: String,
}

impl Identity {
    /// Reads both.
    pub async fn read(tenant: &SecretSource, key: &SecretSource, secrets: &dyn Secrets) -> Result<Self, PipelineError> {
        let key = key.resolve(secrets).await?;
        let key = IdentityKey::parse(key.expose_secret()).map_err(|fault| {
            PipelineError::Identity(IdentityError::Unusable {
                variable: "UPTAKE_IDENTITY_KEY",
                fault,
            })
        })?;
        Ok(Self {
            key,
            tenant: tenant.resolve(secrets).await?.expose_secret().to_owned(),
        })
    }
}

impl EngagementConfig {
    /// The key and the tenant.
    pub async fn identity(&self, secrets: &dyn Secrets) -> Result<Identity, PipelineError> {
        Identity::read(&self.tenant, &self.key, secrets).await
    }
}

/// Where engagement is read from and written to.
#[derive(Clone, Copy)]
pub struct Lakes<'a> {
    /// The tables that it is derived from.
    pub silver: &'a Lake,
    /// Its own.
    pub engagement: &'a Lake,
}

/// Brings engagement up to the day the trigger stands for.
pub async fn derive(
    lakes: Lakes<'_>,
    config: &EngagementConfig,
    identity: &Identity,
    exclusions: &Exclusions,
    ports: Ports<'_>,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let ports = if trigger.dry_run {
        dry_run::ports(ports, &files)
    } else {
        ports
    };
    let derivation = Derivation {
        silver: lakes.silver,
        lake: if trigger.dry_run {
            lakes.engagement.read_only()
        } else {
            lakes.engagement.clone()
        },
        stamp: Stamp {
            collected_at: ports.clock.now(),
            invocation_id: invocation.id.clone(),
        },
        config,
        identity,
        exclusions,
        ports,
        invocation,
        day: trigger.day()?,
        again: trigger.replace,
    };
    let mut outcome = derivation.run(trigger).await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Derivation<'a> {
    silver: &'a Lake,
    lake: Lake,
    stamp: Stamp,
    config: &'a EngagementConfig,
    identity: &'a Identity,
    exclusions: &'a Exclusions,
    ports: Ports<'a>,
    invocation: &'a Invocation,
    day: Date,
    /// Whether a person wants the day derived although it is done.
    again: bool,
}

/// What is known of the inputs that the ledger rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Processed {
    /// The newest day that was derived.
    day: Option<Date>,
    /// Fingerprints of days with events.
    events: BTreeMap<Date, String>,
    /// Fingerprints of usage reports that are in gold.
    usage: BTreeMap<Date, String>,
    /// Fingerprints of active-user reports.
    activity: BTreeMap<Date, String>,
}

#[derive(Default)]
struct Findings {
    counts: Counts,
    missing: Vec<String>,
    notes: Vec<String>,
}

impl Derivation<'_> {
    async fn run(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, trigger, self.ports.clock);
        let mut findings = Findings::default();
        let ending = self.offer(past_due, &mut findings).await;
        telemetry::publish(self.ports.metrics, FUNCTION, trigger, past_due, ending, &[]).await
    }

    async fn offer(&self, past_due: bool, findings: &mut Findings) -> Result<Outcome, PipelineError> {
        let files = self.ports.files;
        let watermark = watermark::read(files, FUNCTION).await?;
        let mut outcome = Outcome::of_nothing(FUNCTION, Window::of_day(self.day), watermark, past_due);
        if self.ports.clock.now() < outcome.window.from {
            return Err(PipelineError::Future(outcome.window.from));
        }
        if watermark >= Some(outcome.window.to) && !self.again {
            outcome.notes.push(format!("{} is derived already", self.day));
            return Ok(outcome);
        }
        if let Some(pause) = identity_state::pause(files).await? {
            outcome.notes.push(pause.to_string());
            return Ok(outcome);
        }
        test_data::refuse_to_mix(files).await?;
        let lacking = self.lacking(outcome.window).await?;
        if let Some(lacking) = lacking.as_ref().filter(|_| !self.again) {
            outcome.notes.push(lacking.clone());
            return Ok(outcome);
        }
        self.bring_up_to_date(findings).await?;
        findings.missing.extend(lacking);
        if findings.missing.is_empty() {
            outcome.status = Status::Complete;
            outcome.watermark = Some(watermark::advance(files, FUNCTION, outcome.window.to).await?);
            self.maintain().await;
        } else {
            outcome.status = Status::Incomplete;
        }
        outcome.counts = findings.counts;
        outcome.tell(
            std::mem::take(&mut findings.missing),
            std::mem::take(&mut findings.notes),
        );
        Ok(outcome)
    }

    /// What the day still waits for.
    async fn lacking(&self, window: Window) -> Result<Option<String>, PipelineError> {
        let files = self.ports.files;
        let record = m365_usage::read_day(files, self.day).await?;
        let collected_to = watermark::read(files, m365_usage::FUNCTION).await?;
        if record.is_none_or(|record| !record.complete) && collected_to <= Some(window.to) {
            return Ok(Some(format!(
                "{} has not collected {} completely yet",
                m365_usage::FUNCTION,
                self.day
            )));
        }
        // Who does not collect audit events has reports alone.
        let read_to = watermark::read(files, audit_events::FUNCTION).await?;
        Ok(read_to.filter(|read_to| *read_to < start_of(self.day)).map(|_| {
            format!(
                "{} has not read everything up to {} yet",
                audit_events::FUNCTION,
                self.day
            )
        }))
    }

    async fn bring_up_to_date(&self, findings: &mut Findings) -> Result<(), PipelineError> {
        let files = self.ports.files;
        self.admit().await?;
        let list = self.exclusions.read(self.ports, self.invocation.deadline).await?;
        let people = People::read(self.silver).await?;
        let excluded = Excluded::among(&people, list);
        let subjects = Subjects::new(&people, self.identity);
        let blocked = self.drop_excluded(&excluded, &subjects, findings).await?;
        let processed: Processed = state::read(files, STATE_KEY).await?.unwrap_or_default();
        let told = m365_usage::told_days(files, self.silver).await?;
        let mut inputs = Processed {
            day: processed.day.max(Some(self.day)),
            events: self.silver.fingerprints(&SILVER_AUDIT_EVENTS, "event_on").await?,
            usage: self
                .silver
                .fingerprints(&SILVER_COPILOT_USAGE, "report_refresh_on")
                .await?,
            activity: self
                .silver
                .fingerprints(&SILVER_M365_ACTIVITY, "report_refresh_on")
                .await?,
        };
        let as_of = inputs.day.unwrap_or(self.day);
        // A report that is kept out of gold says nothing yet, and what is younger than the day waits for its own.
        inputs.usage.retain(|day, _| told.contains(day));
        for of_days in [&mut inputs.events, &mut inputs.usage, &mut inputs.activity] {
            of_days.retain(|day, _| *day <= as_of);
        }
        let changed = Changed::between(&processed, &inputs, as_of);
        let mut evidence = Evidence::gather(self.silver, &people, &blocked, &changed).await?;
        let grounds = Grounds {
            changed: &changed,
            told: &told,
            as_of,
            people: &people,
            subjects: &subjects,
            blocked: &blocked,
        };
        let owed: Option<Date> = state::read(files, OWED_KEY).await?.flatten();
        let rewritten = self.update_days(&grounds, &mut evidence, findings).await?;
        if let Some(first) = owed.into_iter().chain(rewritten).min() {
            let totals = Totals {
                lake: &self.lake,
                stamp: &self.stamp,
                config: self.config,
                identity: self.identity,
                files,
                progress: self.ports.progress,
                told_from: told.first().copied(),
            };
            let figures = totals.update(first, as_of, &evidence.agent_names, findings).await?;
            self.publish(figures, findings).await?;
            state::write(files, OWED_KEY, &None::<Date>).await?;
        }
        state::write(files, STATE_KEY, &inputs).await
    }

    /// Remembers, before the ledger changes, from which day on totals are to be computed: an invocation that is ended
    /// between the two leaves a ledger that shows no trace of it.
    async fn owe_totals_from(&self, day: Date) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let owed: Option<Date> = state::read(files, OWED_KEY).await?.flatten();
        if owed.is_none_or(|owed| day < owed) {
            state::write(files, OWED_KEY, &day).await?;
        }
        Ok(())
    }

    /// Fails where the key is not the one in use. Asked before each write: it may have been changed meanwhile.
    async fn admit(&self) -> Result<(), PipelineError> {
        identity_state::admit(self.ports.files, &self.identity.key, &self.identity.tenant).await
    }

    /// Tables that are not tended grow slow and large, and no day is lost when that fails once.
    async fn maintain(&self) {
        for table in tables::ENGAGEMENT {
            if let Err(error) = self.lake.maintain(table, self.ports.clock.now()).await {
                tracing::warn!(%error, "a table could not be tended; the next day tries again");
            }
        }
    }
}

/// What changed since engagement was last derived.
struct Changed {
    /// Days with other events.
    events: BTreeSet<Date>,
    /// Days whose usage report is new or different.
    usage: BTreeSet<Date>,
    /// The newest day whose usage report is neither.
    usage_known: Option<Date>,
    /// Days of which it may have to be decided anew what they were.
    undecided: BTreeSet<Date>,
}

impl Changed {
    fn between(before: &Processed, now: &Processed, as_of: Date) -> Self {
        let differing = |before: &BTreeMap<Date, String>, now: &BTreeMap<Date, String>| -> BTreeSet<Date> {
            let days = now.iter().filter(|(day, print)| before.get(day) != Some(print));
            days.map(|(day, _)| *day).collect()
        };
        let usage = differing(&before.usage, &now.usage);
        let usage_known = now.usage.keys().rev().find(|day| !usage.contains(day)).copied();
        let mut undecided = usage.clone();
        for day in differing(&before.activity, &now.activity) {
            undecided.extend(days_until(day, DAYS_OF_AN_ACTIVITY_REPORT));
        }
        let since = before
            .day
            .map_or(UNSETTLED_DAYS, |last| UNSETTLED_DAYS + (as_of - last).get_days());
        undecided.extend(days_until(as_of, since));
        Self {
            events: differing(&before.events, &now.events),
            usage,
            usage_known,
            undecided,
        }
    }
}

/// So many days that end with `last`.
fn days_until(last: Date, count: i32) -> impl Iterator<Item = Date> {
    let first = last.saturating_sub((count - 1).days());
    first.series(1.day()).take_while(move |day| *day <= last)
}
