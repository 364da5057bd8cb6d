//! One column of a `SharePoint` list, whole: people who are not to be looked at are kept there.
//!
//! Background: a list is edited by hand, columns are renamed, and Graph leaves out what an item does not have. Choice:
//! whatever might make the column shorter than it is, is an error. Consequence: nobody is looked at because a column has
//! another name now.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::form_urlencoded::byte_serialize;

use crate::clock::Deadline;
use crate::error::ApiError;
use crate::http::{Resource, Route};
use crate::microsoft::pages::{NextPage, Page};
use crate::microsoft::{Graph, read_json};

/// Items asked for in a page. How many come is Graph's choice, which links to the rest.
const ITEMS_PER_PAGE: usize = 1_000;

static ITEMS: Route = Route {
    template: "GET /v1.0/sites/{site}/lists/{list}/items",
    resource: Resource::Graph,
    grant: "grant the application permission Sites.Selected, let an administrator consent to it, and give the application the role read on the site of UPTAKE_EXCLUSION_SITE_ID",
    not_found: "check UPTAKE_EXCLUSION_SITE_ID and UPTAKE_EXCLUSION_LIST_ID, and that the application has the role read on the site",
    is_download: false,
};

#[derive(Deserialize)]
struct Item {
    fields: Option<Map<String, Value>>,
}

impl Graph {
    /// The values of a column (by its internal name) of every item of a list, as texts without the blanks around them.
    ///
    /// A person or a look-up is its mail address. An item without a value is left out; a list with items of which none has
    /// one is [`ApiError::Configuration`], because then the column has another name.
    pub async fn list_items(
        &self,
        site_id: &str,
        list_id: &str,
        field: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, ApiError> {
        let mut url = self.service.at(&["v1.0", "sites", site_id, "lists", list_id, "items"]);
        let column: String = byte_serialize(field.as_bytes()).collect();
        url.set_query(Some(&format!("$expand=fields($select={column})&$top={ITEMS_PER_PAGE}")));
        let mut values = Vec::new();
        let (mut items, mut items_with_it) = (0, 0);
        let mut next = Some(NextPage::first(url));
        while let Some(this) = next {
            let page = self
                .service
                .get(&ITEMS, this.url(), deadline, |answer| {
                    let page: Page = read_json(&ITEMS, &answer.body)?;
                    answer.holds(page.value.len());
                    Ok(page)
                })
                .await
                .map_err(settings_at_fault)?;
            items += page.value.len();
            for item in &page.value {
                if let Some(value) = value_of(item, field)? {
                    items_with_it += 1;
                    texts(&value, &mut values)?;
                }
            }
            next = this.after(page.next_link, self.service.origin(), &ITEMS)?;
        }
        if items > 0 && items_with_it == 0 {
            return Err(ApiError::Configuration(
                "no item of the exclusion list has the column that UPTAKE_EXCLUSION_FIELD names, so nobody would be excluded; set it to the internal name of a column with texts or with several persons (Graph tells single persons as numbers only)".to_owned(),
            ));
        }
        Ok(values)
    }
}

/// Graph refuses an id or a column that it cannot read as a request that is at fault.
fn settings_at_fault(error: ApiError) -> ApiError {
    match error {
        ApiError::Refused { status: 400, .. } => ApiError::Configuration(
            "Microsoft Graph cannot read the request for the exclusion list (400); check UPTAKE_EXCLUSION_SITE_ID, UPTAKE_EXCLUSION_LIST_ID and UPTAKE_EXCLUSION_FIELD".to_owned(),
        ),
        error => error,
    }
}

fn value_of(item: &RawValue, field: &str) -> Result<Option<Value>, ApiError> {
    let item: Item = serde_json::from_str(item.get()).map_err(|_| contract("an item is of another shape"))?;
    let value = item.fields.and_then(|mut fields| fields.remove(field));
    Ok(value.filter(|value| !value.is_null()))
}

/// The texts of a value: one, or those of a list. A text that is empty is none.
fn texts(value: &Value, found: &mut Vec<String>) -> Result<(), ApiError> {
    let text = match value {
        Value::Array(values) => return values.iter().try_for_each(|value| texts(value, found)),
        Value::String(text) => text.as_str(),
        Value::Object(members) => of_person(members).ok_or_else(|| {
            contract("a value of the column that UPTAKE_EXCLUSION_FIELD names is a person without an address")
        })?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            return Err(contract(
                "a value of the column that UPTAKE_EXCLUSION_FIELD names is neither a text nor a person",
            ));
        }
    };
    let text = text.trim();
    if !text.is_empty() {
        found.push(text.to_owned());
    }
    Ok(())
}

/// A person's address. What is looked up in another list may be one, or a name, which nobody could be told by.
fn of_person(members: &Map<String, Value>) -> Option<&str> {
    ["Email", "email", "LookupValue"]
        .iter()
        .filter_map(|name| members.get(*name)?.as_str())
        .find(|text| text.contains('@'))
}

fn contract(reason: &str) -> ApiError {
    ApiError::Contract {
        route: ITEMS.template,
        reason: reason.to_owned(),
    }
}
