//! People of whom no use is to be recorded: nothing of theirs comes in, what is there goes, and a list that cannot be read
//! stops everything that would need it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uptake_cli::folder::{Folder, NoParameters};
use uptake_domain::calendar::Window;
use uptake_domain::tables::{
    GOLD_AUDIT_EVENTS, GOLD_AUDIT_SUMMARY, GOLD_COPILOT_USAGE, GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY,
    GOLD_ENGAGEMENT_TOTALS, GOLD_LICENSE_SUMMARY, GOLD_USAGE_SCORES, SILVER_AUDIT_EVENTS, SILVER_COPILOT_USAGE,
    SILVER_M365_ACTIVITY, SILVER_USERS, Table,
};
use uptake_lake::{Filter, LakeError};
use uptake_pipeline::engagement::Lakes;
use uptake_pipeline::erase::{EraseError, Erased, Kept, erase};
use uptake_pipeline::exclusions::refresh;
use uptake_pipeline::outcome::Status;
use uptake_pipeline::ports::{Expected, File, Files, PortError, Ports, SystemClock, Written};
use uptake_simulator::{EXCLUSION_LIST_ID, EXCLUSION_SITE_ID, TenantUser};

use crate::audit::at;
use crate::engagement::LedgerRow;
use crate::enterprise::Standing;
use crate::tenant::{FIRST_DAY, Tenant, evening, identity_key};

