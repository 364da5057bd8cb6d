//! Erasing a person: what is recorded of their use goes, in every table, list and answer that was kept. The account and
//! its licences stay.

use bytes::Bytes;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uptake_domain::exclusions::ExclusionList;
use uptake_domain::licenses_csv;
use uptake_domain::tables::{
    GOLD_AUDIT_EVENTS, GOLD_AUDIT_SUMMARY, GOLD_COPILOT_USAGE, GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES,
    SILVER_AUDIT_EVENTS, SILVER_COPILOT_USAGE, SILVER_M365_ACTIVITY, SILVER_REJECTED, Table,
};
use uptake_lake::{Filter, Lake};
use uptake_upstream::clock::Deadline;
use uptake_upstream::microsoft::audit_records::mentions;

use crate::audit_events;
use crate::bronze::{self, Form};
use crate::engagement::exclusion::{WITH_SUBJECTS, of_names, remove};
use crate::engagement::subjects::Subjects;
use crate::engagement::{Identity, Lakes};
use crate::exclusions::{Excluded, Exclusions};
use crate::identity_state;
use crate::m365_usage::{REPORT_SOURCES, without_excluded};
use crate::outcome::PipelineError;
use crate::people::People;
use crate::ports::{Files, Ports, Versions};

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Rows, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Kept answers and lists that are shorter now.
    pub files: u64,
    /// Accounts that are meant by the name.
    pub accounts: u64,
}

/// What the stores keep of objects as they were: a bucket may keep versions.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Of everything but the engagement tables.
    pub store: &'a dyn Versions,
    /// Of the engagement tables.
    pub engagement: &'a dyn Versions,
}

/// Why a person cannot be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The next collection would bring everything back.
    #[error(
        "whoever is meant by this name is not excluded; put it on the list of excluded people first, or the next collection brings everything back"
    )]
    NotExcluded,
    /// Something could not be read or written; what was erased stays erased, and the same command goes on.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// Tables whose rows are about somebody's use.
static OF_USE: [&Table; 7] = [
    &GOLD_AUDIT_EVENTS,
    &GOLD_AUDIT_SUMMARY,
    &GOLD_COPILOT_USAGE,
    &GOLD_USAGE_SCORES,
    &SILVER_AUDIT_EVENTS,
    &SILVER_COPILOT_USAGE,
    &SILVER_M365_ACTIVITY,
];

/// What kept answers hold.
#[derive(Clone, Copy)]
enum Kind {
    /// Audit records, one a line.
    Records,
    /// A report, as CSV or JSON.
    Report,
}

/// Where lists of people lie that tell of their use.
const REPORTS: &str = "reports/";

