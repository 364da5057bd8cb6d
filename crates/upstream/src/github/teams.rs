//! Enterprise teams.

use serde::Deserialize;
use uptake_domain::seat::team_slug;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::github::{GitHub, Owner};
use crate::http::{Resource, Route};

static TEAMS: Route = Route {
    template: "GET /enterprises/{enterprise}/teams",
    resource: Resource::Core,
    grant: "grant the token read:enterprise (a classic token of an enterprise owner; GitHub takes no App here)",
    not_found: "check UPTAKE_GITHUB_ENTERPRISE, and that the token has read:enterprise: GitHub hides what a token may not see",
    is_download: false,
};

#[derive(Deserialize)]
struct Team {
    slug: String,
}

impl GitHub {
    /// The slugs of an enterprise's teams.
    pub async fn enterprise_team_slugs(&self, enterprise: &str, deadline: Deadline) -> Result<Vec<String>, ApiError> {
        let owner = Owner::Enterprise(enterprise.to_owned());
        let mut slugs = Vec::new();
        let decode = |body: &[u8]| {
            serde_json::from_slice::<Vec<Team>>(body).map_err(|_| "the body is not a list of teams".to_owned())
        };
        self.list(
            &owner,
            &TEAMS,
            self.at(&["enterprises", enterprise, "teams"]),
            deadline,
            decode,
            |page, _| {
                slugs.extend(page.iter().map(|team| team_slug(&team.slug).to_owned()));
            },
        )
        .await?;
        Ok(slugs)
    }
}
