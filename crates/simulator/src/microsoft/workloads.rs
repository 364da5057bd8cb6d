//! The lines of the active-user report: when everybody with a product was last seen in each workload.

use super::{
    activity::WORKLOADS,
    cast::Kind,
    licences::date,
    skus::Sku,
    tenant::{Spell, Tenant},
    truth::WorkloadTruth,
};
use crate::people::Tenure;

/// How long Entra remembers who was deleted.
const DELETED_DAYS: i64 = 30;

/// One line of the report.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) upn: String,
    pub(super) display_name: String,
    pub(super) deleted_on: Option<i64>,
    /// Since when there is Office, if at all.
    pub(super) office_since: Option<i64>,
    /// The last day in Exchange, `OneDrive`, `SharePoint` and Teams.
    pub(super) seen: [Option<i64>; WORKLOADS],
    pub(super) products: Vec<&'static str>,
}

/// The report of a refresh date.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) refresh: i64,
    pub(super) lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(tenant: &Tenant, refresh: i64) -> Self {
        let mut lines = Vec::new();
        for slot in 0..tenant.users {
            let tenure = tenant.tenure(slot, refresh);
            // Whoever had the place before may still be remembered.
            if refresh - tenure.starts_on < DELETED_DAYS {
                let earlier = tenant.tenure(slot, tenure.starts_on - 1);
                lines.extend(tenant.workload_line(earlier, refresh));
            }
            lines.extend(tenant.workload_line(tenure, refresh));
        }
        Self { refresh, lines }
    }

    /// The same report, of one day only: those whom it saw on that day.
    pub(super) fn of_the_day(self) -> Self {
        let Self { refresh, mut lines } = self;
        lines.retain(|line| line.seen.contains(&Some(refresh)));
        Self { refresh, lines }
    }

    pub(super) fn truths(&self) -> Vec<WorkloadTruth> {
        let truth = |line: &Line| {
            let [exchange_on, onedrive_on, sharepoint_on, teams_on] = line.seen.map(date);
            WorkloadTruth {
                upn: line.upn.to_lowercase(),
                deleted: line.deleted_on.is_some(),
                exchange_on,
                onedrive_on,
                sharepoint_on,
                teams_on,
            }
        };
        self.lines.iter().map(truth).collect()
    }
}

impl Tenant {
    fn workload_line(&self, tenure: Tenure, refresh: i64) -> Option<Line> {
        if self.kind(tenure) == Kind::Guest {
            return None;
        }
        let is_remembered = |spell: &Spell| (spell.from..spell.until + DELETED_DAYS).contains(&refresh);
        let spell = self.spells(tenure).into_iter().rev().find(is_remembered)?;
        let profile = self.profile(tenure, refresh.min(spell.until - 1));
        let has_office = self.has_office(tenure);
        let mut products: Vec<_> = has_office.then_some(Sku::Office.product()).into_iter().collect();
        let held = self.licences(tenure).into_iter();
        products.extend(
            held.filter(|segment| (segment.from..segment.until).contains(&refresh) && segment.is_in_force())
                .map(|segment| segment.sku.product()),
        );
        if products.is_empty() {
            return None;
        }
        Some(Line {
            upn: profile.upn,
            display_name: profile.display_name,
            deleted_on: (spell.until <= refresh).then_some(spell.until),
            office_since: has_office.then_some(spell.from),
            seen: self.seen(tenure, spell, refresh),
            products,
        })
    }
}
