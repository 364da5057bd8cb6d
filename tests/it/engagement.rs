//! Engagement over a simulated quarter: ledger, streaks, points and totals must follow from what was served, whatever the
//! order, the delays and the interruptions it came with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, ToSpan};
use serde::Deserialize;
use uptake_domain::calendar::week_of;
use uptake_domain::copilot_usage::App;
use uptake_domain::tables::{
    GOLD_AGENT_TOTALS, GOLD_COPILOT_USAGE, GOLD_ENGAGEMENT_CLOSINGS, GOLD_ENGAGEMENT_DAILY, GOLD_ENGAGEMENT_TOTALS,
    SILVER_M365_ACTIVITY, Table,
};
use uptake_lake::Filter;
use uptake_pipeline::outcome::Status;
use uptake_pipeline::ports::Progress;

use crate::audit::{Event, FEED_FAULTS, at, check_events};
use crate::licenses::{Notebook, rows_of_everybody, served_reports};
use crate::tenant::{FIRST_DAY, Tenant, replacing};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct LedgerRow {
    pub(crate) subject: String,
    pub(crate) day: Date,
    pub(crate) app: String,
    pub(crate) agent_id: String,
    pub(crate) interactions: u64,
    pub(crate) state: String,
    pub(crate) key_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct TotalRow {
    subject: String,
    app: String,
    timeframe: String,
    start_on: Date,
    active_days: u64,
    current_streak: u64,
    best_streak: u64,
    interactions: u64,
    points: u64,
    rubric_version: i64,
    last_active_on: Option<Date>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct AgentRow {
    agent_id: String,
    timeframe: String,
    start_on: Date,
    interactions: u64,
    subjects: u64,
}

/// An active-user report that was taken in: up to which day, and of what kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct ReportTaken {
    report_refresh_on: Date,
    report_kind: String,
}

/// What such a report said when it was served: when everybody was last seen, in whatever workload, by id.
struct ReportServed {
    refresh_on: Date,
    is_of_the_day: bool,
    seen: BTreeMap<String, BTreeSet<Date>>,
}

impl Tenant {
    pub(crate) async fn read_engagement<R: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        table: &'static Table,
    ) -> Vec<R> {
        self.engagement_lake().read(table, &[], &Filter::All).await.unwrap()
    }
}

/// What everybody did, told from what was served and without the product's rules.
struct Account {
    /// By day and subject: interactions by app and agent, or 0 where only a report tells.
    used: BTreeMap<(Date, String), BTreeMap<(String, String), u64>>,
    /// Days on which a report tells of use, in whatever app.
    active: BTreeSet<(Date, String)>,
    /// By day and subject: what the day was.
    states: BTreeMap<(Date, String), &'static str>,
    /// The first day that a usage report told of.
    told_from: Date,
}

/// First names of everybody, and whose they are.
async fn subjects(tenant: &Tenant, notebook: &Notebook) -> BTreeMap<String, String> {
    let identity = tenant.identity().await;
    let mut first: BTreeMap<String, (Date, String)> = BTreeMap::new();
    for (day, users) in &notebook.directory {
        for user in users {
            first.entry(user.id.clone()).or_insert((*day, user.upn.to_lowercase()));
        }
    }
    let names: BTreeSet<&String> = first.values().map(|(_, upn)| upn).collect();
    assert_eq!(names.len(), first.len(), "no name is used twice in this tenant");
    let subject = |upn: &str| identity.key.subject(&identity.tenant, upn);
    first.into_iter().map(|(id, (_, upn))| (id, subject(&upn))).collect()
}

