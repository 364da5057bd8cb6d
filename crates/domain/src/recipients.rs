//! `config/emails.json`: who gets which report. Every fault of the file is found in one reading.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde_json::Value;

/// A mail address that was checked, in the spelling of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(String);

impl Recipient {
    /// The address as the mail header and the mail service take it.
    pub fn address(&self) -> &str {
        &self.0
    }

    /// One spelling for one mailbox: what tells two recipients apart.
    pub fn normalised(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Everything wrong with the file, one sentence a fault.
#[derive(Debug, PartialEq, Eq)]
pub struct RecipientFaults(Vec<String>);

impl fmt::Display for RecipientFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"the list of recipients cannot be used; it should read {"emails": ["name@example.com"]}"#)?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for RecipientFaults {}

/// The recipients of `report`: its own list under `reports` if there is one, else `emails`. A name that stands twice
/// counts once.
///
/// The whole file is checked, so that a fault in another report's list is found today and not on its day.
pub fn parse(bytes: &[u8], report: &str) -> Result<Vec<Recipient>, RecipientFaults> {
    let file: Value =
        serde_json::from_slice(bytes).map_err(|error| RecipientFaults(vec![format!("it is not JSON: {error}")]))?;
    let mut faults = Vec::new();
    let Some(file) = file.as_object() else {
        return Err(RecipientFaults(vec!["it is not a JSON object".to_owned()]));
    };
    let everyone = if let Some(list) = file.get("emails") {
        addresses("emails", list, &mut faults)
    } else {
        faults.push("`emails` is missing".to_owned());
        Vec::new()
    };
    let mut own = None;
    match file.get("reports") {
        None => {}
        Some(Value::Object(reports)) => {
            for (name, list) in reports {
                let list = addresses(&format!("reports.{name}"), list, &mut faults);
                if name == report {
                    own = Some(list);
                }
            }
        }
        Some(other) => faults.push(format!("`reports` is {}, not an object of lists", kind(other))),
    }
    if faults.is_empty() {
        Ok(distinct(own.unwrap_or(everyone)))
    } else {
        Err(RecipientFaults(faults))
    }
}

fn addresses(place: &str, list: &Value, faults: &mut Vec<String>) -> Vec<Recipient> {
    let Some(entries) = list.as_array() else {
        faults.push(format!("`{place}` is {}, not a list of addresses", kind(list)));
        return Vec::new();
    };
    let mut addresses = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match entry.as_str().map(address) {
            Some(Ok(recipient)) => addresses.push(recipient),
            // By its place and not by its text: it may be somebody's address with a slip in it, and errors are logged.
            Some(Err(reason)) => faults.push(format!("`{place}[{index}]` is not a mail address: {reason}")),
            None => faults.push(format!("`{place}[{index}]` is {}, not an address", kind(entry))),
        }
    }
    addresses
}

fn address(text: &str) -> Result<Recipient, String> {
    if !text.is_ascii() {
        return Err("the mail service takes ASCII only".to_owned());
    }
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    EmailAddress::parse_with_options(text, options)
        .map(|address| Recipient(address.to_string()))
        .map_err(|error| error.to_string())
}

impl FromStr for Recipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        address(text)
    }
}

fn distinct(mut recipients: Vec<Recipient>) -> Vec<Recipient> {
    let mut seen = std::collections::HashSet::new();
    recipients.retain(|recipient| seen.insert(recipient.normalised()));
    recipients
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<String> {
        let recipients = parse(json.as_bytes(), "copilot-seats").unwrap();
        recipients
            .iter()
            .map(|recipient| recipient.address().to_owned())
            .collect()
    }

    #[test]
    fn a_report_of_its_own_wins_and_unknown_fields_are_ignored() {
        let emails = r#"{"emails": ["a@octo.example", "A@octo.example", "b@octo.example"], "comment": 1}"#;
        assert_eq!(list(emails), ["a@octo.example", "b@octo.example"]);
        let own = r#"{"emails": ["a@octo.example"], "reports": {"copilot-seats": ["c@octo.example"]}}"#;
        assert_eq!(list(own), ["c@octo.example"]);
        let muted = r#"{"emails": ["a@octo.example"], "reports": {"copilot-seats": []}}"#;
        assert!(list(muted).is_empty());
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let file = r#"{"emails": ["fine@octo.example", "no-at-sign", 7, "a b@octo.example", "x@localhost",
                       "Name <n@octo.example>", "c@octo.example\r\nBcc: d@octo.example", "ö@octo.example"],
                       "reports": {"weekly-digest": "e@octo.example", "copilot-seats": [null]}}"#;
        let message = parse(file.as_bytes(), "copilot-seats").unwrap_err().to_string();
        for place in [
            "`emails[1]` is not a mail address: ",
            "`emails[2]` is a number",
            "`emails[3]`",
            "`emails[4]`",
            "`emails[5]`",
            "`emails[6]`",
            "`emails[7]`",
            "`reports.weekly-digest` is a text, not a list",
            "`reports.copilot-seats[0]` is null",
        ] {
            assert!(message.contains(place), "{place} not in {message}");
        }
        assert!(!message.contains("emails[0]"));
        assert!(
            !message.contains("octo.example"),
            "a fault names a place and no person: {message}"
        );
    }

    #[test]
    fn a_wrong_shape_is_a_sentence() {
        for (file, expected) in [
            ("", "it is not JSON"),
            ("[]", "it is not a JSON object"),
            ("{}", "`emails` is missing"),
            (r#"{"emails": "a@octo.example"}"#, "`emails` is a text"),
            (r#"{"emails": [], "reports": []}"#, "`reports` is a list"),
        ] {
            let message = parse(file.as_bytes(), "copilot-seats").unwrap_err().to_string();
            assert!(message.contains(expected), "{expected} not in {message}");
        }
    }
}
