//! The use case `copilot-seats`: teams, seats and accounts become a CSV report, metrics, seat history and a report record.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use uptake_domain::calendar::{Window, days_missed, to_seconds};
use uptake_domain::catalogue::RATE_BUDGET_LEFT;
use uptake_domain::groups::OTHER;
use uptake_domain::seat::{Assignee, Seat, assignees};
use uptake_domain::seat_figures::{GroupedSeats, SeatSummary, shown_names};
use uptake_domain::seats_csv::{self, AccountDetails};
use uptake_domain::tables::GOLD_COPILOT_SEATS;
use uptake_lake::{Filter, Lake};
use uptake_upstream::error::ApiError;
use uptake_upstream::github::accounts::{LOGINS_PER_QUERY, Person, Workarounds};
use uptake_upstream::github::seats::{SeatsPage, decode_seat};
use uptake_upstream::github::{GitHub, Owner};

use crate::config::CopilotSeatsConfig;
use crate::dry_run::{self, ReadOnly};
use crate::known_accounts::{KnownAccounts, Need};
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::ports::Ports;
use crate::quarantine::{self, Quarantined};
use crate::report_record::{self, Completeness, ReportRecord, Stored};
use crate::telemetry;
use crate::traced_lake::TracedLake;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;

/// The name of the function and of its report.
pub const FUNCTION: &str = "copilot-seats";

const PAGES_KEY: &str = "state/copilot-seats/pages.jsonl.zst";
const ACCOUNTS_KEY: &str = "state/copilot-seats/accounts.jsonl.zst";
/// A list that changes while it is read can lose a seat between two pages; it is read again, this often in all.
const MOST_READINGS: u32 = 3;
/// When more than half of at least this many records cannot be understood, it is not the records that are odd: GitHub's
/// answer has changed, and what is left is no report of seats.
const RECORDS_THAT_SHOW_A_CHANGE: u64 = 20;
/// The same of a short list, where all of them are.
const RECORDS_THAT_CANNOT_ALL_BE_ODD: u64 = 3;
/// Seats a page, for showing progress.
const SEATS_PER_PAGE: u64 = 100;

/// Collects the day the trigger stands for.
pub async fn collect(
    github: &GitHub,
    lake: &Lake,
    config: &CopilotSeatsConfig,
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
    let collection = Collection {
        github,
        lake: TracedLake::new(lake, FUNCTION, ports.clock, invocation, trigger.dry_run),
        config,
        ports,
        invocation,
        day: trigger.day()?,
    };
    let mut outcome = collection.run(trigger).await?;
    if trigger.dry_run {
        dry_run::correct(&mut outcome, ports.files).await?;
    }
    Ok(outcome)
}

struct Collection<'a> {
    github: &'a GitHub,
    lake: TracedLake<'a>,
    config: &'a CopilotSeatsConfig,
    ports: Ports<'a>,
    invocation: &'a Invocation,
    day: Date,
}

/// What was fetched, and what is missing from it.
#[derive(Default)]
struct Fetched {
    /// Records GitHub listed, understood or not.
    listed: u64,
    seats: Vec<Seat>,
    quarantined: Vec<Quarantined>,
    /// Slugs of the teams there are, with or without seats.
    teams: BTreeSet<String>,
    /// Whom to ask about each person.
    owner_of: BTreeMap<u64, Owner>,
    /// Why seats are missing.
    missing_seats: Vec<String>,
    /// Why anything else is missing.
    missing_else: Vec<String>,
    notes: Vec<String>,
}

impl Fetched {
    fn missing(&self) -> Vec<String> {
        [self.missing_seats.as_slice(), self.missing_else.as_slice()].concat()
    }
}

