//! Everybody who is known, and when they held a licence: what gold is made of besides reports.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use uptake_domain::known_user::KnownUser;
use uptake_domain::license::{AssignedSource, Holding, HoldingStatus, LicenseHistory, histories};
use uptake_domain::tables::{SILVER_USER_LICENSES, SILVER_USERS};
use uptake_lake::{Filter, Lake, LakeError};

/// The people of the directory, past and present.
pub(crate) struct People {
    /// By id.
    pub(crate) users: BTreeMap<String, KnownUser>,
    /// How many licences are held now.
    pub(crate) held: usize,
    /// How many of these Microsoft does not date.
    pub(crate) undated: usize,
    licenses: BTreeMap<String, LicenseHistory>,
    never: LicenseHistory,
}

impl People {
    pub(crate) async fn read(lake: &Lake) -> Result<Self, LakeError> {
        let users: Vec<KnownUser> = lake
            .read(&SILVER_USERS, &SILVER_USERS.column_names(), &Filter::All)
            .await?;
        // All at once: a map that grows by ever greater keys has half of its room empty.
        let users = users.into_iter().map(|user| (user.user_id.clone(), user)).collect();
        let columns = SILVER_USER_LICENSES.column_names();
        let holdings: Vec<Holding> = lake.read(&SILVER_USER_LICENSES, &columns, &Filter::All).await?;
        let licenses = histories(&holdings).into_iter();
        let licenses = licenses.map(|(id, history)| (id.to_owned(), history)).collect();
        let held = holdings
            .iter()
            .filter(|holding| holding.status == HoldingStatus::Assigned);
        Ok(Self {
            users,
            held: held.clone().count(),
            undated: held
                .filter(|holding| holding.assigned_source == AssignedSource::FirstSeen)
                .count(),
            licenses,
            never: LicenseHistory::default(),
        })
    }

    /// People without licences.
    #[cfg(test)]
    pub(crate) fn of(users: impl IntoIterator<Item = KnownUser>) -> Self {
        Self {
            users: users.into_iter().map(|user| (user.user_id.clone(), user)).collect(),
            held: 0,
            undated: 0,
            licenses: BTreeMap::new(),
            never: LicenseHistory::default(),
        }
    }

    /// When the person held a licence.
    pub(crate) fn license(&self, user_id: &str) -> &LicenseHistory {
        self.licenses.get(user_id).unwrap_or(&self.never)
    }

    /// Who a row is about: by the id, where it has one, or else by the name.
    pub(crate) fn named<'p>(
        &'p self,
        by_upn: &HashMap<&'p str, &'p str>,
        user_id: Option<&str>,
        upn: &str,
    ) -> Option<&'p str> {
        match user_id {
            Some(id) => self.users.get_key_value(id).map(|(id, _)| id.as_str()),
            None => by_upn.get(upn).copied(),
        }
    }

    /// Ids by user principal name, as a report of a day means them. A name that somebody left behind, by leaving or by
    /// taking another, is still that person's until somebody else has it; and in a report of an earlier day, who had it
    /// then comes before who has it now.
    pub(crate) fn by_upn(&self, report_on: Date) -> HashMap<&str, &str> {
        let mut by_upn: HashMap<&str, (Claim, &str)> = HashMap::with_capacity(self.users.len());
        for user in self.users.values() {
            let current = std::iter::once((&user.upn, true));
            let former = user.former_upns.iter().map(|upn| (upn, false));
            for (upn, is_current) in current.chain(former) {
                let was_there = user.first_seen_on <= report_on;
                let claim = (was_there, is_current, user.account_enabled, user.last_seen_on);
                let stronger = by_upn.get(upn.as_str()).is_none_or(|(other, _)| *other < claim);
                if stronger {
                    by_upn.insert(upn, (claim, &user.user_id));
                }
            }
        }
        by_upn.into_iter().map(|(upn, (_, user_id))| (upn, user_id)).collect()
    }
}

/// How good a person's claim to a name is: there on the day, the present name, of an account in use, seen last.
type Claim = (bool, bool, bool, Date);
