//! A fingerprint of a day stays as long as its rows do.

use jiff::civil::date;
use uptake_lake::{Columns, Filter, LakeError};

use crate::tables::{PEOPLE, RECORDS, USAGE, lake, record, stamp, usage};

#[tokio::test]
async fn a_day_that_did_not_change_keeps_its_fingerprint() {
    let (lake, folder) = lake();
    assert!(lake.fingerprints(&USAGE, "day").await.unwrap().is_empty());
    let rows = [usage(1, "a", 1, 1), usage(2, "a", 1, 1), usage(3, "a", 1, 1)];
    lake.insert(&USAGE, &rows, &stamp("a")).await.unwrap();
    let first = lake.fingerprints(&USAGE, "day").await.unwrap();
    assert_eq!(
        first.keys().copied().collect::<Vec<_>>(),
        [1, 2, 3].map(|day| date(2026, 11, day))
    );

    // Nothing changes, and another process sees the same.
    lake.insert(&USAGE, &rows, &stamp("b")).await.unwrap();
    lake.upsert(&USAGE, Columns::All, &rows, &stamp("b")).await.unwrap();
    let other = uptake_lake::Lake::in_folder(folder.path()).unwrap();
    assert_eq!(other.fingerprints(&USAGE, "day").await.unwrap(), first);

    // The first gains a row, of the second a row changes.
    lake.insert(&USAGE, &[usage(1, "b", 1, 1)], &stamp("c")).await.unwrap();
    lake.upsert(&USAGE, Columns::All, &[usage(2, "a", 2, 1)], &stamp("c"))
        .await
        .unwrap();
    let second = lake.fingerprints(&USAGE, "day").await.unwrap();
    let same: Vec<bool> = first.iter().map(|(day, own)| second[day] == *own).collect();
    assert_eq!(same, [false, false, true]);

    // A day that is back as it was is not taken for one that never changed.
    lake.upsert(&USAGE, Columns::All, &[usage(2, "a", 1, 1)], &stamp("d"))
        .await
        .unwrap();
    let third = lake.fingerprints(&USAGE, "day").await.unwrap();
    assert!(third[&date(2026, 11, 2)] != first[&date(2026, 11, 2)]);
    assert_eq!(third[&date(2026, 11, 1)], second[&date(2026, 11, 1)]);
}

#[tokio::test]
async fn a_purge_keeps_fingerprints() {
    let (lake, _folder) = lake();
    lake.insert(&RECORDS, [record(1, "a", "s"), record(2, "a", "s")], &stamp("a"))
        .await
        .unwrap();
    lake.upsert(&RECORDS, Columns::All, [record(1, "b", "s")], &stamp("a"))
        .await
        .unwrap();
    let before = lake.fingerprints(&RECORDS, "day").await.unwrap();
    assert!(lake.purge(&RECORDS).await.unwrap() > 0);
    assert_eq!(lake.fingerprints(&RECORDS, "day").await.unwrap(), before);
    let days: Vec<Result<_, LakeError>> = vec![
        lake.fingerprints(&RECORDS, "id").await,
        lake.fingerprints(&PEOPLE, "joined").await,
    ];
    assert!(
        days.iter()
            .all(|error| matches!(error, Err(LakeError::Contract { .. }))),
        "{days:?}"
    );
    assert_eq!(
        lake.read::<crate::tables::Record>(&RECORDS, &[], &Filter::All)
            .await
            .unwrap()
            .len(),
        3
    );
}
