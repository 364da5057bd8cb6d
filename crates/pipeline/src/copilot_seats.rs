//! The use case `copilot-seats`: teams, seats and accounts become a CSV report, metrics and a report record.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use uptake_domain::calendar::{Window, days_missed};
use uptake_domain::catalogue::RATE_BUDGET_LEFT;
use uptake_domain::seat::{Assignee, Seat, assignees};
use uptake_domain::seat_figures::{GroupedSeats, SeatSummary};
use uptake_domain::seats_csv;
use uptake_upstream::error::ApiError;
use uptake_upstream::github::accounts::{Person, Workarounds};
use uptake_upstream::github::seats::{SeatsPage, decode_seat};
use uptake_upstream::github::{GitHub, Identity, Owner};
use uptake_upstream::http::Patience;

use crate::config::{CopilotSeatsConfig, Credential};
use crate::dry_run::{ReadOnly, Silent};
use crate::known_accounts::KnownAccounts;
use crate::outcome::{Counts, Outcome, PipelineError, Status};
use crate::ports::{Clock, Ports, Secrets};
use crate::quarantine::{self, Quarantined};
use crate::report_record::{self, Completeness, ReportRecord};
use crate::telemetry;
use crate::trigger::{Invocation, Trigger};
use crate::watermark;

/// The name of the function and of its report.
pub const FUNCTION: &str = "copilot-seats";

const PAGES_KEY: &str = "state/copilot-seats/pages.jsonl.zst";
const ACCOUNTS_KEY: &str = "state/copilot-seats/accounts.jsonl.zst";
/// A list that changes while it is read can lose a seat between two pages; it is read again, this often in all.
const MOST_READINGS: u32 = 3;
/// Seats a page, for showing progress.
const SEATS_PER_PAGE: u64 = 100;

impl CopilotSeatsConfig {
    /// A GitHub client with the configured credential.
    pub async fn connect(&self, secrets: &dyn Secrets, clock: Arc<dyn Clock>) -> Result<GitHub, PipelineError> {
        let identity = match &self.credential {
            Credential::Token(token) => Identity::Token(token.resolve(secrets).await?),
            Credential::App { id, key } => Identity::App {
                id: id.clone(),
                private_key: key.resolve(secrets).await?,
            },
        };
        Ok(GitHub::new(self.api.clone(), identity, clock, Patience::default())?)
    }
}

/// Collects the day the trigger stands for.
pub async fn collect(
    github: &GitHub,
    config: &CopilotSeatsConfig,
    ports: Ports<'_>,
    trigger: &Trigger,
    invocation: &Invocation,
) -> Result<Outcome, PipelineError> {
    let files = ReadOnly(ports.files);
    let ports = if trigger.dry_run {
        Ports {
            files: &files,
            metrics: &Silent,
            ..ports
        }
    } else {
        ports
    };
    let collection = Collection {
        github,
        config,
        ports,
        invocation,
        day: trigger.day()?,
    };
    let mut outcome = collection.run(trigger).await?;
    if trigger.dry_run {
        outcome.counts.stored = 0;
        outcome.counts.published = 0;
        outcome
            .notes
            .push("dry run: nothing was written or published".to_owned());
    }
    Ok(outcome)
}