#[derive(Serialize, Deserialize)]
struct Who {
    upn: String,
    user_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Rejected {
    record: String,
}

/// The use in a person's row of the licence summary.
#[derive(Serialize, Deserialize)]
struct Scored {
    user_id: String,
    score: Option<i64>,
    underutilized: Option<bool>,
    last_activity_on: Option<Date>,
}

/// Erases what is recorded of the use of whoever has a name, or had it where nobody has it now. Without the identity, the engagement tables are left
/// to `engagement`, which deletes the rows of excluded people on its next run.
pub async fn erase(
    lakes: Lakes<'_>,
    kept: Kept<'_>,
    exclusions: &Exclusions,
    identity: Option<&Identity>,
    ports: Ports<'_>,
    name: &str,
) -> Result<Erased, EraseError> {
    let list = exclusions.read(ports, Deadline::NONE).await?;
    let people = People::read(lakes.silver).await.map_err(PipelineError::from)?;
    let name = ExclusionList::of([name.to_owned()]).map_err(|fault| PipelineError::Exclusions {
        place: "the name to erase".to_owned(),
        fault,
    })?;
    let all_excluded = Excluded::among(&people, list);
    let person = Excluded::called(&people, &name, Date::MAX);
    let mut accounts = person.user_ids().peekable();
    let is_excluded = if accounts.peek().is_some() {
        accounts.all(|user_id| all_excluded.has_user(user_id))
    } else {
        name.names().all(|name| all_excluded.has_name(name))
    };
    if !is_excluded {
        return Err(EraseError::NotExcluded);
    }
    if let Some(identity) = identity {
        // Under another key, or while it is being changed, nobody's rows would be found: asked before anything is deleted.
        identity_state::recognise(ports.files, &identity.key, &identity.tenant).await?;
    }
    let mut erased = Erased {
        accounts: person.user_ids().count() as u64,
        ..Erased::default()
    };
    for table in OF_USE {
        let rows = erase_rows(lakes.silver, table, &person).await?;
        erased.rows.push((table.name, rows));
    }
    erased
        .rows
        .push((SILVER_REJECTED.name, erase_rejected(lakes.silver, &person).await?));
    erased
        .rows
        .push((GOLD_LICENSE_SUMMARY.name, erase_score(lakes.silver, &person).await?));
    if let Some(identity) = identity {
        let subjects = Subjects::new(&people, identity);
        let mut own = of_names(&person, &subjects);
        own.extend(
            person
                .user_ids()
                .filter_map(|user_id| subjects.of_user(user_id))
                .map(str::to_owned),
        );
        identity_state::recognise(ports.files, &identity.key, &identity.tenant).await?;
        let rows = remove(lakes.engagement, &own).await?;
        // A change of keys that began meanwhile has given this person another subject: then it is not gone yet.
        identity_state::recognise(ports.files, &identity.key, &identity.tenant).await?;
        erased.rows.push(("engagement", rows));
        for table in WITH_SUBJECTS {
            lakes.engagement.purge(table).await.map_err(PipelineError::from)?;
            forget(kept.engagement, &format!("{}/", table.name)).await?;
        }
    }
    // What a table held before is not to be had any more either.
    for table in OF_USE.into_iter().chain([&SILVER_REJECTED, &GOLD_LICENSE_SUMMARY]) {
        lakes.silver.purge(table).await.map_err(PipelineError::from)?;
        forget(kept.store, &format!("lake/{}/", table.name)).await?;
    }
    erased.files = erase_files(ports, &people, &name).await?;
    for source in sources() {
        forget(kept.store, &format!("bronze/{source}/")).await?;
    }
    forget(kept.store, &format!("{REPORTS}{}", licenses_csv::NAME)).await?;
    Ok(erased)
}

/// Takes away what objects were before. All of a prefix at once: which of them held the person, an erasure that was
/// broken off has forgotten.
async fn forget(versions: &dyn Versions, prefix: &str) -> Result<(), PipelineError> {
    let forgotten = versions.forget(prefix).await?;
    tracing::debug!(prefix, forgotten, "earlier versions taken away");
    Ok(())
}

/// What answers were kept of.
fn sources() -> impl Iterator<Item = &'static str> {
    REPORT_SOURCES.into_iter().chain([audit_events::SOURCE])
}

async fn erase_rows(lake: &Lake, table: &'static Table, person: &Excluded) -> Result<u64, PipelineError> {
    let others = |rows: Vec<Who>| -> Result<Vec<Option<Who>>, PipelineError> {
        // The name of a row that says whose it is may have become somebody else's.
        let is_own = |who: &Who| match &who.user_id {
            Some(user_id) => person.has_user(user_id),
            None => person.has_name(&who.upn),
        };
        Ok(rows.into_iter().map(|who| (!is_own(&who)).then_some(who)).collect())
    };
    Ok(lake
        .rewrite(table, &["upn", "user_id"], &Filter::All, others)
        .await?
        .removed)
}

async fn erase_rejected(lake: &Lake, person: &Excluded) -> Result<u64, PipelineError> {
    let others = |rows: Vec<Rejected>| -> Result<Vec<Option<Rejected>>, PipelineError> {
        let is_own = |row: &Rejected| person.is_named_in(row.record.as_bytes());
        Ok(rows.into_iter().map(|row| (!is_own(&row)).then_some(row)).collect())
    };
    Ok(lake
        .rewrite(&SILVER_REJECTED, &["record"], &Filter::All, others)
        .await?
        .removed)
}

