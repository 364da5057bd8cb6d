//! The tenant as a client meets it: login, directory, reports, limits, and agreement with the simulator's own account.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reqwest::{Response, header::LOCATION};
use serde_json::Value;
use uptake_simulator::{
    CLIENT_ID, CLIENT_SECRET, HeldSku, Settings, Simulator, SimulatorError, TENANT, TenantUser, UsageTruth,
};

use crate::{
    client::{TODAY, header},
    tenant::{ACTIVE, Row, SELECT, Tenant, UNLIMITED, date, login, no_redirects, rows, tenant, tenant_of, whole},
};

const COPILOT_SKUS: [&str; 3] = [
    "639dec6b-bb19-468b-871c-c5c441c4b0cb",
    "a6d18b68-a67e-4cbd-ba00-8744bc468faa",
    "2b7fd1a4-7c35-4d0e-93ce-5f1be2a86d40",
];

const USAGE_V1: &str = "v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7',version='v1')";
const USAGE_V2: &str = "v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7',version='v2')";
const USAGE_28: &str = "v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D28',version='v2')";
const BETA_V1: &str = "beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')";
const BETA_V2: &str = "beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D28',version='v2')";

const APPS: [&str; 8] = [
    "Microsoft Teams Copilot Last Activity Date",
    "Word Copilot Last Activity Date",
    "Excel Copilot Last Activity Date",
    "PowerPoint Copilot Last Activity Date",
    "Outlook Copilot Last Activity Date",
    "OneNote Copilot Last Activity Date",
    "Loop Copilot Last Activity Date",
    "Copilot Chat Last Activity Date",
];

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn day(value: &Value) -> Option<Date> {
    let at = value.as_str()?.parse::<Timestamp>().unwrap();
    Some(at.to_zoned(TimeZone::UTC).date())
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let code = match &body["error"] {
        Value::String(_) => body["error_codes"][0].to_string(),
        error => text(&error["code"]),
    };
    (status, code)
}

/// The Copilot plans of each SKU, as the tenant tells them.
async fn plans(tenant: &Tenant) -> BTreeMap<String, BTreeSet<String>> {
    let skus = tenant.json("v1.0/subscribedSkus").await;
    let named = |plan: &&Value| text(&plan["servicePlanName"]).contains("COPILOT");
    let of = |sku: &Value| {
        let plans = sku["servicePlans"].as_array().unwrap().iter().filter(named);
        plans.map(|plan| text(&plan["servicePlanId"])).collect()
    };
    let skus = skus["value"].as_array().unwrap();
    skus.iter().map(|sku| (text(&sku["skuId"]), of(sku))).collect()
}

/// What somebody holds by a reading of its own: listed, assigned, not switched off, the plan enabled.
fn held(user: &Value, plans: &BTreeMap<String, BTreeSet<String>>) -> Vec<HeldSku> {
    let states = user["licenseAssignmentStates"].as_array().unwrap();
    let assigned: BTreeMap<_, _> = user["assignedPlans"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|plan| plan["capabilityStatus"] == "Enabled")
        .map(|plan| (text(&plan["servicePlanId"]), day(&plan["assignedDateTime"])))
        .collect();
    let mut held = Vec::new();
    for license in user["assignedLicenses"].as_array().unwrap() {
        let sku_id = text(&license["skuId"]);
        let off = texts(&license["disabledPlans"]);
        let good = states.iter().filter(|state| {
            state["skuId"] == sku_id && ["Active", "ActiveWithError"].contains(&state["state"].as_str().unwrap())
        });
        let updated: Vec<_> = good.filter_map(|state| day(&state["lastUpdatedDateTime"])).collect();
        let on: Vec<_> = plans[&sku_id]
            .iter()
            .filter(|plan| !off.contains(plan) && assigned.contains_key(*plan))
            .cloned()
            .collect();
        if !on.is_empty() && !updated.is_empty() {
            held.push(HeldSku {
                assigned_on: on.iter().filter_map(|plan| assigned[plan]).min(),
                updated_on: updated.into_iter().min(),
                service_plans: on,
                sku_id,
            });
        }
    }
    held
}

fn read(user: &Value, plans: &BTreeMap<String, BTreeSet<String>>) -> TenantUser {
    TenantUser {
        id: text(&user["id"]),
        upn: text(&user["userPrincipalName"]),
        display_name: text(&user["displayName"]),
        mail: user["mail"].as_str().map(str::to_owned),
        department: user["department"].as_str().map(str::to_owned),
        enabled: user["accountEnabled"].as_bool().unwrap(),
        skus: held(user, plans),
    }
}

