//! Appends happen once.

use uptake_lake::{Filter, LakeError, Written};

use crate::tables::{EVENTS, Event, PEOPLE, Stamped, ada, event, files, lake, stamp};

#[tokio::test]
async fn a_transaction_is_appended_once() {
    let (lake, folder) = lake();
    let rows = [event(1, "a"), event(2, "b"), event(1, "a")];
    let first = lake.append(&EVENTS, &rows, "x", &stamp("x")).await.unwrap();
    assert_eq!(
        first,
        Written {
            inserted: 3,
            version: Some(1),
            ..Written::default()
        }
    );
    let before = files(folder.path());
    let again = lake.append(&EVENTS, &rows, "x", &stamp("x")).await.unwrap();
    assert_eq!(
        again,
        Written {
            unchanged: 3,
            ..Written::default()
        }
    );
    assert_eq!(files(folder.path()), before);
    lake.append(&EVENTS, &rows[..1], "y", &stamp("y")).await.unwrap();

    let mut stored: Vec<Event> = lake.read(&EVENTS, &[], &Filter::All).await.unwrap();
    stored.sort();
    assert_eq!(stored, [event(1, "a"), event(1, "a"), event(1, "a"), event(2, "b")]);
    let second = Filter::Equals("day", "2026-11-02".to_owned());
    let stamps: Vec<Stamped> = lake.read(&EVENTS, &[], &second).await.unwrap();
    assert_eq!(stamps[0].invocation_id, "x");
    assert_eq!(stamps[0].collected_at, stamp("x").collected_at);
}

#[tokio::test]
async fn a_transaction_is_remembered_whatever_the_clock_of_the_stamp_says() {
    let (lake, _folder) = lake();
    let mut long_ago = stamp("x");
    long_ago.collected_at = "2001-01-01T00:00:00Z".parse().unwrap();
    for _ in 0..2 {
        lake.append(&EVENTS, &[event(1, "a")], "x", &long_ago).await.unwrap();
    }
    assert_eq!(lake.describe(&EVENTS).await.unwrap().unwrap().rows, 1);
}

#[tokio::test]
async fn a_dry_run_appends_nothing() {
    let (lake, folder) = lake();
    let dry = lake.read_only();
    let written = dry.append(&EVENTS, &[event(1, "a")], "x", &stamp("x")).await.unwrap();
    assert_eq!((written.inserted, written.version), (1, None));
    assert!(files(folder.path()).is_empty());
    lake.append(&EVENTS, &[event(1, "a")], "x", &stamp("x")).await.unwrap();
    let written = dry.append(&EVENTS, &[event(1, "a")], "x", &stamp("x")).await.unwrap();
    assert_eq!((written.inserted, written.unchanged), (0, 1));
}

#[tokio::test]
async fn a_table_with_a_key_is_not_appended_to() {
    let (lake, _folder) = lake();
    let error = lake.append(&PEOPLE, &[ada()], "x", &stamp("x")).await.unwrap_err();
    assert!(matches!(error, LakeError::Contract { .. }), "{error}");
    let none = lake.append::<Event>(&EVENTS, &[], "x", &stamp("x")).await.unwrap();
    assert_eq!(none, Written::default());
}
