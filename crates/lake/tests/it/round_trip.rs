//! What is stored comes back.

use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};
use uptake_lake::{Columns, Filter, Lake, LakeError, Written};

use crate::tables::{EVENTS, Event, PEOPLE, Person, Stamped, USAGE, Usage, ada, event, lake, person, stamp, usage};

#[tokio::test]
async fn every_kind_of_value_comes_back() {
    let (lake, _folder) = lake();
    let people = [ada(), person("2")];
    let written = lake.upsert(&PEOPLE, Columns::All, &people, &stamp("a")).await.unwrap();
    assert_eq!(
        written,
        Written {
            inserted: 2,
            updated: 0,
            unchanged: 0,
            version: Some(1)
        }
    );
    let stored: Vec<Person> = lake.read(&PEOPLE, &[], &Filter::All).await.unwrap();
    assert_eq!(stored, people);
    let stamps: Vec<Stamped> = lake.read(&PEOPLE, &[], &Filter::All).await.unwrap();
    assert_eq!(stamps[0].collected_at, stamp("a").collected_at);
    assert_eq!(stamps[1].invocation_id, "a");
}

#[tokio::test]
async fn the_stored_types_are_those_that_other_readers_expect() {
    let (lake, folder) = lake();
    lake.upsert(&PEOPLE, Columns::All, &[ada()], &stamp("a")).await.unwrap();
    let log = folder.path().join("people/_delta_log/00000000000000000000.json");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains(r#""protocol":{"minReaderVersion":1,"minWriterVersion":2}"#),
        "{log}"
    );
    for (name, delta) in [
        ("id", r#"\"string\""#),
        ("joined", r#"\"date\""#),
        ("seen", r#"\"timestamp\""#),
        ("visits", r#"\"long\""#),
        ("score", r#"\"double\""#),
        ("active", r#"\"boolean\""#),
        ("collected_at", r#"\"timestamp\""#),
    ] {
        let column = format!(r#"{{\"name\":\"{name}\",\"type\":{delta},\"nullable\":true"#);
        assert!(log.contains(&column), "{column} in {log}");
    }
}

#[tokio::test]
async fn words_of_the_code_are_texts_and_fields_may_be_borrowed() {
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Role {
        Owner,
        LateGuest,
    }
    #[derive(Serialize)]
    struct Given<'a> {
        id: &'a str,
        name: Option<Role>,
        teams: &'a [Role],
        not_a_column: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Stored {
        id: String,
        name: Option<Role>,
        teams: Vec<Role>,
    }
    let (lake, _folder) = lake();
    let given = |id, name| Given {
        id,
        name,
        teams: &[Role::LateGuest, Role::Owner],
        not_a_column: 1,
    };
    let rows = [given("1", Some(Role::LateGuest)), given("2", None)];
    let columns = Columns::Only(&["id", "name", "teams"]);
    lake.upsert(&PEOPLE, columns, &rows, &stamp("a")).await.unwrap();
    let stored = |id: &str, name| Stored {
        id: id.to_owned(),
        name,
        teams: vec![Role::LateGuest, Role::Owner],
    };
    let rows: Vec<Stored> = lake
        .read(&PEOPLE, &["id", "name", "teams"], &Filter::All)
        .await
        .unwrap();
    assert_eq!(rows, [stored("1", Some(Role::LateGuest)), stored("2", None)]);
    let texts: Vec<Person> = lake.read(&PEOPLE, &[], &Filter::All).await.unwrap();
    assert_eq!(texts[0].name.as_deref(), Some("late-guest"));
}

#[tokio::test]
async fn a_day_can_be_read_as_a_number() {
    #[derive(Deserialize)]
    struct Days {
        joined: Option<i32>,
        seen: Option<i64>,
    }
    let (lake, _folder) = lake();
    let people = [ada(), person("2")];
    lake.upsert(&PEOPLE, Columns::All, &people, &stamp("a")).await.unwrap();
    let days: Vec<Days> = lake.read(&PEOPLE, &["joined", "seen"], &Filter::All).await.unwrap();
    assert_eq!((days[0].joined, days[1].joined), (Some(-1), None));
    assert_eq!(days[0].seen, Some(ada().seen.unwrap().as_microsecond()));
}

#[derive(Debug, Deserialize)]
struct Day {
    day: Date,
}

#[tokio::test]
async fn a_partition_column_is_read_like_any_other() {
    let (lake, _folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 2, 2), usage(3, "a", 3, 3)];
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();

    let second = Filter::Equals("day", "2026-11-02".to_owned());
    let days: Vec<Day> = lake.read(&USAGE, &["day"], &second).await.unwrap();
    assert_eq!(days.iter().map(|row| row.day).collect::<Vec<_>>(), [date(2026, 11, 2)]);

    let from_second = Filter::DatesBetween("day", date(2026, 11, 2), date(2026, 11, 30));
    let rows: Vec<Usage> = lake.read(&USAGE, &[], &from_second).await.unwrap();
    assert_eq!(rows, [usage(2, "a", 2, 2), usage(3, "a", 3, 3)]);

    let days = lake.partition_dates(&USAGE, "day").await.unwrap();
    assert_eq!(days, [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)]);
}

#[tokio::test]
async fn rows_come_file_by_file() {
    let (lake, _folder) = lake();
    lake.append(&EVENTS, &[event(1, "a"), event(1, "b")], "1", &stamp("a"))
        .await
        .unwrap();
    lake.append(&EVENTS, &[event(2, "c")], "2", &stamp("a")).await.unwrap();
    let mut sizes = Vec::new();
    lake.scan(&EVENTS, &["what", "day"], &Filter::All, |rows: Vec<Event>| {
        sizes.push(rows.len());
    })
    .await
    .unwrap();
    assert_eq!(sizes, [2, 1]);
}

#[tokio::test]
async fn a_table_that_is_not_there_has_no_rows() {
    let (lake, folder) = lake();
    assert!(
        lake.read::<Person>(&PEOPLE, &[], &Filter::All)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(lake.partition_dates(&USAGE, "day").await.unwrap().is_empty());
    assert_eq!(lake.describe(&PEOPLE).await.unwrap(), None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_scan_of_what_is_not_there_is_refused() {
    let (lake, _folder) = lake();
    for (columns, filter) in [
        (&["nobody"][..], Filter::All),
        (&[], Filter::Equals("words", "1".to_owned())),
        (&[], Filter::DatesBetween("id", Date::MIN, Date::MAX)),
    ] {
        let error = lake.read::<Usage>(&USAGE, columns, &filter).await.unwrap_err();
        assert!(matches!(error, LakeError::Contract { .. }), "{error}");
    }
    lake.partition_dates(&USAGE, "id").await.unwrap_err();
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_made() {
    let (_, folder) = lake();
    let lake = Lake::in_folder(&folder.path().join("a/b c/d+e#")).unwrap();
    lake.upsert(&USAGE, Columns::All, &[usage(1, "a", 1, 1)], &stamp("a"))
        .await
        .unwrap();
    assert_eq!(lake.describe(&USAGE).await.unwrap().unwrap().rows, 1);
    assert!(folder.path().join("a/b c/d+e#/usage/_delta_log").is_dir());
}

#[test]
fn a_folder_that_delta_would_not_find_again_is_refused() {
    let error = Lake::in_folder(std::path::Path::new("/lake/50%20")).unwrap_err();
    assert!(matches!(error, LakeError::Settings { .. }), "{error}");
}

#[tokio::test]
async fn the_log_tells_size_and_version() {
    let (lake, folder) = lake();
    let rows = [usage(1, "a", 1, 1), usage(1, "b", 1, 1), usage(2, "a", 2, 2)];
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("a")).await.unwrap();
    let state = lake.describe(&USAGE).await.unwrap().unwrap();
    assert_eq!((state.rows, state.files, state.version), (3, 2, 1));
    assert_eq!(state.partitioned_by, ["day"]);
    let bytes = crate::tables::files(&folder.path().join("usage"))
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "parquet"))
        .map(|path| path.metadata().unwrap().len())
        .sum::<u64>();
    assert_eq!(state.bytes, bytes);
}

/// The pipeline runs it in tasks.
#[tokio::test]
async fn calls_may_move_between_threads() {
    fn moves<F: Future + Send>(call: F) -> F {
        call
    }
    let (lake, _folder) = lake();
    let rows = [usage(1, "a", 1, 1)];
    let stamp = stamp("a");
    moves(lake.upsert(&USAGE, Columns::All, &rows, &stamp)).await.unwrap();
    moves(lake.append(&EVENTS, &[event(1, "a")], "1", &stamp))
        .await
        .unwrap();
    moves(lake.scan(&USAGE, &[], &Filter::All, |_: Vec<Usage>| {}))
        .await
        .unwrap();
    moves(lake.describe(&USAGE)).await.unwrap();
    moves(lake.maintain(&USAGE, stamp.collected_at)).await.unwrap();
}
