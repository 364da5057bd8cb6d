//! The directory: its users page by page, and what the tenant has bought.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use axum::{
    Json,
    extract::State,
    http::{Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::{
    HeldSku, TenantTruth, TenantUser,
    assignments::Assignments,
    cast::Kind,
    functions, names,
    pages::Place,
    refusal::Refusal,
    skus::Sku,
    tenant::{Spell, Tenant},
};
use crate::{days, people::Tenure, world::World};

/// Users of a page, where the request does not say, and at most.
const USERS_PER_PAGE: usize = 100;
const MOST_PER_PAGE: usize = 999;

/// What Graph tells where `$select` does not say.
const DEFAULT: &str = "displayName,givenName,jobTitle,mail,officeLocation,surname,userPrincipalName,id";

#[derive(Clone, Copy, Debug)]
enum Property {
    Id,
    Upn,
    DisplayName,
    GivenName,
    Surname,
    Mail,
    Department,
    JobTitle,
    CompanyName,
    OfficeLocation,
    AccountEnabled,
    UserType,
    UsageLocation,
    AssignedLicenses,
    AssignedPlans,
    LicenseAssignmentStates,
}

static PROPERTIES: LazyLock<HashMap<String, (&'static str, Property)>> = LazyLock::new(|| {
    use Property as P;
    let properties = [
        ("id", P::Id),
        ("userPrincipalName", P::Upn),
        ("displayName", P::DisplayName),
        ("givenName", P::GivenName),
        ("surname", P::Surname),
        ("mail", P::Mail),
        ("department", P::Department),
        ("jobTitle", P::JobTitle),
        ("companyName", P::CompanyName),
        ("officeLocation", P::OfficeLocation),
        ("accountEnabled", P::AccountEnabled),
        ("userType", P::UserType),
        ("usageLocation", P::UsageLocation),
        ("assignedLicenses", P::AssignedLicenses),
        ("assignedPlans", P::AssignedPlans),
        ("licenseAssignmentStates", P::LicenseAssignmentStates),
    ];
    let by_name = |(name, property): (&'static str, Property)| (name.to_ascii_lowercase(), (name, property));
    properties.into_iter().map(by_name).collect()
});

/// One user as a request wants to see them.
struct Served<'a> {
    tenant: &'a Tenant,
    day: i64,
    tenure: Tenure,
    spell: Spell,
    selected: &'a [(&'static str, Property)],
}

impl Serialize for Served<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            tenant,
            day,
            tenure,
            spell,
            selected,
        } = *self;
        let profile = tenant.profile(tenure, day);
        let assignments = Assignments::of(tenant, tenure, spell, day);
        let is_guest = tenant.kind(tenure) == Kind::Guest;
        let mut map = serializer.serialize_map(Some(selected.len()))?;
        for (name, property) in selected {
            match property {
                Property::Id => map.serialize_entry(name, &tenant.id(tenure))?,
                Property::Upn => map.serialize_entry(name, &profile.upn)?,
                Property::DisplayName => map.serialize_entry(name, &profile.display_name)?,
                Property::GivenName => map.serialize_entry(name, profile.given_name)?,
                Property::Surname => map.serialize_entry(name, profile.surname)?,
                Property::Mail => map.serialize_entry(name, &profile.mail)?,
                Property::Department => map.serialize_entry(name, &tenant.department(tenure, day))?,
                Property::JobTitle => map.serialize_entry(name, names::title(tenant.about(tenure, 13, 6)))?,
                Property::CompanyName => map.serialize_entry(name, &(!is_guest).then_some("Octo"))?,
                Property::OfficeLocation => map.serialize_entry(name, names::office(tenant.about(tenure, 14, 4)))?,
                Property::AccountEnabled => map.serialize_entry(name, &(day < spell.disabled_on))?,
                Property::UserType => map.serialize_entry(name, if is_guest { "Guest" } else { "Member" })?,
                Property::UsageLocation => map.serialize_entry(name, names::country(tenant.about(tenure, 14, 4)))?,
                Property::AssignedLicenses => map.serialize_entry(name, &assignments.licenses)?,
                Property::AssignedPlans => map.serialize_entry(name, &assignments.plans)?,
                Property::LicenseAssignmentStates => map.serialize_entry(name, &assignments.states)?,
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(rename = "@odata.context")]
    context: String,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    value: Vec<Served<'a>>,
}