impl Collection<'_> {
    async fn run(&self, trigger: &Trigger) -> Result<Outcome, PipelineError> {
        let past_due = telemetry::note_past_due(FUNCTION, trigger, self.ports.clock);
        let outcome = self.offer(trigger, past_due).await;
        self.lake.note_calls(self.github.take_calls());
        let outcome = self.lake.leave_trace(outcome).await;
        let budget = self.github.budget_left().map(|left| (&RATE_BUDGET_LEFT, left));
        let credential = telemetry::credential_days_left(self.github.credential_ends_at(), self.ports.clock);
        let more: Vec<_> = budget.into_iter().chain(credential).collect();
        telemetry::publish(self.ports.metrics, FUNCTION, trigger, past_due, outcome, &more).await
    }

    async fn offer(&self, trigger: &Trigger, past_due: bool) -> Result<Outcome, PipelineError> {
        let mut outcome = Outcome::of_nothing(
            FUNCTION,
            Window::of_day(self.day),
            watermark::read(self.ports.files, FUNCTION).await?,
            past_due,
        );
        let stored = report_record::read(self.ports.files, FUNCTION, self.day).await?;
        if stored.is_some_and(|record| record.is_of_its_day()) && !trigger.replace {
            outcome
                .notes
                .push(format!("the report of {} is complete already", self.day));
        } else {
            self.collect_day(&mut outcome).await?;
        }
        Ok(outcome)
    }

    async fn collect_day(&self, outcome: &mut Outcome) -> Result<(), PipelineError> {
        let collected_at = self.ports.clock.now();
        let requests_before = self.github.requests();
        let mut notes = self.notes_on_time(outcome.watermark, collected_at);
        self.restore_pages().await?;
        let mut known = self.known_accounts().await?;

        let mut fetched = self.fetch().await?;
        let people = assignees(mem::take(&mut fetched.seats));
        self.look_up(&people, &mut fetched, &mut known).await;
        self.keep_pages(&fetched).await?;
        self.keep_accounts(&people, &fetched, &mut known).await?;
        quarantine::keep(self.ports.files, FUNCTION, self.day, &fetched.quarantined).await?;

        let previous = report_record::latest_complete_before(self.ports.files, FUNCTION, self.day).await?;
        let grouped = self.group(&people, &fetched.teams, previous.map(|record| record.summary));
        let missing = fetched.missing();
        let completeness = if missing.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Incomplete
        };

        // A part of the seats would look like fewer seats; details that are missing do not change a count.
        let data = if fetched.missing_seats.is_empty() {
            grouped.metrics(self.config.smallest_group)
        } else {
            Vec::new()
        };
        self.ports.metrics.publish(&data).await?;
        let record = ReportRecord {
            day: self.day,
            completeness,
            missing: missing.clone(),
            csv_key: csv_key(self.day, completeness),
            listed: fetched.listed,
            rows: count(people.len()),
            quarantined: count(fetched.quarantined.len()),
            collected_at,
            invocation_id: self.invocation.id.clone(),
            summary: grouped.summary(),
        };
        if record.is_of_its_day() {
            self.store_history(&people, &known).await?;
        }
        let stored = self.store(&record, &people, &known).await?;
        if stored == Stored::EarlierStays {
            notes.push("this collection is incomplete, so the complete report stored before stays".to_owned());
        }

        outcome.status = match completeness {
            Completeness::Complete => Status::Complete,
            Completeness::Incomplete => Status::Incomplete,
        };
        if record.is_of_its_day() {
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, outcome.window.to).await?);
        }
        outcome.counts = Counts {
            fetched: fetched.listed,
            stored: if stored == Stored::Replaced { record.rows } else { 0 },
            quarantined: record.quarantined,
            published: count(data.len()),
            requests: self.github.requests() - requests_before,
        };
        outcome.tell(missing, [notes, fetched.notes].concat());
        Ok(())
    }

    // Fetch and decode.

    async fn fetch(&self) -> Result<Fetched, PipelineError> {
        let mut fetched = Fetched::default();
        let mut refused = None;
        for owner in &self.config.owners {
            if let Owner::Enterprise(enterprise) = owner {
                self.fetch_teams(enterprise, &mut fetched).await;
            }
            if let Err(error) = self.fetch_seats(owner, &mut fetched).await {
                tracing::debug!(%owner, %error, "seats are missing");
                fetched.missing_seats.push(format!("{owner}: {error}"));
                if !error.passes_by_itself() {
                    refused = Some(error);
                }
            }
        }
        match refused {
            // Not one seat, and no later invocation can change that: a person has to.
            Some(error) if fetched.listed == 0 => Err(error.into()),
            _ => {
                fetched
                    .teams
                    .extend(fetched.seats.iter().filter_map(|seat| seat.team.clone()));
                self.check_filter(&fetched)?;
                for slug in self.config.teams.unknown(&fetched.teams) {
                    fetched.notes.push(format!(
                        "UPTAKE_TEAMS names '{slug}', and nothing that GitHub listed is of that team"
                    ));
                }
                fetched.teams.retain(|slug| self.config.teams.takes_team(slug));
                fetched.seats.retain(|seat| self.config.teams.takes(seat));
                Ok(fetched)
            }
        }
    }

    /// A filter that names no team at all would report nobody, every day, as if it were so. Only the enterprise's list
    /// of teams is sure to hold those without seats.
    fn check_filter(&self, fetched: &Fetched) -> Result<(), PipelineError> {
        let teams = &self.config.teams;
        let lists_teams = self
            .config
            .owners
            .iter()
            .all(|owner| matches!(owner, Owner::Enterprise(_)));
        let all_read = fetched.missing().is_empty();
        if lists_teams && all_read && !teams.is_empty() && !fetched.teams.iter().any(|slug| teams.takes_team(slug)) {
            return Err(PipelineError::NoSuchTeam);
        }
        Ok(())
    }

    async fn fetch_teams(&self, enterprise: &str, fetched: &mut Fetched) {
        match self
            .github
            .enterprise_team_slugs(enterprise, self.invocation.deadline)
            .await
        {
            Ok(slugs) => fetched.teams.extend(slugs),
            Err(error) => {
                tracing::debug!(%error, "teams are missing");
                fetched.missing_else.push(format!("teams: {error}"));
            }
        }
    }

    /// Reads the list until it holds still. GitHub tells on every page how many people have a seat; when that changes
    /// on the way, a seat may have slipped from a page not yet read to one already read, and with fewer records than
    /// people a page was never told of.
    async fn fetch_seats(&self, owner: &Owner, fetched: &mut Fetched) -> Result<(), ApiError> {
        for reading in 1..=MOST_READINGS {
            let mut listing = Listing::default();
            let end = self
                .github
                .seats(owner, self.invocation.deadline, |page| {
                    listing.take(page);
                    let ahead = listing.expected.map(|pages| pages * SEATS_PER_PAGE);
                    self.ports.progress.show("seats", listing.listed, ahead);
                })
                .await;
            let held_still = listing.is_whole();
            tracing::info!(%owner, listed = listing.listed, quarantined = listing.quarantined.len(), held_still, "seats read");
            if end.is_err() || held_still || reading == MOST_READINGS {
                if listing.shows_a_change() {
                    fetched.missing_seats.push(format!(
                        "{owner}: {} of {} seats could not be understood, so GitHub's answer has changed; \
                         they are in quarantine, and Uptake's maintainers need to see one",
                        listing.quarantined.len(),
                        listing.listed
                    ));
                }
                listing.move_into(owner, fetched);
                if end.is_ok() && !held_still {
                    fetched.missing_seats.push(format!(
                        "{owner}: the list of seats did not hold still or was not whole any of the {MOST_READINGS} times it was read"
                    ));
                }
                return end;
            }
            tracing::info!(%owner, reading, "the list of seats changed while it was read; reading it again");
        }
        Ok(())
    }

    async fn look_up(&self, people: &[Assignee], fetched: &mut Fetched, known: &mut KnownAccounts) {
        let mut to_ask: BTreeMap<Owner, (Vec<Person>, Vec<Person>)> = BTreeMap::new();
        for person in people {
            let Some(owner) = fetched.owner_of.get(&person.id) else {
                continue;
            };
            let (unknown, may_tell_more) = to_ask.entry(owner.clone()).or_default();
            let group = match known.need(person.id, self.day) {
                Need::Nothing => continue,
                Need::LookUp => unknown,
                Need::MayTellMore => may_tell_more,
            };
            group.push(Person {
                id: person.id,
                login: person.login.clone(),
            });
        }
        for (owner, (unknown, may_tell_more)) in to_ask {
            tracing::info!(%owner, unknown = unknown.len(), may_tell_more = may_tell_more.len(), "accounts");
            // What was kept back is asked for again only once the first hundred of them show that it no longer is.
            let (probe, rest) = may_tell_more.split_at(may_tell_more.len().min(LOGINS_PER_QUERY));
            let mut told = Workarounds::default();
            for group in [unknown.as_slice(), probe, rest] {
                if group.is_empty() || told.kept_something_back() {
                    continue;
                }
                match self.ask(&owner, group, known).await {
                    Ok(workarounds) => told = told.and(workarounds),
                    Err(error) => {
                        tracing::debug!(%owner, %error, "account details are missing");
                        fetched.missing_else.push(format!("account details: {error}"));
                        break;
                    }
                }
            }
            if told.unread > 0 {
                let unread = told.unread;
                fetched.missing_else.push(format!(
                    "account details: {unread} accounts gave no answer; the next invocation asks again"
                ));
            }
            fetched.notes.extend(explain(&owner, told));
        }
    }

    async fn ask(&self, owner: &Owner, people: &[Person], known: &mut KnownAccounts) -> Result<Workarounds, ApiError> {
        let mut done = 0;
        self.github
            .accounts(owner, people, self.invocation.deadline, |batch| {
                done += batch.len();
                known.learn(self.day, batch);
                self.ports
                    .progress
                    .show("accounts", count(done), Some(count(people.len())));
            })
            .await
    }

    // Aggregate.

    /// Groups the people under the teams there are and the names that were shown the last time, so that a name that has
    /// nobody any more ends with a zero and not with a gap.
    fn group<'p>(
        &self,
        people: &'p [Assignee],
        teams: &BTreeSet<String>,
        previous: Option<SeatSummary>,
    ) -> GroupedSeats<'p> {
        let previous = previous.unwrap_or_default();
        let mut ended = shown_names(&previous.teams, self.config.smallest_group);
        ended.retain(|slug| slug == OTHER || self.config.teams.takes_team(slug));
        let teams = teams.iter().cloned().chain(ended);
        let editors = shown_names(&previous.editors, self.config.smallest_group);
        GroupedSeats::new(people, self.day, teams, editors)
    }

    /// What a person should know about when the day is collected: GitHub tells the present state of seats only.
    fn notes_on_time(&self, watermark: Option<Timestamp>, collected_at: Timestamp) -> Vec<String> {
        let mut notes = Vec::new();
        let Window { from, to } = Window::of_day(self.day);
        if collected_at >= to {
            notes.push(format!(
                "{} was over when it was collected: the report shows the seats as they stand at {}",
                self.day,
                to_seconds(collected_at)
            ));
        } else if collected_at < from {
            notes.push(format!(
                "{} has not begun: this report does not count as the day's",
                self.day
            ));
        }
        let missed: Vec<String> = days_missed(watermark, self.day).iter().map(Date::to_string).collect();
        if !missed.is_empty() && collected_at >= from {
            tracing::warn!(days = missed.len(), "days without a report");
            notes.push(format!(
                "there is no complete report of {}: GitHub tells only the present state of seats",
                missed.join(", ")
            ));
        }
        notes
    }

    // Publish.

    /// Stores who has a seat on the day, and nobody else: a day that is collected again may have lost somebody.
    async fn store_history(&self, people: &[Assignee], known: &KnownAccounts) -> Result<(), PipelineError> {
        let details = known.details();
        let unknown = AccountDetails::default();
        let rows: Vec<SeatRow<'_>> = people
            .iter()
            .map(|person| {
                let account = details.get(&person.id).unwrap_or(&unknown);
                SeatRow {
                    day: self.day,
                    assignee_id: person.id,
                    login: &person.login,
                    email: account.email.as_deref(),
                    account_created_at: account.created_at,
                    seat_created_at: person.seat_created_at,
                    last_activity_at: person.last_activity_at,
                    editor: person.editor.name.as_deref(),
                    editor_version: person.editor.version.as_deref(),
                    plugin: person.editor.plugin.as_deref(),
                    plugin_version: person.editor.plugin_version.as_deref(),
                    team_slugs: &person.teams,
                    plan_type: person.plan_type.as_deref(),
                    pending_cancellation_on: person.pending_cancellation_on,
                }
            })
            .collect();
        let of_day = Filter::Equals("day", self.day.to_string());
        self.lake.replace(&GOLD_COPILOT_SEATS, &of_day, &rows).await?;
        Ok(())
    }

    /// Stores the report and its record. The record comes last: what it names is there.
    async fn store(
        &self,
        record: &ReportRecord,
        people: &[Assignee],
        known: &KnownAccounts,
    ) -> Result<Stored, PipelineError> {
        let csv =
            seats_csv::render(people, &known.details()).map_err(|error| PipelineError::Render(error.to_string()))?;
        self.ports.files.write(&record.csv_key, csv.into()).await?;
        let stored = report_record::write(self.ports.files, FUNCTION, record).await?;
        if stored == Stored::EarlierStays || record.completeness == Completeness::Complete {
            self.ports
                .files
                .delete(&csv_key(self.day, Completeness::Incomplete))
                .await?;
        }
        Ok(stored)
    }

    // What is kept for the next invocation. A copy that does not read back costs requests and nothing else.

    async fn restore_pages(&self) -> Result<(), PipelineError> {
        if let Some(file) = self.ports.files.read(PAGES_KEY).await?
            && let Err(error) = self.github.restore_pages(&file.bytes)
        {
            tracing::warn!(%error, key = PAGES_KEY, "the kept pages do not read back; reading all pages anew");
        }
        Ok(())
    }

    async fn keep_pages(&self, fetched: &Fetched) -> Result<(), PipelineError> {
        // Once all lists are read, a page that was not asked for is one that no list has any more.
        let unused_for_at_most = if fetched.missing().is_empty() { 0 } else { u32::MAX };
        let pages = self
            .github
            .pages_to_keep(unused_for_at_most)
            .map_err(|error| PipelineError::state(PAGES_KEY, error))?;
        Ok(self.ports.files.write(PAGES_KEY, pages.into()).await?)
    }

    async fn known_accounts(&self) -> Result<KnownAccounts, PipelineError> {
        let Some(file) = self.ports.files.read(ACCOUNTS_KEY).await? else {
            return Ok(KnownAccounts::default());
        };
        Ok(KnownAccounts::decode(&file.bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, key = ACCOUNTS_KEY, "the known accounts do not read back; looking all of them up anew");
            KnownAccounts::default()
        }))
    }

    async fn keep_accounts(
        &self,
        people: &[Assignee],
        fetched: &Fetched,
        known: &mut KnownAccounts,
    ) -> Result<(), PipelineError> {
        if fetched.missing_seats.is_empty() {
            known.keep_only(&people.iter().map(|person| person.id).collect());
        }
        let accounts = known
            .encode()
            .map_err(|error| PipelineError::state(ACCOUNTS_KEY, error))?;
        Ok(self.ports.files.write(ACCOUNTS_KEY, accounts.into()).await?)
    }
}