async fn account(tenant: &Tenant, notebook: &Notebook, events: &[Event], last: Date) -> Account {
    let identity = tenant.identity().await;
    let subjects = subjects(tenant, notebook).await;
    let mut account = Account {
        used: BTreeMap::new(),
        active: BTreeSet::new(),
        states: BTreeMap::new(),
        told_from: *notebook.in_gold.keys().next().unwrap(),
    };
    let named: BTreeMap<String, &String> = notebook
        .directory
        .values()
        .flatten()
        .map(|user| (user.upn.to_lowercase(), &user.id))
        .collect();
    for event in events.iter().filter(|event| event.event_on <= last) {
        let known = event.user_id.as_ref().or_else(|| named.get(&event.upn).copied());
        let subject = match known.and_then(|id| subjects.get(id)) {
            Some(subject) => subject.clone(),
            None => identity.key.subject(&identity.tenant, &event.upn),
        };
        let agent = event.agent_id.clone().unwrap_or_default();
        let used = account.used.entry((event.event_on, subject)).or_default();
        *used.entry((event.app.clone(), agent)).or_default() += 1;
    }
    let everybody: BTreeSet<String> = subjects.keys().cloned().collect();
    let served = served_reports(tenant, notebook);
    for (refresh_on, rows) in rows_of_everybody(notebook, &served, &everybody) {
        for (id, row) in rows {
            let subject = &subjects[id];
            let any = [
                row.last_activity_on,
                row.chat_work_on,
                row.chat_web_on,
                row.agent_on,
                row.edge_on,
            ];
            for on in any.into_iter().chain(row.apps).flatten().filter(|on| *on <= refresh_on) {
                account.active.insert((on, subject.clone()));
            }
            for (app, on) in App::ALL.into_iter().zip(row.apps) {
                let Some(on) = on.filter(|on| *on <= refresh_on) else {
                    continue;
                };
                let used = account.used.entry((on, subject.clone())).or_default();
                if !used.keys().any(|(known, _)| known == app.as_str()) {
                    used.insert((app.as_str().to_owned(), String::new()), 0);
                }
            }
        }
    }
    for key in account.used.keys().chain(&account.active) {
        account.states.insert(key.clone(), "active");
    }
    let reports = reports_of_activity(tenant, &named).await;
    for id in &everybody {
        let held = notebook.held_days(id);
        for day in held
            .into_iter()
            .filter(|day| *day <= last && notebook.in_gold.contains_key(day))
        {
            let key = (day, subjects[id].clone());
            let states = &mut account.states;
            states.entry(key).or_insert_with(|| presence(&reports, id, day, last));
        }
    }
    account
}

/// The active-user reports that were taken in, with what the simulator knows to have served.
async fn reports_of_activity(tenant: &Tenant, named: &BTreeMap<String, &String>) -> Vec<ReportServed> {
    let taken: BTreeSet<ReportTaken> = tenant.read(&SILVER_M365_ACTIVITY).await.into_iter().collect();
    let served = |report: ReportTaken| {
        let is_of_the_day = report.report_kind == "day";
        let mut seen: BTreeMap<String, BTreeSet<Date>> = BTreeMap::new();
        for line in tenant.simulator.workloads(report.report_refresh_on) {
            let dates = [line.exchange_on, line.onedrive_on, line.sharepoint_on, line.teams_on];
            let dates: BTreeSet<Date> = dates.into_iter().flatten().collect();
            // The report of one day lists those whom it saw on it.
            let is_listed = !is_of_the_day || dates.contains(&report.report_refresh_on);
            if let Some(id) = named.get(&line.upn).filter(|_| is_listed) {
                seen.entry((*id).clone()).or_default().extend(dates);
            }
        }
        ReportServed {
            refresh_on: report.report_refresh_on,
            is_of_the_day,
            seen,
        }
    };
    taken.into_iter().map(served).collect()
}

/// What a day without use was: whoever was seen on it was there, and so was whoever nobody can tell of for long.
fn presence(reports: &[ReportServed], id: &String, day: Date, last: Date) -> &'static str {
    let about = || {
        reports
            .iter()
            .filter(|report| (0..7).contains(&(report.refresh_on - day).get_days()))
    };
    if about().any(|report| report.seen.get(id).is_some_and(|dates| dates.contains(&day))) {
        return "inactive";
    }
    if about().any(|report| report.is_of_the_day && report.refresh_on == day) {
        return "neutral";
    }
    let is_away = |report: &ReportServed| {
        let newest = report.seen.get(id).and_then(|dates| dates.last());
        newest.is_none_or(|newest| *newest < day)
    };
    if about().filter(|report| !report.is_of_the_day).any(is_away) || (last - day).get_days() <= 3 {
        "neutral"
    } else {
        "inactive"
    }
}

