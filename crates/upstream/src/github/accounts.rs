//! What people's accounts tell beyond their seats: mail address and age, a hundred people a call.
//!
//! GraphQL answers for 100 logins at once, and in the same answer names the SAML identity of each, which is the mail
//! address of those who show none. Where GraphQL is not to be had, REST answers one by one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::StreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use uptake_domain::seats_csv::AccountDetails;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::github::{GitHub, Owner};
use crate::http::retry::{Limit, Verdict, tells_of_a_limit};
use crate::http::{Answer, Call, Keep, Resource, Route, SIDE_BY_SIDE};

/// Logins asked for in one query. GitHub bounds a query by 500,000 nodes and ten seconds, not by aliases
/// (docs.github.com, GraphQL limits, read 2026-11-21); a hundred stay far inside both.
pub const LOGINS_PER_QUERY: usize = 100;

/// Accounts that may fail one by one before the look-up counts as failed.
const MOST_UNREAD: u64 = 5;

static GRAPHQL: Route = Route {
    template: "POST /graphql",
    resource: Resource::Graphql,
    grant: "grant the token read:user and user:email",
    not_found: "check UPTAKE_GITHUB_API_URL",
    is_download: false,
};
static USER: Route = Route {
    template: "GET /users/{login}",
    resource: Resource::Core,
    grant: "grant the token read:user and user:email",
    not_found: "the account no longer exists",
    is_download: false,
};

/// A person to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// GitHub's id.
    pub id: u64,
    /// The present login.
    pub login: String,
}

/// What was found about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// GitHub's id.
    pub id: u64,
    /// What the account tells; empty when there is no such account any more.
    pub details: AccountDetails,
    /// Whether asking again could tell more only after the account itself has changed. Not so when the address is hidden
    /// and the SAML identity could not be read.
    pub settled: bool,
}

/// What was worked around; a person may want to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workarounds {
    /// GraphQL was not to be had: people were asked for one by one.
    pub one_by_one: bool,
    /// SAML identities may not be read with this credential.
    pub no_saml_permission: bool,
    /// People whose account gave no answer and who are not among those found.
    pub unread: u64,
}

impl Workarounds {
    /// The workarounds of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            one_by_one: self.one_by_one || other.one_by_one,
            no_saml_permission: self.no_saml_permission || other.no_saml_permission,
            unread: self.unread + other.unread,
        }
    }

    /// Whether people who hide their address could be found out about under better conditions.
    pub fn kept_something_back(self) -> bool {
        self.one_by_one || self.no_saml_permission
    }
}

impl GitHub {
    /// Looks up the people and hands over each batch as it comes.
    ///
    /// After an error the batches before it have been handed over.
    pub async fn accounts(
        &self,
        owner: &Owner,
        people: &[Person],
        deadline: Deadline,
        mut on_batch: impl FnMut(Vec<Found>),
    ) -> Result<Workarounds, ApiError> {
        let lookup = Lookup {
            github: self,
            owner,
            deadline,
            graphql: AtomicBool::new(true),
            saml: AtomicBool::new(true),
            no_saml_permission: AtomicBool::new(false),
            unread: AtomicU64::new(0),
        };
        let mut batches = futures::stream::iter(people.chunks(LOGINS_PER_QUERY))
            .map(|batch| lookup.batch(batch))
            .buffered(SIDE_BY_SIDE);
        while let Some(batch) = batches.next().await {
            on_batch(batch?);
        }
        drop(batches);
        Ok(Workarounds {
            one_by_one: !lookup.graphql.into_inner(),
            no_saml_permission: lookup.no_saml_permission.into_inner(),
            unread: lookup.unread.into_inner(),
        })
    }
}

/// One look-up: what worked for a batch is what the next ones try.
struct Lookup<'a> {
    github: &'a GitHub,
    owner: &'a Owner,
    deadline: Deadline,
    graphql: AtomicBool,
    saml: AtomicBool,
    no_saml_permission: AtomicBool,
    unread: AtomicU64,
}