/// A row of `gold_copilot_seats`.
#[derive(Serialize)]
struct SeatRow<'a> {
    day: Date,
    assignee_id: u64,
    login: &'a str,
    email: Option<&'a str>,
    account_created_at: Option<Timestamp>,
    seat_created_at: Option<Timestamp>,
    last_activity_at: Option<Timestamp>,
    editor: Option<&'a str>,
    editor_version: Option<&'a str>,
    plugin: Option<&'a str>,
    plugin_version: Option<&'a str>,
    team_slugs: &'a BTreeSet<String>,
    plan_type: Option<&'a str>,
    pending_cancellation_on: Option<Date>,
}

/// One reading of an owner's list of seats.
#[derive(Default)]
struct Listing {
    listed: u64,
    seats: Vec<Seat>,
    quarantined: Vec<Quarantined>,
    totals: BTreeSet<u64>,
    /// Pages there are, as far as GitHub says.
    expected: Option<u64>,
}

impl Listing {
    fn take(&mut self, page: SeatsPage) {
        if self.listed == 0 {
            self.expected = page.pages_ahead.map(|ahead| count(ahead) + 1);
        }
        self.totals.extend(page.total_seats);
        for raw in page.seats {
            self.listed += 1;
            match decode_seat(&raw) {
                Ok(seat) => self.seats.push(seat),
                Err(error) => self.quarantined.push(Quarantined {
                    rule: "copilot_seat".to_owned(),
                    error,
                    record: raw.get().to_owned(),
                }),
            }
        }
    }

