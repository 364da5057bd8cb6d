//! The repositories and their workflows. Their position decides what they are, so that twelve have every kind of them.

use crate::{
    ORGANISATIONS,
    actions::runs::{Event, FIRST_DAY},
};

/// The largest number of repositories.
pub(crate) const MOST_REPOSITORIES: u32 = 1000;

/// The first dozen is what the default data set has; the rest joins in larger ones, later with a number behind the name.
const NAMES: [&str; 36] = [
    "pay-api",
    "ledger-core",
    "web-shop",
    "ledger-ui",
    "pay-gateway",
    "search-index",
    "media-archive",
    "ledger-archive",
    "pay-mobile",
    "sandbox",
    "old-reports",
    "docs-site",
    "billing-api",
    "billing-worker",
    "checkout-flow",
    "identity-provider",
    "ledger-import",
    "catalogue-service",
    "infra-terraform",
    "invoice-archive",
    "design-tokens",
    "fraud-model",
    "pay-sdk",
    "mobile-app",
    "delivery-planner",
    "inventory-sync",
    "web-admin",
    "search-crawler",
    "pricing-engine",
    "ledger-export",
    "observability-stack",
    "orders-archive",
    "web-blog",
    "returns-desk",
    "data-lake",
    "warehouse-robots",
];

/// How much happens in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Takes its share of the day's runs; the first has the most.
    Busy,
    /// A handful of runs a week.
    Quiet,
    /// Has never run anything.
    Silent,
    Archived,
    Disabled,
}

/// What the scenario lets a client have of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    /// It is listed, and everything about it is refused.
    Forbidden,
    /// It does not exist.
    Gone,
}

/// One repository.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) index: u32,
    pub(crate) id: u64,
    pub(crate) organisation: usize,
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) visibility: &'static str,
    pub(crate) life: Life,
    pub(crate) access: Access,
    pub(crate) fork: bool,
    pub(crate) default_branch: &'static str,
    /// The day it was made, long before its first run.
    pub(crate) created_on: i64,
    pub(crate) workflows: Vec<Workflow>,
}

/// One workflow of a repository.
#[derive(Debug)]
pub(crate) struct Workflow {
    pub(crate) id: u64,
    pub(crate) template: &'static Template,
}

/// A workflow as many repositories have it.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) state: &'static str,
    /// What starts it, and how often compared with everything else; a dormant workflow has nothing.
    pub(crate) events: &'static [(Event, u64)],
}

static TEMPLATES: [Template; 6] = [
    Template {
        name: "CI",
        path: ".github/workflows/ci.yml",
        state: "active",
        events: &[(Event::Push, 22), (Event::PullRequest, 24), (Event::MergeGroup, 4)],
    },
    Template {
        name: "Deploy",
        path: ".github/workflows/deploy.yml",
        state: "active",
        events: &[(Event::Push, 8), (Event::WorkflowDispatch, 8)],
    },
    Template {
        name: "Nightly",
        path: ".github/workflows/nightly.yml",
        state: "active",
        events: &[(Event::Schedule, 7), (Event::WorkflowDispatch, 1)],
    },
    Template {
        name: "Lint",
        path: ".github/workflows/lint.yml",
        state: "active",
        events: &[(Event::Push, 5), (Event::PullRequest, 9)],
    },
    Template {
        name: "Label pull requests",
        path: ".github/workflows/label.yml",
        state: "active",
        events: &[(Event::PullRequestTarget, 5)],
    },
    Template {
        name: "CodeQL",
        path: "dynamic/github-code-scanning/codeql",
        state: "active",
        events: &[(Event::Schedule, 3), (Event::Push, 4)],
    },
];

static DORMANT: Template = Template {
    name: "Legacy pipeline",
    path: ".github/workflows/legacy.yml",
    state: "active",
    events: &[],
};

static SWITCHED_OFF: Template = Template {
    name: "Old release",
    path: ".github/workflows/release-old.yml",
    state: "disabled_manually",
    events: &[],
};

impl Repository {
    pub(crate) fn new(index: u32) -> Self {
        let (organisation, name) = (organisation_of(index), name_of(index));
        let templates: Vec<&'static Template> = match index % 6 {
            0 => TEMPLATES[..5].iter().chain([&DORMANT]).collect(),
            1 => TEMPLATES[..4].iter().chain([&SWITCHED_OFF]).collect(),
            2 => TEMPLATES.iter().collect(),
            3 => TEMPLATES[..3].iter().collect(),
            4 => TEMPLATES[..1].iter().collect(),
            _ => TEMPLATES[..2].iter().chain([&DORMANT, &SWITCHED_OFF]).collect(),
        };
        let id = 612_340_017 + u64::from(index) * 7919;
        Self {
            index,
            id,
            organisation,
            full_name: format!("{}/{name}", ORGANISATIONS[organisation]),
            name,
            visibility: match index % 10 {
                5 => "public",
                0 | 3 | 6 | 8 => "private",
                _ => "internal",
            },
            life: match (index, index % 12) {
                (10, _) => Life::Disabled,
                (9, _) => Life::Silent,
                (_, 7) => Life::Archived,
                (_, 6 | 8 | 11) => Life::Quiet,
                _ => Life::Busy,
            },
            access: Access::Open,
            fork: index % 40 == 5,
            default_branch: match index % 12 {
                1 => "master",
                4 => "trunk",
                _ => "main",
            },
            created_on: FIRST_DAY - i64::from(MOST_REPOSITORIES) + i64::from(index),
            workflows: (41_310_882 + u64::from(index) * 64..)
                .zip(templates)
                .map(|(id, template)| Workflow { id, template })
                .collect(),
        }
    }

    /// Whether it may have runs at all.
    pub(crate) fn has_runs(&self) -> bool {
        !matches!(self.life, Life::Archived | Life::Disabled)
    }

    pub(crate) fn owner(&self) -> &'static str {
        ORGANISATIONS[self.organisation]
    }
}

/// Three of four are the first organisation's.
fn organisation_of(index: u32) -> usize {
    usize::from(index % 4 == 2)
}

fn name_of(index: u32) -> String {
    let count = u32::try_from(NAMES.len()).unwrap_or(u32::MAX);
    let name = NAMES[usize::try_from(index % count).unwrap_or_default()];
    match index / count {
        0 => name.to_owned(),
        round => format!("{name}-{}", round + 1),
    }
}

/// The position of a repository by its full name, among the first so many.
pub(crate) fn position(full_name: &str, repositories: u32) -> Option<u32> {
    let (owner, name) = full_name.split_once('/')?;
    (0..repositories).find(|index| {
        ORGANISATIONS[organisation_of(*index)].eq_ignore_ascii_case(owner) && name_of(*index).eq_ignore_ascii_case(name)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_ids_are_given_once_and_are_found_again() {
        let all: Vec<_> = (0..MOST_REPOSITORIES).map(Repository::new).collect();
        let ids: HashSet<_> = all.iter().map(|repository| repository.id).collect();
        let workflows: HashSet<_> = all.iter().flat_map(|r| &r.workflows).map(|w| w.id).collect();
        assert_eq!(ids.len(), all.len());
        assert_eq!(workflows.len(), all.iter().map(|r| r.workflows.len()).sum::<usize>());
        for repository in &all {
            assert_eq!(
                position(&repository.full_name, MOST_REPOSITORIES),
                Some(repository.index)
            );
            assert!((1..=6).contains(&repository.workflows.len()));
        }
    }
}
