//! Who is asking, by the `Authorization` header, and what they may see.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::{app, refusal::Refusal};
use crate::{
    ENTERPRISE, ORGANISATIONS, TOKEN,
    actions::repositories::{Access, Repository},
    world::World,
};

/// An authenticated caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A person with the classic token.
    Person,
    /// The App as itself, by a JWT it signed.
    App,
    /// The App in the organisation of this index, by an installation token.
    Installation(usize),
}

impl Caller {
    pub(super) fn of(world: &World, headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = headers.get(AUTHORIZATION).ok_or(Refusal::RequiresAuthentication)?;
        let header = header.to_str().map_err(|_| Refusal::BadCredentials)?;
        let (scheme, token) = header.split_once(' ').ok_or(Refusal::BadCredentials)?;
        if !["bearer", "token"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(Refusal::BadCredentials);
        }
        if token == TOKEN {
            return Ok(Self::Person);
        }
        // Of all tokens only a JWT has dots.
        if token.contains('.') {
            return app::check_jwt(token).map(|()| Self::App);
        }
        world
            .github
            .installations
            .organisation_of(token, &world.clock)
            .map(Self::Installation)
    }

    /// Enterprise endpoints know no Apps (UPSTREAM fact 5), and GitHub hides what it will not show.
    pub(super) fn may_read_enterprise(self, slug: &str) -> Result<(), Refusal> {
        match self {
            Self::Person if slug.eq_ignore_ascii_case(ENTERPRISE) => Ok(()),
            Self::Person => Err(Refusal::NotFound),
            Self::Installation(_) => Err(Refusal::NotForIntegrations),
            Self::App => Err(Refusal::BadCredentials),
        }
    }

    /// The index of the organisation, where the caller may read it.
    pub(super) fn may_read_organisation(self, login: &str) -> Result<usize, Refusal> {
        let index = organisation(login)?;
        match self {
            Self::Person => Ok(index),
            Self::Installation(installed) if installed == index => Ok(index),
            Self::Installation(_) => Err(Refusal::NotForIntegrations),
            Self::App => Err(Refusal::BadCredentials),
        }
    }

    /// The index of the organisation, where the caller may list its repositories. GitHub hides what it will not show.
    pub(super) fn may_list_repositories(self, login: &str) -> Result<usize, Refusal> {
        match self.may_read_organisation(login) {
            Err(Refusal::NotForIntegrations) => Err(Refusal::NotFound),
            other => other,
        }
    }

    /// The repository, where it exists and the caller may read it.
    pub(super) fn may_read_repository<'w>(
        self,
        world: &'w World,
        owner: &str,
        name: &str,
    ) -> Result<&'w Repository, Refusal> {
        let repository = world.actions.repository(owner, name).ok_or(Refusal::NotFound);
        match self {
            Self::App => Err(Refusal::BadCredentials),
            Self::Installation(installed) if repository?.organisation != installed => Err(Refusal::NotFound),
            Self::Installation(_) if repository?.access == Access::Forbidden => Err(Refusal::NotForIntegrations),
            Self::Person if repository?.access == Access::Forbidden => Err(Refusal::Forbidden),
            Self::Installation(_) | Self::Person => repository,
        }
    }

    /// User accounts are open to every token, but not to the App as itself.
    pub(super) fn may_read_users(self) -> Result<(), Refusal> {
        if self == Self::App {
            Err(Refusal::BadCredentials)
        } else {
            Ok(())
        }
    }

    pub(super) fn is_app(self) -> Result<(), Refusal> {
        match self {
            Self::App => Ok(()),
            _ => Err(Refusal::BadJwt("A JSON web token could not be decoded")),
        }
    }
}

/// The index of an organisation by its login.
pub(super) fn organisation(login: &str) -> Result<usize, Refusal> {
    ORGANISATIONS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(login))
        .ok_or(Refusal::NotFound)
}