/// The rows that can be read, those of one person merged; and how many cannot.
fn usage(week: &[Row], month: &[Row]) -> (Vec<UsageTruth>, u64) {
    let mut order = Vec::new();
    let (mut people, mut rejected): (BTreeMap<String, UsageTruth>, u64) = (BTreeMap::new(), 0);
    for (row, month) in week.iter().zip(month) {
        let parsed = row
            .as_ref()
            .zip(month.as_ref())
            .and_then(|(row, month)| one(row, month).ok());
        let Some(found) = parsed else {
            rejected += 1;
            continue;
        };
        let Some(known) = people.get_mut(&found.upn) else {
            order.push(found.upn.clone());
            people.insert(found.upn.clone(), found);
            continue;
        };
        known.last_activity_on = known.last_activity_on.max(found.last_activity_on);
        for (one, other) in known.apps.iter_mut().zip(found.apps) {
            *one = (*one).max(other);
        }
        known.chat_work_on = known.chat_work_on.max(found.chat_work_on);
        known.chat_web_on = known.chat_web_on.max(found.chat_web_on);
        known.agent_on = known.agent_on.max(found.agent_on);
        known.edge_on = known.edge_on.max(found.edge_on);
        known.prompts_7 = known.prompts_7.max(found.prompts_7);
        known.prompts_28 = known.prompts_28.max(found.prompts_28);
        known.active_days_7 = known.active_days_7.max(found.active_days_7);
        known.active_days_28 = known.active_days_28.max(found.active_days_28);
    }
    let people = order.iter().map(|upn| people[upn].clone()).collect();
    (people, rejected)
}

fn one(row: &BTreeMap<String, String>, month: &BTreeMap<String, String>) -> Result<UsageTruth, jiff::Error> {
    let on = |column: &str| date(&row[column]);
    let mut apps = [None; 8];
    for (app, column) in apps.iter_mut().zip(APPS) {
        *app = on(column)?;
    }
    Ok(UsageTruth {
        upn: row["User Principal Name"].to_lowercase(),
        last_activity_on: on("Last Activity Date")?,
        apps,
        chat_work_on: on("Copilot Chat (work) Last Activity Date")?,
        chat_web_on: on("Copilot Chat (web) Last Activity Date")?,
        agent_on: on("Copilot Agent Last Activity Date")?,
        edge_on: on("Edge Last Activity Date")?,
        prompts_7: row["Prompts submitted for all apps"].parse().unwrap(),
        prompts_28: month["Prompts submitted for all apps"].parse().unwrap(),
        active_days_7: row["Active Usage Days for all apps"].parse().unwrap(),
        active_days_28: month["Active Usage Days for all apps"].parse().unwrap(),
    })
}

