//! The data: repeatable, of the promised size, with every oddity, and in agreement with the simulator's own account.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde_json::Value;
use uptake_simulator::{Settings, Simulator, TeamTruth, Truth};

use crate::client::{TODAY, all_seats, enterprise_seats, graphql, json, start};

fn figures(truth: &Truth) -> TeamTruth {
    TeamTruth {
        seats: truth.seats,
        active_7_days: truth.active_7_days,
        active_28_days: truth.active_28_days,
        idle: truth.idle,
        never_used: truth.never_used,
        pending_cancellation: truth.pending_cancellation,
    }
}

/// What the seats say, by a reading of its own: objects are grouped by assignee id and then judged as a whole.
async fn read_naively(simulator: &Simulator, today: Date) -> (TeamTruth, BTreeMap<String, TeamTruth>, u64) {
    let mut people: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    let mut undecodable = 0;
    for seat in enterprise_seats(simulator).await {
        let decodes = !seat["last_activity_at"].is_number() && seat["assignee"]["id"].is_u64();
        if decodes && seat["assignee"]["type"] == "User" {
            people
                .entry(seat["assignee"]["id"].as_u64().unwrap())
                .or_default()
                .push(seat);
        } else {
            undecodable += 1;
        }
    }
    let (mut all, mut by_team) = (TeamTruth::default(), BTreeMap::new());
    for team in json(simulator, "/enterprises/octo-enterprise/teams?per_page=100")
        .await
        .as_array()
        .unwrap()
    {
        by_team.insert(team["slug"].as_str().unwrap().to_owned(), TeamTruth::default());
    }
    for seats in people.into_values() {
        let last = seats
            .iter()
            .filter_map(|seat| seat["last_activity_at"].as_str())
            .map(|at| at.parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC).date())
            .max();
        let cancelled = seats.iter().all(|seat| seat["pending_cancellation_date"].is_string());
        let count = |figures: &mut TeamTruth| {
            figures.seats += 1;
            figures.active_7_days += u64::from(last.is_some_and(|last| last >= today - 6.days()));
            figures.active_28_days += u64::from(last.is_some_and(|last| last >= today - 27.days()));
            figures.idle += u64::from(last.is_some_and(|last| last < today - 27.days()));
            figures.never_used += u64::from(last.is_none());
            figures.pending_cancellation += u64::from(cancelled);
        };
        count(&mut all);
        let teams: BTreeSet<_> = seats
            .iter()
            .filter_map(|seat| seat["assigning_team"]["slug"].as_str())
            .collect();
        for team in teams {
            count(by_team.get_mut(team).unwrap());
        }
    }
    (all, by_team, undecodable)
}

#[tokio::test]
async fn the_truth_is_what_a_naive_reader_of_all_pages_computes() {
    for (seats, days) in [(10, 0), (49, 3), (50, 1), (300, 0), (300, 9), (2500, 40)] {
        let simulator = start(seats).await;
        let today = TODAY + days.days();
        simulator.set_today(today);
        let truth = simulator.truth();
        let (all, by_team, undecodable) = read_naively(&simulator, today).await;
        assert_eq!(figures(&truth), all, "{seats} seats, day {days}");
        assert_eq!(truth.by_team, by_team, "{seats} seats, day {days}");
        assert_eq!(truth.undecodable, undecodable, "{seats} seats, day {days}");
        assert_eq!(u64::try_from(truth.people.len()).unwrap(), truth.seats);
    }
}

#[tokio::test]
async fn a_person_of_the_truth_is_a_person_of_the_endpoints() {
    let simulator = start(120).await;
    let mut withheld = 0;
    for (login, person) in simulator.truth().people {
        let query = format!(
            r#"{{ u:user(login:"{login}"){{databaseId email createdAt}} enterprise(slug:"octo-enterprise"){{ownerInfo
            {{samlIdentityProvider{{i:externalIdentities(first:1,login:"{login}"){{nodes{{samlIdentity{{nameId}}}}}}}}}}}} }}"#
        );
        let data = &graphql(&simulator, &query).await["data"];
        let identities = &data["enterprise"]["ownerInfo"]["samlIdentityProvider"]["i"]["nodes"];
        assert_eq!(
            identities[0]["samlIdentity"]["nameId"].as_str(),
            person.saml_name_id.as_deref()
        );
        if person.account_created_at.is_none() {
            assert!(data["u"].is_null());
            continue;
        }
        assert_eq!(data["u"]["databaseId"].as_u64(), Some(person.id));
        assert_eq!(
            data["u"]["email"].as_str(),
            Some(person.email.as_deref().unwrap_or_default())
        );
        assert_eq!(
            data["u"]["createdAt"].as_str().map(|at| at.parse().unwrap()),
            person.account_created_at
        );
        withheld += usize::from(person.email.is_none() && person.saml_name_id.is_none());
    }
    assert!(withheld > 0);
}

