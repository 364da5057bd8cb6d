//! Everything a person of the tenant can be known by.

use std::iter;

use super::{tenant::Tenant, usage::STRANGER};
use crate::people::Tenure;

/// How far back reports reach that may be served on a day, and accounts that were deleted lately.
const REMEMBERED_DAYS: i64 = 60;

impl Tenant {
    /// Every UPN, name and mail address that may be served on a day: of those who are there, of those whom a report
    /// still names, and what they were called then.
    pub(crate) fn identities(&self, day: i64) -> Vec<String> {
        let mut identities = Vec::with_capacity(3 * usize::try_from(self.users).unwrap_or_default());
        identities.push(STRANGER.to_owned());
        for slot in 0..self.users {
            let now = self.tenure(slot, day);
            self.add_all_names(now, day, &mut identities);
            let before = self.tenure(slot, day - REMEMBERED_DAYS);
            if before.number != now.number {
                self.add_all_names(before, before.ends_on - 1, &mut identities);
            }
        }
        identities
    }

    /// As whom somebody is known on a day, and as whom they were known before. Nobody keeps a name for less than half
    /// of the time.
    fn add_all_names(&self, tenure: Tenure, day: i64, identities: &mut Vec<String>) {
        self.add_names(tenure, day, identities);
        for earlier in [day - REMEMBERED_DAYS / 2, day - REMEMBERED_DAYS] {
            if self.is_renamed(tenure, earlier) != self.is_renamed(tenure, day) {
                self.add_names(tenure, earlier, identities);
            }
        }
    }

    fn add_names(&self, tenure: Tenure, day: i64, identities: &mut Vec<String>) {
        let profile = self.profile(tenure, day);
        // Reports write it in another case.
        let lower = profile.upn.to_lowercase();
        let spelled = (profile.upn != lower).then(|| profile.upn.clone());
        let mail = profile.mail.filter(|mail| *mail != lower);
        identities.extend(iter::once(lower).chain(spelled).chain(mail));
        identities.push(profile.display_name);
    }
}
