//! The directory: read whole, compared with what is known, and stored as users, holdings and the licence summary.
//!
//! Background: Graph's delta query does not track how licences are assigned. Choice: everybody is read once a day, 51
//! requests for 50,000 people, and the difference is found here. Consequence: a person who is not in a whole reading has
//! left, so a reading that breaks off, or that lost most people, changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::directory::{DirectoryUser, SubscribedSku};
use uptake_domain::known_user::KnownUser;
use uptake_domain::license::{HeldLicense, Holding, HoldingStatus, held_licenses};
use uptake_domain::tables::{SILVER_USER_LICENSES, SILVER_USERS};
use uptake_lake::{Columns, Filter};
use uptake_upstream::error::ApiError;
use uptake_upstream::microsoft::users::decode_user;

use super::day_record::{self, DayRecord, DirectoryRead};
use super::{Collection, FUNCTION, Findings, RejectedRecord};
use crate::bronze::{Bronze, Form};
use crate::outcome::PipelineError;

const USERS: &str = "graph_users";
const SKUS: &str = "graph_subscribed_skus";
/// A list that lost more than half of at least so many people or licences between two readings is more likely a wrong
/// answer than a large change; the next reading decides.
const TOO_MANY_TO_GO_AT_ONCE: usize = 20;

/// A whole reading of the directory.
#[derive(Default)]
struct Listing {
    /// By id; somebody listed twice counts once.
    people: BTreeMap<String, (DirectoryUser, Vec<HeldLicense>)>,
    /// Ids of people whose records could not be understood: they are there.
    unread: HashSet<String>,
    /// Whether there was a record that did not even tell its id: anybody who is not listed may be it.
    nameless: bool,
    listed: u64,
}

/// How much of what was known a reading did not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loss {
    left: usize,
    present: usize,
    removed: usize,
    held: usize,
}

impl Loss {
    fn of(known: &[KnownUser], holdings: &[Holding], listing: &Listing) -> Self {
        let present = known.iter().filter(|user| user.account_enabled);
        let left = present
            .clone()
            .filter(|user| !listing.people.contains_key(&user.user_id));
        let held = holdings
            .iter()
            .filter(|holding| holding.status == HoldingStatus::Assigned);
        let is_shown = |holding: &&Holding| {
            let person = listing.people.get(&holding.user_id);
            person.is_some_and(|(_, held)| held.iter().any(|license| license.sku_id == holding.sku_id))
        };
        Self {
            left: left.count(),
            present: present.count(),
            removed: held.clone().filter(|holding| !is_shown(holding)).count(),
            held: held.count(),
        }
    }

    fn is_unlikely(self) -> bool {
        let is_most = |lost: usize, all: usize| all >= TOO_MANY_TO_GO_AT_ONCE && lost * 2 > all;
        is_most(self.left, self.present) || is_most(self.removed, self.held)
    }
}

