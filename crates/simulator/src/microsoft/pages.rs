//! Pages of Graph: `@odata.nextLink` leads on, by a token that means nothing to anybody else.

use axum::http::Uri;

use super::{feed::Turn, functions, refusal::Refusal};

/// How tokens begin. What follows is where the page begins, which list it is of, and its number.
const MARK: &str = "RFNwdAIAAQ";

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The position of its first item.
    pub(super) first: u32,
    /// The day of the list it is a page of.
    pub(super) list: i64,
    /// Counted from 1.
    pub(super) page: u32,
}

impl Place {
    /// Where the page of a request begins, where it is not the first one.
    pub(super) fn of(uri: &Uri) -> Result<Option<Self>, Refusal> {
        let query = functions::query(uri);
        let given = query.get("$skiptoken").or_else(|| query.get("$skipToken"));
        let read = |token: &String| {
            Self::read(token).ok_or_else(|| Refusal::BadRequest("The $skiptoken is not valid.".to_owned()))
        };
        given.map(read).transpose()
    }

    fn read(token: &str) -> Option<Self> {
        let rest = token.strip_prefix(MARK)?;
        let first = u32::from_str_radix(rest.get(..8)?, 16).ok()?;
        let list = i64::from_str_radix(rest.get(8..16)?, 16).ok()?;
        let page = u32::from_str_radix(rest.get(16..)?, 16).ok()?;
        Some(Self { first, list, page })
    }

    /// The address of the page that begins here: as asked, with another token.
    pub(super) fn link(self, base: &str, uri: &Uri) -> String {
        let Self { first, list, page } = self;
        let asked = uri.query().unwrap_or_default().split('&');
        let others: String = asked
            .filter(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                let name = name.to_ascii_lowercase().replace("%24", "$");
                !pair.is_empty() && name != "$skiptoken"
            })
            .flat_map(|pair| [pair, "&"])
            .collect();
        format!(
            "{base}{}?{others}$skiptoken={MARK}{first:08x}{list:08x}{page:x}",
            uri.path()
        )
    }
}

/// The number of the page that a request asks for, where it has a token of ours.
pub(crate) fn number(uri: &Uri) -> Option<u64> {
    let place = Place::of(uri).ok().flatten();
    place.map_or_else(
        || Turn::of(uri).ok().flatten().map(|turn| turn.page),
        |place| Some(place.page.into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_place_and_keeps_the_rest() {
        let place = Place {
            first: 999,
            list: 20_777,
            page: 2,
        };
        let uri: Uri = "/v1.0/users?$select=id&%24skiptoken=old&$top=999".parse().unwrap();
        let link = place.link("http://127.0.0.1:1", &uri);
        assert!(
            link.starts_with("http://127.0.0.1:1/v1.0/users?$select=id&$top=999&$skiptoken="),
            "{link}"
        );
        let next: Uri = link.parse().unwrap();
        assert_eq!(Place::of(&next).unwrap(), Some(place));
        assert_eq!(number(&next), Some(2));
        assert!(Place::of(&uri).is_err());
    }
}