#[tokio::test]
async fn a_day_is_the_same_whenever_and_wherever_it_is_asked_for() {
    let simulator = start(200).await;
    let (first, truth) = (enterprise_seats(&simulator).await, simulator.truth());
    simulator.set_today(TODAY + 30.days());
    assert_ne!(enterprise_seats(&simulator).await, first);
    simulator.set_today(TODAY);
    assert_eq!(enterprise_seats(&simulator).await, first);

    let started_later = Simulator::start(Settings::new(200, 7, TODAY + 5.days())).await.unwrap();
    started_later.set_today(TODAY);
    assert_eq!(enterprise_seats(&started_later).await, first);
    assert_eq!(started_later.truth(), truth);

    let other_seed = Simulator::start(Settings::new(200, 8, TODAY)).await.unwrap();
    assert_ne!(enterprise_seats(&other_seed).await, first);
}

#[tokio::test]
async fn every_data_set_has_the_promised_size_and_total_seats_counts_people_once() {
    for seats in [10, 57, 1000] {
        let simulator = start(seats).await;
        let (total, objects) = all_seats(&simulator, crate::client::SEATS).await;
        assert_eq!(objects.len(), usize::try_from(seats).unwrap());
        let people: BTreeSet<_> = objects.iter().map(|seat| seat["assignee"]["id"].to_string()).collect();
        let nobodys = objects.iter().filter(|seat| seat["assignee"].is_null()).count();
        let to_teams = objects.iter().filter(|seat| seat["assignee"]["type"] != "User").count() - nobodys;
        // Assigned to a team or an organisation, several seats share one id.
        let shared = objects
            .iter()
            .filter(|seat| !seat["assignee"].is_null() && seat["assignee"]["type"] != "User")
            .map(|seat| seat["assignee"]["id"].to_string())
            .collect::<BTreeSet<_>>()
            .len();
        let null = usize::from(nobodys > 0);
        let counted = people.len() - shared - null + to_teams + nobodys;
        assert_eq!(total, u64::try_from(counted).unwrap(), "{seats} seats");
    }
}

#[tokio::test]
async fn about_one_seat_in_twelve_is_a_second_one_and_one_person_in_five_hundred_changes_a_day() {
    let simulator = start(20_000).await;
    let truth = simulator.truth();
    let second = 20_000 - truth.seats - truth.undecodable;
    assert!((1400..=1800).contains(&second), "{second} second seats");
    assert!(truth.idle > 1000 && truth.never_used > 1000 && truth.pending_cancellation > 100);

    simulator.set_today(TODAY + 1.day());
    let next = simulator.truth();
    let joined = next
        .people
        .keys()
        .filter(|login| !truth.people.contains_key(*login))
        .count();
    assert!((15..=80).contains(&joined), "{joined} joined");
    assert!(next.seats.abs_diff(truth.seats) <= 20);

    let moved = |login: &String| next.people.get(login).map(|person| person.last_activity_at);
    let active = truth
        .people
        .iter()
        .filter(|(login, person)| moved(login).is_some_and(|at| at > person.last_activity_at));
    assert!(active.count() > 500, "a Saturday is quiet, not silent");
}

