//! People of whom no use is recorded: the list as somebody keeps it, and who is meant by it.

use std::collections::BTreeSet;

use crate::known_user::KnownUser;

/// The list: user principal names or mail addresses, as normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExclusionList(BTreeSet<String>);

/// A list that cannot be used. Says where, never who.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExclusionFault {
    /// Not a JSON list of texts.
    #[error("must be a JSON list of user principal names, such as [\"adele@contoso.example\"]")]
    NoList,
    /// An entry that can be nobody's name.
    #[error("entry {0} is no user principal name; write one as it stands in the directory, with its @")]
    NoName(usize),
}

impl ExclusionList {
    /// Reads a JSON list.
    pub fn parse(json: &[u8]) -> Result<Self, ExclusionFault> {
        let names: Vec<String> = serde_json::from_slice(json).map_err(|_| ExclusionFault::NoList)?;
        Self::of(names)
    }

    /// The list of these names. One that is no name is refused: whoever it was meant for would be recorded.
    pub fn of(names: impl IntoIterator<Item = String>) -> Result<Self, ExclusionFault> {
        let entry = |(place, name): (usize, String)| {
            let name = normal(&name);
            let is_name = name.contains('@') && !name.contains(char::is_whitespace);
            is_name.then_some(name).ok_or(ExclusionFault::NoName(place + 1))
        };
        names
            .into_iter()
            .enumerate()
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nobody is on it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this very name is on it, however it is spelled.
    pub fn has(&self, name: &str) -> bool {
        !self.is_empty() && self.0.contains(&normal(name))
    }

    /// Whether a person is meant: by the present name, by one of before, or by the mail address.
    pub fn means(&self, user: &KnownUser) -> bool {
        let names = [user.upn.as_str(), user.first_name()];
        let more = user.former_upns.iter().chain(&user.mail).map(String::as_str);
        !self.is_empty() && names.into_iter().chain(more).any(|name| self.has(name))
    }
}

/// Whether a text names somebody. It is asked about in lower case as a whole, and so is each part of it that looks like a
/// mail address: a name within a longer one is somebody else's.
pub fn text_mentions(text: &str, is_meant: &dyn Fn(&str) -> bool) -> bool {
    let text = text.trim().to_lowercase();
    if is_meant(&text) {
        return true;
    }
    // In addresses of documents, and in JSON within JSON.
    let text = text.replace("%40", "@").replace("\\u0040", "@");
    if addresses_mention(&text, is_meant) {
        return true;
    }
    // A line's end that JSON within JSON spells out would pass for the first letter of the name after it.
    let without_ends = text.replace("\\n", " ").replace("\\r", " ").replace("\\t", " ");
    without_ends != text && addresses_mention(&without_ends, is_meant)
}

fn addresses_mention(text: &str, is_meant: &dyn Fn(&str) -> bool) -> bool {
    text.split(|sign: char| !(sign.is_alphanumeric() || "@.!#$%&'*+-/=?^_`{}~".contains(sign)))
        .filter(|part| part.contains('@'))
        // What may stand in an address may also stand around it: in a path, a query or a quotation.
        .any(|part| {
            let plain = part
                .split(['/', '=', '?', '&', '%', '{', '}'])
                .map(|part| part.trim_matches(['\'', '.', '`', '*']));
            is_meant(part) || plain.filter(|part| part.contains('@')).any(is_meant)
        })
}

fn normal(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::known_user::tests::user;

    #[test]
    fn a_person_is_meant_by_every_name_they_have_or_had() {
        let mut person = KnownUser::seen(None, &user("a"), date(2026, 11, 1));
        person.mail = Some("A.Mail@contoso.example".to_owned());
        person.former_upns = vec!["maiden@contoso.example".to_owned()];
        for name in [
            " A@Contoso.Example ",
            "a.mail@contoso.example",
            "MAIDEN@contoso.example",
        ] {
            let list = ExclusionList::of([name.to_owned()]).unwrap();
            assert!(list.means(&person), "{name}");
        }
        let others = ExclusionList::of(["b@contoso.example".to_owned()]).unwrap();
        assert!(!others.means(&person));
        assert!(!ExclusionList::default().means(&person));
    }

    #[test]
    fn a_text_names_whoever_stands_in_it_whole() {
        let is_meant = |name: &str| name == "ann@contoso.example";
        for text in [
            " ANN@contoso.example",
            "2026-11-01,Ann@Contoso.example,Retail",
            "mail to <ann@contoso.example>.",
            "https://contoso.example/Ann%40contoso.example/notes?by='ann@contoso.example'",
            r#"{"half": "\"ann\u0040contoso.example\""#,
            r#"{"half": "first line\nann@contoso.example\r\nthird""#,
        ] {
            assert!(text_mentions(text, &is_meant), "{text}");
        }
        for text in [
            "joann@contoso.example",
            "jo.ann@contoso.example",
            "jo-ann@contoso.example,ann@contoso.example.org",
            "ann@contoso.examples",
            r#"{"half": "first line\njoann@contoso.example""#,
            "ann at contoso.example",
            "",
        ] {
            assert!(!text_mentions(text, &is_meant), "{text}");
        }
    }

    #[test]
    fn a_list_that_would_exclude_somebody_else_is_refused_without_naming_anybody() {
        assert_eq!(ExclusionList::parse(b"[]"), Ok(ExclusionList::default()));
        assert_eq!(ExclusionList::parse(br#"{"emails": []}"#), Err(ExclusionFault::NoList));
        assert_eq!(ExclusionList::parse(b"["), Err(ExclusionFault::NoList));
        for name in ["adele", "", "adele vance@contoso.example"] {
            let list = ExclusionList::of(["ok@x".to_owned(), name.to_owned()]);
            assert_eq!(list, Err(ExclusionFault::NoName(2)), "{name}");
        }
    }
}
