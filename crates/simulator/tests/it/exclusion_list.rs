//! The list of people who are not to be counted, as Graph serves it.

use std::collections::BTreeSet;

use serde_json::Value;
use uptake_simulator::{EXCLUSION_LIST_ID, EXCLUSION_SITE_ID};

use crate::{
    client::TODAY,
    tenant::{Tenant, tenant},
};

fn path(query: &str) -> String {
    format!("v1.0/sites/{EXCLUSION_SITE_ID}/lists/{EXCLUSION_LIST_ID}/items{query}")
}

async fn emails(tenant: &Tenant, query: &str) -> (Vec<String>, Vec<usize>) {
    let (items, pages) = tenant.all(&path(query)).await;
    let email = |item: &Value| item["fields"]["Email"].as_str().unwrap().to_owned();
    (items.iter().map(email).collect(), pages)
}

#[tokio::test]
async fn the_first_licensed_people_are_on_it_as_people_write_addresses() {
    let tenant = tenant(300, "excluded_people = 20").await;
    let (emails, _) = emails(&tenant, "?$expand=fields($select=Title,Email)&$top=1000").await;
    assert_eq!(emails, tenant.simulator.excluded(TODAY));
    assert_eq!(emails.len(), 20);
    assert!(emails.iter().any(|email| email.trim() != email));
    assert!(emails.iter().any(|email| email.chars().any(char::is_uppercase)));
    let users = tenant.simulator.tenant(TODAY).users;
    let known: BTreeSet<_> = users.iter().map(|user| user.upn.to_lowercase()).collect();
    assert!(emails.iter().all(|email| known.contains(&email.trim().to_lowercase())));
}

#[tokio::test]
async fn it_is_empty_until_somebody_is_put_on_it() {
    let tenant = tenant(30, "").await;
    assert!(emails(&tenant, "?$expand=fields").await.0.is_empty());
    let two = vec!["A@tenant.example".to_owned(), " b@tenant.example".to_owned()];
    tenant.simulator.set_excluded(two.clone());
    assert_eq!(emails(&tenant, "?$expand=fields").await.0, two);
    let bare = tenant.json(&path("")).await;
    assert!(bare["value"][0].get("fields").is_none());
    let titles = tenant.json(&path("?$expand=fields($select=Title)")).await;
    assert!(titles["value"][0]["fields"].get("Email").is_none());
    tenant.simulator.set_excluded(Vec::new());
    assert!(emails(&tenant, "?$expand=fields").await.0.is_empty());
}

#[tokio::test]
async fn it_comes_in_pages() {
    let tenant = tenant(30, "").await;
    let many: Vec<_> = (0..2345).map(|number| format!("{number}@tenant.example")).collect();
    tenant.simulator.set_excluded(many.clone());
    for (query, sizes) in [
        ("?$expand=fields($select=Email)&$top=1000", vec![1000, 1000, 345]),
        ("?$expand=fields($select=Email)&$top=5000", vec![1000, 1000, 345]),
        ("?$top=999&$expand=fields", vec![999, 999, 347]),
    ] {
        assert_eq!(emails(&tenant, query).await, (many.clone(), sizes), "{query}");
    }
    assert_eq!(emails(&tenant, "?$expand=fields").await.1[0], 200);
}

#[tokio::test]
async fn another_site_or_list_is_not_there() {
    let tenant = tenant(30, "").await;
    for bad in [
        format!("v1.0/sites/{EXCLUSION_SITE_ID}/lists/{EXCLUSION_SITE_ID}/items"),
        format!("v1.0/sites/root/lists/{EXCLUSION_LIST_ID}/items"),
    ] {
        let answer = tenant.ask(&bad).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "itemNotFound");
    }
    for bad in ["?$top=0", "?$top=x", "?$expand=columns", "?$expand=fields($filter=x)"] {
        assert_eq!(tenant.ask(&path(bad)).await.status(), 400, "{bad}");
    }
}