/// A name for it, and how to know it.
type Oddity = (&'static str, Box<dyn Fn(&Value) -> bool>);

#[tokio::test]
async fn fifty_seats_hold_every_oddity_and_ten_the_important_ones() {
    let of = |seat: &Value, field: &str| seat[field].as_str().unwrap_or_default().to_owned();
    let parts = |seat: &Value| {
        seat["last_activity_editor"]
            .as_str()
            .map(|editor| editor.split('/').count())
    };
    let important: Vec<Oddity> = vec![
        (
            "cancellation",
            Box::new(move |seat| of(seat, "pending_cancellation_date").parse::<Date>().is_ok()),
        ),
        ("team absent", Box::new(|seat| seat.get("assigning_team").is_none())),
        (
            "team null",
            Box::new(|seat| seat.get("assigning_team").is_some_and(Value::is_null)),
        ),
        ("assignee null", Box::new(|seat| seat["assignee"].is_null())),
        (
            "activity a number",
            Box::new(|seat| seat["last_activity_at"].is_number()),
        ),
        ("two parts", Box::new(move |seat| parts(seat) == Some(2))),
        ("five parts", Box::new(move |seat| parts(seat) == Some(5))),
        ("never used", Box::new(|seat| seat["last_activity_at"].is_null())),
        (
            "formula",
            Box::new(move |seat| of(seat, "last_activity_editor").starts_with('=')),
        ),
        (
            "mixed case",
            Box::new(|seat| {
                seat["assignee"]["login"]
                    .as_str()
                    .is_some_and(|l| l != l.to_lowercase())
            }),
        ),
        ("unknown field", Box::new(|seat| seat.get("seat_origin").is_some())),
    ];
    let further: Vec<Oddity> = vec![
        (
            "offset",
            Box::new(move |seat| of(seat, "created_at").ends_with("-06:00")),
        ),
        ("team assignee", Box::new(|seat| seat["assignee"]["type"] == "Team")),
        (
            "organisation assignee",
            Box::new(|seat| seat["assignee"]["type"] == "Organization"),
        ),
        ("id is text", Box::new(|seat| seat["assignee"]["id"].is_string())),
        ("one part", Box::new(move |seat| parts(seat) == Some(1))),
        ("six parts", Box::new(move |seat| parts(seat) == Some(6))),
        (
            "editor null",
            Box::new(|seat| seat["last_activity_at"].is_string() && seat["last_activity_editor"].is_null()),
        ),
    ];
    let (ten, fifty) = (start(10).await, start(50).await);
    let (few, more) = (enterprise_seats(&ten).await, enterprise_seats(&fifty).await);
    for (name, is_odd) in &important {
        assert!(few.iter().any(is_odd), "{name} in 10 seats");
    }
    for (name, is_odd) in important.iter().chain(&further) {
        assert!(more.iter().any(is_odd), "{name} in 50 seats");
    }
    let per_seat = serde_json::to_string(&more).unwrap().len() / more.len();
    assert!((1100..=2200).contains(&per_seat), "{per_seat} bytes a seat");
    assert!(
        ten.truth()
            .people
            .values()
            .any(|person| person.account_created_at.is_none()),
        "a deleted user"
    );
}

#[tokio::test]
async fn seats_of_one_person_merge_by_latest_activity_all_teams_and_unanimous_cancellation() {
    let simulator = start(50).await;
    let (people, seats) = (simulator.truth().people, enterprise_seats(&simulator).await);
    let login = |position: usize| seats[position]["assignee"]["login"].as_str().unwrap();
    // The positions are those of `cast.rs`.
    assert_eq!(login(0), login(1));
    assert_eq!(login(0), login(19));
    assert_eq!(people[login(0)].teams.len(), 2);
    assert!(seats[15]["pending_cancellation_date"].is_string() && seats[16]["pending_cancellation_date"].is_null());
    assert_eq!(login(15), login(16));
    assert_eq!(people[login(15)].pending_cancellation_on, None);
    assert_eq!(login(17), login(18));
    let later = seats[17]["pending_cancellation_date"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(people[login(17)].pending_cancellation_on, Some(later));
}

#[tokio::test]
async fn the_lists_of_the_organisations_together_are_the_enterprises() {
    let simulator = start(400).await;
    let mut parts = Vec::new();
    for organisation in uptake_simulator::ORGANISATIONS {
        let (total, mut seats) = all_seats(&simulator, &format!("/orgs/{organisation}/copilot/billing/seats")).await;
        assert!(!seats.is_empty());
        let billing = json(&simulator, &format!("/orgs/{organisation}/copilot/billing")).await;
        assert_eq!(billing["seat_breakdown"]["total"].as_u64(), Some(total));
        parts.append(&mut seats);
    }
    let sorted = |seats: Vec<Value>| seats.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    assert_eq!(sorted(parts), sorted(enterprise_seats(&simulator).await));
}

#[tokio::test]
async fn identities_name_everybody_the_pages_name() {
    let simulator = start(300).await;
    let identities: BTreeSet<_> = simulator.identities().into_iter().collect();
    for seat in enterprise_seats(&simulator)
        .await
        .iter()
        .filter(|seat| seat["assignee"]["type"] == "User")
    {
        assert!(identities.contains(seat["assignee"]["login"].as_str().unwrap()));
    }
    for person in simulator.truth().people.into_values() {
        assert!(
            person
                .email
                .into_iter()
                .chain(person.saml_name_id)
                .all(|address| identities.contains(&address))
        );
    }
}

#[tokio::test]
async fn small_teams_and_an_empty_one_are_there() {
    for seats in [10, 2000] {
        let by_team = start(seats).await.truth().by_team;
        assert!((3..=40).contains(&by_team.len()));
        assert!(by_team.values().any(|team| team.seats == 0));
        assert!(by_team.values().any(|team| (1..5).contains(&team.seats)));
    }
}

#[tokio::test]
async fn the_largest_data_set_serves_its_last_page() {
    let simulator = start(100_000).await;
    let page = json(&simulator, &format!("{}?per_page=100&page=1000", crate::client::SEATS)).await;
    assert_eq!(page["seats"].as_array().unwrap().len(), 100);
    assert!(page["total_seats"].as_u64().unwrap() > 90_000);
}