struct Collection<'a> {
    github: &'a GitHub,
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
        let stored = report_record::read(self.ports.files, FUNCTION, self.day).await?;
        let is_done = stored.is_some_and(|record| record.completeness == Completeness::Complete);
        let mut outcome = Outcome {
            function: FUNCTION,
            status: Status::NothingToDo,
            window: Window::of_day(self.day),
            counts: Counts::default(),
            watermark: watermark::read(self.ports.files, FUNCTION).await?,
            stopped_early: None,
            past_due,
            in_doubt: None,
            notes: Vec::new(),
        };
        if is_done && !trigger.replace {
            outcome
                .notes
                .push(format!("the report of {} is complete already", self.day));
        } else {
            self.collect_day(&mut outcome, is_done).await?;
        }
        let budget = self.github.budget_left().map(|left| (&RATE_BUDGET_LEFT, left));
        let data = telemetry::describe(&outcome, trigger, budget.as_slice());
        self.ports.metrics.publish(&data).await?;
        Ok(outcome)
    }

    async fn collect_day(&self, outcome: &mut Outcome, is_done: bool) -> Result<(), PipelineError> {
        let requests_before = self.github.requests();
        let mut notes = self.missed_days(outcome.watermark);
        self.restore_pages().await?;
        let mut known = self.known_accounts().await?;

        let mut fetched = self.fetch().await?;
        let people = assignees(mem::take(&mut fetched.seats));
        self.look_up(&people, &mut fetched, &mut known).await?;
        self.keep_pages().await?;
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
        let keeps_earlier = is_done && completeness == Completeness::Incomplete;
        if keeps_earlier {
            notes.push("this collection is incomplete, so the complete report stored before stays".to_owned());
        } else {
            let record = ReportRecord {
                day: self.day,
                completeness,
                missing: missing.clone(),
                csv_key: csv_key(self.day, completeness),
                rows: count(people.len()),
                quarantined: count(fetched.quarantined.len()),
                collected_at: self.ports.clock.now(),
                invocation_id: self.invocation.id.clone(),
                summary: grouped.summary(),
            };
            self.store(&record, &people, &known).await?;
        }

        if completeness == Completeness::Complete {
            outcome.status = Status::Complete;
            outcome.watermark = Some(watermark::advance(self.ports.files, FUNCTION, outcome.window.to).await?);
        } else {
            outcome.status = Status::Incomplete;
        }
        outcome.counts = Counts {
            fetched: fetched.listed,
            stored: if keeps_earlier { 0 } else { count(people.len()) },
            quarantined: count(fetched.quarantined.len()),
            published: count(data.len()),
            requests: self.github.requests() - requests_before,
        };
        let mut reasons = missing.into_iter();
        outcome.stopped_early = reasons.next();
        outcome.notes = [notes, fetched.notes, reasons.collect()].concat();
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
                tracing::warn!(%owner, %error, "seats are missing");
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
                for slug in self.config.teams.unknown(&fetched.teams) {
                    fetched.notes.push(format!(
                        "UPTAKE_TEAMS names '{slug}', which is no team that GitHub lists"
                    ));
                }
                fetched.teams.retain(|slug| self.config.teams.takes_team(slug));
                fetched.seats.retain(|seat| self.config.teams.takes(seat));
                Ok(fetched)
            }
        }
    }

    async fn fetch_teams(&self, enterprise: &str, fetched: &mut Fetched) {
        match self
            .github
            .enterprise_team_slugs(enterprise, self.invocation.deadline)
            .await
        {
            Ok(slugs) => fetched.teams.extend(slugs),
            Err(error) => {
                tracing::warn!(%error, "teams are missing");
                fetched.missing_else.push(format!("teams: {error}"));
            }
        }
    }

    /// Reads the list until it holds still. GitHub tells on every page how many people have a seat; when that changes
    /// on the way, a seat may have slipped from a page not yet read to one already read.
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
            let held_still = listing.totals.len() <= 1;
            if end.is_err() || held_still || reading == MOST_READINGS {
                listing.move_into(owner, fetched);
                if end.is_ok() && !held_still {
                    fetched.missing_seats.push(format!(
                        "{owner}: the list of seats changed each of the {MOST_READINGS} times it was read"
                    ));
                }
                return end;
            }
            tracing::info!(%owner, reading, "the list of seats changed while it was read; reading it again");
        }
        Ok(())
    }

    async fn look_up(
        &self,
        people: &[Assignee],
        fetched: &mut Fetched,
        known: &mut KnownAccounts,
    ) -> Result<(), PipelineError> {
        let mut unknown: BTreeMap<&Owner, Vec<Person>> = BTreeMap::new();
        for person in people.iter().filter(|person| !known.is_fresh(person.id, self.day)) {
            if let Some(owner) = fetched.owner_of.get(&person.id) {
                unknown.entry(owner).or_default().push(Person {
                    id: person.id,
                    login: person.login.clone(),
                });
            }
        }
        let total = unknown.values().map(Vec::len).sum();
        let mut done = 0;
        for (owner, people) in unknown {
            let end = self
                .github
                .accounts(owner, &people, self.invocation.deadline, |batch| {
                    done += batch.len();
                    known.learn(self.day, batch);
                    self.ports.progress.show("accounts", count(done), Some(count(total)));
                })
                .await;
            match end {
                Ok(workarounds) => fetched.notes.extend(explain(owner, workarounds)),
                Err(error) => {
                    tracing::warn!(%owner, %error, "account details are missing");
                    fetched.missing_else.push(format!("account details: {error}"));
                }
            }
        }
        Ok(())
    }

    // Aggregate.

    /// Groups the people under the teams there are and the names that had seats the last time, so that a name that
    /// has none any more ends with a zero and not with a gap.
    fn group<'p>(
        &self,
        people: &'p [Assignee],
        teams: &BTreeSet<String>,
        previous: Option<SeatSummary>,
    ) -> GroupedSeats<'p> {
        let previous = previous.unwrap_or_default();
        let teams = teams.iter().chain(previous.teams_with_seats()).cloned();
        GroupedSeats::new(people, self.day, teams, previous.editors_with_seats().cloned())
    }

    fn missed_days(&self, watermark: Option<Timestamp>) -> Vec<String> {
        let days: Vec<String> = days_missed(watermark, self.day).iter().map(Date::to_string).collect();
        if days.is_empty() {
            return Vec::new();
        }
        tracing::warn!(days = days.len(), "days without a report");
        vec![format!(
            "there is no report of {}: GitHub tells only the present state of seats",
            days.join(", ")
        )]
    }

    // Publish.

    /// Stores the report and its record. The record comes last: what it names is there.
    async fn store(
        &self,
        record: &ReportRecord,
        people: &[Assignee],
        known: &KnownAccounts,
    ) -> Result<(), PipelineError> {
        let csv =
            seats_csv::render(people, &known.details()).map_err(|error| PipelineError::Render(error.to_string()))?;
        self.ports.files.write(&record.csv_key, csv.into()).await?;
        report_record::write(self.ports.files, FUNCTION, record).await?;
        if record.completeness == Completeness::Complete {
            self.ports
                .files
                .delete(&csv_key(self.day, Completeness::Incomplete))
                .await?;
        }
        Ok(())
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

    async fn keep_pages(&self) -> Result<(), PipelineError> {
        let pages = self
            .github
            .pages_to_keep()
            .map_err(|error| unwritable(PAGES_KEY, &error))?;
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
        let accounts = known.encode().map_err(|error| unwritable(ACCOUNTS_KEY, &error))?;
        Ok(self.ports.files.write(ACCOUNTS_KEY, accounts.into()).await?)
    }
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
            "{owner}: GraphQL gave no answer, so accounts were looked up one by one"
        ));
    }
    if workarounds.no_saml_permission {
        notes.push(format!(
            "{owner}: SAML identities may not be read, so people who hide their address show N/A; grant the token {} and let an owner hold it",
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

fn unwritable(key: &str, error: &std::io::Error) -> PipelineError {
    PipelineError::State {
        key: key.to_owned(),
        reason: error.to_string(),
    }
}

fn count(length: usize) -> u64 {
    length as u64
}
