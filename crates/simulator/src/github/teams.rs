//! The teams of the enterprise (UPSTREAM 3.1).

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use serde::Serialize;

use super::{caller::Caller, paging::Paging, refusal::Refusal};
use crate::{ENTERPRISE, teams::Team, world::World};

const PER_PAGE: usize = 30;

#[derive(Serialize)]
struct EnterpriseTeam<'a> {
    id: u32,
    url: String,
    member_url: String,
    name: &'a str,
    description: Option<String>,
    html_url: String,
    slug: &'a str,
    created_at: &'static str,
    updated_at: &'static str,
    group_id: Option<String>,
    organization_selection_type: &'static str,
    // Not in the documentation: a client must not mind.
    sync_to_organizations: &'static str,
}

impl<'a> From<&'a Team> for EnterpriseTeam<'a> {
    fn from(team: &'a Team) -> Self {
        let url = format!(
            "https://api.github.example/enterprises/{ENTERPRISE}/teams/{}",
            team.slug
        );
        Self {
            id: team.id,
            member_url: format!("{url}/memberships{{/member}}"),
            url,
            name: team.name,
            description: (!team.id.is_multiple_of(3)).then(|| format!("Everyone who works on {}.", team.name)),
            html_url: format!("https://github.example/enterprises/{ENTERPRISE}/teams/{}", team.slug),
            slug: &team.slug,
            created_at: "2024-02-26T19:01:12Z",
            updated_at: "2024-03-04T19:14:43Z",
            group_id: team
                .id
                .is_multiple_of(2)
                .then(|| format!("62ab9291-fae2-468e-974b-{:012}", team.id)),
            organization_selection_type: "disabled",
            sync_to_organizations: "disabled",
        }
    }
}

/// `GET /enterprises/{enterprise}/teams`
pub(super) async fn enterprise_teams(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(enterprise): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    caller.may_read_enterprise(&enterprise)?;
    let teams = world.model.teams.all();
    let paging = Paging::of(&uri, PER_PAGE);
    let page: Vec<_> = teams[paging.range(teams.len())]
        .iter()
        .map(EnterpriseTeam::from)
        .collect();
    Ok(paging.answer(&world.url, &uri, teams.len(), &page))
}