#[derive(Debug, Deserialize)]
struct Named {
    upn: String,
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Summary {
    user_id: String,
    license_status: String,
    score: Option<i64>,
}

#[derive(Deserialize)]
struct Who {
    subject: String,
}

/// The tables with rows about somebody's use.
static OF_USE: [&Table; 7] = [
    &SILVER_COPILOT_USAGE,
    &SILVER_M365_ACTIVITY,
    &SILVER_AUDIT_EVENTS,
    &GOLD_COPILOT_USAGE,
    &GOLD_USAGE_SCORES,
    &GOLD_AUDIT_EVENTS,
    &GOLD_AUDIT_SUMMARY,
];

async fn run_day(tenant: &Tenant, day: Date) {
    tenant.offer_audit(at(day, 20)).await.unwrap();
    tenant.simulator.set_today(day);
    let usage = tenant.offer_usage(day).await.unwrap();
    assert_eq!(usage.status, Status::Complete, "{usage:?}");
    let derived = tenant.offer_engagement(day).await.unwrap();
    assert_eq!(derived.status, Status::Complete, "{derived:?}");
    tenant.offer_scoring(day).await.unwrap();
}

/// Somebody who uses Copilot all the time.
fn keen(tenant: &Tenant) -> TenantUser {
    let users = tenant.simulator.tenant(FIRST_DAY).users;
    let events = tenant.simulator.audit_events(at(FIRST_DAY, 20));
    let count = |user: &TenantUser| events.iter().filter(|event| event.user_id == user.id).count();
    users
        .into_iter()
        .filter(|user| !user.skus.is_empty())
        .max_by_key(count)
        .unwrap()
}

async fn exclude(tenant: &Tenant, names: &[&str]) {
    let list = serde_json::json!(names).to_string();
    tenant
        .folder
        .write("config/exclusions.json", list.into())
        .await
        .unwrap();
}

/// How many rows of use are about somebody, by table.
async fn rows_of(tenant: &Tenant, user: &TenantUser) -> Vec<(&'static str, usize)> {
    let mut counts = Vec::new();
    for table in OF_USE {
        let rows: Vec<Named> = tenant
            .lake()
            .read(table, &["upn", "user_id"], &Filter::All)
            .await
            .unwrap();
        let is_own = |row: &&Named| row.upn == user.upn.to_lowercase() || row.user_id.as_ref() == Some(&user.id);
        counts.push((table.name, rows.iter().filter(is_own).count()));
    }
    counts
}

async fn subject(tenant: &Tenant, user: &TenantUser) -> String {
    let identity = tenant.identity().await;
    identity.key.subject(&identity.tenant, &user.upn)
}

async fn engagement_rows(tenant: &Tenant, subject: &str) -> usize {
    let mut count = 0;
    for table in [
        &GOLD_ENGAGEMENT_DAILY,
        &GOLD_ENGAGEMENT_TOTALS,
        &GOLD_ENGAGEMENT_CLOSINGS,
    ] {
        let rows: Vec<Who> = tenant
            .engagement_lake()
            .read(table, &["subject"], &Filter::All)
            .await
            .unwrap();
        count += rows.iter().filter(|row| row.subject == subject).count();
    }
    count
}

/// Files below a folder that hold a text, compressed answers opened; what tables hold is asked of the tables.
fn files_naming(folder: &Path, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let bytes = if path.extension().is_some_and(|ending| ending == "zst") {
                zstd::decode_all(&bytes[..]).unwrap()
            } else {
                bytes
            };
            if String::from_utf8_lossy(&bytes)
                .to_lowercase()
                .contains(&text.to_lowercase())
            {
                found.insert(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_excluded_person_is_recorded_but_the_account_and_its_licence() {
    let tenant = Tenant::calm(40).await;
    let person = keen(&tenant);
    exclude(&tenant, &[&person.upn.to_uppercase()]).await;
    for day in tenant.days(4).collect::<Vec<_>>() {
        run_day(&tenant, day).await;
    }
    let counts = rows_of(&tenant, &person).await;
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");
    assert_eq!(engagement_rows(&tenant, &subject(&tenant, &person).await).await, 0);
    let users: Vec<Named> = tenant
        .lake()
        .read(&SILVER_USERS, &["upn", "user_id"], &Filter::All)
        .await
        .unwrap();
    assert!(
        users.iter().any(|user| user.user_id.as_ref() == Some(&person.id)),
        "the directory stays whole"
    );
    for kept in [
        "bronze/audit_events",
        "bronze/m365_copilot_usage_d7",
        "bronze/m365_active_users_day",
    ] {
        let named = files_naming(&tenant.folder.path(kept), &person.upn);
        assert!(named.is_empty(), "{named:?}");
    }
    // Somebody else is there, so that the test would notice if nobody were.
    let others = tenant.read_engagement::<LedgerRow>(&GOLD_ENGAGEMENT_DAILY).await;
    assert!(others.len() > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_excluded_later_loses_engagement_at_once_and_the_rest_when_erased() {
    let tenant = Tenant::calm(40).await;
    let person = keen(&tenant);
    let subject = subject(&tenant, &person).await;
    let days: Vec<Date> = tenant.days(8).collect();
    for day in &days[..4] {
        tenant.simulator.set_today(*day);
        run_day(&tenant, *day).await;
    }
    let before = engagement_rows(&tenant, &subject).await;
    assert!(before > 4, "{before}");
    let not_yet = tenant.erase(&person.upn).await.unwrap_err();
    assert!(matches!(not_yet, EraseError::NotExcluded), "{not_yet}");

    exclude(&tenant, &[&person.upn]).await;
    tenant.simulator.set_today(days[4]);
    run_day(&tenant, days[4]).await;
    assert_eq!(engagement_rows(&tenant, &subject).await, 0);
    let counts = rows_of(&tenant, &person).await;
    assert!(
        counts.iter().all(|(_, rows)| *rows > 0),
        "what was recorded before stays until it is erased: {counts:?}"
    );

    let erased = tenant.erase(&person.upn).await.unwrap();
    assert_eq!(erased.accounts, 1);
    assert!(erased.files > 0, "{erased:?}");
    let counts = rows_of(&tenant, &person).await;
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");
    let columns = ["user_id", "license_status", "score"];
    let summaries: Vec<Summary> = tenant
        .lake()
        .read(&GOLD_LICENSE_SUMMARY, &columns, &Filter::All)
        .await
        .unwrap();
    let own = summaries.iter().find(|row| row.user_id == person.id).unwrap();
    assert_eq!(
        (own.license_status.as_str(), own.score),
        ("assigned", None),
        "the licence stays"
    );
    for kept in [
        "bronze/audit_events",
        "bronze/m365_copilot_usage_d7",
        "bronze/m365_active_users_day",
        "reports",
    ] {
        let named = files_naming(&tenant.folder.path(kept), &person.upn);
        assert!(named.is_empty(), "{named:?}");
    }
    assert_eq!(
        tenant.erase(&person.upn).await.unwrap().files,
        0,
        "nothing is left to erase"
    );

    // Off the list again, the person begins anew; the first working day after a weekend.
    exclude(&tenant, &[]).await;
    for day in &days[5..] {
        tenant.simulator.set_today(*day);
        run_day(&tenant, *day).await;
    }
    let mut rows: Vec<LedgerRow> = tenant.read_engagement(&GOLD_ENGAGEMENT_DAILY).await;
    rows.retain(|row| row.subject == subject);
    assert!(!rows.is_empty(), "who is off the list is recorded");
    assert!(rows.iter().all(|row| row.day > days[4]), "{rows:?}");
}

/// Somebody who uses Copilot nearly as much.
fn keen_too(tenant: &Tenant, first: &TenantUser) -> TenantUser {
    let users = tenant.simulator.tenant(FIRST_DAY).users;
    let events = tenant.simulator.audit_events(at(FIRST_DAY, 20));
    let count = |user: &TenantUser| events.iter().filter(|event| event.user_id == user.id).count();
    let others = users
        .into_iter()
        .filter(|user| user.id != first.id && !user.skus.is_empty());
    others.max_by_key(count).unwrap()
}

#[derive(Deserialize, Serialize)]
struct Renamed {
    user_id: String,
    former_upns: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_the_former_name_of_somebody_excluded_now_loses_nothing() {
    let tenant = Tenant::calm(40).await;
    let person = keen(&tenant);
    let other = keen_too(&tenant, &person);
    let days: Vec<Date> = tenant.days(3).collect();
    for day in &days[..2] {
        tenant.simulator.set_today(*day);
        run_day(&tenant, *day).await;
    }
    let before = rows_of(&tenant, &other).await;
    // The person had another name once, and somebody else has it now.
    let rename = |users: Vec<Renamed>| -> Result<Vec<Option<Renamed>>, LakeError> {
        let renamed = users.into_iter().map(|mut user| {
            if user.user_id == person.id {
                user.former_upns.push(other.upn.to_lowercase());
            }
            Some(user)
        });
        Ok(renamed.collect())
    };
    let lake = tenant.lake();
    // `user_id` is the key, so it may not change.
    let renamed = lake.rewrite(&SILVER_USERS, &["user_id", "former_upns"], &Filter::All, rename);
    assert_eq!(renamed.await.unwrap().changed, 1);
    exclude(&tenant, &[&person.upn]).await;
    tenant.simulator.set_today(days[2]);
    run_day(&tenant, days[2]).await;
    let counts = rows_of(&tenant, &other).await;
    assert!(
        before.iter().zip(&counts).all(|(before, after)| before.1 < after.1),
        "what comes in of somebody else is kept: {before:?} {counts:?}"
    );
    let of_other = subject(&tenant, &other).await;
    let ledger = engagement_rows(&tenant, &of_other).await;
    assert!(ledger > 0);
    let files = || files_naming(&tenant.folder.path("bronze"), &other.upn);
    let kept = files();

    let erased = tenant.erase(&person.upn).await.unwrap();
    assert_eq!(erased.accounts, 1, "{erased:?}");
    assert_eq!(rows_of(&tenant, &other).await, counts);
    assert_eq!(engagement_rows(&tenant, &of_other).await, ledger);
    assert_eq!(files(), kept);
    let counts = rows_of(&tenant, &person).await;
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");
    // By that name, whoever has it now is meant, who is not on the list.
    let not_excluded = tenant.erase(&other.upn).await.unwrap_err();
    assert!(matches!(not_excluded, EraseError::NotExcluded), "{not_excluded}");
}

/// A folder in which a change of keys begins after so many looks at which key is in use.
struct ChangedAfter<'a> {
    folder: &'a Folder,
    looks: AtomicUsize,
}

#[async_trait]
impl Files for ChangedAfter<'_> {
    async fn read(&self, key: &str) -> Result<Option<File>, PortError> {
        let file = self.folder.read(key).await?;
        if key != "state/identity.json" {
            return Ok(file);
        }
        let is_over = |looks: usize| looks.checked_sub(1);
        if self.looks.fetch_update(Relaxed, Relaxed, is_over).is_ok() {
            return Ok(file);
        }
        Ok(file.map(|file| {
            let mut state: Value = serde_json::from_slice(&file.bytes).unwrap();
            state["rotation"] = json!({
                "to": {"key_id": "second", "check": "x"}, "begun_at": at(FIRST_DAY, 20), "before": {}, "is_prepared": false,
            });
            File {
                bytes: state.to_string().into(),
                ..file
            }
        }))
    }

    async fn write(&self, key: &str, bytes: Bytes) -> Result<(), PortError> {
        self.folder.write(key, bytes).await
    }

    async fn write_if(&self, key: &str, bytes: Bytes, expected: Expected) -> Result<Written, PortError> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_asks_for_the_key_before_anything_is_deleted_and_again_afterwards() {
    let mut tenant = Tenant::calm(40).await;
    let person = keen(&tenant);
    tenant.simulator.set_today(FIRST_DAY);
    run_day(&tenant, FIRST_DAY).await;
    exclude(&tenant, &[&person.upn]).await;
    let before = rows_of(&tenant, &person).await;
    assert!(before.iter().all(|(_, rows)| *rows > 0), "{before:?}");

    tenant.set("UPTAKE_IDENTITY_KEY", &identity_key("second"));
    let refused = tenant.erase(&person.upn).await.unwrap_err();
    assert!(refused.to_string().contains("another tenant"), "{refused}");
    assert_eq!(rows_of(&tenant, &person).await, before);

    // The key is looked at twice each time it is asked for.
    tenant.set("UPTAKE_IDENTITY_KEY", &identity_key("first"));
    let files = ChangedAfter {
        folder: &tenant.folder,
        looks: AtomicUsize::new(4),
    };
    let interrupted = tenant.erase_in(&files, &person.upn).await.unwrap_err();
    assert!(
        interrupted.to_string().contains("engagement is paused"),
        "{interrupted}"
    );
    let counts = rows_of(&tenant, &person).await;
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");
    assert_eq!(
        tenant.erase(&person.upn).await.unwrap().accounts,
        1,
        "the same command goes on"
    );
}

#[derive(Deserialize, Serialize)]
struct EventOf {
    upn: String,
    user_id: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_excluded_and_not_in_the_directory_loses_engagement_too() {
    let tenant = Tenant::calm(40).await;
    let (first, second) = ("guest@elsewhere.example", "another@elsewhere.example");
    let days: Vec<Date> = tenant.days(3).collect();
    tenant.simulator.set_today(days[0]);
    tenant.offer_usage(days[0]).await.unwrap();
    tenant.offer_audit(at(days[0], 20)).await.unwrap();
    let keen = keen(&tenant);
    let keen_too = keen_too(&tenant, &keen);
    let estrange = |events: Vec<EventOf>| -> Result<Vec<Option<EventOf>>, LakeError> {
        let estranged = events.into_iter().map(|event| {
            let name = match event.user_id.as_deref() {
                Some(id) if id == keen.id => first,
                Some(id) if id == keen_too.id => second,
                _ => return Some(event),
            };
            Some(EventOf {
                upn: name.to_owned(),
                user_id: None,
            })
        });
        Ok(estranged.collect())
    };
    let lake = tenant.lake();
    let estranged = lake.rewrite(&SILVER_AUDIT_EVENTS, &["upn", "user_id"], &Filter::All, estrange);
    assert!(estranged.await.unwrap().changed > 1);
    tenant.offer_engagement(days[0]).await.unwrap();
    let identity = tenant.identity().await;
    let subject = |name: &str| identity.key.subject(&identity.tenant, name);
    for name in [first, second] {
        assert!(engagement_rows(&tenant, &subject(name)).await > 0, "{name}");
    }
    for (day, excluded, left) in [(days[1], vec![first], 1), (days[2], vec![first, second], 0)] {
        exclude(&tenant, &excluded).await;
        tenant.simulator.set_today(day);
        run_day(&tenant, day).await;
        assert_eq!(engagement_rows(&tenant, &subject(first)).await, 0, "{day}");
        let of_second = engagement_rows(&tenant, &subject(second)).await;
        assert_eq!(usize::from(of_second > 0), left, "{day}");
    }
    let users: Vec<Named> = tenant.read(&SILVER_USERS).await;
    let identity = tenant.identity().await;
    let of_keen = identity.key.subject(&identity.tenant, &keen.upn);
    assert!(
        users.len() > 20 && engagement_rows(&tenant, &of_keen).await > 0,
        "nobody else does"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_sharepoint_is_read_whole_and_believed_for_half_an_hour() {
    let mut tenant = Tenant::calm(40).await;
    tenant.set("UPTAKE_EXCLUSION_SITE_ID", EXCLUSION_SITE_ID);
    tenant.set("UPTAKE_EXCLUSION_LIST_ID", EXCLUSION_LIST_ID);
    tenant.set("UPTAKE_EXCLUSION_FIELD", "Email");
    let person = keen(&tenant);
    // More than one page of it.
    let mut names: Vec<String> = (0..1_200)
        .map(|number| format!("nobody{number}@tenant.example"))
        .collect();
    names.push(format!(" {}\u{a0}", person.upn.to_uppercase()));
    tenant.simulator.set_excluded(names);
    tenant.simulator.set_today(FIRST_DAY);
    tenant.offer_usage(FIRST_DAY).await.unwrap();
    tenant.offer_audit(at(FIRST_DAY, 20)).await.unwrap();
    let counts = rows_of(&tenant, &person).await;
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");

    let asked = |tenant: &Tenant| tenant.simulator.requests().of("/v1.0/sites/{site}/lists/{list}/items");
    let before = asked(&tenant);
    tenant
        .offer_audit(at(FIRST_DAY, 20) + SignedDuration::from_mins(20))
        .await
        .unwrap();
    assert_eq!(asked(&tenant), before, "believed for a while");
    refresh(&tenant.folder).await.unwrap();
    tenant
        .offer_audit(at(FIRST_DAY, 20) + SignedDuration::from_mins(25))
        .await
        .unwrap();
    assert!(asked(&tenant) > before, "forgotten on demand");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_cannot_be_read_stops_whoever_needs_it() {
    let mut tenant = Tenant::calm(40).await;
    tenant.simulator.set_today(FIRST_DAY);
    tenant.offer_usage(FIRST_DAY).await.unwrap();
    let next = FIRST_DAY.saturating_add(1.day());
    for (list, told) in [
        ("{", "must be a JSON list"),
        ("[\"no name\"]", "entry 1 is no user principal name"),
    ] {
        tenant
            .folder
            .write("config/exclusions.json", list.into())
            .await
            .unwrap();
        let error = tenant.offer_audit(at(FIRST_DAY, 20)).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.is_configuration());
        let error = tenant.offer_usage(next).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
    assert!(
        tenant.read::<Named>(&SILVER_AUDIT_EVENTS).await.is_empty(),
        "nothing of anybody was taken in"
    );
    tenant.set("UPTAKE_EXCLUSIONS", "config/elsewhere.json");
    let error = tenant.offer_audit(at(FIRST_DAY, 20)).await.unwrap_err();
    assert!(error.to_string().contains("config/elsewhere.json"), "{error}");
    tenant.set("UPTAKE_EXCLUSIONS", "");
    tenant.set("UPTAKE_EXCLUSION_SITE_ID", EXCLUSION_SITE_ID);
    tenant.set("UPTAKE_EXCLUSION_LIST_ID", "another-list");
    tenant.set("UPTAKE_EXCLUSION_FIELD", "Email");
    let error = tenant.offer_audit(at(FIRST_DAY, 20)).await.unwrap_err();
    assert!(error.to_string().contains("UPTAKE_EXCLUSION_LIST_ID"), "{error}");
    assert!(tenant.read::<Named>(&SILVER_AUDIT_EVENTS).await.is_empty());
}

/// Whoever keeps the list by mail addresses, as a SharePoint column of persons does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_long_as_no_directory_tells_who_is_meant_no_event_is_read() {
    let tenant = Tenant::calm(40).await;
    tenant.simulator.set_today(FIRST_DAY);
    exclude(&tenant, &["somebodys.mail@tenant.example"]).await;
    let window = Window::of_day(FIRST_DAY.saturating_sub(1.day()));
    let outcome = tenant.offer_audit(at(FIRST_DAY, 20)).await.unwrap();
    let searched = tenant
        .backfill_audit(window, at(FIRST_DAY, 20), Duration::from_secs(5))
        .await
        .unwrap();
    for outcome in [outcome, searched] {
        assert_eq!(
            (outcome.status, outcome.watermark),
            (Status::Incomplete, None),
            "{outcome:?}"
        );
        assert_eq!(outcome.counts.fetched, 0);
        assert!(outcome.stopped_early.unwrap().contains("collect m365-usage first"));
    }
    assert!(tenant.folder.list("bronze/").await.unwrap().is_empty());
    assert!(tenant.read::<Named>(&SILVER_AUDIT_EVENTS).await.is_empty());

    tenant.offer_usage(FIRST_DAY).await.unwrap();
    let outcome = tenant.offer_audit(at(FIRST_DAY, 21)).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(!tenant.read::<Named>(&SILVER_AUDIT_EVENTS).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_wait_for_the_first_reading_of_the_directory_where_somebody_is_excluded() {
    let fault = "[[fault]]\nroute = \"/v1.0/users\"\non = [1]\nkind = \"forbidden\"";
    let tenant = Tenant::with(40, 7, fault).await;
    tenant.simulator.set_today(FIRST_DAY);
    exclude(&tenant, &["somebodys.mail@tenant.example"]).await;
    tenant.offer_usage(FIRST_DAY).await.unwrap_err();
    let kept = tenant.folder.list("bronze/m365_copilot").await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
    let outcome = tenant.offer_usage(FIRST_DAY).await.unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    assert!(!tenant.folder.list("bronze/m365_copilot").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_sharepoint_that_was_set_right_is_believed_at_once() {
    let mut tenant = Tenant::calm(40).await;
    tenant.set("UPTAKE_EXCLUSION_SITE_ID", EXCLUSION_SITE_ID);
    tenant.set("UPTAKE_EXCLUSION_LIST_ID", EXCLUSION_LIST_ID);
    tenant.set("UPTAKE_EXCLUSION_FIELD", "Email");
    tenant.simulator.set_today(FIRST_DAY);
    tenant.simulator.set_excluded(vec!["no name".to_owned()]);
    let error = tenant.offer_usage(FIRST_DAY).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
    assert!(tenant.folder.read("state/exclusions.json").await.unwrap().is_none());
    tenant
        .simulator
        .set_excluded(vec!["somebody@tenant.example".to_owned()]);
    tenant.offer_usage(FIRST_DAY).await.unwrap();
}

impl Tenant {
    async fn erase(&self, name: &str) -> Result<Erased, EraseError> {
        self.erase_in(&self.folder, name).await
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method's path is tied to one lifetime"
    )]
    async fn erase_in(&self, files: &dyn Files, name: &str) -> Result<Erased, EraseError> {
        let config = self.config(|environment| environment.exclusions());
        let exclusions = config.connect(&NoParameters, Arc::new(SystemClock)).await.unwrap();
        let (silver, own) = (self.lake(), self.engagement_lake());
        let lakes = Lakes {
            silver: &silver,
            engagement: &own,
        };
        let identity = self.identity().await;
        let clock = Standing(evening(FIRST_DAY));
        let ports = Ports {
            files,
            ..self.ports(&clock)
        };
        let kept = Kept {
            store: &self.folder,
            engagement: &self.folder,
        };
        erase(lakes, kept, &exclusions, Some(&identity), ports, name).await
    }
}
