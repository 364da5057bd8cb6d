//! Addresses that call a function: `name(period='D7',version='v2')`, and what stands behind the question mark.

use std::collections::HashMap;

use axum::{extract::Query, http::Uri};

use super::refusal::Refusal;

/// A function as it is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) name: &'a str,
    arguments: Vec<(&'a str, &'a str)>,
}

impl<'a> Call<'a> {
    /// Graph takes what it cannot read for the name of something that is not there.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let unknown = || Refusal::NoSegment(text.to_owned());
        let Some((name, rest)) = text.split_once('(') else {
            return Ok(Self {
                name: text,
                arguments: Vec::new(),
            });
        };
        let inner = rest.strip_suffix(')').ok_or_else(unknown)?;
        let given = inner.split(',').filter(|given| !given.is_empty());
        let arguments = given.map(|given| {
            let (key, value) = given.split_once('=').ok_or_else(unknown)?;
            let value = value.trim();
            let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
            Ok((key.trim(), quoted.unwrap_or(value)))
        });
        Ok(Self {
            name,
            arguments: arguments.collect::<Result<_, Refusal>>()?,
        })
    }

    pub(super) fn argument(&self, name: &str) -> Option<&'a str> {
        let mut arguments = self.arguments.iter();
        arguments.find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// What stands behind the question mark, decoded.
pub(super) fn query(uri: &Uri) -> HashMap<String, String> {
    Query::try_from_uri(uri).map(|Query(query)| query).unwrap_or_default()
}

/// A form, which is written like a query.
pub(super) fn pairs(form: &str) -> HashMap<String, String> {
    let uri = Uri::builder().path_and_query(format!("/?{form}")).build();
    uri.map(|uri| query(&uri)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_and_without_quotes() {
        let call = Call::parse("report(period='D7', version='v2',date=2026-11-20)").unwrap();
        assert_eq!(call.name, "report");
        assert_eq!(call.argument("version"), Some("v2"));
        assert_eq!(call.argument("date"), Some("2026-11-20"));
        assert_eq!(call.argument("period"), Some("D7"));
        assert_eq!(call.argument("day"), None);
        assert!(Call::parse("report(").is_err());
        assert!(Call::parse("report(period)").is_err());
        assert_eq!(Call::parse("report").unwrap().name, "report");
    }
}
