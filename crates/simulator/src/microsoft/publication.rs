//! When a report comes out: some days after the day it tells up to, and now and then never.

use super::tenant::Tenant;
use crate::{days, dice::Topic};

/// How far back a report is looked for. Further than any scenario reaches that publishes anything at all.
const LONGEST_SILENCE_DAYS: i64 = 1000;

/// The two kinds of report; each comes out by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Who used Copilot.
    Usage,
    /// Who was seen in the workloads.
    Workloads,
}

impl Tenant {
    /// The day on which the report of this refresh date comes out.
    pub(crate) fn published_on(&self, kind: Kind, refresh: i64) -> Option<i64> {
        let scenario = &self.scenario;
        let who = match kind {
            Kind::Usage => 0,
            Kind::Workloads => 1,
        };
        let never = self.dice.throw(Topic::Publication, who, refresh, 100) < scenario.missing_report_percent;
        let named = kind == Kind::Usage && scenario.missing_report_days.contains(&days::date_of(refresh));
        if never || named {
            return None;
        }
        let [least, most] = scenario.report_lag_days;
        // Beside the throws for missing ones, which are by report too.
        let lag = least
            + self
                .dice
                .throw(Topic::Publication, who + 2, refresh, most.saturating_sub(least) + 1);
        Some(refresh.saturating_add_unsigned(lag))
    }

    /// The newest refresh date whose report is out on a day. It never goes back: what is out stays out.
    pub(crate) fn served(&self, kind: Kind, day: i64) -> Option<i64> {
        let is_out = |refresh: &i64| self.published_on(kind, *refresh).is_some_and(|out| out <= day);
        (day - LONGEST_SILENCE_DAYS..=day).rev().find(is_out)
    }
}
