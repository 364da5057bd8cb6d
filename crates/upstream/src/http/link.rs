//! The `Link` header: where the next and the last page lie.

use url::Url;

/// Pages fetched ahead on the word of one header; a longer list is followed page by page.
const MOST_PAGES_AHEAD: u64 = 10_000;

/// The links of a page that paging needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The page after this one.
    pub next: Option<Url>,
    /// The last page.
    pub last: Option<Url>,
}

/// Reads a `Link` header (RFC 8288). What cannot be read is left out.
pub fn parse(header: &str) -> Links {
    let mut links = Links::default();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else {
            break;
        };
        // Parameters end at the comma before the next target; an address may hold commas, a parameter of ours does not.
        let parameters = after.split_once(',').map_or(after, |(parameters, _)| parameters);
        let relation = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            (name.trim().eq_ignore_ascii_case("rel")).then(|| value.trim().trim_matches('"'))
        });
        match relation {
            Some("next") => links.next = Url::parse(target).ok(),
            Some("last") => links.last = Url::parse(target).ok(),
            _ => {}
        }
        rest = after;
    }
    links
}

/// The addresses of the pages from `next` to `last`, when GitHub numbers its pages, so that they can be fetched side by
/// side. Both addresses are GitHub's own; only the number between them is filled in.
pub fn pages_between(links: &Links) -> Option<Vec<Url>> {
    let (next, last) = (links.next.as_ref()?, links.last.as_ref()?);
    let (first_number, last_number) = (page_number(next)?, page_number(last)?);
    let numbered_alike = with_page(next, last_number) == with_page(last, last_number);
    if !numbered_alike || last_number < first_number || last_number - first_number > MOST_PAGES_AHEAD {
        return None;
    }
    Some(
        (first_number..=last_number)
            .map(|number| with_page(next, number))
            .collect(),
    )
}

fn page_number(url: &Url) -> Option<u64> {
    let (_, number) = url.query_pairs().find(|(name, _)| name == "page")?;
    number.parse().ok()
}

fn with_page(url: &Url, number: u64) -> Url {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "page")
        .collect();
    pairs.sort();
    let mut url = url.clone();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(pairs)
        .append_pair("page", &number.to_string());
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn relations_are_found_in_any_order_and_spelling() {
        let links = parse(
            r#"<https://a.example/x?page=1,2>; rel="prev", <https://a.example/x?page=3>; title=t; REL=next , <https://a.example/x?page=9>;rel="last""#,
        );
        assert_eq!(links.next.unwrap().as_str(), "https://a.example/x?page=3");
        assert_eq!(links.last.unwrap().as_str(), "https://a.example/x?page=9");
        assert_eq!(parse(""), Links::default());
        assert_eq!(parse("<unfinished"), Links::default());
    }

    fn links(next: &str, last: &str) -> Links {
        Links {
            next: Url::parse(next).ok(),
            last: Url::parse(last).ok(),
        }
    }

    #[test]
    fn pages_are_known_only_when_they_are_numbered_alike() {
        let numbers = |next: &str, last: &str| {
            let pages = pages_between(&links(next, last))?;
            pages.iter().map(page_number).collect::<Option<Vec<_>>>()
        };
        let page = |query: &str| format!("https://a.example/x?{query}");
        assert_eq!(
            numbers(&page("per_page=100&page=2"), &page("page=4&per_page=100")),
            Some(vec![2, 3, 4])
        );
        assert_eq!(numbers(&page("page=2"), &page("page=2")), Some(vec![2]));
        assert_eq!(numbers(&page("page=2"), &page("page=1")), None);
        assert_eq!(numbers(&page("page=2&q=a"), &page("page=4&q=b")), None);
        assert_eq!(numbers(&page("after=c1"), &page("after=c9")), None);
        assert_eq!(numbers(&page("page=2"), ""), None);
        assert_eq!(numbers(&page("page=2"), &page("page=10000000000")), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in "[<>;,=\"a-z:/?&0-9 ]{0,80}") {
            let _ = parse(&header);
        }

        #[test]
        fn a_written_header_reads_back(next in 2_u64..500, more in 0_u64..500) {
            let header = format!(
                "<https://a.example/x?per_page=100&page={next}>; rel=\"next\", <https://a.example/x?per_page=100&page={}>; rel=\"last\"",
                next + more
            );
            let pages = pages_between(&parse(&header)).unwrap();
            prop_assert_eq!(pages.len() as u64, more + 1);
        }
    }
}