/// The ledger that follows from the account.
fn ledger(account: &Account) -> BTreeSet<(String, Date, String, String, u64, String)> {
    let mut rows = BTreeSet::new();
    for ((day, subject), state) in &account.states {
        let used = account.used.get(&(*day, subject.clone()));
        let overall = used.map_or(0, |used| used.values().sum());
        rows.insert((
            subject.clone(),
            *day,
            "all".to_owned(),
            String::new(),
            overall,
            (*state).to_owned(),
        ));
        for ((app, agent), interactions) in used.into_iter().flatten() {
            rows.insert((
                subject.clone(),
                *day,
                app.clone(),
                agent.clone(),
                *interactions,
                "active".to_owned(),
            ));
        }
    }
    rows
}

/// A day of one subject in one app: what it was, and how many interactions there were.
type AppDay<'a> = (Date, &'a str, u64);

/// Totals of one subject in one app within a stretch of days, counted by hand.
fn total(days: &[AppDay<'_>], told_from: Date) -> (u64, u64, u64, u64, u64, Option<Date>) {
    let (mut active, mut streak, mut best, mut interactions, mut points) = (0, 0, 0, 0, 0);
    let mut last: Option<Date> = None;
    for (day, state, count) in days {
        match *state {
            "active" => {
                // Of days before the first report nobody knows what they were.
                let between = last
                    .unwrap_or(*day)
                    .series(1.day())
                    .skip(1)
                    .take_while(|other| other < day);
                if between.into_iter().any(|other| other < told_from) {
                    streak = 0;
                }
                active += 1;
                streak += 1;
                best = best.max(streak);
                interactions += count;
                points += 10 + (*count).min(10) + if streak % 5 == 0 { 20 } else { 0 };
                last = Some(*day);
            }
            "inactive" => streak = 0,
            _ => {}
        }
    }
    (active, streak, best, interactions, points, last)
}

fn totals(account: &Account) -> BTreeSet<TotalRow> {
    let mut by_subject: BTreeMap<&String, BTreeMap<Date, &str>> = BTreeMap::new();
    for ((day, subject), state) in &account.states {
        by_subject.entry(subject).or_default().insert(*day, state);
    }
    let mut rows = BTreeSet::new();
    for (subject, states) in by_subject {
        let of_app = |day: Date, app: &str| -> Option<u64> {
            let used = account.used.get(&(day, subject.clone()))?;
            let counts: Vec<u64> = used
                .iter()
                .filter(|((known, _), _)| known == app)
                .map(|(_, count)| *count)
                .collect();
            (!counts.is_empty()).then(|| counts.iter().sum())
        };
        let mut apps: BTreeSet<String> = states
            .keys()
            .filter_map(|day| account.used.get(&(*day, subject.clone())))
            .flat_map(|used| used.keys().map(|(app, _)| app.clone()))
            .collect();
        apps.insert("all".to_owned());
        for app in apps {
            let days: Vec<AppDay<'_>> = states
                .iter()
                .map(|(day, state)| {
                    if app == "all" {
                        let used = account.used.get(&(*day, subject.clone()));
                        return (*day, *state, used.map_or(0, |used| used.values().sum()));
                    }
                    match of_app(*day, &app) {
                        Some(count) => (*day, "active", count),
                        None if *state == "neutral" => (*day, "neutral", 0),
                        None => (*day, "inactive", 0),
                    }
                })
                .collect();
            let mut stretches: BTreeMap<(String, Date), Vec<AppDay<'_>>> = BTreeMap::new();
            for day in days {
                for stretch in [
                    ("week", week_of(day.0, Weekday::Monday).0),
                    ("month", day.0.first_of_month()),
                    ("all_time", jiff::civil::date(1970, 1, 1)),
                ] {
                    stretches
                        .entry((stretch.0.to_owned(), stretch.1))
                        .or_default()
                        .push(day);
                }
            }
            for ((timeframe, start_on), days) in stretches {
                let (active_days, current_streak, best_streak, interactions, points, last_active_on) =
                    total(&days, account.told_from);
                if active_days > 0 {
                    rows.insert(TotalRow {
                        subject: subject.clone(),
                        app: app.clone(),
                        timeframe,
                        start_on,
                        active_days,
                        current_streak,
                        best_streak,
                        interactions,
                        points,
                        rubric_version: 1,
                        last_active_on,
                    });
                }
            }
        }
    }
    rows
}

fn agents(account: &Account) -> BTreeSet<AgentRow> {
    let mut stretches: BTreeMap<(String, String, Date), (u64, BTreeSet<&String>)> = BTreeMap::new();
    for ((day, subject), used) in &account.used {
        for ((_, agent), count) in used.iter().filter(|((_, agent), _)| !agent.is_empty()) {
            for (timeframe, start_on) in [
                ("week", week_of(*day, Weekday::Monday).0),
                ("month", day.first_of_month()),
                ("all_time", jiff::civil::date(1970, 1, 1)),
            ] {
                let key = (agent.clone(), timeframe.to_owned(), start_on);
                let entry = stretches.entry(key).or_default();
                entry.0 += count;
                entry.1.insert(subject);
            }
        }
    }
    stretches
        .into_iter()
        .map(|((agent_id, timeframe, start_on), (interactions, subjects))| AgentRow {
            agent_id,
            timeframe,
            start_on,
            interactions,
            subjects: subjects.len() as u64,
        })
        .collect()
}

/// The first few of what is in one and not in the other.
fn assert_same<T: Ord + std::fmt::Debug>(what: &str, stored: &BTreeSet<T>, expected: &BTreeSet<T>) {
    let missing: Vec<&T> = expected.difference(stored).take(4).collect();
    let surplus: Vec<&T> = stored.difference(expected).take(4).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{what}: {} stored, {} expected\n missing {missing:#?}\n surplus {surplus:#?}",
        stored.len(),
        expected.len()
    );
}

/// Compares ledger, totals and agents with the account of what was served.
async fn check_engagement(tenant: &Tenant, notebook: &Notebook, events: &[Event], last: Date) {
    let account = account(tenant, notebook, events, last).await;
    let rows: Vec<LedgerRow> = tenant.read_engagement(&GOLD_ENGAGEMENT_DAILY).await;
    assert!(rows.iter().all(|row| row.key_id == "first"));
    let count = rows.len();
    let stored: BTreeSet<_> = rows
        .into_iter()
        .map(|row| (row.subject, row.day, row.app, row.agent_id, row.interactions, row.state))
        .collect();
    assert_eq!(stored.len(), count, "nothing twice");
    let expected = ledger(&account);
    assert_same("ledger", &stored, &expected);
    for state in ["active", "inactive", "neutral"] {
        assert!(stored.iter().any(|row| row.5 == state), "{state}");
    }
    let stored: Vec<TotalRow> = tenant.read_engagement(&GOLD_ENGAGEMENT_TOTALS).await;
    assert_same("totals", &stored.into_iter().collect(), &totals(&account));
    let stored: Vec<AgentRow> = tenant.read_engagement(&GOLD_AGENT_TOTALS).await;
    assert_same("agents", &stored.into_iter().collect(), &agents(&account));
}

/// A coin that falls the same way every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Runs a function, or lets it be ended in the middle of its work.
async fn perhaps_ended<T>(chance: &mut Chance, work: impl Future<Output = T>) -> Option<T> {
    if chance.below(6) == 0 {
        let milliseconds = 5 + chance.below(400);
        tokio::time::timeout(Duration::from_millis(milliseconds), work)
            .await
            .ok()
    } else {
        Some(work.await)
    }
}

/// How much there was to do in each step.
#[derive(Debug, Default)]
struct Steps(Mutex<BTreeMap<&'static str, u64>>);

impl Steps {
    fn of(&self, step: &str) -> u64 {
        self.0.lock().unwrap().get(step).copied().unwrap_or_default()
    }
}

impl Progress for Steps {
    fn show(&self, step: &'static str, _done: u64, total: Option<u64>) {
        self.0.lock().unwrap().insert(step, total.unwrap_or_default());
    }
}

/// The last days of months that are over for long enough.
fn months_over(begun: Date, last: Date) -> Vec<Date> {
    let first_of_months = begun.first_of_month().series(1.month());
    first_of_months
        .map(Date::last_of_month)
        .take_while(|day| (last - *day).get_days() >= 5)
        .collect()
}

/// A webhook that reports the same content over and over: polls that begin while others run.
async fn storm(tenant: &Tenant, at: jiff::Timestamp) {
    let polls = (0..4).map(|seconds| Box::pin(tenant.offer_audit(at + SignedDuration::from_secs(seconds))));
    let outcomes = futures::future::join_all(polls).await;
    // Who loses the same table to others again and again says so; what it did not store, the next poll does.
    assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");
}

/// A quarter of random polls, storms of them, gaps, ends and repetitions.
async fn quarter(people: u32, seed: u64, days: usize) {
    let scenario = format!(
        "duplicate_events_percent = 15\nlate_events_percent = 8\nevents_per_blob = 40\nreport_lag_days = [1, 2]\n\
         missing_report_percent = 4\nlate_activity_percent = 5\nodd_rows = false\n{FEED_FAULTS}"
    );
    let tenant = Tenant::with(people, seed, &scenario).await;
    let mut chance = Chance(seed);
    let mut notebook = Notebook::default();
    let mut until = at(FIRST_DAY, 0);
    let mut last = FIRST_DAY;
    for (index, day) in tenant.days(days).enumerate() {
        let settles = index + 4 >= days;
        if chance.below(5) != 0 || settles || index == 0 {
            for hour in [4, 16].into_iter().take(1 + usize::from(chance.below(3) == 0)) {
                until = at(day, hour);
                if chance.below(9) == 0 {
                    storm(&tenant, until).await;
                }
                while Box::pin(perhaps_ended(&mut chance, tenant.offer_audit(until)))
                    .await
                    .is_none()
                {}
            }
        }
        tenant.simulator.set_today(day);
        if chance.below(8) != 0 || settles || index == 0 {
            let outcome = tenant.offer_usage(day).await.unwrap();
            if !tenant.record(day).await["directory"].is_null() {
                notebook.directory.insert(day, tenant.simulator.tenant(day).users);
            }
            for refresh_on in tenant.lake().partition_dates(&GOLD_COPILOT_USAGE, "day").await.unwrap() {
                notebook.in_gold.entry(refresh_on).or_insert(day);
            }
            let is_offered = chance.below(3) != 0 || settles;
            if is_offered && (outcome.status == Status::Complete || settles) {
                while Box::pin(perhaps_ended(&mut chance, tenant.run_engagement(day)))
                    .await
                    .is_none()
                {}
                last = day;
                if chance.below(4) == 0 {
                    tenant.run_engagement(day).await.unwrap();
                }
            }
        }
    }
    // Everything that is late has come.
    let outcome = tenant
        .offer_audit(until + SignedDuration::from_hours(18))
        .await
        .unwrap();
    assert_eq!(outcome.status, Status::Complete, "{outcome:?}");
    until += SignedDuration::from_hours(18);
    tenant.run_engagement(last).await.unwrap();
    let events = check_events(&tenant, until).await;
    check_engagement(&tenant, &notebook, &events, last).await;
    // A repetition changes nothing.
    let outcome = tenant.run_engagement(last).await.unwrap();
    assert_eq!(outcome.counts.stored, 0, "{outcome:?}");
    // What is made anew from the beginning, with no closing to go on from, is the same.
    let lake = tenant.engagement_lake();
    let begun = lake.partition_dates(&GOLD_ENGAGEMENT_DAILY, "day").await.unwrap()[0];
    let closings = lake
        .partition_dates(&GOLD_ENGAGEMENT_CLOSINGS, "closed_on")
        .await
        .unwrap();
    assert_eq!(closings, months_over(begun, last), "each month has a closing");
    for folder in ["engagement", "state/engagement"] {
        std::fs::remove_dir_all(tenant.folder.path(folder)).unwrap();
    }
    tenant.run_engagement(last).await.unwrap();
    check_engagement(&tenant, &notebook, &events, last).await;
    // However long ago some apps were used last, a day costs as much as any other.
    let next = last.tomorrow().unwrap();
    tenant.simulator.set_today(next);
    tenant.offer_audit(until.max(at(next, 20))).await.unwrap();
    tenant.offer_usage(next).await.unwrap();
    let steps = Steps::default();
    tenant.derive(&replacing(next), &steps).await.unwrap();
    assert!((1..=20).contains(&steps.of("days of the ledger")), "{steps:?}");
    assert!((1..=62).contains(&steps.of("days added up")), "{steps:?}");
    assert!(last >= FIRST_DAY.saturating_add((i64::try_from(days).unwrap() - 4).days()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarter_of_delays_repeats_and_interruptions_ends_in_the_same_ledger_streaks_and_points() {
    Box::pin(quarter(30, 11, 91)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_schedules_end_in_what_was_served_as_well() {
    for seed in [3, 7] {
        Box::pin(quarter(30, seed, 25)).await;
    }
}
