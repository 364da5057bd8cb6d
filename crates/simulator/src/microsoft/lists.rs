//! A list in `SharePoint` (UPSTREAM 4.6): the people who are not to be counted.

use std::sync::{Arc, Mutex};

use axum::{
    Json,
    extract::{Path, State},
    http::Uri,
};
use serde_json::{Map, Value, json};

use super::{cast::Kind, functions, pages::Place, refusal::Refusal, tenant::Tenant};
use crate::world::{World, lock};

/// The site of the list of people who are not to be counted, as Graph names sites.
pub const EXCLUSION_SITE_ID: &str =
    "tenant.sharepoint.example,3b1f7c52-8d04-4e6a-9c2f-a57d10b8e493,e2c94d10-6f5b-47a8-b3d1-08f6a2c5719e";
/// That list; its column `Email` says who is on it.
pub const EXCLUSION_LIST_ID: &str = "7d0a5e36-c18b-4f92-a4e7-5b6c3f21d908";

/// Items of a page, where the request does not say, and at most.
const ITEMS_PER_PAGE: usize = 200;
const MOST_PER_PAGE: usize = 1000;

/// The columns of the list.
const COLUMNS: [&str; 2] = ["Title", "Email"];

/// Who is on the list, where somebody has said so; the scenario's people otherwise.
#[derive(Debug, Default)]
pub(crate) struct Exclusions {
    set: Mutex<Option<Arc<Vec<String>>>>,
}

impl Exclusions {
    pub(crate) fn set(&self, addresses: Vec<String>) {
        *lock(&self.set) = Some(Arc::new(addresses));
    }

    /// The column `Email` on a day.
    pub(crate) fn addresses(&self, tenant: &Tenant, day: i64) -> Arc<Vec<String>> {
        let set = lock(&self.set).clone();
        set.unwrap_or_else(|| Arc::new(tenant.excluded(day)))
    }
}

impl Tenant {
    /// The first people of those who get licences, as people write addresses: in any case, with blanks around some.
    fn excluded(&self, day: i64) -> Vec<String> {
        let count = usize::try_from(self.scenario.excluded_people).unwrap_or(usize::MAX);
        let licensed = self.people(0, day).map(|(tenure, _)| tenure);
        let licensed = licensed.filter(|tenure| self.kind(*tenure) == Kind::Licensed);
        let upns = licensed.map(|tenure| self.profile(tenure, day).upn).take(count);
        let written = |(number, upn): (usize, String)| match number % 4 {
            0 => upn,
            1 => upn.to_uppercase(),
            2 => format!("  {upn} "),
            _ => format!("{}\u{a0}", upn.to_lowercase()),
        };
        upns.enumerate().map(written).collect()
    }
}

/// `GET /v1.0/sites/{site}/lists/{list}/items`
pub(super) async fn items(
    State(world): State<Arc<World>>,
    Path((site, list)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Refusal> {
    if !site.eq_ignore_ascii_case(EXCLUSION_SITE_ID) {
        return Err(Refusal::NoItem("Requested site could not be found"));
    }
    if !list.eq_ignore_ascii_case(EXCLUSION_LIST_ID) {
        return Err(Refusal::NoItem("The specified list was not found"));
    }
    let query = functions::query(&uri);
    let selected = query.get("$expand").map(|expand| columns(expand)).transpose()?;
    let top = match query.get("$top").map(|top| top.parse::<usize>()) {
        None => ITEMS_PER_PAGE,
        Some(Ok(top)) if top > 0 => top.min(MOST_PER_PAGE),
        Some(_) => return Err(Refusal::BadRequest("Invalid page size specified.".to_owned())),
    };
    let place = Place::of(&uri)?.unwrap_or(Place {
        first: 0,
        list: world.today().number,
        page: 1,
    });
    let tenant = &world.microsoft.tenant;
    let addresses = world.microsoft.exclusions.addresses(tenant, place.list);
    let first = usize::try_from(place.first).unwrap_or(usize::MAX).min(addresses.len());
    let behind = (first + top).min(addresses.len());
    let rows = addresses[first..behind].iter().zip(first + 1..);
    let value: Vec<_> = rows
        .map(|(address, id)| item(address, id, selected.as_deref()))
        .collect();
    let mut answer = json!({
        "@odata.context": format!("{}/v1.0/$metadata#sites('{site}')/lists('{list}')/items", world.url),
        "value": value,
    });
    if behind < addresses.len() {
        let next = Place {
            first: u32::try_from(behind).unwrap_or(u32::MAX),
            page: place.page.saturating_add(1),
            ..place
        };
        answer["@odata.nextLink"] = next.link(&world.url, &uri).into();
    }
    Ok(Json(answer))
}

/// The columns that `$expand=fields` or `$expand=fields($select=Title,Email)` asks for.
fn columns(expand: &str) -> Result<Vec<&'static str>, Refusal> {
    let unknown = |what: &str| Refusal::BadRequest(format!("Parsing OData Select and Expand failed: '{what}'."));
    let rest = expand.trim().strip_prefix("fields").ok_or_else(|| unknown(expand))?;
    if rest.is_empty() {
        return Ok(COLUMNS.into());
    }
    let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let names = inner
        .and_then(|inner| inner.trim().strip_prefix("$select="))
        .ok_or_else(|| unknown(expand))?;
    // A column that the list does not have is no error, and is not there.
    let known = |name: &str| {
        COLUMNS
            .into_iter()
            .find(|column| column.eq_ignore_ascii_case(name.trim()))
    };
    Ok(names.split([',', ';']).filter_map(known).collect())
}

fn item(address: &str, id: usize, selected: Option<&[&'static str]>) -> Value {
    let mut item = json!({
        "@odata.etag": format!("\"{id:08x}-0000-4000-8000-000000000000,1\""),
        "id": id.to_string(),
        "contentType": {"id": "0x0100", "name": "Item"},
    });
    if let Some(columns) = selected {
        let text = |column: &str| {
            if column == "Email" {
                address.to_owned()
            } else {
                format!("Excluded {id}")
            }
        };
        let fields: Map<_, _> = columns
            .iter()
            .map(|column| ((*column).to_owned(), text(column).into()))
            .collect();
        item["fields"] = Value::Object(fields);
    }
    item
}
