//! Users in bulk and their SAML identities by GraphQL (UPSTREAM 3.4), with partial answers where someone is missing.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    caller::{self, Caller},
    limits::Resource,
    query::{self, Field},
    refusal::Refusal,
};
use crate::{ENTERPRISE, GraphQl, ORGANISATIONS, Saml, people::Profile, world::World};

/// Aliases of one kind in a call. GitHub cuts off by time and nodes; the clients we know stay at a hundred.
const MOST_ALIASES: usize = 100;

#[derive(Deserialize)]
struct Asked {
    query: String,
}

/// `POST /graphql`
pub(super) async fn graphql(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, Refusal> {
    if world.settings.scenario.graphql == GraphQl::Unavailable {
        return Err(Refusal::ServerError(StatusCode::BAD_GATEWAY));
    }
    caller.may_read_users()?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|_| Refusal::UnreadableBody)?;
    Ok(Json(answer(&world, caller, &asked.query)).into_response())
}

fn answer(world: &World, caller: Caller, text: &str) -> Value {
    let fields = match query::parse(text) {
        Ok(fields) => fields,
        Err(message) => return json!({"errors": [{"message": message}]}),
    };
    if fields.iter().filter(|field| field.name == "user").count() > MOST_ALIASES {
        return too_much();
    }
    let mut answer = Answer {
        world,
        caller,
        errors: Vec::new(),
        identities: 0,
    };
    let data: Map<String, Value> = fields
        .iter()
        .map(|field| (field.key.to_owned(), answer.root(field)))
        .collect();
    if answer.identities > MOST_ALIASES {
        return too_much();
    }
    match answer.errors {
        errors if errors.is_empty() => json!({"data": data}),
        // A query GitHub does not understand is not answered at all; one it cannot fulfil is answered in part.
        errors if errors.iter().any(|error| error.get("extensions").is_some()) => json!({"errors": errors}),
        errors => json!({"data": data, "errors": errors}),
    }
}

fn too_much() -> Value {
    json!({"errors": [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}]})
}

/// An answer in the making.
struct Answer<'w> {
    world: &'w World,
    caller: Caller,
    errors: Vec<Value>,
    identities: usize,
}