impl Collection<'_> {
    /// Reads and stores the directory, unless that is done for the day; tells whether it did.
    pub(super) async fn read_directory(
        &self,
        record: &mut DayRecord,
        findings: &mut Findings,
    ) -> Result<bool, PipelineError> {
        if record.directory.is_some() && !self.again {
            return Ok(false);
        }
        let last_read_on = day_record::last_directory(self.ports.files).await?;
        if last_read_on > Some(self.day) {
            findings.notes.push(format!(
                "the directory of a later day is stored, and Microsoft tells the present only: {} keeps what is known of it",
                self.day
            ));
            if record.directory.is_none() {
                findings.missing.push(format!(
                    "nobody read the directory on {}, and that cannot be made up for",
                    self.day
                ));
            }
            return Ok(false);
        }
        let skus = match self.read_skus().await? {
            Ok(skus) => skus,
            Err(error) => {
                findings.lacks("licences of the tenant", error);
                return Ok(false);
            }
        };
        let mut listing = Listing::default();
        if let Err(error) = self.list_people(&skus, &mut listing, findings).await? {
            findings.lacks("directory", error);
            return Ok(false);
        }
        findings.counts.fetched += listing.listed;
        let read = self.store_directory(listing, record, last_read_on, findings).await?;
        record.directory = read.or(record.directory);
        Ok(read.is_some())
    }

    async fn read_skus(&self) -> Result<Result<Vec<SubscribedSku>, ApiError>, PipelineError> {
        match self.graph.subscribed_skus(self.invocation.deadline).await {
            Ok(skus) => {
                self.bronze(SKUS).keep(Form::Json, &skus.body).await?;
                Ok(Ok(skus.value))
            }
            Err(error) => {
                self.keep_refused(&mut self.bronze(SKUS)).await?;
                Ok(Err(error))
            }
        }
    }

    /// Reads page by page, and of each person what is needed: the services of an ordinary licence alone are sixty.
    async fn list_people(
        &self,
        skus: &[SubscribedSku],
        listing: &mut Listing,
        findings: &mut Findings,
    ) -> Result<Result<(), ApiError>, PipelineError> {
        let mut bronze = self.bronze(USERS);
        let mut next = None;
        loop {
            let page = match self.graph.users_page(next, self.invocation.deadline).await {
                Ok(page) => page,
                Err(error) => {
                    self.keep_refused(&mut bronze).await?;
                    return Ok(Err(error));
                }
            };
            bronze.keep(Form::Json, &page.body).await?;
            for raw in &page.users {
                listing.listed += 1;
                match decode_user(raw) {
                    Ok(mut user) => {
                        let held = held_licenses(&user, skus);
                        (user.licenses, user.plans, user.states) = (Vec::new(), Vec::new(), Vec::new());
                        listing.people.insert(user.id.clone(), (user, held));
                    }
                    Err(undecoded) => {
                        listing.nameless |= undecoded.id.is_none();
                        listing.unread.extend(undecoded.id);
                        let record = raw.get().to_owned();
                        findings
                            .rejected
                            .push(RejectedRecord::new(USERS, self.day, "user", undecoded.reason, record));
                    }
                }
            }
            self.ports.progress.show("people", listing.listed, None);
            next = match page.next {
                Some(next) => Some(next),
                None => return Ok(Ok(())),
            };
        }
    }

    async fn store_directory(
        &self,
        listing: Listing,
        record: &mut DayRecord,
        last_read_on: Option<Date>,
        findings: &mut Findings,
    ) -> Result<Option<DirectoryRead>, PipelineError> {
        let known: Vec<KnownUser> = self
            .lake
            .tables()
            .read(&SILVER_USERS, &SILVER_USERS.column_names(), &Filter::All)
            .await?;
        let holdings: Vec<Holding> = self
            .lake
            .tables()
            .read(
                &SILVER_USER_LICENSES,
                &SILVER_USER_LICENSES.column_names(),
                &Filter::All,
            )
            .await?;
        let loss = Loss::of(&known, &holdings, &listing);
        if loss.is_unlikely() && record.loss != Some(loss) {
            findings.missing.push(format!(
                "directory: {} of {} people and {} of {} licences were not in the list this time; nothing is taken for gone \
                 until the next reading says the same",
                loss.left, loss.present, loss.removed, loss.held
            ));
            record.loss = Some(loss);
            return Ok(None);
        }
        if listing.nameless {
            findings.notes.push(
                "a person's record did not even tell its id, so nobody is taken for departed this time".to_owned(),
            );
        }
        // Who was not read may be there all the same: a record that tells no id may be anybody's.
        let read: HashSet<String> = if listing.nameless {
            listing.people.keys().cloned().collect()
        } else {
            HashSet::new()
        };
        let stays = |id: &str| listing.unread.contains(id) || (listing.nameless && !read.contains(id));

        let mut stored: HashMap<&str, &KnownUser> = known.iter().map(|user| (user.user_id.as_str(), user)).collect();
        let people = listing.people.len() as u64;
        let mut users: Vec<KnownUser> = Vec::with_capacity(listing.people.len());
        let mut licensed: Vec<(String, Vec<HeldLicense>)> = Vec::new();
        // One after the other goes from the listing to the rows: both at once would be the most this function holds.
        for (id, (user, held)) in listing.people {
            users.push(KnownUser::seen(stored.remove(id.as_str()), &user, self.day));
            if !held.is_empty() {
                licensed.push((id, held));
            }
        }
        users.reserve_exact(stored.len());
        let gone = stored.into_values().filter(|user| !stays(&user.user_id));
        users.extend(gone.map(|user| user.gone(self.day)));
        drop(known);
        let written = self.lake.upsert(&SILVER_USERS, Columns::All, users).await?;
        findings.counts.stored += written.inserted + written.updated;

        let mut stored: HashMap<(&str, &str), &Holding> = holdings
            .iter()
            .map(|holding| ((holding.user_id.as_str(), holding.sku_id.as_str()), holding))
            .collect();
        let mut rows: Vec<Holding> = Vec::new();
        for (id, held) in &licensed {
            for license in held {
                let before = stored.remove(&(id.as_str(), license.sku_id.as_str()));
                rows.push(Holding::seen(before, id, license, self.day, last_read_on));
            }
        }
        let gone = stored.into_values().filter(|holding| !stays(&holding.user_id));
        rows.extend(gone.map(|holding| holding.gone(self.day)));
        drop(holdings);
        let licensed = licensed.len() as u64;
        let written = self.lake.upsert(&SILVER_USER_LICENSES, Columns::All, rows).await?;
        findings.counts.stored += written.inserted + written.updated;
        tracing::info!(function = FUNCTION, people, licensed, "directory stored");

        Ok(Some(DirectoryRead {
            read_at: self.ports.clock.now(),
            users: people,
            licensed,
        }))
    }

    pub(super) fn bronze(&self, source: &'static str) -> Bronze<'_> {
        Bronze::new(self.ports.files, source, self.day, &self.invocation.id)
    }
}
