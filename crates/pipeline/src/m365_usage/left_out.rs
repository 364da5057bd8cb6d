//! What is kept of a report's bytes: everything but the rows of excluded people.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bronze::Form;
use crate::exclusions::Excluded;

/// The column that says who a row is about.
const UPN_COLUMN: &str = "User Principal Name";

/// The body without rows of excluded people; every other byte stays as it came. Where rows cannot be told apart, nothing
/// stays of a body that names one of them.
pub(crate) fn without_excluded(body: &Bytes, form: Form, excluded: &Excluded) -> Bytes {
    if excluded.is_empty() {
        return body.clone();
    }
    let kept = match form {
        Form::Csv => csv_without(body, excluded),
        Form::Json => json_without(body, excluded),
    };
    match kept {
        Some(kept) => kept.into(),
        None if excluded.is_named_in(body) => Bytes::new(),
        None => body.clone(),
    }
}

fn csv_without(body: &[u8], excluded: &Excluded) -> Option<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
    let headers = reader.byte_headers().ok()?;
    let is_upn = |name: &[u8]| {
        std::str::from_utf8(name).is_ok_and(|name| name.trim_start_matches('\u{feff}').trim() == UPN_COLUMN)
    };
    let place = headers.iter().position(is_upn)?;
    let mut kept = Vec::with_capacity(body.len());
    let mut from = 0;
    let mut record = csv::ByteRecord::new();
    let mut start = usize::try_from(reader.position().byte()).ok()?;
    kept.extend_from_slice(body.get(from..start)?);
    while reader.read_byte_record(&mut record).ok()? {
        from = start;
        start = usize::try_from(reader.position().byte()).ok()?;
        let bytes = body.get(from..start)?;
        let upn = record.get(place).and_then(|upn| std::str::from_utf8(upn).ok());
        let is_excluded = match upn {
            Some(upn) if upn.contains('@') => excluded.has_name(&upn.trim().to_lowercase()),
            _ => excluded.is_named_in(bytes),
        };
        if !is_excluded {
            kept.extend_from_slice(bytes);
        }
    }
    // The reader takes a line's end to be done before its line feed.
    kept.extend_from_slice(body.get(start..)?);
    Some(kept)
}

/// A page of a report as JSON, as far as it matters here.
#[derive(Deserialize, Serialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

fn json_without(body: &[u8], excluded: &Excluded) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        user_principal_name: Option<String>,
    }
    let mut page: Page<'_> = serde_json::from_slice(body).ok()?;
    page.value.retain(|raw| {
        let row = serde_json::from_str::<Row>(raw.get()).ok();
        match row.and_then(|row| row.user_principal_name) {
            Some(upn) => !excluded.has_name(&upn.trim().to_lowercase()),
            None => !excluded.is_named_in(raw.get().as_bytes()),
        }
    });
    serde_json::to_vec(&page).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uptake_domain::exclusions::ExclusionList;

    fn excluded() -> Excluded {
        Excluded::by_name(ExclusionList::of(["out@x.example".to_owned()]).unwrap())
    }

    fn kept(body: &str, form: Form) -> String {
        let bytes = without_excluded(&Bytes::copy_from_slice(body.as_bytes()), form, &excluded());
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn rows_of_excluded_people_go_and_every_other_byte_stays() {
        let csv = "\u{feff}Report Refresh Date,User Principal Name,Display Name\r\n\
            2026-11-01,In@x.example,\"Last, First\"\r\n\
            2026-11-01,OUT@X.example,\"Doe,\r\nJane\"\r\n\
            broken,out@x.example\r\n\
            2026-11-01\r\n\
            2026-11-01,third@x.example,\r\n";
        let expected = csv
            .replace("2026-11-01,OUT@X.example,\"Doe,\r\nJane\"\r\n", "")
            .replace("broken,out@x.example\r\n", "");
        assert_eq!(kept(csv, Form::Csv), expected);
    }

    #[test]
    fn a_row_that_cannot_be_read_goes_where_it_names_one_of_them() {
        let csv = "Report Refresh Date,User Principal Name\nout@x.example\nodd row\n";
        assert_eq!(
            kept(csv, Form::Csv),
            "Report Refresh Date,User Principal Name\nodd row\n"
        );
        assert_eq!(kept("no header that we know\nOut@x.example\n", Form::Csv), "");
        assert_eq!(
            kept("no header that we know\nin@x.example\n", Form::Csv),
            "no header that we know\nin@x.example\n"
        );
        assert_eq!(kept("{\"half\": [\"out@x.example\"", Form::Json), "");
        let of_somebody_else = "no header that we know\nlogout@x.example\nout@x.example.org\n";
        assert_eq!(kept(of_somebody_else, Form::Csv), of_somebody_else);
    }

    #[test]
    fn pages_of_json_are_thinned_out_too() {
        let page = r#"{"@odata.nextLink":"x","value":[{"userPrincipalName":"Out@x.example"},{"userPrincipalName":"in@x.example", "a": 1.0},{"upn":"out@x.example"}]}"#;
        assert_eq!(
            kept(page, Form::Json),
            r#"{"value":[{"userPrincipalName":"in@x.example", "a": 1.0}]}"#
        );
    }
}
