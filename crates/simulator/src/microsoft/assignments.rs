//! A person's licences as the directory writes them (UPSTREAM 4.2).

use jiff::Timestamp;
use serde::Serialize;

use super::{
    licences::{Path, Segment, Standing},
    skus::Sku,
    tenant::{Spell, Tenant},
};
use crate::{days::instant, people::Tenure};

/// How long plans that somebody has lost are listed as deleted.
const DELETED_DAYS: i64 = 30;

/// The groups whose members get licences, as assignments name them.
const GROUPS: [&str; 3] = [
    "3b9d41f0-6c17-4c8a-bb52-90e2f7a4d5c1",
    "a87e0c35-d2b4-4f19-8e60-4c1d9f3b2a76",
    "e45c17b8-09fa-4d23-97c6-b8f20a61d9e3",
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct License {
    disabled_plans: Vec<&'static str>,
    sku_id: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanState {
    assigned_date_time: Option<Timestamp>,
    capability_status: &'static str,
    service: &'static str,
    service_plan_id: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assignment {
    sku_id: &'static str,
    disabled_plans: Vec<&'static str>,
    assigned_by_group: Option<&'static str>,
    state: &'static str,
    error: &'static str,
    last_updated_date_time: Option<Timestamp>,
}

/// Everything about a person's licences on a day.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    pub(super) licenses: Vec<License>,
    pub(super) plans: Vec<PlanState>,
    pub(super) states: Vec<Assignment>,
}

impl Assignments {
    pub(super) fn of(tenant: &Tenant, tenure: Tenure, spell: Spell, day: i64) -> Self {
        let mut assignments = Self::default();
        if tenant.has_office(tenure) {
            let group = GROUPS[0];
            assignments.add_office(instant(spell.from, 9 * 3600), Some(group));
        }
        let licences = tenant.licences(tenure);
        let is_current = |segment: &&Segment| (segment.from..segment.until).contains(&day);
        for segment in licences.iter().filter(is_current) {
            let group = GROUPS[1 + usize::from(tenure.slot.is_multiple_of(2))];
            assignments.add(segment, group, day);
        }
        // What is lost is remembered as long as nothing has taken its place.
        for segment in licences.iter().rev() {
            let is_lost = segment.until <= day && day < segment.until + DELETED_DAYS;
            if is_lost && !matches!(segment.standing, Standing::Failed { .. }) {
                for (position, plan) in segment.plans_on() {
                    assignments.add_plan(plan, segment.assigned_at(position, day), "Deleted");
                }
            }
        }
        assignments
    }

    fn add_office(&mut self, at: Timestamp, group: Option<&'static str>) {
        self.licenses.push(License {
            disabled_plans: Vec::new(),
            sku_id: Sku::Office.id(),
        });
        for plan in Sku::Office.other_plans() {
            self.add_plan(plan, Some(at), "Enabled");
        }
        self.states.push(Assignment {
            sku_id: Sku::Office.id(),
            disabled_plans: Vec::new(),
            assigned_by_group: group,
            state: "Active",
            error: "None",
            last_updated_date_time: Some(at),
        });
    }

    fn add(&mut self, segment: &Segment, group: &'static str, day: i64) {
        let plans = segment.sku.copilot_plans();
        let disabled = || -> Vec<&'static str> {
            let off = plans
                .iter()
                .enumerate()
                .filter(|(position, _)| segment.is_off(*position));
            off.map(|(_, plan)| plan.id).collect()
        };
        let sku_id = segment.sku.id();
        let mut state = |by_group: bool, later: i64, state: &'static str, error: &'static str| {
            self.states.push(Assignment {
                sku_id,
                disabled_plans: disabled(),
                assigned_by_group: by_group.then_some(group),
                state,
                error,
                last_updated_date_time: Timestamp::from_second(segment.updated_at + later).ok(),
            });
        };
        let (good, error) = match segment.standing {
            Standing::InForce | Standing::Suspended => ("Active", "None"),
            Standing::WithError => ("ActiveWithError", "DependencyViolation"),
            Standing::Failed { .. } => ("Error", "CountViolation"),
        };
        match segment.path {
            Path::Direct => state(false, 0, good, error),
            Path::Group => state(true, 0, good, error),
            Path::Both => {
                state(true, 3, good, error);
                state(false, 0, good, error);
            }
            Path::GroupFailed => {
                state(true, 3, "Error", "MutuallyExclusiveViolation");
                state(false, 0, good, error);
            }
        }
        if !matches!(segment.standing, Standing::Failed { listed: false }) {
            self.licenses.push(License {
                disabled_plans: disabled(),
                sku_id,
            });
        }
        let status = match segment.standing {
            Standing::InForce | Standing::WithError => "Enabled",
            Standing::Suspended => "Suspended",
            Standing::Failed { .. } => return,
        };
        for (position, plan) in plans.iter().enumerate() {
            let status = if segment.is_off(position) { "Deleted" } else { status };
            self.add_plan(plan, segment.assigned_at(position, day), status);
        }
        for plan in segment.sku.other_plans() {
            self.add_plan(plan, segment.assigned_at(0, day), status);
        }
    }

    /// A plan is listed once, however many SKUs it comes with.
    fn add_plan(&mut self, plan: &super::skus::Plan, at: Option<Timestamp>, status: &'static str) {
        if !self.plans.iter().any(|listed| listed.service_plan_id == plan.id) {
            self.plans.push(PlanState {
                assigned_date_time: at,
                capability_status: status,
                service: plan.service,
                service_plan_id: plan.id,
            });
        }
    }
}