impl Lookup<'_> {
    async fn batch(&self, people: &[Person]) -> Result<Vec<Found>, ApiError> {
        let mut refused_with_saml = false;
        while self.graphql.load(Ordering::Relaxed) {
            let saml = self.saml.load(Ordering::Relaxed);
            match self.query(people, saml).await {
                Ok(Some(answer)) => {
                    if refused_with_saml {
                        self.no_saml_permission.store(true, Ordering::Relaxed);
                    }
                    return self.complete(people, &answer).await;
                }
                Ok(None) if saml => {
                    refused_with_saml = true;
                    self.saml.store(false, Ordering::Relaxed);
                }
                Ok(None) => self.graphql.store(false, Ordering::Relaxed),
                Err(
                    error @ (ApiError::RateLimited { .. }
                    | ApiError::DeadlineReached { .. }
                    | ApiError::Unauthorized { .. }),
                ) => return Err(error),
                Err(error) => {
                    if self.graphql.swap(false, Ordering::Relaxed) {
                        tracing::warn!(%error, "GraphQL gives no answer; asking for people one by one instead");
                    }
                }
            }
        }
        self.one_by_one(people).await
    }

    /// `None` when the whole query was refused.
    async fn query(&self, people: &[Person], saml: bool) -> Result<Option<PartialAnswer>, ApiError> {
        let body = serde_json::json!({ "query": query_text(self.owner, people, saml) }).to_string();
        let url = self.github.http.origin().at(&["graphql"]);
        let QueryAnswer { data, errors } = self
            .github
            .send(
                self.owner,
                &GRAPHQL,
                url,
                Call::Post(body.into()),
                self.deadline,
                read_answer,
            )
            .await?;
        let Some(data) = data else {
            return Ok(None);
        };
        if saml && data.identities().is_none() {
            // No identity provider, or no permission to see it: the queries that follow need not ask.
            self.saml.store(false, Ordering::Relaxed);
            if errors.iter().any(|error| error.user().is_none()) {
                self.no_saml_permission.store(true, Ordering::Relaxed);
            }
        }
        Ok(Some(PartialAnswer {
            data,
            failed: errors.iter().filter_map(QueryError::failed_user).collect(),
        }))
    }

    /// What a partial answer tells; who failed in it is asked for alone.
    async fn complete(&self, people: &[Person], answer: &PartialAnswer) -> Result<Vec<Found>, ApiError> {
        let may_tell_more = self.no_saml_permission.load(Ordering::Relaxed);
        let mut found = Vec::with_capacity(people.len());
        let mut left = Vec::new();
        for (index, person) in people.iter().enumerate() {
            if answer.failed.contains(&index) {
                left.push(person.clone());
                continue;
            }
            let details = answer.data.details(index);
            let exists = details.created_at.is_some();
            found.push(Found {
                id: person.id,
                settled: details.email.is_some() || !exists || !may_tell_more,
                details,
            });
        }
        found.extend(self.one_by_one(&left).await?);
        Ok(found)
    }

    async fn one_by_one(&self, people: &[Person]) -> Result<Vec<Found>, ApiError> {
        let mut found = Vec::with_capacity(people.len());
        for person in people {
            let url = self.github.http.origin().at(&["users", &person.login]);
            let read = |answer: &Answer| {
                serde_json::from_slice::<RestUser>(&answer.body)
                    .map_err(|_| Verdict::passing("the body is not an account"))
            };
            let (details, exists) = match self
                .github
                .send(self.owner, &USER, url, Call::Get(Keep::Body), self.deadline, read)
                .await
            {
                Ok(user) => {
                    let details = AccountDetails {
                        email: user.email.filter(|email| !email.is_empty()),
                        created_at: user.created_at,
                    };
                    (details, true)
                }
                Err(ApiError::NotFound { .. }) => (AccountDetails::default(), false),
                // One account that gives no answer must not cost the others theirs; several are no coincidence.
                Err(ApiError::Unavailable { .. } | ApiError::Forbidden { .. } | ApiError::Refused { .. })
                    if self.unread.fetch_add(1, Ordering::Relaxed) < MOST_UNREAD =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            found.push(Found {
                id: person.id,
                settled: details.email.is_some() || !exists,
                details,
            });
        }
        Ok(found)
    }
}

