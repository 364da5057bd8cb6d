//! Account details already looked up: an address and an age do not change from one day to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uptake_domain::seats_csv::AccountDetails;
use uptake_upstream::github::accounts::Found;

use crate::zstd_json;

/// How long details are good for.
const GOOD_FOR_DAYS: i32 = 7;

/// Details by GitHub's id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownAccounts(BTreeMap<u64, Known>);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    looked_up_on: Date,
    settled: bool,
    details: AccountDetails,
}

/// What a person's details want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// They are good.
    Nothing,
    /// They are not known, or a week old.
    LookUp,
    /// A missing permission or an outage kept something back, and that may have changed since yesterday.
    MayTellMore,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: u64,
    looked_up_on: Date,
    settled: bool,
    #[serde(flatten)]
    details: AccountDetails,
}

impl KnownAccounts {
    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Self> {
        zstd_json::decode(bytes)?
            .map(|line| {
                let Line {
                    id,
                    looked_up_on,
                    settled,
                    details,
                } = line?;
                let known = Known {
                    looked_up_on,
                    settled,
                    details,
                };
                Ok((id, known))
            })
            .collect::<io::Result<_>>()
            .map(Self)
    }

    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        zstd_json::encode(self.0.iter().map(|(id, known)| Line {
            id: *id,
            looked_up_on: known.looked_up_on,
            settled: known.settled,
            details: known.details.clone(),
        }))
    }

    /// Whether the person's details have to be looked up on `day`.
    pub(crate) fn need(&self, id: u64, day: Date) -> Need {
        let Some(known) = self.0.get(&id) else {
            return Need::LookUp;
        };
        match (day - known.looked_up_on).get_days().abs() {
            GOOD_FOR_DAYS.. => Need::LookUp,
            1.. if !known.settled => Need::MayTellMore,
            _ => Need::Nothing,
        }
    }

    pub(crate) fn learn(&mut self, day: Date, batch: Vec<Found>) {
        self.0.extend(batch.into_iter().map(|found| {
            let known = Known {
                looked_up_on: day,
                settled: found.settled,
                details: found.details,
            };
            (found.id, known)
        }));
    }

    /// Forgets everybody else: who has no seat is none of our business.
    pub(crate) fn keep_only(&mut self, ids: &BTreeSet<u64>) {
        self.0.retain(|id, _| ids.contains(id));
    }

    pub(crate) fn details(&self) -> BTreeMap<u64, AccountDetails> {
        self.0.iter().map(|(id, known)| (*id, known.details.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;

    #[test]
    fn details_are_good_for_a_week_and_survive_storage() {
        let day = date(2026, 11, 20);
        let mut known = KnownAccounts::default();
        let details = AccountDetails {
            email: Some("octocat@octo.example".into()),
            created_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        };
        let found = |id, details, settled| Found { id, details, settled };
        let nothing = AccountDetails::default;
        known.learn(
            day,
            vec![
                found(1, details.clone(), true),
                found(2, nothing(), true),
                found(3, nothing(), false),
            ],
        );
        let mut known = KnownAccounts::decode(&known.encode().unwrap()).unwrap();
        for (id, days, need) in [
            (1, 0, Need::Nothing),
            (1, 6, Need::Nothing),
            (1, 7, Need::LookUp),
            (1, -6, Need::Nothing),
            (1, -7, Need::LookUp),
            (2, 6, Need::Nothing), // that an account is gone is known as well
            (3, 0, Need::Nothing),
            (3, 1, Need::MayTellMore),
            (3, 7, Need::LookUp),
            (4, 0, Need::LookUp),
        ] {
            assert_eq!(
                known.need(id, day.saturating_add(days.days())),
                need,
                "{id} after {days} days"
            );
        }
        known.keep_only(&BTreeSet::from([1]));
        assert_eq!(known.details(), BTreeMap::from([(1, details)]));
    }
}