#[tokio::test]
async fn the_login_gives_tokens_for_the_right_secret_only() {
    let tenant = tenant(30, "graph_token_seconds = 2").await;
    for (directory, client, secret, expected) in [
        (TENANT, CLIENT_ID, "wrong", (401, "7000215")),
        (TENANT, "somebody", CLIENT_SECRET, (400, "700016")),
        ("elsewhere", CLIENT_ID, CLIENT_SECRET, (400, "90002")),
    ] {
        let (status, code) = code(login(&tenant.simulator, directory, client, secret).await).await;
        assert_eq!((status, code.as_str()), expected);
    }
    let empty = tenant
        .client
        .post(format!("{}/{TENANT}/oauth2/v2.0/token", tenant.simulator.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(empty.status(), 400);
    let answer: Value = login(&tenant.simulator, TENANT, CLIENT_ID, CLIENT_SECRET)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"]),
        (&"Bearer".into(), &2.into())
    );

    assert_eq!(tenant.ask("v1.0/users").await.status(), 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let late = code(tenant.ask("v1.0/users").await).await;
    assert_eq!(late, (401, "InvalidAuthenticationToken".to_owned()));
    let without = tenant.client.get(format!("{}/v1.0/users", tenant.simulator.url()));
    assert_eq!(without.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn pages_list_everybody_once_and_as_the_truth_has_them() {
    let tenant = tenant(300, UNLIMITED).await;
    let plans = plans(&tenant).await;
    for later in [0, 1, 17, 40, 63, 90] {
        let today = TODAY + later.days();
        tenant.simulator.set_today(today);
        let truth = tenant.simulator.tenant(today);
        let (users, pages) = tenant.all(&format!("v1.0/users?$select={SELECT}&$top=70")).await;
        assert!(pages.len() >= 4 && pages[..pages.len() - 1].iter().all(|length| *length == 70));
        let served: Vec<_> = users.iter().map(|user| read(user, &plans)).collect();
        assert_eq!(served, truth.users, "{today}");
        let ids: BTreeSet<_> = served.iter().map(|user| &user.id).collect();
        let upns: BTreeSet<_> = served.iter().map(|user| user.upn.to_lowercase()).collect();
        assert_eq!((ids.len(), upns.len()), (served.len(), served.len()));
        let licensed = served.iter().filter(|user| !user.skus.is_empty()).count();
        assert!((90..=150).contains(&licensed), "{licensed} of {}", served.len());
        assert!((270..300).contains(&served.len()), "{}", served.len());
    }
    let (defaults, pages) = tenant.all("v1.0/users").await;
    assert_eq!(pages[0], 100);
    assert!(defaults[0].get("userPrincipalName").is_some() && defaults[0].get("department").is_none());
    for bad in ["$top=1000", "$top=0", "$select=shoeSize", "$skiptoken=mine"] {
        assert_eq!(tenant.ask(&format!("v1.0/users?{bad}")).await.status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn every_oddity_of_licences_and_accounts_occurs_within_90_days() {
    let tenant = tenant(300, UNLIMITED).await;
    let plans = plans(&tenant).await;
    let mut seen = BTreeSet::new();
    let (mut before, mut gone): (BTreeMap<String, TenantUser>, BTreeMap<String, bool>) = Default::default();
    for later in 0..90 {
        let today = TODAY + later.days();
        tenant.simulator.set_today(today);
        let mut now = BTreeMap::new();
        for user in tenant.users().await {
            oddities(&user, &mut seen);
            let user = read(&user, &plans);
            if user.skus.len() > 1 {
                seen.insert("two SKUs at once");
            }
            if user.skus.iter().any(|sku| sku.assigned_on.is_none()) {
                seen.insert("no assignment date");
            }
            if !user.enabled && !user.skus.is_empty() {
                seen.insert("disabled and licensed");
            }
            now.insert(user.id.clone(), user);
        }
        for (id, user) in &now {
            changes(before.get(id), user, gone.contains_key(id), later > 0, &mut seen);
        }
        for (id, user) in &before {
            if !now.contains_key(id) {
                seen.insert(if user.enabled {
                    "deleted while enabled"
                } else {
                    "leaver"
                });
                gone.insert(id.clone(), true);
            }
        }
        before = now;
    }
    let expected = [
        "all plans off",
        "both ways",
        "business chat only",
        "deleted plans",
        "deleted while enabled",
        "direct",
        "disabled",
        "disabled and licensed",
        "failed and listed",
        "failed and not listed",
        "failed by group, held directly",
        "group",
        "guest",
        "joiner",
        "leaver",
        "lost a licence",
        "moved to another department",
        "new licence",
        "no assignment date",
        "no department",
        "no mail",
        "renamed",
        "returner",
        "some plans off",
        "suspended",
        "the date moved forward",
        "the SKU changed",
        "two SKUs at once",
        "with error",
    ];
    assert_eq!(seen, expected.into());
}

/// What is special about a user on a day.
fn oddities(user: &Value, seen: &mut BTreeSet<&'static str>) {
    let copilot = |id: &Value| COPILOT_SKUS.contains(&id.as_str().unwrap());
    let licenses = user["assignedLicenses"].as_array().unwrap();
    let licenses: Vec<_> = licenses.iter().filter(|license| copilot(&license["skuId"])).collect();
    let states = user["licenseAssignmentStates"].as_array().unwrap();
    let states: Vec<_> = states.iter().filter(|state| copilot(&state["skuId"])).collect();
    let by = |state: &str, group: bool| {
        states
            .iter()
            .any(|found| found["state"] == state && found["assignedByGroup"].is_string() == group)
    };
    let plan = |status: &str| {
        let plans = user["assignedPlans"].as_array().unwrap();
        plans.iter().any(|plan| plan["capabilityStatus"] == status)
    };
    let off = |least: usize, most: usize| {
        let of = |license: &&Value| (least..=most).contains(&license["disabledPlans"].as_array().unwrap().len());
        licenses.iter().any(of)
    };
    let facts = [
        ("direct", by("Active", false) && states.len() == 1),
        ("group", by("Active", true) && states.len() == 1),
        (
            "both ways",
            by("Active", false) && by("Active", true) && licenses.len() == 1,
        ),
        (
            "failed by group, held directly",
            by("Active", false) && by("Error", true),
        ),
        (
            "failed and listed",
            by("Error", true) && states.len() == 1 && licenses.len() == 1,
        ),
        ("failed and not listed", by("Error", true) && licenses.is_empty()),
        ("with error", by("ActiveWithError", false)),
        ("suspended", plan("Suspended")),
        ("deleted plans", plan("Deleted") && licenses.is_empty()),
        ("some plans off", off(1, 3)),
        ("all plans off", off(8, 8)),
        (
            "business chat only",
            licenses.len() == 1 && licenses[0]["skuId"] == COPILOT_SKUS[2],
        ),
        ("disabled", user["accountEnabled"] == false),
        ("guest", user["userType"] == "Guest"),
        ("no mail", user["mail"].is_null()),
        ("no department", user["department"].is_null()),
    ];
    seen.extend(facts.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name));
}

/// What is special about a user since the day before.
fn changes(
    before: Option<&TenantUser>,
    user: &TenantUser,
    was_gone: bool,
    has_before: bool,
    seen: &mut BTreeSet<&'static str>,
) {
    let Some(before) = before else {
        if has_before {
            seen.insert(if was_gone { "returner" } else { "joiner" });
        }
        return;
    };
    let dates = |user: &TenantUser| user.skus.iter().filter_map(|sku| sku.assigned_on).min();
    let skus = |user: &TenantUser| user.skus.iter().map(|sku| sku.sku_id.clone()).collect::<Vec<_>>();
    let both = !before.skus.is_empty() && !user.skus.is_empty();
    let facts = [
        ("renamed", before.upn != user.upn),
        ("moved to another department", before.department != user.department),
        ("new licence", before.skus.is_empty() && !user.skus.is_empty()),
        ("lost a licence", !before.skus.is_empty() && user.skus.is_empty()),
        ("the SKU changed", both && skus(before) != skus(user)),
        (
            "the date moved forward",
            both && skus(before) == skus(user) && dates(before) < dates(user),
        ),
    ];
    seen.extend(facts.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name));
}

#[tokio::test]
async fn departments_are_of_uneven_size_and_some_are_tiny() {
    let tenant = tenant(300, UNLIMITED).await;
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for user in tenant.simulator.tenant(TODAY).users {
        *sizes.entry(user.department.unwrap_or_default()).or_default() += 1;
    }
    assert_eq!(sizes.len(), 11, "{sizes:?}");
    assert_eq!(sizes.values().filter(|size| **size < 5).count(), 2, "{sizes:?}");
    assert!(*sizes.values().max().unwrap() > 50, "{sizes:?}");
}

#[tokio::test]
async fn skus_tell_what_is_in_them() {
    let tenant = tenant(300, UNLIMITED).await;
    let plans = plans(&tenant).await;
    let sizes: Vec<_> = COPILOT_SKUS.iter().map(|sku| plans[*sku].len()).collect();
    assert_eq!(sizes, [8, 8, 1]);
    let skus = tenant.json("v1.0/subscribedSkus").await;
    let skus = skus["value"].as_array().unwrap();
    assert_eq!(skus.len(), 4);
    assert!(
        skus.iter()
            .any(|sku| sku["servicePlans"].to_string().contains("Bing_Chat_Enterprise"))
    );
    for sku in skus {
        assert!(sku["consumedUnits"].as_u64() <= sku["prepaidUnits"]["enabled"].as_u64());
    }
    assert_eq!(
        tenant.json("v1.0/admin/reportSettings").await["displayConcealedNames"],
        false
    );
}

#[tokio::test]
async fn reports_say_what_the_truth_says() {
    let tenant = tenant(300, UNLIMITED).await;
    let (mut served, mut rejected_in_all, mut stale) = (BTreeSet::new(), 0, 0);
    for later in 0..60 {
        let today = TODAY + later.days();
        tenant.simulator.set_today(today);
        let refresh_on = tenant.simulator.served_report(today).unwrap();
        let lag = (today - refresh_on).get_days();
        assert!(lag >= 1 && served.last().is_none_or(|last| *last <= refresh_on));
        stale += u32::from(lag > 2);
        if !served.insert(refresh_on) {
            continue;
        }
        let week = tenant.report(USAGE_V2).await;
        let month = tenant.report(USAGE_28).await;
        for row in week.iter().flatten() {
            assert_eq!(row["Report Refresh Date"], refresh_on.to_string());
            assert_eq!(row["Report Period"], "7");
        }
        let (people, rejected) = usage(&week, &month);
        assert_eq!(people, tenant.simulator.usage(refresh_on));
        assert_eq!(rejected, tenant.simulator.rejected_usage_rows(refresh_on));
        rejected_in_all += rejected;

        // Of those licensed that day a row is missing only where it cannot be read, and one is nobody's.
        let directory = tenant.simulator.tenant(refresh_on).users;
        let licensed = directory.iter().filter(|user| !user.skus.is_empty()).count() as u64;
        assert_eq!(people.len() as u64 + rejected, licensed + 1);
        let known: BTreeSet<_> = directory.iter().map(|user| user.upn.to_lowercase()).collect();
        assert_eq!(people.iter().filter(|person| !known.contains(&person.upn)).count(), 1);
    }
    assert!((30..60).contains(&served.len()), "{}", served.len());
    assert!(rejected_in_all > 10 && stale > 0, "{rejected_in_all} {stale}");
}

#[tokio::test]
async fn usage_makes_sense() {
    let tenant = tenant(300, "late_activity_percent = 0\nodd_rows = false").await;
    let directory = tenant.simulator.tenant(TODAY).users;
    let usage = tenant.simulator.usage(TODAY);
    let (mut never, mut idle, mut daily) = (0, 0, 0);
    for person in &usage {
        assert!(
            directory
                .iter()
                .any(|user| user.upn.to_lowercase() == person.upn && !user.skus.is_empty())
        );
        let places = person.apps.into_iter().chain([person.agent_on, person.edge_on]);
        assert_eq!(places.max().unwrap(), person.last_activity_on);
        assert!(person.last_activity_on.is_none_or(|last| last <= TODAY));
        assert!(person.prompts_7 <= person.prompts_28 && person.active_days_7 <= person.active_days_28);
        assert!(person.active_days_7 <= 7 && person.active_days_28 <= 28);
        let days_ago = person.last_activity_on.map(|last| (TODAY - last).get_days());
        assert_eq!(days_ago.is_some_and(|days| days < 28), person.active_days_28 > 0);
        assert_eq!(days_ago.is_some_and(|days| days < 7), person.active_days_7 > 0);
        never += usize::from(days_ago.is_none());
        idle += usize::from(days_ago.is_some_and(|days| days > 30));
        daily += usize::from(person.active_days_28 >= 14);
    }
    let all = usage.len();
    assert!(
        never * 20 > all && idle * 30 > all && daily * 5 > all,
        "{never} {idle} {daily} of {all}"
    );
    // The next day knows everything this one knew.
    let next: BTreeMap<_, _> = tenant
        .simulator
        .usage(TODAY + 1.day())
        .into_iter()
        .map(|person| (person.upn.clone(), person))
        .collect();
    for person in usage {
        if let Some(next) = next.get(&person.upn) {
            assert!(next.last_activity_on >= person.last_activity_on);
        }
    }
}

#[tokio::test]
async fn late_activity_comes_out_in_a_later_report() {
    let (late, prompt) = (
        tenant(300, "late_activity_percent = 20\nodd_rows = false")
            .await
            .simulator,
        tenant(300, "late_activity_percent = 0\nodd_rows = false")
            .await
            .simulator,
    );
    let mut missing = 0;
    for later in 0..20 {
        let refresh_on = TODAY + later.days();
        let (late, prompt) = (late.usage(refresh_on), prompt.usage(refresh_on));
        assert_eq!(late.len(), prompt.len());
        for (late, prompt) in late.iter().zip(&prompt) {
            assert!(late.last_activity_on <= prompt.last_activity_on && late.prompts_28 <= prompt.prompts_28);
            missing += usize::from(late.last_activity_on < prompt.last_activity_on);
            // Two days later everything is known.
            let settled = |person: &UsageTruth| person.last_activity_on.filter(|last| *last <= refresh_on - 2.days());
            if prompt.last_activity_on == settled(prompt) {
                assert_eq!(late.last_activity_on, prompt.last_activity_on);
            }
        }
    }
    assert!(missing > 50, "{missing}");
}

#[tokio::test]
async fn missing_days_are_never_served_and_lag_is_as_told() {
    let scenario =
        "report_lag_days = [2, 2]\nmissing_report_percent = 0\nmissing_report_days = ['2026-11-17', '2026-11-18']";
    let simulator = tenant(30, scenario).await.simulator;
    for (today, expected) in [(18, 16), (19, 16), (20, 16), (21, 19), (22, 20)] {
        let served = simulator.served_report(jiff::civil::date(2026, 11, today));
        assert_eq!(served, Some(jiff::civil::date(2026, 11, expected)), "{today}");
    }
    let silent = tenant(30, "missing_report_percent = 100").await;
    assert_eq!(silent.simulator.served_report(TODAY), None);
    assert_eq!(silent.report(USAGE_V2).await.len(), 0);
    assert!(silent.all(BETA_V1).await.0.is_empty());
}

#[tokio::test]
async fn json_tells_what_csv_tells() {
    let tenant = tenant(900, UNLIMITED).await;
    for (csv, json) in [(USAGE_V1, BETA_V1), (USAGE_28, BETA_V2)] {
        let rows = tenant.report(csv).await;
        let (items, pages) = tenant.all(json).await;
        assert_eq!(items.len(), rows.len());
        assert!(pages.len() >= 2 && pages[0] == 200, "{pages:?}");
        for (item, row) in items.iter().zip(&rows) {
            let Some(row) = row else {
                assert!(item.get("userPrincipalName").is_none());
                continue;
            };
            for (field, column) in [
                ("userPrincipalName", "User Principal Name"),
                ("displayName", "Display Name"),
                ("lastActivityDate", "Last Activity Date"),
                ("loopCopilotLastActivityDate", APPS[6]),
                ("copilotChatLastActivityDate", APPS[7]),
            ] {
                assert_eq!(item[field], row[column], "{field}");
            }
            if json == BETA_V2 {
                let prompts: u64 = row["Prompts submitted for all apps"].parse().unwrap();
                assert_eq!(item["promptsSubmittedForAllApps"], prompts);
                assert_eq!(item["edgeLastActivityDate"], row["Edge Last Activity Date"]);
            }
        }
    }
    let csv = tenant.report(&format!("v1.0/{ACTIVE}(period='D7')")).await;
    let path = format!("beta/{ACTIVE}(period='D7')?$format=application/json");
    let (items, pages) = tenant.all(&path).await;
    assert!(pages.len() >= 4 && items.len() == csv.len());
    for (item, row) in items.iter().zip(csv.iter().flatten()) {
        assert_eq!(item["userPrincipalName"], row["User Principal Name"]);
        let seen = item["teamsLastActivityDate"].as_str().unwrap_or_default();
        assert_eq!(seen, row["Teams Last Activity Date"]);
        assert!(item["hasSkypeForBusinessLicense"].is_boolean());
    }
}

#[tokio::test]
async fn odd_rows_are_there_unless_the_scenario_wants_none() {
    let tenant = tenant(300, UNLIMITED).await;
    let mut seen = BTreeSet::new();
    for later in 0..20 {
        tenant.simulator.set_today(TODAY + later.days());
        let mut upns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in tenant.report(USAGE_V1).await {
            match row {
                None => drop(seen.insert("too few fields")),
                Some(row) => {
                    let upn = row["User Principal Name"].clone();
                    if row["Last Activity Date"] == "2026-13-40" {
                        seen.insert("wrong date");
                    }
                    if upn == "former.colleague@tenant.example" {
                        seen.insert("nobody");
                    }
                    if upn == upn.to_uppercase() {
                        seen.insert("upper case");
                    }
                    upns.entry(upn.to_lowercase()).or_default().insert(upn);
                }
            }
        }
        if upns.values().any(|spelled| spelled.len() == 2) {
            seen.insert("twice");
        }
    }
    assert_eq!(
        seen,
        ["nobody", "too few fields", "twice", "upper case", "wrong date"].into()
    );
    let clean = tenant_of(7, 300, "odd_rows = false").await;
    let (_, rejected) = usage(&clean.report(USAGE_V2).await, &clean.report(USAGE_28).await);
    assert_eq!(rejected, 0);
}

#[tokio::test]
async fn periods_versions_and_paths_that_are_not_there_are_refused() {
    let tenant = tenant(30, UNLIMITED).await;
    let usage = |prefix: &str, arguments: &str| format!("{prefix}/getMicrosoft365CopilotUsageUserDetail({arguments})");
    for (path, expected) in [
        (usage("v1.0/copilot/reports", "period='D30',version='v1'"), 200),
        (usage("v1.0/copilot/reports", "period='ALL',version='v2'"), 200),
        (usage("v1.0/copilot/reports", "period='D28',version='v1'"), 400),
        (usage("v1.0/copilot/reports", "period='D30',version='v2'"), 400),
        (usage("v1.0/copilot/reports", "period='D7',version='v3'"), 400),
        (usage("v1.0/copilot/reports", "version='v2'"), 400),
        (usage("beta/reports", "period='D7'"), 400),
        (usage("v1.0/reports", "period='D7'"), 400),
        (format!("v1.0/{ACTIVE}(period='D7')"), 302),
        (format!("v1.0/{ACTIVE}(period='D28')"), 400),
        (format!("v1.0/{ACTIVE}(date=2026-10-01)"), 400),
        (format!("v1.0/{ACTIVE}(date=2026-11-21)"), 400),
    ] {
        assert_eq!(tenant.ask(&path).await.status(), expected, "{path}");
    }
    let old = tenant.ask(&usage("beta/reports", "period='D7'")).await;
    assert!(old.text().await.unwrap().contains("Resource not found for the segment"));

    for (versions, expected) in [
        ("'v1', 'beta'", [400, 200, 200, 400]),
        ("'beta'", [400, 400, 200, 400]),
        ("'v2'", [200, 400, 400, 400]),
    ] {
        let tenant = tenant_of(7, 30, &format!("usage_report_versions = [{versions}]")).await;
        for (path, expected) in [USAGE_V2, USAGE_V1, BETA_V1, BETA_V2].into_iter().zip(expected) {
            assert_eq!(tenant.ask(path).await.status(), expected, "{versions} {path}");
        }
    }
}

#[tokio::test]
async fn reports_lie_on_another_origin_that_wants_no_token() {
    let tenant = tenant(60, "usage_report_delivery = 'redirect'\ndownload_seconds = 2").await;
    for path in [USAGE_V2.to_owned(), format!("v1.0/{ACTIVE}(period='D7')")] {
        let answer = tenant.ask(&path).await;
        assert_eq!(answer.status(), 302);
        let address = header(&answer, LOCATION.as_str());
        assert!(address.starts_with(&tenant.simulator.downloads_url()));
        assert_ne!(tenant.simulator.downloads_url(), tenant.simulator.url());
        assert_eq!(tenant.follow(&address).await.status(), 400, "with a token");
        let again = no_redirects().get(&address).send().await.unwrap();
        assert_eq!(header(&again, "content-type"), "application/octet-stream");
        assert!(!rows(&whole(again).await).is_empty());
        let unknown = no_redirects().get(format!("{address}0")).send().await.unwrap();
        assert_eq!(unknown.status(), 403);
        tokio::time::sleep(Duration::from_millis(2100)).await;
        assert_eq!(no_redirects().get(&address).send().await.unwrap().status(), 403);
    }
    assert_eq!(tenant.simulator.requests().of("/_downloads/{token}"), 8);
}

#[tokio::test]
async fn the_active_user_report_knows_who_was_there() {
    let tenant = tenant(300, UNLIMITED).await;
    let seen_on =
        |row: &BTreeMap<String, String>, name: &str| date(&row[&format!("{name} Last Activity Date")]).unwrap();
    let (mut empty, mut absent, mut deleted) = (0, 0, 0);
    for later in 0..40 {
        let today = TODAY + later.days();
        tenant.simulator.set_today(today);
        let refresh_on = tenant.simulator.served_workloads(today).unwrap();
        let newest = tenant.report(&format!("v1.0/{ACTIVE}(period='D7')")).await;
        let truth = tenant.simulator.workloads(refresh_on);
        assert_eq!(newest.len(), truth.len());
        for (row, truth) in newest.iter().flatten().zip(&truth) {
            assert_eq!(row["Report Refresh Date"], refresh_on.to_string());
            assert_eq!(row["User Principal Name"].to_lowercase(), truth.upn);
            assert_eq!(row["Is Deleted"] == "True", truth.deleted);
            assert_eq!(seen_on(row, "Exchange"), truth.exchange_on);
            assert_eq!(seen_on(row, "OneDrive"), truth.onedrive_on);
            assert_eq!(seen_on(row, "SharePoint"), truth.sharepoint_on);
            assert_eq!(seen_on(row, "Teams"), truth.teams_on);
            absent += u32::from(truth.exchange_on.is_some_and(|last| last < refresh_on - 4.days()));
            deleted += u32::from(truth.deleted);
        }
        // By date it lists whom it saw on that day, and nobody before it is out.
        let wanted = today - 2.days();
        let by_date = tenant.report(&format!("v1.0/{ACTIVE}(date={wanted})")).await;
        let expected: Vec<_> = tenant
            .simulator
            .workloads(wanted)
            .into_iter()
            .filter(|row| [row.exchange_on, row.onedrive_on, row.sharepoint_on, row.teams_on].contains(&Some(wanted)))
            .map(|row| row.upn)
            .collect();
        let out = tenant.simulator.workloads_published_on(wanted);
        if out.is_some_and(|out| out <= today) {
            let served = by_date
                .iter()
                .flatten()
                .map(|row| row["User Principal Name"].to_lowercase());
            assert_eq!(served.collect::<Vec<_>>(), expected);
        } else {
            assert!(by_date.is_empty());
            empty += 1;
        }
    }
    assert!(empty > 5 && absent > 100 && deleted > 20, "{empty} {absent} {deleted}");
}

#[tokio::test]
async fn concealed_names_are_hexadecimal_in_every_report() {
    let tenant = tenant(300, &format!("{UNLIMITED}concealed_names = true")).await;
    assert_eq!(
        tenant.json("v1.0/admin/reportSettings").await["displayConcealedNames"],
        true
    );
    let active = format!("v1.0/{ACTIVE}(period='D7')");
    let mut names = Vec::new();
    for path in [USAGE_V1, USAGE_V2, &active] {
        for row in tenant.report(path).await.into_iter().flatten() {
            names.extend([row["User Principal Name"].clone(), row["Display Name"].clone()]);
        }
    }
    names.extend(tenant.all(BETA_V1).await.0.iter().map(|row| text(&row["displayName"])));
    assert!(names.len() > 500);
    for name in names {
        let is_hidden = name.len() == 32 && name.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        assert!(is_hidden, "{name}");
    }
}

#[tokio::test]
async fn limits_are_used_up_and_recover() {
    let scenario = "reports_limit = 2\njson_reports_limit = 1\nreports_window_seconds = 1\nidentity_limit = 5";
    let tenant = tenant(30, scenario).await;
    for expected in [200, 200, 429] {
        let answer = tenant.ask(USAGE_V1).await;
        assert_eq!(answer.status(), expected);
        if expected == 429 {
            assert_eq!(header(&answer, "retry-after"), "1");
            assert_eq!(code(answer).await.1, "TooManyRequests");
        }
    }
    assert_eq!(tenant.ask(BETA_V1).await.status(), 200);
    assert_eq!(tenant.ask(BETA_V1).await.status(), 429);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(tenant.ask(USAGE_V1).await.status(), 200);
    // Users cost 2, chosen properties make it 1, SKUs cost 3.
    for (path, expected) in [
        ("v1.0/users", 200),
        ("v1.0/users?$select=id", 200),
        ("v1.0/subscribedSkus", 429),
        ("v1.0/users", 200),
        ("v1.0/users?$select=id", 429),
    ] {
        assert_eq!(tenant.ask(path).await.status(), expected, "{path}");
    }
}

#[tokio::test]
async fn faults_are_worded_as_microsoft_words_them() {
    for (kind, expected) in [
        ("'unauthorized'", (401, "InvalidAuthenticationToken")),
        ("'forbidden'", (403, "Authorization_RequestDenied")),
        ("'not_found'", (404, "Request_ResourceNotFound")),
        ("'unprocessable'", (400, "Request_BadRequest")),
        ("'server_error'\nstatus = 503", (503, "serviceNotAvailable")),
        (
            "'secondary_with_retry_after'\nretry_after = 7",
            (429, "TooManyRequests"),
        ),
        ("'secondary_without_header'", (429, "TooManyRequests")),
        ("'primary_exhausted_403'", (429, "TooManyRequests")),
    ] {
        let fault = format!("[[fault]]\nroute = '/v1.0/users'\npage = 2\ntimes = 1\nkind = {kind}");
        let tenant = tenant(30, &fault).await;
        let first = tenant.json("v1.0/users?$top=10").await;
        let second = text(&first["@odata.nextLink"]);
        let refused = tenant.follow(&second).await;
        let wait = header(&refused, "retry-after");
        let (status, code) = code(refused).await;
        assert_eq!((status, code.as_str()), expected, "{kind}");
        assert_eq!(kind.contains("retry_after"), wait == "7", "{kind}");
        assert_eq!(tenant.follow(&second).await.status(), 200);
    }
    for (kind, expected) in [
        ("'unauthorized'", (401, "7000215")),
        ("'server_error'\nstatus = 503", (503, "90033")),
    ] {
        let fault = format!("[[fault]]\nroute = '/{{tenant}}/oauth2/v2.0/token'\non = [2]\nkind = {kind}");
        let tenant = tenant(30, &fault).await;
        let (status, code) = code(login(&tenant.simulator, TENANT, CLIENT_ID, CLIENT_SECRET).await).await;
        assert_eq!((status, code.as_str()), expected, "{kind}");
    }
    let fault = "[[fault]]\nroute = '/_downloads/{token}'\non = [1]\nkind = 'server_error'\nstatus = 500";
    let tenant = tenant(30, fault).await;
    let address = header(
        &tenant.ask(&format!("v1.0/{ACTIVE}(period='D7')")).await,
        LOCATION.as_str(),
    );
    for expected in [500, 200] {
        assert_eq!(no_redirects().get(&address).send().await.unwrap().status(), expected);
    }
}

#[tokio::test]
async fn a_day_of_the_tenant_is_the_same_whenever_and_wherever_it_is_asked_for() {
    let one = tenant_of(11, 120, UNLIMITED).await;
    let users = one.users().await;
    let (report, truth) = (one.text(USAGE_28).await, one.simulator.tenant(TODAY));
    one.simulator.set_today(TODAY + 50.days());
    assert_ne!(one.users().await, users);
    one.simulator.set_today(TODAY - 50.days());
    one.users().await;
    one.simulator.set_today(TODAY);
    let other = tenant_of(11, 120, UNLIMITED).await;
    for tenant in [&one, &other] {
        assert_eq!(tenant.users().await, users);
        assert_eq!(tenant.text(USAGE_28).await, report);
        assert_eq!(tenant.simulator.tenant(TODAY), truth);
    }
    let third = tenant_of(12, 120, UNLIMITED).await;
    assert_ne!(third.users().await, users);
}

#[tokio::test]
async fn the_truth_is_on_the_control_surface_too() {
    let tenant = tenant(60, "").await;
    let url = format!("{}/_simulator", tenant.simulator.url());
    let get = async |path: &str| -> Value {
        let answer = no_redirects().get(format!("{url}/{path}")).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let truth = tenant.simulator.tenant(TODAY);
    assert_eq!(
        get(&format!("tenant?day={TODAY}")).await,
        serde_json::to_value(truth).unwrap()
    );
    let usage = tenant.simulator.usage(TODAY);
    assert_eq!(
        get(&format!("usage?refresh_on={TODAY}")).await,
        serde_json::to_value(usage).unwrap()
    );
}

#[tokio::test]
async fn identities_name_everybody_whom_directory_and_reports_name() {
    let tenant = tenant(300, UNLIMITED).await;
    for later in [0, 25, 50, 75] {
        tenant.simulator.set_today(TODAY + later.days());
        let identities: BTreeSet<_> = tenant.simulator.identities().into_iter().collect();
        for user in tenant.users().await {
            for field in ["userPrincipalName", "displayName", "mail"] {
                assert!(
                    user[field].as_str().is_none_or(|name| identities.contains(name)),
                    "{user}"
                );
            }
        }
        let active = format!("v1.0/{ACTIVE}(period='D7')");
        for path in [USAGE_V1, &active] {
            for row in tenant.report(path).await.into_iter().flatten() {
                assert!(
                    identities.contains(&row["User Principal Name"].to_lowercase()),
                    "{row:?}"
                );
                let name = &row["Display Name"];
                assert!(identities.contains(name) || name == "Former Colleague", "{row:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_storm_passes_and_a_failing_page_does_not() {
    let storm = tenant_of(7, 60, include_str!("../../scenarios/tenant-storm.toml")).await;
    assert_eq!(storm.token, "", "the first login fails");
    let answer = login(&storm.simulator, TENANT, CLIENT_ID, CLIENT_SECRET).await;
    let token = text(&answer.json::<Value>().await.unwrap()["access_token"]);
    let storm = Tenant { token, ..storm };
    for path in [
        "v1.0/users",
        "v1.0/subscribedSkus",
        USAGE_V2,
        "v1.0/reports/getOffice365ActiveUserDetail(period='D7')",
    ] {
        let mut came = 0;
        for _ in 0..6 {
            let answer = storm.ask(path).await;
            let address = header(&answer, LOCATION.as_str());
            let answer = if address.is_empty() {
                answer
            } else {
                let followed = no_redirects().get(address).send().await;
                followed.unwrap()
            };
            let is_well = answer.status() == 200;
            let whole = answer
                .text()
                .await
                .is_ok_and(|body| !path.contains("users") || body.ends_with('}'));
            came += u32::from(is_well && whole);
        }
        assert!((3..6).contains(&came), "{path} came {came} times");
    }
    let failing = tenant_of(7, 60, include_str!("../../scenarios/users-page-fails.toml")).await;
    let first = failing.json("v1.0/users?$top=20").await;
    for _ in 0..5 {
        assert_eq!(failing.follow(&text(&first["@odata.nextLink"])).await.status(), 503);
    }
}

#[tokio::test]
async fn a_tenant_too_small_is_refused() {
    let settings = Settings {
        tenant_users: 29,
        ..Settings::new(10, 7, TODAY)
    };
    let error = Simulator::start(settings).await.unwrap_err();
    assert!(matches!(error, SimulatorError::TenantUsers(29)), "{error}");
}