    /// Whether every page told the same number of people, and there are records enough for them.
    fn is_whole(&self) -> bool {
        self.totals.len() <= 1 && self.totals.first().is_none_or(|people| self.listed >= *people)
    }

    fn shows_a_change(&self) -> bool {
        let quarantined = count(self.quarantined.len());
        let all = self.listed >= RECORDS_THAT_CANNOT_ALL_BE_ODD && quarantined == self.listed;
        all || (self.listed >= RECORDS_THAT_SHOW_A_CHANGE && quarantined * 2 > self.listed)
    }

    fn move_into(self, owner: &Owner, fetched: &mut Fetched) {
        fetched.listed += self.listed;
        for seat in &self.seats {
            fetched
                .owner_of
                .entry(seat.assignee_id)
                .or_insert_with(|| owner.clone());
        }
        fetched.seats.extend(self.seats);
        fetched.quarantined.extend(self.quarantined);
    }
}

fn explain(owner: &Owner, workarounds: Workarounds) -> Vec<String> {
    let mut notes = Vec::new();
    if workarounds.one_by_one {
        notes.push(format!(
            "{owner}: GraphQL gave no answer, so accounts were looked up one by one; if that lasts, grant the token read:user and user:email"
        ));
    }
    if workarounds.no_saml_permission {
        notes.push(format!(
            "{owner}: SAML identities may not be read, so people who hide their address show N/A; grant the token {} and let an owner hold it; they are asked for again the next day",
            match owner {
                Owner::Enterprise(_) => "read:enterprise",
                Owner::Organisation(_) => "admin:org",
            }
        ));
    }
    notes
}

fn csv_key(day: Date, completeness: Completeness) -> String {
    let name = seats_csv::file_name(day);
    match completeness {
        Completeness::Complete => format!("reports/{name}"),
        Completeness::Incomplete => format!("reports/{}", name.replace(".csv", ".incomplete.csv")),
    }
}

fn count(length: usize) -> u64 {
    length as u64
}