impl Answer<'_> {
    fn root(&mut self, field: &Field<'_>) -> Value {
        match field.name {
            "user" => self.user(field),
            "enterprise" => self.enterprise(field),
            "organization" => self.organisation(field),
            "rateLimit" => {
                let standing = self.world.github.limits.standing(&self.world.clock, Resource::GraphQl);
                let reset_at = Timestamp::from_second(standing.reset).unwrap_or_default();
                self.select(
                    field,
                    &json!({"cost": 1, "remaining": standing.remaining, "resetAt": reset_at}),
                )
            }
            _ => self.unknown(field, "Query"),
        }
    }

    fn user(&mut self, field: &Field<'_>) -> Value {
        let login = field.argument("login").unwrap_or_default();
        match self.world.person(login) {
            Some(profile) => self.select(field, &user(&profile)),
            None => self.missing(field, "a User", login),
        }
    }

    fn enterprise(&mut self, field: &Field<'_>) -> Value {
        let slug = field.argument("slug").unwrap_or_default();
        if !slug.eq_ignore_ascii_case(ENTERPRISE) {
            return self.missing(field, "an Enterprise", slug);
        }
        let readable = self.caller == Caller::Person && self.saml() != Saml::Forbidden;
        self.each(field, "Enterprise", |answer, part| match part.name {
            "ownerInfo" if readable => answer.each(part, "EnterpriseOwnerInfo", |answer, provider| {
                answer.provider(provider, "EnterpriseOwnerInfo")
            }),
            "ownerInfo" => answer.forbidden(field, part),
            "slug" => json!(ENTERPRISE),
            "name" => json!("Octo Enterprise"),
            _ => answer.unknown(part, "Enterprise"),
        })
    }

    fn organisation(&mut self, field: &Field<'_>) -> Value {
        let login = field.argument("login").unwrap_or_default();
        let Ok(index) = caller::organisation(login) else {
            return self.missing(field, "an Organization", login);
        };
        let readable = self.caller.may_read_organisation(login).is_ok() && self.saml() != Saml::Forbidden;
        self.each(field, "Organization", |answer, part| match part.name {
            "samlIdentityProvider" if !readable => answer.forbidden(field, part),
            "login" => json!(ORGANISATIONS[index]),
            _ => answer.provider(part, "Organization"),
        })
    }

    /// `samlIdentityProvider`, which knows everybody, whichever organisation pays for the seat.
    fn provider(&mut self, field: &Field<'_>, of: &str) -> Value {
        if field.name != "samlIdentityProvider" {
            return self.unknown(field, of);
        }
        if self.saml() == Saml::Absent {
            return Value::Null;
        }
        self.each(field, "SamlIdentityProvider", |answer, part| match part.name {
            "externalIdentities" => answer.identities(part),
            "issuer" | "ssoUrl" => json!("https://login.octo.example/saml"),
            _ => answer.unknown(part, "SamlIdentityProvider"),
        })
    }

    fn identities(&mut self, field: &Field<'_>) -> Value {
        self.identities += 1;
        let Some(login) = field.argument("login") else {
            self.errors.push(json!({
                "message": "the simulator lists external identities by login only",
                "extensions": {"code": "argumentMissing"},
            }));
            return Value::Null;
        };
        let node = |profile: Profile| {
            let name_id = profile.saml_name_id.clone()?;
            let saml = json!({"nameId": name_id, "username": name_id});
            Some(json!({"guid": format!("guid-{}", profile.id), "samlIdentity": saml, "user": user(&profile)}))
        };
        let nodes: Vec<_> = self.world.person(login).and_then(node).into_iter().collect();
        let page = json!({"hasNextPage": false, "endCursor": null});
        self.select(
            field,
            &json!({"totalCount": nodes.len(), "nodes": nodes, "pageInfo": page}),
        )
    }

    fn saml(&self) -> Saml {
        self.world.settings.scenario.saml
    }

    /// An object whose fields are found one by one.
    fn each(
        &mut self,
        field: &Field<'_>,
        type_name: &str,
        mut find: impl FnMut(&mut Self, &Field<'_>) -> Value,
    ) -> Value {
        let value = |part: &Field<'_>| {
            let value = if part.name == "__typename" {
                json!(type_name)
            } else {
                find(self, part)
            };
            (part.key.to_owned(), value)
        };
        Value::Object(field.selection.iter().map(value).collect())
    }

    /// What the field selects of a whole value.
    fn select(&mut self, field: &Field<'_>, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.select(field, item)).collect(),
            Value::Object(object) => self.each(field, field.name, |answer, part| match object.get(part.name) {
                Some(value) => answer.select(part, value),
                None => answer.unknown(part, field.name),
            }),
            scalar => scalar.clone(),
        }
    }

    fn missing(&mut self, field: &Field<'_>, what: &str, name: &str) -> Value {
        let message = format!("Could not resolve to {what} with the name of '{name}'.");
        self.errors
            .push(json!({"type": "NOT_FOUND", "path": [field.key], "message": message}));
        Value::Null
    }

    fn forbidden(&mut self, parent: &Field<'_>, field: &Field<'_>) -> Value {
        let message = "Resource protected by organization SAML enforcement, or the token lacks the scope to read it.";
        self.errors
            .push(json!({"type": "FORBIDDEN", "path": [parent.key, field.key], "message": message}));
        Value::Null
    }

    fn unknown(&mut self, field: &Field<'_>, type_name: &str) -> Value {
        self.errors.push(json!({
            "message": format!("Field '{}' doesn't exist on type '{type_name}'", field.name),
            "extensions": {"code": "undefinedField", "typeName": type_name, "fieldName": field.name},
        }));
        Value::Null
    }
}

/// A user as the schema has it: a mail address that is not public is an empty string, for `email` is never null there.
fn user(profile: &Profile) -> Value {
    json!({
        "login": profile.login,
        "databaseId": profile.id,
        "id": format!("U_simulated{}", profile.id),
        "name": profile.name,
        "email": profile.email.clone().unwrap_or_default(),
        "createdAt": profile.created_at,
    })
}