/// The logins stand in the text, as JSON strings: GraphQL writes strings the same way.
fn query_text(owner: &Owner, people: &[Person], saml: bool) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let each = |part: fn(usize, String) -> String| -> String {
        let parts = people.iter().enumerate();
        parts
            .map(|(index, person)| part(index, quoted(&person.login)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let users = each(|index, login| format!("u{index}:user(login:{login}){{email createdAt}}"));
    let identities = if saml {
        let identities = each(|index, login| {
            format!("i{index}:externalIdentities(first:1,login:{login}){{nodes{{samlIdentity{{nameId}}}}}}")
        });
        let slug = quoted(owner.slug());
        match owner {
            Owner::Enterprise(_) => {
                format!("enterprise(slug:{slug}){{ownerInfo{{samlIdentityProvider{{{identities}}}}}}}")
            }
            Owner::Organisation(_) => format!("organization(login:{slug}){{samlIdentityProvider{{{identities}}}}}"),
        }
    } else {
        String::new()
    };
    format!("query{{{users} {identities}}}")
}

#[derive(Deserialize)]
struct QueryAnswer {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<QueryError>,
}

/// An answer about most of the people.
struct PartialAnswer {
    data: Data,
    /// Whose look-up failed, by their place in the query.
    failed: HashSet<usize>,
}

#[derive(Deserialize)]
struct QueryError {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    path: Vec<serde_json::Value>,
}

impl QueryError {
    /// GitHub writes it both ways.
    fn is_rate_limit(&self) -> bool {
        matches!(self.kind.as_deref(), Some("RATE_LIMITED" | "RATE_LIMIT"))
    }

    /// Which of the users it is about, if any.
    fn user(&self) -> Option<usize> {
        self.path.first()?.as_str()?.strip_prefix('u')?.parse().ok()
    }

    /// Which user could not be looked up. That a login does not exist is an answer.
    fn failed_user(&self) -> Option<usize> {
        self.user().filter(|_| self.kind.as_deref() != Some("NOT_FOUND"))
    }
}

#[derive(Deserialize)]
struct Data {
    enterprise: Option<EnterprisePart>,
    organization: Option<ProviderPart>,
    #[serde(flatten)]
    aliases: HashMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnterprisePart {
    owner_info: Option<ProviderPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProviderPart {
    saml_identity_provider: Option<HashMap<String, Option<Identities>>>,
}

#[derive(Deserialize)]
struct Identities {
    #[serde(default)]
    nodes: Vec<IdentityNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityNode {
    saml_identity: Option<SamlIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SamlIdentity {
    name_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GraphqlUser {
    email: Option<String>,
    created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct RestUser {
    email: Option<String>,
    created_at: Option<Timestamp>,
}

impl Data {
    fn identities(&self) -> Option<&HashMap<String, Option<Identities>>> {
        let provider = match &self.enterprise {
            Some(enterprise) => enterprise.owner_info.as_ref(),
            None => self.organization.as_ref(),
        };
        provider?.saml_identity_provider.as_ref()
    }

    fn details(&self, index: usize) -> AccountDetails {
        let user: GraphqlUser = self
            .aliases
            .get(&format!("u{index}"))
            .and_then(|user| Option::<GraphqlUser>::deserialize(user).ok().flatten())
            .unwrap_or_default();
        let name_id = || {
            let identities = self.identities()?.get(&format!("i{index}"))?.as_ref()?;
            identities.nodes.first()?.saml_identity.as_ref()?.name_id.clone()
        };
        AccountDetails {
            email: user
                .email
                .filter(|email| !email.is_empty())
                .or_else(name_id)
                .filter(|email| !email.is_empty()),
            created_at: user.created_at,
        }
    }
}

/// GraphQL tells of its rate limits with status 200.
fn read_answer(answer: &Answer) -> Result<QueryAnswer, Verdict> {
    let read: QueryAnswer =
        serde_json::from_slice(&answer.body).map_err(|_| Verdict::passing("the body is not a GraphQL answer"))?;
    let is_limit =
        read.errors.iter().any(QueryError::is_rate_limit) || (read.data.is_none() && tells_of_a_limit(&answer.body));
    if is_limit {
        return Err(Verdict::Wait(Limit::Unspecified));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(logins: &[&str]) -> Vec<Person> {
        (1..)
            .zip(logins)
            .map(|(id, login)| Person {
                id,
                login: (*login).to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_query_names_each_login_as_a_string_that_cannot_end_early() {
        let owner = Owner::Enterprise("octo-enterprise".into());
        let text = query_text(&owner, &people(&["octocat", "a\"){evil}"]), true);
        assert!(text.contains(r#"u0:user(login:"octocat"){email createdAt}"#), "{text}");
        assert!(text.contains(r#"u1:user(login:"a\"){evil}")"#), "{text}");
        assert!(text.contains(r#"enterprise(slug:"octo-enterprise"){ownerInfo{samlIdentityProvider{i0:externalIdentities(first:1,login:"octocat")"#), "{text}");
        assert!(!query_text(&owner, &people(&["octocat"]), false).contains("enterprise"));
    }

    fn details(json: &str, index: usize) -> AccountDetails {
        serde_json::from_str::<QueryAnswer>(json)
            .unwrap()
            .data
            .unwrap()
            .details(index)
    }

    #[test]
    fn a_partial_answer_gives_what_it_has() {
        let json = r#"{"data":{
            "u0":{"login":"a","databaseId":1,"email":"a@octo.example","createdAt":"2020-01-01T00:00:00Z"},
            "u1":null,
            "u2":{"login":"c","databaseId":3,"email":"","createdAt":"2021-01-01T00:00:00Z"},
            "u3":{"login":"d","databaseId":4,"email":null,"createdAt":"nonsense"},
            "enterprise":{"ownerInfo":{"samlIdentityProvider":{
              "i0":{"nodes":[{"samlIdentity":{"nameId":"saml-a@octo.example"},"user":{"login":"a"}}]},
              "i1":{"nodes":[]},
              "i2":{"nodes":[{"samlIdentity":{"nameId":"saml-c@octo.example"}}]},
              "i3":null}}},
            "rateLimit":{"cost":1,"remaining":4999,"resetAt":"2026-11-20T07:00:00Z"}},
          "errors":[{"type":"NOT_FOUND","path":["u1"],"message":"no such user"}]}"#;
        assert_eq!(
            details(json, 0).email.as_deref(),
            Some("a@octo.example"),
            "the public address wins"
        );
        assert_eq!(details(json, 1), AccountDetails::default());
        assert_eq!(details(json, 2).email.as_deref(), Some("saml-c@octo.example"));
        assert_eq!(details(json, 3), AccountDetails::default());
        assert_eq!(details(json, 9), AccountDetails::default());
    }
}