async fn erase_score(lake: &Lake, person: &Excluded) -> Result<u64, PipelineError> {
    let columns = ["user_id", "score", "underutilized", "last_activity_on"];
    let unscored = |rows: Vec<Scored>| -> Result<Vec<Option<Scored>>, PipelineError> {
        Ok(rows
            .into_iter()
            .map(|row| {
                Some(if person.has_user(&row.user_id) {
                    Scored {
                        score: None,
                        underutilized: None,
                        last_activity_on: None,
                        ..row
                    }
                } else {
                    row
                })
            })
            .collect())
    };
    Ok(lake
        .rewrite(&GOLD_LICENSE_SUMMARY, &columns, &Filter::All, unscored)
        .await?
        .changed)
}

/// A person by the names that meant them on the day of what is looked through.
struct OnDay<'p> {
    people: &'p People,
    name: &'p ExclusionList,
    /// That of the last one: keys are sorted by day.
    last: (Date, Excluded),
}

impl<'p> OnDay<'p> {
    fn new(people: &'p People, name: &'p ExclusionList) -> Self {
        let last = (Date::MAX, Excluded::called(people, name, Date::MAX));
        Self { people, name, last }
    }

    /// What lies under a key without a day is taken to be of today.
    fn of(&mut self, key: &str) -> &Excluded {
        let day = key.split('/').find_map(|part| part.parse().ok());
        let day = day
            .or_else(|| licenses_csv::day_of(key.strip_prefix(REPORTS)?))
            .unwrap_or(Date::MAX);
        if self.last.0 != day {
            self.last = (day, Excluded::called(self.people, self.name, day));
        }
        &self.last.1
    }
}

/// Takes a person out of kept answers and lists; tells how many are shorter now.
async fn erase_files(ports: Ports<'_>, people: &People, name: &ExclusionList) -> Result<u64, PipelineError> {
    let files = ports.files;
    let mut person = OnDay::new(people, name);
    let mut shorter = 0;
    let reports = REPORT_SOURCES.map(|source| (source, Kind::Report));
    for (source, kind) in reports.into_iter().chain([(audit_events::SOURCE, Kind::Records)]) {
        let keys = files.list(&format!("bronze/{source}/")).await?;
        let all = keys.len() as u64;
        for (done, key) in (1..).zip(keys) {
            shorter += u64::from(erase_answer(files, &key, kind, person.of(&key)).await?);
            ports.progress.show("kept answers looked through", done, Some(all));
        }
    }
    for key in files.list(&format!("{REPORTS}{}", licenses_csv::NAME)).await? {
        let Some(file) = files.read(&key).await? else { continue };
        let person = person.of(&key);
        let text = String::from_utf8_lossy(&file.bytes);
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| !person.is_named_in(line.as_bytes()))
            .collect();
        if kept.len() < text.len() {
            files.write(&key, kept.into()).await?;
            shorter += 1;
        }
    }
    Ok(shorter)
}

async fn erase_answer(files: &dyn Files, key: &str, kind: Kind, person: &Excluded) -> Result<bool, PipelineError> {
    let Some(file) = files.read(key).await? else {
        return Ok(false);
    };
    let body = Bytes::from(bronze::decompress(key, &file.bytes)?);
    let kept = match kind {
        Kind::Records => without_records(&body, person),
        Kind::Report if key.ends_with(".csv.zst") => without_excluded(&body, Form::Csv, person),
        Kind::Report => without_excluded(&body, Form::Json, person),
    };
    if kept == body {
        return Ok(false);
    }
    files.write(key, bronze::compressed(key, &kept)?).await?;
    Ok(true)
}

/// The lines of audit records without a person's.
fn without_records(body: &[u8], person: &Excluded) -> Bytes {
    let is_meant = |text: &str| person.has_name(text) || person.has_user(text);
    let is_own = |line: &[u8]| {
        let record = serde_json::from_slice::<&RawValue>(line);
        record.map_or_else(|_| person.is_named_in(line), |record| mentions(record, &is_meant))
    };
    body.split_inclusive(|sign| *sign == b'\n')
        .filter(|line| !is_own(line))
        .flatten()
        .copied()
        .collect()
}