/// `GET /v1.0/users`
pub(super) async fn users(State(world): State<Arc<World>>, uri: Uri) -> Result<Response, Refusal> {
    let query = functions::query(&uri);
    let selected = selected(query.get("$select").map_or(DEFAULT, String::as_str))?;
    let top = match query.get("$top").map(|top| top.parse::<usize>()) {
        None => USERS_PER_PAGE,
        Some(Ok(top)) if (1..=MOST_PER_PAGE).contains(&top) => top,
        Some(_) => {
            let text = "Invalid page size specified. Must be between 1 and 999 inclusive.";
            return Err(Refusal::BadRequest(text.to_owned()));
        }
    };
    let today = world.today().number;
    let place = Place::of(&uri)?.unwrap_or(Place {
        first: 0,
        list: today,
        page: 1,
    });
    let tenant = &world.microsoft.tenant;
    let mut people = tenant.people(place.first, today);
    let value = people
        .by_ref()
        .take(top)
        .map(|(tenure, spell)| Served {
            tenant,
            day: today,
            tenure,
            spell,
            selected: &selected,
        })
        .collect();
    let next = people.next().map(|(tenure, _)| {
        let next = Place {
            first: tenure.slot,
            page: place.page.saturating_add(1),
            ..place
        };
        next.link(&world.url, &uri)
    });
    let page = Page {
        context: format!("{}/v1.0/$metadata#users", world.url),
        next,
        value,
    };
    // Nothing of it has a shape that JSON could not hold.
    let body = serde_json::to_vec(&page).unwrap_or_default();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

fn selected(names: &str) -> Result<Vec<(&'static str, Property)>, Refusal> {
    let property = |name: &str| {
        let found = PROPERTIES.get(&name.trim().to_ascii_lowercase()).copied();
        found.ok_or_else(|| {
            Refusal::BadRequest(format!(
                "Could not find a property named '{name}' on type 'microsoft.graph.user'."
            ))
        })
    };
    names.split(',').map(property).collect()
}

/// `GET /v1.0/subscribedSkus`
pub(super) async fn subscribed_skus(State(world): State<Arc<World>>) -> Json<Value> {
    let consumed = world.microsoft.tenant.consumed(world.today().number);
    let skus: Vec<_> = Sku::ALL
        .into_iter()
        .zip(consumed)
        .map(|(sku, consumed)| sku.subscribed(consumed))
        .collect();
    Json(json!({
        "@odata.context": format!("{}/v1.0/$metadata#subscribedSkus", world.url),
        "value": skus,
    }))
}

/// `GET /v1.0/admin/reportSettings`
pub(super) async fn report_settings(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({
        "@odata.context": format!("{}/v1.0/$metadata#admin/reportSettings/$entity", world.url),
        "displayConcealedNames": world.settings.scenario.concealed_names,
    }))
}

impl Tenant {
    /// Everybody whose account is there on a day, from a place on.
    pub(super) fn people(&self, first: u32, day: i64) -> impl Iterator<Item = (Tenure, Spell)> {
        (first..self.users).filter_map(move |slot| {
            let tenure = self.tenure(slot, day);
            Some((tenure, self.spell(tenure, day)?))
        })
    }

    pub(crate) fn truth(&self, day: i64) -> TenantTruth {
        let user = |(tenure, spell): (Tenure, Spell)| {
            let profile = self.profile(tenure, day);
            TenantUser {
                id: self.id(tenure),
                upn: profile.upn,
                display_name: profile.display_name,
                mail: profile.mail,
                department: self.department(tenure, day).map(str::to_owned),
                enabled: day < spell.disabled_on,
                skus: self.held(tenure, day),
            }
        };
        TenantTruth {
            day: days::date_of(day),
            users: self.people(0, day).map(user).collect(),
        }
    }

    /// How many people have each SKU in force, in the order of [`Sku::ALL`].
    fn consumed(&self, day: i64) -> [u64; Sku::ALL.len()] {
        let mut consumed = [0; Sku::ALL.len()];
        for (tenure, _) in self.people(0, day) {
            let held: Vec<HeldSku> = self.held(tenure, day);
            for (sku, consumed) in Sku::ALL.into_iter().zip(&mut consumed) {
                let has_it = if sku == Sku::Office {
                    self.has_office(tenure)
                } else {
                    held.iter().any(|held| held.sku_id == sku.id())
                };
                *consumed += u64::from(has_it);
            }
        }
        consumed
    }
}
