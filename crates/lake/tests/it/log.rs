//! The log names nobody.

use uptake_lake::{Columns, Filter};

use crate::tables::{EVENTS, PEOPLE, Person, ada, event, files, lake, stamp, unpacked};

/// The log is read by more people than the data, and its copies are forgotten in more places.
#[tokio::test]
async fn no_name_gets_into_the_log() {
    let (lake, folder) = lake();
    for visits in 0..25 {
        let mut ada = ada();
        ada.visits = Some(visits);
        lake.upsert(&PEOPLE, Columns::All, &[ada], &stamp("a")).await.unwrap();
    }
    let done = lake.maintain(&PEOPLE, stamp("a").collected_at).await.unwrap();
    assert!(done.checkpoint.is_some());

    let mut checkpoints = 0;
    let mut told = String::new();
    for path in files(&folder.path().join("people/_delta_log")) {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = if name.ends_with(".parquet") {
            checkpoints += 1;
            unpacked(bytes)
        } else {
            String::from_utf8(bytes).unwrap()
        };
        for person in ["Ada", "Lovelace", "ada@", "example.com", "engines", "quotes"] {
            assert!(!text.contains(person), "{person} is in {name}");
        }
        told.push_str(&text);
    }
    assert_eq!(checkpoints, 1);
    // What files are chosen by is there.
    assert!(told.contains(r#"\"minValues\":{"#), "{told}");
    assert!(told.contains("1969-12-31"));
    let stored: Vec<Person> = lake.read(&PEOPLE, &[], &Filter::All).await.unwrap();
    assert_eq!(stored[0].name, ada().name);
}

#[tokio::test]
async fn transactions_carry_the_time_after_which_they_are_forgotten() {
    let (lake, folder) = lake();
    lake.append(&EVENTS, &[event(1, "a")], "x", &stamp("a")).await.unwrap();
    let log = folder.path().join("events/_delta_log");
    let made = std::fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    assert!(
        made.contains(r#""delta.setTransactionRetentionDuration":"interval 30 days""#),
        "{made}"
    );
    let appended = log.join("00000000000000000001.json");
    let text = std::fs::read_to_string(&appended).unwrap();
    let (before, after) = text.split_once(r#""lastUpdated":"#).unwrap();
    let length = after.find(|digit: char| !digit.is_ascii_digit()).unwrap();
    assert_eq!(length, 13, "milliseconds");

    // One from 2001 is forgotten.
    let old = format!(r#"{before}"lastUpdated":978307200000{}"#, &after[length..]);
    std::fs::write(&appended, old).unwrap();
    let again = lake.append(&EVENTS, &[event(1, "a")], "x", &stamp("a")).await.unwrap();
    assert_eq!(again.inserted, 1);
}
